/* cdc/mysql/stream_xa.h - XA transactions that are told when they are committed: see stream_xa.c.
 * All functions allow a stream without it (weir.xa.commit=false: s->xa is NULL) unless they say
 * otherwise. Thread: the task's. */
#ifndef WEIR_CDC_MYSQL_STREAM_XA_H
#define WEIR_CDC_MYSQL_STREAM_XA_H

#include "base/err.h"
#include "cdc/mysql/event.h"
#include "connect/record.h"

struct mysql_task;
struct stream;
struct stream_xa;

struct stream_xa *stream_xa_new(const struct mysql_task *t); /* NULL: not wanted */
void stream_xa_free(struct stream_xa *x);
void stream_xa_print(const struct stream *s, struct strbuf *out); /* for the offset */
void stream_xa_rewind(struct stream *s);
/* A GTID event is at hand: a group begins. */
void stream_xa_group(struct stream *s);
/* Rows at hand belong to a branch and are passed over; so long the restart point stays where it
 * is. */
bool stream_xa_holds(const struct stream *s);
/* A branch is read again; the stream's own events wait. */
bool stream_xa_replays(const struct stream *s);
/* Events of the branch that is read again, as far as they have come. */
enum err stream_xa_events(struct stream *s, struct record_batch *b, size_t limit,
                          struct error *e) MUST_CHECK;
/* Only with s->xa: the group is a branch; its XA PREPARE; another XA statement. */
void stream_xa_begin(struct stream *s);
enum err stream_xa_prepared(struct stream *s, const struct mysql_event *ev, struct record_batch *b,
                            struct error *e) MUST_CHECK;
enum err stream_xa_statement(struct stream *s, const struct mysql_event *ev, struct record_batch *b,
                             struct error *e) MUST_CHECK;

#endif
