/* cdc/mysql/options.c - option rows of both connector classes (from options.def), their values, and
 * the names that older releases used. SPEC: cdc-mysql 1.3, 1.4 */
#include "cdc/mysql/options.h"

#include "base/log.h"
#include "base/mem.h"

/* --- rows ------------------------------------------------------------------------------------- */

#define OPTION_STRUCT struct mysql_options
#define BY(tables, collections) tables
#include "cdc/option_rows.h"

const struct opt_row mysql_option_rows[] = {
#define PICK(mysql, mariadb) mysql
#include "cdc/mysql/options.def"
#undef PICK
    {.name = NULL},
};
const struct opt_row mariadb_option_rows[] = {
#define PICK(mysql, mariadb) mariadb
#include "cdc/mysql/options.def"
#undef PICK
    {.name = NULL},
};

/* --- old names -------------------------------------------------------------------------------- */

static const struct {
    const char *old, *now;
} renamed[] = {
    {"table.whitelist", "table.include.list"},
    {"table.blacklist", "table.exclude.list"},
    {"column.whitelist", "column.include.list"},
    {"column.blacklist", "column.exclude.list"},
    {"database.history", "schema.history.internal"},
    {"database.history.store.only.monitored.tables.ddl",
     "schema.history.internal.store.only.captured.tables.ddl"},
    {"event.deserialization.failure.handling.mode", "event.processing.failure.handling.mode"},
    {"buffer.size.for.binlog.reader", "binlog.buffer.size"},
};
#define OLD_HISTORY "database.history."
#define NEW_HISTORY "schema.history.internal."

/* The name that `key` has today, in tmp when it is a changed one; null slice when it is no old
 * name. */
static struct slice renamed_to(struct slice key, struct strbuf *tmp)
{
    for (size_t i = 0; i < ARRAY_LEN(renamed); i++)
        if (slice_eq_c(key, renamed[i].old))
            return slice_cstr(renamed[i].now);
    if (!slice_starts(key, SL(OLD_HISTORY)))
        return capture_option_renamed(key);
    strbuf_reset(tmp);
    strbuf_adds(tmp, NEW_HISTORY);
    strbuf_add_slice(tmp, slice_sub(key, sizeof OLD_HISTORY - 1, key.n));
    return strbuf_slice(tmp);
}

/* Option families whose names carry user text, and keys for the driver. */
static bool is_family(struct slice key)
{
    static const struct slice prefixes[] = {
        SL_INIT("column.mask."),
        SL_INIT("column.truncate."),
        SL_INIT("database."),
        SL_INIT("driver."),
        SL_INIT("snapshot.select.statement.overrides."),
        SL_INIT("snapshot.max.threads.multiplier."),
        SL_INIT("schema.history.internal."),
    };
    for (size_t i = 0; i < ARRAY_LEN(prefixes); i++)
        if (slice_starts(key, prefixes[i]))
            return true;
    return false;
}

static bool is_converter_option(const struct strmap *config, struct slice key)
{
    struct slice rest = strmap_get_c(config, "converters"), part;
    while (slice_split(&rest, ',', &part)) {
        part = slice_trim(part);
        if (part.n && slice_starts(key, part) && key.n > part.n && key.p[part.n] == '.')
            return true;
    }
    return false;
}

bool mysql_option_unread(enum mysql_flavour f, const struct strmap *config, struct slice key,
                         const char **near)
{
    struct strbuf tmp = STRBUF_INIT;
    bool old = !slice_is_null(renamed_to(key, &tmp));
    strbuf_release(&tmp);
    *near = NULL;
    if (old || option_is_foreign(key) || opt_find(mysql_rows(f), key) ||
        is_converter_option(config, key))
        return false;
    *near = opt_nearest(mysql_rows(f), key);
    /* Drivers have options that look like ours: database.useSSL is no database.user. */
    return !is_family(key) || (*near && strlen(*near) <= key.n + 1 && strlen(*near) + 1 >= key.n);
}

static void warn_unknown(enum mysql_flavour f, const struct strmap *config, struct slice key)
{
    const char *near;
    if (mysql_option_unread(f, config, key, &near))
        capture_option_tell_unknown(LOG_CDC_MYSQL, key, near);
}

void mysql_options_canonical(enum mysql_flavour f, const struct strmap *config, bool warn,
                             struct strmap *out)
{
    struct strbuf tmp = STRBUF_INIT;
    strmap_init(out);
    for (size_t i = 0; i < config->count; i++) {
        struct slice key = config->entries[i].key, value = config->entries[i].value;
        struct slice now = renamed_to(key, &tmp);
        if (slice_is_null(now)) {
            strmap_set(out, key, value);
            if (warn)
                warn_unknown(f, config, key);
            continue;
        }
        if (strmap_has(config, now))
            continue;
        strmap_set(out, now, value);
        /* The two old names that are still rows of their own keep their value for the checks. */
        if (opt_find(mysql_rows(f), key))
            strmap_set(out, key, value);
        if (warn)
            capture_option_tell_renamed(LOG_CDC_MYSQL, key, now);
    }
    struct slice minimal = strmap_get_c(out, "snapshot.minimal.locking");
    if (minimal.p && !strmap_has(out, SL("snapshot.locking.mode")))
        strmap_set(out, SL("snapshot.locking.mode"),
                   slice_ieq(slice_trim(minimal), SL("false")) ? SL("extended") : SL("minimal"));
    capture_options_sanitize(out);
    strbuf_release(&tmp);
}

