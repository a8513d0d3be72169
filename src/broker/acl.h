/* broker/acl.h - access control lists: what they say, where they are kept, what they allow.
 *
 * Numbers are Kafka's, on the wire and in the database. SPEC: broker 11.5. */
#ifndef WEIR_BROKER_ACL_H
#define WEIR_BROKER_ACL_H

#include "base/base.h"
#include "base/str.h"

enum acl_type {
    ACL_TYPE_UNKNOWN = 0,
    ACL_TYPE_ANY = 1, /* in filters only */
    ACL_TOPIC = 2,
    ACL_GROUP = 3,
    ACL_CLUSTER = 4, /* its only resource is ACL_CLUSTER_NAME */
    ACL_TRANSACTIONAL_ID = 5,
    ACL_TOKEN = 6,
    ACL_USER = 7,
    ACL_TYPES
};
#define ACL_CLUSTER_NAME SL("kafka-cluster")

enum acl_op {
    ACL_OP_UNKNOWN = 0,
    ACL_OP_ANY = 1, /* in filters only */
    ACL_ALL = 2,
    ACL_READ = 3,
    ACL_WRITE = 4,
    ACL_CREATE = 5,
    ACL_DELETE = 6,
    ACL_ALTER = 7,
    ACL_DESCRIBE = 8,
    ACL_CLUSTER_ACTION = 9,
    ACL_DESCRIBE_CONFIGS = 10,
    ACL_ALTER_CONFIGS = 11,
    ACL_IDEMPOTENT_WRITE = 12,
    ACL_CREATE_TOKENS = 13,
    ACL_DESCRIBE_TOKENS = 14,
    ACL_OPS
};

/* The operations that a resource of this type can have, as bits 1 << op: what AuthorizedOperations
 * fields say without an authorizer. Thread: any. */
int32_t acl_type_operations(enum acl_type type);

#endif
