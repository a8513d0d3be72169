/* connect/builder_pool.c - see the header. A builder keeps its room; big ones are not kept. */
#include "connect/builder_pool.h"

#include "base/mem.h"
#include "broker/proto/batch.h"

#define KEPT_BYTES ((size_t)2 << 20)

void builder_free(struct batch_builder *b)
{
    if (!b)
        return;
    batch_builder_release(b);
    mem_free(b);
}

struct batch_builder *builder_pool_take(struct builder_pool *p)
{
    if (p->count)
        return p->kept[--p->count];
    struct batch_builder *b = xmalloc(sizeof *b);
    batch_builder_init(b, p->codec, CODEC_LEVEL_DEFAULT, 0);
    return b;
}

void builder_pool_give(struct builder_pool *p, struct batch_builder *b)
{
    if (!b)
        return;
    batch_builder_reset(b);
    if (p->count < BUILDER_POOL_KEPT && b->plain.cap + b->packed.cap <= KEPT_BYTES)
        p->kept[p->count++] = b;
    else
        builder_free(b);
}

void builder_pool_release(struct builder_pool *p)
{
    while (p->count)
        builder_free(p->kept[--p->count]);
}
