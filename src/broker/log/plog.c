/* broker/log/plog.c - see plog.h.
 *
 * Durability, in the order in which it is relied upon:
 *  1. A batch is answered only after its bytes were written to the segment file: kill -9 loses
 *     nothing.
 *  2. `recovery_point` moves only after fdatasync of every segment that holds offsets below it, of
 *     the index files of those that are sealed, and of the directory when files were made.
 *  3. A segment is sealed before the next one takes a batch, so at most one file has a torn tail
 *     after a crash of the process; after a power cut every file from the recovery point on is
 *     checked.
 *  4. Offsets are never used again: also an empty log keeps a segment whose name is its end.
 *  5. After a failed fsync, or a write that could not be taken back, the log takes no more appends
 *     in this process: what the page cache says then need not be what the disk has. A write that
 *     only found no room is taken back and may be tried again.
 *  6. A file whose content is not durable yet stays open, so that the fdatasync reaches it.
 *
 * Directory: NNN.log .index .timeindex .txnindex .snapshot, leader-epoch-checkpoint,
 * partition.metadata; NNN.log.deleted waits for its removal; NNN.log.cleaned and .swap are
 * compaction's (swap.c); NNN.log.aside is a segment that recovery could not use but did not dare to delete. */
#include "broker/log/plog.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "broker/log/recover.h"
#include "broker/log/swap.h"

static char *path_in(const struct plog *l, const char *name)
{
    return xasprintf("%s/%s", l->dir, name);
}

static void add_segment(struct plog *l, struct segment *s)
{
    if (l->count == l->cap) {
        l->cap = l->cap ? l->cap * 2 : 1;
        l->segments = xrealloc(l->segments, l->cap * sizeof *l->segments);
    }
    l->segments[l->count++] = s;
}

static enum err save_epochs(const struct plog *l, struct error *e)
{
    char *path = path_in(l, "leader-epoch-checkpoint");
    enum err err = epochs_save(path, l->epochs, l->epochs_count, e);
    mem_free(path);
    return err;
}

/* --- creating and loading --------------------------------------------------------------------- */

static enum err write_metadata(const struct plog *l, const struct uuid *topic_id, struct error *e)
{
    char text[80], id[UUID_TEXT_SIZE];
    struct fs_file f;
    uuid_text(topic_id, id);
    int n = snprintf(text, sizeof text, "version: 0\ntopic_id: %s", id);
    char *path = path_in(l, "partition.metadata");
    enum err err = fs_open(&f, path, FS_WRITE | FS_CREATE | FS_TRUNC, e);
    if (!err) {
        err = fs_pwrite(&f, text, (size_t)n, 0, e);
        fs_close(&f);
    }
    mem_free(path);
    return err;
}

enum err plog_create(struct plog *l, const char *dir, const struct uuid *topic_id, struct error *e)
{
    memset(l, 0, sizeof *l);
    l->dir = xstrdup(dir);
    enum err err = fs_mkdirs(dir, e);
    if (err)
        return err;
    err = write_metadata(l, topic_id, e);
    l->epochs = xcalloc(1, sizeof *l->epochs);
    l->epochs_count = 1;
    add_segment(l, segment_new(dir, 0));
    return err;
}

static bool see_rest(const char *name, void *arg)
{
    *(bool *)arg = swap_is_rest(slice_cstr(name));
    return !*(bool *)arg;
}

static bool add_base(const char *name, void *arg)
{
    struct plog *l = arg;
    struct slice n = slice_cstr(name);
    int64_t base;
    if (n.n == 24 && slice_ends(n, SL(".log")) &&
        slice_to_i64(slice_sub(n, 0, 20), &base) == E_OK && base >= 0)
        add_segment(l, segment_new(l->dir, base));
    return true;
}

static int by_base(const void *a, const void *b)
{
    int64_t x = (*(struct segment *const *)a)->base, y = (*(struct segment *const *)b)->base;
    return (x > y) - (x < y);
}

static enum err size_segments(struct plog *l, struct error *e)
{
    for (size_t i = 0; i < l->count; i++) {
        struct segment *s = l->segments[i];
        enum err err = segment_open(s, false, e);
        if (!err)
            err = fs_size(&s->log, &s->size, e);
        if (err)
            return err;
        s->indexed = s->measured = s->size == 0;
        if (i + 1 < l->count)
            segment_park(s, false);
    }
    return E_OK;
}

