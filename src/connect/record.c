/* connect/record.c - record batches; see the header. Records and offsets are plain arrays that keep
 * their room from batch to batch; what they point to is in the arena. */
#include "connect/record.h"

#include "base/mem.h"

#define TEXT_MAX ((size_t)1 << 30)

void record_batch_init(struct record_batch *b, size_t budget_bytes)
{
    memset(b, 0, sizeof *b);
    arena_init(&b->arena, 64 << 10, budget_bytes ? budget_bytes : ARENA_NO_BUDGET);
    strbuf_init(&b->text, TEXT_MAX);
}

void record_batch_release(struct record_batch *b)
{
    arena_release(&b->arena);
    strbuf_release(&b->text);
    mem_free(b->records);
    mem_free(b->offsets);
    memset(b, 0, sizeof *b);
}

void record_batch_reset(struct record_batch *b)
{
    arena_reset(&b->arena);
    if (b->text.cap > RECORD_TEXT_KEPT)
        strbuf_release(&b->text);
    strbuf_reset(&b->text);
    b->count = b->offsets_count = b->bytes = 0;
    b->unrepeatable = false;
}

/* Room for one more element; false without memory. */
static bool make_room(void **items, size_t count, size_t *cap, size_t size)
{
    if (count < *cap)
        return true;
    size_t more = *cap ? *cap * 2 : 64;
    void *p = try_realloc(*items, more * size);
    if (!p)
        return false;
    *items = p;
    *cap = more;
    return true;
}

struct record *record_batch_add(struct record_batch *b)
{
    void *items = b->records;
    bool ok = make_room(&items, b->count, &b->cap, sizeof *b->records);
    b->records = items;
    if (!ok)
        return NULL;
    struct record *r = &b->records[b->count++];
    memset(r, 0, sizeof *r);
    r->partition = RECORD_NO_PARTITION;
    r->timestamp_ms = RECORD_NO_TIMESTAMP;
    r->kafka_offset = -1;
    r->offset_index = b->offsets_count ? (uint32_t)(b->offsets_count - 1) : 0;
    return r;
}

enum err record_batch_offset(struct record_batch *b, struct slice partition, struct slice offset)
{
    void *items = b->offsets;
    bool ok = make_room(&items, b->offsets_count, &b->offsets_cap, sizeof *b->offsets);
    b->offsets = items;
    if (!ok)
        return E_NOMEM;
    struct record_offset *o = &b->offsets[b->offsets_count];
    o->partition = arena_dup(&b->arena, partition);
    o->offset = arena_dup(&b->arena, offset);
    if ((partition.p && !o->partition.p) || (offset.p && !o->offset.p))
        return E_NOMEM;
    b->offsets_count++;
    return E_OK;
}

static void drop_schema(void *arg)
{
    schema_unref(arg);
}

void record_batch_keep(struct record_batch *b, const struct schema *s)
{
    schema_ref(s);
    arena_on_release(&b->arena, drop_schema, (void *)(uintptr_t)s);
}
