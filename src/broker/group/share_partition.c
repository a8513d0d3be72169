/* broker/group/share_partition.c - see share_partition.h.
 *
 * Invariants: 1. v[0].first == start, v[n-1].last == end - 1, v[i].last + 1 == v[i+1].first; n == 0
 * exactly when start == end. 2. v[0] is neither DONE nor GIVEN_UP (after tidy). 3. Neighbours
 * differ. end - start never exceeds max_locks but for records that were given up unseen. */
#include "broker/group/share_partition.h"

#include "base/base.h"
#include "base/bytes.h"
#include "base/mem.h"
#include "broker/proto/kerr.h"

#define FORMAT 1
#define RANGES_MAX 100000 /* of stored state */

void share_partition_init(struct share_partition *p, int64_t start, int32_t max_locks,
                          int32_t delivery_limit)
{
    *p = (struct share_partition){
        .start = start, .end = start, .max_locks = max_locks, .delivery_limit = delivery_limit};
}

void share_partition_release(struct share_partition *p)
{
    mem_free(p->v);
    p->v = NULL;
    p->n = p->cap = 0;
}

void share_partition_reset(struct share_partition *p, int64_t start)
{
    p->n = 0;
    p->start = p->end = start;
}

/* --- ranges ----------------------------------------------------------------------------------- */

static void insert(struct share_partition *p, size_t at, const struct share_range *r)
{
    if (p->n == p->cap) {
        p->cap = p->cap ? p->cap * 2 : 8;
        p->v = xrealloc(p->v, p->cap * sizeof *p->v);
    }
    memmove(&p->v[at + 1], &p->v[at], (p->n - at) * sizeof *p->v);
    p->v[at] = *r;
    p->n++;
}

/* Index of the range that begins at `offset`, cutting one in two if need be; n for the end. */
static size_t cut(struct share_partition *p, int64_t offset)
{
    size_t lo = 0, hi = p->n;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (p->v[mid].last < offset)
            lo = mid + 1;
        else
            hi = mid;
    }
    if (lo == p->n || p->v[lo].first >= offset)
        return lo;
    struct share_range right = p->v[lo];
    right.first = offset;
    p->v[lo].last = offset - 1;
    insert(p, lo + 1, &right);
    return lo + 1;
}

static bool same_fate(const struct share_range *a, const struct share_range *b)
{
    if (a->state != b->state)
        return false;
    if (a->state == SHARE_DONE || a->state == SHARE_GIVEN_UP)
        return true;
    return a->deliveries == b->deliveries &&
           (a->state == SHARE_AVAILABLE ||
            (a->deadline_ms == b->deadline_ms && strcmp(a->member, b->member) == 0));
}

/* Joins equal neighbours, and lets go of what is over at the front. */
static void tidy(struct share_partition *p)
{
    size_t k = 0;
    for (size_t i = 0; i < p->n; i++) {
        struct share_range *r = &p->v[i];
        bool over = r->state == SHARE_DONE || r->state == SHARE_GIVEN_UP;
        if (k == 0 && over) {
            p->start = r->last + 1;
        } else if (k && same_fate(&p->v[k - 1], r)) {
            p->v[k - 1].last = r->last;
        } else {
            p->v[k++] = *r;
        }
    }
    p->n = k;
}

/* Makes ranges up to `last`, of new records. */
static void extend(struct share_partition *p, int64_t last)
{
    if (last < p->end)
        return;
    struct share_range r = {.first = p->end, .last = last, .state = SHARE_AVAILABLE};
    insert(p, p->n, &r);
    p->end = last + 1;
}

static void set_free(struct share_partition *p, struct share_range *r)
{
    r->state = r->deliveries >= p->delivery_limit ? SHARE_GIVEN_UP : SHARE_AVAILABLE;
    r->member[0] = 0;
    r->deadline_ms = 0;
}

