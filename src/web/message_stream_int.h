/* web/message_stream_int.h - between message_stream.c, which has the request and the client, and
 * message_read.c, which reads. Thread: the stream's own, but before its start the pool's. */
#ifndef WEIR_WEB_MESSAGE_STREAM_INT_H
#define WEIR_WEB_MESSAGE_STREAM_INT_H

#include "web/api.h"
#include "web/message_json.h"
#include "web/message_query.h"
#include "web/message_scan.h"

enum {
    CLIENT_BYTES = 1 << 20, /* unsent bytes up to which we go on */
    PROGRESS_MS = 250,      /* a CONSUMING event at least so often while searching */
};

struct message_stream {
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

/* The client has gone, or weir stops. */
bool message_stream_stopped(const struct message_stream *s);
/* Hands over what was collected, waiting while the client has not taken what came before. Live
 * events do not wait here: tail looks for room before each round, and one round is not much. False:
 * stopped. */
bool message_stream_flush(struct message_stream *s);
void message_stream_phase(struct message_stream *s, const char *text);
void message_stream_consuming(struct message_stream *s);
/* Sign of life during a long read; false: nobody is interested any more. */
bool message_stream_tick(struct message_stream *s);

/* scan_ops.read: the log in pieces. Offsets that are gone by now are gaps like others. */
enum err message_stream_read(void *stream, size_t part, int64_t from, int64_t to, scan_visit_fn fn,
                             void *visit, struct error *e);
/* scan_ops.keep */
struct slice message_stream_keep(void *stream, int32_t partition, const struct batch_record *r,
                                 bool log_append_time, struct arena *a);
/* Forward or backward, up to the limit of the query. E_CANCELLED: nobody is interested any more. */
enum err message_stream_range(struct message_stream *s, struct error *e) MUST_CHECK;
/* Live, until nobody is interested any more (E_CANCELLED) or the topic is gone (E_NOT_FOUND). */
enum err message_stream_tail(struct message_stream *s, struct error *e) MUST_CHECK;

#endif
