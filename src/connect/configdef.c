/* connect/configdef.c - see the header.
 *
 * Items are made in the answer's order: framework rows, transforms, predicates, the connector's
 * rows, converters' rows. A connector's row takes the place of a framework row of the same name. */
#include "connect/configdef_internal.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/regex.h"
#include "connect/topic_rules.h"

/* --- items ------------------------------------------------------------------------------------ */

struct config_item *config_item_find(const struct config_errors *v, struct slice name)
{
    for (size_t i = 0; i < v->count; i++)
        if (slice_eq(v->items[i].name, name))
            return &v->items[i];
    return NULL;
}

struct config_item *config_item_add(struct config_errors *v, struct slice name)
{
    if (v->count == v->cap) {
        v->cap = v->cap ? v->cap * 2 : 64;
        v->items = xrealloc(v->items, v->cap * sizeof *v->items);
    }
    struct config_item *i = &v->items[v->count++];
    memset(i, 0, sizeof *i);
    i->name = arena_dup(&v->a, name);
    return i;
}

void config_text_add(struct arena *a, struct slice **list, size_t *count, struct slice text)
{
    if ((*count & (*count - 1)) == 0) { /* room for twice as many at each power of two */
        struct slice *more = arena_alloc(a, MAX(*count * 2, (size_t)4) * sizeof *more);
        if (*count)
            memcpy(more, *list, *count * sizeof *more);
        *list = more;
    }
    (*list)[(*count)++] = arena_dup(a, text);
}

void config_item_error(struct config_errors *v, struct config_item *i, struct slice text)
{
    config_text_add(&v->a, &i->errors, &i->error_count, text);
}

void config_error(struct config_errors *errs, const char *option, const char *fmt, ...)
{
    struct strbuf text = STRBUF_INIT;
    va_list ap;
    va_start(ap, fmt);
    strbuf_addv(&text, fmt, ap);
    va_end(ap);
    struct config_item *i = config_item_find(errs, slice_cstr(option));
    if (!i)
        i = config_item_add(errs, slice_cstr(option));
    config_item_error(errs, i, strbuf_slice(&text));
    strbuf_release(&text);
}

enum err config_invalid(struct error *e, struct slice value, const char *name, const char *why, ...)
{
    struct strbuf text = STRBUF_INIT;
    va_list ap;
    va_start(ap, why);
    strbuf_addv(&text, why, ap);
    va_end(ap);
    enum err err = error_set(
        e, E_INVALID, CONFIG_EXCEPTION "Invalid value " PRI_SL " for configuration %s: " PRI_SL,
        ARG_SL(value), name, ARG_SL(strbuf_slice(&text)));
    strbuf_release(&text);
    return err;
}

bool config_has_error(const struct config_errors *errs, const char *option)
{
    const struct config_item *i = config_item_find(errs, slice_cstr(option));
    return i && i->error_count;
}

void config_hide(struct config_errors *errs, const char *option)
{
    struct config_item *i = config_item_find(errs, slice_cstr(option));
    if (i)
        i->hidden = true;
}

void config_dependent(struct config_errors *errs, const char *option, const char *dependent)
{
    struct config_item *i = config_item_find(errs, slice_cstr(option));
    if (i)
        config_text_add(&errs->a, &i->dependents, &i->dependent_count, slice_cstr(dependent));
}

size_t config_error_count(const struct config_errors *v)
{
    size_t n = 0;
    for (size_t i = 0; i < v->count; i++)
        n += v->items[i].error_count;
    return n;
}

void config_errors_release(struct config_errors *v)
{
    arena_release(&v->a);
    mem_free(v->items);
    memset(v, 0, sizeof *v);
}

/* --- one value -------------------------------------------------------------------------------- */

bool config_row_secret(const struct opt_row *row)
{
    return row->type == OPT_PASSWORD || (row->flags & OPT_SECRET);
}

/* Parses the text that was given, then checks it: what does not parse has no value, what a check does
 * not like keeps it. */
static void set_given(struct config_errors *v, struct config_item *i, struct slice text)
{
    struct opt_row checked = *i->row;
    struct opt_row plain = {.name = checked.name,
                            .type = checked.type,
                            .offset = OPT_NO_FIELD,
                            .flags = checked.flags & OPT_SECRET};
    struct opt_values values = {.values = NULL, .texts = STRMAP_INIT};
    struct error e = {0};
    struct strbuf tmp = STRBUF_INIT;
    checked.offset = OPT_NO_FIELD;
    checked.name = i->checked_as;
    if (opt_set(&plain, &values, text, &e)) {
        config_item_error(v, i, slice_cstr(e.msg));
        i->value = SLICE_NULL;
    } else {
        i->value = arena_dup(&v->a, opt_text(&plain, &values, true, &tmp));
        if (opt_set(&checked, &values, text, &e))
            config_item_error(v, i, slice_cstr(e.msg));
    }
    strbuf_release(&tmp);
    opt_values_release(&values);
}

