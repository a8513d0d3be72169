/* cdc/mongodb/collections.c - schemas and constant texts of a collection's records.
 * SPEC: cdc-mongodb 6.1, 6.2 */
#include "cdc/mongodb/collections.h"

#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "cdc/envelope.h"
#include "connect/json_out.h"

#ifndef WEIR_VERSION
#define WEIR_VERSION "0"
#endif

/* --- schemas ---------------------------------------------------------------------------------- */

static void field(struct schema_builder *b, const char *name, enum schema_type t, bool optional)
{
    schema_builder_field(b, slice_cstr(name), schema_plain(t, optional));
}

static struct schema_builder *named(enum schema_type t, const char *name, bool optional)
{
    struct schema_builder *b = schema_builder_new(t);
    schema_builder_name(b, slice_cstr(name));
    schema_builder_version(b, 1);
    if (optional)
        schema_builder_optional(b);
    return b;
}

static const struct schema *json_schema(void)
{
    return schema_build(named(SCHEMA_STRING, "io.debezium.data.Json", true));
}

static const struct schema *list_of(const struct schema *item)
{
    struct schema_builder *b = schema_builder_new(SCHEMA_ARRAY);
    schema_builder_optional(b);
    schema_builder_element(b, NULL, item);
    return schema_build(b);
}

static const struct schema *update_schema(void)
{
    struct schema_builder *cut =
        named(SCHEMA_STRUCT, "io.debezium.connector.mongodb.changestream.truncatedarray", false);
    field(cut, "field", SCHEMA_STRING, false);
    field(cut, "size", SCHEMA_INT32, false);
    struct schema_builder *b =
        named(SCHEMA_STRUCT, "io.debezium.connector.mongodb.changestream.updatedescription", true);
    schema_builder_field(b, SL("removedFields"), list_of(schema_plain(SCHEMA_STRING, false)));
    schema_builder_field(b, SL("updatedFields"), json_schema());
    schema_builder_field(b, SL("truncatedArrays"), list_of(schema_build(cut)));
    return schema_build(b);
}

static const struct schema *source_schema(void)
{
    static const struct {
        const char *name;
        enum schema_type type;
        bool optional;
    } rows[MONGO_SOURCE_FIELDS] = {
        [MONGO_SOURCE_VERSION] = {"version", SCHEMA_STRING, false},
        [MONGO_SOURCE_CONNECTOR] = {"connector", SCHEMA_STRING, false},
        [MONGO_SOURCE_NAME] = {"name", SCHEMA_STRING, false},
        [MONGO_SOURCE_TS_MS] = {"ts_ms", SCHEMA_INT64, false},
        [MONGO_SOURCE_SNAPSHOT] = {"snapshot", SCHEMA_STRING, true},
        [MONGO_SOURCE_DB] = {"db", SCHEMA_STRING, false},
        [MONGO_SOURCE_SEQUENCE] = {"sequence", SCHEMA_STRING, true},
        [MONGO_SOURCE_TS_US] = {"ts_us", SCHEMA_INT64, true},
        [MONGO_SOURCE_TS_NS] = {"ts_ns", SCHEMA_INT64, true},
        [MONGO_SOURCE_COLLECTION] = {"collection", SCHEMA_STRING, false},
        [MONGO_SOURCE_ORD] = {"ord", SCHEMA_INT32, false},
        [MONGO_SOURCE_LSID] = {"lsid", SCHEMA_STRING, true},
        [MONGO_SOURCE_TXN] = {"txnNumber", SCHEMA_INT64, true},
        [MONGO_SOURCE_WALL] = {"wallTime", SCHEMA_INT64, true},
    };
    struct schema_builder *b = named(SCHEMA_STRUCT, "io.debezium.connector.mongo.Source", false);
    for (int i = 0; i < MONGO_SOURCE_FIELDS; i++)
        schema_builder_field(b, slice_cstr(rows[i].name),
                             i == MONGO_SOURCE_SNAPSHOT
                                 ? envelope_snapshot_schema()
                                 : schema_plain(rows[i].type, rows[i].optional));
    return schema_build(b);
}

