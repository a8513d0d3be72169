/* broker/log/txn_index.h - the aborted transactions whose abort marker lies in one segment, so that
 * readers of committed data know what to skip and the cleaner what to drop.
 *
 * The file is Kafka's, 34 bytes an entry, in order of the markers; no file means no entry:
 *
 *   .txnindex   { i16 version 0, i64 producer id, i64 first offset, i64 last offset (the marker's),
 *                 i64 last stable offset when the marker was written } ...
 *
 * An entry goes to the file before its marker goes to the log, so that a marker without entry can't
 * exist; one without marker is taken off at the next start. Lock: the partition's, but for
 * txn_index_sync. SPEC: broker 4.1, 6.1. */
#ifndef WEIR_BROKER_LOG_TXN_INDEX_H
#define WEIR_BROKER_LOG_TXN_INDEX_H

#include "base/arena.h"
#include "base/err.h"

struct txn_aborted {
    int64_t producer_id;
    int64_t first_offset, last_offset; /* of its first batch; of the abort marker */
    int64_t stable_offset; /* every transaction that was open then starts here or later */
};
struct txn_index {
    struct txn_aborted *v; /* by last_offset */
    size_t count, cap;
    bool known; /* v is what the file says; else it is read when first used */
};

void txn_index_init(struct txn_index *x, bool known);
/* Forgets what is in memory; the file stays. */
void txn_index_release(struct txn_index *x);

/* stem, in all calls: path without suffix. */
/* Brings the file into memory; again does nothing. An incomplete entry at its end does not count.
 * E_IO, E_NOMEM, E_CORRUPT: an entry that can't be. */
enum err txn_index_load(struct txn_index *x, const char *stem, struct error *e) MUST_CHECK;
/* Writes an entry behind the others and makes room for it in memory; it counts from
 * txn_index_add_reserved on, which can't fail, or is taken back by txn_index_unreserve (E_IO: it is
 * still in the file and must not be believed). x is known. E_IO (e->sys says why), E_NOMEM. */
enum err txn_index_reserve(struct txn_index *x, const char *stem, const struct txn_aborted *t,
                           struct error *e) MUST_CHECK;
void txn_index_add_reserved(struct txn_index *x, const struct txn_aborted *t);
enum err txn_index_unreserve(const struct txn_index *x, const char *stem,
                             struct error *e) MUST_CHECK;
/* In memory alone; txn_index_save afterwards. For who builds an index anew. E_NOMEM. */
enum err txn_index_add(struct txn_index *x, const struct txn_aborted *t) MUST_CHECK;
/* Drops entries whose marker is at or above `offset`, in memory. x is known. */
void txn_index_cut(struct txn_index *x, int64_t offset);
/* The file anew from memory (none when there is no entry). Not synced. x is known. */
enum err txn_index_save(const struct txn_index *x, const char *stem, struct error *e) MUST_CHECK;
/* The same to a file of another name. */
enum err txn_index_save_as(const struct txn_index *x, const char *path, struct error *e) MUST_CHECK;
/* fdatasync of the file, if there is one. Thread: any, no lock. */
enum err txn_index_sync(const char *stem, struct error *e) MUST_CHECK;

/* A growing list in an arena. */
struct txn_list {
    struct arena *arena;
    struct txn_aborted *v;
    size_t count, cap;
};
/* Adds the transactions that have an offset in [from, to). *complete: none in a later segment has.
 * x is known. E_NOMEM. */
enum err txn_index_collect(const struct txn_index *x, int64_t from, int64_t to,
                           struct txn_list *out, bool *complete) MUST_CHECK;

#endif
