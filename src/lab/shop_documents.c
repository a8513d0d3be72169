/* lab/shop_documents.c - see shop_documents.h. Statuses go NEW -> PAID -> SHIPPED -> DELIVERED;
 * delivered orders leave. What belongs together is one transaction, as the message in the outbox
 * does, which is deleted at once: the change stream has it. */
#include "lab/shop_documents.h"

#include <math.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "cdc/mongo_shell.h"
#include "lab/shop_acts.h"

#define TRIES 20 /* of a transaction that another one of somebody else was in the way of */

struct shop_documents {
    struct mongo_shell *shell;
    struct shop_acts acts;
};

static const char *const shown[] = {"customers", "products", "orders"};

/* --- commands --------------------------------------------------------------------------------- */

static enum err run(struct shop_documents *s, json_t *command, json_t **reply, struct error *e)
{
    return mongo_shell_run(s->shell, SHOP_DATABASE, command, reply, e);
}

/* A write; *changed grows by the documents that are another now. */
static enum err write_documents(struct shop_documents *s, json_t *command, int64_t *changed,
                                struct error *e)
{
    json_t *reply = NULL;
    enum err err = run(s, command, &reply, e);
    const json_t *modified = json_object_get(reply, "nModified"); /* of an update */
    *changed += json_integer_value(modified ? modified : json_object_get(reply, "n"));
    json_decref(reply);
    return err;
}

static enum err insert(struct shop_documents *s, const char *collection, json_t *documents,
                       int64_t *changed, struct error *e)
{
    return write_documents(s, json_pack("{s:s, s:o}", "insert", collection, "documents", documents),
                           changed, e);
}

static enum err update(struct shop_documents *s, const char *collection, json_int_t id,
                       json_t *change, int64_t *changed, struct error *e)
{
    return write_documents(s,
                           json_pack("{s:s, s:[{s:{s:I}, s:o}]}", "update", collection, "updates",
                                     "q", "_id", id, "u", change),
                           changed, e);
}

static enum err delete_documents(struct shop_documents *s, const char *collection, json_t *which,
                                 int64_t *changed, struct error *e)
{
    return write_documents(
        s,
        json_pack("{s:s, s:[{s:o, s:i}]}", "delete", collection, "deletes", "q", which, "limit", 0),
        changed, e);
}

/* The one with the lowest id; *out NULL: there is none. */
static enum err find(struct shop_documents *s, const char *collection, json_t *which, json_t **out,
                     struct error *e)
{
    json_t *reply = NULL;
    enum err err = run(s,
                       json_pack("{s:s, s:o, s:{s:i}, s:i, s:b}", "find", collection, "filter",
                                 which, "sort", "_id", 1, "limit", 1, "singleBatch", 1),
                       &reply, e);
    const json_t *batch = json_object_get(json_object_get(reply, "cursor"), "firstBatch");
    *out = json_incref(json_array_get(batch, 0));
    json_decref(reply);
    return err;
}

/* --- the shop --------------------------------------------------------------------------------- */

static const struct {
    const char *first, *last, *email;
} customers[] = {
    {"Ada", "North", "ada@shop.example"},   {"Bela", "Stone", "bela@shop.example"},
    {"민준", "김", "minjun@shop.example"},  {"Chen", "Rivers", "chen@shop.example"},
    {"서연", "이", "seoyeon@shop.example"}, {"Dara", "Field", "dara@shop.example"},
};
#define FIRST_CUSTOMER 101
static const struct {
    const char *name;
    double price;
    int stock;
} products[] = {
    {"notebook", 3.50, 400},   {"pencil", 0.80, 2000},   {"desk lamp", 24.90, 60},
    {"backpack", 39.00, 80},   {"ruler", 1.20, 900},     {"coffee mug", 7.25, 150},
    {"headphones", 59.99, 40}, {"USB cable", 4.40, 500},
};
#define FIRST_PRODUCT 1
static const struct {
    int customer, product, quantity; /* places in the arrays */
    const char *status;
} orders[] = {
    {0, 0, 2, "DELIVERED"}, {1, 2, 1, "SHIPPED"}, {2, 1, 10, "PAID"},
    {3, 3, 1, "NEW"},       {4, 6, 1, "NEW"},
};
#define FIRST_ORDER 1001

static double cents(double amount)
{
    return round(amount * 100) / 100;
}

static json_t *item(json_int_t product, const char *name, int quantity, double price)
{
    return json_pack("{s:I, s:s, s:i, s:f}", "product_id", product, "name", name, "quantity",
                     quantity, "price", price);
}

