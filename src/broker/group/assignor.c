/* broker/group/assignor.c - see assignor.h.
 *
 * uniform and simple work on an owner table: for each topic one slot a partition. Invariants of
 * their results: 1. a partition goes to a subscribed member only; 2. uniform and range give no
 * partition twice, and give every partition somebody is subscribed to. Thread: any. */
#include "broker/group/assignor.h"

#include "base/base.h"

#include <stdlib.h>

#define NOBODY (-1)

void assign_list_add(struct assign_list *l, struct arena *a, int32_t topic, int32_t partition)
{
    if (l->n == l->cap) {
        size_t cap = l->cap ? l->cap * 2 : 8;
        struct assign_tp *v = arena_alloc(a, cap * sizeof *v);
        if (l->n)
            memcpy(v, l->v, l->n * sizeof *v);
        l->v = v;
        l->cap = cap;
    }
    l->v[l->n++] = (struct assign_tp){topic, partition};
}

static int by_topic(const void *a, const void *b)
{
    const struct assign_tp *x = a, *y = b;
    if (x->topic != y->topic)
        return x->topic < y->topic ? -1 : 1;
    return (x->partition > y->partition) - (x->partition < y->partition);
}

void assign_list_sort(struct assign_list *l)
{
    if (l->n > 1)
        qsort(l->v, l->n, sizeof *l->v, by_topic);
}

static bool subscribes(const struct assign_member *m, int32_t topic)
{
    size_t lo = 0, hi = m->topic_count;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (m->topics[mid] < topic)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < m->topic_count && m->topics[lo] == topic;
}

/* May the member keep this one? */
static bool is_valid(const struct assign_input *in, const struct assign_member *m,
                     const struct assign_tp *tp)
{
    return tp->topic >= 0 && (size_t)tp->topic < in->topic_count && tp->partition >= 0 &&
           tp->partition < in->partitions[tp->topic] && subscribes(m, tp->topic);
}

/* --- uniform ---------------------------------------------------------------------------------- */

struct uniform {
    struct assign_input *in;
    int32_t **owner; /* [topic][partition] -> member, or NOBODY */
    size_t *load;    /* partitions of each member */
};

static void uniform_init(struct uniform *u, struct assign_input *in)
{
    u->in = in;
    u->owner = arena_calloc(in->a, in->topic_count + 1, sizeof *u->owner);
    u->load = arena_calloc(in->a, in->member_count + 1, sizeof *u->load);
    for (size_t t = 0; t < in->topic_count; t++) {
        int32_t n = MAX(in->partitions[t], 0);
        u->owner[t] = arena_alloc(in->a, ((size_t)n + 1) * sizeof **u->owner);
        for (int32_t p = 0; p < n; p++)
            u->owner[t][p] = NOBODY;
    }
}

static void give(struct uniform *u, int32_t topic, int32_t partition, size_t member)
{
    u->owner[topic][partition] = (int32_t)member;
    u->load[member]++;
}

static bool same_subscriptions(const struct assign_input *in)
{
    for (size_t i = 1; i < in->member_count; i++) {
        const struct assign_member *a = &in->members[0], *b = &in->members[i];
        if (a->topic_count != b->topic_count ||
            (a->topic_count && memcmp(a->topics, b->topics, a->topic_count * sizeof *a->topics)))
            return false;
    }
    return true;
}

/* Everybody keeps what he has, up to his share. */
static void keep_shares(struct uniform *u, size_t share, size_t extras)
{
    struct assign_input *in = u->in;
    for (size_t i = 0; i < in->member_count; i++) {
        struct assign_member *m = &in->members[i];
        size_t valid = 0, quota = share;
        for (size_t k = 0; k < m->owned.n; k++)
            valid += is_valid(in, m, &m->owned.v[k]) &&
                     u->owner[m->owned.v[k].topic][m->owned.v[k].partition] == NOBODY;
        if (valid > share && extras) {
            quota++;
            extras--;
        }
        for (size_t k = 0; k < m->owned.n && u->load[i] < quota; k++) {
            const struct assign_tp *tp = &m->owned.v[k];
            if (is_valid(in, m, tp) && u->owner[tp->topic][tp->partition] == NOBODY)
                give(u, tp->topic, tp->partition, i);
        }
    }
}

