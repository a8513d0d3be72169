/* lab/shop.h - the demo's shop: tables customers, products, orders, an outbox for what others are to
 * know, and a hand that keeps orders changing. Speaks SQL to the private database. Thread: one. */
#ifndef WEIR_LAB_SHOP_H
#define WEIR_LAB_SHOP_H

#include "base/err.h"

struct shop;
/* Creates database, tables, rows and the user for capture unless they are there. A first message in
 * the outbox says that the shop is open, with `mark` in it: who has read it back reads all that
 * follow. */
enum err shop_open(struct shop **out, const char *socket, const char *mark,
                   struct error *e) MUST_CHECK;
void shop_close(struct shop *s);
/* Rows of customers, products and orders now. */
enum err shop_rows(struct shop *s, int64_t *out, struct error *e) MUST_CHECK;
/* What has been committed. */
struct shop_count {
    int64_t changes;  /* rows of customers, products, orders */
    int64_t messages; /* rows put into the outbox; they leave it in the same transaction */
};
/* One thing that happens in a shop: an order comes in, is paid, shipped, cancelled, a price
 * changes... *count grows by what it committed. */
enum err shop_act(struct shop *s, struct shop_count *count, struct error *e) MUST_CHECK;

/* What the connector logs in with. */
#define SHOP_DATABASE "shop"
#define SHOP_OUTBOX SHOP_DATABASE ".outboxevent"
#define SHOP_USER "weir"
#define SHOP_PASSWORD "weir"

#endif
