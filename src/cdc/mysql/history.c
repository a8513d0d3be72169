/* cdc/mysql/history.c - schema history.
 *
 *   cdc_mysql_history(connector, seq, position, db, ddl, changes)
 * position is the record's offset as JSON, changes the tableChanges array with weir's extras. A
 * copy of each record, as Debezium writes it, goes to the history topic. SPEC: cdc-mysql 5.10, 7.5
 */
#include "cdc/mysql/history.h"

#include <jansson.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"

static const char *const steps[] = {
    "CREATE TABLE cdc_mysql_history(connector TEXT NOT NULL, seq INTEGER NOT NULL, position TEXT "
    "NOT NULL,"
    " db TEXT NOT NULL, ddl TEXT NOT NULL, changes TEXT NOT NULL, PRIMARY KEY(connector, seq))"
    " WITHOUT ROWID",
    NULL,
};
const struct db_migrations mysql_migrations = {"cdc_mysql", steps};

void history_init(struct history *h, struct db *db, struct kclient *k, const char *connector,
                  struct slice server, struct slice topic)
{
    memset(h, 0, sizeof *h);
    h->db = db;
    h->kclient = k;
    h->connector = xstrdup(connector);
    h->server = slice_dup(server);
    h->topic = topic.n ? slice_dup(topic) : NULL;
}

void history_release(struct history *h)
{
    if (h->producer)
        kproducer_close(h->producer);
    mem_free(h->connector);
    mem_free(h->server);
    mem_free(h->topic);
    memset(h, 0, sizeof *h);
}

static enum err ensure_topic(const struct history *h, struct error *e)
{
    struct kclient_topic found;
    struct slice topic = slice_cstr(h->topic);
    enum err rc = kclient_describe(h->kclient, topic, &found, e);
    if (rc == E_NOT_FOUND) {
        struct strmap configs;
        strmap_init(&configs);
        strmap_set(&configs, SL("cleanup.policy"), SL("delete"));
        strmap_set(&configs, SL("retention.ms"), SL("9223372036854775807"));
        strmap_set(&configs, SL("retention.bytes"), SL("-1"));
        rc = kclient_create(h->kclient, topic, 1, 1, &configs, e);
        strmap_release(&configs);
        if (rc == E_EXISTS)
            rc = E_OK;
    }
    return rc ? error_wrap(e, "schema history topic %s", h->topic) : E_OK;
}

enum err history_open(struct history *h, struct error *e)
{
    if (!h->topic || !h->kclient)
        return E_OK;
    enum err rc = ensure_topic(h, e);
    if (rc)
        return rc;
    LOG_INFO(LOG_CDC_MYSQL, "Database schema history topic '%s' has correct settings", h->topic);
    char *name = xasprintf("%s-schemahistory", h->connector);
    rc = kproducer_open(&h->producer, h->kclient, name, NULL, e);
    mem_free(name);
    return rc;
}

/* --- storing ---------------------------------------------------------------------------------- */

struct store_job {
    const struct history *h;
    const struct history_record *records;
    size_t count;
    bool replace;
};

static enum err next_seq(struct db *d, const char *connector, int64_t *seq, struct error *e)
{
    sqlite3_stmt *s =
        db_stmt(d, "SELECT coalesce(max(seq), 0) + 1 FROM cdc_mysql_history WHERE connector = ?");
    db_bind_slice(s, 1, slice_cstr(connector));
    enum err rc = db_step(d, s, e);
    if (rc == E_OK)
        *seq = sqlite3_column_int64(s, 0);
    return rc;
}

static enum err store_run(struct db *d, void *arg, struct error *e)
{
    const struct store_job *job = arg;
    int64_t seq = 1;
    enum err rc = job->replace ? history_forget(d, job->h->connector, e)
                               : next_seq(d, job->h->connector, &seq, e);
    struct strbuf at = STRBUF_INIT;
    for (size_t i = 0; i < job->count && rc == E_OK; i++) {
        const struct history_record *r = &job->records[i];
        sqlite3_stmt *s =
            db_stmt(d, "INSERT INTO cdc_mysql_history(connector, seq, position, db, ddl, changes)"
                       " VALUES(?, ?, ?, ?, ?, ?)");
        strbuf_reset(&at);
        mysql_offset_print(r->at, false, &at);
        db_bind_slice(s, 1, slice_cstr(job->h->connector));
        sqlite3_bind_int64(s, 2, seq++);
        db_bind_slice(s, 3, strbuf_slice(&at));
        db_bind_slice(s, 4, r->db.p ? r->db : SL(""));
        db_bind_slice(s, 5, r->ddl.p ? r->ddl : SL(""));
        db_bind_slice(s, 6,
                      r->changes_weir.p ? r->changes_weir
                      : r->changes.p    ? r->changes
                                        : SL("[]"));
        rc = db_exec(d, s, e);
    }
    strbuf_release(&at);
    return rc;
}

