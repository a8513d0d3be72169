/* base/metrics_table.c - see metrics_table.h. */
#include "base/metrics_table.h"

#include <math.h>

#include "base/mem.h"
#include "base/metrics.h"

struct metrics_family {
    char *name;
    const char *help;
    enum metrics_kind kind;
    struct strbuf samples;
};

void metrics_table_init(struct metrics_table *t)
{
    memset(t, 0, sizeof *t);
    map_init(&t->by_name);
}

static struct metrics_family *family(struct metrics_table *t, const char *name, const char *help,
                                     enum metrics_kind kind)
{
    struct metrics_family *f = map_get(&t->by_name, slice_cstr(name));
    if (f)
        return f;
    if (t->count == t->cap) {
        t->cap = t->cap ? t->cap * 2 : 64;
        t->order = xrealloc((void *)t->order, t->cap * sizeof(struct metrics_family *));
    }
    f = xcalloc(1, sizeof *f);
    *f = (struct metrics_family){xstrdup(name), help, kind, STRBUF_INIT};
    t->order[t->count++] = f;
    (void)map_put(&t->by_name, slice_cstr(f->name), f);
    return f;
}

void metrics_table_add(struct metrics_table *t, const char *name, const char *help,
                       enum metrics_kind kind, const char *labels, double value)
{
    struct strbuf *out = &family(t, name, help, kind)->samples;
    bool some = labels[0] != '\0';
    strbuf_addf(out, "%s%s%s%s ", name, some ? "{" : "", labels, some ? "}" : "");
    if (isnan(value))
        strbuf_adds(out, "NaN\n");
    else
        strbuf_addf(out, "%.15g\n", value);
}

void metrics_table_print(const struct metrics_table *t, struct strbuf *out)
{
    for (size_t i = 0; i < t->count; i++) {
        const struct metrics_family *f = t->order[i];
        metrics_head(out, f->name, f->help, f->kind == METRICS_COUNTER ? "counter" : "gauge");
        strbuf_add_slice(out, strbuf_slice(&f->samples));
    }
}

void metrics_table_release(struct metrics_table *t)
{
    map_release(&t->by_name, NULL);
    for (size_t i = 0; i < t->count; i++) {
        strbuf_release(&t->order[i]->samples);
        mem_free(t->order[i]->name);
        mem_free(t->order[i]);
    }
    mem_free((void *)t->order);
}
