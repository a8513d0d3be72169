/* lab/demo.c - see demo.h.
 *
 *   private server ── shop (acts) ─┬─ shop-connector ─── a topic per table ──┬─ demo_view
 *                                    └─ outbox-connector ─ outbox.event.order ─┘
 *
 * Both connectors are registered by REST in weir. The one shows every change of a row; the other
 * routes the messages that the shop puts into its outbox (EventRouter), so that consumers see what
 * the shop means and nothing of how it keeps it. What differs by database is demo_db.h's.
 *
 * Data stays below DATA-DIR/demo (MongoDB: DATA-DIR/demo-mongodb) and is used again by the next
 * demo;
 * --fresh begins anew. */
#include "lab/demo.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/base.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"
#include "cli/runtime.h"
#include "cli/server.h"
#include "lab/demo_db.h"
#include "lab/demo_view.h"
#include "lab/rest_client.h"

#define CONNECTOR "shop-connector"
#define OUTBOX_CONNECTOR "outbox-connector"
#define OUTBOX_TOPIC "outbox.event.order"
static const char *const topics[] = {"shop.shop.customers", "shop.shop.products",
                                     "shop.shop.orders", OUTBOX_TOPIC, NULL};

static const struct opt_row demo_rows[] = {
    {.name = "headless",
     .type = OPT_BOOLEAN,
     .def = "false",
     .offset = OPT_NO_FIELD,
     .doc =
         "checks itself: ends with status 0 only if snapshot, streamed events and messages of the "
         "outbox were consumed back"},
    {.name = "duration",
     .type = OPT_INT,
     .def = "0",
     .offset = OPT_NO_FIELD,
     .display = "SECONDS",
     .doc = "ends by itself after so long (default: with --headless 10, else never)"},
    {.name = "fresh",
     .type = OPT_BOOLEAN,
     .def = "false",
     .offset = OPT_NO_FIELD,
     .doc = "forgets what earlier demos left"},
    {.name = "mongodb",
     .type = OPT_BOOLEAN,
     .def = "false",
     .offset = OPT_NO_FIELD,
     .doc = "the shop is in a private MongoDB instead of a MariaDB; wants a mongod, 6.0 or newer"},
    {.name = "mongod",
     .type = OPT_STRING,
     .offset = OPT_NO_FIELD,
     .display = "PATH",
     .doc = "the mongod for --mongodb (default: the one in PATH)"},
    {.name = NULL},
};

struct demo {
    struct server_config config;
    bool headless, fresh;
    int64_t duration_ms; /* 0: until a signal */
    char *dir;           /* DATA-DIR/demo */
    const struct demo_db *db;
    void *self; /* db's */
    struct runtime *weir;
    struct demo_view *view;
    int64_t rows_at_start, seen_at_start, messages_at_start;
    struct shop_count count;
    char mark[32]; /* of this run, in the outbox's first message */
};

static bool flag(const struct demo *d, const char *name)
{
    return slice_eq_c(strmap_get_c(&d->config.rest, name), "true");
}

static enum err parse(struct demo *d, int argc, char **argv, struct error *e)
{
    enum err err =
        server_config_parse(&d->config, argc, argv, demo_rows,
                            "weir demo - a shop in a private MariaDB (or MongoDB), captured, to "
                            "look at\n\n"
                            "usage: weir demo [OPTIONS]\n\n"
                            "Its own data is below that of --data-dir: ~/.local/share/weir/demo, "
                            "with --mongodb\n~/.local/share/weir/demo-mongodb.",
                            e);
    if (err)
        return err;
    d->headless = flag(d, "headless");
    d->fresh = flag(d, "fresh");
    struct slice text = strmap_get_c(&d->config.rest, "duration");
    int64_t seconds = d->headless ? 10 : 0;
    if (text.p && (slice_to_i64(text, &seconds) != E_OK || seconds < 0 || seconds > 1000000))
        return error_set(e, E_INVALID, "--duration takes seconds, not '" PRI_SL "'", ARG_SL(text));
    d->duration_ms = seconds * 1000;
    d->db = flag(d, "mongodb") ? &demo_mongodb : &demo_mariadb;
    if (d->db != &demo_mongodb && strmap_has(&d->config.rest, SL("mongod")) &&
        !getenv("WEIR_MONGOD"))
        return error_set(e, E_INVALID, "--mongod goes with --mongodb");
    char *base = server_data_dir(&d->config);
    d->dir = xasprintf("%s/%s", base, d->db->folder);
    mem_free(base);
    /* Its own state: a server on the same data directory keeps its topics apart from the demo's. */
    const struct opt_row *row = opt_find(server_option_rows, SL("data-dir"));
    char *own = xasprintf("%s/weir", d->dir);
    err = opt_set(row, &d->config.values, slice_cstr(own), e);
    mem_free(own);
    if (!err && !strmap_has(&d->config.values.texts, SL("log-level")))
        err = opt_set(opt_find(server_option_rows, SL("log-level")), &d->config.values, SL("warn"),
                      e);
    return err;
}

