/* broker/producer_ids.h - producer ids that were never given out before.
 *
 * A block of ids is reserved in SQLite before any of it is handed out, so that neither a kill nor a
 * restart repeats one; what is left of a block at the end is lost. SPEC: broker 7.2. */
#ifndef WEIR_BROKER_PRODUCER_IDS_H
#define WEIR_BROKER_PRODUCER_IDS_H

#include "base/base.h"

#include <pthread.h>

#include "base/db.h"
#include "base/err.h"

struct producer_ids {
    pthread_mutex_t lock;
    struct db *db;
    int64_t next, end; /* what is left of the block */
};
void producer_ids_init(struct producer_ids *p, struct db *db);
void producer_ids_release(struct producer_ids *p);
/* E_AGAIN: the block is used up; producer_ids_reserve, then again. Thread: any; does not block. */
enum err producer_ids_take(struct producer_ids *p, int64_t *id) MUST_CHECK;
/* Reserves a block when none is left. Blocks on the db. Thread: any but loops. */
enum err producer_ids_reserve(struct producer_ids *p, struct error *e) MUST_CHECK;

#endif
