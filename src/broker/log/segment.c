/* broker/log/segment.c - see segment.h.
 *
 * Invariants:
 *  1. Bytes below `size` are whole batches in growing offset order and never change.
 *  2. `size` grows only after the write that it counts has succeeded.
 *  3. A failed write leaves nothing behind that a later start could take for a batch: the file is
 *     cut back; if even that fails the log takes no more appends (recovery cuts the torn tail).
 *  4. An index only says where to begin looking. One that does not fit its file is thrown away and
 *     built anew, so it never decides what can be read. */
#include "broker/log/segment.h"

#include <stdatomic.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

#define RESERVE_FROM (1 << 20) /* small topics get no blocks set aside */
#define RESERVE_STEP (8 << 20)
#define BATCH_MAX ((int64_t)1 << 30)
#define INTERVAL_BYTES 4096 /* index.interval.bytes of an index that is built anew */

const char *const segment_suffixes[4] = {".log", ".index", ".timeindex", ".txnindex"};

void segment_file_name(int64_t base, const char *suffix, char out[64])
{
    snprintf(out, 64, "%020lld%s", (long long)base, suffix);
}

char *segment_path(const struct segment *s, const char *suffix)
{
    return xasprintf("%s%s%s", s->stem, suffix, s->tail);
}

/* What is known of an empty segment. */
static void reset_index(struct segment *s)
{
    seg_index_release(&s->index);
    s->measured = s->size == 0;
    s->end = s->base;
    s->first_timestamp = s->max_timestamp = s->max_timestamp_offset = -1;
    s->unindexed_bytes = 0;
    s->index_dirty = false;
}

struct segment *segment_new(const char *dir, int64_t base)
{
    char name[64];
    struct segment *s = xcalloc(1, sizeof *s);
    segment_file_name(base, "", name);
    s->refs = 1;
    s->stem = xasprintf("%s/%s", dir, name);
    s->tail = "";
    s->created_ms = clock_wall_ms();
    s->base = base;
    s->log.fd = -1;
    s->indexed = true;
    reset_index(s);
    txn_index_init(&s->aborted, false);
    return s;
}

struct segment *segment_ref(struct segment *s)
{
    atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
    return s;
}

void segment_unref(struct segment *s)
{
    if (!s || atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1)
        return;
    if (s->open)
        fs_close(&s->log);
    seg_index_release(&s->index);
    txn_index_release(&s->aborted);
    mem_free(s->stem);
    mem_free(s);
}

enum err segment_open(struct segment *s, bool create, struct error *e)
{
    if (s->open)
        return E_OK;
    char *path = segment_path(s, ".log");
    enum err err = fs_open(&s->log, path, FS_READ | FS_WRITE | (create ? FS_CREATE : 0), e);
    mem_free(path);
    if (err == E_NOT_FOUND) /* to readers that means a hole in the offsets, which they step over */
        err = error_set(e, E_IO, "%s.log is gone", s->stem);
    s->open = !err;
    return err;
}

void segment_park(struct segment *s, bool all)
{
    /* The last reference but the log's is dropped with release order, so nobody reads any more. */
    if (atomic_load_explicit(&s->refs, memory_order_acquire) != 1)
        return;
    if (s->open)
        fs_close(&s->log);
    s->open = false;
    if (all && s->aborted.count)
        txn_index_release(&s->aborted);
    if (all && s->indexed && s->size) {
        if (s->index_dirty && seg_index_save(&s->index, s->stem, s->tail, NULL) != E_OK)
            segment_forget_index(s);
        else
            seg_index_release(&s->index);
        s->index_dirty = s->indexed = false; /* what was measured stays */
    }
}

/* --- scanning --------------------------------------------------------------------------------- */

void segment_scan_init(struct segment_scan *scan, const struct segment *s, int64_t from, int64_t to)
{
    scan->segment = s;
    scan->pos = from;
    scan->end = to;
    scan->buf_at = from;
    scan->buf_n = 0;
    scan->err = E_OK;
}

