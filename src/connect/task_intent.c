/* connect/task_intent.c - exactly once for our own sources (docs/ARCHITECTURE.md, Offsets).
 *
 * Before each append one SQLite transaction stores the offsets reached so far together with an
 * intent: the offsets after this batch and, per partition, which sequence numbers it will carry.
 * After a kill the log's producer state tells what arrived:
 *
 *   all of it
 *       the offsets after are adopted
 *   none or some of it
 *       the source reads again from the stored offsets; the records that are there (the first ones of
 *       each partition) are left out when they come again
 *   the log forgot us, the topic or the configuration changed
 *       the intent ends; at least once
 *   the log lacks even what came before, or the machine was restarted
 *       the `durable` offsets hold, which were noted after everything up to them had been through
 *       fdatasync
 *
 * Row body:
 * {"hash":"...","after":[[partition,offset|null],...],"parts":[[topic,partition,partitions,
 * first,count,skip,left,sticky],...]}. */
#include "connect/task_internal.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "connect/store.h"

enum { DURABLE_EVERY_MS = 1000 };

/* --- set-up ----------------------------------------------------------------------------------- */

/* Names the configuration: with another one the same range may give other records. */
static void hash_config(const struct strmap *config, char out[20])
{
    struct strbuf all = STRBUF_INIT;
    uint8_t sum[32];
    for (size_t i = 0; i < config->count; i++) {
        strbuf_add_slice(&all, config->entries[i].key);
        strbuf_addc(&all, '\0');
        strbuf_add_slice(&all, config->entries[i].value);
        strbuf_addc(&all, '\0');
    }
    sha256(strbuf_slice(&all), sum);
    for (int i = 0; i < 8; i++)
        snprintf(out + 2 * i, 3, "%02x", sum[i]);
    mem_wipe(all.p, all.n); /* passwords */
    strbuf_release(&all);
}

void intents_init(struct intents *in, struct task *t, struct kproducer *p)
{
    memset(in, 0, sizeof *in);
    in->t = t;
    in->producer = p;
    arena_init(&in->arena, 4096, ARENA_NO_BUDGET);
    strbuf_init(&in->durable_wait, 0);
    map_init(&in->current);
    clock_boot_id(in->boot_id);
    hash_config(&t->config, in->config_hash);
    in->durable_at = clock_mono_ms();
}

void intents_release(struct intents *in)
{
    if (!in->t)
        return;
    arena_release(&in->arena);
    strbuf_release(&in->durable_wait);
    map_release(&in->current, mem_free);
    mem_free(in->reached);
    in->t = NULL;
}

/* --- texts ------------------------------------------------------------------------------------ */

static void write_offset(struct json_writer *w, const struct record_offset *o)
{
    jw_begin_array(w);
    jw_raw(w, o->partition);
    if (o->offset.p)
        jw_raw(w, o->offset);
    else
        jw_null(w);
    jw_end_array(w);
}

/* Null slice: nothing is open, the row keeps only the producer. */
static struct slice write_body(struct intents *in, const struct record_batch *b,
                               const struct kpart *parts, size_t count, struct strbuf *out)
{
    struct json_writer w = JSON_WRITER(out);
    if (!count)
        return SLICE_NULL;
    jw_begin_object(&w);
    jw_kv_string_c(&w, "hash", in->config_hash);
    if (b && b->unrepeatable)
        jw_kv_bool(&w, "unrepeatable", true);
    jw_kv_array(&w, "after");
    for (size_t i = 0; b && i < b->offsets_count; i++)
        if (i + 1 == b->offsets_count ||
            !slice_eq(b->offsets[i].partition, b->offsets[i + 1].partition))
            write_offset(&w, &b->offsets[i]);
    jw_end_array(&w);
    jw_kv_array(&w, "parts");
    for (size_t i = 0; i < count; i++) {
        const struct kpart *p = &parts[i];
        jw_begin_array(&w);
        jw_string(&w, p->topic);
        jw_i64(&w, p->partition);
        jw_i64(&w, p->partitions);
        jw_i64(&w, p->first_sequence);
        jw_i64(&w, p->count);
        jw_i64(&w, p->skip);
        jw_i64(&w, p->left);
        jw_bool(&w, p->sticky);
        jw_end_array(&w);
    }
    jw_end_array(&w);
    jw_end_object(&w);
    return strbuf_slice(out);
}

/* All offsets of this task as [[partition,offset],...]. */
static void write_current(struct intents *in, struct strbuf *out)
{
    struct json_writer w = JSON_WRITER(out);
    size_t i = 0;
    struct slice key;
    void *text;
    strbuf_reset(out);
    jw_begin_array(&w);
    while (map_next(&in->current, &i, &key, &text))
        write_offset(&w, &(struct record_offset){key, slice_cstr(text)});
    jw_end_array(&w);
}