/* Recovery ended below the log start, whose records were deleted for good: begin anew there. */
static void restart_at(struct plog *l, int64_t start, int64_t *bytes_cut)
{
    while (l->count) {
        struct segment *gone = l->segments[--l->count];
        *bytes_cut += gone->size;
        plog_remove_files(gone);
        segment_unref(gone);
    }
    add_segment(l, segment_new(l->dir, start));
    l->end = start;
}

static enum err find_end(struct plog *l, struct error *e)
{
    enum err err = segment_index(plog_active(l), e);
    l->end = plog_active(l)->end;
    return err;
}

/* Epochs that ended below the log's start are of no use to anybody. The file follows at the next
 * change; loading does the same. */
static void trim_epochs(struct plog *l)
{
    size_t gone = 0;
    while (gone + 1 < l->epochs_count && l->epochs[gone + 1].start <= l->start)
        gone++;
    if (gone) {
        l->epochs_count -= gone;
        memmove(l->epochs, l->epochs + gone, l->epochs_count * sizeof *l->epochs);
    }
    if (l->epochs_count)
        l->epochs[0].start = MAX(l->epochs[0].start, l->start);
}

/* Segments and the log's end; cuts what is not whole. */
static enum err load_segments(struct plog *l, const struct plog_load *how, int64_t *bytes_cut,
                              struct error *e)
{
    qsort(l->segments, l->count, sizeof *l->segments, by_base);
    enum err err = size_segments(l, e);
    /* Below the log start there may be the rest of what retention took. */
    if (!err && !how->clean)
        err =
            recover_log(l, MAX(how->recovery_point, how->start), how->recovery_point, bytes_cut, e);
    if (!err)
        err = find_end(l, e);
    if (err == E_CORRUPT && how->clean) { /* the mark lied, or the disk did: look at everything */
        LOG_WARN(LOG_BROKER_LOG, "%s: not as the clean-shutdown mark says; checking all of it",
                 l->dir);
        err = recover_log(l, 0, INT64_MAX, bytes_cut, e);
        if (!err)
            err = find_end(l, e);
    }
    return err;
}

static enum err load_epochs(struct plog *l, bool was_cut, struct error *e)
{
    char *path = path_in(l, "leader-epoch-checkpoint");
    epochs_load(path, &l->epochs, &l->epochs_count);
    mem_free(path);
    if (l->epochs_count == 0) {
        l->epochs = xcalloc(1, sizeof *l->epochs);
        l->epochs_count = 1;
        l->epochs[0].start = l->start;
    }
    if (!was_cut)
        return E_OK;
    /* somebody may have read what is gone: a new epoch tells clients */
    return plog_begin_epoch(l, plog_epoch(l) + 1, e);
}

enum err plog_begin_epoch(struct plog *l, int32_t epoch, struct error *e)
{
    struct epoch_entry next = {epoch, l->end};
    if (epoch <= plog_epoch(l))
        return E_OK;
    while (l->epochs_count > 1 && l->epochs[l->epochs_count - 1].start >= l->end)
        l->epochs_count--;
    l->epochs = xrealloc(l->epochs, (l->epochs_count + 1) * sizeof *l->epochs);
    l->epochs[l->epochs_count++] = next;
    return save_epochs(l, e);
}

enum err plog_load(struct plog *l, const char *dir, const struct plog_load *how,
                   struct plog_loaded *out, struct error *e)
{
    memset(l, 0, sizeof *l);
    out->bytes_cut = 0;
    l->dir = xstrdup(dir);
    bool rest = false;
    enum err err = fs_list(dir, see_rest, &rest, e);
    if (!err && rest)
        err = swap_recover(dir, e);
    if (!err)
        err = fs_list(dir, add_base, l, e);
    if (!err && l->count)
        err = load_segments(l, how, &out->bytes_cut, e);
    if (err)
        return err;
    if (l->count == 0 || l->end < how->start) /* none: killed before the first batch */
        restart_at(l, MAX(how->start, 0), &out->bytes_cut);
    l->start = MAX(how->start, l->segments[0]->base);
    l->recovery_point =
        how->clean && !out->bytes_cut ? l->end : MIN(MAX(how->recovery_point, l->start), l->end);
    err = load_epochs(l, out->bytes_cut > 0, e);
    trim_epochs(l);
    plog_park(l, true);
    return err;
}

