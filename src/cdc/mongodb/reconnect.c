/* cdc/mongodb/reconnect.c - a stream that stays lost gets a new pool, under the feet of the task. A driver
 * that is asked again and again keeps what it has learnt of the cluster, and refuses a server that was
 * set up anew in the place of the old one, because its elections count from the beginning
 * ("setVersion or electionId is stale"). SPEC: cdc-mongodb 5.6. Thread: the task's. */
#include "cdc/mongodb/stream_open.h"

#include "cdc/mongodb/signals.h"

/* All clients of the old pool must be back before it is closed; the cursor is closed already. */
static void let_go(struct mongo_stream *s)
{
    mongo_lookup_free(s->lookup);
    s->lookup = NULL;
    if (s->client)
        mongo_client_give(s->t->pool, s->client);
    s->client = NULL;
    mongo_signals_disconnect(s->t->signals);
}

enum err mongo_stream_reconnect(struct mongo_stream *s, struct error *e)
{
    struct mongo_task *t = s->t;
    struct mongo_client_pool *fresh = NULL;
    if (t->snapshot) /* its clients are out */
        return E_OK;
    enum err rc = mongo_client_pool_open(&fresh, &t->o, t->ctx->connector, &t->ctx->stop, e);
    if (rc)
        return rc;
    let_go(s);
    mongo_client_pool_close(t->pool);
    t->pool = fresh;
    s->wants_pool = false;
    return E_OK;
}
