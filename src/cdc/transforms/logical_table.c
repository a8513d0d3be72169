/* cdc/transforms/logical_table.c - ByLogicalTableRouter and its newer name ToLogicalTopicRouter: the
 * tables of one logical table (shards) go to one topic.
 *
 *   topic db.shard_1  -> db.all        key {id}  -> {id, __dbz__physicalTableIdentifier}
 *   schemas of key, envelope and rows  -> named after the new topic
 *
 * It takes every record of a topic that matches, tombstones and heartbeats too. SPEC: connect 7.4.
 * Thread: the task's. */
#include "cdc/transforms/transforms.h"

#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "cdc/naming.h"

#define ROUTES_MAX 10000 /* topics; beyond that all are looked at anew */

struct route { /* of one topic; the texts are owned */
    struct slice from;
    bool matches;                                   /* else the records stay as they are */
    struct slice topic, key;                        /* where they go, what their keys get */
    struct slice key_name, envelope_name, row_name; /* of the schemas there */
};
struct router {
    struct smt smt; /* its cache: envelopes */
    struct smt_cache keys;
    struct regex *regex, *key_regex; /* key_regex NULL: none */
    struct slice replacement, key_field, key_replacement;
    bool unique;
    enum name_adjustment adjust;
    struct map routes; /* topic -> struct route */
    const struct route *last;
};

static void route_free(void *route)
{
    struct route *r = route;
    const struct slice texts[] = {r->from,     r->topic,         r->key,
                                  r->key_name, r->envelope_name, r->row_name};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        mem_free((char *)(uintptr_t)texts[i].p);
    mem_free(r);
}

static void release(void *smt)
{
    struct router *s = smt;
    smt_cache_release(&s->keys);
    regex_free(s->regex);
    regex_free(s->key_regex);
    map_release(&s->routes, route_free);
    smt_free(s);
}

/* --- options ---------------------------------------------------------------------------------- */

static enum err want(const struct smt *s, const char *option, struct error *e)
{
    return smt_text(s, option).n ? E_OK : dbz_bad_option(e, option, "A value is required");
}

static enum err set_adjustment(struct router *s, struct error *e)
{
    static const struct {
        struct slice text;
        enum name_adjustment adjust;
    } words[] = {{SL_INIT("none"), NAME_AS_IS},
                 {SL_INIT("avro"), NAME_AVRO},
                 {SL_INIT("avro_unicode"), NAME_AVRO_UNICODE}};
    struct slice text = smt_text(&s->smt, "schema.name.adjustment.mode");
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (!text.n || slice_ieq(text, words[i].text)) {
            s->adjust = words[i].adjust;
            return E_OK;
        }
    }
    return dbz_bad_option(e, "schema.name.adjustment.mode",
                          "Value must be one of none, avro, avro_unicode");
}

static enum err configure(void **smt, const struct strmap *config, const char *class_name,
                          struct error *e)
{
    struct router *s = *smt = smt_new(sizeof *s, config, class_name);
    const struct smt *o = &s->smt;
    bool newer = slice_ends(slice_cstr(class_name), SL("ToLogicalTopicRouter"));
    map_init(&s->routes);
    s->unique = smt_flag(o, "key.enforce.uniqueness", true);
    s->replacement = smt_text(o, "topic.replacement");
    s->key_field = smt_text(o, "key.field.name");
    if (!s->key_field.n)
        s->key_field = newer ? SL("__dbz__sourceIdentifier") : SL("__dbz__physicalTableIdentifier");
    s->key_replacement = smt_text(o, "key.field.replacement");
    struct slice key_regex = smt_text(o, "key.field.regex");
    enum err rc = want(o, "topic.regex", e);
    if (rc == E_OK)
        rc = want(o, "topic.replacement", e);
    if (rc == E_OK && key_regex.n && !s->key_replacement.n)
        rc = dbz_bad_option(e, "key.field.replacement",
                            "it must be non-empty if key.field.regex is set");
    if (rc == E_OK)
        rc = smt_regex(&s->regex, smt_text(o, "topic.regex"), "topic.regex", e);
    if (rc == E_OK && key_regex.n)
        rc = smt_regex(&s->key_regex, key_regex, "key.field.regex", e);
    return rc ? rc : set_adjustment(s, e);
}

/* --- topics ----------------------------------------------------------------------------------- */

