/* broker/security/scram_store.h - SCRAM credentials of users: rows in SQLite, looked up in memory.
 *
 * Table scram_credentials (user, mechanism) -> iterations, salt, stored key, server key: what proves
 * a password without being one; nothing of it ever leaves the process. Lookups take a read lock;
 * changes are committed first. SPEC: broker 11.4. Thread: any; scram_store_change blocks on the db.
 */
#ifndef WEIR_BROKER_SECURITY_SCRAM_STORE_H
#define WEIR_BROKER_SECURITY_SCRAM_STORE_H

#include "base/arena.h"
#include "base/base.h"
#include "base/db.h"
#include "base/err.h"
#include "broker/security/scram.h"

struct scram_store;
extern const struct db_migrations scram_migrations;

enum err scram_store_open(struct scram_store **out, struct db *db, struct error *e) MUST_CHECK;
void scram_store_close(struct scram_store *s); /* NULL allowed */

bool scram_store_find(struct scram_store *s, struct slice user, enum scram_mechanism m,
                      struct scram_credential *out);

struct scram_user {
    struct slice name;
    int32_t iterations[SCRAM_MECHANISMS]; /* 0: no credential of that mechanism */
};
/* Sorted by name, in the arena. */
struct scram_user *scram_store_list(struct scram_store *s, struct arena *a, size_t *count);

struct scram_change {
    struct slice user;
    enum scram_mechanism mechanism;
    bool remove;
    struct scram_credential credential;
};
/* All or nothing. */
enum err scram_store_change(struct scram_store *s, const struct scram_change *changes, size_t count,
                            struct error *e) MUST_CHECK;

#endif
