/* broker/partition_life.h - partitions for their registry (topic.c): making, loading, closing. */
#ifndef WEIR_BROKER_PARTITION_LIFE_H
#define WEIR_BROKER_PARTITION_LIFE_H

#include "base/bytes.h"
#include "base/err.h"
#include "broker/log/checkpoint.h"
#include "broker/log/flusher.h"
#include "broker/log/trash.h"
#include "broker/partition.h"

/* What all partitions of a registry share; outlives them. */
struct partition_env {
    struct flusher *flusher;
    bool sync;  /* durability=sync */
    bool clean; /* the last stop was orderly */
    bool lossy; /* the machine itself went down: what was not synced may be gone */
    int64_t producer_expire_ms;
    int32_t node_id; /* has and leads whatever nobody has placed */
    struct checkpoint recovery_points, log_starts,
        cleaned;        /* as read at start; immutable afterwards */
    struct trash trash; /* files that were taken out of logs */
    /* On a roll of a log that retention may shorten, if set: takes a reference of the partition.
     * The partition's lock is held. */
    void (*rolled)(void *arg, struct partition *p);
    void *rolled_arg;
    struct tails tails; /* as read at start */
    /* Writes the log starts of all partitions to their checkpoint. No partition's lock is held. */
    enum err (*save_starts)(void *arg, struct error *e);
    void *arg;
};

/* The directory exists (made by partition_make_dir or by an earlier run); nothing is opened. fresh:
 * made in this run, so that checkpoints know nothing of it. Counted together with its topic. */
struct partition *partition_new(struct topic *t, int32_t id, const char *dir, bool fresh,
                                struct partition_env *env);
void partition_free(struct partition *p); /* by the topic, when nobody refers to it any more */
/* A new log on disk for (topic, id). */
enum err partition_make_dir(const char *dir, const struct uuid *topic_id,
                            struct error *e) MUST_CHECK;
/* Brings the log into memory now (else at first use); after a crash this recovers it. */
enum err partition_load(struct partition *p, struct error *e) MUST_CHECK;
/* Flushes, writes indexes and producer snapshot; the partition is not used afterwards. Positions
 * are for the checkpoints (-1: unknown, it was never loaded). E_IO: not clean. */
enum err partition_close(struct partition *p, int64_t *recovery_point, int64_t *log_start,
                         struct error *e) MUST_CHECK;
void partition_positions(struct partition *p, int64_t *recovery_point, int64_t *log_start);
/* Where the log ends when all of it is durable; false: it is not, or nobody knows. */
bool partition_tail(struct partition *p, struct tail *out);
/* Where a log ends that may be shorter than it was: recovery has cut it, or the machine went down,
 * which may take whole batches, so that nothing looks damaged. -1: it is not, or it cannot be read.
 * For the start, before anybody appends. */
int64_t partition_recovered_end(struct partition *p);
/* After a crash, before anybody uses it: true when its files are as they were at the last
 * checkpoint of tails. It is then loaded at first use as after an orderly stop. */
bool partition_is_untouched(struct partition *p);
/* From now on it answers that it is gone; wakes whoever waits. */
void partition_mark_deleted(struct partition *p);

#endif
