/* broker/listener.h - the addresses that the broker serves, and the ones it tells clients.
 *
 * Parsed from `listeners`, `advertised.listeners`, `listener.security.protocol.map` and
 * `controller.listener.names`; then bound. Immutable after listeners_bind. A listener on a loopback
 * host stands for 127.0.0.1 and ::1 with one port (clients on many laptops try ::1 first).
 * A node id belongs to a listener. In a lab (lab.brokers = N) several stand for several brokers: a
 * name that is given once is served for all of them on ports in a row, one that is given N times
 * for the first, second ... broker in order; advertised.listeners likewise.
 * SPEC: broker 11.1. Thread: main sets up; read by any. */
#ifndef WEIR_BROKER_LISTENER_H
#define WEIR_BROKER_LISTENER_H

#include "base/base.h"

#include <netinet/in.h>

#include "base/err.h"
#include "base/str.h"
#include "broker/broker.h"

#define LISTENERS_MAX 32

union sockaddr_any {
    struct sockaddr sa;
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
};

struct listener {
    char *name;     /* "PLAINTEXT" */
    char *protocol; /* "PLAINTEXT", "SSL", ... */
    char *host;     /* as given; "" = all interfaces */
    int port;       /* bound, after listeners_bind */
    int fds[2];
    int fd_count;
    char *adv_host; /* from advertised.listeners; NULL = answer per connection */
    int adv_port;   /* 0 = the listener's own */
    int32_t node_id;
    bool optional;           /* left out when its port is taken */
    char *adv_text;          /* for people: "localhost:9092" */
    struct tls_context *tls; /* NULL: no TLS. Both are set, and owned, by security.h */
    const struct sasl_rules *sasl;
};
struct listeners {
    struct listener v[LISTENERS_MAX];
    size_t count;
    char *advertise_name, *advertise_gateway_as; /* NULL = unset */
    uint32_t gateway; /* IPv4 default gateway when this is a container, network order; 0 = none */
};

/* E_INVALID with Kafka's words where it has some. */
enum err listeners_parse(struct listeners *ls, const struct broker_options *o,
                         struct error *e) MUST_CHECK;
/* Opens the sockets. E_CONFLICT: taken, with what to do. */
enum err listeners_bind(struct listeners *ls, int backlog, struct error *e) MUST_CHECK;
void listeners_release(struct listeners *ls); /* closes */
/* Of a broker that stops and starts: its sockets alone, on the port that it had. */
void listener_close(struct listener *l);
enum err listener_open(struct listener *l, int backlog, struct error *e) MUST_CHECK;
/* The listener by which a client that came in on `l` reaches broker node_id: of the same name, else
 * of another name. NULL: that broker has none. */
const struct listener *listener_of_node(const struct listeners *ls, const struct listener *l,
                                        int32_t node_id);

/* What a client that came in on this connection is to be told. host has room for 256 bytes.
 * server_name: the one it asked for in its TLS handshake, or NULL. */
void listener_advertised(const struct listeners *ls, const struct listener *l, int sock,
                         const union sockaddr_any *peer, const char *server_name, char host[256],
                         int *port);

/* "1.2.3.4" or "::1"; IPv4-mapped addresses as IPv4. */
void sockaddr_ip(const union sockaddr_any *a, char out[INET6_ADDRSTRLEN]);
bool sockaddr_is_loopback(const union sockaddr_any *a);

#endif
