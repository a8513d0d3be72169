/* cdc/mysql/options_check.c - every wrong value of a configuration, in Debezium's words. Some
 * checks of the original run twice on one option, and their text then stands twice: so it does
 * here. SPEC: cdc-mysql 1.2, connect 2.4 */
#include "cdc/mysql/options.h"

#include "cdc/filter.h"
#include "cdc/mysql/column_converters.h"
#include "cdc/mysql/column_rule.h"

enum check {
    CK_END,
    CK_REQUIRED,
    CK_NAME, /* letters, digits, _ - . */
    CK_INT,
    CK_POSITIVE_INT,
    CK_NATURAL_INT, /* not negative */
    CK_LONG,
    CK_POSITIVE_LONG,
    CK_NATURAL_LONG,
    CK_BOOL,
    CK_REGEX_LIST,
    CK_CHOICE,
    CK_CHOICE_OLD, /* the words in `choices` and `also` are accepted, `choices` is printed */
    CK_LOCKING,
    CK_TIME,
    CK_OPERATIONS,
    CK_KEYS,
    CK_QUEUE,
    CK_EXCLUDE_COLUMN,
    CK_EXCLUDE_TABLE,
    CK_EXCLUDE_DATABASE,
    CK_EXCLUDE_GTID,
    CK_ONE_SIGNAL,
    CK_CUSTOM_SNAPSHOT,
    CK_CONVERTERS,
    CK_SINK_TOPIC,
};
struct check_row {
    const char *name;
    enum check checks[4];
    const char *choices; /* as printed */
    const char *also;
};

#define LOCKING_MYSQL                                                                              \
    "minimal, minimal_percona, custom, none, minimal_percona_no_table_locks, extended"
