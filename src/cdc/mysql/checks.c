/* cdc/mysql/checks.c - SPEC: cdc-mysql 2.5 */
#include "cdc/mysql/checks.h"

#include "base/log.h"
#include "base/mem.h"
#include "cdc/mysql/grants.h"
#include "cdc/mysql/gtid.h"
#include "cdc/mysql/settings.h"

static bool text_is(const char *s, const char *word)
{
    return slice_ieq(slice_cstr(s), slice_cstr(word));
}

enum err check_settings(struct mysql_conn *c, bool queries, struct error *e)
{
    struct server_settings s;
    struct inspection found;
    inspection_init(&found);
    enum err rc = server_settings_read(&s, c, e);
    s.queries = queries;
    if (rc == E_OK)
        server_settings_inspect(&s, &found);
    for (size_t i = 0; i < found.count && rc == E_OK; i++) {
        const struct inspect_item *item = &found.items[i];
        if (item->level == INSPECT_WARNING) {
            LOG_WARN(LOG_CDC_MYSQL, "%s", item->text);
        } else if (item->level == INSPECT_FAULT && strcmp(item->what, "log_bin") != 0) {
            rc = error_set(e, E_INVALID, "%s", item->text);
            error_hint(e, "%s:\n[mysqld]\n%s", item->where, item->cure);
        }
    }
    server_settings_release(&s);
    inspection_release(&found);
    return rc;
}

/* --- position --------------------------------------------------------------------------------- */

/* Removes line ends and blanks, as @@gtid_executed and SHOW MASTER STATUS have them. */
static void add_gtids(struct strbuf *out, struct slice text)
{
    strbuf_reset(out);
    for (size_t i = 0; i < text.n; i++)
        if ((unsigned char)text.p[i] > ' ')
            strbuf_addc(out, text.p[i]);
}

static enum err mariadb_gtids(struct mysql_conn *c, struct mysql_offset *out, struct error *e)
{
    struct strbuf sql = STRBUF_INIT;
    char *gtids = NULL;
    strbuf_adds(&sql, "SELECT BINLOG_GTID_POS(");
    mysql_quote_text(&sql, slice_cstr(out->file));
    strbuf_addf(&sql, ", %llu)", (unsigned long long)out->pos);
    enum err rc = mysql_conn_scalar(c, sql.p, 0, &gtids, e);
    strbuf_release(&sql);
    if (rc == E_OK && gtids)
        add_gtids(&out->gtids, slice_cstr(gtids));
    mem_free(gtids);
    return rc;
}

static enum err position_row(struct mysql_conn *c, const char *sql, struct mysql_offset *out,
                             struct error *e)
{
    struct mysql_result r;
    enum err rc = mysql_conn_query(c, sql, &r, e);
    if (rc)
        return rc;
    rc = mysql_result_next(&r, e);
    if (rc == E_OK) {
        uint64_t pos = 0;
        rc = mysql_offset_set_file(out, mysql_result_get(&r, 0));
        if (rc == E_OK && slice_to_u64(mysql_result_get(&r, 1), &pos))
            rc = E_INVALID;
        out->pos = pos;
        if (r.columns > 4)
            add_gtids(&out->gtids, mysql_result_get(&r, 4));
    }
    mysql_result_end(&r);
    return rc;
}

enum err check_position(struct mysql_conn *c, struct mysql_offset *out, struct error *e)
{
    const struct mysql_server *server = mysql_conn_server(c);
    bool renamed = !server->mariadb && server->version >= 80400;
    const char *sql = renamed ? "SHOW BINARY LOG STATUS" : "SHOW MASTER STATUS";
    enum err rc = position_row(c, sql, out, e);
    if (rc == E_REMOTE && renamed)
        return error_set(
            e, E_REMOTE,
            "MySQL version %s should support SHOW BINARY LOG STATUS but it failed. Check "
            "database permissions or connectivity.",
            server->version_text);
    if (rc == E_NOT_FOUND || (rc == E_OK && !out->file[0])) {
        error_set(e, E_INVALID,
                  "Cannot read the binlog filename and position via '%s'. Make sure your server is "
                  "correctly configured",
                  sql);
        error_hint(e, "my.cnf, below [mysqld]; then restart the server:\n[mysqld]\nserver_id=1\n"
                      "log_bin=mysql-bin\nbinlog_format=ROW\nbinlog_row_image=FULL");
        return E_INVALID;
    }
    if (rc == E_OK && server->mariadb)
        rc = mariadb_gtids(c, out, e);
    return rc;
}