/* --- the connectors --------------------------------------------------------------------------- */

#define JSON_CONVERTER "org.apache.kafka.connect.json.JsonConverter"

/* What both have, whatever the database. */
static json_t *connector_config(const struct demo *d, bool outbox)
{
    json_t *config = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "tasks.max", "1", "topic.prefix",
                               outbox ? "outbox" : "shop", "key.converter", JSON_CONVERTER,
                               "key.converter.schemas.enable", "false", "value.converter",
                               JSON_CONVERTER, "value.converter.schemas.enable", "false");
    d->db->configure(d->self, outbox, runtime_addresses(d->weir)->kafka, config);
    if (!outbox)
        return config;
    json_t *more = json_pack("{s:s, s:s, s:s, s:s}", "tombstones.on.delete", "false", "transforms",
                             "outbox", "transforms.outbox.type", d->db->router_class,
                             "key.converter", "org.apache.kafka.connect.storage.StringConverter");
    json_object_update(config, more);
    json_decref(more);
    return config;
}

/* Creates a connector, or points that of an earlier demo at this run's server. Takes the
 * configuration over. */
static enum err register_connector(struct demo *d, const char *name, json_t *config,
                                   struct error *e)
{
    json_t *answer = NULL;
    char path[80];
    int status = 0;
    if (!config)
        return error_set(e, E_NOMEM, "the connector's configuration");
    snprintf(path, sizeof path, "/connectors/%s/config", name);
    enum err err =
        rest_call(runtime_addresses(d->weir)->connect, "PUT", path, config, &status, &answer, e);
    if (!err && status / 100 != 2) {
        const char *why = json_string_value(json_object_get(answer, "message"));
        err = error_set(e, E_REMOTE, "registering %s: status %d: %s", name, status, why ? why : "");
    }
    json_decref(answer);
    json_decref(config);
    return err;
}

/* E_OK once the task runs; an error with its trace when it failed. */
static enum err wait_until_running(struct demo *d, const char *name, struct error *e)
{
    char path[80];
    snprintf(path, sizeof path, "/connectors/%s/status", name);
    for (int64_t until = clock_mono_ms() + 30000; clock_mono_ms() < until; usleep(20000)) {
        json_t *answer = NULL;
        int status = 0;
        enum err err =
            rest_call(runtime_addresses(d->weir)->connect, "GET", path, NULL, &status, &answer, e);
        if (err)
            return err;
        json_t *task = json_array_get(json_object_get(answer, "tasks"), 0);
        const char *state = json_string_value(json_object_get(task, "state"));
        const char *trace = json_string_value(json_object_get(task, "trace"));
        bool running = state && strcmp(state, "RUNNING") == 0;
        if (state && strcmp(state, "FAILED") == 0)
            err = error_set(e, E_REMOTE, "the task of %s failed: %.400s", name, trace ? trace : "");
        json_decref(answer);
        if (running || err)
            return err;
    }
    return error_set(e, E_TIMEOUT, "the task of %s does not start", name);
}

/* --- the run ---------------------------------------------------------------------------------- */

static enum err start(struct demo *d, const struct connect_plugins *const *plugins, struct error *e)
{
    snprintf(d->mark, sizeof d->mark, "run-%lld", (long long)clock_wall_us());
    enum err err = runtime_check(&d->config, e);
    if (!err)
        err = d->db->find(&d->self, &d->config.rest, e);
    if (!err && d->fresh)
        err = fs_remove_tree(d->dir, e);
    if (!err)
        err = d->db->start(d->self, d->dir, d->mark, d->headless, e);
    if (!err)
        err = d->db->count(d->self, &d->rows_at_start, e);
    if (!err)
        err = runtime_start(&d->weir, &d->config, plugins, e);
    if (!err)
        err = register_connector(d, CONNECTOR, connector_config(d, false), e);
    if (!err)
        err = register_connector(d, OUTBOX_CONNECTOR, connector_config(d, true), e);
    if (!err)
        err = wait_until_running(d, CONNECTOR, e);
    if (!err)
        err = wait_until_running(d, OUTBOX_CONNECTOR, e);
    char kafka[32];
    if (!err) {
        const struct demo_view_options o = {topics, OUTBOX_TOPIC, d->mark, d->headless};
        snprintf(kafka, sizeof kafka, "127.0.0.1:%d", runtime_addresses(d->weir)->kafka_port);
        err = demo_view_start(&d->view, kafka, &o, e);
    }
    return err;
}

/* Waits until the events of the snapshot (of this run or an earlier one) are here and no more come,
 * and the outbox is read: a message put there earlier would be gone before the snapshot sees it. */
