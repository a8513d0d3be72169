/* cdc/heartbeat.c - see heartbeat.h. */
#include "cdc/heartbeat.h"

#include "base/clock.h"
#include "base/mem.h"

static const struct schema *one_field(const char *name, const char *field, enum schema_type type)
{
    struct schema_builder *b = schema_builder_new(SCHEMA_STRUCT);
    schema_builder_name(b, slice_cstr(name));
    schema_builder_version(b, 1);
    schema_builder_field(b, slice_cstr(field), schema_plain(type, false));
    return schema_build(b);
}

void heartbeat_init(struct heartbeat *h, const struct capture_options *o)
{
    struct slice name = slice_trim(o->heartbeat_topic);
    *h = (struct heartbeat){.interval_ms = o->heartbeat_interval_ms};
    if (h->interval_ms <= 0)
        return;
    h->server = o->topic_prefix;
    h->topic = name.n
                   ? slice_dup(name)
                   : xasprintf(PRI_SL "." PRI_SL, ARG_SL(o->heartbeat_prefix), ARG_SL(h->server));
    h->key = one_field("io.debezium.connector.common.ServerNameKey", "serverName", SCHEMA_STRING);
    h->value = one_field("io.debezium.connector.common.Heartbeat", "ts_ms", SCHEMA_INT64);
    h->next_ms = clock_mono_ms() + h->interval_ms;
}

void heartbeat_release(struct heartbeat *h)
{
    mem_free(h->topic);
    schema_unref(h->key);
    schema_unref(h->value);
}

enum err heartbeat_poll(struct heartbeat *h, struct record_batch *b, bool *added, struct error *e)
{
    int64_t now = clock_mono_ms();
    *added = false;
    if (!h->topic || now < h->next_ms)
        return E_OK;
    h->next_ms = now + h->interval_ms;
    struct record *r = record_batch_add(b);
    if (!r)
        return error_set(e, E_NOMEM, "no memory for a heartbeat");
    r->topic = slice_cstr(h->topic);
    r->partition = 0;
    r->key_schema = h->key;
    r->value_schema = h->value;
    r->key = value_struct_new(&b->arena, 1);
    r->key.u.v[0] = value_string(h->server);
    r->value = value_struct_new(&b->arena, 1);
    r->value.u.v[0] = value_int(clock_wall_ms());
    *added = true;
    return E_OK;
}
