/* web/message_read.c - what a message stream reads: the log in pieces, a range of it in rounds, and
 * its live end. See message_stream_int.h. SPEC: web-ui 4. Thread: the stream's. */
#include <time.h>

#include "base/base.h"
#include "base/clock.h"
#include "base/mem.h"
#include "web/message_stream_int.h"

enum {
    WRITE_BYTES = 64 << 10, /* collected for one write */
    READ_BYTES = 256 << 10, /* of the log at a time */
    PLAIN_MAX = 256 << 20,  /* of one batch, uncompressed */
    WINDOW_MAX = 16384,     /* offsets of a partition in one round, while nothing matches */
    SCAN_RECORDS = 1000000, /* without enough matches: the user decides whether to go on */
    SCAN_MS = 20000,
    TAIL_WRITE_MS = 50,   /* at most 20 writes a second */
    TAIL_RECORDS = 200,   /* in one write */
    TAIL_BACKLOG = 10000, /* of a partition: more than that is skipped */
    TAIL_IDLE_MS = 1000,
    TAIL_STUCK_MS = 1000, /* a client that takes nothing for so long misses records */
};

/* --- from the log ---------------------------------------------------------------------------- */

struct window {
    int64_t from, to, at; /* at: all below was visited */
    scan_visit_fn fn;
    void *visit;
};

/* Records of one batch that are in the window. E_CANCELLED: the visitor wants no more. */
static enum err visit_batch(struct message_stream *s, struct slice batch, struct window *win)
{
    struct batch_iter it;
    struct batch_record r;
    enum err err = E_OK;
    if (batch_is_control(batch.p))
        return E_OK;
    err = batch_iter_init(&it, batch, PLAIN_MAX);
    if (err)
        return err;
    while (!err && batch_iter_next(&it, &r)) {
        if (r.offset < win->from || r.offset >= win->to)
            continue;
        s->counts.records++;
        s->counts.bytes += (int64_t)r.size;
        if (!win->fn(win->visit, &r, it.log_append_time) || s->failed ||
            ((s->counts.records & 1023) == 0 && !message_stream_tick(s)))
            err = E_CANCELLED;
    }
    if (!err)
        err = it.err;
    batch_iter_release(&it);
    return err;
}

static enum err visit_batches(struct message_stream *s, size_t part, struct window *win)
{
    struct slice rest = strbuf_slice(&s->log), batch;
    while (win->at < win->to && batch_split(&rest, &batch)) {
        int64_t base = batch_base_offset(batch.p), next = batch_last_offset(batch.p) + 1;
        enum err err = next > win->from && base < win->to ? visit_batch(s, batch, win) : E_OK;
        if (err == E_CANCELLED)
            return err;
        if (err) {
            char text[200];
            snprintf(text, sizeof text,
                     "Partition %d: the batch at offset %lld cannot be read (%s) and is left out",
                     s->parts[part].partition, (long long)base, err_name(err));
            message_stream_phase(s, text);
        }
        win->at = MAX(win->at, next);
    }
    return E_OK;
}

/* scan_ops.read: the log in pieces. Offsets that are gone by now are gaps like others. */
enum err message_stream_read(void *arg, size_t part, int64_t from, int64_t to, scan_visit_fn fn,
                             void *visit, struct error *e)
{
    struct message_stream *s = arg;
    struct window win = {from, to, from, fn, visit};
    while (win.at < to) {
        struct broker_read info;
        strbuf_reset(&s->log);
        enum err err = broker_read(s->targets[part], win.at, READ_BYTES, false, 0, &s->w->stopping,
                                   &s->log, &info, e);
        if (err == E_INVALID && info.start_offset > win.at) {
            win.at = info.start_offset;
            continue;
        }
        if (err == E_INVALID || (!err && s->log.n == 0))
            return E_OK; /* nothing more below the end */
        int64_t before = win.at;
        if (!err)
            err = visit_batches(s, part, &win);
        if (!err && !message_stream_tick(s))
            err = E_CANCELLED;
        if (err)
            return err;
        if (win.at <= before)
            return E_OK;
    }
    return E_OK;
}

/* scan_ops.keep */
struct slice message_stream_keep(void *arg, int32_t partition, const struct batch_record *r,
                                 bool log_append_time, struct arena *a)
{
    struct message_stream *s = arg;
    strbuf_reset(&s->event);
    if (!message_event_record(&s->event, &s->style, &s->tmp, partition, r, log_append_time))
        return SLICE_NULL;
    s->failed = strbuf_err(&s->event);
    char *copy = s->failed ? NULL : arena_try_alloc(a, s->event.n);
    if (!copy) {
        s->failed = E_NOMEM;
        return SLICE_NULL;
    }
    memcpy(copy, s->event.p, s->event.n);
    return slice_of(copy, s->event.n);
}

/* --- forward and backward -------------------------------------------------------------------- */

/* "Polling partitions: [0, 1]": those that are not read to their ends. */
static void tell_round(struct message_stream *s)
{
    struct strbuf text = STRBUF_INIT;
    bool first = true;
    strbuf_adds(&text, "Polling partitions: [");
    for (size_t i = 0; i < s->count; i++) {
        if (scan_part_exhausted(&s->scan, i))
            continue;
        strbuf_addf(&text, "%s%d", first ? "" : ", ", s->parts[i].partition);
        first = false;
    }
    strbuf_addc(&text, ']');
    message_event_phase(&s->out, strbuf_slice(&text));
    strbuf_release(&text);
}

static bool send_items(struct message_stream *s, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        strbuf_add_slice(&s->out, s->scan.items[i].text);
        if (s->out.n >= WRITE_BYTES && !message_stream_flush(s))
            return false;
    }
    return true;
}

