/* cdc/mongodb/inspect.c - see inspect.h. */
#include "cdc/mongodb/inspect.h"

#include "base/mem.h"
#include "cdc/mongodb/access.h"
#include "cdc/mongodb/client.h"
#include "cdc/mongodb/diagnose.h"
#include "cdc/mongodb/filter.h"

#define LIMIT_MS 4000
#define MAX_TIME_EXPIRED 50
#define MONGOSH "mongosh, as an administrator"

struct look {
    struct mongo_options o;
    struct mongo_client_pool *pool;
    mongoc_client_t *client;
    struct inspection *out;
    struct mongo_verdict verdict;
    bool denied; /* the user lacks rights */
};

/* Adds an error whose message has its cure behind the first line. */
static void add_error(struct inspection *out, enum inspect_level level, const char *what,
                      const struct error *e)
{
    struct slice fact, cure;
    mongo_text_split(e->msg, &fact, &cure);
    inspection_add(out, level, what, PRI_SL "%s%s%s", ARG_SL(fact), e->hint[0] ? " (" : "", e->hint,
                   e->hint[0] ? ")" : "");
    if (!cure.n)
        return;
    char *text = slice_dup(cure);
    inspection_cure(out, "MongoDB, or the connector's configuration", text);
    mem_free(text);
}

static void add_fault(struct inspection *out, const char *what, const struct error *e)
{
    add_error(out, INSPECT_FAULT, what, e);
}

/* --- the server ------------------------------------------------------------------------------- */

static void connection(struct look *l)
{
    const struct mongo_server *s = mongo_client_pool_server(l->pool);
    const struct mongo_target *t = mongo_client_pool_target(l->pool);
    struct strbuf hosts = STRBUF_INIT;
    mongo_target_hosts(t, &hosts);
    inspection_add(l->out, INSPECT_OK, "connection", "MongoDB %s at %s%s%s%s, %s", s->version_text,
                   hosts.p, t->user ? " as " : "", t->user ? t->user : "",
                   t->user ? "" : ", without a user",
                   mongo_target_tls(t) ? "encrypted" : "not encrypted");
    if (s->mongos)
        inspection_add(l->out, INSPECT_OK, "cluster", "sharded, through mongos");
    else if (l->verdict.rescued) {
        inspection_add(l->out, INSPECT_WARNING, "replica set",
                       "%s; a connector goes on with directConnection=true to that server only "
                       "(weir.mongodb.direct.fallback): when another becomes the primary nothing "
                       "follows",
                       l->verdict.fact);
        inspection_cure(l->out, l->verdict.where, l->verdict.cure);
    } else if (mongo_target_direct(t))
        inspection_add(l->out, INSPECT_WARNING, "replica set",
                       "\"%s\", of which one member only is talked to (directConnection): when "
                       "another becomes the primary nothing follows",
                       s->set_name);
    else
        inspection_add(l->out, INSPECT_OK, "replica set", "\"%s\"", s->set_name);
    strbuf_release(&hosts);
}

static enum err try_rights(struct look *l, struct error *e)
{
    enum err rc;
    error_clear(e);
    rc = mongo_check_databases(l->pool, l->client, &l->o, e);
    return rc ? rc : mongo_check_stream(l->pool, l->client, &l->o, e);
}

