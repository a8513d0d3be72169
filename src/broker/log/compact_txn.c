/* broker/log/compact_txn.c - see compact_txn.h. A producer has one transaction open at a time, so
 * its id is enough to tell them apart while the log is read forwards. */
#include "broker/log/compact_txn.h"

#include "base/mem.h"
#include "broker/proto/batch.h"

struct open_aborted {
    const struct txn_aborted *txn;
    bool seen; /* a batch of it is still in the log */
};

void compact_txn_init(struct compact_txn *t, const struct txn_aborted *aborted, size_t count)
{
    *t = (struct compact_txn){.aborted = aborted, .count = count};
    map_init(&t->open_aborted);
    map_init(&t->open_committed);
}

void compact_txn_release(struct compact_txn *t)
{
    map_release(&t->open_aborted, mem_free);
    map_release(&t->open_committed, NULL);
}

/* Transactions that begin at or below the offset are open from here on. */
static void begin_up_to(struct compact_txn *t, int64_t offset)
{
    for (; t->next < t->count && t->aborted[t->next].first_offset <= offset; t->next++) {
        struct open_aborted *o = xcalloc(1, sizeof *o);
        o->txn = &t->aborted[t->next];
        mem_free(map_put_u64(&t->open_aborted, (uint64_t)o->txn->producer_id, o));
    }
}

bool compact_txn_data(struct compact_txn *t, const void *batch)
{
    begin_up_to(t, batch_last_offset(batch));
    if (!batch_is_transactional(batch))
        return false;
    uint64_t id = (uint64_t)batch_producer_id(batch);
    struct open_aborted *o = map_get_u64(&t->open_aborted, id);
    if (o)
        o->seen = true;
    else
        map_put_u64(&t->open_committed, id, t);
    return o != NULL;
}

enum err compact_txn_marker(struct compact_txn *t, struct slice batch, struct txn_index *index,
                            bool *idle)
{
    enum control_type type;
    uint64_t id = (uint64_t)batch_producer_id(batch.p);
    *idle = false;
    begin_up_to(t, batch_last_offset(batch.p));
    if (batch_count(batch.p) == 0)
        return E_OK;
    if (batch_control_parse(batch, &type, NULL) != E_OK)
        return E_CORRUPT;
    if (type == CONTROL_COMMIT) {
        *idle = map_del_u64(&t->open_committed, id) == NULL;
        return E_OK;
    }
    if (type != CONTROL_ABORT) /* of a later Kafka: not ours to judge */
        return E_OK;
    struct open_aborted *o = map_del_u64(&t->open_aborted, id);
    enum err err = E_OK;
    *idle = !o || !o->seen;
    if (o && o->seen && index)
        err = txn_index_add(index, o->txn);
    mem_free(o);
    return err;
}
