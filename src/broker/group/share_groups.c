/* broker/group/share_groups.c - see share_groups.h.
 *
 *   share_state (group_id, topic_id BLOB, partition -> start_offset, state BLOB, version)
 *
 * Rows of one partition may be written from several loops: `version` grows under the state's lock,
 * and an older row never replaces a newer one. What a member holds is not stored as held: after a
 * restart it is free, with its deliveries counted. */
#include "broker/group/share_groups.h"

#include "base/base.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "broker/proto/kerr.h"

#include <stdlib.h>

static const char *const steps[] = {
    "CREATE TABLE share_state (group_id TEXT NOT NULL, topic_id BLOB NOT NULL,"
    " partition INTEGER NOT NULL, start_offset INTEGER NOT NULL, state BLOB NOT NULL,"
    " version INTEGER NOT NULL, PRIMARY KEY (group_id, topic_id, partition)) WITHOUT ROWID;",
    NULL,
};
const struct db_migrations share_migrations = {"share", steps};

struct share_session {
    int32_t epoch; /* expected next */
    struct share_key *v;
    size_t n, cap, turn;
};
struct share_groups {
    struct share_options o;
    struct db *db;
    pthread_mutex_t lock;
    struct map states;   /* key of state_key -> struct share_state, a reference */
    struct map sessions; /* session_key -> struct share_session */
};

/* --- states ----------------------------------------------------------------------------------- */

/* topic id, partition, group. Caller frees. */
static struct slice state_key(struct slice group, const struct share_key *key)
{
    size_t n = sizeof key->topic_id + 4 + group.n;
    char *b = xmalloc(n);
    memcpy(b, &key->topic_id, sizeof key->topic_id);
    memcpy(b + sizeof key->topic_id, &key->partition, 4);
    if (group.n)
        memcpy(b + sizeof key->topic_id + 4, group.p, group.n);
    return slice_of(b, n);
}

static struct share_state *state_new(struct share_groups *g, struct slice group,
                                     const struct share_key *key)
{
    struct share_state *s = xcalloc(1, sizeof *s);
    s->refs = 1;
    pthread_mutex_init(&s->lock, NULL);
    wait_list_init(&s->waits);
    share_partition_init(&s->p, 0, g->o.max_locks, g->o.delivery_limit);
    s->group = slice_of(group.n ? slice_dup(group) : xstrdup(""), group.n);
    s->key = *key;
    return s;
}

void share_state_unref(struct share_state *s)
{
    if (!s || atomic_fetch_sub(&s->refs, 1) != 1)
        return;
    share_partition_release(&s->p);
    pthread_mutex_destroy(&s->lock);
    mem_free((char *)(uintptr_t)s->group.p);
    mem_free(s);
}

struct share_state *share_state_get(struct share_groups *g, struct slice group,
                                    const struct share_key *key, bool make)
{
    struct slice k = state_key(group, key);
    pthread_mutex_lock(&g->lock);
    struct share_state *s = map_get(&g->states, k);
    if (!s && make) {
        s = state_new(g, group, key);
        map_put(&g->states, k, s);
    }
    if (s)
        atomic_fetch_add(&s->refs, 1);
    pthread_mutex_unlock(&g->lock);
    mem_free((char *)(uintptr_t)k.p);
    return s;
}

void share_state_lock(struct share_state *s, int64_t now)
{
    pthread_mutex_lock(&s->lock);
    if (share_expire(&s->p, now))
        s->changes++;
}

void share_state_unlock(struct share_state *s, bool changed)
{
    struct wait_list fire;
    wait_list_init(&fire);
    if (changed) {
        s->changes++;
        wait_list_take(&s->waits, &fire);
    }
    pthread_mutex_unlock(&s->lock);
    wait_list_fire(&fire);
}

/* --- storage ---------------------------------------------------------------------------------- */

struct row {
    struct slice group; /* owned */
    struct share_key key;
    int64_t start, version;
    struct strbuf state;
    bool remove;
    db_done_fn done;
    void *arg;
};

static void row_free(struct row *r)
{
    mem_free((char *)(uintptr_t)r->group.p);
    strbuf_release(&r->state);
    mem_free(r);
}

