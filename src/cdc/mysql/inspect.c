/* cdc/mysql/inspect.c - see inspect.h. */
#include "cdc/mysql/inspect.h"

#include "base/container.h"
#include "base/http_url.h"
#include "base/log.h"
#include "base/mem.h"
#include "cdc/filter.h"
#include "cdc/mysql/access.h"
#include "cdc/mysql/checks.h"
#include "cdc/mysql/grants.h"
#include "cdc/mysql/settings.h"

#define BY_ADMIN "SQL, as an administrator"
#define CONNECT_LIMIT_MS 10000

/* --- privileges ------------------------------------------------------------------------------- */

struct need {
    const char *privilege;
    bool must; /* else the connector has a way round, told by `without` */
    const char *without;
};
static const struct need needs[] = {
    {"SELECT", true, "rows of tables cannot be read"},
    {"RELOAD", false, "the snapshot locks tables one by one instead of all for a moment"},
    {"SHOW DATABASES", false, "databases without a privilege of their own stay unseen"},
    {"REPLICATION SLAVE", true, "the binlog cannot be read"},
    {"REPLICATION CLIENT", true, "the position in the binlog cannot be read"},
};

/* 'user'@'host' of the account that the server chose for this session. */
static enum err account(struct mysql_conn *c, struct strbuf *out, struct error *e)
{
    char *text = NULL;
    enum err rc = mysql_conn_scalar(c, "SELECT CURRENT_USER()", 0, &text, e);
    struct slice all = slice_cstr(text ? text : "");
    ptrdiff_t at = slice_rfind_char(all, '@');
    strbuf_reset(out);
    mysql_quote_text(out, at < 0 ? all : slice_sub(all, 0, (size_t)at));
    strbuf_addc(out, '@');
    mysql_quote_text(out, at < 0 ? SL("%") : slice_sub(all, (size_t)at + 1, all.n));
    mem_free(text);
    return rc;
}

/* What of `needs` is not granted: the list for GRANT, and a line for each. */
static bool missing(const struct grants *g, struct strbuf *list, struct strbuf *lines)
{
    bool fault = false;
    for (size_t i = 0; i < ARRAY_LEN(needs); i++) {
        const struct need *n = &needs[i];
        /* SELECT may be granted on some databases only, which then are what there is to capture. */
        if (grants_global(g, n->privilege) || (i == 0 && grants_somewhere(g, n->privilege)) ||
            (strcmp(n->privilege, "RELOAD") == 0 && grants_global(g, "FLUSH_TABLES")))
            continue;
        strbuf_addf(list, "%s%s", list->n ? ", " : "", n->privilege);
        strbuf_addf(lines, "%s%s is missing: %s", lines->n ? "\n" : "", n->privilege, n->without);
        fault |= n->must;
        if (strcmp(n->privilege, "RELOAD") != 0 || grants_somewhere(g, "LOCK TABLES"))
            continue;
        strbuf_adds(list, ", LOCK TABLES");
        strbuf_adds(lines, "\nLOCK TABLES is missing, too: no snapshot can be taken with "
                           "snapshot.locking.mode=minimal");
        fault = true;
    }
    return fault;
}

static void signal_table(const struct grants *g, const struct mysql_options *o,
                         struct slice account_text, struct inspection *out)
{
    struct slice table = o ? slice_trim(o->signal_table) : SLICE_NULL;
    ptrdiff_t dot = table.n ? slice_find_char(table, '.') : -1;
    if (dot <= 0)
        return;
    struct slice db = slice_sub(table, 0, (size_t)dot),
                 name = slice_sub(table, (size_t)dot + 1, table.n);
    if (grants_table(g, "INSERT", db, name))
        return;
    struct strbuf sql = STRBUF_INIT;
    inspection_add(out, INSPECT_WARNING, "signal table",
                   "INSERT on " PRI_SL
                   " is missing: incremental snapshots cannot mark their windows",
                   ARG_SL(table));
    strbuf_adds(&sql, "GRANT INSERT, DELETE ON ");
    mysql_quote_name(&sql, db);
    strbuf_addc(&sql, '.');
    mysql_quote_name(&sql, name);
    strbuf_addf(&sql, " TO " PRI_SL ";", ARG_SL(account_text));
    inspection_cure(out, BY_ADMIN, sql.p);
    strbuf_release(&sql);
}

