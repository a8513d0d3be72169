/* tests/unit/broker/api/test_api_versions.c - what clients of all times do with topics, records,
 * offsets and configurations, in every version that is advertised: each does its work, and its answer
 * says so in the form of its time. SPEC: broker 2.1, 2.2, 3.6 */
#include "broker/api/api.h"

#include "base/base.h"
#include "base/clock.h"
#include "broker/admin.h"
#include "broker/broker_fixture.h"
#include "broker/proto/batch.h"
#include "broker/proto/legacy.h"
#include "helpers.h"

static struct broker_fixture f;
static struct arena a;
static struct uuid id; /* of the topic "t" */
static int64_t end;    /* of its partition 0 */

static int setup(void)
{
    struct error e;
    struct broker_topic_info info;
    const struct broker_topic_spec spec = {
        .name = SL("t"), .partitions = 1, .replication_factor = 1};
    arena_init(&a, 0, ARENA_NO_BUDGET);
    if (!broker_fixture_start(&f, "api-versions", NULL) ||
        broker_topic_create(f.broker, &spec, &e) != E_OK ||
        broker_topic(f.broker, SL("t"), &a, &info, &e) != E_OK)
        return 1;
    id = info.id;
    return 0;
}

static int teardown(void)
{
    broker_fixture_stop(&f);
    arena_release(&a);
    return 0;
}

