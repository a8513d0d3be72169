/* broker/txn/txn_store.c - see txn_store.h. */
#include "broker/txn/txn_store.h"

#include "base/mem.h"

static const char *const steps[] = {
    "CREATE TABLE txn (transactional_id TEXT PRIMARY KEY, producer_id INTEGER NOT NULL,"
    " prev_producer_id INTEGER NOT NULL, next_producer_id INTEGER NOT NULL,"
    " epoch INTEGER NOT NULL, last_epoch INTEGER NOT NULL, timeout_ms INTEGER NOT NULL,"
    " state INTEGER NOT NULL, start_ms INTEGER NOT NULL, update_ms INTEGER NOT NULL,"
    " marker_producer_id INTEGER NOT NULL, marker_epoch INTEGER NOT NULL,"
    " marker_commit INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE txn_partition (transactional_id TEXT NOT NULL, topic TEXT NOT NULL,"
    " partition INTEGER NOT NULL, PRIMARY KEY (transactional_id, topic, partition)) WITHOUT ROWID;"
    "CREATE TABLE txn_group (transactional_id TEXT NOT NULL, group_id TEXT NOT NULL,"
    " PRIMARY KEY (transactional_id, group_id)) WITHOUT ROWID;"
    "CREATE TABLE txn_offset (transactional_id TEXT NOT NULL, group_id TEXT NOT NULL,"
    " topic TEXT NOT NULL, partition INTEGER NOT NULL, offset INTEGER NOT NULL,"
    " leader_epoch INTEGER NOT NULL, metadata TEXT NOT NULL, commit_ms INTEGER NOT NULL,"
    " PRIMARY KEY (transactional_id, group_id, topic, partition)) WITHOUT ROWID;",
    NULL,
};
const struct db_migrations txn_migrations = {"transactions", steps};

struct txn_job *txn_job_new(struct slice id, const struct txn_facts *facts)
{
    struct txn_job *j = xcalloc(1, sizeof *j);
    arena_init(&j->arena, 1024, ARENA_NO_BUDGET);
    j->id = arena_dup(&j->arena, id);
    j->facts = *facts;
    return j;
}

void txn_job_free(struct txn_job *j)
{
    arena_release(&j->arena);
    mem_free(j);
}

/* --- writing ---------------------------------------------------------------------------------- */

static enum err put_facts(struct db *d, const struct txn_job *j, struct error *e)
{
    const struct txn_facts *f = &j->facts;
    return db_put(
        d, e,
        "INSERT INTO txn (transactional_id, producer_id, prev_producer_id, next_producer_id,"
        " epoch, last_epoch, timeout_ms, state, start_ms, update_ms, marker_producer_id,"
        " marker_epoch, marker_commit)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)"
        " ON CONFLICT DO UPDATE SET producer_id = ?2, prev_producer_id = ?3,"
        " next_producer_id = ?4, epoch = ?5, last_epoch = ?6, timeout_ms = ?7, state = ?8,"
        " start_ms = ?9, update_ms = ?10, marker_producer_id = ?11, marker_epoch = ?12,"
        " marker_commit = ?13",
        db_text(j->id), db_int(f->producer_id), db_int(f->prev_producer_id),
        db_int(f->next_producer_id), db_int(f->epoch), db_int(f->last_epoch), db_int(f->timeout_ms),
        db_int((int)f->state), db_int(f->start_ms), db_int(f->update_ms),
        db_int(f->marker_producer_id), db_int(f->marker_epoch), db_int(f->marker_commit));
}

static enum err add_parts(struct db *d, const struct txn_job *j, struct error *e)
{
    enum err r = E_OK;
    for (size_t i = 0; r == E_OK && i < j->part_count; i++)
        r = db_put(d, e,
                   "INSERT INTO txn_partition (transactional_id, topic, partition)"
                   " VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
                   db_text(j->id), db_text(j->parts[i].topic), db_int(j->parts[i].partition));
    return r;
}

