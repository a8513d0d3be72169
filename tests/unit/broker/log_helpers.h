/* tests/unit/broker/log_helpers.h - a registry of topics in a directory of its own, and batches to
 * put into its partitions. */
#ifndef WEIR_TESTS_UNIT_BROKER_LOG_HELPERS_H
#define WEIR_TESTS_UNIT_BROKER_LOG_HELPERS_H

#include "base/db.h"
#include "base/pool.h"
#include "base/strmap.h"
#include "broker/partition.h"
#include "broker/proto/batch.h"
#include "broker/topic.h"
#include "helpers.h"

struct log_world {
    char *dir; /* its own, new */
    struct topics_options options;
    struct db *db;
    struct pool *pool;
    struct topics *topics;
};
void world_init(struct log_world *w, const char *below); /* directory and options; starts nothing */
void world_start(struct log_world *w);
void world_shut(struct log_world *w); /* an orderly stop; world_start goes on */
void world_open(struct log_world *w, const char *below);
void world_reopen(struct log_world *w);
void world_close(struct log_world *w); /* the directory stays until the end of the run */
/* A copy of the directory as a kill -9 at this moment would leave it; not started. */
void world_killed(struct log_world *copy, const struct log_world *w);
void world_lose_db(struct log_world *w); /* stops, deletes the database, starts */
bool world_has(const struct log_world *w, const char *name);
void world_remove(const struct log_world *w, const char *name);
void world_copy_dir(const struct log_world *w, const char *from, const char *to);
char *world_path(const struct log_world *w, const char *name); /* caller frees */

/* New reference; fails the test and ends it when it cannot be made. */
struct topic *world_topic(struct log_world *w, const char *name, int partitions,
                          const struct strmap *configs);
/* Partition 0 of a new topic with "key=value key=value" settings; a reference. */
struct partition *world_partition(struct log_world *w, const char *name, const char *settings);

/* --- batches ---------------------------------------------------------------------------------- */
struct batch_spec {
    int count;           /* records; 0 = 1 */
    size_t value_bytes;  /* of each; 0 = a few */
    int64_t timestamp;   /* of the first; each next 1 ms later */
    int64_t producer_id; /* 0 = none */
    int16_t producer_epoch;
    int32_t sequence;
    bool transactional;
    enum codec codec;
    const char *value; /* text of every value, instead of value_bytes */
};
/* One batch into out (reset first). */
void make_batch(struct strbuf *out, const struct batch_spec *spec);
/* Transactional ones as if the coordinator had agreed. out may be NULL. */
int16_t append_batch(struct partition *p, const struct batch_spec *spec,
                     struct partition_appended *out);
/* One batch of `count` small records without a producer. */
int16_t append_records(struct partition *p, int count, struct partition_appended *out);
/* Reads everything from `from` on: checks that offsets go on without a hole, that every checksum is
 * right; returns the next offset, or -1 (and fails). */
int64_t read_all(struct partition *p, int64_t from);

/* setup and teardown of suites that provoke warnings and errors: not shown. */
int log_quiet(void);
int log_loud(void);

/* cp -a, for directories. */
void copy_tree(const char *from, const char *to);

#endif
