/* broker/topic.c - see topic.h.
 *
 * Two locks: `change` serialises those who change the registry and may be held while the database
 * or the disk is waited for; `lock` (the rwlock) protects the maps and is held for moments only. A
 * topic is published in the maps when its rows and directories are there, and taken out of them
 * before they go.
 *
 * What readers use without a lock is immutable once published: a topic's set of partitions and its
 * values in force are replaced by new objects through an atomic pointer (release; acquire in the
 * readers), and the old ones stay until the topic is freed, since somebody may still look at them.
 *
 * Order of a creation: rows, directories, publication. Of a deletion: rows (the id is remembered as
 * deleted), maps, partitions marked, directories renamed, removal on the pool. After a kill in
 * between, topics_open makes missing directories and removes those of remembered ids. */
#include "broker/topic.h"

#include <stdlib.h>

#include "base/mem.h"
#include "broker/proto/kerr.h"
#include "broker/topic_internal.h"

/* --- small things ----------------------------------------------------------------------------- */

static struct slice id_slice(const struct uuid *id)
{
    return slice_of(id->b, sizeof id->b);
}

/* Names that differ in '.' and '_' only would share a metric name. */
static struct slice plain_name(struct slice name, char room[TOPIC_NAME_MAX])
{
    for (size_t i = 0; i < name.n; i++)
        room[i] = name.p[i] == '.' ? '_' : name.p[i];
    return slice_of(room, name.n);
}

bool topic_name_is_internal(struct slice name)
{
    return slice_eq(name, SL("__consumer_offsets")) || slice_eq(name, SL("__transaction_state")) ||
           slice_eq(name, SL("__share_group_state"));
}

enum err topic_name_check(struct slice name, struct error *e)
{
    if (name.n == 0)
        return kerr_error(e, E_INVALID, KERR_INVALID_TOPIC_EXCEPTION,
                          "Topic name is invalid: the empty string is not allowed");
    if (slice_eq(name, SL(".")) || slice_eq(name, SL("..")))
        return kerr_error(e, E_INVALID, KERR_INVALID_TOPIC_EXCEPTION,
                          "Topic name is invalid: '" PRI_SL "' is not allowed", ARG_SL(name));
    if (name.n > TOPIC_NAME_MAX)
        return kerr_error(e, E_INVALID, KERR_INVALID_TOPIC_EXCEPTION,
                          "Topic name is invalid: the length of '" PRI_SL
                          "' is longer than the max allowed length %d",
                          ARG_SL(slice_sub(name, 0, 900)), TOPIC_NAME_MAX);
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        if (!(c >= '0' && c <= '9') && !(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') &&
            c != '.' && c != '_' && c != '-')
            return kerr_error(e, E_INVALID, KERR_INVALID_TOPIC_EXCEPTION,
                              "Topic name is invalid: '" PRI_SL "' contains one or more characters "
                              "other than ASCII alphanumerics, '.', '_' and '-'",
                              ARG_SL(name));
    }
    if (slice_eq(name, SL("__cluster_metadata")))
        return kerr_error(e, E_INVALID, KERR_INVALID_REQUEST,
                          "Creation of internal topic __cluster_metadata is prohibited.");
    return E_OK;
}

/* --- one topic -------------------------------------------------------------------------------- */

struct topic *topic_ref(struct topic *t)
{
    atomic_fetch_add_explicit(&t->refs, 1, memory_order_relaxed);
    return t;
}

static void topic_free(struct topic *t)
{
    struct partition_set *set = atomic_load_explicit(&t->parts, memory_order_acquire);
    for (int32_t i = 0; set && i < set->count; i++)
        partition_free(set->v[i]);
    while (set) {
        struct partition_set *older = set->older;
        mem_free(set);
        set = older;
    }
    struct config_box *box = atomic_load_explicit(&t->config, memory_order_acquire);
    while (box) {
        struct config_box *older = box->older;
        mem_free(box);
        box = older;
    }
    strmap_release(&t->own);
    mem_free(t->name);
    mem_free(t);
}

void topic_unref(struct topic *t)
{
    if (t && atomic_fetch_sub_explicit(&t->refs, 1, memory_order_acq_rel) == 1)
        topic_free(t);
}

