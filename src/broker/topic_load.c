/* broker/topic_load.c - the registry's beginning and end: rows and directories are brought
 * together, logs recovered if they must be, checkpoints written.
 *
 *   rows          in SQLite; they say which topics there are
 *   directories   without a row: the rest of a deletion (removed), or a log from elsewhere
 *                 (taken in)
 *   checkpoints   by the flusher's thread at most once a minute, when log starts move, when topics
 *                 go, and at the end; stale lines of topics that are gone must never meet a new
 *                 topic of the same name */
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "broker/partition_care.h"
#include "broker/proto/kerr.h"
#include "broker/topic_internal.h"

#define CHECKPOINT_EVERY_MS 60000

/* --- checkpoints ------------------------------------------------------------------------------ */

static enum err save(const struct topics *t, const struct checkpoint *c, const char *name,
                     struct error *e)
{
    char *path = logdir_path(&t->dir, name);
    enum err r = checkpoint_save(c, path, e);
    mem_free(path);
    return r;
}

/* What the files say. */
struct positions {
    struct checkpoint recovery, starts;
    struct tails tails;
};

static void positions_init(struct positions *x)
{
    checkpoint_init(&x->recovery);
    checkpoint_init(&x->starts);
    tails_init(&x->tails);
}

static void positions_release(struct positions *x)
{
    checkpoint_release(&x->recovery);
    checkpoint_release(&x->starts);
    tails_release(&x->tails);
}

/* Notes one partition; positions below zero are not known and are left out. */
static void note(struct positions *x, struct slice name, int32_t id, struct partition *p,
                 int64_t point, int64_t start)
{
    struct tail tail;
    if (point >= 0)
        checkpoint_set(&x->recovery, name, id, point);
    if (start > 0)
        checkpoint_set(&x->starts, name, id, start);
    if (partition_tail(p, &tail))
        tails_set(&x->tails, name, id, &tail);
}

static enum err note_all(struct topics *t, struct positions *x)
{
    struct arena a;
    struct topic **v;
    size_t count;
    arena_init(&a, 0, ARENA_NO_BUDGET);
    enum err r = topics_list(t, &a, &v, &count);
    for (size_t i = 0; i < count; i++) {
        struct partition_set *set = topic_parts(v[i]);
        for (int32_t p = 0; p < set->count; p++) {
            int64_t point, start;
            partition_positions(set->v[p], &point, &start);
            note(x, topic_name(v[i]), p, set->v[p], point, start);
        }
        topic_unref(v[i]);
    }
    arena_release(&a);
    return r;
}

static enum err save_tails(const struct topics *t, const struct positions *x, struct error *e)
{
    char *path = logdir_path(&t->dir, LOGDIR_TAILS);
    enum err r = tails_save(&x->tails, path, e);
    mem_free(path);
    return r;
}

/* everything: not the log starts alone */
static enum err save_positions(struct topics *t, bool everything, struct error *e)
{
    struct positions x;
    positions_init(&x);
    pthread_mutex_lock(&t->save);
    enum err r = note_all(t, &x);
    if (r == E_OK)
        r = save(t, &x.starts, LOGDIR_LOG_STARTS, e);
    if (r == E_OK && everything)
        r = save(t, &x.recovery, LOGDIR_RECOVERY_POINTS, e);
    if (r == E_OK && everything)
        r = save_tails(t, &x, e);
    pthread_mutex_unlock(&t->save);
    positions_release(&x);
    return r;
}

enum err topics_save_positions(struct topics *t, struct error *e)
{
    return save_positions(t, true, e);
}

enum err topics_save_cleaned(struct topics *t, struct error *e)
{
    struct checkpoint cleaned;
    struct arena a;
    struct topic **v;
    size_t count;
    checkpoint_init(&cleaned);
    arena_init(&a, 0, ARENA_NO_BUDGET);
    pthread_mutex_lock(&t->save);
    enum err r = topics_list(t, &a, &v, &count);
    for (size_t i = 0; i < count; i++) {
        struct partition_set *set = topic_parts(v[i]);
        for (int32_t p = 0; p < set->count; p++) {
            int64_t offset = partition_cleaned_to(set->v[p]);
            if (offset >= 0)
                checkpoint_set(&cleaned, topic_name(v[i]), p, offset);
        }
        topic_unref(v[i]);
    }
    char *path = logdir_path(&t->dir, LOGDIR_CLEANED);
    if (r == E_OK && (cleaned.offsets.count || fs_exists(path)))
        r = checkpoint_save(&cleaned, path, e);
    mem_free(path);
    pthread_mutex_unlock(&t->save);
    checkpoint_release(&cleaned);
    arena_release(&a);
    return r;
}

