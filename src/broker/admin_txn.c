/* broker/admin_txn.c - transactions and producers for in-process users. See admin.h. */
#include "base/base.h"
#include "broker/admin.h"
#include "broker/broker_state.h"
#include "broker/proto/kerr.h"
#include "broker/topic.h"
#include "broker/txn/txn_coord.h"

#include <stdlib.h>

struct list_arg {
    struct txn_coord *tc;
    struct arena *a;
    struct broker_transaction *out;
    size_t count;
};

static void list(void *arg)
{
    struct list_arg *l = arg;
    txn_coord_list(l->tc, l->a, &l->out, &l->count);
}

enum err broker_transactions(struct broker *b, struct arena *a, struct broker_transaction **out,
                             size_t *count, struct error *e)
{
    (void)e;
    struct list_arg l = {.tc = b->txns, .a = a};
    loop_call(coord_loop(b->coord), list, &l);
    *out = l.out;
    *count = l.count;
    return E_OK;
}

static int by_id(const void *a, const void *b)
{
    int64_t x = ((const struct broker_active_producer *)a)->id;
    int64_t y = ((const struct broker_active_producer *)b)->id;
    return (x > y) - (x < y);
}

enum err broker_partition_producers(struct broker *b, struct slice topic, int32_t partition,
                                    struct arena *a, struct broker_active_producer **out,
                                    size_t *count, struct error *e)
{
    struct topic *t = topics_get(b->topics, topic);
    struct partition *p = t ? topic_partition(t, partition) : NULL;
    struct producer *v = NULL;
    enum err r = E_OK;
    *count = 0;
    *out = NULL;
    if (!p) {
        r = kerr_error(e, E_NOT_FOUND, KERR_UNKNOWN_TOPIC_OR_PARTITION, "%s",
                       kerr_message(KERR_UNKNOWN_TOPIC_OR_PARTITION));
    } else if (partition_producers(p, a, &v, count) != E_OK ||
               !(*out = arena_try_calloc(a, *count + 1, sizeof **out))) {
        *count = 0;
        r = error_set(e, E_NOMEM, "no memory for the producers of " PRI_SL "-%d", ARG_SL(topic),
                      partition);
    }
    for (size_t i = 0; i < *count; i++)
        (*out)[i] = (struct broker_active_producer){
            .id = v[i].id,
            .epoch = v[i].epoch,
            .last_sequence = v[i].count ? v[i].batches[v[i].count - 1].last_sequence : -1,
            .last_ms = v[i].last_ms,
            .txn_first_offset = v[i].txn_first_offset};
    if (*count)
        qsort(*out, *count, sizeof **out, by_id);
    partition_unref(p);
    topic_unref(t);
    return r;
}
