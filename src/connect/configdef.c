/* connect/configdef.c - see the header.
 *
 * Items are made in the answer's order: framework rows, transforms, predicates, the connector's
 * rows, converters' rows. A connector's row takes the place of a framework row of the same name. */
#include "connect/configdef.h"

#include "base/mem.h"
#include "connect/stages.h"

/* --- items -------------------------------------------------------------------------------------
 */

static struct config_item *find_item(const struct config_errors *v, struct slice name)
{
    for (size_t i = 0; i < v->count; i++)
        if (slice_eq(v->items[i].name, name))
            return &v->items[i];
    return NULL;
}

static struct config_item *add_item(struct config_errors *v, struct slice name)
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

static void add_text(struct arena *a, struct slice **list, size_t *count, struct slice text)
{
    if ((*count & (*count - 1)) == 0) { /* room for twice as many at each power of two */
        struct slice *more = arena_alloc(a, MAX(*count * 2, (size_t)4) * sizeof *more);
        if (*count)
            memcpy(more, *list, *count * sizeof *more);
        *list = more;
    }
    (*list)[(*count)++] = arena_dup(a, text);
}

static void item_error(struct config_errors *v, struct config_item *i, struct slice text)
{
    add_text(&v->a, &i->errors, &i->error_count, text);
}

void config_error(struct config_errors *errs, const char *option, const char *fmt, ...)
{
    struct strbuf text = STRBUF_INIT;
    va_list ap;
    va_start(ap, fmt);
    strbuf_addv(&text, fmt, ap);
    va_end(ap);
    struct config_item *i = find_item(errs, slice_cstr(option));
    if (!i)
        i = add_item(errs, slice_cstr(option));
    item_error(errs, i, strbuf_slice(&text));
    strbuf_release(&text);
}

bool config_has_error(const struct config_errors *errs, const char *option)
{
    const struct config_item *i = find_item(errs, slice_cstr(option));
    return i && i->error_count;
}

void config_hide(struct config_errors *errs, const char *option)
{
    struct config_item *i = find_item(errs, slice_cstr(option));
    if (i)
        i->hidden = true;
}

