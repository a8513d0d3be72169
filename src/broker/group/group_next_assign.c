/* broker/group/group_next_assign.c - from subscriptions to targets: which topics the names and patterns
 * of a group stand for now, and what the assignor makes of them. See group_next.h.
 *
 * Everything of one look is in an arena: names are looked up once, and each pattern once, however
 * many members share them. Owner: the coordinator loop. */
#include "base/base.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "broker/group/assignor.h"
#include "broker/group/group_next.h"
#include "broker/group/group_next_internal.h"

#include <stdlib.h>

struct found { /* what a pattern stands for */
    struct next_topic **v;
    size_t n, cap;
};
struct look {
    struct group_next *g;
    struct arena a;
    struct map by_name;  /* -> struct next_topic, or &missing */
    struct map by_regex; /* -> struct found */
    struct next_topic **topics;
    size_t count, cap;
    uint64_t hash;
    bool done;                /* subscribed[] is filled */
    struct found *subscribed; /* of each member, in their order */
};
static struct next_topic missing;

static void look_begin(struct look *l, struct group_next *g)
{
    memset(l, 0, sizeof *l);
    l->g = g;
    arena_init(&l->a, 0, ARENA_NO_BUDGET);
    map_init(&l->by_name);
    map_init(&l->by_regex);
}

static void look_end(struct look *l)
{
    for (size_t i = 0; i < l->count; i++)
        l->topics[i]->index = -1;
    map_release(&l->by_name, NULL);
    map_release(&l->by_regex, NULL);
    arena_release(&l->a);
}

/* --- topics ----------------------------------------------------------------------------------- */

static struct next_topic *topic_of(struct group_next *g, struct slice name, const struct uuid *id,
                                   int32_t partitions)
{
    struct slice key = slice_of(id->b, sizeof id->b);
    struct next_topic *t = map_get(&g->topics, key);
    if (!t) {
        t = xcalloc(1, sizeof *t);
        t->id = *id;
        t->name = slice_of(slice_dup(name), name.n);
        t->index = -1;
        map_put(&g->topics, key, t);
    }
    if (partitions > t->owner_count) {
        t->owner = xrealloc(t->owner, (size_t)partitions * sizeof(struct next_member *));
        memset(t->owner + t->owner_count, 0,
               (size_t)(partitions - t->owner_count) * sizeof(struct next_member *));
        t->owner_count = partitions;
    }
    t->partitions = partitions;
    return t;
}

static struct next_topic *look_name(struct look *l, struct slice name)
{
    struct uuid id;
    int32_t partitions;
    struct next_topic *t = map_get(&l->by_name, name);
    if (t)
        return t == &missing ? NULL : t;
    if (!l->g->view->by_name(l->g->view->arg, name, &id, &partitions)) {
        map_put(&l->by_name, name, &missing);
        return NULL;
    }
    t = topic_of(l->g, name, &id, partitions);
    map_put(&l->by_name, name, t);
    if (l->count == l->cap) {
        size_t cap = l->cap ? l->cap * 2 : 16;
        struct next_topic **v = arena_alloc(&l->a, cap * sizeof(struct next_topic *));
        if (l->count)
            memcpy(v, l->topics, l->count * sizeof(struct next_topic *));
        l->topics = v;
        l->cap = cap;
    }
    t->index = (int32_t)l->count;
    l->topics[l->count++] = t;
    l->hash += hash64(slice_of(id.b, sizeof id.b), (uint64_t)partitions + 1);
    return t;
}

struct next_topic *next_topic_find(struct group_next *g, struct slice name)
{
    struct uuid id;
    int32_t partitions;
    return g->view->by_name(g->view->arg, name, &id, &partitions)
               ? topic_of(g, name, &id, partitions)
               : NULL;
}

static void found_add(struct look *l, struct found *f, struct next_topic *t)
{
    if (f->n == f->cap) {
        size_t cap = f->cap ? f->cap * 2 : 8;
        struct next_topic **v = arena_alloc(&l->a, cap * sizeof(struct next_topic *));
        if (f->n)
            memcpy(v, f->v, f->n * sizeof(struct next_topic *));
        f->v = v;
        f->cap = cap;
    }
    f->v[f->n++] = t;
}

struct scan {
    struct look *l;
    struct topic_regex_scan names;
    struct found *out;
};

static void scan_name(void *arg, struct slice name)
{
    struct scan *s = arg;
    struct next_topic *t = topic_regex_scan_matches(&s->names, name) ? look_name(s->l, name) : NULL;
    if (t)
        found_add(s->l, s->out, t);
}

static const struct found *look_regex(struct look *l, struct topic_regex *regex)
{
    struct slice text = topic_regex_text(regex);
    struct found *f = map_get(&l->by_regex, text);
    if (f)
        return f;
    f = arena_calloc(&l->a, 1, sizeof *f);
    struct scan s = {l, {.regex = regex}, f};
    l->g->view->each(l->g->view->arg, scan_name, &s);
    if (s.names.over) /* judged when it came; topics have changed since */
        LOG_WARN(LOG_BROKER_GROUP,
                 "group %s: the pattern " PRI_SL " takes too many steps: not all topics were tried",
                 l->g->id, ARG_SL(text));
    map_put(&l->by_regex, text, f);
    return f;
}

static void try_name(void *arg, struct slice name)
{
    (void)topic_regex_scan_matches(arg, name);
}

bool next_regex_affordable(const struct group_next *g, struct topic_regex *regex)
{
    struct topic_regex_scan s = {.regex = regex};
    g->view->each(g->view->arg, try_name, &s);
    return !s.over;
}

