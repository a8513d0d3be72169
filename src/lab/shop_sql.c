/* lab/shop_sql.c - see shop_sql.h. Statuses go NEW -> PAID -> SHIPPED -> DELIVERED; delivered
 * orders leave. */
#include "lab/shop_sql.h"

#include <stdlib.h>

#include "base/base.h"
#include "base/mem.h"
#include "base/str.h"
#include "lab/shop_acts.h"

#include <mysql.h>

struct shop_sql {
    MYSQL *db;
    struct shop_acts acts;
};

static const char *const schema[] = {
    "CREATE DATABASE IF NOT EXISTS shop CHARACTER SET utf8mb4",
    "USE shop",
    "CREATE TABLE IF NOT EXISTS customers (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, "
    "first_name VARCHAR(60) NOT NULL, last_name VARCHAR(60) NOT NULL, email VARCHAR(120) NOT NULL "
    "UNIQUE) "
    "AUTO_INCREMENT=101",
    "CREATE TABLE IF NOT EXISTS products (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, "
    "name VARCHAR(80) NOT NULL, price DECIMAL(10,2) NOT NULL, stock INT NOT NULL DEFAULT 0)",
    "CREATE TABLE IF NOT EXISTS orders (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, customer_id "
    "INT NOT NULL, "
    "product_id INT NOT NULL, quantity INT NOT NULL, "
    "status ENUM('NEW','PAID','SHIPPED','DELIVERED','CANCELLED') NOT NULL DEFAULT 'NEW', "
    "total DECIMAL(10,2) NOT NULL, created_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP, "
    "FOREIGN KEY (customer_id) REFERENCES customers(id), FOREIGN KEY (product_id) REFERENCES "
    "products(id)) "
    "AUTO_INCREMENT=1001",
    "CREATE TABLE IF NOT EXISTS outboxevent (id CHAR(36) NOT NULL PRIMARY KEY, "
    "aggregatetype VARCHAR(60) NOT NULL, aggregateid VARCHAR(60) NOT NULL, "
    "type VARCHAR(60) NOT NULL, payload JSON NOT NULL)",
    "CREATE USER IF NOT EXISTS '" SHOP_USER "'@'127.0.0.1' IDENTIFIED BY '" SHOP_PASSWORD "'",
    "GRANT SELECT, RELOAD, SHOW DATABASES, LOCK TABLES, REPLICATION SLAVE, REPLICATION CLIENT, "
    "BINLOG MONITOR ON *.* TO '" SHOP_USER "'@'127.0.0.1'",
};
/* All or nothing: an empty table of customers says that they are to come. */
static const char *const rows[] = {
    "START TRANSACTION",
    "INSERT INTO customers (first_name, last_name, email) VALUES "
    "('Ada','North','ada@shop.example'),"
    "('Bela','Stone','bela@shop.example'),('민준','김','minjun@shop.example'),('Chen','Rivers','"
    "chen@shop.example'),"
    "('서연','이','seoyeon@shop.example'),('Dara','Field','dara@shop.example')",
    "INSERT INTO products (name, price, stock) VALUES ('notebook',3.50,400),('pencil',0.80,2000),"
    "('desk lamp',24.90,60),('backpack',39.00,80),('ruler',1.20,900),('coffee mug',7.25,150),"
    "('headphones',59.99,40),('USB cable',4.40,500)",
    "INSERT INTO orders (customer_id, product_id, quantity, status, total) VALUES "
    "(101,1,2,'DELIVERED',7.00),"
    "(102,3,1,'SHIPPED',24.90),(103,2,10,'PAID',8.00),(104,4,1,'NEW',39.00),(105,7,1,'NEW',59.99)",
    "COMMIT",
};

static enum err run(struct shop_sql *s, const char *sql, int64_t *changed, struct error *e)
{
    if (mysql_query(s->db, sql) != 0) {
        error_set(e, E_REMOTE, "the shop's database: %s", mysql_error(s->db));
        e->sys = (int)mysql_errno(s->db);
        return E_REMOTE;
    }
    if (changed)
        *changed += (int64_t)mysql_affected_rows(s->db);
    return E_OK;
}

static enum err ask(struct shop_sql *s, const char *sql, int64_t *out, struct error *e)
{
    enum err err = run(s, sql, NULL, e);
    if (err)
        return err;
    MYSQL_RES *result = mysql_store_result(s->db);
    MYSQL_ROW row = result ? mysql_fetch_row(result) : NULL;
    *out = row && row[0] ? strtoll(row[0], NULL, 10) : -1;
    mysql_free_result(result);
    return E_OK;
}

