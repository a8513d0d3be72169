/* broker/security/quota.h - client quotas: who may use how much, kept in SQLite, measured while running.
 *
 * An entity is a user, a client id, both, or an address; a null name means the default of its kind.
 * Rates are measured as Kafka measures them: samples of one second, eleven of them
 * (quota.window.num), over at least ten seconds, so that a burst is spread over the window. Whoever
 * is above its rate waits: the answer is sent and says how long, then the connection is not read for
 * that time. While no quota is set, quotas_any is all that happens.
 * SPEC: broker 11.6. Thread: any; changes block on the db. Lock: its own, innermost. */
#ifndef WEIR_BROKER_SECURITY_QUOTA_H
#define WEIR_BROKER_SECURITY_QUOTA_H

#include <stdatomic.h>

#include "base/arena.h"
#include "base/base.h"
#include "base/db.h"
#include "base/err.h"
#include "base/str.h"

enum quota_key {
    QUOTA_PRODUCER_BYTES, /* bytes a second */
    QUOTA_CONSUMER_BYTES,
    QUOTA_REQUEST_PERCENT, /* of one thread's time */
    QUOTA_MUTATIONS,       /* partitions created and deleted a second; kept and shown only */
    QUOTA_CONNECTIONS,     /* of an address, a second */
    QUOTA_KEYS
};
const char *quota_key_name(enum quota_key k); /* "producer_byte_rate" */
/* QUOTA_KEYS: none. */
enum quota_key quota_key_find(struct slice name);

enum quota_kind { QUOTA_USER, QUOTA_CLIENT_ID, QUOTA_IP, QUOTA_KINDS };
const char *quota_kind_name(enum quota_kind k); /* "user", "client-id", "ip" */
enum quota_kind quota_kind_find(struct slice name);

struct quota_entity {
    bool has[QUOTA_KINDS];
    struct slice name[QUOTA_KINDS]; /* null: the default */
};
struct quota_values {
    bool set[QUOTA_KEYS];
    double value[QUOTA_KEYS];
};
struct quota_entry {
    struct quota_entity entity;
    struct quota_values values;
};

struct quotas;
extern const struct db_migrations quota_migrations;

enum err quotas_open(struct quotas **out, struct db *db, struct error *e) MUST_CHECK;
void quotas_close(struct quotas *q); /* NULL allowed */

/* All entries, in the arena, sorted. */
struct quota_entry *quotas_list(struct quotas *q, struct arena *a, size_t *count);
#define QUOTA_ENTITIES_MAX 10000 /* who has quotas of its own */
struct quota_change {
    struct quota_entity entity;
    struct quota_values set; /* what is set */
    bool gone[QUOTA_KEYS];   /* what is removed */
};
/* All or nothing, in the order of the changes. E_TOO_LARGE: there would be too many entities. Not at
 * once by two threads. */
enum err quotas_change(struct quotas *q, const struct quota_change *changes, size_t count,
                       struct error *e) MUST_CHECK;

/* Whether any is set; a relaxed load. */
bool quotas_any(const struct quotas *q);
/* The value that holds for a client: the most special entity decides. False: none. */
bool quotas_limit(struct quotas *q, struct slice user, struct slice client_id, enum quota_key k,
                  double *limit);
/* Counts an amount; how long the client is to wait, in ms (0: not). now: monotonic ms. */
int64_t quotas_charge(struct quotas *q, struct slice user, struct slice client_id, enum quota_key k,
                      double amount, int64_t now);
/* The same for a new connection of an address. */
int64_t quotas_charge_ip(struct quotas *q, struct slice ip, int64_t now);

#endif
