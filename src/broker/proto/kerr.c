/* broker/proto/kerr.c - Kafka's error codes with their texts.
 *
 * Three arrays indexed by code + 1 (the lowest code is -1), made of the table in kerr.h. The texts
 * are those that clients know from Kafka, because people search for them. SPEC: broker 13 */
#include "broker/proto/kerr.h"

#include <stdarg.h>

#define AT(name) [KERR_##name + 1]

enum { KERR_SLOTS = KERR_SHARE_SESSION_LIMIT_REACHED + 2 };

static const char *const names[KERR_SLOTS] = {
#define NAME(name, code, retriable) AT(name) = #name,
    KERR_TABLE(NAME)
#undef NAME
};

static const bool retriable_codes[KERR_SLOTS] = {
#define RETRIABLE(name, code, retriable) AT(name) = (retriable) != 0,
    KERR_TABLE(RETRIABLE)
#undef RETRIABLE
};

/* clang-format off */
static const char *const messages[KERR_SLOTS] = {
    AT(UNKNOWN_SERVER_ERROR) = "The server experienced an unexpected error when processing the request.",
    AT(NONE) = "",
    AT(OFFSET_OUT_OF_RANGE) = "The requested offset is not within the range of offsets maintained by the server.",
    AT(CORRUPT_MESSAGE) = "This message has failed its CRC checksum, exceeds the valid size, has a null key for a compacted topic, or is otherwise corrupt.",
    AT(UNKNOWN_TOPIC_OR_PARTITION) = "This server does not host this topic-partition.",
    AT(INVALID_FETCH_SIZE) = "The requested fetch size is invalid.",
    AT(LEADER_NOT_AVAILABLE) = "There is no leader for this topic-partition as we are in the middle of a leadership election.",
    AT(NOT_LEADER_OR_FOLLOWER) = "For requests intended only for the leader, this error indicates that the broker is not the current leader. For requests intended for any replica, this error indicates that the broker is not a replica of the topic partition.",
    AT(REQUEST_TIMED_OUT) = "The request timed out.",
    AT(BROKER_NOT_AVAILABLE) = "The broker is not available.",
    AT(REPLICA_NOT_AVAILABLE) = "The replica is not available for the requested topic-partition. Produce/Fetch requests and other requests intended only for the leader or follower return NOT_LEADER_OR_FOLLOWER if the broker is not a replica of the topic-partition.",
    AT(MESSAGE_TOO_LARGE) = "The request included a message larger than the max message size the server will accept.",
    AT(STALE_CONTROLLER_EPOCH) = "The controller moved to another broker.",
    AT(OFFSET_METADATA_TOO_LARGE) = "The metadata field of the offset request was too large.",
    AT(NETWORK_EXCEPTION) = "The server disconnected before a response was received.",
    AT(COORDINATOR_LOAD_IN_PROGRESS) = "The coordinator is loading and hence can't process requests.",
    AT(COORDINATOR_NOT_AVAILABLE) = "The coordinator is not available.",
    AT(NOT_COORDINATOR) = "This is not the correct coordinator.",
    AT(INVALID_TOPIC_EXCEPTION) = "The request attempted to perform an operation on an invalid topic.",
    AT(RECORD_LIST_TOO_LARGE) = "The request included message batch larger than the configured segment size on the server.",
    AT(NOT_ENOUGH_REPLICAS) = "Messages are rejected since there are fewer in-sync replicas than required.",
    AT(NOT_ENOUGH_REPLICAS_AFTER_APPEND) = "Messages are written to the log, but to fewer in-sync replicas than required.",
    AT(INVALID_REQUIRED_ACKS) = "Produce request specified an invalid value for required acks.",
    AT(ILLEGAL_GENERATION) = "Specified group generation id is not valid.",
    AT(INCONSISTENT_GROUP_PROTOCOL) = "The group member's supported protocols are incompatible with those of existing members or first group member tried to join with empty protocol type or empty protocol list.",
    AT(INVALID_GROUP_ID) = "The group id is invalid.",
    AT(UNKNOWN_MEMBER_ID) = "The coordinator is not aware of this member.",
    AT(INVALID_SESSION_TIMEOUT) = "The session timeout is not within the range allowed by the broker (as configured by group.min.session.timeout.ms and group.max.session.timeout.ms).",
    AT(REBALANCE_IN_PROGRESS) = "The group is rebalancing, so a rejoin is needed.",
    AT(INVALID_COMMIT_OFFSET_SIZE) = "The committing offset data size is not valid.",
    AT(TOPIC_AUTHORIZATION_FAILED) = "Topic authorization failed.",
    AT(GROUP_AUTHORIZATION_FAILED) = "Group authorization failed.",
    AT(CLUSTER_AUTHORIZATION_FAILED) = "Cluster authorization failed.",
    AT(INVALID_TIMESTAMP) = "The timestamp of the message is out of acceptable range.",
    AT(UNSUPPORTED_SASL_MECHANISM) = "The broker does not support the requested SASL mechanism.",
    AT(ILLEGAL_SASL_STATE) = "Request is not valid given the current SASL state.",
    AT(UNSUPPORTED_VERSION) = "The version of API is not supported.",
    AT(TOPIC_ALREADY_EXISTS) = "Topic with this name already exists.",
    AT(INVALID_PARTITIONS) = "Number of partitions is below 1.",
    AT(INVALID_REPLICATION_FACTOR) = "Replication factor is below 1 or larger than the number of available brokers.",
    AT(INVALID_REPLICA_ASSIGNMENT) = "Replica assignment is invalid.",
    AT(INVALID_CONFIG) = "Configuration is invalid.",
    AT(NOT_CONTROLLER) = "This is not the correct controller for this cluster.",
    AT(INVALID_REQUEST) = "This most likely occurs because of a request being malformed by the client library or the message was sent to an incompatible broker. See the broker logs for more details.",
    AT(UNSUPPORTED_FOR_MESSAGE_FORMAT) = "The message format version on the broker does not support the request.",
    AT(POLICY_VIOLATION) = "Request parameters do not satisfy the configured policy.",
    AT(OUT_OF_ORDER_SEQUENCE_NUMBER) = "The broker received an out of order sequence number.",
    AT(DUPLICATE_SEQUENCE_NUMBER) = "The broker received a duplicate sequence number.",
    AT(INVALID_PRODUCER_EPOCH) = "Producer attempted to produce with an old epoch.",
    AT(INVALID_TXN_STATE) = "The producer attempted a transactional operation in an invalid state.",
    AT(INVALID_PRODUCER_ID_MAPPING) = "The producer attempted to use a producer id which is not currently assigned to its transactional id.",
    AT(INVALID_TRANSACTION_TIMEOUT) = "The transaction timeout is larger than the maximum value allowed by the broker (as configured by transaction.max.timeout.ms).",
    AT(CONCURRENT_TRANSACTIONS) = "The producer attempted to update a transaction while another concurrent operation on the same transaction was ongoing.",
    AT(TRANSACTION_COORDINATOR_FENCED) = "Indicates that the transaction coordinator sending a WriteTxnMarker is no longer the current coordinator for a given producer.",
    AT(TRANSACTIONAL_ID_AUTHORIZATION_FAILED) = "Transactional Id authorization failed.",
    AT(SECURITY_DISABLED) = "Security features are disabled.",
    AT(OPERATION_NOT_ATTEMPTED) = "The broker did not attempt to execute this operation. This may happen for batched RPCs where some operations in the batch failed, causing the broker to respond without trying the rest.",
    AT(KAFKA_STORAGE_ERROR) = "Disk error when trying to access log file on the disk.",
    AT(LOG_DIR_NOT_FOUND) = "The user-specified log directory is not found in the broker config.",
    AT(SASL_AUTHENTICATION_FAILED) = "SASL Authentication failed.",
    AT(UNKNOWN_PRODUCER_ID) = "This exception is raised by the broker if it could not locate the producer metadata associated with the producerId in question. This could happen if, for instance, the producer's records were deleted because their retention time had elapsed. Once the last records of the producerId are removed, the producer's metadata is removed from the broker, and future appends by the producer will return this exception.",
    AT(REASSIGNMENT_IN_PROGRESS) = "A partition reassignment is in progress.",
    AT(DELEGATION_TOKEN_AUTH_DISABLED) = "Delegation Token feature is not enabled.",
    AT(DELEGATION_TOKEN_NOT_FOUND) = "Delegation Token is not found on server.",
    AT(DELEGATION_TOKEN_OWNER_MISMATCH) = "Specified Principal is not valid Owner/Renewer.",
    AT(DELEGATION_TOKEN_REQUEST_NOT_ALLOWED) = "Delegation Token requests are not allowed on PLAINTEXT/1-way SSL channels and on delegation token authenticated channels.",
    AT(DELEGATION_TOKEN_AUTHORIZATION_FAILED) = "Delegation Token authorization failed.",
    AT(DELEGATION_TOKEN_EXPIRED) = "Delegation Token is expired.",
    AT(INVALID_PRINCIPAL_TYPE) = "Supplied principalType is not supported.",
    AT(NON_EMPTY_GROUP) = "The group is not empty.",
    AT(GROUP_ID_NOT_FOUND) = "The group id does not exist.",
    AT(FETCH_SESSION_ID_NOT_FOUND) = "The fetch session ID was not found.",
    AT(INVALID_FETCH_SESSION_EPOCH) = "The fetch session epoch is invalid.",
    AT(LISTENER_NOT_FOUND) = "There is no listener on the leader broker that matches the listener on which metadata request was processed.",
    AT(TOPIC_DELETION_DISABLED) = "Topic deletion is disabled.",
    AT(FENCED_LEADER_EPOCH) = "The leader epoch in the request is older than the epoch on the broker.",
    AT(UNKNOWN_LEADER_EPOCH) = "The leader epoch in the request is newer than the epoch on the broker.",
    AT(UNSUPPORTED_COMPRESSION_TYPE) = "The requesting client does not support the compression type of given partition.",
    AT(STALE_BROKER_EPOCH) = "Broker epoch has changed.",
    AT(OFFSET_NOT_AVAILABLE) = "The leader high watermark has not caught up from a recent leader election so the offsets cannot be guaranteed to be monotonically increasing.",
    AT(MEMBER_ID_REQUIRED) = "The group member needs to have a valid member id before actually entering a consumer group.",
    AT(PREFERRED_LEADER_NOT_AVAILABLE) = "The preferred leader was not available.",
    AT(GROUP_MAX_SIZE_REACHED) = "The consumer group has reached its max size.",
    AT(FENCED_INSTANCE_ID) = "The broker rejected this static consumer since another consumer with the same group.instance.id has registered with a different member.id.",
    AT(ELIGIBLE_LEADERS_NOT_AVAILABLE) = "Eligible topic partition leaders are not available.",
    AT(ELECTION_NOT_NEEDED) = "Leader election not needed for topic partition.",
    AT(NO_REASSIGNMENT_IN_PROGRESS) = "No partition reassignment is in progress.",
    AT(GROUP_SUBSCRIBED_TO_TOPIC) = "Deleting offsets of a topic is forbidden while the consumer group is actively subscribed to it.",
    AT(INVALID_RECORD) = "This record has failed the validation on broker and hence will be rejected.",
    AT(UNSTABLE_OFFSET_COMMIT) = "There are unstable offsets that need to be cleared.",
    AT(THROTTLING_QUOTA_EXCEEDED) = "The throttling quota has been exceeded.",
    AT(PRODUCER_FENCED) = "There is a newer producer with the same transactionalId which fences the current one.",
    AT(RESOURCE_NOT_FOUND) = "A request illegally referred to a resource that does not exist.",
    AT(DUPLICATE_RESOURCE) = "A request illegally referred to the same resource twice.",
    AT(UNACCEPTABLE_CREDENTIAL) = "Requested credential would not meet criteria for acceptability.",
    AT(INCONSISTENT_VOTER_SET) = "Indicates that the either the sender or recipient of a voter-only request is not one of the expected voters.",
    AT(INVALID_UPDATE_VERSION) = "The given update version was invalid.",
    AT(FEATURE_UPDATE_FAILED) = "Unable to update finalized features due to an unexpected server error.",
    AT(PRINCIPAL_DESERIALIZATION_FAILURE) = "Request principal deserialization failed during forwarding. This indicates an internal error on the broker cluster security setup.",
    AT(SNAPSHOT_NOT_FOUND) = "Requested snapshot was not found.",
    AT(UNKNOWN_TOPIC_ID) = "This server does not host this topic ID.",
    AT(DUPLICATE_BROKER_REGISTRATION) = "This broker ID is already in use.",
    AT(BROKER_ID_NOT_REGISTERED) = "The given broker ID was not registered.",
    AT(INCONSISTENT_TOPIC_ID) = "The log's topic ID did not match the topic ID in the request.",
    AT(INCONSISTENT_CLUSTER_ID) = "The clusterId in the request does not match that found on the server.",
    AT(TRANSACTIONAL_ID_NOT_FOUND) = "The transactionalId could not be found.",
    AT(FETCH_SESSION_TOPIC_ID_ERROR) = "The fetch session encountered inconsistent topic ID usage.",
    AT(INELIGIBLE_REPLICA) = "The new ISR contains at least one ineligible replica.",
    AT(NEW_LEADER_ELECTED) = "The AlterPartition request successfully updated the partition state but the leader has changed.",
    AT(OFFSET_MOVED_TO_TIERED_STORAGE) = "The requested offset is moved to tiered storage.",
    AT(FENCED_MEMBER_EPOCH) = "The member epoch is fenced by the group coordinator. The member must abandon all its partitions and rejoin.",
    AT(UNRELEASED_INSTANCE_ID) = "The instance ID is still used by another member in the consumer group. That member must leave first.",
    AT(UNSUPPORTED_ASSIGNOR) = "The assignor or its version range is not supported by the consumer group.",
    AT(STALE_MEMBER_EPOCH) = "The member epoch is stale. The member must retry after receiving its updated member epoch via the ConsumerGroupHeartbeat API.",
    AT(MISMATCHED_ENDPOINT_TYPE) = "The request was sent to an endpoint of the wrong type.",
    AT(UNSUPPORTED_ENDPOINT_TYPE) = "This endpoint type is not supported yet.",
    AT(UNKNOWN_CONTROLLER_ID) = "This controller ID is not known.",
    AT(UNKNOWN_SUBSCRIPTION_ID) = "Client sent a push telemetry request with an invalid or outdated subscription ID.",
    AT(TELEMETRY_TOO_LARGE) = "Client sent a push telemetry request larger than the maximum size the broker will accept.",
    AT(INVALID_REGISTRATION) = "The controller has considered the broker registration to be invalid.",
    AT(TRANSACTION_ABORTABLE) = "The server encountered an error with the transaction. The client can abort the transaction to continue using this transactional ID.",
    AT(INVALID_RECORD_STATE) = "The record state is invalid. The acknowledgement of delivery could not be completed.",
    AT(SHARE_SESSION_NOT_FOUND) = "The share session was not found.",
    AT(INVALID_SHARE_SESSION_EPOCH) = "The share session epoch is invalid.",
    AT(FENCED_STATE_EPOCH) = "The share coordinator rejected the request because the share-group state epoch did not match.",
    AT(INVALID_VOTER_KEY) = "The voter key doesn't match the receiving replica's key.",
    AT(DUPLICATE_VOTER) = "The voter is already part of the set of voters.",
    AT(VOTER_NOT_FOUND) = "The voter is not part of the set of voters.",
    AT(INVALID_REGULAR_EXPRESSION) = "The regular expression is not valid.",
    AT(REBOOTSTRAP_REQUIRED) = "Client metadata is stale. The client should rebootstrap to obtain new metadata.",
    AT(STREAMS_INVALID_TOPOLOGY) = "The supplied topology is invalid.",
    AT(STREAMS_INVALID_TOPOLOGY_EPOCH) = "The supplied topology epoch is invalid.",
    AT(STREAMS_TOPOLOGY_FENCED) = "The supplied topology epoch is outdated.",
    AT(SHARE_SESSION_LIMIT_REACHED) = "The limit of share sessions has been reached.",
};
/* clang-format on */

