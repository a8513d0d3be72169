/* broker/acl.c - what operations there are. */
#include "broker/acl.h"

#include "base/base.h"

#define BIT(op) (1 << (op))

int32_t acl_type_operations(enum acl_type type)
{
    static const int32_t bits[ACL_TYPES] = {
        [ACL_TOPIC] = BIT(ACL_READ) | BIT(ACL_WRITE) | BIT(ACL_CREATE) | BIT(ACL_DESCRIBE) |
                      BIT(ACL_DELETE) | BIT(ACL_ALTER) | BIT(ACL_DESCRIBE_CONFIGS) |
                      BIT(ACL_ALTER_CONFIGS),
        [ACL_GROUP] = BIT(ACL_READ) | BIT(ACL_DESCRIBE) | BIT(ACL_DELETE) |
                      BIT(ACL_DESCRIBE_CONFIGS) | BIT(ACL_ALTER_CONFIGS),
        [ACL_CLUSTER] = BIT(ACL_CREATE) | BIT(ACL_CLUSTER_ACTION) | BIT(ACL_DESCRIBE_CONFIGS) |
                        BIT(ACL_ALTER_CONFIGS) | BIT(ACL_IDEMPOTENT_WRITE) | BIT(ACL_ALTER) |
                        BIT(ACL_DESCRIBE),
        [ACL_TRANSACTIONAL_ID] = BIT(ACL_DESCRIBE) | BIT(ACL_WRITE),
        [ACL_TOKEN] = BIT(ACL_DESCRIBE),
        [ACL_USER] = BIT(ACL_CREATE_TOKENS) | BIT(ACL_DESCRIBE_TOKENS),
    };
    return type > 0 && type < ACL_TYPES ? bits[type] : 0;
}