/* own: an option of the connector itself; null is noticed at its start only. SPEC: connect 1.1 */
void config_item_set(struct config_errors *v, struct config_item *i, const struct strmap *config,
                     struct slice key, bool own)
{
    bool given = strmap_has(config, key);
    struct slice text = strmap_get(config, key);
    /* The connector itself has a word to say about each; such connectors tell their errors and leave
     * the values out (golden mongodb/config-definitions). */
    if (i->row->flags & OPT_OWN_CHECKS)
        return;
    if (given && !text.p) {
        if (own)
            return;
        config_item_error(v, i, SL("Null value can not be supplied as the configuration value."));
    } else if (given) {
        set_given(v, i, text);
    } else if (i->required) {
        struct strbuf m = STRBUF_INIT;
        strbuf_addf(&m, "Missing required configuration \"" PRI_SL "\" which has no default value.",
                    ARG_SL(i->name));
        config_item_error(v, i, strbuf_slice(&m));
        strbuf_release(&m);
        struct error e = {0};
        struct opt_row checked = *i->row;
        checked.name = i->checked_as;
        if ((checked.flags & OPT_CHECK_NULL) && checked.check(&checked, SLICE_NULL, &e))
            config_item_error(v, i, slice_cstr(e.msg));
    } else {
        i->value = config_row_secret(i->row) && i->def.p ? SL("[hidden]") : i->def;
    }
}

struct config_item *config_item_row(struct config_errors *v, const struct opt_row *row,
                                    struct slice name, struct slice group)
{
    struct config_item *i = config_item_find(v, name);
    if (!i)
        i = config_item_add(v, name);
    i->row = row;
    i->checked_as = row->name;
    i->def = slice_cstr(row->def);
    i->required = row->flags & OPT_REQUIRED;
    i->order = row->order;
    i->group = group.p ? arena_dup(&v->a, group) : slice_cstr(row->group);
    i->display = !row->display     ? slice_cstr(row->name)
                 : row->display[0] ? slice_cstr(row->display)
                                   : SLICE_NULL;
    return i;
}

/* Own options without definition, such as null values of a connector's own keys, are not shown. */
static void add_rows(struct config_errors *v, const struct opt_row *rows,
                     const struct strmap *config, bool own)
{
    for (const struct opt_row *r = rows; r && r->name; r++) {
        if (r->flags & OPT_INTERNAL)
            continue;
        struct config_item *i = config_item_row(v, r, slice_cstr(r->name), SLICE_NULL);
        i->error_count = 0;
        config_item_set(v, i, config, i->name, own);
    }
}

/* --- framework options that need more than their row ------------------------------------------ */

static void check_class(struct config_errors *v, const char *key, const struct strmap *config)
{
    struct config_item *i = config_item_find(v, slice_cstr(key));
    struct slice text = slice_trim(strmap_get_c(config, key));
    if (!i || !text.p || i->error_count)
        return;
    const struct converter_ops *c = registry_converter(v->registry, text);
    if (c) {
        i->value = slice_cstr(c->class_name);
        return;
    }
    struct strbuf m = STRBUF_INIT;
    strbuf_addf(
        &m, "Invalid value " PRI_SL " for configuration %s: Class " PRI_SL " could not be found.",
        ARG_SL(text), key, ARG_SL(text));
    config_item_error(v, i, strbuf_slice(&m));
    i->value = SLICE_NULL;
    strbuf_release(&m);
}

static void recommend(struct config_errors *v, struct config_item *i, const char *text)
{
    config_text_add(&v->a, &i->recommended, &i->recommended_count, slice_cstr(text));
}

void config_recommend_class(struct config_errors *v, struct config_item *i, const char *class_name)
{
    for (size_t k = 0; k < registry_copies(class_name); k++)
        recommend(v, i, class_name);
}

