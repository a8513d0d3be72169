/* cdc/transforms/common.c - what Debezium's transforms have in common: see transforms.h. */
#include "cdc/transforms/transforms.h"

#include <stdarg.h>

bool dbz_field(const struct schema *s, struct value v, struct slice name, struct dbz_field *out)
{
    int at = s && s->type == SCHEMA_STRUCT ? schema_field_index(s, name) : -1;
    *out = (struct dbz_field){0};
    if (at < 0)
        return false;
    out->schema = s->fields[at].schema;
    out->value = v.kind == VALUE_STRUCT ? v.u.v[at] : value_null();
    return true;
}

struct slice dbz_operation(const struct record *r)
{
    struct dbz_field op;
    return dbz_field(r->value_schema, r->value, SL("op"), &op) && op.value.kind == VALUE_STRING
               ? value_slice(op.value)
               : SL("");
}

void dbz_share_headers(struct record_batch *b, const struct record *r,
                       const struct record_header *shared)
{
    size_t next = (size_t)(r - b->records) + 1;
    if (shared && next < b->count && b->records[next].headers.items == shared &&
        b->records[next].value.kind == VALUE_NULL)
        b->records[next].headers = r->headers;
}

enum err dbz_is_document(const struct record *r, const char *purpose, const char *instead,
                         struct error *e)
{
    return error_set(e, E_INVALID,
                     DATA_EXCEPTION
                     "Only Struct objects supported for [%s], found: java.lang.String\n\tthe event "
                     "for the topic " PRI_SL " has a MongoDB document as text: "
                     "io.debezium.connector.mongodb.transforms.%s is the transform for it",
                     purpose, ARG_SL(r->topic), instead);
}

enum err dbz_is_row(const struct record *r, const char *cause, const char *instead, struct error *e)
{
    return error_set(e, E_INVALID,
                     "%s\n\tthe event for the topic " PRI_SL
                     " is not from a MongoDB connector: io.debezium.transforms.%s is the transform "
                     "for it",
                     cause, ARG_SL(r->topic), instead);
}

enum err dbz_bad_option(struct error *e, const char *option, const char *fmt, ...)
{
    char why[400];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(why, sizeof why, fmt, ap);
    va_end(ap);
    return error_set(e, E_INVALID,
                     "org.apache.kafka.connect.errors.ConnectException: Unable to validate config: "
                     "The '%s' value is invalid: %s",
                     option, why);
}

struct schema_builder *dbz_renamed(const struct schema *s, struct slice name)
{
    struct schema_builder *b = schema_builder_from(s);
    schema_builder_name(b, name);
    return b;
}
