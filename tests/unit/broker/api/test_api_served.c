/* tests/unit/broker/api/test_api_served.c - every advertised version of every API is really served,
 * and what is not advertised closes the connection. SPEC: broker 1.4, 2.1, 10.1 */
#include "broker/api/api.h"

#include "base/base.h"
#include "base/mem.h"
#include "broker/broker_fixture.h"
#include "helpers.h"

#include <sys/socket.h>
#include <unistd.h>

static struct broker_fixture f;

static int setup(void)
{
    return broker_fixture_start(&f, "api-served", NULL) ? 0 : 1;
}

static int teardown(void)
{
    broker_fixture_stop(&f);
    return 0;
}

/* Defaults, but for what would make the broker keep silent or wait. */
static void *plain_request(const struct msg_api *api, struct arena *a)
{
    void *in = arena_alloc(a, api->request->body->size);
    codec_init_defaults(api->request->body, in);
    if (api->key == KAPI_PRODUCE)
        ((struct produce_request *)in)->acks = 1;
    if (api->key == KAPI_API_VERSIONS) {
        ((struct api_versions_request *)in)->client_software_name = SL("test");
        ((struct api_versions_request *)in)->client_software_version = SL("1.0");
    }
    return in;
}

static void test_every_version(void)
{
    struct arena a;
    arena_init(&a, 0, ARENA_NO_BUDGET);
    const struct msg_api *api;
    int served = 0;
    for (size_t i = 0; (api = msg_api_at(i)); i++) {
        if (!api_handler(api->key) || api->min > api->max)
            continue;
        for (int16_t v = api->min; v <= api->max; v++) {
            void *out = arena_alloc(&a, api->response->body->size);
            bool ok = broker_call(&f, api->key, v, plain_request(api, &a), out, &a);
            if (!ok)
                printf("    %s v%d\n", api->name, v);
            CHECK(ok);
            served++;
        }
        arena_reset(&a);
    }
    CHECK(served > 100);
    arena_release(&a);
}

static void test_api_versions_lists_what_has_a_handler(void)
{
    struct arena a;
    struct api_versions_response out;
    arena_init(&a, 0, ARENA_NO_BUDGET);
    CHECK(broker_call(&f, KAPI_API_VERSIONS, 4, plain_request(msg_api(KAPI_API_VERSIONS), &a), &out,
                      &a));
    CHECK_INT(out.error_code, 0);
    for (int32_t i = 0; i < out.api_keys_count; i++) {
        CHECK(api_handler(out.api_keys[i].api_key) != NULL);
        CHECK(i == 0 || out.api_keys[i].api_key > out.api_keys[i - 1].api_key);
        CHECK_INT(out.api_keys[i].min_version, msg_api(out.api_keys[i].api_key)->min);
    }
    struct api_versions_request bad;
    api_versions_request_init(&bad);
    bad.client_software_name = SL("-x");
    bad.client_software_version = SL("1");
    CHECK(broker_call(&f, KAPI_API_VERSIONS, 3, &bad, &out, &a));
    CHECK_INT(out.error_code, KERR_INVALID_REQUEST);
    CHECK_INT(out.api_keys_count, 0);
    arena_release(&a);
}

static struct slice raw_answer(int sock, char *buf, size_t size)
{
    char head[4];
    if (recv(sock, head, 4, MSG_WAITALL) != 4)
        return SLICE_NULL;
    size_t n = load_be32(head);
    return n <= size && recv(sock, buf, n, MSG_WAITALL) == (ssize_t)n ? slice_of(buf, n)
                                                                      : SLICE_NULL;
}

static void test_api_versions_of_the_future(void)
{
    static const char future[] = "\0\0\0\x0c\0\x12\0\x63\0\0\0\x07\0\0\0\xff";
    char buf[4096];
    int s = broker_connect(&f);
    CHECK_INT(send(s, future, 16, MSG_NOSIGNAL), 16);
    /* version 0: correlation, error 35, one row {18, 0, 4} */
    CHECK_SLICE(raw_answer(s, buf, sizeof buf),
                slice_of("\0\0\0\x07\0\x23\0\0\0\x01\0\x12\0\0\0\x04", 16));
    struct api_versions_request in;
    api_versions_request_init(&in);
    CHECK(broker_send(&f, s, KAPI_API_VERSIONS, 0, &in)); /* the connection stays open */
    CHECK(raw_answer(s, buf, sizeof buf).n > 100);
    close(s);
}

static bool is_closed(int s)
{
    char c;
    return recv(s, &c, 1, 0) == 0;
}

static void test_what_is_not_served_closes(void)
{
    static const struct {
        const char *bytes;
        size_t n;
    } bad[] = {
        {"\0\0\0\x0a\0\x04\0\0\0\0\0\x01\xff\xff", 14}, /* LeaderAndIsr */
        {"\0\0\0\x0a\x7f\xff\0\0\0\0\0\x01\xff\xff", 14},
        {"\0\0\0\x0b\0\x03\0\x63\0\0\0\x01\xff\xff\0", 15},               /* Metadata version 99 */
        {"\0\0\0\x0e\0\x03\0\x01\0\0\0\x01\xff\xff\x7f\xff\xff\xff", 18}, /* 2^31-1 topics */
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        int s = broker_connect(&f);
        CHECK_INT(send(s, bad[i].bytes, bad[i].n, MSG_NOSIGNAL), bad[i].n);
        CHECK(is_closed(s));
        close(s);
    }
}

static void test_pipelined_probe(void)
{
    /* kafka-python sends Metadata right after ApiVersions, without waiting. */
    struct api_versions_request first;
    struct metadata_request second;
    char buf[4096];
    int s = broker_connect(&f);
    api_versions_request_init(&first);
    metadata_request_init(&second);
    CHECK(broker_send(&f, s, KAPI_API_VERSIONS, 0, &first));
    CHECK(broker_send(&f, s, KAPI_METADATA, 0, &second));
    CHECK_INT(load_be32(raw_answer(s, buf, sizeof buf).p), f.correlation - 1);
    CHECK_INT(load_be32(raw_answer(s, buf, sizeof buf).p), f.correlation);
    close(s);
}

static const struct test_case tests[] = {
    {"every advertised version answers", test_every_version},
    {"ApiVersions lists the handlers", test_api_versions_lists_what_has_a_handler},
    {"ApiVersions of the future", test_api_versions_of_the_future},
    {"what is not served closes the connection", test_what_is_not_served_closes},
    {"a pipelined probe", test_pipelined_probe},
    {NULL, NULL},
};
const struct test_suite test_api_served = {"broker/api/served", tests, setup, teardown};
