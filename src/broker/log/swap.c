/* broker/log/swap.c - see swap.h.
 *
 * Invariants:
 *  1. A .swap file was written whole and synced before it got that name, and the directory was
 *     synced before an old segment is renamed.
 *  2. The names of a log's files change under the partition's lock alone, together with its list:
 *     a segment that is opened later finds its file.
 *  3. The old files are renamed, not overwritten: readers that hold one go on, and a rename that
 *     fails can be undone. */
#include "broker/log/swap.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"

struct segment *swap_segment_new(const char *dir, int64_t base)
{
    struct segment *s = segment_new(dir, base);
    s->tail = SWAP_CLEANED;
    return s;
}

void swap_abandon(struct segment *made)
{
    plog_remove_files(made);
    segment_unref(made);
}

/* --- names ------------------------------------------------------------------------------------ */

static char *named(const struct segment *s, const char *suffix, const char *tail)
{
    return xasprintf("%s%s%s", s->stem, suffix, tail);
}

/* Renames the files of a segment from one tail to another; those that are not there are left out,
 * but for the log itself. */
static enum err move_files(const struct segment *s, const char *from, const char *to,
                           struct error *e)
{
    enum err err = E_OK;
    for (size_t i = ARRAY_LEN(segment_suffixes); !err && i-- > 0;) { /* the log last */
        char *a = named(s, segment_suffixes[i], from), *b = named(s, segment_suffixes[i], to);
        err = fs_move(a, b, e);
        if (err == E_NOT_FOUND && i > 0)
            err = E_OK; /* an index is built anew when it is needed */
        mem_free(a);
        mem_free(b);
    }
    return err;
}

static void move_back(const struct segment *s, const char *from, const char *to)
{
    if (move_files(s, from, to, NULL) != E_OK)
        LOG_WARN(LOG_BROKER_LOG, "%s.log%s could not be renamed back", s->stem, from);
}

/* When the new log could not take the place of the old ones, the indexes before it have: they would
 * be taken for those of the old log. */
static void remove_indexes(const struct segment *made)
{
    for (size_t i = 1; i < ARRAY_LEN(segment_suffixes); i++) {
        struct error e;
        char *path = named(made, segment_suffixes[i], "");
        if (fs_unlink(path, &e) != E_OK)
            LOG_ERR(LOG_BROKER_LOG, LOG_L_WARN, &e, "an index of a failed compaction stays");
        mem_free(path);
    }
}

/* --- the swap --------------------------------------------------------------------------------- */

static enum err sync_files(const struct segment *made, struct error *e)
{
    enum err err = E_OK;
    for (size_t i = 0; !err && i < ARRAY_LEN(segment_suffixes); i++) {
        struct fs_file f;
        char *path = segment_path(made, segment_suffixes[i]);
        if (i == 0 || fs_exists(path)) {
            err = fs_open(&f, path, FS_READ, e);
            if (!err) {
                err = fs_datasync(&f, e);
                fs_close(&f);
            }
        }
        mem_free(path);
    }
    return err;
}

enum err swap_ready(struct segment *made, struct error *e)
{
    char *dir = xstrndup(made->stem, (size_t)(strrchr(made->stem, '/') - made->stem));
    enum err err = segment_seal(made, e);
    if (!err)
        err = sync_files(made, e);
    if (!err)
        err = move_files(made, SWAP_CLEANED, SWAP_READY, e);
    made->tail = err ? SWAP_CLEANED : SWAP_READY;
    if (!err)
        err = fs_sync_dir(dir, e);
    segment_park(made, true); /* its file has another name now */
    mem_free(dir);
    return err;
}

static size_t position_of(const struct plog *l, struct segment *const *old, size_t count)
{
    size_t at = plog_segment_of(l, old[0]->base);
    for (size_t i = 0; i < count; i++)
        if (at + i + 1 >= l->count || l->segments[at + i] != old[i])
            return SIZE_MAX; /* gone, or the active one */
    return at;
}

static void forget_recent(struct plog *l, struct segment *const *old, size_t count)
{
    for (unsigned i = 0; l->recent && i < PLOG_RECENT; i++)
        for (size_t k = 0; k < count; k++)
            if (l->recent[i].segment == old[k])
                l->recent[i].segment = NULL;
}

static void put_in_list(struct plog *l, size_t at, size_t count, struct segment *made)
{
    l->segments[at] = made;
    memmove(l->segments + at + 1, l->segments + at + count,
            (l->count - at - count) * sizeof *l->segments);
    l->count -= count - 1;
}

/* Files that were put aside by the renaming above. */
static void trash_files(const struct segment *s, struct trash *trash, int64_t delay_ms)
{
    for (size_t i = 0; i < ARRAY_LEN(segment_suffixes); i++) {
        char *path = named(s, segment_suffixes[i], PLOG_DELETED);
        if (i == 0 || fs_exists(path))
            trash_add_take(trash, path, delay_ms);
        else
            mem_free(path);
    }
}

