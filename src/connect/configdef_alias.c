/* connect/configdef_alias.c - options of transforms and predicates, by the names that the user gave
 * them. See configdef_internal.h. SPEC: connect 2.3. */
#include "connect/configdef_internal.h"

#include <stdlib.h>

const struct opt_row config_alias_rows[] = {
    {.name = "type",
     .type = OPT_CLASS,
     .offset = OPT_NO_FIELD,
     .flags = OPT_REQUIRED,
     .importance = OPT_HIGH,
     .order = 0,
     .width = OPT_W_LONG,
     .display = "type",
     .doc = "Class of this transformation or predicate."},
    {.name = "plugin.version",
     .type = OPT_STRING,
     .offset = OPT_NO_FIELD,
     .importance = OPT_HIGH,
     .order = 1,
     .width = OPT_W_LONG,
     .display = "plugin.version",
     .doc = "Version of the class; weir has exactly one of each."},
    {.name = NULL},
};
const struct opt_row config_transform_rows[] = {
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

static void alias_row(const struct alias *x, const struct opt_row *row, int order)
{
    const char *title = x->kind.p[0] == 't' ? "Transforms" : "Predicates";
    char *group = row->group ? arena_printf(&x->v->a, "%s: " PRI_SL ": %s", title, ARG_SL(x->name),
                                            row->group)
                             : arena_printf(&x->v->a, "%s: " PRI_SL, title, ARG_SL(x->name));
    struct slice key = alias_key(x, row->name);
    struct opt_row *named = arena_alloc(&x->v->a, sizeof *named);
    *named = *row;
    named->name = key.p;
    struct config_item *i = config_item_row(x->v, named, key, slice_cstr(group));
    i->checked_as = row->name; /* a check knows nothing of the alias, in Kafka too */
    i->order = order;
    config_item_set(x->v, i, x->config, key, false);
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
    config_item_error(x->v, i, strbuf_slice(&m));
    i->value = SLICE_NULL;
    strbuf_release(&m);
}

static void recommend_all(struct config_errors *v, struct config_item *i, bool transforms)
{
    const struct registry *r = v->registry;
    for (size_t k = 0; k < (transforms ? r->transform_count : r->predicate_count); k++)
        config_recommend_class(
            v, i, transforms ? r->transforms[k]->class_name : r->predicates[k]->class_name);
}

/* In the order of Kafka's definitions: by group as they come, order in it, what is required first,
 * importance, name; numbered after type and plugin.version. */
struct own_row {
    const struct opt_row *row;
    size_t group;
};

static int by_definition(const void *a, const void *b)
{
    const struct own_row *x = a, *y = b;
    bool rx = x->row->flags & OPT_REQUIRED, ry = y->row->flags & OPT_REQUIRED;
    if (x->group != y->group)
        return x->group < y->group ? -1 : 1;
    if (x->row->order != y->row->order)
        return x->row->order < y->row->order ? -1 : 1;
    if (rx != ry)
        return rx ? -1 : 1;
    if (x->row->importance != y->row->importance)
        return x->row->importance < y->row->importance ? -1 : 1;
    return strcmp(x->row->name, y->row->name);
}

static void alias_rows(const struct alias *x, const struct opt_row *own,
                       const struct opt_row *common)
{
    const struct opt_row *const tables[] = {own, common};
    size_t count = 0, room = 0;
    for (size_t t = 0; t < ARRAY_LEN(tables); t++)
        for (const struct opt_row *r = tables[t]; r && r->name; r++)
            room++;
    struct own_row *all = arena_calloc(&x->v->a, room + 1, sizeof *all);
    for (size_t t = 0; t < ARRAY_LEN(tables); t++)
        for (const struct opt_row *r = tables[t]; r && r->name; r++) {
            size_t group = 0; /* without a group: first */
            if ((r->flags & OPT_INTERNAL) && !strmap_has(x->config, alias_key(x, r->name)))
                continue;
            for (size_t k = 0; r->group && k < count; k++) {
                const char *seen = all[k].row->group;
                group = MAX(group, all[k].group + 1);
                if (seen && strcmp(seen, r->group) == 0) {
                    group = all[k].group;
                    break;
                }
            }
            all[count++] = (struct own_row){r, r->group ? MAX(group, (size_t)1) : 0};
        }
    qsort(all, count, sizeof *all, by_definition);
    for (size_t i = 0; i < count; i++)
        alias_row(x, all[i].row, (int)i + 2);
}

static void one_alias(struct alias *x)
{
    bool transforms = x->kind.p[0] == 't';
    struct slice key = alias_key(x, "type"), type = slice_trim(strmap_get(x->config, key));
    alias_row(x, &config_alias_rows[0], 0);
    struct config_item *i = config_item_find(x->v, key);
    i->display =
        slice_cstr(arena_printf(&x->v->a, "%s type for " PRI_SL,
                                transforms ? "Transformation" : "Predicate", ARG_SL(x->name)));
    recommend_all(x->v, i, transforms);
    if (transforms && strmap_has(x->config, alias_key(x, "negate")) &&
        !strmap_has(x->config, alias_key(x, "predicate")))
        config_error(x->v, key.p,
                     "Config '" PRI_SL "' was provided but there is no config '" PRI_SL
                     "' defining a predicate to be negated.",
                     ARG_SL(alias_key(x, "negate")), ARG_SL(alias_key(x, "predicate")));
    if (!type.n)
        return;
    const struct transform_ops *t = transforms ? registry_transform(x->v->registry, type) : NULL;
    const struct predicate_ops *p = transforms ? NULL : registry_predicate(x->v->registry, type);
    if (!t && !p) {
        alias_type_errors(x, type, i);
        return;
    }
    i->value = slice_cstr(t ? t->class_name : p->class_name);
    alias_row(x, &config_alias_rows[1], 1);
    struct config_item *version = config_item_find(x->v, alias_key(x, "plugin.version"));
    version->display =
        slice_cstr(arena_printf(&x->v->a, "%s version for " PRI_SL,
                                transforms ? "Transformation" : "Predicate", ARG_SL(x->name)));
    version->def = slice_cstr(t ? t->version : p->version);
    if (!version->value.p)
        version->value = version->def;
    alias_rows(x, t ? t->rows : p->rows, transforms ? config_transform_rows : NULL);
}

void config_aliases(struct config_errors *v, const struct strmap *config, struct slice kind)
{
    struct slice list = strmap_get(config, kind), rest = list, name;
    while (list.p && opt_list_next(&rest, &name)) {
        struct alias x = {v, config, kind, name};
        if (!config_item_find(v, alias_key(&x, "type"))) /* a repeated name counts once */
            one_alias(&x);
    }
}
