/* broker/acceptor.h - accepting connections on all listeners, and opening and closing those of one
 * broker. The registrations belong to the first broker loop; the calls may come from any thread but
 * the broker loops, one at a time (brokers.h serialises them). */
#ifndef WEIR_BROKER_ACCEPTOR_H
#define WEIR_BROKER_ACCEPTOR_H

#include "base/base.h"
#include "base/err.h"

struct broker;
struct acceptor;

/* Begins to accept; listeners and loops are there. */
struct acceptor *acceptor_start(struct broker *b);
void acceptor_stop(struct acceptor *a); /* NULL allowed; connections stay */

/* Closes the listening sockets of a broker, then its connections. */
void acceptor_close_broker(struct acceptor *a, int32_t node_id);
/* Opens them again on the same ports. E_CONFLICT: a port is taken; then none is open. */
enum err acceptor_open_broker(struct acceptor *a, int32_t node_id, struct error *e) MUST_CHECK;

#endif
