/* tests/unit/broker/txn/test_txn_coord.c - transactions over the wire, against a whole broker: codes of
 * each version, offsets within transactions, what survives a kill in each state. SPEC: broker 7.3,
 * 7.4, 8.2. */
#include "broker/txn/txn_coord.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "broker/admin.h"
#include "broker/broker_fixture.h"
#include "broker/log_helpers.h"
#include "broker/proto/batch.h"
#include "broker/proto/kerr.h"
#include "broker/proto/messages.h"
#include "helpers.h"

#define TX SL("tx")
enum { NO_ID = -1, TV1 = 10, TV2 = 12 }; /* versions of Produce */

static struct broker_fixture f;
static struct arena a;

static void start(const char *name, const char *const *options)
{
    arena_init(&a, 0, ARENA_NO_BUDGET);
    CU_ASSERT_FATAL(broker_fixture_start(&f, name, options));
    (void)!log_set_level("broker", LOG_L_OFF);
    struct error e;
    for (int i = 0; i < 2; i++) {
        struct broker_topic_spec spec = {
            .name = i ? SL("u") : SL("t"), .partitions = 2, .replication_factor = 1};
        enum err r = broker_topic_create(f.broker, &spec, &e);
        CHECK(r == E_OK || r == E_EXISTS);
    }
}

static void stop(void)
{
    broker_fixture_stop(&f);
    arena_release(&a);
}

/* The broker is killed (its directory copied as it is) and comes up again under another name. */
static void kill_and_start(const char *name, const char *const *options)
{
    char *to = xasprintf("%s/../%s", f.dir, name);
    copy_tree(f.dir, to);
    mem_free(to);
    stop();
    start(name, options);
}

/* --- calls ------------------------------------------------------------------------------------ */

struct who {
    int64_t id;
    int16_t epoch;
};

static int16_t init_as(struct who *w, int32_t timeout_ms, int64_t id, int16_t epoch,
                       int16_t version)
{
    struct init_producer_id_request in;
    struct init_producer_id_response out;
    init_producer_id_request_init(&in);
    in.transactional_id = TX;
    in.transaction_timeout_ms = timeout_ms;
    in.producer_id = id;
    in.producer_epoch = epoch;
    CHECK(broker_call(&f, KAPI_INIT_PRODUCER_ID, version, &in, &out, &a));
    *w = (struct who){out.producer_id, out.producer_epoch};
    return out.error_code;
}

static int16_t init(struct who *w)
{
    return init_as(w, 60000, NO_ID, -1, 4);
}

static int16_t add_part(struct who w, struct slice topic, int32_t partition, int16_t version)
{
    struct add_partitions_to_txn_request in;
    struct add_partitions_to_txn_response out;
    add_partitions_to_txn_request_init(&in);
    in.v3_and_below_transactional_id = TX;
    in.v3_and_below_producer_id = w.id;
    in.v3_and_below_producer_epoch = w.epoch;
    in.v3_and_below_topics_count = 1;
    in.v3_and_below_topics = add_partitions_to_txn_request_topic_array(&a, 1);
    in.v3_and_below_topics[0].name = topic;
    in.v3_and_below_topics[0].partitions_count = 1;
    in.v3_and_below_topics[0].partitions = &partition;
    CHECK(broker_call(&f, KAPI_ADD_PARTITIONS_TO_TXN, version, &in, &out, &a));
    return out.results_by_topic_v3_and_below[0].results_by_partition[0].partition_error_code;
}

static struct slice batch_of(struct batch_builder *b, struct who w, int32_t sequence)
{
    struct slice bytes;
    batch_builder_init(b, CODEC_NONE, CODEC_LEVEL_DEFAULT, 0);
    CHECK_OK(batch_builder_add(b, 1000, SLICE_NULL, SL("value"), NULL));
    batch_builder_producer(b, w.id, w.epoch, sequence, true);
    CHECK_OK(batch_builder_finish(b, &bytes));
    return bytes;
}

