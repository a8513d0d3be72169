/* connect/transforms/smt.c - see the header. */
#include "connect/transforms/smt.h"

#include "base/mem.h"
#include "base/opt.h"

/* --- schemas ---------------------------------------------------------------------------------- */

static uint64_t key_of(const struct schema *s)
{
    return (uint64_t)(uintptr_t)s;
}

static size_t place_of(const struct smt_cache *c, const struct schema *from) /* + 1; 0: nowhere */
{
    return (size_t)(uintptr_t)map_get_u64(&c->index, key_of(from));
}

const struct schema *smt_cache_get(struct smt_cache *c, const struct schema *from)
{
    if (c->count && c->v[c->last].from == from)
        return c->v[c->last].to;
    size_t place = c->count > 1 ? place_of(c, from) : 0;
    if (!place)
        return NULL;
    c->last = place - 1;
    return c->v[c->last].to;
}

static void set_place(struct smt_cache *c, size_t place)
{
    (void)map_put_u64(&c->index, key_of(c->v[place].from), (void *)(uintptr_t)(place + 1));
}

/* Records of the batch may have it still. */
static void drop(struct record_batch *b, struct smt_cache_entry old)
{
    record_batch_keep(b, old.to);
    record_batch_keep(b, old.from);
    schema_unref(old.to);
    schema_unref(old.from);
}

/* Nobody holds what it was made of, but the entry itself and what was made (HoistField's). */
static bool is_dead(const struct smt_cache_entry *entry)
{
    int own = 1;
    for (size_t i = 0; i < entry->to->fields_count; i++)
        own += entry->to->fields[i].schema == entry->from;
    return schema_is_last(entry->from, own);
}

/* Room for one more; no room when all of SMT_CACHE_MAX schemas are in use. */
static bool make_room(struct smt_cache *c, struct record_batch *b)
{
    size_t kept = 0;
    for (size_t i = 0; i < c->count; i++)
        if (is_dead(&c->v[i]))
            drop(b, c->v[i]);
        else
            c->v[kept++] = c->v[i];
    if (kept < c->count) {
        map_release(&c->index, NULL);
        map_init(&c->index);
        c->count = kept;
        for (size_t i = 0; i < kept; i++)
            set_place(c, i);
    }
    c->last = 0;
    if (c->count >= c->cap / 2 && c->cap < SMT_CACHE_MAX) {
        c->cap = c->cap ? c->cap * 2 : 16;
        c->v = xrealloc(c->v, c->cap * sizeof *c->v);
    }
    return c->count < c->cap;
}

const struct schema *smt_cache_put(struct smt_cache *c, struct record_batch *b,
                                   const struct schema *from, const struct schema *to)
{
    size_t place = place_of(c, from);
    if (place) {
        c->last = place - 1;
        drop(b, (struct smt_cache_entry){schema_ref(from), c->v[c->last].to});
        c->v[c->last].to = to;
        return to;
    }
    if (c->count == c->cap && !make_room(c, b)) {
        record_batch_keep(b, to);
        schema_unref(to);
        return to;
    }
    c->last = c->count++;
    c->v[c->last] = (struct smt_cache_entry){schema_ref(from), to};
    set_place(c, c->last);
    return to;
}

void smt_cache_release(struct smt_cache *c)
{
    for (size_t i = 0; i < c->count; i++) {
        schema_unref(c->v[i].from);
        schema_unref(c->v[i].to);
    }
    mem_free(c->v);
    map_release(&c->index, NULL);
    memset(c, 0, sizeof *c);
}

/* --- state and options ------------------------------------------------------------------------ */

void *smt_new(size_t size, const struct strmap *config, const char *class_name)
{
    struct smt *s = xcalloc(1, size);
    strmap_init(&s->options);
    strmap_copy(&s->options, config);
    s->key = slice_ends(slice_cstr(class_name), SL("$Key"));
    s->null_to_default = smt_flag(s, "replace.null.with.default", true);
    return s;
}