static enum err wait_for_snapshot(struct demo *d, struct error *e)
{
    int64_t quiet_since = clock_mono_ms(), last = -1, until = clock_mono_ms() + 30000;
    while (clock_mono_ms() < until) {
        if (runtime_wait_signal(20))
            return E_CANCELLED;
        int64_t now =
            demo_view_snapshot(d->view) + demo_view_streamed(d->view) + demo_view_messages(d->view);
        if (now != last) {
            last = now;
            quiet_since = clock_mono_ms();
        }
        bool whole =
            demo_view_snapshot(d->view) >= d->rows_at_start || demo_view_streamed(d->view) > 0;
        whole &= demo_view_opened(d->view);
        if (now > 0 && whole && clock_mono_ms() - quiet_since > 300)
            return E_OK;
    }
    return error_set(e, E_TIMEOUT, "the snapshot's %lld %s did not come back; %lld did, %s",
                     (long long)d->rows_at_start, d->db->rows,
                     (long long)demo_view_snapshot(d->view),
                     demo_view_opened(d->view) ? "and the outbox's first message"
                                               : "without the outbox's first message");
}

static void print_banner(const struct demo *d)
{
    const struct runtime_addresses *at = runtime_addresses(d->weir);
    struct strbuf b = STRBUF_INIT;
    runtime_banner(d->weir, &b);
    d->db->tell(d->self, &b);
    strbuf_addf(&b, "  try      kcat -C -b %s -t shop.shop.orders -o end\n", at->kafka);
    strbuf_addf(&b, "           curl %s/connectors/" CONNECTOR "/status\n", at->connect);
    strbuf_addf(&b,
                "  outbox   what the shop itself says goes to " OUTBOX_TOPIC " (" OUTBOX_CONNECTOR
                ", %s)\n",
                d->db->router);
    int64_t snapshot = demo_view_snapshot(d->view);
    if (snapshot == d->rows_at_start)
        strbuf_addf(&b, "snapshot: %lld %s are %lld events; now every change", (long long)snapshot,
                    d->db->rows, (long long)snapshot);
    else
        strbuf_addf(&b, "going on where the last demo stopped, with %lld %s; now every change",
                    (long long)d->rows_at_start, d->db->rows);
    strbuf_adds(&b, d->headless ? " is counted\n" : ", until Ctrl-C:\n");
    fwrite(b.p, 1, b.n, stdout);
    fflush(stdout);
    strbuf_release(&b);
}

/* Acts until the time is up or a signal comes. */
static enum err keep_shop_open(struct demo *d, struct error *e)
{
    int64_t until = d->duration_ms ? clock_mono_ms() + d->duration_ms : INT64_MAX;
    while (clock_mono_ms() < until) {
        enum err err = d->db->act(d->self, &d->count, e);
        if (err)
            return err;
        if (runtime_wait_signal(MIN(400, MAX(until - clock_mono_ms(), 1))))
            break;
    }
    return E_OK;
}

/* Every change that was committed must have come back, and every message of the outbox. */
static enum err check_streamed(struct demo *d, struct error *e)
{
    int64_t got = 0, messages = 0;
    for (int64_t until = clock_mono_ms() + 15000; clock_mono_ms() < until; usleep(20000)) {
        got = demo_view_streamed(d->view) - d->seen_at_start;
        messages = demo_view_messages(d->view) - d->messages_at_start;
        if (got >= d->count.changes && messages >= d->count.messages)
            break;
    }
    printf("snapshot: %lld %s consumed; streamed: %lld of %lld changes consumed; outbox: %lld of "
           "%lld messages consumed\n",
           (long long)demo_view_snapshot(d->view), d->db->rows, (long long)got,
           (long long)d->count.changes, (long long)messages, (long long)d->count.messages);
    if (demo_view_snapshot(d->view) > 0 && got == d->count.changes && got > 0 &&
        messages == d->count.messages && messages > 0)
        return E_OK;
    return error_set(e, E_REMOTE, "not everything that changed came back");
}

int demo_main(int argc, char **argv, const struct connect_plugins *const *plugins)
{
    struct demo d = {0};
    struct error e = {0};
    enum err err = parse(&d, argc, argv, &e);
    if (!err) {
        runtime_block_signals();
        err = start(&d, plugins, &e);
    }
    if (!err)
        err = wait_for_snapshot(&d, &e);
    if (!err) {
        d.seen_at_start = demo_view_streamed(d.view);
        d.messages_at_start = demo_view_messages(d.view);
        print_banner(&d);
        demo_view_live(d.view);
        err = keep_shop_open(&d, &e);
    }
    if (!err && d.headless)
        err = check_streamed(&d, &e);
    if (d.weir)
        runtime_hurry_signals();
    demo_view_stop(d.view);
    if (d.weir)
        runtime_stop(d.weir);
    if (d.self)
        d.db->stop(d.self);
    server_config_release(&d.config);
    mem_free(d.dir);
    if (!err && !d.headless)
        puts("stopped");
    if (err == E_CANCELLED) /* --help, or a signal before there was anything to see */
        return d.headless ? EXIT_FAILURE : EXIT_SUCCESS;
    e.code = err;
    return exit_status(&e);
}
