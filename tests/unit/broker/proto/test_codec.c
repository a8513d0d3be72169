/* tests/unit/broker/proto/test_codec.c - round trips of every message at every version, headers,
 * out-of-band records, hostile input, memory faults, the trace line. */
#include "broker/proto/codec.h"

#include <stdlib.h>

#include "base/mem.h"
#include "helpers.h"
#include "random_msg.h"

#define EACH_MESSAGE(api, kind)                                                                    \
    for (size_t i_ = 0; ((api) = msg_api_at(i_)) != NULL; i_++)                                    \
        for (int kind = 0; kind < 2; kind++)

static void round_trip(const struct msg_desc *d, struct random_msg *g)
{
    void *msg = arena_alloc(g->a, d->body->size), *back = arena_alloc(g->a, d->body->size);
    struct strbuf one = STRBUF_INIT, two = STRBUF_INIT;
    random_msg_fill(g, d->body, msg);
    CHECK_OK(codec_encode(d, g->version, msg, &one));
    memset(back, 0x5a, d->body->size);
    struct reader r = reader_of(one.p, one.n);
    CHECK_OK(codec_decode(d, g->version, &r, g->a, back));
    CHECK_INT(reader_left(&r), 0);
    CHECK_OK(codec_encode(d, g->version, back, &two));
    CHECK(slice_eq(strbuf_slice(&one), strbuf_slice(&two)));
    strbuf_release(&one);
    strbuf_release(&two);
}

static void test_round_trips(void)
{
    struct arena a;
    arena_init(&a, 0, 64 << 20);
    const struct msg_api *api;
    unsigned pairs = 0;
    struct random_msg g = {.a = &a, .state = 20251121};
    EACH_MESSAGE(api, kind)
    {
        const struct msg_desc *d = msg_find(api->key, (enum msg_kind)kind);
        for (g.version = d->min; g.version <= d->max; g.version++, pairs++) {
            for (int run = 0; run < 10; run++) {
                g.empty = run == 0;
                round_trip(d, &g);
                arena_reset(&a);
            }
        }
    }
    CHECK(pairs > 430);
    arena_release(&a);
}

/* Damaged frames must end in an error or in a message, never in a bad access. */
static void test_mutations(void)
{
    struct arena a;
    arena_init(&a, 0, 1 << 20);
    const struct msg_api *api;
    struct random_msg g = {.a = &a, .state = 77};
    EACH_MESSAGE(api, kind)
    {
        const struct msg_desc *d = msg_find(api->key, (enum msg_kind)kind);
        for (g.version = d->min; g.version <= d->max; g.version++) {
            void *msg = arena_alloc(&a, d->body->size);
            struct strbuf good = STRBUF_INIT;
            random_msg_fill(&g, d->body, msg);
            CHECK_OK(codec_encode(d, g.version, msg, &good));
            for (int run = 0; run < 25 && good.n > 0; run++) {
                char *bad = xmalloc(good.n);
                memcpy(bad, good.p, good.n);
                for (int hits = 0; hits < 1 + run % 3; hits++)
                    bad[random_msg_next(&g) % good.n] ^= (char)(1 << random_msg_next(&g) % 8);
                struct reader r = reader_of(bad, good.n);
                struct strbuf line = STRBUF_INIT;
                if (codec_decode(d, g.version, &r, &a, msg) == E_OK) {
                    codec_trace(d, g.version, msg, &line);
                    CHECK(line.n > 0 && line.n < 100000);
                }
                strbuf_release(&line);
                mem_free(bad);
            }
            strbuf_release(&good);
            arena_reset(&a);
        }
    }
    arena_release(&a);
}

static void test_defaults(void)
{
    struct arena a;
    arena_init(&a, 0, 1 << 20);
    struct fetch_request f;
    memset(&f, 1, sizeof f);
    fetch_request_init(&f);
    CHECK_INT(f.replica_id, -1);
    CHECK_INT(f.max_bytes, INT32_MAX);
    CHECK_INT(f.topics_count, 0);
    CHECK(slice_is_null(f.cluster_id));
    CHECK_SLICE(f.rack_id, SL(""));
    CHECK(!f.has_replica_state);
    struct metadata_response_topic *t = metadata_response_topic_array(&a, 3);
    CHECK_INT(t[2].topic_authorized_operations, INT32_MIN);
    struct metadata_request m;
    memset(&m, 0, sizeof m);
    metadata_request_init(&m);
    CHECK(m.allow_auto_topic_creation);
    /* A struct of zeros can be written as it is. */
    struct metadata_response zero = {0};
    struct strbuf b = STRBUF_INIT;
    CHECK_OK(codec_encode(&metadata_response_msg, 9, &zero, &b));
    /* throttle 0, no brokers, cluster null, controller 0, no topics, operations 0, no tags */
    CHECK_SLICE(strbuf_slice(&b), SL("\0\0\0\0\1\0\0\0\0\0\1\0\0\0\0\0"));
    strbuf_release(&b);
    arena_release(&a);
}

