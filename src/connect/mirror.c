/* connect/mirror.c - the mirror's thread, its topics, and what was written to them; see mirror.h.
 *
 * The record is appended first, then its hash goes to SQLite: a crash between the two repeats a
 * record, which is harmless in a compacted topic, and never loses one. */
#include "connect/mirror_internal.h"

#include "base/arena.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "connect/store.h"
#include "connect/worker_options.h"

enum { TICK_MS = 1000, ATTEMPTS = 3 };
enum { ROW_IDS = 10 }; /* as a kind in SQLite, with the topic added: its key is the topic's id */

/* --- what was written, in SQLite -------------------------------------------------------------- */

struct saved {
    int kind;
    bool gone;
    int64_t hash;
    char *key;
};

static enum err job_save(struct db *d, void *arg, struct error *e)
{
    const struct saved *s = arg;
    sqlite3_stmt *q =
        s->gone
            ? db_stmt(d, "DELETE FROM connect_mirror WHERE kind = ?1 AND key = ?2")
            : db_stmt(d,
                      "INSERT OR REPLACE INTO connect_mirror(kind, key, hash) VALUES(?1, ?2, ?3)");
    sqlite3_bind_int(q, 1, s->kind);
    db_bind_slice(q, 2, slice_cstr(s->key));
    if (!s->gone)
        sqlite3_bind_int64(q, 3, s->hash);
    return db_exec(d, q, e);
}

static void saved_free(void *arg, enum err code)
{
    struct saved *s = arg;
    (void)code;
    mem_free(s->key);
    mem_free(s);
}

static enum err job_load(struct db *d, void *arg, struct error *e)
{
    struct mirror *m = arg;
    sqlite3_stmt *q = db_stmt(d, "SELECT kind, key, hash FROM connect_mirror");
    enum err err;
    while ((err = db_step(d, q, e)) == E_OK) {
        int kind = sqlite3_column_int(q, 0);
        if (kind >= ROW_IDS && kind < ROW_IDS + MIRROR_TOPICS &&
            uuid_parse(db_column_slice(q, 1), &m->ids[kind - ROW_IDS]))
            memset(&m->ids[kind - ROW_IDS], 0, sizeof m->ids[0]);
        if (kind < 0 || kind >= MIRROR_KINDS)
            continue;
        struct mirror_written *w = xcalloc(1, sizeof *w);
        w->hash = sqlite3_column_int64(q, 2);
        (void)map_put(&m->written[kind], db_column_slice(q, 1), w);
    }
    if (err == E_NOT_FOUND)
        error_clear(e);
    return err == E_NOT_FOUND ? E_OK : err;
}

/* Not hash64, which may change from version to version. */
static int64_t hash_of(struct slice value)
{
    uint8_t h[32];
    sha256(value, h);
    return (int64_t)load_be64(h);
}

static void remember(struct mirror *m, enum mirror_topic t, struct slice key, struct slice value)
{
    struct mirror_written *w = map_get(&m->written[t], key);
    struct saved *s = xcalloc(1, sizeof *s);
    *s = (struct saved){t, !value.p, value.p ? hash_of(value) : 0, slice_dup(key)};
    if (s->gone) {
        (void)map_del(&m->written[t], key);
        mem_free(w);
    } else {
        if (!w) {
            w = xcalloc(1, sizeof *w);
            (void)map_put(&m->written[t], key, w);
        }
        w->hash = s->hash;
        w->seen = true;
    }
    db_post(m->db, job_save, NULL, saved_free, s);
}

static struct slice topic_of(const struct mirror *m, enum mirror_topic t)
{
    return slice_trim(strmap_get_c(m->worker, t == MIRROR_CONFIGS   ? "config.storage.topic"
                                              : t == MIRROR_OFFSETS ? "offset.storage.topic"
                                                                    : "status.storage.topic"));
}

struct renewed {
    enum mirror_topic topic;
    bool forget;
    char id[UUID_TEXT_SIZE]; /* "": there is none */
};

static enum err drop_kind(struct db *d, int kind, struct error *e)
{
    sqlite3_stmt *q = db_stmt(d, "DELETE FROM connect_mirror WHERE kind = ?1");
    sqlite3_bind_int(q, 1, kind);
    return db_exec(d, q, e);
}

static enum err job_renew(struct db *d, void *arg, struct error *e)
{
    const struct renewed *n = arg;
    enum err err = drop_kind(d, ROW_IDS + (int)n->topic, e);
    if (!err && n->forget)
        err = drop_kind(d, (int)n->topic, e);
    if (!err && n->forget && n->topic == MIRROR_STATUS)
        err = drop_kind(d, MIRROR_TOPICS, e);
    if (err || !n->id[0])
        return err;
    sqlite3_stmt *q = db_stmt(d, "INSERT INTO connect_mirror(kind, key, hash) VALUES(?1, ?2, 0)");
    sqlite3_bind_int(q, 1, ROW_IDS + (int)n->topic);
    db_bind_slice(q, 2, slice_cstr(n->id));
    return db_exec(d, q, e);
}

