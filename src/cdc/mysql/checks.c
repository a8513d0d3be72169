/* cdc/mysql/checks.c - SPEC: cdc-mysql 2.5 */
#include "cdc/mysql/checks.h"

#include "base/log.h"
#include "base/mem.h"
#include "cdc/mysql/gtid.h"

#define NOT_CONFIGURED(what, value)                                                                \
    "The database server is not configured to use a " what ", which is required for this "         \
    "connector to work properly. Change the database configuration to use a " value                \
    " and restart the connector."

static bool text_is(const char *s, const char *word)
{
    return slice_ieq(slice_cstr(s), slice_cstr(word));
}

enum err check_binlog_settings(struct mysql_conn *c, struct error *e)
{
    char *v = NULL;
    enum err rc = mysql_conn_variable(c, "binlog_format", &v, e);
    if (rc)
        return rc;
    /* MySQL 9 may drop the variable: then it is ROW. */
    bool ok = !v || *v == '\0' || text_is(v, "ROW");
    mem_free(v);
    if (!ok)
        return error_set(e, E_INVALID, NOT_CONFIGURED("ROW binlog_format", "binlog_format=ROW"));
    v = NULL;
    rc = mysql_conn_variable(c, "binlog_row_image", &v, e);
    if (rc)
        return rc;
    ok = !v || *v == '\0' || text_is(v, "FULL") || text_is(v, "NOBLOB");
    mem_free(v);
    if (!ok)
        return error_set(e, E_INVALID,
                         NOT_CONFIGURED("FULL binlog_row_image", "binlog_row_image=FULL"));
    return E_OK;
}

void check_advice(struct mysql_conn *c)
{
    static const struct {
        const char *variable, *bad, *advice;
    } rows[] = {
        {"server_id", "0", "the server has server_id=0 and writes no binlog for replicas"},
        {"binlog_expire_logs_seconds", NULL, "binlogs are removed after less than a day"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char *v = NULL;
        int64_t n = 0;
        if (mysql_conn_variable(c, rows[i].variable, &v, NULL))
            return;
        bool bad = rows[i].bad ? text_is(v, rows[i].bad)
                               : slice_to_i64(slice_cstr(v), &n) == E_OK && n > 0 && n < 86400;
        if (bad)
            LOG_WARN(LOG_CDC_MYSQL, "%s (%s=%s)", rows[i].advice, rows[i].variable, v);
        mem_free(v);
    }
}

/* --- position
 * ------------------------------------------------------------------------------------------------
 */

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
        error_hint(e, "set log_bin, server_id, binlog_format=ROW and binlog_row_image=FULL in the "
                      "[mysqld] part of my.cnf and restart the server");
        return E_INVALID;
    }
    if (rc == E_OK && server->mariadb)
        rc = mariadb_gtids(c, out, e);
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

/* --- is the stored position still there
 * ------------------------------------------------------------------------ */

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

static void log_set(const char *before, const struct gtid_set *s, const char *after)
{
    struct strbuf text = STRBUF_INIT;
    gtid_set_print(s, &text);
    LOG_INFO(LOG_CDC_MYSQL, "%s%s%s", before, text.p, after);
    strbuf_release(&text);
}

static enum err mysql_gtids_available(struct mysql_conn *c, const struct mysql_offset *o,
                                      bool *available, struct error *e)
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
    if (!on || executed.count == 0) {
        LOG_INFO(LOG_CDC_MYSQL,
                 "Connector used GTIDs previously, but server does not know of any GTIDs or "
                 "they are not enabled");
        goto out;
    }
    if (!gtid_set_subset(&stored, &executed)) {
        log_set("Connector last known GTIDs are '", &stored,
                "', but the server does not have them all");
        goto out;
    }
    gtid_set_union(&todo, &executed);
    gtid_set_subtract(&todo, &stored);
    gtid_set_union(&rest, &todo);
    gtid_set_subtract(&rest, &purged);
    *available = gtid_set_eq(&todo, &rest);
    if (!*available) {
        log_set("Server has already purged '", &purged, "' GTIDs");
        log_set("GTIDs known by the server but not processed yet '", &todo, "'");
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

enum err check_available(struct mysql_conn *c, const struct mysql_offset *o, bool *available,
                         struct error *e)
{
    if (o->gtids.n && mysql_conn_server(c)->mariadb) {
        *available = true; /* a gap shows up as an error of the dump */
        return E_OK;
    }
    if (o->gtids.n)
        return mysql_gtids_available(c, o, available, e);
    return file_available(c, o, available, e);
}

enum err check_privilege(struct mysql_conn *c, const char *privilege, bool *has, struct error *e)
{
    struct mysql_result r;
    *has = false;
    enum err rc = mysql_conn_query(c, "SHOW GRANTS FOR CURRENT_USER", &r, e);
    if (rc)
        return rc;
    while ((rc = mysql_result_next(&r, e)) == E_OK) {
        struct slice grant = mysql_result_get(&r, 0);
        if (slice_find(grant, slice_cstr(privilege)) >= 0 || slice_find(grant, SL("ALL")) >= 0)
            *has = true;
    }
    mysql_result_end(&r);
    return rc == E_NOT_FOUND ? E_OK : rc;
}