/* Takes the item over. */
static json_t *order(json_int_t id, int customer, json_t *only, const char *status)
{
    char now[24];
    double price = json_number_value(json_object_get(only, "price")),
           quantity = json_number_value(json_object_get(only, "quantity"));
    snprintf(now, sizeof now, "%lld", (long long)clock_wall_ms());
    return json_pack("{s:I, s:i, s:[o], s:s, s:f, s:{s:{s:s}}}", "_id", id, "customer_id", customer,
                     "items", only, "status", status, "total", cents(price * quantity),
                     "created_at", "$date", "$numberLong", now);
}

/* Creates it unless it is there. */
static enum err create(struct shop_documents *s, const char *collection, struct error *e)
{
    enum err err = run(s, json_pack("{s:s}", "create", collection), NULL, e);
    return err == E_REMOTE && e->sys == MONGO_NAMESPACE_EXISTS ? E_OK : err;
}

/* Its changes tell what was, also where an earlier demo made it. */
static enum err keep_pre_images(struct shop_documents *s, const char *collection, struct error *e)
{
    return run(s,
               json_pack("{s:s, s:{s:b}}", "collMod", collection, "changeStreamPreAndPostImages",
                         "enabled", 1),
               NULL, e);
}

/* Collections first: a transaction makes none on its way. */
static enum err create_all(struct shop_documents *s, struct error *e)
{
    static const char *const more[] = {"outboxevent", "counters"};
    enum err err = E_OK;
    for (size_t i = 0; !err && i < ARRAY_LEN(shown); i++) {
        err = create(s, shown[i], e);
        if (!err)
            err = keep_pre_images(s, shown[i], e);
    }
    for (size_t i = 0; !err && i < ARRAY_LEN(more); i++)
        err = create(s, more[i], e);
    return err;
}

static enum err fill(struct shop_documents *s, struct error *e)
{
    json_t *people = json_array(), *goods = json_array(), *first = json_array();
    int64_t changed = 0;
    for (size_t i = 0; i < ARRAY_LEN(customers); i++)
        json_array_append_new(people,
                              json_pack("{s:i, s:s, s:s, s:s}", "_id", FIRST_CUSTOMER + (int)i,
                                        "first_name", customers[i].first, "last_name",
                                        customers[i].last, "email", customers[i].email));
    for (size_t i = 0; i < ARRAY_LEN(products); i++)
        json_array_append_new(goods,
                              json_pack("{s:i, s:s, s:f, s:i}", "_id", FIRST_PRODUCT + (int)i,
                                        "name", products[i].name, "price", products[i].price,
                                        "stock", products[i].stock));
    for (size_t i = 0; i < ARRAY_LEN(orders); i++) {
        int p = orders[i].product;
        json_t *only =
            item(FIRST_PRODUCT + p, products[p].name, orders[i].quantity, products[p].price);
        json_array_append_new(first,
                              order(FIRST_ORDER + (int)i, FIRST_CUSTOMER + orders[i].customer, only,
                                    orders[i].status));
    }
    json_t *last = json_pack("[{s:s, s:i}]", "_id", "orders", "last",
                             FIRST_ORDER + (int)ARRAY_LEN(orders) - 1);
    enum err err = mongo_shell_begin(s->shell, e);
    if (!err)
        err = insert(s, "customers", json_incref(people), &changed, e);
    if (!err)
        err = insert(s, "products", json_incref(goods), &changed, e);
    if (!err)
        err = insert(s, "orders", json_incref(first), &changed, e);
    if (!err)
        err = insert(s, "counters", json_incref(last), &changed, e);
    if (!err)
        err = mongo_shell_commit(s->shell, e);
    json_decref(people);
    json_decref(goods);
    json_decref(first);
    json_decref(last);
    return err;
}

static enum err put_message(struct shop_documents *s, json_int_t about, const char *type,
                            json_t *payload, struct error *e)
{
    int64_t changed = 0;
    json_t *id = json_sprintf("%lld", (long long)about);
    return insert(s, "outboxevent",
                  json_pack("[{s:s, s:o, s:s, s:o}]", "aggregatetype", "order", "aggregateid", id,
                            "type", type, "payload", payload),
                  &changed, e);
}

