/* cdc/mysql/settings.c - see settings.h. */
#include "cdc/mysql/settings.h"

#include "base/mem.h"

#define NOT_CONFIGURED(what, value)                                                                \
    "The database server is not configured to use a " what ", which is required for this "         \
    "connector to work properly. Change the database configuration to use a " value                \
    " and restart the connector."

enum judge {
    IS_NOT,     /* wrong unless it is one of the words; absent is right */
    IS,         /* wrong when it is one of the words */
    UNDER_DAY,  /* seconds: wrong between 1 and a day */
    UNDER_DAYS, /* days, with a fraction: the same */
};
enum when { ALWAYS, MARIADB, MYSQL, QUERIES, REPLICA };

struct setting {
    const char *name;
    enum judge judge;
    const char *words; /* with commas */
    enum inspect_level level;
    enum when when;
    const char *text;
    const char *cnf;   /* lines below [mysqld]; NULL: nothing to do */
    const char *newer; /* the same under its newer name, which servers have beside; NULL: none */
};
static const struct setting settings[] = {
    {"log_bin", IS, "OFF,0", INSPECT_FAULT, ALWAYS,
     "the server writes no binary log, so that there are no changes to read",
     "server_id=1\nlog_bin=mysql-bin\nbinlog_format=ROW\nbinlog_row_image=FULL"},
    {"binlog_format", IS_NOT, "ROW", INSPECT_FAULT, ALWAYS,
     NOT_CONFIGURED("ROW binlog_format", "binlog_format=ROW"), "binlog_format=ROW"},
    {"binlog_row_image", IS_NOT, "FULL,NOBLOB", INSPECT_FAULT, ALWAYS,
     NOT_CONFIGURED("FULL binlog_row_image", "binlog_row_image=FULL"), "binlog_row_image=FULL"},
    {"server_id", IS, "0", INSPECT_WARNING, ALWAYS,
     "the server has server_id=0 and serves no readers of its binlog", "server_id=1"},
    {"binlog_expire_logs_seconds", UNDER_DAY, NULL, INSPECT_WARNING, ALWAYS,
     "binlogs are removed after less than a day: a connector that was stopped for longer needs a "
     "new snapshot",
     "binlog_expire_logs_seconds=604800"},
    {"expire_logs_days", UNDER_DAYS, NULL, INSPECT_WARNING, ALWAYS,
     "binlogs are removed after less than a day: a connector that was stopped for longer needs a "
     "new snapshot",
     "expire_logs_days=7"},
    {"log_slave_updates", IS, "OFF,0", INSPECT_WARNING, REPLICA,
     "the server is a replica and does not write what it receives to its own binlog",
     "log_slave_updates=ON", "log_replica_updates"},
    {"log_replica_updates", IS, "OFF,0", INSPECT_WARNING, REPLICA,
     "the server is a replica and does not write what it receives to its own binlog",
     "log_replica_updates=ON"},
    {"binlog_row_value_options", IS, "PARTIAL_JSON", INSPECT_NOTE, MYSQL,
     "JSON is logged as differences, which weir reads and Debezium does not", NULL},
    {"log_bin_compress", IS, "ON,1", INSPECT_NOTE, MARIADB,
     "the binlog is compressed, which weir reads and Debezium does not", NULL},
    {"binlog_rows_query_log_events", IS, "OFF,0", INSPECT_WARNING, QUERIES,
     "include.query is asked for, and the server does not log the text of statements",
     "binlog_rows_query_log_events=ON"},
    {"binlog_annotate_row_events", IS, "OFF,0", INSPECT_WARNING, QUERIES,
     "include.query is asked for, and the server does not log the text of statements",
     "binlog_annotate_row_events=ON"},
};

