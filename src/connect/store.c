/* connect/store.c - SQLite rows of Connect; see the header. Each public call packs its arguments
 * into a job for the db thread.
 *
 * Tables (created by connect_migrations):
 *   connect_connectors  name, config (JSON text), target, started, created_ms
 *   connect_status      connector, task (-1: the connector), state, trace, changed_ms
 *   connect_offsets     connector, pkey (partition, canonical), partition, value (JSON texts)
 *   connect_intents     connector, task, producer, boot, body, durable
 *   connect_topics      connector, topic, task, discovered_ms
 *   connect_mirror      kind, key, hash: what mirror.c wrote last */
#include "connect/store.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "connect/connect.h"

static const char *const steps[] = {
    "CREATE TABLE connect_connectors(name TEXT PRIMARY KEY, config TEXT NOT NULL, target TEXT NOT "
    "NULL,"
    " started INTEGER NOT NULL, created_ms INTEGER NOT NULL);"
    "CREATE TABLE connect_status(connector TEXT NOT NULL, task INTEGER NOT NULL, state TEXT NOT "
    "NULL, trace TEXT,"
    " changed_ms INTEGER NOT NULL, PRIMARY KEY(connector, task)) WITHOUT ROWID;"
    "CREATE TABLE connect_offsets(connector TEXT NOT NULL, pkey TEXT NOT NULL, partition TEXT NOT "
    "NULL,"
    " value TEXT NOT NULL, PRIMARY KEY(connector, pkey)) WITHOUT ROWID;"
    "CREATE TABLE connect_intents(connector TEXT NOT NULL, task INTEGER NOT NULL, producer INTEGER "
    "NOT NULL,"
    " boot TEXT, body TEXT, durable TEXT, PRIMARY KEY(connector, task)) WITHOUT ROWID;"
    "CREATE TABLE connect_topics(connector TEXT NOT NULL, topic TEXT NOT NULL, task INTEGER NOT "
    "NULL,"
    " discovered_ms INTEGER NOT NULL, PRIMARY KEY(connector, topic)) WITHOUT ROWID;",
    "CREATE TABLE connect_mirror(kind INTEGER NOT NULL, key TEXT NOT NULL, hash INTEGER NOT NULL,"
    " PRIMARY KEY(kind, key)) WITHOUT ROWID;",
    NULL,
};
const struct db_migrations connect_migrations = {"connect", steps};

/* Arguments of all jobs; each uses what it needs. */
struct call {
    struct arena *a;
    struct slice name;
    int task;
    const struct stored_connector *connector;
    struct stored_connector *connectors;
    const struct record_offset *offsets;
    struct record_offset *offsets_out;
    size_t count;
    const struct stored_intent *intent;
    struct stored_intent *intent_out;
    struct slice text, *texts;
    bool all;
    enum err (*forget)(struct db *d, const char *connector, struct error *e);
};

static sqlite3_stmt *stmt_named(struct db *d, const char *sql, struct slice name)
{
    sqlite3_stmt *s = db_stmt(d, sql);
    db_bind_slice(s, 1, name);
    return s;
}

static enum err exec_named(struct db *d, const char *sql, struct slice name, struct error *e)
{
    return db_exec(d, stmt_named(d, sql, name), e);
}

/* E_NOT_FOUND ends a loop over rows. */
static enum err rows_end(enum err err, struct error *e)
{
    if (err != E_NOT_FOUND)
        return err;
    error_clear(e);
    return E_OK;
}

/* A growing array in the arena: doubles. */
static void *grow(struct arena *a, void *old, size_t n, size_t size)
{
    if (n & (n - 1) || (n && n < 8))
        return old;
    size_t cap = n < 8 ? 8 : n * 2;
    void *p = arena_alloc(a, cap * size);
    if (n)
        memcpy(p, old, n * size);
    return p;
}

/* --- connectors ------------------------------------------------------------------------------- */

