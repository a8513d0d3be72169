/* connect/kclient.h - the seam between Connect and a Kafka cluster: the embedded
 * broker (append straight into the log, no socket) or an external cluster (librdkafka). Nothing
 * else in Connect knows which. Calls block; thread: any task or pool thread, never a loop. */
#ifndef WEIR_CONNECT_KCLIENT_H
#define WEIR_CONNECT_KCLIENT_H

#include "base/base.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/strmap.h"
#include "connect/schema.h"

struct kclient;
struct broker;
struct kclient *kclient_embedded(struct broker *b); /* borrows the broker */
void kclient_free(struct kclient *k);

/* --- topics ----------------------------------------------------------------------------------- */
struct kclient_topic {
    struct uuid id; /* another one when it was deleted and made again */
    int32_t partitions;
    int32_t max_bytes; /* of a batch, when the topic has a limit; else -1 */
};
enum err kclient_describe(struct kclient *k, struct slice topic, struct kclient_topic *out,
                          struct error *e) MUST_CHECK; /* E_NOT_FOUND */
/* Another number when a topic came, went or grew. Cheap. */
int64_t kclient_topics_generation(struct kclient *k);
/* partitions -1: the broker's default. configs may be NULL. E_EXISTS. */
enum err kclient_create(struct kclient *k, struct slice topic, int32_t partitions,
                        int16_t replication, const struct strmap *configs,
                        struct error *e) MUST_CHECK;

/* --- writing: one producer per task ----------------------------------------------------------- */
struct kproducer;
/* name: identifies the producer in logs ("connector-task"). Takes no id yet: the first flush asks
 * for a new one unless kproducer_resume gave it the one of the run before. */
enum err kproducer_open(struct kproducer **out, struct kclient *k, const char *name,
                        const struct strmap *overrides, struct error *e) MUST_CHECK;
void kproducer_close(struct kproducer *p); /* NULL allowed */
struct khead {
    struct slice name, value; /* value null = null */
};
/* Bytes in two pieces that are joined; body null: null. */
struct ktext {
    struct slice head, body;
};
struct kheads {
    const struct khead *items;
    size_t count;
    struct slice
        encoded; /* not null: a ready-made headers section (count varint and all) instead */
};
/* Adds one record to the batch being built; copies. partition -1: murmur2 of the key, or sticky for
 * a null key. E_NOT_FOUND: no such topic or partition. E_TOO_LARGE: the topic does not take a record of
 * that size; others can be added. */
enum err kproducer_add(struct kproducer *p, struct slice topic, int32_t partition,
                       int64_t timestamp_ms, struct ktext key, struct ktext value,
                       struct kheads heads, struct error *e) MUST_CHECK;
/* Appends all that was added; returns when it is in the log (as durable as the tier says). One
 * error for all: the caller sends again or fails. E_NOT_FOUND: a topic was deleted in between
 * (kproducer_abort, create it, add again). */
enum err kproducer_flush(struct kproducer *p, struct error *e) MUST_CHECK;
/* Appends all that was added, as the beginning of a batch whose rest failed: the caller will add it
 * again when the batch is read again, and it is left out then. */
enum err kproducer_flush_beginning(struct kproducer *p, struct error *e) MUST_CHECK;
/* Forgets what was added since the last flush. What a failed flush had appended already is left out
 * when the same records are added again (see skip below). */
void kproducer_abort(struct kproducer *p);
/* The headers section of heads, for kheads.encoded; appends. */
void khead_encode(struct strbuf *out, const struct khead *heads, size_t count);

/* --- exactly once ----------------------------------------------------------------------------- */
/* Reading a source from its last stored offset gives the same records in the same order. Of those
 * for one partition, the first `skip` of this batch are in the log already, the next `count` carry
 * the sequence numbers from first_sequence on, and of what comes after this batch the first `left`
 * are in the log already too. One line of an intent. */
struct kpart {
    struct slice topic;
    int32_t partition,
        partitions; /* number; how many the topic has: keys go elsewhere when that changes */
    int32_t first_sequence, count, skip, left;
    bool sticky; /* records without key were sent here */
};
/* Seals what was added and tells what the next flush will append and which records are still to be
 * left out. Borrowed until the next call on p. Asks for a producer id when something will be
 * appended. */
enum err kproducer_pending(struct kproducer *p, const struct kpart **parts, size_t *count,
                           struct error *e) MUST_CHECK;
int64_t kproducer_id(const struct kproducer *p); /* -1: none yet */
/* Before the first add: goes on as this producer. */
void kproducer_resume(struct kproducer *p, int64_t id);
/* How many of the records [first_sequence, + count) the log has: all, none or the first few. *known
 * false: the log knows nothing of that producer there any more; *behind true: it lacks even what
 * came before (power was lost). */
enum err kproducer_arrived(struct kproducer *p, const struct kpart *part, int32_t *arrived,
                           bool *known, bool *behind, struct error *e) MUST_CHECK;
