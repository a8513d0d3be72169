/* broker/security/quota.c - see quota.h.
 *
 * Table client_quotas: one row per entity and key; a part of an entity is NULL when the entity has
 * no such part, "" for the default, "=name" else. Entries are few: they are walked. A meter belongs
 * to whom the deciding entity measures apart: (user, client id), a user, or a client id. There are
 * METERS_MAX of them: then those that were quiet for a whole window are dropped, once a window at
 * most, and while there is no room newcomers of one entity share one. */
#include "broker/security/quota.h"

#include "base/base.h"
#include "base/map.h"
#include "base/mem.h"

#include <pthread.h>
#include <stdlib.h>

#define SAMPLES 11 /* quota.window.num */
#define SAMPLE_MS 1000
#define WINDOW_MS (SAMPLES * SAMPLE_MS)
#define METERS_MAX 10000
#define WAIT_MAX_MS 3600000

static const char *const keys[QUOTA_KEYS] = {"producer_byte_rate", "consumer_byte_rate",
                                             "request_percentage", "controller_mutation_rate",
                                             "connection_creation_rate"};
static const char *const kinds[QUOTA_KINDS] = {"user", "client-id", "ip"};

const char *quota_key_name(enum quota_key k)
{
    return keys[k];
}

const char *quota_kind_name(enum quota_kind k)
{
    return kinds[k];
}

enum quota_key quota_key_find(struct slice name)
{
    int k = 0;
    while (k < QUOTA_KEYS && !slice_eq_c(name, keys[k]))
        k++;
    return (enum quota_key)k;
}

enum quota_kind quota_kind_find(struct slice name)
{
    int k = 0;
    while (k < QUOTA_KINDS && !slice_eq_c(name, kinds[k]))
        k++;
    return (enum quota_kind)k;
}

struct meter {
    double amount[SAMPLES];
    int64_t began[SAMPLES]; /* of each sample; INT64_MIN: unused */
    int at;
};
struct quotas {
    struct db *db;
    pthread_mutex_t lock;
    struct quota_entry *v; /* names are owned */
    size_t count;
    struct map meters; /* text of whom -> struct meter */
    int64_t swept_ms;  /* when quiet ones were dropped */
    _Atomic bool any;
};

/* --- entries ---------------------------------------------------------------------------------- */

static bool same_entity(const struct quota_entity *a, const struct quota_entity *b)
{
    for (int k = 0; k < QUOTA_KINDS; k++) {
        if (a->has[k] != b->has[k] || (a->has[k] && !slice_eq(a->name[k], b->name[k])))
            return false;
    }
    return true;
}

static struct quota_entry *find(struct quotas *q, const struct quota_entity *entity)
{
    for (size_t i = 0; i < q->count; i++) {
        if (same_entity(&q->v[i].entity, entity))
            return &q->v[i];
    }
    return NULL;
}

static struct quota_entry *add(struct quotas *q, const struct quota_entity *entity)
{
    q->v = xrealloc(q->v, (q->count + 1) * sizeof *q->v);
    struct quota_entry *x = &q->v[q->count++];
    *x = (struct quota_entry){.entity = *entity};
    for (int k = 0; k < QUOTA_KINDS; k++) {
        if (entity->has[k] && entity->name[k].p)
            x->entity.name[k] = slice_of(slice_dup(entity->name[k]), entity->name[k].n);
        else
            x->entity.name[k] = SLICE_NULL;
    }
    return x;
}

static void release(struct quota_entry *x)
{
    for (int k = 0; k < QUOTA_KINDS; k++)
        mem_free((void *)(uintptr_t)x->entity.name[k].p);
}

static void drop_empty(struct quotas *q, struct quota_entry *x)
{
    for (int k = 0; k < QUOTA_KEYS; k++) {
        if (x->values.set[k])
            return;
    }
    release(x);
    *x = q->v[--q->count];
}

static int by_entity(const void *a, const void *b)
{
    const struct quota_entity *x = &((const struct quota_entry *)a)->entity,
                              *y = &((const struct quota_entry *)b)->entity;
    int d = 0;
    for (int k = 0; !d && k < QUOTA_KINDS; k++) {
        d = (int)y->has[k] - (int)x->has[k];
        if (!d && x->has[k])
            d = slice_cmp(x->name[k], y->name[k]);
    }
    return d;
}