enum err swap_in(struct plog *l, struct segment *const *old, size_t count, struct segment *made,
                 struct trash *trash, int64_t delay_ms, struct error *e)
{
    size_t at = position_of(l, old, count), moved = 0;
    enum err err = E_OK;
    if (at == SIZE_MAX)
        return error_set(e, E_CONFLICT, "%s.log is not in the log any more", old[0]->stem);
    invariant(made->base == old[0]->base && made->size > 0);
    while (!err && moved < count)
        err = move_files(old[moved++], "", PLOG_DELETED, e);
    if (!err) {
        err = move_files(made, SWAP_READY, "", e);
        if (err)
            remove_indexes(made);
    }
    if (err) {
        while (moved-- > 0)
            move_back(old[moved], PLOG_DELETED, "");
        for (size_t i = 0; i < count; i++) {
            char *path = segment_path(old[i], ".log");
            l->failed |= !fs_exists(path); /* recovery at the next start puts it right */
            mem_free(path);
        }
        return err;
    }
    made->tail = "";
    forget_recent(l, old, count);
    put_in_list(l, at, count, made);
    for (size_t i = 0; i < count; i++)
        trash_files(old[i], trash, delay_ms);
    l->dir_dirty = true;
    return E_OK;
}

/* --- after a crash ---------------------------------------------------------------------------- */

bool swap_is_rest(struct slice name)
{
    return slice_ends(name, SL(PLOG_DELETED)) || slice_ends(name, SL(SWAP_CLEANED)) ||
           slice_ends(name, SL(SWAP_READY));
}

struct rest {
    const char *dir;
    int64_t *swaps; /* bases of NNN.log.swap */
    size_t swaps_count;
    int64_t from, to; /* segments to remove */
    enum err err;
    struct error *e;
};

static bool base_of(struct slice name, struct slice suffix, int64_t *base)
{
    return name.n == 20 + suffix.n && slice_ends(name, suffix) &&
           slice_to_i64(slice_sub(name, 0, 20), base) == E_OK && *base >= 0;
}

static bool see_swap(const char *name, void *arg)
{
    struct rest *r = arg;
    int64_t base;
    if (base_of(slice_cstr(name), SL(".log" SWAP_READY), &base)) {
        r->swaps = xrealloc(r->swaps, (r->swaps_count + 1) * sizeof *r->swaps);
        r->swaps[r->swaps_count++] = base;
    }
    return true;
}

static bool remove_covered(const char *name, void *arg)
{
    struct rest *r = arg;
    int64_t base;
    if (!base_of(slice_cstr(name), SL(".log"), &base) || base < r->from || base >= r->to)
        return true;
    struct segment *s = segment_new(r->dir, base);
    plog_remove_files(s);
    segment_unref(s);
    return true;
}

static bool remove_rest(const char *name, void *arg)
{
    struct rest *r = arg;
    if (!swap_is_rest(slice_cstr(name)))
        return true;
    char *path = xasprintf("%s/%s", r->dir, name);
    r->err = fs_unlink(path, r->e);
    mem_free(path);
    return r->err == E_OK;
}

/* One whole .swap file takes its place. One that is not whole (no crash leaves that; a disk may) is
 * left out when what it covers is still there. */
static enum err complete(struct rest *r, int64_t base)
{
    struct segment *s = segment_new(r->dir, base), *old = segment_new(r->dir, base);
    char *path = segment_path(old, ".log");
    s->tail = SWAP_READY;
    enum err err = segment_open(s, false, r->e);
    if (!err)
        err = fs_size(&s->log, &s->size, r->e);
    s->indexed = s->measured = false;
    bool whole = !err && s->size > 0 && segment_measure(s, NULL) == E_OK;
    if (!err && (whole || !fs_exists(path))) {
        r->from = base;
        r->to = whole ? s->end : base;
        err = fs_list(r->dir, remove_covered, r, r->e);
        if (!err)
            err = move_files(s, SWAP_READY, "", r->e);
        LOG_WARN(LOG_BROKER_LOG, "%s.log: completed a compaction that was cut short", s->stem);
    }
    segment_unref(s);
    segment_unref(old);
    mem_free(path);
    return err;
}

enum err swap_recover(const char *dir, struct error *e)
{
    struct rest r = {.dir = dir, .e = e};
    enum err err = fs_list(dir, see_swap, &r, e);
    for (size_t i = 0; !err && i < r.swaps_count; i++)
        err = complete(&r, r.swaps[i]);
    if (!err)
        err = fs_list(dir, remove_rest, &r, e);
    if (!err)
        err = r.err;
    if (!err)
        err = fs_sync_dir(dir, e);
    mem_free(r.swaps);
    return err;
}