static int16_t produce_to(struct who w, struct slice topic, int32_t partition, int32_t sequence,
                          int16_t version)
{
    struct produce_request in;
    struct produce_response out;
    struct batch_builder b;
    produce_request_init(&in);
    in.transactional_id = TX;
    in.acks = -1;
    in.timeout_ms = 1000;
    in.topic_data_count = 1;
    in.topic_data = produce_request_topic_array(&a, 1);
    in.topic_data[0].name = topic;
    in.topic_data[0].partition_data_count = 1;
    in.topic_data[0].partition_data = produce_request_partition_array(&a, 1);
    in.topic_data[0].partition_data[0].index = partition;
    in.topic_data[0].partition_data[0].records = batch_of(&b, w, sequence);
    CHECK(broker_call(&f, KAPI_PRODUCE, version, &in, &out, &a));
    batch_builder_release(&b);
    return out.responses[0].partition_responses[0].error_code;
}

static int16_t produce(struct who w, int32_t sequence, int16_t version)
{
    return produce_to(w, SL("t"), 0, sequence, version);
}

static int16_t end_as(struct who w, bool commit, int16_t version, struct who *next)
{
    struct end_txn_request in;
    struct end_txn_response out;
    end_txn_request_init(&in);
    in.transactional_id = TX;
    in.producer_id = w.id;
    in.producer_epoch = w.epoch;
    in.committed = commit;
    CHECK(broker_call(&f, KAPI_END_TXN, version, &in, &out, &a));
    if (next)
        *next = (struct who){out.producer_id, out.producer_epoch};
    return out.error_code;
}

static int16_t end(struct who w, bool commit)
{
    return end_as(w, commit, 4, NULL);
}

static int16_t add_offsets(struct who w, int16_t version)
{
    struct add_offsets_to_txn_request in;
    struct add_offsets_to_txn_response out;
    add_offsets_to_txn_request_init(&in);
    in.transactional_id = TX;
    in.producer_id = w.id;
    in.producer_epoch = w.epoch;
    in.group_id = SL("g");
    CHECK(broker_call(&f, KAPI_ADD_OFFSETS_TO_TXN, version, &in, &out, &a));
    return out.error_code;
}

static int16_t commit_offset(struct who w, int64_t offset, int32_t generation, int16_t version)
{
    struct txn_offset_commit_request in;
    struct txn_offset_commit_response out;
    txn_offset_commit_request_init(&in);
    in.transactional_id = TX;
    in.group_id = SL("g");
    in.producer_id = w.id;
    in.producer_epoch = w.epoch;
    in.generation_id = generation;
    in.member_id = generation < 0 ? SL("") : SL("somebody");
    in.topics_count = 1;
    in.topics = txn_offset_commit_request_topic_array(&a, 1);
    in.topics[0].name = SL("t");
    in.topics[0].partitions_count = 1;
    in.topics[0].partitions = txn_offset_commit_request_partition_array(&a, 1);
    in.topics[0].partitions[0].committed_offset = offset;
    CHECK(broker_call(&f, KAPI_TXN_OFFSET_COMMIT, version, &in, &out, &a));
    return out.topics[0].partitions[0].error_code;
}

static int64_t committed(bool stable, int16_t *code)
{
    struct offset_fetch_request in;
    struct offset_fetch_response out;
    offset_fetch_request_init(&in);
    in.group_id = SL("g");
    in.require_stable = stable;
    in.topics_count = 1;
    in.topics = offset_fetch_request_topic_array(&a, 1);
    in.topics[0].name = SL("t");
    in.topics[0].partition_indexes_count = 1;
    in.topics[0].partition_indexes = arena_calloc(&a, 1, sizeof(int32_t));
    CHECK(broker_call(&f, KAPI_OFFSET_FETCH, 7, &in, &out, &a));
    if (code)
        *code = out.topics[0].partitions[0].error_code;
    return out.topics[0].partitions[0].committed_offset;
}

static void check_log(struct slice topic, int32_t partition, int64_t stable, int64_t log_end)
{
    struct broker_topic_info info;
    CHECK_OK(broker_topic(f.broker, topic, &a, &info, NULL));
    CHECK_INT(info.partitions[partition].last_stable_offset, stable);
    CHECK_INT(info.partitions[partition].end_offset, log_end);
}

static const struct broker_transaction *seen(void)
{
    struct broker_transaction *all;
    size_t n;
    CHECK_OK(broker_transactions(f.broker, &a, &all, &n, NULL));
    return n ? all : NULL;
}

static void wait_for(const char *state)
{
    for (int i = 0; i < 1000; i++) {
        const struct broker_transaction *t = seen();
        if (t ? slice_eq_c(t->state, state) : !strcmp(state, ""))
            return;
        usleep(10000);
    }
    CHECK(!"the transaction did not get there");
}

/* --- tests ------------------------------------------------------------------------------------ */

