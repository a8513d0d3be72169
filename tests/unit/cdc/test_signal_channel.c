/* tests/unit/cdc/test_signal_channel.c - signals of a file are neither lost nor taken twice, those of
 * a topic are taken from where it ends when the connector begins. */
#include "cdc/signal_channel.h"

#include <stdio.h>
#include <unistd.h>

#include "base/fs.h"
#include "connect/worker_fixture.h"

static char path[300], copy[310];
static char seen[200];

static void note(const struct signal *s, void *arg)
{
    (void)arg;
    size_t n = strlen(seen);
    snprintf(seen + n, sizeof seen - n, PRI_SL " ", ARG_SL(s->id));
}

static void append(const char *text)
{
    FILE *f = fopen(path, "a");
    CHECK(f && fputs(text, f) >= 0);
    if (f)
        fclose(f);
}

static void open_file(struct signal_channels *c)
{
    struct signal_channel_options o = {.channels = SL("file"), .file = slice_cstr(path)};
    signal_channels_init(c, &o, NULL, SL("p"));
    seen[0] = '\0';
}

static bool poll_now(struct signal_channels *c)
{
    c->next_ms = 0;
    return signal_channels_poll(c, note, NULL);
}

#define LINE(id) "{\"id\":\"" id "\",\"type\":\"log\",\"data\":{\"message\":\"m\"}}\n"

static void test_file(void)
{
    struct signal_channels c;
    snprintf(path, sizeof path, "%s/signals.txt", test_dir());
    snprintf(copy, sizeof copy, "%s.taken", path);
    open_file(&c);
    CHECK(!poll_now(&c));
    append(LINE("a") LINE("b"));
    CHECK(poll_now(&c));
    CHECK_STR(seen, "a b ");
    CHECK_INT(fs_size_of(path), 0);
    append(LINE("c"));
    CHECK(!poll_now(&c)); /* waits for the offset */
    signal_channels_release(&c);

    open_file(&c); /* killed before it: they come again */
    CHECK(poll_now(&c));
    CHECK_STR(seen, "a b ");
    signal_channels_stored(&c);
    CHECK(fs_exists(copy));
    CHECK(poll_now(&c));
    CHECK_STR(seen, "a b c ");
    signal_channels_stored(&c);
    CHECK(!poll_now(&c));
    CHECK(!fs_exists(copy));
    CHECK_INT(fs_size_of(path), 0);
    signal_channels_release(&c);

    open_file(&c);
    CHECK(!poll_now(&c));
    CHECK_STR(seen, "");
    signal_channels_release(&c);
}

static void send(struct kclient *k, const char *id)
{
    struct kproducer *p = NULL;
    struct error e;
    char text[100];
    snprintf(text, sizeof text, LINE("%s"), id);
    CHECK_OK(kproducer_open(&p, k, "s", NULL, &e));
    CHECK_OK(kproducer_add(p, SL("p-signal"), 0, 1, (struct ktext){.body = SL("p")},
                           (struct ktext){.body = slice_cstr(text)}, (struct kheads){0}, &e));
    CHECK_OK(kproducer_flush(p, &e));
    kproducer_close(p);
}

static void test_topic(void)
{
    struct worker w;
    struct error e;
    struct signal_channels c;
    struct signal_channel_options o = {.channels = SL("kafka")};
    if (!worker_open(&w, NULL))
        return;
    struct kclient *k = kclient_embedded(w.broker);
    seen[0] = '\0';
    signal_channels_init(&c, &o, k, SL("p"));
    CHECK_OK(kclient_create(k, SL("p-signal"), 1, 1, NULL, &e));
    send(k, "old");
    send(k, "older");
    CHECK(poll_now(&c)); /* the end was not known before: nothing old is taken */
    CHECK_STR(seen, "");
    CHECK_INT(c.position, 2);
    send(k, "new");
    CHECK(poll_now(&c));
    CHECK_STR(seen, "new ");
    CHECK(!poll_now(&c));
    CHECK_INT(c.position, 3);
    c.position = 7; /* of a topic that was deleted */
    CHECK(poll_now(&c));
    CHECK(poll_now(&c));
    CHECK_STR(seen, "new old older new ");
    signal_channels_release(&c);
    kclient_free(k);
    worker_close(&w);
}

static const struct test_case tests[] = {
    {"a file", test_file},
    {"a topic", test_topic},
    {NULL, NULL},
};
const struct test_suite test_signal_channel = {"cdc/signal_channel", tests, NULL, NULL};
