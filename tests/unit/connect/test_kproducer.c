/* tests/unit/connect/test_kproducer.c - a producer that comes again after a restart: what the log has
 * is left out, and a record that the topic never took does not count as one of those. */
#include "connect/kclient.h"

#include "base/mem.h"
#include "connect/worker_fixture.h"

static struct worker w;
static struct kclient *k;

static int setup(void)
{
    if (!worker_open(&w, NULL))
        return 1;
    k = kclient_embedded(w.broker);
    return 0;
}

static int teardown(void)
{
    kclient_free(k);
    worker_close(&w);
    return 0;
}

static void make_topic(const char *name)
{
    struct strmap configs = STRMAP_INIT;
    struct error e = {0};
    strmap_set(&configs, SL("max.message.bytes"), SL("1000"));
    CHECK_OK(kclient_create(k, slice_cstr(name), 1, 1, &configs, &e));
    strmap_release(&configs);
}

static enum err add(struct kproducer *p, const char *topic, struct slice value)
{
    struct error e = {0};
    return kproducer_add(p, slice_cstr(topic), 0, 1, (struct ktext){.body = SLICE_NULL},
                         (struct ktext){.body = value}, (struct kheads){0}, &e);
}

/* 4000 bytes, which no codec makes smaller, or which any does. */
static struct slice large(bool plain)
{
    static char bytes[4000];
    uint32_t x = 1;
    for (size_t i = 0; i < sizeof bytes; i++) {
        x = x * 1664525 + 1013904223;
        bytes[i] = plain ? 'x' : (char)(x >> 24);
    }
    return slice_of(bytes, sizeof bytes);
}

static struct kproducer *open_producer(const char *codec)
{
    struct strmap options = STRMAP_INIT;
    struct kproducer *p;
    struct error e = {0};
    strmap_set(&options, SL("compression.type"), slice_cstr(codec));
    CHECK_OK(kproducer_open(&p, k, "test", &options, &e));
    strmap_release(&options);
    return p;
}

/* 0, the large one, 1, 2 in one batch: *taken tells how many of them are in the log. */
static int64_t first_life(const char *topic, const char *codec, bool plain)
{
    struct error e = {0};
    struct kproducer *p = open_producer(codec);
    CHECK_OK(add(p, topic, SL("0")));
    CHECK_ERR(add(p, topic, large(plain)), plain ? E_OK : E_TOO_LARGE);
    CHECK_OK(add(p, topic, SL("1")));
    CHECK_OK(add(p, topic, SL("2")));
    const struct kpart *parts;
    size_t count;
    CHECK_OK(kproducer_pending(p, &parts, &count, &e)); /* asks for an id */
    CHECK_OK(kproducer_flush(p, &e));
    int64_t id = kproducer_id(p);
    kproducer_close(p);
    return id;
}

static void again(const char *topic, const char *codec, bool plain, int32_t arrived)
{
    struct error e = {0};
    make_topic(topic);
    int64_t id = first_life(topic, codec, plain);
    CHECK_INT(topic_count(&w, topic, arrived), arrived);
    struct kproducer *p = open_producer(codec);
    kproducer_resume(p, id);
    kproducer_skip(p, &(struct kpart){.topic = slice_cstr(topic), .partitions = 1}, arrived);
    CHECK_OK(add(p, topic, SL("0")));
    CHECK_ERR(add(p, topic, large(plain)), plain ? E_OK : E_TOO_LARGE);
    CHECK_OK(add(p, topic, SL("1")));
    CHECK_OK(add(p, topic, SL("2")));
    CHECK_OK(kproducer_flush(p, &e));
    CHECK_INT(topic_count(&w, topic, arrived), arrived);
    CHECK_OK(add(p, topic, SL("3")));
    CHECK_OK(kproducer_flush(p, &e));
    CHECK_INT(topic_count(&w, topic, arrived + 1), arrived + 1);
    kproducer_close(p);
}

static void too_large(void)
{
    again("large", "none", false, 3);
    again("large-packed", "zstd", false, 3);
}

static void large_that_fits(void)
{
    again("fits", "zstd", true, 4);
}

static const struct test_case tests[] = {{"a record that is too large", too_large},
                                         {"a large record that fits", large_that_fits},
                                         {NULL, NULL}};
const struct test_suite test_kproducer = {"connect/kproducer", tests, setup, teardown};
