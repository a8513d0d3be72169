/* broker/log/compact.c - see compact.h.
 *
 * Invariants:
 *  1. A record goes only when a newer one of its key lies below map_end and is kept (or, for a
 *     tombstone, when its horizon has passed and everything older of its key is in the same job).
 *  2. The last batch of each group stays, empty if need be: a segment ends where the next begins,
 *     so that recovery finds no hole and swap.c sees what a .swap file covers. Clients take a fetch
 *     without a record for one that was too small, so a group goes on until it has one.
 *  3. When the map is full the rest of the dirty part waits for the next job: map_end is where it
 *     stopped, and records from there on are not touched. */
#include "broker/log/compact.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "broker/log/compact_batch.h"
#include "broker/log/compact_txn.h"
#include "broker/log/swap.h"

#define READ_BYTES ((size_t)512 << 10)
#define WRITE_BYTES ((size_t)512 << 10)
#define BATCH_MAX ((size_t)1 << 30)

/* --- reading ---------------------------------------------------------------------------------- */

/* Whole batches of one segment, through a descriptor of its own. */
struct source {
    struct compact_job *job;
    struct fs_file file;
    int64_t size, pos; /* of the segment; of what is in buf up to its end */
    struct strbuf buf;
    size_t at; /* the next batch in buf */
};

static enum err source_open(struct source *s, struct compact_job *j, const struct segment *seg,
                            struct error *e)
{
    char *path = segment_path(seg, ".log");
    *s = (struct source){.job = j, .file = {.fd = -1}, .size = seg->size};
    strbuf_init(&s->buf, BATCH_MAX + READ_BYTES);
    enum err err = fs_open(&s->file, path, FS_READ, e);
    mem_free(path);
    return err == E_NOT_FOUND ? E_CONFLICT : err; /* retention was faster */
}

static void source_close(struct source *s)
{
    fs_close(&s->file);
    strbuf_release(&s->buf);
}

static size_t buffered(const struct source *s)
{
    return s->buf.n - s->at;
}

/* At least n bytes from `at` on, as far as the segment goes. */
static enum err fill(struct source *s, size_t n, struct error *e)
{
    if (buffered(s) >= n || s->pos == s->size)
        return E_OK;
    memmove(s->buf.p, s->buf.p + s->at, buffered(s));
    s->buf.n -= s->at;
    s->at = 0;
    size_t want = (size_t)MIN((int64_t)MAX(n - s->buf.n, READ_BYTES), s->size - s->pos), got;
    if (strbuf_reserve(&s->buf, want) != E_OK)
        return error_set(e, E_NOMEM, "%s: a batch of %zu bytes", s->file.path, n);
    enum err err = fs_pread(&s->file, s->buf.p + s->buf.n, want, s->pos, &got, e);
    if (err)
        return err;
    if (got != want)
        return error_set(e, E_CORRUPT, "%s is shorter than it was", s->file.path);
    s->buf.n += got;
    s->pos += (int64_t)got;
    s->job->bytes_read += (int64_t)got;
    return s->job->pace(s->job->arg, got) ? E_OK : E_CANCELLED;
}

static bool source_at_end(const struct source *s)
{
    return s->pos == s->size && buffered(s) == 0;
}

/* The next batch, checked; the slice is good until the next call. E_NOT_FOUND: the end. */
static enum err source_next(struct source *s, struct slice *batch, struct error *e)
{
    if (source_at_end(s))
        return E_NOT_FOUND;
    enum err err = fill(s, BATCH_HEADER_SIZE, e);
    if (err)
        return err;
    const char *p = s->buf.p + s->at;
    bool whole =
        buffered(s) >= BATCH_HEADER_SIZE && batch_length(p) > 0 && batch_size(p) <= BATCH_MAX;
    size_t n = whole ? batch_size(p) : 0;
    if (whole)
        err = fill(s, n, e);
    if (err)
        return err;
    *batch = slice_of(s->buf.p + s->at, n);
    if (!whole || buffered(s) < n || batch_check(*batch) != E_OK)
        return error_set(e, E_CORRUPT, "%s: no whole batch at position %lld", s->file.path,
                         (long long)(s->pos - (int64_t)buffered(s)));
    s->at += n;
    return E_OK;
}

/* --- the map of keys -------------------------------------------------------------------------- */

struct run {
    struct compact_job *job;
    struct keymap map;
    struct compact_rules rules;
    struct compact_done done;
    struct compact_txn txn;
};

