/* broker/txn/txn.c - see txn.h. */
#include "broker/txn/txn.h"

#include "broker/proto/kerr.h"

static const char *const names[] = {
    [TXN_EMPTY] = "Empty",
    [TXN_ONGOING] = "Ongoing",
    [TXN_PREPARE_COMMIT] = "PrepareCommit",
    [TXN_PREPARE_ABORT] = "PrepareAbort",
    [TXN_COMPLETE_COMMIT] = "CompleteCommit",
    [TXN_COMPLETE_ABORT] = "CompleteAbort",
    [TXN_DEAD] = "Dead",
    [TXN_PREPARE_EPOCH_FENCE] = "PrepareEpochFence",
};

const char *txn_state_name(enum txn_state s)
{
    return names[s];
}

bool txn_state_parse(struct slice name, enum txn_state *out)
{
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (slice_eq_c(name, names[i])) {
            *out = (enum txn_state)i;
            return true;
        }
    }
    return false;
}

static void answer(struct txn_verdict *out, const struct txn_facts *f, int16_t code)
{
    *out = (struct txn_verdict){.step = TXN_STEP_ANSWER, .code = code};
    if (f)
        out->next = *f;
}

/* A change of the facts, to be edited by the caller. */
static struct txn_facts *change(struct txn_verdict *out, enum txn_step step,
                                const struct txn_facts *f, enum txn_state state, int64_t now_ms)
{
    *out = (struct txn_verdict){.step = step, .code = KERR_NONE, .next = *f};
    out->next.state = state;
    out->next.update_ms = now_ms;
    return &out->next;
}

static void need_id(struct txn_verdict *out)
{
    *out = (struct txn_verdict){.step = TXN_STEP_NEED_ID};
}

/* --- InitProducerId --------------------------------------------------------------------------- */

static void first_init(const struct txn_init *in, int64_t now_ms, struct txn_verdict *out)
{
    if (in->new_id < 0) {
        need_id(out);
        return;
    }
    *out = (struct txn_verdict){.step = TXN_STEP_STORE,
                                .begins = true,
                                .next = {.producer_id = in->new_id,
                                         .prev_producer_id = -1,
                                         .next_producer_id = -1,
                                         .epoch = 0,
                                         .last_epoch = -1,
                                         .marker_producer_id = -1,
                                         .timeout_ms = in->timeout_ms,
                                         .state = TXN_EMPTY,
                                         .start_ms = -1,
                                         .update_ms = now_ms}};
}

/* The next epoch, or a new producer id when the epochs are used up. */
static void next_life(const struct txn_facts *f, const struct txn_init *in, int16_t last_epoch,
                      int64_t now_ms, struct txn_verdict *out)
{
    bool used_up = f->epoch >= TXN_EPOCH_LAST;
    if (used_up && in->new_id < 0) {
        need_id(out);
        return;
    }
    struct txn_facts *next = change(out, TXN_STEP_STORE, f, TXN_EMPTY, now_ms);
    next->epoch = used_up ? 0 : (int16_t)(f->epoch + 1);
    next->last_epoch = last_epoch;
    next->prev_producer_id = used_up ? f->producer_id : -1;
    next->producer_id = used_up ? in->new_id : f->producer_id;
    next->timeout_ms = in->timeout_ms;
    next->start_ms = -1;
}

/* Ends the transaction with an epoch that shuts its producer out. */
static void fence(const struct txn_facts *f, enum txn_step step, int64_t now_ms,
                  struct txn_verdict *out)
{
    struct txn_facts *next = change(out, step, f, TXN_PREPARE_ABORT, now_ms);
    next->epoch = (int16_t)(f->epoch + 1);
    next->last_epoch = -1;
    next->next_producer_id = -1;
}

void txn_judge_init(const struct txn_facts *f, const struct txn_init *in, int64_t now_ms,
                    struct txn_verdict *out)
{
    if (!f) {
        first_init(in, now_ms, out);
        return;
    }
    if (txn_is_prepared(f)) {
        answer(out, f, KERR_CONCURRENT_TRANSACTIONS);
        return;
    }
    if (in->fenced) { /* was judged before the transaction was ended for it */
        next_life(f, in, in->fenced_from, now_ms, out);
        return;
    }
    bool given = in->producer_id >= 0;
    bool current = given && in->producer_id == f->producer_id && in->epoch == f->epoch;
    if (f->state == TXN_ONGOING) {
        if (given && !current)
            answer(out, f, KERR_PRODUCER_FENCED);
        else
            fence(f, TXN_STEP_FENCE, now_ms, out);
        return;
    }
    if (!given || current) {
        next_life(f, in, given ? in->epoch : -1, now_ms, out);
        return;
    }
    /* the answer to a request that was carried out may have been lost */
    bool again = in->epoch == f->last_epoch &&
                 (in->producer_id == f->producer_id ||
                  (in->producer_id == f->prev_producer_id && in->epoch >= TXN_EPOCH_LAST));
    answer(out, f, again ? KERR_NONE : KERR_PRODUCER_FENCED);
}

/* --- adding ----------------------------------------------------------------------------------- */