static bool is_held_by(const struct share_range *r, struct slice member)
{
    return r->state == SHARE_ACQUIRED && slice_eq(slice_cstr(r->member), member);
}

/* --- acquiring -------------------------------------------------------------------------------- */

int64_t share_next(const struct share_partition *p)
{
    for (size_t i = 0; i < p->n; i++) {
        if (p->v[i].state == SHARE_AVAILABLE)
            return p->v[i].first;
    }
    return p->end;
}

bool share_has_room(const struct share_partition *p)
{
    return share_next(p) < p->end || p->end - p->start < p->max_locks;
}

size_t share_acquire(struct share_partition *p, struct slice member, int64_t first, int64_t last,
                     int64_t max, int64_t deadline_ms, struct share_acquired *out, size_t out_max)
{
    size_t n = 0;
    first = MAX(first, p->start);
    last = MIN(last, MAX(p->end, p->start + p->max_locks) - 1);
    if (last < first || first > p->end || member.n > SHARE_MEMBER_MAX)
        return 0;
    extend(p, last);
    for (size_t i = cut(p, first); i < p->n && p->v[i].first <= last && max > 0 && n < out_max;
         i++) {
        if (p->v[i].state != SHARE_AVAILABLE)
            continue;
        int64_t until = MIN(p->v[i].last, MIN(last, p->v[i].first + max - 1));
        (void)cut(p, until + 1);
        struct share_range *r = &p->v[i];
        r->state = SHARE_ACQUIRED;
        r->deliveries++;
        r->deadline_ms = deadline_ms;
        memcpy(r->member, member.p, member.n);
        r->member[member.n] = 0;
        out[n++] = (struct share_acquired){r->first, r->last, r->deliveries};
        max -= r->last - r->first + 1;
    }
    tidy(p);
    return n;
}

void share_give_up(struct share_partition *p, int64_t first, int64_t last)
{
    first = MAX(first, p->start);
    if (last < first || first > p->end)
        return;
    extend(p, last);
    (void)cut(p, last + 1);
    for (size_t i = cut(p, first); i < p->n && p->v[i].first <= last; i++) {
        if (p->v[i].state == SHARE_AVAILABLE)
            p->v[i].state = SHARE_GIVEN_UP;
    }
    tidy(p);
}

/* --- acknowledging ---------------------------------------------------------------------------- */

static void settle(struct share_partition *p, struct share_range *r, int8_t type)
{
    if (type == SHARE_ACK_RELEASE)
        set_free(p, r);
    else
        r->state = type == SHARE_ACK_ACCEPT ? SHARE_DONE : SHARE_GIVEN_UP;
}

int16_t share_acknowledge(struct share_partition *p, struct slice member, int64_t first,
                          int64_t last, const int8_t *types, int32_t count)
{
    if (first < 0 || last < first || count < 1 || (count > 1 && count != last - first + 1))
        return KERR_INVALID_REQUEST;
    for (int32_t i = 0; i < count; i++) {
        if (types[i] < SHARE_ACK_GAP || types[i] > SHARE_ACK_REJECT)
            return KERR_INVALID_REQUEST;
    }
    if (first < p->start || last >= p->end)
        return KERR_INVALID_RECORD_STATE;
    (void)cut(p, last + 1);
    size_t from = cut(p, first);
    int16_t code = KERR_NONE;
    for (size_t i = from; i < p->n && p->v[i].first <= last; i++) {
        if (!is_held_by(&p->v[i], member))
            code = KERR_INVALID_RECORD_STATE;
    }
    for (int64_t at = first; code == KERR_NONE && at <= last;) {
        int8_t type = count == 1 ? types[0] : types[at - first];
        int64_t until = last;
        for (int64_t o = at + 1; count > 1 && o <= last; o++) { /* a run of the same type */
            if (types[o - first] != type) {
                until = o - 1;
                break;
            }
        }
        (void)cut(p, until + 1);
        for (size_t i = cut(p, at); i < p->n && p->v[i].first <= until; i++)
            settle(p, &p->v[i], type);
        at = until + 1;
    }
    tidy(p);
    return code;
}

