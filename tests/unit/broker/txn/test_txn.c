/* tests/unit/broker/txn/test_txn.c - what each request makes of a transaction, in every state. SPEC:
 * broker 7.3, 7.4. */
#include "broker/txn/txn.h"

#include "broker/proto/kerr.h"
#include "helpers.h"

#define NOW 5000
enum { ID = 40, EPOCH = 7 };

static struct txn_facts facts(enum txn_state state)
{
    return (struct txn_facts){.producer_id = ID,
                              .prev_producer_id = -1,
                              .next_producer_id = -1,
                              .epoch = EPOCH,
                              .last_epoch = -1,
                              .timeout_ms = 1000,
                              .state = state,
                              .start_ms = state == TXN_ONGOING ? 4500 : -1,
                              .update_ms = 4500,
                              .marker_producer_id = -1};
}

static const struct txn_init plain = {
    .timeout_ms = 300, .producer_id = -1, .epoch = -1, .new_id = -1, .fenced_from = -1};

static struct txn_init from(int64_t id, int16_t epoch)
{
    struct txn_init in = plain;
    in.producer_id = id;
    in.epoch = epoch;
    return in;
}

static void test_names(void)
{
    enum txn_state s;
    CHECK_STR(txn_state_name(TXN_PREPARE_COMMIT), "PrepareCommit");
    for (int i = TXN_EMPTY; i <= TXN_PREPARE_EPOCH_FENCE; i++) {
        CHECK(txn_state_parse(slice_cstr(txn_state_name((enum txn_state)i)), &s));
        CHECK_INT(s, i);
    }
    CHECK(!txn_state_parse(SL("ongoing"), &s));
    CHECK(!txn_state_parse(SL(""), &s));
}

static void test_first_init(void)
{
    struct txn_verdict v;
    struct txn_init in =
        from(3, 2); /* what a client remembers of a lost coordinator is no matter */
    txn_judge_init(NULL, &in, NOW, &v);
    CHECK_INT(v.step, TXN_STEP_NEED_ID);
    in.new_id = 99;
    txn_judge_init(NULL, &in, NOW, &v);
    CHECK_INT(v.step, TXN_STEP_STORE);
    CHECK(v.begins);
    CHECK_INT(v.next.producer_id, 99);
    CHECK_INT(v.next.epoch, 0);
    CHECK_INT(v.next.state, TXN_EMPTY);
    CHECK_INT(v.next.timeout_ms, 300);
    CHECK_INT(v.next.start_ms, -1);
}

static void test_init_idle(void)
{
    static const enum txn_state idle[] = {TXN_EMPTY, TXN_COMPLETE_COMMIT, TXN_COMPLETE_ABORT};
    for (size_t i = 0; i < ARRAY_LEN(idle); i++) {
        struct txn_facts f = facts(idle[i]);
        struct txn_verdict v;
        txn_judge_init(&f, &plain, NOW, &v);
        CHECK_INT(v.step, TXN_STEP_STORE);
        CHECK_INT(v.next.state, TXN_EMPTY);
        CHECK_INT(v.next.producer_id, ID);
        CHECK_INT(v.next.epoch, EPOCH + 1);
        CHECK_INT(v.next.last_epoch, -1);
        CHECK_INT(v.next.timeout_ms, 300);
        struct txn_init in = from(ID, EPOCH);
        txn_judge_init(&f, &in, NOW, &v);
        CHECK_INT(v.step, TXN_STEP_STORE);
        CHECK_INT(v.next.epoch, EPOCH + 1);
        CHECK_INT(v.next.last_epoch, EPOCH);
        f = v.next; /* the answer was lost: once more */
        txn_judge_init(&f, &in, NOW, &v);
        CHECK_INT(v.step, TXN_STEP_ANSWER);
        CHECK_INT(v.code, KERR_NONE);
        CHECK_INT(v.next.epoch, EPOCH + 1);
        in = from(ID, EPOCH - 1);
        txn_judge_init(&f, &in, NOW, &v);
        CHECK_INT(v.code, KERR_PRODUCER_FENCED);
        in = from(ID, EPOCH + 2);
        txn_judge_init(&f, &in, NOW, &v);
        CHECK_INT(v.code, KERR_PRODUCER_FENCED);
        in = from(ID + 1, EPOCH + 1);
        txn_judge_init(&f, &in, NOW, &v);
        CHECK_INT(v.code, KERR_PRODUCER_FENCED);
    }
}

