/* broker/admin.h - the broker for in-process users: Connect tasks, the REST API and the web pages.
 * They never speak the wire protocol to their own process.
 *
 * Every function is thread-safe unless it says otherwise. "Blocks: db" waits for a committed SQLite
 * transaction (usually below a millisecond, may be a disk sync), "Blocks: group" waits for a turn
 * of the coordinator loop (microseconds), "Blocks: wait" may wait as long as it was told to. None
 * may be called from a broker loop or the coordinator loop. No caller lock that a broker thread
 * could need may be held.
 *
 * Results live in the caller's arena. Failures that Kafka has a code for carry it in e->sys (for
 * example 36 with E_EXISTS), and e->msg is the text that Kafka's tools would show. */
#ifndef WEIR_BROKER_ADMIN_H
#define WEIR_BROKER_ADMIN_H

#include "base/base.h"

#include <stdatomic.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/str.h"
#include "base/strmap.h"

struct broker;

/* --- the broker ------------------------------------------------------------------------------- */
struct broker_info {
    const char *version; /* weir's */
    char cluster_id[24];
    int32_t node_id;
    int64_t started_ms; /* wall clock */
    int64_t topics, partitions, connections, groups;
    int64_t log_bytes;                       /* all segment files */
    int64_t bytes_in, bytes_out, records_in; /* since start */
    int64_t
        topics_generation; /* grows with every create, delete, added partition, changed config */
};
void broker_info(struct broker *b, struct broker_info *out); /* Blocks: no */
/* Cheap: for a sink that follows topics.regex, or a page that polls. Blocks: no. */
int64_t broker_topics_generation(struct broker *b);

/* --- the brokers of a cluster ----------------------------------------------------------------- */
struct broker_node {
    int32_t id;
    bool running;
    char host[256]; /* what a client on this machine is told */
    int port;
    int64_t leaders, replicas, in_sync; /* partitions */
    int64_t bytes, segments;            /* of its replicas, as if each had files of its own */
};
struct broker_cluster {
    size_t node_count, running; /* 1 unless lab.brokers says more */
    struct broker_node nodes[8];
    int32_t controller; /* -1: no broker runs */
    int64_t partitions, replicas, in_sync;
    int64_t offline, under_replicated, under_min_isr, at_min_isr, not_preferred; /* partitions */
    int64_t isr_shrinks, isr_expands, elections, unclean_elections;              /* since start */
};
enum err broker_cluster(struct broker *b, struct broker_cluster *out,
                        struct error *e) MUST_CHECK; /* Blocks: no. E_NOMEM. */
/* Of a lab: closes a broker's listeners and connections and moves its leaders; opens them again.
 * E_NOT_FOUND, E_CONFLICT (is so already; a port is taken; no lab). Blocks: db, loops. */
enum err broker_node_stop(struct broker *b, int32_t id, struct error *e) MUST_CHECK;
enum err broker_node_start(struct broker *b, int32_t id, struct error *e) MUST_CHECK;
/* Every partition whose preferred leader could lead is led by it. Blocks: db. */
enum err broker_elect_preferred(struct broker *b, struct error *e) MUST_CHECK;

/* --- topics ----------------------------------------------------------------------------------- */
struct broker_partition_info {
    int32_t id, leader, leader_epoch; /* leader -1: offline */
    int32_t replica_count, isr_count; /* ids of brokers; the preferred leader first */
    int32_t replicas[8], isr[8];
    int64_t start_offset, end_offset, last_stable_offset; /* end = high watermark */
    int64_t bytes;
    int32_t segments;
};
struct broker_topic_info {
    struct slice name;
    struct uuid id;
    bool internal;
    int16_t replication_factor;
    int32_t partition_count;
    struct broker_partition_info *partitions;
    int64_t bytes;
    struct slice cleanup_policy;
    int32_t
        max_message_bytes; /* -1: the user set none on the topic, and broker_append has no limit */
};
/* All topics, sorted by name. Blocks: no (no disk). E_NOMEM. */
enum err broker_topics(struct broker *b, struct arena *a, struct broker_topic_info **out,
                       size_t *count, struct error *e) MUST_CHECK;
