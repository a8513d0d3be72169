/* connect/connector_options.c - options that every connector has, in the order of the validation
 * answer. SPEC: connect 4.4. */
#include "connect/configdef.h"

#include "connect/transforms/smt.h"

static enum err invalid(const struct opt_row *row, struct slice text, struct error *e,
                        const char *why)
{
    return error_set(e, E_INVALID, "Invalid value " PRI_SL " for configuration %s: %s",
                     ARG_SL(text), row->name, why);
}

static enum err check_name(const struct opt_row *row, struct slice text, struct error *e)
{
    struct strbuf bad = STRBUF_INIT;
    if (!text.n)
        return invalid(row, text, e, "String may not be empty");
    for (size_t i = 0; i < text.n; i++)
        if ((uint8_t)text.p[i] < 0x20 || text.p[i] == 0x7f)
            strbuf_addf(&bad, "%s%d", bad.n ? ", " : "", text.p[i]);
    enum err err = E_OK;
    if (bad.n) {
        char why[200];
        snprintf(why, sizeof why,
                 "String may not contain control sequences but had the following ASCII chars: %s",
                 bad.p);
        err = invalid(row, text, e, why);
    }
    strbuf_release(&bad);
    return err;
}

static enum err check_not_empty(const struct opt_row *row, struct slice text, struct error *e)
{
    return text.n ? E_OK : invalid(row, text, e, "String must be non-empty");
}

/* A list without repeated entries. */
static enum err check_unique(const struct opt_row *row, struct slice text, struct error *e)
{
    struct slice rest = text, one;
    while (opt_list_next(&rest, &one)) {
        struct slice others = rest, other;
        while (opt_list_next(&others, &other)) {
            if (!slice_eq(one, other))
                continue;
            struct strbuf list = STRBUF_INIT;
            struct slice all = text, part;
            for (bool first = true; opt_list_next(&all, &part); first = false)
                strbuf_addf(&list, "%s" PRI_SL, first ? "" : ", ", ARG_SL(part));
            enum err err = error_set(
                e, E_INVALID, "Invalid value [%s] for configuration %s: Duplicate alias provided.",
                list.p, row->name);
            strbuf_release(&list);
            return err;
        }
    }
    return E_OK;
}

static const char *const reload[] = {"none", "restart", NULL};
static const char *const tolerance[] = {"none", "all", NULL};
static const char *const support[] = {"REQUIRED", "REQUESTED", NULL};
static const char *const boundary[] = {"INTERVAL", "POLL", "CONNECTOR", NULL};

#define ROW(n, t, d, imp, g, o, w, disp, text)                                                     \
    .name = n, .type = t, .def = d, .offset = OPT_NO_FIELD, .importance = imp, .group = g,         \
    .order = o, .width = w, .display = disp, .doc = text

const struct opt_row connector_common_rows[] = {
    {ROW("name", OPT_STRING, NULL, OPT_HIGH, "Common", 1, OPT_W_MEDIUM, "Connector name",
         "Name of this connector, unique in this worker."),
     .flags = OPT_REQUIRED, .check = check_name},
    {ROW("connector.class", OPT_STRING, NULL, OPT_HIGH, "Common", 2, OPT_W_LONG, "Connector class",
         "Class of the connector: its full name, its simple name, or that without the word "
         "Connector."),
     .flags = OPT_REQUIRED},
    {ROW("connector.plugin.version", OPT_STRING, NULL, OPT_MEDIUM, "Common", 3, OPT_W_MEDIUM,
         "Connector version", "Version of the connector; weir has exactly one of each.")},
    {ROW("tasks.max", OPT_INT, "1", OPT_HIGH, "Common", 4, OPT_W_SHORT, "Tasks max",
         "How many tasks this connector may have at most."),
     .min = 1, .has_min = true},
    {ROW("tasks.max.enforce", OPT_BOOLEAN, "true", OPT_LOW, "Common", 5, OPT_W_SHORT,
         "Enforce tasks max",
         "Fail a connector that asks for more tasks than tasks.max allows (deprecated)."),
     .flags = OPT_DEPRECATED},
    {ROW("key.converter", OPT_CLASS, NULL, OPT_LOW, "Common", 6, OPT_W_SHORT, "Key converter class",
         "Turns keys into bytes and back; the worker's when not given.")},
    {ROW("key.converter.plugin.version", OPT_STRING, NULL, OPT_LOW, "Common", 7, OPT_W_SHORT,
         "Key converter version", "Version of the key converter; weir has exactly one of each.")},
    {ROW("value.converter", OPT_CLASS, NULL, OPT_LOW, "Common", 8, OPT_W_SHORT,
         "Value converter class",
         "Turns values into bytes and back; the worker's when not given.")},
    {ROW("value.converter.plugin.version", OPT_STRING, NULL, OPT_LOW, "Common", 9, OPT_W_SHORT,
         "Value converter version",
         "Version of the value converter; weir has exactly one of each.")},
    {ROW("header.converter", OPT_CLASS, NULL, OPT_LOW, "Common", 10, OPT_W_SHORT,
         "Header converter class",
         "Turns headers into bytes and back; the worker's when not given.")},
    {ROW("header.converter.plugin.version", OPT_STRING, NULL, OPT_LOW, "Common", 11, OPT_W_SHORT,
         "Header converter version",
         "Version of the header converter; weir has exactly one of each.")},
    {ROW("transforms", OPT_LIST, "", OPT_LOW, "Transforms", 12, OPT_W_LONG, "Transforms",
         "Names of the transformations that records go through, in this order."),
     .check = check_unique},
    {ROW("predicates", OPT_LIST, "", OPT_LOW, "Predicates", 13, OPT_W_LONG, "Predicates",
         "Names of the conditions that transformations refer to."),
     .check = check_unique},
    {ROW("config.action.reload", OPT_STRING, "restart", OPT_LOW, "Common", 14, OPT_W_MEDIUM,
         "Reload Action",
         "Accepted: weir's providers do not tell when a referenced value changes, so that nothing "
         "happens until the next start."),
     .choices = reload},
    {ROW("errors.retry.timeout", OPT_LONG, "0", OPT_MEDIUM, "Error Handling", 1, OPT_W_MEDIUM,
         "Retry Timeout for Errors",
         "For how many milliseconds a failed operation is tried again; -1 without end.")},
    {ROW("errors.retry.delay.max.ms", OPT_LONG, "60000", OPT_MEDIUM, "Error Handling", 2,
         OPT_W_MEDIUM, "Maximum Delay Between Retries for Errors",
         "Longest pause between two tries, in milliseconds.")},
    {ROW("errors.tolerance", OPT_STRING, "none", OPT_MEDIUM, "Error Handling", 3, OPT_W_SHORT,
         "Error Tolerance",
         "none: a record that cannot be converted or transformed fails the task; all: it is left "
         "out."),
     .choices = tolerance},
    {ROW("errors.log.enable", OPT_BOOLEAN, "false", OPT_MEDIUM, "Error Handling", 4, OPT_W_SHORT,
         "Log Errors",
         "Write a log line for every record that fails, also for those that are tolerated.")},
    {ROW("errors.log.include.messages", OPT_BOOLEAN, "false", OPT_MEDIUM, "Error Handling", 5,
         OPT_W_SHORT, "Log Error Details", "Name the record's place in that log line.")},
    {.name = NULL},
};

