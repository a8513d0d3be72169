/* cdc/envelope.c - schemas of envelopes, context headers. SPEC:
 * cdc-mysql 5.3, 5.8 */
#include "cdc/envelope.h"

#include "base/clock.h"
#include "base/mem.h"

static void field(struct schema_builder *b, const char *name, enum schema_type t, bool optional)
{
    schema_builder_field(b, slice_cstr(name), schema_plain(t, optional));
}

static struct schema_builder *named_struct(const char *name, int32_t version)
{
    struct schema_builder *b = schema_builder_new(SCHEMA_STRUCT);
    schema_builder_name(b, slice_cstr(name));
    schema_builder_version(b, version);
    return b;
}

const struct schema *envelope_transaction_schema(void)
{
    struct schema_builder *b = named_struct("event.block", 1);
    schema_builder_optional(b);
    field(b, "id", SCHEMA_STRING, false);
    field(b, "total_order", SCHEMA_INT64, false);
    field(b, "data_collection_order", SCHEMA_INT64, false);
    return schema_build(b);
}

const struct schema *envelope_schema(struct slice name, const struct schema *value,
                                     const struct schema *source)
{
    struct strbuf full = STRBUF_INIT;
    strbuf_add_slice(&full, name);
    strbuf_adds(&full, ".Envelope");
    struct schema_builder *b = schema_builder_new(SCHEMA_STRUCT);
    schema_builder_name(b, strbuf_slice(&full));
    schema_builder_version(b, 2);
    schema_builder_field(b, SL("before"), schema_ref(value));
    schema_builder_field(b, SL("after"), schema_ref(value));
    schema_builder_field(b, SL("source"), schema_ref(source));
    schema_builder_field(b, SL("transaction"), envelope_transaction_schema());
    field(b, "op", SCHEMA_STRING, false);
    field(b, "ts_ms", SCHEMA_INT64, true);
    field(b, "ts_us", SCHEMA_INT64, true);
    field(b, "ts_ns", SCHEMA_INT64, true);
    strbuf_release(&full);
    return schema_build(b);
}

const struct schema *envelope_snapshot_schema(void)
{
    struct schema_builder *b = schema_builder_new(SCHEMA_STRING);
    schema_builder_optional(b);
    schema_builder_name(b, SL("io.debezium.data.Enum"));
    schema_builder_version(b, 1);
    schema_builder_param(
        b, SL("allowed"),
        SL("true,first,first_in_data_collection,last_in_data_collection,last,false,"
           "incremental"));
    schema_builder_default(b, value_string(SL("false")));
    return schema_build(b);
}

/* --- context headers -------------------------------------------------------------------------- */

void context_headers_init(struct context_headers *h, bool enabled, const char *logical, int task,
                          const char *kind, const char *run_id)
{
    static const char *const names[CONTEXT_HEADERS] = {
        "__debezium.context.connectorLogicalName",
        "__debezium.context.taskId",
        "__debezium.context.connectorName",
        "__debezium.context.runId",
    };
    memset(h, 0, sizeof *h);
    if (!enabled)
        return;
    h->texts[0] = xstrdup(logical);
    h->texts[1] = xasprintf("%d", task);
    h->texts[2] = xstrdup(kind);
    h->texts[3] = xstrdup(run_id ? run_id : "");
    for (int i = 0; i < CONTEXT_HEADERS; i++)
        h->items[i] = (struct record_header){
            .name = slice_cstr(names[i]),
            .schema = schema_plain(SCHEMA_STRING, false),
            .value = value_string(slice_cstr(h->texts[i])),
        };
    h->count = CONTEXT_HEADERS;
}

void context_headers_release(struct context_headers *h)
{
    for (int i = 0; i < CONTEXT_HEADERS; i++)
        mem_free(h->texts[i]);
    memset(h, 0, sizeof *h);
}

struct record_headers context_headers_with(const struct context_headers *h, struct arena *a,
                                           struct slice name, const struct schema *schema,
                                           struct value value)
{
    struct record_header *items = arena_alloc(a, (h->count + 1) * sizeof *items);
    items[0] = (struct record_header){.name = name, .schema = schema, .value = value};
    memcpy(items + 1, h->items, h->count * sizeof *items);
    return (struct record_headers){.items = items, .count = h->count + 1};
}