static enum err job_load(struct db *d, void *arg, struct error *e)
{
    struct call *c = arg;
    sqlite3_stmt *s =
        db_stmt(d, "SELECT name, config, target, started FROM connect_connectors ORDER BY rowid");
    enum err err;
    while ((err = db_step(d, s, e)) == E_OK) {
        c->connectors = grow(c->a, c->connectors, c->count, sizeof *c->connectors);
        c->connectors[c->count++] = (struct stored_connector){
            arena_dup(c->a, db_column_slice(s, 0)), arena_dup(c->a, db_column_slice(s, 1)),
            arena_dup(c->a, db_column_slice(s, 2)), sqlite3_column_int(s, 3) != 0};
    }
    return rows_end(err, e);
}

enum err store_load(struct db *d, struct arena *a, struct stored_connector **out, size_t *count,
                    struct error *e)
{
    struct call c = {.a = a};
    enum err err = db_run(d, job_load, &c, e);
    *out = c.connectors;
    *count = c.count;
    return err;
}

static enum err job_connector(struct db *d, void *arg, struct error *e)
{
    const struct stored_connector *c = ((struct call *)arg)->connector;
    sqlite3_stmt *s = db_stmt(d, "INSERT INTO connect_connectors(name, config, target, started, "
                                 "created_ms) VALUES(?1, ?2, ?3, ?4, ?5)"
                                 " ON CONFLICT(name) DO UPDATE SET config = coalesce(?2, config), "
                                 "target = coalesce(?3, target),"
                                 " started = max(started, ?4)");
    db_bind_slice(s, 1, c->name);
    db_bind_slice(s, 2, c->config);
    db_bind_slice(s, 3, c->target);
    sqlite3_bind_int(s, 4, c->started_once);
    sqlite3_bind_int64(s, 5, clock_wall_ms());
    if (c->config.p && c->target.p)
        return db_exec(d, s, e);
    /* NOT NULL is checked before the conflict is: a change of one part is an UPDATE. */
    s = db_stmt(d, "UPDATE connect_connectors SET config = coalesce(?2, config), target = "
                   "coalesce(?3, target),"
                   " started = max(started, ?4) WHERE name = ?1");
    db_bind_slice(s, 1, c->name);
    db_bind_slice(s, 2, c->config);
    db_bind_slice(s, 3, c->target);
    sqlite3_bind_int(s, 4, c->started_once);
    return db_exec(d, s, e);
}

enum err store_connector(struct db *d, const struct stored_connector *c, struct error *e)
{
    struct call call = {.connector = c};
    return db_run(d, job_connector, &call, e);
}

static enum err call_forget(struct db *d, const struct call *c, struct error *e)
{
    if (!c->forget)
        return E_OK;
    char *name = slice_dup(c->name);
    enum err err = c->forget(d, name, e);
    mem_free(name);
    return err;
}

static enum err job_delete(struct db *d, void *arg, struct error *e)
{
    struct call *c = arg;
    enum err err = exec_named(d, "DELETE FROM connect_connectors WHERE name = ?1", c->name, e);
    if (!err)
        err = exec_named(d, "DELETE FROM connect_status WHERE connector = ?1", c->name, e);
    if (!err)
        err = exec_named(d, "DELETE FROM connect_topics WHERE connector = ?1", c->name, e);
    return err ? err : call_forget(d, c, e);
}

enum err store_delete(struct db *d, struct slice name,
                      enum err (*forget)(struct db *d, const char *connector, struct error *e),
                      struct error *e)
{
    struct call c = {.name = name, .forget = forget};
    return db_run(d, job_delete, &c, e);
}

struct status_row {
    int task;
    int64_t ms;
    char *connector, *state, *trace;
};

