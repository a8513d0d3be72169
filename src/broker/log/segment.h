/* broker/log/segment.h - one file of a partition's log: record batches one after the other, named
 * by the offset of the first, with its indexes.
 *
 *   00000000000000000042.log    batch | batch | ...      (each as SPEC: broker 3.1)
 *
 * Lock: the partition's for everything but the reference count and reading through fd: what lies
 * below `size` never changes, so a counted reference may be read by anybody, also after the segment
 * was removed from its log. Files are opened, and indexes read, when first used. */
#ifndef WEIR_BROKER_LOG_SEGMENT_H
#define WEIR_BROKER_LOG_SEGMENT_H

#include "base/err.h"
#include "base/fs.h"
#include "broker/log/index.h"
#include "broker/log/txn_index.h"
#include "broker/proto/batch.h"

struct segment {
    _Atomic int refs;
    bool open, indexed;      /* log.fd is usable; index and the fields marked (i) are right */
    bool measured;           /* the fields marked (m) are right */
    bool index_dirty;        /* the index in memory is newer than its files */
    bool future_told;        /* that a record of the future keeps it was logged */
    char *stem;              /* path without suffix */
    const char *tail;        /* behind the suffix: "", or ".cleaned" while compaction writes it */
    int64_t created_ms;      /* when this process made or found it */
    int64_t base;            /* offset of its first batch */
    int64_t size;            /* bytes of whole batches */
    int64_t end;             /* (m) offset after its last batch */
    int64_t first_timestamp; /* (m) of the first batch; -1 none */
    int64_t max_timestamp, max_timestamp_offset; /* (m) of records, not markers; -1 none */
    int64_t unindexed_bytes;                     /* (i) since the last index entry */
    int64_t reserved;                            /* file blocks set aside up to here */
    struct fs_file log;
    struct seg_index index;   /* (i) */
    struct txn_index aborted; /* aborted transactions whose marker is here */
};

/* What belongs to a segment; the .log is first. */
extern const char *const segment_suffixes[4];

/* Nothing is opened or created; counts as indexed, being empty. One reference. */
struct segment *segment_new(const char *dir, int64_t base);
/* Path of one of its files (".log", ".index" ...); caller frees. */
char *segment_path(const struct segment *s, const char *suffix);
struct segment *segment_ref(struct segment *s);
void segment_unref(struct segment *s); /* NULL allowed; the last one closes the file */
void segment_file_name(int64_t base, const char *suffix, char out[64]);

/* Opens the file for reading and appending, creating it if asked. Again does nothing. */
enum err segment_open(struct segment *s, bool create, struct error *e) MUST_CHECK;
/* Opens the file and brings the index into memory: from its files, else by scanning. E_CORRUPT: the
 * file does not hold whole batches. */
enum err segment_index(struct segment *s, struct error *e) MUST_CHECK;
/* Makes sure of end and timestamps, which stay known when the index goes. Errors as before. */
enum err segment_measure(struct segment *s, struct error *e) MUST_CHECK;
/* Writes one batch at the end (the segment is open and indexed); afterwards size counts it. E_IO:
 * the file is as it was before; e->sys says why. E_CORRUPT: it could not even be cut back, nothing
 * may be appended any more. */
enum err segment_append(struct segment *s, const void *batch, size_t n, int32_t interval_bytes,
                        struct error *e) MUST_CHECK;
/* The same for a run of whole batches in one write. */
enum err segment_append_run(struct segment *s, struct slice run, int32_t interval_bytes,
                            struct error *e) MUST_CHECK;
/* No more appends for now: frees reserved blocks, writes the indexes (no sync; a lost index is
 * built anew, so that only the freeing can fail). */
enum err segment_seal(struct segment *s, struct error *e) MUST_CHECK;
/* Gives the file back when nobody reads it; `all`: the index too. Opened again at the next use. */
void segment_park(struct segment *s, bool all);
/* fdatasync of the index files as they were written last (but .txnindex: txn_index_sync). */
enum err segment_sync_index(const struct segment *s, struct error *e) MUST_CHECK;
/* Throws the indexes away, in memory and on disk. */
void segment_forget_index(struct segment *s);

/* Walks the headers of batches between two positions. The header is valid until the next call. */
struct segment_scan {
    const struct segment *segment;
    int64_t pos, end; /* the next batch; where to stop */
    int64_t buf_at;
    size_t buf_n;
    enum err err; /* why segment_scan_next said false: E_OK at the end, E_CORRUPT, E_IO */
    uint8_t buf[4096];
};
struct batch_at {
    const uint8_t *header; /* BATCH_HEADER_SIZE bytes */
    int64_t pos;
    size_t n; /* whole batch */
};
void segment_scan_init(struct segment_scan *scan, const struct segment *s, int64_t from,
                       int64_t to);
bool segment_scan_next(struct segment_scan *scan, struct batch_at *out);

/* The first batch whose last offset is >= offset; scan goes on behind it. E_NOT_FOUND: none. */
enum err segment_find(struct segment *s, int64_t offset, struct batch_at *out,
                      struct segment_scan *scan, struct error *e) MUST_CHECK;
/* Greatest batch boundary <= pos, not below `from` (a boundary), and the offset at which reading
 * goes on there. pos < size. */
enum err segment_boundary(struct segment *s, int64_t from, int64_t pos, int64_t *out,
                          int64_t *next_offset, struct error *e) MUST_CHECK;

/* Reads a whole batch into buf (reset first). E_CORRUPT when it is not one. */
enum err segment_read_batch(const struct segment *s, int64_t pos, size_t n, struct strbuf *buf,
                            struct error *e) MUST_CHECK;

#endif
