/* broker/log/plog_read.c - reading a log: which segment holds an offset, where a run of batches begins
 * and ends, which transactions in it were aborted. See plog.h. */
#include "broker/log/plog.h"

#include <stdlib.h>

#include "base/mem.h"

size_t plog_segment_of(const struct plog *l, int64_t offset)
{
    size_t low = 0, high = l->count;
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (l->segments[mid]->base <= offset)
            low = mid + 1;
        else
            high = mid;
    }
    return low ? low - 1 : 0;
}

/* The batch that holds offset, from what was appended lately. */
static const struct plog_recent *find_recent(const struct plog *l, int64_t offset)
{
    for (unsigned i = 0; l->recent && i < PLOG_RECENT; i++) {
        const struct plog_recent *r = &l->recent[(l->recent_at + PLOG_RECENT - i) % PLOG_RECENT];
        if (!r->segment || r->last_offset < offset)
            return NULL;
        if (r->base_offset <= offset)
            return r;
    }
    return NULL;
}

/* Where the batch that holds offset (or the first after it) starts and ends. */
struct place {
    struct segment *segment;
    int64_t pos, end_pos, next_offset;
};
static enum err locate(struct plog *l, int64_t offset, struct place *out, struct error *e)
{
    const struct plog_recent *r = find_recent(l, offset);
    if (r) {
        *out = (struct place){r->segment, r->pos, r->end_pos, r->last_offset + 1};
        return segment_open(r->segment, false, e);
    }
    for (size_t i = plog_segment_of(l, offset); i < l->count; i++) {
        struct segment_scan scan;
        struct batch_at at;
        struct segment *s = l->segments[i];
        if (s->size == 0)
            continue;
        if (!s->open)
            plog_park(l, false); /* one cold segment at a time */
        enum err err = segment_find(s, offset, &at, &scan, e);
        if (err == E_NOT_FOUND) /* a hole at the end of this segment: go on in the next */
            continue;
        if (!err)
            *out =
                (struct place){s, at.pos, at.pos + (int64_t)at.n, batch_last_offset(at.header) + 1};
        return err;
    }
    return E_NOT_FOUND;
}

/* Where a run that begins at `from` may end: the segment's end, or the batch that holds the limit.
 */
static enum err limit_of(struct plog *l, const struct place *from, int64_t limit_offset,
                         int64_t *pos, int64_t *offset, struct error *e)
{
    size_t i = plog_segment_of(l, from->segment->base);
    int64_t segment_end = i + 1 < l->count ? l->segments[i + 1]->base : l->end;
    *pos = from->segment->size;
    *offset = segment_end;
    if (limit_offset >= segment_end)
        return E_OK;
    struct place at;
    enum err err = locate(l, limit_offset, &at, e);
    if (err)
        return err == E_NOT_FOUND ? E_OK : err;
    if (at.segment == from->segment) {
        *pos = at.pos;
        *offset = limit_offset;
    }
    return E_OK;
}

enum err plog_read(struct plog *l, int64_t offset, int64_t limit_offset, size_t max_bytes,
                   bool at_least_one, struct plog_run *out, struct error *e)
{
    struct place at;
    int64_t limit_pos, end_offset, end;
    *out = (struct plog_run){.next_offset = offset};
    enum err err = offset < limit_offset ? locate(l, offset, &at, e) : E_NOT_FOUND;
    if (err)
        return err == E_NOT_FOUND ? E_OK : err;
    segment_ref(at.segment); /* looking for the limit may park segments */
    err = limit_of(l, &at, limit_offset, &limit_pos, &end_offset, e);
    int64_t want = at.pos + (int64_t)MIN(max_bytes, (size_t)INT32_MAX);
    if (!err && want >= limit_pos) {
        end = limit_pos;
    } else if (!err && want <= at.end_pos) {
        end = want == at.end_pos || at_least_one ? at.end_pos : at.pos;
        end_offset = at.next_offset;
    } else if (!err) {
        err = segment_boundary(at.segment, at.pos, want, &end, &end_offset, e);
    }
    if (err || end <= at.pos) {
        segment_unref(at.segment);
        return err;
    }
    *out = (struct plog_run){at.segment, at.pos, (size_t)(end - at.pos), end_offset};
    return E_OK;
}

enum err plog_available(struct plog *l, int64_t offset, int64_t limit_offset, int64_t *bytes,
                        struct error *e)
{
    struct place at;
    int64_t limit_pos, end_offset;
    *bytes = 0;
    enum err err = offset < limit_offset ? locate(l, offset, &at, e) : E_NOT_FOUND;
    if (!err)
        err = limit_of(l, &at, limit_offset, &limit_pos, &end_offset, e);
    if (err)
        return err == E_NOT_FOUND ? E_OK : err;
    *bytes = MAX(limit_pos - at.pos, 0);
    return E_OK;
}

static int by_first_offset(const void *a, const void *b)
{
    int64_t x = ((const struct txn_aborted *)a)->first_offset;
    int64_t y = ((const struct txn_aborted *)b)->first_offset;
    return (x > y) - (x < y);
}

enum err plog_aborted(struct plog *l, int64_t from, int64_t to, struct arena *a,
                      struct txn_aborted **out, size_t *count, struct error *e)
{
    struct txn_list list = {.arena = a};
    bool complete = false;
    enum err err = E_OK;
    for (size_t i = plog_segment_of(l, from); !err && !complete && i < l->count; i++) {
        struct segment *s = l->segments[i];
        err = txn_index_load(&s->aborted, s->stem, e);
        if (!err && txn_index_collect(&s->aborted, from, to, &list, &complete) != E_OK)
            err = error_set(e, E_NOMEM, "%s: no memory for its aborted transactions", l->dir);
    }
    if (!err && list.count)
        qsort(list.v, list.count, sizeof *list.v, by_first_offset);
    *out = list.v;
    *count = err ? 0 : list.count;
    return err;
}
