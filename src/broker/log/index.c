/* broker/log/index.c - see index.h. */
#include "broker/log/index.h"

#include "base/bytes.h"
#include "base/fs.h"
#include "base/mem.h"

#define OFFSET_ENTRY 8
#define TIME_ENTRY 12
#define INDEX_MAX ((size_t)64 << 20)

void seg_index_init(struct seg_index *x)
{
    memset(x, 0, sizeof *x);
}

void seg_index_release(struct seg_index *x)
{
    mem_free(x->offsets);
    mem_free(x->times);
    seg_index_init(x);
}

/* The array with room for one more element, or NULL when there is no memory. */
static void *with_room(void *items, size_t count, size_t *cap, size_t size)
{
    if (count < *cap)
        return items;
    size_t bigger = *cap ? *cap * 2 : 8;
    void *p = try_realloc(items, bigger * size);
    if (p)
        *cap = bigger;
    return p;
}

void seg_index_add(struct seg_index *x, int32_t rel, int32_t pos)
{
    if (x->offsets_count && x->offsets[x->offsets_count - 1].rel >= rel)
        return;
    struct offset_entry *items =
        with_room(x->offsets, x->offsets_count, &x->offsets_cap, sizeof *x->offsets);
    if (!items)
        return;
    x->offsets = items;
    x->offsets[x->offsets_count++] = (struct offset_entry){rel, pos};
}

void seg_index_add_time(struct seg_index *x, int64_t timestamp, int32_t rel)
{
    if (x->times_count && (x->times[x->times_count - 1].timestamp >= timestamp ||
                           x->times[x->times_count - 1].rel >= rel))
        return;
    struct time_entry *items = with_room(x->times, x->times_count, &x->times_cap, sizeof *x->times);
    if (!items)
        return;
    x->times = items;
    x->times[x->times_count++] = (struct time_entry){timestamp, rel};
}

int32_t seg_index_position(const struct seg_index *x, int32_t rel)
{
    size_t low = 0, high = x->offsets_count;
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (x->offsets[mid].rel <= rel)
            low = mid + 1;
        else
            high = mid;
    }
    return low ? x->offsets[low - 1].pos : 0;
}

int32_t seg_index_position_before(const struct seg_index *x, int32_t pos)
{
    size_t low = 0, high = x->offsets_count;
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (x->offsets[mid].pos <= pos)
            low = mid + 1;
        else
            high = mid;
    }
    return low ? x->offsets[low - 1].pos : 0;
}

int32_t seg_index_time(const struct seg_index *x, int64_t timestamp)
{
    int32_t rel = 0;
    for (size_t low = 0, high = x->times_count; low < high;) {
        size_t mid = (low + high) / 2;
        if (x->times[mid].timestamp < timestamp) {
            rel = x->times[mid].rel;
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return rel;
}

/* --- files ------------------------------------------------------------------------------------ */

static enum err write_file(const char *stem, const char *suffix, const char *tail,
                           const struct strbuf *b, struct error *e)
{
    struct fs_file f;
    char *path = xasprintf("%s%s%s", stem, suffix, tail);
    enum err err = strbuf_err(b);
    if (!err)
        err = fs_open(&f, path, FS_WRITE | FS_CREATE | FS_TRUNC, e);
    if (!err) {
        err = fs_pwrite(&f, b->p, b->n, 0, e);
        fs_close(&f);
    }
    mem_free(path);
    return err;
}

enum err seg_index_save(const struct seg_index *x, const char *stem, const char *tail,
                        struct error *e)
{
    struct strbuf b = STRBUF_INIT;
    for (size_t i = 0; i < x->offsets_count; i++) {
        strbuf_add_be32(&b, (uint32_t)x->offsets[i].rel);
        strbuf_add_be32(&b, (uint32_t)x->offsets[i].pos);
    }
    enum err err = write_file(stem, ".index", tail, &b, e);
    strbuf_reset(&b);
    for (size_t i = 0; i < x->times_count; i++) {
        strbuf_add_be64(&b, (uint64_t)x->times[i].timestamp);
        strbuf_add_be32(&b, (uint32_t)x->times[i].rel);
    }
    if (!err)
        err = write_file(stem, ".timeindex", tail, &b, e);
    strbuf_release(&b);
    return err;
}

static enum err read_file(const char *stem, const char *suffix, size_t entry, struct strbuf *b,
                          struct error *e)
{
    char *path = xasprintf("%s%s", stem, suffix);
    enum err err = fs_exists(path) ? fs_read_all(path, INDEX_MAX, b, e) : E_NOT_FOUND;
    mem_free(path);
    if (!err && b->n % entry != 0)
        err = E_CORRUPT;
    return err;
}

enum err seg_index_load(struct seg_index *x, const char *stem, int64_t log_size, struct error *e)
{
    struct strbuf b = STRBUF_INIT;
    seg_index_release(x);
    enum err err = read_file(stem, ".index", OFFSET_ENTRY, &b, e);
    struct reader r = reader_of(b.p, b.n);
    for (size_t i = 0; !err && i < b.n / OFFSET_ENTRY; i++) {
        int32_t rel = (int32_t)read_be32(&r), pos = (int32_t)read_be32(&r);
        size_t before = x->offsets_count;
        if (rel < 0 || pos < 0 || pos >= log_size)
            err = E_CORRUPT;
        else
            seg_index_add(x, rel, pos);
        if (!err && x->offsets_count == before)
            err = E_CORRUPT;
    }
    strbuf_reset(&b);
    if (!err)
        err = read_file(stem, ".timeindex", TIME_ENTRY, &b, e);
    r = reader_of(b.p, b.n);
    for (size_t i = 0; !err && i < b.n / TIME_ENTRY; i++) {
        int64_t timestamp = (int64_t)read_be64(&r);
        int32_t rel = (int32_t)read_be32(&r);
        size_t before = x->times_count;
        if (rel >= 0 && timestamp >= 0)
            seg_index_add_time(x, timestamp, rel);
        if (x->times_count == before)
            err = E_CORRUPT;
    }
    strbuf_release(&b);
    if (err)
        seg_index_release(x);
    return err;
}