enum err shop_documents_open(struct shop_documents **out, const char *uri, const char *mark,
                             struct error *e)
{
    struct shop_documents *s = xcalloc(1, sizeof *s);
    json_t *anybody = NULL;
    char *patient = xasprintf("%s&socketTimeoutMS=30000", uri);
    s->acts = (struct shop_acts){.extends = true, .seed = 20260101};
    enum err err = mongo_shell_open(&s->shell, patient, e);
    mem_free(patient);
    if (!err)
        err = create_all(s, e);
    if (!err)
        err = find(s, "customers", json_object(), &anybody, e);
    if (!err && !anybody)
        err = fill(s, e);
    json_decref(anybody);
    if (!err)
        err = put_message(s, 0, "ShopOpened",
                          json_pack("{s:s, s:s}", "event", "ShopOpened", "mark", mark), e);
    if (err) {
        shop_documents_close(s);
        return err;
    }
    *out = s;
    return E_OK;
}

void shop_documents_close(struct shop_documents *s)
{
    if (!s)
        return;
    mongo_shell_close(s->shell);
    mem_free(s);
}

/* Counted one by one: what the server remembers is wrong after it was killed. */
enum err shop_documents_count(struct shop_documents *s, int64_t *out, struct error *e)
{
    enum err err = E_OK;
    *out = 0;
    for (size_t i = 0; !err && i < ARRAY_LEN(shown); i++) {
        json_t *reply = NULL;
        err = run(s,
                  json_pack("{s:s, s:[{s:s}], s:{}}", "aggregate", shown[i], "pipeline", "$count",
                            "n", "cursor"),
                  &reply, e);
        const json_t *batch = json_object_get(json_object_get(reply, "cursor"), "firstBatch");
        *out += json_integer_value(json_object_get(json_array_get(batch, 0), "n"));
        json_decref(reply);
    }
    return err;
}

/* --- what happens in it ----------------------------------------------------------------------- */

/* Says in the outbox what happened to an order as it is now; what was said before leaves. */
static enum err say(struct shop_documents *s, json_int_t id, const char *event,
                    struct shop_count *count, struct error *e)
{
    json_t *now = NULL;
    int64_t gone = 0;
    enum err err = find(s, "orders", json_pack("{s:I}", "_id", id), &now, e);
    if (!err)
        err = put_message(s, id, event,
                          json_pack("{s:s, s:I, s:O, s:O}", "event", event, "order", id, "customer",
                                    json_object_get(now, "customer_id"), "total",
                                    json_object_get(now, "total")),
                          e);
    if (!err)
        err = delete_documents(s, "outboxevent", json_object(), &gone, e);
    if (!err)
        count->messages++;
    json_decref(now);
    return err;
}

static enum err next_order(struct shop_documents *s, json_int_t *out, struct error *e)
{
    json_t *reply = NULL;
    enum err err =
        run(s,
            json_pack("{s:s, s:{s:s}, s:{s:{s:i}}, s:b, s:b}", "findAndModify", "counters", "query",
                      "_id", "orders", "update", "$inc", "last", 1, "new", 1, "upsert", 1),
            &reply, e);
    *out = json_integer_value(json_object_get(json_object_get(reply, "value"), "last"));
    json_decref(reply);
    return err;
}

static bool has_item(const json_t *items, json_int_t product)
{
    size_t i;
    json_t *one;
    json_array_foreach(items, i, one) if (json_integer_value(json_object_get(one, "product_id")) ==
                                          product) return true;
    return false;
}

/* So many of a random product out of the stock, which is filled up when it is low: an item of an
 * order, of a product that is not among its items (NULL: none) as long as there is one. */
static enum err take_item(struct shop_documents *s, const json_t *items, int quantity, json_t **out,
                          struct shop_count *count, struct error *e)
{
    json_t *product = NULL;
    json_int_t at = shop_acts_dice(&s->acts, ARRAY_LEN(products));
    for (size_t i = 1; i < ARRAY_LEN(products) && has_item(items, FIRST_PRODUCT + at); i++)
        at = (at + 1) % (json_int_t)ARRAY_LEN(products);
    json_int_t id = FIRST_PRODUCT + at;
    *out = NULL;
    enum err err = find(s, "products", json_pack("{s:I}", "_id", id), &product, e);
    const char *name = json_string_value(json_object_get(product, "name"));
    if (!err && !name)
        err = error_set(e, E_NOT_FOUND, "the shop has no product %lld any more", (long long)id);
    if (!err) {
        json_int_t stock = json_integer_value(json_object_get(product, "stock"));
        json_int_t more = stock < 20 ? 500 - stock : 0;
        err = update(s, "products", id, json_pack("{s:{s:I}}", "$inc", "stock", more - quantity),
                     &count->changes, e);
    }
    if (!err)
        *out = item(id, name, quantity, json_number_value(json_object_get(product, "price")));
    json_decref(product);
    return err;
}

