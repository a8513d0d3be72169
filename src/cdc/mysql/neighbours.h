/* cdc/mysql/neighbours.h - the connectors of MySQL and MariaDB whose tasks are alive in this
 * process, so that two which are in each other's way can be told so by name. SPEC: cdc-mysql 1.6.
 * Thread: any. */
#ifndef WEIR_CDC_MYSQL_NEIGHBOURS_H
#define WEIR_CDC_MYSQL_NEIGHBOURS_H

#include "base/err.h"
#include "base/str.h"

struct mysql_options;

struct neighbour { /* owned by its task; zeros: not among them */
    struct neighbour *next;
    const char *connector;
    const struct mysql_options *o;
};

/* Warns of each other connector that reads the same server with the same database.server.id, or has
 * the same topic.prefix: of two that are in each other's way, the later one warns. Servers are the
 * same when their addresses are written in the same way. n, connector and o stay as they are until
 * leave. */
void neighbours_join(struct neighbour *n, const char *connector, const struct mysql_options *o);
void neighbours_leave(struct neighbour *n);
/* The hint of a reader that was thrown out because another one has its number: who that is, or may
 * be. False: none of these. */
bool neighbours_hint(const struct neighbour *n, struct error *e);

#endif
