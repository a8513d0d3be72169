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
#include "cdc/naming.h"

struct router {
    struct smt smt; /* its cache: envelopes */
    struct smt_cache keys;
    struct regex *regex, *key_regex; /* key_regex NULL: none */
    struct slice replacement, key_field, key_replacement;
    bool unique;
    enum name_adjustment adjust;
    struct strbuf topic, key, name; /* of the topic seen last: where it goes, what its keys get */
    struct strbuf seen;
    bool seen_matches;
};

static void release(void *smt)
{
    struct router *s = smt;
    smt_cache_release(&s->keys);
    regex_free(s->regex);
    regex_free(s->key_regex);
    strbuf_release(&s->topic);
    strbuf_release(&s->key);
    strbuf_release(&s->name);
    strbuf_release(&s->seen);
    smt_free(s);
}

/* --- options ------------------------------------------------------------------------------------
 */

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
    strbuf_init(&s->topic, 0);
    strbuf_init(&s->key, 0);
    strbuf_init(&s->name, 0);
    strbuf_init(&s->seen, 0);
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

/* --- topics -------------------------------------------------------------------------------------
 */

/* *matches: s->topic is where records of this topic go, s->key what their keys get. */
static enum err look_up(struct router *s, struct slice topic, bool *matches, struct error *e)
{
    struct error why = {0};
    if (s->seen.n && slice_eq(strbuf_slice(&s->seen), topic)) {
        *matches = s->seen_matches;
        return E_OK;
    }
    strbuf_reset(&s->seen);
    strbuf_reset(&s->topic);
    strbuf_reset(&s->key);
    enum err rc = regex_replace_whole(s->regex, topic, s->replacement, &s->topic, &why);
    *matches = rc == E_OK;
    if (rc == E_OK && !s->topic.n) {
        LOG_WARN(
            LOG_CONNECT_TASK,
            "Routing regex returned an empty topic name, propagating original record topic=" PRI_SL,
            ARG_SL(topic));
        *matches = false;
    }
    if (rc == E_OK && s->key_regex)
        rc = regex_replace_whole(s->key_regex, topic, s->key_replacement, &s->key, &why);
    else if (rc == E_OK)
        rc = E_NOT_FOUND;
    if (rc && rc != E_NOT_FOUND)
        return error_set(e, rc, "java.lang.IndexOutOfBoundsException: %s", why.msg);
    if (rc == E_NOT_FOUND)
        strbuf_add_slice(&s->key, topic);
    strbuf_add_slice(&s->seen, topic);
    s->seen_matches = *matches;
    return E_OK;
}

/* --- schemas ------------------------------------------------------------------------------------
 */

/* Name of a schema of the new topic, in s->name. */
static struct slice schema_name(struct router *s, const char *suffix)
{
    struct strbuf raw = STRBUF_INIT;
    strbuf_add_slice(&raw, strbuf_slice(&s->topic));
    strbuf_adds(&raw, suffix);
    strbuf_reset(&s->name);
    naming_adjust(strbuf_slice(&raw), s->adjust, false, &s->name);
    strbuf_release(&raw);
    return strbuf_slice(&s->name);
}

/* What was made of `from`, unless that was for another topic. */
static const struct schema *made(const struct smt_cache *c, const struct schema *from,
                                 struct slice name)
{
    const struct schema *to = smt_cache_get(c, from);
    return to && slice_eq(to->name, name) ? to : NULL;
}

static const struct schema *key_schema(struct router *s, struct record_batch *b,
                                       const struct schema *from)
{
    struct slice name = schema_name(s, ".Key");
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
    const struct schema *to = made(&s->smt.cache, from, schema_name(s, ".Envelope"));
    if (to)
        return to;
    struct schema_builder *builder = smt_struct_like(from);
    schema_builder_name(builder, strbuf_slice(&s->name));
    if (from->optional)
        schema_builder_optional(builder);
    struct slice row_name = schema_name(s, ".Value");
    for (size_t i = 0; i < from->fields_count; i++) {
        const struct schema_field *f = &from->fields[i];
        bool row = slice_eq(f->name, SL("before")) || slice_eq(f->name, SL("after"));
        schema_builder_field(builder, f->name,
                             row ? schema_build(dbz_renamed(f->schema, row_name))
                                 : schema_ref(f->schema));
    }
    return smt_cache_put(&s->smt.cache, b, from, schema_build(builder));
}

/* --- records ------------------------------------------------------------------------------------
 */

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
    enum err rc = to ? smt_copy_text(b, strbuf_slice(&s->key), &id, e) : smt_no_memory(e);
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
    bool matches;
    enum err rc = look_up(s, r->topic, &matches, e);
    if (rc || !matches)
        return rc;
    rc = set_key(s, b, r, e);
    if (rc == E_OK && smt_is_envelope(r))
        r->value_schema = envelope_schema(s, b, r->value_schema);
    return rc ? rc : smt_copy_text(b, strbuf_slice(&s->topic), &r->topic, e);
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