static enum err run_row(struct db *d, void *arg, struct error *e)
{
    const struct row *r = arg;
    sqlite3_stmt *s;
    if (r->remove)
        s = db_stmt(d, "DELETE FROM share_state WHERE group_id = ?1 AND topic_id = ?2"
                       " AND partition = ?3");
    else
        s = db_stmt(d, "INSERT INTO share_state (group_id, topic_id, partition, start_offset,"
                       " state, version) VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO UPDATE"
                       " SET start_offset = ?4, state = ?5, version = ?6 WHERE version < ?6");
    db_bind_slice(s, 1, r->group);
    db_bind_blob(s, 2, slice_of(r->key.topic_id.b, sizeof r->key.topic_id.b));
    sqlite3_bind_int(s, 3, r->key.partition);
    if (!r->remove) {
        sqlite3_bind_int64(s, 4, r->start);
        db_bind_blob(s, 5, strbuf_slice(&r->state));
        sqlite3_bind_int64(s, 6, r->version);
    }
    return db_exec(d, s, e);
}

static void row_done(void *arg, enum err code)
{
    struct row *r = arg;
    if (code != E_OK)
        LOG_ERROR(LOG_BROKER_GROUP, "share group " PRI_SL ": its state could not be stored: %s",
                  ARG_SL(r->group), err_name(code));
    if (r->done)
        r->done(r->arg, code);
    row_free(r);
}

static struct row *row_of(struct share_state *s, bool remove)
{
    struct row *r = xcalloc(1, sizeof *r);
    r->group = slice_of(s->group.n ? slice_dup(s->group) : xstrdup(""), s->group.n);
    r->key = s->key;
    r->remove = remove;
    strbuf_init(&r->state, 0);
    if (!remove) {
        r->start = s->p.start;
        r->version = ++s->version;
        share_encode(&s->p, &r->state);
    }
    return r;
}

void share_store(struct share_groups *g, struct share_state *s, struct loop *loop, db_done_fn done,
                 void *arg)
{
    struct row *r = row_of(s, s->gone);
    r->done = done;
    r->arg = arg;
    db_post(g->db, run_row, loop, row_done, r);
}

enum err share_store_now(struct share_groups *g, struct share_state *s, struct error *e)
{
    pthread_mutex_lock(&s->lock);
    struct row *r = row_of(s, s->gone);
    pthread_mutex_unlock(&s->lock);
    enum err code = db_run(g->db, run_row, r, e);
    row_free(r);
    return code;
}

static enum err load(struct db *d, void *arg, struct error *e)
{
    struct share_groups *g = arg;
    enum err r;
    sqlite3_stmt *q = db_stmt(d, "SELECT group_id, topic_id, partition, start_offset, state,"
                                 " version FROM share_state");
    while ((r = db_step(d, q, e)) == E_OK) {
        struct share_key key = {.partition = sqlite3_column_int(q, 2)};
        struct slice id = db_column_slice(q, 1);
        if (id.n != sizeof key.topic_id)
            continue;
        memcpy(&key.topic_id, id.p, id.n);
        struct share_state *s = share_state_get(g, db_column_slice(q, 0), &key, true);
        share_partition_init(&s->p, sqlite3_column_int64(q, 3), g->o.max_locks,
                             g->o.delivery_limit);
        s->version = sqlite3_column_int64(q, 5);
        s->known = true;
        if (share_decode(&s->p, db_column_slice(q, 4)) != E_OK)
            LOG_WARN(LOG_BROKER_GROUP,
                     "share group " PRI_SL ": a partition's state could not be read, it goes on at "
                     "offset %lld",
                     ARG_SL(s->group), (long long)s->p.start);
        share_state_unref(s);
    }
    return r == E_NOT_FOUND ? E_OK : r;
}

/* --- life ------------------------------------------------------------------------------------- */

enum err share_groups_open(struct share_groups **out, const struct share_options *o, struct db *db,
                           struct error *e)
{
    struct share_groups *g = xcalloc(1, sizeof *g);
    g->o = *o;
    g->db = db;
    pthread_mutex_init(&g->lock, NULL);
    map_init(&g->states);
    map_init(&g->sessions);
    enum err r = db_run(db, load, g, e);
    if (r != E_OK) {
        share_groups_close(g);
        return r;
    }
    *out = g;
    return E_OK;
}

static void drop_state(void *arg)
{
    share_state_unref(arg);
}

static void session_free(void *arg)
{
    struct share_session *x = arg;
    mem_free(x->v);
    mem_free(x);
}

void share_groups_close(struct share_groups *g)
{
    if (!g)
        return;
    map_release(&g->states, drop_state);
    map_release(&g->sessions, session_free);
    pthread_mutex_destroy(&g->lock);
    mem_free(g);
}

/* --- all of a group --------------------------------------------------------------------------- */