void smt_free(void *smt)
{
    struct smt *s = smt;
    smt_cache_release(&s->cache);
    strmap_release(&s->options);
    mem_free(s);
}

struct slice smt_text(const struct smt *s, const char *option)
{
    struct slice text = strmap_get_c(&s->options, option);
    return text.p ? slice_trim(text) : text;
}

bool smt_flag(const struct smt *s, const char *option, bool absent)
{
    struct slice text = smt_text(s, option);
    return text.p ? slice_ieq(text, SL("true")) : absent;
}

struct slice *smt_list(const struct smt *s, const char *option, size_t *count)
{
    struct slice rest = smt_text(s, option), part, *list = NULL;
    *count = 0;
    while (rest.p && opt_list_next(&rest, &part)) {
        list = xrealloc(list, (*count + 1) * sizeof *list);
        list[(*count)++] = part;
    }
    return list;
}

bool smt_listed(const struct slice *list, size_t count, struct slice name)
{
    for (size_t i = 0; i < count; i++)
        if (slice_eq(list[i], name))
            return true;
    return false;
}

enum err smt_check_text(const struct opt_row *row, struct slice text, struct error *e)
{
    return text.n ? E_OK
                  : error_set(e, E_INVALID,
                              "Invalid value  for configuration %s: String must be non-empty",
                              row->name);
}

enum err smt_check_list(const struct opt_row *row, struct slice text, struct error *e)
{
    struct slice rest = text, part;
    return opt_list_next(&rest, &part)
               ? E_OK
               : error_set(e, E_INVALID, "Invalid value [] for configuration %s: Empty list",
                           row->name);
}

enum err smt_bad_list(struct error *e, struct slice list, const char *prefix, const char *option,
                      const char *why, struct slice part)
{
    struct strbuf all = STRBUF_INIT;
    struct slice rest = list, one;
    for (bool first = true; opt_list_next(&rest, &one); first = false)
        strbuf_addf(&all, "%s" PRI_SL, first ? "" : ", ", ARG_SL(one));
    enum err rc = error_set(e, E_INVALID, "%sInvalid value [%s] for configuration %s: %s" PRI_SL,
                            prefix, all.p ? all.p : "", option, why, ARG_SL(part));
    strbuf_release(&all);
    return rc;
}

enum err smt_check_regex(const struct opt_row *row, struct slice text, struct error *e)
{
    struct regex *r;
    struct error why = {0};
    enum err rc = regex_compile(&r, text, 0, &why);
    regex_free(r);
    return rc ? error_set(e, E_INVALID,
                          "Invalid value " PRI_SL " for configuration %s: Invalid regex: %s",
                          ARG_SL(text), row->name, why.msg)
              : E_OK;
}

enum err smt_regex(struct regex **out, struct slice pattern, const char *option, struct error *e)
{
    struct error why = {0};
    enum err rc = regex_compile(out, pattern, 0, &why);
    return rc ? error_set(e, rc,
                          CONFIG_EXCEPTION "Invalid value " PRI_SL
                                           " for configuration %s: Invalid regex: %s",
                          ARG_SL(pattern), option, why.msg)
              : E_OK;
}

/* --- values ----------------------------------------------------------------------------------- */

enum err smt_no_memory(struct error *e)
{
    return error_set(e, E_NOMEM, "java.lang.OutOfMemoryError: the record does not fit");
}

enum err smt_copy_text(struct record_batch *b, struct slice text, struct slice *out,
                       struct error *e)
{
    char *p = arena_try_alloc(&b->arena, text.n + 1);
    if (!p)
        return smt_no_memory(e);
    if (text.n)
        memcpy(p, text.p, text.n);
    p[text.n] = 0;
    *out = slice_of(p, text.n);
    return E_OK;
}

struct record_header *smt_own_headers(struct record_batch *b, const struct record *r, size_t more)
{
    struct record_header *h = arena_try_alloc(&b->arena, (r->headers.count + more + 1) * sizeof *h);
    if (h && r->headers.count)
        memcpy(h, r->headers.items, r->headers.count * sizeof *h);
    return h;
}

