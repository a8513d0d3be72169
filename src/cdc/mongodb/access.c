/* cdc/mongodb/access.c - see access.h. */
#include "cdc/mongodb/access.h"

#include "base/mem.h"

#define UNAUTHORIZED 13

/* --- cures ------------------------------------------------------------------------------------ */

/* db.getSiblingDB("admin").grantRolesToUser("debezium", */
static void grant_head(const struct mongo_target *t, struct strbuf *out)
{
    struct slice source = mongo_target_option(t, "authSource");
    if (!source.n)
        source = t->database ? slice_cstr(t->database) : SL("admin");
    strbuf_addf(out, "db.getSiblingDB(\"" PRI_SL "\").grantRolesToUser(\"%s\", ", ARG_SL(source),
                t->user ? t->user : "USER");
}

void mongo_access_grant(const struct mongo_target *t, const struct mongo_options *o,
                        struct strbuf *out)
{
    grant_head(t, out);
    if (o->scope == MONGO_SCOPE_DEPLOYMENT)
        strbuf_adds(out, "[{role:\"readAnyDatabase\",db:\"admin\"}])");
    else
        strbuf_addf(out, "[{role:\"read\",db:\"" PRI_SL "\"}])", ARG_SL(o->target_db));
}

static void split_id(struct slice id, struct slice *db, struct slice *coll)
{
    ptrdiff_t dot = slice_find_char(id, '.');
    *db = dot < 0 ? id : slice_sub(id, 0, (size_t)dot);
    *coll = dot < 0 ? SLICE_NULL : slice_sub(id, (size_t)dot + 1, id.n);
}

bool mongo_signals_outside(const struct mongo_options *o)
{
    struct slice db, coll;
    split_id(slice_trim(o->signal_collection), &db, &coll);
    return (o->scope != MONGO_SCOPE_DEPLOYMENT && !slice_eq(db, o->target_db)) ||
           (o->scope == MONGO_SCOPE_COLLECTION && !slice_eq(coll, o->target_coll));
}

void mongo_access_grant_signals(const struct mongo_target *t, const struct mongo_options *o,
                                struct strbuf *out)
{
    struct slice db, coll;
    split_id(slice_trim(o->signal_collection), &db, &coll);
    grant_head(t, out);
    strbuf_addf(out, "[{role:\"%s\",db:\"" PRI_SL "\"}])",
                mongo_signals_outside(o) ? "read" : "readWrite", ARG_SL(db));
}

void mongo_text_split(const char *msg, struct slice *fact, struct slice *cure)
{
    struct slice all = slice_cstr(msg);
    ptrdiff_t line = slice_find_char(all, '\n');
    *fact = line < 0 ? all : slice_sub(all, 0, (size_t)line);
    *cure = line < 0 ? SLICE_NULL : slice_sub(all, (size_t)line + 1, all.n);
}

/* "User doesn't have sufficient privileges: <...>" and what grants them. */
static enum err insufficient(const struct mongo_client_pool *p, const struct mongo_options *o,
                             struct error *e)
{
    const struct mongo_target *t = mongo_client_pool_target(p);
    struct strbuf b = STRBUF_INIT;
    int code = e->sys;
    strbuf_addf(&b, "User doesn't have sufficient privileges: %s\n", e->msg);
    if (t->user)
        mongo_access_grant(t, o, &b);
    else
        strbuf_adds(&b, "the server asks for a user: set mongodb.user and mongodb.password, or "
                        "mongodb://USER:PASSWORD@HOST/ as connection string");
    error_set(e, E_AUTH, "%s", b.p);
    e->sys = code;
    strbuf_release(&b);
    return E_AUTH;
}

/* --- questions -------------------------------------------------------------------------------- */

static size_t count_databases(const bson_t *reply)
{
    bson_iter_t i, list;
    size_t n = 0;
    if (libbson.iter_init_find(&i, reply, "databases") &&
        libbson.iter_type(&i) == BSON_TYPE_ARRAY && libbson.iter_recurse(&i, &list))
        while (libbson.iter_next(&list))
            n++;
    return n;
}

