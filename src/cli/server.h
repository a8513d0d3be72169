/* cli/server.h - `weir server`: starts everything and runs until a signal. */
#ifndef WEIR_CLI_SERVER_H
#define WEIR_CLI_SERVER_H

#include "connect/connector.h"

/* argv: what follows the subcommand. Returns the process's exit status. Thread: main. */
int server_main(int argc, char **argv, const struct connect_plugins *const *plugins);
/* Prints "weir: message (hint)" on stderr and returns the exit status for an error's code: the one
 * translation table from enum err to exit status. */
int exit_status(const struct error *e);

#endif