static void test_null_and_empty(void)
{
    struct arena a;
    arena_init(&a, 0, 1 << 20);
    struct metadata_request m;
    struct reader r = reader_of("\xff\xff\xff\xff", 4);
    CHECK_OK(codec_decode(&metadata_request_msg, 1, &r, &a, &m));
    CHECK_INT(m.topics_count, -1);
    CHECK(m.topics == NULL);
    r = reader_of("\0\0\0\0", 4);
    CHECK_OK(codec_decode(&metadata_request_msg, 1, &r, &a, &m));
    CHECK_INT(m.topics_count, 0);
    /* Version 0 has no null. */
    r = reader_of("\xff\xff\xff\xff", 4);
    CHECK_ERR(codec_decode(&metadata_request_msg, 0, &r, &a, &m), E_CORRUPT);
    r = reader_of("\xff\xff\xff\xfe", 4);
    CHECK_ERR(codec_decode(&metadata_request_msg, 1, &r, &a, &m), E_CORRUPT);
    /* A name of length -1 where null is not allowed, and -2. */
    r = reader_of("\0\0\0\1\xff\xff", 6);
    CHECK_ERR(codec_decode(&metadata_request_msg, 1, &r, &a, &m), E_CORRUPT);
    r = reader_of("\0\0\0\1\xff\xfe", 6);
    CHECK_ERR(codec_decode(&metadata_request_msg, 1, &r, &a, &m), E_CORRUPT);
    CHECK_ERR(codec_decode(&metadata_request_msg, 14, &r, &a, &m), E_UNSUPPORTED);
    CHECK_ERR(codec_decode(&metadata_request_msg, -1, &r, &a, &m), E_UNSUPPORTED);
    arena_release(&a);
}

static void test_left_over_bytes(void)
{
    struct arena a;
    arena_init(&a, 0, 1 << 20);
    struct heartbeat_request m;
    struct reader r = reader_of("\0\1g\0\0\0\7\0\1mXYZ", 13);
    CHECK_OK(codec_decode(&heartbeat_request_msg, 0, &r, &a, &m));
    CHECK_INT(reader_left(&r), 3);
    CHECK_SLICE(m.member_id, SL("m"));
    arena_release(&a);
}

/* Few bytes may not become much memory. */
static void test_amplification(void)
{
    struct arena a;
    arena_init(&a, 0, 100000);
    struct metadata_request m;
    size_t n = 1 << 20;
    char *frame = xcalloc(1, n);
    store_be32(frame, 500000); /* half a million topics with empty names fit into the bytes */
    struct reader r = reader_of(frame, n);
    CHECK_ERR(codec_decode(&metadata_request_msg, 1, &r, &a, &m), E_TOO_LARGE);
    store_be32(frame, INT32_MAX);
    r = reader_of(frame, n);
    CHECK_ERR(codec_decode(&metadata_request_msg, 1, &r, &a, &m), E_TRUNCATED);
    mem_free(frame);
    arena_release(&a);
}

