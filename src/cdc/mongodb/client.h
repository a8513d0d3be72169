/* cdc/mongodb/client.h - sessions with a MongoDB cluster: a pool of the driver's clients for one connector,
 * and its errors in the words that people search for. SPEC: cdc-mongodb 3, 5.6, 11.
 *
 * No call on a client outlasts a stop by more than two seconds: sockets look at the stop flag while they
 * wait, and a call waits at most a second for a member that can serve. What the system's resolver takes
 * for a name that is not known yet comes on top: nothing ends getaddrinfo. Waiting longer (an election)
 * is mongo_client_wait's: a task calls it before it repeats what failed with a passing error. */
#ifndef WEIR_CDC_MONGODB_CLIENT_H
#define WEIR_CDC_MONGODB_CLIENT_H

#include <stdatomic.h>

#include "base/base.h"
#include "base/err.h"
#include "cdc/mongodb/driver.h"
#include "cdc/mongodb/options.h"
#include "cdc/mongodb/target.h"

struct mongo_client_pool; /* Thread: any; take and give lock inside the driver */

struct mongo_server {
    int32_t max_wire_version;
    int32_t version;       /* 6 * 10000 + 0 * 100 + 5 = 60005 */
    char version_text[32]; /* "6.0.5" */
    bool mongos;           /* a sharded cluster's door */
    char set_name[128];    /* "" when it is no replica set */
};

/* Opens the driver, reads key stores, connects: E_OK means that a member has answered and credentials
 * are right. connector: its name, for appName; NULL: "weir". stop: ends every call; NULL: none.
 * E_INVALID: the configuration, or a cluster that will never do (standalone, another set ...); E_NOT_FOUND:
 * no driver; E_AUTH; E_IO, E_TIMEOUT: no member that can serve now; E_CANCELLED. The message is the verdict
 * of diagnose.h: what is wrong, and on the next line what cures it. *out is set only on E_OK. Blocks as
 * long as the server selection timeout says. */
enum err mongo_client_pool_open(struct mongo_client_pool **out, const struct mongo_options *o,
                                const char *connector, const atomic_bool *stop,
                                struct error *e) MUST_CHECK;
struct mongo_verdict;
/* The same for a question (validation, `weir doctor`): the first verdict is told, within 5 seconds.
 * verdict: what was found when no member could serve; NULL: not wanted. */
enum err mongo_client_pool_try(struct mongo_client_pool **out, const struct mongo_options *o,
                               int32_t limit_ms, struct mongo_verdict *verdict,
                               struct error *e) MUST_CHECK;
/* All clients must have been given back. NULL allowed. */
void mongo_client_pool_close(struct mongo_client_pool *p);
const struct mongo_server *mongo_client_pool_server(const struct mongo_client_pool *p);
const struct mongo_target *mongo_client_pool_target(const struct mongo_client_pool *p);
/* Changes of the primary since the pool was opened. Thread: any. */
uint64_t mongo_client_pool_elections(const struct mongo_client_pool *p);

/* A client for one thread at a time; never NULL, makes no connection yet. Its read preference and
 * concern are those of the connection string. */
mongoc_client_t *mongo_client_take(struct mongo_client_pool *p);
void mongo_client_give(struct mongo_client_pool *p, mongoc_client_t *c); /* NULL allowed */
/* Waits until a member can serve (writes: the primary), as long as the server selection timeout says.
 * E_TIMEOUT, E_IO, E_AUTH, E_CANCELLED. */
enum err mongo_client_wait(struct mongo_client_pool *p, mongoc_client_t *c, bool writes,
                           struct error *e) MUST_CHECK;
/* Runs a command that reads. reply: initialised in any case when not NULL, destroyed by the caller. */
enum err mongo_client_command(struct mongo_client_pool *p, mongoc_client_t *c, const char *db,
                              const bson_t *command, bson_t *reply, struct error *e) MUST_CHECK;

/* Fills *e from what the driver says, returns its code:
 *   E_AUTH    credentials (18) or privileges (13)
 *   E_IO      the network, or a state of the cluster that passes: worth a repetition
 *   E_TIMEOUT no member could serve
 *   E_CANCELLED the pool's stop is set
 *   E_REMOTE  any other answer
 * e->sys is the server's code (0: none). Text: "<what> failed on MongoDB server with error 13
 * (Unauthorized): '...' on server h:p". what NULL: "Command execution". reply: the answer or the error
 * document, NULL: none. host: NULL: the primary as far as it is known. */
enum err mongo_fault(const struct mongo_client_pool *p, mongoc_client_t *c, const char *what,
                     const bson_error_t *be, const bson_t *reply, const mongoc_host_list_t *host,
                     struct error *e);
/* E_IO or E_TIMEOUT: reopen at the last position. SPEC: 5.6 */
bool mongo_fault_passes(const struct error *e);

#endif
