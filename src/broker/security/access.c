/* broker/security/access.c - questions of handlers about their client's rights. */
#include "broker/security/access.h"

#include "base/base.h"
#include "broker/broker_state.h"
#include "broker/dispatch.h"
#include "broker/proto/kerr.h"

bool request_allowed(const struct request *rq, enum acl_op op, enum acl_type type,
                     struct slice name)
{
    struct acl_store *acls = rq->broker->security.acls;
    return LIKELY(!acls) || acl_store_allows(acls, rq->principal, rq->host, op, type, name);
}

bool request_allowed_some(const struct request *rq, enum acl_op op, enum acl_type type)
{
    struct acl_store *acls = rq->broker->security.acls;
    return LIKELY(!acls) || acl_store_allows_some(acls, rq->principal, rq->host, op, type);
}

int32_t request_operations(const struct request *rq, enum acl_type type, struct slice name)
{
    int32_t all = acl_type_operations(type), allowed = 0;
    if (!rq->broker->security.acls)
        return all;
    if (type == ACL_CLUSTER && !request_allowed_cluster(rq, ACL_DESCRIBE))
        return 0;
    for (int op = ACL_READ; op < ACL_OPS; op++) {
        if ((all & (1 << op)) && request_allowed(rq, (enum acl_op)op, type, name))
            allowed |= 1 << op;
    }
    return allowed;
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