static void test_version_1(void)
{
    struct who w, other;
    start("txn-v1", NULL);
    CHECK_INT(init(&w), KERR_NONE);
    CHECK_INT(w.epoch, 0);
    CHECK_INT(produce(w, 0, 10), KERR_INVALID_TXN_STATE); /* not added */
    CHECK_INT(produce(w, 0, 11), KERR_TRANSACTION_ABORTABLE);
    CHECK_INT(add_part(w, SL("t"), 7, 3), KERR_UNKNOWN_TOPIC_OR_PARTITION);
    CHECK_INT(add_part(w, SL("t"), 0, 3), KERR_NONE);
    CHECK_INT(add_part(w, SL("t"), 0, 0), KERR_NONE);
    CHECK_INT(produce_to(w, SL("t"), 1, 0, TV1), KERR_INVALID_TXN_STATE);
    CHECK_INT(produce(w, 0, TV1), KERR_NONE);
    CHECK_INT(produce(w, 1, TV1), KERR_NONE);
    check_log(SL("t"), 0, 0, 2);
    CHECK_INT(end(w, true), KERR_NONE);
    check_log(SL("t"), 0, 3, 3);
    CHECK_INT(end(w, true), KERR_NONE); /* its answer was lost */
    CHECK_INT(end(w, false), KERR_INVALID_TXN_STATE);
    CHECK_INT(produce(w, 2, TV1), KERR_INVALID_TXN_STATE);
    CHECK_INT(produce(w, 1, TV1), KERR_NONE); /* a retry of what is there */
    CHECK_INT(add_part(w, SL("t"), 1, 1), KERR_NONE);
    CHECK_INT(end(w, false), KERR_NONE); /* a partition without data gets its marker as well */
    check_log(SL("t"), 1, 1, 1);
    other = (struct who){w.id, (int16_t)(w.epoch - 1)};
    CHECK_INT(add_part(other, SL("t"), 0, 1), KERR_INVALID_PRODUCER_EPOCH);
    CHECK_INT(add_part(other, SL("t"), 0, 2), KERR_PRODUCER_FENCED);
    CHECK_INT(end_as(other, true, 1, NULL), KERR_INVALID_PRODUCER_EPOCH);
    CHECK_INT(end_as(other, true, 2, NULL), KERR_PRODUCER_FENCED);
    CHECK_INT(add_offsets(other, 1), KERR_INVALID_PRODUCER_EPOCH);
    CHECK_INT(add_offsets(other, 2), KERR_PRODUCER_FENCED);
    other = (struct who){w.id + 1, w.epoch};
    CHECK_INT(add_part(other, SL("t"), 0, 3), KERR_INVALID_PRODUCER_ID_MAPPING);
    CHECK_INT(produce(other, 0, TV1), KERR_INVALID_PRODUCER_ID_MAPPING);
    CHECK_INT(end(other, true), KERR_INVALID_PRODUCER_ID_MAPPING);
    stop();
}

static void test_init_codes(void)
{
    struct who w, again;
    start("txn-init", NULL);
    CHECK_INT(init_as(&w, 0, NO_ID, -1, 4), KERR_INVALID_TRANSACTION_TIMEOUT);
    CHECK_INT(init_as(&w, 900001, NO_ID, -1, 4), KERR_INVALID_TRANSACTION_TIMEOUT);
    CHECK_INT(init_as(&w, 1000, 5, -1, 4), KERR_INVALID_REQUEST);
    CHECK(seen() == NULL);
    CHECK_INT(init(&w), KERR_NONE);
    CHECK_INT(init_as(&again, 1000, w.id, w.epoch, 4), KERR_NONE);
    CHECK_INT(again.epoch, w.epoch + 1);
    CHECK_INT(init_as(&again, 1000, w.id, w.epoch, 4), KERR_NONE); /* lost answer */
    CHECK_INT(again.epoch, w.epoch + 1);
    CHECK_INT(init_as(&again, 1000, w.id, 9, 4), KERR_PRODUCER_FENCED);
    CHECK_INT(init_as(&again, 1000, w.id, 9, 3), KERR_INVALID_PRODUCER_EPOCH);
    struct init_producer_id_request in;
    struct init_producer_id_response out;
    init_producer_id_request_init(&in);
    in.transactional_id = SL("");
    in.transaction_timeout_ms = 1000;
    CHECK(broker_call(&f, KAPI_INIT_PRODUCER_ID, 4, &in, &out, &a));
    CHECK_INT(out.error_code, KERR_INVALID_REQUEST);
    stop();
}