static enum err job_status(struct db *d, void *arg, struct error *e)
{
    const struct status_row *r = arg;
    /* A late word about a connector that is gone leaves no row. */
    sqlite3_stmt *s = db_stmt(
        d, "INSERT OR REPLACE INTO connect_status(connector, task, state, trace, changed_ms)"
           " SELECT ?1, ?2, ?3, ?4, ?5 WHERE EXISTS(SELECT 1 FROM connect_connectors WHERE name = "
           "?1)");
    db_bind_slice(s, 1, slice_cstr(r->connector));
    sqlite3_bind_int(s, 2, r->task);
    db_bind_slice(s, 3, slice_cstr(r->state));
    db_bind_slice(s, 4, slice_cstr(r->trace));
    sqlite3_bind_int64(s, 5, r->ms);
    return db_exec(d, s, e);
}

static void status_done(void *arg, enum err code)
{
    struct status_row *r = arg;
    (void)code;
    mem_free(r->connector);
    mem_free(r->state);
    mem_free(r->trace);
    mem_free(r);
}

void store_status(struct db *d, struct slice connector, int task, const char *state,
                  struct slice trace)
{
    struct status_row *r = xcalloc(1, sizeof *r);
    r->task = task;
    r->ms = clock_wall_ms();
    r->connector = slice_dup(connector);
    r->state = xstrdup(state);
    r->trace = slice_dup(trace);
    db_post(d, job_status, NULL, status_done, r);
}

/* --- offsets ---------------------------------------------------------------------------------- */

struct slice store_partition_key(struct arena *a, struct slice json)
{
    json_error_t je;
    json_t *v = json_loadb(json.p ? json.p : "", json.n, JSON_DECODE_ANY, &je);
    char *text = v ? json_dumps(v, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY) : NULL;
    struct slice out = arena_dup(a, text ? slice_cstr(text) : json);
    free(text);
    json_decref(v);
    return out;
}

static enum err job_offset_get(struct db *d, void *arg, struct error *e)
{
    struct call *c = arg;
    sqlite3_stmt *s = stmt_named(
        d, "SELECT value FROM connect_offsets WHERE connector = ?1 AND pkey = ?2", c->name);
    db_bind_slice(s, 2, c->text);
    enum err err = db_step(d, s, e);
    c->text = err ? SLICE_NULL : arena_dup(c->a, db_column_slice(s, 0));
    return rows_end(err, e);
}

enum err store_offset_get(struct db *d, struct slice connector, struct slice partition,
                          struct arena *a, struct slice *out, struct error *e)
{
    struct call c = {.a = a, .name = connector, .text = store_partition_key(a, partition)};
    enum err err = db_run(d, job_offset_get, &c, e);
    *out = err ? SLICE_NULL : c.text;
    return err;
}

static enum err job_offsets_all(struct db *d, void *arg, struct error *e)
{
    struct call *c = arg;
    sqlite3_stmt *s = stmt_named(
        d, "SELECT partition, value FROM connect_offsets WHERE connector = ?1 ORDER BY pkey",
        c->name);
    enum err err;
    while ((err = db_step(d, s, e)) == E_OK) {
        c->offsets_out = grow(c->a, c->offsets_out, c->count, sizeof *c->offsets_out);
        c->offsets_out[c->count++] = (struct record_offset){arena_dup(c->a, db_column_slice(s, 0)),
                                                            arena_dup(c->a, db_column_slice(s, 1))};
    }
    return rows_end(err, e);
}

enum err store_offsets_all(struct db *d, struct slice connector, struct arena *a,
                           struct record_offset **out, size_t *count, struct error *e)
{
    struct call c = {.a = a, .name = connector};
    enum err err = db_run(d, job_offsets_all, &c, e);
    *out = c.offsets_out;
    *count = c.count;
    return err;
}

static enum err put_offset(struct db *d, struct slice connector, const struct record_offset *o,
                           struct error *e)
{
    struct arena a;
    arena_init(&a, 1024, ARENA_NO_BUDGET);
    struct slice key = store_partition_key(&a, o->partition);
    sqlite3_stmt *s =
        o->offset.p
            ? db_stmt(d, "INSERT OR REPLACE INTO connect_offsets(connector, pkey, partition, value)"
                         " VALUES(?1, ?2, ?3, ?4)")
            : db_stmt(d, "DELETE FROM connect_offsets WHERE connector = ?1 AND pkey = ?2");
    db_bind_slice(s, 1, connector);
    db_bind_slice(s, 2, key);
    if (o->offset.p) {
        db_bind_slice(s, 3, o->partition);
        db_bind_slice(s, 4, o->offset);
    }
    enum err err = db_exec(d, s, e);
    arena_release(&a);
    return err;
}

