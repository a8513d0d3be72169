/* broker/log/txn_index.c - see txn_index.h.
 *
 * Why a search may stop early: an entry remembers the last stable offset at the time of its marker.
 * Transactions that end after that marker began at or above that offset; when it is not below `to`,
 * no later entry can have an offset below `to`. */
#include "broker/log/txn_index.h"

#include "base/bytes.h"
#include "base/fs.h"
#include "base/mem.h"

#define ENTRY 34
#define VERSION 0
#define FILE_MAX ((size_t)256 << 20)

static char *path_of(const char *stem)
{
    return xasprintf("%s.txnindex", stem);
}

void txn_index_init(struct txn_index *x, bool known)
{
    *x = (struct txn_index){.known = known};
}

void txn_index_release(struct txn_index *x)
{
    mem_free(x->v);
    txn_index_init(x, false);
}

static enum err make_room(struct txn_index *x)
{
    if (x->count < x->cap)
        return E_OK;
    size_t cap = x->cap ? x->cap * 2 : 4;
    struct txn_aborted *v = try_realloc(x->v, cap * sizeof *v);
    if (!v)
        return E_NOMEM;
    x->v = v;
    x->cap = cap;
    return E_OK;
}

enum err txn_index_add(struct txn_index *x, const struct txn_aborted *t)
{
    enum err err = make_room(x);
    if (!err)
        txn_index_add_reserved(x, t);
    return err;
}

void txn_index_add_reserved(struct txn_index *x, const struct txn_aborted *t)
{
    invariant(x->count < x->cap);
    invariant(!x->count || x->v[x->count - 1].last_offset < t->last_offset);
    x->v[x->count++] = *t;
}

void txn_index_cut(struct txn_index *x, int64_t offset)
{
    while (x->count && x->v[x->count - 1].last_offset >= offset)
        x->count--;
}

/* --- file ------------------------------------------------------------------------------------- */

static bool is_possible(const struct txn_index *x, const struct txn_aborted *t)
{
    return t->producer_id >= 0 && t->first_offset >= 0 && t->first_offset < t->last_offset &&
           (!x->count || x->v[x->count - 1].last_offset < t->last_offset);
}

enum err txn_index_load(struct txn_index *x, const char *stem, struct error *e)
{
    if (x->known)
        return E_OK;
    struct strbuf b = STRBUF_INIT;
    char *path = path_of(stem);
    enum err err = fs_exists(path) ? fs_read_all(path, FILE_MAX, &b, e) : E_OK;
    struct reader r = reader_of(b.p, b.n);
    txn_index_init(x, true);
    while (!err && reader_left(&r) >= ENTRY) {
        uint16_t version = read_be16(&r);
        struct txn_aborted t;
        t.producer_id = (int64_t)read_be64(&r);
        t.first_offset = (int64_t)read_be64(&r);
        t.last_offset = (int64_t)read_be64(&r);
        t.stable_offset = (int64_t)read_be64(&r);
        if (version != VERSION || !is_possible(x, &t))
            err = error_set(e, E_CORRUPT, "%s: entry %zu is damaged", path, x->count);
        else if (txn_index_add(x, &t) != E_OK)
            err = error_set(e, E_NOMEM, "%s: no memory for its entries", path);
    }
    if (err)
        txn_index_release(x);
    mem_free(path);
    strbuf_release(&b);
    return err;
}

static void put(uint8_t out[ENTRY], const struct txn_aborted *t)
{
    store_be16(out, VERSION);
    store_be64(out + 2, (uint64_t)t->producer_id);
    store_be64(out + 10, (uint64_t)t->first_offset);
    store_be64(out + 18, (uint64_t)t->last_offset);
    store_be64(out + 26, (uint64_t)t->stable_offset);
}

enum err txn_index_reserve(struct txn_index *x, const char *stem, const struct txn_aborted *t,
                           struct error *e)
{
    uint8_t bytes[ENTRY];
    struct fs_file f;
    invariant(x->known);
    if (make_room(x) != E_OK)
        return error_set(e, E_NOMEM, "%s.txnindex: no memory for an entry", stem);
    put(bytes, t);
    char *path = path_of(stem);
    enum err err = fs_open(&f, path, FS_WRITE | FS_CREATE, e);
    if (!err) {
        err = fs_pwrite(&f, bytes, sizeof bytes, (int64_t)x->count * ENTRY, e);
        fs_close(&f);
    }
    mem_free(path);
    return err;
}

enum err txn_index_unreserve(const struct txn_index *x, const char *stem, struct error *e)
{
    struct fs_file f;
    char *path = path_of(stem);
    enum err err = fs_exists(path) ? fs_open(&f, path, FS_WRITE, e) : E_NOT_FOUND;
    if (!err) {
        err = fs_truncate(&f, (int64_t)x->count * ENTRY, e);
        fs_close(&f);
    }
    mem_free(path);
    return err == E_NOT_FOUND ? E_OK : err;
}

enum err txn_index_save(const struct txn_index *x, const char *stem, struct error *e)
{
    char *path = path_of(stem);
    enum err err = txn_index_save_as(x, path, e);
    mem_free(path);
    return err;
}

enum err txn_index_save_as(const struct txn_index *x, const char *path, struct error *e)
{
    struct strbuf b = STRBUF_INIT;
    struct fs_file f;
    uint8_t bytes[ENTRY];
    enum err err = E_OK;
    invariant(x->known);
    for (size_t i = 0; i < x->count; i++) {
        put(bytes, &x->v[i]);
        strbuf_add(&b, bytes, sizeof bytes);
    }
    if (strbuf_err(&b))
        err = error_set(e, strbuf_err(&b), "%s", path);
    else if (!x->count)
        err = fs_exists(path) ? fs_unlink(path, e) : E_OK;
    else
        err = fs_open(&f, path, FS_WRITE | FS_CREATE | FS_TRUNC, e);
    if (!err && x->count) {
        err = fs_pwrite(&f, b.p, b.n, 0, e);
        fs_close(&f);
    }
    strbuf_release(&b);
    return err;
}

enum err txn_index_sync(const char *stem, struct error *e)
{
    struct fs_file f;
    char *path = path_of(stem);
    enum err err = E_OK;
    if (fs_exists(path)) {
        err = fs_open(&f, path, FS_READ, e);
        if (!err) {
            err = fs_datasync(&f, e);
            fs_close(&f);
        }
    }
    mem_free(path);
    return err;
}

/* --- listing ---------------------------------------------------------------------------------- */

static enum err list_add(struct txn_list *l, const struct txn_aborted *t)
{
    if (l->count == l->cap) {
        size_t cap = l->cap ? l->cap * 2 : 16;
        struct txn_aborted *v = arena_try_alloc(l->arena, cap * sizeof *v);
        if (!v)
            return E_NOMEM;
        if (l->count)
            memcpy(v, l->v, l->count * sizeof *v);
        l->v = v;
        l->cap = cap;
    }
    l->v[l->count++] = *t;
    return E_OK;
}

/* The first entry whose marker is at or above the offset. */
static size_t first_at(const struct txn_index *x, int64_t offset)
{
    size_t low = 0, high = x->count;
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (x->v[mid].last_offset < offset)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

enum err txn_index_collect(const struct txn_index *x, int64_t from, int64_t to,
                           struct txn_list *out, bool *complete)
{
    invariant(x->known);
    *complete = false;
    for (size_t i = first_at(x, from); i < x->count && !*complete; i++) {
        if (x->v[i].first_offset < to && list_add(out, &x->v[i]) != E_OK)
            return E_NOMEM;
        *complete = x->v[i].stable_offset >= to;
    }
    return E_OK;
}