enum err check_view_position(struct mysql_conn *c, struct mysql_offset *out, bool *told,
                             struct error *e)
{
    char *file = NULL, *pos = NULL;
    *told = false;
    if (!mysql_conn_server(c)->mariadb)
        return E_OK;
    enum err rc = mysql_conn_scalar(c, "SHOW STATUS LIKE 'binlog_snapshot_file'", 1, &file, e);
    if (rc == E_OK)
        rc = mysql_conn_scalar(c, "SHOW STATUS LIKE 'binlog_snapshot_position'", 1, &pos, e);
    uint64_t at;
    if (rc == E_OK && file && file[0] && pos && slice_to_u64(slice_cstr(pos), &at) == E_OK &&
        mysql_offset_set_file(out, slice_cstr(file)) == E_OK) {
        out->pos = at;
        *told = true;
        rc = mariadb_gtids(c, out, e);
    } else if (rc == E_NOT_FOUND) {
        error_clear(e);
        rc = E_OK;
    }
    mem_free(file);
    mem_free(pos);
    return rc;
}

enum err check_gtid_mode(struct mysql_conn *c, bool *on, struct error *e)
{
    if (mysql_conn_server(c)->mariadb) {
        *on = true;
        return E_OK;
    }
    char *v = NULL;
    enum err rc = mysql_conn_variable(c, "gtid_mode", &v, e);
    *on = rc == E_OK && text_is(v, "ON");
    mem_free(v);
    return rc;
}

/* --- is the stored position still there ------------------------------------------------------- */

static enum err gtid_variable(struct mysql_conn *c, const char *name, struct gtid_set *out,
                              struct error *e)
{
    char *v = NULL;
    enum err rc = mysql_conn_variable(c, name, &v, e);
    if (rc == E_OK)
        rc = gtid_set_parse(out, slice_cstr(v ? v : ""), e);
    mem_free(v);
    return rc;
}

static void log_sets(const char *before, const struct gtid_set *a, const char *between,
                     const struct gtid_set *b)
{
    struct strbuf ta = STRBUF_INIT, tb = STRBUF_INIT;
    gtid_set_print(a, &ta);
    gtid_set_print(b, &tb);
    LOG_INFO(LOG_CDC_MYSQL, "%s%s%s%s'", before, ta.p, between, tb.p);
    strbuf_release(&ta);
    strbuf_release(&tb);
}

static enum err mysql_gtids_available(struct mysql_conn *c, const struct mysql_offset *o,
                                      const struct gtid_filter *f, bool *available, struct error *e)
{
    struct gtid_set stored, executed, purged, todo, rest;
    gtid_set_init(&stored);
    gtid_set_init(&executed);
    gtid_set_init(&purged);
    gtid_set_init(&todo);
    gtid_set_init(&rest);
    bool on = false;
    enum err rc = check_gtid_mode(c, &on, e);
    if (rc == E_OK)
        rc = gtid_set_parse(&stored, strbuf_slice(&o->gtids), e);
    if (rc == E_OK)
        rc = gtid_variable(c, "gtid_executed", &executed, e);
    if (rc == E_OK)
        rc = gtid_variable(c, "gtid_purged", &purged, e);
    if (rc)
        goto out;
    *available = false;
    gtid_filter_set(f, &stored);
    gtid_filter_set(f, &executed);
    if (!on || executed.count == 0) {
        LOG_INFO(LOG_CDC_MYSQL,
                 "Connector used GTIDs previously, but server does not know of any GTIDs or "
                 "they are not enabled");
        goto out;
    }
    if (!gtid_set_subset(&stored, &executed)) {
        log_sets("Connector last known GTIDs are '", &stored, "', but server has '", &executed);
        goto out;
    }
    gtid_set_union(&todo, &executed);
    gtid_set_subtract(&todo, &stored);
    gtid_set_union(&rest, &todo);
    gtid_set_subtract(&rest, &purged);
    *available = gtid_set_eq(&todo, &rest);
    if (!*available) {
        log_sets("Server has already purged '", &purged, "' GTIDs; executed are '", &executed);
        log_sets("GTIDs known by the server but not processed yet '", &todo,
                 "', for replication are available only '", &rest);
        LOG_WARN(LOG_CDC_MYSQL, "Some of the GTIDs needed to replicate have been already purged");
    }
out:
    gtid_set_release(&stored);
    gtid_set_release(&executed);
    gtid_set_release(&purged);
    gtid_set_release(&todo);
    gtid_set_release(&rest);
    return rc;
}