/* The header at scan->pos is in the buffer. */
static bool fill(struct segment_scan *scan)
{
    if (scan->pos >= scan->buf_at &&
        scan->pos + BATCH_HEADER_SIZE <= scan->buf_at + (int64_t)scan->buf_n)
        return true;
    size_t want = (size_t)MIN((int64_t)sizeof scan->buf, scan->end - scan->pos);
    scan->buf_at = scan->pos;
    scan->err = fs_pread(&scan->segment->log, scan->buf, want, scan->pos, &scan->buf_n, NULL);
    if (!scan->err && scan->buf_n < BATCH_HEADER_SIZE)
        scan->err = E_CORRUPT;
    return !scan->err;
}

bool segment_scan_next(struct segment_scan *scan, struct batch_at *out)
{
    if (scan->pos >= scan->end || scan->err)
        return false;
    if (scan->pos + BATCH_HEADER_SIZE > scan->end) {
        scan->err = E_CORRUPT;
        return false;
    }
    if (!fill(scan))
        return false;
    out->header = scan->buf + (scan->pos - scan->buf_at);
    out->pos = scan->pos;
    int32_t length = batch_length(out->header);
    out->n = BATCH_LOG_OVERHEAD + (size_t)(uint32_t)length;
    if (length < BATCH_HEADER_SIZE - BATCH_LOG_OVERHEAD ||
        scan->pos + (int64_t)out->n > scan->end || batch_magic(out->header) != 2) {
        scan->err = E_CORRUPT;
        return false;
    }
    scan->pos += (int64_t)out->n;
    return true;
}

static enum err scan_failed(const struct segment_scan *scan, struct error *e)
{
    return error_set(e, scan->err, "%s.log: no whole batch at position %lld", scan->segment->stem,
                     (long long)scan->pos);
}

/* --- index ------------------------------------------------------------------------------------ */

/* Counts one batch for the indexes; called in order. */
static void note_batch(struct segment *s, const uint8_t *header, int64_t pos, size_t n,
                       int32_t interval_bytes)
{
    int64_t last = batch_last_offset(header), timestamp = batch_max_timestamp(header);
    if (s->first_timestamp < 0)
        s->first_timestamp = timestamp;
    if (timestamp > s->max_timestamp && !batch_is_control(header)) {
        s->max_timestamp = timestamp;
        s->max_timestamp_offset = last;
    }
    if (s->unindexed_bytes > interval_bytes) {
        seg_index_add(&s->index, (int32_t)(last - s->base), (int32_t)pos);
        if (s->max_timestamp >= 0)
            seg_index_add_time(&s->index, s->max_timestamp,
                               (int32_t)(s->max_timestamp_offset - s->base));
        s->unindexed_bytes = 0;
    }
    s->unindexed_bytes += (int64_t)n;
    s->end = last + 1;
    s->index_dirty = true;
}

/* What the index files do not tell: the tail behind the last entry. */
static enum err note_tail(struct segment *s, int64_t from, struct error *e)
{
    struct segment_scan scan;
    struct batch_at at;
    segment_scan_init(&scan, s, from, s->size);
    while (segment_scan_next(&scan, &at))
        note_batch(s, at.header, at.pos, at.n, INTERVAL_BYTES);
    return scan.err ? scan_failed(&scan, e) : E_OK;
}

/* From the files: true when they are there and their last entry fits the log. */
static bool load_index(struct segment *s)
{
    struct segment_scan scan;
    struct batch_at at;
    if (seg_index_load(&s->index, s->stem, s->size, NULL) != E_OK || !s->index.offsets_count)
        return false;
    const struct offset_entry *last = &s->index.offsets[s->index.offsets_count - 1];
    segment_scan_init(&scan, s, last->pos, s->size);
    if (!segment_scan_next(&scan, &at) || batch_last_offset(at.header) - s->base != last->rel)
        return false;
    segment_scan_init(&scan, s, 0, s->size);
    if (!segment_scan_next(&scan, &at))
        return false;
    s->first_timestamp = batch_max_timestamp(at.header);
    if (s->index.times_count) {
        const struct time_entry *t = &s->index.times[s->index.times_count - 1];
        s->max_timestamp = t->timestamp;
        s->max_timestamp_offset = s->base + t->rel;
    }
    if (note_tail(s, last->pos, NULL) != E_OK)
        return false;
    return !s->index.times_count || s->base + s->index.times[s->index.times_count - 1].rel < s->end;
}