struct measure {
    const char *dir;
    int64_t bytes;
    int32_t segments;
};

static bool add_size(const char *name, void *arg)
{
    struct measure *m = arg;
    struct slice n = slice_cstr(name);
    struct fs_file f;
    int64_t size;
    if (n.n != 24 || !slice_ends(n, SL(".log")))
        return true;
    char *path = xasprintf("%s/%s", m->dir, name);
    if (fs_open(&f, path, FS_READ, NULL) == E_OK) {
        if (fs_size(&f, &size, NULL) == E_OK)
            m->bytes += size;
        fs_close(&f);
        m->segments++;
    }
    mem_free(path);
    return true;
}

void plog_measure(const char *dir, int64_t *bytes, int32_t *segments)
{
    struct measure m = {.dir = dir};
    if (fs_list(dir, add_size, &m, NULL) != E_OK)
        m.bytes = m.segments = 0;
    *bytes = m.bytes;
    *segments = MAX(m.segments, 1); /* the first file is made by the first append */
}

void plog_release(struct plog *l)
{
    for (size_t i = 0; i < l->count; i++)
        segment_unref(l->segments[i]);
    mem_free(l->segments);
    mem_free(l->epochs);
    mem_free(l->recent);
    mem_free(l->dir);
    memset(l, 0, sizeof *l);
}

int32_t plog_epoch(const struct plog *l)
{
    return l->epochs_count ? l->epochs[l->epochs_count - 1].epoch : 0;
}

int64_t plog_bytes(const struct plog *l)
{
    int64_t bytes = 0;
    for (size_t i = 0; i < l->count; i++)
        bytes += l->segments[i]->size;
    return bytes;
}

/* --- append ----------------------------------------------------------------------------------- */

/* How long the active segment takes appends; the random part of it is drawn at each roll. */
static int64_t age_limit(const struct plog *l, const struct topic_config *c)
{
    int64_t limit =
        c->cleanup_compact ? MIN(c->segment_ms, c->max_compaction_lag_ms) : c->segment_ms;
    int64_t jitter = c->segment_jitter_ms / UINT16_MAX * l->jitter +
                     c->segment_jitter_ms % UINT16_MAX * l->jitter / UINT16_MAX;
    return limit - MIN(jitter, limit);
}

/* By the records' own times; when there are none, by this machine's. */
static bool is_old(const struct plog *l, const struct topic_config *c, const void *batch)
{
    const struct segment *s = plog_active(l);
    int64_t timestamp = batch_max_timestamp(batch);
    if (s->first_timestamp >= 0)
        return timestamp >= 0 && timestamp - s->first_timestamp > age_limit(l, c);
    return clock_wall_ms() - s->created_ms > age_limit(l, c);
}

static bool index_is_full(const struct segment *s, const struct topic_config *c)
{
    size_t bytes = (size_t)c->segment_index_bytes;
    return s->index.offsets_count >= MAX(bytes / 8, 1) ||
           s->index.times_count + 1 >= MAX(bytes / 12, 2); /* one is kept for the last */
}

bool plog_must_roll(struct plog *l, const struct topic_config *c, const void *batch, size_t n)
{
    const struct segment *s = plog_active(l);
    if (s->size == 0)
        return false;
    if (!s->indexed && segment_index(plog_active(l), NULL) != E_OK)
        return false; /* the append will say why */
    return s->size + (int64_t)n > c->segment_bytes || is_old(l, c, batch) || index_is_full(s, c) ||
           l->end + batch_last_offset_delta(batch) - s->base > INT32_MAX;
}

enum err plog_roll(struct plog *l, struct error *e)
{
    struct segment *s = segment_new(l->dir, l->end);
    enum err err = segment_open(s, true, e);
    /* a power cut may have left the list of a segment of this name, and taken the segment */
    txn_index_init(&s->aborted, true);
    if (!err)
        err = txn_index_save(&s->aborted, s->stem, e);
    if (!err)
        err = segment_seal(plog_active(l), e);
    if (err) { /* an empty file left behind would look like the log's end */
        plog_remove_files(s);
        segment_unref(s);
        return err;
    }
    add_segment(l, s);
    bytes_random(&l->jitter, sizeof l->jitter);
    l->dir_dirty = true;
    plog_park(l, false);
    return E_OK;
}

