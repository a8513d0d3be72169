/* connect/kproducer_internal.h - the inside of a producer on the embedded broker: kproducer_embedded.c
 * (life, topics, flush), kproducer_add.c (records become batches), kproducer_resume.c (exactly once).
 *
 * A producer keeps one slot per partition that it writes to: an open batch, sealed batches before
 * it (a batch is sealed at KPRODUCER_SPLIT bytes, so that consumers with small buffers stay happy), and
 * the next sequence number. Builders belong to the producer and are lent to slots while these have
 * something pending, so that memory follows what is pending and not how many tables there are.
 * Invariant: next_sequence is what the log expects once everything pending of the slot has been
 * appended; pending records carry [first_sequence, first_sequence + count). Thread: a producer is one
 * task's. */
#ifndef WEIR_CONNECT_KPRODUCER_INTERNAL_H
#define WEIR_CONNECT_KPRODUCER_INTERNAL_H

#include "base/map.h"
#include "broker/proto/batch.h"
#include "connect/builder_pool.h"
#include "connect/kclient_embedded.h"

enum { KPRODUCER_SPLIT = 1 << 20 };

struct ktopic;
struct ksealed {
    struct batch_builder *builder;
    struct slice bytes; /* in it */
};
struct kslot {
    struct ktopic *topic;
    int32_t partition;
    struct broker_target *target;
    struct batch_builder *open; /* NULL: nothing in it */
    struct ksealed *sealed;     /* finished batches, oldest first */
    size_t sealed_count, sealed_cap;
    int32_t open_count;            /* records in the open batch */
    int32_t first_sequence, count; /* pending, sealed and open together */
    int32_t appended;              /* of the pending ones; after a failed flush */
    int32_t next_sequence;
    int32_t skip;    /* records still to leave out */
    int32_t skipped; /* left out since the last flush */
    bool sticky_used;
    bool in_use;              /* listed in the producer's `used` */
    int64_t end_offset, mark; /* after the last append; remembered for mark_synced */
};

struct ktopic {
    struct slice name;
    int32_t partitions, sticky;
    int32_t max_bytes;     /* of a batch; -1: no limit but our own */
    int32_t replay_sticky; /* where keyless records of the range being read again went; -1 none */
    bool gone;             /* was deleted: forgotten at the next abort */
    struct kslot **slots;  /* by partition; NULL until used */
};

struct kproducer {
    struct kclient *k;
    char *name;
    int64_t id;
    int64_t generation; /* of the broker's topics, when partition counts were looked up */
    struct map topics;  /* name -> struct ktopic */
    struct ktopic *last;
    struct kslot **used; /* slots with something pending or skipped */
    size_t used_count, used_cap;
    struct kpart *parts; /* answer of kproducer_pending */
    size_t parts_cap;
    struct batch_headers heads;
    struct strbuf joined; /* a key in two pieces, to be hashed */
    struct builder_pool builders;
    int fault_after; /* tests: batches until the fault + 1; 0 none */
};

/* The topic as it is known, else as the broker describes it. E_NOT_FOUND. */
enum err kproducer_find_topic(struct kproducer *p, struct slice name, struct ktopic **out,
                              struct error *e) MUST_CHECK;
/* Its slot, with its target open. E_NOT_FOUND: no such partition, or the topic is gone. */
enum err kproducer_find_slot(struct kproducer *p, struct ktopic *t, int32_t partition,
                             struct kslot **out, struct error *e) MUST_CHECK;
void kproducer_use(struct kproducer *p, struct kslot *s); /* something of it is pending now */
/* Moves the open batch to the sealed ones. */
enum err kproducer_seal(struct kproducer *p, struct kslot *s, struct error *e) MUST_CHECK;

#endif