/* --- values ----------------------------------------------------------------------------------- */

static const struct option_word snapshot_words[] = {
    {"initial", SNAPSHOT_INITIAL},
    {"always", SNAPSHOT_ALWAYS},
    {"initial_only", SNAPSHOT_INITIAL_ONLY},
    {"no_data", SNAPSHOT_NO_DATA},
    {"schema_only", SNAPSHOT_NO_DATA},
    {"recovery", SNAPSHOT_RECOVERY},
    {"schema_only_recovery", SNAPSHOT_RECOVERY},
    {"when_needed", SNAPSHOT_WHEN_NEEDED},
    {"never", SNAPSHOT_NEVER},
    {"configuration_based", SNAPSHOT_CONFIGURED},
    {NULL, 0},
};
static const struct option_word locking_words[] = {
    {"minimal", LOCKING_MINIMAL},
    {"extended", LOCKING_EXTENDED},
    {"none", LOCKING_NONE},
    {"minimal_percona", LOCKING_PERCONA},
    {"minimal_percona_no_table_locks", LOCKING_PERCONA_NO_TABLES},
    {"minimal_at_least_once", LOCKING_AT_LEAST_ONCE},
    {NULL, 0},
};
static const struct option_word decimal_words[] = {{"precise", DECIMAL_PRECISE},
                                                   {"string", DECIMAL_STRING},
                                                   {"double", DECIMAL_DOUBLE},
                                                   {NULL, 0}};
static const struct option_word time_words[] = {
    {"adaptive_time_microseconds", TIME_ADAPTIVE},
    {"connect", TIME_CONNECT},
    {"isostring", TIME_ISO},
    {"microseconds", TIME_MICRO},
    {"nanoseconds", TIME_NANO},
    {NULL, 0},
};
static const struct option_word binary_words[] = {
    {"bytes", BINARY_BYTES},
    {"base64", BINARY_BASE64},
    {"base64-url-safe", BINARY_BASE64_URL},
    {"hex", BINARY_HEX},
    {NULL, 0},
};
static const struct option_word order_words[] = {{"disabled", ORDER_NONE},
                                                 {"ascending", ORDER_ASCENDING},
                                                 {"descending", ORDER_DESCENDING},
                                                 {NULL, 0}};

static void options_derive(struct mysql_options *o)
{
    o->snapshot =
        (enum snapshot_mode)option_word(snapshot_words, o->snapshot_mode, SNAPSHOT_INITIAL);
    o->locking = (enum locking_mode)option_word(locking_words, o->locking_mode, LOCKING_MINIMAL);
    o->decimal = (enum decimal_mode)option_word(decimal_words, o->decimal_mode, DECIMAL_PRECISE);
    o->bigint_precise = slice_ieq(slice_trim(o->bigint_mode), SL("precise"));
    o->time = (enum time_mode)option_word(time_words, o->time_mode, TIME_ADAPTIVE);
    o->binary = (enum binary_mode)option_word(binary_words, o->binary_mode, BINARY_BYTES);
    o->on_value_error =
        (enum failure_mode)option_word(option_failure_words, o->value_failure_mode, FAILURE_WARN);
    o->on_schema_error = (enum failure_mode)option_word(option_failure_words,
                                                        o->inconsistent_schema_mode, FAILURE_FAIL);
    o->table_order = (enum row_count_order)option_word(order_words, o->snapshot_order, ORDER_NONE);
}

enum err mysql_options_load(struct mysql_options *o, enum mysql_flavour f,
                            const struct strmap *config, struct error *e)
{
    memset(o, 0, sizeof *o);
    o->flavour = f;
    mysql_options_canonical(f, config, true, &o->config);
    enum err rc = capture_options_load(&o->shared, mysql_rows(f), e);
    if (rc == E_OK)
        options_derive(o);
    return rc;
}

struct capture_lists mysql_capture_lists(const struct mysql_options *o)
{
    return (struct capture_lists){
        .database_include = o->database_include,
        .database_exclude = o->database_exclude,
        .table_include = o->table_include,
        .table_exclude = o->table_exclude,
        .column_include = o->column_include,
        .column_exclude = o->column_exclude,
        .signal_table = o->signal_table,
        .ignore_builtin = o->ignore_builtin,
    };
}

void mysql_options_release(struct mysql_options *o)
{
    capture_options_release(&o->shared);
}
