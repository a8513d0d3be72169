/* lab/demo_mongodb.c - the demo on MongoDB: see demo_db.h. */
#include <stdlib.h>

#include "base/mem.h"
#include "lab/demo_db.h"
#include "lab/private_mongodb.h"
#include "lab/shop_documents.h"

struct on_mongodb {
    char *mongod; /* path */
    struct private_mongodb db;
    struct shop_documents *shop;
};

static enum err find(void **self, const struct strmap *options, struct error *e)
{
    struct on_mongodb *d = *self = xcalloc(1, sizeof *d);
    struct slice given = strmap_get_c(options, "mongod");
    char *path = given.n ? slice_dup(given) : NULL;
    d->mongod = private_mongodb_find(path, e);
    mem_free(path);
    return d->mongod ? E_OK : e->code;
}

static enum err start(void *self, const char *dir, const char *mark, bool quiet, struct error *e)
{
    struct on_mongodb *d = self;
    (void)quiet;
    char *at = xasprintf("%s/mongodb", dir);
    enum err err = private_mongodb_start(&d->db, d->mongod, at, e);
    if (!err)
        err = shop_documents_open(&d->shop, d->db.uri, mark, e);
    mem_free(at);
    return err;
}

static enum err count_documents(void *self, int64_t *out, struct error *e)
{
    const struct on_mongodb *d = self;
    return shop_documents_count(d->shop, out, e);
}

static enum err act(void *self, struct shop_count *count, struct error *e)
{
    const struct on_mongodb *d = self;
    return shop_documents_act(d->shop, count, e);
}

static void configure(const void *self, bool outbox, const char *kafka, json_t *config)
{
    const struct on_mongodb *d = self;
    (void)kafka;
    json_t *more = json_pack(
        "{s:s, s:s, s:s, s:s}", "connector.class", "io.debezium.connector.mongodb.MongoDbConnector",
        "mongodb.connection.string", d->db.uri, "database.include.list", SHOP_DATABASE,
        "collection.include.list",
        outbox ? SHOP_OUTBOX
               : SHOP_DATABASE ".customers," SHOP_DATABASE ".products," SHOP_DATABASE ".orders");
    json_t *what =
        outbox ? json_pack("{s:s, s:s}", "transforms.outbox.collection.expand.json.payload", "true",
                           "transforms.outbox.collection.fields.additional.placement",
                           "type:header:eventType")
               : json_pack("{s:s}", "capture.mode", "change_streams_update_full_with_pre_image");
    json_object_update(config, more);
    json_object_update(config, what);
    json_decref(more);
    json_decref(what);
}

static void tell(const void *self, struct strbuf *out)
{
    const struct on_mongodb *d = self;
    strbuf_addf(
        out, "  MongoDB  mongosh '%s', database " SHOP_DATABASE ": change a document and watch\n",
        d->db.uri);
}

static void stop(void *self)
{
    struct on_mongodb *d = self;
    shop_documents_close(d->shop);
    private_mongodb_stop(&d->db);
    mem_free(d->mongod);
    mem_free(d);
}

const struct demo_db demo_mongodb = {
    .folder = "demo-mongodb",
    .rows = "documents",
    .router = "MongoEventRouter",
    .router_class = "io.debezium.connector.mongodb.transforms.outbox.MongoEventRouter",
    .find = find,
    .start = start,
    .count = count_documents,
    .act = act,
    .configure = configure,
    .tell = tell,
    .stop = stop,
};
