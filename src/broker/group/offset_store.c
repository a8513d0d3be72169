/* broker/group/offset_store.c - committed offsets in memory and in SQLite. See offset_store.h.
 *
 *   group_meta   (group_id TEXT PRIMARY KEY, protocol_type TEXT, generation INT, empty_since_ms
 * INT) group_offset (group_id, topic, partition -> offset, leader_epoch, metadata, commit_ms)
 *   group_members (group_id TEXT PRIMARY KEY, members BLOB): see group_store.c
 *   resource_config: see resource_config.c
 *   broker_meta  (key TEXT PRIMARY KEY, value TEXT)  cluster id, producer id block, dynamic
 * settings
 */
#include "broker/group/offset_store.h"

#include "base/base.h"
#include "base/mem.h"

#include <stdlib.h>

static const char *const steps[] = {
    "CREATE TABLE broker_meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE group_meta (group_id TEXT PRIMARY KEY, protocol_type TEXT NOT NULL,"
    " generation INTEGER NOT NULL, empty_since_ms INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE group_offset (group_id TEXT NOT NULL, topic TEXT NOT NULL,"
    " partition INTEGER NOT NULL, offset INTEGER NOT NULL, leader_epoch INTEGER NOT NULL,"
    " metadata TEXT NOT NULL, commit_ms INTEGER NOT NULL,"
    " PRIMARY KEY (group_id, topic, partition)) WITHOUT ROWID;",
    "CREATE TABLE group_members (group_id TEXT PRIMARY KEY, members BLOB NOT NULL) WITHOUT ROWID;",
    "CREATE TABLE resource_config (kind INTEGER NOT NULL, name TEXT NOT NULL, option TEXT NOT NULL,"
    " value TEXT NOT NULL, PRIMARY KEY (kind, name, option)) WITHOUT ROWID;",
    "ALTER TABLE group_meta ADD COLUMN kind TEXT NOT NULL DEFAULT 'classic';",
    NULL,
};
const struct db_migrations broker_state_migrations = {"broker", steps};

/* --- memory ----------------------------------------------------------------------------------- */

void offset_map_init(struct offset_map *m)
{
    map_init(&m->topics);
    m->count = 0;
}

static void topic_free(void *arg)
{
    struct offset_topic *t = arg;
    for (size_t i = 0; i < t->count; i++)
        mem_free(t->v[i].metadata);
    mem_free(t->v);
    mem_free((char *)(uintptr_t)t->name.p);
    mem_free(t);
}

void offset_map_release(struct offset_map *m)
{
    map_release(&m->topics, topic_free);
    offset_map_init(m);
}

