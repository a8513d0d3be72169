/* cdc/mongodb/client_int.h - the pool as its own files see it: client.c (clients, errors) and open.c
 * (opening, rescue). */
#ifndef WEIR_CDC_MONGODB_CLIENT_INT_H
#define WEIR_CDC_MONGODB_CLIENT_INT_H

#include "cdc/keystore.h"
#include "cdc/mongodb/client.h"
#include "cdc/mongodb/socket.h"

struct mongo_client_pool {
    mongoc_client_pool_t *pool;
    struct mongo_target target;
    struct keystore trusted, own;
    mongoc_ssl_opt_t tls; /* texts owned */
    struct mongo_socket_options socket;
    struct mongo_server server;
    _Atomic uint64_t elections;
    atomic_bool closing; /* what the driver tells from now on is of no interest */
};

/* Counts what the driver tells about members; before the first client is taken. */
void mongo_pool_watch(struct mongo_client_pool *p);
/* mongo_client_wait for one second. */
enum err mongo_client_select(struct mongo_client_pool *p, mongoc_client_t *c, bool writes,
                             struct error *e) MUST_CHECK;
/* A text of an answer; NULL: there is none. */
const char *mongo_reply_text(const bson_t *reply, const char *name);

#endif
