/* cdc/mongodb/socket.h - sockets of the driver's clients that notice a stop while they connect, read and
 * write: the driver's own wait as long as the server is silent. Thread: of the client. */
#ifndef WEIR_CDC_MONGODB_SOCKET_H
#define WEIR_CDC_MONGODB_SOCKET_H

#include <stdatomic.h>

#include "cdc/mongodb/driver.h"

struct mongo_socket_options {
    const atomic_bool *_Atomic stop; /* NULL: none; changes when the flag goes away */
    atomic_bool stopped;             /* a wait was ended by it */
    int32_t connect_timeout_ms;
    mongoc_ssl_opt_t *tls; /* NULL: plain */
};
/* For mongoc_client_set_stream_initiator; ctx: struct mongo_socket_options, which outlives the client. */
mongoc_stream_t *mongo_socket_open(const mongoc_uri_t *uri, const mongoc_host_list_t *host,
                                   void *ctx, bson_error_t *be);

#endif
