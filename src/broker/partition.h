/* broker/partition.h - one partition: its log, its producers, who waits for it.
 *
 *   append: check producer sequence -> assign offset in place -> one write -> note producer
 *           -> wake waits
 *   read:   find batch -> file range (a counted segment reference; sent by sendfile)
 *
 * Lock: `lock` protects everything behind it; no other lock is taken inside it but the flusher's
 * list lock. Two partitions are never locked together. Thread: any. SPEC: broker 4, 6.1, 7.2. */
#ifndef WEIR_BROKER_PARTITION_H
#define WEIR_BROKER_PARTITION_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "broker/log/txn_index.h"
#include "broker/placement.h"
#include "broker/producer_state.h"
#include "broker/wait.h"

struct partition;
struct segment;
struct topic;
struct loop;

/* A run of whole batches in a file; holds the file until released, whatever becomes of the log. */
struct file_range {
    struct segment *segment;
    int fd;
    int64_t pos;
    size_t n;
};
void file_range_release(struct file_range *r); /* again does nothing */
/* Copies the bytes to the end of out. E_IO, E_NOMEM, E_TOO_LARGE. */
enum err file_range_read(const struct file_range *r, struct strbuf *out,
                         struct error *e) MUST_CHECK;
/* n bytes from the at-th on. E_IO, E_CORRUPT: the file is shorter. */
enum err file_range_peek(const struct file_range *r, size_t at, void *out, size_t n,
                         struct error *e) MUST_CHECK;

struct partition *partition_ref(struct partition *p);
void partition_unref(struct partition *p); /* NULL allowed */
int32_t partition_id(const struct partition *p);
struct topic *partition_topic(const struct partition *p); /* valid while p is */
int32_t partition_leader_epoch(struct partition *p);
/* Who leads it: a broker id, -1 = nobody. One relaxed load; a change is followed by a wake of all
 * that wait, so whoever sees the old leader is told again. */
int32_t partition_leader(const struct partition *p);
void partition_placement(struct partition *p, struct placement *out);
/* Wakes who waits when the leader is another one. An epoch that the log has passed is raised in p
 * and in *place. E_IO: the epoch is not in the log's checkpoint. Blocks: disk. */
enum err partition_place(struct partition *p, struct placement *place, struct error *e) MUST_CHECK;
bool partition_is_deleted(struct partition *p);

/* --- append ----------------------------------------------------------------------------------- */
struct partition_appended {
    int64_t base_offset, end_offset; /* end = next offset after this batch */
    int64_t log_start;
    int64_t log_append_ms; /* -1 unless the topic has LogAppendTime; of a duplicate its time */
    bool duplicate;        /* was there already: base_offset is the original one */
};
/* Appends one batch whose bytes batch_validate has accepted; they are changed in place (offset,
 * epoch, LogAppendTime). Returns a Kafka code: KERR_NONE, UNKNOWN_TOPIC_OR_PARTITION (deleted),
 * OUT_OF_ORDER_SEQUENCE_NUMBER, INVALID_PRODUCER_EPOCH, RECORD_LIST_TOO_LARGE, KAFKA_STORAGE_ERROR
 * (logged with path and reason). The bytes are in the file on return. */
int16_t partition_append(struct partition *p, void *batch, size_t n,
                         struct partition_appended *out);

/* A transactional batch that begins its producer's transaction here needs a guard: taken first, then
 * the coordinator is asked whether the partition is in the transaction, then it is appended with the
 * guard. *guard 0: it may be appended at once (the transaction is open, or the batch is there
 * already). UNKNOWN_TOPIC_OR_PARTITION, KAFKA_STORAGE_ERROR. SPEC: broker 7.3 */
int16_t partition_txn_guard(struct partition *p, const void *batch, uint64_t *guard);
/* partition_append for those; INVALID_TXN_STATE: no transaction is open and the guard is none or
 * void, or one is open that this batch is not of. */
int16_t partition_append_txn(struct partition *p, void *batch, size_t n, uint64_t guard,
                             struct partition_appended *out);
