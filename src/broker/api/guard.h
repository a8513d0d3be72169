/* broker/api/guard.h - access control around handlers: what a client may not touch is taken out of
 * its request before the handler sees it, and stands in the answer with its error afterwards; what
 * it may not know of is taken out of the answer.
 *
 * So the rules of all APIs stand in the tables of guard.c, and handlers know nothing of them (but
 * Fetch, whose sessions outlive a request, asks request_allowed itself). Only called while there is
 * an authorizer. SPEC: broker 11.5. Thread: the connection's loop. */
#ifndef WEIR_BROKER_API_GUARD_H
#define WEIR_BROKER_API_GUARD_H

#include "base/base.h"

struct request;

/* On a decoded request. False: it was refused as a whole, and answered. */
bool guard_before(struct request *rq);
/* On the answer that the handler made; when rq->guard is set. */
void guard_after(struct request *rq);

#endif
