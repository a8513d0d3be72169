/* broker/topic_store.c - see topic_store.h. One database job per change, so that a change
 * is there completely or not at all. */
#include "broker/topic_store.h"

#include "base/base.h"
#include "base/mem.h"
#include "broker/topic.h"

static const char *const steps[] = {
    "CREATE TABLE topics ("
    " name TEXT PRIMARY KEY, id BLOB NOT NULL UNIQUE, partitions INTEGER NOT NULL"
    ") WITHOUT ROWID;"
    "CREATE TABLE topic_configs ("
    " topic TEXT NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (topic, name)"
    ") WITHOUT ROWID;"
    "CREATE TABLE topics_deleted (id BLOB PRIMARY KEY) WITHOUT ROWID;",
    "CREATE TABLE topic_placements (id BLOB PRIMARY KEY, partitions TEXT NOT NULL) WITHOUT ROWID;",
    NULL,
};
const struct db_migrations topic_migrations = {"topics", steps};

/* --- loading ---------------------------------------------------------------------------------- */

static bool id_of(struct slice blob, struct uuid *out)
{
    if (blob.n != sizeof out->b)
        return false;
    memcpy(out->b, blob.p, sizeof out->b);
    return true;
}

static enum err load_topics(struct db *d, struct topic_rows *out, struct error *e)
{
    enum err r;
    sqlite3_stmt *s = db_stmt(d, "SELECT t.name, t.id, t.partitions, p.partitions FROM topics t"
                                 " LEFT JOIN topic_placements p ON p.id = t.id ORDER BY t.name");
    while ((r = db_step(d, s, e)) == E_OK) {
        struct topic_row row = {.configs = STRMAP_INIT};
        row.partitions = sqlite3_column_int(s, 2);
        if (!id_of(db_column_slice(s, 1), &row.id) || row.partitions < 1)
            return error_set(e, E_CORRUPT, "table topics: the row of " PRI_SL " makes no sense",
                             ARG_SL(db_column_slice(s, 0)));
        struct slice name = db_column_slice(s, 0);
        row.name = slice_of(slice_dup(name), name.n);
        struct slice placement = db_column_slice(s, 3);
        if (placement.p)
            row.placement = slice_of(slice_dup(placement), placement.n);
        if (out->count == out->cap) {
            out->cap = out->cap ? out->cap * 2 : 16;
            out->v = xrealloc(out->v, out->cap * sizeof *out->v);
        }
        out->v[out->count++] = row;
    }
    if (r != E_NOT_FOUND)
        return r;
    for (size_t i = 0; i < out->count; i++)
        map_put(&out->by_name, out->v[i].name, &out->v[i]);
    return E_OK;
}

static enum err load_job(struct db *d, void *arg, struct error *e)
{
    struct topic_rows *out = arg;
    enum err r = load_topics(d, out, e);
    if (r != E_OK)
        return r;
    sqlite3_stmt *s = db_stmt(d, "SELECT topic, name, value FROM topic_configs");
    while ((r = db_step(d, s, e)) == E_OK) {
        struct topic_row *row = map_get(&out->by_name, db_column_slice(s, 0));
        if (row)
            strmap_set(&row->configs, db_column_slice(s, 1), db_column_slice(s, 2));
    }
    if (r != E_NOT_FOUND)
        return r;
    s = db_stmt(d, "SELECT id FROM topics_deleted");
    while ((r = db_step(d, s, e)) == E_OK) {
        out->deleted = xrealloc(out->deleted, (out->deleted_count + 1) * sizeof *out->deleted);
        if (id_of(db_column_slice(s, 0), &out->deleted[out->deleted_count]))
            out->deleted_count++;
    }
    return r == E_NOT_FOUND ? E_OK : r;
}

enum err topic_store_load(struct db *db, struct topic_rows *out, struct error *e)
{
    memset(out, 0, sizeof *out);
    map_init(&out->by_name);
    return db_run(db, load_job, out, e);
}

void topic_rows_release(struct topic_rows *r)
{
    for (size_t i = 0; i < r->count; i++) {
        mem_free((void *)(uintptr_t)r->v[i].name.p);
        mem_free((void *)(uintptr_t)r->v[i].placement.p);
        strmap_release(&r->v[i].configs);
    }
    map_release(&r->by_name, NULL);
    mem_free(r->v);
    mem_free(r->deleted);
    memset(r, 0, sizeof *r);
}

/* --- changes ---------------------------------------------------------------------------------- */

static struct slice id_slice(const struct uuid *id)
{
    return slice_of(id->b, sizeof id->b);
}