const struct opt_row connector_source_rows[] = {
    {ROW("topic.creation.groups", OPT_LIST, "", OPT_LOW, "Topic Creation", 1, OPT_W_LONG,
         "Topic Creation Groups", "Groups of rules for new topics, besides the group `default`."),
     .check = check_unique},
    {ROW("exactly.once.support", OPT_STRING, "requested", OPT_MEDIUM, "Exactly Once Support", 2,
         OPT_W_SHORT, "Exactly once support",
         "required refuses a connector that cannot deliver exactly once."),
     .choices = support, .flags = OPT_ANY_CASE},
    {ROW("transaction.boundary", OPT_STRING, "poll", OPT_MEDIUM, "Exactly Once Support", 3,
         OPT_W_SHORT, "Transaction Boundary",
         "What is delivered as one unit; weir takes each polled batch."),
     .choices = boundary, .flags = OPT_ANY_CASE},
    {ROW("transaction.boundary.interval.ms", OPT_LONG, NULL, OPT_LOW, "Exactly Once Support", 4,
         OPT_W_SHORT, "Transaction boundary interval",
         "Accepted: weir stores offsets with each batch, whatever the boundary."),
     .min = 0, .has_min = true},
    {ROW("offsets.storage.topic", OPT_STRING, NULL, OPT_LOW, "offsets.topic", 1, OPT_W_LONG,
         "Offsets topic", "Accepted; weir keeps source offsets in its own store."),
     .check = check_not_empty},
    {.name = NULL},
};

const struct opt_row connector_sink_rows[] = {
    {ROW("topics", OPT_LIST, "", OPT_HIGH, "Common", 4, OPT_W_LONG, "Topics",
         "Topics that this sink consumes.")},
    {ROW("topics.regex", OPT_STRING, "", OPT_HIGH, "Common", 4, OPT_W_LONG, "Topics regex",
         "A regular expression for the names of the topics that this sink consumes."),
     .check = smt_check_regex},
    {ROW("errors.deadletterqueue.topic.name", OPT_STRING, "", OPT_MEDIUM, "Error Handling", 6,
         OPT_W_MEDIUM, "Dead Letter Queue Topic Name",
         "Topic for records that failed; empty: none.")},
    {ROW("errors.deadletterqueue.topic.replication.factor", OPT_SHORT, "3", OPT_MEDIUM,
         "Error Handling", 7, OPT_W_MEDIUM, "Dead Letter Queue Topic Replication Factor",
         "Replication factor of that topic when it is made.")},
    {ROW("errors.deadletterqueue.context.headers.enable", OPT_BOOLEAN, "false", OPT_MEDIUM,
         "Error Handling", 8, OPT_W_MEDIUM, "Enable Error Context Headers",
         "Tell in headers where and why the record failed.")},
    {.name = NULL},
};
