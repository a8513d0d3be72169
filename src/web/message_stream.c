/* web/message_stream.c - GET messages/v2: records of a topic as server-sent events. SPEC: web-ui 4.
 *
 * A request is read and its partitions are opened on the pool; then it has a thread of its own,
 * which reads the log (broker/admin.h), and never more than the client takes: a client that reads
 * slowly, or not at all, costs one waiting thread and 1 MiB. The thread ends when all is shown,
 * when the client has gone, or with web_stop, which waits for it. Number of threads: STREAMS_MAX.
 */
#include <stdlib.h>
#include <time.h>

#include "base/base.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "web/api.h"
#include "web/message_json.h"
#include "web/message_query.h"
#include "web/message_scan.h"

enum {
    STREAMS_MAX = 32,
    CLIENT_BYTES = 1 << 20, /* unsent bytes up to which we go on */
    WRITE_BYTES = 64 << 10, /* collected for one write */
    READ_BYTES = 256 << 10, /* of the log at a time */
    PLAIN_MAX = 256 << 20,  /* of one batch, uncompressed */
    ROUND_BYTES = 32 << 20, /* of shown texts in memory */
    PROGRESS_MS = 250,      /* a CONSUMING event at least so often while searching */
    WINDOW_MAX = 16384,     /* offsets of a partition in one round, while nothing matches */
    SCAN_RECORDS = 1000000, /* without enough matches: the user decides whether to go on */
    SCAN_MS = 20000,
    TAIL_WRITE_MS = 50,   /* at most 20 writes a second */
    TAIL_RECORDS = 200,   /* in one write */
    TAIL_BACKLOG = 10000, /* of a partition: more than that is skipped */
    TAIL_IDLE_MS = 1000,
    TAIL_STUCK_MS = 1000, /* a client that takes nothing for so long misses records */
};

struct stream {
    struct web *w;
    struct http_request *r;
    struct message_query q;
    struct slice topic, secret;
    struct message_filter filter;
    struct message_style style;
    struct message_scratch tmp;
    struct message_counts counts;
    struct broker_target **targets; /* one per part */
    struct scan_part *parts;
    size_t count;
    struct scan_ops ops;
    struct scan scan;
    struct strbuf out;   /* events not handed over yet */
    struct strbuf event; /* of one record */
    struct strbuf log;   /* bytes of the log */
    int64_t started_ms, told_ms, blocked_ms;
    enum err failed;
};

/* --- to the client --------------------------------------------------------------------------- */

static bool stopped(const struct stream *s)
{
    return atomic_load(&s->w->stopping) || http_sse_closed(s->r);
}

/* Hands over what was collected, waiting while the client has not taken what came before. Live
 * events do not wait here: tail looks for room before each round, and one round is not much. */
static bool flush(struct stream *s)
{
    int64_t before = clock_mono_ms();
    bool waits = s->q.mode != MESSAGES_TAILING;
    while (waits && !stopped(s) && !http_sse_wait(s->r, CLIENT_BYTES, 100)) {
        /* the client is slow */
    }
    s->blocked_ms += clock_mono_ms() - before;
    if (s->out.n > 0 && !stopped(s))
        http_stream_data(s->r, strbuf_slice(&s->out));
    strbuf_reset(&s->out);
    return !stopped(s);
}

static void phase(struct stream *s, const char *text)
{
    message_event_phase(&s->out, slice_cstr(text));
}

static void consuming(struct stream *s)
{
    s->told_ms = clock_mono_ms();
    s->counts.elapsed_ms = s->told_ms - s->started_ms;
    message_event_consuming(&s->out, &s->counts);
}

/* Sign of life during a long read; false: nobody is interested any more. */
static bool tick(struct stream *s)
{
    if (clock_mono_ms() - s->told_ms >= PROGRESS_MS) {
        consuming(s);
        return flush(s);
    }
    return !stopped(s);
}

/* --- from the log ---------------------------------------------------------------------------- */

struct window {
    int64_t from, to, at; /* at: all below was visited */
    scan_visit_fn fn;
    void *visit;
};

/* Records of one batch that are in the window. E_CANCELLED: the visitor wants no more. */
static enum err visit_batch(struct stream *s, struct slice batch, struct window *win)
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
            ((s->counts.records & 1023) == 0 && !tick(s)))
            err = E_CANCELLED;
    }
    if (!err)
        err = it.err;
    batch_iter_release(&it);
    return err;
}

static enum err visit_batches(struct stream *s, size_t part, struct window *win)
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
            phase(s, text);
        }
        win->at = MAX(win->at, next);
    }
    return E_OK;
}

