/* broker/partition_internal.h - the inside of a partition, for partition*.c alone. */
#ifndef WEIR_BROKER_PARTITION_INTERNAL_H
#define WEIR_BROKER_PARTITION_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/list.h"
#include "broker/log/plog.h"
#include "broker/partition.h"
#include "broker/partition_life.h"

struct partition {
    pthread_mutex_t lock;
    pthread_mutex_t sync_lock; /* one fdatasync round at a time; taken before lock */
    struct topic *topic;       /* holds this partition; counted for both */
    struct partition_env *env;
    char *dir;
    int32_t id;
    int32_t known_epoch;    /* leader epoch of the log, or -1: not looked up yet */
    _Atomic int32_t leader; /* place.leader, for those who do not lock */
    struct placement place;
    bool fresh, loaded, broken, deleted;
    bool untouched;            /* since the checkpoint of tails was written: files are trusted */
    bool was_cut;              /* by recovery */
    int32_t measured_segments; /* of a log that is not loaded; 0: not measured yet */
    int64_t measured_bytes;
    int64_t stable;        /* last stable offset; follows the end while no transaction is open */
    struct segment **gone; /* taken out of the log; files wait for the log start to be stored */
    size_t gone_count;
    bool care_queued;         /* a look at its retention is on its way */
    bool uncleanable;         /* a compaction found damage */
    int64_t cleaned_to;       /* compacted below this offset; -1: never */
    int64_t horizon;          /* then tombstones may go (wall clock); INT64_MAX: none, or unknown */
    int64_t compact_after_ms; /* not before (monotonic) */
    size_t expire_at;         /* this many producers: forget the old ones */
    struct plog log;
    struct producer_state producers;
    struct wait_list waits;
    struct list durable; /* struct durable_wait, by time of arrival */
    struct flush_item flush;
    struct plog_dirty flushing; /* between the two steps of a flush; sync_lock */
    bool flush_failed;
};

/* partition_producers.c; the lock is held. */
/* From the newest snapshot that is durable and the batches after it; builds the lists of aborted
 * transactions anew from there on. */
enum err partition_load_producers(struct partition *p, struct error *e) MUST_CHECK;
/* A snapshot at the log's end. Not synced: a damaged one is noticed, and the log is read instead. */
enum err partition_save_producers(struct partition *p, struct error *e) MUST_CHECK;
void partition_expire_producers(struct partition *p);
/* Computes the last stable offset; asserts what it must not pass. */
void partition_update_stable(struct partition *p);

/* partition_durable.c: what the flusher calls. */
void partition_flush_init(struct partition *p);
/* Answers waits that were taken off p->durable. No lock is held. */
void partition_answer_durable(struct list *waits, int16_t code);

/* Locks and loads. KERR_NONE, or a code, and then nothing is locked. */
int16_t partition_enter(struct partition *p);
/* Begins a new segment, with a snapshot of the producers. Lock held. */
enum err partition_roll(struct partition *p, struct error *e) MUST_CHECK;
/* Moves the log start; whole segments below it wait for partition_discard. Lock held. */
void partition_set_start(struct partition *p, int64_t offset);
static inline void partition_leave(struct partition *p)
{
    pthread_mutex_unlock(&p->lock);
}

#endif
