/* cli/server_worker.h - settings of the Connect worker as people bring them: a
 * connect-distributed.properties, CONNECT_* variables of Confluent's and Debezium's images, and the
 * latter's short names (BOOTSTRAP_SERVERS, GROUP_ID, ...). SPEC: connect 4.1. Thread: main. */
#ifndef WEIR_CLI_SERVER_WORKER_H
#define WEIR_CLI_SERVER_WORKER_H

#include "base/err.h"
#include "cli/server_options.h"

/* Each keeps what a stronger source has set and notes in c->ignored what no worker has. E_INVALID,
 * E_IO: the message names the variable or the file. */
enum err server_config_connect_env(struct server_config *c, char *const *environment,
                                   struct error *e) MUST_CHECK;
enum err server_config_connect_file(struct server_config *c, struct error *e) MUST_CHECK;
/* After all sources: the worker's listeners, or rest.host.name and rest.port, become connect-listen
 * unless that was given. */
enum err server_config_connect_listen(struct server_config *c, struct error *e) MUST_CHECK;

#endif
