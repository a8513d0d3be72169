/* broker/security/scram_store.c - see scram_store.h. */
#include "broker/security/scram_store.h"

#include "base/base.h"
#include "base/map.h"
#include "base/mem.h"

#include <pthread.h>
#include <stdlib.h>

static const char *const steps[] = {
    "CREATE TABLE scram_credentials ("
    " user TEXT NOT NULL, mechanism INTEGER NOT NULL, iterations INTEGER NOT NULL,"
    " salt BLOB NOT NULL, stored_key BLOB NOT NULL, server_key BLOB NOT NULL,"
    " PRIMARY KEY (user, mechanism)) WITHOUT ROWID;",
    NULL,
};
const struct db_migrations scram_migrations = {"scram", steps};

struct entry {
    struct scram_credential of[SCRAM_MECHANISMS]; /* mechanism 0: none */
};
struct scram_store {
    struct db *db;
    pthread_rwlock_t lock;
    struct map users; /* name -> struct entry */
};

static void entry_free(void *p)
{
    mem_wipe(p, sizeof(struct entry));
    mem_free(p);
}

static void put(struct scram_store *s, struct slice user, const struct scram_credential *c)
{
    struct entry *x = map_get(&s->users, user);
    if (!x) {
        x = xcalloc(1, sizeof *x);
        map_put(&s->users, user, x);
    }
    x->of[c->mechanism] = *c;
}

static void drop(struct scram_store *s, struct slice user, enum scram_mechanism m)
{
    struct entry *x = map_get(&s->users, user);
    if (!x)
        return;
    x->of[m] = (struct scram_credential){0};
    for (int i = 1; i < SCRAM_MECHANISMS; i++) {
        if (x->of[i].mechanism)
            return;
    }
    entry_free(map_del(&s->users, user));
}

/* --- database (db thread) --------------------------------------------------------------------- */

static enum err load_job(struct db *d, void *arg, struct error *e)
{
    enum err r;
    sqlite3_stmt *q = db_stmt(d, "SELECT user, mechanism, iterations, salt, stored_key, server_key "
                                 "FROM scram_credentials");
    while ((r = db_step(d, q, e)) == E_OK) {
        struct scram_credential c = {
            .mechanism = (enum scram_mechanism)sqlite3_column_int(q, 1),
            .iterations = sqlite3_column_int(q, 2),
        };
        struct slice salt = db_column_slice(q, 3), stored = db_column_slice(q, 4),
                     server = db_column_slice(q, 5);
        size_t n = scram_hash_size(c.mechanism);
        if (n == 0 || salt.n == 0 || salt.n > SCRAM_SALT_MAX || stored.n != n || server.n != n)
            return error_set(e, E_CORRUPT,
                             "table scram_credentials: the row of " PRI_SL " makes no sense",
                             ARG_SL(db_column_slice(q, 0)));
        c.salt_n = salt.n;
        memcpy(c.salt, salt.p, salt.n);
        memcpy(c.stored_key, stored.p, n);
        memcpy(c.server_key, server.p, n);
        put(arg, db_column_slice(q, 0), &c);
    }
    return r == E_NOT_FOUND ? E_OK : r;
}

struct change_arg {
    const struct scram_change *changes;
    size_t count;
};

static enum err change_job(struct db *d, void *arg, struct error *e)
{
    const struct change_arg *j = arg;
    for (size_t i = 0; i < j->count; i++) {
        const struct scram_change *x = &j->changes[i];
        const struct scram_credential *c = &x->credential;
        sqlite3_stmt *q =
            x->remove
                ? db_stmt(d, "DELETE FROM scram_credentials WHERE user = ?1 AND mechanism = ?2")
                : db_stmt(d, "INSERT OR REPLACE INTO scram_credentials "
                             "(user, mechanism, iterations, salt, stored_key, server_key) "
                             "VALUES (?1, ?2, ?3, ?4, ?5, ?6)");
        db_bind_slice(q, 1, x->user);
        sqlite3_bind_int(q, 2, (int)x->mechanism);
        if (!x->remove) {
            size_t n = scram_hash_size(x->mechanism);
            sqlite3_bind_int(q, 3, c->iterations);
            db_bind_blob(q, 4, slice_of(c->salt, c->salt_n));
            db_bind_blob(q, 5, slice_of(c->stored_key, n));
            db_bind_blob(q, 6, slice_of(c->server_key, n));
        }
        enum err r = db_exec(d, q, e);
        if (r != E_OK)
            return r;
    }
    return E_OK;
}

/* --- calls ------------------------------------------------------------------------------------ */

enum err scram_store_open(struct scram_store **out, struct db *db, struct error *e)
{
    struct scram_store *s = xcalloc(1, sizeof *s);
    s->db = db;
    pthread_rwlock_init(&s->lock, NULL);
    map_init(&s->users);
    enum err r = db_run(db, load_job, s, e);
    if (r != E_OK) {
        scram_store_close(s);
        return r;
    }
    *out = s;
    return E_OK;
}

void scram_store_close(struct scram_store *s)
{
    if (!s)
        return;
    map_release(&s->users, entry_free);
    pthread_rwlock_destroy(&s->lock);
    mem_free(s);
}

bool scram_store_find(struct scram_store *s, struct slice user, enum scram_mechanism m,
                      struct scram_credential *out)
{
    pthread_rwlock_rdlock(&s->lock);
    const struct entry *x = map_get(&s->users, user);
    bool found = x && x->of[m].mechanism;
    if (found)
        *out = x->of[m];
    pthread_rwlock_unlock(&s->lock);
    return found;
}

static int by_name(const void *a, const void *b)
{
    return slice_cmp(((const struct scram_user *)a)->name, ((const struct scram_user *)b)->name);
}

struct scram_user *scram_store_list(struct scram_store *s, struct arena *a, size_t *count)
{
    struct slice name;
    void *value;
    pthread_rwlock_rdlock(&s->lock);
    struct scram_user *v = arena_calloc(a, s->users.count + 1, sizeof *v);
    *count = 0;
    for (size_t i = 0; map_next(&s->users, &i, &name, &value);) {
        const struct entry *x = value;
        v[*count].name = arena_dup(a, name);
        for (int m = 1; m < SCRAM_MECHANISMS; m++)
            v[*count].iterations[m] = x->of[m].iterations;
        ++*count;
    }
    pthread_rwlock_unlock(&s->lock);
    qsort(v, *count, sizeof *v, by_name);
    return v;
}

enum err scram_store_change(struct scram_store *s, const struct scram_change *changes, size_t count,
                            struct error *e)
{
    enum err r = db_run(s->db, change_job, &(struct change_arg){changes, count}, e);
    if (r != E_OK)
        return r;
    pthread_rwlock_wrlock(&s->lock);
    for (size_t i = 0; i < count; i++) {
        if (changes[i].remove)
            drop(s, changes[i].user, changes[i].mechanism);
        else
            put(s, changes[i].user, &changes[i].credential);
    }
    pthread_rwlock_unlock(&s->lock);
    return E_OK;
}
