/* broker/broker_config.h - broker options as administrators see them: which may be changed while
 * running, and what each is now. The rows are in broker_options.def; broker.h has the public part.
 *
 * struct broker_settings holds the texts that were given: at start (static) and later (dynamic,
 * stored in SQLite, broker-wide or for this broker). Topic options whose topic has no value of its
 * own follow them at once. Lock: its own rwlock, innermost. SPEC: broker 5.2-5.5. */
#ifndef WEIR_BROKER_BROKER_CONFIG_H
#define WEIR_BROKER_BROKER_CONFIG_H

#include "base/base.h"

#include <pthread.h>

#include "base/arena.h"
#include "base/db.h"
#include "base/opt.h"
#include "base/strmap.h"
#include "broker/admin.h"
#include "broker/broker.h"

/* In opt_row.flags, beside base's. */
enum {
    BROKER_DYN_CLUSTER = 1 << 16,
    BROKER_DYN_BROKER = 1 << 17,
    BROKER_UNLISTED = 1 << 18, /* the authorizer's own: DescribeConfigs does not know it */
};

/* Kafka's numbers for where a value comes from, and for types. */
enum config_source {
    CONFIG_SOURCE_TOPIC = 1,
    CONFIG_SOURCE_DYNAMIC_BROKER = 2,
    CONFIG_SOURCE_DYNAMIC_DEFAULT = 3,
    CONFIG_SOURCE_STATIC = 4,
    CONFIG_SOURCE_DEFAULT = 5,
    CONFIG_SOURCE_LOGGER = 6,
    CONFIG_SOURCE_METRICS = 7,
    CONFIG_SOURCE_GROUP = 8,
};
int8_t config_wire_type(enum opt_type t);

struct broker_settings {
    pthread_rwlock_t lock;
    struct strmap fixed;       /* given at start, and what weir sets itself */
    struct strmap dyn_default; /* dynamic, for the cluster */
    struct strmap dyn_broker;  /* dynamic, for this broker */
};
enum err broker_settings_init(struct broker_settings *s, const struct broker_config *c,
                              struct db *db, struct error *e) MUST_CHECK;
void broker_settings_release(struct broker_settings *s);
void broker_settings_fix(struct broker_settings *s, const char *name, struct slice value);

/* Text of a broker option now and where it comes from; a copy in the arena. Null slice: null. */
struct slice broker_setting(struct broker_settings *s, struct slice name, struct arena *a,
                            enum config_source *source);
/* Value given in any of the three places (dynamic first), or the null slice: for topic options. The
 * copy is in the arena. */
struct slice broker_setting_given(struct broker_settings *s, struct slice name, struct arena *a,
                                  enum config_source *source);

/* A number in force; `otherwise` when the option has none. */
int64_t broker_setting_number(struct broker_settings *s, const char *name, int64_t otherwise);

/* Every value that stands behind an option, in the order in which they count: dynamic for this
 * broker, dynamic for the cluster, static, default; within each the option itself, then those it
 * falls back on (log.retention.ms: .minutes, .hours). As Kafka does, what stands before the first
 * value of the option itself is left out. In the arena; secrets are null. */
void broker_settings_synonyms(struct broker_settings *s, struct slice name, struct arena *a,
                              struct broker_config_synonym **out, size_t *count);
/* The entry of one option with its synonyms, in the arena. */
void broker_settings_describe(struct broker_settings *s, const struct opt_row *row, struct arena *a,
                              struct broker_config_entry *out);
/* Options that were set while running and that weir does not know; in the arena. They are kept, and
 * shown without their values: one might be a secret. */
void broker_settings_unknown(struct broker_settings *s, struct arena *a,
                             struct broker_config_entry **out, size_t *count);
/* The text of a list after an APPEND or a SUBTRACT. */
void config_edit_list(struct slice now, const struct broker_config_change *c, struct strbuf *out);
/* Checks and stores changes; all or nothing. for_broker: this broker alone, else cluster-wide.
 * replace: what is set there and not named goes back to its default.
 * Blocks on the db. Kafka code in e->sys. */
enum err broker_settings_alter(struct broker_settings *s, struct db *db, bool for_broker,
                               const struct broker_config_change *changes, size_t count,
                               bool replace, bool validate_only, struct error *e) MUST_CHECK;

#endif