static void renewed_free(void *arg, enum err code)
{
    (void)code;
    mem_free(arg);
}

static void forget_kind(struct mirror *m, int kind)
{
    map_release(&m->written[kind], mem_free);
    map_init(&m->written[kind]);
}

/* id NULL: none. forget: also what was written. */
static void note_id(struct mirror *m, enum mirror_topic t, const struct uuid *id, bool forget)
{
    struct renewed *n = xcalloc(1, sizeof *n);
    n->topic = t;
    n->forget = forget;
    m->ids[t] = id ? *id : (struct uuid){{0}};
    if (id)
        uuid_text(id, n->id);
    db_post(m->db, job_renew, NULL, renewed_free, n);
}

/* The topic that was written to is not this one (NULL: it is gone): what it was told is forgotten, and
 * comes again. */
static void renew(struct mirror *m, enum mirror_topic t, const struct uuid *id)
{
    bool forget = m->written[t].count || (t == MIRROR_STATUS && m->written[MIRROR_TOPICS].count);
    note_id(m, t, id, forget);
    if (forget) {
        LOG_INFO(LOG_CONNECT, "topic " PRI_SL " was deleted: it is told everything again",
                 ARG_SL(topic_of(m, t)));
        forget_kind(m, (int)t);
        if (t == MIRROR_STATUS)
            forget_kind(m, MIRROR_TOPICS);
        if (m->lost && t != MIRROR_OFFSETS)
            m->lost(m->lost_arg, t);
        mirror_sync(m);
    }
}

/* --- topics ----------------------------------------------------------------------------------- */

static int32_t partitions_of(const struct mirror *m, enum mirror_topic t)
{
    int64_t otherwise = t == MIRROR_OFFSETS ? 25 : 5, n;
    if (t == MIRROR_CONFIGS)
        return 1;
    n = strmap_i64(m->worker,
                   t == MIRROR_OFFSETS ? "offset.storage.partitions" : "status.storage.partitions",
                   otherwise);
    return (int32_t)(n < 1 || n > 10000 ? otherwise : n);
}

/* The topic that kind t is written to. */
static enum mirror_topic home_of(enum mirror_topic t)
{
    return t == MIRROR_TOPICS ? MIRROR_STATUS : t;
}

static enum err make_topic(struct mirror *m, enum mirror_topic t, struct error *e)
{
    struct strmap configs = STRMAP_INIT;
    struct kclient_topic info;
    t = home_of(t);
    if (m->ready[t])
        return E_OK;
    strmap_set(&configs, SL("cleanup.policy"), SL("compact"));
    enum err err = kclient_create(m->k, topic_of(m, t), partitions_of(m, t), 1, &configs, e);
    strmap_release(&configs);
    if (err && err != E_EXISTS)
        return err;
    bool first = err == E_EXISTS && uuid_is_zero(&m->ids[t]); /* nobody noted its id before */
    error_clear(e);
    err = kclient_describe(m->k, topic_of(m, t), &info, e);
    if (err)
        return err;
    m->ready[t] = true;
    if (first)
        note_id(m, t, &info.id, false);
    else if (memcmp(&info.id, &m->ids[t], sizeof info.id) != 0)
        renew(m, t, &info.id);
    return E_OK;
}

/* Somebody may have deleted topics, and made some again. */
static void watch_topics(struct mirror *m)
{
    int64_t now = kclient_topics_generation(m->k);
    if (now == m->generation)
        return;
    m->generation = now;
    for (int i = 0; i < MIRROR_TOPICS; i++) {
        enum mirror_topic t = (enum mirror_topic)i;
        struct kclient_topic info;
        struct error e = {0};
        if (uuid_is_zero(&m->ids[t]))
            continue;
        enum err err = kclient_describe(m->k, topic_of(m, t), &info, &e);
        if (!err && memcmp(&info.id, &m->ids[t], sizeof info.id) == 0)
            continue;
        m->ready[t] = false;
        if (!err || err == E_NOT_FOUND)
            renew(m, t, err ? NULL : &info.id);
    }
}

/* --- writing ---------------------------------------------------------------------------------- */

static void warn(struct mirror *m, const struct error *e)
{
    if (!m->warned) /* once: states change often */
        LOG_ERR(LOG_CONNECT, LOG_L_WARN, e, "the worker's topics cannot be written");
    m->warned = true;
}

static enum err append(struct mirror *m, enum mirror_topic t, struct slice key, struct slice value,
                       struct error *e)
{
    enum err err = E_OK;
    if (!m->producer)
        err = kproducer_open(&m->producer, m->k, "connect-mirror", NULL, e);
    if (!err)
        err = make_topic(m, t, e);
    if (!err)
        err = kproducer_add(m->producer, topic_of(m, t), -1, clock_wall_ms(),
                            (struct ktext){.body = key}, (struct ktext){.body = value},
                            (struct kheads){.items = NULL}, e);
    if (!err)
        err = kproducer_flush(m->producer, e);
    if (err && m->producer)
        kproducer_abort(m->producer);
    return err;
}