/* Keys of one batch; false: the map is full, map_end is set. */
static enum err map_batch(struct run *r, struct slice batch, bool *full, struct error *e)
{
    struct batch_iter it;
    struct batch_record rec;
    enum err err = batch_iter_init(&it, batch, 0);
    if (err == E_TOO_LARGE || err == E_UNSUPPORTED) { /* stays, and so does what it might replace */
        batch_iter_release(&it);
        return E_OK;
    }
    while (!err && !*full && batch_iter_next(&it, &rec))
        if (rec.offset >= r->job->first_dirty && !slice_is_null(rec.key) &&
            !keymap_put(&r->map, rec.key, rec.offset)) {
            *full = true;
            r->rules.map_end = rec.offset;
        }
    err = err ? err : it.err;
    batch_iter_release(&it);
    if (!err)
        return E_OK;
    return error_set(e, err == E_NOMEM ? E_NOMEM : E_CORRUPT,
                     "the batch at offset %lld cannot be read: %s",
                     (long long)batch_base_offset(batch.p), err_name(err));
}

static enum err map_segment(struct run *r, const struct segment *seg, struct compact_txn *txn,
                            bool *full, struct error *e)
{
    struct source s;
    struct slice batch;
    enum err err = source_open(&s, r->job, seg, e);
    while (!err && !*full) {
        bool idle;
        err = source_next(&s, &batch, e);
        if (err)
            break;
        if (batch_is_control(batch.p))
            err = compact_txn_marker(txn, batch, NULL, &idle);
        else if (!compact_txn_data(txn, batch.p) &&
                 batch_last_offset(batch.p) >= r->job->first_dirty)
            err = map_batch(r, batch, full, e);
    }
    source_close(&s);
    return err == E_NOT_FOUND ? E_OK : err;
}

static enum err build_map(struct run *r, struct error *e)
{
    struct compact_job *j = r->job;
    struct compact_txn txn;
    bool full = false;
    int64_t expected = MAX(j->end - j->first_dirty, 0);
    enum err err = keymap_init(&r->map, (size_t)expected, j->dedupe_bytes, j->load_factor);
    if (err)
        return error_set(e, err, "%s: no memory for a map of keys", j->dir);
    r->rules.map_end = j->end;
    compact_txn_init(&txn, j->aborted, j->aborted_count);
    for (size_t i = 0; !err && !full && i < j->count; i++) {
        int64_t next = i + 1 < j->count ? j->segments[i + 1]->base : j->end;
        if (next > j->first_dirty && j->segments[i]->size)
            err = map_segment(r, j->segments[i], &txn, &full, e);
    }
    compact_txn_release(&txn);
    return err;
}

/* --- one group -------------------------------------------------------------------------------- */

static int by_id(const void *a, const void *b)
{
    int64_t x = ((const struct compact_producer *)a)->id;
    int64_t y = ((const struct compact_producer *)b)->id;
    return (x > y) - (x < y);
}

/* SPEC: broker 4.4: the last batch of each active producer stays, so that sequences survive. */
static bool is_last_of_producer(const struct compact_job *j, const void *batch)
{
    const struct compact_producer key = {.id = batch_producer_id(batch)}, *p;
    if (key.id < 0 || !j->producers_count)
        return false;
    p = bsearch(&key, j->producers, j->producers_count, sizeof key, by_id);
    if (!p)
        return false;
    if (p->last_offset >= 0)
        return batch_last_offset(batch) == p->last_offset;
    return batch_is_control(batch) && batch_producer_epoch(batch) == p->epoch;
}

struct group {
    struct run *run;
    struct segment *made;
    struct txn_index aborted;
    struct strbuf out;
    struct strbuf end;   /* the last batch, if no record of it stays: written when the group ends */
    int64_t kept_before; /* records kept by groups before this one */
};

static enum err flush(struct group *g, struct error *e)
{
    struct compact_job *j = g->run->job;
    if (!g->out.n)
        return E_OK;
    enum err err = segment_append_run(g->made, strbuf_slice(&g->out), j->index_interval_bytes, e);
    j->bytes_written += (int64_t)g->out.n;
    size_t n = g->out.n;
    strbuf_reset(&g->out);
    return err ? err : j->pace(j->arg, n) ? E_OK : E_CANCELLED;
}

/* last: of its segment. */
static enum err clean_batch(struct group *g, struct slice batch, bool last, struct error *e)
{
    struct run *r = g->run;
    struct compact_how how = {0};
    enum err err = E_OK;
    if (batch_is_control(batch.p)) {
        err = compact_txn_marker(&r->txn, batch, &g->aborted, &how.idle);
        int64_t horizon = compact_horizon(batch.p);
        how.aborted = how.idle && horizon >= 0 && horizon <= r->rules.now_ms; /* it may go */
    } else {
        how.aborted = compact_txn_data(&r->txn, batch.p);
    }
    how.empty = is_last_of_producer(r->job, batch.p) ? COMPACT_PRODUCER
                : last                               ? COMPACT_HEADER
                                                     : COMPACT_DROP;
    size_t before = g->out.n;
    int64_t kept = r->done.kept;
    if (!err)
        err = compact_batch(batch, &r->rules, &how, &g->out, &r->done);
    if (!err && how.empty == COMPACT_HEADER && r->done.kept == kept) {
        strbuf_add(&g->end, g->out.p + before, g->out.n - before);
        err = strbuf_err(&g->end);
        g->out.n = before;
    }
    if (err == E_CORRUPT)
        error_set(e, err, "the batch at offset %lld cannot be read",
                  (long long)batch_base_offset(batch.p));
    else if (err)
        error_set(e, err, "rewriting the batch at offset %lld: %s",
                  (long long)batch_base_offset(batch.p), err_name(err));
    if (!err && g->out.n >= WRITE_BYTES)
        err = flush(g, e);
    return err;
}

