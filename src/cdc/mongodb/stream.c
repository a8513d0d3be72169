/* cdc/mongodb/stream.c - reads the change stream. SPEC: cdc-mongodb 5.3-5.8
 *
 * 1. The position (`at`) is behind the last event whose records are in the batch, or that gave
 * none. 2. A batch carries the position when it has records, when somebody asked for it, and at
 * least every
 *    IDLE_STORE_MS while the position moves. */
#include "cdc/mongodb/stream.h"

#include "base/clock.h"
#include "base/log.h"
#include "cdc/mongodb/listing.h"
#include "cdc/mongodb/signals.h"
#include "cdc/mongodb/stream_open.h"
#include "cdc/mongodb/token.h"

enum { WAIT_MS = 500, WINDOW_WAIT_MS = 20, POLL_MS = 400, IDLE_STORE_MS = 10000, AGAIN_MS = 200 };

static enum err no_memory(struct error *e)
{
    return error_set(e, E_NOMEM, "no memory for the change stream's position");
}

static void add(_Atomic uint64_t *v, uint64_t n)
{
    atomic_fetch_add_explicit(v, n, memory_order_relaxed);
}

static void set_ms(_Atomic int64_t *v, int64_t ms)
{
    atomic_store_explicit(v, ms, memory_order_relaxed);
}

/* --- position --------------------------------------------------------------------------------- */

/* Slices of `last` point into the answer at hand: before it goes. */
static void settle(struct mongo_stream *s)
{
    if (!s->moved)
        return;
    s->moved = false;
    s->unstored = true;
    mongo_offset_at(&s->at, &s->last);
    mongo_stream_show_transaction(s);
}

const struct mongo_offset *mongo_stream_offset(const struct mongo_stream *s)
{
    return &s->at;
}

bool mongo_stream_time(const struct mongo_stream *s, uint32_t *seconds, uint32_t *increment)
{
    if (s->at.sec < 0)
        return mongo_token_time(strbuf_slice(&s->at.token), seconds, increment);
    *seconds = (uint32_t)s->at.sec;
    *increment = (uint32_t)MAX(s->at.ord, 0);
    return true;
}

bool mongo_stream_seen(const struct mongo_stream *s, uint32_t *seconds, uint32_t *increment)
{
    if (!mongo_stream_time(s, seconds, increment))
        return false;
    if (s->at.sec < 0 && *increment && mongo_token_between(strbuf_slice(&s->at.token)))
        --*increment;
    return true;
}

void mongo_stream_ask_again(struct mongo_stream *s)
{
    s->at_end = false;
}

/* An event's token and that of an answer without events have their time in common: more events of
 * it may follow. On one replica set they do not once an answer was empty; another shard may still
 * have some. */
bool mongo_stream_past(const struct mongo_stream *s, uint32_t seconds, uint32_t increment)
{
    uint32_t at_seconds, at_increment;
    if (!mongo_stream_time(s, &at_seconds, &at_increment))
        return false;
    if (at_seconds != seconds || at_increment != increment)
        return at_seconds > seconds || (at_seconds == seconds && at_increment > increment);
    return s->at_end && !mongo_client_pool_server(s->t->pool)->mongos;
}

void mongo_stream_wants_offset(struct mongo_stream *s)
{
    s->wants_offset = true;
}

enum err mongo_stream_put_offset(struct mongo_stream *s, struct record_batch *b, struct error *e)
{
    struct mongo_task *t = s->t;
    settle(s);
    if (s->at.sec < 0 && !s->at.token.n)
        return E_OK; /* nothing is known yet */
    strbuf_reset(&s->text);
    mongo_offset_print_open(&s->at, &s->text);
    transactions_print(&t->transactions, &s->text);
    mongo_signals_print(t->signals, &s->text);
    strbuf_addc(&s->text, '}');
    if (strbuf_err(&s->text) ||
        record_batch_offset(b, strbuf_slice(&t->partition), strbuf_slice(&s->text)))
        return no_memory(e);
    if (t->signals)
        signal_channels_stored(&t->signals->work.channels);
    s->unstored = s->wants_offset = false;
    s->stored_ms = clock_mono_ms();
    return E_OK;
}

static enum err finish_batch(struct mongo_stream *s, struct record_batch *b, struct error *e)
{
    settle(s);
    mongo_stream_show(s, b);
    bool due = s->unstored && clock_mono_ms() - s->stored_ms >= IDLE_STORE_MS;
    if (!b->count && !s->wants_offset && !due)
        return E_OK;
    return mongo_stream_put_offset(s, b, e);
}

