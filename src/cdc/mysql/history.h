/* cdc/mysql/history.h - what the structure of the tables was when: the truth in SQLite, a copy on
 * the topic that the configuration names.
 *
 * A record is stored before the stream's offset moves beyond its statement. Recovery replays the
 * records at or before the stored offset. SPEC: cdc-mysql 5.10, 7.5. Thread: the task's. */
#ifndef WEIR_CDC_MYSQL_HISTORY_H
#define WEIR_CDC_MYSQL_HISTORY_H

#include <stdatomic.h>

#include "base/base.h"
#include "base/db.h"
#include "cdc/capture_texts.h"
#include "cdc/mysql/offset.h"
#include "cdc/mysql/schema.h"
#include "connect/kclient.h"

extern const struct db_migrations mysql_migrations;

enum history_status { HISTORY_STOPPED, HISTORY_RECOVERING, HISTORY_RUNNING };
struct history {
    struct db *db;
    struct kclient *kclient;
    struct kproducer *producer; /* NULL: no topic, or not opened yet */
    char *connector;            /* key of the rows */
    char *server;               /* topic.prefix */
    char *topic;                /* NULL: none */
    bool mariadb, comments;
    struct capture_texts *texts; /* borrowed; NULL: nothing is shown */
    /* For metrics: relaxed. Wall clock; 0: never. */
    _Atomic int status; /* enum history_status */
    _Atomic uint64_t recovered, applied;
    _Atomic int64_t recovery_ms, last_recovered_ms, last_applied_ms;
};
void history_init(struct history *h, struct db *db, struct kclient *k, const char *connector,
                  struct slice server, struct slice topic);
void history_release(struct history *h);
/* Creates the topic when there is none. */
enum err history_open(struct history *h, struct error *e) MUST_CHECK;

struct history_record {
    const struct mysql_offset *at;
    struct slice db;
    struct slice ddl;
    struct slice changes;      /* tableChanges as on the topic */
    struct slice changes_weir; /* with weir's own member; null: the same */
};
/* Stores, in order, in one SQLite transaction; then writes the topic. replace: older records of
 * this connector go first (a new snapshot). */
enum err history_store(struct history *h, const struct history_record *records, size_t count,
                       bool replace, struct error *e) MUST_CHECK;
/* Replays into `schema` all records up to `offset`; *count tells how many there were. Without own
 * records the topic is read (a history written by Debezium). */
enum err history_recover(struct history *h, struct mysql_schema *schema,
                         const struct mysql_offset *offset, size_t *count,
                         struct error *e) MUST_CHECK;
/* For connector_ops.forget: inside a database job. */
enum err history_forget(struct db *d, const char *connector, struct error *e);

#endif