struct quota_entry *quotas_list(struct quotas *q, struct arena *a, size_t *count)
{
    pthread_mutex_lock(&q->lock);
    struct quota_entry *v = arena_calloc(a, q->count + 1, sizeof *v);
    *count = q->count;
    for (size_t i = 0; i < q->count; i++) {
        v[i] = q->v[i];
        for (int k = 0; k < QUOTA_KINDS; k++)
            v[i].entity.name[k] = arena_dup(a, v[i].entity.name[k]);
    }
    pthread_mutex_unlock(&q->lock);
    qsort(v, *count, sizeof *v, by_entity);
    return v;
}

/* --- database --------------------------------------------------------------------------------- */

static const char *const steps[] = {
    "CREATE TABLE client_quotas ("
    " user TEXT, client_id TEXT, ip TEXT, key TEXT NOT NULL, value REAL NOT NULL);"
    "CREATE INDEX client_quotas_entity ON client_quotas (user, client_id, ip);",
    NULL,
};
const struct db_migrations quota_migrations = {"quotas", steps};

static enum err load_job(struct db *d, void *arg, struct error *e)
{
    struct quotas *q = arg;
    enum err r;
    sqlite3_stmt *s = db_stmt(d, "SELECT user, client_id, ip, key, value FROM client_quotas");
    while ((r = db_step(d, s, e)) == E_OK) {
        struct quota_entity entity = {0};
        for (int k = 0; k < QUOTA_KINDS; k++) {
            struct slice text = db_column_slice(s, k);
            entity.has[k] = text.p != NULL;
            entity.name[k] = text.n ? slice_sub(text, 1, text.n) : SLICE_NULL;
        }
        enum quota_key key = quota_key_find(db_column_slice(s, 3));
        if (key == QUOTA_KEYS)
            continue; /* of a newer version */
        struct quota_entry *x = find(q, &entity);
        if (!x)
            x = add(q, &entity);
        x->values.set[key] = true;
        x->values.value[key] = sqlite3_column_double(s, 4);
    }
    return r == E_NOT_FOUND ? E_OK : r;
}

struct changes {
    const struct quota_change *v;
    size_t count;
};

static void bind_entity(sqlite3_stmt *s, char *const names[QUOTA_KINDS])
{
    for (int k = 0; k < QUOTA_KINDS; k++)
        db_bind_slice(s, k + 1, slice_cstr(names[k]));
}

static enum err store(struct db *d, const struct quota_change *c, struct error *e)
{
    char *names[QUOTA_KINDS] = {NULL}; /* as stored; NULL */
    enum err r = E_OK;
    for (int k = 0; k < QUOTA_KINDS; k++) {
        struct slice name = c->entity.name[k];
        if (c->entity.has[k])
            names[k] = name.p ? xasprintf("=" PRI_SL, ARG_SL(name)) : xstrdup("");
    }
    for (int k = 0; k < QUOTA_KEYS && r == E_OK; k++) {
        if (!c->set.set[k] && !c->gone[k])
            continue;
        sqlite3_stmt *s = db_stmt(d, "DELETE FROM client_quotas WHERE user IS ?1 AND client_id IS "
                                     "?2 AND ip IS ?3 AND key = ?4");
        bind_entity(s, names);
        db_bind_slice(s, 4, slice_cstr(keys[k]));
        r = db_exec(d, s, e);
        if (r != E_OK || !c->set.set[k])
            continue;
        s = db_stmt(d, "INSERT INTO client_quotas (user, client_id, ip, key, value) "
                       "VALUES (?1, ?2, ?3, ?4, ?5)");
        bind_entity(s, names);
        db_bind_slice(s, 4, slice_cstr(keys[k]));
        sqlite3_bind_double(s, 5, c->set.value[k]);
        r = db_exec(d, s, e);
    }
    for (int k = 0; k < QUOTA_KINDS; k++)
        mem_free(names[k]);
    return r;
}

static enum err change_job(struct db *d, void *arg, struct error *e)
{
    const struct changes *c = arg;
    enum err r = E_OK;
    for (size_t i = 0; i < c->count && r == E_OK; i++)
        r = store(d, &c->v[i], e);
    return r;
}

static bool sets_any(const struct quota_change *c)
{
    for (int k = 0; k < QUOTA_KEYS; k++) {
        if (c->set.set[k])
            return true;
    }
    return false;
}

/* Counted without what the changes remove. */
static enum err check_room(struct quotas *q, const struct quota_change *v, size_t count,
                           struct error *e)
{
    pthread_mutex_lock(&q->lock);
    size_t total = q->count;
    for (size_t i = 0; i < count; i++)
        total += sets_any(&v[i]) && !find(q, &v[i].entity);
    size_t had = q->count;
    pthread_mutex_unlock(&q->lock);
    return total <= QUOTA_ENTITIES_MAX || total == had
               ? E_OK
               : error_set(e, E_TOO_LARGE, "No more than %d entities can have quotas.",
                           QUOTA_ENTITIES_MAX);
}

