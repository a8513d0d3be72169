/* broker/log/index.h - the sparse indexes of one segment: offset -> position and timestamp ->
 * offset.
 *
 * In memory while the segment is in use; files are written when the segment is sealed or closed, in
 * Kafka's format, and rebuilt by scanning when missing. Lock: the partition's. SPEC: broker 4.1.
 *
 *   .index      { i32 last offset of a batch - base, i32 position of that batch } ...
 *   .timeindex  { i64 largest timestamp so far, i32 last offset of its batch - base } ... */
#ifndef WEIR_BROKER_LOG_INDEX_H
#define WEIR_BROKER_LOG_INDEX_H

#include "base/base.h"
#include "base/err.h"

struct offset_entry {
    int32_t rel, pos;
};
struct time_entry {
    int64_t timestamp;
    int32_t rel;
};
struct seg_index {
    struct offset_entry *offsets;
    size_t offsets_count, offsets_cap;
    struct time_entry *times;
    size_t times_count, times_cap;
};

void seg_index_init(struct seg_index *x);
void seg_index_release(struct seg_index *x);
/* Entries must grow; an entry that does not is left out. An index without room left is no error:
 * lookups scan further then. */
void seg_index_add(struct seg_index *x, int32_t rel, int32_t pos);
void seg_index_add_time(struct seg_index *x, int64_t timestamp, int32_t rel);
/* Position from which a scan finds the batch that holds rel: that of the greatest entry <= rel,
 * else 0. */
int32_t seg_index_position(const struct seg_index *x, int32_t rel);
/* Greatest entry position <= pos. */
int32_t seg_index_position_before(const struct seg_index *x, int32_t pos);
/* Offset (relative) from which a scan finds the first record at or after the timestamp. */
int32_t seg_index_time(const struct seg_index *x, int64_t timestamp);

/* stem: path without suffix; tail: what comes behind the suffix (".cleaned"). Not synced: a lost
 * index is built anew. */
enum err seg_index_save(const struct seg_index *x, const char *stem, const char *tail,
                        struct error *e) MUST_CHECK;
/* E_NOT_FOUND: no file; E_CORRUPT: does not fit a segment of this size. */
enum err seg_index_load(struct seg_index *x, const char *stem, int64_t log_size,
                        struct error *e) MUST_CHECK;

#endif
