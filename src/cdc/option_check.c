/* cdc/option_check.c - see option_check.h. */
#include "cdc/option_check.h"

#include "cdc/filter.h"

void option_problem_at(struct option_checker *k, const char *option, const char *text)
{
    config_error(k->errs, option, "The '%s' value is invalid: %s", option, text);
    k->count++;
}

void option_problem(struct option_checker *k, const char *text)
{
    option_problem_at(k, k->row->name, text);
}

bool option_given(const struct option_checker *k, const char *name)
{
    return slice_trim(strmap_get_c(k->config, name)).n > 0;
}

bool option_listed(const char *words, struct slice value)
{
    struct slice rest = slice_cstr(words), part;
    while (rest.p && slice_split(&rest, ',', &part))
        if (slice_ieq(slice_trim(part), value))
            return true;
    return false;
}

void option_required(struct option_checker *k)
{
    option_problem(k, "A value is required");
}

/* --- numbers and words ------------------------------------------------------------------------ */

static void between(struct option_checker *k, int64_t low, int64_t high, const char *text)
{
    int64_t n;
    if (slice_to_i64(k->value, &n) || n < low || n > high)
        option_problem(k, text);
}

void option_int(struct option_checker *k)
{
    between(k, INT32_MIN, INT32_MAX, "An integer is expected");
}

void option_positive_int(struct option_checker *k)
{
    between(k, 1, INT32_MAX, "A positive, non-zero integer value is expected");
}

void option_natural_int(struct option_checker *k)
{
    between(k, 0, INT32_MAX, "An non-negative integer is expected");
}

void option_long(struct option_checker *k)
{
    between(k, INT64_MIN, INT64_MAX, "A long value is expected");
}

void option_positive_long(struct option_checker *k)
{
    between(k, 1, INT64_MAX, "A positive, non-zero long value is expected");
}

void option_natural_long(struct option_checker *k)
{
    between(k, 0, INT64_MAX, "A non-negative long value is expected");
}

void option_bool(struct option_checker *k)
{
    if (!slice_ieq(k->value, SL("true")) && !slice_ieq(k->value, SL("false")))
        option_problem(k, "Either 'true' or 'false' is expected");
}

void option_choice(struct option_checker *k)
{
    if (option_listed(k->row->choices, k->value) ||
        (k->row->also && option_listed(k->row->also, k->value)))
        return;
    char text[256];
    snprintf(text, sizeof text, "Value must be one of %s", k->row->choices);
    option_problem(k, text);
}

void option_name(struct option_checker *k)
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
        option_problem(k, text);
        return;
    }
}

/* --- lists ------------------------------------------------------------------------------------ */

void option_regexes(struct option_checker *k)
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
    option_problem(k, text);
}

void option_excludes(struct option_checker *k)
{
    if (!option_given(k, k->row->other))
        return;
    char text[128];
    snprintf(text, sizeof text, "\"%s\" is already specified", k->row->other);
    option_problem(k, text);
}

void option_operations(struct option_checker *k)
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
            option_problem(k, "Invalid operation");
            return;
        }
    }
    if (none && others)
        option_problem(k, "'none' cannot be specified with other skipped operation types");
}

void option_one_collection(struct option_checker *k)
{
    if (slice_find_char(k->value, ',') >= 0)
        option_problem(k,
                       "For single task connector only one signal data collection is permitted.");
}

void option_sink_topic(struct option_checker *k)
{
    if (option_listed("sink", slice_trim(strmap_get_c(k->config, "notification.enabled.channels"))))
        option_problem(
            k,
            "Notification topic name must be provided when kafka notification channel is enabled");
}

/* A size that is no size is, in the original, also smaller than a batch: both texts stand there. */
void option_queue(struct option_checker *k)
{
    int64_t size = 0, batch = 2048;
    struct slice b = slice_trim(strmap_get_c(k->config, "max.batch.size"));
    if (slice_to_i64(k->value, &size) || size <= 0)
        option_problem(k, "A positive queue size is required");
    if ((!b.n || slice_to_i64(b, &batch) == E_OK) && size <= batch)
        option_problem(k, "Must be larger than the maximum batch size");
}

/* --- tables ----------------------------------------------------------------------------------- */

/* Rows that are the same for all. */
static const struct option_check_row shared[] = {
    {"topic.prefix", {option_name}, .absent = option_required},
    {"event.processing.failure.handling.mode",
     {option_choice},
     .choices = "warn, fail, ignore, skip"},
    {"max.batch.size", {option_positive_int}},
    {"max.queue.size", {option_queue}},
    {"poll.interval.ms", {option_positive_int}},
    {"max.queue.size.in.bytes", {option_natural_long}},
    {"provide.transaction.metadata", {option_bool}},
    {"skipped.operations", {option_operations}},
    {"snapshot.delay.ms", {option_natural_long}},
    {"streaming.delay.ms", {option_natural_long}},
    {"snapshot.include.collection.list", {option_regexes}},
    {"snapshot.max.threads", {option_positive_int}},
    {"errors.max.retries", {option_int}},
    {"extended.headers.enabled", {option_bool}},
    {"heartbeat.interval.ms", {option_natural_int}},
    {"signal.data.collection", {option_one_collection}},
    {"notification.sink.topic.name", .absent = option_sink_topic},
};

static void run(struct option_checker *k, const struct option_check_row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        k->row = &rows[i];
        k->value = slice_trim(strmap_get_c(k->config, rows[i].name));
        if (!k->value.n) {
            if (rows[i].absent)
                rows[i].absent(k);
            continue;
        }
        for (size_t c = 0; c < ARRAY_LEN(rows[i].checks) && rows[i].checks[c]; c++)
            rows[i].checks[c](k);
    }
}

void option_checks_run(struct option_checker *k, const struct option_check_row *rows, size_t count)
{
    run(k, shared, ARRAY_LEN(shared));
    run(k, rows, count);
}