/* --- transactions ----------------------------------------------------------------------------- */

static int64_t source_ms(const struct change *c)
{
    return c->wall_ms != CHANGE_NO_TIME ? c->wall_ms : (int64_t)c->seconds * 1000;
}

/* Ends the transaction before this event, when it is not of it; begins its own. */
static enum err follow_transaction(struct mongo_stream *s, struct record_batch *b,
                                   const struct change *c, struct error *e)
{
    static const struct bson_json_form form = {BSON_JSON_STRICT, BSON_JSON_COMPACT};
    struct transactions *t = &s->t->transactions;
    if (LIKELY(!t->enabled))
        return E_OK;
    strbuf_reset(&s->text);
    if (c->in_transaction) {
        bson_json_print(c->lsid, form, &s->text);
        strbuf_addf(&s->text, ":%lld", (long long)c->txn_number);
    }
    struct slice id = strbuf_slice(&s->text);
    if (t->active && slice_eq(strbuf_slice(&t->id), id))
        return E_OK;
    if (t->active)
        add(&s->t->commits, 1);
    enum err rc = transactions_end(t, b, source_ms(c), e);
    if (!rc && c->in_transaction)
        rc = transactions_begin(t, b, id, source_ms(c), e);
    return rc;
}

/* Nothing more comes of a transaction once the stream has caught up: its events come together. */
static enum err end_transaction(struct mongo_stream *s, struct record_batch *b, struct error *e)
{
    if (s->t->transactions.active)
        add(&s->t->commits, 1);
    return transactions_end(&s->t->transactions, b, clock_wall_ms(), e);
}

/* --- faults ----------------------------------------------------------------------------------- */

static void lose(struct mongo_stream *s)
{
    settle(s);
    if (s->lookup)
        mongo_lookup_answer(s->lookup, 0);
    mongo_cursor_close(s->cursor);
    s->cursor = NULL;
    change_merge_reset(&s->merge);
    atomic_store_explicit(&s->t->connected, false, memory_order_relaxed);
}

/* A fault that may pass. At first it is tried at once and quietly: an election takes some seconds;
 * then with pauses, and not more often than errors.max.retries says. */
static enum err try_later(struct mongo_stream *s, struct error *e)
{
    const struct mongo_options *o = &s->t->o;
    int64_t now = clock_mono_ms();
    lose(s);
    task_life_away(&s->t->life);
    add(&s->t->disconnects, 1);
    if (!s->lost_ms) {
        s->lost_ms = now;
        LOG_ERR(LOG_CDC_MONGO, LOG_L_WARN, e,
                "the change stream was lost; it is opened again where it was");
    }
    if (e->code != E_AUTH && now - s->lost_ms < o->selection_timeout_ms) {
        s->next_try_ms = now + AGAIN_MS;
        error_clear(e);
        return E_OK;
    }
    if (o->max_retries >= 0 && s->retries >= o->max_retries)
        return e->code;
    s->retries++;
    s->wants_pool = true;
    LOG_ERR(
        LOG_CDC_MONGO, LOG_L_WARN, e,
        "An exception occurred in the change event producer. This connector will be restarted.");
    LOG_WARN(LOG_CDC_MONGO,
             "Going to restart connector after %lld sec. after a retriable exception",
             (long long)(o->retry_wait_ms / 1000));
    s->next_try_ms = now + o->retry_wait_ms;
    error_clear(e);
    return E_OK;
}

/* What an error of the stream means. E_OK: it is tried again. */
static enum err judge(struct mongo_stream *s, struct error *e)
{
    if (e->code == E_CANCELLED) {
        error_clear(e);
        lose(s);
        return E_OK;
    }
    /* What has worked before may work again; what never has is a mistake. SPEC: cdc-mongodb 5.6 */
    if (mongo_fault_passes(e) || (s->opened && (e->code == E_AUTH || e->code == E_REMOTE)))
        return try_later(s, e);
    LOG_ERR(LOG_CDC_MONGO, LOG_L_ERROR, e, "Streaming failed");
    lose(s);
    return e->code;
}

/* An event was told, or there is none: what was lost is made up for. That the stream was opened
 * again does not show it: the documents of its events may not be found. */
static void recovered(struct mongo_stream *s)
{
    if (LIKELY(!s->lost_ms))
        return;
    s->lost_ms = 0;
    s->retries = 0;
    LOG_INFO(LOG_CDC_MONGO, "the change stream goes on");
}

/* --- events ----------------------------------------------------------------------------------- */

