/* cdc/mongodb/snapshot_list.c - which collections there are, and which of them a snapshot reads.
 * SPEC: cdc-mongodb 2.4, 4.2 */
#include "cdc/mongodb/snapshot.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "cdc/bson/bson_parse.h"
#include "cdc/mongodb/listing.h"

void snap_list_init(struct snap_list *l)
{
    memset(l, 0, sizeof *l);
    arena_init(&l->arena, 4096, ARENA_NO_BUDGET);
}

void snap_list_release(struct snap_list *l)
{
    mem_free(l->items);
    arena_release(&l->arena);
}

struct lister {
    struct snap_list *l;
    struct mongo_task *t;
    const struct signal_request *request;
    struct regex_list include;
    bool has_include;
};

/* --- queries ---------------------------------------------------------------------------------- */

static enum err parse_filter(struct lister *x, struct slice id, struct slice text,
                             struct slice *out, struct error *e)
{
    *out = SLICE_NULL;
    if (!slice_trim(text).n)
        return E_OK;
    enum err rc = bson_parse(text, BSON_DOCUMENT, &x->l->arena, out, e);
    return rc ? error_wrap(e, "the query for the documents of " PRI_SL, ARG_SL(id)) : E_OK;
}

/* --- collections ------------------------------------------------------------------------------ */

static bool is_requested(const struct lister *x, struct slice id)
{
    for (size_t i = 0; i < x->request->collection_count; i++)
        if (signal_names(x->request->collections[i], id))
            return true;
    return false;
}

static enum err add_collection(void *arg, struct slice db, struct slice name, struct slice info,
                               struct error *e)
{
    struct lister *x = arg;
    (void)info;
    struct collection *c = collections_get(&x->t->collections, db, name);
    struct slice filter = SLICE_NULL;
    if (!c->captured)
        return E_OK;
    if (x->request ? !is_requested(x, c->id)
                   : x->has_include && regex_list_find(&x->include, c->id) < 0)
        return E_OK;
    enum err rc = parse_filter(x, c->id,
                               x->request ? signal_filter(x->request, c->id)
                                          : mongo_options_query(&x->t->o, c->id),
                               &filter, e);
    if (rc)
        return rc;
    if (x->l->count == x->l->cap) {
        x->l->cap = x->l->cap ? 2 * x->l->cap : 16;
        x->l->items = xrealloc(x->l->items, x->l->cap * sizeof *x->l->items);
    }
    c->in_snapshot = c->in_snapshot || !x->request;
    x->l->items[x->l->count++] = (struct snap_collection){.c = c, .filter = filter};
    return E_OK;
}

static int by_id(const void *a, const void *b)
{
    return slice_cmp(((const struct snap_collection *)a)->c->id,
                     ((const struct snap_collection *)b)->c->id);
}

enum err snap_list_fill(struct snap_list *l, struct mongo_task *t, mongoc_client_t *c,
                        const struct signal_request *request, struct error *e)
{
    struct lister x = {.l = l, .t = t, .request = request};
    x.has_include = slice_trim(t->o.snapshot_include).n > 0;
    enum err rc = regex_list_parse(&x.include, t->o.snapshot_include, e);
    if (!rc)
        rc = mongo_list(t, c, false, add_collection, &x, e);
    regex_list_release(&x.include);
    if (!rc && l->count > 1)
        qsort(l->items, l->count, sizeof *l->items, by_id);
    return rc;
}
