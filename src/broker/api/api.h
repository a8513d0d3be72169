/* broker/api/api.h - the table of handlers: which function answers which Kafka API.
 *
 * A handler gets a decoded request (rq->in) and fills a response (rq->out, defaults set), then ends
 * the request (see dispatch.h). It runs on the connection's loop and must not block there. To add
 * an API: a row here, a function in one of the api files, and the schema row's version range.
 * ApiVersions lists exactly the rows of this table. Thread: the connection's loop. */
#ifndef WEIR_BROKER_API_API_H
#define WEIR_BROKER_API_API_H

#include "broker/broker_state.h"
#include "broker/dispatch.h"
#include "broker/proto/kerr.h"
#include "broker/proto/messages.h"

typedef void (*api_fn)(struct request *rq);

/* X(KEY, message prefix, function) */
#define API_HANDLERS(X)                                                                            \
    X(PRODUCE, produce, api_produce)                                                               \
    X(FETCH, fetch, api_fetch)                                                                     \
    X(LIST_OFFSETS, list_offsets, api_list_offsets)                                                \
    X(METADATA, metadata, api_metadata)                                                            \
    X(OFFSET_COMMIT, offset_commit, api_offset_commit)                                             \
    X(OFFSET_FETCH, offset_fetch, api_offset_fetch)                                                \
    X(FIND_COORDINATOR, find_coordinator, api_find_coordinator)                                    \
    X(JOIN_GROUP, join_group, api_join_group)                                                      \
    X(HEARTBEAT, heartbeat, api_heartbeat)                                                         \
    X(LEAVE_GROUP, leave_group, api_leave_group)                                                   \
    X(SYNC_GROUP, sync_group, api_sync_group)                                                      \
    X(CONSUMER_GROUP_HEARTBEAT, consumer_group_heartbeat, api_consumer_group_heartbeat)            \
    X(CONSUMER_GROUP_DESCRIBE, consumer_group_describe, api_consumer_group_describe)               \
    X(SHARE_GROUP_HEARTBEAT, share_group_heartbeat, api_share_group_heartbeat)                     \
    X(SHARE_GROUP_DESCRIBE, share_group_describe, api_share_group_describe)                        \
    X(SHARE_FETCH, share_fetch, api_share_fetch)                                                   \
    X(SHARE_ACKNOWLEDGE, share_acknowledge, api_share_acknowledge)                                 \
    X(DESCRIBE_SHARE_GROUP_OFFSETS, describe_share_group_offsets, api_describe_share_offsets)      \
    X(ALTER_SHARE_GROUP_OFFSETS, alter_share_group_offsets, api_alter_share_offsets)               \
    X(DELETE_SHARE_GROUP_OFFSETS, delete_share_group_offsets, api_delete_share_offsets)            \
    X(DESCRIBE_GROUPS, describe_groups, api_describe_groups)                                       \
    X(LIST_GROUPS, list_groups, api_list_groups)                                                   \
    X(API_VERSIONS, api_versions, api_api_versions)                                                \
    X(CREATE_TOPICS, create_topics, api_create_topics)                                             \
    X(DELETE_TOPICS, delete_topics, api_delete_topics)                                             \
    X(DELETE_RECORDS, delete_records, api_delete_records)                                          \
    X(INIT_PRODUCER_ID, init_producer_id, api_init_producer_id)                                    \
    X(OFFSET_FOR_LEADER_EPOCH, offset_for_leader_epoch, api_offset_for_leader_epoch)               \
    X(DESCRIBE_CONFIGS, describe_configs, api_describe_configs)                                    \
    X(ALTER_CONFIGS, alter_configs, api_alter_configs)                                             \
    X(CREATE_PARTITIONS, create_partitions, api_create_partitions)                                 \
    X(DELETE_GROUPS, delete_groups, api_delete_groups)                                             \
    X(INCREMENTAL_ALTER_CONFIGS, incremental_alter_configs, api_incremental_alter_configs)         \
    X(OFFSET_DELETE, offset_delete, api_offset_delete)                                             \
    X(DESCRIBE_CLUSTER, describe_cluster, api_describe_cluster)                                    \
    X(DESCRIBE_TOPIC_PARTITIONS, describe_topic_partitions, api_describe_topic_partitions)         \
    X(DESCRIBE_LOG_DIRS, describe_log_dirs, api_describe_log_dirs)                                 \
    X(DESCRIBE_ACLS, describe_acls, api_describe_acls)                                             \
    X(CREATE_ACLS, create_acls, api_create_acls)                                                   \
    X(DELETE_ACLS, delete_acls, api_delete_acls)                                                   \
    X(SASL_HANDSHAKE, sasl_handshake, sasl_handshake)                                              \
    X(SASL_AUTHENTICATE, sasl_authenticate, sasl_authenticate)                                     \
    X(DESCRIBE_CLIENT_QUOTAS, describe_client_quotas, api_describe_client_quotas)                  \
    X(ALTER_CLIENT_QUOTAS, alter_client_quotas, api_alter_client_quotas)                           \
    X(DESCRIBE_USER_SCRAM_CREDENTIALS, describe_user_scram_credentials, api_describe_scram)        \
    X(ALTER_USER_SCRAM_CREDENTIALS, alter_user_scram_credentials, api_alter_scram)                 \
    X(ALTER_REPLICA_LOG_DIRS, alter_replica_log_dirs, api_alter_log_dirs)                          \
    X(CREATE_DELEGATION_TOKEN, create_delegation_token, api_create_token)                          \
    X(RENEW_DELEGATION_TOKEN, renew_delegation_token, api_renew_token)                             \
    X(EXPIRE_DELEGATION_TOKEN, expire_delegation_token, api_expire_token)                          \
    X(DESCRIBE_DELEGATION_TOKEN, describe_delegation_token, api_describe_tokens)                   \
    X(ALTER_PARTITION_REASSIGNMENTS, alter_partition_reassignments, api_alter_reassignments)       \
    X(UPDATE_FEATURES, update_features, api_update_features)                                       \
    X(UNREGISTER_BROKER, unregister_broker, api_unregister_broker)                                 \
    X(LIST_CONFIG_RESOURCES, list_config_resources, api_list_config_resources)                     \
    X(LIST_PARTITION_REASSIGNMENTS, list_partition_reassignments, api_list_reassignments)          \
    X(ELECT_LEADERS, elect_leaders, api_elect_leaders)                                             \
    X(ADD_PARTITIONS_TO_TXN, add_partitions_to_txn, api_add_partitions_to_txn)                     \
    X(ADD_OFFSETS_TO_TXN, add_offsets_to_txn, api_add_offsets_to_txn)                              \
    X(END_TXN, end_txn, api_end_txn)                                                               \
    X(WRITE_TXN_MARKERS, write_txn_markers, api_write_txn_markers)                                 \
    X(TXN_OFFSET_COMMIT, txn_offset_commit, api_txn_offset_commit)                                 \
    X(DESCRIBE_PRODUCERS, describe_producers, api_describe_producers)                              \
    X(LIST_TRANSACTIONS, list_transactions, api_list_transactions)                                 \
    X(DESCRIBE_TRANSACTIONS, describe_transactions, api_describe_transactions)                     \
    X(DESCRIBE_QUORUM, describe_quorum, api_describe_quorum)