static void privileges(struct look *l)
{
    struct error e = {0};
    bool may = true;
    enum err rc = try_rights(l, &e);
    if (rc == E_IO || rc == E_TIMEOUT) /* an election, a new configuration */
        rc = try_rights(l, &e);
    l->denied = rc == E_AUTH;
    if (rc == E_IO || rc == E_TIMEOUT) /* a connector is taken, and its task waits for it */
        inspection_add(l->out, INSPECT_WARNING, "change stream", "%s",
                       e.sys == MAX_TIME_EXPIRED ? "the server did not answer in time" : e.msg);
    else if (rc)
        add_fault(l->out, rc == E_AUTH ? "privileges" : "change stream", &e);
    if (rc)
        return;
    inspection_add(l->out, INSPECT_OK, "privileges", "the change stream can be read");
    if (!slice_trim(l->o.signal_collection).n)
        return;
    if (mongo_check_signals(l->pool, l->client, &l->o, &may, &e)) {
        inspection_add(l->out, INSPECT_WARNING, "signal collection", "%s", e.msg);
    } else if (!may) {
        struct strbuf grant = STRBUF_INIT;
        bool outside = mongo_signals_outside(&l->o);
        mongo_access_grant_signals(mongo_client_pool_target(l->pool), &l->o, &grant);
        inspection_add(l->out, INSPECT_WARNING, "signal collection",
                       "%s on " PRI_SL " is missing: %s",
                       outside              ? "find or changeStream"
                       : l->o.insert_delete ? "insert or remove"
                                            : "insert",
                       ARG_SL(slice_trim(l->o.signal_collection)),
                       outside ? "signals cannot be read there"
                               : "incremental snapshots cannot mark their windows");
        inspection_cure(l->out, MONGOSH, grant.p);
        strbuf_release(&grant);
    }
}

/* --- collections ------------------------------------------------------------------------------ */

struct tally {
    size_t all, captured, without_images;
    struct strbuf commands; /* for some of them */
};

static bool has_images(const bson_t *info)
{
    bson_iter_t top, i;
    return libbson.iter_init(&top, info) &&
           libbson.iter_find_descendant(&top, "options.changeStreamPreAndPostImages.enabled", &i) &&
           libbson.iter_as_bool(&i);
}

static const char *text_of(const bson_t *info, const char *name)
{
    bson_iter_t i;
    return libbson.iter_init_find(&i, info, name) && libbson.iter_type(&i) == BSON_TYPE_UTF8
               ? libbson.iter_utf8(&i, NULL)
               : "";
}

static void count_collection(struct tally *t, const struct mongo_filter *f, const char *db,
                             const bson_t *info)
{
    enum { SHOWN = 10 };
    const char *name = text_of(info, "name"), *type = text_of(info, "type");
    if ((*type && strcmp(type, "collection") != 0) || strncmp(name, "system.", 7) == 0)
        return;
    t->all++;
    if (!mongo_filter_collection(f, slice_cstr(db), slice_cstr(name)))
        return;
    t->captured++;
    if (has_images(info) || ++t->without_images > SHOWN)
        return;
    strbuf_addf(&t->commands,
                "%sdb.getSiblingDB(\"%s\").runCommand({collMod:\"%s\","
                "changeStreamPreAndPostImages:{enabled:true}})",
                t->commands.n ? "\n" : "", db, name);
}

static enum err read_collections(struct look *l, const struct mongo_filter *f, const char *db,
                                 struct tally *t, struct error *e)
{
    bson_error_t be = {0};
    const bson_t *info, *reply = NULL;
    mongoc_database_t *d = libmongoc.client_get_database(l->client, db);
    mongoc_cursor_t *cursor = libmongoc.database_find_collections_with_opts(d, NULL);
    while (libmongoc.cursor_next(cursor, &info))
        count_collection(t, f, db, info);
    enum err rc = libmongoc.cursor_error_document(cursor, &be, &reply)
                      ? mongo_fault(l->pool, l->client, NULL, &be, reply, NULL, e)
                      : E_OK;
    libmongoc.cursor_destroy(cursor);
    libmongoc.database_destroy(d);
    return rc;
}

static enum err read_databases(struct look *l, const struct mongo_filter *f, struct tally *t,
                               struct error *e)
{
    bson_error_t be = {0};
    if (l->o.scope != MONGO_SCOPE_DEPLOYMENT) {
        char *db = slice_dup(l->o.target_db);
        enum err rc = read_collections(l, f, db, t, e);
        mem_free(db);
        return rc;
    }
    char **names = libmongoc.client_get_database_names_with_opts(l->client, NULL, &be);
    if (!names)
        return mongo_fault(l->pool, l->client, NULL, &be, NULL, NULL, e);
    enum err rc = E_OK;
    for (char **n = names; *n && rc == E_OK; n++)
        if (!mongo_is_internal(slice_cstr(*n)))
            rc = read_collections(l, f, *n, t, e);
    libbson.strfreev(names);
    return rc;
}

