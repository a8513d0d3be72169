/* broker/topic_change.c - what changes the registry: creating, deleting, growing, settings. See
 * topic.h for the calls, topic.c for the order of steps.
 *
 * Every function takes `change` for its whole run, which may wait for the database and the disk. */
#include "base/log.h"
#include "base/mem.h"
#include "broker/proto/kerr.h"
#include "broker/topic_internal.h"

/* --- placements ------------------------------------------------------------------------------- */

/* Puts in force what has been stored: partitions from .. from+count-1. */
static void place(struct topic *topic, int32_t from, struct placement *v, int32_t count)
{
    for (int32_t i = 0; i < count; i++) {
        struct partition *p = topic_partition(topic, from + i);
        struct error e;
        if (p && partition_place(p, &v[i], &e) != E_OK)
            LOG_ERR(LOG_BROKER_LOG, LOG_L_WARN, &e, "leader epoch of " PRI_SL "-%d",
                    ARG_SL(topic_name(topic)), from + i);
        partition_unref(p);
    }
}

enum err topics_move(struct topics *t, const struct topic_move *moves, size_t count,
                     struct error *e)
{
    struct topic_row *rows = xcalloc(count + 1, sizeof *rows);
    struct strbuf *texts = xcalloc(count + 1, sizeof *texts);
    pthread_mutex_lock(&t->change);
    for (size_t i = 0; i < count; i++) {
        strbuf_init(&texts[i], 0);
        placement_print(moves[i].placements, moves[i].count, &texts[i]);
        struct topic *now = topics_get_id(t, &moves[i].topic->id);
        rows[i].id = moves[i].topic->id;
        if (now) /* a topic that is gone meanwhile leaves no row */
            rows[i].placement = strbuf_slice(&texts[i]);
        topic_unref(now);
    }
    enum err r = topic_store_set_placements(t->db, rows, count, e);
    for (size_t i = 0; i < count; i++) {
        if (r == E_OK)
            place(moves[i].topic, 0, moves[i].placements, moves[i].count);
        strbuf_release(&texts[i]);
    }
    if (r == E_OK)
        topics_changed(t);
    pthread_mutex_unlock(&t->change);
    mem_free(texts);
    mem_free(rows);
    return r;
}

/* --- creating --------------------------------------------------------------------------------- */

/* Checks every text and how they go together. *out: without options that are accepted and ignored.
 */
static enum err check_configs(const struct strmap *given, struct strmap *out, struct topics *t,
                              struct error *e)
{
    struct topic_config c;
    strmap_init(out);
    for (size_t i = 0; given && i < given->count; i++) {
        const struct strmap_entry *x = &given->entries[i];
        if (slice_is_null(x->value))
            return kerr_error(e, E_INVALID, KERR_INVALID_CONFIG,
                              "Null value not supported for topic configs: " PRI_SL,
                              ARG_SL(x->key));
        enum err r = topic_option_check(x->key, x->value, e);
        if (r != E_OK)
            return r;
        if (!topic_option_is_ignored(x->key))
            strmap_set(out, x->key, slice_trim(x->value));
    }
    topic_config_compute(&c, out, t->options.broker_value, t->options.broker_value_arg);
    if (c.min_compaction_lag_ms > c.max_compaction_lag_ms)
        return kerr_error(e, E_INVALID, KERR_INVALID_CONFIG,
                          "conflict topic config setting min.compaction.lag.ms (%lld) > "
                          "max.compaction.lag.ms (%lld)",
                          (long long)c.min_compaction_lag_ms, (long long)c.max_compaction_lag_ms);
    return E_OK;
}

static enum err check_room(struct topics *t, int64_t more, struct error *e)
{
    int64_t now = (int64_t)topics_partition_count(t), limit = t->options.max_partitions;
    if (limit > 0 && now + more > limit)
        return kerr_error(e, E_INVALID, KERR_INVALID_PARTITIONS,
                          "%lld more partitions would make %lld in all; max.partitions is %lld",
                          (long long)more, (long long)(now + more), (long long)limit);
    return E_OK;
}