static void show_position(const struct change *c, struct strbuf *out)
{
    struct mongo_offset o;
    mongo_offset_init(&o);
    mongo_offset_at(&o, c);
    mongo_offset_print(&o, out);
    mongo_offset_release(&o);
}

/* SPEC: cdc-mongodb 2.6 event.processing.failure.handling.mode */
static enum err bad_event(struct mongo_stream *s, const struct change *c, struct error *e)
{
    struct strbuf at = STRBUF_INIT;
    add(&s->t->events_failed, 1);
    show_position(c, &at);
    error_wrap(e, "Error while processing event at offset %s", at.p);
    strbuf_release(&at);
    if (s->t->o.on_event_error == FAILURE_FAIL)
        return e->code;
    if (s->t->o.on_event_error == FAILURE_WARN)
        LOG_ERR(LOG_CDC_MONGO, LOG_L_WARN, e, "an event is left out");
    error_clear(e);
    return E_OK;
}

static enum err data_event(struct mongo_stream *s, struct record_batch *b, const struct change *c,
                           struct error *e)
{
    struct mongo_task *t = s->t;
    struct collection *coll = collections_get(&t->collections, c->db, c->coll);
    if (UNLIKELY(!coll->captured)) {
        add(&t->events_filtered, 1);
        return E_OK;
    }
    size_t records = b->count;
    if (LIKELY(c->has_time || c->wall_ms != CHANGE_NO_TIME))
        lag_stats_note(&t->lag, source_ms(c));
    enum err rc = follow_transaction(s, b, c, e);
    if (!rc)
        rc = mongo_emit_change(&t->em, b, coll, c, s->now_ms, e);
    if (UNLIKELY(rc == E_INVALID))
        rc = bad_event(s, c, e);
    if (UNLIKELY(mongo_signals_watch(t->signals, coll)) && !rc)
        mongo_signals_change(t->signals, coll, c, b->count > records);
    return rc;
}

static void notice(struct mongo_stream *s, const struct change *c)
{
    if (c->kind == CHANGE_INVALIDATE) {
        LOG_WARN(LOG_CDC_MONGO,
                 "the captured %s was dropped or renamed: its change stream has "
                 "ended; a new one begins behind that",
                 s->t->o.target_coll.p ? "collection" : "database");
        s->invalidated = true;
    } else if ((c->kind == CHANGE_DROP || c->kind == CHANGE_RENAME) && c->coll.p &&
               mongo_filter_collection(&s->t->filter, c->db, c->coll)) {
        LOG_INFO(LOG_CDC_MONGO, "collection '" PRI_SL "." PRI_SL "' was %s", ARG_SL(c->db),
                 ARG_SL(c->coll), c->kind == CHANGE_DROP ? "dropped" : "renamed");
        collections_dropped(&s->t->collections, c->db, c->coll);
    }
}

static void count_event(struct mongo_stream *s)
{
    struct mongo_task *t = s->t;
    add(&t->events_seen, 1);
    set_ms(&t->event_ms, s->now_ms);
}

/* The document of an update. When it is not to be had, the cursor is lost, and this event comes
 * again. */
static enum err look_up(struct mongo_stream *s, struct slice event, struct change *c,
                        struct error *e)
{
    enum err rc = mongo_lookup_find(s->lookup, event, s->cursor->walk, c, e);
    if (!rc)
        return E_OK;
    if (rc != E_UNSUPPORTED)
        return judge(s, e);
    LOG_ERR(LOG_CDC_MONGO, LOG_L_WARN, e,
            "the documents of updates are looked up by the server from now on");
    error_clear(e);
    lose(s);
    mongo_lookup_free(s->lookup);
    s->lookup = NULL;
    s->t->server_looks_up = true;
    return E_OK;
}

static enum err one_event(struct mongo_stream *s, struct record_batch *b, struct slice event,
                          struct error *e)
{
    struct change c;
    enum err rc = change_read(event, &c, e);
    bool merged = !rc && c.fragments;
    if (UNLIKELY(merged)) {
        struct slice whole;
        rc = change_merge_add(&s->merge, event, &c, &whole, e);
        if (!rc && !whole.p)
            return E_OK;
        if (!rc)
            rc = change_read(whole, &c, e);
    }
    if (rc)
        return rc;
    if (s->lookup && c.kind == CHANGE_UPDATE) {
        rc = look_up(s, event, &c, e);
        if (rc || !s->cursor)
            return rc;
    }
    count_event(s);
    if (change_is_data(&c))
        rc = data_event(s, b, &c, e);
    else
        notice(s, &c);
    if (rc)
        return rc;
    recovered(s);
    s->last = c;
    s->moved = true;
    if (UNLIKELY(merged || s->invalidated))
        settle(s); /* c points into s->merge, which the next event of several parts overwrites */
    return E_OK;
}