static void uniform_equal(struct uniform *u)
{
    struct assign_input *in = u->in;
    const struct assign_member *any = &in->members[0];
    size_t total = 0;
    for (size_t k = 0; k < any->topic_count; k++)
        total += (size_t)MAX(in->partitions[any->topics[k]], 0);
    size_t share = total / in->member_count, extras = total % in->member_count;
    keep_shares(u, share, extras);
    for (size_t i = 0; i < in->member_count; i++)
        extras -= u->load[i] > share;
    size_t next = 0; /* member that is filled up */
    for (size_t k = 0; k < any->topic_count; k++) {
        int32_t t = any->topics[k];
        for (int32_t p = 0; p < in->partitions[t]; p++) {
            if (u->owner[t][p] != NOBODY)
                continue;
            while (next < in->member_count && u->load[next] >= share)
                next++;
            if (next < in->member_count) {
                give(u, t, p, next);
                continue;
            }
            /* all have their share: one more each, for as many as there are extras */
            size_t i = 0;
            while (u->load[i] > share)
                i++;
            invariant(extras > 0 && i < in->member_count);
            extras--;
            give(u, t, p, i);
        }
    }
}

static size_t least_loaded(const struct uniform *u, int32_t topic)
{
    size_t best = SIZE_MAX;
    for (size_t i = 0; i < u->in->member_count; i++) {
        if (subscribes(&u->in->members[i], topic) &&
            (best == SIZE_MAX || u->load[i] < u->load[best]))
            best = i;
    }
    return best;
}

/* Moves partitions from members with two or more above another that could have them. Each move
 * makes the sum of squares of the loads smaller, so it ends. */
static void balance(struct uniform *u)
{
    struct assign_input *in = u->in;
    for (bool moved = true; moved;) {
        moved = false;
        for (size_t t = 0; t < in->topic_count; t++) {
            size_t to = least_loaded(u, (int32_t)t);
            for (int32_t p = 0; to != SIZE_MAX && p < in->partitions[t]; p++) {
                size_t from = (size_t)u->owner[t][p];
                if (u->load[from] <= u->load[to] + 1)
                    continue;
                u->load[from]--;
                give(u, (int32_t)t, p, to);
                moved = true;
                to = least_loaded(u, (int32_t)t);
            }
        }
    }
}

static void uniform_unequal(struct uniform *u)
{
    struct assign_input *in = u->in;
    for (size_t i = 0; i < in->member_count; i++) {
        struct assign_member *m = &in->members[i];
        for (size_t k = 0; k < m->owned.n; k++) {
            const struct assign_tp *tp = &m->owned.v[k];
            if (is_valid(in, m, tp) && u->owner[tp->topic][tp->partition] == NOBODY)
                give(u, tp->topic, tp->partition, i);
        }
    }
    for (size_t t = 0; t < in->topic_count; t++) {
        for (int32_t p = 0; p < in->partitions[t]; p++) {
            if (u->owner[t][p] != NOBODY)
                continue;
            size_t to = least_loaded(u, (int32_t)t);
            if (to == SIZE_MAX)
                break; /* nobody subscribes */
            give(u, (int32_t)t, p, to);
        }
    }
    /* topics that nobody subscribes to have no owners to look at */
    int32_t *partitions = arena_calloc(in->a, in->topic_count + 1, sizeof *partitions);
    for (size_t t = 0; t < in->topic_count; t++)
        partitions[t] = least_loaded(u, (int32_t)t) == SIZE_MAX ? 0 : in->partitions[t];
    struct assign_input some = *in;
    some.partitions = partitions;
    u->in = &some;
    balance(u);
    u->in = in;
}

