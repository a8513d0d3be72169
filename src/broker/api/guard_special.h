/* broker/api/guard_special.h - the parts of guard.c that are functions: requests that several resources
 * decide about, and answers that need more than an error. Thread: the connection's loop. */
#ifndef WEIR_BROKER_API_GUARD_SPECIAL_H
#define WEIR_BROKER_API_GUARD_SPECIAL_H

#include "base/base.h"
#include "broker/security/acl.h"

struct request;

/* The code that refuses, 0 when it is allowed. */
int16_t guard_judge(struct request *rq, enum acl_op op, enum acl_type type, struct slice name);
/* The same for a key of FindCoordinator. */
int16_t guard_may_find(struct request *rq, void *item, struct slice name);

/* As guard_before and guard_after; APIs without a special rule pass. */
bool guard_special_before(struct request *rq);
void guard_special_after(struct request *rq);

#endif