struct slice topic_name(const struct topic *t)
{
    return slice_cstr(t->name);
}

struct uuid topic_id(const struct topic *t)
{
    return t->id;
}

bool topic_is_internal(const struct topic *t)
{
    return t->internal;
}

int32_t topic_partition_count(const struct topic *t)
{
    return topic_parts(t)->count;
}

struct partition *topic_partition(struct topic *t, int32_t id)
{
    struct partition_set *set = topic_parts(t);
    return id >= 0 && id < set->count ? partition_ref(set->v[id]) : NULL;
}

const struct topic_config *topic_config(const struct topic *t)
{
    return &atomic_load_explicit(&t->config, memory_order_acquire)->config;
}

void topic_own_configs(struct topic *t, struct strmap *out)
{
    pthread_rwlock_rdlock(&t->owner->lock);
    strmap_copy(out, &t->own);
    pthread_rwlock_unlock(&t->owner->lock);
}

/* Values in force from `own`; `change` is held (or the topic is not published yet). */
void topic_compute_config(struct topic *t)
{
    struct config_box *box = xcalloc(1, sizeof *box);
    struct config_box *now = atomic_load_explicit(&t->config, memory_order_acquire);
    topic_config_compute(&box->config, &t->own, t->owner->options.broker_value,
                         t->owner->options.broker_value_arg);
    if (now && memcmp(&now->config, &box->config, sizeof box->config) == 0) {
        mem_free(box);
        return;
    }
    box->older = now;
    atomic_store_explicit(&t->config, box, memory_order_release);
}

/* Publishes a set of `count` partitions: those there are and new ones. fresh: made in this run. */
void topic_grow(struct topic *t, int32_t count, bool fresh)
{
    struct topics *all = t->owner;
    struct partition_set *now = topic_parts(t);
    int32_t have = now ? now->count : 0;
    struct partition_set *set = xcalloc(1, sizeof *set + (size_t)count * sizeof *set->v);
    set->older = now;
    set->count = count;
    for (int32_t i = 0; i < count; i++) {
        if (i < have) {
            set->v[i] = now->v[i];
            continue;
        }
        char *path = logdir_partition_path(&all->dir, topic_name(t), i);
        set->v[i] = partition_new(t, i, path, fresh, &all->env);
        mem_free(path);
    }
    atomic_store_explicit(&t->parts, set, memory_order_release);
    atomic_fetch_add_explicit(&all->partitions, (size_t)(count - have), memory_order_relaxed);
}

struct topic *topic_new(struct topics *all, const struct topic_row *row, bool fresh)
{
    struct topic *t = xcalloc(1, sizeof *t);
    t->refs = 1;
    t->owner = all;
    t->name = slice_dup(row->name);
    t->id = row->id;
    t->internal = topic_name_is_internal(row->name);
    strmap_copy(&t->own, &row->configs);
    topic_compute_config(t);
    topic_grow(t, row->partitions, fresh);
    return t;
}

/* --- maps (write lock held) ------------------------------------------------------------------- */

