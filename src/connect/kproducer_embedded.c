/* connect/kproducer_embedded.c - a producer on the embedded broker: record batches are built here and
 * appended straight to the partition's log; its life, topics and flush. See kproducer_internal.h.
 * SPEC: connect 8.1. */
#include "connect/kproducer_internal.h"

#include "base/log.h"
#include "base/mem.h"
#include "connect/connector.h"

/* --- a producer ------------------------------------------------------------------------------- */

enum err kproducer_open(struct kproducer **out, struct kclient *k, const char *name,
                        const struct strmap *overrides, struct error *e)
{
    struct kproducer *p = xcalloc(1, sizeof *p);
    struct slice codec =
        overrides ? slice_trim(strmap_get_c(overrides, "compression.type")) : SLICE_NULL;
    p->k = k;
    p->name = xstrdup(name);
    p->id = -1;
    p->builders.codec = CODEC_NONE;
    map_init(&p->topics);
    strbuf_init(&p->heads.bytes, 0);
    strbuf_init(&p->joined, 0);
    *out = p;
    if (!codec.p || codec_parse(codec, &p->builders.codec) == E_OK)
        return E_OK;
    kproducer_close(p);
    *out = NULL;
    return config_invalid(e, codec, "compression.type",
                          "String must be one of: gzip, lz4, none, snappy, zstd");
}

static void slot_free(struct kslot *s)
{
    if (!s)
        return;
    broker_target_close(s->target);
    builder_free(s->open);
    for (size_t i = 0; i < s->sealed_count; i++)
        builder_free(s->sealed[i].builder);
    mem_free(s->sealed);
    mem_free(s);
}

/* Forgets what is pending. */
static void empty_slot(struct kproducer *p, struct kslot *s)
{
    builder_pool_give(&p->builders, s->open);
    s->open = NULL;
    for (size_t i = 0; i < s->sealed_count; i++)
        builder_pool_give(&p->builders, s->sealed[i].builder);
    s->sealed_count = 0;
    s->count = s->open_count = s->appended = s->skipped = 0;
    s->sticky_used = false;
}

static void ktopic_free(void *arg)
{
    struct ktopic *t = arg;
    for (int32_t i = 0; i < t->partitions; i++)
        slot_free(t->slots[i]);
    mem_free(t->slots);
    mem_free((void *)(uintptr_t)t->name.p);
    mem_free(t);
}

void kproducer_close(struct kproducer *p)
{
    if (!p)
        return;
    map_release(&p->topics, ktopic_free);
    builder_pool_release(&p->builders);
    strbuf_release(&p->joined);
    strbuf_release(&p->heads.bytes);
    mem_free(p->used);
    mem_free(p->parts);
    mem_free(p->name);
    mem_free(p);
}

/* More partitions than before: only ever grows, slots stay. */
static void grow_topic(struct ktopic *t, int32_t partitions)
{
    if (partitions <= t->partitions)
        return;
    t->slots = xrealloc(t->slots, (size_t)partitions * sizeof *t->slots);
    memset(t->slots + t->partitions, 0, (size_t)(partitions - t->partitions) * sizeof *t->slots);
    t->partitions = partitions;
}

enum err kproducer_find_topic(struct kproducer *p, struct slice name, struct ktopic **out,
                              struct error *e)
{
    if (p->last && slice_eq(p->last->name, name)) {
        *out = p->last;
        return E_OK;
    }
    struct ktopic *t = map_get(&p->topics, name);
    if (!t) {
        struct kclient_topic info;
        enum err err = kclient_describe(p->k, name, &info, e);
        if (err)
            return err;
        t = xcalloc(1, sizeof *t);
        t->name = slice_of(slice_dup(name), name.n);
        t->replay_sticky = -1;
        t->max_bytes = info.max_bytes;
        grow_topic(t, info.partitions);
        (void)map_put(&p->topics, name, t);
    }
    *out = p->last = t;
    return E_OK;
}

/* The log's word on where this producer stands in the partition. */
static enum err ask_log(struct kproducer *p, struct kslot *s)
{
    struct broker_producer state;
    s->next_sequence = 0;
    if (p->id < 0)
        return E_OK;
    enum err err = broker_producer_state(s->target, p->id, &state);
    if (!err && state.last_sequence >= 0)
        s->next_sequence = (int32_t)(((int64_t)state.last_sequence + 1) & INT32_MAX);
    return err == E_NOT_FOUND ? E_OK : err;
}

