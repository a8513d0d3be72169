/* cdc/mongodb/listing.c - listDatabases, listCollections, and looks at what they say. */
#include "cdc/mongodb/listing.h"

#include "base/clock.h"
#include "base/log.h"
#include "cdc/mongodb/cursor.h"
#include "cdc/mongodb/newcomers.h"
#include "cdc/mongodb/token.h"

struct lister {
    struct mongo_task *t;
    mongoc_client_t *client;
    bool options;
    struct slice name; /* null: all */
    listing_fn fn;
    void *arg;
};

/* --- the listing ------------------------------------------------------------------------------ */

static enum err one_collection(struct lister *x, struct slice db, struct slice info,
                               struct error *e)
{
    struct bson_item name, type;
    if (!bson_find(info, SL("name"), &name))
        return E_OK;
    struct slice kind = bson_find(info, SL("type"), &type) ? bson_text(&type) : SL("collection");
    if (slice_eq(kind, SL("collection")))
        return x->fn(x->arg, db, bson_text(&name), info, e);
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
    if (!x->options) { /* names may be seen with fewer privileges */
        bson_build_bool(&b, SL("nameOnly"), true);
        bson_build_bool(&b, SL("authorizedCollections"), true);
    }
    if (x->name.p) {
        bson_build_begin(&b, SL("filter"), BSON_DOCUMENT);
        bson_build_text(&b, SL("name"), x->name);
        bson_build_end(&b);
    }
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

enum err mongo_list(struct mongo_task *t, mongoc_client_t *c, bool options, listing_fn fn,
                    void *arg, struct error *e)
{
    struct lister x = {.t = t, .client = c, .options = options, .fn = fn, .arg = arg};
    return t->filter.lists.scope_db.p ? list_database(&x, t->filter.lists.scope_db, e)
                                      : list_all(&x, e);
}

enum err mongo_list_one(struct mongo_task *t, mongoc_client_t *c, struct slice db,
                        struct slice name, bool options, listing_fn fn, void *arg, struct error *e)
{
    struct lister x = {.t = t, .client = c, .options = options, .name = name, .fn = fn, .arg = arg};
    return list_database(&x, db, e);
}

/* --- looks ------------------------------------------------------------------------------------ */

struct look {
    struct mongo_task *t;
    int64_t captured;
    struct strbuf id;
};

static bool keeps_images(struct slice info)
{
    struct bson_item options, images, enabled;
    return bson_find(info, SL("options"), &options) && options.kind == BSON_DOCUMENT &&
           bson_find(bson_doc(&options), SL("changeStreamPreAndPostImages"), &images) &&
           images.kind == BSON_DOCUMENT && bson_find(bson_doc(&images), SL("enabled"), &enabled) &&
           bson_int(&enabled);
}

void mongo_warn_images(const struct mongo_options *o, struct slice db, struct slice name,
                       struct slice info)
{
    const char *fields = o->pre_image && o->post_image ? "before, and after of updates,"
                         : o->pre_image                ? "before"
                                                       : "after of updates";
    if (!keeps_images(info))
        LOG_WARN(LOG_CDC_MONGO,
                 "'" PRI_SL "." PRI_SL "' keeps no images for capture.mode: %s stays null until "
                 "db.getSiblingDB(\"" PRI_SL "\").runCommand({collMod:\"" PRI_SL
                 "\",changeStreamPreAndPostImages:{enabled:true}})",
                 ARG_SL(db), ARG_SL(name), fields, ARG_SL(db), ARG_SL(name));
}

static enum err look_at(void *arg, struct slice db, struct slice name, struct slice info,
                        struct error *e)
{
    struct look *x = arg;
    (void)e;
    if (!mongo_filter_collection(&x->t->filter, db, name) ||
        mongo_filter_is_signals(&x->t->filter, db, name))
        return E_OK;
    x->captured++;
    strbuf_reset(&x->id);
    strbuf_addf(&x->id, PRI_SL "." PRI_SL, ARG_SL(db), ARG_SL(name));
    if (mongo_known_add(&x->t->known, strbuf_slice(&x->id)) &&
        (x->t->o.pre_image || x->t->o.post_image))
        mongo_warn_images(&x->t->o, db, name, info);
    return E_OK;
}

enum err mongo_check_collections(struct mongo_task *t, struct error *e)
{
    struct look x = {.t = t, .id = STRBUF_INIT};
    struct error own = {0};
    bool images = t->o.pre_image || t->o.post_image;
    mongoc_client_t *c = mongo_client_take(t->pool);
    t->known.all = !mongo_list(t, c, images, look_at, &x, &own);
    if (!t->known.all)
        LOG_ERR(
            LOG_CDC_MONGO, LOG_L_WARN, &own,
            "the captured collections cannot be looked at: those that are new will not be told");
    mongo_client_give(t->pool, c);
    strbuf_release(&x.id);
    if (t->o.guardrail_max <= 0 || x.captured <= t->o.guardrail_max)
        return E_OK;
    error_set(&own, E_INVALID,
              "The number of captured collections %lld exceeds the limit "
              "guardrail.collections.max=%d",
              (long long)x.captured, t->o.guardrail_max);
    if (!t->o.guardrail_fail) {
        LOG_WARN(LOG_CDC_MONGO, "%s", own.msg);
        return E_OK;
    }
    error_set(e, E_INVALID, "%s", own.msg);
    error_hint(e, "narrow collection.include.list, or raise guardrail.collections.max");
    return E_INVALID;
}

/* --- history ---------------------------------------------------------------------------------- */

/* Of the oplog. *birth: the entry that initiated the set, before which it was not. */
static enum err oldest(struct mongo_task *t, uint32_t *seconds, bool *birth)
{
    struct mongo_cursor *cursor = NULL;
    struct bson_build b;
    struct slice entry;
    struct bson_item ts, o, msg;
    uint32_t increment;
    mongoc_client_t *c = mongo_client_take(t->pool);
    *birth = false;
    bson_build_init(&b);
    bson_build_text(&b, SL("find"), SL("oplog.rs"));
    bson_build_begin(&b, SL("sort"), BSON_DOCUMENT);
    bson_build_int(&b, SL("$natural"), 1);
    bson_build_end(&b);
    bson_build_int(&b, SL("limit"), 1);
    enum err rc =
        mongo_cursor_open(&cursor, t->pool, c, SL("local"), bson_build_finish(&b), false, NULL);
    if (!rc && mongo_cursor_next(cursor, &entry) && bson_find(entry, SL("ts"), &ts) &&
        ts.kind == BSON_TIMESTAMP) {
        bson_timestamp(&ts, seconds, &increment);
        *birth = bson_find(entry, SL("o"), &o) && o.kind == BSON_DOCUMENT &&
                 bson_find(bson_doc(&o), SL("msg"), &msg) && msg.kind == BSON_STRING &&
                 slice_eq(bson_text(&msg), SL("initiating set"));
    } else {
        rc = E_NOT_FOUND;
    }
    mongo_cursor_close(cursor);
    bson_build_release(&b);
    mongo_client_give(t->pool, c);
    return rc;
}

void mongo_log_history(struct mongo_task *t)
{
    uint32_t at, increment, from;
    char a[CLOCK_ISO_SIZE], b[CLOCK_ISO_SIZE];
    bool known = mongo_token_time(strbuf_slice(&t->offset.token), &at, &increment), birth;
    if (!known || oldest(t, &from, &birth)) /* not everybody may read the oplog */
        return;
    LOG_WARN(LOG_CDC_MONGO,
             "the stored position is of %s, the server's oplog begins at %s: either "
             "snapshot.mode=when_needed takes a new snapshot, or DELETE /connectors/%s/offsets",
             clock_iso(a, at, 0, 0), clock_iso(b, from, 0, 0), t->ctx->connector);
}

enum err mongo_check_birth(struct mongo_task *t, uint32_t at, struct error *e)
{
    uint32_t from;
    char a[CLOCK_ISO_SIZE], b[CLOCK_ISO_SIZE];
    bool birth;
    if (mongo_client_pool_server(t->pool)->mongos || oldest(t, &from, &birth) || !birth ||
        at >= from)
        return E_OK;
    return error_set(e, E_NOT_FOUND,
                     "the position is of %s, the replica set was initiated at %s: it is another "
                     "one than before",
                     clock_iso(a, at, 0, 0), clock_iso(b, from, 0, 0));
}
