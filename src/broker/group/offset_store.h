/* broker/group/offset_store.h - committed offsets: the view in memory and the rows in SQLite.
 *
 * Table group_offset (group_id, topic, partition) -> offset, leader epoch, metadata, commit time;
 * table group_meta: what of a group outlives its members; table group_members: the members of
 * stable groups. A commit is acknowledged after its SQLite
 * transaction; many commits that wait share one. The memory view follows the commit, in its order.
 *
 * struct offset_map belongs to a group, on the coordinator's loop. offset_job_* are built there and
 * given to the db thread. SPEC: broker 8.2. */
#ifndef WEIR_BROKER_GROUP_OFFSET_STORE_H
#define WEIR_BROKER_GROUP_OFFSET_STORE_H

#include "base/arena.h"
#include "base/base.h"
#include "base/db.h"
#include "base/err.h"
#include "base/map.h"
#include "base/str.h"

struct committed {
    int32_t partition;
    int32_t leader_epoch; /* -1 unknown */
    int64_t offset;
    int64_t commit_ms;
    char *metadata; /* owned; never NULL */
};
struct offset_topic {
    struct slice name;   /* owned */
    struct committed *v; /* sorted by partition */
    size_t count, cap;
};
struct offset_map {
    struct map topics; /* name -> struct offset_topic */
    size_t count;      /* of committed offsets */
};
void offset_map_init(struct offset_map *m);
void offset_map_release(struct offset_map *m);
const struct committed *offset_map_get(const struct offset_map *m, struct slice topic,
                                       int32_t partition);
void offset_map_put(struct offset_map *m, struct slice topic, int32_t partition, int64_t offset,
                    int32_t leader_epoch, struct slice metadata, int64_t commit_ms);
bool offset_map_del(struct offset_map *m, struct slice topic, int32_t partition);
/* Topics sorted by name, in the arena. */
struct offset_topic **offset_map_topics(const struct offset_map *m, struct arena *a, size_t *count);

/* A change of stored rows, for one group. Built on the coordinator's loop, run as a database job;
 * the coordinator applies it to memory when it is committed, then frees it. */
enum offset_job_kind {
    OFFSET_JOB_COMMIT,       /* entries */
    OFFSET_JOB_DELETE,       /* entries: topic and partition */
    OFFSET_JOB_DELETE_GROUP, /* everything of the group */
    OFFSET_JOB_META, /* protocol type, generation, empty since; members with `set_members` */
};
struct commit_entry {
    struct slice topic, metadata;
    int32_t partition, leader_epoch;
    int64_t offset, commit_ms;
};
struct offset_job {
    enum offset_job_kind kind;
    struct arena arena; /* everything below is in it */
    struct slice group;
    struct commit_entry *entries;
    size_t count, cap;
    struct slice protocol_type, kind_name; /* "classic", "consumer", "share" */
    int32_t generation;                    /* or group epoch */
    int64_t empty_since_ms;
    bool set_members;     /* store `members`, or forget them when there are none */
    struct slice members; /* group_store.h */
    void *owner, *call;   /* the coordinator's */
};
struct offset_job *offset_job_new(enum offset_job_kind kind, struct slice group);
void offset_job_add(struct offset_job *j, const struct commit_entry *e); /* copies */
void offset_job_free(struct offset_job *j);
enum err offset_job_run(struct db *d, void *job, struct error *e); /* a db_job_fn */
void offset_job_apply(const struct offset_job *j, struct offset_map *m);

/* Reads all rows at start. on_group first for each known group, then on_members and on_offset for each row. */
struct offset_load {
    void (*on_group)(void *arg, struct slice id, struct slice kind, struct slice protocol_type,
                     int32_t generation, int64_t empty_since_ms);
    void (*on_members)(void *arg, struct slice id, struct slice members);
    void (*on_offset)(void *arg, struct slice group, const struct commit_entry *e);
    void *arg;
};
enum err offset_store_load(struct db *d, const struct offset_load *load,
                           struct error *e) MUST_CHECK;

/* The broker's own tables (these and broker_meta). */
extern const struct db_migrations broker_state_migrations;

#endif
