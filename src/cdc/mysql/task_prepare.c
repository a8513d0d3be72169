/* cdc/mysql/task_prepare.c - from a configuration and a stored offset to the phase a task begins
 * with, and what a change of structure means to history and topics. SPEC:
 * cdc-mysql 2.5, 3.1, 5.9, 5.10 */
#include "cdc/mysql/task.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "cdc/mysql/checks.h"
#include "cdc/mysql/signals.h"
#include "cdc/mysql/snapshot.h"

/* --- what a snapshot mode asks for ------------------------------------------------------------ */

struct mode {
    bool data, schema; /* without an offset */
    bool always;       /* with one, too */
    bool stream;
    bool on_schema_error, on_data_error; /* snapshot instead of failing */
};

static struct mode mode_of(const struct mysql_options *o)
{
    switch (o->snapshot) {
    case SNAPSHOT_ALWAYS:
        return (struct mode){.data = true, .schema = true, .always = true, .stream = true};
    case SNAPSHOT_INITIAL_ONLY:
        return (struct mode){.data = true, .schema = true};
    case SNAPSHOT_NO_DATA:
        return (struct mode){.schema = true, .stream = true};
    case SNAPSHOT_RECOVERY:
        return (struct mode){.stream = true};
    case SNAPSHOT_NEVER:
        return (struct mode){.stream = true};
    case SNAPSHOT_WHEN_NEEDED:
        return (struct mode){.data = true,
                             .schema = true,
                             .stream = true,
                             .on_schema_error = true,
                             .on_data_error = true};
    case SNAPSHOT_CONFIGURED:
        return (struct mode){.data = o->conf_snapshot_data,
                             .schema = o->conf_snapshot_schema || o->conf_snapshot_data,
                             .stream = o->conf_start_stream,
                             .on_schema_error = o->conf_on_schema_error,
                             .on_data_error = o->conf_on_data_error};
    default:
        return (struct mode){.data = true, .schema = true, .stream = true};
    }
}

/* --- the server ------------------------------------------------------------------------------- */

static enum err new_schema(struct mysql_task *t, struct error *e)
{
    char *lower = NULL, *charset = NULL, *collation = NULL;
    int64_t lower_case = 0;
    enum err rc = mysql_conn_variable(t->conn, "lower_case_table_names", &lower, e);
    if (rc == E_OK)
        rc = mysql_conn_variable(t->conn, "character_set_server", &charset, e);
    if (rc == E_OK)
        rc = mysql_conn_variable(t->conn, "collation_server", &collation, e);
    if (rc == E_OK) {
        if (slice_to_i64(slice_cstr(lower), &lower_case))
            lower_case = 0;
        struct mysql_schema_options o = {
            .mariadb = t->server.mariadb,
            .server_version = t->server.version,
            .lower_case_table_names = (int)lower_case,
            .server_charset = slice_cstr(charset),
            .server_collation = slice_cstr(collation),
        };
        mysql_schema_free(t->schema);
        t->schema = mysql_schema_new(&o);
    }
    mem_free(lower);
    mem_free(charset);
    mem_free(collation);
    return rc;
}

static enum err connect_server(struct mysql_task *t, struct error *e)
{
    enum err rc = E_OK;
    if (!t->conn) {
        struct mysql_conn_options o = mysql_task_conn_options(t);
        rc = mysql_conn_open(&o, &t->conn, e);
    }
    if (rc)
        return rc;
    t->server = *mysql_conn_server(t->conn);
    t->history.mariadb = t->server.mariadb;
    return new_schema(t, e);
}

/* --- the stored offset ------------------------------------------------------------------------ */