/* Ends a producer's transaction here, whether or not one is open. INVALID_PRODUCER_EPOCH: a newer
 * epoch has written; TRANSACTION_COORDINATOR_FENCED, UNKNOWN_TOPIC_OR_PARTITION,
 * KAFKA_STORAGE_ERROR. Blocks: disk. */
struct partition_marker {
    int64_t producer_id;
    int16_t producer_epoch;
    bool commit;
    int32_t coordinator_epoch;
};
int16_t partition_append_marker(struct partition *p, const struct partition_marker *m,
                                int64_t *end_offset);

/* fn(arg, code) once everything below end_offset has been through fdatasync, from the flusher's
 * thread (or at once, here, when it has been already). code: KERR_NONE or KAFKA_STORAGE_ERROR. */
typedef void (*partition_durable_fn)(void *arg, int16_t code);
void partition_on_durable(struct partition *p, int64_t end_offset, partition_durable_fn fn,
                          void *arg);
/* Blocks until what is there now is durable. */
enum err partition_sync(struct partition *p, struct error *e) MUST_CHECK;
int64_t partition_synced_offset(struct partition *p); /* all below is durable */
/* True when an append just made waits for fdatasync: the durability tier, or flush.messages of the
 * topic is reached. */
bool partition_is_sync(struct partition *p);

/* --- read ------------------------------------------------------------------------------------- */
struct partition_offsets {
    int64_t start, end, stable; /* log start, high watermark (= log end), last stable offset */
};
/* KERR_NONE, UNKNOWN_TOPIC_OR_PARTITION (deleted) or KAFKA_STORAGE_ERROR; *out is all 0 then. */
int16_t partition_offsets(struct partition *p, struct partition_offsets *out);
struct partition_read {
    struct partition_offsets offsets;
    struct file_range range; /* n == 0: nothing (then no reference is held) */
    int64_t next_offset;     /* after the range; -1: not known without a scan, the batches tell */
    /* With committed_only: aborted transactions in the range, by first offset; in the arena. */
    struct txn_aborted *aborted;
    size_t aborted_count;
};
/* Whole batches from the one that holds `offset`, at most max_bytes; `at_least_one` gives the first
 * batch even when it is larger. Returns KERR_NONE, OFFSET_OUT_OF_RANGE (offsets are filled),
 * UNKNOWN_TOPIC_OR_PARTITION, KAFKA_STORAGE_ERROR. Caller releases out->range. */
int16_t partition_read(struct partition *p, int64_t offset, size_t max_bytes, bool at_least_one,
                       bool committed_only, struct arena *a, struct partition_read *out);
/* Bytes that a read from offset could give now, up to `enough`; cheap. */
size_t partition_available(struct partition *p, int64_t offset, bool committed_only, size_t enough);
/* True at once when there is something beyond `offset` (or p is deleted); else hangs w on p. */
bool partition_wait(struct partition *p, int64_t offset, bool committed_only, struct wait *w);
void partition_unwait(struct partition *p, struct wait *w);

/* First record at or after the timestamp: offset, its own timestamp and leader epoch; -1 -1 -1 when
 * none. -3: the (first) record with the largest timestamp. Looks into batches (decompresses). */
struct partition_time {
    int64_t offset, timestamp;
    int32_t leader_epoch;
};
int16_t partition_find_time(struct partition *p, int64_t timestamp, bool committed_only,
                            struct partition_time *out);
/* SPEC: broker 6.4. epoch -1 and offset -1: not known. */
void partition_epoch_end(struct partition *p, int32_t epoch, int32_t *out_epoch,
                         int64_t *out_offset);

/* --- other ------------------------------------------------------------------------------------ */
/* offset -1: up to the end. KERR_NONE or a code; *low is the new start. Blocks: disk. */
int16_t partition_delete_records(struct partition *p, int64_t offset, int64_t *low);
/* Copy of what is known of a producer; false: nothing. */
bool partition_producer(struct partition *p, int64_t id, struct producer *out);
/* All that are known, copied into the arena, in any order; none when the partition is gone.
 * E_NOMEM. */
enum err partition_producers(struct partition *p, struct arena *a, struct producer **out,
                             size_t *count) MUST_CHECK;
/* Does not load a log that was not used yet. */
void partition_size(struct partition *p, int64_t *bytes, int32_t *segments);

#endif