static enum err add_offsets(struct db *d, const struct txn_job *j, struct error *e)
{
    if (slice_is_null(j->group))
        return E_OK;
    enum err r = db_put(d, e,
                        "INSERT INTO txn_group (transactional_id, group_id)"
                        " VALUES (?1, ?2) ON CONFLICT DO NOTHING",
                        db_text(j->id), db_text(j->group));
    for (size_t i = 0; r == E_OK && i < j->offset_count; i++) {
        const struct commit_entry *o = &j->offsets[i];
        r = db_put(d, e,
                   "INSERT INTO txn_offset (transactional_id, group_id, topic, partition,"
                   " offset, leader_epoch, metadata, commit_ms)"
                   " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT DO UPDATE SET"
                   " offset = ?5, leader_epoch = ?6, metadata = ?7, commit_ms = ?8",
                   db_text(j->id), db_text(j->group), db_text(o->topic), db_int(o->partition),
                   db_int(o->offset), db_int(o->leader_epoch), db_text(o->metadata),
                   db_int(o->commit_ms));
    }
    return r;
}

static enum err drop_offsets(struct db *d, const struct txn_job *j, struct error *e)
{
    enum err r = db_put(d, e, "DELETE FROM txn_offset WHERE transactional_id = ?1", db_text(j->id));
    if (r == E_OK)
        r = db_put(d, e, "DELETE FROM txn_group WHERE transactional_id = ?1", db_text(j->id));
    return r;
}

/* A plain commit that came after the transactional one wins. */
static enum err publish(struct db *d, const struct txn_job *j, struct error *e)
{
    return db_put(d, e,
                  "INSERT INTO group_offset (group_id, topic, partition, offset, leader_epoch,"
                  " metadata, commit_ms)"
                  " SELECT group_id, topic, partition, offset, leader_epoch, metadata, commit_ms"
                  " FROM txn_offset WHERE transactional_id = ?1"
                  " ON CONFLICT DO UPDATE SET offset = excluded.offset,"
                  " leader_epoch = excluded.leader_epoch, metadata = excluded.metadata,"
                  " commit_ms = excluded.commit_ms"
                  " WHERE group_offset.commit_ms <= excluded.commit_ms",
                  db_text(j->id));
}

static enum err drop_parts(struct db *d, const struct txn_job *j, struct error *e)
{
    return db_put(d, e, "DELETE FROM txn_partition WHERE transactional_id = ?1", db_text(j->id));
}

static enum err remove_all(struct db *d, const struct txn_job *j, struct error *e)
{
    enum err r = drop_parts(d, j, e);
    if (r == E_OK)
        r = drop_offsets(d, j, e);
    if (r == E_OK)
        r = db_put(d, e, "DELETE FROM txn WHERE transactional_id = ?1", db_text(j->id));
    return r;
}

enum err txn_job_run(struct db *d, void *job, struct error *e)
{
    const struct txn_job *j = job;
    if (j->removes)
        return remove_all(d, j, e);
    enum err r = put_facts(d, j, e);
    if (r == E_OK && j->begins)
        r = drop_parts(d, j, e);
    if (r == E_OK && j->begins)
        r = drop_offsets(d, j, e);
    if (r == E_OK)
        r = add_parts(d, j, e);
    if (r == E_OK)
        r = add_offsets(d, j, e);
    if (r == E_OK && j->publish == TXN_PUBLISH_OFFSETS)
        r = publish(d, j, e);
    if (r == E_OK && j->publish != TXN_PUBLISH_NOTHING)
        r = drop_offsets(d, j, e);
    return r;
}

enum err txn_topic_job_run(struct db *d, void *arg, struct error *e)
{
    const struct txn_topic_job *j = arg;
    struct db_value topic = db_text(slice_cstr(j->topic));
    enum err r = db_put(d, e, "DELETE FROM txn_partition WHERE topic = ?1", topic);
    return r == E_OK ? db_put(d, e, "DELETE FROM txn_offset WHERE topic = ?1", topic) : r;
}

