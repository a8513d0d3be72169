/* cdc/task_life.c - see task_life.h. */
#include "cdc/task_life.h"

#include "cdc/failure.h"

enum { IDLE_NAP_MS = 400 }; /* a task looks every 500 ms whether it is to stop */

void task_life_init(struct task_life *l, const struct task_life_ops *ops, void *db,
                    struct task_ctx *ctx, const struct capture_options *o, bool snapshot_only)
{
    memset(l, 0, sizeof *l);
    l->ops = ops;
    l->db = db;
    l->ctx = ctx;
    l->o = o;
    l->snapshot_only = snapshot_only;
    heartbeat_init(&l->heartbeat, o);
}

void task_life_release(struct task_life *l)
{
    heartbeat_release(&l->heartbeat);
}

void task_life_go(struct task_life *l, enum task_phase p)
{
    atomic_store_explicit(&l->phase, p, memory_order_relaxed);
    if (p != PHASE_CONNECT)
        task_life_back(l);
}

void task_life_away(struct task_life *l)
{
    if (!task_life_is_away(l)) /* one thread writes */
        atomic_store_explicit(&l->away_ms, clock_wall_ms(), memory_order_relaxed);
}

void task_life_back(struct task_life *l)
{
    atomic_store_explicit(&l->away_ms, 0, memory_order_relaxed);
}

void task_life_again(struct task_life *l)
{
    retries_pause(&l->retries, l->o);
    task_life_away(l);
    task_life_go(l, PHASE_CONNECT);
}

/* A fault that may pass: the connection is dropped and tried again later. False when the retries
 * are used up. */
static bool may_retry(struct task_life *l, const struct error *e)
{
    long long wait_s = l->o->retry_wait_ms / 1000;
    if (!l->ops->passes(e) || !retries_take(&l->retries, l->o))
        return false;
    if (l->ops->restart) {
        LOG_ERR(l->ops->log, LOG_L_WARN, e, "%s", l->ops->restart);
        LOG_WARN(l->ops->log,
                 "Going to restart connector after %lld sec. after a retriable exception", wait_s);
    } else {
        LOG_ERR(l->ops->log, LOG_L_WARN, e,
                "Going to restart connector after %lld sec. after a retriable exception", wait_s);
    }
    l->ops->disconnect(l->db);
    task_life_again(l);
    return true;
}

enum err task_life_start(struct task_life *l, struct error *e)
{
    enum err rc = l->ops->prepare(l->db, e);
    return rc == E_OK || rc == E_CANCELLED || may_retry(l, e) ? E_OK : rc;
}

/* --- phases ----------------------------------------------------------------------------------- */

static enum err poll_connect(struct task_life *l, struct error *e)
{
    if (retries_wait(&l->retries, l->ctx))
        return E_OK;
    LOG_INFO(l->ops->log, "Attempting to restart task.");
    enum err rc = l->ops->prepare(l->db, e);
    if (rc == E_OK) {
        LOG_INFO(l->ops->log, "Successfully restarted task");
        l->retries.count = 0;
        return E_OK;
    }
    if (rc == E_CANCELLED)
        return E_OK;
    return may_retry(l, e) ? E_AGAIN : failure_at_start(e, rc);
}

static enum err poll_snapshot(struct task_life *l, struct record_batch *b, struct error *e)
{
    bool done = false;
    enum err rc = l->ops->poll_snapshot(l->db, b, &done, e);
    if (rc == E_CANCELLED)
        return E_OK;
    if (rc && may_retry(l, e))
        return E_AGAIN;
    if (rc) {
        if (l->ops->snapshot_failed)
            l->ops->snapshot_failed(l->db);
        return failure_in_snapshot(e, rc);
    }
    if (!done)
        return E_OK;
    l->retries.count = 0;
    l->ops->snapshot_done(l->db);
    l->delay_stream = l->o->streaming_delay_ms > 0;
    if (l->snapshot_only)
        LOG_INFO(l->ops->log, "Streaming is disabled for snapshot mode initial_only");
    task_life_go(l, l->snapshot_only ? PHASE_IDLE : PHASE_STREAM);
    return E_OK;
}

static enum err poll_stream(struct task_life *l, struct record_batch *b, struct error *e)
{
    bool beat = false;
    enum err rc = E_OK;
    if (!l->delay_stream || !task_sleep(l->ctx, l->o->streaming_delay_ms)) {
        l->delay_stream = false;
        rc = l->ops->poll_stream(l->db, b, e);
    }
    if (rc == E_OK)
        rc = heartbeat_poll(&l->heartbeat, b, &beat, e);
    return rc || !beat ? rc : l->ops->beat(l->db, b, e);
}

enum err task_life_poll(struct task_life *l, struct record_batch *b, struct error *e)
{
    switch (task_life_phase(l)) {
    case PHASE_CONNECT:
        return poll_connect(l, e);
    case PHASE_SNAPSHOT:
        return poll_snapshot(l, b, e);
    case PHASE_STREAM:
        return poll_stream(l, b, e);
    case PHASE_IDLE:
        task_sleep(l->ctx, IDLE_NAP_MS);
        return E_OK;
    }
    return E_OK;
}

/* --- state ------------------------------------------------------------------------------------ */

void task_life_describe(const struct task_life *l, struct strbuf *out)
{
    static const char *const names[] = {"CONNECTING", "SNAPSHOT", "STREAMING", "IDLE"};
    int64_t away = atomic_load_explicit(&l->away_ms, memory_order_relaxed);
    enum task_phase phase = task_life_phase(l);
    strbuf_addf(out, "\"phase\":\"%s\",\"connected\":%s", names[phase],
                away || phase == PHASE_CONNECT ? "false" : "true");
    if (away)
        strbuf_addf(out, ",\"notConnectedSince\":%lld", (long long)away);
}