/* Elements of the lists that can never match db.coll. */
static void dotless(struct look *l, struct slice list, const char *option)
{
    struct slice part;
    while (slice_split(&list, ',', &part)) {
        part = slice_trim(part);
        if (part.n && slice_find_char(part, '.') < 0)
            inspection_add(l->out, INSPECT_WARNING, option,
                           "\"" PRI_SL "\" matches nothing: elements have the form "
                           "database.collection",
                           ARG_SL(part));
    }
}

/* 6.0 is where the server keeps images of documents. */
static void images(struct look *l, const struct tally *t)
{
    const struct mongo_server *s = mongo_client_pool_server(l->pool);
    bool wanted = l->o.pre_image || l->o.post_image;
    if (wanted && s->version && s->version < 60000)
        inspection_add(l->out, INSPECT_FAULT, "pre-images", "they need MongoDB 6.0, this is %s",
                       s->version_text);
    else if (wanted && t->without_images) {
        inspection_add(l->out, INSPECT_WARNING, "pre-images",
                       "%zu of %zu captured collections keep none: %s of their changes stays null",
                       t->without_images, t->captured, l->o.pre_image ? "before" : "after");
        inspection_cure(l->out, MONGOSH, t->commands.p);
    } else if (wanted)
        inspection_add(l->out, INSPECT_OK, "pre-images", "all captured collections keep them");
    else
        inspection_add(l->out, INSPECT_NOTE, "pre-images",
                       "before is null in events of updates and deletes; "
                       "capture.mode=change_streams_update_full_with_pre_image fills it where "
                       "collections keep pre-images (collMod, MongoDB 6.0)");
}

static void collections(struct look *l)
{
    const struct mongo_options *o = &l->o;
    struct mongo_lists lists = {
        .literal = o->literal,
        .database_include = o->database_include,
        .database_exclude = o->database_exclude,
        .collection_include = o->collection_include,
        .collection_exclude = o->collection_exclude,
        .signals = o->signal_collection,
        .scope_db = o->target_db,
        .scope_coll = o->target_coll,
    };
    struct mongo_filter f;
    struct error e = {0};
    struct tally t = {.commands = STRBUF_INIT};
    if (mongo_filter_init(&f, &lists, &e)) {
        inspection_add(l->out, INSPECT_FAULT, "collections", "%s", e.msg);
        return;
    }
    if (!o->literal) {
        dotless(l, o->collection_include, "collection.include.list");
        dotless(l, o->collection_exclude, "collection.exclude.list");
    }
    if (read_databases(l, &f, &t, &e))
        inspection_add(l->out, INSPECT_WARNING, "collections", "cannot be listed: %s", e.msg);
    else if (t.all && !t.captured)
        inspection_add(l->out, INSPECT_WARNING, "collections",
                       "none of the %zu collections is captured", t.all);
    else if (!t.all)
        inspection_add(l->out, INSPECT_WARNING, "collections", "%s",
                       l->denied ? "none are seen: this user may not be allowed to see them"
                                 : "there are none yet");
    else
        inspection_add(l->out, INSPECT_OK, "collections", "%zu of %zu are captured", t.captured,
                       t.all);
    images(l, &t);
    strbuf_release(&t.commands);
    mongo_filter_release(&f);
}

/* --- the oplog -------------------------------------------------------------------------------- */

struct oplog_end {
    uint32_t seconds;
    bool beginning; /* the entry that initiated the set: nothing was ever dropped */
};