static struct slice own(struct strbuf *b)
{
    size_t n;
    char *p = strbuf_steal(b, &n);
    return slice_of(p ? p : xstrdup(""), n);
}

/* Name of a schema of the topic. */
static struct slice schema_name(const struct router *s, struct slice topic, const char *suffix)
{
    struct strbuf raw = STRBUF_INIT, name = STRBUF_INIT;
    strbuf_add_slice(&raw, topic);
    strbuf_adds(&raw, suffix);
    naming_adjust(strbuf_slice(&raw), s->adjust, false, &name);
    strbuf_release(&raw);
    return own(&name);
}

/* What the options make of a topic. */
static enum err look_up(const struct router *s, struct route *r, struct error *e)
{
    struct error why = {0};
    struct strbuf topic = STRBUF_INIT, key = STRBUF_INIT;
    enum err rc = regex_replace_whole(s->regex, r->from, s->replacement, &topic, &why);
    r->matches = rc == E_OK && topic.n;
    if (rc == E_OK && !topic.n)
        LOG_WARN(
            LOG_CONNECT_TASK,
            "Routing regex returned an empty topic name, propagating original record topic=" PRI_SL,
            ARG_SL(r->from));
    if (rc == E_OK && s->key_regex)
        rc = regex_replace_whole(s->key_regex, r->from, s->key_replacement, &key, &why);
    else if (rc == E_OK)
        rc = E_NOT_FOUND;
    if (rc == E_NOT_FOUND)
        strbuf_add_slice(&key, r->from);
    r->topic = own(&topic);
    r->key = own(&key);
    r->key_name = schema_name(s, r->topic, ".Key");
    r->envelope_name = schema_name(s, r->topic, ".Envelope");
    r->row_name = schema_name(s, r->topic, ".Value");
    return rc && rc != E_NOT_FOUND
               ? error_set(e, rc, "java.lang.IndexOutOfBoundsException: %s", why.msg)
               : E_OK;
}

static enum err route_of(struct router *s, struct slice topic, struct error *e)
{
    if (s->last && slice_eq(s->last->from, topic))
        return E_OK;
    struct route *r = map_get(&s->routes, topic);
    if (!r) {
        r = xcalloc(1, sizeof *r);
        r->from = slice_of(slice_dup(topic), topic.n);
        enum err rc = look_up(s, r, e);
        if (rc) {
            route_free(r);
            return rc;
        }
        if (s->routes.count >= ROUTES_MAX) {
            map_release(&s->routes, route_free);
            map_init(&s->routes);
        }
        map_put(&s->routes, topic, r);
    }
    s->last = r;
    return E_OK;
}

/* --- schemas ---------------------------------------------------------------------------------- */

/* What was made of `from`, unless that was for another topic. */
static const struct schema *made(struct smt_cache *c, const struct schema *from, struct slice name)
{
    const struct schema *to = smt_cache_get(c, from);
    return to && slice_eq(to->name, name) ? to : NULL;
}

static const struct schema *key_schema(struct router *s, struct record_batch *b,
                                       const struct schema *from)
{
    struct slice name = s->last->key_name;
    const struct schema *to = made(&s->keys, from, name);
    if (to)
        return to;
    struct schema_builder *builder = dbz_renamed(from, name);
    if (s->unique)
        schema_builder_field(builder, s->key_field, schema_plain(SCHEMA_STRING, false));
    return smt_cache_put(&s->keys, b, from, schema_build(builder));
}

static const struct schema *envelope_schema(struct router *s, struct record_batch *b,
                                            const struct schema *from)
{
    const struct schema *to = made(&s->smt.cache, from, s->last->envelope_name);
    if (to)
        return to;
    struct schema_builder *builder = smt_struct_like(from);
    schema_builder_name(builder, s->last->envelope_name);
    if (from->optional)
        schema_builder_optional(builder);
    for (size_t i = 0; i < from->fields_count; i++) {
        const struct schema_field *f = &from->fields[i];
        bool row = slice_eq(f->name, SL("before")) || slice_eq(f->name, SL("after"));
        schema_builder_field(builder, f->name,
                             row ? schema_build(dbz_renamed(f->schema, s->last->row_name))
                                 : schema_ref(f->schema));
    }
    return smt_cache_put(&s->smt.cache, b, from, schema_build(builder));
}