/* Without version, ts_us and ts_ns, and with optional op, unlike the relational one.
 * SPEC: cdc-mongodb 6.2, 12.5 */
static const struct schema *value_schema(struct slice name, const struct schema *source)
{
    struct schema_builder *b = schema_builder_new(SCHEMA_STRUCT);
    schema_builder_name(b, name);
    schema_builder_field(b, SL("before"), json_schema());
    schema_builder_field(b, SL("after"), json_schema());
    schema_builder_field(b, SL("updateDescription"), update_schema());
    schema_builder_field(b, SL("source"), schema_ref(source));
    field(b, "op", SCHEMA_STRING, true);
    field(b, "ts_ms", SCHEMA_INT64, true);
    schema_builder_field(b, SL("transaction"), envelope_transaction_schema());
    return schema_build(b);
}

static const struct schema *key_schema(struct slice name)
{
    struct schema_builder *b = schema_builder_new(SCHEMA_STRUCT);
    schema_builder_name(b, name);
    field(b, "id", SCHEMA_STRING, false);
    return schema_build(b);
}

static void make_schemas(struct collections *c, struct collection *x)
{
    struct strbuf base = STRBUF_INIT;
    naming_adjust(x->topic, c->o.adjust, false, &base);
    size_t n = base.n;
    strbuf_adds(&base, ".Key");
    x->key = key_schema(strbuf_slice(&base));
    base.n = n;
    strbuf_adds(&base, ".Envelope");
    x->envelope = value_schema(strbuf_slice(&base), c->source);
    strbuf_release(&base);
}

/* --- texts ------------------------------------------------------------------------------------ */

static struct slice keep(struct collection *x, struct strbuf *b)
{
    struct slice text = arena_dup(&x->arena, strbuf_slice(b));
    strbuf_reset(b);
    return text;
}

static struct slice utf8(struct collection *x, struct slice name)
{
    struct strbuf b = STRBUF_INIT;
    if (slice_is_utf8(name))
        return name;
    strbuf_add_utf8(&b, name);
    struct slice text = keep(x, &b);
    strbuf_release(&b);
    return text;
}

static struct slice head(struct collection *x, const struct schema *s, const struct json_form *form,
                         struct strbuf *b)
{
    if (!form->schemas)
        return SL("");
    strbuf_adds(b, "{\"schema\":");
    json_out_schema(b, s, false);
    strbuf_adds(b, ",\"payload\":");
    return keep(x, b);
}

static void make_texts(const struct collections *c, struct collection *x)
{
    struct strbuf b = STRBUF_INIT;
    x->key_head = head(x, x->key, &c->o.direct->key, &b);
    x->value_head = head(x, x->envelope, &c->o.direct->value, &b);
    strbuf_adds(&b, ",\"source\":{\"version\":\"" WEIR_VERSION
                    "\",\"connector\":\"mongodb\",\"name\":");
    json_add_string(&b, c->o.prefix);
    strbuf_adds(&b, ",\"ts_ms\":");
    x->source = keep(x, &b);
    strbuf_adds(&b, ",\"db\":");
    json_add_string(&b, x->source_db);
    strbuf_adds(&b, ",\"sequence\":null,\"ts_us\":");
    x->db_part = keep(x, &b);
    strbuf_adds(&b, ",\"collection\":");
    json_add_string(&b, x->source_name);
    strbuf_adds(&b, ",\"ord\":");
    x->coll_part = keep(x, &b);
    strbuf_release(&b);
}

