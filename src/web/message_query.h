/* web/message_query.h - what a message stream was asked for: parameters of messages/v2, those of
 * the old form, and the cursor that continues an earlier answer. SPEC: web-ui 4.2, 4.4, 4.6.
 *
 * Texts live in the query's own arena. Thread: the owner's. */
#ifndef WEIR_WEB_MESSAGE_QUERY_H
#define WEIR_WEB_MESSAGE_QUERY_H

#include "base/arena.h"
#include "base/err.h"
#include "base/http.h"
#include "web/serde.h"

enum message_mode {
    MESSAGES_LATEST,
    MESSAGES_EARLIEST,
    MESSAGES_FROM_OFFSET,
    MESSAGES_TO_OFFSET,
    MESSAGES_FROM_TIMESTAMP,
    MESSAGES_TO_TIMESTAMP,
    MESSAGES_TAILING,
};
struct message_position { /* one selected partition */
    int32_t partition;
    int64_t value; /* offset or timestamp of its own; -1: that of the query */
};
struct message_query {
    struct arena a;
    enum message_mode mode;
    int64_t value; /* offset or timestamp of the modes that have one; -1: none */
    int32_t limit;
    size_t max_bytes; /* of a key's or value's text */
    struct slice filter;
    enum serde key_serde, value_serde;
    struct message_position *positions; /* count 0: all partitions */
    size_t count;
    struct slice note; /* something for the user to see, or null */
};
enum {
    MESSAGE_LIMIT_DEFAULT = 100,
    MESSAGE_LIMIT_MAX = 500,
    MESSAGE_BYTES_DEFAULT = 1 << 20,
    MESSAGE_BYTES_MAX = 64 << 20,
};

/* Reads the request. secret: see message_cursor. E_INVALID with a text for the user. Release in any
 * case. */
enum err message_query_read(struct message_query *q, const struct http_request *r,
                            struct slice topic, struct slice secret, struct error *e) MUST_CHECK;
/* The same from the parameters of GET messages (seekType, seekTo, seekDirection, q). */
enum err message_query_read_old(struct message_query *q, const struct http_request *r,
                                struct error *e) MUST_CHECK;
void message_query_release(struct message_query *q);
bool message_mode_backward(enum message_mode mode);
bool message_mode_parse(struct slice name, enum message_mode *out);

/* A cursor says all that is needed to go on: it needs no memory of the server and works after a
 * restart. The checksum over it with the secret of the data directory tells damaged cursors and
 * those of another server; it guards nothing that the plain parameters would not give. q->positions
 * hold where to go on (forward: next offset, backward: exclusive). */
void message_cursor_write(struct strbuf *out, const struct message_query *q, struct slice topic,
                          struct slice secret);
/* Fills q (initialised, empty). E_INVALID: not a cursor for this topic. */
enum err message_cursor_read(struct message_query *q, struct slice id, struct slice topic,
                             struct slice secret, struct error *e) MUST_CHECK;
/* "0::10,1::7" as positions. E_INVALID. */
enum err message_seek_parse(struct message_query *q, struct slice text, struct error *e) MUST_CHECK;
void message_query_init(struct message_query *q); /* LATEST of all partitions */

#endif