static const struct check_row rows[] = {
    {"topic.prefix", {CK_REQUIRED, CK_NAME}, NULL, NULL},
    {"database.hostname", {CK_REQUIRED, CK_NAME}, NULL, NULL},
    {"database.port", {CK_INT, CK_INT}, NULL, NULL},
    {"database.user", {CK_REQUIRED}, NULL, NULL},
    {"database.query.timeout.ms", {CK_NATURAL_INT}, NULL, NULL},
    {"database.server.id", {CK_REQUIRED, CK_LONG, CK_POSITIVE_LONG}, NULL, NULL},
    {"database.server.id.offset", {CK_LONG, CK_POSITIVE_LONG}, NULL, NULL},
    {"event.processing.failure.handling.mode", {CK_CHOICE}, "warn, fail, ignore, skip", NULL},
    {"max.batch.size", {CK_POSITIVE_INT}, NULL, NULL},
    {"max.queue.size", {CK_QUEUE}, NULL, NULL},
    {"poll.interval.ms", {CK_POSITIVE_INT}, NULL, NULL},
    {"max.queue.size.in.bytes", {CK_NATURAL_LONG}, NULL, NULL},
    {"provide.transaction.metadata", {CK_BOOL}, NULL, NULL},
    {"skipped.operations", {CK_OPERATIONS}, NULL, NULL},
    {"snapshot.delay.ms", {CK_NATURAL_LONG}, NULL, NULL},
    {"streaming.delay.ms", {CK_NATURAL_LONG}, NULL, NULL},
    {"snapshot.include.collection.list", {CK_REGEX_LIST}, NULL, NULL},
    {"snapshot.max.threads", {CK_POSITIVE_INT}, NULL, NULL},
    {"errors.max.retries", {CK_INT}, NULL, NULL},
    {"extended.headers.enabled", {CK_BOOL}, NULL, NULL},
    {"decimal.handling.mode", {CK_CHOICE}, "string, double, precise", NULL},
    {"snapshot.lock.timeout.ms", {CK_POSITIVE_LONG}, NULL, NULL},
    {"connect.timeout.ms", {CK_POSITIVE_INT}, NULL, NULL},
    {"connect.keep.alive", {CK_BOOL}, NULL, NULL},
    {"connect.keep.alive.interval.ms", {CK_POSITIVE_LONG}, NULL, NULL},
    {"snapshot.mode",
     {CK_CHOICE_OLD, CK_CUSTOM_SNAPSHOT},
     "always, never, initial_only, configuration_based, when_needed, initial, custom, no_data, "
     "recovery",
     "schema_only, schema_only_recovery"},
    {"snapshot.query.mode", {CK_CHOICE, CK_CUSTOM_SNAPSHOT}, "select_all, custom", NULL},
    {"bigint.unsigned.handling.mode", {CK_CHOICE}, "precise, long", NULL},
    {"time.precision.mode",
     {CK_TIME},
     "adaptive_time_microseconds, connect, isostring, microseconds, nanoseconds",
     NULL},
    {"enable.time.adjuster", {CK_BOOL}, NULL, NULL},
    {"incremental.snapshot.chunk.size", {CK_INT, CK_NATURAL_INT}, NULL, NULL},
    {"snapshot.locking.mode",
     {CK_LOCKING, CK_CUSTOM_SNAPSHOT},
     LOCKING_MYSQL,
     "minimal_at_least_once"},
    {"converters", {CK_CONVERTERS}, NULL, NULL},
    {"tombstones.on.delete", {CK_BOOL, CK_BOOL}, NULL, NULL},
    {"heartbeat.interval.ms", {CK_NATURAL_INT}, NULL, NULL},
    {"signal.data.collection", {CK_ONE_SIGNAL}, NULL, NULL},
    {"notification.sink.topic.name", {CK_SINK_TOPIC}, NULL, NULL},
    {"column.include.list", {CK_REGEX_LIST}, NULL, NULL},
    {"column.exclude.list", {CK_EXCLUDE_COLUMN, CK_REGEX_LIST}, NULL, NULL},
    {"table.include.list", {CK_REGEX_LIST, CK_REGEX_LIST}, NULL, NULL},
    {"table.exclude.list", {CK_EXCLUDE_TABLE, CK_REGEX_LIST}, NULL, NULL},
    {"message.key.columns", {CK_KEYS}, NULL, NULL},
    {"include.schema.changes", {CK_BOOL}, NULL, NULL},
    {"include.schema.comments", {CK_BOOL}, NULL, NULL},
    {"snapshot.tables.order.by.row.count", {CK_CHOICE}, "disabled, ascending, descending", NULL},
    {"include.query", {CK_BOOL}, NULL, NULL},
    {"table.ignore.builtin", {CK_BOOL}, NULL, NULL},
    {"database.include.list", {CK_REGEX_LIST}, NULL, NULL},
    {"database.exclude.list", {CK_EXCLUDE_DATABASE, CK_REGEX_LIST}, NULL, NULL},
    {"binlog.buffer.size", {CK_NATURAL_INT}, NULL, NULL},
    {"inconsistent.schema.handling.mode", {CK_CHOICE}, "warn, fail, ignore, skip", NULL},
    {"gtid.source.filter.dml.events", {CK_BOOL}, NULL, NULL},
    {"gtid.source.includes", {CK_REGEX_LIST}, NULL, NULL},
    {"gtid.source.excludes", {CK_EXCLUDE_GTID, CK_REGEX_LIST}, NULL, NULL},
};

/* --- engine
 * ------------------------------------------------------------------------------------------------
 */

struct checker {
    const struct strmap *config;
    struct config_errors *errs;
    const struct check_row *row;
    struct slice value; /* trimmed; not blank */
    int count;
};

static void problem(struct checker *k, const char *text)
{
    config_error(k->errs, k->row->name, "The '%s' value is invalid: %s", k->row->name, text);
    k->count++;
}

static bool is_set(const struct checker *k, const char *name)
{
    return slice_trim(strmap_get_c(k->config, name)).n > 0;
}

static bool number_between(struct slice v, int64_t low, int64_t high)
{
    int64_t n;
    return slice_to_i64(v, &n) == E_OK && n >= low && n <= high;
}

static bool listed(const char *words, struct slice v)
{
    struct slice rest = slice_cstr(words), part;
    while (rest.p && slice_split(&rest, ',', &part))
        if (slice_ieq(slice_trim(part), v))
            return true;
    return false;
}

static void check_choice(struct checker *k)
{
    if (listed(k->row->choices, k->value) || (k->row->also && listed(k->row->also, k->value)))
        return;
    char text[256];
    snprintf(text, sizeof text, "Value must be one of %s", k->row->choices);
    problem(k, text);
}