enum err mongo_check_databases(struct mongo_client_pool *p, mongoc_client_t *c,
                               const struct mongo_options *o, struct error *e)
{
    bson_t command, reply;
    if (o->scope != MONGO_SCOPE_DEPLOYMENT) /* needs no such right */
        return E_OK;
    libbson.init(&command);
    libbson.append_int32(&command, "listDatabases", -1, 1);
    libbson.append_bool(&command, "nameOnly", -1, true);
    enum err rc = mongo_client_command(p, c, "admin", &command, &reply, e);
    if (rc && e->sys == UNAUTHORIZED)
        rc = insufficient(p, o, e);
    if (rc == E_OK && count_databases(&reply) == 0) {
        struct strbuf b = STRBUF_INIT;
        mongo_access_grant(mongo_client_pool_target(p), o, &b);
        rc = error_set(e, E_AUTH,
                       "User doesn't have rights to list databases. Please verify credentials and "
                       "database permissions.\n%s",
                       b.p);
        strbuf_release(&b);
    }
    libbson.destroy(&reply);
    libbson.destroy(&command);
    return rc;
}

/* {aggregate: 1 | "coll", pipeline: [{$changeStream: {allChangesForCluster: true}}], cursor: {}} */
static void stream_command(const struct mongo_options *o, bson_t *out)
{
    bson_t list, stage, options;
    libbson.init(out);
    if (o->scope == MONGO_SCOPE_COLLECTION)
        libbson.append_utf8(out, "aggregate", -1, o->target_coll.p, (int)o->target_coll.n);
    else
        libbson.append_int32(out, "aggregate", -1, 1);
    libbson.append_array_begin(out, "pipeline", -1, &list);
    libbson.append_document_begin(&list, "0", -1, &stage);
    libbson.append_document_begin(&stage, "$changeStream", -1, &options);
    if (o->scope == MONGO_SCOPE_DEPLOYMENT)
        libbson.append_bool(&options, "allChangesForCluster", -1, true);
    libbson.append_document_end(&stage, &options);
    libbson.append_document_end(&list, &stage);
    libbson.append_array_end(out, &list);
    libbson.append_document_begin(out, "cursor", -1, &options);
    libbson.append_document_end(out, &options);
    libbson.append_int32(out, "maxTimeMS", -1, 2000); /* a majority may be away */
}

static void close_stream(struct mongo_client_pool *p, mongoc_client_t *c, const char *db,
                         const bson_t *reply)
{
    bson_iter_t top, id, name;
    bson_t command, list;
    struct error ignored = {0};
    if (!libbson.iter_init(&top, reply) || !libbson.iter_find_descendant(&top, "cursor.id", &id) ||
        !libbson.iter_init(&top, reply) ||
        !libbson.iter_find_descendant(&top, "cursor.ns", &name) ||
        libbson.iter_type(&name) != BSON_TYPE_UTF8)
        return;
    const char *ns = libbson.iter_utf8(&name, NULL), *dot = strchr(ns, '.');
    libbson.init(&command);
    libbson.append_utf8(&command, "killCursors", -1, dot ? dot + 1 : ns, -1);
    libbson.append_array_begin(&command, "cursors", -1, &list);
    libbson.append_int64(&list, "0", -1, libbson.iter_as_int64(&id));
    libbson.append_array_end(&command, &list);
    if (mongo_client_command(p, c, db, &command, NULL, &ignored))
        ignored = (struct error){0}; /* the server closes it by itself in time */
    libbson.destroy(&command);
}

