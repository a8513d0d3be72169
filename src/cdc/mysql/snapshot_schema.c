/* cdc/mysql/snapshot_schema.c - names and structure of all tables, and the statements that stand
 * for it in history and schema-change topic. SPEC: cdc-mysql 3.2 */
#include "cdc/mysql/snapshot.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "cdc/signal.h"

/* --- names ------------------------------------------------------------------------------------ */

/* Whether the signal for a blocking snapshot names the table. */
static bool is_asked_for(const struct snapshot *s, const char *db, struct slice name)
{
    struct strbuf id = STRBUF_INIT;
    bool yes = false;
    if (capture_is_signal_table(&s->t->rules.filter, slice_cstr(db), name))
        return false;
    strbuf_addf(&id, "%s." PRI_SL, db, ARG_SL(name));
    for (size_t i = 0; i < s->request->collection_count && !yes; i++)
        yes = signal_names(s->request->collections[i], strbuf_slice(&id));
    strbuf_release(&id);
    return yes;
}

static void add_table(struct snapshot *s, const char *db, struct slice name)
{
    const struct mysql_task *t = s->t;
    bool captured = capture_table(&t->rules.filter, slice_cstr(db), name);
    if (!captured && (t->o.only_captured_tables || s->request))
        return;
    if (s->request && !is_asked_for(s, db, name))
        return;
    s->tables = xrealloc(s->tables, (s->count + 1) * sizeof *s->tables);
    s->tables[s->count++] = (struct snap_table){
        .db = xstrdup(db),
        .name = slice_dup(name),
        .captured = captured,
        .rank = capture_table_rank(&t->rules.filter, slice_cstr(db), name),
    };
}

static enum err list_one(struct snapshot *s, const char *db, struct error *e)
{
    struct strbuf sql = STRBUF_INIT;
    struct mysql_result r;
    strbuf_adds(&sql, "SHOW FULL TABLES IN ");
    mysql_quote_name(&sql, slice_cstr(db));
    strbuf_adds(&sql, " WHERE Table_Type IN ('BASE TABLE', 'SYSTEM VERSIONED')");
    enum err rc = mysql_conn_query(s->t->conn, sql.p, &r, e);
    strbuf_release(&sql);
    if (rc == E_REMOTE) { /* dropped meanwhile, or not ours to see */
        LOG_WARN(LOG_CDC_MYSQL, "cannot list the tables of database %s", db);
        return E_OK;
    }
    if (rc)
        return rc;
    while ((rc = mysql_result_next(&r, e)) == E_OK)
        add_table(s, db, mysql_result_get(&r, 0));
    mysql_result_end(&r);
    return rc == E_NOT_FOUND ? E_OK : rc;
}

static int by_name(const void *a, const void *b)
{
    const struct snap_table *x = a, *y = b;
    int c = strcmp(x->db, y->db);
    return c ? c : strcmp(x->name, y->name);
}

static void warn_nothing(const struct snapshot *s)
{
    for (size_t i = 0; i < s->count; i++)
        if (s->tables[i].captured)
            return;
    LOG_WARN(LOG_CDC_MYSQL,
             "After applying the include/exclude list filters, no changes will be captured. "
             "Please check your configuration!");
    struct slice include = s->t->o.table_include;
    if (include.n && slice_find_char(include, '.') < 0)
        LOG_WARN(LOG_CDC_MYSQL, "table.include.list: table names need the form database.table");
}

/* Names of the signal that are no tables here. */
static void tell_unknown(const struct snapshot *s)
{
    struct slice *ids = xcalloc(s->count + 1, sizeof *ids);
    for (size_t i = 0; i < s->count; i++)
        ids[i] = slice_cstr(xasprintf("%s.%s", s->tables[i].db, s->tables[i].name));
    signal_tell_unknown(s->request, LOG_CDC_MYSQL, "table", ids, s->count);
    for (size_t i = 0; i < s->count; i++)
        mem_free((char *)(uintptr_t)ids[i].p);
    mem_free(ids);
}

