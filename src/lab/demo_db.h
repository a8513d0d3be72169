/* lab/demo_db.h - what of the demo differs by the database: a private server with a shop in it, and
 * the connectors that capture it. demo.c runs one of these. Thread: main. */
#ifndef WEIR_LAB_DEMO_DB_H
#define WEIR_LAB_DEMO_DB_H

#include <jansson.h>

#include "base/base.h"
#include "base/err.h"
#include "base/str.h"
#include "base/strmap.h"

/* The shop, whatever it is kept in. */
#define SHOP_DATABASE "shop"
#define SHOP_OUTBOX SHOP_DATABASE ".outboxevent"

/* What has been committed. */
struct shop_count {
    int64_t changes;  /* of customers, products, orders */
    int64_t messages; /* put into the outbox; they leave it in the same transaction */
};

struct demo_db {
    const char *folder; /* below the data directory, for server and weir: demos do not meet */
    const char *rows;   /* what the shop is made of: "rows" */
    const char *router; /* transform of the outbox */
    const char *router_class;

    /* Looks for what it needs and touches nothing. *self is set in any case and freed by `stop`. */
    enum err (*find)(void **self, const struct strmap *options, struct error *e);
    /* Starts the server with its data below dir, fills the shop unless an earlier run did, and puts
     * a first message with `mark` in it into the outbox: who has read that back reads all that
     * follow. quiet: no word about what takes long. */
    enum err (*start)(void *self, const char *dir, const char *mark, bool quiet, struct error *e);
    /* Rows of customers, products and orders now. */
    enum err (*count)(void *self, int64_t *out, struct error *e);
    /* One thing that happens in a shop: an order comes in, is paid, shipped, leaves; a price
     * changes.
     * *count grows by what it committed. */
    enum err (*act)(void *self, struct shop_count *count, struct error *e);
    /* Adds the connector's class, how it connects and what it captures: all but the outbox, or the
     * outbox only. kafka: HOST:PORT. */
    void (*configure)(const void *self, bool outbox, const char *kafka, json_t *config);
    /* Appends the line that says where the server is. */
    void (*tell)(const void *self, struct strbuf *out);
    void (*stop)(void *self); /* frees */
};
extern const struct demo_db demo_mariadb, demo_mongodb;

#endif