static void test_tags(void)
{
    struct arena a;
    arena_init(&a, 0, 1 << 20);
    struct api_versions_request m;
    /* v3: two names, then two unknown tags, the second with 2 bytes. */
    struct slice body = SL("\2n\2v\2\0\0\x7f\2ab");
    struct reader r = reader_of(body.p, body.n);
    CHECK_OK(codec_decode(&api_versions_request_msg, 3, &r, &a, &m));
    CHECK_INT(reader_left(&r), 0);
    CHECK_SLICE(m.client_software_version, SL("v"));
    /* The second tag's size passes the end. */
    r = reader_of(body.p, body.n - 1);
    CHECK_ERR(codec_decode(&api_versions_request_msg, 3, &r, &a, &m), E_TRUNCATED);

    /* A known tag (FinalizedFeaturesEpoch, 8 bytes) of 7 and of 9 bytes. */
    struct api_versions_response v;
    struct slice good = SL("\0\0\1\0\0\0\0\1\1\10\0\0\0\0\0\0\0\5");
    r = reader_of(good.p, good.n);
    CHECK_OK(codec_decode(&api_versions_response_msg, 3, &r, &a, &v));
    CHECK_INT(v.finalized_features_epoch, 5);
    struct slice less = SL("\0\0\1\0\0\0\0\1\1\7\0\0\0\0\0\0\0\5");
    r = reader_of(less.p, less.n);
    CHECK_ERR(codec_decode(&api_versions_response_msg, 3, &r, &a, &v), E_CORRUPT);
    struct slice more = SL("\0\0\1\0\0\0\0\1\1\11\0\0\0\0\0\0\0\5\0");
    r = reader_of(more.p, more.n);
    CHECK_ERR(codec_decode(&api_versions_response_msg, 3, &r, &a, &v), E_CORRUPT);

    /* A tagged array of more than 127 bytes: its size takes two bytes. */
    struct produce_response p, back;
    produce_response_init(&p);
    p.node_endpoints = node_endpoint_array(&a, 20);
    p.node_endpoints_count = 20;
    for (int i = 0; i < 20; i++) {
        p.node_endpoints[i].node_id = i;
        p.node_endpoints[i].host = SL("a-host.example");
    }
    struct strbuf b = STRBUF_INIT;
    CHECK_OK(codec_encode(&produce_response_msg, 10, &p, &b));
    r = reader_of(b.p, b.n);
    CHECK_OK(codec_decode(&produce_response_msg, 10, &r, &a, &back));
    CHECK_INT(reader_left(&r), 0);
    CHECK_INT(back.node_endpoints_count, 20);
    CHECK_INT(back.node_endpoints[19].node_id, 19);
    CHECK_SLICE(back.node_endpoints[19].host, SL("a-host.example"));
    strbuf_release(&b);
    arena_release(&a);
}

static void test_request_header(void)
{
    struct request_header h;
    struct slice old = SL("\0\3\0\1\0\0\0\7\0\3cliREST");
    struct reader r = reader_of(old.p, old.n);
    CHECK_OK(codec_decode_request_header(&r, &h));
    CHECK_INT(h.api_key, 3);
    CHECK_INT(h.api_version, 1);
    CHECK_INT(h.correlation_id, 7);
    CHECK_SLICE(h.client_id, SL("cli"));
    CHECK_INT(reader_left(&r), 4);
    /* Flexible: the client id keeps its form, a tag section follows. */
    struct slice flexible = SL("\0\3\0\x0c\0\0\0\7\0\3cli\1\5\2xxREST");
    r = reader_of(flexible.p, flexible.n);
    CHECK_OK(codec_decode_request_header(&r, &h));
    CHECK_INT(reader_left(&r), 4);
    /* A null client id is the empty one. */
    struct slice null = SL("\0\3\0\1\0\0\0\7\xff\xff");
    r = reader_of(null.p, null.n);
    CHECK_OK(codec_decode_request_header(&r, &h));
    CHECK_SLICE(h.client_id, SL(""));
    struct slice wrong = SL("\0\3\0\1\0\0\0\7\xff\xfe");
    r = reader_of(wrong.p, wrong.n);
    CHECK_ERR(codec_decode_request_header(&r, &h), E_CORRUPT);
    for (size_t n = 0; n < 12; n++) {
        r = reader_of(old.p, n);
        CHECK_ERR(codec_decode_request_header(&r, &h), E_TRUNCATED);
    }
    /* Controlled shutdown v0 ends before the client id; unknown keys have the usual header. */
    struct slice shutdown = SL("\0\7\0\0\0\0\0\7");
    r = reader_of(shutdown.p, shutdown.n);
    CHECK_OK(codec_decode_request_header(&r, &h));
    struct slice unknown = SL("\7\7\0\0\0\0\0\7\0\0");
    r = reader_of(unknown.p, unknown.n);
    CHECK_OK(codec_decode_request_header(&r, &h));
    CHECK_INT(reader_left(&r), 0);
}