enum err broker_topic(struct broker *b, struct slice name, struct arena *a,
                      struct broker_topic_info *out, struct error *e) MUST_CHECK; /* E_NOT_FOUND */

struct broker_topic_spec {
    struct slice name;
    int32_t partitions;           /* -1 = num.partitions */
    int16_t replication_factor;   /* -1 = default; above 1 see replication.factor.clamp */
    const struct strmap *configs; /* NULL = none */
    /* Replicas by hand: one array of replica_counts[i] ids for each partition, or NULL. */
    const int32_t *const *assignments;
    const int32_t *assignment_counts;
    bool validate_only;
    const char *asked_by; /* for the log line; NULL: nobody in particular */
};
/* E_EXISTS, E_INVALID (name, number, configuration). The topic is usable on return. Blocks: db. */
enum err broker_topic_create(struct broker *b, const struct broker_topic_spec *spec,
                             struct error *e) MUST_CHECK;
enum err broker_topic_delete(struct broker *b, struct slice name, struct error *e) MUST_CHECK;
enum err broker_topic_add_partitions(struct broker *b, struct slice name, int32_t total,
                                     struct error *e) MUST_CHECK;
/* Everything before `offset` is gone afterwards; -1 = up to the end ("purge"). *low = new start. */
enum err broker_delete_records(struct broker *b, struct slice topic, int32_t partition,
                               int64_t offset, int64_t *low, struct error *e) MUST_CHECK;

/* --- configurations --------------------------------------------------------------------------- */
struct broker_config_synonym {
    struct slice name, value;
    int8_t source;
};
struct broker_config_entry {
    struct slice name, value; /* value null: secret, or really null */
    struct slice default_value;
    int8_t source; /* Kafka's numbers: 1 topic, 2 dynamic broker, 3 dynamic default, 4 static, 5
                      default */
    int8_t type; /* Kafka's numbers: 1 boolean, 2 string, 3 int, 4 short, 5 long, 6 double, 7 list,
                    8 class, 9 password */
    bool read_only, sensitive;
    struct slice doc;
    struct broker_config_synonym *synonyms;
    size_t synonym_count;
};
/* Sorted by name. Blocks: no. */
enum err broker_topic_configs(struct broker *b, struct slice topic, struct arena *a,
                              struct broker_config_entry **out, size_t *count,
                              struct error *e) MUST_CHECK;
enum err broker_configs(struct broker *b, struct arena *a, struct broker_config_entry **out,
                        size_t *count, struct error *e) MUST_CHECK;
enum broker_config_op {
    BROKER_CONFIG_SET,
    BROKER_CONFIG_DELETE,
    BROKER_CONFIG_APPEND,
    BROKER_CONFIG_SUBTRACT
};
struct broker_config_change {
    struct slice name, value;
    enum broker_config_op op;
};
/* All or nothing. E_INVALID with Kafka's text. Blocks: db. */
enum err broker_topic_alter_configs(struct broker *b, struct slice topic,
                                    const struct broker_config_change *changes, size_t count,
                                    struct error *e) MUST_CHECK;
/* Cluster-wide dynamic broker settings (those that Kafka lets change). Blocks: db. */
enum err broker_alter_configs(struct broker *b, const struct broker_config_change *changes,
                              size_t count, struct error *e) MUST_CHECK;

/* --- one partition: append, read, wait -------------------------------------------------------- */
/* A counted reference to a partition; stays valid (but answers E_NOT_FOUND) after the topic's
 * deletion: close it and open again to reach a topic created anew. Thread: any, several at once. */
struct broker_target;
enum err broker_target_open(struct broker *b, struct slice topic, int32_t partition,
                            struct broker_target **out, struct error *e) MUST_CHECK;
void broker_target_close(struct broker_target *t); /* NULL allowed */