static enum err save_starts(void *arg, struct error *e)
{
    return save_positions(arg, false, e);
}

/* On the flusher's thread after a round. */
static void after_flush(void *arg)
{
    struct topics *t = arg;
    struct error e;
    int64_t now = clock_mono_ms();
    if (now - t->saved_ms < CHECKPOINT_EVERY_MS)
        return;
    t->saved_ms = now;
    if (topics_save_positions(t, &e) != E_OK)
        LOG_ERR(LOG_BROKER_LOG, LOG_L_WARN, &e, "after a crash more of the logs will be read");
}

/* Whether a checkpoint has lines of topics that are not there. */
static bool is_stale(const struct topics *t, const struct map *lines)
{
    struct slice key;
    void *value;
    for (size_t i = 0; map_next(lines, &i, &key, &value);) {
        struct slice name = slice_sub(key, 0, (size_t)MAX(slice_find_char(key, ' '), 0));
        if (!map_get(&t->by_name, name))
            return true;
    }
    return false;
}

/* --- opening ---------------------------------------------------------------------------------- */

struct found {
    struct topics *topics;
    struct topic_rows *rows;
    struct map dirs;    /* names of partition directories that are there -> self */
    struct map strange; /* topics that have directories but no row -> struct stray */
};
struct stray {
    struct uuid id;
    int32_t partitions;
};

static bool was_deleted(const struct topic_rows *rows, const struct uuid *id)
{
    for (size_t i = 0; i < rows->deleted_count; i++)
        if (memcmp(&rows->deleted[i], id, sizeof *id) == 0)
            return true;
    return false;
}

/* A directory whose topic has no row: the rest of a deletion, or a log from elsewhere. */
static void see_stray(struct found *f, const char *name, struct slice topic, int32_t partition)
{
    struct topics *t = f->topics;
    struct uuid id;
    bool known = logdir_topic_id(&t->dir, name, &id);
    if (known && was_deleted(f->rows, &id)) {
        char *path = logdir_path(&t->dir, name);
        topics_discard_dir(t, path, topic, partition);
        mem_free(path);
        return;
    }
    if (!known || topic_name_check(topic, NULL) != E_OK || partition >= 100000) {
        LOG_WARN(LOG_BROKER_LOG, "%s/%s is no partition of a known topic; left alone", t->dir.path,
                 name);
        return;
    }
    struct stray *s = map_get(&f->strange, topic);
    if (!s) {
        s = xcalloc(1, sizeof *s);
        s->id = id;
        map_put(&f->strange, topic, s);
    }
    s->partitions = MAX(s->partitions, partition + 1);
}

static bool see_dir(const char *name, void *arg)
{
    struct found *f = arg;
    struct slice topic;
    int32_t partition;
    if (slice_ends(slice_cstr(name), SL(LOGDIR_DELETED))) {
        pool_submit(f->topics->pool, NULL, topics_remove_tree, NULL, NULL,
                    logdir_path(&f->topics->dir, name));
        return true;
    }
    if (!logdir_parse(name, &topic, &partition))
        return true;
    if (map_get(&f->rows->by_name, topic))
        map_put(&f->dirs, slice_cstr(name), f);
    else
        see_stray(f, name, topic, partition);
    return true;
}

/* Topics whose rows are lost (or that another program made) come back with default settings. */
static enum err adopt(struct topics *t, struct found *f, struct error *e)
{
    struct slice name;
    void *value;
    enum err r = E_OK;
    for (size_t i = 0; r == E_OK && map_next(&f->strange, &i, &name, &value);) {
        const struct stray *s = value;
        struct topic_row row = {
            .name = name, .id = s->id, .partitions = s->partitions, .configs = STRMAP_INIT};
        struct error why;
        r = topics_check_new_name(t, name, &why);
        if (r != E_OK) {
            LOG_ERR(LOG_BROKER_LOG, LOG_L_WARN, &why, "directories of a topic without a row");
            r = E_OK;
            continue;
        }
        r = topic_store_insert(t->db, &row, e);
        if (r != E_OK)
            break;
        LOG_WARN(LOG_BROKER_LOG, "topic " PRI_SL " (%d partitions) was found on disk and taken in",
                 ARG_SL(name), s->partitions);
        for (int32_t p = 0; r == E_OK && p < s->partitions; p++) {
            char *path = logdir_partition_path(&t->dir, name, p);
            if (!fs_exists(path))
                r = partition_make_dir(path, &s->id, e);
            mem_free(path);
        }
        if (r == E_OK)
            topics_publish(t, topic_new(t, &row, false));
    }
    return r;
}