struct offsets_list {
    struct record_offset *items;
    size_t count, cap;
};

static void add_offset(struct offsets_list *l, struct record_offset o)
{
    if (l->count == l->cap) {
        l->cap = l->cap ? l->cap * 2 : 8;
        l->items = xrealloc(l->items, l->cap * sizeof *l->items);
    }
    l->items[l->count++] = o;
}

/* The reader stands after the opening bracket of the list. */
static enum err read_offsets(struct json_reader *r, struct offsets_list *l)
{
    while (jr_next(r) == JT_ARRAY) {
        struct record_offset o;
        (void)jr_next(r);
        o.partition = jr_raw(r);
        enum json_token t = jr_next(r);
        o.offset = jr_raw(r);
        if (t == JT_NULL)
            o.offset = SLICE_NULL;
        if (jr_next(r) != JT_ARRAY_END || !o.partition.p)
            return E_CORRUPT;
        add_offset(l, o);
    }
    return r->token == JT_ARRAY_END ? E_OK : E_CORRUPT;
}

/* --- recovery --------------------------------------------------------------------------------- */

struct body {
    struct slice hash;
    struct offsets_list after;
    struct kpart *parts;
    int32_t *arrived;
    size_t count, cap;
    bool unrepeatable;
};

static int32_t read_i32(struct json_reader *r)
{
    int64_t v = 0;
    if (jr_next(r) != JT_NUMBER || jr_i64(r, &v))
        (void)jr_fail(r, E_CORRUPT, "a number was expected");
    return (int32_t)v;
}

static enum err read_parts(struct json_reader *r, struct body *b, struct arena *a)
{
    while (jr_next(r) == JT_ARRAY) {
        struct kpart p = {0};
        if (jr_next(r) != JT_STRING)
            return E_CORRUPT;
        p.topic = jr_string(r, a);
        p.partition = read_i32(r);
        p.partitions = read_i32(r);
        p.first_sequence = read_i32(r);
        p.count = read_i32(r);
        p.skip = read_i32(r);
        p.left = read_i32(r);
        p.sticky = jr_next(r) == JT_TRUE;
        if (jr_next(r) != JT_ARRAY_END)
            return E_CORRUPT;
        if (b->count == b->cap) {
            b->cap = b->cap ? b->cap * 2 : 8;
            b->parts = xrealloc(b->parts, b->cap * sizeof *b->parts);
            b->arrived = xrealloc(b->arrived, b->cap * sizeof *b->arrived);
        }
        b->parts[b->count++] = p;
    }
    return r->token == JT_ARRAY_END ? E_OK : E_CORRUPT;
}

static enum err read_body(struct slice text, struct body *b, struct arena *a)
{
    struct json_reader r;
    enum err err = E_OK;
    jr_init(&r, text, 0);
    if (jr_next(&r) != JT_OBJECT)
        return E_CORRUPT;
    while (!err && jr_next(&r) == JT_KEY) {
        bool after = jr_is(&r, "after"), parts = jr_is(&r, "parts"), hash = jr_is(&r, "hash"),
             unrepeatable = jr_is(&r, "unrepeatable");
        enum json_token t = jr_next(&r);
        if ((after || parts) && t != JT_ARRAY)
            err = E_CORRUPT;
        else if (after)
            err = read_offsets(&r, &b->after);
        else if (parts)
            err = read_parts(&r, b, a);
        else if (hash && t == JT_STRING)
            b->hash = jr_string(&r, a);
        else if (unrepeatable)
            b->unrepeatable = t == JT_TRUE;
        else
            err = jr_skip(&r);
    }
    return err || r.token != JT_OBJECT_END ? E_CORRUPT : E_OK;
}

static void body_release(struct body *b)
{
    mem_free(b->after.items);
    mem_free(b->parts);
    mem_free(b->arrived);
}

static enum err go_back(struct intents *in, struct slice durable, const char *why, struct error *e)
{
    struct offsets_list l = {0};
    struct json_reader r;
    jr_init(&r, durable, 0);
    enum err err = durable.p && jr_next(&r) == JT_ARRAY ? read_offsets(&r, &l) : E_OK;
    if (!err) {
        LOG_WARN(LOG_CONNECT_TASK, "%s: going on from the offsets that were on disk for certain",
                 why);
        err = store_go_back(in->t->ctx.db, slice_cstr(in->t->connector), in->t->ctx.task, l.items,
                            l.count, in->t->task_count == 1, e);
    } else {
        err = error_set(e, err, "the stored durable offsets cannot be read");
    }
    mem_free(l.items);
    in->noted = false;
    return err;
}

