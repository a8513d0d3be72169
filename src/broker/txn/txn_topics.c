/* broker/txn/txn_topics.c - a topic was deleted: open transactions lose their partitions of it, and the
 * offsets that were to be committed for it. See txn_coord.h. Owner: the coordinator's loop. */
#include "base/base.h"
#include "base/mem.h"
#include "broker/txn/txn_coord.h"
#include "broker/txn/txn_coord_internal.h"
#include "broker/txn/txn_store.h"

struct topic_gone {
    struct txn_topic_job job; /* first */
    struct txn_coord *tc;
};

static void topic_gone_stored(void *arg, enum err code)
{
    struct topic_gone *t = arg;
    struct txn_coord *tc = t->tc;
    (void)code; /* logged; at the next start markers for it are left out */
    mem_free(t->job.topic);
    mem_free(t);
    atomic_fetch_sub(&tc->under_way, 1);
}

static void drop_topic(void *arg)
{
    struct topic_gone *t = arg;
    struct txn_coord *tc = t->tc;
    struct slice id, topic = slice_cstr(t->job.topic);
    void *v;
    for (size_t i = 0; map_next(&tc->entries, &i, &id, &v);) {
        struct txn_entry *e = v;
        size_t kept = 0;
        for (size_t k = 0; k < e->part_count; k++)
            if (!slice_eq(e->parts[k].topic, topic))
                e->parts[kept++] = e->parts[k];
        e->part_count = kept;
        for (size_t g = 0; g < e->group_count; g++) {
            const struct offset_topic *o;
            while ((o = map_get(&e->groups[g]->pending.topics, topic)) != NULL)
                (void)offset_map_del(&e->groups[g]->pending, topic, o->v[0].partition);
        }
    }
    atomic_fetch_add(&tc->under_way, 1);
    db_post(tc->p.db, txn_topic_job_run, tc->loop, topic_gone_stored, t);
}

void txn_topic_deleted(struct txn_coord *tc, struct slice topic)
{
    struct topic_gone *t = xcalloc(1, sizeof *t);
    t->job.topic = slice_dup(topic);
    t->tc = tc;
    loop_post(tc->loop, drop_topic, t);
}