static enum err load_offset(struct mysql_task *t, struct error *e)
{
    struct arena a;
    struct slice stored = SLICE_NULL;
    arena_init(&a, 1024, ARENA_NO_BUDGET);
    enum err rc = t->ctx->load_offset
                      ? t->ctx->load_offset(t->ctx, &a, strbuf_slice(&t->partition), &stored, e)
                      : E_OK;
    t->has_offset = false;
    if (rc == E_OK && stored.p) {
        LOG_INFO(LOG_CDC_MYSQL, "Found previous partition offset %s: " PRI_SL, t->partition.p,
                 ARG_SL(stored));
        rc = mysql_offset_parse(&t->offset, stored, e);
        t->has_offset = rc == E_OK;
        transactions_load(&t->transactions, stored);
        signals_restore(t->signals, stored);
    } else if (rc == E_OK) {
        LOG_INFO(LOG_CDC_MYSQL, "No previous offsets found");
    }
    arena_release(&a);
    return rc;
}

static bool is_interrupted(const struct mysql_offset *o)
{
    return o->snapshot == OFFSET_INITIAL && !o->snapshot_completed;
}

static void begin_snapshot(struct mysql_task *t, bool data)
{
    signals_forget(t->signals);
    snapshot_free(t->snapshot);
    t->snapshot = snapshot_new(t, data);
    atomic_store_explicit(&t->snapshot_began_ms, clock_mono_ms(), memory_order_relaxed);
    atomic_store_explicit(&t->snapshot_ended_ms, 0, memory_order_relaxed);
    atomic_store_explicit(&t->snapshot_skipped, false, memory_order_relaxed);
    task_life_go(&t->life, PHASE_SNAPSHOT);
}

/* No snapshot at this start. */
static void note_skipped(struct mysql_task *t)
{
    struct note_member m[] = {{"connector_name", SLICE_NULL}};
    atomic_store_explicit(&t->snapshot_skipped, true, memory_order_relaxed);
    notify(&t->signals->work.notes, NOTE_INITIAL, "SKIPPED", SLICE_NULL, m, ARRAY_LEN(m));
}

static enum err without_offset(struct mysql_task *t, struct mode m, struct error *e)
{
    if (t->o.snapshot == SNAPSHOT_RECOVERY)
        return error_set(
            e, E_INVALID,
            "Could not find existing redo log information while attempting schema only recovery "
            "snapshot");
    if (m.stream && !m.data)
        check_first_binlog(t->conn);
    if (m.schema) {
        begin_snapshot(t, m.data);
        return E_OK;
    }
    if (!m.stream) {
        task_life_go(&t->life, PHASE_IDLE);
        return E_OK;
    }
    /* never: from here on, with the structure of now. */
    enum err rc = check_position(t->conn, &t->offset, e);
    if (rc == E_OK)
        rc = snapshot_adopt_schema(t, e);
    if (rc == E_OK) {
        note_skipped(t);
        task_life_go(&t->life, PHASE_STREAM);
    }
    return rc;
}

static enum err check_stored(struct mysql_task *t, struct mode m, bool *snapshot, struct error *e)
{
    bool available = true;
    enum err rc =
        m.stream ? check_available(t->conn, &t->offset, &t->gtid_filter, &available, e) : E_OK;
    if (rc || available)
        return rc;
    struct strbuf text = STRBUF_INIT;
    LOG_WARN(LOG_CDC_MYSQL, "Last recorded offset is no longer available on the server.");
    mysql_offset_print(&t->offset, false, &text);
    *snapshot = m.on_data_error;
    if (!m.on_data_error)
        rc = error_set(
            e, E_INVALID,
            "The connector is trying to read change stream starting at %s, but this is no longer "
            "available on the server. Reconfigure the connector to use a snapshot mode when "
            "needed.",
            text.p);
    if (rc)
        error_hint(e, "two cures: snapshot.mode=when_needed, or stop the connector, DELETE its "
                      "/offsets and resume it; both take a new snapshot");
    strbuf_release(&text);
    return rc;
}