/* Directories of partitions from..to-1; on failure those made are removed again. */
static enum err make_dirs(struct topics *t, struct slice name, const struct uuid *id, int32_t from,
                          int32_t to, struct error *e)
{
    enum err r = E_OK;
    int32_t i;
    for (i = from; r == E_OK && i < to; i++) {
        char *path = logdir_partition_path(&t->dir, name, i);
        r = partition_make_dir(path, id, e);
        mem_free(path);
    }
    while (r != E_OK && i-- > from) {
        char *path = logdir_partition_path(&t->dir, name, i);
        if (fs_remove_tree(path, NULL) != E_OK)
            LOG_WARN(LOG_BROKER_LOG, "%s stays on disk", path);
        mem_free(path);
    }
    return r;
}

static enum err create_locked(struct topics *t, struct topic_row *row, struct error *e)
{
    uuid_random(&row->id);
    enum err r = topic_store_insert(t->db, row, e);
    if (r != E_OK)
        return r;
    r = make_dirs(t, row->name, &row->id, 0, row->partitions, e);
    if (r != E_OK && topic_store_delete(t->db, row, NULL) != E_OK)
        LOG_WARN(LOG_BROKER_LOG,
                 "topic " PRI_SL " was made by half; it will be there, empty, "
                 "at the next start",
                 ARG_SL(row->name));
    return r;
}

enum err topics_create(struct topics *t, const struct topic_spec *spec, bool validate_only,
                       struct topic **out, struct error *e)
{
    struct topic_row row = {.name = spec->name, .partitions = spec->partitions};
    struct topic *made = NULL;
    struct strbuf placement = STRBUF_INIT;
    if (spec->placements) {
        placement_print(spec->placements, spec->partitions, &placement);
        row.placement = strbuf_slice(&placement);
    }
    pthread_mutex_lock(&t->change);
    enum err r = topics_check_new_name(t, spec->name, e);
    if (r == E_OK && spec->partitions <= 0)
        r = kerr_error(e, E_INVALID, KERR_INVALID_PARTITIONS,
                       "Number of partitions was set to an invalid non-positive value.");
    if (r == E_OK)
        r = check_room(t, spec->partitions, e);
    strmap_init(&row.configs);
    if (r == E_OK)
        r = check_configs(spec->configs, &row.configs, t, e);
    if (r == E_OK && !validate_only)
        r = create_locked(t, &row, e);
    if (r == E_OK && !validate_only) {
        made = topic_new(t, &row, true);
        if (spec->placements)
            place(made, 0, spec->placements, spec->partitions);
        if (out)
            topic_ref(made);
        pthread_rwlock_wrlock(&t->lock);
        topics_publish(t, made);
        pthread_rwlock_unlock(&t->lock);
        topics_changed(t);
    }
    pthread_mutex_unlock(&t->change);
    strmap_release(&row.configs);
    strbuf_release(&placement);
    if (out)
        *out = made;
    return r;
}

/* --- other changes ---------------------------------------------------------------------------- */

static enum err unknown_topic(struct error *e)
{
    return kerr_error(e, E_NOT_FOUND, KERR_UNKNOWN_TOPIC_OR_PARTITION, "%s",
                      kerr_message(KERR_UNKNOWN_TOPIC_OR_PARTITION));
}

void topics_remove_tree(void *arg)
{
    char *path = arg;
    struct error e;
    if (fs_remove_tree(path, &e) != E_OK)
        LOG_ERR(LOG_BROKER_LOG, LOG_L_WARN, &e, "a deleted partition stays on disk");
    mem_free(path);
}

/* The name is free at once; the files go on the pool. Readers keep what they have open. */
void topics_discard_dir(struct topics *t, const char *path, struct slice name, int32_t partition)
{
    char *gone = logdir_deleted_path(&t->dir, name, partition);
    struct error e;
    if (fs_rename(path, gone, &e) != E_OK && fs_exists(path)) {
        LOG_ERR(LOG_BROKER_LOG, LOG_L_WARN, &e, "deleting a partition");
        mem_free(gone);
        gone = xstrdup(path); /* slower, but the name must be free */
        topics_remove_tree(gone);
        return;
    }
    pool_submit(t->pool, NULL, topics_remove_tree, NULL, NULL, gone);
}