static void test_request_frame(void)
{
    struct arena a;
    arena_init(&a, 0, 1 << 20);
    struct strbuf b = STRBUF_INIT;
    struct heartbeat_request m, back;
    struct request_header h = {KAPI_HEARTBEAT, 4, 99, SL("me")}, seen;
    heartbeat_request_init(&m);
    m.group_id = SL("g");
    m.generation_id = 5;
    CHECK_OK(codec_encode_request(&heartbeat_request_msg, &h, &m, &b));
    CHECK_INT(load_be32(b.p), b.n - 4);
    struct reader r = reader_of(b.p + 4, b.n - 4);
    CHECK_OK(codec_decode_request_header(&r, &seen));
    CHECK_INT(seen.api_key, KAPI_HEARTBEAT);
    CHECK_INT(seen.correlation_id, 99);
    CHECK_OK(codec_decode(&heartbeat_request_msg, seen.api_version, &r, &a, &back));
    CHECK_INT(back.generation_id, 5);
    CHECK_INT(reader_left(&r), 0);
    size_t before = b.n;
    h.api_version = 5;
    CHECK_ERR(codec_encode_request(&heartbeat_request_msg, &h, &m, &b), E_UNSUPPORTED);
    CHECK_ERR(codec_encode(&heartbeat_request_msg, -1, &m, &b), E_UNSUPPORTED);
    CHECK_ERR(codec_encode_response(&heartbeat_response_msg, 5, 1, &m, &b, NULL), E_UNSUPPORTED);
    CHECK_INT(b.n, before);
    h.api_version = 0; /* a null client id is written as one */
    h.client_id = SLICE_NULL;
    strbuf_reset(&b);
    CHECK_OK(codec_encode_request(&heartbeat_request_msg, &h, &m, &b));
    CHECK_SLICE(slice_sub(strbuf_slice(&b), 12, 14), SL("\xff\xff"));
    strbuf_release(&b);
    arena_release(&a);
}

static void test_response_header(void)
{
    struct strbuf b = STRBUF_INIT;
    struct heartbeat_response m = {0};
    int32_t id;
    CHECK_OK(codec_encode_response(&heartbeat_response_msg, 3, 8, &m, &b, NULL));
    CHECK_SLICE(strbuf_slice(&b), SL("\0\0\0\x0a\0\0\0\x08\0\0\0\0\0\0"));
    strbuf_reset(&b);
    CHECK_OK(codec_encode_response(&heartbeat_response_msg, 4, 8, &m, &b, NULL));
    CHECK_SLICE(strbuf_slice(&b), SL("\0\0\0\x0c\0\0\0\x08\0\0\0\0\0\0\0\0"));
    struct reader r = reader_of(b.p + 4, b.n - 4);
    CHECK_OK(codec_decode_response_header(&r, &heartbeat_response_msg, 4, &id));
    CHECK_INT(id, 8);
    CHECK_INT(reader_left(&r), 7);
    /* SPEC: broker 1.2: the answer to ApiVersions has no tags in its header, whatever the version.
     */
    struct api_versions_response v;
    api_versions_response_init(&v);
    strbuf_reset(&b);
    CHECK_OK(codec_encode_response(&api_versions_response_msg, 3, 8, &v, &b, NULL));
    CHECK_SLICE(strbuf_slice(&b), SL("\0\0\0\x0c\0\0\0\x08\0\0\1\0\0\0\0\0"));
    r = reader_of(b.p + 4, b.n - 4);
    CHECK_OK(codec_decode_response_header(&r, &api_versions_response_msg, 3, &id));
    CHECK_INT(reader_left(&r), 8);
    strbuf_release(&b);
}