enum err mongo_check_stream(struct mongo_client_pool *p, mongoc_client_t *c,
                            const struct mongo_options *o, struct error *e)
{
    enum { NO_REPLICATION = 76, NOT_ON_STANDALONE = 40573 };
    bson_t command, reply;
    char *db = o->scope == MONGO_SCOPE_DEPLOYMENT ? xstrdup("admin") : slice_dup(o->target_db);
    stream_command(o, &command);
    enum err rc = mongo_client_command(p, c, db, &command, &reply, e);
    if (rc == E_OK)
        close_stream(p, c, db, &reply);
    else if (e->sys == UNAUTHORIZED)
        rc = insufficient(p, o, e);
    else if (e->sys == NO_REPLICATION || e->sys == NOT_ON_STANDALONE)
        rc = e->code = E_INVALID;
    libbson.destroy(&reply);
    libbson.destroy(&command);
    mem_free(db);
    return rc;
}

/* --- the signal collection -------------------------------------------------------------------- */

static bool names(bson_iter_t resource, const char *key, struct slice wanted)
{
    bson_iter_t i;
    uint32_t n = 0;
    if (!libbson.iter_recurse(&resource, &i) || !libbson.iter_find(&i, key) ||
        libbson.iter_type(&i) != BSON_TYPE_UTF8)
        return false;
    const char *text = libbson.iter_utf8(&i, &n);
    return n == 0 || slice_eq(slice_of(text, n), wanted); /* "": any */
}

static bool any_resource(bson_iter_t resource)
{
    bson_iter_t i;
    return libbson.iter_recurse(&resource, &i) && libbson.iter_find(&i, "anyResource") &&
           libbson.iter_as_bool(&i);
}

enum { MAY_INSERT = 1, MAY_REMOVE = 2, MAY_FIND = 4, MAY_WATCH = 8 };
static const char *const actions_of_signals[] = {"insert", "remove", "find", "changeStream"};

static unsigned actions_of(bson_iter_t actions)
{
    bson_iter_t i;
    unsigned mask = 0;
    if (!libbson.iter_recurse(&actions, &i))
        return 0;
    while (libbson.iter_next(&i)) {
        const char *a = libbson.iter_type(&i) == BSON_TYPE_UTF8 ? libbson.iter_utf8(&i, NULL) : "";
        for (unsigned k = 0; k < ARRAY_LEN(actions_of_signals); k++)
            mask |= strcmp(a, actions_of_signals[k]) == 0 ? 1u << k : 0;
    }
    return mask;
}

static unsigned granted(const bson_t *reply, struct slice db, struct slice coll)
{
    bson_iter_t top, list, i, resource, actions;
    unsigned mask = 0;
    if (!libbson.iter_init(&top, reply) ||
        !libbson.iter_find_descendant(&top, "authInfo.authenticatedUserPrivileges", &list) ||
        !libbson.iter_recurse(&list, &i))
        return 0;
    while (libbson.iter_next(&i)) {
        if (!libbson.iter_recurse(&i, &resource) || !libbson.iter_find(&resource, "resource") ||
            !libbson.iter_recurse(&i, &actions) || !libbson.iter_find(&actions, "actions"))
            continue;
        if (any_resource(resource) ||
            (names(resource, "db", db) && names(resource, "collection", coll)))
            mask |= actions_of(actions);
    }
    return mask;
}

enum err mongo_check_signals(struct mongo_client_pool *p, mongoc_client_t *c,
                             const struct mongo_options *o, bool *may, struct error *e)
{
    bson_t command, reply;
    struct slice db, coll;
    unsigned need = mongo_signals_outside(o) ? MAY_FIND | MAY_WATCH
                    : o->insert_delete       ? MAY_INSERT | MAY_REMOVE
                                             : MAY_INSERT;
    *may = true;
    split_id(slice_trim(o->signal_collection), &db, &coll);
    if (!mongo_client_pool_target(p)->user) /* who got here without a user may do all or nothing */
        return E_OK;
    libbson.init(&command);
    libbson.append_int32(&command, "connectionStatus", -1, 1);
    libbson.append_bool(&command, "showPrivileges", -1, true);
    enum err rc = mongo_client_command(p, c, "admin", &command, &reply, e);
    if (rc == E_OK)
        *may = (granted(&reply, db, coll) & need) == need;
    libbson.destroy(&reply);
    libbson.destroy(&command);
    return rc;
}
