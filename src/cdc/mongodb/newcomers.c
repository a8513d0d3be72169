/* cdc/mongodb/newcomers.c - see newcomers.h. */
#include "cdc/mongodb/newcomers.h"

#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "cdc/mongodb/listing.h"
#include "cdc/mongodb/signals.h"

enum { SHOWN_MAX = 20 }; /* names in one line */

/* --- what is known ---------------------------------------------------------------------------- */

void mongo_known_init(struct mongo_known *k)
{
    *k = (struct mongo_known){.all = false};
    map_init(&k->ids);
}

void mongo_known_release(struct mongo_known *k)
{
    map_release(&k->ids, NULL);
}

bool mongo_known_add(struct mongo_known *k, struct slice id)
{
    return !map_get(&k->ids, id) && !map_put(&k->ids, id, k);
}

/* --- the store -------------------------------------------------------------------------------- */

static const char *const steps[] = {
    "CREATE TABLE mongo_captured (connector TEXT PRIMARY KEY, lists TEXT NOT NULL) WITHOUT ROWID;",
    NULL,
};
const struct db_migrations mongo_migrations = {"cdc-mongodb", steps};

struct row {
    struct slice connector, lists;
    struct strbuf stored;
};

static enum err read_job(struct db *d, void *arg, struct error *e)
{
    struct row *r = arg;
    sqlite3_stmt *s = db_stmt(d, "SELECT lists FROM mongo_captured WHERE connector = ?1");
    db_bind_slice(s, 1, r->connector);
    enum err rc = db_step(d, s, e);
    if (rc == E_OK)
        strbuf_add_slice(&r->stored, db_column_slice(s, 0));
    if (rc == E_NOT_FOUND && e)
        error_clear(e);
    return rc == E_NOT_FOUND ? E_OK : rc;
}

static enum err write_job(struct db *d, void *arg, struct error *e)
{
    const struct row *r = arg;
    return db_put(d, e,
                  "INSERT INTO mongo_captured (connector, lists) VALUES (?1, ?2)"
                  " ON CONFLICT DO UPDATE SET lists = ?2",
                  db_text(r->connector), db_text(r->lists));
}

/* --- lists of then ---------------------------------------------------------------------------- */

static const struct {
    const char *name;
    size_t at;
} members[] = {
    {"database.include", offsetof(struct mongo_lists, database_include)},
    {"database.exclude", offsetof(struct mongo_lists, database_exclude)},
    {"collection.include", offsetof(struct mongo_lists, collection_include)},
    {"collection.exclude", offsetof(struct mongo_lists, collection_exclude)},
    {"scope.database", offsetof(struct mongo_lists, scope_db)},
    {"scope.collection", offsetof(struct mongo_lists, scope_coll)},
};

void mongo_lists_print(const struct mongo_lists *l, struct strbuf *out)
{
    strbuf_addf(out, "{\"literal\":%s", l->literal ? "true" : "false");
    for (size_t i = 0; i < ARRAY_LEN(members); i++) {
        const struct slice *text = (const void *)((const char *)l + members[i].at);
        if (!slice_trim(*text).n)
            continue;
        strbuf_addf(out, ",\"%s\":", members[i].name);
        json_add_string(out, slice_trim(*text));
    }
    strbuf_addc(out, '}');
}

enum err mongo_then_init(struct mongo_then *then, struct slice text, struct error *e)
{
    struct mongo_lists l = {.literal = false};
    enum err rc = json_load_slice(text, &then->root, e);
    if (rc)
        return rc;
    l.literal = json_get_bool(then->root, "literal", false);
    for (size_t i = 0; i < ARRAY_LEN(members); i++)
        *(struct slice *)(void *)((char *)&l + members[i].at) =
            json_get_str(then->root, members[i].name);
    rc = mongo_filter_init(&then->filter, &l, e);
    if (rc)
        json_decref(then->root);
    return rc;
}

void mongo_then_release(struct mongo_then *then)
{
    mongo_filter_release(&then->filter);
    json_decref(then->root);
}

/* --- texts ------------------------------------------------------------------------------------ */

static void add_names(const struct slice *ids, size_t count, const char *quote, const char *between,
                      struct strbuf *out)
{
    for (size_t i = 0; i < count && i < SHOWN_MAX; i++)
        strbuf_addf(out, "%s%s" PRI_SL "%s", i ? between : "", quote, ARG_SL(ids[i]), quote);
    if (count > SHOWN_MAX)
        strbuf_addf(out, "%s... (%zu in all)", between, count);
}