/* Asks the log about every part. */
static enum err ask_log(struct intents *in, struct body *b, bool *known, bool *behind, bool *all,
                        struct error *e)
{
    *known = *all = true;
    *behind = false;
    for (size_t i = 0; i < b->count; i++) {
        struct kclient_topic info;
        bool part_known = true, part_behind = false;
        b->arrived[i] = 0;
        enum err err = kclient_describe(in->t->ctx.kclient, b->parts[i].topic, &info, e);
        if (err == E_NOT_FOUND || (!err && info.partitions != b->parts[i].partitions)) {
            *known = false;
            continue;
        }
        if (!err && b->parts[i].count)
            err = kproducer_arrived(in->producer, &b->parts[i], &b->arrived[i], &part_known,
                                    &part_behind, e);
        if (err)
            return err;
        *known &= part_known;
        *behind |= part_behind;
        *all &= b->arrived[i] == b->parts[i].count;
    }
    return E_OK;
}

static enum err settle(struct intents *in, struct body *b, struct slice durable, struct error *e)
{
    bool known, behind, all;
    enum err err = ask_log(in, b, &known, &behind, &all, e);
    if (err)
        return err;
    if (behind)
        return go_back(in, durable, "the log lacks records that were noted", e);
    struct stored_intent row = {.producer_id = kproducer_id(in->producer),
                                .boot_id = slice_cstr(in->boot_id)};
    if (known && all) {
        LOG_INFO(LOG_CONNECT_TASK,
                 "the last batch of the run before is in the log: its offsets are adopted");
        /* With another configuration other records may come: better some come twice than that the
         * wrong ones are left out. */
        bool same = slice_eq_c(b->hash, in->config_hash);
        for (size_t i = 0; i < b->count && same; i++)
            kproducer_skip(in->producer, &b->parts[i], b->parts[i].left);
        /* Leftovers stay noted: with the next batch, or now in a row of their own. */
        struct strbuf text = STRBUF_INIT;
        const struct kpart *parts;
        size_t count;
        err = kproducer_pending(in->producer, &parts, &count, e);
        if (!err) {
            row.body = write_body(in, NULL, parts, count, &text);
            in->open = row.body.p != NULL;
            err = store_progress(in->t->ctx.db, slice_cstr(in->t->connector), in->t->ctx.task,
                                 b->after.items, b->after.count, &row, e);
        }
        strbuf_release(&text);
        return err;
    }
    if (!known || !slice_eq_c(b->hash, in->config_hash)) {
        LOG_WARN(
            LOG_CONNECT_TASK,
            "the last batch of the run before cannot be told apart: its events may come twice");
        in->open = true;
        return E_OK;
    }
    if (b->unrepeatable) {
        LOG_INFO(LOG_CONNECT_TASK, "a part of the last batch of the run before is in the log; what "
                                   "comes instead of it may come twice");
        for (size_t i = 0; i < b->count; i++) /* of a batch before, still to come again */
            if (!b->parts[i].count && !b->parts[i].skip)
                kproducer_skip(in->producer, &b->parts[i], b->parts[i].left);
        in->open = true;
        return E_OK;
    }
    for (size_t i = 0; i < b->count; i++)
        kproducer_skip(in->producer, &b->parts[i],
                       b->parts[i].skip + b->arrived[i] + b->parts[i].left);
    in->open = true;
    LOG_INFO(LOG_CONNECT_TASK, "the last batch of the run before is read again");
    return E_OK;
}

static void remember(struct intents *in, const struct record_offset *o)
{
    mem_free(o->offset.p ? map_put(&in->current, o->partition, slice_dup(o->offset))
                         : map_del(&in->current, o->partition));
}

static enum err load_current(struct intents *in, struct arena *a, struct error *e)
{
    struct record_offset *all;
    size_t count;
    enum err err =
        store_offsets_all(in->t->ctx.db, slice_cstr(in->t->connector), a, &all, &count, e);
    for (size_t i = 0; i < count && !err && in->t->task_count == 1; i++)
        remember(in, &all[i]);
    return err;
}

enum err intents_recover(struct intents *in, struct error *e)
{
    struct arena a;
    struct stored_intent row;
    struct body b = {0};
    arena_init(&a, 4096, ARENA_NO_BUDGET);
    enum err err =
        store_intent_get(in->t->ctx.db, slice_cstr(in->t->connector), in->t->ctx.task, &a, &row, e);
    if (!err) {
        in->noted = true;
        kproducer_resume(in->producer, row.producer_id);
        if (in->boot_id[0] && row.boot_id.n && !slice_eq_c(row.boot_id, in->boot_id)) {
            err = go_back(in, row.durable, "the machine was restarted", e);
        } else if (row.body.p) {
            err = read_body(row.body, &b, &a);
            if (err)
                LOG_ERROR(LOG_CONNECT_TASK,
                          "the stored intent cannot be read: events of the last batch may come "
                          "twice");
            err = err ? E_OK : settle(in, &b, row.durable, e);
        }
    } else if (err == E_NOT_FOUND) {
        error_clear(e);
        err = E_OK;
    }
    if (!err)
        err = load_current(in, &a, e);
    body_release(&b);
    arena_release(&a);
    return err;
}

