/* cdc/scan_counts.c - see scan_counts.h. */
#include "cdc/scan_counts.h"

#include "base/mem.h"

struct scan_count {
    char *id;
    uint64_t rows;
};

void scan_counts_init(struct scan_counts *c)
{
    memset(c, 0, sizeof *c);
    pthread_mutex_init(&c->lock, NULL);
    map_init(&c->by_id);
}

void scan_counts_clear(struct scan_counts *c)
{
    pthread_mutex_lock(&c->lock);
    for (size_t i = 0; i < c->count; i++) {
        mem_free(c->items[i]->id);
        mem_free(c->items[i]);
    }
    c->count = 0;
    map_release(&c->by_id, NULL);
    map_init(&c->by_id);
    pthread_mutex_unlock(&c->lock);
}

void scan_counts_release(struct scan_counts *c)
{
    scan_counts_clear(c);
    map_release(&c->by_id, NULL);
    mem_free(c->items);
    pthread_mutex_destroy(&c->lock);
}

void scan_counts_set(struct scan_counts *c, struct slice id, uint64_t rows)
{
    pthread_mutex_lock(&c->lock);
    struct scan_count *one = map_get(&c->by_id, id);
    if (!one) {
        one = xcalloc(1, sizeof *one);
        one->id = slice_dup(id);
        (void)map_put(&c->by_id, id, one);
        if (c->count == c->cap) {
            c->cap = c->cap ? 2 * c->cap : 16;
            c->items = xrealloc(c->items, c->cap * sizeof(void *));
        }
        c->items[c->count++] = one;
    }
    one->rows = rows;
    pthread_mutex_unlock(&c->lock);
}

void scan_counts_each(struct scan_counts *c, scan_count_fn fn, void *arg)
{
    pthread_mutex_lock(&c->lock);
    for (size_t i = 0; i < c->count; i++)
        fn(slice_cstr(c->items[i]->id), c->items[i]->rows, arg);
    pthread_mutex_unlock(&c->lock);
}
