/* cdc/snapshot_queue.c - the queue and its text, which is one string because connectors' offsets
 * hold no nested values. */
#include "cdc/snapshot_queue.h"

#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"

#define MEMBER "blocking_snapshots"

void snapshot_queue_init(struct snapshot_queue *q)
{
    memset(q, 0, sizeof *q);
    arena_init(&q->arena, 4096, ARENA_NO_BUDGET);
}

void snapshot_queue_release(struct snapshot_queue *q)
{
    snapshot_queue_clear(q);
    mem_free(q->items);
    arena_release(&q->arena);
}

static void add_text(struct snapshot_queue *q, struct slice signal)
{
    q->items = xrealloc(q->items, (q->count + 1) * sizeof *q->items);
    q->items[q->count++] = slice_dup(signal);
    q->changed = true;
}

void snapshot_queue_add(struct snapshot_queue *q, const struct signal *s)
{
    struct strbuf text = STRBUF_INIT;
    signal_to_json(s, &text);
    add_text(q, strbuf_slice(&text));
    strbuf_release(&text);
}

enum err snapshot_queue_first(struct snapshot_queue *q, struct error *e)
{
    struct signal s;
    arena_reset(&q->arena);
    enum err rc = signal_from_json(slice_cstr(q->items[0]), &q->arena, &s, e);
    if (rc == E_OK && signal_parse(&s, &q->arena, &q->request))
        rc = error_set(e, E_INVALID, "the stored signal is none");
    return rc;
}

void snapshot_queue_ending(struct snapshot_queue *q, bool ending)
{
    q->ending = ending && q->count;
}

void snapshot_queue_done(struct snapshot_queue *q)
{
    q->ending = false;
    if (!q->count)
        return;
    mem_free(q->items[0]);
    q->count--;
    memmove(q->items, q->items + 1, q->count * sizeof *q->items);
    q->changed = true;
}

void snapshot_queue_clear(struct snapshot_queue *q)
{
    while (q->count)
        snapshot_queue_done(q);
}

void snapshot_queue_print(const struct snapshot_queue *q, struct strbuf *out)
{
    struct strbuf list = STRBUF_INIT;
    size_t first = q->ending ? 1 : 0;
    if (q->count <= first)
        return;
    for (size_t i = first; i < q->count; i++)
        strbuf_addf(&list, "%s%s", i > first ? "," : "[", q->items[i]);
    strbuf_addc(&list, ']');
    strbuf_adds(out, ",\"" MEMBER "\":");
    json_add_string(out, strbuf_slice(&list));
    strbuf_release(&list);
}

void snapshot_queue_restore(struct snapshot_queue *q, const json_t *offset)
{
    json_t *list = NULL;
    struct slice text = json_get_str(offset, MEMBER);
    if (q->count || !text.n || json_load_slice(text, &list, NULL))
        return;
    for (size_t i = 0; i < json_array_size(list); i++) {
        struct strbuf one = STRBUF_INIT;
        json_dump_add(&one, json_array_get(list, i));
        add_text(q, strbuf_slice(&one));
        strbuf_release(&one);
    }
    if (q->count)
        LOG_INFO(LOG_CDC, "A blocking snapshot was cut off; it is taken from its beginning");
    json_decref(list);
}
