/* web/message_stream.c - GET messages/v2: records of a topic as server-sent events. SPEC: web-ui 4.
 *
 * A request is read and its partitions are opened on the pool; then it has a thread of its own,
 * which reads the log (broker/admin.h), and never more than the client takes: a client that reads
 * slowly, or not at all, costs one waiting thread and 1 MiB. The thread ends when all is shown,
 * when the client has gone, or with web_stop, which waits for it. Number of threads: STREAMS_MAX.
 */
#include <stdlib.h>

#include "base/base.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "web/api.h"
#include "web/message_stream_int.h"

enum {
    STREAMS_MAX = 32,
    ROUND_BYTES = 32 << 20, /* of shown texts in memory */
};

/* --- to the client --------------------------------------------------------------------------- */

bool message_stream_stopped(const struct message_stream *s)
{
    return atomic_load(&s->w->stopping) || http_sse_closed(s->r);
}

/* Hands over what was collected, waiting while the client has not taken what came before. Live
 * events do not wait here: tail looks for room before each round, and one round is not much. */
bool message_stream_flush(struct message_stream *s)
{
    int64_t before = clock_mono_ms();
    bool waits = s->q.mode != MESSAGES_TAILING;
    while (waits && !message_stream_stopped(s) && !http_sse_wait(s->r, CLIENT_BYTES, 100)) {
        /* the client is slow */
    }
    s->blocked_ms += clock_mono_ms() - before;
    if (s->out.n > 0 && !message_stream_stopped(s))
        http_stream_data(s->r, strbuf_slice(&s->out));
    strbuf_reset(&s->out);
    return !message_stream_stopped(s);
}

void message_stream_phase(struct message_stream *s, const char *text)
{
    message_event_phase(&s->out, slice_cstr(text));
}

void message_stream_consuming(struct message_stream *s)
{
    s->told_ms = clock_mono_ms();
    s->counts.elapsed_ms = s->told_ms - s->started_ms;
    message_event_consuming(&s->out, &s->counts);
}

/* Sign of life during a long read; false: nobody is interested any more. */
bool message_stream_tick(struct message_stream *s)
{
    if (clock_mono_ms() - s->told_ms >= PROGRESS_MS) {
        message_stream_consuming(s);
        return message_stream_flush(s);
    }
    return !message_stream_stopped(s);
}

/* --- one stream from begin to end ------------------------------------------------------------ */

static void stream_free(struct message_stream *s)
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

static void done(struct message_stream *s)
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
    message_stream_flush(s);
    strbuf_release(&id);
}

static void run(struct message_stream *s)
{
    struct error e = {0};
    s->started_ms = s->told_ms = clock_mono_ms();
    message_stream_phase(s, "Consumer created");
    if (s->q.note.p)
        message_event_phase(&s->out, s->q.note);
    if (!message_stream_flush(s))
        return;
    enum err err =
        s->q.mode == MESSAGES_TAILING ? message_stream_tail(s, &e) : message_stream_range(s, &e);
    if (err == E_CANCELLED)
        return;
    if (err)
        message_stream_phase(s, e.msg[0] ? e.msg : err_name(err));
    done(s);
}

static void *stream_main(void *arg)
{
    struct message_stream *s = arg;
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
static enum err set_range(struct message_stream *s, size_t i, int64_t own, bool *wanted,
                          struct error *e)
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

static enum err open_part(struct message_stream *s, int32_t partition, int64_t own, struct error *e)
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
static enum err open_parts(struct message_stream *s, enum web_code *code, struct error *e)
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

static void start(struct message_stream *s)
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
    s->ops = (struct scan_ops){.read = message_stream_read, .keep = message_stream_keep, .arg = s};
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
    struct message_stream *s = xcalloc(1, sizeof *s);
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