static enum err put_offsets(struct db *d, const struct call *c, struct error *e)
{
    enum err err = E_OK;
    for (size_t i = 0; i < c->count && !err; i++) {
        /* Of a run for one partition only the last counts. */
        if (i + 1 < c->count && slice_eq(c->offsets[i].partition, c->offsets[i + 1].partition))
            continue;
        err = put_offset(d, c->name, &c->offsets[i], e);
    }
    return err;
}

static enum err job_alter(struct db *d, void *arg, struct error *e)
{
    struct call *c = arg;
    enum err err = E_OK;
    if (c->all)
        err = exec_named(d, "DELETE FROM connect_offsets WHERE connector = ?1", c->name, e);
    if (!err)
        err = put_offsets(d, c, e);
    if (!err)
        err = exec_named(d, "DELETE FROM connect_intents WHERE connector = ?1", c->name, e);
    return err ? err : call_forget(d, c, e);
}

enum err store_offsets_alter(struct db *d, struct slice connector,
                             const struct record_offset *offsets, size_t count, bool all,
                             enum err (*forget)(struct db *d, const char *connector,
                                                struct error *e),
                             struct error *e)
{
    struct call c = {
        .name = connector, .offsets = offsets, .count = count, .all = all, .forget = forget};
    return db_run(d, job_alter, &c, e);
}

/* --- exactly once ----------------------------------------------------------------------------- */

static enum err job_intent_get(struct db *d, void *arg, struct error *e)
{
    struct call *c = arg;
    sqlite3_stmt *s = stmt_named(d,
                                 "SELECT producer, boot, body, durable FROM connect_intents WHERE "
                                 "connector = ?1 AND task = ?2",
                                 c->name);
    sqlite3_bind_int(s, 2, c->task);
    enum err err = db_step(d, s, e);
    if (!err)
        *c->intent_out = (struct stored_intent){
            sqlite3_column_int64(s, 0), arena_dup(c->a, db_column_slice(s, 1)),
            arena_dup(c->a, db_column_slice(s, 2)), arena_dup(c->a, db_column_slice(s, 3))};
    return err;
}

enum err store_intent_get(struct db *d, struct slice connector, int task, struct arena *a,
                          struct stored_intent *out, struct error *e)
{
    struct call c = {.a = a, .name = connector, .task = task, .intent_out = out};
    return db_run(d, job_intent_get, &c, e);
}

static enum err put_intent(struct db *d, const struct call *c, struct error *e)
{
    sqlite3_stmt *s = db_stmt(
        d,
        "INSERT INTO connect_intents(connector, task, producer, boot, body, durable)"
        " VALUES(?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT(connector, task) DO UPDATE SET producer = ?3,"
        " boot = ?4, body = ?5, durable = coalesce(?6, durable)");
    db_bind_slice(s, 1, c->name);
    sqlite3_bind_int(s, 2, c->task);
    sqlite3_bind_int64(s, 3, c->intent->producer_id);
    db_bind_slice(s, 4, c->intent->boot_id);
    db_bind_slice(s, 5, c->intent->body);
    db_bind_slice(s, 6, c->intent->durable);
    return db_exec(d, s, e);
}

static enum err job_progress(struct db *d, void *arg, struct error *e)
{
    struct call *c = arg;
    enum err err = put_offsets(d, c, e);
    return !err && c->intent ? put_intent(d, c, e) : err;
}

enum err store_progress(struct db *d, struct slice connector, int task,
                        const struct record_offset *offsets, size_t count,
                        const struct stored_intent *intent, struct error *e)
{
    struct call c = {
        .name = connector, .task = task, .offsets = offsets, .count = count, .intent = intent};
    return db_run(d, job_progress, &c, e);
}