const char *smt_java_class(const struct schema *s, struct value v)
{
    static const char *const ints[] = {[SCHEMA_INT8] = "java.lang.Byte",
                                       [SCHEMA_INT16] = "java.lang.Short",
                                       [SCHEMA_INT32] = "java.lang.Integer",
                                       [SCHEMA_INT64] = "java.lang.Long"};
    switch ((enum value_kind)v.kind) {
    case VALUE_NULL:
        return "null";
    case VALUE_BOOL:
        return "java.lang.Boolean";
    case VALUE_INT:
        if (s && s->logical != LOGICAL_NONE)
            return "java.util.Date";
        return s && s->type <= SCHEMA_INT64 ? ints[s->type] : "java.lang.Long";
    case VALUE_DOUBLE:
        return (s ? s->type == SCHEMA_FLOAT32 : v.float32) ? "java.lang.Float" : "java.lang.Double";
    case VALUE_STRING:
        return "java.lang.String";
    case VALUE_BYTES:
        return s && s->logical == LOGICAL_DECIMAL ? "java.math.BigDecimal"
                                                  : "java.nio.HeapByteBuffer";
    case VALUE_ARRAY:
        return "java.util.ArrayList";
    case VALUE_MAP:
        return "java.util.HashMap";
    default:
        return "org.apache.kafka.connect.data.Struct";
    }
}

enum err smt_want_members(const struct smt *s, struct record *r, const char *purpose,
                          struct error *e)
{
    const struct schema *schema = *smt_schema(s, r);
    struct value v = *smt_value(s, r);
    if (!schema && v.kind != VALUE_MAP)
        return error_set(e, E_INVALID,
                         DATA_EXCEPTION
                         "Only Map objects supported in absence of schema for [%s], found: %s",
                         purpose, smt_java_class(NULL, v));
    if (schema && v.kind != VALUE_STRUCT)
        return error_set(e, E_INVALID,
                         DATA_EXCEPTION "Only Struct objects supported for [%s], found: %s",
                         purpose, smt_java_class(schema, v));
    return E_OK;
}

struct value smt_field(const struct smt *s, const struct schema *schema, struct value v, size_t i)
{
    const struct schema *f = schema->fields[i].schema;
    if (v.u.v[i].kind == VALUE_NULL && s->null_to_default && f->has_default)
        return f->def;
    return v.u.v[i];
}

struct value *smt_map_get(struct value map, struct slice key)
{
    for (uint32_t i = 0; i < map.n; i++) {
        struct value k = map.u.v[2 * i];
        if (k.kind == VALUE_STRING && slice_eq(value_slice(k), key))
            return &map.u.v[2 * i + 1];
    }
    return NULL;
}

struct value smt_map_copy(struct arena *a, struct value map, size_t more)
{
    struct value *v = arena_try_alloc(a, 2 * (map.n + more + 1) * sizeof *v);
    if (!v)
        return value_null();
    if (map.n)
        memcpy(v, map.u.v, 2 * (size_t)map.n * sizeof *v);
    return (struct value){.kind = VALUE_MAP, .n = map.n, .u.v = v};
}

void smt_map_put(struct value *map, struct slice key, struct value v)
{
    struct value *there = smt_map_get(*map, key);
    if (there) {
        *there = v;
        return;
    }
    map->u.v[2 * map->n] = value_string(key);
    map->u.v[2 * map->n + 1] = v;
    map->n++;
}

struct schema_builder *smt_struct_like(const struct schema *from)
{
    struct schema_builder *b = schema_builder_new(SCHEMA_STRUCT);
    if (from->name.p)
        schema_builder_name(b, from->name);
    if (from->has_version)
        schema_builder_version(b, from->version);
    if (from->doc.p)
        schema_builder_doc(b, from->doc);
    for (size_t i = 0; i < from->params_count; i++)
        schema_builder_param(b, from->params[i].name, from->params[i].value);
    return b;
}