enum err segment_index(struct segment *s, struct error *e)
{
    enum err err = segment_open(s, false, e);
    if (err || s->indexed)
        return err;
    reset_index(s);
    if (load_index(s)) {
        s->index_dirty = false;
    } else {
        reset_index(s);
        err = note_tail(s, 0, e);
    }
    s->indexed = s->measured = !err;
    return err;
}

enum err segment_measure(struct segment *s, struct error *e)
{
    return s->measured ? E_OK : segment_index(s, e);
}

void segment_forget_index(struct segment *s)
{
    static const char *const suffixes[] = {".index", ".timeindex"};
    for (size_t i = 0; i < ARRAY_LEN(suffixes); i++) {
        char *path = segment_path(s, suffixes[i]);
        enum err err = fs_unlink(path, NULL);
        (void)err; /* an old one is noticed when it is loaded */
        mem_free(path);
    }
    reset_index(s);
    s->indexed = s->size == 0;
}

enum err segment_sync_index(const struct segment *s, struct error *e)
{
    static const char *const suffixes[] = {".index", ".timeindex"};
    enum err err = E_OK;
    for (size_t i = 0; !err && i < ARRAY_LEN(suffixes); i++) {
        struct fs_file f;
        char *path = segment_path(s, suffixes[i]);
        err = fs_exists(path) ? fs_open(&f, path, FS_READ, e) : E_NOT_FOUND;
        mem_free(path);
        if (!err) {
            err = fs_datasync(&f, e);
            fs_close(&f);
        } else if (err == E_NOT_FOUND) { /* could not be written; built anew when needed */
            err = E_OK;
        }
    }
    return err;
}

/* --- append ----------------------------------------------------------------------------------- */

enum err segment_append(struct segment *s, const void *batch, size_t n, int32_t interval_bytes,
                        struct error *e)
{
    if (s->size + (int64_t)n > RESERVE_FROM && s->size + (int64_t)n > s->reserved) {
        s->reserved = s->size + (int64_t)n + RESERVE_STEP;
        fs_preallocate(&s->log, s->size, s->reserved - s->size);
    }
    enum err err = fs_pwrite(&s->log, batch, n, s->size, e);
    if (err) {
        s->reserved = 0;
        return fs_truncate(&s->log, s->size, NULL) == E_OK ? err : E_CORRUPT;
    }
    note_batch(s, batch, s->size, n, interval_bytes);
    s->size += (int64_t)n;
    return E_OK;
}

enum err segment_append_run(struct segment *s, struct slice run, int32_t interval_bytes,
                            struct error *e)
{
    struct slice batch;
    enum err err = fs_pwrite(&s->log, run.p, run.n, s->size, e);
    if (err)
        return err;
    while (batch_split(&run, &batch)) {
        note_batch(s, (const uint8_t *)batch.p, s->size, batch.n, interval_bytes);
        s->size += (int64_t)batch.n;
    }
    invariant(run.n == 0);
    return E_OK;
}

enum err segment_seal(struct segment *s, struct error *e)
{
    enum err err = E_OK;
    if (s->open && s->reserved > s->size)
        err = fs_truncate(&s->log, s->size, e);
    s->reserved = 0;
    if (err || !s->indexed || !s->index_dirty)
        return err;
    if (!s->index.offsets_count) { /* as quickly read itself as an index of it would be */
        s->index_dirty = false;
        return E_OK;
    }
    if (s->max_timestamp >= 0) /* the last entry tells the largest timestamp without a scan */
        seg_index_add_time(&s->index, s->max_timestamp,
                           (int32_t)(s->max_timestamp_offset - s->base));
    struct error why;
    if (seg_index_save(&s->index, s->stem, s->tail, &why) == E_OK)
        s->index_dirty = false;
    else
        LOG_ERR(LOG_BROKER_LOG, LOG_L_WARN, &why, "an index is not stored; it is built when used");
    return E_OK;
}