static bool is_want_of_room(const struct error *e)
{
    return e->sys == ENOSPC || e->sys == EDQUOT || e->sys == EFBIG || e->sys == EMFILE ||
           e->sys == ENFILE;
}

enum err plog_append(struct plog *l, const struct topic_config *c, const void *batch, size_t n,
                     struct error *e)
{
    invariant(batch_base_offset(batch) == l->end);
    struct error own = {0};
    struct segment *s = plog_active(l);
    enum err err = E_OK;
    e = e ? e : &own;
    e->sys = 0;
    if (!s->open && s->size == 0) {
        err = segment_open(s, true, e);
        l->dir_dirty = true;
    }
    if (!err)
        err = segment_index(s, e);
    int64_t pos = s->size;
    if (!err)
        err = segment_append(s, batch, n, c->index_interval_bytes, e);
    if (err) {
        l->failed |= err == E_CORRUPT || !is_want_of_room(e);
        return err;
    }
    if (!l->recent)
        l->recent = xcalloc(PLOG_RECENT, sizeof *l->recent);
    l->recent_at = (l->recent_at + 1) % PLOG_RECENT;
    l->recent[l->recent_at] =
        (struct plog_recent){l->end, batch_last_offset(batch), pos, pos + (int64_t)n, s};
    int64_t end = batch_last_offset(batch) + 1;
    invariant(end > l->end);
    l->end = end;
    return E_OK;
}

enum err plog_append_abort(struct plog *l, const struct topic_config *c, const void *batch,
                           size_t n, const struct txn_aborted *t, struct error *e)
{
    invariant(batch_base_offset(batch) == t->last_offset);
    struct error own = {0};
    struct segment *s = plog_active(l);
    e = e ? e : &own;
    e->sys = 0;
    enum err err = txn_index_load(&s->aborted, s->stem, e);
    if (!err)
        err = txn_index_reserve(&s->aborted, s->stem, t, e);
    if (!err)
        err = plog_append(l, c, batch, n, e);
    if (!err)
        txn_index_add_reserved(&s->aborted, t);
    else if (s->aborted.known && txn_index_unreserve(&s->aborted, s->stem, NULL) != E_OK)
        l->failed = true; /* the next start builds the list anew */
    l->dir_dirty = true;
    return err;
}

/* --- durability ------------------------------------------------------------------------------- */

void plog_dirty_take(struct plog *l, struct plog_dirty *out)
{
    *out = (struct plog_dirty){.end = l->end};
    if (l->dir_dirty)
        out->dir = xstrdup(l->dir);
    l->dir_dirty = false;
    if (l->recovery_point >= l->end)
        return;
    size_t first = plog_segment_of(l, l->recovery_point);
    out->segments = xcalloc(l->count - first, sizeof *out->segments);
    for (size_t i = first; i < l->count; i++) {
        if (l->segments[i]->size == 0)
            continue;
        invariant(l->segments[i]->open); /* 6 */
        out->sealed += i + 1 < l->count;
        out->segments[out->count++] = segment_ref(l->segments[i]);
    }
}

enum err plog_dirty_sync(struct plog_dirty *d, struct error *e)
{
    enum err err = E_OK;
    for (size_t i = 0; i < d->count; i++) {
        if (!err)
            err = fs_datasync(&d->segments[i]->log, e);
        if (!err && i < d->sealed)
            err = segment_sync_index(d->segments[i], e);
        if (!err)
            err = txn_index_sync(d->segments[i]->stem, e);
    }
    if (!err && d->dir)
        err = fs_sync_dir(d->dir, e);
    plog_dirty_release(d);
    return err;
}

void plog_dirty_release(struct plog_dirty *d)
{
    for (size_t i = 0; i < d->count; i++)
        segment_unref(d->segments[i]);
    mem_free(d->segments);
    mem_free(d->dir);
    *d = (struct plog_dirty){.end = d->end};
}

void plog_park(struct plog *l, bool active_too)
{
    for (size_t i = 0; i + 1 < l->count; i++)
        if (l->segments[i + 1]->base <= l->recovery_point)
            segment_park(l->segments[i], true);
    if (active_too && l->end <= l->recovery_point)
        segment_park(plog_active(l), false);
}

