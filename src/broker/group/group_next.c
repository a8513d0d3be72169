/* broker/group/group_next.c - members of a group whose assignments the broker makes, their sets of
 * partitions, and time. See group_next.h.
 *
 * Invariants: 1. owner[p] of a topic is m exactly when p is in m->assigned or m->pending (not in
 * share groups). 2. epoch never goes down; assignment_epoch <= epoch. 3. Every topic in a set is in
 * g->topics. Owner: the coordinator loop. */
#include "broker/group/group_next.h"

#include "base/base.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "broker/group/group_internal.h"
#include "broker/group/group_next_internal.h"

#include <stdlib.h>

#define TOPIC_MAX 249 /* longest legal name */

const char *next_state_name(enum next_state s)
{
    static const char *const names[] = {"Empty", "Assigning", "Reconciling", "Stable"};
    return names[s];
}

/* --- sets ------------------------------------------------------------------------------------- */

void next_set_add(struct next_set *s, struct next_topic *t, int32_t partition)
{
    if (s->n == s->cap) {
        s->cap = s->cap ? s->cap * 2 : 8;
        s->v = xrealloc(s->v, s->cap * sizeof *s->v);
    }
    s->v[s->n++] = (struct next_tp){t, partition};
}

static int compare(const struct uuid *a, int32_t ap, const struct uuid *b, int32_t bp)
{
    int c = a == b ? 0 : memcmp(a, b, sizeof *a);
    return c ? c : (ap > bp) - (ap < bp);
}

static int by_place(const void *a, const void *b)
{
    const struct next_tp *x = a, *y = b;
    return compare(&x->topic->id, x->partition, &y->topic->id, y->partition);
}

void next_set_sort(struct next_set *s)
{
    if (s->n > 1)
        qsort(s->v, s->n, sizeof *s->v, by_place);
}