/* Whether the server replicates from another one; false too when the user may not know. */
static bool is_replica(struct mysql_conn *c)
{
    const struct mysql_server *server = mysql_conn_server(c);
    bool renamed = !server->mariadb && server->version >= 80022;
    struct mysql_result r;
    if (mysql_conn_query(c, renamed ? "SHOW REPLICA STATUS" : "SHOW SLAVE STATUS", &r, NULL))
        return false;
    bool row = mysql_result_next(&r, NULL) == E_OK;
    mysql_result_end(&r);
    return row;
}

enum err server_settings_read(struct server_settings *s, struct mysql_conn *c, struct error *e)
{
    struct strbuf sql = STRBUF_INIT;
    struct mysql_result r;
    *s = (struct server_settings){.mariadb = mysql_conn_server(c)->mariadb};
    strmap_init(&s->variables);
    strbuf_adds(&sql, "SHOW GLOBAL VARIABLES WHERE Variable_name IN (");
    for (size_t i = 0; i < ARRAY_LEN(settings); i++)
        strbuf_addf(&sql, "%s'%s'", i ? ", " : "", settings[i].name);
    strbuf_addc(&sql, ')');
    enum err rc = mysql_conn_query(c, sql.p, &r, e);
    strbuf_release(&sql);
    if (rc)
        return rc;
    while ((rc = mysql_result_next(&r, e)) == E_OK)
        strmap_set(&s->variables, mysql_result_get(&r, 0), mysql_result_get(&r, 1));
    mysql_result_end(&r);
    if (rc != E_NOT_FOUND)
        return rc;
    s->replica = is_replica(c);
    return E_OK;
}

void server_settings_release(struct server_settings *s)
{
    strmap_release(&s->variables);
}

static bool is_word(const char *words, struct slice v)
{
    struct slice rest = slice_cstr(words), part;
    while (slice_split(&rest, ',', &part))
        if (slice_ieq(part, v))
            return true;
    return false;
}

static bool is_wrong(const struct setting *row, struct slice v)
{
    int64_t n;
    ptrdiff_t dot;
    switch (row->judge) {
    case IS_NOT:
        return v.n && !is_word(row->words, v);
    case IS:
        return is_word(row->words, v);
    case UNDER_DAY:
        return slice_to_i64(v, &n) == E_OK && n > 0 && n < 86400;
    default: /* 0 keeps them for ever */
        dot = slice_find_char(v, '.');
        return dot == 1 && v.p[0] == '0' && strspn(v.p + 2, "0") < v.n - 2;
    }
}

static bool applies(const struct server_settings *s, const struct setting *row)
{
    switch (row->when) {
    case MARIADB:
        return s->mariadb;
    case MYSQL:
        return !s->mariadb;
    case QUERIES:
        return s->queries;
    case REPLICA:
        return s->replica;
    default:
        return true;
    }
}

void server_settings_inspect(const struct server_settings *s, struct inspection *out)
{
    size_t before = out->count;
    bool seconds = false;
    for (size_t i = 0; i < ARRAY_LEN(settings); i++) {
        const struct setting *row = &settings[i];
        struct slice v = strmap_get_c(&s->variables, row->name);
        /* MySQL knows both, and 0 seconds means that the days count. */
        if (row->judge == UNDER_DAYS && seconds)
            continue;
        int64_t n;
        seconds |= row->judge == UNDER_DAY && slice_to_i64(v, &n) == E_OK && n > 0;
        bool renamed = row->newer && strmap_get_c(&s->variables, row->newer).p;
        if (!v.p || renamed || !applies(s, row) || !is_wrong(row, v))
            continue;
        if (row->level == INSPECT_FAULT) /* the text is the original's */
            inspection_add(out, row->level, row->name, "%s", row->text);
        else
            inspection_add(out, row->level, row->name, "%s (%s=" PRI_SL ")", row->text, row->name,
                           ARG_SL(v));
        if (row->cnf)
            inspection_cure(out, "my.cnf, below [mysqld]; then restart the server", row->cnf);
    }
    if (out->count == before)
        inspection_add(out, INSPECT_OK, "settings",
                       "binlog_format, binlog_row_image and the "
                       "others are as they should be");
}