void mysql_inspect_privileges(struct mysql_conn *c, const struct mysql_options *o,
                              struct inspection *out)
{
    struct grants g = {0};
    struct error e = {0};
    struct strbuf who = STRBUF_INIT, list = STRBUF_INIT, lines = STRBUF_INIT, sql = STRBUF_INIT;
    enum err rc = account(c, &who, &e);
    if (rc == E_OK)
        rc = grants_read(&g, c, &e);
    if (rc) {
        inspection_add(out, INSPECT_WARNING, "privileges", "cannot be read: %s", e.msg);
    } else {
        bool fault = missing(&g, &list, &lines);
        if (fault && g.roles)
            strbuf_adds(&lines, "\nroles are granted, too, of which only active ones count (SET "
                                "DEFAULT ROLE)");
        inspection_add(out,
                       fault     ? INSPECT_FAULT
                       : lines.n ? INSPECT_WARNING
                                 : INSPECT_OK,
                       "privileges", "%s", lines.n ? lines.p : "all that is needed is granted");
        if (list.n) {
            strbuf_addf(&sql, "GRANT %s ON *.* TO %s;", list.p, who.p);
            inspection_cure(out, BY_ADMIN, sql.p);
        }
        signal_table(&g, o, strbuf_slice(&who), out);
    }
    grants_release(&g);
    strbuf_release(&who);
    strbuf_release(&list);
    strbuf_release(&lines);
    strbuf_release(&sql);
}

void mysql_warn_privileges(struct mysql_conn *c)
{
    struct inspection found;
    inspection_init(&found);
    mysql_inspect_privileges(c, NULL, &found);
    for (size_t i = 0; i < found.count; i++)
        if (found.items[i].level != INSPECT_OK)
            LOG_WARN(LOG_CDC_MYSQL, "%s%s%s", found.items[i].text, found.items[i].cure ? "; " : "",
                     found.items[i].cure ? found.items[i].cure : "");
    inspection_release(&found);
}

/* --- the binlog ------------------------------------------------------------------------------- */

static void position(struct mysql_conn *c, struct inspection *out)
{
    struct mysql_offset at;
    struct error e = {0};
    bool gtids = false;
    mysql_offset_init(&at);
    enum err rc = check_position(c, &at, &e);
    if (rc == E_OK)
        rc = check_gtid_mode(c, &gtids, &e);
    if (rc == E_OK) {
        inspection_add(out, INSPECT_OK, "binlog", "now at %s/%llu%s", at.file,
                       (unsigned long long)at.pos,
                       gtids ? ", GTIDs are on: the connector can follow to another server" : "");
    } else if (e.sys != 1227) { /* else it is among the privileges */
        inspection_add(out, INSPECT_FAULT, "binlog", "%s", e.msg);
    }
    mysql_offset_release(&at);
}

/* Rows of SHOW MASTER STATUS name databases that the binlog leaves out. */
static void left_out(struct mysql_conn *c, struct inspection *out)
{
    static const char *const columns[] = {"Binlog_Do_DB", "Binlog_Ignore_DB"};
    const struct mysql_server *server = mysql_conn_server(c);
    struct mysql_result r;
    if (mysql_conn_query(c,
                         !server->mariadb && server->version >= 80400 ? "SHOW BINARY LOG STATUS"
                                                                      : "SHOW MASTER STATUS",
                         &r, NULL))
        return;
    bool row = mysql_result_next(&r, NULL) == E_OK;
    for (size_t i = 0; row && i < ARRAY_LEN(columns); i++) {
        int at = mysql_result_column(&r, columns[i]);
        struct slice v = at < 0 ? SLICE_NULL : mysql_result_get(&r, (unsigned)at);
        if (v.n)
            inspection_add(out, INSPECT_WARNING, columns[i],
                           "the binlog does not have all databases (%s=" PRI_SL ")", columns[i],
                           ARG_SL(v));
    }
    mysql_result_end(&r);
}

/* --- tables ----------------------------------------------------------------------------------- */

struct tally {
    size_t tables, captured, keyless;
    struct strbuf names; /* some without a key */
};

static void count_table(struct tally *t, const struct capture_filter *f, struct slice db,
                        struct slice table, bool has_key)
{
    enum { NAMED = 5 };
    t->tables++;
    if (!capture_table(f, db, table))
        return;
    t->captured++;
    if (has_key)
        return;
    if (++t->keyless <= NAMED)
        strbuf_addf(&t->names, "%s" PRI_SL "." PRI_SL, t->names.n ? ", " : "", ARG_SL(db),
                    ARG_SL(table));
    else if (t->keyless == NAMED + 1)
        strbuf_adds(&t->names, ", ...");
}