struct broker_appended {
    int64_t base_offset; /* of the first record; the original one for a duplicate */
    int64_t end_offset;  /* next offset of the partition after this batch */
    int64_t log_start;
    int64_t log_append_ms; /* -1 unless the topic has LogAppendTime */
    bool duplicate; /* an idempotent producer's batch that was there already: nothing appended */
};
/* Appends one complete record batch (magic 2, as batch_builder made it: its checksum is believed;
 * producer id, epoch and sequence in its header; base offset and leader epoch are patched in place, so `batch`
 * is written to). With durability=sync returns after the fdatasync. Bounded by max.message.bytes
 * only when the user set it on the topic. E_NOT_FOUND (deleted), E_TOO_LARGE,
 * E_CONFLICT (sequence, fenced epoch: e->sys 45, 47), E_INVALID, E_IO. Blocks: disk write. */
enum err broker_append(struct broker_target *t, void *batch, size_t n, struct broker_appended *out,
                       struct error *e) MUST_CHECK;

struct broker_read {
    int64_t start_offset, end_offset, last_stable_offset; /* at the time of reading */
    int64_t
        next_offset; /* where to go on: after the last batch returned, or the offset asked for */
};
/* Appends whole batches from the one that holds `offset` (its first records may be below it) to
 * out: at most max_bytes, but always at least one batch when there is one. Waits up to wait_ms for
 * data (0 = does not wait). E_OK with nothing added: no data in time. *cancel (may be NULL) set to
 * true ends the wait within 200 ms with E_CANCELLED. E_INVALID (e->sys 1): offset outside
 * start..end, numbers still filled. E_NOT_FOUND: deleted. Blocks: wait, disk read. */
enum err broker_read(struct broker_target *t, int64_t offset, size_t max_bytes, bool committed_only,
                     int64_t wait_ms, const _Atomic bool *cancel, struct strbuf *out,
                     struct broker_read *info, struct error *e) MUST_CHECK;
/* A transaction that was aborted: records of that producer in [first_offset, last_offset] do not
 * count. */
struct broker_aborted {
    int64_t producer_id, first_offset, last_offset;
};
/* broker_read of committed data, without waiting; *aborted (in the arena) tells what of it to leave
 * out. Blocks: disk read. */
enum err broker_read_committed(struct broker_target *t, int64_t offset, size_t max_bytes,
                               struct arena *a, struct strbuf *out, struct broker_read *info,
                               struct broker_aborted **aborted, size_t *count,
                               struct error *e) MUST_CHECK;
/* Waits until any target has data beyond its offset: E_OK and *ready = its index; E_TIMEOUT;
 * E_CANCELLED; a deleted target counts as ready. For a consumer of many partitions. Blocks: wait.
 */
enum err broker_wait(struct broker_target *const *targets, const int64_t *offsets, size_t count,
                     int64_t wait_ms, const _Atomic bool *cancel, size_t *ready) MUST_CHECK;

/* timestamp >= 0: first record at or after it; -1 end, -2 start, -3 the record with the largest
 * timestamp. *offset = -1 when there is none. Blocks: disk read. */
enum err broker_offset_for(struct broker_target *t, int64_t timestamp, int64_t *offset,
                           int64_t *record_ms, struct error *e) MUST_CHECK;
void broker_target_info(struct broker_target *t,
                        struct broker_partition_info *out); /* Blocks: no */

/* --- idempotent producers --------------------------------------------------------------------- */
/* A producer id that was never given out before (epoch 0). Blocks: db now and then. */
enum err broker_producer_id(struct broker *b, int64_t *pid, struct error *e) MUST_CHECK;
struct broker_producer {
    int16_t epoch;
    int32_t last_sequence; /* -1: none */
    int64_t last_offset;   /* of the last record of the last batch */
    int64_t last_ms;
};
/* What the log knows of a producer. E_NOT_FOUND: nothing (never wrote here, or expired). After a
 * kill it tells which part of the last intent arrived. Blocks: no. */
enum err broker_producer_state(struct broker_target *t, int64_t pid,
                               struct broker_producer *out) MUST_CHECK;
