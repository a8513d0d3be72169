/* cdc/mysql/stream_ddl.c - statements in the stream. The structure changes in stream order only;
 * history is stored before the position moves beyond the statement. SPEC: cdc-mysql 4.5, 7 */
#include "cdc/mysql/stream.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "cdc/mysql/signals.h"

enum err stream_session(struct stream *s, struct error *e)
{
    struct mysql_task *t = s->t;
    if (!t->conn) {
        struct mysql_conn_options o = mysql_task_conn_options(t);
        return mysql_conn_open(&o, &t->conn, e);
    }
    enum err rc = mysql_conn_exec(t->conn, "DO 0", e);
    if (rc != E_OK && e && mysql_error_is_lost(e)) /* idle for long: the server closed it */
        rc = mysql_conn_connect(t->conn, e);
    return rc;
}

/* A TRUNCATE of a captured table is an event of its own, unless skipped. */
static enum err truncates(struct stream *s, const struct mysql_event *ev, struct record_batch *b,
                          struct error *e)
{
    enum err rc = E_OK;
    for (size_t i = 0; i < s->changes.count && rc == E_OK; i++) {
        const struct mysql_change *c = &s->changes.items[i];
        if (c->kind != CHANGE_TRUNCATE || !c->after || s->t->o.skipped & SKIP_TRUNCATE ||
            !mysql_task_captures(s->t, c->after))
            continue;
        struct shape *shape = shapes_get(&s->t->shapes, c->after);
        struct emit_time now = {clock_wall_us()};
        stream_source(s, ev, b);
        s->t->em.source.fields[SOURCE_DB] = value_string(shape->table->db);
        s->t->em.source.fields[SOURCE_TABLE] = value_string(shape->table->name);
        rc = emit_truncate(&s->t->em, b, shape, now, e);
    }
    return rc;
}

/* The statement could not be applied: the tables are looked at again when their rows come. */
static enum err not_applied(struct stream *s, const struct mysql_query_event *q, enum err rc,
                            struct error *e)
{
    bool sequence;
    if (rc == E_NOT_FOUND) {
        rc = E_OK;
        for (size_t i = 0; i < s->changes.count && !s->broken; i++) {
            const struct mysql_change *c = &s->changes.items[i];
            if (c->kind == CHANGE_ALTER && !c->after &&
                capture_table(&s->t->rules.filter, c->db, c->name))
                rc = stream_read_table(s, c->db, c->name, NULL, &sequence, e);
        }
        return s->broken ? rc : E_OK;
    }
    stream_mark_unsure(s, q);
    LOG_ERR(LOG_CDC_MYSQL, LOG_L_WARN, e,
            "a statement in database " PRI_SL
            " was not understood; the tables that it names are read again at their next rows",
            ARG_SL(q->db));
    return E_OK;
}

enum err stream_statement(struct stream *s, const struct mysql_event *ev, struct record_batch *b,
                          struct error *e)
{
    const struct mysql_query_event *q = &ev->u.query;
    struct mysql_ddl_origin origin = {
        .db = q->db,
        .sql_mode = q->has_sql_mode ? q->sql_mode : 0,
        .client = q->client,
        .db_charset = mysql_charset_of_collation_id(q->charset_database),
    };
    if (!s->gtids.pending && !s->in_transaction)
        s->last_valid = false;
    mysql_changes_reset(&s->changes);
    enum err rc = mysql_schema_apply(s->t->schema, &origin, q->sql, &s->changes, e);
    s->generation++;
    if (rc == E_UNSUPPORTED || rc == E_NOT_FOUND)
        rc = not_applied(s, q, rc, e);
    if (rc)
        return rc;
    for (size_t i = 0; i < s->changes.count; i++)
        signals_table_changed(s->t->signals, s->changes.items[i].db, s->changes.items[i].name);
    stream_source(s, ev, b);
    s->t->em.source.fields[SOURCE_THREAD] =
        s->in_transaction && s->has_thread ? value_int(s->thread_id) : value_null();
    struct mysql_offset at;
    mysql_offset_init(&at);
    stream_offset(s, &at);
    struct ddl_report how = {.at = &at, .db = q->db};
    size_t before = b->count;
    rc = stream_report(s, &s->changes, &how, b, e);
    mysql_offset_release(&at);
    if (rc == E_OK)
        rc = truncates(s, ev, b, e);
    if (b->count > before)
        s->progressed = true;
    return rc;
}