static void test_init_used_up(void)
{
    struct txn_facts f = facts(TXN_COMPLETE_ABORT);
    struct txn_verdict v;
    struct txn_init in = from(ID, TXN_EPOCH_LAST);
    f.epoch = TXN_EPOCH_LAST - 1;
    txn_judge_init(&f, &plain, NOW, &v);
    CHECK_INT(v.next.epoch, TXN_EPOCH_LAST);
    f.epoch = TXN_EPOCH_LAST;
    txn_judge_init(&f, &in, NOW, &v);
    CHECK_INT(v.step, TXN_STEP_NEED_ID);
    in.new_id = 77;
    txn_judge_init(&f, &in, NOW, &v);
    CHECK_INT(v.next.producer_id, 77);
    CHECK_INT(v.next.prev_producer_id, ID);
    CHECK_INT(v.next.epoch, 0);
    f = v.next;
    in.new_id = -1; /* the same once more */
    txn_judge_init(&f, &in, NOW, &v);
    CHECK_INT(v.step, TXN_STEP_ANSWER);
    CHECK_INT(v.code, KERR_NONE);
    in = from(ID, 3);
    txn_judge_init(&f, &in, NOW, &v);
    CHECK_INT(v.code, KERR_PRODUCER_FENCED);
}

static void test_init_busy(void)
{
    struct txn_facts f = facts(TXN_PREPARE_COMMIT);
    struct txn_verdict v;
    txn_judge_init(&f, &plain, NOW, &v);
    CHECK_INT(v.code, KERR_CONCURRENT_TRANSACTIONS);
    f.state = TXN_PREPARE_ABORT;
    txn_judge_init(&f, &plain, NOW, &v);
    CHECK_INT(v.code, KERR_CONCURRENT_TRANSACTIONS);
    f = facts(TXN_ONGOING);
    struct txn_init in = from(ID, EPOCH - 1); /* who was shut out ends nobody's transaction */
    txn_judge_init(&f, &in, NOW, &v);
    CHECK_INT(v.code, KERR_PRODUCER_FENCED);
    txn_judge_init(&f, &plain, NOW, &v);
    CHECK_INT(v.step, TXN_STEP_FENCE);
    CHECK_INT(v.next.state, TXN_PREPARE_ABORT);
    CHECK_INT(v.next.epoch, EPOCH + 1);
    f = txn_completed(&v.next, NOW);
    CHECK_INT(f.state, TXN_COMPLETE_ABORT);
    CHECK_INT(f.marker_epoch, EPOCH + 1);
    CHECK_INT(f.marker_producer_id, ID);
    CHECK(!f.marker_commit);
    in = from(ID, EPOCH);
    in.fenced = true;
    in.fenced_from = EPOCH;
    txn_judge_init(&f, &in, NOW, &v);
    CHECK_INT(v.step, TXN_STEP_STORE);
    CHECK_INT(v.next.epoch, EPOCH + 2);
    CHECK_INT(v.next.last_epoch, EPOCH);
}

/* Fencing the last epoch uses the one that no producer gets, and a new id follows. */
static void test_fence_used_up(void)
{
    struct txn_facts f = facts(TXN_ONGOING);
    struct txn_verdict v;
    struct txn_init in = plain;
    f.epoch = TXN_EPOCH_LAST;
    txn_judge_init(&f, &in, NOW, &v);
    CHECK_INT(v.next.epoch, INT16_MAX);
    f = txn_completed(&v.next, NOW);
    txn_judge_add(&f, ID, INT16_MAX, NOW, &v);
    CHECK_INT(v.code, KERR_PRODUCER_FENCED);
    txn_judge_end(&f, &(struct txn_end){ID, INT16_MAX, false, true, -1}, NOW, &v);
    CHECK_INT(v.code, KERR_PRODUCER_FENCED);
    in.fenced = true;
    in.new_id = 8;
    txn_judge_init(&f, &in, NOW, &v);
    CHECK_INT(v.next.producer_id, 8);
    CHECK_INT(v.next.epoch, 0);
}