enum err topics_delete(struct topics *t, struct slice name, struct error *e)
{
    enum err r = E_OK;
    pthread_mutex_lock(&t->change);
    struct topic *topic = topics_get(t, name);
    struct topic_row row = {.name = name};
    if (topic) {
        row.id = topic->id;
        r = topic_store_delete(t->db, &row, e);
    } else {
        r = unknown_topic(e);
    }
    if (r == E_OK) {
        struct partition_set *set = topic_parts(topic);
        pthread_rwlock_wrlock(&t->lock);
        topics_withdraw(t, topic);
        pthread_rwlock_unlock(&t->lock);
        atomic_fetch_sub_explicit(&t->partitions, (size_t)set->count, memory_order_relaxed);
        topics_changed(t);
        struct error why; /* a new topic of this name must not meet the old one's lines */
        if (topics_save_positions(t, &why) != E_OK || topics_save_cleaned(t, &why) != E_OK)
            LOG_ERR(LOG_BROKER_LOG, LOG_L_WARN, &why, "checkpoints after a deletion");
        for (int32_t i = 0; i < set->count; i++) {
            char *path = logdir_partition_path(&t->dir, name, i);
            partition_mark_deleted(set->v[i]);
            topics_discard_dir(t, path, name, i);
            mem_free(path);
        }
        topic_unref(topic); /* the registry's */
    }
    topic_unref(topic);
    pthread_mutex_unlock(&t->change);
    return r;
}

static enum err check_more(struct topics *t, const struct topic *topic, int32_t total,
                           struct error *e)
{
    int32_t now = topic_partition_count(topic);
    if (total == now)
        return kerr_error(e, E_INVALID, KERR_INVALID_PARTITIONS,
                          "Topic already has %d partition(s).", now);
    if (total < now)
        return kerr_error(
            e, E_INVALID, KERR_INVALID_PARTITIONS,
            "The topic %s currently has %d partition(s); %d would not be an increase.", topic->name,
            now, total);
    return check_room(t, (int64_t)total - now, e);
}

/* Text of all placements: those there are and the further ones. */
static void print_grown(struct topic *topic, const struct placement *added, int32_t more,
                        struct strbuf *out)
{
    for (int32_t i = 0; i < topic_partition_count(topic); i++) {
        struct placement now;
        struct partition *p = topic_partition(topic, i);
        partition_placement(p, &now);
        partition_unref(p);
        placement_print(&now, 1, out);
        strbuf_addc(out, ';');
    }
    placement_print(added, more, out);
}

enum err topics_add_partitions(struct topics *t, struct slice name, int32_t total,
                               struct placement *added, bool validate_only, struct error *e)
{
    struct strbuf placement = STRBUF_INIT;
    pthread_mutex_lock(&t->change);
    struct topic *topic = topics_get(t, name);
    enum err r = topic ? check_more(t, topic, total, e) : unknown_topic(e);
    if (topic && r == E_OK && !validate_only) {
        int32_t have = topic_partition_count(topic);
        struct topic_row row = {.name = name, .id = topic->id, .partitions = total};
        if (added) {
            print_grown(topic, added, total - have, &placement);
            row.placement = strbuf_slice(&placement);
        }
        r = make_dirs(t, name, &topic->id, have, total, e);
        if (r == E_OK)
            r = topic_store_set_partitions(t->db, &row, e);
        if (r == E_OK) {
            topic_grow(topic, total, true);
            if (added)
                place(topic, have, added, total - have);
            topics_changed(t);
        }
    }
    topic_unref(topic);
    pthread_mutex_unlock(&t->change);
    strbuf_release(&placement);
    return r;
}

enum err topics_set_configs(struct topics *t, struct slice name, const struct strmap *configs,
                            struct error *e)
{
    pthread_mutex_lock(&t->change);
    struct topic *topic = topics_get(t, name);
    struct topic_row row = {.name = name, .configs = STRMAP_INIT};
    enum err r = topic ? check_configs(configs, &row.configs, t, e) : unknown_topic(e);
    if (r == E_OK)
        r = topic_store_set_configs(t->db, &row, e);
    if (r == E_OK) {
        pthread_rwlock_wrlock(&t->lock);
        struct strmap before = topic->own;
        topic->own = row.configs;
        row.configs = before;
        pthread_rwlock_unlock(&t->lock);
        topic_compute_config(topic);
        topics_changed(t);
    }
    strmap_release(&row.configs);
    topic_unref(topic);
    pthread_mutex_unlock(&t->change);
    return r;
}

void topics_refresh_configs(struct topics *t)
{
    pthread_mutex_lock(&t->change); /* keeps `sorted` and each `own` as they are */
    for (size_t i = 0; i < t->count; i++)
        topic_compute_config(t->sorted[i]);
    topics_changed(t);
    pthread_mutex_unlock(&t->change);
}
