/* broker/access.c - questions of handlers about their client's rights. */
#include "broker/access.h"

#include "base/base.h"
#include "broker/proto/kerr.h"

bool request_allowed(const struct request *rq, enum acl_op op, enum acl_type type,
                     struct slice name)
{
    (void)rq, (void)op, (void)type, (void)name;
    return true;
}

bool request_allowed_some(const struct request *rq, enum acl_op op, enum acl_type type)
{
    (void)rq, (void)op, (void)type;
    return true;
}

int32_t request_operations(const struct request *rq, enum acl_type type, struct slice name)
{
    (void)rq, (void)name;
    return acl_type_operations(type);
}

int16_t access_denied_code(enum acl_type type)
{
    static const int16_t codes[ACL_TYPES] = {
        [ACL_TOPIC] = KERR_TOPIC_AUTHORIZATION_FAILED,
        [ACL_GROUP] = KERR_GROUP_AUTHORIZATION_FAILED,
        [ACL_CLUSTER] = KERR_CLUSTER_AUTHORIZATION_FAILED,
        [ACL_TRANSACTIONAL_ID] = KERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
        [ACL_TOKEN] = KERR_DELEGATION_TOKEN_AUTHORIZATION_FAILED,
        [ACL_USER] = KERR_CLUSTER_AUTHORIZATION_FAILED};
    return type > 0 && type < ACL_TYPES ? codes[type] : KERR_CLUSTER_AUTHORIZATION_FAILED;
}