static enum err job_durable(struct db *d, void *arg, struct error *e)
{
    struct call *c = arg;
    sqlite3_stmt *s = stmt_named(
        d, "UPDATE connect_intents SET durable = ?3 WHERE connector = ?1 AND task = ?2", c->name);
    sqlite3_bind_int(s, 2, c->task);
    db_bind_slice(s, 3, c->text);
    return db_exec(d, s, e);
}

enum err store_durable(struct db *d, struct slice connector, int task, struct slice offsets_json,
                       struct error *e)
{
    struct call c = {.name = connector, .task = task, .text = offsets_json};
    return db_run(d, job_durable, &c, e);
}

static enum err job_go_back(struct db *d, void *arg, struct error *e)
{
    struct call *c = arg;
    enum err err =
        c->all ? exec_named(d, "DELETE FROM connect_offsets WHERE connector = ?1", c->name, e)
               : E_OK;
    if (!err)
        err = put_offsets(d, c, e);
    if (err)
        return err;
    sqlite3_stmt *s =
        stmt_named(d, "DELETE FROM connect_intents WHERE connector = ?1 AND task = ?2", c->name);
    sqlite3_bind_int(s, 2, c->task);
    return db_exec(d, s, e);
}

enum err store_go_back(struct db *d, struct slice connector, int task,
                       const struct record_offset *offsets, size_t count, bool all, struct error *e)
{
    struct call c = {
        .name = connector, .task = task, .offsets = offsets, .count = count, .all = all};
    return db_run(d, job_go_back, &c, e);
}

/* --- topics in use ---------------------------------------------------------------------------- */

static atomic_bool topics_changed;

bool store_topics_changed(void)
{
    return atomic_exchange(&topics_changed, false);
}

static enum err job_topic_used(struct db *d, void *arg, struct error *e)
{
    struct call *c = arg;
    sqlite3_stmt *s =
        stmt_named(d,
                   "INSERT OR IGNORE INTO connect_topics(connector, topic, task, discovered_ms)"
                   " VALUES(?1, ?2, ?3, ?4)",
                   c->name);
    db_bind_slice(s, 2, c->text);
    sqlite3_bind_int(s, 3, c->task);
    sqlite3_bind_int64(s, 4, clock_wall_ms());
    return db_exec(d, s, e);
}

enum err store_topic_used(struct db *d, struct slice connector, struct slice topic, int task,
                          struct error *e)
{
    struct call c = {.name = connector, .text = topic, .task = task};
    enum err err = db_run(d, job_topic_used, &c, e);
    atomic_store(&topics_changed, true);
    return err;
}

static enum err job_topics(struct db *d, void *arg, struct error *e)
{
    struct call *c = arg;
    sqlite3_stmt *s = stmt_named(
        d, "SELECT topic FROM connect_topics WHERE connector = ?1 ORDER BY topic", c->name);
    enum err err;
    while ((err = db_step(d, s, e)) == E_OK) {
        c->texts = grow(c->a, c->texts, c->count, sizeof *c->texts);
        c->texts[c->count++] = arena_dup(c->a, db_column_slice(s, 0));
    }
    return rows_end(err, e);
}

enum err store_topics(struct db *d, struct slice connector, struct arena *a, struct slice **out,
                      size_t *count, struct error *e)
{
    struct call c = {.a = a, .name = connector};
    enum err err = db_run(d, job_topics, &c, e);
    *out = c.texts;
    *count = c.count;
    return err;
}

static enum err job_topics_reset(struct db *d, void *arg, struct error *e)
{
    return exec_named(d, "DELETE FROM connect_topics WHERE connector = ?1",
                      ((struct call *)arg)->name, e);
}

enum err store_topics_reset(struct db *d, struct slice connector, struct error *e)
{
    struct call c = {.name = connector};
    enum err err = db_run(d, job_topics_reset, &c, e);
    atomic_store(&topics_changed, true);
    return err;
}