/* Under the lock. */
static void apply(struct quotas *q, const struct quota_change *c)
{
    struct quota_entry *x = find(q, &c->entity);
    if (!x)
        x = add(q, &c->entity);
    for (int k = 0; k < QUOTA_KEYS; k++) {
        if (c->gone[k])
            x->values.set[k] = false;
        if (c->set.set[k]) {
            x->values.set[k] = true;
            x->values.value[k] = c->set.value[k];
        }
    }
    drop_empty(q, x);
}

enum err quotas_change(struct quotas *q, const struct quota_change *changes, size_t count,
                       struct error *e)
{
    struct changes all = {changes, count};
    enum err r = check_room(q, changes, count, e);
    if (r == E_OK)
        r = db_run(q->db, change_job, &all, e);
    if (r != E_OK)
        return r;
    pthread_mutex_lock(&q->lock);
    for (size_t i = 0; i < count; i++)
        apply(q, &changes[i]);
    atomic_store_explicit(&q->any, q->count > 0, memory_order_relaxed);
    pthread_mutex_unlock(&q->lock);
    return E_OK;
}

enum err quotas_open(struct quotas **out, struct db *db, struct error *e)
{
    struct quotas *q = xcalloc(1, sizeof *q);
    q->db = db;
    pthread_mutex_init(&q->lock, NULL);
    map_init(&q->meters);
    enum err r = db_run(db, load_job, q, e);
    if (r != E_OK) {
        quotas_close(q);
        return r;
    }
    atomic_store(&q->any, q->count > 0);
    *out = q;
    return E_OK;
}

void quotas_close(struct quotas *q)
{
    if (!q)
        return;
    for (size_t i = 0; i < q->count; i++)
        release(&q->v[i]);
    mem_free(q->v);
    map_release(&q->meters, mem_free);
    pthread_mutex_destroy(&q->lock);
    mem_free(q);
}

bool quotas_any(const struct quotas *q)
{
    return atomic_load_explicit(&q->any, memory_order_relaxed);
}

/* --- which one holds -------------------------------------------------------------------------- */

/* What an entity may say of one of its parts. */
enum part { NONE, DEFAULT, NAMED };

/* Most special first. SPEC: broker 11.6 */
static const struct {
    enum part user, client_id;
} precedence[] = {{NAMED, NAMED},     {NAMED, DEFAULT}, {NAMED, NONE}, {DEFAULT, NAMED},
                  {DEFAULT, DEFAULT}, {DEFAULT, NONE},  {NONE, NAMED}, {NONE, DEFAULT}};

static void set_part(struct quota_entity *x, enum quota_kind k, enum part p, struct slice name)
{
    x->has[k] = p != NONE;
    x->name[k] = p == NAMED ? name : SLICE_NULL;
}

/* Under the lock. *which: row of `precedence`. */
static bool limit_locked(struct quotas *q, struct slice user, struct slice client_id,
                         enum quota_key k, double *limit, size_t *which)
{
    for (size_t i = 0; i < ARRAY_LEN(precedence); i++) {
        struct quota_entity entity = {0};
        set_part(&entity, QUOTA_USER, precedence[i].user, user);
        set_part(&entity, QUOTA_CLIENT_ID, precedence[i].client_id, client_id);
        const struct quota_entry *x = find(q, &entity);
        if (!x || !x->values.set[k])
            continue;
        *limit = x->values.value[k];
        *which = i;
        return true;
    }
    return false;
}

bool quotas_limit(struct quotas *q, struct slice user, struct slice client_id, enum quota_key k,
                  double *limit)
{
    size_t which;
    pthread_mutex_lock(&q->lock);
    bool found = limit_locked(q, user, client_id, k, limit, &which);
    pthread_mutex_unlock(&q->lock);
    return found;
}

/* --- measuring -------------------------------------------------------------------------------- */

static void drop_quiet(struct quotas *q, int64_t now)
{
    struct slice key;
    void *value;
    for (size_t i = 0; map_next(&q->meters, &i, &key, &value);) {
        const struct meter *m = value;
        if (now - m->began[m->at] >= WINDOW_MS)
            mem_free(map_del(&q->meters, key));
    }
    q->swept_ms = now;
}