/* Two partitions leave their records out; joined with them the frame is what it would be inline. */
static void test_cuts(void)
{
    static const char records[] = "0123456789abcdefghijklmnopqrstuvwxyz";
    struct arena a;
    arena_init(&a, 0, 1 << 20);
    for (int16_t version = 4; version <= 18; version += 7) {
        struct fetch_response f;
        fetch_response_init(&f);
        f.responses = fetch_response_topic_array(&a, 1);
        f.responses_count = 1;
        struct fetch_response_partition *p = fetch_response_partition_array(&a, 3);
        f.responses[0].topic = SL("t");
        f.responses[0].partitions = p;
        f.responses[0].partitions_count = 3;
        struct strbuf inside = STRBUF_INIT, cut = STRBUF_INIT, joined = STRBUF_INIT;
        p[0].records = slice_of(records, 36);
        p[1].records = SL("");
        p[2].records = slice_of(records, 5);
        CHECK_OK(codec_encode_response(&fetch_response_msg, version, 1, &f, &inside, NULL));
        p[0].records = codec_out_of_band(36);
        p[1].records = codec_out_of_band(0);
        p[2].records = codec_out_of_band(5);
        struct codec_cut v[2];
        struct codec_cuts cuts = {v, 0, 2};
        strbuf_adds(&cut, "earlier bytes");
        CHECK_OK(codec_encode_response(&fetch_response_msg, version, 1, &f, &cut, &cuts));
        CHECK_INT(cuts.count, 2);
        CHECK(v[0].field == &p[0].records && v[1].field == &p[2].records);
        size_t at = 13;
        for (int i = 0; i < 2; i++) {
            strbuf_add(&joined, cut.p + at, v[i].at - at);
            strbuf_add(&joined, records, v[i].length);
            at = v[i].at;
        }
        strbuf_add(&joined, cut.p + at, cut.n - at);
        CHECK(slice_eq(strbuf_slice(&joined), strbuf_slice(&inside)));
        /* No room, or nobody who could send the rest: nothing is written. */
        cuts.max = 1;
        size_t before = cut.n;
        CHECK_ERR(codec_encode_response(&fetch_response_msg, version, 1, &f, &cut, &cuts),
                  E_TOO_LARGE);
        CHECK_ERR(codec_encode_response(&fetch_response_msg, version, 1, &f, &cut, NULL),
                  E_INVALID);
        CHECK_ERR(codec_encode(&fetch_response_msg, version, &f, &cut), E_INVALID);
        CHECK_INT(cut.n, before);
        strbuf_release(&inside);
        strbuf_release(&cut);
        strbuf_release(&joined);
    }
    /* Sizes that no frame can have. */
    struct fetch_response_partition *big = fetch_response_partition_array(&a, 2);
    struct fetch_response_topic topic = {.partitions = big, .partitions_count = 2};
    struct fetch_response f = {.responses = &topic, .responses_count = 1};
    big[0].records = big[1].records = codec_out_of_band(INT32_MAX - 10);
    struct codec_cut v[2];
    struct codec_cuts cuts = {v, 0, 2};
    struct strbuf b = STRBUF_INIT;
    CHECK_ERR(codec_encode_response(&fetch_response_msg, 12, 1, &f, &b, &cuts), E_TOO_LARGE);
    CHECK_INT(b.n, 0);
    strbuf_release(&b);
    arena_release(&a);
}

static void test_limits(void)
{
    struct strbuf b;
    strbuf_init(&b, 20);
    struct heartbeat_request m;
    heartbeat_request_init(&m);
    m.group_id = SL("a group's name that does not fit");
    CHECK_ERR(codec_encode(&heartbeat_request_msg, 0, &m, &b), E_TOO_LARGE);
    CHECK_INT(b.n, 0);
    strbuf_release(&b);
    /* 16-bit lengths. */
    strbuf_init(&b, 0);
    char *text = xcalloc(1, 40000);
    m.group_id = slice_of(text, 40000);
    CHECK_ERR(codec_encode(&heartbeat_request_msg, 0, &m, &b), E_TOO_LARGE);
    CHECK_OK(codec_encode(&heartbeat_request_msg, 4, &m, &b));
    mem_free(text);
    strbuf_release(&b);
}

static void test_memory_faults(void)
{
    struct arena a;
    arena_init(&a, 64, 1 << 20);
    struct random_msg g = {.a = &a, .state = 5, .version = 9};
    struct strbuf good = STRBUF_INIT;
    struct metadata_response *m = arena_alloc(&a, sizeof *m), back;
    random_msg_fill(&g, &metadata_response_desc, m);
    CHECK_OK(codec_encode(&metadata_response_msg, 9, m, &good));
    bool hit = true;
    for (int64_t n = 1; hit && n < 200; n++) {
        struct strbuf b = STRBUF_INIT;
        mem_fail_at(n);
        enum err err = codec_encode(&metadata_response_msg, 9, m, &b);
        hit = mem_fail_hit();
        mem_fail_at(0);
        CHECK_ERR(err, hit ? E_NOMEM : E_OK);
        strbuf_release(&b);
    }
    CHECK(!hit);
    hit = true;
    for (int64_t n = 1; hit && n < 200; n++) {
        struct arena small;
        arena_init(&small, 64, 1 << 20);
        struct reader r = reader_of(good.p, good.n);
        mem_fail_at(n);
        enum err err = codec_decode(&metadata_response_msg, 9, &r, &small, &back);
        hit = mem_fail_hit();
        mem_fail_at(0);
        CHECK_ERR(err, hit ? E_TOO_LARGE : E_OK);
        arena_release(&small);
    }
    CHECK(!hit);
    strbuf_release(&good);
    arena_release(&a);
}

