/* lab/private_db.h - a MariaDB server of weir's own, as a child process: data and socket below a
 * directory, a free port on 127.0.0.1, binary log on. It dies with weir. Thread: main. */
#ifndef WEIR_LAB_PRIVATE_DB_H
#define WEIR_LAB_PRIVATE_DB_H

#include <sys/types.h>

#include "base/err.h"

struct private_db {
    char *dir, *socket;
    int port;
    pid_t pid;
};
/* Creates the system tables on first use (some seconds), starts the server and waits until it
 * answers. E_NOT_FOUND: there is no mariadbd on this machine; the hint says how to get it. */
enum err private_db_start(struct private_db *d, const char *dir, struct error *e) MUST_CHECK;
void private_db_stop(struct private_db *d); /* SIGTERM, then waits; releases */

#endif
