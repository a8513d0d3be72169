/* broker/security/access.h - may the client of this request do that? The one question handlers ask.
 *
 * Without an authorizer everything is allowed and the question costs a load and a branch. Codes for
 * a refusal: 29 topic, 30 group, 31 cluster, 53 transactional id (access_denied_code). Most APIs
 * need no question in their handler: api/guard.h takes what is not allowed out of the request, by
 * tables. Handlers ask where a table can't say it.
 *
 * Thread: whoever has the request (its loop, a pool thread, the coordinator loop); the client may
 * have gone. SPEC: broker 11.5. */
#ifndef WEIR_BROKER_SECURITY_ACCESS_H
#define WEIR_BROKER_SECURITY_ACCESS_H

#include "base/base.h"
#include "base/str.h"
#include "broker/security/acl.h"

struct request;

bool request_allowed(const struct request *rq, enum acl_op op, enum acl_type type,
                     struct slice name);
static inline bool request_allowed_cluster(const struct request *rq, enum acl_op op)
{
    return request_allowed(rq, op, ACL_CLUSTER, ACL_CLUSTER_NAME);
}
/* On some resource of the type, whatever its name (InitProducerId: WRITE on any topic). */
bool request_allowed_some(const struct request *rq, enum acl_op op, enum acl_type type);
/* What the client may do, as the bits of AuthorizedOperations fields. */
int32_t request_operations(const struct request *rq, enum acl_type type, struct slice name);
/* The code that tells a client it was refused. */
int16_t access_denied_code(enum acl_type type);

#endif