/* --- removing --------------------------------------------------------------------------------- */

void plog_remove_files(struct segment *s)
{
    for (size_t i = 0; i < ARRAY_LEN(segment_suffixes); i++) {
        struct error e;
        char *path = segment_path(s, segment_suffixes[i]);
        if (fs_unlink(path, &e) != E_OK)
            LOG_ERR(LOG_BROKER_LOG, LOG_L_WARN, &e, "a deleted segment stays on disk");
        mem_free(path);
    }
}

void plog_discard_files(const struct segment *s, struct trash *trash, int64_t delay_ms)
{
    for (size_t i = 0; i < ARRAY_LEN(segment_suffixes); i++) {
        struct error e;
        char *path = segment_path(s, segment_suffixes[i]);
        char *gone = xasprintf("%s" PLOG_DELETED, path);
        enum err err = fs_move(path, gone, &e);
        if (err == E_OK) {
            trash_add_take(trash, gone, delay_ms);
            gone = NULL;
        } else if (err != E_NOT_FOUND) {
            LOG_ERR(LOG_BROKER_LOG, LOG_L_WARN, &e, "a deleted segment stays on disk");
        }
        mem_free(gone);
        mem_free(path);
    }
}

/* What points into segments that are gone. */
static void forget_recent(struct plog *l, int64_t below)
{
    for (unsigned i = 0; l->recent && i < PLOG_RECENT; i++)
        if (l->recent[i].segment && l->recent[i].base_offset < below)
            l->recent[i].segment = NULL;
}

void plog_set_start(struct plog *l, int64_t offset, struct segment ***gone, size_t *count)
{
    invariant(offset >= l->start && offset <= l->end);
    l->start = offset;
    trim_epochs(l);
    *gone = NULL;
    *count = 0;
    while (*count + 1 < l->count && l->segments[*count + 1]->base <= offset)
        ++*count;
    if (!*count)
        return;
    *gone = xcalloc(*count, sizeof **gone);
    memcpy(*gone, l->segments, *count * sizeof **gone);
    l->count -= *count;
    memmove(l->segments, l->segments + *count, l->count * sizeof *l->segments);
    forget_recent(l, l->segments[0]->base);
    l->recovery_point = MAX(l->recovery_point, l->segments[0]->base);
}

/* --- snapshots -------------------------------------------------------------------------------- */

char *plog_snapshot_path(const struct plog *l, int64_t offset)
{
    char name[64];
    segment_file_name(offset, ".snapshot", name);
    return path_in(l, name);
}

struct snapshots {
    const struct plog *log;
    int64_t limit, newest, keep; /* keep: besides those at the bases of segments; -1: all */
};

/* Kafka keeps one for each segment. */
static bool is_kept(const struct snapshots *s, int64_t offset)
{
    const struct plog *l = s->log;
    if (offset > l->end) /* of a log that was cut: it must never meet a longer one */
        return false;
    return s->keep < 0 || offset == s->keep ||
           (l->count && l->segments[plog_segment_of(l, offset)]->base == offset);
}

static bool see_snapshot(const char *name, void *arg)
{
    struct snapshots *s = arg;
    struct slice n = slice_cstr(name);
    int64_t offset;
    if (n.n != 29 || !slice_ends(n, SL(".snapshot")) ||
        slice_to_i64(slice_sub(n, 0, 20), &offset) != E_OK)
        return true;
    if (offset <= MIN(s->limit, s->log->end))
        s->newest = MAX(s->newest, offset);
    if (!is_kept(s, offset)) {
        char *path = plog_snapshot_path(s->log, offset);
        enum err err = fs_unlink(path, NULL);
        (void)err; /* a snapshot too many does no harm */
        mem_free(path);
    }
    return true;
}

int64_t plog_newest_snapshot(const struct plog *l, int64_t limit)
{
    struct snapshots s = {l, limit, -1, -1};
    return fs_list(l->dir, see_snapshot, &s, NULL) == E_OK ? s.newest : -1;
}

void plog_tidy_snapshots(const struct plog *l, int64_t keep)
{
    struct snapshots s = {l, l->end, -1, keep};
    enum err err = fs_list(l->dir, see_snapshot, &s, NULL);
    (void)err;
}