/* A new producer of the id ends the open transaction, at once, and shuts the old one out. */
static void test_fencing(void)
{
    struct who w, heir;
    start("txn-fence", NULL);
    CHECK_INT(init(&w), KERR_NONE);
    CHECK_INT(produce(w, 0, TV2), KERR_NONE);
    check_log(SL("t"), 0, 0, 1);
    CHECK_INT(init(&heir), KERR_NONE);
    CHECK_INT(heir.id, w.id);
    CHECK_INT(heir.epoch, w.epoch + 2); /* the markers have one of their own */
    check_log(SL("t"), 0, 2, 2);
    CHECK_INT(produce(w, 1, TV2), KERR_INVALID_PRODUCER_EPOCH);
    CHECK_INT(produce(w, 1, TV1), KERR_INVALID_PRODUCER_EPOCH);
    CHECK_INT(produce_to(w, SL("t"), 1, 0, TV2), KERR_INVALID_PRODUCER_EPOCH);
    CHECK_INT(end(w, true), KERR_PRODUCER_FENCED);
    CHECK_INT(produce(heir, 0, TV2), KERR_NONE);
    CHECK_INT(end(heir, true), KERR_NONE);
    stop();
}

static void version_2(const char *name, const char *const *options)
{
    struct who w, next, again;
    start(name, options);
    CHECK_INT(init(&w), KERR_NONE);
    CHECK_INT(end_as(w, true, 5, &next), KERR_INVALID_TXN_STATE);
    CHECK_INT(end_as(w, false, 5, &next), KERR_NONE); /* of nothing: the epoch goes up */
    CHECK_INT(next.epoch, w.epoch + 1);
    w = next;
    CHECK_INT(produce(w, 0, TV2), KERR_NONE); /* joins by being written to */
    CHECK_INT(produce_to(w, SL("u"), 1, 0, TV2), KERR_NONE);
    CHECK_INT(seen()->partition_count, 2);
    CHECK_INT(end_as(w, true, 5, &next), KERR_NONE);
    CHECK_INT(next.id, w.id);
    CHECK_INT(next.epoch, w.epoch + 1);
    check_log(SL("t"), 0, 2, 2);
    check_log(SL("u"), 1, 2, 2);
    CHECK_INT(end_as(w, true, 5, &again), KERR_NONE); /* lost answer */
    CHECK_INT(again.epoch, next.epoch);
    CHECK_INT(end_as(w, false, 5, NULL), KERR_INVALID_TXN_STATE);
    CHECK_INT(produce(w, 1, TV2), KERR_INVALID_PRODUCER_EPOCH); /* late data */
    CHECK_INT(produce_to(w, SL("u"), 0, 0, TV2), KERR_INVALID_PRODUCER_EPOCH);
    CHECK_INT(produce(next, 1, TV2), KERR_OUT_OF_ORDER_SEQUENCE_NUMBER);
    CHECK_INT(produce(next, 0, TV2), KERR_NONE); /* sequences begin again */
    CHECK_INT(end_as(next, false, 5, &again), KERR_NONE);
    CHECK_INT(add_part(again, SL("t"), 0, 3), KERR_NONE); /* an older client takes over */
    CHECK_INT(produce(again, 0, TV1), KERR_NONE);
    CHECK_INT(end(again, true), KERR_NONE);
    stop();
}

static void test_version_2(void)
{
    version_2("txn-v2", NULL);
}

/* Markers are durable before an end is complete. */
static void test_sync(void)
{
    static const char *const options[] = {"durability", "sync", NULL};
    version_2("txn-sync", options);
}

