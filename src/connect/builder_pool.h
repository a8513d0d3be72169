/* connect/builder_pool.h - batch builders that a producer lends to the partitions it writes to, so
 * that its memory follows what is pending and not how many partitions there are. Thread: the owner's. */
#ifndef WEIR_CONNECT_BUILDER_POOL_H
#define WEIR_CONNECT_BUILDER_POOL_H

#include "base/base.h"
#include "base/compress.h"

struct batch_builder;
enum { BUILDER_POOL_KEPT = 8 };
struct builder_pool {
    enum codec codec; /* of all of them; set before the first one is taken */
    struct batch_builder *kept[BUILDER_POOL_KEPT];
    size_t count;
};
/* An empty one; owned by the caller until it is given back or freed. */
struct batch_builder *builder_pool_take(struct builder_pool *p);
void builder_pool_give(struct builder_pool *p, struct batch_builder *b); /* NULL allowed */
void builder_pool_release(struct builder_pool *p);
void builder_free(struct batch_builder *b); /* NULL allowed */

#endif