/* --- reading ---------------------------------------------------------------------------------- */

static enum err load_txns(struct db *d, const struct txn_load *l, struct error *e)
{
    enum err r;
    sqlite3_stmt *s = db_stmt(
        d, "SELECT transactional_id, producer_id, prev_producer_id, next_producer_id, epoch,"
           " last_epoch, timeout_ms, state, start_ms, update_ms, marker_producer_id,"
           " marker_epoch, marker_commit FROM txn");
    while ((r = db_step(d, s, e)) == E_OK) {
        int state = sqlite3_column_int(s, 7);
        if (state < TXN_EMPTY || state > TXN_COMPLETE_ABORT)
            return error_set(e, E_CORRUPT, "transactional id " PRI_SL ": no state has number %d",
                             ARG_SL(db_column_slice(s, 0)), state);
        struct txn_facts f = {.producer_id = sqlite3_column_int64(s, 1),
                              .prev_producer_id = sqlite3_column_int64(s, 2),
                              .next_producer_id = sqlite3_column_int64(s, 3),
                              .epoch = (int16_t)sqlite3_column_int(s, 4),
                              .last_epoch = (int16_t)sqlite3_column_int(s, 5),
                              .timeout_ms = sqlite3_column_int(s, 6),
                              .state = (enum txn_state)state,
                              .start_ms = sqlite3_column_int64(s, 8),
                              .update_ms = sqlite3_column_int64(s, 9),
                              .marker_producer_id = sqlite3_column_int64(s, 10),
                              .marker_epoch = (int16_t)sqlite3_column_int(s, 11),
                              .marker_commit = sqlite3_column_int(s, 12) != 0};
        l->on_txn(l->arg, db_column_slice(s, 0), &f);
    }
    return r == E_NOT_FOUND ? E_OK : r;
}

static enum err load_members(struct db *d, const struct txn_load *l, struct error *e)
{
    enum err r;
    sqlite3_stmt *s = db_stmt(d, "SELECT transactional_id, topic, partition FROM txn_partition");
    while ((r = db_step(d, s, e)) == E_OK)
        l->on_part(l->arg, db_column_slice(s, 0),
                   &(struct txn_part){db_column_slice(s, 1), sqlite3_column_int(s, 2)});
    if (r != E_NOT_FOUND)
        return r;
    s = db_stmt(d, "SELECT transactional_id, group_id FROM txn_group");
    while ((r = db_step(d, s, e)) == E_OK)
        l->on_group(l->arg, db_column_slice(s, 0), db_column_slice(s, 1));
    return r == E_NOT_FOUND ? E_OK : r;
}

static enum err load_offsets(struct db *d, const struct txn_load *l, struct error *e)
{
    enum err r;
    sqlite3_stmt *s =
        db_stmt(d, "SELECT transactional_id, group_id, topic, partition, offset, leader_epoch,"
                   " metadata, commit_ms FROM txn_offset");
    while ((r = db_step(d, s, e)) == E_OK) {
        struct txn_group_offset o = {
            .group = db_column_slice(s, 1),
            .entry = {.topic = db_column_slice(s, 2),
                      .partition = sqlite3_column_int(s, 3),
                      .offset = sqlite3_column_int64(s, 4),
                      .leader_epoch = sqlite3_column_int(s, 5),
                      .metadata = db_column_slice(s, 6),
                      .commit_ms = sqlite3_column_int64(s, 7)},
        };
        l->on_offset(l->arg, db_column_slice(s, 0), &o);
    }
    return r == E_NOT_FOUND ? E_OK : r;
}

static enum err load_job(struct db *d, void *arg, struct error *e)
{
    const struct txn_load *l = *(const struct txn_load *const *)arg;
    enum err r = load_txns(d, l, e);
    if (r == E_OK)
        r = load_members(d, l, e);
    return r == E_OK ? load_offsets(d, l, e) : r;
}

enum err txn_store_load(struct db *d, const struct txn_load *load, struct error *e)
{
    return db_run(d, load_job, &load, e);
}