enum err snapshot_list_tables(struct snapshot *s, struct error *e)
{
    struct strmap databases;
    struct mysql_result r;
    strmap_init(&databases);
    enum err rc = mysql_conn_query(s->t->conn, "SHOW DATABASES", &r, e);
    if (rc)
        return rc;
    while ((rc = mysql_result_next(&r, e)) == E_OK) {
        struct slice db = mysql_result_get(&r, 0);
        bool captured = capture_database(&s->t->rules.filter, db);
        if (captured || (!capture_is_builtin(db) && !s->t->o.only_captured_databases))
            strmap_set(&databases, db, SL(""));
    }
    mysql_result_end(&r);
    rc = rc == E_NOT_FOUND ? E_OK : rc;
    for (size_t i = 0; i < databases.count && rc == E_OK; i++) {
        char *db = slice_dup(databases.entries[i].key);
        rc = list_one(s, db, e);
        mem_free(db);
    }
    strmap_release(&databases);
    if (s->count)
        qsort(s->tables, s->count, sizeof *s->tables, by_name);
    if (rc == E_OK && !s->request)
        warn_nothing(s);
    if (rc == E_OK && s->request)
        tell_unknown(s);
    return rc;
}

/* --- structure -------------------------------------------------------------------------------- */

static enum err read_create(struct snapshot *s, struct snap_table *t, struct error *e)
{
    if (t->create)
        return E_OK;
    struct strbuf sql = STRBUF_INIT;
    strbuf_adds(&sql, "SHOW CREATE TABLE ");
    mysql_quote_name(&sql, slice_cstr(t->db));
    strbuf_addc(&sql, '.');
    mysql_quote_name(&sql, slice_cstr(t->name));
    enum err rc = mysql_conn_scalar(s->t->conn, sql.p, 1, &t->create, e);
    strbuf_release(&sql);
    if (rc == E_REMOTE && e && (e->sys == 1146 || (e->sys == 1142 && !t->captured)))
        return E_OK; /* gone meanwhile; or without the privilege, but nobody asked for it */
    return rc;
}

enum err snapshot_read_uncaptured(struct snapshot *s, struct error *e)
{
    enum err rc = E_OK;
    for (size_t i = 0; i < s->count && rc == E_OK; i++)
        if (!s->tables[i].captured)
            rc = read_create(s, &s->tables[i], e);
    return rc;
}

enum err snapshot_read_structure(struct snapshot *s, struct error *e)
{
    enum err rc = mysql_conn_variable(s->t->conn, "character_set_server", &s->charset, e);
    if (rc == E_OK)
        rc = mysql_conn_variable(s->t->conn, "collation_server", &s->collation, e);
    for (size_t i = 0; i < s->count && rc == E_OK; i++)
        rc = read_create(s, &s->tables[i], e);
    return rc;
}

/* --- as statements ---------------------------------------------------------------------------- */

static enum err apply(struct snapshot *s, struct mysql_changes *all, struct slice db,
                      const char *sql, struct error *e)
{
    struct mysql_ddl_origin origin = {.db = db};
    enum err rc = mysql_schema_apply(s->t->schema, &origin, slice_cstr(sql), all, e);
    if (rc == E_UNSUPPORTED || rc == E_NOT_FOUND) {
        LOG_ERR(LOG_CDC_MYSQL, LOG_L_WARN, e, "statement not understood");
        return E_OK;
    }
    return rc;
}

/* One synthetic statement: applied, reported, forgotten. */
struct reporter {
    struct snapshot *s;
    struct record_batch *b;
    struct mysql_changes changes;
    bool replace;
};

static enum err report(struct reporter *r, struct slice db, const char *sql, struct error *e)
{
    mysql_changes_reset(&r->changes);
    enum err rc = apply(r->s, &r->changes, db, sql, e);
    if (rc)
        return rc;
    struct ddl_report how = {.at = &r->s->at, .snapshot = true, .replace = r->replace, .db = db};
    r->replace = false;
    return mysql_task_report_changes(r->s->t, &r->changes, &how, r->b, e);
}

static enum err report_drops(struct reporter *r, struct error *e)
{
    struct strbuf sql = STRBUF_INIT;
    enum err rc = E_OK;
    for (size_t i = 0; i < r->s->count && rc == E_OK; i++) {
        const struct snap_table *t = &r->s->tables[i];
        strbuf_reset(&sql);
        strbuf_adds(&sql, "DROP TABLE IF EXISTS ");
        mysql_quote_name(&sql, slice_cstr(t->db));
        strbuf_addc(&sql, '.');
        mysql_quote_name(&sql, slice_cstr(t->name));
        rc = report(r, slice_cstr(t->db), sql.p, e);
    }
    strbuf_release(&sql);
    return rc;
}

