/* broker/topic_care.c - see topic_care.h. Works on a list of the topics as they are at the
 * beginning, a reference each; a topic that goes meanwhile says so itself. */
#include "broker/topic_care.h"

#include "base/log.h"
#include "broker/partition_care.h"
#include "broker/topic_internal.h"

struct all {
    struct arena a;
    struct topic **v;
    size_t count;
};

static void all_take(struct all *all, struct topics *t)
{
    arena_init(&all->a, 0, ARENA_NO_BUDGET);
    if (topics_list(t, &all->a, &all->v, &all->count) != E_OK)
        all->count = 0;
}

static void all_release(struct all *all)
{
    for (size_t i = 0; i < all->count; i++)
        topic_unref(all->v[i]);
    arena_release(&all->a);
}

static size_t retain_each(const struct all *all, int64_t now_ms, const _Atomic bool *stop)
{
    size_t found = 0;
    for (size_t i = 0; i < all->count; i++) {
        struct partition_set *set = topic_parts(all->v[i]);
        for (int32_t k = 0; k < set->count && !atomic_load(stop); k++)
            found += partition_retain(set->v[k], now_ms);
    }
    return found;
}

void topics_retain(struct topics *t, int64_t now_ms, const _Atomic bool *stop)
{
    struct all all;
    struct error e;
    all_take(&all, t);
    if (retain_each(&all, now_ms, stop) > 0) {
        if (topics_save_positions(t, &e) == E_OK) {
            for (size_t i = 0; i < all.count; i++) {
                struct partition_set *set = topic_parts(all.v[i]);
                for (int32_t k = 0; k < set->count; k++)
                    partition_discard(set->v[k]);
            }
        } else {
            LOG_ERR(LOG_BROKER_LOG, LOG_L_WARN, &e, "old segments stay: starts are not stored");
        }
    }
    all_release(&all);
}

static struct partition *worth_most(const struct all *all, int64_t now_ms)
{
    struct partition *best = NULL;
    double most = -1;
    for (size_t i = 0; i < all->count; i++) {
        struct partition_set *set = topic_parts(all->v[i]);
        for (int32_t k = 0; topic_config(all->v[i])->cleanup_compact && k < set->count; k++) {
            double score = partition_compact_score(set->v[k], now_ms);
            if (score > most) {
                most = score;
                best = set->v[k];
            }
        }
    }
    return best;
}

bool topics_compact_one(struct topics *t, int64_t now_ms, const struct partition_compact_how *how)
{
    struct all all;
    struct error e;
    all_take(&all, t);
    struct partition *p = worth_most(&all, now_ms);
    enum err err = p ? partition_compact(p, now_ms, how) : E_NOT_FOUND;
    if (err == E_OK && topics_save_cleaned(t, &e) != E_OK)
        LOG_ERR(LOG_BROKER_LOG, LOG_L_WARN, &e, "after a restart more will be compacted anew");
    all_release(&all);
    return p && err != E_CANCELLED && err != E_NOT_FOUND && err != E_CONFLICT;
}

int64_t topics_run_trash(struct topics *t)
{
    return trash_run(&t->env.trash);
}

void topics_on_roll(struct topics *t, void (*fn)(void *arg, struct partition *p), void *arg)
{
    t->env.rolled_arg = arg;
    t->env.rolled = fn;
}
