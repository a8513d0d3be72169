/* cdc/bson/bson_names.c - see the header. Documents with few members are compared by pairs; others,
 * and those that have a name twice, go through a table. */
#include "cdc/bson/bson_names.h"

#include "base/hash.h"
#include "base/mem.h"

enum { FEW = 16 };

struct member {
    struct slice name, bytes; /* bytes: with kind and name */
    size_t last;              /* of its name */
    bool again;               /* there is one before it */
};

static struct bson_walk members_of(const struct bson_build *b)
{
    return (struct bson_walk){b->out.p + b->starts[b->depth - 1] + 4, b->out.p + b->out.n};
}

/* How many; *twice: of few, whether a name comes again. */
static size_t look(const struct bson_build *b, bool *twice)
{
    struct bson_walk w = members_of(b);
    struct slice names[FEW];
    struct bson_item i;
    size_t n = 0;
    *twice = false;
    while (bson_walk_next(&w, &i)) {
        for (size_t k = 0; n < FEW && k < n && !*twice; k++)
            *twice = slice_eq(names[k], i.name);
        if (n < FEW)
            names[n] = i.name;
        n++;
    }
    return n;
}

static bool fill(const struct bson_build *b, struct member *v, uint32_t *table, size_t mask)
{
    struct bson_walk w = members_of(b);
    struct bson_item i;
    const char *at = w.at;
    bool twice = false;
    for (size_t n = 0; bson_walk_next(&w, &i); n++) {
        v[n] = (struct member){i.name, slice_of(at, (size_t)(w.at - at)), n, false};
        at = w.at;
        size_t slot = hash64(i.name, 0) & mask;
        while (table[slot] && !slice_eq(v[table[slot] - 1].name, i.name))
            slot = (slot + 1) & mask;
        if (!table[slot]) {
            table[slot] = (uint32_t)n + 1;
            continue;
        }
        v[table[slot] - 1].last = n;
        v[n].again = twice = true;
    }
    return twice;
}

static void rewrite(struct bson_build *b, const struct member *v, size_t n)
{
    struct strbuf kept = STRBUF_INIT;
    for (size_t i = 0; i < n; i++)
        if (!v[i].again)
            strbuf_add_slice(&kept, v[v[i].last].bytes);
    b->out.n = b->starts[b->depth - 1] + 4;
    strbuf_add_slice(&b->out, strbuf_slice(&kept));
    if (strbuf_err(&kept))
        b->out.failed = strbuf_err(&kept);
    strbuf_release(&kept);
}

void bson_names_once(struct bson_build *b)
{
    bool twice;
    if (b->out.failed)
        return;
    size_t n = look(b, &twice), size = FEW;
    if (n <= FEW && !twice)
        return;
    while (size < 2 * n)
        size *= 2;
    struct member *v = try_calloc(n, sizeof *v);
    uint32_t *table = try_calloc(size, sizeof *table);
    if (!v || !table)
        b->out.failed = E_NOMEM;
    else if (fill(b, v, table, size - 1))
        rewrite(b, v, n);
    mem_free(v);
    mem_free(table);
}