void txn_judge_add(const struct txn_facts *f, int64_t producer_id, int16_t epoch, int64_t now_ms,
                   struct txn_verdict *out)
{
    if (!f || f->producer_id != producer_id) {
        answer(out, f, KERR_INVALID_PRODUCER_ID_MAPPING);
    } else if (f->epoch != epoch || epoch > TXN_EPOCH_LAST) {
        answer(out, f, KERR_PRODUCER_FENCED);
    } else if (txn_is_prepared(f)) {
        answer(out, f, KERR_CONCURRENT_TRANSACTIONS);
    } else {
        struct txn_facts *next = change(out, TXN_STEP_STORE, f, TXN_ONGOING, now_ms);
        out->begins = f->state != TXN_ONGOING;
        if (out->begins)
            next->start_ms = now_ms;
    }
}

/* --- ending ----------------------------------------------------------------------------------- */

/* TV2: every end raises the epoch; the very last one is for the markers, and a new id follows. */
static void prepare_v2(const struct txn_facts *f, const struct txn_end *in, int64_t now_ms,
                       struct txn_verdict *out)
{
    bool used_up = f->epoch >= TXN_EPOCH_LAST;
    if (used_up && in->new_id < 0) {
        need_id(out);
        return;
    }
    struct txn_facts *next = change(out, TXN_STEP_FINISH, f,
                                    in->commit ? TXN_PREPARE_COMMIT : TXN_PREPARE_ABORT, now_ms);
    next->epoch = (int16_t)(f->epoch + 1);
    next->last_epoch = f->epoch;
    next->next_producer_id = used_up ? in->new_id : -1;
}

static void end_v2(const struct txn_facts *f, const struct txn_end *in, bool again, int64_t now_ms,
                   struct txn_verdict *out)
{
    enum txn_state done = in->commit ? TXN_COMPLETE_COMMIT : TXN_COMPLETE_ABORT;
    if (f->state == TXN_ONGOING)
        prepare_v2(f, in, now_ms, out);
    else if (again)
        answer(out, f, f->state == done ? KERR_NONE : KERR_INVALID_TXN_STATE);
    else if (in->commit)
        answer(out, f, KERR_INVALID_TXN_STATE); /* nothing was begun */
    else
        prepare_v2(f, in, now_ms, out);
}

static void end_v1(const struct txn_facts *f, const struct txn_end *in, int64_t now_ms,
                   struct txn_verdict *out)
{
    enum txn_state done = in->commit ? TXN_COMPLETE_COMMIT : TXN_COMPLETE_ABORT;
    if (f->state == TXN_ONGOING)
        (void)change(out, TXN_STEP_FINISH, f, in->commit ? TXN_PREPARE_COMMIT : TXN_PREPARE_ABORT,
                     now_ms);
    else
        answer(out, f, f->state == done ? KERR_NONE : KERR_INVALID_TXN_STATE);
}

void txn_judge_end(const struct txn_facts *f, const struct txn_end *in, int64_t now_ms,
                   struct txn_verdict *out)
{
    enum txn_state prepare = in->commit ? TXN_PREPARE_COMMIT : TXN_PREPARE_ABORT;
    if (!f) {
        answer(out, f, KERR_INVALID_PRODUCER_ID_MAPPING);
        return;
    }
    /* The same end once more, after its epoch was raised, or after the id was changed as well. */
    bool raised = in->v2 && f->producer_id == in->producer_id && f->epoch == in->epoch + 1;
    bool changed = in->v2 && f->prev_producer_id == in->producer_id && f->epoch == 0 &&
                   in->epoch == TXN_EPOCH_LAST;
    bool again = (raised && f->state != TXN_ONGOING && f->state != TXN_EMPTY) ||
                 (changed && f->state != TXN_ONGOING && f->state != TXN_EMPTY);
    if (f->producer_id != in->producer_id && !again)
        answer(out, f, KERR_INVALID_PRODUCER_ID_MAPPING);
    else if (!again && (f->epoch != in->epoch || in->epoch > TXN_EPOCH_LAST))
        answer(out, f, KERR_PRODUCER_FENCED);
    else if (txn_is_prepared(f))
        answer(out, f, f->state == prepare ? KERR_CONCURRENT_TRANSACTIONS : KERR_INVALID_TXN_STATE);
    else if (in->v2)
        end_v2(f, in, again, now_ms, out);
    else
        end_v1(f, in, now_ms, out);
}

void txn_judge_time(const struct txn_facts *f, int64_t now_ms, struct txn_verdict *out)
{
    if (f->state == TXN_ONGOING && now_ms - f->start_ms > f->timeout_ms)
        fence(f, TXN_STEP_FINISH, now_ms, out);
    else
        answer(out, f, KERR_NONE);
}

struct txn_facts txn_completed(const struct txn_facts *f, int64_t now_ms)
{
    struct txn_facts next = *f;
    invariant(txn_is_prepared(f));
    next.state = f->state == TXN_PREPARE_COMMIT ? TXN_COMPLETE_COMMIT : TXN_COMPLETE_ABORT;
    next.start_ms = -1;
    next.update_ms = now_ms;
    next.prev_producer_id = -1;
    next.marker_producer_id = f->producer_id;
    next.marker_epoch = f->epoch;
    next.marker_commit = f->state == TXN_PREPARE_COMMIT;
    if (f->next_producer_id >= 0) {
        next.prev_producer_id = f->producer_id;
        next.producer_id = f->next_producer_id;
        next.epoch = 0;
    }
    next.next_producer_id = -1;
    return next;
}