static enum err with_offset(struct mysql_task *t, struct mode m, struct error *e)
{
    bool snapshot = false;
    size_t records = 0;
    enum err rc = check_stored(t, m, &snapshot, e);
    if (rc)
        return rc;
    if (snapshot || m.always) {
        begin_snapshot(t, m.data);
        return E_OK;
    }
    if (t->o.snapshot == SNAPSHOT_RECOVERY) {
        rc = snapshot_adopt_schema(t, e);
    } else {
        rc = history_recover(&t->history, t->schema, &t->offset, &records, e);
        if (rc == E_OK && records == 0 && m.on_schema_error) {
            begin_snapshot(t, m.data);
            return E_OK;
        }
        if (rc == E_OK && records == 0 && t->o.snapshot == SNAPSHOT_NEVER)
            rc = snapshot_adopt_schema(t, e);
        else if (rc == E_OK && records == 0)
            rc = error_set(
                e, E_NOT_FOUND,
                "The db history topic is missing. You may attempt to recover it by reconfiguring "
                "the connector to recovery.");
    }
    if (rc == E_OK) {
        note_skipped(t);
        task_life_go(&t->life, m.stream ? PHASE_STREAM : PHASE_IDLE);
    }
    return rc;
}

/* Names without their database match nothing. SPEC: cdc-mysql 1.5 */
static void hint_lists(const struct mysql_options *o)
{
    struct slice list = slice_trim(o->table_include);
    if (list.n && slice_find_char(list, '.') < 0)
        LOG_WARN(LOG_CDC_MYSQL,
                 "table.include.list=" PRI_SL " names no database: table names need the form "
                 "database.table",
                 ARG_SL(list));
}

enum err mysql_task_prepare(struct mysql_task *t, struct error *e)
{
    struct mode m = mode_of(&t->o);
    hint_lists(&t->o);
    enum err rc = connect_server(t, e);
    if (rc == E_OK && m.stream) {
        rc = check_settings(t->conn, t->o.include_query, e);
    }
    if (rc == E_OK && t->o.guardrail_max > 0)
        rc = check_guardrail(t->conn, &t->rules.filter, t->o.guardrail_max,
                             slice_ieq(slice_trim(t->o.guardrail_action), SL("fail")), e);
    if (rc == E_OK && !t->history_open) {
        rc = history_open(&t->history, e);
        t->history_open = rc == E_OK;
    }
    if (rc == E_OK)
        rc = load_offset(t, e);
    if (rc)
        return rc;
    signal_channels_begin(&t->signals->work.channels);
    if (t->has_offset && t->offset.snapshot == OFFSET_BLOCKING && !t->signals->work.blocking.count)
        LOG_WARN(LOG_CDC_MYSQL, "A blocking snapshot was cut off and is not taken again; send its "
                                "signal once more if its rows are needed.");
    if (t->has_offset && is_interrupted(&t->offset)) {
        if (!m.schema && !m.data)
            return error_set(
                e, E_INVALID,
                "The connector previously stopped while taking a snapshot, but now the connector "
                "is configured to never allow snapshots. Reconfigure the connector to use "
                "snapshots initially or when needed.");
        LOG_INFO(LOG_CDC_MYSQL,
                 "Previous snapshot was cancelled before completion; a new snapshot will be "
                 "taken.");
        t->has_offset = false;
    }
    return t->has_offset ? with_offset(t, m, e) : without_offset(t, m, e);
}

/* --- changes of structure --------------------------------------------------------------------- */

bool mysql_task_captures(const struct mysql_task *t, const struct mysql_table *table)
{
    return capture_table(&t->rules.filter, table->db, table->name);
}

/* Database that an event is about: null for SET. */
static struct slice change_db(const struct mysql_change *c, const struct ddl_report *how)
{
    if (c->kind == CHANGE_SET)
        return how->db.p ? how->db : SL("");
    return c->db.p && c->db.n ? c->db : how->db.p ? how->db : SL("");
}

static bool is_reported(const struct mysql_task *t, const struct mysql_change *c,
                        const struct ddl_report *how)
{
    struct slice db = change_db(c, how);
    bool table = schema_change_type(c) != NULL || c->kind == CHANGE_INDEX;
    if (c->kind == CHANGE_TRUNCATE || (c->kind == CHANGE_SET && !how->snapshot) ||
        (c->kind == CHANGE_NONE && how->snapshot))
        return false;
    if (c->kind == CHANGE_ALTER && !c->after)
        return false;
    if (db.n && !capture_database(&t->rules.filter, db) &&
        (t->o.only_captured_databases || capture_is_builtin(db)) &&
        !(table && capture_is_signal_table(&t->rules.filter, db, c->name)))
        return false;
    return !table || !t->o.only_captured_tables || capture_table(&t->rules.filter, db, c->name);
}