/* Whether position `at` begins after `from` somewhere: sequences of one domain only grow. */
static bool is_after(const struct mariadb_gtid_pos *from, const struct mariadb_gtid *at)
{
    for (size_t i = 0; i < from->count; i++)
        if (from->items[i].domain == at->domain && from->items[i].seq > at->seq)
            return true;
    return false;
}

static enum err gtid_pos(struct mysql_conn *c, const char *sql, struct mariadb_gtid_pos *out,
                         struct error *e)
{
    char *v = NULL;
    enum err rc = mysql_conn_scalar(c, sql, 0, &v, e);
    if (rc == E_OK)
        rc = mariadb_gtid_pos_parse(out, slice_cstr(v ? v : ""), e);
    mem_free(v);
    return rc;
}

/* MariaDB: what is stored lies between the start of the oldest file and the newest transaction. */
static enum err mariadb_gtids_available(struct mysql_conn *c, const struct mysql_offset *o,
                                        bool *available, struct error *e)
{
    struct mariadb_gtid_pos stored = MARIADB_GTID_POS_INIT, first = MARIADB_GTID_POS_INIT,
                            last = MARIADB_GTID_POS_INIT;
    struct strbuf sql = STRBUF_INIT;
    char *file = NULL;
    *available = true;
    enum err rc = mysql_conn_scalar(c, "SHOW BINARY LOGS", 0, &file, e);
    if (rc == E_OK)
        rc = mariadb_gtid_pos_parse(&stored, strbuf_slice(&o->gtids), e);
    if (rc == E_OK) {
        strbuf_adds(&sql, "SELECT BINLOG_GTID_POS(");
        mysql_quote_text(&sql, slice_cstr(file ? file : ""));
        strbuf_adds(&sql, ", 4)");
        rc = gtid_pos(c, sql.p, &first, e);
    }
    if (rc == E_OK)
        rc = gtid_pos(c, "SELECT @@GLOBAL.gtid_binlog_pos", &last, e);
    for (size_t i = 0; i < stored.count && rc == E_OK; i++) {
        const struct mariadb_gtid *g = &stored.items[i];
        bool known = false;
        for (size_t k = 0; k < last.count; k++)
            known |= last.items[k].domain == g->domain && last.items[k].seq >= g->seq;
        if (known && !is_after(&first, g))
            continue;
        *available = false;
        LOG_INFO(LOG_CDC_MYSQL,
                 "Connector requires what follows GTID %u-%u-%llu, but the server %s", g->domain,
                 g->server, (unsigned long long)g->seq,
                 known ? "has already purged it" : "does not have it");
    }
    mem_free(file);
    strbuf_release(&sql);
    mariadb_gtid_pos_release(&stored);
    mariadb_gtid_pos_release(&first);
    mariadb_gtid_pos_release(&last);
    return rc == E_NOT_FOUND ? E_OK : rc;
}

static enum err file_available(struct mysql_conn *c, const struct mysql_offset *o, bool *available,
                               struct error *e)
{
    struct mysql_result r;
    struct strbuf list = STRBUF_INIT;
    *available = false;
    enum err rc = mysql_conn_query(c, "SHOW BINARY LOGS", &r, e);
    if (rc)
        return rc;
    while ((rc = mysql_result_next(&r, e)) == E_OK) {
        struct slice file = mysql_result_get(&r, 0);
        if (slice_eq_c(file, o->file))
            *available = true;
        strbuf_addf(&list, "%s" PRI_SL, list.n ? ", " : "", ARG_SL(file));
    }
    mysql_result_end(&r);
    if (rc == E_NOT_FOUND) {
        rc = E_OK;
        if (*available)
            LOG_INFO(LOG_CDC_MYSQL, "Server has the binlog file '%s' required by the connector",
                     o->file);
        else
            LOG_INFO(LOG_CDC_MYSQL, "Connector requires binlog file '%s', but server only has [%s]",
                     o->file, list.p);
    }
    strbuf_release(&list);
    return rc;
}