static void topic_record(const struct history *h, const struct history_record *r,
                         struct strbuf *out)
{
    strbuf_adds(out, "{\"source\":{\"server\":");
    json_add_string(out, slice_cstr(h->server));
    strbuf_adds(out, "},\"position\":");
    mysql_offset_print(r->at, true, out);
    strbuf_adds(out, ",\"ts_ms\":");
    strbuf_add_i64(out, clock_wall_ms());
    strbuf_adds(out, ",\"databaseName\":");
    json_add_string(out, r->db.p ? r->db : SL(""));
    strbuf_adds(out, ",\"ddl\":");
    json_add_string(out, r->ddl.p ? r->ddl : SL(""));
    strbuf_adds(out, ",\"tableChanges\":");
    strbuf_add_slice(out, r->changes.p ? r->changes : SL("[]"));
    strbuf_addc(out, '}');
}

/* All or, for the next ones, none: what failed is not kept to come with them. */
static enum err send_records(struct history *h, const struct history_record *records, size_t count,
                             struct error *e)
{
    struct strbuf text = STRBUF_INIT;
    enum err rc = E_OK;
    for (size_t i = 0; i < count && rc == E_OK; i++) {
        strbuf_reset(&text);
        topic_record(h, &records[i], &text);
        rc = kproducer_add(h->producer, slice_cstr(h->topic), 0, clock_wall_ms(), (struct ktext){0},
                           (struct ktext){.body = strbuf_slice(&text)}, (struct kheads){0}, e);
    }
    if (rc == E_OK)
        rc = kproducer_flush(h->producer, e);
    if (rc)
        kproducer_abort(h->producer);
    strbuf_release(&text);
    return rc;
}

static enum err write_topic(struct history *h, const struct history_record *records, size_t count,
                            struct error *e)
{
    enum err rc = send_records(h, records, count, e);
    if (rc != E_NOT_FOUND)
        return rc;
    LOG_WARN(LOG_CDC_MYSQL, "the schema history topic %s was deleted; it is made again", h->topic);
    error_clear(e);
    rc = ensure_topic(h, e);
    return rc ? rc : send_records(h, records, count, e);
}

enum err history_store(struct history *h, const struct history_record *records, size_t count,
                       bool replace, struct error *e)
{
    struct store_job job = {h, records, count, replace};
    enum err rc = db_run(h->db, store_run, &job, e);
    if (rc)
        return error_wrap(e, "storing the schema history");
    atomic_store_explicit(&h->status, HISTORY_RUNNING, memory_order_relaxed);
    atomic_fetch_add_explicit(&h->applied, count, memory_order_relaxed);
    if (count) {
        atomic_store_explicit(&h->last_applied_ms, clock_wall_ms(), memory_order_relaxed);
        capture_text_set(h->texts, TEXT_LAST_APPLIED, records[count - 1].ddl);
    }
    if (!h->producer || count == 0)
        return E_OK;
    /* The topic is a copy for others: its loss must not stop the capture. */
    struct error te = {0};
    if (write_topic(h, records, count, &te))
        LOG_ERR(LOG_CDC_MYSQL, LOG_L_WARN, &te, "cannot write the schema history topic %s",
                h->topic);
    return E_OK;
}

/* --- recovery --------------------------------------------------------------------------------- */

struct recovery {
    struct history *h;
    struct mysql_schema *schema;
    const struct mysql_offset *until;
    size_t seen;
    struct strbuf last; /* the newest statement */
    enum err rc;
    struct error *e;
};

/* False ends the reading: a record is damaged. */
static bool replay(struct recovery *r, struct slice position, struct slice db, struct slice ddl,
                   struct slice changes)
{
    struct mysql_offset at;
    mysql_offset_init(&at);
    r->rc = mysql_offset_parse(&at, position, r->e);
    if (r->rc == E_OK) {
        r->seen++;
        strbuf_reset(&r->last);
        strbuf_add_slice(&r->last, ddl);
        if (at.snapshot == OFFSET_INITIAL ||
            mysql_offset_at_or_before(&at, r->until, r->h->mariadb))
            r->rc = mysql_schema_restore(r->schema, changes, db, ddl, r->e);
    }
    mysql_offset_release(&at);
    return r->rc == E_OK;
}