void config_dependent(struct config_errors *errs, const char *option, const char *dependent)
{
    struct config_item *i = find_item(errs, slice_cstr(option));
    if (i)
        add_text(&errs->a, &i->dependents, &i->dependent_count, slice_cstr(dependent));
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

/* --- one value ---------------------------------------------------------------------------------
 */

static bool is_secret(const struct opt_row *row)
{
    return row->type == OPT_PASSWORD || (row->flags & OPT_SECRET);
}

/* Parses the text that was given; fills value or an error. */
static void set_given(struct config_errors *v, struct config_item *i, struct slice text)
{
    struct opt_row row = *i->row;
    struct opt_values values = {.values = NULL, .texts = STRMAP_INIT};
    struct error e = {0};
    struct strbuf tmp = STRBUF_INIT;
    row.offset = OPT_NO_FIELD;
    if (opt_set(&row, &values, text, &e)) {
        item_error(v, i, slice_cstr(e.msg));
        i->value = row.choices || row.type == OPT_STRING || row.type == OPT_LIST
                       ? arena_dup(&v->a, slice_trim(text))
                       : SLICE_NULL;
    } else {
        i->value = arena_dup(&v->a, opt_text(&row, &values, true, &tmp));
    }
    strbuf_release(&tmp);
    opt_values_release(&values);
}

/* own: an option of the connector itself; null is noticed at its start only. SPEC: connect 1.1 */
static void set_value(struct config_errors *v, struct config_item *i, const struct strmap *config,
                      struct slice key, bool own)
{
    bool given = strmap_has(config, key);
    struct slice text = strmap_get(config, key);
    if (i->row->flags & OPT_OWN_CHECKS) { /* the connector itself has a word to say about each */
        i->value = is_secret(i->row) && text.p ? SL("[hidden]") : arena_dup(&v->a, text);
        return;
    }
    if (given && !text.p) {
        if (own)
            return;
        item_error(v, i, SL("Null value can not be supplied as the configuration value."));
    } else if (given) {
        set_given(v, i, text);
    } else if (i->required) {
        struct strbuf m = STRBUF_INIT;
        strbuf_addf(&m, "Missing required configuration \"" PRI_SL "\" which has no default value.",
                    ARG_SL(i->name));
        item_error(v, i, strbuf_slice(&m));
        strbuf_release(&m);
    } else {
        i->value = is_secret(i->row) && i->def.p ? SL("[hidden]") : i->def;
    }
}

static struct config_item *add_row(struct config_errors *v, const struct opt_row *row,
                                   struct slice name, struct slice group)
{
    struct config_item *i = find_item(v, name);
    if (!i)
        i = add_item(v, name);
    i->row = row;
    i->def = slice_cstr(row->def);
    i->required = row->flags & OPT_REQUIRED;
    i->group = group.p ? arena_dup(&v->a, group) : slice_cstr(row->group);
    i->display = row->display ? slice_cstr(row->display) : slice_cstr(row->name);
    return i;
}

/* Own options without definition, such as null values of a connector's own keys, are not shown. */
static void add_rows(struct config_errors *v, const struct opt_row *rows,
                     const struct strmap *config, bool own)
{
    for (const struct opt_row *r = rows; r && r->name; r++) {
        if (r->flags & OPT_INTERNAL)
            continue;
        struct config_item *i = add_row(v, r, slice_cstr(r->name), SLICE_NULL);
        i->error_count = 0;
        set_value(v, i, config, i->name, own);
    }
}

/* --- framework options that need more than their row -------------------------------------------
 */

static void check_class(struct config_errors *v, const char *key, const struct strmap *config)
{
    struct config_item *i = find_item(v, slice_cstr(key));
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
    item_error(v, i, strbuf_slice(&m));
    i->value = SLICE_NULL;
    strbuf_release(&m);
}

static void recommend(struct config_errors *v, struct config_item *i, const char *text)
{
    add_text(&v->a, &i->recommended, &i->recommended_count, slice_cstr(text));
}

/* The worker's converters are the defaults, and their versions are shown. */
static void converter_default(struct config_errors *v, const char *key, const struct strmap *config)
{
    char version_key[64];
    struct config_item *i = find_item(v, slice_cstr(key));
    const struct converter_ops *c =
        registry_converter(v->registry, slice_trim(strmap_get_c(v->worker, key)));
    snprintf(version_key, sizeof version_key, "%s.plugin.version", key);
    for (size_t k = 0; i && k < v->registry->converter_count; k++)
        if (key[0] == 'h' || !registry_header_only(v->registry->converters[k]))
            recommend(v, i, v->registry->converters[k]->class_name);
    if (i && c) {
        i->def = slice_cstr(c->class_name);
        if (!strmap_has(config, i->name))
            i->value = i->def;
    }
    check_class(v, key, config);
    struct config_item *version = find_item(v, slice_cstr(version_key));
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
    struct config_item *version = find_item(v, SL("connector.plugin.version"));
    version->def = slice_cstr(ops->version);
    recommend(v, version, ops->version);
    if (!strmap_has(config, version->name))
        version->value = version->def;
    if (v->worker) {
        converter_default(v, "key.converter", config);
        converter_default(v, "value.converter", config);
        converter_default(v, "header.converter", config);
    }
    struct config_item *max = find_item(v, SL("tasks.max"));
    if (max->error_count && !max->value.p && strmap_get_c(config, "tasks.max").p) {
        int64_t n;
        if (slice_to_i64(slice_trim(strmap_get_c(config, "tasks.max")), &n) != E_OK)
            item_error(
                v, max,
                SL("Invalid value null for configuration tasks.max: Value must be non-null"));
    }
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
    strbuf_release(&list);
}

/* --- transforms and predicates -----------------------------------------------------------------
 */

static const struct opt_row transform_type = {.name = "type",
                                              .type = OPT_CLASS,
                                              .offset = OPT_NO_FIELD,
                                              .flags = OPT_REQUIRED,
                                              .importance = OPT_HIGH,
                                              .order = 0,
                                              .width = OPT_W_LONG,
                                              .display = "type",
                                              .doc = "Class of this transformation or predicate."};
static const struct opt_row transform_version = {
    .name = "plugin.version",
    .type = OPT_STRING,
    .offset = OPT_NO_FIELD,
    .importance = OPT_MEDIUM,
    .order = 1,
    .width = OPT_W_MEDIUM,
    .display = "plugin.version",
    .doc = "Version of the class; weir has exactly one of each."};
static const struct opt_row transform_common[] = {
    {.name = "predicate",
     .type = OPT_STRING,
     .offset = OPT_NO_FIELD,
     .importance = OPT_MEDIUM,
     .order = -1,
     .display = "predicate",
     .doc = "Name of the predicate that decides which records are transformed."},
    {.name = "negate",
     .type = OPT_BOOLEAN,
     .def = "false",
     .offset = OPT_NO_FIELD,
     .importance = OPT_MEDIUM,
     .order = -1,
     .display = "negate",
     .doc = "Transform the records that the predicate does not match."},
    {.name = NULL},
};

struct alias {
    struct config_errors *v;
    const struct strmap *config;
    struct slice kind, name; /* "transforms", "a" */
};

static struct slice alias_key(const struct alias *x, const char *option)
{
    return slice_cstr(
        arena_printf(&x->v->a, PRI_SL "." PRI_SL ".%s", ARG_SL(x->kind), ARG_SL(x->name), option));
}

static void alias_row(const struct alias *x, const struct opt_row *row)
{
    const char *title = x->kind.p[0] == 't' ? "Transforms" : "Predicates";
    char *group = row->group ? arena_printf(&x->v->a, "%s: " PRI_SL ": %s", title, ARG_SL(x->name),
                                            row->group)
                             : arena_printf(&x->v->a, "%s: " PRI_SL, title, ARG_SL(x->name));
    struct slice key = alias_key(x, row->name);
    struct config_item *i = add_row(x->v, row, key, slice_cstr(group));
    set_value(x->v, i, x->config, key, false);
}

/* "Cast" and "...Cast": the user forgot $Key or $Value. */
static bool is_abstract(const struct registry *r, struct slice type)
{
    struct strbuf name = STRBUF_INIT;
    strbuf_addf(&name, PRI_SL "$Key", ARG_SL(type));
    bool found = registry_transform(r, strbuf_slice(&name)) != NULL;
    strbuf_release(&name);
    return found;
}

static void alias_type_errors(const struct alias *x, struct slice type, struct config_item *i)
{
    struct strbuf m = STRBUF_INIT;
    if (x->kind.p[0] == 't' && is_abstract(x->v->registry, type))
        strbuf_addf(&m,
                    "This class is abstract and cannot be created. Did you mean " PRI_SL
                    "$Key, " PRI_SL "$Value?",
                    ARG_SL(type), ARG_SL(type));
    else
        strbuf_addf(&m,
                    "Invalid value " PRI_SL " for configuration " PRI_SL ": Class " PRI_SL
                    " could not be found.",
                    ARG_SL(type), ARG_SL(i->name), ARG_SL(type));
    item_error(x->v, i, strbuf_slice(&m));
    i->value = SLICE_NULL;
    strbuf_release(&m);
}

static void recommend_all(struct config_errors *v, struct config_item *i, bool transforms)
{
    const struct registry *r = v->registry;
    for (size_t k = 0; k < (transforms ? r->transform_count : r->predicate_count); k++)
        add_text(
            &v->a, &i->recommended, &i->recommended_count,
            slice_cstr(transforms ? r->transforms[k]->class_name : r->predicates[k]->class_name));
}

static void one_alias(struct alias *x)
{
    bool transforms = x->kind.p[0] == 't';
    struct slice key = alias_key(x, "type"), type = slice_trim(strmap_get(x->config, key));
    alias_row(x, &transform_type);
    struct config_item *i = find_item(x->v, key);
    i->display =
        slice_cstr(arena_printf(&x->v->a, "%s type for " PRI_SL,
                                transforms ? "Transformation" : "Predicate", ARG_SL(x->name)));
    recommend_all(x->v, i, transforms);
    if (!type.p || i->error_count)
        return;
    const struct transform_ops *t = transforms ? registry_transform(x->v->registry, type) : NULL;
    const struct predicate_ops *p = transforms ? NULL : registry_predicate(x->v->registry, type);
    if (!t && !p) {
        alias_type_errors(x, type, i);
        return;
    }
    i->value = slice_cstr(t ? t->class_name : p->class_name);
    alias_row(x, &transform_version);
    struct config_item *version = find_item(x->v, alias_key(x, "plugin.version"));
    version->def = slice_cstr(t ? t->version : p->version);
    if (!version->value.p)
        version->value = version->def;
    for (const struct opt_row *r = t ? t->rows : p->rows; r && r->name; r++)
        alias_row(x, r);
    for (const struct opt_row *r = transforms ? transform_common : NULL; r && r->name; r++)
        alias_row(x, r);
    struct slice negate = alias_key(x, "negate");
    if (transforms && strmap_has(x->config, negate) &&
        !strmap_has(x->config, alias_key(x, "predicate")))
        config_error(x->v, negate.p,
                     "Config '" PRI_SL "' was provided but there is no config '" PRI_SL
                     "' defining a predicate to be negated.",
                     ARG_SL(negate), ARG_SL(alias_key(x, "predicate")));
}

static void aliases(struct config_errors *v, const struct strmap *config, struct slice kind)
{
    struct slice list = strmap_get(config, kind), rest = list, name;
    while (list.p && opt_list_next(&rest, &name)) {
        struct alias x = {v, config, kind, name};
        if (!find_item(v, alias_key(&x, "type"))) /* a repeated name counts once */
            one_alias(&x);
    }
}

/* --- converters --------------------------------------------------------------------------------
 */

static void converter_rows(struct config_errors *v, const struct strmap *config, const char *key)
{
    struct slice text = slice_trim(strmap_get_c(config, key));
    const struct converter_ops *c = text.p ? registry_converter(v->registry, text) : NULL;
    for (const struct opt_row *r = c ? c->rows : NULL; r && r->name; r++) {
        struct slice name = slice_cstr(arena_printf(&v->a, "%s.%s", key, r->name));
        if (find_item(v, name))
            continue;
        struct config_item *i = add_row(v, r, name, SLICE_NULL);
        if (strcmp(r->name, "converter.type") == 0) { /* the worker says what it is used for */
            i->value = slice_sub(slice_cstr(key), 0, strlen(key) - strlen(".converter"));
            continue;
        }
        set_value(v, i, config, name, false);
        i->error_count = MIN(i->error_count, (size_t)1); /* keys, not messages, are counted here */
    }
}

void config_validate(struct config_errors *v, const struct registry *r, const struct strmap *worker,
                     const struct strmap *config, const struct connector_ops *ops)
{
    memset(v, 0, sizeof *v);
    arena_init(&v->a, 16 << 10, ARENA_NO_BUDGET);
    v->registry = r;
    v->worker = worker;
    v->connector_class = arena_dup(&v->a, strmap_get_c(config, "connector.class"));
    framework(v, config, ops);
    if (ops->kind == CONNECTOR_SINK)
        check_sink_topics(v, config);
    aliases(v, config, SL("transforms"));
    aliases(v, config, SL("predicates"));
    add_rows(v, ops->rows, config, true);
    if (ops->validate)
        ops->validate(config, v);
    converter_rows(v, config, "header.converter");
    converter_rows(v, config, "key.converter");
    converter_rows(v, config, "value.converter");
}

/* --- answers -----------------------------------------------------------------------------------
 */

static json_t *text_json(struct slice s)
{
    return s.p ? json_stringn_nocheck(s.p, s.n) : json_null();
}

static json_t *texts_json(const struct slice *list, size_t count)
{
    json_t *a = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(a, text_json(list[i]));
    return a;
}

static json_t *definition_json(const struct config_item *i)
{
    static const char *const importances[] = {"HIGH", "MEDIUM", "LOW"};
    static const char *const widths[] = {"NONE", "SHORT", "MEDIUM", "LONG"};
    const struct opt_row *r = i->row;
    json_t *d = json_object();
    struct slice def = is_secret(r) && i->def.p ? SL("[hidden]") : i->def;
    json_object_set_new(d, "name", text_json(i->name));
    json_object_set_new(d, "type", json_string(opt_type_name(r->type)));
    json_object_set_new(d, "required", json_boolean(i->required));
    json_object_set_new(d, "default_value", text_json(def));
    json_object_set_new(d, "importance", json_string(importances[r->importance]));
    json_object_set_new(d, "documentation", json_string(r->doc ? r->doc : ""));
    json_object_set_new(d, "group", text_json(i->group));
    json_object_set_new(d, "width", json_string(widths[r->width]));
    json_object_set_new(d, "display_name", text_json(i->display));
    json_object_set_new(d, "dependents", texts_json(i->dependents, i->dependent_count));
    json_object_set_new(d, "order", json_integer(i->group.p ? r->order : -1));
    return d;
}

static json_t *item_json(const struct config_item *i)
{
    json_t *o = json_object(), *value = json_object();
    json_object_set_new(value, "name", text_json(i->name));
    json_object_set_new(value, "value", text_json(i->value));
    json_object_set_new(value, "recommended_values",
                        texts_json(i->recommended, i->recommended_count));
    json_object_set_new(value, "errors", texts_json(i->errors, i->error_count));
    json_object_set_new(value, "visible", json_boolean(!i->hidden));
    json_object_set_new(o, "definition", i->row ? definition_json(i) : json_null());
    json_object_set_new(o, "value", value);
    return o;
}

json_t *config_validation_json(const struct config_errors *v)
{
    json_t *out = json_object(), *groups = json_array(), *configs = json_array();
    for (int defined = 0; defined < 2; defined++) { /* values without definition come first */
        for (size_t i = 0; i < v->count; i++) {
            const struct config_item *x = &v->items[i];
            if ((x->row != NULL) != defined)
                continue;
            json_array_append_new(configs, item_json(x));
            bool seen = !x->group.p;
            for (size_t k = 0; k < i && !seen; k++)
                seen = v->items[k].row && slice_eq(v->items[k].group, x->group);
            if (!seen)
                json_array_append_new(groups, text_json(x->group));
        }
    }
    json_object_set_new(out, "name", text_json(v->connector_class));
    json_object_set_new(out, "error_count", json_integer((json_int_t)config_error_count(v)));
    json_object_set_new(out, "groups", groups);
    json_object_set_new(out, "configs", configs);
    return out;
}

void config_error_summary(const struct config_errors *v, struct strbuf *out)
{
    strbuf_addf(out, "Connector configuration is invalid and contains the following %zu error(s):",
                config_error_count(v));
    for (int defined = 0; defined < 2; defined++)
        for (size_t i = 0; i < v->count; i++)
            for (size_t k = 0; (v->items[i].row != NULL) == defined && k < v->items[i].error_count;
                 k++)
                strbuf_addf(out, "\n" PRI_SL, ARG_SL(v->items[i].errors[k]));
    strbuf_adds(out, "\nYou can also find the above list of errors at the endpoint "
                     "`/connector-plugins/{connectorType}/config/validate`");
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
        json_array_append_new(out, definition_json(&v.items[i]));
    config_errors_release(&v);
    return out;
}