static void test_add(void)
{
    static const struct {
        enum txn_state state;
        int16_t code;
        bool begins;
    } rows[] = {{TXN_EMPTY, 0, true},
                {TXN_ONGOING, 0, false},
                {TXN_PREPARE_COMMIT, KERR_CONCURRENT_TRANSACTIONS, false},
                {TXN_PREPARE_ABORT, KERR_CONCURRENT_TRANSACTIONS, false},
                {TXN_COMPLETE_COMMIT, 0, true},
                {TXN_COMPLETE_ABORT, 0, true}};
    struct txn_verdict v;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct txn_facts f = facts(rows[i].state);
        txn_judge_add(&f, ID, EPOCH, NOW, &v);
        CHECK_INT(v.code, rows[i].code);
        CHECK_INT(v.begins, rows[i].begins);
        if (v.code == KERR_NONE) {
            CHECK_INT(v.step, TXN_STEP_STORE);
            CHECK_INT(v.next.state, TXN_ONGOING);
            CHECK_INT(v.next.start_ms, rows[i].begins ? NOW : 4500);
        }
        txn_judge_add(&f, ID + 1, EPOCH, NOW, &v);
        CHECK_INT(v.code, KERR_INVALID_PRODUCER_ID_MAPPING);
        txn_judge_add(&f, ID, EPOCH - 1, NOW, &v);
        CHECK_INT(v.code, KERR_PRODUCER_FENCED);
    }
    txn_judge_add(NULL, ID, EPOCH, NOW, &v);
    CHECK_INT(v.code, KERR_INVALID_PRODUCER_ID_MAPPING);
}

static void test_end_v1(void)
{
    static const struct {
        enum txn_state state;
        int16_t commit, abort;
    } rows[] = {{TXN_EMPTY, KERR_INVALID_TXN_STATE, KERR_INVALID_TXN_STATE},
                {TXN_PREPARE_COMMIT, KERR_CONCURRENT_TRANSACTIONS, KERR_INVALID_TXN_STATE},
                {TXN_PREPARE_ABORT, KERR_INVALID_TXN_STATE, KERR_CONCURRENT_TRANSACTIONS},
                {TXN_COMPLETE_COMMIT, KERR_NONE, KERR_INVALID_TXN_STATE},
                {TXN_COMPLETE_ABORT, KERR_INVALID_TXN_STATE, KERR_NONE}};
    struct txn_verdict v;
    for (int commit = 0; commit < 2; commit++) {
        struct txn_end in = {ID, EPOCH, commit, false, -1};
        struct txn_facts f = facts(TXN_ONGOING);
        txn_judge_end(&f, &in, NOW, &v);
        CHECK_INT(v.step, TXN_STEP_FINISH);
        CHECK_INT(v.next.state, commit ? TXN_PREPARE_COMMIT : TXN_PREPARE_ABORT);
        CHECK_INT(v.next.epoch, EPOCH); /* the producer goes on with it */
        for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
            f = facts(rows[i].state);
            txn_judge_end(&f, &in, NOW, &v);
            CHECK_INT(v.step, TXN_STEP_ANSWER);
            CHECK_INT(v.code, commit ? rows[i].commit : rows[i].abort);
        }
        in.producer_id++;
        txn_judge_end(&f, &in, NOW, &v);
        CHECK_INT(v.code, KERR_INVALID_PRODUCER_ID_MAPPING);
        in = (struct txn_end){ID, EPOCH - 1, commit, false, -1};
        txn_judge_end(&f, &in, NOW, &v); /* no second try in this version */
        CHECK_INT(v.code, KERR_PRODUCER_FENCED);
        txn_judge_end(NULL, &in, NOW, &v);
        CHECK_INT(v.code, KERR_INVALID_PRODUCER_ID_MAPPING);
    }
}

static void test_end_v2(void)
{
    struct txn_verdict v;
    for (int commit = 0; commit < 2; commit++) {
        struct txn_end in = {ID, EPOCH, commit, true, -1};
        struct txn_end other = {ID, EPOCH, !commit, true, -1};
        struct txn_facts f = facts(TXN_ONGOING);
        txn_judge_end(&f, &in, NOW, &v);
        CHECK_INT(v.step, TXN_STEP_FINISH);
        CHECK_INT(v.next.epoch, EPOCH + 1);
        f = v.next; /* prepared: the same once more has to wait */
        txn_judge_end(&f, &in, NOW, &v);
        CHECK_INT(v.code, KERR_CONCURRENT_TRANSACTIONS);
        txn_judge_end(&f, &other, NOW, &v);
        CHECK_INT(v.code, KERR_INVALID_TXN_STATE);
        f = txn_completed(&f, NOW);
        CHECK_INT(f.marker_commit, commit);
        txn_judge_end(&f, &in, NOW, &v); /* its answer was lost */
        CHECK_INT(v.step, TXN_STEP_ANSWER);
        CHECK_INT(v.code, KERR_NONE);
        CHECK_INT(v.next.epoch, EPOCH + 1);
        txn_judge_end(&f, &other, NOW, &v);
        CHECK_INT(v.code, KERR_INVALID_TXN_STATE);
        in.epoch = EPOCH - 1;
        txn_judge_end(&f, &in, NOW, &v);
        CHECK_INT(v.code, KERR_PRODUCER_FENCED);
        txn_judge_add(&f, ID, EPOCH, NOW, &v); /* late data of the ended transaction */
        CHECK_INT(v.code, KERR_PRODUCER_FENCED);
        txn_judge_add(&f, ID, EPOCH + 1, NOW, &v);
        f = v.next; /* the next transaction has begun: that second try is too late */
        in.epoch = EPOCH;
        txn_judge_end(&f, &in, NOW, &v);
        CHECK_INT(v.code, KERR_PRODUCER_FENCED);
    }
}

