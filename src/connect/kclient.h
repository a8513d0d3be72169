/* connect/kclient.h - the seam between Connect and a Kafka cluster (DESIGN 2.7): the embedded broker
 * (append straight into the log, no socket) or an external cluster (librdkafka). Nothing else in
 * Connect knows which. Calls block; thread: any task or pool thread, never a loop. */
#ifndef WEIR_CONNECT_KCLIENT_H
#define WEIR_CONNECT_KCLIENT_H

#include "base/base.h"
#include "base/err.h"
#include "base/strmap.h"
#include "connect/schema.h"

struct kclient;
struct broker;
struct kclient *kclient_embedded(struct broker *b); /* borrows the broker */
void kclient_free(struct kclient *k);

/* --- topics ---------------------------------------------------------------------------------------- */
struct kclient_topic {
    int32_t partitions;
};
enum err kclient_describe(struct kclient *k, struct slice topic, struct kclient_topic *out, struct error *e) MUST_CHECK; /* E_NOT_FOUND */
/* partitions -1: the broker's default. configs may be NULL. E_EXISTS. */
enum err kclient_create(struct kclient *k, struct slice topic, int32_t partitions, int16_t replication,
                        const struct strmap *configs, struct error *e) MUST_CHECK;

/* --- writing: one producer per task ------------------------------------------------------------------ */
struct kproducer;
/* name: identifies the producer across restarts ("connector-task"): the embedded form keeps its
 * producer id, so that sequences tell after kill -9 what is in the log (DESIGN 2.6). */
enum err kproducer_open(struct kproducer **out, struct kclient *k, const char *name,
                        const struct strmap *overrides, struct error *e) MUST_CHECK;
void kproducer_close(struct kproducer *p);
struct khead {
    struct slice name, value; /* value null = null */
};
/* Adds one record to the batch being built; copies. partition -1: murmur2 of the key, or sticky for a
 * null key. headers_encoded: not null = ready-made headers section used instead of heads. */
enum err kproducer_add(struct kproducer *p, struct slice topic, int32_t partition, int64_t timestamp_ms,
                       struct slice key, struct slice value, const struct khead *heads, size_t heads_count,
                       struct slice headers_encoded, struct error *e) MUST_CHECK;
/* Appends all that was added; returns when it is in the log (as durable as the tier says). One error for
 * all: the caller sends again or fails. */
enum err kproducer_flush(struct kproducer *p, struct error *e) MUST_CHECK;
void kproducer_abort(struct kproducer *p); /* forgets what was added since the last flush */

/* --- reading ----------------------------------------------------------------------------------------- */
/* Simple reader of one topic from a position (schema history, signals); group consumers of sink tasks
 * are kconsumer below. */
struct krecord {
    int32_t partition;
    int64_t offset, timestamp_ms;
    struct slice key, value;
    const struct khead *heads;
    size_t heads_count;
};
typedef bool (*krecord_fn)(const struct krecord *r, void *arg); /* false ends the reading */
/* Reads a partition from `from` (-2 earliest) to the end as it is now. */
enum err kclient_read(struct kclient *k, struct slice topic, int32_t partition, int64_t from,
                      krecord_fn fn, void *arg, struct error *e) MUST_CHECK;

#endif