/* Position of the partition, or where it belongs. */
static size_t position(const struct offset_topic *t, int32_t partition)
{
    size_t lo = 0, hi = t->count;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (t->v[mid].partition < partition)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

const struct committed *offset_map_get(const struct offset_map *m, struct slice topic,
                                       int32_t partition)
{
    const struct offset_topic *t = map_get(&m->topics, topic);
    if (!t)
        return NULL;
    size_t i = position(t, partition);
    return i < t->count && t->v[i].partition == partition ? &t->v[i] : NULL;
}

static char *copy_text(struct slice s)
{
    return s.n ? slice_dup(s) : xstrdup("");
}

void offset_map_put(struct offset_map *m, struct slice topic, int32_t partition, int64_t offset,
                    int32_t leader_epoch, struct slice metadata, int64_t commit_ms)
{
    struct offset_topic *t = map_get(&m->topics, topic);
    if (!t) {
        t = xcalloc(1, sizeof *t);
        t->name = slice_of(copy_text(topic), topic.n);
        map_put(&m->topics, topic, t);
    }
    size_t i = position(t, partition);
    if (i == t->count || t->v[i].partition != partition) {
        if (t->count == t->cap) {
            t->cap = t->cap ? t->cap * 2 : 2;
            t->v = xrealloc(t->v, t->cap * sizeof *t->v);
        }
        memmove(&t->v[i + 1], &t->v[i], (t->count - i) * sizeof *t->v);
        t->v[i] = (struct committed){.partition = partition};
        t->count++;
        m->count++;
    }
    mem_free(t->v[i].metadata);
    t->v[i] = (struct committed){.partition = partition,
                                 .leader_epoch = leader_epoch,
                                 .offset = offset,
                                 .commit_ms = commit_ms,
                                 .metadata = copy_text(metadata)};
}

bool offset_map_del(struct offset_map *m, struct slice topic, int32_t partition)
{
    struct offset_topic *t = map_get(&m->topics, topic);
    size_t i = t ? position(t, partition) : 0;
    if (!t || i == t->count || t->v[i].partition != partition)
        return false;
    mem_free(t->v[i].metadata);
    memmove(&t->v[i], &t->v[i + 1], (t->count - i - 1) * sizeof *t->v);
    t->count--;
    m->count--;
    if (t->count == 0) {
        map_del(&m->topics, topic);
        topic_free(t);
    }
    return true;
}

static int by_name(const void *a, const void *b)
{
    const struct offset_topic *x = *(const struct offset_topic *const *)a;
    const struct offset_topic *y = *(const struct offset_topic *const *)b;
    return slice_cmp(x->name, y->name);
}

struct offset_topic **offset_map_topics(const struct offset_map *m, struct arena *a, size_t *count)
{
    struct offset_topic **v = arena_alloc(a, (m->topics.count + 1) * sizeof *v);
    struct slice name;
    void *t;
    *count = 0;
    for (size_t i = 0; map_next(&m->topics, &i, &name, &t);)
        v[(*count)++] = t;
    qsort(v, *count, sizeof *v, by_name);
    return v;
}

/* --- jobs ------------------------------------------------------------------------------------- */

struct offset_job *offset_job_new(enum offset_job_kind kind, struct slice group)
{
    struct offset_job *j = xcalloc(1, sizeof *j);
    arena_init(&j->arena, 1024, ARENA_NO_BUDGET);
    j->kind = kind;
    j->group = arena_dup(&j->arena, group);
    return j;
}

void offset_job_add(struct offset_job *j, const struct commit_entry *e)
{
    if (j->count == j->cap) {
        size_t cap = j->cap ? j->cap * 2 : 8;
        struct commit_entry *v = arena_alloc(&j->arena, cap * sizeof *v);
        if (j->count)
            memcpy(v, j->entries, j->count * sizeof *v);
        j->entries = v;
        j->cap = cap;
    }
    struct commit_entry *to = &j->entries[j->count];
    *to = *e;
    /* entries of one topic follow each other: one copy of its name */
    if (j->count && slice_eq(to[-1].topic, e->topic))
        to->topic = to[-1].topic;
    else
        to->topic = arena_dup(&j->arena, e->topic);
    to->metadata = e->metadata.n ? arena_dup(&j->arena, e->metadata) : SL("");
    j->count++;
}

void offset_job_free(struct offset_job *j)
{
    arena_release(&j->arena);
    mem_free(j);
}

static enum err run_commit(struct db *d, const struct offset_job *j, struct error *e)
{
    enum err r = E_OK;
    for (size_t i = 0; r == E_OK && i < j->count; i++) {
        const struct commit_entry *o = &j->entries[i];
        r = db_put(d, e,
                   "INSERT INTO group_offset (group_id, topic, partition, offset, leader_epoch,"
                   " metadata, commit_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)"
                   " ON CONFLICT DO UPDATE SET offset = ?4, leader_epoch = ?5, metadata = ?6,"
                   " commit_ms = ?7",
                   db_text(j->group), db_text(o->topic), db_int(o->partition), db_int(o->offset),
                   db_int(o->leader_epoch), db_text(o->metadata), db_int(o->commit_ms));
    }
    return r;
}

static enum err run_delete(struct db *d, const struct offset_job *j, struct error *e)
{
    enum err r = E_OK;
    for (size_t i = 0; r == E_OK && i < j->count; i++)
        r = db_put(
            d, e, "DELETE FROM group_offset WHERE group_id = ?1 AND topic = ?2 AND partition = ?3",
            db_text(j->group), db_text(j->entries[i].topic), db_int(j->entries[i].partition));
    return r;
}

static enum err drop_members(struct db *d, const struct offset_job *j, struct error *e)
{
    return db_put(d, e, "DELETE FROM group_members WHERE group_id = ?1", db_text(j->group));
}

static enum err run_delete_group(struct db *d, const struct offset_job *j, struct error *e)
{
    enum err r = db_put(d, e, "DELETE FROM group_offset WHERE group_id = ?1", db_text(j->group));
    if (r == E_OK)
        r = drop_members(d, j, e);
    if (r == E_OK)
        r = db_put(d, e, "DELETE FROM group_meta WHERE group_id = ?1", db_text(j->group));
    return r;
}

static enum err run_members(struct db *d, const struct offset_job *j, struct error *e)
{
    if (j->members.n == 0)
        return drop_members(d, j, e);
    return db_put(d, e,
                  "INSERT INTO group_members (group_id, members) VALUES (?1, ?2)"
                  " ON CONFLICT DO UPDATE SET members = ?2",
                  db_text(j->group), db_blob(j->members));
}

static enum err run_meta(struct db *d, const struct offset_job *j, struct error *e)
{
    enum err r = db_put(d, e,
                        "INSERT INTO group_meta (group_id, protocol_type, generation,"
                        " empty_since_ms, kind) VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO UPDATE"
                        " SET protocol_type = ?2, generation = ?3, empty_since_ms = ?4, kind = ?5",
                        db_text(j->group), db_text(j->protocol_type), db_int(j->generation),
                        db_int(j->empty_since_ms), db_text(j->kind_name));
    return r == E_OK && j->set_members ? run_members(d, j, e) : r;
}

enum err offset_job_run(struct db *d, void *job, struct error *e)
{
    const struct offset_job *j = job;
    switch (j->kind) {
    case OFFSET_JOB_COMMIT:
        return run_commit(d, j, e);
    case OFFSET_JOB_DELETE:
        return run_delete(d, j, e);
    case OFFSET_JOB_DELETE_GROUP:
        return run_delete_group(d, j, e);
    case OFFSET_JOB_META:
        return run_meta(d, j, e);
    }
    return E_INVALID;
}

void offset_job_apply(const struct offset_job *j, struct offset_map *m)
{
    for (size_t i = 0; i < j->count; i++) {
        const struct commit_entry *o = &j->entries[i];
        if (j->kind == OFFSET_JOB_COMMIT)
            offset_map_put(m, o->topic, o->partition, o->offset, o->leader_epoch, o->metadata,
                           o->commit_ms);
        else if (j->kind == OFFSET_JOB_DELETE)
            (void)offset_map_del(m, o->topic, o->partition);
    }
}

/* --- start ------------------------------------------------------------------------------------ */

struct load_arg {
    const struct offset_load *load;
};

static enum err load_job(struct db *d, void *arg, struct error *e)
{
    const struct offset_load *l = ((struct load_arg *)arg)->load;
    enum err r;
    sqlite3_stmt *s = db_stmt(d, "SELECT group_id, protocol_type, generation, empty_since_ms, kind"
                                 " FROM group_meta");
    while ((r = db_step(d, s, e)) == E_OK)
        l->on_group(l->arg, db_column_slice(s, 0), db_column_slice(s, 4), db_column_slice(s, 1),
                    sqlite3_column_int(s, 2), sqlite3_column_int64(s, 3));
    if (r != E_NOT_FOUND)
        return r;
    s = db_stmt(d, "SELECT group_id, members FROM group_members");
    while ((r = db_step(d, s, e)) == E_OK)
        l->on_members(l->arg, db_column_slice(s, 0), db_column_slice(s, 1));
    if (r != E_NOT_FOUND)
        return r;
    s = db_stmt(d, "SELECT group_id, topic, partition, offset, leader_epoch, metadata, commit_ms"
                   " FROM group_offset");
    while ((r = db_step(d, s, e)) == E_OK) {
        struct commit_entry o = {.topic = db_column_slice(s, 1),
                                 .metadata = db_column_slice(s, 5),
                                 .partition = sqlite3_column_int(s, 2),
                                 .leader_epoch = sqlite3_column_int(s, 4),
                                 .offset = sqlite3_column_int64(s, 3),
                                 .commit_ms = sqlite3_column_int64(s, 6)};
        l->on_offset(l->arg, db_column_slice(s, 0), &o);
    }
    return r == E_NOT_FOUND ? E_OK : r;
}

enum err offset_store_load(struct db *d, const struct offset_load *load, struct error *e)
{
    return db_run(d, load_job, &(struct load_arg){load}, e);
}