/* References on the states of a group (any: group null). */
static struct share_state **states_of(struct share_groups *g, struct slice group, size_t *count)
{
    struct slice k;
    void *v;
    pthread_mutex_lock(&g->lock);
    struct share_state **all = xcalloc(g->states.count + 1, sizeof(struct share_state *));
    *count = 0;
    for (size_t i = 0; map_next(&g->states, &i, &k, &v);) {
        struct share_state *s = v;
        if (group.p && !slice_eq(s->group, group))
            continue;
        atomic_fetch_add(&s->refs, 1);
        all[(*count)++] = s;
    }
    pthread_mutex_unlock(&g->lock);
    return all;
}

static int by_key(const void *a, const void *b)
{
    const struct share_key *x = a, *y = b;
    int c = memcmp(&x->topic_id, &y->topic_id, sizeof x->topic_id);
    return c ? c : (x->partition > y->partition) - (x->partition < y->partition);
}

void share_group_keys(struct share_groups *g, struct slice group, struct arena *a,
                      struct share_key **out, size_t *count)
{
    size_t n;
    struct share_state **all = states_of(g, group, &n);
    *out = arena_calloc(a, n + 1, sizeof **out);
    *count = 0;
    for (size_t i = 0; i < n; i++) {
        pthread_mutex_lock(&all[i]->lock);
        if (all[i]->known && !all[i]->gone)
            (*out)[(*count)++] = all[i]->key;
        pthread_mutex_unlock(&all[i]->lock);
        share_state_unref(all[i]);
    }
    if (*count > 1)
        qsort(*out, *count, sizeof **out, by_key);
    mem_free(all);
}

static void forget_state(struct share_groups *g, struct share_state *s)
{
    struct slice k = state_key(s->group, &s->key);
    pthread_mutex_lock(&g->lock);
    struct share_state *now = map_get(&g->states, k);
    if (now == s)
        map_del(&g->states, k);
    pthread_mutex_unlock(&g->lock);
    mem_free((char *)(uintptr_t)k.p);
    pthread_mutex_lock(&s->lock);
    s->gone = true;
    share_store(g, s, NULL, NULL, NULL);
    share_state_unlock(s, true);
    if (now == s)
        share_state_unref(s);
}

void share_forget(struct share_groups *g, struct slice group,
                  bool (*keep)(void *arg, const struct share_key *key), void *arg)
{
    size_t n;
    struct share_state **all = states_of(g, group, &n);
    for (size_t i = 0; i < n; i++) {
        if (!keep || !keep(arg, &all[i]->key))
            forget_state(g, all[i]);
        share_state_unref(all[i]);
    }
    mem_free(all);
}

void share_sweep(struct share_groups *g, bool (*keep)(void *arg, const struct share_key *key),
                 void *arg)
{
    share_forget(g, SLICE_NULL, keep, arg);
}

void share_lower(struct share_groups *g, int64_t (*end_of)(void *arg, const struct share_key *key),
                 void *arg)
{
    size_t n;
    struct share_state **all = states_of(g, SLICE_NULL, &n);
    for (size_t i = 0; i < n; i++) {
        struct share_state *s = all[i];
        int64_t end = end_of(arg, &s->key);
        pthread_mutex_lock(&s->lock);
        bool lower = end >= 0 && s->known && share_log_end(&s->p, end);
        if (lower) {
            LOG_WARN(LOG_BROKER_GROUP,
                     "share group " PRI_SL
                     ": what it had read of partition %d of a topic beyond the "
                     "recovered end of the log, %lld, is forgotten",
                     ARG_SL(s->group), s->key.partition, (long long)end);
            share_store(g, s, NULL, NULL, NULL);
        }
        share_state_unlock(s, lower);
        share_state_unref(s);
    }
    mem_free(all);
}

void share_release(struct share_groups *g, struct slice group, struct slice member)
{
    size_t n;
    struct share_state **all = states_of(g, group, &n);
    for (size_t i = 0; i < n; i++) {
        pthread_mutex_lock(&all[i]->lock);
        share_state_unlock(all[i], share_release_member(&all[i]->p, member));
        share_state_unref(all[i]);
    }
    mem_free(all);
}

/* --- sessions --------------------------------------------------------------------------------- */