/* --- while running ---------------------------------------------------------------------------- */

static enum err put_row(struct intents *in, const struct record_batch *b, struct error *e)
{
    struct strbuf text = STRBUF_INIT, durable = STRBUF_INIT;
    const struct kpart *parts;
    size_t count;
    enum err err = kproducer_pending(in->producer, &parts, &count, e);
    if (err)
        return err;
    struct stored_intent row = {.producer_id = kproducer_id(in->producer),
                                .boot_id = slice_cstr(in->boot_id)};
    row.body = write_body(in, b, parts, count, &text);
    bool was_open = in->open;
    if (row.producer_id >= 0 && !in->noted) { /* the first one: what is stored now is on disk */
        write_current(in, &durable);
        row.durable = strbuf_slice(&durable);
    }
    for (size_t i = 0; i < in->reached_count; i++)
        remember(in, &in->reached[i]);
    bool row_needed = row.body.p || was_open;
    if (row_needed || in->reached_count) {
        int64_t began_us = clock_mono_us();
        err = store_progress(in->t->ctx.db, slice_cstr(in->t->connector), in->t->ctx.task,
                             in->reached, in->reached_count, row_needed ? &row : NULL, e);
        if (in->reached_count)
            task_meter_commit(&in->t->meter, !err, clock_mono_us() - began_us);
    }
    if (!err) {
        in->noted |= row_needed;
        in->open = row.body.p != NULL;
        in->reached_count = 0;
        arena_reset(&in->arena);
    }
    strbuf_release(&text);
    strbuf_release(&durable);
    return err;
}

enum err intents_before(struct intents *in, const struct record_batch *b, struct error *e)
{
    const struct kpart *parts;
    size_t count;
    bool appends = false;
    enum err err = kproducer_pending(in->producer, &parts, &count, e);
    for (size_t i = 0; i < count && !err; i++)
        appends |= parts[i].count > 0 || parts[i].skip > 0;
    if (!err && appends)
        err = put_row(in, b, e);
    return err ? err : intents_fault(FAULT_AFTER_INTENT, e);
}

void intents_after(struct intents *in, const struct record_batch *b)
{
    for (size_t i = 0; i < b->offsets_count; i++) {
        const struct record_offset *o = &b->offsets[i];
        size_t at = in->reached_count;
        if (at && slice_eq(in->reached[at - 1].partition, o->partition))
            at--; /* a run for one partition: the last one counts */
        else if (at == in->reached_cap) {
            in->reached_cap = in->reached_cap ? in->reached_cap * 2 : 8;
            in->reached = xrealloc(in->reached, in->reached_cap * sizeof *in->reached);
        }
        in->reached[at] = (struct record_offset){arena_dup(&in->arena, o->partition),
                                                 arena_dup(&in->arena, o->offset)};
        in->reached_count = at + 1;
    }
}

enum err intents_commit(struct intents *in, struct error *e)
{
    if (!in->reached_count && !in->open)
        return E_OK;
    enum err err = put_row(in, NULL, e);
    return err ? err : intents_fault(FAULT_AFTER_COMMIT, e);
}

void intents_durable(struct intents *in, bool now)
{
    struct error e = {0};
    int64_t ms = clock_mono_ms();
    if (!in->noted || (!now && ms - in->durable_at < DURABLE_EVERY_MS))
        return;
    in->durable_at = ms;
    if (now) {
        if (kproducer_sync(in->producer, &e)) {
            LOG_ERR(LOG_CONNECT_TASK, LOG_L_WARN, &e, "the log could not be synced");
            return;
        }
        write_current(in, &in->durable_wait);
    }
    if (in->durable_wait.n && (now || kproducer_mark_synced(in->producer))) {
        if (intents_fault(FAULT_AFTER_SYNC, &e))
            return;
        if (store_durable(in->t->ctx.db, slice_cstr(in->t->connector), in->t->ctx.task,
                          strbuf_slice(&in->durable_wait), &e))
            LOG_ERR(LOG_CONNECT_TASK, LOG_L_WARN, &e, "the durable offsets could not be noted");
        if (intents_fault(FAULT_AFTER_DURABLE, &e))
            return;
        strbuf_reset(&in->durable_wait);
    }
    if (!in->durable_wait.n &&
        !now) { /* the stored offsets, once what is in the log now is synced */
        write_current(in, &in->durable_wait);
        kproducer_mark(in->producer);
    }
}