/* shared: takes the place of whom while there is no room for another meter. */
static struct meter *meter_for(struct quotas *q, struct slice whom, struct slice shared,
                               int64_t now)
{
    struct meter *m = map_get(&q->meters, whom);
    if (m)
        return m;
    if (q->meters.count >= METERS_MAX && now - q->swept_ms >= WINDOW_MS)
        drop_quiet(q, now);
    if (q->meters.count >= METERS_MAX) {
        whom = shared; /* one more for each entity */
        m = map_get(&q->meters, whom);
        if (m)
            return m;
    }
    m = xcalloc(1, sizeof *m);
    for (int i = 0; i < SAMPLES; i++)
        m->began[i] = INT64_MIN;
    map_put(&q->meters, whom, m);
    return m;
}

/* Adds, and returns how long the client is to wait for its rate to come down to the limit:
 * (rate - limit) / limit of the window. */
static int64_t measure(struct meter *m, double amount, double limit, int64_t now)
{
    if (m->began[m->at] == INT64_MIN) {
        m->began[m->at] = now;
    } else if (now - m->began[m->at] >= SAMPLE_MS) {
        m->at = (m->at + 1) % SAMPLES;
        m->began[m->at] = now;
        m->amount[m->at] = 0;
    }
    m->amount[m->at] += amount;
    double total = 0;
    int64_t oldest = now;
    for (int i = 0; i < SAMPLES; i++) {
        if (m->began[i] == INT64_MIN || now - m->began[i] >= WINDOW_MS)
            continue;
        total += m->amount[i];
        oldest = MIN(oldest, m->began[i]);
    }
    int64_t elapsed = now - oldest, full = elapsed / SAMPLE_MS;
    if (full < SAMPLES - 1)
        elapsed += (SAMPLES - 1 - full) * SAMPLE_MS;
    double rate = total * 1000 / (double)elapsed;
    if (rate <= limit)
        return 0;
    double wait = (rate - limit) / limit * (double)elapsed;
    return wait < WAIT_MAX_MS ? (int64_t)(wait + 0.5) : WAIT_MAX_MS;
}

/* Text of a meter's owner: the parts that the deciding entity has (least = DEFAULT), or those that
 * it names. */
static void owner(struct strbuf *b, enum quota_key k, size_t which, enum part least,
                  struct slice user, struct slice client_id)
{
    strbuf_addf(b, "%d %zu", (int)k, which);
    if (precedence[which].user >= least)
        strbuf_addf(b, " user %zu " PRI_SL, user.n, ARG_SL(user));
    if (precedence[which].client_id >= least)
        strbuf_addf(b, " client " PRI_SL, ARG_SL(client_id));
}

int64_t quotas_charge(struct quotas *q, struct slice user, struct slice client_id, enum quota_key k,
                      double amount, int64_t now)
{
    double limit;
    size_t which;
    int64_t wait = 0;
    pthread_mutex_lock(&q->lock);
    if (limit_locked(q, user, client_id, k, &limit, &which)) {
        struct strbuf whom = STRBUF_INIT, shared = STRBUF_INIT;
        owner(&whom, k, which, DEFAULT, user, client_id);
        owner(&shared, k, which, NAMED, user, client_id);
        struct meter *m = meter_for(q, strbuf_slice(&whom), strbuf_slice(&shared), now);
        wait = measure(m, amount, limit, now);
        strbuf_release(&whom);
        strbuf_release(&shared);
    }
    pthread_mutex_unlock(&q->lock);
    /* Shares of time are waited for in short turns. */
    return k == QUOTA_REQUEST_PERCENT ? MIN(wait, SAMPLE_MS) : wait;
}

int64_t quotas_charge_ip(struct quotas *q, struct slice ip, int64_t now)
{
    struct quota_entity entity = {.has = {[QUOTA_IP] = true}, .name = {[QUOTA_IP] = ip}};
    int64_t wait = 0;
    pthread_mutex_lock(&q->lock);
    const struct quota_entry *x = find(q, &entity);
    if (!x || !x->values.set[QUOTA_CONNECTIONS]) {
        entity.name[QUOTA_IP] = SLICE_NULL;
        x = find(q, &entity);
    }
    if (x && x->values.set[QUOTA_CONNECTIONS]) {
        struct strbuf whom = STRBUF_INIT;
        double limit = x->values.value[QUOTA_CONNECTIONS];
        strbuf_addf(&whom, "ip " PRI_SL, ARG_SL(ip));
        wait = measure(meter_for(q, strbuf_slice(&whom), SL("ip"), now), 1, limit, now);
        strbuf_release(&whom);
    }
    pthread_mutex_unlock(&q->lock);
    return wait;
}