static void test_offsets(void)
{
    struct who w;
    int16_t code;
    start("txn-offsets", NULL);
    CHECK_INT(init(&w), KERR_NONE);
    CHECK_INT(commit_offset(w, 5, -1, 4), KERR_INVALID_TXN_STATE); /* AddOffsetsToTxn first */
    CHECK_INT(add_offsets(w, 3), KERR_NONE);
    CHECK_INT(commit_offset(w, 5, 3, 4), KERR_ILLEGAL_GENERATION);
    CHECK_INT(commit_offset(w, 5, -1, 4), KERR_NONE);
    CHECK_INT(committed(false, NULL), -1);
    CHECK_INT(committed(true, &code), -1);
    CHECK_INT(code, KERR_UNSTABLE_OFFSET_COMMIT);
    kill_and_start("txn-offsets2", NULL);
    CHECK_INT(committed(true, &code), -1);
    CHECK_INT(code, KERR_UNSTABLE_OFFSET_COMMIT);
    CHECK_INT(seen()->group_count, 1);
    CHECK_INT(end(w, true), KERR_NONE);
    CHECK_INT(committed(true, &code), 5);
    CHECK_INT(code, KERR_NONE);
    kill_and_start("txn-offsets3", NULL);
    CHECK_INT(committed(true, &code), 5);
    CHECK_INT(commit_offset(w, 9, -1, 5), KERR_NONE); /* TV2: the group joins by itself */
    CHECK_INT(end_as(w, false, 5, &w), KERR_NONE);
    CHECK_INT(committed(true, &code), 5);
    CHECK_INT(code, KERR_NONE);
    CHECK_INT(commit_offset(w, 9, -1, 5), KERR_NONE);
    usleep(5000); /* a plain commit that comes later wins */
    struct broker_group_offset plain = {.topic = SL("t"), .offset = 7, .leader_epoch = -1};
    CHECK_OK(broker_group_commit(f.broker, SL("g"), &plain, 1, NULL));
    CHECK_INT(end_as(w, true, 5, &w), KERR_NONE);
    CHECK_INT(committed(true, NULL), 7);
    kill_and_start("txn-offsets4", NULL);
    CHECK_INT(committed(true, NULL), 7);
    stop();
}

/* Killed with an open transaction: it goes on; killed in a Prepare state: it is ended. */
static void test_kill(void)
{
    static const char *const prepared[] = {
        "UPDATE txn SET state = 2", /* commit */
        "UPDATE txn SET state = 3, epoch = epoch + 1",
    };
    for (int i = 0; i < 2; i++) {
        char name[3][24];
        struct who w;
        for (int k = 0; k < 3; k++)
            snprintf(name[k], sizeof name[k], "txn-kill%d%d", i, k);
        start(name[0], NULL);
        CHECK_INT(init(&w), KERR_NONE);
        CHECK_INT(produce(w, 0, TV2), KERR_NONE);
        CHECK_INT(commit_offset(w, 5, -1, 5), KERR_NONE);
        kill_and_start(name[1], NULL);
        CHECK_INT(produce(w, 1, TV2), KERR_NONE);
        check_log(SL("t"), 0, 0, 2);
        wait_for("Ongoing");
        char *path = xasprintf("%s/weir.db", f.dir);
        stop();
        sqlite3 *db;
        CHECK_INT(sqlite3_open(path, &db), SQLITE_OK);
        CHECK_INT(sqlite3_exec(db, prepared[i], NULL, NULL, NULL), SQLITE_OK);
        sqlite3_close(db);
        mem_free(path);
        start(name[1], NULL);
        wait_for(i ? "CompleteAbort" : "CompleteCommit");
        check_log(SL("t"), 0, 3, 3);
        CHECK_INT(committed(true, NULL), i ? -1 : 5);
        stop();
    }
}

/* Complete is stored, the markers are not there (a power cut may do that): they are written again. */
static void test_lost_markers(void)
{
    struct who w;
    start("txn-lost", NULL);
    CHECK_INT(init(&w), KERR_NONE);
    CHECK_INT(produce(w, 0, TV2), KERR_NONE);
    char *log = xasprintf("%s/logs/t-0/00000000000000000000.log", f.dir);
    char *copy = xasprintf("cp '%s' '%s.before'", log, log);
    char *back = xasprintf("cd '%s/logs/t-0' && mv *.before 00000000000000000000.log && rm -f "
                           "../.kafka_cleanshutdown ../t-0/*index ../*checkpoint *.snapshot",
                           f.dir);
    CHECK_INT(system(copy), 0);
    CHECK_INT(end_as(w, true, 5, &w), KERR_NONE);
    check_log(SL("t"), 0, 2, 2);
    stop();
    CHECK_INT(system(back), 0);
    start("txn-lost", NULL);
    for (int i = 0; i < 500; i++) {
        struct broker_topic_info info;
        CHECK_OK(broker_topic(f.broker, SL("t"), &a, &info, NULL));
        if (info.partitions[0].last_stable_offset == 2)
            break;
        usleep(10000);
    }
    check_log(SL("t"), 0, 2, 2);
    CHECK_INT(produce(w, 0, TV2), KERR_NONE); /* and its producer goes on */
    stop();
    mem_free(log);
    mem_free(copy);
    mem_free(back);
}