static enum err new_order(struct shop_documents *s, struct shop_count *count, struct error *e)
{
    json_int_t id = 0;
    json_t *only = NULL;
    int customer = FIRST_CUSTOMER + (int)shop_acts_dice(&s->acts, ARRAY_LEN(customers)),
        quantity = 1 + (int)shop_acts_dice(&s->acts, 3);
    enum err err = next_order(s, &id, e);
    if (!err)
        err = take_item(s, NULL, quantity, &only, count, e);
    if (!err)
        err = insert(s, "orders", json_pack("[o]", order(id, customer, only, "NEW")),
                     &count->changes, e);
    if (!err)
        err = say(s, id, "OrderCreated", count, e);
    return err;
}

/* A customer wants one thing more. */
static enum err extend_order(struct shop_documents *s, struct shop_count *count, struct error *e)
{
    json_t *found = NULL, *one = NULL;
    enum err err = find(s, "orders", json_pack("{s:s}", "status", "NEW"), &found, e);
    json_int_t id = json_integer_value(json_object_get(found, "_id"));
    if (!err && found)
        err = take_item(s, json_object_get(found, "items"), 1, &one, count, e);
    if (!err && one) {
        double total = json_number_value(json_object_get(found, "total")) +
                       json_number_value(json_object_get(one, "price"));
        err = update(
            s, "orders", id,
            json_pack("{s:{s:o}, s:{s:f}}", "$push", "items", one, "$set", "total", cents(total)),
            &count->changes, e);
        if (!err)
            err = say(s, id, "OrderExtended", count, e);
    }
    json_decref(found);
    return err;
}

static enum err move_on(struct shop_documents *s, const char *from, const char *to,
                        const char *event, struct shop_count *count, struct error *e)
{
    json_t *found = NULL;
    enum err err = find(s, "orders", json_pack("{s:s}", "status", from), &found, e);
    json_int_t id = json_integer_value(json_object_get(found, "_id"));
    if (!err && found)
        err = update(s, "orders", id, json_pack("{s:{s:s}}", "$set", "status", to), &count->changes,
                     e);
    if (!err && found)
        err = say(s, id, event, count, e);
    json_decref(found);
    return err;
}

static enum err raise_price(struct shop_documents *s, struct shop_count *count, struct error *e)
{
    json_int_t id = FIRST_PRODUCT + 5;
    json_t *product = NULL;
    enum err err = find(s, "products", json_pack("{s:I}", "_id", id), &product, e);
    double price = json_number_value(json_object_get(product, "price"));
    if (!err && product)
        err =
            update(s, "products", id, json_pack("{s:{s:f}}", "$set", "price", cents(price + 0.10)),
                   &count->changes, e);
    json_decref(product);
    return err;
}

static enum err drop_order(struct shop_documents *s, struct shop_count *count, struct error *e)
{
    json_t *found = NULL;
    enum err err = find(s, "orders", json_pack("{s:s}", "status", "DELIVERED"), &found, e);
    if (!err && found)
        err =
            delete_documents(s, "orders", json_pack("{s:O}", "_id", json_object_get(found, "_id")),
                             &count->changes, e);
    json_decref(found);
    return err;
}

static enum err act(struct shop_documents *s, enum shop_act what, struct shop_count *count,
                    struct error *e)
{
    switch (what) {
    case SHOP_ORDER:
        return new_order(s, count, e);
    case SHOP_EXTEND:
        return extend_order(s, count, e);
    case SHOP_PAY:
        return move_on(s, "NEW", "PAID", "OrderPaid", count, e);
    case SHOP_SHIP:
        return move_on(s, "PAID", "SHIPPED", "OrderShipped", count, e);
    case SHOP_DELIVER:
        return move_on(s, "SHIPPED", "DELIVERED", "OrderDelivered", count, e);
    case SHOP_PRICE:
        return raise_price(s, count, e);
    default:
        return drop_order(s, count, e);
    }
}

enum err shop_documents_act(struct shop_documents *s, struct shop_count *count, struct error *e)
{
    enum shop_act what = shop_acts_next(&s->acts);
    enum err err = E_AGAIN;
    for (int i = 0; err == E_AGAIN && i < TRIES; i++) {
        struct shop_count own = {0};
        err = mongo_shell_begin(s->shell, e);
        if (!err)
            err = act(s, what, &own, e);
        if (!err)
            err = mongo_shell_commit(s->shell, e);
        if (!err) {
            count->changes += own.changes;
            count->messages += own.messages;
        }
    }
    return err;
}
