/* connect/registry.c - see the header. The four kinds have the same first two members, which is all
 * that lookup needs. */
#include "connect/registry.h"

#include <stdlib.h>

#include "base/mem.h"
#include "connect/converters/converters.h"
#include "connect/file_sink.h"
#include "connect/file_source.h"
#include "connect/transforms/transforms.h"

/* The common beginning of all ops structs. */
struct named {
    const char *class_name;
    const char *const *aliases;
};
_Static_assert(offsetof(struct connector_ops, aliases) == offsetof(struct named, aliases),
               "same beginning");
_Static_assert(offsetof(struct converter_ops, aliases) == offsetof(struct named, aliases),
               "same beginning");
_Static_assert(offsetof(struct transform_ops, aliases) == offsetof(struct named, aliases),
               "same beginning");
_Static_assert(offsetof(struct predicate_ops, aliases) == offsetof(struct named, aliases),
               "same beginning");

struct group {
    const void **items;
    size_t count, cap;
};

static void add_all(struct group *g, const void *const *items)
{
    for (; items && *items; items++) {
        if (g->count == g->cap) {
            g->cap = g->cap ? g->cap * 2 : 16;
            g->items = xrealloc(g->items, g->cap * sizeof *g->items);
        }
        g->items[g->count++] = *items;
    }
}

static int by_class(const void *a, const void *b)
{
    const struct named *const *x = a, *const *y = b;
    return strcmp((*x)->class_name, (*y)->class_name);
}

static int connectors_order(const void *a, const void *b)
{
    const struct connector_ops *const *x = a, *const *y = b;
    if ((*x)->kind != (*y)->kind)
        return (*x)->kind == CONNECTOR_SINK ? -1 : 1;
    return strcmp((*x)->class_name, (*y)->class_name);
}

static const void **finish(struct group *g, size_t *count, int (*order)(const void *, const void *))
{
    if (g->count)
        qsort(g->items, g->count, sizeof *g->items, order);
    *count = g->count;
    return g->items;
}

void registry_init(struct registry *r, const struct connect_plugins *const *plugins)
{
    struct group c = {0}, v = {0}, t = {0}, p = {0};
    static const struct connector_ops *const own[] = {&file_sink_connector, &file_source_connector,
                                                      NULL};
    add_all(&c, (const void *const *)own);
    add_all(&v, (const void *const *)connect_converters);
    add_all(&t, (const void *const *)connect_transforms);
    add_all(&p, (const void *const *)connect_predicates);
    for (; plugins && *plugins; plugins++) {
        add_all(&c, (const void *const *)(*plugins)->connectors);
        add_all(&v, (const void *const *)(*plugins)->converters);
        add_all(&t, (const void *const *)(*plugins)->transforms);
        add_all(&p, (const void *const *)(*plugins)->predicates);
    }
    r->connectors =
        (const struct connector_ops **)finish(&c, &r->connector_count, connectors_order);
    r->converters = (const struct converter_ops **)finish(&v, &r->converter_count, by_class);
    r->transforms = (const struct transform_ops **)finish(&t, &r->transform_count, by_class);
    r->predicates = (const struct predicate_ops **)finish(&p, &r->predicate_count, by_class);
}

void registry_release(struct registry *r)
{
    mem_free((void *)r->connectors);
    mem_free((void *)r->converters);
    mem_free((void *)r->transforms);
    mem_free((void *)r->predicates);
    memset(r, 0, sizeof *r);
}

static const void *find(const void *items, size_t count, struct slice name)
{
    const struct named *const *all = items;
    for (size_t i = 0; i < count; i++)
        if (class_is_called(all[i]->class_name, all[i]->aliases, name))
            return all[i];
    return NULL;
}

const struct connector_ops *registry_connector(const struct registry *r, struct slice name)
{
    return find(r->connectors, r->connector_count, name);
}

const struct converter_ops *registry_converter(const struct registry *r, struct slice name)
{
    return find(r->converters, r->converter_count, name);
}

const struct transform_ops *registry_transform(const struct registry *r, struct slice name)
{
    return find(r->transforms, r->transform_count, name);
}

const struct predicate_ops *registry_predicate(const struct registry *r, struct slice name)
{
    return find(r->predicates, r->predicate_count, name);
}

bool registry_header_only(const struct converter_ops *c)
{
    return c == &converter_simple_header;
}

/* The places of an installation: the class path and, in plugin.path, a folder each of the file
 * connectors and of Debezium's for MySQL, MariaDB and MongoDB. All have connect-api, Debezium's
 * have debezium-core, which does not offer its CloudEventsConverter. */
enum { DEBEZIUM_FOLDERS = 3, PLACES = DEBEZIUM_FOLDERS + 2 };

size_t registry_copies(const char *class_name)
{
    struct slice name = slice_cstr(class_name);
    if (slice_eq(name, SL("io.debezium.converters.CloudEventsConverter")))
        return 0;
    if (slice_starts(name, SL("org.apache.kafka.connect.storage.")))
        return PLACES;
    return slice_starts(name, SL("io.debezium.")) &&
                   !slice_starts(name, SL("io.debezium.connector."))
               ? DEBEZIUM_FOLDERS
               : 1;
}

static struct slice simple_name(struct slice name)
{
    ptrdiff_t dot = slice_rfind_char(name, '.');
    return dot < 0 ? name : slice_sub(name, (size_t)dot + 1, name.n);
}

/* By the names without packages and the aliases: packages are long, and would make any two classes
 * alike. */
const char *registry_nearest(const struct registry *r, struct slice name)
{
    size_t n = 0;
    for (size_t i = 0; i < r->connector_count; i++)
        for (const char *const *a = r->connectors[i]->aliases; a && *a; a++)
            n++;
    struct opt_row *rows = xcalloc(r->connector_count + n + 1, sizeof *rows);
    const char **of = xcalloc(r->connector_count + n + 1, sizeof *of); /* the class of each row */
    n = 0;
    for (size_t i = 0; i < r->connector_count; i++) {
        const char *class_name = r->connectors[i]->class_name;
        rows[n].name = simple_name(slice_cstr(class_name)).p;
        of[n++] = class_name;
        for (const char *const *a = r->connectors[i]->aliases; a && *a; a++) {
            rows[n].name = *a;
            of[n++] = class_name;
        }
    }
    const char *near = opt_nearest(rows, simple_name(name)), *found = NULL;
    for (size_t i = 0; near && i < n; i++)
        if (rows[i].name == near)
            found = of[i];
    mem_free(rows);
    mem_free(of);
    return found;
}

void registry_describe(const struct registry *r, struct strbuf *out)
{
    for (size_t i = 0; i < r->connector_count; i++) {
        const struct connector_ops *c = r->connectors[i];
        const char *type = c->kind == CONNECTOR_SINK ? "sink" : "source";
        strbuf_addf(
            out,
            "%sPluginDesc{klass=class %s, name='%s', version='%s', encodedVersion=%s, type=%s, "
            "typeName='%s', location='classpath'}",
            i ? ", " : "", c->class_name, c->class_name, c->version, c->version, type, type);
    }
}