static bool known(int16_t code)
{
    return code >= -1 && code + 1 < KERR_SLOTS && names[code + 1];
}

const char *kerr_name(int16_t code)
{
    return known(code) ? names[code + 1] : "UNKNOWN";
}

const char *kerr_message(int16_t code)
{
    return messages[known(code) ? code + 1 : 0];
}

bool kerr_retriable(int16_t code)
{
    return known(code) && retriable_codes[code + 1];
}

int16_t kerr_from_err(enum err e)
{
    switch (e) {
    case E_OK:
        return KERR_NONE;
    case E_IO:
        return KERR_KAFKA_STORAGE_ERROR;
    case E_CORRUPT:
    case E_TRUNCATED:
        return KERR_CORRUPT_MESSAGE;
    case E_TOO_LARGE:
        return KERR_MESSAGE_TOO_LARGE;
    case E_INVALID:
        return KERR_INVALID_REQUEST;
    case E_NOT_FOUND:
        return KERR_UNKNOWN_TOPIC_OR_PARTITION;
    case E_EXISTS:
        return KERR_TOPIC_ALREADY_EXISTS;
    case E_TIMEOUT:
        return KERR_REQUEST_TIMED_OUT;
    case E_UNSUPPORTED:
        return KERR_UNSUPPORTED_VERSION;
    case E_AUTH:
        return KERR_CLUSTER_AUTHORIZATION_FAILED;
    case E_AGAIN:
        return KERR_COORDINATOR_LOAD_IN_PROGRESS;
    case E_NOMEM:
    case E_CANCELLED:
    case E_CONFLICT:
    case E_REMOTE:
    case E_COUNT:
        break;
    }
    return KERR_UNKNOWN_SERVER_ERROR;
}

enum err kerr_error(struct error *e, enum err r, int16_t code, const char *fmt, ...)
{
    char text[1024];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    error_set(e, r, "%s", text);
    if (e)
        e->sys = code;
    return r;
}