/* --- the cursor ------------------------------------------------------------------------------- */

static enum err reopen(struct mongo_stream *s, struct error *e)
{
    int64_t wait = s->next_try_ms - clock_mono_ms();
    if (wait > 0) {
        task_sleep(s->t->ctx, MIN(wait, (int64_t)POLL_MS));
        return E_OK;
    }
    enum err rc = s->wants_pool ? mongo_stream_reconnect(s, e) : E_OK;
    if (rc && rc != E_CANCELLED)
        return try_later(s, e); /* whatever it is: the stream has worked before */
    if (!rc)
        rc = mongo_stream_open(s, e);
    uint32_t seconds, increment;
    if (!rc && s->lost_ms && mongo_stream_time(s, &seconds, &increment))
        rc = mongo_check_birth(s->t, seconds, e);
    return rc ? judge(s, e) : E_OK;
}

static enum err idle(struct mongo_stream *s, struct record_batch *b, struct error *e)
{
    add(&s->t->empty_polls, 1);
    set_ms(&s->t->empty_poll_ms, clock_wall_ms());
    if (s->cursor->token.p && !slice_eq(s->cursor->token, strbuf_slice(&s->at.token))) {
        mongo_offset_idle(&s->at, s->cursor->token);
        s->unstored = true;
    }
    return end_transaction(s, b, e);
}

/* A stage of the user's may hold back the event that says so. */
static void closed_by_server(struct mongo_stream *s)
{
    if (!s->invalidated)
        LOG_WARN(LOG_CDC_MONGO, "the server has ended the change stream; a new one begins behind "
                                "it");
    if (!s->invalidated && s->cursor->token.p) {
        settle(s);
        mongo_offset_idle(&s->at, s->cursor->token);
        s->unstored = true;
    }
    s->invalidated = false;
    s->wants_offset = true;
    lose(s);
}

/* Another answer; *empty when it has no events. */
static enum err fetch(struct mongo_stream *s, bool *empty, struct error *e)
{
    int64_t wait = s->t->o.max_await_ms > 0 ? s->t->o.max_await_ms : WAIT_MS;
    int64_t most = mongo_window_waits(s->t->signals) ? WINDOW_WAIT_MS : WAIT_MS;
    settle(s);
    if (s->lookup)
        mongo_lookup_answer(s->lookup, s->cursor->server);
    enum err rc = mongo_cursor_more(s->cursor, MIN(wait, most), 0, e);
    if (rc) {
        mongo_stream_explain(s->t, e);
        return judge(s, e);
    }
    set_ms(&s->t->poll_ms, clock_wall_ms());
    struct bson_walk w = s->cursor->walk;
    struct bson_item i;
    *empty = !bson_walk_next(&w, &i);
    if (*empty)
        recovered(s);
    s->at_end = *empty && !s->asked_ahead;
    s->asked_ahead = s->cursor->full && s->cursor->id;
    if (s->asked_ahead) /* far behind: the server makes the next meanwhile */
        mongo_cursor_ask(s->cursor, MIN(wait, (int64_t)WAIT_MS));
    return E_OK;
}

enum err mongo_stream_poll(struct mongo_stream *s, struct record_batch *b, struct error *e)
{
    int64_t began = clock_mono_ms();
    size_t limit = mongo_task_batch_limit(s->t);
    struct slice event;
    enum err rc = E_OK;
    s->now_ms = clock_wall_ms();
    transactions_batch(&s->t->transactions);
    if (!s->cursor)
        rc = reopen(s, e);
    while (!rc && s->cursor && !mongo_signals_hold(s->t->signals)) {
        if (b->count >= limit || mongo_task_batch_full(b))
            break;
        if (mongo_cursor_next(s->cursor, &event)) {
            rc = one_event(s, b, event, e);
            continue;
        }
        if (!s->cursor->id) {
            closed_by_server(s);
            break;
        }
        bool empty = false;
        if (b->count || clock_mono_ms() - began > POLL_MS)
            break;
        rc = fetch(s, &empty, e);
        s->now_ms = clock_wall_ms();
        if (!rc && empty && s->cursor) {
            rc = idle(s, b, e);
            break;
        }
    }
    return rc ? rc : finish_batch(s, b, e);
}
