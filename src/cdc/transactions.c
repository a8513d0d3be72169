/* cdc/transactions.c - metadata of transactions. SPEC: cdc-mysql 5.12 */
#include "cdc/transactions.h"

#include <jansson.h>

#include "base/json.h"
#include "base/mem.h"

#define ID_MEMBER "transaction_id"
#define COUNT_MEMBER "transaction_data_collection_order_"

/* --- schemas ---------------------------------------------------------------------------------- */

static void field(struct schema_builder *b, const char *name, enum schema_type t, bool optional)
{
    schema_builder_field(b, slice_cstr(name), schema_plain(t, optional));
}

static struct schema_builder *named_struct(const char *name)
{
    struct schema_builder *b = schema_builder_new(SCHEMA_STRUCT);
    schema_builder_name(b, slice_cstr(name));
    schema_builder_version(b, 1);
    return b;
}

static const struct schema *key_schema(void)
{
    struct schema_builder *b = named_struct("io.debezium.connector.common.TransactionMetadataKey");
    field(b, "id", SCHEMA_STRING, false);
    return schema_build(b);
}

static const struct schema *value_schema(void)
{
    struct schema_builder *one = named_struct("event.collection");
    schema_builder_optional(one);
    field(one, "data_collection", SCHEMA_STRING, false);
    field(one, "event_count", SCHEMA_INT64, false);
    struct schema_builder *list = schema_builder_new(SCHEMA_ARRAY);
    schema_builder_optional(list);
    schema_builder_element(list, NULL, schema_build(one));
    struct schema_builder *b =
        named_struct("io.debezium.connector.common.TransactionMetadataValue");
    field(b, "status", SCHEMA_STRING, false);
    field(b, "id", SCHEMA_STRING, false);
    field(b, "event_count", SCHEMA_INT64, true);
    schema_builder_field(b, SL("data_collections"), schema_build(list));
    field(b, "ts_ms", SCHEMA_INT64, false);
    return schema_build(b);
}

void transactions_init(struct transactions *t, bool enabled, struct slice topic)
{
    memset(t, 0, sizeof *t);
    strbuf_init(&t->id, 0);
    map_init(&t->by_name);
    t->enabled = enabled;
    if (!enabled)
        return;
    t->topic = slice_dup(topic);
    t->key = key_schema();
    t->value = value_schema();
}

void transactions_init_options(struct transactions *t, const struct capture_options *o)
{
    struct strbuf topic = STRBUF_INIT;
    strbuf_addf(&topic, PRI_SL PRI_SL PRI_SL, ARG_SL(o->topic_prefix),
                ARG_SL(o->topic_delimiter.p ? o->topic_delimiter : SL(".")),
                ARG_SL(o->transaction_topic));
    transactions_init(t, o->transaction_metadata, strbuf_slice(&topic));
    strbuf_release(&topic);
}

static void forget(struct transactions *t)
{
    for (size_t i = 0; i < t->count; i++) {
        mem_free(t->counts[i]->collection);
        mem_free(t->counts[i]);
    }
    t->count = 0;
    map_release(&t->by_name, NULL);
    map_init(&t->by_name);
    t->total = 0;
    t->active = false;
    strbuf_reset(&t->id);
    t->batch_id = SLICE_NULL;
}

void transactions_release(struct transactions *t)
{
    forget(t);
    map_release(&t->by_name, NULL);
    mem_free(t->counts);
    mem_free(t->topic);
    schema_unref(t->key);
    schema_unref(t->value);
    strbuf_release(&t->id);
    memset(t, 0, sizeof *t);
}

void transactions_batch(struct transactions *t)
{
    t->batch_id = SLICE_NULL;
}

/* --- begin and end ---------------------------------------------------------------------------- */

enum { STATUS, ID, EVENT_COUNT, COLLECTIONS, TS_MS, VALUE_FIELDS };

static struct slice id_of(struct transactions *t, struct record_batch *b)
{
    if (!t->batch_id.p)
        t->batch_id = arena_dup(&b->arena, strbuf_slice(&t->id));
    return t->batch_id;
}

static struct value collections(const struct transactions *t, struct record_batch *b)
{
    struct value list = value_array_new(&b->arena, (uint32_t)t->count);
    for (size_t i = 0; i < t->count; i++) {
        struct value one = value_struct_new(&b->arena, 2);
        one.u.v[0] = value_string(arena_dup(&b->arena, slice_cstr(t->counts[i]->collection)));
        one.u.v[1] = value_int((int64_t)t->counts[i]->events);
        list.u.v[i] = one;
    }
    return list;
}