static enum err put_configs(struct db *d, const struct topic_row *row, struct error *e)
{
    enum err r = E_OK;
    for (size_t i = 0; r == E_OK && i < row->configs.count; i++) {
        sqlite3_stmt *s =
            db_stmt(d, "INSERT INTO topic_configs (topic, name, value) VALUES (?1, ?2, ?3)");
        db_bind_slice(s, 1, row->name);
        db_bind_slice(s, 2, row->configs.entries[i].key);
        db_bind_slice(s, 3, row->configs.entries[i].value);
        r = db_exec(d, s, e);
    }
    return r;
}

static enum err drop_configs(struct db *d, const struct topic_row *row, struct error *e)
{
    sqlite3_stmt *s = db_stmt(d, "DELETE FROM topic_configs WHERE topic = ?1");
    db_bind_slice(s, 1, row->name);
    return db_exec(d, s, e);
}

static enum err put_placement(struct db *d, const struct topic_row *row, struct error *e)
{
    if (!row->placement.p)
        return E_OK;
    sqlite3_stmt *s =
        db_stmt(d, "INSERT OR REPLACE INTO topic_placements (id, partitions) VALUES (?1, ?2)");
    db_bind_blob(s, 1, id_slice(&row->id));
    db_bind_slice(s, 2, row->placement);
    return db_exec(d, s, e);
}

static enum err insert_job(struct db *d, void *arg, struct error *e)
{
    const struct topic_row *row = arg;
    sqlite3_stmt *s = db_stmt(d, "INSERT INTO topics (name, id, partitions) VALUES (?1, ?2, ?3)");
    db_bind_slice(s, 1, row->name);
    db_bind_blob(s, 2, id_slice(&row->id));
    sqlite3_bind_int(s, 3, row->partitions);
    enum err r = db_exec(d, s, e);
    if (r == E_OK)
        r = put_placement(d, row, e);
    return r == E_OK ? put_configs(d, row, e) : r;
}

static enum err delete_job(struct db *d, void *arg, struct error *e)
{
    const struct topic_row *row = arg;
    sqlite3_stmt *s = db_stmt(d, "DELETE FROM topics WHERE name = ?1");
    db_bind_slice(s, 1, row->name);
    enum err r = db_exec(d, s, e);
    if (r == E_OK)
        r = drop_configs(d, row, e);
    if (r != E_OK)
        return r;
    s = db_stmt(d, "DELETE FROM topic_placements WHERE id = ?1");
    db_bind_blob(s, 1, id_slice(&row->id));
    r = db_exec(d, s, e);
    if (r != E_OK)
        return r;
    s = db_stmt(d, "INSERT OR IGNORE INTO topics_deleted (id) VALUES (?1)");
    db_bind_blob(s, 1, id_slice(&row->id));
    return db_exec(d, s, e);
}

static enum err partitions_job(struct db *d, void *arg, struct error *e)
{
    const struct topic_row *row = arg;
    sqlite3_stmt *s = db_stmt(d, "UPDATE topics SET partitions = ?2 WHERE name = ?1");
    db_bind_slice(s, 1, row->name);
    sqlite3_bind_int(s, 2, row->partitions);
    enum err r = db_exec(d, s, e);
    return r == E_OK ? put_placement(d, row, e) : r;
}

struct placement_rows {
    const struct topic_row *v;
    size_t count;
};

static enum err placements_job(struct db *d, void *arg, struct error *e)
{
    const struct placement_rows *rows = arg;
    enum err r = E_OK;
    for (size_t i = 0; r == E_OK && i < rows->count; i++)
        r = put_placement(d, &rows->v[i], e);
    return r;
}

static enum err configs_job(struct db *d, void *arg, struct error *e)
{
    enum err r = drop_configs(d, arg, e);
    return r == E_OK ? put_configs(d, arg, e) : r;
}

static enum err forget_job(struct db *d, void *arg UNUSED, struct error *e)
{
    return db_exec(d, db_stmt(d, "DELETE FROM topics_deleted"), e);
}

/* Jobs only read the row; db_run returns after they have ended. */
static enum err run(struct db *db, db_job_fn fn, const struct topic_row *row, struct error *e)
{
    return db_run(db, fn, (void *)(uintptr_t)row, e);
}

enum err topic_store_insert(struct db *db, const struct topic_row *row, struct error *e)
{
    return run(db, insert_job, row, e);
}

enum err topic_store_delete(struct db *db, const struct topic_row *row, struct error *e)
{
    return run(db, delete_job, row, e);
}

enum err topic_store_set_partitions(struct db *db, const struct topic_row *row, struct error *e)
{
    return run(db, partitions_job, row, e);
}

enum err topic_store_set_placements(struct db *db, const struct topic_row *rows, size_t count,
                                    struct error *e)
{
    struct placement_rows arg = {rows, count};
    return db_run(db, placements_job, &arg, e);
}

enum err topic_store_set_configs(struct db *db, const struct topic_row *row, struct error *e)
{
    return run(db, configs_job, row, e);
}

enum err topic_store_forget_deleted(struct db *db, struct error *e)
{
    return run(db, forget_job, NULL, e);
}
