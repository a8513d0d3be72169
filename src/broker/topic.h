/* broker/topic.h - the registry of topics: names, ids, partitions, configurations.
 *
 * SQLite holds name, id, number of partitions and explicit configurations; directories hold the
 * logs. Lock: one rwlock inside; topics are counted, so that one may be used after its deletion
 * (its partitions then answer that they are gone). Calls that change something block on the
 * database: pool or task threads, never a loop. SPEC: broker 0.2, 4.1, 9. */
#ifndef WEIR_BROKER_TOPIC_H
#define WEIR_BROKER_TOPIC_H

#include "base/arena.h"
#include "base/bytes.h"
#include "base/db.h"
#include "base/err.h"
#include "base/pool.h"
#include "base/strmap.h"
#include "broker/partition.h"
#include "broker/topic_config.h"

struct topics;
struct topic; /* name, id and config are immutable but for what alter changes */

extern const struct db_migrations topic_migrations; /* module "topics" */

struct topics_options {
    const char *dir; /* log directory */
    int32_t node_id;
    bool sync; /* durability=sync: partitions wait for fdatasync */
    int64_t producer_expire_ms;
    int32_t max_partitions;             /* of all topics together; 0 = no limit */
    topic_broker_value_fn broker_value; /* may be NULL */
    void *broker_value_arg;
};
/* Takes the directory's lock, loads (and after a crash recovers) everything. E_CONFLICT: another
 * process has the directory; its pid is in the message if known. E_IO, E_CORRUPT. */
enum err topics_open(struct topics **out, const struct topics_options *o, struct db *db,
                     struct pool *pool, struct error *e) MUST_CHECK;
/* Flushes and closes all logs, writes checkpoints and the clean-shutdown mark. */
void topics_close(struct topics *t);                   /* NULL allowed */
bool topics_was_clean(const struct topics *t);         /* the stop before this start was orderly */
const char *topics_cluster_id(const struct topics *t); /* 22 characters */
int64_t topics_generation(
    const struct topics *t); /* grows with every change of topics, partitions, configs */
/* Broker-wide options changed: values in force are computed anew for all topics. */
void topics_refresh_configs(struct topics *t);

/* --- looking up (each returns a new reference) ------------------------------------------------ */
struct topic *topics_get(struct topics *t, struct slice name);        /* NULL when absent */
struct topic *topics_get_id(struct topics *t, const struct uuid *id); /* NULL when absent */
/* All, sorted by name; the array is in the arena, each element a reference to drop. E_NOMEM. */
enum err topics_list(struct topics *t, struct arena *a, struct topic ***out,
                     size_t *count) MUST_CHECK;
size_t topics_partition_count(const struct topics *t); /* of all topics */
struct topic *topic_ref(struct topic *t);
void topic_unref(struct topic *t); /* NULL allowed */
struct slice topic_name(const struct topic *t);
struct uuid topic_id(const struct topic *t);
bool topic_is_internal(const struct topic *t);
bool topic_name_is_internal(struct slice name);
int32_t topic_partition_count(const struct topic *t);
struct partition *topic_partition(struct topic *t,
                                  int32_t id); /* new reference; NULL out of range */
const struct topic_config *
topic_config(const struct topic *t); /* values in force; valid while t is */
/* Copy of the explicit configuration. */
void topic_own_configs(struct topic *t, struct strmap *out);

/* --- changing (block: database) --------------------------------------------------------------- */
/* Errors carry the Kafka code in e->sys and Kafka's words in e->msg. */
enum err topic_name_check(struct slice name, struct error *e) MUST_CHECK; /* 17 */
struct topic_spec {
    struct slice name;
    int32_t partitions;           /* > 0 */
    const struct strmap *configs; /* NULL = none */
    struct placement *placements; /* one a partition; NULL = all on this node, and not stored */
};
/* E_EXISTS (36), E_INVALID (17 name or collision, 37, 40). out may be NULL; else a new reference.
 */
enum err topics_create(struct topics *t, const struct topic_spec *spec, bool validate_only,
                       struct topic **out, struct error *e) MUST_CHECK;
enum err topics_delete(struct topics *t, struct slice name,
                       struct error *e) MUST_CHECK; /* E_NOT_FOUND (3) */
/* added: where the further ones are, or NULL: on this node. */
enum err topics_add_partitions(struct topics *t, struct slice name, int32_t total,
                               struct placement *added, bool validate_only,
                               struct error *e) MUST_CHECK; /* 3, 37 */
/* Stores where partitions are and puts it in force; placements: one for each partition of the
 * topic. Several topics change together or, when the database fails, none does. */
struct topic_move {
    struct topic *topic;
    struct placement *placements;
    int32_t count;
};
enum err topics_move(struct topics *t, const struct topic_move *moves, size_t count,
                     struct error *e) MUST_CHECK;
/* Replaces the explicit configuration as a whole; texts must have been checked. */
enum err topics_set_configs(struct topics *t, struct slice name, const struct strmap *configs,
                            struct error *e) MUST_CHECK;
int64_t topics_bytes(struct topics *t); /* all logs */

#endif
