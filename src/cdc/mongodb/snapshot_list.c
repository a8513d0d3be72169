/* cdc/mongodb/snapshot_list.c - which collections there are, and which of them a snapshot reads. Views,
 * time series and the server's own collections are left out. SPEC: cdc-mongodb 2.4, 4.2 */
#include "cdc/mongodb/snapshot.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "cdc/bson/bson_parse.h"
#include "cdc/mongodb/cursor.h"

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
    mongoc_client_t *client;
    const struct signal_request *request;
    struct regex_list include;
    bool has_include;
};

/* --- queries ------------------------------------------------------------------------------------
 */

static enum err parse_filter(struct lister *x, struct slice id, struct slice text,
                             struct slice *out, struct error *e)
{
    *out = SLICE_NULL;
    if (!slice_trim(text).n)
        return E_OK;
    enum err rc = bson_parse(text, BSON_DOCUMENT, &x->l->arena, out, e);
    return rc ? error_wrap(e, "the query for the documents of " PRI_SL, ARG_SL(id)) : E_OK;
}

/* --- collections --------------------------------------------------------------------------------
 */

static bool is_requested(const struct lister *x, struct slice id)
{
    for (size_t i = 0; i < x->request->collection_count; i++)
        if (signal_names(x->request->collections[i], id))
            return true;
    return false;
}

static enum err add_collection(struct lister *x, struct slice db, struct slice name,
                               struct error *e)
{
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
    x->l->items[x->l->count++] = (struct snap_collection){.c = c, .filter = filter};
    return E_OK;
}

static enum err one_collection(struct lister *x, struct slice db, struct slice info,
                               struct error *e)
{
    struct bson_item name, type;
    if (!bson_find(info, SL("name"), &name))
        return E_OK;
    struct slice kind = bson_find(info, SL("type"), &type) ? bson_text(&type) : SL("collection");
    if (slice_eq(kind, SL("collection")))
        return add_collection(x, db, bson_text(&name), e);
    if (slice_eq(kind, SL("timeseries")) &&
        mongo_filter_collection(&x->t->filter, db, bson_text(&name)))
        LOG_WARN(LOG_CDC_MONGO,
                 "'" PRI_SL "." PRI_SL "' is a time series collection: the server tells no "
                 "changes of those, so it is not read either",
                 ARG_SL(db), ARG_SL(bson_text(&name)));
    return E_OK;
}

static enum err list_database(struct lister *x, struct slice db, struct error *e)
{
    struct bson_build b;
    struct mongo_cursor *cursor = NULL;
    struct slice info;
    bson_build_init(&b);
    bson_build_int(&b, SL("listCollections"), 1);
    bson_build_bool(&b, SL("nameOnly"), true);
    bson_build_bool(&b, SL("authorizedCollections"), true);
    enum err rc =
        mongo_cursor_open(&cursor, x->t->pool, x->client, db, bson_build_finish(&b), false, e);
    while (!rc) {
        while (!rc && mongo_cursor_next(cursor, &info))
            rc = one_collection(x, db, info, e);
        if (rc || !cursor->id)
            break;
        rc = mongo_cursor_more(cursor, 0, 0, e);
    }
    mongo_cursor_close(cursor);
    bson_build_release(&b);
    return rc;
}

/* --- databases ----------------------------------------------------------------------------------
 */

static enum err list_all(struct lister *x, struct error *e)
{
    struct bson_item dbs, name, i;
    struct bson_walk w;
    bson_t command, reply;
    libbson.init(&command);
    libbson.append_int32(&command, "listDatabases", -1, 1);
    libbson.append_bool(&command, "nameOnly", -1, true);
    enum err rc = mongo_client_command(x->t->pool, x->client, "admin", &command, &reply, e);
    struct slice answer = slice_of(libbson.get_data(&reply), reply.len);
    if (!rc)
        rc = bson_check(answer, e);
    if (!rc && bson_find(answer, SL("databases"), &dbs) && dbs.kind == BSON_ARRAY) {
        bson_walk_init(&w, bson_doc(&dbs));
        while (!rc && bson_walk_next(&w, &i))
            if (bson_find(bson_doc(&i), SL("name"), &name) &&
                mongo_filter_database(&x->t->filter, bson_text(&name)))
                rc = list_database(x, bson_text(&name), e);
    }
    libbson.destroy(&command);
    libbson.destroy(&reply);
    return rc;
}

static int by_id(const void *a, const void *b)
{
    return slice_cmp(((const struct snap_collection *)a)->c->id,
                     ((const struct snap_collection *)b)->c->id);
}

enum err snap_list_fill(struct snap_list *l, struct mongo_task *t, mongoc_client_t *c,
                        const struct signal_request *request, struct error *e)
{
    struct lister x = {.l = l, .t = t, .client = c, .request = request};
    x.has_include = slice_trim(t->o.snapshot_include).n > 0;
    enum err rc = regex_list_parse(&x.include, t->o.snapshot_include, e);
    if (!rc)
        rc = t->filter.lists.scope_db.p ? list_database(&x, t->filter.lists.scope_db, e)
                                        : list_all(&x, e);
    regex_list_release(&x.include);
    if (!rc && l->count > 1)
        qsort(l->items, l->count, sizeof *l->items, by_id);
    return rc;
}