void assign_uniform(struct assign_input *in)
{
    struct uniform u;
    for (size_t i = 0; i < in->member_count; i++)
        in->members[i].target = (struct assign_list){0};
    if (in->member_count == 0)
        return;
    uniform_init(&u, in);
    if (same_subscriptions(in))
        uniform_equal(&u);
    else
        uniform_unequal(&u);
    for (size_t t = 0; t < in->topic_count; t++) {
        for (int32_t p = 0; p < in->partitions[t]; p++) {
            if (u.owner[t][p] != NOBODY)
                assign_list_add(&in->members[u.owner[t][p]].target, in->a, (int32_t)t, p);
        }
    }
}

/* --- range ------------------------------------------------------------------------------------ */

/* Static members first, by instance id; then the others, by id. */
static int by_rank(const void *a, const void *b)
{
    const struct assign_member *x = *(struct assign_member *const *)a;
    const struct assign_member *y = *(struct assign_member *const *)b;
    if (x->instance_id.p && y->instance_id.p)
        return slice_cmp(x->instance_id, y->instance_id);
    if (x->instance_id.p || y->instance_id.p)
        return x->instance_id.p ? -1 : 1;
    return slice_cmp(x->id, y->id);
}

void assign_range(struct assign_input *in)
{
    struct assign_member **ranked = arena_alloc(in->a, (in->member_count + 1) * sizeof *ranked);
    for (size_t i = 0; i < in->member_count; i++) {
        in->members[i].target = (struct assign_list){0};
        ranked[i] = &in->members[i];
    }
    if (in->member_count > 1)
        qsort(ranked, in->member_count, sizeof *ranked, by_rank);
    for (size_t t = 0; t < in->topic_count; t++) {
        size_t readers = 0;
        for (size_t i = 0; i < in->member_count; i++)
            readers += subscribes(ranked[i], (int32_t)t);
        if (readers == 0 || in->partitions[t] <= 0)
            continue;
        size_t share = (size_t)in->partitions[t] / readers;
        size_t extras = (size_t)in->partitions[t] % readers;
        int32_t p = 0;
        for (size_t i = 0; i < in->member_count; i++) {
            if (!subscribes(ranked[i], (int32_t)t))
                continue;
            size_t n = share + (extras > 0);
            extras -= extras > 0;
            while (n-- > 0)
                assign_list_add(&ranked[i]->target, in->a, (int32_t)t, p++);
        }
    }
}

/* --- simple ----------------------------------------------------------------------------------- */

/* Partitions of the topics a member reads are dealt to its readers in turn; where there are more
 * readers than partitions, the deal goes round again, so that nobody has nothing. */
void assign_simple(struct assign_input *in)
{
    for (size_t i = 0; i < in->member_count; i++)
        in->members[i].target = (struct assign_list){0};
    for (size_t t = 0; t < in->topic_count; t++) {
        size_t readers = 0, at = 0;
        size_t partitions = (size_t)MAX(in->partitions[t], 0);
        for (size_t i = 0; i < in->member_count; i++)
            readers += subscribes(&in->members[i], (int32_t)t);
        if (readers == 0 || partitions == 0)
            continue;
        for (size_t i = 0; i < in->member_count; i++) {
            if (!subscribes(&in->members[i], (int32_t)t))
                continue;
            if (readers >= partitions)
                assign_list_add(&in->members[i].target, in->a, (int32_t)t,
                                (int32_t)(at % partitions));
            else
                for (size_t p = at; p < partitions; p += readers)
                    assign_list_add(&in->members[i].target, in->a, (int32_t)t, (int32_t)p);
            at++;
        }
    }
    for (size_t i = 0; i < in->member_count; i++)
        assign_list_sort(&in->members[i].target);
}

assign_fn assignor_find(struct slice name)
{
    if (slice_eq(name, SL("uniform")))
        return assign_uniform;
    return slice_eq(name, SL("range")) ? assign_range : NULL;
}