static enum err oplog_end(struct look *l, int direction, struct oplog_end *out, struct error *e)
{
    bson_error_t be = {0};
    const bson_t *entry, *reply = NULL;
    bson_t filter, options, sort;
    bson_iter_t top, i;
    mongoc_collection_t *c = libmongoc.client_get_collection(l->client, "local", "oplog.rs");
    libbson.init(&filter);
    libbson.init(&options);
    libbson.append_document_begin(&options, "sort", -1, &sort);
    libbson.append_int32(&sort, "$natural", -1, direction);
    libbson.append_document_end(&options, &sort);
    libbson.append_int64(&options, "limit", -1, 1);
    mongoc_cursor_t *cursor = libmongoc.collection_find_with_opts(c, &filter, &options, NULL);
    enum err rc = E_NOT_FOUND;
    if (libmongoc.cursor_next(cursor, &entry)) {
        uint32_t increment;
        rc = E_OK;
        if (libbson.iter_init_find(&i, entry, "ts") && libbson.iter_type(&i) == BSON_TYPE_TIMESTAMP)
            libbson.iter_timestamp(&i, &out->seconds, &increment);
        out->beginning = libbson.iter_init(&top, entry) &&
                         libbson.iter_find_descendant(&top, "o.msg", &i) &&
                         libbson.iter_type(&i) == BSON_TYPE_UTF8 &&
                         strcmp(libbson.iter_utf8(&i, NULL), "initiating set") == 0;
    } else if (libmongoc.cursor_error_document(cursor, &be, &reply)) {
        rc = mongo_fault(l->pool, l->client, NULL, &be, reply, NULL, e);
    }
    libmongoc.cursor_destroy(cursor);
    libmongoc.collection_destroy(c);
    libbson.destroy(&filter);
    libbson.destroy(&options);
    return rc;
}

/* How long a connector may stand still before its position is gone. */
static void oplog(struct look *l)
{
    enum { SHORT_HOURS = 24, BETTER_HOURS = 72 };
    struct oplog_end first = {0}, last = {0};
    struct error e = {0};
    if (mongo_client_pool_server(l->pool)->mongos)
        return;
    if (oplog_end(l, 1, &first, &e) || oplog_end(l, -1, &last, &e)) {
        inspection_add(l->out, INSPECT_NOTE, "oplog", "its window cannot be seen (%s)",
                       e.sys == 13 ? "read on the database local is not granted" : e.msg);
        return;
    }
    double hours = last.seconds > first.seconds ? (last.seconds - first.seconds) / 3600.0 : 0;
    if (first.beginning || hours >= SHORT_HOURS) {
        inspection_add(l->out, INSPECT_OK, "oplog", "it goes back %.1f hours%s", hours,
                       first.beginning ? ", to the beginning of the replica set" : "");
        return;
    }
    inspection_add(l->out, INSPECT_WARNING, "oplog",
                   "it goes back %.1f hours only: a connector that is stopped for longer has lost "
                   "its position and needs a new snapshot",
                   hours);
    char *cure =
        xasprintf("db.adminCommand({replSetResizeOplog:1,minRetentionHours:%d})", BETTER_HOURS);
    inspection_cure(l->out, MONGOSH, cure);
    mem_free(cure);
}

/* --- all of it -------------------------------------------------------------------------------- */

void mongo_inspect(const struct strmap *config, struct inspection *out)
{
    struct look l = {.out = out};
    struct error e = {0};
    enum err rc = mongo_options_load(&l.o, config, &e);
    if (rc) {
        if (!inspection_count(out, INSPECT_FAULT)) /* else a wrong value has been told */
            inspection_add(out, INSPECT_FAULT, "configuration", "%s", e.msg);
    } else if (mongo_client_pool_try(&l.pool, &l.o, LIMIT_MS, &l.verdict, &e)) {
        /* A connector is taken, and its task waits for a primary. */
        bool passes = l.verdict.finding == FINDING_NO_PRIMARY;
        add_error(out, passes ? INSPECT_WARNING : INSPECT_FAULT, "connection", &e);
    } else {
        l.client = mongo_client_take(l.pool);
        connection(&l);
        privileges(&l);
        collections(&l);
        oplog(&l);
        mongo_client_give(l.pool, l.client);
    }
    mongo_client_pool_close(l.pool);
    mongo_options_release(&l.o);
}