enum err kproducer_find_slot(struct kproducer *p, struct ktopic *t, int32_t partition,
                             struct kslot **out, struct error *e)
{
    if (partition < 0 || partition >= t->partitions)
        return error_set(e, E_NOT_FOUND, "partition %d of topic " PRI_SL " does not exist",
                         (int)partition, ARG_SL(t->name));
    struct kslot *s = t->slots[partition];
    if (!s) {
        s = xcalloc(1, sizeof *s);
        s->topic = t;
        s->partition = partition;
        s->end_offset = s->mark = -1;
        t->slots[partition] = s;
    }
    if (!s->target) {
        enum err err = broker_target_open(p->k->broker, t->name, partition, &s->target, e);
        if (!err)
            err = ask_log(p, s);
        t->gone |= err == E_NOT_FOUND;
        if (err)
            return err;
    }
    *out = s;
    return E_OK;
}

void kproducer_use(struct kproducer *p, struct kslot *s)
{
    if (s->in_use)
        return;
    s->in_use = true;
    if (p->used_count == p->used_cap) {
        p->used_cap = p->used_cap ? p->used_cap * 2 : 8;
        p->used = xrealloc(p->used, p->used_cap * sizeof *p->used);
    }
    p->used[p->used_count++] = s;
    s->first_sequence = s->next_sequence;
    s->appended = 0;
}

static enum err new_id(struct kproducer *p, struct error *e)
{
    return p->id >= 0 ? E_OK : broker_producer_id(p->k->broker, &p->id, e);
}

/* Moves the open batch to the sealed ones. */
enum err kproducer_seal(struct kproducer *p, struct kslot *s, struct error *e)
{
    if (!s->open_count)
        return E_OK;
    enum err err = new_id(p, e);
    struct slice bytes;
    int32_t first = (int32_t)(((int64_t)s->first_sequence + s->count - s->open_count) & INT32_MAX);
    batch_builder_producer(s->open, p->id, 0, first, false);
    if (!err)
        err = batch_builder_finish(s->open, &bytes);
    if (err)
        return error_set(
            e, err,
            "org.apache.kafka.connect.errors.ConnectException: a record batch could not be "
            "built: %s",
            err_name(err));
    if (s->sealed_count == s->sealed_cap) {
        s->sealed_cap = s->sealed_cap ? s->sealed_cap * 2 : 4;
        s->sealed = xrealloc(s->sealed, s->sealed_cap * sizeof *s->sealed);
    }
    s->sealed[s->sealed_count++] = (struct ksealed){s->open, bytes};
    s->open = NULL;
    s->open_count = 0;
    return E_OK;
}

/* --- flush ------------------------------------------------------------------------------------ */

static void add_part(struct kproducer *p, size_t *n, const struct ktopic *t, const struct kslot *s)
{
    if (*n == p->parts_cap) {
        p->parts_cap = p->parts_cap ? p->parts_cap * 2 : 8;
        p->parts = xrealloc(p->parts, p->parts_cap * sizeof *p->parts);
    }
    p->parts[(*n)++] = (struct kpart){.topic = t->name,
                                      .partition = s->partition,
                                      .partitions = t->partitions,
                                      .first_sequence = s->first_sequence,
                                      .count = s->count,
                                      .skip = s->skipped,
                                      .left = s->skip,
                                      .sticky = s->sticky_used || t->replay_sticky == s->partition};
}

enum err kproducer_pending(struct kproducer *p, const struct kpart **parts, size_t *count,
                           struct error *e)
{
    size_t i = 0;
    struct slice name;
    void *value;
    *count = 0;
    for (size_t k = 0; k < p->used_count; k++) {
        enum err err = kproducer_seal(p, p->used[k], e);
        if (err)
            return err;
    }
    while (map_next(&p->topics, &i, &name, &value)) {
        const struct ktopic *t = value;
        for (int32_t k = 0; k < t->partitions; k++) {
            const struct kslot *s = t->slots[k];
            if (s && (s->count || s->skipped || s->skip))
                add_part(p, count, t, s);
        }
    }
    *parts = p->parts;
    return E_OK;
}

