/* cdc/mongodb/task_prepare.c - from a start to a phase: connection, stored offset, the question
 * whether the server still has it, snapshot.mode. SPEC: cdc-mongodb 4.1, 4.4, 8.1 */
#include "base/base.h"

#include "base/clock.h"
#include "base/log.h"
#include "cdc/mongodb/listing.h"
#include "cdc/mongodb/newcomers.h"
#include "cdc/mongodb/signals.h"
#include "cdc/mongodb/snapshot.h"
#include "cdc/mongodb/stream.h"
#include "cdc/mongodb/task.h"

/* --- the stored offset ------------------------------------------------------------------------ */

/* Older releases named the replica set in the partition. */
static enum err load_old(struct mongo_task *t, struct arena *a, struct slice *out, struct error *e)
{
    struct strbuf partition = STRBUF_INIT;
    const char *set = mongo_client_pool_server(t->pool)->set_name;
    strbuf_add(&partition, t->partition.p, t->partition.n - 1);
    strbuf_addf(&partition, ",\"rs\":\"%s\"}", set);
    enum err rc = t->ctx->load_offset(t->ctx, a, strbuf_slice(&partition), out, e);
    strbuf_release(&partition);
    return rc;
}

static enum err load_offset(struct mongo_task *t, struct error *e)
{
    struct arena a;
    struct slice json = SLICE_NULL;
    arena_init(&a, 0, ARENA_NO_BUDGET);
    enum err rc = t->ctx->load_offset(t->ctx, &a, strbuf_slice(&t->partition), &json, e);
    if (rc == E_OK && !json.p)
        rc = load_old(t, &a, &json, e);
    if (rc) {
        arena_release(&a);
        return rc;
    }
    t->has_offset = json.p != NULL;
    strbuf_reset(&t->stored);
    mongo_offset_release(&t->offset);
    mongo_offset_init(&t->offset);
    if (t->has_offset) {
        strbuf_add_slice(&t->stored, json);
        rc = mongo_offset_parse(&t->offset, json, e);
        LOG_INFO(LOG_CDC_MONGO, "Found existing offset for at " PRI_SL, ARG_SL(json));
    } else {
        LOG_INFO(LOG_CDC_MONGO, "No previous offset has been found");
    }
    arena_release(&a);
    return rc;
}

/* --- is it still there? ----------------------------------------------------------------------- */

/* Opens the stream where the offset says; it stays open for the streaming phase. */
static enum err check_offset(struct mongo_task *t, bool *lost, struct error *e)
{
    *lost = false;
    t->stream = mongo_stream_new(t);
    uint32_t seconds, increment;
    enum err rc = mongo_stream_open(t->stream, e);
    if (!rc && mongo_stream_time(t->stream, &seconds, &increment))
        rc = mongo_check_birth(t, seconds, e);
    if (!rc)
        return E_OK;
    mongo_stream_free(t->stream);
    t->stream = NULL;
    if (mongo_fault_passes(e))
        LOG_INFO(LOG_CDC_MONGO,
                 "Failed to validate the resume token because of a connection failure; will retry");
    if (rc != E_NOT_FOUND)
        return rc;
    LOG_ERR(LOG_CDC_MONGO, LOG_L_WARN, e,
            "Last recorded offset is no longer available on the server.");
    mongo_log_history(t);
    error_clear(e);
    *lost = true;
    return E_OK;
}

/* --- the choice ------------------------------------------------------------------------------- */

/* A snapshot although there is an offset: it replaces it. */
static bool snapshots_anyway(const struct mongo_task *t)
{
    return t->o.snapshot == MONGO_SNAPSHOT_ALWAYS ||
           (t->o.snapshot == MONGO_SNAPSHOT_CONFIGURED && t->o.conf_snapshot_data);
}

static bool snapshots_at_first(const struct mongo_task *t)
{
    return t->o.snapshot != MONGO_SNAPSHOT_NO_DATA && t->o.snapshot != MONGO_SNAPSHOT_CONFIGURED;
}

static bool snapshots_when_lost(const struct mongo_task *t)
{
    return t->o.snapshot == MONGO_SNAPSHOT_WHEN_NEEDED ||
           (t->o.snapshot == MONGO_SNAPSHOT_CONFIGURED && t->o.conf_on_data_error) ||
           (t->o.snapshot == MONGO_SNAPSHOT_INITIAL && t->o.allow_offset_invalidation);
}

