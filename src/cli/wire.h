/* cli/wire.h - a small blocking Kafka client on the broker's own schema table: one connection, one
 * request at a time. For the demo and for admin tools; it works against any Kafka. Thread: one. */
#ifndef WEIR_CLI_WIRE_H
#define WEIR_CLI_WIRE_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "broker/proto/messages.h"

struct wire;
/* address: HOST:PORT. timeout_ms bounds connecting and each answer. */
enum err wire_open(struct wire **out, const char *address, int timeout_ms,
                   struct error *e) MUST_CHECK;
void wire_close(struct wire *w); /* NULL allowed */
/* Ends a call that waits, from another thread; later calls fail with E_CANCELLED. */
void wire_cancel(struct wire *w);
/* Sends one request in this version and decodes its answer into *answer (the struct of the response
 * of the same API). Strings and records of the answer are valid until the next call; arrays come
 * from a. */
enum err wire_call(struct wire *w, const struct msg_desc *request, int16_t version,
                   const void *body, struct arena *a, void *answer, struct error *e) MUST_CHECK;

/* A reader of whole topics from their start, without a group. */
struct wire_record {
    struct slice topic;
    int32_t partition;
    int64_t offset;
    struct slice key, value; /* null slices are null */
};
typedef void (*wire_record_fn)(const struct wire_record *r, void *arg);
struct wire_reader;
enum err
wire_reader_open(struct wire_reader **out, const char *address, const char *const *topics,
                 struct error *e) MUST_CHECK; /* topics ends with NULL; they may come later */
void wire_reader_close(struct wire_reader *r);
/* Waits up to wait_ms for records and hands each to fn, in order within its partition. */
enum err wire_reader_poll(struct wire_reader *r, int wait_ms, wire_record_fn fn, void *arg,
                          struct error *e) MUST_CHECK;

#endif
