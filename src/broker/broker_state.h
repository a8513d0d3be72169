/* broker/broker_state.h - the broker's parts, for the files inside src/broker.
 *
 * struct broker is made by broker_start and immutable afterwards; each part has its own owner or
 * lock (see its header). Lock order: topic registry, then partition, then settings, then mailboxes.
 */
#ifndef WEIR_BROKER_BROKER_STATE_H
#define WEIR_BROKER_BROKER_STATE_H

#include <stdatomic.h>

#include "base/base.h"
#include "base/db.h"
#include "base/pool.h"
#include "broker/broker.h"
#include "broker/broker_config.h"
#include "broker/brokers.h"
#include "broker/diagnosis.h"
#include "broker/dispatch.h"
#include "broker/group/coord.h"
#include "broker/group/group_config.h"
#include "broker/group/share_groups.h"
#include "broker/listener.h"
#include "broker/producer_ids.h"
#include "broker/resource_config.h"
#include "broker/security/conn_limit.h"
#include "broker/security/security.h"

#define BROKER_LOOPS_MAX 16

struct topics;
struct quotas;
struct acceptor;
struct care;
struct txn_coord;

/* What the last scrape of /metrics saw, for rates; under the lock of the collectors. */
struct scrape {
    int64_t at_us;
    int64_t opened[BROKER_LOOPS_MAX], closed[BROKER_LOOPS_MAX], cpu_us[BROKER_LOOPS_MAX];
};

struct broker {
    const struct broker_options *o;
    struct db *db;
    struct pool *pool;
    struct broker_settings settings;
    struct resource_configs resources;
    struct listeners listeners;
    struct security security;
    struct conn_limit conn_limit;
    struct quotas *quotas;
    struct broker_listener_info infos[LISTENERS_MAX];
    struct broker_loop loops[BROKER_LOOPS_MAX];
    int loop_count;
    struct acceptor *acceptor;
    struct topics *topics;
    struct care *care;
    _Atomic bool balancing; /* a job of the pool is at it */
    struct group_configs group_configs;
    struct brokers brokers;
    struct share_groups *shares;
    struct coord *coord;
    struct producer_ids producer_ids;
    struct txn_coord *txns;
    char cluster_id[24];
    int64_t started_ms;
    bool collecting; /* metrics ask us */
    struct diagnosis diagnosis;
    struct scrape scrape;
    _Atomic int64_t records_in;                        /* relaxed; a statistic */
    _Atomic int64_t fetches_waiting, produces_waiting; /* relaxed; requests, for metrics */
};

struct partition;
struct opt_row;

/* Whether the topic of a share group's partition is still there; for share_sweep. */
bool broker_keeps_share(void *broker, const struct share_key *key);

/* admin_*.c, for the handlers too */
void broker_partition_view(struct broker *b, struct partition *p,
                           struct broker_partition_info *out);
void broker_topic_config_entry(struct broker *b, const struct opt_row *row,
                               const struct strmap *own, struct arena *a,
                               struct broker_config_entry *out);
enum err broker_topic_change_configs(struct broker *b, struct slice topic,
                                     const struct broker_config_change *changes, size_t count,
                                     bool replace, bool validate_only, struct error *e) MUST_CHECK;
enum err broker_change_configs(struct broker *b, bool for_broker,
                               const struct broker_config_change *changes, size_t count,
                               bool replace, bool validate_only, struct error *e) MUST_CHECK;

#endif