static enum err read_tables(struct mysql_conn *c, const struct capture_filter *f, struct tally *t,
                            struct error *e)
{
    struct mysql_result r;
    enum err rc = mysql_conn_query(
        c,
        "SELECT t.TABLE_SCHEMA, t.TABLE_NAME, MAX(s.NON_UNIQUE = 0) FROM information_schema.TABLES "
        "t LEFT JOIN information_schema.STATISTICS s ON s.TABLE_SCHEMA = t.TABLE_SCHEMA AND "
        "s.TABLE_NAME = t.TABLE_NAME WHERE t.TABLE_TYPE = 'BASE TABLE' AND t.TABLE_SCHEMA NOT IN "
        "('mysql', 'sys', 'performance_schema', 'information_schema') "
        "GROUP BY t.TABLE_SCHEMA, t.TABLE_NAME ORDER BY 1, 2",
        &r, e);
    if (rc)
        return rc;
    while ((rc = mysql_result_next(&r, e)) == E_OK)
        count_table(t, f, mysql_result_get(&r, 0), mysql_result_get(&r, 1),
                    slice_eq(mysql_result_get(&r, 2), SL("1")));
    mysql_result_end(&r);
    return rc == E_NOT_FOUND ? E_OK : rc;
}

static void tables(struct mysql_conn *c, const struct mysql_options *o, struct inspection *out)
{
    struct capture_filter f;
    struct error e = {0};
    struct tally t = {.names = STRBUF_INIT};
    struct capture_lists lists = mysql_capture_lists(o);
    enum err rc = capture_filter_init(&f, &lists, &e);
    if (rc) {
        inspection_add(out, INSPECT_FAULT, "tables", "%s", e.msg);
        return;
    }
    rc = read_tables(c, &f, &t, &e);
    if (rc)
        inspection_add(out, INSPECT_WARNING, "tables", "cannot be listed: %s", e.msg);
    else if (t.tables && !t.captured)
        inspection_add(out, INSPECT_WARNING, "tables",
                       "none of the %zu tables is captured: names in table.include.list have the "
                       "form database.table",
                       t.tables);
    else if (!t.tables)
        inspection_add(out, INSPECT_WARNING, "tables", "the user can see none");
    else
        inspection_add(out, INSPECT_OK, "tables",
                       "%zu of the %zu that the user can see are captured", t.captured, t.tables);
    if (t.keyless)
        inspection_add(out, INSPECT_NOTE, "keys",
                       "%zu without primary or unique key (%s): their events have no key, unless "
                       "message.key.columns gives one",
                       t.keyless, t.names.p);
    strbuf_release(&t.names);
    capture_filter_release(&f);
}

/* --- all of it -------------------------------------------------------------------------------- */

/* Nobody answers: what may be the reason, seen from here. */
static void unreachable(const struct mysql_access *a, struct inspection *out)
{
    struct strbuf text = STRBUF_INIT;
    bool local = http_name_is_loopback(a->host);
    if (local && container_around(""))
        strbuf_addf(
            &text,
            "weir runs in a container, where %s is the container itself: name the server by "
            "its service in the compose file, or host.docker.internal for one on the host. "
            "If it runs in this container, too, it is not started",
            a->host);
    else
        strbuf_addf(&text, "is the server started, does it listen on port %u%s%s?", a->port,
                    local ? "" : " beyond its own machine (bind_address)",
                    local ? "" : ", and does no firewall stand between");
    inspection_cure(out, "database.hostname, or the server", text.p);
    strbuf_release(&text);
}

/* A connection is taken, and no MySQL server speaks first as they all do. */
static void not_greeted(const struct mysql_access *a, struct inspection *out)
{
    struct strbuf text = STRBUF_INIT;
    strbuf_addf(&text,
                "something takes connections at %s:%u and does not greet as MySQL and MariaDB do: "
                "another server's port? MySQL's is 3306 unless its port option says otherwise; "
                "MongoDB's is 27017, and its URLs begin with mongodb://",
                a->host, a->port);
    inspection_cure(out, "database.hostname and database.port", text.p);
    strbuf_release(&text);
}

