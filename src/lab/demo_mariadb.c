/* lab/demo_mariadb.c - the demo on MariaDB: see demo_db.h. */
#include <stdio.h>

#include "base/fs.h"
#include "base/mem.h"
#include "lab/demo_db.h"
#include "lab/private_mariadb.h"
#include "lab/shop_sql.h"

struct on_mariadb {
    struct private_mariadb db;
    struct shop_sql *shop;
};

static enum err find(void **self, const struct strmap *options, struct error *e)
{
    (void)options;
    *self = xcalloc(1, sizeof(struct on_mariadb));
    return private_mariadb_find(e);
}

static enum err start(void *self, const char *dir, const char *mark, bool quiet, struct error *e)
{
    struct on_mariadb *d = self;
    char *at = xasprintf("%s/mariadb", dir), *data = xasprintf("%s/data", at);
    if (!quiet && !fs_exists(data))
        puts("setting up a private MariaDB, once ...");
    fflush(stdout);
    enum err err = private_mariadb_start(&d->db, at, e);
    if (!err)
        err = shop_sql_open(&d->shop, d->db.socket, mark, e);
    mem_free(at);
    mem_free(data);
    return err;
}

static enum err count_rows(void *self, int64_t *out, struct error *e)
{
    const struct on_mariadb *d = self;
    return shop_sql_count(d->shop, out, e);
}

static enum err act(void *self, struct shop_count *count, struct error *e)
{
    const struct on_mariadb *d = self;
    return shop_sql_act(d->shop, count, e);
}

static void configure(const void *self, bool outbox, const char *kafka, json_t *config)
{
    const struct on_mariadb *d = self;
    json_t *more =
        json_pack("{s:s, s:s, s:o, s:s, s:s, s:s, s:s, s:s}", "connector.class",
                  "io.debezium.connector.mariadb.MariaDbConnector", "database.hostname",
                  "127.0.0.1", "database.port", json_sprintf("%d", d->db.server.port),
                  "database.user", SHOP_USER, "database.password", SHOP_PASSWORD,
                  "database.server.id", outbox ? "184055" : "184054", "database.include.list",
                  SHOP_DATABASE, "schema.history.internal.kafka.bootstrap.servers", kafka);
    json_object_set_new(more, "schema.history.internal.kafka.topic",
                        json_string(outbox ? "schema-changes.outbox" : "schema-changes.shop"));
    json_t *what = outbox ? json_pack("{s:s, s:s, s:s}", "table.include.list", SHOP_OUTBOX,
                                      "include.schema.changes", "false",
                                      "transforms.outbox.table.expand.json.payload", "true")
                          : json_pack("{s:s, s:s}", "table.exclude.list", SHOP_OUTBOX,
                                      "decimal.handling.mode", "double");
    if (outbox)
        json_object_set_new(what, "transforms.outbox.table.fields.additional.placement",
                            json_string("type:header:eventType"));
    json_object_update(config, more);
    json_object_update(config, what);
    json_decref(more);
    json_decref(what);
}

static void tell(const void *self, struct strbuf *out)
{
    const struct on_mariadb *d = self;
    strbuf_addf(out,
                "  MariaDB  127.0.0.1:%d, user root, database " SHOP_DATABASE
                ": change a row and watch\n",
                d->db.server.port);
}

static void stop(void *self)
{
    struct on_mariadb *d = self;
    shop_sql_close(d->shop);
    private_mariadb_stop(&d->db);
    mem_free(d);
}

const struct demo_db demo_mariadb = {
    .folder = "demo",
    .rows = "rows",
    .router = "EventRouter",
    .router_class = "io.debezium.transforms.outbox.EventRouter",
    .find = find,
    .start = start,
    .count = count_rows,
    .act = act,
    .configure = configure,
    .tell = tell,
    .stop = stop,
};
