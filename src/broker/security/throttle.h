/* broker/security/throttle.h - quotas applied to requests: how long the client of an answer waits.
 *
 * Called by dispatch when any quota is set. Bytes of Produce requests and of Fetch answers and the
 * time that a request took on its loop are charged; the longest wait is told in throttle_time_ms and
 * then kept by not reading the connection. SPEC: broker 11.6. Thread: the connection's loop. */
#ifndef WEIR_BROKER_SECURITY_THROTTLE_H
#define WEIR_BROKER_SECURITY_THROTTLE_H

#include "base/base.h"

struct request;

/* Charges the request, sets the answer's throttle_time_ms, and returns the wait in ms. */
int64_t throttle_request(struct request *rq);

#endif