bool share_release_member(struct share_partition *p, struct slice member)
{
    bool any = false;
    for (size_t i = 0; i < p->n; i++) {
        if (!is_held_by(&p->v[i], member))
            continue;
        set_free(p, &p->v[i]);
        any = true;
    }
    tidy(p);
    return any;
}

bool share_expire(struct share_partition *p, int64_t now)
{
    bool any = false;
    for (size_t i = 0; i < p->n; i++) {
        if (p->v[i].state != SHARE_ACQUIRED || p->v[i].deadline_ms > now)
            continue;
        set_free(p, &p->v[i]);
        any = true;
    }
    if (any)
        tidy(p);
    return any;
}

int64_t share_next_deadline(const struct share_partition *p)
{
    int64_t at = INT64_MAX;
    for (size_t i = 0; i < p->n; i++) {
        if (p->v[i].state == SHARE_ACQUIRED)
            at = MIN(at, p->v[i].deadline_ms);
    }
    return at;
}

void share_log_start(struct share_partition *p, int64_t log_start)
{
    if (log_start <= p->start)
        return;
    if (log_start >= p->end) {
        share_partition_reset(p, log_start);
        return;
    }
    size_t at = cut(p, log_start);
    memmove(p->v, &p->v[at], (p->n - at) * sizeof *p->v);
    p->n -= at;
    p->start = log_start;
    tidy(p);
}

bool share_log_end(struct share_partition *p, int64_t log_end)
{
    if (p->end <= log_end)
        return false;
    if (p->start >= log_end) {
        share_partition_reset(p, log_end);
        return true;
    }
    p->n = cut(p, log_end);
    p->end = log_end;
    return true;
}

/* --- stored form ------------------------------------------------------------------------------ */

void share_encode(const struct share_partition *p, struct strbuf *out)
{
    strbuf_addc(out, FORMAT);
    strbuf_add_be32(out, (uint32_t)p->n);
    for (size_t i = 0; i < p->n; i++) {
        const struct share_range *r = &p->v[i];
        strbuf_add_be64(out, (uint64_t)r->first);
        strbuf_add_be64(out, (uint64_t)r->last);
        strbuf_addc(out, (char)(r->state == SHARE_ACQUIRED ? SHARE_AVAILABLE : r->state));
        strbuf_add_be16(out, (uint16_t)r->deliveries);
    }
}

enum err share_decode(struct share_partition *p, struct slice bytes)
{
    struct reader r = reader_of(bytes.p, bytes.n);
    struct share_partition made = *p;
    made.v = NULL;
    made.n = made.cap = 0;
    uint8_t format = read_u8(&r);
    uint32_t n = read_be32(&r);
    bool good = r.err == E_OK && format == FORMAT && n <= RANGES_MAX;
    for (uint32_t i = 0; good && i < n; i++) {
        struct share_range x = {0};
        x.first = (int64_t)read_be64(&r);
        x.last = (int64_t)read_be64(&r);
        uint8_t state = read_u8(&r);
        x.deliveries = (int16_t)read_be16(&r);
        x.state = (enum share_fate)state;
        good = r.err == E_OK && x.first == made.end && x.last >= x.first && x.last < INT64_MAX &&
               state <= SHARE_GIVEN_UP && state != SHARE_ACQUIRED && x.deliveries >= 0;
        if (!good)
            break;
        insert(&made, made.n, &x);
        made.end = x.last + 1;
    }
    if (!good || reader_left(&r) != 0) {
        share_partition_release(&made);
        return E_CORRUPT;
    }
    for (size_t i = 0; i < made.n; i++) { /* the limit may have been lowered */
        if (made.v[i].state == SHARE_AVAILABLE)
            set_free(&made, &made.v[i]);
    }
    tidy(&made);
    share_partition_release(p);
    *p = made;
    return E_OK;
}
