/* cdc/mysql/options_check.c - every wrong value of a configuration, in Debezium's words. Some
 * checks of the original run twice on one option, and their text then stands twice: so it does
 * here. SPEC: cdc-mysql 1.2, connect 2.4 */
#include "cdc/mysql/options.h"

#include "cdc/mysql/column_converters.h"
#include "cdc/mysql/column_rule.h"
#include "cdc/option_check.h"

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

static void check_keys(struct option_checker *k)
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
        option_problem(k, text);
    }
}

static void check_time(struct option_checker *k)
{
    if (slice_ieq(k->value, SL("adaptive"))) {
        option_problem(k, "The 'adaptive' time.precision.mode is no longer supported");
        return;
    }
    int before = k->count;
    option_choice(k);
    if (k->count > before)
        option_choice(k);
}

static void check_locking(struct option_checker *k)
{
    if (option_listed(k->row->choices, k->value) || option_listed(k->row->also, k->value))
        return;
    option_problem(k, "Must be a valid snapshot.locking.mode value");
    option_choice(k);
}

/* snapshot.mode, .locking.mode and .query.mode: a class of the user's own. */
static void check_custom(struct option_checker *k)
{
    char name[80], text[200];
    if (!slice_ieq(k->value, SL("custom")))
        return;
    snprintf(name, sizeof name, "%s.custom.name", k->row->name);
    if (option_given(k, name))
        snprintf(text, sizeof text, "classes written in Java are not supported; choose another %s",
                 k->row->name);
    else
        snprintf(text, sizeof text, "%s cannot be empty when %s 'custom' is defined", name,
                 k->row->name);
    option_problem(k, text);
}

static void check_converters(struct option_checker *k)
{
    struct column_converters c;
    struct error e = {0};
    if (column_converters_init(&c, k->config, &e))
        option_problem(k, e.msg);
    column_converters_release(&c);
}

static void check_gtid_excludes(struct option_checker *k)
{
    if (option_given(k, "gtid.source.includes"))
        option_problem(k, "Cannot specify GTID excludes when includes are provided.");
}

#define LOCKING_MYSQL                                                                              \
    "minimal, minimal_percona, custom, none, minimal_percona_no_table_locks, extended"
static const struct option_check_row rows[] = {
    {"database.hostname", {option_name}, .absent = option_required},
    {"database.port", {option_int, option_int}},
    {"database.user", .absent = option_required},
    {"database.query.timeout.ms", {option_natural_int}},
    {"database.server.id", {option_long, option_positive_long}, .absent = option_required},
    {"database.server.id.offset", {option_long, option_positive_long}},
    {"decimal.handling.mode", {option_choice}, .choices = "string, double, precise"},
    {"snapshot.lock.timeout.ms", {option_positive_long}},
    {"connect.timeout.ms", {option_positive_int}},
    {"connect.keep.alive", {option_bool}},
    {"connect.keep.alive.interval.ms", {option_positive_long}},
    {"snapshot.mode",
     {option_choice, check_custom},
     .choices =
         "always, never, initial_only, configuration_based, when_needed, initial, custom, no_data, "
         "recovery",
     .also = "schema_only, schema_only_recovery"},
    {"snapshot.query.mode", {option_choice, check_custom}, .choices = "select_all, custom"},
    {"bigint.unsigned.handling.mode", {option_choice}, .choices = "precise, long"},
    {"time.precision.mode",
     {check_time},
     .choices = "adaptive_time_microseconds, connect, isostring, microseconds, nanoseconds"},
    {"enable.time.adjuster", {option_bool}},
    {"incremental.snapshot.chunk.size", {option_int, option_natural_int}},
    {"snapshot.locking.mode",
     {check_locking, check_custom},
     .choices = LOCKING_MYSQL,
     .also = "minimal_at_least_once"},
    {"converters", {check_converters}},
    {"tombstones.on.delete", {option_bool, option_bool}},
    {"column.include.list", {option_regexes}},
    {"column.exclude.list", {option_excludes, option_regexes}, .other = "column.include.list"},
    {"table.include.list", {option_regexes, option_regexes}},
    {"table.exclude.list", {option_excludes, option_regexes}, .other = "table.include.list"},
    {"message.key.columns", {check_keys}},
    {"include.schema.changes", {option_bool}},
    {"include.schema.comments", {option_bool}},
    {"snapshot.tables.order.by.row.count",
     {option_choice},
     .choices = "disabled, ascending, descending"},
    {"include.query", {option_bool}},
    {"table.ignore.builtin", {option_bool}},
    {"database.include.list", {option_regexes}},
    {"database.exclude.list", {option_excludes, option_regexes}, .other = "database.include.list"},
    {"binlog.buffer.size", {option_natural_int}},
    {"inconsistent.schema.handling.mode", {option_choice}, .choices = "warn, fail, ignore, skip"},
    {"gtid.source.filter.dml.events", {option_bool}},
    {"gtid.source.includes", {option_regexes}},
    {"gtid.source.excludes", {check_gtid_excludes, option_regexes}},
};

/* column.mask.* and column.truncate.*: what is wrong stands at the option as it was written. */
static void check_column_rules(struct option_checker *k)
{
    struct slice option;
    struct error e = {0};
    if (column_rules_check(k->config, &option, &e) == E_OK)
        return;
    char name[256];
    snprintf(name, sizeof name, PRI_SL, ARG_SL(option));
    option_problem_at(k, name, e.msg);
}

int mysql_options_check(enum mysql_flavour f, const struct strmap *canonical,
                        struct config_errors *errs)
{
    struct option_checker k = {.config = canonical, .errs = errs};
    (void)f;
    option_checks_run(&k, rows, ARRAY_LEN(rows));
    check_column_rules(&k);
    return k.count;
}