void mongo_bring_text(const struct mongo_options *o, const struct slice *ids, size_t count,
                      struct strbuf *out)
{
    struct slice channels = o->signal_channels, channel, db, coll;
    bool source = false, other = false;
    while (channels.p && slice_split(&channels, ',', &channel)) {
        source = source || slice_ieq(slice_trim(channel), SL("source"));
        other = other || slice_ieq(slice_trim(channel), SL("kafka")) ||
                slice_ieq(slice_trim(channel), SL("file"));
    }
    mongo_split_id(slice_trim(o->signal_collection), &db, &coll);
    if (source && coll.n)
        strbuf_addf(out,
                    "db.getSiblingDB(\"" PRI_SL "\").getCollection(\"" PRI_SL
                    "\").insertOne({_id: ObjectId(), type: \"execute-snapshot\", data: "
                    "{\"data-collections\": [",
                    ARG_SL(db), ARG_SL(coll));
    else
        strbuf_addf(out,
                    "%sthe signal {\"id\":\"1\",\"type\":\"execute-snapshot\",\"data\":"
                    "{\"data-collections\":[",
                    other ? ""
                          : "set signal.data.collection or signal.enabled.channels, and send ");
    add_names(ids, count, "\"", ",", out);
    strbuf_adds(out,
                source && coll.n ? "], type: \"incremental\"}})" : "],\"type\":\"incremental\"}}");
}

/* --- a restart with other lists --------------------------------------------------------------- */

static int by_text(const void *a, const void *b)
{
    return slice_cmp(*(const struct slice *)a, *(const struct slice *)b);
}

static void tell_wider(struct mongo_task *t, const struct mongo_then *then)
{
    struct slice *ids = xcalloc(t->known.ids.count + 1, sizeof *ids), id, db, coll;
    size_t count = 0;
    void *value;
    for (size_t i = 0; map_next(&t->known.ids, &i, &id, &value);) {
        mongo_split_id(id, &db, &coll);
        if (!mongo_filter_collection(&then->filter, db, coll))
            ids[count++] = id;
    }
    if (count) {
        struct strbuf names = STRBUF_INIT, bring = STRBUF_INIT;
        qsort(ids, count, sizeof *ids, by_text);
        add_names(ids, count, "'", ", ", &names);
        mongo_bring_text(&t->o, ids, count, &bring);
        LOG_INFO(LOG_CDC_MONGO,
                 "newly included: %s; their changes are captured from here on, the documents that "
                 "they have already are not in their topics. This brings them: %s",
                 names.p, bring.p);
        strbuf_release(&names);
        strbuf_release(&bring);
    }
    mem_free(ids);
}

static void compare_lists(struct mongo_task *t, struct slice stored)
{
    struct mongo_then then;
    struct error e = {0};
    if (mongo_then_init(&then, stored, &e)) {
        LOG_ERR(LOG_CDC_MONGO, LOG_L_WARN, &e, "the lists of the last run cannot be read");
        return;
    }
    tell_wider(t, &then);
    mongo_then_release(&then);
}

void mongo_newcomers_begin(struct mongo_task *t, bool afresh)
{
    struct strbuf now = STRBUF_INIT;
    struct error e = {0};
    struct row r = {.connector = slice_cstr(t->ctx->connector), .stored = STRBUF_INIT};
    mongo_lists_print(&t->filter.lists, &now);
    r.lists = strbuf_slice(&now);
    enum err rc = db_run(t->ctx->db, read_job, &r, &e);
    bool same = !rc && slice_eq(strbuf_slice(&r.stored), r.lists);
    /* Not to be listed: another start will tell. */
    if (!rc && !same && r.stored.n && !afresh && t->known.all)
        compare_lists(t, strbuf_slice(&r.stored));
    if (!rc && !same && (afresh || !r.stored.n || t->known.all))
        rc = db_run(t->ctx->db, write_job, &r, &e);
    if (rc)
        LOG_ERR(LOG_CDC_MONGO, LOG_L_WARN, &e,
                "the lists in force cannot be stored: newly included collections will not be told");
    strbuf_release(&r.stored);
    strbuf_release(&now);
}

/* --- while it runs ---------------------------------------------------------------------------- */

static enum err look_at_images(void *arg, struct slice db, struct slice name, struct slice info,
                               struct error *e)
{
    const struct mongo_task *t = arg;
    (void)e;
    mongo_warn_images(&t->o, db, name, info);
    return E_OK;
}

static void check_images(struct mongo_task *t, const struct collection *c)
{
    struct error e = {0};
    if (!t->o.pre_image && !t->o.post_image)
        return;
    if (mongo_list_one(t, mongo_signals_client(t->signals), c->db, c->name, true, look_at_images, t,
                       &e))
        LOG_ERR(LOG_CDC_MONGO, LOG_L_WARN, &e,
                "whether '" PRI_SL "' keeps images for capture.mode cannot be asked",
                ARG_SL(c->id));
}

static void tell_new(struct mongo_task *t, const struct collection *c)
{
    struct strbuf bring = STRBUF_INIT;
    mongo_bring_text(&t->o, &c->id, 1, &bring);
    LOG_INFO(LOG_CDC_MONGO,
             "'" PRI_SL "' has appeared and is captured from this change on; documents that it may "
             "have had before (when it was renamed or restored, say) are not in its topic. This "
             "brings them: %s",
             ARG_SL(c->id), bring.p);
    strbuf_release(&bring);
}

void mongo_newcomers_look(struct mongo_task *t)
{
    struct collection *c;
    while ((c = collections_next_seen(&t->collections))) {
        if (c->is_signals)
            continue;
        bool unknown = mongo_known_add(&t->known, c->id);
        if (unknown && t->known.all && !c->in_snapshot)
            tell_new(t, c);
        if (unknown || c->recreated)
            check_images(t, c);
        c->recreated = false;
    }
}
