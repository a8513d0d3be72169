/* base/pool.h - a few threads for work that blocks: fsync, unlink, recovery, validation against a
 * database. Jobs with the same key run one after the other, in order. */
#ifndef WEIR_BASE_POOL_H
#define WEIR_BASE_POOL_H

#include "base/base.h"
#include "base/loop.h"

struct pool;
enum err pool_start(struct pool **out, const char *name, int threads, struct error *e) MUST_CHECK;
void pool_stop(struct pool *p); /* finishes what is queued, then ends */
/* Runs work(arg) on a pool thread, then done(arg) on `back` (when not NULL). key NULL: any order.
 */
void pool_submit(struct pool *p, const void *key, loop_fn work, struct loop *back, loop_fn done,
                 void *arg);

#endif