enum err check_available(struct mysql_conn *c, const struct mysql_offset *o,
                         const struct gtid_filter *f, bool *available, struct error *e)
{
    if (o->gtids.n && mysql_conn_server(c)->mariadb)
        return mariadb_gtids_available(c, o, available, e);
    if (o->gtids.n)
        return mysql_gtids_available(c, o, f, available, e);
    return file_available(c, o, available, e);
}

enum err check_guardrail(struct mysql_conn *c, const struct capture_filter *f, int64_t max,
                         bool fail, struct error *e)
{
    struct mysql_result r;
    int64_t n = 0;
    enum err rc = mysql_conn_query(c,
                                   "SELECT TABLE_SCHEMA, TABLE_NAME FROM information_schema.TABLES "
                                   "WHERE TABLE_TYPE = 'BASE TABLE'",
                                   &r, e);
    if (rc)
        return rc;
    while ((rc = mysql_result_next(&r, e)) == E_OK)
        n += capture_table(f, mysql_result_get(&r, 0), mysql_result_get(&r, 1));
    mysql_result_end(&r);
    if (rc != E_NOT_FOUND)
        return rc;
    if (n <= max)
        return E_OK;
    char text[160];
    snprintf(text, sizeof text,
             "The number of captured tables %lld exceeds the limit guardrail.collections.max=%lld",
             (long long)n, (long long)max);
    if (fail) {
        error_set(e, E_INVALID, "%s", text);
        error_hint(e, "narrow table.include.list, or raise guardrail.collections.max");
        return E_INVALID;
    }
    LOG_WARN(LOG_CDC_MYSQL, "%s", text);
    return E_OK;
}

enum err check_privilege(struct mysql_conn *c, const char *privilege, bool *has, struct error *e)
{
    struct grants g;
    enum err rc = grants_read(&g, c, e);
    *has = rc == E_OK && grants_somewhere(&g, privilege);
    grants_release(&g);
    return rc;
}

void check_first_binlog(struct mysql_conn *c)
{
    struct mysql_result r;
    if (mysql_conn_query(c, "SHOW BINARY LOGS", &r, NULL))
        return; /* whoever needs them will say so */
    if (mysql_result_next(&r, NULL) != E_OK)
        LOG_WARN(LOG_CDC_MYSQL, "No binlog appears to be available. Ensure that the database's "
                                "row-level binlog is enabled.");
    else if (mysql_binlog_number(mysql_result_get(&r, 0)) > 1)
        LOG_WARN(LOG_CDC_MYSQL, "It is possible the server has purged some binlogs. If this is the "
                                "case, then using snapshot mode may be required.");
    mysql_result_end(&r);
}

bool check_same_id(const struct error *e) /* 1236: MySQL, 4052: MariaDB */
{
    return (e->sys == 1236 || e->sys == 4052) && strstr(e->msg, "same server_uuid/server_id");
}

void check_dump_hint(struct error *e)
{
    static const struct {
        int code;
        const char *text, *hint;
    } rows[] = {
        {1236, "max_allowed_packet",
         "SET GLOBAL max_allowed_packet=1073741824; then restart the connector"},
        {1236, "",
         "what the connector has not read is gone from the server. Two cures: "
         "snapshot.mode=when_needed, or stop the connector, DELETE its /offsets and resume it: "
         "both take a new snapshot"},
        {1227, "", "GRANT REPLICATION SLAVE, REPLICATION CLIENT ON *.* to the connector's user"},
    };
    if (check_same_id(e)) {
        error_hint(e, "another reader of this server uses the same number: give this connector "
                      "another database.server.id");
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (e->sys == rows[i].code && strstr(e->msg, rows[i].text)) {
            error_hint(e, "%s", rows[i].hint);
            return;
        }
}