/* Position of name in `sorted`, or where it belongs. */
static size_t position_of(const struct topics *t, struct slice name)
{
    size_t low = 0, high = t->count;
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (slice_cmp(topic_name(t->sorted[mid]), name) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

void topics_publish(struct topics *t, struct topic *topic)
{
    char room[TOPIC_NAME_MAX];
    struct slice name = topic_name(topic);
    if (t->count == t->cap) {
        t->cap = t->cap ? t->cap * 2 : 16;
        t->sorted = xrealloc(t->sorted, t->cap * sizeof *t->sorted);
    }
    size_t at = position_of(t, name);
    memmove(t->sorted + at + 1, t->sorted + at, (t->count - at) * sizeof *t->sorted);
    t->sorted[at] = topic;
    t->count++;
    map_put(&t->by_name, name, topic);
    map_put(&t->by_plain, plain_name(name, room), topic);
    map_put(&t->by_id, id_slice(&topic->id), topic);
}

void topics_withdraw(struct topics *t, struct topic *topic)
{
    char room[TOPIC_NAME_MAX];
    struct slice name = topic_name(topic);
    size_t at = position_of(t, name);
    t->count--;
    memmove(t->sorted + at, t->sorted + at + 1, (t->count - at) * sizeof *t->sorted);
    map_del(&t->by_name, name);
    map_del(&t->by_plain, plain_name(name, room));
    map_del(&t->by_id, id_slice(&topic->id));
}

void topics_changed(struct topics *t)
{
    atomic_fetch_add_explicit(&t->generation, 1, memory_order_relaxed);
}

/* --- looking up ------------------------------------------------------------------------------- */

static struct topic *lookup(struct topics *t, const struct map *m, struct slice key)
{
    pthread_rwlock_rdlock(&t->lock);
    struct topic *found = map_get(m, key);
    if (found)
        topic_ref(found);
    pthread_rwlock_unlock(&t->lock);
    return found;
}

struct topic *topics_get(struct topics *t, struct slice name)
{
    return lookup(t, &t->by_name, name);
}

struct topic *topics_get_id(struct topics *t, const struct uuid *id)
{
    return lookup(t, &t->by_id, id_slice(id));
}

enum err topics_list(struct topics *t, struct arena *a, struct topic ***out, size_t *count)
{
    pthread_rwlock_rdlock(&t->lock);
    struct topic **v = arena_try_alloc(a, MAX(t->count, 1) * sizeof *v);
    *count = v ? t->count : 0;
    for (size_t i = 0; i < *count; i++)
        v[i] = topic_ref(t->sorted[i]);
    pthread_rwlock_unlock(&t->lock);
    *out = v;
    return v ? E_OK : E_NOMEM;
}

size_t topics_partition_count(const struct topics *t)
{
    return atomic_load_explicit(&t->partitions, memory_order_relaxed);
}

bool topics_was_clean(const struct topics *t)
{
    return t->env.clean;
}

const char *topics_cluster_id(const struct topics *t)
{
    return t->dir.cluster_id;
}

int64_t topics_generation(const struct topics *t)
{
    return atomic_load_explicit(&t->generation, memory_order_relaxed);
}

int64_t topics_bytes(struct topics *t)
{
    struct arena a;
    struct topic **v;
    size_t count;
    int64_t sum = 0;
    arena_init(&a, 0, ARENA_NO_BUDGET);
    if (topics_list(t, &a, &v, &count) != E_OK)
        count = 0;
    for (size_t i = 0; i < count; i++) {
        struct partition_set *set = topic_parts(v[i]);
        for (int32_t p = 0; p < set->count; p++) {
            int64_t bytes;
            int32_t segments;
            partition_size(set->v[p], &bytes, &segments);
            sum += bytes;
        }
        topic_unref(v[i]);
    }
    arena_release(&a);
    return sum;
}

enum err topics_check_new_name(struct topics *t, struct slice name, struct error *e)
{
    char room[TOPIC_NAME_MAX];
    enum err r = topic_name_check(name, e);
    if (r != E_OK)
        return r;
    struct topic *other = lookup(t, &t->by_plain, plain_name(name, room));
    if (!other)
        return E_OK;
    if (slice_eq(topic_name(other), name))
        r = kerr_error(e, E_EXISTS, KERR_TOPIC_ALREADY_EXISTS, "Topic '" PRI_SL "' already exists.",
                       ARG_SL(name));
    else
        r = kerr_error(e, E_INVALID, KERR_INVALID_TOPIC_EXCEPTION,
                       "Topic '" PRI_SL "' collides with existing topic: %s", ARG_SL(name),
                       other->name);
    topic_unref(other);
    return r;
}

/* --- counting --------------------------------------------------------------------------------- */

void topic_stat_add(struct topic *t, enum topic_stat what, int64_t n)
{
    atomic_fetch_add_explicit(&t->stats.v[what], n, memory_order_relaxed);
    atomic_fetch_add_explicit(&t->owner->stats.v[what], n, memory_order_relaxed);
}

int64_t topic_counted(const struct topic *t, enum topic_stat what)
{
    return atomic_load_explicit(&t->stats.v[what], memory_order_relaxed);
}

int64_t topics_counted(const struct topics *t, enum topic_stat what)
{
    return atomic_load_explicit(&t->stats.v[what], memory_order_relaxed);
}
