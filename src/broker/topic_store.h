/* broker/topic_store.h - the registry's tables in SQLite: which topics there are, and what they
 * were configured with. Used by topic.c alone; calls block on the database, so no loop may make
 * them.
 *
 *   topics          name, id (16 bytes), number of partitions
 *   topic_configs   explicit settings only: what is absent follows the broker
 *   topic_placements  which brokers have the partitions, when there are several (brokers.h)
 *   topics_deleted  ids whose directories may still be there after a crash */
#ifndef WEIR_BROKER_TOPIC_STORE_H
#define WEIR_BROKER_TOPIC_STORE_H

#include "base/bytes.h"
#include "base/db.h"
#include "base/err.h"
#include "base/strmap.h"

struct topic_row {
    struct slice name; /* owned when it comes from topic_store_load */
    struct uuid id;
    int32_t partitions;
    struct strmap configs;
    struct slice placement; /* of all partitions as placement_print writes it; null: not placed */
};
struct topic_rows {
    struct topic_row *v; /* sorted by name */
    size_t count, cap;
    struct map by_name;   /* struct topic_row * into v; only after loading */
    struct uuid *deleted; /* ids of topics_deleted */
    size_t deleted_count;
};

/* Everything; *out is initialised here also when it fails. */
enum err topic_store_load(struct db *db, struct topic_rows *out, struct error *e) MUST_CHECK;
void topic_rows_release(struct topic_rows *r);

enum err topic_store_insert(struct db *db, const struct topic_row *row, struct error *e) MUST_CHECK;
/* Removes the topic and remembers its id as deleted. */
enum err topic_store_delete(struct db *db, const struct topic_row *row, struct error *e) MUST_CHECK;
enum err topic_store_set_partitions(struct db *db, const struct topic_row *row,
                                    struct error *e) MUST_CHECK;
/* Replaces the placements of topics (id and placement of each row are read): all or none. */
enum err topic_store_set_placements(struct db *db, const struct topic_row *rows, size_t count,
                                    struct error *e) MUST_CHECK;
/* Replaces the settings by row->configs. */
enum err topic_store_set_configs(struct db *db, const struct topic_row *row,
                                 struct error *e) MUST_CHECK;
/* No directory of a deleted topic is left. */
enum err topic_store_forget_deleted(struct db *db, struct error *e) MUST_CHECK;

#endif