/* Makes directories that a kill or a power cut left out. */
static enum err complete_dirs(struct topics *t, const struct found *f, const struct topic_row *row,
                              struct error *e)
{
    enum err r = E_OK;
    for (int32_t p = 0; r == E_OK && p < row->partitions; p++) {
        char *path = logdir_partition_path(&t->dir, row->name, p);
        const char *name = strrchr(path, '/') + 1;
        if (!map_get(&f->dirs, slice_cstr(name)))
            r = partition_make_dir(path, &row->id, e);
        mem_free(path);
    }
    return r;
}

/* A new topic object whose partitions are where its row says. */
static struct topic *topic_of_row(struct topics *t, const struct topic_row *row)
{
    struct topic *topic = topic_new(t, row, false);
    if (!row->placement.p)
        return topic;
    struct placement *v = xcalloc((size_t)row->partitions, sizeof *v);
    if (placement_parse(row->placement, v, row->partitions) != E_OK)
        LOG_WARN(LOG_BROKER_LOG, "table topic_placements: the row of " PRI_SL " makes no sense",
                 ARG_SL(row->name));
    else
        for (int32_t p = 0; p < row->partitions; p++)
            if (v[p].replica_count) /* it has some unless it was added when there was no lab */
                (void)!partition_place(topic_parts(topic)->v[p], &v[p], NULL);
    mem_free(v);
    return topic;
}

static enum err load_topics(struct topics *t, struct error *e)
{
    struct topic_rows rows;
    struct found f = {.topics = t, .rows = &rows};
    map_init(&f.dirs);
    map_init(&f.strange);
    enum err r = topic_store_load(t->db, &rows, e);
    if (r == E_OK)
        r = fs_list(t->dir.path, see_dir, &f, e);
    for (size_t i = 0; r == E_OK && i < rows.count; i++) {
        r = complete_dirs(t, &f, &rows.v[i], e);
        if (r == E_OK)
            topics_publish(t, topic_of_row(t, &rows.v[i]));
    }
    if (r == E_OK)
        r = adopt(t, &f, e);
    if (r == E_OK && rows.deleted_count)
        r = topic_store_forget_deleted(t->db, e);
    map_release(&f.dirs, NULL);
    map_release(&f.strange, mem_free);
    topic_rows_release(&rows);
    return r;
}

/* After a crash every log that was written to since the last checkpoint is looked at before anybody
 * is served. A partition that cannot be read is logged and answers errors; the others go on. */
static void recover_all(struct topics *t)
{
    int64_t began = clock_mono_ms();
    size_t bad = 0, checked = 0;
    for (size_t i = 0; i < t->count; i++) {
        struct partition_set *set = topic_parts(t->sorted[i]);
        for (int32_t p = 0; p < set->count; p++) {
            if (partition_is_untouched(set->v[p]))
                continue;
            checked++;
            bad += partition_load(set->v[p], NULL) != E_OK;
        }
    }
    LOG_INFO(LOG_BROKER_LOG,
             "the last stop was not orderly: checked the logs partitions=%zu of=%zu "
             "unreadable=%zu ms=%lld",
             checked, topics_partition_count(t), bad, (long long)(clock_mono_ms() - began));
}

static void load_checkpoint(struct topics *t, struct checkpoint *c, const char *name)
{
    char *path = logdir_path(&t->dir, name);
    checkpoint_init(c);
    checkpoint_load(c, path);
    mem_free(path);
}

static void topics_free(struct topics *t)
{
    for (size_t i = 0; i < t->count; i++)
        topic_unref(t->sorted[i]);
    map_release(&t->by_name, NULL);
    map_release(&t->by_plain, NULL);
    map_release(&t->by_id, NULL);
    checkpoint_release(&t->env.recovery_points);
    checkpoint_release(&t->env.log_starts);
    checkpoint_release(&t->env.cleaned);
    tails_release(&t->env.tails);
    trash_release(&t->env.trash);
    pthread_mutex_destroy(&t->change);
    pthread_mutex_destroy(&t->save);
    pthread_rwlock_destroy(&t->lock);
    mem_free(t->sorted);
    mem_free(t);
}