static enum err recover_sqlite(struct recovery *r)
{
    sqlite3 *c;
    sqlite3_stmt *s = NULL;
    enum err rc = db_read_open(r->h->db, &c, r->e);
    if (rc)
        return rc;
    if (sqlite3_prepare_v2(
            c,
            "SELECT position, db, ddl, changes FROM cdc_mysql_history WHERE connector = ? "
            "ORDER BY seq",
            -1, &s, NULL) != SQLITE_OK) {
        rc = error_set(r->e, E_IO, "reading the schema history: %s", sqlite3_errmsg(c));
    } else {
        sqlite3_bind_text(s, 1, r->h->connector, -1, SQLITE_STATIC);
        int step;
        while ((step = sqlite3_step(s)) == SQLITE_ROW)
            if (!replay(r, db_column_slice(s, 0), db_column_slice(s, 1), db_column_slice(s, 2),
                        db_column_slice(s, 3)))
                break;
        rc = r->rc ? r->rc
             : step == SQLITE_DONE
                 ? E_OK
                 : error_set(r->e, E_IO, "reading the schema history: %s", sqlite3_errmsg(c));
    }
    sqlite3_finalize(s);
    sqlite3_close_v2(c);
    return rc;
}

static bool on_topic_record(const struct krecord *k, void *arg)
{
    struct recovery *r = arg;
    json_error_t fault;
    if (!k->value.p)
        return true;
    json_t *root = json_loadb(k->value.p, k->value.n, JSON_DECODE_ANY, &fault);
    const json_t *source = json_object_get(root, "source");
    struct slice server = slice_cstr(json_string_value(json_object_get(source, "server")));
    bool more = true;
    if (slice_eq_c(server, r->h->server)) {
        char *position = json_dumps(json_object_get(root, "position"), JSON_COMPACT);
        char *changes = json_dumps(json_object_get(root, "tableChanges"), JSON_COMPACT);
        struct slice db = slice_cstr(json_string_value(json_object_get(root, "databaseName")));
        struct slice ddl = slice_cstr(json_string_value(json_object_get(root, "ddl")));
        more = replay(r, slice_cstr(position), db, ddl, slice_cstr(changes));
        free(position);
        free(changes);
    }
    json_decref(root);
    return more;
}

enum err history_recover(struct history *h, struct mysql_schema *schema,
                         const struct mysql_offset *offset, size_t *count, struct error *e)
{
    struct recovery r = {.h = h, .schema = schema, .until = offset, .last = STRBUF_INIT, .e = e};
    atomic_store_explicit(&h->status, HISTORY_RECOVERING, memory_order_relaxed);
    atomic_store_explicit(&h->recovery_ms, clock_wall_ms(), memory_order_relaxed);
    enum err rc = recover_sqlite(&r);
    if (rc == E_OK && r.seen == 0 && h->topic && h->kclient) {
        LOG_INFO(LOG_CDC_MYSQL, "no schema history of connector %s here; reading topic %s",
                 h->connector, h->topic);
        rc = kclient_read(h->kclient, slice_cstr(h->topic), 0, -2, on_topic_record, &r, e);
        if (rc == E_NOT_FOUND)
            rc = E_OK;
        if (r.rc)
            rc = r.rc;
    }
    *count = r.seen;
    atomic_store_explicit(&h->recovered, r.seen, memory_order_relaxed);
    if (r.seen) {
        atomic_store_explicit(&h->last_recovered_ms, clock_wall_ms(), memory_order_relaxed);
        capture_text_set(h->texts, TEXT_LAST_RECOVERED, strbuf_slice(&r.last));
    }
    strbuf_release(&r.last);
    atomic_store_explicit(&h->status, rc ? HISTORY_STOPPED : HISTORY_RUNNING, memory_order_relaxed);
    return rc;
}

enum err history_forget(struct db *d, const char *connector, struct error *e)
{
    sqlite3_stmt *s = db_stmt(d, "DELETE FROM cdc_mysql_history WHERE connector = ?");
    db_bind_slice(s, 1, slice_cstr(connector));
    return db_exec(d, s, e);
}