/* scan_ops.read: the log in pieces. Offsets that are gone by now are gaps like others. */
static enum err read_part(void *arg, size_t part, int64_t from, int64_t to, scan_visit_fn fn,
                          void *visit, struct error *e)
{
    struct stream *s = arg;
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
        if (!err && !tick(s))
            err = E_CANCELLED;
        if (err)
            return err;
        if (win.at <= before)
            return E_OK;
    }
    return E_OK;
}

/* scan_ops.keep */
static struct slice keep_record(void *arg, int32_t partition, const struct batch_record *r,
                                bool log_append_time, struct arena *a)
{
    struct stream *s = arg;
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
static void tell_round(struct stream *s)
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

static bool send_items(struct stream *s, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        strbuf_add_slice(&s->out, s->scan.items[i].text);
        if (s->out.n >= WRITE_BYTES && !flush(s))
            return false;
    }
    return true;
}

/* While nothing matches, rounds grow, so that a search does not unpack a batch again and again; a
 * round that takes long makes the next one smaller. */
static void adapt_window(struct stream *s, int64_t base, int64_t took_ms)
{
    if (s->scan.item_count > 0)
        s->scan.window = base;
    else if (took_ms < PROGRESS_MS / 2)
        s->scan.window = MIN(2 * s->scan.window, MAX(base, WINDOW_MAX));
    else
        s->scan.window = MAX(s->scan.window / 2, base);
}

static void done(struct stream *s)
{
    struct strbuf id = STRBUF_INIT;
    bool more = s->q.mode != MESSAGES_TAILING && !scan_exhausted(&s->scan);
    if (more) {
        s->q.count = 0;
        for (size_t i = 0; i < s->count; i++)
            if (!message_mode_backward(s->q.mode) || !scan_part_exhausted(&s->scan, i))
                s->q.positions[s->q.count++] =
                    (struct message_position){s->parts[i].partition, s->parts[i].at};
        message_cursor_write(&id, &s->q, s->topic, s->secret);
    }
    s->counts.elapsed_ms = clock_mono_ms() - s->started_ms;
    message_event_done(&s->out, &s->counts, more ? strbuf_slice(&id) : SLICE_NULL);
    flush(s);
    strbuf_release(&id);
}

static bool over_limit(const struct stream *s)
{
    return s->counts.records >= SCAN_RECORDS ||
           clock_mono_ms() - s->started_ms - s->blocked_ms >= SCAN_MS;
}

static enum err read_range(struct stream *s, struct error *e)
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
            consuming(s);
        adapt_window(s, base, clock_mono_ms() - began);
        size_t n = MIN(left, s->scan.item_count);
        if (!send_items(s, n))
            return E_CANCELLED;
        scan_unread(&s->scan, n);
        left -= n;
        if (left > 0 && over_limit(s) && !scan_exhausted(&s->scan)) {
            phase(s, "scan limit reached");
            break;
        }
    }
    return E_OK;
}

/* --- live ------------------------------------------------------------------------------------ */

/* Jumps over what the client will not get: all of it, or all but the newest of a long backlog. */
static void skip(struct stream *s, bool all)
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

static void refresh_ends(struct stream *s)
{
    for (size_t i = 0; i < s->count; i++) {
        struct broker_partition_info info;
        broker_target_info(s->targets[i], &info);
        s->parts[i].end = MAX(info.end_offset, s->parts[i].at);
    }
}

/* Until data is there (E_OK), PROGRESS_MS are over (E_TIMEOUT), or all ends. */
static enum err wait_data(struct stream *s)
{
    int64_t *at = xmalloc(s->count * sizeof *at);
    size_t ready;
    for (size_t i = 0; i < s->count; i++)
        at[i] = s->parts[i].at;
    enum err err = E_TIMEOUT;
    for (int slices = 0; err == E_TIMEOUT && slices < 4 && !stopped(s); slices++)
        err = broker_wait(s->targets, at, s->count, 100, &s->w->stopping, &ready);
    mem_free(at);
    return err;
}

static void pause_until(const struct stream *s, int64_t mono_ms)
{
    int64_t ms = mono_ms - clock_mono_ms();
    if (ms > 0 && !stopped(s)) {
        const struct timespec t = {.tv_nsec = MIN(ms, TAIL_WRITE_MS) * 1000000};
        nanosleep(&t, NULL);
    }
}

