/* connect/converters/converters.h - the converters that come with the worker. SPEC:
 * connect 5.2, 5.3. */
#ifndef WEIR_CONNECT_CONVERTERS_CONVERTERS_H
#define WEIR_CONNECT_CONVERTERS_CONVERTERS_H

#include "connect/connector.h"
#include "connect/json_out.h"

extern const struct converter_ops converter_json;
extern const struct converter_ops converter_string;
extern const struct converter_ops converter_byte_array;
extern const struct converter_ops converter_simple_header;
extern const struct converter_ops converter_short;
extern const struct converter_ops converter_integer;
extern const struct converter_ops converter_long;
extern const struct converter_ops converter_float;
extern const struct converter_ops converter_double;
extern const struct converter_ops converter_boolean;
extern const struct converter_ops converter_binary_data;
extern const struct converter_ops converter_debezium_bytes;
extern const struct converter_ops converter_cloud_events;
/* All of them; ends with NULL. */
extern const struct converter_ops *const connect_converters[];
/* The option that all have, set by the worker. */
#define CONVERTER_TYPE_ROW                                                                         \
    {                                                                                              \
        .name = "converter.type", .type = OPT_STRING, .offset = OPT_NO_FIELD,                      \
        .flags = OPT_REQUIRED, .importance = OPT_LOW, .order = -1, .display = "converter.type",    \
        .doc = "What this converter is used for; set by the worker."                               \
    }
/* For converters without options and state. */
extern const struct opt_row converter_plain_rows[];
enum err converter_no_state(void **conv, const struct strmap *config, bool is_key,
                            struct error *e) MUST_CHECK;
void converter_no_release(void *conv);

/* --- the reading half of JsonConverter (json_read.c, json_schema.c) --------------------------- */
/* A schema from its JSON text ("null" gives NULL). One reference to the caller. E_INVALID: a
 * DataException in e. */
enum err json_read_schema(struct slice text, const struct schema **out, struct error *e) MUST_CHECK;
/* The payload as a value of s (NULL: schemaless). Strings may be slices of text. Bytes after the
 * value are not looked at; *end (may be NULL) tells where they begin. */
enum err json_read_value(struct slice text, const struct schema *s, struct arena *a,
                         bool null_to_default, struct value *out, const char **end,
                         struct error *e) MUST_CHECK;
/* What Jackson's longValue makes of a number's text: wraps, rounds, never fails. */
int64_t json_read_i64(struct slice text);

/* --- Java's spellings (javavalue.c) ----------------------------------------------------------- */
/* What String.valueOf gives for the value: Struct{id=1,name=a}, {a=1, b=null}, [1, 2]. */
void java_add_value(struct strbuf *b, const struct schema *s, struct value v);
/* The same of what a converter made of consumed bytes: its bytes are arrays, not buffers. */
void java_add_consumed_value(struct strbuf *b, const struct schema *s, struct value v);
/* ConnectHeaders' text of a value as SimpleHeaderConverter writes it; strings inside are quoted. */
void java_add_header_value(struct strbuf *b, const struct schema *s, struct value v, bool embedded);

#endif