/* --- records ---------------------------------------------------------------------------------- */

static enum err set_key(struct router *s, struct record_batch *b, struct record *r, struct error *e)
{
    struct slice id;
    if (r->key.kind == VALUE_NULL)
        return E_OK;
    if (!r->key_schema || r->key.kind != VALUE_STRUCT)
        return error_set(e, E_INVALID,
                         DATA_EXCEPTION
                         "Only Struct objects supported for [Updating schema], found: %s",
                         smt_java_class(r->key_schema, r->key));
    struct value *to = arena_try_alloc(&b->arena, (r->key.n + 2) * sizeof *to);
    enum err rc = to ? smt_copy_text(b, s->last->key, &id, e) : smt_no_memory(e);
    if (rc)
        return rc;
    if (r->key.n)
        memcpy(to, r->key.u.v, r->key.n * sizeof *to);
    if (s->unique)
        to[r->key.n] = value_string(id);
    r->key_schema = key_schema(s, b, r->key_schema);
    r->key = (struct value){.kind = VALUE_STRUCT, .n = r->key.n + s->unique, .u.v = to};
    return E_OK;
}

static enum err apply(void *smt, struct record_batch *b, struct record *r, struct error *e)
{
    struct router *s = smt;
    enum err rc = route_of(s, r->topic, e);
    if (rc || !s->last->matches)
        return rc;
    rc = set_key(s, b, r, e);
    if (rc == E_OK && smt_is_envelope(r))
        r->value_schema = envelope_schema(s, b, r->value_schema);
    return rc ? rc : smt_copy_text(b, s->last->topic, &r->topic, e);
}

#define REGEX(display_, name_, flags_, doc_)                                                       \
    {                                                                                              \
        DBZ_FIELDS(1, OPT_W_LONG, display_, name_, OPT_STRING, NULL, flags_, OPT_LOW, doc_),       \
            .check = smt_check_regex                                                               \
    }
#define ROWS(field_, cache_, cache_title_)                                                         \
    {                                                                                              \
        REGEX("Topic regex", "topic.regex", OPT_REQUIRED,                                          \
              "Java regular expression of the topics to take."),                                   \
            DBZ_ROW(OPT_W_LONG, "Topic replacement", "topic.replacement", OPT_STRING, NULL,        \
                    OPT_REQUIRED, OPT_LOW, "Where they go; $1 stands for a group."),               \
            DBZ_ROW(OPT_W_SHORT, "Add source topic name into key", "key.enforce.uniqueness",       \
                    OPT_BOOLEAN, "true", 0, OPT_LOW,                                               \
                    "Add a field to keys that tells the tables apart."),                           \
            REGEX("Key field regex", "key.field.regex", 0,                                         \
                  "Expression over the old topic for that field."),                                \
            SMT_ROW("key.field.name", OPT_STRING, field_, 0, OPT_LOW, "Name of that field."),      \
            DBZ_ROW(OPT_W_LONG, "Key field replacement", "key.field.replacement", OPT_STRING,      \
                    NULL, 0, OPT_LOW,                                                              \
                    "Its text, made of the groups of key.field.regex; else the old topic."),       \
            SMT_CHOICE_ROW("schema.name.adjustment.mode", "none", OPT_ANY_CASE, OPT_MEDIUM,        \
                           adjustments, "How names of schemas are made to suit a serializer."),    \
            DBZ_ROW(OPT_W_LONG, cache_title_, cache_, OPT_INT, "16", OPT_NO_STORE, OPT_LOW,        \
                    "Accepted; weir keeps what it needs."),                                        \
        {                                                                                          \
            .name = NULL                                                                           \
        }                                                                                          \
    }
static const char *const adjustments[] = {"none", "avro", "avro_unicode", NULL};
static const struct opt_row table_rows[] =
    ROWS("__dbz__physicalTableIdentifier", "logical.table.cache.size", "Logical table cache size");
static const struct opt_row topic_rows[] = ROWS(
    "__dbz__sourceIdentifier", "logical.destination.cache.size", "Logical destination cache size");
DBZ_CLASS(smt_by_logical_table_router, "", "ByLogicalTableRouter", table_rows, configure, apply,
          release)
DBZ_CLASS(smt_to_logical_topic_router, "", "ToLogicalTopicRouter", topic_rows, configure, apply,
          release)