/* The client has room again: true. Otherwise what came in the meantime is skipped. */
static bool has_room(struct stream *s)
{
    if (http_sse_queued(s->r) <= CLIENT_BYTES)
        return true;
    for (int64_t until = clock_mono_ms() + TAIL_STUCK_MS; clock_mono_ms() < until && !stopped(s);)
        if (http_sse_wait(s->r, CLIENT_BYTES / 2, 100))
            return true;
    refresh_ends(s);
    skip(s, true);
    return false;
}

static enum err tail(struct stream *s, struct error *e)
{
    int64_t written = 0;
    s->scan.window = MAX(TAIL_RECORDS / (int64_t)s->count, 1);
    while (!stopped(s)) {
        enum err err = wait_data(s);
        if (err == E_CANCELLED)
            return err;
        if (clock_mono_ms() - s->told_ms >= TAIL_IDLE_MS) {
            consuming(s);
            if (http_sse_queued(s->r) <= CLIENT_BYTES)
                flush(s);
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
        consuming(s);
        if (!send_items(s, s->scan.item_count) || !flush(s))
            return E_CANCELLED;
        written = clock_mono_ms();
    }
    return E_CANCELLED;
}

/* --- one stream from begin to end ------------------------------------------------------------ */

static void stream_free(struct stream *s)
{
    for (size_t i = 0; i < s->count; i++)
        broker_target_close(s->targets[i]);
    scan_release(&s->scan);
    message_filter_release(&s->filter);
    message_scratch_release(&s->tmp);
    strbuf_release(&s->out);
    strbuf_release(&s->event);
    strbuf_release(&s->log);
    mem_free(s->targets);
    mem_free(s->parts);
    message_query_release(&s->q);
    mem_free(s);
}

static void stream_ended(struct web *w)
{
    pthread_mutex_lock(&w->lock);
    w->streams--;
    pthread_cond_broadcast(&w->ended);
    pthread_mutex_unlock(&w->lock);
}

static void run(struct stream *s)
{
    struct error e = {0};
    s->started_ms = s->told_ms = clock_mono_ms();
    phase(s, "Consumer created");
    if (s->q.note.p)
        message_event_phase(&s->out, s->q.note);
    if (!flush(s))
        return;
    enum err err = s->q.mode == MESSAGES_TAILING ? tail(s, &e) : read_range(s, &e);
    if (err == E_CANCELLED)
        return;
    if (err)
        phase(s, e.msg[0] ? e.msg : err_name(err));
    done(s);
}

static void *stream_main(void *arg)
{
    struct stream *s = arg;
    struct web *w = s->w;
    http_reply_header(s->r, "X-Accel-Buffering", "no");
    http_stream_begin(s->r, 200, "text/event-stream;charset=UTF-8");
    run(s);
    http_stream_end(s->r);
    stream_free(s);
    stream_ended(w);
    return NULL;
}

/* --- the request ----------------------------------------------------------------------------- */

/* Range of one partition by the query. False: nothing to read there. */
static enum err set_range(struct stream *s, size_t i, int64_t own, bool *wanted, struct error *e)
{
    struct broker_partition_info info;
    struct scan_part *p = &s->parts[i];
    int64_t value = own >= 0 ? own : s->q.value, found = 0, ms;
    enum message_mode mode = s->q.mode;
    broker_target_info(s->targets[i], &info);
    p->partition = info.id;
    p->begin = info.start_offset;
    p->end = info.end_offset;
    *wanted = p->begin < p->end;
    if (mode == MESSAGES_FROM_TIMESTAMP || mode == MESSAGES_TO_TIMESTAMP) {
        enum err err = broker_offset_for(s->targets[i], value, &found, &ms, e);
        if (err)
            return err;
        if (found < 0)
            found = p->end;
        value = found;
    }
    value = MIN(MAX(value, p->begin), p->end);
    if (mode == MESSAGES_FROM_OFFSET || mode == MESSAGES_FROM_TIMESTAMP)
        p->begin = value;
    else if (mode == MESSAGES_TO_OFFSET || mode == MESSAGES_TO_TIMESTAMP)
        p->end = value;
    else if (mode == MESSAGES_TAILING)
        p->begin = p->end;
    if (mode == MESSAGES_TAILING)
        *wanted = true;
    return E_OK;
}

static enum err open_part(struct stream *s, int32_t partition, int64_t own, struct error *e)
{
    bool wanted;
    enum err err =
        broker_target_open(s->w->deps.broker, s->topic, partition, &s->targets[s->count], e);
    if (err)
        return err;
    err = set_range(s, s->count, own, &wanted, e);
    if (err || !wanted)
        broker_target_close(s->targets[s->count]);
    else
        s->count++;
    return err;
}

/* Opens the partitions asked for. *code: what a failure is to the client. */
static enum err open_parts(struct stream *s, enum web_code *code, struct error *e)
{
    struct arena a;
    struct broker_topic_info t;
    arena_init(&a, 0, ARENA_NO_BUDGET);
    *code = WEB_NO_TOPIC;
    enum err err = broker_topic(s->w->deps.broker, s->topic, &a, &t, e);
    size_t all = err ? 0 : (size_t)t.partition_count;
    arena_release(&a);
    if (err)
        return err;
    size_t selected = s->q.count ? s->q.count : all;
    s->targets = xcalloc(selected + 1, sizeof(struct broker_target *));
    s->parts = xcalloc(selected + 1, sizeof *s->parts);
    *code = WEB_NO_PARTITION;
    for (size_t i = 0; !err && i < s->q.count; i++) {
        const struct message_position *p = &s->q.positions[i];
        if ((size_t)p->partition >= all)
            err = error_set(e, E_NOT_FOUND, "topic " PRI_SL " has no partition %d",
                            ARG_SL(s->topic), p->partition);
        else
            err = open_part(s, p->partition, p->value, e);
    }
    for (size_t i = 0; !err && s->q.count == 0 && i < all; i++)
        err = open_part(s, (int32_t)i, -1, e);
    if (!err && s->q.count == 0) /* room for the cursor */
        s->q.positions = arena_calloc(&s->q.a, all + 1, sizeof *s->q.positions);
    return err;
}

/* Takes a place among the streams. False: there is none. */
static bool take_place(struct web *w)
{
    pthread_mutex_lock(&w->lock);
    bool ok = w->streams < STREAMS_MAX && !atomic_load(&w->stopping);
    w->streams += ok;
    pthread_mutex_unlock(&w->lock);
    return ok;
}

static void start(struct stream *s)
{
    struct web *w = s->w;
    struct http_request *r = s->r;
    struct error e = {0};
    pthread_t thread;
    bool tailing = s->q.mode == MESSAGES_TAILING;
    message_filter_init(&s->filter, s->q.filter);
    s->style = (struct message_style){s->q.key_serde, s->q.value_serde, s->q.max_bytes, &s->filter,
                                      herder_is_config_topic(w->herder, s->topic)};
    int64_t window = ((int64_t)s->q.limit + (int64_t)s->count - 1) / MAX((int64_t)s->count, 1);
    s->ops = (struct scan_ops){.read = read_part, .keep = keep_record, .arg = s};
    scan_init(&s->scan, &s->ops, message_mode_backward(s->q.mode), s->parts, s->count, window,
              tailing ? CLIENT_BYTES : ROUND_BYTES);
    if (!take_place(w)) {
        web_error(r, w, WEB_BAD_REQUEST,
                  "%d message streams are open already, which is the most there can be; close a "
                  "page that shows messages",
                  STREAMS_MAX);
        stream_free(s);
    } else if (thread_start(&thread, "weir-messages", stream_main, s, &e) != E_OK) {
        web_fail(r, w, &e, WEB_UNEXPECTED);
        stream_free(s);
        stream_ended(w);
    } else {
        pthread_detach(thread);
    }
}

static void messages(struct http_request *r, struct web *w, bool old)
{
    struct error e = {0};
    enum web_code code = WEB_INVALID;
    struct stream *s = xcalloc(1, sizeof *s);
    s->w = w;
    s->r = r;
    strbuf_init(&s->out, 0);
    strbuf_init(&s->event, 0);
    strbuf_init(&s->log, 0);
    strbuf_init(&s->tmp.key, 0);
    strbuf_init(&s->tmp.value, 0);
    strbuf_init(&s->tmp.masked, 0);
    message_filter_init(&s->filter, SLICE_NULL);
    s->secret = slice_of(w->secret, sizeof w->secret);
    struct slice topic = http_param(r, "topic");
    enum err err = old ? message_query_read_old(&s->q, r, &e)
                       : message_query_read(&s->q, r, topic, s->secret, &e);
    s->topic = arena_dup(&s->q.a, topic);
    if (!err)
        err = open_parts(s, &code, &e);
    if (err) {
        web_fail(r, w, &e, code);
        stream_free(s);
    } else if (http_method(r) == HTTP_HEAD) {
        http_reply(r, 200, "text/event-stream;charset=UTF-8", SL(""));
        stream_free(s);
    } else {
        start(s);
    }
}

void web_messages(struct http_request *r, void *arg)
{
    messages(r, arg, false);
}

void web_messages_old(struct http_request *r, void *arg)
{
    messages(r, arg, true);
}
