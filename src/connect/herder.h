/* connect/herder.h - connectors as the user asked for them (desired state, in SQLite) and as they
 * are (tasks and their threads). REST, the web page, the demo and the command line act through
 * these calls.
 *
 * Requests run one after the other on the herder's own thread; the functions block until it
 * answered. Thread: any but loops (HTTP handlers go through a pool). Views are snapshots owned by
 * the caller. */
#ifndef WEIR_CONNECT_HERDER_H
#define WEIR_CONNECT_HERDER_H

#include <jansson.h>

#include "base/base.h"
#include "base/err.h"
#include "base/strmap.h"

struct herder;

/* Errors carry what REST answers: e->code by kind, e->sys = HTTP status (404, 409, 400, 500; 0:
 * 500), e->msg the exact message text. Where that has no room for it (validation), the JSON result
 * of the failed call is a string with the whole text. JSON results are new references, NULL on
 * other failures. */
json_t *herder_list(struct herder *h); /* names, in Connect's order */
json_t *herder_list_expanded(struct herder *h, bool status, bool info);
enum err herder_info(struct herder *h, struct slice name, json_t **out,
                     struct error *e) MUST_CHECK; /* name, config, tasks, type */
enum err herder_config(struct herder *h, struct slice name, json_t **out,
                       struct error *e) MUST_CHECK;
enum err herder_status(struct herder *h, struct slice name, json_t **out,
                       struct error *e) MUST_CHECK; /* name, connector, tasks, type */
enum err herder_task_status(struct herder *h, struct slice name, int task, json_t **out,
                            struct error *e) MUST_CHECK;
/* What its tasks tell of themselves: [{"task": number, ...}], what follows being the connector's
 * own (connector.h describe). */
enum err herder_progress(struct herder *h, struct slice name, json_t **out,
                         struct error *e) MUST_CHECK;
enum err herder_task_configs(struct herder *h, struct slice name, json_t **out,
                             struct error *e) MUST_CHECK;
enum err herder_topics(struct herder *h, struct slice name, json_t **out,
                       struct error *e) MUST_CHECK;
enum err herder_reset_topics(struct herder *h, struct slice name, struct error *e) MUST_CHECK;

/* config is borrowed. initial_state: "RUNNING" (NULL), "PAUSED", "STOPPED". *created tells POST's
 * 201 from PUT's 200. */
enum err herder_create(struct herder *h, struct slice name, const struct strmap *config,
                       const char *initial_state, json_t **info, struct error *e) MUST_CHECK;
enum err herder_put_config(struct herder *h, struct slice name, const struct strmap *config,
                           json_t **info, bool *created, struct error *e) MUST_CHECK;
enum err herder_patch_config(struct herder *h, struct slice name, const struct strmap *patch,
                             json_t **info, struct error *e) MUST_CHECK; /* null value = remove */
enum err herder_delete(struct herder *h, struct slice name, struct error *e) MUST_CHECK;
enum err herder_pause(struct herder *h, struct slice name, struct error *e) MUST_CHECK;
enum err herder_resume(struct herder *h, struct slice name, struct error *e) MUST_CHECK;
enum err herder_stop_connector(struct herder *h, struct slice name, struct error *e) MUST_CHECK;
enum err herder_restart(struct herder *h, struct slice name, bool include_tasks, bool only_failed,
                        json_t **status, struct error *e) MUST_CHECK; /* *status NULL: 204 */
enum err herder_restart_task(struct herder *h, struct slice name, int task,
                             struct error *e) MUST_CHECK;
enum err herder_offsets(struct herder *h, struct slice name, json_t **out,
                        struct error *e) MUST_CHECK;
enum err herder_alter_offsets(struct herder *h, struct slice name, json_t *offsets, json_t **out,
                              struct error *e) MUST_CHECK;
enum err herder_reset_offsets(struct herder *h, struct slice name, json_t **out,
                              struct error *e) MUST_CHECK;
/* Validation answer of PUT /connector-plugins/{class}/config/validate. Blocks on databases. */
enum err herder_validate(struct herder *h, struct slice class_name, const struct strmap *config,
                         json_t **out, struct error *e) MUST_CHECK;
/* Whether the worker keeps configurations, and secrets in them, in this topic. h NULL: no. */
bool herder_is_config_topic(const struct herder *h, struct slice topic);
json_t *herder_plugins(struct herder *h, bool connectors_only);
/* Definitions of a plugin's options, for GET /connector-plugins/{p}/config. */
enum err herder_plugin_config(struct herder *h, struct slice name, json_t **out,
                              struct error *e) MUST_CHECK;

#endif