void kproducer_fault_after(struct kproducer *p, int batches)
{
    p->fault_after = batches + 1;
}

static enum err append_batch(struct kproducer *p, struct kslot *s, struct slice one,
                             struct error *e)
{
    struct broker_appended done;
    if (UNLIKELY(p->fault_after) && --p->fault_after == 0)
        return error_set(e, E_CANCELLED, "stopped by the test");
    enum err err = broker_append(s->target, (void *)(uintptr_t)one.p, one.n, &done, e);
    if (err)
        return err;
    s->appended += batch_count(one.p);
    s->end_offset = MAX(s->end_offset, done.end_offset);
    if (done.duplicate)
        LOG_WARN(LOG_CONNECT_TASK, "a batch was in the log already, base offset %lld",
                 (long long)done.base_offset);
    return E_OK;
}

static enum err append_slot(struct kproducer *p, struct kslot *s, struct error *e)
{
    enum err err = kproducer_seal(p, s, e);
    for (size_t i = 0; i < s->sealed_count && !err; i++)
        err = append_batch(p, s, s->sealed[i].bytes, e);
    if (err == E_NOT_FOUND) { /* the topic is gone: a new one of that name starts at sequence 0 */
        broker_target_close(s->target);
        s->target = NULL;
        s->topic->gone = true;
    }
    return err;
}

static void finish_slot(struct kproducer *p, struct kslot *s)
{
    s->next_sequence = (int32_t)(((int64_t)s->first_sequence + s->count) & INT32_MAX);
    s->in_use = false;
    empty_slot(p, s);
}

/* New partitions show up here; keyless records move on to the next partition. */
static void next_round(struct kproducer *p)
{
    int64_t now = broker_topics_generation(p->k->broker);
    bool changed = now != p->generation, waiting = false;
    size_t i = 0;
    struct slice name;
    void *value;
    while (map_next(&p->topics, &i, &name, &value)) {
        struct ktopic *t = value;
        struct kclient_topic info;
        t->sticky = (t->sticky + 1) % t->partitions;
        bool replaying = false;
        for (int32_t k = 0; k < t->partitions; k++)
            replaying |= t->slots[k] && t->slots[k]->skip > 0;
        if (!replaying)
            t->replay_sticky = -1;
        if (!replaying && changed && kclient_describe(p->k, t->name, &info, NULL) == E_OK) {
            t->max_bytes = info.max_bytes;
            grow_topic(t, info.partitions);
        }
        waiting |= replaying;
    }
    if (!waiting) /* else the change is looked at again after the next flush */
        p->generation = now;
}

enum err kproducer_flush(struct kproducer *p, struct error *e)
{
    for (size_t i = 0; i < p->used_count; i++) {
        enum err err = append_slot(p, p->used[i], e);
        if (err)
            return err;
    }
    for (size_t i = 0; i < p->used_count; i++)
        finish_slot(p, p->used[i]);
    p->used_count = 0;
    next_round(p);
    return E_OK;
}

enum err kproducer_flush_beginning(struct kproducer *p, struct error *e)
{
    enum err err = E_OK;
    for (size_t i = 0; i < p->used_count && !err; i++)
        err = append_slot(p, p->used[i], e);
    kproducer_abort(p);
    return err;
}

static void forget_gone(struct kproducer *p)
{
    size_t i = 0;
    struct slice name;
    void *value;
    while (map_next(&p->topics, &i, &name, &value)) {
        struct ktopic *t = value;
        if (t->gone) {
            (void)map_del(&p->topics, t->name);
            ktopic_free(t);
        }
    }
    p->last = NULL;
}

void kproducer_abort(struct kproducer *p)
{
    for (size_t i = 0; i < p->used_count; i++) {
        struct kslot *s = p->used[i];
        /* What was left out and what was appended will come again: leave both out then. */
        s->skip += s->skipped + s->appended;
        if (s->skip && s->sticky_used)
            s->topic->replay_sticky = s->partition;
        s->next_sequence = (int32_t)(((int64_t)s->first_sequence + s->appended) & INT32_MAX);
        s->in_use = false;
        empty_slot(p, s);
    }
    p->used_count = 0;
    forget_gone(p);
}
