/* connect/transforms/predicates.c - TopicNameMatches, HasHeaderKey, RecordIsTombstone.
 * SPEC: connect 6.1. */
#include "connect/transforms/smt.h"
#include "connect/transforms/transforms.h"

#include "base/mem.h"

struct predicate {
    struct regex *pattern;
    char *name;
};

static void release(void *pred)
{
    struct predicate *p = pred;
    regex_free(p->pattern);
    mem_free(p->name);
    mem_free(p);
}

static enum err configure_topic(void **pred, const struct strmap *config, struct error *e)
{
    struct predicate *p = *pred = xcalloc(1, sizeof *p);
    struct slice pattern = slice_trim(strmap_get_c(config, "pattern"));
    return smt_regex(&p->pattern, pattern, "pattern", e);
}

static bool test_topic(void *pred, const struct record *r)
{
    return regex_matches(((struct predicate *)pred)->pattern, r->topic);
}

static enum err configure_header(void **pred, const struct strmap *config, struct error *e)
{
    struct predicate *p = *pred = xcalloc(1, sizeof *p);
    (void)e;
    p->name = slice_dup(slice_trim(strmap_get_c(config, "name")));
    return E_OK;
}

static bool test_header(void *pred, const struct record *r)
{
    struct slice name = slice_cstr(((struct predicate *)pred)->name);
    for (size_t i = 0; i < r->headers.count; i++)
        if (slice_eq(r->headers.items[i].name, name))
            return true;
    return false;
}

static enum err configure_nothing(void **pred, const struct strmap *config, struct error *e)
{
    (void)config;
    (void)e;
    *pred = xcalloc(1, sizeof(struct predicate));
    return E_OK;
}

static bool test_tombstone(void *pred, const struct record *r)
{
    (void)pred;
    return r->value.kind == VALUE_NULL;
}

static const struct opt_row header_rows[] = {
    {SMT_FIELDS("name", OPT_STRING, NULL, OPT_REQUIRED, OPT_MEDIUM, "Name of the header."),
     .check = smt_check_text},
    {.name = NULL},
};
static const struct opt_row tombstone_rows[] = {{.name = NULL}};
static const struct opt_row topic_rows[] = {
    SMT_REGEX_ROW("pattern", NULL, OPT_REQUIRED, OPT_MEDIUM,
                  "Java regular expression that the whole name of the topic must match."),
    {.name = NULL},
};

#define PREDICATE(var, Name, rows_, configure_, test_)                                             \
    static const char *const var##_aliases[] = {Name, NULL};                                       \
    static const struct predicate_ops var = {.class_name = SMT_PACKAGE "predicates." Name,         \
                                             .aliases = var##_aliases,                             \
                                             .version = SMT_VERSION,                               \
                                             .rows = rows_,                                        \
                                             .configure = configure_,                              \
                                             .test = test_,                                        \
                                             .release = release};
PREDICATE(has_header_key, "HasHeaderKey", header_rows, configure_header, test_header)
PREDICATE(record_is_tombstone, "RecordIsTombstone", tombstone_rows, configure_nothing,
          test_tombstone)
PREDICATE(topic_name_matches, "TopicNameMatches", topic_rows, configure_topic, test_topic)

const struct predicate_ops *const connect_predicates[] = {
    &has_header_key,
    &record_is_tombstone,
    &topic_name_matches,
    NULL,
};