/* Everything below this offset has been through fdatasync. Blocks: no. */
int64_t broker_synced_offset(struct broker_target *t);
/* fdatasync of what is there now. Blocks: disk. */
enum err broker_sync(struct broker_target *t, struct error *e) MUST_CHECK;

/* --- groups ----------------------------------------------------------------------------------- */
struct broker_group_offset {
    struct slice topic;
    int32_t partition;
    int64_t offset;       /* committed; -1 none */
    int32_t leader_epoch; /* -1 unknown */
    struct slice metadata;
    int64_t commit_ms;
    int64_t end_offset; /* -1: the partition is gone */
    int64_t lag;        /* -1 unknown */
};
struct broker_group_partition {
    struct slice topic;
    int32_t partition;
};
struct broker_group_member {
    struct slice id, instance_id /* null */, client_id, host; /* host: "/127.0.0.1" */
    struct broker_group_partition *assigned;
    size_t assigned_count;
    struct slice *subscribed; /* topics; only for protocol type consumer */
    size_t subscribed_count;
};
struct broker_group_info {
    struct slice id, state /* "Stable" */, protocol_type, protocol; /* protocol: assignor, "" */
    struct slice type;                                              /* "classic" */
    int32_t generation;
    size_t member_count;
    struct broker_group_member *members; /* filled by broker_group only */
    size_t offset_count;
    struct broker_group_offset *offsets; /* filled by broker_group only; sorted */
    int64_t lag;                         /* sum of known lags; -1 none known */
};
/* All groups, simple ones included, sorted by id, without members and offsets. Blocks: group. */
enum err broker_groups(struct broker *b, struct arena *a, struct broker_group_info **out,
                       size_t *count, struct error *e) MUST_CHECK;
enum err broker_group(struct broker *b, struct slice id, struct arena *a,
                      struct broker_group_info *out,
                      struct error *e) MUST_CHECK; /* E_NOT_FOUND (69) */
enum err broker_group_delete(struct broker *b, struct slice id,
                             struct error *e) MUST_CHECK; /* E_CONFLICT (68) */
/* Commits offsets as a client without membership would: E_CONFLICT (25) while the group has
 * members. Creates the group. Only topic, partition, offset, leader_epoch and metadata of each are
 * read. For reset of offsets and for sink connectors. Blocks: group, db (returns after the commit).
 */
enum err broker_group_commit(struct broker *b, struct slice id,
                             const struct broker_group_offset *offsets, size_t count,
                             struct error *e) MUST_CHECK;
enum err broker_group_delete_offsets(struct broker *b, struct slice id,
                                     const struct broker_group_partition *parts, size_t count,
                                     struct error *e) MUST_CHECK;

/* --- transactions ----------------------------------------------------------------------------- */
struct broker_transaction {
    struct slice id, state; /* transactional id; "Ongoing" */
    int64_t producer_id;
    int16_t producer_epoch;
    int32_t timeout_ms;
    int64_t start_ms; /* wall clock; -1 unless one is under way */
    int64_t update_ms;
    struct broker_group_partition *partitions; /* written to in it; sorted */
    size_t partition_count;
    struct slice *groups; /* whose offsets are part of it */
    size_t group_count;
};
/* All transactional ids that are known, sorted. Blocks: group. */
enum err broker_transactions(struct broker *b, struct arena *a, struct broker_transaction **out,
                             size_t *count, struct error *e) MUST_CHECK;
struct broker_active_producer {
    int64_t id;
    int16_t epoch;
    int32_t last_sequence;    /* -1: none */
    int64_t last_ms;          /* of its newest record, wall clock */
    int64_t txn_first_offset; /* of its open transaction, -1 */
};
/* Idempotent and transactional producers of a partition, by id. Blocks: no. E_NOT_FOUND (3). */
enum err broker_partition_producers(struct broker *b, struct slice topic, int32_t partition,
                                    struct arena *a, struct broker_active_producer **out,
                                    size_t *count, struct error *e) MUST_CHECK;

#endif