/* Abort without anything to abort raises the epoch; commit is an error. */
static void test_end_nothing(void)
{
    static const enum txn_state idle[] = {TXN_EMPTY, TXN_COMPLETE_COMMIT, TXN_COMPLETE_ABORT};
    for (size_t i = 0; i < ARRAY_LEN(idle); i++) {
        struct txn_facts f = facts(idle[i]);
        struct txn_verdict v;
        txn_judge_end(&f, &(struct txn_end){ID, EPOCH, true, true, -1}, NOW, &v);
        CHECK_INT(v.code, KERR_INVALID_TXN_STATE);
        txn_judge_end(&f, &(struct txn_end){ID, EPOCH, false, true, -1}, NOW, &v);
        CHECK_INT(v.step, TXN_STEP_FINISH);
        CHECK_INT(v.next.state, TXN_PREPARE_ABORT);
        CHECK_INT(v.next.epoch, EPOCH + 1);
    }
}

static void test_end_used_up(void)
{
    struct txn_facts f = facts(TXN_ONGOING);
    struct txn_verdict v;
    struct txn_end in = {ID, TXN_EPOCH_LAST, true, true, -1};
    f.epoch = TXN_EPOCH_LAST;
    txn_judge_end(&f, &in, NOW, &v);
    CHECK_INT(v.step, TXN_STEP_NEED_ID);
    in.new_id = 91;
    txn_judge_end(&f, &in, NOW, &v);
    CHECK_INT(v.step, TXN_STEP_FINISH);
    CHECK_INT(v.next.producer_id, ID); /* the markers are still the old one's */
    CHECK_INT(v.next.epoch, INT16_MAX);
    CHECK_INT(v.next.next_producer_id, 91);
    f = v.next;
    in.new_id = -1;
    txn_judge_end(&f, &in, NOW, &v);
    CHECK_INT(v.code, KERR_CONCURRENT_TRANSACTIONS);
    f = txn_completed(&f, NOW);
    CHECK_INT(f.producer_id, 91);
    CHECK_INT(f.epoch, 0);
    CHECK_INT(f.prev_producer_id, ID);
    CHECK_INT(f.next_producer_id, -1);
    txn_judge_end(&f, &in, NOW, &v); /* its answer was lost */
    CHECK_INT(v.step, TXN_STEP_ANSWER);
    CHECK_INT(v.code, KERR_NONE);
    in.epoch--;
    txn_judge_end(&f, &in, NOW, &v);
    CHECK_INT(v.code, KERR_INVALID_PRODUCER_ID_MAPPING);
}

static void test_time(void)
{
    struct txn_facts f = facts(TXN_ONGOING);
    struct txn_verdict v;
    txn_judge_time(&f, 5500, &v);
    CHECK_INT(v.step, TXN_STEP_ANSWER);
    txn_judge_time(&f, 5501, &v);
    CHECK_INT(v.step, TXN_STEP_FINISH);
    CHECK_INT(v.next.state, TXN_PREPARE_ABORT);
    CHECK_INT(v.next.epoch, EPOCH + 1);
    f.state = TXN_PREPARE_COMMIT;
    txn_judge_time(&f, 99999, &v);
    CHECK_INT(v.step, TXN_STEP_ANSWER);
}

static const struct test_case tests[] = {
    {"names of states", test_names},
    {"first InitProducerId", test_first_init},
    {"InitProducerId when idle", test_init_idle},
    {"InitProducerId after the last epoch", test_init_used_up},
    {"InitProducerId while a transaction is open", test_init_busy},
    {"fencing the last epoch", test_fence_used_up},
    {"adding", test_add},
    {"end, version 1", test_end_v1},
    {"end, version 2", test_end_v2},
    {"end of nothing", test_end_nothing},
    {"end after the last epoch", test_end_used_up},
    {"timeout", test_time},
    {NULL, NULL},
};
const struct test_suite test_txn = {"broker/txn/txn", tests, NULL, NULL};