static enum err report_database(struct reporter *r, const char *db, struct error *e)
{
    struct strbuf sql = STRBUF_INIT, text = STRBUF_INIT;
    char *charset = NULL, *collation = NULL;
    strbuf_adds(&text, "SELECT default_character_set_name, default_collation_name FROM "
                       "information_schema.schemata WHERE schema_name = ");
    mysql_quote_text(&text, slice_cstr(db));
    enum err rc = mysql_conn_scalar(r->s->t->conn, text.p, 0, &charset, e);
    if (rc == E_OK)
        rc = mysql_conn_scalar(r->s->t->conn, text.p, 1, &collation, e);
    if (rc == E_NOT_FOUND)
        rc = E_OK;
    static const char *const forms[] = {"DROP DATABASE IF EXISTS ", "CREATE DATABASE ", "USE "};
    for (int i = 0; i < 3 && rc == E_OK; i++) {
        strbuf_reset(&sql);
        strbuf_adds(&sql, forms[i]);
        mysql_quote_name(&sql, slice_cstr(db));
        if (i == 1 && charset)
            strbuf_addf(&sql, " CHARSET %s COLLATE %s", charset, collation ? collation : "");
        rc = report(r, slice_cstr(db), sql.p, e);
    }
    mem_free(charset);
    mem_free(collation);
    strbuf_release(&text);
    strbuf_release(&sql);
    return rc;
}

/* A blocking snapshot tells nothing about structure: the stream does, in its order. */
static enum err apply_all(struct snapshot *s, struct error *e)
{
    struct mysql_changes changes;
    enum err rc = E_OK;
    mysql_changes_init(&changes);
    mysql_schema_set_server_charset(s->t->schema, slice_cstr(s->charset), slice_cstr(s->collation));
    for (size_t i = 0; i < s->count && rc == E_OK; i++)
        if (s->tables[i].create)
            rc = apply(s, &changes, slice_cstr(s->tables[i].db), s->tables[i].create, e);
    mysql_changes_release(&changes);
    return rc;
}

enum err snapshot_report_structure(struct snapshot *s, struct record_batch *b, struct error *e)
{
    if (s->request)
        return apply_all(s, e);
    struct reporter r = {.s = s, .b = b, .replace = true};
    mysql_changes_init(&r.changes);
    mysql_schema_clear(s->t->schema);
    mysql_schema_set_server_charset(s->t->schema, slice_cstr(s->charset), slice_cstr(s->collation));
    char *set = xasprintf("SET character_set_server=%s, collation_server=%s",
                          s->charset ? s->charset : "", s->collation ? s->collation : "");
    enum err rc = report(&r, SLICE_NULL, set, e);
    mem_free(set);
    if (rc == E_OK)
        rc = report_drops(&r, e);
    const char *db = NULL;
    for (size_t i = 0; i < s->count && rc == E_OK; i++) {
        struct snap_table *t = &s->tables[i];
        if (!db || strcmp(db, t->db) != 0)
            rc = report_database(&r, t->db, e);
        db = t->db;
        if (rc == E_OK && t->create)
            rc = report(&r, slice_cstr(t->db), t->create, e);
    }
    mysql_changes_release(&r.changes);
    return rc;
}

enum err snapshot_adopt_schema(struct mysql_task *t, struct error *e)
{
    struct snapshot *s = snapshot_new(t, false);
    struct mysql_changes changes;
    mysql_changes_init(&changes);
    enum err rc = snapshot_list_tables(s, e);
    if (rc == E_OK)
        rc = snapshot_read_structure(s, e);
    if (rc == E_OK) {
        mysql_schema_clear(t->schema);
        mysql_schema_set_server_charset(t->schema, slice_cstr(s->charset),
                                        slice_cstr(s->collation));
    }
    for (size_t i = 0; i < s->count && rc == E_OK; i++)
        if (s->tables[i].create)
            rc = apply(s, &changes, slice_cstr(s->tables[i].db), s->tables[i].create, e);
    if (rc == E_OK) {
        struct ddl_report how = {.at = &t->offset, .replace = true};
        rc = mysql_task_report_changes(t, &changes, &how, NULL, e);
    }
    mysql_changes_release(&changes);
    snapshot_free(s);
    return rc;
}
