/* lab/shop_sql.h - the demo's shop in SQL: tables customers, products, orders, an outbox for what
 * others are to know, and a hand that keeps orders changing. Functions are those of demo_db.h.
 * Thread: one. */
#ifndef WEIR_LAB_SHOP_SQL_H
#define WEIR_LAB_SHOP_SQL_H

#include "lab/demo_db.h"

struct shop_sql;
/* Creates database, tables, rows and the user for capture unless they are there; puts the mark into
 * the outbox. */
enum err shop_sql_open(struct shop_sql **out, const char *socket, const char *mark,
                       struct error *e) MUST_CHECK;
void shop_sql_close(struct shop_sql *s); /* NULL allowed */
enum err shop_sql_count(struct shop_sql *s, int64_t *out, struct error *e) MUST_CHECK;
enum err shop_sql_act(struct shop_sql *s, struct shop_count *count, struct error *e) MUST_CHECK;

/* What the connector logs in with. */
#define SHOP_USER "weir"
#define SHOP_PASSWORD "weir"

#endif