/* node, group, NUL, member. Caller frees. */
static struct slice session_key(int32_t node, struct slice group, struct slice member)
{
    struct strbuf b;
    size_t n;
    strbuf_init(&b, 0);
    strbuf_add_be32(&b, (uint32_t)node);
    strbuf_add_slice(&b, group);
    strbuf_addc(&b, 0);
    strbuf_add_slice(&b, member);
    char *p = strbuf_steal(&b, &n);
    return slice_of(p, n);
}

static size_t position(const struct share_session *x, const struct share_key *k)
{
    size_t i = 0;
    while (i < x->n && by_key(&x->v[i], k) != 0)
        i++;
    return i;
}

static void change_parts(struct share_session *x, const struct share_key *add, size_t add_count,
                         const struct share_key *forget, size_t forget_count)
{
    for (size_t i = 0; i < add_count; i++) {
        if (position(x, &add[i]) < x->n || x->n >= SHARE_PARTS_MAX)
            continue;
        if (x->n == x->cap) {
            x->cap = x->cap ? x->cap * 2 : 8;
            x->v = xrealloc(x->v, x->cap * sizeof *x->v);
        }
        x->v[x->n++] = add[i];
    }
    for (size_t i = 0; i < forget_count; i++) {
        size_t at = position(x, &forget[i]);
        if (at == x->n)
            continue;
        memmove(&x->v[at], &x->v[at + 1], (x->n - at - 1) * sizeof *x->v);
        x->n--;
    }
}

/* Finds the session of a call that goes on with or ends one, and moves it. */
static int16_t move_session(struct share_groups *g, struct slice key, int32_t epoch,
                            struct share_session **out)
{
    struct share_session *x = map_get(&g->sessions, key);
    *out = NULL;
    if (!x)
        return KERR_SHARE_SESSION_NOT_FOUND;
    if (epoch == SHARE_EPOCH_FINAL) {
        map_del(&g->sessions, key);
        session_free(x);
        return KERR_NONE;
    }
    if (epoch != x->epoch)
        return KERR_INVALID_SHARE_SESSION_EPOCH;
    x->epoch = x->epoch == INT32_MAX ? 1 : x->epoch + 1;
    *out = x;
    return KERR_NONE;
}

static int16_t begin_session(struct share_groups *g, struct slice key, struct share_session **out)
{
    struct share_session *x = map_get(&g->sessions, key);
    if (!x && g->sessions.count >= (size_t)g->o.max_sessions)
        return KERR_SHARE_SESSION_LIMIT_REACHED;
    if (!x) {
        x = xcalloc(1, sizeof *x);
        map_put(&g->sessions, key, x);
    }
    x->n = 0;
    x->epoch = 1;
    *out = x;
    return KERR_NONE;
}

int16_t share_session_fetch(struct share_groups *g, int32_t node, struct slice group,
                            struct slice member, int32_t epoch, const struct share_key *add,
                            size_t add_count, const struct share_key *forget, size_t forget_count,
                            struct arena *a, struct share_key **out, size_t *count)
{
    struct slice key = session_key(node, group, member);
    struct share_session *x;
    *out = NULL;
    *count = 0;
    pthread_mutex_lock(&g->lock);
    int16_t code =
        epoch == SHARE_EPOCH_INITIAL ? begin_session(g, key, &x) : move_session(g, key, epoch, &x);
    if (code == KERR_NONE && x) {
        change_parts(x, add, add_count, forget, forget_count);
        *out = arena_alloc(a, (x->n + 1) * sizeof **out);
        *count = x->n;
        for (size_t i = 0; i < x->n; i++)
            (*out)[i] = x->v[(i + x->turn) % x->n];
        x->turn = x->n ? (x->turn + 1) % x->n : 0;
    }
    pthread_mutex_unlock(&g->lock);
    mem_free((char *)(uintptr_t)key.p);
    return code;
}

int16_t share_session_acknowledge(struct share_groups *g, int32_t node, struct slice group,
                                  struct slice member, int32_t epoch)
{
    struct slice key = session_key(node, group, member);
    struct share_session *x;
    if (epoch == SHARE_EPOCH_INITIAL) {
        mem_free((char *)(uintptr_t)key.p);
        return KERR_INVALID_SHARE_SESSION_EPOCH;
    }
    pthread_mutex_lock(&g->lock);
    int16_t code = move_session(g, key, epoch, &x);
    pthread_mutex_unlock(&g->lock);
    mem_free((char *)(uintptr_t)key.p);
    return code;
}

size_t share_session_count(struct share_groups *g)
{
    pthread_mutex_lock(&g->lock);
    size_t n = g->sessions.count;
    pthread_mutex_unlock(&g->lock);
    return n;
}