static enum err add_record(struct transactions *t, struct record_batch *b, bool end, int64_t ts_ms,
                           struct error *e)
{
    struct record *r = record_batch_add(b);
    if (!r)
        return error_set(e, E_NOMEM, "no memory for a record of a transaction");
    struct value id = value_string(id_of(t, b));
    r->topic = slice_cstr(t->topic);
    r->partition = 0;
    r->key_schema = t->key;
    r->value_schema = t->value;
    r->key = value_struct_new(&b->arena, 1);
    r->key.u.v[0] = id;
    r->value = value_struct_new(&b->arena, VALUE_FIELDS);
    struct value *v = r->value.u.v;
    v[STATUS] = value_string(end ? SL("END") : SL("BEGIN"));
    v[ID] = id;
    v[EVENT_COUNT] = end ? value_int((int64_t)t->total) : value_null();
    v[COLLECTIONS] = end ? collections(t, b) : value_null();
    v[TS_MS] = value_int(ts_ms);
    return E_OK;
}

enum err transactions_begin(struct transactions *t, struct record_batch *b, struct slice id,
                            int64_t ts_ms, struct error *e)
{
    if (!t->enabled)
        return E_OK;
    forget(t);
    t->active = true;
    strbuf_add_slice(&t->id, id);
    return add_record(t, b, false, ts_ms, e);
}

void transactions_resume(struct transactions *t, struct slice id)
{
    if (!t->enabled)
        return;
    if (!slice_eq(strbuf_slice(&t->id), id)) {
        forget(t);
        strbuf_add_slice(&t->id, id);
    }
    t->active = true;
}

enum err transactions_end(struct transactions *t, struct record_batch *b, int64_t ts_ms,
                          struct error *e)
{
    if (!t->active)
        return E_OK;
    enum err rc = add_record(t, b, true, ts_ms, e);
    forget(t);
    return rc;
}

/* --- events ----------------------------------------------------------------------------------- */

static struct transaction_count *count_of(struct transactions *t, struct slice name)
{
    struct transaction_count *c = map_get(&t->by_name, name);
    if (c)
        return c;
    if (t->count == t->cap) {
        t->cap = t->cap ? 2 * t->cap : 8;
        t->counts = xrealloc(t->counts, t->cap * sizeof(struct transaction_count *));
    }
    c = xcalloc(1, sizeof *c);
    c->collection = slice_dup(name);
    t->counts[t->count++] = c;
    map_put(&t->by_name, name, c);
    return c;
}

enum err transactions_event(struct transactions *t, struct record_batch *b, struct slice db,
                            struct slice table, struct value *block)
{
    *block = value_null();
    if (!t->active)
        return E_OK;
    struct value *v = arena_try_alloc(&b->arena, 3 * sizeof *v);
    if (!v)
        return E_NOMEM;
    struct strbuf name = STRBUF_INIT;
    strbuf_add_slice(&name, db);
    strbuf_addc(&name, '.');
    strbuf_add_slice(&name, table);
    struct transaction_count *c = count_of(t, strbuf_slice(&name));
    strbuf_release(&name);
    v[0] = value_string(id_of(t, b));
    v[1] = value_int((int64_t)++t->total);
    v[2] = value_int((int64_t)++c->events);
    *block = (struct value){.kind = VALUE_STRUCT, .n = 3, .u.v = v};
    return E_OK;
}

/* --- offsets ---------------------------------------------------------------------------------- */

void transactions_print(const struct transactions *t, struct strbuf *out)
{
    if (!t->active)
        return;
    struct strbuf name = STRBUF_INIT;
    strbuf_adds(out, ",\"" ID_MEMBER "\":");
    json_add_string(out, strbuf_slice(&t->id));
    for (size_t i = 0; i < t->count; i++) {
        strbuf_reset(&name);
        strbuf_addf(&name, COUNT_MEMBER "%s", t->counts[i]->collection);
        strbuf_addc(out, ',');
        json_add_string(out, strbuf_slice(&name));
        strbuf_addc(out, ':');
        strbuf_add_u64(out, t->counts[i]->events);
    }
    strbuf_release(&name);
}

void transactions_load(struct transactions *t, struct slice json)
{
    if (!t->enabled)
        return;
    json_error_t fault;
    json_t *root = json_loadb(json.p ? json.p : "", json.n, 0, &fault), *member;
    const char *name, *id = json_string_value(json_object_get(root, ID_MEMBER));
    forget(t);
    if (id)
        strbuf_adds(&t->id, id);
    json_object_foreach(root, name, member)
    {
        struct slice rest = slice_cstr(name);
        if (!id || !slice_starts(rest, SL(COUNT_MEMBER)) || !json_is_integer(member) ||
            json_integer_value(member) < 0)
            continue;
        rest = slice_sub(rest, sizeof COUNT_MEMBER - 1, rest.n);
        struct transaction_count *c = count_of(t, rest);
        c->events = (uint64_t)json_integer_value(member);
        t->total += c->events;
    }
    json_decref(root);
}
