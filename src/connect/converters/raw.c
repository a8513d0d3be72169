/* connect/converters/raw.c - StringConverter and ByteArrayConverter. They keep nothing between
 * records. SPEC: connect 5.3. */
#include "connect/converters/converters.h"

#include "connect/javatext.h"

static const char *java_class(struct value v)
{
    switch ((enum value_kind)v.kind) {
    case VALUE_BOOL:
        return "java.lang.Boolean";
    case VALUE_INT:
        return "java.lang.Long";
    case VALUE_DOUBLE:
        return v.float32 ? "java.lang.Float" : "java.lang.Double";
    case VALUE_STRING:
        return "java.lang.String";
    case VALUE_ARRAY:
        return "java.util.ArrayList";
    case VALUE_MAP:
        return "java.util.HashMap";
    case VALUE_STRUCT:
        return "org.apache.kafka.connect.data.Struct";
    case VALUE_BYTES:
        return "byte[]";
    case VALUE_NULL:
        break;
    }
    return "null";
}

static enum err no_memory(struct strbuf *out, struct error *e)
{
    if (!strbuf_err(out))
        return E_OK;
    return error_set(e, strbuf_err(out),
                     "org.apache.kafka.connect.errors.ConnectException: the text does not fit "
                     "into memory");
}

/* --- strings -----------------------------------------------------------------------------------
 */

static const struct opt_row string_rows[] = {
    {.name = "converter.type",
     .type = OPT_STRING,
     .def = NULL,
     .offset = OPT_NO_FIELD,
     .flags = OPT_REQUIRED,
     .importance = OPT_LOW,
     .order = -1,
     .display = "converter.type",
     .doc = "What this converter is used for; set by the worker."},
    {.name = "converter.encoding",
     .type = OPT_STRING,
     .def = "UTF-8",
     .offset = OPT_NO_FIELD,
     .flags = OPT_NO_STORE,
     .importance = OPT_HIGH,
     .order = -1,
     .width = OPT_W_MEDIUM,
     .display = "Encoding",
     .doc = "Name of the character set of the text; weir writes and reads UTF-8."},
    {.name = NULL},
};

static enum err string_configure(void **conv, const struct strmap *config, bool is_key,
                                 struct error *e)
{
    (void)is_key;
    *conv = NULL;
    struct slice enc = slice_trim(strmap_get_c(config, "converter.encoding"));
    if (!enc.p || slice_ieq(enc, SL("UTF-8")) || slice_ieq(enc, SL("UTF8")))
        return E_OK;
    return error_set(e, E_UNSUPPORTED,
                     "org.apache.kafka.common.config.ConfigException: Invalid value " PRI_SL
                     " for configuration converter.encoding: only UTF-8 is supported",
                     ARG_SL(enc));
}

static enum err string_from(void *conv, struct slice topic, const struct schema *s, struct value v,
                            struct strbuf *out, bool *null, struct error *e)
{
    (void)conv;
    (void)topic;
    *null = v.kind == VALUE_NULL;
    if (v.kind == VALUE_STRING)
        strbuf_add(out, v.u.s, v.n);
    else if (!*null)
        java_add_value(out, s, v);
    return no_memory(out, e);
}

static enum err string_to(void *conv, struct slice topic, struct slice bytes, struct arena *a,
                          const struct schema **s, struct value *v, struct error *e)
{
    (void)conv;
    (void)topic;
    (void)a;
    (void)e;
    *s = schema_plain(SCHEMA_STRING, true);
    *v = value_string(bytes);
    return E_OK;
}

static const char *const string_aliases[] = {"StringConverter", "String", NULL};
const struct converter_ops converter_string = {
    .class_name = "org.apache.kafka.connect.storage.StringConverter",
    .aliases = string_aliases,
    .version = "4.1.1",
    .rows = string_rows,
    .configure = string_configure,
    .from_connect = string_from,
    .to_connect = string_to,
    .release = converter_no_release,
};

/* --- bytes -------------------------------------------------------------------------------------
 */

static const struct opt_row bytes_rows[] = {
    {.name = "converter.type",
     .type = OPT_STRING,
     .def = NULL,
     .offset = OPT_NO_FIELD,
     .flags = OPT_REQUIRED,
     .importance = OPT_LOW,
     .order = -1,
     .display = "converter.type",
     .doc = "What this converter is used for; set by the worker."},
    {.name = NULL},
};

static enum err bytes_from(void *conv, struct slice topic, const struct schema *s, struct value v,
                           struct strbuf *out, bool *null, struct error *e)
{
    (void)conv;
    (void)topic;
    *null = v.kind == VALUE_NULL;
    if (s && s->type != SCHEMA_BYTES)
        return error_set(e, E_INVALID,
                         DATA_EXCEPTION "Invalid schema type for ByteArrayConverter: %s",
                         schema_type_java(s->type));
    if (*null)
        return E_OK;
    if (v.kind != VALUE_BYTES)
        return error_set(e, E_INVALID,
                         DATA_EXCEPTION "ByteArrayConverter is not compatible with objects of type "
                                        "class %s",
                         java_class(v));
    strbuf_add(out, v.u.s, v.n);
    return no_memory(out, e);
}

static enum err bytes_to(void *conv, struct slice topic, struct slice bytes, struct arena *a,
                         const struct schema **s, struct value *v, struct error *e)
{
    (void)conv;
    (void)topic;
    (void)a;
    (void)e;
    *s = schema_plain(SCHEMA_BYTES, true);
    *v = value_bytes(bytes);
    return E_OK;
}

/* "ByteArrayConverter" alone names two classes in the original's installation; here it names this
 * one. */
static const char *const bytes_aliases[] = {"ByteArrayConverter", "ByteArray", NULL};
const struct converter_ops converter_byte_array = {
    .class_name = "org.apache.kafka.connect.converters.ByteArrayConverter",
    .aliases = bytes_aliases,
    .version = "4.1.1",
    .rows = bytes_rows,
    .configure = converter_no_state,
    .from_connect = bytes_from,
    .to_connect = bytes_to,
    .release = converter_no_release,
};
