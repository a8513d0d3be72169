/* broker/resource_config.h - configurations of consumer groups and of client metrics subscriptions:
 * things that have a name, a few options, and exist for this purpose once one was set.
 *
 * Kept in SQLite (table resource_config) and in memory. Lock: its own mutex, innermost. alter blocks
 * on the db; the other calls do not block. SPEC: broker 5.4, 5.5; KIP-714, KIP-848. */
#ifndef WEIR_BROKER_RESOURCE_CONFIG_H
#define WEIR_BROKER_RESOURCE_CONFIG_H

#include "base/base.h"

#include <pthread.h>

#include "base/arena.h"
#include "base/db.h"
#include "base/map.h"
#include "base/opt.h"
#include "broker/admin.h"
#include "broker/broker_config.h"

enum resource_kind { RESOURCE_KIND_METRICS, RESOURCE_KIND_GROUP, RESOURCE_KINDS };

struct resource_configs {
    pthread_mutex_t lock;
    struct map named[RESOURCE_KINDS]; /* name -> struct strmap of option -> text */
};
enum err resource_configs_init(struct resource_configs *r, struct db *db,
                               struct error *e) MUST_CHECK;
void resource_configs_release(struct resource_configs *r);

/* All options of one resource, whether or not anything was set for it; in the arena. */
void resource_config_describe(struct resource_configs *r, enum resource_kind kind,
                              struct slice name, struct arena *a, struct broker_config_entry **out,
                              size_t *count);
/* Text of one option: what was set, else its default. A copy in the arena. */
struct slice resource_config_value(struct resource_configs *r, enum resource_kind kind,
                                   struct slice name, struct slice option, struct arena *a);
/* The text that was set, cut to size; false: none was. */
#define RESOURCE_CONFIG_TEXT 64
bool resource_config_given(struct resource_configs *r, enum resource_kind kind, struct slice name,
                           const char *option, char out[RESOURCE_CONFIG_TEXT]);
/* Names of the resources that were configured, in no order; the array and names in the arena. */
void resource_config_names(struct resource_configs *r, enum resource_kind kind, struct arena *a,
                           struct slice **out, size_t *count);
/* All or nothing. replace: options that are not named go back to their defaults. s: limits of the
 * broker that a group's options must keep to. Kafka code and text in e. Blocks: db. */
enum err resource_config_alter(struct resource_configs *r, struct db *db, struct broker_settings *s,
                               enum resource_kind kind, struct slice name,
                               const struct broker_config_change *changes, size_t count,
                               bool replace, bool validate_only, struct error *e) MUST_CHECK;

#endif