#define X(KEY, prefix, fn) void fn(struct request *rq);
API_HANDLERS(X)
#undef X

/* Kafka's code for a failure of admin.h or topic.h. */
int16_t api_code(enum err r, const struct error *e);

/* A list of replicas from outside: this node alone. lenient: any list that is not empty will do
 * (replication.factor.clamp). Code and Kafka's text. */
int16_t api_check_replicas(struct request *rq, const int32_t *replicas, int32_t count, bool lenient,
                           struct slice *why);
/* In a lab: a call about groups or transactions that another broker coordinates is answered with
 * NOT_COORDINATOR, and true comes back. */
bool api_is_elsewhere(struct request *rq);
/* KERR_NONE when the broker that was asked leads the partition, else NOT_LEADER_OR_FOLLOWER. */
int16_t api_check_leader(const struct request *rq, const struct partition *p);
/* Addresses of running brokers among `leaders` (bit i: the i-th broker), as this client reaches
 * them, for a client that asked the wrong one. Returns how many. On the loop. */
struct api_endpoint {
    int32_t node_id;
    struct slice host;
    int port;
};
int32_t api_endpoints(struct request *rq, uint32_t leaders, struct api_endpoint out[BROKERS_MAX]);
/* Of a partition that another broker leads: who does, for the answer. Returns its bit for the above. */
uint32_t api_tell_leader(const struct request *rq, struct partition *p, struct current_leader *out);
/* The addresses of these leaders as an answer tells them. On the loop. */
void api_tell_endpoints(struct request *rq, uint32_t leaders, struct node_endpoint **out,
                        int32_t *count);
/* A copy in the request's arena. */
int32_t *api_ids(struct request *rq, const int32_t *ids, int32_t count);
/* Elections and reassignments of a lab; the request is allowed. They end it. */
void api_lab_elect(struct request *rq);
void api_lab_reassign(struct request *rq);
/* An answer of ListGroups, ListTransactions without what other brokers of a lab coordinate. */
void api_keep_own_groups(struct request *rq);
void api_keep_own_txns(struct request *rq);

/* NULL when weir has no handler for the key. */
api_fn api_handler(int16_t key);

#endif