enum err shop_sql_open(struct shop_sql **out, const char *socket, const char *mark, struct error *e)
{
    struct shop_sql *s = xcalloc(1, sizeof *s);
    s->acts.seed = 20260101;
    s->db = mysql_init(NULL);
    enum err err = E_OK;
    if (!s->db)
        err = error_set(e, E_NOMEM, "the shop's connection");
    else if (mysql_options(s->db, MYSQL_SET_CHARSET_NAME, "utf8mb4") != 0 ||
             !mysql_real_connect(s->db, NULL, "root", "", NULL, 0, socket, 0))
        err = error_set(e, E_REMOTE, "the shop's database: %s", mysql_error(s->db));
    for (size_t i = 0; !err && i < ARRAY_LEN(schema); i++)
        err = run(s, schema[i], NULL, e);
    int64_t there = 0;
    if (!err)
        err = ask(s, "SELECT COUNT(*) FROM customers", &there, e);
    for (size_t i = 0; !err && there == 0 && i < ARRAY_LEN(rows); i++)
        err = run(s, rows[i], NULL, e);
    char sql[300];
    snprintf(sql, sizeof sql,
             "INSERT INTO outboxevent VALUES (UUID(), 'order', '0', 'ShopOpened', "
             "JSON_OBJECT('event', 'ShopOpened', 'mark', '%s'))",
             mark);
    if (!err)
        err = run(s, sql, NULL, e);
    if (err) {
        shop_sql_close(s);
        return err;
    }
    *out = s;
    return E_OK;
}

void shop_sql_close(struct shop_sql *s)
{
    if (s && s->db)
        mysql_close(s->db);
    mem_free(s);
}

enum err shop_sql_count(struct shop_sql *s, int64_t *out, struct error *e)
{
    return ask(s,
               "SELECT (SELECT COUNT(*) FROM customers) + (SELECT COUNT(*) FROM products) + "
               "(SELECT COUNT(*) FROM orders)",
               out, e);
}

/* One transaction: the statements, and for `event` a message about order @id. The message's row is
 * deleted at once: the binary log has it, and that is where it is read. Nothing happened when the
 * first statement found no order. */
static enum err transact(struct shop_sql *s, const char *const *statements, const char *event,
                         struct shop_count *count, struct error *e)
{
    char sql[500];
    int64_t changed = 0, order = 0;
    enum err err = run(s, "START TRANSACTION", NULL, e);
    for (; !err && *statements; statements++)
        err = run(s, *statements, &changed, e);
    if (!err)
        err = ask(s, "SELECT COALESCE(@id, 0)", &order, e);
    snprintf(sql, sizeof sql,
             "INSERT INTO outboxevent SELECT UUID(), 'order', id, '%s', JSON_OBJECT('event', '%s', "
             "'order', id, 'customer', customer_id, 'total', total) FROM orders WHERE id = @id",
             event, event);
    if (!err && order)
        err = run(s, sql, NULL, e);
    if (!err && order)
        err = run(s, "DELETE FROM outboxevent", NULL, e);
    if (!err)
        err = run(s, "COMMIT", NULL, e);
    if (!err && order) {
        count->changes += changed;
        count->messages++;
    }
    return err;
}

/* An order of a random customer; its stock goes down in the same transaction: two events. */
static enum err new_order(struct shop_sql *s, struct shop_count *count, struct error *e)
{
    unsigned product = 1 + shop_acts_dice(&s->acts, 8), quantity = 1 + shop_acts_dice(&s->acts, 3);
    char insert[400], stock[200];
    snprintf(insert, sizeof insert,
             "INSERT INTO orders (customer_id, product_id, quantity, total) SELECT %u, id, %u, "
             "price * %u "
             "FROM products WHERE id = %u",
             101 + shop_acts_dice(&s->acts, 6), quantity, quantity, product);
    snprintf(stock, sizeof stock,
             "UPDATE products SET stock = IF(stock < 20, 500, stock) - %u WHERE id = %u", quantity,
             product);
    const char *const statements[] = {insert, "SET @id = LAST_INSERT_ID()", stock, NULL};
    return transact(s, statements, "OrderCreated", count, e);
}

static enum err move_on(struct shop_sql *s, const char *from, const char *to, const char *event,
                        struct shop_count *count, struct error *e)
{
    char find[200], update[200];
    snprintf(find, sizeof find, "SET @id = (SELECT MIN(id) FROM orders WHERE status = '%s')", from);
    snprintf(update, sizeof update, "UPDATE orders SET status = '%s' WHERE id = @id", to);
    const char *const statements[] = {find, update, NULL};
    return transact(s, statements, event, count, e);
}

enum err shop_sql_act(struct shop_sql *s, struct shop_count *count, struct error *e)
{
    switch (shop_acts_next(&s->acts)) {
    case SHOP_ORDER:
        return new_order(s, count, e);
    case SHOP_PAY:
        return move_on(s, "NEW", "PAID", "OrderPaid", count, e);
    case SHOP_SHIP:
        return move_on(s, "PAID", "SHIPPED", "OrderShipped", count, e);
    case SHOP_DELIVER:
        return move_on(s, "SHIPPED", "DELIVERED", "OrderDelivered", count, e);
    case SHOP_PRICE:
        return run(s, "UPDATE products SET price = price + 0.10 WHERE id = 6", &count->changes, e);
    default:
        return run(s, "DELETE FROM orders WHERE status = 'DELIVERED' ORDER BY id LIMIT 1",
                   &count->changes, e);
    }
}