/* The disk is full when the marker is to be written: the outcome is decided all the same. */
static void test_marker_fault(void)
{
    struct fs_faults faults = {.fail_write_at = 1, .fail_errno = ENOSPC};
    struct broker_topic_info info;
    struct who w, next;
    int64_t begin = 0;
    start("txn-fault", NULL);
    CHECK_INT(init(&next), KERR_NONE);
    for (int i = 0; i < 50; i++) { /* until it hits the marker, and not a checkpoint */
        w = next;
        CHECK_INT(produce(w, 0, TV2), KERR_NONE);
        fs_fault_set(&faults);
        CHECK_INT(end_as(w, true, 5, &next), KERR_NONE);
        fs_fault_set(NULL);
        CHECK_INT(next.epoch, w.epoch + 1);
        CHECK_OK(broker_topic(f.broker, SL("t"), &a, &info, NULL));
        if (info.partitions[0].last_stable_offset == begin)
            break;
        begin = info.partitions[0].end_offset;
    }
    check_log(SL("t"), 0, begin, begin + 1);
    CHECK_INT(produce(next, 0, TV2), KERR_INVALID_TXN_STATE); /* the old one is still open there */
    CHECK_INT(end_as(w, true, 5, NULL), KERR_CONCURRENT_TRANSACTIONS);
    struct who other;
    CHECK_INT(init(&other), KERR_CONCURRENT_TRANSACTIONS);
    wait_for("CompleteCommit");
    check_log(SL("t"), 0, begin + 2, begin + 2);
    CHECK_INT(produce(next, 0, TV2), KERR_NONE);
    stop();
}

static void test_timeout_and_expiry(void)
{
    static const char *const options[] = {
        "transaction.abort.timed.out.transaction.cleanup.interval.ms",
        "20",
        "transactional.id.expiration.ms",
        "300",
        "transaction.remove.expired.transaction.cleanup.interval.ms",
        "20",
        NULL};
    struct who w;
    start("txn-time", options);
    CHECK_INT(init_as(&w, 50, NO_ID, -1, 4), KERR_NONE);
    CHECK_INT(produce(w, 0, TV2), KERR_NONE);
    wait_for("CompleteAbort");
    check_log(SL("t"), 0, 2, 2);
    CHECK_INT(produce(w, 1, TV2), KERR_INVALID_PRODUCER_EPOCH);
    wait_for(""); /* expired */
    CHECK_INT(end(w, true), KERR_INVALID_PRODUCER_ID_MAPPING);
    stop();
    start("txn-time", NULL);
    CHECK(seen() == NULL);
    CHECK_INT(init(&w), KERR_NONE);
    CHECK_INT(w.epoch, 0);
    stop();
}