bool next_set_has(const struct next_set *s, const struct uuid *topic, int32_t partition)
{
    size_t lo = 0, hi = s->n;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        int c = compare(&s->v[mid].topic->id, s->v[mid].partition, topic, partition);
        if (c == 0)
            return true;
        if (c < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return false;
}

bool next_set_equal(const struct next_set *a, const struct next_set *b)
{
    if (a->n != b->n)
        return false;
    for (size_t i = 0; i < a->n; i++) {
        if (a->v[i].topic != b->v[i].topic || a->v[i].partition != b->v[i].partition)
            return false;
    }
    return true;
}

void next_set_clear(struct next_set *s)
{
    s->n = 0;
}

void next_set_copy(struct next_set *to, const struct next_set *from)
{
    next_set_clear(to);
    for (size_t i = 0; i < from->n; i++)
        next_set_add(to, from->v[i].topic, from->v[i].partition);
}

void next_set_swap(struct next_set *a, struct next_set *b)
{
    struct next_set x = *a;
    *a = *b;
    *b = x;
}

void next_set_release(struct next_set *s)
{
    mem_free(s->v);
    *s = (struct next_set){0};
}

void next_own(const struct group_next *g, const struct next_set *s, struct next_member *m)
{
    for (size_t i = 0; !g->share && i < s->n; i++) {
        struct next_member **at = &s->v[i].topic->owner[s->v[i].partition];
        invariant(*at == NULL || *at == m);
        *at = m;
    }
}

void next_disown(const struct group_next *g, const struct next_set *s, struct next_member *m)
{
    for (size_t i = 0; !g->share && i < s->n; i++) {
        struct next_member **at = &s->v[i].topic->owner[s->v[i].partition];
        invariant(*at == m);
        *at = NULL;
    }
}

/* --- sets in answers -------------------------------------------------------------------------- */

/* The partition numbers of a set; what follows points into them. */
static int32_t *numbers_of(const struct next_set *s, struct arena *a)
{
    int32_t *numbers = arena_alloc(a, (s->n + 1) * sizeof *numbers);
    for (size_t i = 0; i < s->n; i++)
        numbers[i] = s->v[i].partition;
    return numbers;
}

static bool begins_topic(const struct next_set *s, size_t i)
{
    return i == 0 || s->v[i].topic != s->v[i - 1].topic;
}

void next_tell(const struct next_set *s, struct arena *a, struct assigned_set *out, bool *there)
{
    int32_t *numbers = numbers_of(s, a);
    struct assigned_partitions *row = NULL;
    *there = true;
    out->topic_partitions = assigned_partitions_array(a, (int32_t)s->n);
    out->topic_partitions_count = 0;
    for (size_t i = 0; i < s->n; i++) {
        if (begins_topic(s, i)) {
            row = &out->topic_partitions[out->topic_partitions_count++];
            row->topic_id = s->v[i].topic->id;
            row->partitions = &numbers[i];
            row->partitions_count = 0;
        }
        row->partitions_count++;
    }
}

void next_describe(const struct next_set *s, struct arena *a, struct described_set *out)
{
    int32_t *numbers = numbers_of(s, a);
    struct described_partitions *row = NULL;
    out->topic_partitions = described_partitions_array(a, (int32_t)s->n);
    out->topic_partitions_count = 0;
    for (size_t i = 0; i < s->n; i++) {
        if (begins_topic(s, i)) {
            row = &out->topic_partitions[out->topic_partitions_count++];
            row->topic_id = s->v[i].topic->id;
            row->topic_name = arena_dup(a, s->v[i].topic->name);
            row->partitions = &numbers[i];
            row->partitions_count = 0;
        }
        row->partitions_count++;
    }
}

/* --- life ------------------------------------------------------------------------------------- */

struct group_next *group_next_new(const char *id, bool share, int32_t epoch,
                                  const struct next_topics *view)
{
    struct group_next *g = xcalloc(1, sizeof *g);
    g->id = id;
    g->share = share;
    g->epoch = g->assignment_epoch = epoch;
    g->view = view;
    g->assignor = share ? SL("simple") : SL("uniform");
    g->seen_generation = -1;
    g->dirty = true;
    g->empty_since_ms = clock_wall_ms();
    list_init(&g->members);
    map_init(&g->by_id);
    map_init(&g->topics);
    return g;
}

static void free_names(struct next_member *m)
{
    for (size_t i = 0; i < m->name_count; i++)
        mem_free((char *)(uintptr_t)m->names[i].p);
    mem_free(m->names);
    m->names = NULL;
    m->name_count = 0;
}

static void member_free(struct next_member *m)
{
    free_names(m);
    topic_regex_free(m->regex);
    next_set_release(&m->assigned);
    next_set_release(&m->pending);
    next_set_release(&m->target);
    mem_free(m->id);
    mem_free(m->instance_id);
    mem_free(m->rack_id);
    mem_free(m->client_id);
    mem_free(m->client_host);
    mem_free(m->assignor);
    if (m->classic)
        group_member_free(m->classic);
    mem_free(m);
}

static void topic_free(void *arg)
{
    struct next_topic *t = arg;
    mem_free((char *)(uintptr_t)t->name.p);
    mem_free(t->owner);
    mem_free(t);
}

void group_next_free(struct group_next *g)
{
    struct link *k;
    if (!g)
        return;
    while ((k = list_pop_front(&g->members)))
        member_free(list_entry(k, struct next_member, link));
    map_release(&g->by_id, NULL);
    map_release(&g->topics, topic_free);
    mem_free(g);
}

/* --- members ---------------------------------------------------------------------------------- */

size_t group_next_members(const struct group_next *g)
{
    return g->members.count;
}

struct next_member *group_next_find(const struct group_next *g, struct slice id)
{
    return id.n ? map_get(&g->by_id, id) : NULL;
}

struct next_member *group_next_find_instance(const struct group_next *g, struct slice instance_id)
{
    list_each (&g->members, k) {
        struct next_member *m = list_entry(k, struct next_member, link);
        if (m->instance_id && slice_eq(slice_cstr(m->instance_id), instance_id))
            return m;
    }
    return NULL;
}

bool group_next_subscribes(const struct group_next *g, struct slice topic)
{
    list_each (&g->members, k) {
        const struct next_member *m = list_entry(k, struct next_member, link);
        for (size_t i = 0; i < m->name_count; i++) {
            if (slice_eq(m->names[i], topic))
                return true;
        }
        if (m->regex && topic_regex_matches(m->regex, topic))
            return true;
    }
    return false;
}

void next_bump(struct group_next *g)
{
    g->epoch = g->epoch == INT32_MAX ? g->epoch : g->epoch + 1;
    g->dirty = true;
}

struct next_member *next_member_add(struct group_next *g, struct slice id, struct slice instance_id)
{
    struct next_member *m = xcalloc(1, sizeof *m);
    m->id = slice_dup(id);
    m->instance_id = slice_dup(instance_id);
    m->client_id = xstrdup("");
    m->client_host = xstrdup("");
    m->previous_epoch = -1;
    m->session_deadline = m->revoke_deadline = INT64_MAX;
    map_put(&g->by_id, id, m);
    list_push_back(&g->members, &m->link);
    LOG_INFO(LOG_BROKER_GROUP, "group %s: member %s joins members=%zu", g->id, m->id,
             g->members.count);
    return m;
}

void next_member_rename(struct group_next *g, struct next_member *m, struct slice id)
{
    LOG_INFO(LOG_BROKER_GROUP, "group %s: static member %s goes on as " PRI_SL, g->id, m->id,
             ARG_SL(id));
    map_del(&g->by_id, slice_cstr(m->id));
    mem_free(m->id);
    m->id = slice_dup(id);
    map_put(&g->by_id, id, m);
}

void next_member_remove(struct group_next *g, struct next_member *m)
{
    next_disown(g, &m->assigned, m);
    next_disown(g, &m->pending, m);
    map_del(&g->by_id, slice_cstr(m->id));
    list_remove(&g->members, &m->link);
    if (g->removed)
        g->removed(g->removed_arg, slice_cstr(m->id));
    member_free(m);
    next_bump(g);
    if (g->members.count == 0) {
        g->empty_since_ms = clock_wall_ms();
        g->assignment_epoch = g->epoch;
        LOG_INFO(LOG_BROKER_GROUP, "group %s is empty now epoch=%d", g->id, g->epoch);
    }
}

static int by_text(const void *a, const void *b)
{
    return slice_cmp(*(const struct slice *)a, *(const struct slice *)b);
}

bool next_member_set_names(struct next_member *m, const struct slice *names, int32_t count)
{
    struct slice *sorted = xcalloc((size_t)MAX(count, 1), sizeof *sorted);
    size_t n = 0, k = 0;
    for (int32_t i = 0; i < count; i++) {
        if (names[i].n > 0 && names[i].n <= TOPIC_MAX)
            sorted[n++] = names[i];
    }
    if (n > 1)
        qsort(sorted, n, sizeof *sorted, by_text);
    for (size_t i = 0; i < n; i++) {
        if (k == 0 || !slice_eq(sorted[k - 1], sorted[i]))
            sorted[k++] = sorted[i];
    }
    bool same = k == m->name_count;
    for (size_t i = 0; same && i < k; i++)
        same = slice_eq(sorted[i], m->names[i]);
    if (same) {
        mem_free(sorted);
        return false;
    }
    free_names(m);
    for (size_t i = 0; i < k; i++)
        sorted[i] = slice_of(slice_dup(sorted[i]), sorted[i].n);
    m->names = sorted;
    m->name_count = k;
    return true;
}

void next_text(char **to, struct slice s)
{
    if (!s.p)
        return;
    mem_free(*to);
    *to = s.n ? slice_dup(s) : xstrdup("");
}

/* --- state and time --------------------------------------------------------------------------- */

enum next_state group_next_state(const struct group_next *g)
{
    if (g->members.count == 0)
        return NEXT_EMPTY;
    if (g->share)
        return NEXT_STABLE;
    if (g->epoch > g->assignment_epoch)
        return NEXT_ASSIGNING;
    list_each (&g->members, k) {
        const struct next_member *m = list_entry(k, struct next_member, link);
        if (m->state != MEMBER_STABLE || m->epoch != g->assignment_epoch)
            return NEXT_RECONCILING;
    }
    return NEXT_STABLE;
}

int64_t group_next_deadline(const struct group_next *g)
{
    int64_t at = INT64_MAX;
    list_each (&g->members, k) {
        const struct next_member *m = list_entry(k, struct next_member, link);
        at = MIN(at, MIN(m->session_deadline, m->revoke_deadline));
    }
    return at;
}

bool group_next_tick(struct group_next *g, int64_t now)
{
    bool any = false;
    list_each (&g->members, k) {
        struct next_member *m = list_entry(k, struct next_member, link);
        bool silent = m->session_deadline <= now;
        if (!silent && m->revoke_deadline > now)
            continue;
        LOG_INFO(LOG_BROKER_GROUP, "group %s: member %s client_id=%s host=%s %s and is removed",
                 g->id, m->id, m->client_id, m->client_host,
                 silent       ? "has not been heard of for its session timeout"
                 : m->classic ? "did not join again within its rebalance timeout"
                              : "did not give up its partitions within its rebalance timeout");
        next_member_remove(g, m);
        any = true;
    }
    return any;
}

/* --- checks of commits ------------------------------------------------------------------------ */

int16_t group_next_check_commit(const struct group_next *g, struct slice member_id, int32_t epoch,
                                int16_t version)
{
    if (epoch < 0 && g->members.count == 0)
        return KERR_NONE;
    const struct next_member *m = group_next_find(g, member_id);
    if (!m)
        return KERR_UNKNOWN_MEMBER_ID;
    if (m->classic)
        return m->epoch == epoch ? KERR_NONE : KERR_ILLEGAL_GENERATION;
    if (version < 9)
        return KERR_UNSUPPORTED_VERSION;
    return m->epoch == epoch ? KERR_NONE : KERR_STALE_MEMBER_EPOCH;
}

int16_t group_next_check_fetch(const struct group_next *g, struct slice member_id, int32_t epoch)
{
    if (member_id.n == 0 && epoch < 0)
        return KERR_NONE;
    const struct next_member *m = group_next_find(g, member_id);
    if (!m)
        return KERR_UNKNOWN_MEMBER_ID;
    return m->epoch == epoch ? KERR_NONE : KERR_STALE_MEMBER_EPOCH;
}