/* Topics of every member. Those that no subscription finds any more count as gone. */
static void look_all(struct look *l)
{
    struct group_next *g = l->g;
    struct slice id;
    void *t;
    size_t i = 0;
    if (l->done)
        return;
    for (size_t k = 0; map_next(&g->topics, &k, &id, &t);)
        ((struct next_topic *)t)->partitions = 0;
    l->subscribed = arena_calloc(&l->a, g->members.count + 1, sizeof *l->subscribed);
    list_each (&g->members, k) {
        const struct next_member *m = list_entry(k, struct next_member, link);
        struct found *f = &l->subscribed[i++];
        for (size_t n = 0; n < m->name_count; n++) {
            struct next_topic *topic = look_name(l, m->names[n]);
            if (topic)
                found_add(l, f, topic);
        }
        const struct found *more = m->regex ? look_regex(l, m->regex) : NULL;
        for (size_t n = 0; more && n < more->n; n++)
            found_add(l, f, more->v[n]);
    }
    l->done = true;
}

/* Topics that are gone and in no set any more. */
static void sweep_topics(struct group_next *g)
{
    struct slice id;
    void *v;
    list_each (&g->members, k) {
        const struct next_member *m = list_entry(k, struct next_member, link);
        const struct next_set *const sets[] = {&m->assigned, &m->pending, &m->target};
        for (size_t s = 0; s < ARRAY_LEN(sets); s++) {
            for (size_t i = 0; i < sets[s]->n; i++)
                sets[s]->v[i].topic->index = -2; /* in use */
        }
    }
    for (size_t i = 0; map_next(&g->topics, &i, &id, &v);) {
        struct next_topic *t = v;
        if (t->partitions == 0 && t->index != -2) {
            map_del(&g->topics, id);
            mem_free((char *)(uintptr_t)t->name.p);
            mem_free(t->owner);
            mem_free(t);
        } else {
            t->index = -1;
        }
    }
}

/* --- assigning -------------------------------------------------------------------------------- */

/* The assignor that most members wish for; the first of the list when none do. */
static struct slice vote(const struct group_next *g)
{
    size_t range = 0, uniform = 0;
    if (g->share)
        return SL("simple");
    list_each (&g->members, k) {
        const struct next_member *m = list_entry(k, struct next_member, link);
        range += m->assignor && slice_eq(slice_cstr(m->assignor), SL("range"));
        uniform += m->assignor && slice_eq(slice_cstr(m->assignor), SL("uniform"));
    }
    return range > uniform ? SL("range") : SL("uniform");
}

static int ascending(const void *a, const void *b)
{
    int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
    return (x > y) - (x < y);
}

static void fill_member(struct look *l, const struct next_member *m, const struct found *f,
                        struct assign_member *out)
{
    int32_t *topics = arena_alloc(&l->a, (f->n + 1) * sizeof *topics);
    size_t n = 0;
    for (size_t i = 0; i < f->n; i++)
        topics[i] = f->v[i]->index;
    if (f->n > 1)
        qsort(topics, f->n, sizeof *topics, ascending);
    for (size_t i = 0; i < f->n; i++) {
        if (n == 0 || topics[n - 1] != topics[i])
            topics[n++] = topics[i];
    }
    *out = (struct assign_member){.id = slice_cstr(m->id),
                                  .instance_id = slice_cstr(m->instance_id),
                                  .topics = topics,
                                  .topic_count = n};
    for (size_t i = 0; i < m->target.n; i++) {
        if (m->target.v[i].topic->index >= 0)
            assign_list_add(&out->owned, &l->a, m->target.v[i].topic->index,
                            m->target.v[i].partition);
    }
}

static void assign(struct look *l)
{
    struct group_next *g = l->g;
    size_t i = 0;
    struct assign_input in = {
        .topic_count = l->count, .member_count = g->members.count, .a = &l->a};
    int32_t *partitions = arena_calloc(&l->a, l->count + 1, sizeof *partitions);
    for (size_t t = 0; t < l->count; t++)
        partitions[t] = l->topics[t]->partitions;
    in.partitions = partitions;
    in.members = arena_calloc(&l->a, in.member_count + 1, sizeof *in.members);
    list_each (&g->members, k) {
        fill_member(l, list_entry(k, struct next_member, link), &l->subscribed[i], &in.members[i]);
        i++;
    }
    g->assignor = vote(g);
    if (g->share)
        assign_simple(&in);
    else
        assignor_find(g->assignor)(&in);
    i = 0;
    list_each (&g->members, k) {
        struct next_member *m = list_entry(k, struct next_member, link);
        const struct assign_list *to = &in.members[i++].target;
        next_set_clear(&m->target);
        for (size_t t = 0; t < to->n; t++)
            next_set_add(&m->target, l->topics[to->v[t].topic], to->v[t].partition);
        next_set_sort(&m->target);
    }
    g->assignment_epoch = g->epoch;
    LOG_INFO(LOG_BROKER_GROUP,
             "group %s: epoch %d with %zu members and %zu topics, assignor " PRI_SL, g->id,
             g->epoch, g->members.count, l->count, ARG_SL(g->assignor));
}

void next_update(struct group_next *g)
{
    struct look l;
    int64_t generation = g->view->generation(g->view->arg);
    if (!g->dirty && generation == g->seen_generation && g->epoch == g->assignment_epoch)
        return;
    look_begin(&l, g);
    if (g->dirty || generation != g->seen_generation) {
        look_all(&l);
        if (l.hash != g->subscribed_hash && g->epoch == g->assignment_epoch)
            next_bump(g);
        g->subscribed_hash = l.hash;
        g->seen_generation = generation;
        g->dirty = false;
    }
    bool assigned = g->epoch > g->assignment_epoch && g->members.count;
    if (assigned) {
        look_all(&l);
        assign(&l);
    }
    look_end(&l);
    if (assigned)
        sweep_topics(g);
}