/* --- finding ---------------------------------------------------------------------------------- */

static enum err find_from(const struct segment *s, int64_t offset, int64_t from,
                          struct batch_at *out, struct segment_scan *scan)
{
    segment_scan_init(scan, s, from, s->size);
    while (segment_scan_next(scan, out))
        if (batch_last_offset(out->header) >= offset)
            return E_OK;
    return scan->err ? scan->err : E_NOT_FOUND;
}

/* An index that leads astray: away with it. */
static enum err reindex(struct segment *s, struct error *e)
{
    LOG_WARN(LOG_BROKER_LOG, "%s.index does not fit its log; building it anew", s->stem);
    segment_forget_index(s);
    return segment_index(s, e);
}

enum err segment_find(struct segment *s, int64_t offset, struct batch_at *out,
                      struct segment_scan *scan, struct error *e)
{
    enum err err = segment_index(s, e);
    if (err)
        return err;
    int32_t rel = (int32_t)MIN(MAX(offset - s->base, 0), INT32_MAX);
    int64_t from = seg_index_position(&s->index, rel);
    err = find_from(s, offset, from, out, scan);
    if (err == E_CORRUPT && from > 0) {
        err = reindex(s, e);
        if (err)
            return err;
        err = find_from(s, offset, seg_index_position(&s->index, rel), out, scan);
    }
    return err == E_OK || err == E_NOT_FOUND ? err : scan_failed(scan, e);
}

static enum err boundary_from(const struct segment *s, int64_t from, int64_t pos, int64_t *out,
                              int64_t *next_offset)
{
    struct segment_scan scan;
    struct batch_at at;
    segment_scan_init(&scan, s, from, s->size);
    *out = from;
    *next_offset = -1;
    while (segment_scan_next(&scan, &at)) {
        if (*next_offset < 0)
            *next_offset = batch_base_offset(at.header);
        if (scan.pos > pos)
            break;
        *out = scan.pos;
        *next_offset = batch_last_offset(at.header) + 1;
    }
    return scan.err;
}

enum err segment_boundary(struct segment *s, int64_t from, int64_t pos, int64_t *out,
                          int64_t *next_offset, struct error *e)
{
    enum err err = segment_index(s, e);
    if (err)
        return err;
    /* One byte less, so that the batch which ends at pos is seen also when an entry points there.
     */
    int64_t near = seg_index_position_before(&s->index, (int32_t)MIN(pos - 1, INT32_MAX));
    err = boundary_from(s, MAX(near, from), pos, out, next_offset);
    if (err == E_CORRUPT && near > from) {
        err = reindex(s, e);
        if (!err)
            err = boundary_from(s, from, pos, out, next_offset);
    }
    return err ? error_set(e, err, "%s.log: no whole batch near position %lld", s->stem,
                           (long long)pos)
               : E_OK;
}

enum err segment_read_batch(const struct segment *s, int64_t pos, size_t n, struct strbuf *buf,
                            struct error *e)
{
    size_t got = 0;
    strbuf_reset(buf);
    if ((int64_t)n > BATCH_MAX || strbuf_reserve(buf, n) != E_OK)
        return error_set(e, E_NOMEM, "%s.log: a batch of %zu bytes", s->stem, n);
    enum err err = fs_pread(&s->log, buf->p, n, pos, &got, e);
    buf->n = got;
    if (err)
        return err;
    if (got != n || batch_check(slice_of(buf->p, n)) != E_OK)
        return error_set(e, E_CORRUPT, "%s.log: no whole batch at position %lld", s->stem,
                         (long long)pos);
    return E_OK;
}