/* While nothing matches, rounds grow, so that a search does not unpack a batch again and again; a
 * round that takes long makes the next one smaller. */
static void adapt_window(struct message_stream *s, int64_t base, int64_t took_ms)
{
    if (s->scan.item_count > 0)
        s->scan.window = base;
    else if (took_ms < PROGRESS_MS / 2)
        s->scan.window = MIN(2 * s->scan.window, MAX(base, WINDOW_MAX));
    else
        s->scan.window = MAX(s->scan.window / 2, base);
}

static bool over_limit(const struct message_stream *s)
{
    return s->counts.records >= SCAN_RECORDS ||
           clock_mono_ms() - s->started_ms - s->blocked_ms >= SCAN_MS;
}

enum err message_stream_range(struct message_stream *s, struct error *e)
{
    int64_t base = s->scan.window;
    size_t left = (size_t)s->q.limit;
    bool told = false;
    while (left > 0 && !scan_exhausted(&s->scan)) {
        int64_t began = clock_mono_ms();
        if (!told)
            tell_round(s);
        enum err err = scan_round(&s->scan, e);
        if (s->failed)
            err = error_set(e, s->failed, "a record cannot be shown");
        if (err)
            return err;
        told = s->scan.item_count == 0; /* rounds without a match count as one */
        if (!told)
            message_stream_consuming(s);
        adapt_window(s, base, clock_mono_ms() - began);
        size_t n = MIN(left, s->scan.item_count);
        if (!send_items(s, n))
            return E_CANCELLED;
        scan_unread(&s->scan, n);
        left -= n;
        if (left > 0 && over_limit(s) && !scan_exhausted(&s->scan)) {
            message_stream_phase(s, "scan limit reached");
            break;
        }
    }
    return E_OK;
}

/* --- live ------------------------------------------------------------------------------------ */

/* Jumps over what the client will not get: all of it, or all but the newest of a long backlog. */
static void skip(struct message_stream *s, bool all)
{
    for (size_t i = 0; i < s->count; i++) {
        struct scan_part *p = &s->parts[i];
        int64_t to = all ? p->end : p->end - TAIL_RECORDS;
        if (p->at < to && (all || p->end - p->at > TAIL_BACKLOG)) {
            s->counts.skipped += to - p->at;
            p->at = to;
        }
    }
}

static void refresh_ends(struct message_stream *s)
{
    for (size_t i = 0; i < s->count; i++) {
        struct broker_partition_info info;
        broker_target_info(s->targets[i], &info);
        s->parts[i].end = MAX(info.end_offset, s->parts[i].at);
    }
}

/* Until data is there (E_OK), PROGRESS_MS are over (E_TIMEOUT), or all ends. */
static enum err wait_data(struct message_stream *s)
{
    int64_t *at = xmalloc(s->count * sizeof *at);
    size_t ready;
    for (size_t i = 0; i < s->count; i++)
        at[i] = s->parts[i].at;
    enum err err = E_TIMEOUT;
    for (int slices = 0; err == E_TIMEOUT && slices < 4 && !message_stream_stopped(s); slices++)
        err = broker_wait(s->targets, at, s->count, 100, &s->w->stopping, &ready);
    mem_free(at);
    return err;
}

static void pause_until(const struct message_stream *s, int64_t mono_ms)
{
    int64_t ms = mono_ms - clock_mono_ms();
    if (ms > 0 && !message_stream_stopped(s)) {
        const struct timespec t = {.tv_nsec = MIN(ms, TAIL_WRITE_MS) * 1000000};
        nanosleep(&t, NULL);
    }
}

/* The client has room again: true. Otherwise what came in the meantime is skipped. */
static bool has_room(struct message_stream *s)
{
    if (http_sse_queued(s->r) <= CLIENT_BYTES)
        return true;
    for (int64_t until = clock_mono_ms() + TAIL_STUCK_MS;
         clock_mono_ms() < until && !message_stream_stopped(s);)
        if (http_sse_wait(s->r, CLIENT_BYTES / 2, 100))
            return true;
    refresh_ends(s);
    skip(s, true);
    return false;
}

enum err message_stream_tail(struct message_stream *s, struct error *e)
{
    int64_t written = 0;
    s->scan.window = MAX(TAIL_RECORDS / (int64_t)s->count, 1);
    while (!message_stream_stopped(s)) {
        enum err err = wait_data(s);
        if (err == E_CANCELLED)
            return err;
        if (clock_mono_ms() - s->told_ms >= TAIL_IDLE_MS) {
            message_stream_consuming(s);
            if (http_sse_queued(s->r) <= CLIENT_BYTES)
                message_stream_flush(s);
            strbuf_reset(&s->out); /* a client that is stuck gets the next one */
        }
        if (err || !has_room(s))
            continue;
        pause_until(s, written + TAIL_WRITE_MS);
        refresh_ends(s);
        skip(s, false);
        int64_t before = s->counts.records;
        err = scan_round(&s->scan, e);
        if (s->failed)
            err = error_set(e, s->failed, "a record cannot be shown");
        if (err)
            return err;
        if (s->counts.records == before && scan_exhausted(&s->scan)) { /* was the topic deleted? */
            struct broker_read info;
            for (size_t i = 0; i < s->count; i++) {
                strbuf_reset(&s->log);
                if (broker_read(s->targets[i], s->parts[i].at, 1, false, 0, NULL, &s->log, &info,
                                e) == E_NOT_FOUND)
                    return E_NOT_FOUND;
            }
        }
        if (s->scan.item_count == 0)
            continue;
        message_stream_consuming(s);
        if (!send_items(s, s->scan.item_count) || !message_stream_flush(s))
            return E_CANCELLED;
        written = clock_mono_ms();
    }
    return E_CANCELLED;
}
