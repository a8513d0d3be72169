/* lab/private_server.h - what private database servers have in common: a child process of weir's
 * own with data, log and port below a directory. It dies with weir, however weir dies. Thread:
 * main; the server dies with that thread. */
#ifndef WEIR_LAB_PRIVATE_SERVER_H
#define WEIR_LAB_PRIVATE_SERVER_H

#include <sys/types.h>

#include "base/base.h"
#include "base/err.h"

struct private_server {
    const char *name; /* "MariaDB" */
    const char *const
        *marks;       /* what lines of its log have in them that tell an error; ends with NULL */
    const char *text; /* what stands in a line of it before that which matters; NULL: nothing */
    char *dir, *data, *log; /* owned; data and log are below dir */
    int port;               /* on 127.0.0.1 */
    pid_t pid;              /* 0: does not run */
};
/* Path of a program in PATH or the system folders that users' PATHs lack; NULL: there is none.
 * Caller frees. */
char *private_find(const char *program);
/* Makes the directory, begins a new log (the last one is kept as log.old), picks a port: that of
 * the last run when it is free. private_server_stop releases, after an error, too. */
enum err private_server_init(struct private_server *s, const char *dir, struct error *e) MUST_CHECK;
/* Starts argv and waits until `up` says E_OK; what it says else is of no interest as long as the
 * process lives. E_REMOTE: it ended; E_TIMEOUT: no answer for a minute. Both with the last lines of
 * the log, those that tell errors if there are any. */
typedef enum err private_up(void *arg, struct error *e);
enum err private_server_start(struct private_server *s, char *const argv[], private_up *up,
                              void *arg, struct error *e) MUST_CHECK;
/* Runs a program that prepares something for the server, with its output in the log. E_REMOTE: it
 * failed. */
enum err private_server_run(const struct private_server *s, char *const argv[],
                            struct error *e) MUST_CHECK;
void private_server_stop(struct private_server *s); /* SIGTERM, waits, then SIGKILL; releases */

#endif
