/* connect/converters/number.c - Short-, Integer-, Long-, Float-, Double- and BooleanConverter: a
 * number as its bytes in network order. They keep nothing between records. SPEC: connect 5.3. */
#include "connect/converters/converters.h"

#include "base/bytes.h"
#include "connect/transforms/smt.h"

struct number_type {
    enum schema_type type;
    const char *name, *deserializer; /* in Java's messages */
    unsigned size;
};
static const struct number_type types[] = {
    {SCHEMA_INT16, "short", "ShortDeserializer", 2},
    {SCHEMA_INT32, "integer", "IntegerDeserializer", 4},
    {SCHEMA_INT64, "long", "LongDeserializer", 8},
    {SCHEMA_FLOAT32, "float", "FloatDeserializer", 4},
    {SCHEMA_FLOAT64, "double", "DoubleDeserializer", 8},
};

/* Whether Java's object would be of exactly this type. */
static bool fits(const struct number_type *t, const struct schema *s, struct value v)
{
    if (t->type == SCHEMA_FLOAT32 || t->type == SCHEMA_FLOAT64)
        return v.kind == VALUE_DOUBLE &&
               (s ? s->type == t->type : v.float32 == (t->type == SCHEMA_FLOAT32));
    return v.kind == VALUE_INT &&
           (s ? s->type == t->type && s->logical == LOGICAL_NONE : t->type == SCHEMA_INT64);
}

static enum err number_from(const struct number_type *t, const struct schema *s, struct value v,
                            struct strbuf *out, bool *null, struct error *e)
{
    uint8_t bytes[8];
    float f = (float)(v.kind == VALUE_DOUBLE ? v.u.d : 0);
    uint32_t f_bits;
    *null = v.kind == VALUE_NULL;
    if (*null)
        return E_OK;
    if (!fits(t, s, v))
        return error_set(e, E_INVALID,
                         DATA_EXCEPTION "Failed to serialize to %s (was class %s): ", t->name,
                         smt_java_class(s, v));
    switch (t->type) {
    case SCHEMA_INT16:
        store_be16(bytes, (uint16_t)v.u.i);
        break;
    case SCHEMA_INT32:
        store_be32(bytes, (uint32_t)v.u.i);
        break;
    case SCHEMA_FLOAT32:
        memcpy(&f_bits, &f, sizeof f_bits);
        store_be32(bytes, f_bits);
        break;
    default: /* int64 and double share their bits */
        store_be64(bytes, (uint64_t)v.u.i);
    }
    strbuf_add(out, bytes, t->size);
    return strbuf_err(out) ? error_set(e, strbuf_err(out), "no memory for a number") : E_OK;
}

static enum err number_to(const struct number_type *t, struct slice bytes, const struct schema **s,
                          struct value *v, struct error *e)
{
    const uint8_t *p = (const uint8_t *)bytes.p;
    uint32_t f_bits;
    float f;
    *s = schema_plain(t->type, true);
    *v = value_null();
    if (!p)
        return E_OK;
    if (bytes.n != t->size)
        return error_set(e, E_INVALID,
                         DATA_EXCEPTION "Failed to deserialize %s: \nCaused by: "
                                        "org.apache.kafka.common.errors.SerializationException: "
                                        "Size of data received by %s is not %u",
                         t->name, t->deserializer, t->size);
    switch (t->type) {
    case SCHEMA_INT16:
        *v = value_int((int16_t)load_be16(p));
        break;
    case SCHEMA_INT32:
        *v = value_int((int32_t)load_be32(p));
        break;
    case SCHEMA_INT64:
        *v = value_int((int64_t)load_be64(p));
        break;
    case SCHEMA_FLOAT32:
        f_bits = load_be32(p);
        memcpy(&f, &f_bits, sizeof f);
        *v = value_float(f);
        break;
    default:
        *v = value_double(0);
        v->u.i = (int64_t)load_be64(p);
    }
    return E_OK;
}

/* --- booleans --------------------------------------------------------------------------------- */

static enum err boolean_from(void *conv, struct slice topic, const struct schema *s, struct value v,
                             struct strbuf *out, bool *null, struct error *e)
{
    (void)conv, (void)topic;
    *null = v.kind == VALUE_NULL;
    if (s && s->type != SCHEMA_BOOLEAN)
        return error_set(e, E_INVALID,
                         DATA_EXCEPTION "Invalid schema type for BooleanConverter: %s",
                         schema_type_java(s->type));
    if (*null)
        return E_OK;
    if (v.kind != VALUE_BOOL)
        return error_set(e, E_INVALID,
                         DATA_EXCEPTION
                         "BooleanConverter is not compatible with objects of type class %s",
                         smt_java_class(s, v));
    strbuf_addc(out, (char)(v.u.i != 0));
    return strbuf_err(out) ? error_set(e, strbuf_err(out), "no memory for a boolean") : E_OK;
}

static enum err boolean_to(void *conv, struct slice topic, struct slice bytes, struct arena *a,
                           const struct schema **s, struct value *v, struct error *e)
{
    (void)conv, (void)topic, (void)a;
    const char *why = NULL;
    *s = schema_plain(SCHEMA_BOOLEAN, true);
    *v = value_null();
    if (!bytes.p)
        return E_OK;
    if (bytes.n != 1)
        why = "Size of data received by BooleanDeserializer is not 1";
    else if ((unsigned char)bytes.p[0] > 1)
        why = "Unexpected byte received by BooleanDeserializer";
    if (why)
        return error_set(e, E_INVALID,
                         DATA_EXCEPTION "Failed to deserialize boolean: \nCaused by: "
                                        "org.apache.kafka.common.errors.SerializationException: %s",
                         why);
    *v = value_bool(bytes.p[0] != 0);
    return E_OK;
}

/* --- classes ---------------------------------------------------------------------------------- */

#define CLASS(var, Name, from_, to_)                                                               \
    static const char *const var##_aliases[] = {Name "Converter", Name, NULL};                     \
    const struct converter_ops var = {.class_name =                                                \
                                          "org.apache.kafka.connect.converters." Name "Converter", \
                                      .aliases = var##_aliases,                                    \
                                      .version = SMT_VERSION,                                      \
                                      .rows = converter_plain_rows,                                \
                                      .configure = converter_no_state,                             \
                                      .from_connect = from_,                                       \
                                      .to_connect = to_,                                           \
                                      .release = converter_no_release};
#define NUMBER(index, var, Name)                                                                   \
    static enum err var##_from(void *conv, struct slice topic, const struct schema *s,             \
                               struct value v, struct strbuf *out, bool *null, struct error *e)    \
    {                                                                                              \
        (void)conv, (void)topic;                                                                   \
        return number_from(&types[index], s, v, out, null, e);                                     \
    }                                                                                              \
    static enum err var##_to(void *conv, struct slice topic, struct slice bytes, struct arena *a,  \
                             const struct schema **s, struct value *v, struct error *e)            \
    {                                                                                              \
        (void)conv, (void)topic, (void)a;                                                          \
        return number_to(&types[index], bytes, s, v, e);                                           \
    }                                                                                              \
    CLASS(var, Name, var##_from, var##_to)

NUMBER(0, converter_short, "Short")
NUMBER(1, converter_integer, "Integer")
NUMBER(2, converter_long, "Long")
NUMBER(3, converter_float, "Float")
NUMBER(4, converter_double, "Double")
CLASS(converter_boolean, "Boolean", boolean_from, boolean_to)