/* Every version of an API, oldest first. */
#define EACH_VERSION(key, v)                                                                       \
    for (int16_t v = msg_api(key)->min, max_##v = msg_api(key)->max; v <= max_##v; v++)

static void call(int16_t key, int16_t v, const void *in, void *out)
{
    bool ok = broker_call(&f, key, v, in, out, &a);
    if (!ok)
        printf("    %s v%d has no answer\n", msg_api(key)->name, v);
    CHECK(ok);
}

/* One record "k" -> "v" as a client of the version sends it. */
static struct slice records(int16_t v, enum codec codec)
{
    struct batch_builder b;
    struct strbuf old = STRBUF_INIT;
    struct slice batch;
    batch_builder_init(&b, codec, CODEC_LEVEL_DEFAULT, 0);
    for (int i = 0; i < 3; i++)
        CHECK_OK(batch_builder_add(&b, clock_wall_ms(), SL("key"), SL("value value value"), NULL));
    CHECK_OK(batch_builder_finish(&b, &batch));
    if (v < 3)
        CHECK_OK(legacy_from_batch(batch, v < 2 ? 0 : 1, 0, 0, &old));
    struct slice out = arena_dup(&a, v < 3 ? strbuf_slice(&old) : batch);
    strbuf_release(&old);
    batch_builder_release(&b);
    return out;
}

static void produce(int16_t v, enum codec codec)
{
    struct produce_request in;
    struct produce_response out;
    produce_request_init(&in);
    in.acks = -1;
    in.timeout_ms = 1000;
    in.topic_data_count = 1;
    in.topic_data = produce_request_topic_array(&a, 1);
    in.topic_data[0].name = SL("t");
    in.topic_data[0].topic_id = id;
    in.topic_data[0].partition_data_count = 1;
    in.topic_data[0].partition_data = produce_request_partition_array(&a, 1);
    in.topic_data[0].partition_data[0].records = records(v, codec);
    call(KAPI_PRODUCE, v, &in, &out);
    CHECK_INT(out.responses_count, 1);
    CHECK_INT(out.responses[0].partition_responses[0].error_code, KERR_NONE);
    CHECK_INT(out.responses[0].partition_responses[0].base_offset, end);
    end += 3;
}

/* Messages or records of a fetch at the version, and whether all are of the magic of its time. */
static int fetched(int16_t v, int64_t offset, int64_t *last)
{
    struct fetch_request in;
    struct fetch_response out;
    fetch_request_init(&in);
    in.min_bytes = 1;
    in.max_bytes = 1 << 20;
    in.session_epoch = -1;
    in.topics_count = 1;
    in.topics = fetch_request_topic_array(&a, 1);
    in.topics[0].topic = SL("t");
    in.topics[0].topic_id = id;
    in.topics[0].partitions_count = 1;
    in.topics[0].partitions = fetch_request_partition_array(&a, 1);
    in.topics[0].partitions[0].fetch_offset = offset;
    in.topics[0].partitions[0].partition_max_bytes = 1 << 20;
    call(KAPI_FETCH, v, &in, &out);
    CHECK_INT(out.responses_count, 1);
    CHECK_INT(out.responses[0].partitions[0].error_code, KERR_NONE);
    CHECK_INT(out.responses[0].partitions[0].high_watermark, end);
    struct slice set = out.responses[0].partitions[0].records;
    int count = 0;
    if (v < 4) {
        struct legacy_iter it;
        struct legacy_message m;
        for (legacy_iter_init(&it, set, 0); legacy_iter_next(&it, &m); count++) {
            CHECK_INT(m.magic, v < 2 ? 0 : 1);
            CHECK(m.offset >= offset);
            *last = m.offset;
        }
        CHECK_OK(it.err);
        legacy_iter_release(&it);
        return count;
    }
    for (struct slice batch; batch_split(&set, &batch);) {
        CHECK_OK(batch_check(batch));
        count += batch_count(batch.p);
        *last = batch_last_offset(batch.p);
    }
    return count;
}

static void test_records(void)
{
    static const enum codec codecs[] = {CODEC_NONE, CODEC_GZIP, CODEC_SNAPPY, CODEC_LZ4};
    EACH_VERSION(KAPI_PRODUCE, v)
    produce(v, codecs[v % 4]);
    for (int16_t v = 0; v < 3; v++)
        for (size_t i = 0; i < ARRAY_LEN(codecs); i++)
            produce(v, codecs[i]);
    EACH_VERSION(KAPI_FETCH, w)
    {
        int64_t last = -1;
        CHECK_INT(fetched(w, 0, &last), end);
        CHECK_INT(last, end - 1);
        CHECK_INT(fetched(w, end, &last), 0);
    }
}

static void test_markers_are_hidden(void)
{
    struct init_producer_id_request init;
    struct init_producer_id_response producer;
    struct add_partitions_to_txn_request add;
    struct add_partitions_to_txn_response added;
    struct end_txn_request commit;
    struct end_txn_response committed;
    struct produce_request in;
    struct produce_response out;
    struct batch_builder b;
    struct slice batch;
    int64_t before = end, last;
    init_producer_id_request_init(&init);
    init.transactional_id = SL("x");
    init.transaction_timeout_ms = 60000;
    call(KAPI_INIT_PRODUCER_ID, 1, &init, &producer);
    CHECK_INT(producer.error_code, KERR_NONE);
    add_partitions_to_txn_request_init(&add);
    add.v3_and_below_transactional_id = SL("x");
    add.v3_and_below_producer_id = producer.producer_id;
    add.v3_and_below_producer_epoch = producer.producer_epoch;
    add.v3_and_below_topics_count = 1;
    add.v3_and_below_topics = add_partitions_to_txn_request_topic_array(&a, 1);
    add.v3_and_below_topics[0].name = SL("t");
    add.v3_and_below_topics[0].partitions = (int32_t[]){0};
    add.v3_and_below_topics[0].partitions_count = 1;
    call(KAPI_ADD_PARTITIONS_TO_TXN, 1, &add, &added);
    batch_builder_init(&b, CODEC_NONE, CODEC_LEVEL_DEFAULT, 0);
    batch_builder_producer(&b, producer.producer_id, producer.producer_epoch, 0, true);
    CHECK_OK(batch_builder_add(&b, clock_wall_ms(), SL("k"), SL("v"), NULL));
    CHECK_OK(batch_builder_finish(&b, &batch));
    produce_request_init(&in);
    in.transactional_id = SL("x");
    in.acks = -1;
    in.timeout_ms = 1000;
    in.topic_data_count = 1;
    in.topic_data = produce_request_topic_array(&a, 1);
    in.topic_data[0].name = SL("t");
    in.topic_data[0].partition_data_count = 1;
    in.topic_data[0].partition_data = produce_request_partition_array(&a, 1);
    in.topic_data[0].partition_data[0].records = batch;
    call(KAPI_PRODUCE, 7, &in, &out);
    CHECK_INT(out.responses[0].partition_responses[0].error_code, KERR_NONE);
    batch_builder_release(&b);
    end_txn_request_init(&commit);
    commit.transactional_id = SL("x");
    commit.producer_id = producer.producer_id;
    commit.producer_epoch = producer.producer_epoch;
    commit.committed = true;
    call(KAPI_END_TXN, 1, &commit, &committed);
    CHECK_INT(committed.error_code, KERR_NONE);
    end += 2; /* the record, the marker */
    produce(0, CODEC_NONE);
    EACH_VERSION(KAPI_FETCH, v)
    CHECK_INT(fetched(v, before, &last), v < 4 ? 4 : 5);
}

static void test_offsets(void)
{
    EACH_VERSION(KAPI_LIST_OFFSETS, v)
    {
        struct list_offsets_request in;
        struct list_offsets_response out;
        list_offsets_request_init(&in);
        in.replica_id = -1;
        in.topics_count = 1;
        in.topics = list_offsets_request_topic_array(&a, 1);
        in.topics[0].name = SL("t");
        in.topics[0].partitions_count = 1;
        in.topics[0].partitions = list_offsets_request_partition_array(&a, 1);
        in.topics[0].partitions[0].timestamp = -1;
        in.topics[0].partitions[0].max_num_offsets = 1;
        call(KAPI_LIST_OFFSETS, v, &in, &out);
        const struct list_offsets_response_partition *p = &out.topics[0].partitions[0];
        CHECK_INT(p->error_code, KERR_NONE);
        CHECK_INT(v == 0 ? p->old_style_offsets[0] : p->offset, end);
    }
    EACH_VERSION(KAPI_OFFSET_COMMIT, v)
    {
        struct offset_commit_request in;
        struct offset_commit_response out;
        offset_commit_request_init(&in);
        in.group_id = SL("g");
        in.topics_count = 1;
        in.topics = offset_commit_request_topic_array(&a, 1);
        in.topics[0].name = SL("t");
        in.topics[0].partitions_count = 1;
        in.topics[0].partitions = offset_commit_request_partition_array(&a, 1);
        in.topics[0].partitions[0].committed_offset = v;
        in.topics[0].partitions[0].committed_metadata = SL("m");
        call(KAPI_OFFSET_COMMIT, v, &in, &out);
        CHECK_INT(out.topics[0].partitions[0].error_code, KERR_NONE);
    }
    EACH_VERSION(KAPI_OFFSET_FETCH, v)
    {
        struct offset_fetch_request in;
        struct offset_fetch_response out;
        offset_fetch_request_init(&in);
        struct offset_fetch_request_topic *t = offset_fetch_request_topic_array(&a, 1);
        int32_t zero = 0;
        t->name = SL("t");
        t->partition_indexes = &zero;
        t->partition_indexes_count = 1;
        in.group_id = SL("g");
        in.topics = t;
        in.topics_count = 1;
        in.groups = offset_fetch_request_group_array(&a, 1);
        in.groups_count = 1;
        in.groups[0].group_id = SL("g");
        in.groups[0].topics = t;
        in.groups[0].topics_count = 1;
        call(KAPI_OFFSET_FETCH, v, &in, &out);
        const struct offset_fetch_response_topic *got = v < 8 ? out.topics : out.groups[0].topics;
        CHECK_INT(got->partitions[0].committed_offset, msg_api(KAPI_OFFSET_COMMIT)->max);
        CHECK_SLICE(got->partitions[0].metadata, SL("m"));
    }
}

static void test_topics(void)
{
    EACH_VERSION(KAPI_CREATE_TOPICS, v)
    {
        struct create_topics_request in;
        struct create_topics_response out;
        create_topics_request_init(&in);
        in.topics_count = 1;
        in.topics = create_topics_request_topic_array(&a, 1);
        in.topics[0].name = slice_cstr(arena_printf(&a, "made-%d", v));
        in.topics[0].num_partitions = 2;
        in.topics[0].replication_factor = 1;
        call(KAPI_CREATE_TOPICS, v, &in, &out);
        CHECK_INT(out.topics[0].error_code, KERR_NONE);
        CHECK_SLICE(out.topics[0].name, in.topics[0].name);
        CHECK(v < 5 || (out.topics[0].num_partitions == 2 && out.topics[0].configs_count > 20));
        CHECK(v < 7 || !uuid_is_zero(&out.topics[0].topic_id));
    }
    EACH_VERSION(KAPI_METADATA, v)
    {
        struct metadata_request in;
        struct metadata_response out;
        metadata_request_init(&in);
        in.topics_count = 1;
        in.topics = metadata_request_topic_array(&a, 1);
        in.topics[0].name = v < 12 ? SL("t") : SLICE_NULL;
        in.topics[0].topic_id = v < 12 ? (struct uuid){0} : id;
        call(KAPI_METADATA, v, &in, &out);
        CHECK_INT(out.brokers_count, 1);
        CHECK_INT(out.topics_count, 1);
        CHECK_INT(out.topics[0].error_code, KERR_NONE);
        CHECK_SLICE(out.topics[0].name, SL("t"));
        CHECK_INT(out.topics[0].partitions[0].leader_id, 1);
        CHECK(v < 10 || !memcmp(&out.topics[0].topic_id, &id, sizeof id));
        in.topics_count = v == 0 ? 0 : -1; /* all */
        call(KAPI_METADATA, v, &in, &out);
        CHECK(out.topics_count > 5);
    }
    EACH_VERSION(KAPI_CREATE_PARTITIONS, v)
    {
        struct create_partitions_request in;
        struct create_partitions_response out;
        create_partitions_request_init(&in);
        in.topics_count = 1;
        in.topics = create_partitions_request_topic_array(&a, 1);
        in.topics[0].name = SL("made-0");
        in.topics[0].count = 3 + v;
        in.topics[0].assignments_count = -1;
        call(KAPI_CREATE_PARTITIONS, v, &in, &out);
        CHECK_INT(out.results[0].error_code, KERR_NONE);
    }
    EACH_VERSION(KAPI_DELETE_TOPICS, v)
    {
        struct delete_topics_request in;
        struct delete_topics_response out;
        struct slice name = slice_cstr(arena_printf(&a, "made-%d", v));
        delete_topics_request_init(&in);
        in.topics = delete_topics_request_topic_array(&a, 1);
        in.topics[0].name = name;
        in.topics_count = 1;
        in.topic_names = &name;
        in.topic_names_count = 1;
        call(KAPI_DELETE_TOPICS, v, &in, &out);
        CHECK_INT(out.responses[0].error_code, KERR_NONE);
        CHECK_SLICE(out.responses[0].name, name);
    }
}

static void test_configs(void)
{
    EACH_VERSION(KAPI_ALTER_CONFIGS, v)
    {
        struct alter_configs_request in;
        struct alter_configs_response out;
        alter_configs_request_init(&in);
        in.resources_count = 1;
        in.resources = alter_configs_request_resource_array(&a, 1);
        in.resources[0].resource_type = 2;
        in.resources[0].resource_name = SL("t");
        in.resources[0].configs_count = 1;
        in.resources[0].configs = alter_configs_request_config_array(&a, 1);
        in.resources[0].configs[0].name = SL("retention.ms");
        in.resources[0].configs[0].value = SL("77777");
        call(KAPI_ALTER_CONFIGS, v, &in, &out);
        CHECK_INT(out.responses[0].error_code, KERR_NONE);
    }
    EACH_VERSION(KAPI_DESCRIBE_CONFIGS, v)
    {
        struct describe_configs_request in;
        struct describe_configs_response out;
        struct slice key = SL("retention.ms");
        describe_configs_request_init(&in);
        in.include_synonyms = true;
        in.resources_count = 1;
        in.resources = describe_configs_request_resource_array(&a, 1);
        in.resources[0].resource_type = 2;
        in.resources[0].resource_name = SL("t");
        in.resources[0].configuration_keys = &key;
        in.resources[0].configuration_keys_count = 1;
        call(KAPI_DESCRIBE_CONFIGS, v, &in, &out);
        CHECK_INT(out.results[0].configs_count, 1);
        const struct describe_configs_response_config *c = &out.results[0].configs[0];
        CHECK_SLICE(c->value, SL("77777"));
        CHECK(v > 0 ? c->config_source == 1 && c->synonyms_count == 1 : !c->is_default);
    }
}

static void test_groups(void)
{
    struct slice name = SL("g");
    EACH_VERSION(KAPI_FIND_COORDINATOR, v)
    {
        struct find_coordinator_request in;
        struct find_coordinator_response out;
        find_coordinator_request_init(&in);
        in.key = name;
        in.coordinator_keys = &name;
        in.coordinator_keys_count = 1;
        call(KAPI_FIND_COORDINATOR, v, &in, &out);
        CHECK_INT(v < 4 ? out.node_id : out.coordinators[0].node_id, 1);
        CHECK((v < 4 ? out.port : out.coordinators[0].port) > 0);
    }
    EACH_VERSION(KAPI_LIST_GROUPS, v)
    {
        struct list_groups_request in;
        struct list_groups_response out;
        list_groups_request_init(&in);
        call(KAPI_LIST_GROUPS, v, &in, &out);
        CHECK_INT(out.groups_count, 1);
        CHECK_SLICE(out.groups[0].group_id, name);
        CHECK(v < 5 || slice_eq(out.groups[0].group_type, SL("classic")));
    }
    EACH_VERSION(KAPI_DESCRIBE_GROUPS, v)
    {
        struct describe_groups_request in;
        struct describe_groups_response out;
        describe_groups_request_init(&in);
        in.groups = &name;
        in.groups_count = 1;
        call(KAPI_DESCRIBE_GROUPS, v, &in, &out);
        CHECK_SLICE(out.groups[0].group_state, SL("Empty"));
    }
    EACH_VERSION(KAPI_DELETE_GROUPS, v)
    {
        struct delete_groups_request in;
        struct delete_groups_response out;
        delete_groups_request_init(&in);
        in.groups_names = &name;
        in.groups_names_count = 1;
        call(KAPI_DELETE_GROUPS, v, &in, &out);
        CHECK_INT(out.results[0].error_code, v == 0 ? KERR_NONE : KERR_GROUP_ID_NOT_FOUND);
    }
}

static const struct test_case tests[] = {
    {"records in, records out", test_records},
    {"old fetches do not see markers", test_markers_are_hidden},
    {"offsets", test_offsets},
    {"topics", test_topics},
    {"configurations", test_configs},
    {"groups", test_groups},
    {NULL, NULL},
};
const struct test_suite test_api_versions = {"broker/api/versions", tests, setup, teardown};