/* The worker's converters are the defaults, and their versions are shown. */
static void converter_default(struct config_errors *v, const char *key, const struct strmap *config)
{
    char version_key[64];
    struct config_item *i = config_item_find(v, slice_cstr(key));
    const struct converter_ops *c =
        registry_converter(v->registry, slice_trim(strmap_get_c(v->worker, key)));
    snprintf(version_key, sizeof version_key, "%s.plugin.version", key);
    for (size_t k = 0; i && k < v->registry->converter_count; k++)
        if (key[0] == 'h' || !registry_header_only(v->registry->converters[k]))
            config_recommend_class(v, i, v->registry->converters[k]->class_name);
    if (i && c) {
        i->def = slice_cstr(c->class_name);
        if (!strmap_has(config, i->name))
            i->value = i->def;
    }
    check_class(v, key, config);
    struct config_item *version = config_item_find(v, slice_cstr(version_key));
    if (i && i->value.p)
        c = registry_converter(v->registry, i->value);
    if (version && c) {
        recommend(v, version, c->version);
        version->def = slice_cstr(c->version);
        if (!strmap_has(config, version->name))
            version->value = version->def;
    }
}

static void framework(struct config_errors *v, const struct strmap *config,
                      const struct connector_ops *ops)
{
    add_rows(v, connector_common_rows, config, false);
    add_rows(v, ops->kind == CONNECTOR_SOURCE ? connector_source_rows : connector_sink_rows, config,
             false);
    struct config_item *version = config_item_find(v, SL("connector.plugin.version"));
    version->def = slice_cstr(ops->version);
    recommend(v, version, ops->version);
    if (!strmap_has(config, version->name))
        version->value = version->def;
    if (v->worker) {
        converter_default(v, "key.converter", config);
        converter_default(v, "value.converter", config);
        converter_default(v, "header.converter", config);
    }
    struct config_item *max = config_item_find(v, SL("tasks.max"));
    if (max->error_count && !max->value.p && strmap_get_c(config, "tasks.max").p) {
        int64_t n;
        if (slice_to_i64(slice_trim(strmap_get_c(config, "tasks.max")), &n) != E_OK)
            config_item_error(
                v, max,
                SL("Invalid value null for configuration tasks.max: Value must be non-null"));
    }
}

/* Sources of weir deliver exactly once; what a worker was told is honoured all the same. SPEC:
 * connect 8.4 */
static void check_exactly_once(struct config_errors *v, const struct strmap *config)
{
    struct slice support = slice_trim(strmap_get_c(config, "exactly.once.support"));
    struct slice boundary = slice_trim(strmap_get_c(config, "transaction.boundary"));
    struct slice worker = slice_trim(strmap_get_c(v->worker, "exactly.once.source.support"));
    if (slice_ieq(support, SL("required")) && !slice_ieq(worker, SL("enabled")))
        config_error(v, "exactly.once.support",
                     "This worker does not have exactly-once source support enabled.");
    if (slice_ieq(boundary, SL("connector")))
        config_error(
            v, "transaction.boundary",
            "The connector does not support connector-defined transaction boundaries with "
            "the given configuration. Please reconfigure it to use a different transaction "
            "boundary definition.");
}

/* Kafka finds this when the task starts; weir says it at once. SPEC: connect 2.2, 4.5 */
static void check_topic_rules(struct config_errors *v, const struct strmap *config)
{
    const char *missing = topic_rules_missing(config, v->worker);
    if (missing && !config_has_error(v, "topic.creation.groups"))
        config_error(v, "topic.creation.groups",
                     "Missing required configuration \"%s\" which has no default value.", missing);
}

static void check_sink_topics(struct config_errors *v, const struct strmap *config)
{
    struct slice topics = slice_trim(strmap_get_c(config, "topics"));
    struct slice regex = slice_trim(strmap_get_c(config, "topics.regex"));
    const char *both = "topics and topics.regex are mutually exclusive options, but both are set.";
    const char *none = "Must configure one of topics or topics.regex";
    if ((topics.n > 0) == (regex.n > 0)) {
        config_error(v, "topics", "%s", topics.n ? both : none);
        config_error(v, "topics.regex", "%s", topics.n ? both : none);
        return;
    }
    struct slice dlq = slice_trim(strmap_get_c(config, "errors.deadletterqueue.topic.name")),
                 rest = topics, one;
    struct strbuf list = STRBUF_INIT;
    bool in_list = false;
    for (bool first = true; topics.n && opt_list_next(&rest, &one); first = false) {
        strbuf_addf(&list, "%s" PRI_SL, first ? "" : ", ", ARG_SL(one));
        in_list |= dlq.n && slice_eq(one, dlq);
    }
    if (in_list)
        config_error(v, "topics",
                     "The DLQ topic '" PRI_SL
                     "' may not be included in the list of topics ('topics=[%s]') "
                     "consumed by the connector",
                     ARG_SL(dlq), list.p);
    struct regex *re = NULL;
    if (dlq.n && regex.n && regex_compile(&re, regex, 0, NULL) == E_OK && regex_matches(re, dlq))
        config_error(v, "topics.regex",
                     "The DLQ topic '" PRI_SL "' may not be matched by the regex for the topics "
                     "('topics.regex=" PRI_SL "') consumed by the connector",
                     ARG_SL(dlq), ARG_SL(regex));
    regex_free(re);
    strbuf_release(&list);
}

