/* lab/private_mariadb.h - a MariaDB server of weir's own: private_server.h with a socket and its
 * binary log on. Thread: main. */
#ifndef WEIR_LAB_PRIVATE_MARIADB_H
#define WEIR_LAB_PRIVATE_MARIADB_H

#include "lab/private_server.h"

struct private_mariadb {
    struct private_server server;
    char *socket;
};
/* Is there a MariaDB on this machine? E_NOT_FOUND: no; the hint says how to get it. */
enum err private_mariadb_find(struct error *e) MUST_CHECK;
/* Creates the system tables on first use (some seconds), starts the server and waits until it
 * answers. What fails has been stopped and released. */
enum err private_mariadb_start(struct private_mariadb *d, const char *dir,
                               struct error *e) MUST_CHECK;
void private_mariadb_stop(struct private_mariadb *d); /* again: nothing */

#endif
