/* connect/connect.h - the Connect worker: start, stop, options, its parts for others. */
#ifndef WEIR_CONNECT_CONNECT_H
#define WEIR_CONNECT_CONNECT_H

#include <jansson.h>

#include "base/db.h"
#include "base/err.h"
#include "base/http.h"
#include "base/opt.h"
#include "base/pool.h"
#include "connect/connector.h"

struct broker;
struct connect;
struct herder;

extern const struct opt_row connect_option_rows[]; /* worker options by name; ends with name NULL */
/* Whether a worker may have it: a row, or of a family such as key.converter.* or producer.*. */
bool connect_option_known(struct slice name);
/* Settings with their references (${file:...}) replaced; those about config.providers stay as they
 * are. `out` is initialised here and released by the caller in any case. SPEC: connect 4.2 */
enum err connect_options_resolve(const struct strmap *given, struct strmap *out,
                                 struct error *e) MUST_CHECK;
/* Puts references back into a message about such settings: what they stand for may be secret. */
void connect_options_hide(const struct strmap *given, const struct strmap *resolved,
                          struct error *e);

/* Starts the worker on the embedded broker: loads the state the user asked for, starts connectors,
 * then listens. plugins ends with NULL. db must have been opened with connect_migrations and those
 * of all plugins. */
enum err connect_start(struct connect **out, const struct strmap *worker_config,
                       struct http_listen *listen, const char *const *allowed_hosts,
                       struct broker *broker, struct db *db, struct loop *http_loop,
                       struct pool *pool, const struct connect_plugins *const *plugins,
                       struct error *e) MUST_CHECK;
/* Waits for tasks up to task.shutdown.graceful.timeout.ms and 10 s more. False: one of them still
 * runs and uses broker and db; nothing was released, and the process can only be ended. */
bool connect_stop(struct connect *c) MUST_CHECK;
struct herder *connect_herder(struct connect *c);
/* The last warnings and errors of a connector's tasks, newest first: [{"at": ms since 1970,
 * "level": "WARN", "task": 0, "text": "..."}]. New reference. Thread: any. */
json_t *connect_recent(struct slice connector);
/* How many of them are of the last hour. */
int connect_recent_count(struct slice connector);
/* What connect-standalone does with a file: properties, the JSON body of POST /connectors, or a
 * bare JSON configuration. Makes the connector or changes it. Its name is added to names, if that
 * is not NULL. Thread: any but loops (blocks on databases). E_INVALID: the message begins with the
 * path and may have several lines. */
enum err connect_add_file(struct connect *c, const char *path, json_t *names,
                          struct error *e) MUST_CHECK;
extern const struct db_migrations connect_migrations;
/* Tables of all connectors in the plugin arrays, for db_open: appended to out (NULL-terminated). */
size_t connect_plugin_migrations(const struct connect_plugins *const *plugins,
                                 const struct db_migrations **out, size_t room);

/* Tests: WEIR_TEST_CRASH in the environment kills the program at a point between an intent and its
 * commit (task_fault.c). Before any thread starts; data_dir: of the broker's log. */
void connect_test_crash(const char *data_dir);

#endif
