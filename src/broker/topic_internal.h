/* broker/topic_internal.h - the inside of the registry, for topic*.c alone. See topic.c for the
 * locks. */
#ifndef WEIR_BROKER_TOPIC_INTERNAL_H
#define WEIR_BROKER_TOPIC_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/map.h"
#include "broker/log/logdir.h"
#include "broker/partition_life.h"
#include "broker/topic.h"
#include "broker/topic_stats.h"
#include "broker/topic_store.h"

#define TOPIC_NAME_MAX 249

/* Partitions of a topic; replaced as a whole. */
struct partition_set {
    struct partition_set *older;
    int32_t count;
    struct partition *v[];
};

struct config_box {
    struct topic_config config;
    struct config_box *older;
};

struct topic {
    _Atomic int refs;
    struct topics *owner;
    char *name;
    struct uuid id;
    bool internal;
    struct strmap own;                     /* owner's rwlock */
    _Atomic(struct partition_set *) parts; /* the newest; `older` ones hold no other partitions */
    _Atomic(struct config_box *) config;
    struct topic_stats stats;
};

struct topics {
    struct topics_options options;
    struct db *db;
    struct pool *pool;
    struct logdir dir;
    struct partition_env env;
    pthread_mutex_t change;
    pthread_rwlock_t lock;
    struct map by_name, by_plain, by_id; /* by_plain: '.' written as '_', for collisions */
    struct topic **sorted;               /* by name */
    size_t count, cap;
    _Atomic int64_t generation; /* relaxed: whoever sees it grow looks again under the lock */
    _Atomic size_t partitions;  /* relaxed; a number to show and to compare with a limit */
    pthread_mutex_t save;       /* one writer of the checkpoint files; innermost but `lock` */
    struct topic_stats stats;   /* of all, those that are gone included */
    int64_t saved_ms;           /* the flusher's: when checkpoints were last written */
};

static inline struct partition_set *topic_parts(const struct topic *t)
{
    return atomic_load_explicit(&t->parts, memory_order_acquire);
}
/* Not published yet. fresh: its directories were made in this run. */
struct topic *topic_new(struct topics *all, const struct topic_row *row, bool fresh);
/* Publishes a set of `count` partitions: those there are and new ones. `change` is held. */
void topic_grow(struct topic *t, int32_t count, bool fresh);
/* Values in force from t->own. `change` is held, or t is not published yet. */
void topic_compute_config(struct topic *t);

/* The lock is held for writing (or nobody else is there yet). */
void topics_publish(struct topics *t, struct topic *topic);
void topics_withdraw(struct topics *t, struct topic *topic);
void topics_changed(struct topics *t); /* the generation grows */
/* 17, 36, 42. */
enum err topics_check_new_name(struct topics *t, struct slice name, struct error *e) MUST_CHECK;

/* Frees the name of a partition's directory at once; its files go on the pool. */
void topics_discard_dir(struct topics *t, const char *path, struct slice name, int32_t partition);
/* What is to be removed, as a pool job; takes the path. */
void topics_remove_tree(void *path);
/* Recovery points and log starts of all partitions into their files. */
enum err topics_save_positions(struct topics *t, struct error *e) MUST_CHECK;
/* How far compaction has come, likewise. */
enum err topics_save_cleaned(struct topics *t, struct error *e) MUST_CHECK;

#endif