/* Names of all tables of the statement in this database, for source.table. */
static struct slice table_names(const struct mysql_changes *list, const struct mysql_change *c,
                                struct strbuf *out)
{
    strbuf_reset(out);
    if (c->kind == CHANGE_INDEX || c->kind == CHANGE_NONE)
        return SL("");
    if (!schema_change_type(c))
        return SLICE_NULL;
    for (size_t i = 0; i < list->count; i++) {
        const struct mysql_change *other = &list->items[i];
        bool seen = false;
        if (other->statement != c->statement || !slice_eq(other->db, c->db) || !other->name.p)
            continue;
        for (size_t k = 0; k < i && !seen; k++)
            seen = list->items[k].statement == c->statement && slice_eq(list->items[k].db, c->db) &&
                   slice_eq(list->items[k].name, other->name);
        if (!seen)
            strbuf_addf(out, "%s" PRI_SL, out->n ? "," : "", ARG_SL(other->name));
    }
    return strbuf_slice(out);
}

static enum err report_event(struct mysql_task *t, const struct mysql_changes *list,
                             const struct mysql_change *c, const struct ddl_report *how,
                             struct record_batch *b, struct error *e)
{
    struct strbuf names = STRBUF_INIT;
    struct value *f = t->em.source.fields;
    struct slice table = table_names(list, c, &names);
    if (how->snapshot) {
        f[SOURCE_SNAPSHOT] = value_string(SL("true"));
        f[SOURCE_FILE] = value_string(arena_dup(&b->arena, slice_cstr(how->at->file)));
        f[SOURCE_POS] = value_int((int64_t)how->at->pos);
        source_info_time(&t->em.source, how->at->ts_sec * 1000000);
    }
    f[SOURCE_TABLE] = table.p ? value_string(table) : value_null();
    enum err rc = schema_change_add(&t->change_schemas, b, slice_cstr(t->topic), &t->em.headers,
                                    &t->em.source, c, change_db(c, how), c->kind != CHANGE_INDEX,
                                    t->o.include_schema_comments, e);
    f[SOURCE_TABLE] = value_null();
    strbuf_release(&names);
    return rc;
}

enum err mysql_task_report_changes(struct mysql_task *t, const struct mysql_changes *c,
                                   const struct ddl_report *how, struct record_batch *b,
                                   struct error *e)
{
    struct arena a;
    struct strbuf json = STRBUF_INIT;
    size_t count = 0;
    enum err rc = E_OK;
    unsigned flags = t->o.include_schema_comments ? TABLE_JSON_COMMENTS : TABLE_JSON_HISTORY;
    arena_init(&a, 4096, ARENA_NO_BUDGET);
    struct history_record *records = arena_calloc(&a, c->count + 1, sizeof *records);
    for (size_t i = 0; i < c->count; i++) {
        const struct mysql_change *change = &c->items[i];
        if (!is_reported(t, change, how))
            continue;
        struct history_record *r = &records[count++];
        *r = (struct history_record){
            .at = how->at, .db = change_db(change, how), .ddl = change->ddl};
        strbuf_reset(&json);
        mysql_changes_json(c, i, i + 1, flags, &json);
        r->changes = arena_dup(&a, strbuf_slice(&json));
        strbuf_reset(&json);
        mysql_changes_json(c, i, i + 1, flags | TABLE_JSON_WEIR, &json);
        r->changes_weir = arena_dup(&a, strbuf_slice(&json));
    }
    if (count || how->replace)
        rc = history_store(&t->history, records, count, how->replace, e);
    for (size_t i = 0; i < c->count && rc == E_OK && b && t->o.include_schema_changes; i++)
        if (is_reported(t, &c->items[i], how))
            rc = report_event(t, c, &c->items[i], how, b, e);
    strbuf_release(&json);
    arena_release(&a);
    return rc;
}