static void test_trace(void)
{
    struct strbuf b = STRBUF_INIT;
    struct sasl_authenticate_request s = {SL("\0user\0secret")};
    codec_trace(&sasl_authenticate_request_msg, 2, &s, &b);
    CHECK_STR(b.p, "sasl_authenticate_request v2 {auth_bytes=[hidden]}");
    strbuf_reset(&b);
    struct metadata_request_topic t[2] = {{.name = SL("a\"\n")}, {.name = SLICE_NULL}};
    struct metadata_request m = {.topics = t, .topics_count = 2};
    codec_trace(&metadata_request_msg, 4, &m, &b);
    CHECK_STR(b.p, "metadata_request v4 {topics=[{name=\"a\\x22\\x0a\"} {name=null}] "
                   "allow_auto_topic_creation=false}");
    strbuf_reset(&b);
    struct produce_request_partition p = {.index = 1, .records = SL("12345")};
    struct produce_request_topic pt = {
        .name = SL("t"), .partition_data = &p, .partition_data_count = 1};
    struct produce_request pr = {.acks = -1, .topic_data = &pt, .topic_data_count = 1};
    codec_trace(&produce_request_msg, 9, &pr, &b);
    CHECK_STR(b.p, "produce_request v9 {transactional_id=null acks=-1 timeout_ms=0 topic_data=[{"
                   "name=\"t\" partition_data=[{index=1 records=<5 bytes>}]}]}");
    /* Passwords may be in configurations. */
    strbuf_reset(&b);
    struct incremental_alter_configs_request_config c = {.name = SL("x"), .value = SL("pw")};
    struct incremental_alter_configs_request_resource res = {.configs = &c, .configs_count = 1};
    struct incremental_alter_configs_request ia = {.resources = &res, .resources_count = 1};
    codec_trace(&incremental_alter_configs_request_msg, 1, &ia, &b);
    CHECK(slice_find(strbuf_slice(&b), SL("value=[hidden]")) > 0);
    CHECK(slice_find(strbuf_slice(&b), SL("pw")) < 0);
    /* Long arrays and long texts are cut short. */
    strbuf_reset(&b);
    int32_t many[50] = {0};
    struct metadata_response_partition mp = {.replica_nodes = many, .replica_nodes_count = 50};
    struct metadata_response_topic mt = {.partitions = &mp, .partitions_count = 1};
    struct metadata_response mr = {.topics = &mt, .topics_count = 1};
    codec_trace(&metadata_response_msg, 1, &mr, &b);
    CHECK(slice_find(strbuf_slice(&b), SL("... 50 in all")) > 0);
    /* Structs that may be missing. */
    strbuf_reset(&b);
    struct describe_topic_partitions_request dt = {.has_cursor = false};
    codec_trace(&describe_topic_partitions_request_msg, 0, &dt, &b);
    CHECK(slice_ends(strbuf_slice(&b), SL(" cursor=null}")));
    strbuf_reset(&b);
    dt.has_cursor = true;
    dt.cursor.topic_name = SL("t");
    codec_trace(&describe_topic_partitions_request_msg, 0, &dt, &b);
    CHECK(slice_ends(strbuf_slice(&b), SL(" cursor={topic_name=\"t\" partition_index=0}}")));
    strbuf_release(&b);
}

static const struct test_case tests[] = {{"round trips", test_round_trips},
                                         {"mutations", test_mutations},
                                         {"defaults", test_defaults},
                                         {"null and empty", test_null_and_empty},
                                         {"left-over bytes", test_left_over_bytes},
                                         {"amplification", test_amplification},
                                         {"tags", test_tags},
                                         {"request header", test_request_header},
                                         {"request frame", test_request_frame},
                                         {"response header", test_response_header},
                                         {"cuts", test_cuts},
                                         {"limits", test_limits},
                                         {"memory faults", test_memory_faults},
                                         {"trace", test_trace},
                                         {NULL, NULL}};
const struct test_suite test_codec = {"broker/proto/codec", tests, NULL, NULL};