enum err topics_open(struct topics **out, const struct topics_options *o, struct db *db,
                     struct pool *pool, struct error *e)
{
    struct topics *t = xcalloc(1, sizeof *t);
    enum err r = logdir_open(&t->dir, o->dir, o->node_id, e);
    if (r != E_OK) {
        mem_free(t);
        return r;
    }
    t->options = *o;
    t->db = db;
    t->pool = pool;
    t->saved_ms = clock_mono_ms();
    pthread_mutex_init(&t->change, NULL);
    pthread_mutex_init(&t->save, NULL);
    pthread_rwlock_init(&t->lock, NULL);
    map_init(&t->by_name);
    map_init(&t->by_plain);
    map_init(&t->by_id);
    trash_init(&t->env.trash);
    t->env.sync = o->sync;
    t->env.clean = t->dir.clean;
    t->env.lossy = !t->dir.clean && !t->dir.same_boot;
    t->env.producer_expire_ms = o->producer_expire_ms;
    t->env.node_id = o->node_id;
    t->env.save_starts = save_starts;
    t->env.arg = t;
    load_checkpoint(t, &t->env.recovery_points, LOGDIR_RECOVERY_POINTS);
    load_checkpoint(t, &t->env.log_starts, LOGDIR_LOG_STARTS);
    load_checkpoint(t, &t->env.cleaned, LOGDIR_CLEANED);
    char *tails = logdir_path(&t->dir, LOGDIR_TAILS);
    tails_init(&t->env.tails);
    tails_load(&t->env.tails, tails);
    mem_free(tails);
    r = flusher_start(&t->env.flusher, o->dir, after_flush, t, e);
    if (r == E_OK)
        r = load_topics(t, e);
    if (r == E_OK)
        r = logdir_begin(&t->dir, e);
    if (r == E_OK && !t->dir.clean && t->count)
        recover_all(t);
    if (r == E_OK && (is_stale(t, &t->env.log_starts.offsets) || is_stale(t, &t->env.tails.of) ||
                      is_stale(t, &t->env.recovery_points.offsets)))
        r = topics_save_positions(t, e);
    if (r == E_OK && is_stale(t, &t->env.cleaned.offsets))
        r = topics_save_cleaned(t, e);
    if (r != E_OK) {
        if (t->env.flusher)
            flusher_stop(t->env.flusher);
        logdir_close(&t->dir, false);
        topics_free(t);
        return r;
    }
    *out = t;
    return E_OK;
}

/* --- closing ---------------------------------------------------------------------------------- */

/* True when everything is on the disk as the checkpoints say. */
static bool close_logs(struct topics *t)
{
    struct positions x;
    struct error e;
    bool clean = true;
    positions_init(&x);
    for (size_t i = 0; i < t->count; i++) {
        struct partition_set *set = topic_parts(t->sorted[i]);
        for (int32_t p = 0; p < set->count; p++) {
            int64_t point, start;
            if (partition_close(set->v[p], &point, &start, &e) != E_OK) {
                LOG_ERR(LOG_BROKER_LOG, LOG_L_WARN, &e, "closing partition %s-%d",
                        t->sorted[i]->name, p);
                clean = false;
            }
            note(&x, topic_name(t->sorted[i]), p, set->v[p], point, start);
        }
    }
    if (save(t, &x.starts, LOGDIR_LOG_STARTS, &e) != E_OK ||
        save(t, &x.recovery, LOGDIR_RECOVERY_POINTS, &e) != E_OK ||
        save(t, &x.recovery, LOGDIR_HIGH_WATERMARKS, &e) != E_OK || save_tails(t, &x, &e) != E_OK) {
        LOG_ERR(LOG_BROKER_LOG, LOG_L_WARN, &e, "writing checkpoints");
        clean = false;
    }
    positions_release(&x);
    return clean;
}

void topics_close(struct topics *t)
{
    if (!t)
        return;
    flusher_stop(t->env.flusher);
    logdir_close(&t->dir, close_logs(t));
    topics_free(t);
}
