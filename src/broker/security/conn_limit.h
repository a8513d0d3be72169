/* broker/security/conn_limit.h - how many connections an address has, for max.connections.per.ip.
 *
 * Thread: any. Lock: its own. SPEC: broker 5.3. */
#ifndef WEIR_BROKER_SECURITY_CONN_LIMIT_H
#define WEIR_BROKER_SECURITY_CONN_LIMIT_H

#include "base/base.h"
#include "base/map.h"
#include "base/str.h"
#include "broker/listener.h"

#include <pthread.h>

struct conn_limit {
    pthread_mutex_t lock;
    struct map counts; /* address -> number */
};
void conn_limit_init(struct conn_limit *l);
void conn_limit_release(struct conn_limit *l);

/* A connection opens: false when the address has `most` of them already (then it does not count). */
bool conn_limit_enter(struct conn_limit *l, const union sockaddr_any *peer, int64_t most);
void conn_limit_leave(struct conn_limit *l, const union sockaddr_any *peer);

/* The limit of an address: max.connections.per.ip.overrides "127.0.0.1:100,10.0.0.1:5", else
 * most. */
int64_t conn_limit_of(const union sockaddr_any *peer, struct slice overrides, int64_t most);

#endif
