/* cli/server.h - `weir server`: starts everything and runs until a signal. */
#ifndef WEIR_CLI_SERVER_H
#define WEIR_CLI_SERVER_H

#include <stdbool.h>

#include "cli/runtime.h"
#include "connect/connector.h"

/* argv: what follows the subcommand. Returns the process's exit status. Thread: main. */
/* Any command that is a server. */
struct server_run {
    const struct connect_plugins *const *plugins;
    bool daemon;         /* goes on in the background; log-file is set */
    const char *command; /* "connect-distributed": named where another weir has the directory */
    enum err (*started)(struct runtime *r, void *arg, struct error *e); /* NULL: nothing more */
    void *arg;
};
/* Starts, tells, waits for a signal, stops; releases c. Returns the exit status. */
int server_run(struct server_config *c, const struct server_run *how);
int server_main(int argc, char **argv, const struct connect_plugins *const *plugins);
/* Prints "weir: message (hint)" on stderr and returns the exit status for an error's code: the one
 * translation table from enum err to exit status. */
int exit_status(const struct error *e);

#endif