void mirror_write(struct mirror *m, enum mirror_topic t, struct slice key, struct slice value,
                  bool want)
{
    struct error e = {0};
    enum err err = E_NOT_FOUND;
    /* A topic that somebody deleted is made again, but not for a tombstone. */
    for (int i = 0; i < ATTEMPTS && err == E_NOT_FOUND; i++) {
        watch_topics(m);
        const struct mirror_written *w = map_get(&m->written[t], key);
        if ((!value.p && !w) || (want && w && value.p && w->hash == hash_of(value)))
            return;
        error_clear(&e);
        err = append(m, t, key, value, &e);
        if (err == E_NOT_FOUND)
            m->generation = -1;
    }
    if (err)
        warn(m, &e);
    else
        remember(m, t, key, value);
    m->warned &= err != E_OK;
}

/* --- calls ------------------------------------------------------------------------------------ */

struct call {
    struct mirror *m;
    enum mirror_topic topic;
    char *key, *value; /* value NULL: null */
    bool want;
};

static void run_call(void *arg)
{
    struct call *c = arg;
    mirror_write(c->m, c->topic, slice_cstr(c->key), slice_cstr(c->value), c->want);
    mem_wipe(c->value, c->value ? strlen(c->value) : 0);
    mem_free(c->key);
    mem_free(c->value);
    mem_free(c);
}

static void post(struct mirror *m, enum mirror_topic t, struct slice key, struct slice value,
                 bool want)
{
    if (!m)
        return;
    struct call *c = xcalloc(1, sizeof *c);
    *c = (struct call){m, t, slice_dup(key), slice_dup(value), want};
    loop_post(m->loop, run_call, c);
}

void mirror_put(struct mirror *m, enum mirror_topic t, struct slice key, struct slice value)
{
    post(m, t, key, value, false);
}

void mirror_want(struct mirror *m, enum mirror_topic t, struct slice key, struct slice value)
{
    post(m, t, key, value, true);
}

static void run_sync(void *arg)
{
    mirror_compare(arg);
}

struct listen {
    struct mirror *m;
    mirror_lost_fn fn;
    void *arg;
};

static void run_listen(void *arg)
{
    const struct listen *l = arg;
    l->m->lost = l->fn;
    l->m->lost_arg = l->arg;
}

void mirror_listen(struct mirror *m, mirror_lost_fn fn, void *arg)
{
    struct listen l = {m, fn, arg};
    if (m)
        loop_call(m->loop, run_listen, &l);
}

void mirror_sync(struct mirror *m)
{
    if (m)
        loop_post(m->loop, run_sync, m);
}

/* --- start and stop --------------------------------------------------------------------------- */

/* Topics come into use at any time; offsets have their interval. */
static void on_tick(void *arg)
{
    struct mirror *m = arg;
    watch_topics(m);
    bool due = clock_mono_ms() >= m->next_sync_ms;
    if (due || store_topics_changed())
        mirror_compare(m);
    if (due)
        m->next_sync_ms = clock_mono_ms() + m->flush_every_ms;
    loop_timer_set(&m->tick, TICK_MS);
}

static void begin(void *arg)
{
    struct mirror *m = arg;
    loop_timer_init(&m->tick, m->loop, on_tick, m);
    loop_timer_set(&m->tick, TICK_MS);
}

static void end(void *arg)
{
    struct mirror *m = arg;
    loop_timer_release(&m->tick);
    mirror_compare(m);
}

enum err mirror_start(struct mirror **out, struct kclient *k, struct db *db,
                      const struct strmap *worker, struct error *e)
{
    struct mirror *m = xcalloc(1, sizeof *m);
    m->k = k;
    m->db = db;
    m->worker = worker;
    m->flush_every_ms = worker_flush_interval_ms(worker);
    m->next_sync_ms = clock_mono_ms() + m->flush_every_ms;
    for (int i = 0; i < MIRROR_KINDS; i++)
        map_init(&m->written[i]);
    enum err err = db_run(db, job_load, m, e);
    if (!err)
        err = loop_start(&m->loop, "weir-mirror", e);
    if (err) {
        mirror_stop(m);
        return err;
    }
    loop_post(m->loop, begin, m);
    *out = m;
    return E_OK;
}

void mirror_stop(struct mirror *m)
{
    if (!m)
        return;
    if (m->loop) {
        loop_call(m->loop, end, m);
        loop_stop(m->loop);
    }
    kproducer_close(m->producer);
    for (int i = 0; i < MIRROR_KINDS; i++)
        map_release(&m->written[i], mem_free);
    mem_free(m);
}