static enum err clean_segment(struct group *g, const struct segment *seg, int64_t *modified,
                              struct error *e)
{
    struct source s;
    struct slice batch;
    enum err err = source_open(&s, g->run->job, seg, e);
    if (seg->size)
        strbuf_reset(&g->end); /* it was the last of the segment before */
    while (!err) {
        err = source_next(&s, &batch, e);
        if (!err)
            err = clean_batch(g, batch, source_at_end(&s), e);
    }
    if (err == E_NOT_FOUND)
        err = fs_mtime_ms(&s.file, modified, e);
    source_close(&s);
    return err;
}

/* Whether the group goes on with the next segment: what it may become has to fit. */
static bool joins(const struct group *g, const struct segment *first, size_t next)
{
    const struct compact_job *j = g->run->job;
    if (next >= j->count)
        return false;
    const struct segment *s = j->segments[next];
    int64_t end = next + 1 < j->count ? j->segments[next + 1]->base : j->end;
    if (end - 1 - first->base > INT32_MAX)
        return false;
    if (g->run->done.kept == g->kept_before)
        return true; /* no record yet (2) */
    return s->base < g->run->rules.map_end &&
           g->made->size + (int64_t)g->out.n + s->size <= j->segment_bytes;
}

static enum err write_group(struct group *g, struct segment *const *old, size_t first,
                            size_t *count, struct error *e)
{
    int64_t modified = 0;
    enum err err = segment_open(g->made, true, e);
    *count = 0;
    do {
        if (!err)
            err = clean_segment(g, old[first + *count], &modified, e);
        ++*count;
    } while (!err && joins(g, old[first], first + *count));
    strbuf_add_slice(&g->out, strbuf_slice(&g->end));
    if (!err)
        err = flush(g, e);
    fs_set_mtime_ms(&g->made->log, modified); /* the age of records without timestamps */
    if (!err && g->aborted.count) {
        char *path = segment_path(g->made, ".txnindex");
        err = txn_index_save_as(&g->aborted, path, e);
        mem_free(path);
    }
    return err;
}

/* The group that begins with segment `first`; *count: so many segments it was. */
static enum err clean_group(struct run *r, size_t first, size_t *count, struct error *e)
{
    struct compact_job *j = r->job;
    struct segment *const *old = j->segments + first;
    struct group g = {.run = r,
                      .made = swap_segment_new(j->dir, old[0]->base),
                      .end = STRBUF_INIT,
                      .kept_before = r->done.kept};
    strbuf_init(&g.out, BATCH_MAX);
    txn_index_init(&g.aborted, true);
    r->done.changed = false;
    char *stale = segment_path(g.made, ".log"); /* of an attempt that failed */
    enum err err = fs_unlink(stale, e);
    if (!err)
        err = write_group(&g, j->segments, first, count, e);
    bool worth = g.made->size && (r->done.changed || *count > 1);
    if (!err && worth)
        err = swap_ready(g.made, e);
    if (!err && worth)
        err = j->swap(j->arg, old, *count, g.made, e);
    else
        swap_abandon(g.made);
    mem_free(stale);
    strbuf_release(&g.end);
    strbuf_release(&g.out);
    txn_index_release(&g.aborted);
    return err;
}

static enum err clean_groups(struct run *r, struct error *e)
{
    struct compact_job *j = r->job;
    enum err err = E_OK;
    size_t n = 1;
    for (size_t i = 0; !err && i < j->count && j->segments[i]->base < r->rules.map_end; i += n)
        err = clean_group(r, i, &n, e);
    return err;
}

enum err compact_run(struct compact_job *j, struct error *e)
{
    struct run r = {.job = j};
    struct error own;
    e = e ? e : &own;
    r.rules = (struct compact_rules){
        .map = &r.map, .now_ms = j->now_ms, .delete_retention_ms = j->delete_retention_ms};
    r.done.horizon = INT64_MAX;
    compact_txn_init(&r.txn, j->aborted, j->aborted_count);
    enum err err = build_map(&r, e);
    if (!err)
        err = clean_groups(&r, e);
    j->cleaned_to = r.rules.map_end;
    j->horizon = r.done.horizon;
    j->records_read = r.done.read;
    j->records_kept = r.done.kept;
    compact_txn_release(&r.txn);
    keymap_release(&r.map);
    return err;
}
