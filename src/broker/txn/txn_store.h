/* broker/txn/txn_store.h - transactions in SQLite: what a coordinator must know after a restart.
 *
 *   txn            one row per transactional id: struct txn_facts
 *   txn_partition  the partitions of its transaction. Rows stay when it is complete, until the next
 *                  one begins: after a power cut markers may be missing that were written
 *   txn_group      groups whose offsets are part of it
 *   txn_offset     offsets that become the group's with the commit
 *
 * Jobs are built on the coordinator's loop and run as database jobs; each is one step, all or
 * nothing. SPEC: broker 7.3. */
#ifndef WEIR_BROKER_TXN_TXN_STORE_H
#define WEIR_BROKER_TXN_TXN_STORE_H

#include "base/arena.h"
#include "base/base.h"
#include "base/db.h"
#include "base/err.h"
#include "broker/group/offset_store.h"
#include "broker/txn/txn.h"

struct txn_part {
    struct slice topic;
    int32_t partition;
};
struct txn_group_offset {
    struct slice group;
    struct commit_entry entry;
};
enum txn_publish {
    TXN_PUBLISH_NOTHING, /* the transaction goes on */
    TXN_PUBLISH_OFFSETS, /* its offsets become the groups' (where these are not newer) and go */
    TXN_DROP_OFFSETS,
};
struct txn_job {
    struct arena arena; /* everything below is in it */
    struct slice id;
    struct txn_facts facts;
    bool begins;            /* rows of the last transaction go first */
    bool removes;           /* everything of the id goes, nothing else is done */
    struct txn_part *parts; /* to add */
    size_t part_count;
    struct slice group;           /* to add; null: none */
    struct commit_entry *offsets; /* to add for `group` */
    size_t offset_count;
    enum txn_publish publish;
    void *owner; /* the coordinator's */
};
struct txn_job *txn_job_new(struct slice id, const struct txn_facts *facts);
void txn_job_free(struct txn_job *j);
enum err txn_job_run(struct db *d, void *job, struct error *e); /* a db_job_fn */

/* A deleted topic leaves every transaction. arg: struct txn_topic_job. A db_job_fn. */
struct txn_topic_job {
    char *topic;
};
enum err txn_topic_job_run(struct db *d, void *arg, struct error *e);

/* Reads all rows: each id first, then what belongs to it. Thread: any but loops. */
struct txn_load {
    void (*on_txn)(void *arg, struct slice id, const struct txn_facts *f);
    void (*on_part)(void *arg, struct slice id, const struct txn_part *p);
    void (*on_group)(void *arg, struct slice id, struct slice group);
    void (*on_offset)(void *arg, struct slice id, const struct txn_group_offset *o);
    void *arg;
};
enum err txn_store_load(struct db *d, const struct txn_load *load, struct error *e) MUST_CHECK;

extern const struct db_migrations txn_migrations; /* module "transactions" */

#endif
