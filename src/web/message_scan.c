/* web/message_scan.c - see message_scan.h.
 *
 * Memory: a round keeps at most max_bytes of texts (or one record). When a window holds more, the
 * first partition of the round tries again with half of it; the others wait for the next round,
 * which then starts with them. */
#include "web/message_scan.h"

#include "base/base.h"
#include "base/mem.h"

void scan_init(struct scan *s, const struct scan_ops *ops, bool backward, struct scan_part *parts,
               size_t count, int64_t window, size_t max_bytes)
{
    *s = (struct scan){.ops = ops,
                       .backward = backward,
                       .parts = parts,
                       .count = count,
                       .window = MAX(window, 1),
                       .max_bytes = max_bytes};
    for (size_t i = 0; i < count; i++)
        parts[i].at = backward ? parts[i].end : parts[i].begin;
    arena_init(&s->arena, 0, ARENA_NO_BUDGET);
}

void scan_release(struct scan *s)
{
    arena_release(&s->arena);
    mem_free(s->items);
    s->items = NULL;
    s->item_count = s->item_cap = 0;
}

bool scan_part_exhausted(const struct scan *s, size_t i)
{
    const struct scan_part *p = &s->parts[i];
    return s->backward ? p->at <= p->begin : p->at >= p->end;
}

bool scan_exhausted(const struct scan *s)
{
    for (size_t i = 0; i < s->count; i++)
        if (!scan_part_exhausted(s, i))
            return false;
    return true;
}

/* --- one window ------------------------------------------------------------------------------ */

static bool visit(void *arg, const struct batch_record *r, bool log_append_time)
{
    struct scan *s = arg;
    struct slice text =
        s->ops->keep(s->ops->arg, s->parts[s->part].partition, r, log_append_time, &s->arena);
    s->records++;
    if (!text.p)
        return true;
    if (s->item_count > 0 && s->bytes + text.n > s->max_bytes) {
        s->overflow = true;
        return false;
    }
    if (s->item_count == s->item_cap) {
        s->item_cap = s->item_cap ? 2 * s->item_cap : 64;
        s->items = xrealloc(s->items, s->item_cap * sizeof *s->items);
    }
    s->items[s->item_count++] = (struct scan_item){s->part, r->offset, r->timestamp, text};
    s->bytes += text.n;
    return true;
}

/* Reads `window` offsets of the partition and moves its position. E_TOO_LARGE: they did not fit. */
static enum err read_window(struct scan *s, size_t i, int64_t window, struct error *e)
{
    struct scan_part *p = &s->parts[i];
    int64_t from = s->backward ? MAX(p->begin, p->at - window) : p->at;
    int64_t to = s->backward ? p->at : MIN(p->end, p->at + window);
    s->part = i;
    s->overflow = false;
    enum err err = s->ops->read(s->ops->arg, i, from, to, visit, s, e);
    if (s->overflow)
        return E_TOO_LARGE;
    if (!err)
        p->at = s->backward ? from : to;
    return err;
}

/* --- order ----------------------------------------------------------------------------------- */

struct run { /* items of one partition that are not merged yet, in the order to show */
    size_t at, end;
};

static struct scan_item *head(struct scan *s, const struct run *run)
{
    /* Items were read in rising order; backward the last one is shown first. */
    return s->backward ? &s->items[run->end - 1] : &s->items[run->at];
}

static bool goes_first(const struct scan *s, const struct scan_item *x, const struct scan_item *y)
{
    if (x->timestamp != y->timestamp)
        return s->backward ? x->timestamp > y->timestamp : x->timestamp < y->timestamp;
    return s->parts[x->part].partition < s->parts[y->part].partition;
}

/* By time, but never against the offsets within a partition. */
static void merge(struct scan *s)
{
    struct run *runs = xcalloc(s->count + 1, sizeof *runs);
    struct scan_item *out = xmalloc((s->item_count + 1) * sizeof *out);
    size_t n = 0;
    for (size_t i = 0; i < s->item_count; i++) {
        if (n == 0 || s->items[runs[n - 1].at].part != s->items[i].part)
            runs[n++].at = i;
        runs[n - 1].end = i + 1;
    }
    for (size_t k = 0; k < s->item_count; k++) {
        struct run *best = NULL;
        for (size_t i = 0; i < n; i++)
            if (runs[i].at < runs[i].end &&
                (!best || goes_first(s, head(s, &runs[i]), head(s, best))))
                best = &runs[i];
        out[k] = *head(s, best);
        if (s->backward)
            best->end--;
        else
            best->at++;
    }
    mem_free(s->items);
    s->items = out;
    s->item_cap = s->item_count + 1;
    mem_free(runs);
}

enum err scan_round(struct scan *s, struct error *e)
{
    s->item_count = 0;
    s->bytes = 0;
    arena_reset(&s->arena);
    size_t start = s->first;
    int64_t window = s->window;
    for (size_t k = 0; k < s->count; k++) {
        size_t i = (start + k) % s->count, before = s->item_count, bytes = s->bytes;
        if (scan_part_exhausted(s, i))
            continue;
        enum err err = read_window(s, i, window, e);
        while (err == E_TOO_LARGE && before == 0 && window > 1) {
            window /= 2;
            s->item_count = s->bytes = 0;
            arena_reset(&s->arena);
            err = read_window(s, i, window, e);
        }
        if (err == E_TOO_LARGE) {
            s->item_count = before;
            s->bytes = bytes;
            s->first = i;
            break;
        }
        if (err)
            return err;
        s->first = 0;
    }
    merge(s);
    return E_OK;
}

void scan_unread(struct scan *s, size_t shown)
{
    for (size_t i = shown; i < s->item_count; i++) {
        struct scan_part *p = &s->parts[s->items[i].part];
        if (s->backward)
            p->at = MAX(p->at, s->items[i].offset + 1);
        else
            p->at = MIN(p->at, s->items[i].offset);
    }
    s->item_count = MIN(s->item_count, shown);
}
