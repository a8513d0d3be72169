/* broker/broker.h - the embedded Kafka broker: options, start, stop.
 *
 * One struct broker a process. It owns the broker loops (connections), the coordinator loop
 * (groups), the topic registry with its logs, and the committed offsets. It is handed the SQLite
 * file and the pool for blocking work, which outlive it. In-process users (Connect, the web pages)
 * talk to it through broker/admin.h, never through a socket.
 *
 * Start order: options, db, pool, broker_start. When broker_start returns, all state is loaded and
 * every listener accepts. SPEC: broker 0.2, 5.3, 11.1. */
#ifndef WEIR_BROKER_BROKER_H
#define WEIR_BROKER_BROKER_H

#include "base/base.h"
#include "base/db.h"
#include "base/err.h"
#include "base/opt.h"
#include "base/pool.h"
#include "base/strmap.h"

struct broker;

/* What broker options say. Fields exist for what weir reads; the other options of Kafka are
 * accepted, kept as text and shown (rows with OPT_NO_STORE). Values are read once, at broker_start.
 */
struct broker_options {
    /* weir's own */
    struct slice data_dir;             /* weir: logs and metadata below it; required */
    bool replication_factor_clamp;     /* replication.factor.clamp */
    int32_t durability;                /* enum broker_durability */
    int32_t loop_threads;              /* 0 = min(4, cores) */
    struct slice advertise_name;       /* advertise.name: see SPEC: broker 11.1; "" = unset */
    struct slice advertise_gateway_as; /* advertise.gateway.as */
    /* Kafka's */
    struct slice listeners;            /* "PLAINTEXT://127.0.0.1:9092"; port 0 = pick one */
    struct slice advertised_listeners; /* null = answer per connection */
    struct slice protocol_map;         /* listener.security.protocol.map */
    struct slice controller_listeners; /* controller.listener.names: those are not served */
    struct slice rack;                 /* broker.rack, null */
    int32_t node_id;
    bool auto_leader_rebalance; /* auto.leader.rebalance.enable: in a lab */
    int64_t leader_imbalance_check_s;
    int32_t lab_brokers;            /* lab.brokers: this many brokers on one log; 0, 1: no lab */
    int32_t metrics_partitions_max; /* metrics.partitions.max */
    struct slice lab_ports;         /* lab.ports: first ports of further rows of listeners */
    int64_t connections_max_idle_ms;
    int32_t socket_request_max_bytes;
    int32_t socket_listen_backlog;
    int32_t socket_send_buffer, socket_receive_buffer;
    int32_t fetch_max_bytes;
    int32_t fetch_session_slots;
    bool auto_create_topics;
    bool delete_topics;
    int32_t num_partitions;
    int16_t default_replication_factor;
    int32_t max_partitions; /* weir: ceiling of all partitions together */
    int32_t group_initial_rebalance_delay_ms;
    int32_t group_min_session_timeout_ms, group_max_session_timeout_ms;
    int32_t group_max_size;
    int32_t group_consumer_heartbeat_ms, group_consumer_min_heartbeat_ms,
        group_consumer_max_heartbeat_ms;
    int32_t group_consumer_session_ms, group_consumer_min_session_ms, group_consumer_max_session_ms;
    int32_t group_consumer_max_size;
    int32_t group_migration_policy; /* bits of enum broker_migration */
    int32_t group_share_heartbeat_ms, group_share_min_heartbeat_ms, group_share_max_heartbeat_ms;
    int32_t group_share_session_ms, group_share_min_session_ms, group_share_max_session_ms;
    int32_t group_share_max_size;
    int32_t group_share_lock_ms, group_share_min_lock_ms, group_share_max_lock_ms;
    int32_t group_share_delivery_limit, group_share_max_locks, group_share_max_sessions;
    int32_t offset_metadata_max_bytes;
    int32_t offsets_retention_minutes;
    int64_t offsets_retention_check_interval_ms;
    int32_t offsets_topic_partitions, transaction_topic_partitions; /* when they are made */
    int32_t producer_id_expiration_ms;
    int32_t transaction_max_timeout_ms;
    int32_t transactional_id_expiration_ms;
    int32_t transaction_abort_interval_ms;  /* looks for those that run too long */
    int32_t transaction_expire_interval_ms; /* looks for ids that nobody uses */
    int64_t log_retention_check_interval_ms;
};
enum broker_durability {
    BROKER_DURABILITY_DEFAULT, /* write before the answer, fdatasync within a second and on clean
                                  stop */
    BROKER_DURABILITY_SYNC,    /* grouped fdatasync before the answer */
};
enum broker_migration { /* the four policies are the combinations, in their order */
                        BROKER_MIGRATION_UPGRADE = 1,
                        BROKER_MIGRATION_DOWNGRADE = 2,
};

/* One row per broker option; ends with name NULL. Includes every broker synonym of a topic option
 * (log.retention.ms ...). `--set key=value`, --help and DescribeConfigs use them. Thread: any. */
const struct opt_row *broker_option_rows(void);

/* An options struct and the texts behind it, filled with defaults. Owned by the caller. */
struct broker_config {
    struct broker_options o;
    struct opt_values values; /* values.values == &o; texts = what was given explicitly */
};
void broker_config_init(struct broker_config *c);
void broker_config_release(struct broker_config *c);
/* The row of an option, also by its name for one listener: "listener.name.external.ssl.…",
 * "listener.name.external.plain.sasl.jaas.config". NULL: there is none. Thread: any. */
const struct opt_row *broker_option_find(struct slice name);
/* Sets one option by its Kafka (or weir) name. E_NOT_FOUND: no such option (hint names the
 * nearest); E_INVALID: the value, in Kafka's words. */
enum err broker_config_set(struct broker_config *c, struct slice name, struct slice value,
                           struct error *e) MUST_CHECK;

/* SQLite tables of the broker, for db_open: an array that ends with NULL. */
const struct db_migrations *const *broker_migrations(void);

/* Loads all state, starts the threads and opens the listeners. c is borrowed until broker_stop; db
 * and pool must outlive the broker. E_CONFLICT: a port is taken or another process has the
 * directory; E_INVALID: an option; E_IO: the data directory. On failure nothing keeps running.
 * Thread: main. */
enum err broker_start(struct broker **out, const struct broker_config *c, struct db *db,
                      struct pool *pool, struct error *e) MUST_CHECK;
/* Stops accepting, answers or drops what is parked, closes connections, ends the loops, flushes and
 * closes the logs with the clean-shutdown mark. NULL allowed. Thread: main. */
void broker_stop(struct broker *b);

/* The listeners as they really are (port 0 resolved). A listener on a loopback name stands for both
 * 127.0.0.1 and ::1 with one port. Borrowed until broker_stop. Thread: any. */
struct broker_listener_info {
    const char *name;       /* "PLAINTEXT" */
    const char *host;       /* as given: "127.0.0.1", "" = all interfaces */
    int port;               /* bound */
    const char *advertised; /* "localhost:9092": what a client on this machine is told */
    int32_t node_id;
    bool guarded; /* clients prove who they are, or an authorizer says what ANONYMOUS may */
};
const struct broker_listener_info *broker_listeners(const struct broker *b, size_t *count);

#endif