static enum err with_offset(struct mongo_task *t, bool *snapshot, struct error *e)
{
    bool lost = false;
    *snapshot = snapshots_anyway(t);
    if (t->offset.snapshot) {
        if (t->o.snapshot == MONGO_SNAPSHOT_NO_DATA)
            return error_set(
                e, E_INVALID,
                "The connector previously stopped while taking a snapshot, but now the connector "
                "is configured to never allow snapshots. Reconfigure the connector to use "
                "snapshots initially or when needed.");
        LOG_INFO(LOG_CDC_MONGO, "The previous snapshot was incomplete, so restarting the snapshot");
        *snapshot = true;
        return E_OK;
    }
    LOG_INFO(LOG_CDC_MONGO, "A previous offset indicating a completed snapshot has been found.");
    if (t->o.position_check || t->lost) {
        enum err rc = check_offset(t, &lost, e);
        if (rc)
            return rc;
        t->lost = false;
    }
    if (lost && !snapshots_when_lost(t))
        return mongo_task_lost(&t->offset, e);
    if (lost)
        *snapshot = true;
    else if (!*snapshot)
        LOG_INFO(LOG_CDC_MONGO, "Valid resume token present, so no snapshot will be performed");
    return E_OK;
}

static enum err without_offset(struct mongo_task *t, bool *snapshot)
{
    LOG_INFO(LOG_CDC_MONGO, "Connector started for the first time.");
    *snapshot = snapshots_anyway(t) || snapshots_at_first(t);
    return E_OK;
}

/* --- phases ----------------------------------------------------------------------------------- */

static enum err begin_snapshot(struct mongo_task *t, struct error *e)
{
    mongo_stream_free(t->stream); /* of the check */
    t->stream = NULL;
    mongo_signals_forget(t->signals);
    if (t->o.snapshot_delay_ms > 0 && task_sleep(t->ctx, t->o.snapshot_delay_ms))
        return E_CANCELLED;
    LOG_INFO(LOG_CDC_MONGO, "Snapshot step 1 - Preparing");
    if (t->has_offset && t->offset.snapshot)
        LOG_INFO(LOG_CDC_MONGO, "Previous snapshot was cancelled before completion; a new snapshot "
                                "will be taken.");
    LOG_INFO(LOG_CDC_MONGO, "Snapshot step 2 - Determining snapshot offsets");
    struct mongo_offset at;
    mongo_offset_init(&at);
    mongoc_client_t *c = mongo_client_take(t->pool);
    enum err rc = mongo_stream_now(t, c, &at, e);
    mongo_client_give(t->pool, c);
    if (!rc) {
        mongo_offset_copy(&t->offset, &at);
        LOG_INFO(LOG_CDC_MONGO, "Snapshot step 3 - Snapshotting data");
        t->snapshot = mongo_snapshot_new(t, &at, NULL);
        atomic_store_explicit(&t->snapshot_began_ms, clock_mono_ms(), memory_order_relaxed);
        atomic_store_explicit(&t->snapshot_ended_ms, 0, memory_order_relaxed);
        task_life_go(&t->life, PHASE_SNAPSHOT);
    }
    mongo_offset_release(&at);
    return rc;
}

static void begin_stream(struct mongo_task *t)
{
    atomic_store_explicit(&t->snapshot_skipped, true, memory_order_relaxed);
    LOG_INFO(LOG_CDC_MONGO, "According to the connector configuration, no snapshot will occur.");
    if (t->has_offset)
        mongo_signals_restore(t->signals, strbuf_slice(&t->stored));
    transactions_load(&t->transactions, strbuf_slice(&t->stored));
    if (t->transactions.id.n) /* told to have begun: events of it or its end come next */
        transactions_resume(&t->transactions, strbuf_slice(&t->transactions.id));
    task_life_go(&t->life, t->life.snapshot_only ? PHASE_IDLE : PHASE_STREAM);
}

enum err mongo_task_prepare(struct mongo_task *t, struct error *e)
{
    bool snapshot = false;
    enum err rc = E_OK;
    if (!t->pool)
        rc = mongo_client_pool_open(&t->pool, &t->o, t->ctx->connector, &t->ctx->stop, e);
    if (!rc)
        rc = load_offset(t, e);
    if (!rc)
        rc = mongo_check_collections(t, e);
    if (!rc)
        rc = t->has_offset ? with_offset(t, &snapshot, e) : without_offset(t, &snapshot);
    bool afresh = snapshot || !t->has_offset;
    if (!rc && (afresh || !t->life.snapshot_only)) /* who captures nothing includes nothing */
        mongo_newcomers_begin(t, afresh);
    if (!rc && snapshot)
        rc = begin_snapshot(t, e);
    else if (!rc)
        begin_stream(t);
    if (!rc)
        signal_channels_begin(&t->signals->work.channels);
    return rc;
}
