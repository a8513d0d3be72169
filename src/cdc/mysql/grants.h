/* cdc/mysql/grants.h - what SHOW GRANTS says: which privileges the account has, where.
 * SPEC: cdc-mysql 2.3. Thread: the owner's. */
#ifndef WEIR_CDC_MYSQL_GRANTS_H
#define WEIR_CDC_MYSQL_GRANTS_H

#include "base/base.h"
#include "base/err.h"
#include "base/str.h"
#include "cdc/mysql/conn.h"

struct grant {
    char *privileges; /* "SELECT, RELOAD", upper case; column lists are left out */
    char *scope;      /* "*.*", "`shop`.*", "`shop`.`orders`" as printed */
};
struct grants {
    struct grant *items;
    size_t count;
    bool roles; /* roles are granted, too: they may bring privileges that are not listed */
};
/* One line; others than grants of privileges and roles are left alone. */
void grants_add(struct grants *g, struct slice line);
void grants_release(struct grants *g);
/* Reads SHOW GRANTS FOR CURRENT_USER (on MariaDB also FOR CURRENT_ROLE). Released by the caller in
 * any case. */
enum err grants_read(struct grants *g, struct mysql_conn *c, struct error *e) MUST_CHECK;

/* Privilege on everything, by its name or ALL PRIVILEGES; names of MariaDB's that mean the same
 * count (BINLOG MONITOR is REPLICATION CLIENT). */
bool grants_global(const struct grants *g, const char *privilege);
/* Privilege on this table: everywhere, on its database (with % and _ as wildcards) or on it. */
bool grants_table(const struct grants *g, const char *privilege, struct slice db,
                  struct slice table);
/* Whether it is granted anywhere. */
bool grants_somewhere(const struct grants *g, const char *privilege);

#endif