static void make_topic(struct collections *c, struct collection *x)
{
    struct strbuf raw = STRBUF_INIT, topic = STRBUF_INIT;
    struct slice delimiter = c->o.delimiter.p ? c->o.delimiter : SL(".");
    strbuf_addf(&raw, PRI_SL PRI_SL PRI_SL PRI_SL PRI_SL, ARG_SL(c->o.prefix), ARG_SL(delimiter),
                ARG_SL(x->db), ARG_SL(delimiter), ARG_SL(x->name));
    naming_topic(strbuf_slice(&raw), c->o.unicode, &topic);
    x->topic = arena_dup(&x->arena, strbuf_slice(&topic));
    if (!slice_eq(x->topic, strbuf_slice(&raw)))
        LOG_WARN(LOG_CDC_MONGO, "Topic '%s' name isn't a valid topic name, replacing it with '%s'.",
                 raw.p, topic.p);
    struct collection *other = map_put(&c->by_topic, x->topic, x);
    if (other)
        LOG_WARN(LOG_CDC_MONGO,
                 "collections '" PRI_SL "' and '" PRI_SL "' share the topic '%s': their names "
                 "differ only in characters that topics do not have",
                 ARG_SL(other->id), ARG_SL(x->id), topic.p);
    strbuf_release(&raw);
    strbuf_release(&topic);
}

/* --- all of them ------------------------------------------------------------------------------ */

void collections_init(struct collections *c, const struct collections_options *o)
{
    memset(c, 0, sizeof *c);
    c->o = *o;
    c->source = source_schema();
    map_init(&c->by_id);
    map_init(&c->by_topic);
    strbuf_init(&c->id, 0);
}

static void collection_free(void *p)
{
    struct collection *x = p;
    schema_unref(x->key);
    schema_unref(x->envelope);
    arena_release(&x->arena);
    mem_free(x);
}

void collections_release(struct collections *c)
{
    map_release(&c->by_topic, NULL);
    map_release(&c->by_id, collection_free);
    schema_unref(c->source);
    strbuf_release(&c->id);
    memset(c, 0, sizeof *c);
}

static void see(struct collections *c, struct collection *x)
{
    if (x->is_seen)
        return; /* met and dropped in one batch */
    x->is_seen = true;
    x->next_seen = c->seen;
    c->seen = x;
}

struct collection *collections_next_seen(struct collections *c)
{
    struct collection *x = c->seen;
    if (x) {
        c->seen = x->next_seen;
        x->is_seen = false;
    }
    return x;
}

static struct collection *collection_new(struct collections *c, struct slice db, struct slice name,
                                         struct slice id)
{
    struct collection *x = xcalloc(1, sizeof *x);
    arena_init(&x->arena, 4096, ARENA_NO_BUDGET);
    x->db = arena_dup(&x->arena, db);
    x->name = arena_dup(&x->arena, name);
    x->id = arena_dup(&x->arena, id);
    x->source_db = utf8(x, x->db);
    x->source_name = utf8(x, x->name);
    x->is_signals = mongo_filter_is_signals(c->o.filter, db, name);
    x->captured = mongo_filter_collection(c->o.filter, db, name);
    map_put(&c->by_id, x->id, x);
    if (!x->captured)
        return x;
    see(c, x);
    x->fields = c->o.rules ? field_rules_for(c->o.rules, db, name) : NULL;
    make_topic(c, x);
    make_schemas(c, x);
    if (c->o.direct)
        make_texts(c, x);
    return x;
}

static struct collection *find(struct collections *c, struct slice db, struct slice name)
{
    strbuf_reset(&c->id);
    strbuf_add_slice(&c->id, db);
    strbuf_addc(&c->id, '.');
    strbuf_add_slice(&c->id, name);
    return map_get(&c->by_id, strbuf_slice(&c->id));
}

struct collection *collections_get(struct collections *c, struct slice db, struct slice name)
{
    if (LIKELY(c->last && slice_eq(c->last->name, name) && slice_eq(c->last->db, db)))
        return c->last;
    struct collection *x = find(c, db, name);
    if (!x)
        x = collection_new(c, db, name, strbuf_slice(&c->id));
    if (UNLIKELY(x->dropped)) {
        x->dropped = false;
        x->recreated = true;
        see(c, x);
    }
    return c->last = x;
}

void collections_dropped(struct collections *c, struct slice db, struct slice name)
{
    struct collection *x = find(c, db, name);
    if (x)
        x->dropped = x->captured;
    c->last = NULL;
}