/* The next n records for that partition are in the log already: leave them out. */
void kproducer_skip(struct kproducer *p, const struct kpart *part, int32_t n);
/* What comes next for this topic was not there before: nothing of it is left out. */
void kproducer_skip_nothing(struct kproducer *p, struct slice topic);
/* Whether everything appended before the last kproducer_mark is on disk (fdatasync). */
void kproducer_mark(struct kproducer *p);
bool kproducer_mark_synced(struct kproducer *p);
enum err kproducer_sync(struct kproducer *p,
                        struct error *e) MUST_CHECK; /* makes it so; blocks on disk */
void kproducer_fault_after(struct kproducer *p,
                           int batches); /* tests: the append fails after that many */

/* --- reading ---------------------------------------------------------------------------------- */
/* Simple reader of one topic from a position (schema history, signals); group consumers of sink
 * tasks are kconsumer below. */
struct krecord {
    struct slice topic;
    int32_t partition;
    bool log_append_time; /* the timestamp is the log's, not the producer's */
    int64_t offset, timestamp_ms;
    struct slice key, value;
    const struct khead *heads;
    size_t heads_count;
};
typedef bool (*krecord_fn)(const struct krecord *r, void *arg); /* false ends the reading */
/* Reads a partition from `from` (-2 earliest) to the end as it is now. */
enum err kclient_read(struct kclient *k, struct slice topic, int32_t partition, int64_t from,
                      krecord_fn fn, void *arg, struct error *e) MUST_CHECK;
/* The offset that the next record of the partition will have. E_NOT_FOUND: no such topic. */
enum err kclient_end(struct kclient *k, struct slice topic, int32_t partition, int64_t *out,
                     struct error *e) MUST_CHECK;

/* --- reading as a member of a group: one consumer per sink task ------------------------------- */
/* A partition that the consumer holds between two rebalances. */
struct kassigned {
    struct slice topic;
    int32_t partition;
    int64_t position;  /* of the record that comes next; -1: the topic is not there */
    int64_t committed; /* of the group; -1: none */
    int64_t end;       /* of the partition, when it was read last; -1: not yet */
};
struct koffset {
    struct slice topic;
    int32_t partition;
    int64_t offset;
};
struct kconsumer_spec {
    struct slice group, client_id;
    struct slice topics; /* names with commas between; null: regex */
    struct slice regex;  /* Java's; must match the whole name */
    /* auto.offset.reset, isolation.level, max.poll.records, max.poll.interval.ms */
    const struct strmap *options;
    const _Atomic bool *stop; /* set to true: calls that wait end */
    /* The partitions are about to go to others: what is done is to be committed now. lost: they may
     * have gone already, and a commit fails. */
    void (*revoked)(void *arg, bool lost);
    /* New ones came (perhaps none); see kconsumer_assignment. */
    enum err (*assigned)(void *arg, struct error *e);
    void *arg; /* both are called within kconsumer_poll, revoked also within kconsumer_end */
};
struct kconsumer;
/* Copies the texts. Joins with the first poll. E_INVALID: an option, in Java's words. */
enum err kconsumer_open(struct kconsumer **out, struct kclient *k, const struct kconsumer_spec *s,
                        struct error *e) MUST_CHECK;
/* Gives up what it holds: calls revoked, with time to commit. NULL allowed. */
void kconsumer_end(struct kconsumer *c);
void kconsumer_close(struct kconsumer *c); /* ends, leaves the group; NULL allowed */
/* Leaves the group while the task's thread hangs elsewhere. Thread: any, until kconsumer_close. */
void kconsumer_give_up(struct kconsumer *c);
/* Takes part in the group, and gives what there is to read, up to max.poll.records in the order of
 * each partition: all in the arena. Returns with nothing after wait_ms, or sooner. E_CANCELLED. */
enum err kconsumer_poll(struct kconsumer *c, int64_t wait_ms, struct arena *a, struct krecord **out,
                        size_t *count, struct error *e) MUST_CHECK;
/* While paused a poll reads nothing, and still takes part in the group. */
void kconsumer_pause(struct kconsumer *c, bool paused);
/* Sorted; valid until the next poll. */
size_t kconsumer_assignment(const struct kconsumer *c, const struct kassigned **out);
/* E_NOT_FOUND: it does not hold that partition. */
enum err kconsumer_seek(struct kconsumer *c, struct slice topic, int32_t partition, int64_t offset,
                        struct error *e) MUST_CHECK;
/* Sorted like the assignment. E_CONFLICT: not a member any more, or a rebalance is under way. */
enum err kconsumer_commit(struct kconsumer *c, const struct koffset *offsets, size_t count,
                          struct error *e) MUST_CHECK;

/* --- offsets of a group from outside ---------------------------------------------------------- */
/* Committed ones, sorted by topic and partition, in the arena; no group: none. */
enum err kclient_group_offsets(struct kclient *k, struct slice group, struct arena *a,
                               struct koffset **out, size_t *count, struct error *e) MUST_CHECK;
/* offset -1 deletes it. E_CONFLICT: the group has members. */
enum err kclient_group_alter(struct kclient *k, struct slice group, const struct koffset *offsets,
                             size_t count, struct error *e) MUST_CHECK;
/* E_OK too when there is none. E_CONFLICT. */
enum err kclient_group_delete(struct kclient *k, struct slice group, struct error *e) MUST_CHECK;

#endif
