/* broker/log/plog.h - the log of one partition: its directory, segments, epochs; append, roll,
 * read, recovery. Lock: the partition's, for every call. SPEC: broker 4. */
#ifndef WEIR_BROKER_LOG_PLOG_H
#define WEIR_BROKER_LOG_PLOG_H

#include "base/bytes.h"
#include "base/err.h"
#include "broker/log/checkpoint.h"
#include "broker/log/segment.h"
#include "broker/log/trash.h"
#include "broker/topic_config.h"

/* The last batches appended: consumers at the tail are served without looking into files. */
#define PLOG_RECENT 32
struct plog_recent {
    int64_t base_offset, last_offset, pos, end_pos;
    struct segment *segment; /* not counted: the log holds it */
};

struct plog {
    char *dir;
    struct segment **segments; /* by base; the last is the active one */
    size_t count, cap;
    int64_t start, end;     /* log start offset, log end offset */
    int64_t recovery_point; /* everything below is durable */
    struct epoch_entry *epochs;
    size_t epochs_count;
    struct plog_recent *recent; /* PLOG_RECENT of them, from the first append on */
    unsigned recent_at;         /* index of the newest */
    uint16_t jitter;            /* of segment.ms; drawn when the active segment was begun */
    bool dir_dirty;             /* a file was made since the directory was synced */
    bool failed; /* no more appends: what was written is not known (a later start recovers) */
};

/* A new, empty log: makes the directory with its partition.metadata. Not synced: the registry's
 * table makes it again when it is missing. */
enum err plog_create(struct plog *l, const char *dir, const struct uuid *topic_id,
                     struct error *e) MUST_CHECK;
struct plog_load {
    bool clean;             /* the last stop was orderly: files are trusted */
    int64_t recovery_point; /* -1: not known */
    int64_t start; /* log start offset from the checkpoint, -1: that of the first segment */
};
struct plog_loaded {
    int64_t bytes_cut; /* recovery truncated that many; 0 after a clean stop */
};
/* Loads what is in the directory; after a crash cuts the log at the first bad byte. E_IO. */
enum err plog_load(struct plog *l, const char *dir, const struct plog_load *how,
                   struct plog_loaded *out, struct error *e) MUST_CHECK;
void plog_release(struct plog *l);
/* Sizes of a log that is not loaded, by its files. */
void plog_measure(const char *dir, int64_t *bytes, int32_t *segments);

static inline struct segment *plog_active(const struct plog *l)
{
    return l->segments[l->count - 1];
}
int32_t plog_epoch(const struct plog *l);
/* A new leader epoch begins at the log's end; nothing happens unless it is above the last one. */
enum err plog_begin_epoch(struct plog *l, int32_t epoch, struct error *e) MUST_CHECK;
int64_t plog_bytes(const struct plog *l);

/* Whether this batch belongs into a new segment (SPEC: broker 4.2). */
bool plog_must_roll(struct plog *l, const struct topic_config *c, const void *batch, size_t n);
/* Seals the active segment and begins one at `end`. On failure the log is as it was. */
enum err plog_roll(struct plog *l, struct error *e) MUST_CHECK;
/* Batch with its offset assigned (base == end). E_IO: not appended. When that is for want of room,
 * a later append may succeed; after any other failure the log is marked failed. */
enum err plog_append(struct plog *l, const struct topic_config *c, const void *batch, size_t n,
                     struct error *e) MUST_CHECK;
/* The same for the abort marker of a transaction: it goes into the segment's list of aborted ones
 * as well. t->last_offset is the marker's. */
enum err plog_append_abort(struct plog *l, const struct topic_config *c, const void *batch,
                           size_t n, const struct txn_aborted *t, struct error *e) MUST_CHECK;

/* What has to be synced for everything below `end` to be durable. Taken with the partition's lock
 * held; synced and released without it, so that appends go on meanwhile. */
struct plog_dirty {
    int64_t end;
    struct segment **segments; /* references */
    size_t count, sealed;      /* the first `sealed` of them take no more appends */
    char *dir;                 /* NULL: the directory needs no sync */
};
void plog_dirty_take(struct plog *l, struct plog_dirty *out);
enum err plog_dirty_sync(struct plog_dirty *d, struct error *e) MUST_CHECK; /* releases d */
void plog_dirty_release(struct plog_dirty *d);                              /* all but `end` */
/* Gives files and indexes back that nobody uses: all segments, or all but the active one. */
void plog_park(struct plog *l, bool active_too);

/* The run of whole batches from the one that holds offset (or the next) up to limit_offset
 * (exclusive), within one segment. *segment is a new reference, NULL when there is nothing. */
struct plog_run {
    struct segment *segment;
    int64_t pos;
    size_t n;
    int64_t next_offset; /* after the last batch of the run, or the offset asked for */
};
enum err plog_read(struct plog *l, int64_t offset, int64_t limit_offset, size_t max_bytes,
                   bool at_least_one, struct plog_run *out, struct error *e) MUST_CHECK;
/* Bytes from the batch that holds offset up to the limit, as far as one segment goes. */
enum err plog_available(struct plog *l, int64_t offset, int64_t limit_offset, int64_t *bytes,
                        struct error *e) MUST_CHECK;
/* The aborted transactions that have an offset in [from, to), by first offset; in the arena. Readers
 * of committed data skip, and the cleaner drops, what such a producer wrote in
 * [first_offset, last_offset). E_IO, E_CORRUPT, E_NOMEM. */
enum err plog_aborted(struct plog *l, int64_t from, int64_t to, struct arena *a,
                      struct txn_aborted **out, size_t *count, struct error *e) MUST_CHECK;
/* Index of the segment that holds offset (or the next higher one that exists). */
size_t plog_segment_of(const struct plog *l, int64_t offset);

/* Drops whole segments below offset from the list and hands their references to the caller (array
 * for mem_free), who removes the files. */
void plog_set_start(struct plog *l, int64_t offset, struct segment ***gone, size_t *count);
/* Removes the files of a segment (best effort, logged). */
void plog_remove_files(struct segment *s);
/* Renames the files of a segment that is in no log any more to *.deleted; they are removed after
 * the delay (best effort, logged). Needs no lock. */
#define PLOG_DELETED ".deleted"
void plog_discard_files(const struct segment *s, struct trash *trash, int64_t delay_ms);

/* Producer snapshots: path of the one at this offset; newest at or below `limit` (-1: none). Tidying
 * removes all but those at the bases of segments and the one at `keep` (>= 0). */
char *plog_snapshot_path(const struct plog *l, int64_t offset); /* caller frees */
int64_t plog_newest_snapshot(const struct plog *l, int64_t limit);
void plog_tidy_snapshots(const struct plog *l, int64_t keep);

#endif
