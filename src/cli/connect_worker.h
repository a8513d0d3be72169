/* cli/connect_worker.h - `connect-distributed` and `connect-standalone`, as tutorials type them: weir
 * with the settings of a Connect worker's properties file. Thread: main. */
#ifndef WEIR_CLI_CONNECT_WORKER_H
#define WEIR_CLI_CONNECT_WORKER_H

#include "connect/connector.h"

/* argv: what follows the name. They return the process's exit status. */
int connect_distributed_main(int argc, char **argv, const struct connect_plugins *const *plugins);
int connect_standalone_main(int argc, char **argv, const struct connect_plugins *const *plugins);

#endif