/* --- converters ------------------------------------------------------------------------------- */

/* Place of a name among the first sixteen buckets of Java's HashMap, out of which the worker takes a
 * converter's options. SPEC: golden connect/validate-transforms */
static unsigned java_bucket(const char *name)
{
    uint32_t h = 0;
    for (; *name; name++)
        h = 31 * h + (unsigned char)*name;
    return (h ^ h >> 16) & 15;
}

static int by_bucket(const void *a, const void *b)
{
    const struct opt_row *const *x = a, *const *y = b;
    unsigned bx = java_bucket((*x)->name), by = java_bucket((*y)->name);
    return bx != by ? (bx < by ? -1 : 1) : *x < *y ? -1 : 1;
}

static void converter_rows(struct config_errors *v, const struct strmap *config, const char *key)
{
    struct slice text = slice_trim(strmap_get_c(config, key));
    const struct converter_ops *c = text.p ? registry_converter(v->registry, text) : NULL;
    size_t count = 0;
    while (c && c->rows[count].name)
        count++;
    const struct opt_row **rows = arena_calloc(&v->a, count + 1, sizeof(struct opt_row *));
    for (size_t k = 0; k < count; k++)
        rows[k] = &c->rows[k];
    qsort(rows, count, sizeof *rows, by_bucket);
    for (size_t k = 0; k < count; k++) {
        const struct opt_row *r = rows[k];
        struct slice name = slice_cstr(arena_printf(&v->a, "%s.%s", key, r->name));
        if (config_item_find(v, name))
            continue;
        struct config_item *i = config_item_row(v, r, name, SLICE_NULL);
        if (strcmp(r->name, "converter.type") == 0) { /* the worker says what it is used for */
            i->value = slice_sub(slice_cstr(key), 0, strlen(key) - strlen(".converter"));
            continue;
        }
        config_item_set(v, i, config, name, false);
        i->error_count = MIN(i->error_count, (size_t)1); /* keys, not messages, are counted here */
    }
}

enum err config_validate(struct config_errors *v, const struct registry *r,
                         const struct strmap *worker, const struct strmap *config,
                         const struct connector_ops *ops, struct error *e)
{
    memset(v, 0, sizeof *v);
    arena_init(&v->a, 16 << 10, ARENA_NO_BUDGET);
    v->registry = r;
    v->worker = worker;
    v->connector_class = arena_dup(&v->a, strmap_get_c(config, "connector.class"));
    framework(v, config, ops);
    if (ops->kind == CONNECTOR_SINK)
        check_sink_topics(v, config);
    else if (worker) {
        check_exactly_once(v, config);
        check_topic_rules(v, config);
    }
    config_aliases(v, config, SL("transforms"));
    config_aliases(v, config, SL("predicates"));
    add_rows(v, ops->rows, config, true);
    if (ops->validate)
        ops->validate(config, v);
    enum err err = worker ? config_overrides(v, config, ops, e) : E_OK;
    converter_rows(v, config, "header.converter");
    converter_rows(v, config, "key.converter");
    converter_rows(v, config, "value.converter");
    return err;
}

json_t *config_definitions_json(const struct opt_row *rows, const struct connector_ops *ops,
                                const struct registry *r)
{
    struct config_errors v = {.registry = r};
    struct strmap nothing = STRMAP_INIT;
    json_t *out = json_array();
    arena_init(&v.a, 16 << 10, ARENA_NO_BUDGET);
    add_rows(&v, rows, &nothing, true);
    if (ops)
        framework(&v, &nothing, ops);
    for (size_t i = 0; i < v.count; i++)
        json_array_append_new(out, config_definition_json(&v.items[i]));
    config_errors_release(&v);
    return out;
}
