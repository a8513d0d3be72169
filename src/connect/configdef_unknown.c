/* connect/configdef_unknown.c - keys of a configuration that nobody reads are told: most are
 * misspelt. See configdef.h. Not told are names that a user makes up, and what is left to clients. */
#include "connect/configdef_internal.h"

#include "base/log.h"

static bool in_tables(const struct opt_row *const *tables, size_t count, struct slice key)
{
    for (size_t i = 0; i < count; i++)
        if (tables[i] && opt_find(tables[i], key))
            return true;
    return false;
}

static const char *nearest(const struct opt_row *const *tables, size_t count, struct slice key)
{
    const char *near = NULL;
    for (size_t i = 0; i < count && !near; i++)
        near = tables[i] ? opt_nearest(tables[i], key) : NULL;
    return near;
}

/* --- transforms and predicates ---------------------------------------------------------------- */

/* The name in "transforms.NAME.OPTION", the longest of those that are listed; null: none of them.
 * option: what stands behind it. */
static struct slice listed_name(struct slice list, struct slice rest, struct slice *option)
{
    struct slice name, found = SLICE_NULL;
    while (list.p && opt_list_next(&list, &name))
        if (slice_starts(rest, name) && rest.n > name.n && rest.p[name.n] == '.' &&
            name.n >= found.n)
            found = name;
    if (found.p)
        *option = slice_sub(rest, found.n + 1, rest.n);
    return found;
}

static bool same_start(struct slice key, struct slice start) /* "transforms.a" */
{
    return slice_starts(key, start) && (key.n == start.n || key.p[start.n] == '.');
}

/* Once for all options of the name: at the first of them. */
static void tell_unlisted(const struct strmap *config, size_t at, struct slice kind)
{
    struct slice key = config->entries[at].key, list = slice_trim(strmap_get(config, kind));
    ptrdiff_t dot = slice_find_char(slice_sub(key, kind.n + 1, key.n), '.');
    struct slice start = dot < 0 ? key : slice_sub(key, 0, kind.n + 1 + (size_t)dot);
    struct slice name = slice_sub(start, kind.n + 1, start.n);
    for (size_t i = 0; i < at; i++)
        if (same_start(config->entries[i].key, start))
            return;
    LOG_WARN(LOG_CONNECT_HERDER,
             "'" PRI_SL "' is ignored: '" PRI_SL "' is not listed in " PRI_SL ", which %s" PRI_SL,
             ARG_SL(key), ARG_SL(name), ARG_SL(kind), list.n ? "has " : "is empty", ARG_SL(list));
}

static void check_alias(const struct registry *r, const struct strmap *config, size_t at,
                        struct slice kind)
{
    struct slice key = config->entries[at].key, option;
    struct slice name =
        listed_name(strmap_get(config, kind), slice_sub(key, kind.n + 1, key.n), &option);
    if (!name.p) {
        tell_unlisted(config, at, kind);
        return;
    }
    struct strbuf type_key = STRBUF_INIT;
    strbuf_addf(&type_key, PRI_SL "." PRI_SL ".type", ARG_SL(kind), ARG_SL(name));
    struct slice type = slice_trim(strmap_get(config, strbuf_slice(&type_key)));
    bool transforms = kind.p[0] == 't';
    const struct transform_ops *t = transforms && type.n ? registry_transform(r, type) : NULL;
    const struct predicate_ops *p = !transforms && type.n ? registry_predicate(r, type) : NULL;
    const struct opt_row *const tables[] = {t   ? t->rows
                                            : p ? p->rows
                                                : NULL,
                                            config_alias_rows,
                                            transforms ? config_transform_rows : NULL};
    if ((t || p) && !in_tables(tables, ARRAY_LEN(tables), option)) {
        const char *near = nearest(tables, ARRAY_LEN(tables), option);
        struct slice before = slice_sub(key, 0, key.n - option.n);
        LOG_WARN(LOG_CONNECT_HERDER,
                 "'" PRI_SL "' is ignored: %s has no such option%s" PRI_SL "%s%s", ARG_SL(key),
                 t ? t->class_name : p->class_name, near ? "; did you mean '" : "",
                 ARG_SL(near ? before : SL("")), near ? near : "", near ? "'?" : "");
    }
    strbuf_release(&type_key);
}

/* --- the connector's -------------------------------------------------------------------------- */

static bool is_family(struct slice key)
{
    static const struct slice prefixes[] = {
        SL_INIT("topic.creation."),   SL_INIT("producer.override."), SL_INIT("consumer.override."),
        SL_INIT("admin.override."),   SL_INIT("key.converter."),     SL_INIT("value.converter."),
        SL_INIT("header.converter."), SL_INIT("config.providers"),   SL_INIT("internal."),
    };
    for (size_t i = 0; i < ARRAY_LEN(prefixes); i++)
        if (slice_starts(key, prefixes[i]))
            return true;
    return false;
}

static void check_own(const struct connector_ops *ops, struct slice key)
{
    const struct opt_row *const tables[] = {ops->rows, connector_common_rows,
                                            ops->kind == CONNECTOR_SOURCE ? connector_source_rows
                                                                          : connector_sink_rows};
    if (is_family(key) || in_tables(tables, ARRAY_LEN(tables), key))
        return;
    const char *near = nearest(tables, ARRAY_LEN(tables), key);
    LOG_WARN(LOG_CONNECT_HERDER, "unknown configuration property '" PRI_SL "' is ignored%s%s%s",
             ARG_SL(key), near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
}

void config_tell_unknown(const struct registry *r, const struct strmap *config,
                         const struct connector_ops *ops)
{
    for (size_t i = 0; i < config->count; i++) {
        struct slice key = config->entries[i].key;
        if (slice_starts(key, SL("transforms.")))
            check_alias(r, config, i, SL("transforms"));
        else if (slice_starts(key, SL("predicates.")))
            check_alias(r, config, i, SL("predicates"));
        else if (ops->rows_are_all)
            check_own(ops, key);
    }
}