static void check_name(struct checker *k)
{
    for (size_t i = 0; i < k->value.n; i++) {
        char c = k->value.p[i];
        bool ok =
            (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
            c == '_' || c == '-' || c == '.' ||
            /* IPv6 addresses are hosts, too */
            ((c == ':' || c == '[' || c == ']') && !strcmp(k->row->name, "database.hostname"));
        if (ok)
            continue;
        char text[400];
        snprintf(text, sizeof text,
                 "%.*s has invalid format (only the underscore, hyphen, dot and alphanumeric "
                 "characters are "
                 "allowed)",
                 (int)MIN(k->value.n, (size_t)256), k->value.p);
        problem(k, text);
        return;
    }
}

static void check_regexes(struct checker *k)
{
    struct regex_list l;
    struct error e = {0};
    if (regex_list_parse(&l, k->value, &e) == E_OK) {
        regex_list_release(&l);
        return;
    }
    char text[sizeof e.msg + 128];
    snprintf(text, sizeof text,
             "A comma-separated list of valid regular expressions is expected, but %s", e.msg);
    problem(k, text);
}

static void check_exclude(struct checker *k, const char *include)
{
    if (!is_set(k, include))
        return;
    char text[128];
    snprintf(text, sizeof text, "\"%s\" is already specified", include);
    problem(k, text);
}

static void check_operations(struct checker *k)
{
    struct slice rest = k->value, part;
    bool none = false;
    int others = 0;
    while (slice_split(&rest, ',', &part)) {
        part = slice_trim(part);
        if (slice_ieq(part, SL("none"))) {
            none = true;
        } else if (part.n == 1 && memchr("cudtr", part.p[0], 5)) {
            others++;
        } else {
            problem(k, "Invalid operation");
            return;
        }
    }
    if (none && others)
        problem(k, "'none' cannot be specified with other skipped operation types");
}

/* One element: something, a colon, columns without a colon. */
static bool is_key_rule(struct slice s)
{
    ptrdiff_t colon = slice_find_char(s, ':');
    if (colon <= 0 || (size_t)colon + 1 >= s.n)
        return false;
    struct slice rest = slice_sub(s, (size_t)colon + 1, s.n), part;
    if (slice_find_char(rest, ':') >= 0)
        return false;
    while (slice_split(&rest, ',', &part))
        if (part.n == 0)
            return false;
    return true;
}

static void check_keys(struct checker *k)
{
    struct slice rest = k->value, part;
    while (slice_split(&rest, ';', &part)) {
        part = slice_trim(part);
        if (part.n == 0 || is_key_rule(part))
            continue;
        char text[400];
        snprintf(text, sizeof text,
                 "%.*s has an invalid format (expecting '^\\s*([^:]+):([^:,]+(,[^:,]+)*)\\s*$')",
                 (int)MIN(part.n, (size_t)256), part.p);
        problem(k, text);
    }
}

static void check_queue(struct checker *k)
{
    int64_t size = 0, batch = 2048;
    if (slice_to_i64(k->value, &size) || size <= 0) {
        problem(k, "A positive queue size is required");
        return;
    }
    struct slice b = slice_trim(strmap_get_c(k->config, "max.batch.size"));
    if (b.n && slice_to_i64(b, &batch))
        return;
    if (size <= batch)
        problem(k, "Must be larger than the maximum batch size");
}

static void check_time(struct checker *k)
{
    if (slice_ieq(k->value, SL("adaptive"))) {
        problem(k, "The 'adaptive' time.precision.mode is no longer supported");
        return;
    }
    int before = k->count;
    check_choice(k);
    if (k->count > before)
        check_choice(k);
}

static void check_locking(struct checker *k)
{
    if (listed(k->row->choices, k->value) || listed(k->row->also, k->value))
        return;
    problem(k, "Must be a valid snapshot.locking.mode value");
    check_choice(k);
}

/* snapshot.mode, .locking.mode and .query.mode: a class of the user's own. */
static void check_custom(struct checker *k)
{
    char name[80], text[200];
    if (!slice_ieq(k->value, SL("custom")))
        return;
    snprintf(name, sizeof name, "%s.custom.name", k->row->name);
    if (is_set(k, name))
        snprintf(text, sizeof text, "classes written in Java are not supported; choose another %s",
                 k->row->name);
    else
        snprintf(text, sizeof text, "%s cannot be empty when %s 'custom' is defined", name,
                 k->row->name);
    problem(k, text);
}

static void check_converters(struct checker *k)
{
    struct column_converters c;
    struct error e = {0};
    if (column_converters_init(&c, k->config, &e))
        problem(k, e.msg);
    column_converters_release(&c);
}

/* Checks that look at an option that is not given. */
static void check_absent(struct checker *k, enum check c)
{
    if (c == CK_REQUIRED)
        problem(k, "A value is required");
    else if (c == CK_SINK_TOPIC &&
             listed("sink", slice_trim(strmap_get_c(k->config, "notification.enabled.channels"))))
        problem(
            k,
            "Notification topic name must be provided when kafka notification channel is enabled");
}

static void check_one(struct checker *k, enum check c)
{
    switch (c) {
    case CK_NAME:
        check_name(k);
        break;
    case CK_INT:
        if (!number_between(k->value, INT32_MIN, INT32_MAX))
            problem(k, "An integer is expected");
        break;
    case CK_POSITIVE_INT:
        if (!number_between(k->value, 1, INT32_MAX))
            problem(k, "A positive, non-zero integer value is expected");
        break;
    case CK_NATURAL_INT:
        if (!number_between(k->value, 0, INT32_MAX))
            problem(k, "An non-negative integer is expected");
        break;
    case CK_LONG:
        if (!number_between(k->value, INT64_MIN, INT64_MAX))
            problem(k, "A long value is expected");
        break;
    case CK_POSITIVE_LONG:
        if (!number_between(k->value, 1, INT64_MAX))
            problem(k, "A positive, non-zero long value is expected");
        break;
    case CK_NATURAL_LONG:
        if (!number_between(k->value, 0, INT64_MAX))
            problem(k, "A non-negative long value is expected");
        break;
    case CK_BOOL:
        if (!slice_ieq(k->value, SL("true")) && !slice_ieq(k->value, SL("false")))
            problem(k, "Either 'true' or 'false' is expected");
        break;
    case CK_REGEX_LIST:
        check_regexes(k);
        break;
    case CK_CHOICE:
    case CK_CHOICE_OLD:
        check_choice(k);
        break;
    case CK_LOCKING:
        check_locking(k);
        break;
    case CK_TIME:
        check_time(k);
        break;
    case CK_OPERATIONS:
        check_operations(k);
        break;
    case CK_KEYS:
        check_keys(k);
        break;
    case CK_QUEUE:
        check_queue(k);
        break;
    case CK_EXCLUDE_COLUMN:
        check_exclude(k, "column.include.list");
        break;
    case CK_EXCLUDE_TABLE:
        check_exclude(k, "table.include.list");
        break;
    case CK_EXCLUDE_DATABASE:
        check_exclude(k, "database.include.list");
        break;
    case CK_EXCLUDE_GTID:
        if (is_set(k, "gtid.source.includes"))
            problem(k, "Cannot specify GTID excludes when includes are provided.");
        break;
    case CK_ONE_SIGNAL:
        if (slice_find_char(k->value, ',') >= 0)
            problem(k, "For single task connector only one signal data collection is permitted.");
        break;
    case CK_CUSTOM_SNAPSHOT:
        check_custom(k);
        break;
    case CK_CONVERTERS:
        check_converters(k);
        break;
    default:
        break;
    }
}

/* column.mask.* and column.truncate.*: what is wrong stands at the option as it was written. */
static void check_column_rules(struct checker *k)
{
    struct slice option;
    struct error e = {0};
    if (column_rules_check(k->config, &option, &e) == E_OK)
        return;
    char name[256];
    snprintf(name, sizeof name, PRI_SL, ARG_SL(option));
    const struct check_row row = {.name = name};
    k->row = &row;
    problem(k, e.msg);
}

int mysql_options_check(enum mysql_flavour f, const struct strmap *canonical,
                        struct config_errors *errs)
{
    struct checker k = {.config = canonical, .errs = errs};
    (void)f;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        k.row = &rows[i];
        k.value = slice_trim(strmap_get_c(canonical, rows[i].name));
        for (size_t c = 0; c < ARRAY_LEN(rows[i].checks) && rows[i].checks[c] != CK_END; c++) {
            if (k.value.n)
                check_one(&k, rows[i].checks[c]);
            else
                check_absent(&k, rows[i].checks[c]);
        }
    }
    check_column_rules(&k);
    return k.count;
}