static void refused(const struct mysql_access *a, const struct error *e, uint32_t limit,
                    struct inspection *out)
{
    struct strbuf text = STRBUF_INIT, sql = STRBUF_INIT;
    mysql_access_problem(e, limit, &text);
    ptrdiff_t line = slice_find_char(strbuf_slice(&text), '\n');
    if (line > 0) /* the rest speaks of a driver in Java */
        inspection_add(out, INSPECT_FAULT, "connection", "%.*s (%s)", (int)line, text.p, e->msg);
    else
        inspection_add(out, INSPECT_FAULT, "connection", "%s", text.p);
    if (strstr(e->msg, "reading initial communication packet"))
        not_greeted(a, out);
    else if (e->code == E_IO || e->code == E_TIMEOUT)
        unreachable(a, out);
    if (e->sys == 1045 || e->sys == 1130 || e->sys == 1698) {
        strbuf_adds(&sql, "CREATE USER ");
        mysql_quote_text(&sql, slice_cstr(a->user));
        strbuf_adds(&sql, "@'%' IDENTIFIED BY '...';\nGRANT SELECT, RELOAD, SHOW DATABASES, "
                          "REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO ");
        mysql_quote_text(&sql, slice_cstr(a->user));
        strbuf_adds(&sql, "@'%';");
        inspection_cure(out,
                        "check user and password; if the user does not exist, SQL as an "
                        "administrator",
                        sql.p);
    }
    strbuf_release(&text);
    strbuf_release(&sql);
}

static void connected(enum mysql_flavour f, struct mysql_conn *c, const struct mysql_access *a,
                      struct inspection *out)
{
    const struct mysql_server *server = mysql_conn_server(c);
    struct strbuf who = STRBUF_INIT;
    struct error e = {0};
    if (account(c, &who, &e))
        strbuf_adds(&who, "?");
    inspection_add(out, INSPECT_OK, "connection", "%s%s at %s:%u as %s, %s",
                   server->mariadb ? "" : "MySQL ", server->version_text, a->host, a->port, who.p,
                   server->tls ? "encrypted" : "not encrypted");
    if (server->mariadb != (f == FLAVOUR_MARIADB))
        inspection_add(out, INSPECT_NOTE, "class",
                       "the server is %s: %s is the connector class that tells all about it",
                       server->mariadb ? "MariaDB" : "MySQL",
                       server->mariadb ? "MariaDbConnector" : "MySqlConnector");
    strbuf_release(&who);
}

static void look(enum mysql_flavour f, struct mysql_conn *c, const struct mysql_access *a,
                 const struct mysql_options *o, struct inspection *out)
{
    struct server_settings s;
    struct error e = {0};
    connected(f, c, a, out);
    if (server_settings_read(&s, c, &e)) {
        inspection_add(out, INSPECT_FAULT, "settings", "cannot be read: %s", e.msg);
    } else {
        s.queries = o->include_query;
        server_settings_inspect(&s, out);
        struct slice log_bin = strmap_get_c(&s.variables, "log_bin");
        if (!slice_ieq(log_bin, SL("OFF")) && !slice_eq(log_bin, SL("0"))) {
            position(c, out);
            left_out(c, out);
        }
    }
    server_settings_release(&s);
    mysql_inspect_privileges(c, o, out);
    tables(c, o, out);
}

static void inspect(enum mysql_flavour f, const struct strmap *config, struct inspection *out)
{
    struct mysql_options o;
    struct mysql_access a = {0};
    struct mysql_conn *c = NULL;
    struct error e = {0};
    enum err rc = mysql_access_load(&a, &o, f, config, &e);
    if (rc) {
        if (!inspection_count(out, INSPECT_FAULT)) /* else a wrong value has been told */
            inspection_add(out, INSPECT_FAULT, "configuration", "%s", e.msg);
    } else {
        struct mysql_conn_options co = mysql_access_options(&a, NULL);
        co.connect_timeout_ms =
            MIN(co.connect_timeout_ms ? co.connect_timeout_ms : CONNECT_LIMIT_MS,
                (uint32_t)CONNECT_LIMIT_MS);
        if (mysql_conn_open(&co, &c, &e))
            refused(&a, &e, co.connect_timeout_ms, out);
        else
            look(f, c, &a, &o, out);
    }
    mysql_conn_close(c);
    mysql_access_release(&a);
    mysql_options_release(&o);
}

void mysql_inspect(const struct strmap *config, struct inspection *out)
{
    inspect(FLAVOUR_MYSQL, config, out);
}

void mariadb_inspect(const struct strmap *config, struct inspection *out)
{
    inspect(FLAVOUR_MARIADB, config, out);
}
