/* connect/inspect.c - the list of findings. */
#include "connect/inspect.h"

#include <stdarg.h>

#include "base/mem.h"

void inspection_init(struct inspection *i)
{
    *i = (struct inspection){0};
}

void inspection_release(struct inspection *i)
{
    for (size_t k = 0; k < i->count; k++) {
        mem_free(i->items[k].what);
        mem_free(i->items[k].text);
        mem_free(i->items[k].cure);
        mem_free(i->items[k].where);
    }
    mem_free(i->items);
    inspection_init(i);
}

struct inspect_item *inspection_add(struct inspection *i, enum inspect_level level,
                                    const char *what, const char *fmt, ...)
{
    struct strbuf text = STRBUF_INIT;
    va_list ap;
    va_start(ap, fmt);
    strbuf_addv(&text, fmt, ap);
    va_end(ap);
    if (i->count == i->cap) {
        i->cap = i->cap ? 2 * i->cap : 16;
        i->items = xrealloc(i->items, i->cap * sizeof *i->items);
    }
    struct inspect_item *item = &i->items[i->count++];
    *item = (struct inspect_item){
        .level = level, .what = xstrdup(what), .text = slice_dup(strbuf_slice(&text))};
    strbuf_release(&text);
    return item;
}

void inspection_cure(struct inspection *i, const char *where, const char *cure)
{
    struct inspect_item *last = &i->items[i->count - 1];
    mem_free(last->cure);
    mem_free(last->where);
    last->cure = xstrdup(cure);
    last->where = xstrdup(where);
}

size_t inspection_count(const struct inspection *i, enum inspect_level level)
{
    size_t n = 0;
    for (size_t k = 0; k < i->count; k++)
        n += i->items[k].level == level;
    return n;
}

const char *inspect_level_name(enum inspect_level l)
{
    static const char *const names[] = {"ok", "note", "warning", "fault"};
    return names[l];
}
