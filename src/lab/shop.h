/* lab/shop.h - the demo's shop: tables customers, products, orders, and a hand that keeps orders
 * changing. Speaks SQL to the private database. Thread: one. */
#ifndef WEIR_LAB_SHOP_H
#define WEIR_LAB_SHOP_H

#include "base/err.h"

struct shop;
/* Creates database, tables, rows and the user for capture unless they are there. */
enum err shop_open(struct shop **out, const char *socket, struct error *e) MUST_CHECK;
void shop_close(struct shop *s);
/* Rows of all three tables now. */
enum err shop_rows(struct shop *s, int64_t *out, struct error *e) MUST_CHECK;
/* One thing that happens in a shop: an order comes in, is paid, shipped, cancelled, a price
 * changes... *changes grows by the row changes committed. */
enum err shop_act(struct shop *s, int64_t *changes, struct error *e) MUST_CHECK;

/* What the connector logs in with. */
#define SHOP_DATABASE "shop"
#define SHOP_USER "weir"
#define SHOP_PASSWORD "weir"

#endif