/* The epochs of a producer id are used up: a new id follows, and the client is told. */
static void test_used_up(void)
{
    struct who w, next, again;
    start("txn-used", NULL);
    CHECK_INT(init(&w), KERR_NONE);
    char *path = xasprintf("%s/weir.db", f.dir);
    stop();
    sqlite3 *db;
    CHECK_INT(sqlite3_open(path, &db), SQLITE_OK);
    CHECK_INT(sqlite3_exec(db, "UPDATE txn SET epoch = 32766", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    mem_free(path);
    start("txn-used", NULL);
    w.epoch = 32766;
    CHECK_INT(produce(w, 0, TV2), KERR_NONE);
    CHECK_INT(end_as(w, true, 5, &next), KERR_NONE);
    CHECK(next.id != w.id);
    CHECK_INT(next.epoch, 0);
    CHECK_INT(end_as(w, true, 5, &again), KERR_NONE);
    CHECK_INT(again.id, next.id);
    check_log(SL("t"), 0, 2, 2);
    CHECK_INT(produce(next, 0, TV2), KERR_NONE);
    CHECK_INT(end_as(next, true, 5, &next), KERR_NONE);
    CHECK_INT(next.epoch, 1);
    stop();
}

static void test_deleted_topic(void)
{
    struct who w;
    struct broker_topic_spec spec = {.name = SL("u"), .partitions = 2, .replication_factor = 1};
    start("txn-delete", NULL);
    CHECK_INT(init(&w), KERR_NONE);
    CHECK_INT(produce(w, 0, TV2), KERR_NONE);
    CHECK_INT(produce_to(w, SL("u"), 0, 0, TV2), KERR_NONE);
    CHECK_OK(broker_topic_delete(f.broker, SL("u"), NULL));
    CHECK_OK(broker_topic_create(f.broker, &spec, NULL));
    CHECK_INT(seen()->partition_count, 1);
    kill_and_start("txn-delete2", NULL);
    CHECK_INT(seen()->partition_count, 1);
    CHECK_INT(end_as(w, true, 5, &w), KERR_NONE);
    check_log(SL("t"), 0, 2, 2);
    check_log(SL("u"), 0, 0, 0);
    stop();
}

static void test_mixed_batches(void)
{
    struct produce_request in;
    struct produce_response out;
    struct batch_builder b[2];
    struct who w;
    start("txn-mixed", NULL);
    CHECK_INT(init(&w), KERR_NONE);
    for (int i = 0; i < 2; i++) { /* two producers in a request; then none named */
        produce_request_init(&in);
        in.transactional_id = i ? SLICE_NULL : TX;
        in.acks = -1;
        in.topic_data_count = 1;
        in.topic_data = produce_request_topic_array(&a, 1);
        in.topic_data[0].name = SL("t");
        in.topic_data[0].partition_data_count = 2;
        in.topic_data[0].partition_data = produce_request_partition_array(&a, 2);
        for (int p = 0; p < 2; p++) {
            struct who of = {w.id + (i ? 0 : p), w.epoch};
            in.topic_data[0].partition_data[p].index = p;
            in.topic_data[0].partition_data[p].records = batch_of(&b[p], of, 0);
        }
        CHECK(broker_call(&f, KAPI_PRODUCE, 11, &in, &out, &a));
        for (int p = 0; p < 2; p++) {
            CHECK_INT(out.responses[0].partition_responses[p].error_code,
                      i ? KERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED
                        : KERR_INVALID_PRODUCER_ID_MAPPING);
            batch_builder_release(&b[p]);
        }
    }
    check_log(SL("t"), 0, 0, 0);
    stop();
}

/* --- views ------------------------------------------------------------------------------------ */

static int32_t listed(const char *state, int64_t id, int64_t duration, const char *pattern,
                      int16_t *code, int32_t *unknown)
{
    struct list_transactions_request in;
    struct list_transactions_response out;
    struct slice filter = slice_cstr(state);
    list_transactions_request_init(&in);
    in.state_filters_count = state != NULL;
    in.state_filters = &filter;
    in.producer_id_filters_count = id >= 0;
    in.producer_id_filters = &id;
    in.duration_filter = duration;
    in.transactional_id_pattern = slice_cstr(pattern);
    CHECK(broker_call(&f, KAPI_LIST_TRANSACTIONS, 2, &in, &out, &a));
    if (code)
        *code = out.error_code;
    if (unknown)
        *unknown = out.unknown_state_filters_count;
    return out.transaction_states_count;
}

static void test_views(void)
{
    struct who w;
    int16_t code;
    int32_t unknown;
    struct describe_transactions_request in;
    struct describe_transactions_response out;
    struct slice ids[] = {TX, SL("nobody"), SL("")};
    start("txn-views", NULL);
    CHECK_INT(init(&w), KERR_NONE);
    CHECK_INT(listed(NULL, -1, 0, NULL, NULL, NULL), 0); /* nothing runs */
    CHECK_INT(produce(w, 0, TV2), KERR_NONE);
    CHECK_INT(produce_to(w, SL("u"), 1, 0, TV2), KERR_NONE);
    CHECK_INT(produce_to(w, SL("t"), 1, 0, TV2), KERR_NONE);
    describe_transactions_request_init(&in);
    in.transactional_ids_count = 3;
    in.transactional_ids = ids;
    CHECK(broker_call(&f, KAPI_DESCRIBE_TRANSACTIONS, 0, &in, &out, &a));
    const struct describe_transactions_response_transaction *t = &out.transaction_states[0];
    CHECK_INT(t->error_code, KERR_NONE);
    CHECK_SLICE(t->transaction_state, SL("Ongoing"));
    CHECK_INT(t->producer_id, w.id);
    CHECK_INT(t->transaction_timeout_ms, 60000);
    CHECK(t->transaction_start_time_ms > 0);
    CHECK_INT(t->topics_count, 2);
    CHECK_SLICE(t->topics[0].topic, SL("t"));
    CHECK_INT(t->topics[0].partitions_count, 2);
    CHECK_INT(t->topics[1].partitions[0], 1);
    CHECK_INT(out.transaction_states[1].error_code, KERR_TRANSACTIONAL_ID_NOT_FOUND);
    CHECK_INT(out.transaction_states[2].error_code, KERR_INVALID_REQUEST);
    CHECK_INT(listed(NULL, -1, -1, NULL, NULL, NULL), 1);
    CHECK_INT(listed("Ongoing", w.id, 0, "t.", NULL, NULL), 1);
    CHECK_INT(listed("Empty", -1, -1, NULL, NULL, NULL), 0);
    CHECK_INT(listed(NULL, w.id + 1, -1, NULL, NULL, NULL), 0);
    CHECK_INT(listed(NULL, -1, 600000, NULL, NULL, NULL), 0);
    CHECK_INT(listed(NULL, -1, -1, "x", NULL, NULL), 0); /* of the whole id */
    CHECK_INT(listed("Sleeping", -1, -1, NULL, NULL, &unknown), 0);
    CHECK_INT(unknown, 1);
    CHECK_INT(listed(NULL, -1, -1, "(", &code, NULL), 0);
    CHECK_INT(code, KERR_INVALID_REGULAR_EXPRESSION);
    struct broker_active_producer *p;
    size_t n;
    CHECK_OK(broker_partition_producers(f.broker, SL("t"), 0, &a, &p, &n, NULL));
    CHECK_INT(n, 1);
    CHECK_INT(p[0].id, w.id);
    CHECK_INT(p[0].txn_first_offset, 0);
    CHECK_ERR(broker_partition_producers(f.broker, SL("t"), 9, &a, &p, &n, NULL), E_NOT_FOUND);
    stop();
}

static int16_t write_marker(struct who w, bool commit, int32_t coordinator_epoch)
{
    struct write_txn_markers_request in;
    struct write_txn_markers_response out;
    int32_t partitions[] = {0, 9};
    write_txn_markers_request_init(&in);
    in.markers_count = 1;
    in.markers = write_txn_markers_request_marker_array(&a, 1);
    in.markers[0].producer_id = w.id;
    in.markers[0].producer_epoch = w.epoch;
    in.markers[0].transaction_result = commit;
    in.markers[0].coordinator_epoch = coordinator_epoch;
    in.markers[0].topics_count = 1;
    in.markers[0].topics = write_txn_markers_request_topic_array(&a, 1);
    in.markers[0].topics[0].name = SL("t");
    in.markers[0].topics[0].partition_indexes_count = 2;
    in.markers[0].topics[0].partition_indexes = partitions;
    CHECK(broker_call(&f, KAPI_WRITE_TXN_MARKERS, 1, &in, &out, &a));
    CHECK_INT(out.markers[0].topics[0].partitions[1].error_code, KERR_UNKNOWN_TOPIC_OR_PARTITION);
    return out.markers[0].topics[0].partitions[0].error_code;
}

static void test_markers_by_force(void)
{
    struct who w;
    start("txn-force", NULL);
    CHECK_INT(init(&w), KERR_NONE);
    CHECK_INT(init(&w), KERR_NONE);
    CHECK_INT(produce(w, 0, TV2), KERR_NONE);
    struct who old = {w.id, (int16_t)(w.epoch - 1)};
    CHECK_INT(write_marker(old, false, 0), KERR_INVALID_PRODUCER_EPOCH);
    check_log(SL("t"), 0, 0, 1);
    CHECK_INT(write_marker(w, false, 0), KERR_NONE);
    check_log(SL("t"), 0, 2, 2);
    stop();
}

static const struct test_case tests[] = {
    {"version 1", test_version_1},
    {"version 2", test_version_2},
    {"durability=sync", test_sync},
    {"codes of InitProducerId", test_init_codes},
    {"fencing", test_fencing},
    {"offsets", test_offsets},
    {"kill", test_kill},
    {"lost markers", test_lost_markers},
    {"a full disk", test_marker_fault},
    {"timeout and expiry", test_timeout_and_expiry},
    {"the last epoch", test_used_up},
    {"deleted topic", test_deleted_topic},
    {"mixed batches", test_mixed_batches},
    {"views", test_views},
    {"markers by force", test_markers_by_force},
    {NULL, NULL},
};
const struct test_suite test_txn_coord = {"broker/txn/txn_coord", tests, NULL, NULL};
