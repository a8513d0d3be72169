/* connect/converters/header.c - SimpleHeaderConverter, and Java's texts of values that it shares
 * with StringConverter. SPEC: connect 5.3. */
#include "connect/converters/converters.h"

#include <time.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/json.h"
#include "connect/converters/infer.h"
#include "connect/javatext.h"

/* --- String.valueOf --------------------------------------------------------------------------- */

static void add_java_date(struct strbuf *b, int64_t ms)
{
    time_t t = (time_t)(ms >= 0 ? ms / 1000 : (ms - 999) / 1000);
    struct tm tm;
    gmtime_r(&t, &tm);
    static const char *const days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    strbuf_addf(b, "%s %s %02d %02d:%02d:%02d UTC %d", days[tm.tm_wday], months[tm.tm_mon],
                tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, tm.tm_year + 1900);
}

static int64_t date_ms(const struct schema *s, int64_t v)
{
    return s->logical == LOGICAL_DATE ? v * 86400000 : v;
}

/* arrays: bytes are byte[], whose text is a name and a number that means nothing; else
 * ByteBuffer. */
static void add_scalar(struct strbuf *b, const struct schema *s, struct value v, bool arrays)
{
    switch ((enum value_kind)v.kind) {
    case VALUE_NULL:
        strbuf_adds(b, "null");
        break;
    case VALUE_BOOL:
        strbuf_adds(b, v.u.i ? "true" : "false");
        break;
    case VALUE_INT:
        if (s && s->logical != LOGICAL_NONE)
            add_java_date(b, date_ms(s, v.u.i));
        else
            strbuf_add_i64(b, v.u.i);
        break;
    case VALUE_DOUBLE:
        if (s ? s->type == SCHEMA_FLOAT32 : v.float32)
            json_add_float(b, (float)v.u.d);
        else
            json_add_double(b, v.u.d);
        break;
    case VALUE_STRING:
        strbuf_add(b, v.u.s, v.n);
        break;
    default:
        if (s && s->logical == LOGICAL_DECIMAL)
            java_add_decimal(b, value_slice(v), s->scale);
        else if (arrays)
            strbuf_addf(b, "[B@%x", (unsigned)hash64(value_slice(v), 0));
        else
            strbuf_addf(b, "java.nio.HeapByteBuffer[pos=0 lim=%u cap=%u]", v.n, v.n);
    }
}

static void add_value(struct strbuf *b, const struct schema *s, struct value v, bool arrays);

static void add_java_struct(struct strbuf *b, const struct schema *s, struct value v, bool arrays)
{
    bool first = true;
    strbuf_adds(b, "Struct{");
    for (uint32_t i = 0; s && i < v.n && i < s->fields_count; i++) {
        if (v.u.v[i].kind == VALUE_NULL)
            continue;
        if (!first)
            strbuf_addc(b, ',');
        first = false;
        strbuf_add_slice(b, s->fields[i].name);
        strbuf_addc(b, '=');
        add_value(b, s->fields[i].schema, v.u.v[i], arrays);
    }
    strbuf_addc(b, '}');
}

static void add_value(struct strbuf *b, const struct schema *s, struct value v, bool arrays)
{
    const struct schema *item = s ? s->value : NULL;
    switch ((enum value_kind)v.kind) {
    case VALUE_STRUCT:
        add_java_struct(b, s, v, arrays);
        return;
    case VALUE_ARRAY:
        strbuf_addc(b, '[');
        for (uint32_t i = 0; i < v.n; i++) {
            strbuf_adds(b, i ? ", " : "");
            add_value(b, item, v.u.v[i], arrays);
        }
        strbuf_addc(b, ']');
        return;
    case VALUE_MAP:
        strbuf_addc(b, '{');
        for (uint32_t i = 0; i < v.n; i++) {
            strbuf_adds(b, i ? ", " : "");
            add_value(b, s ? s->key : NULL, v.u.v[2 * i], arrays);
            strbuf_addc(b, '=');
            add_value(b, item, v.u.v[2 * i + 1], arrays);
        }
        strbuf_addc(b, '}');
        return;
    default:
        add_scalar(b, s, v, arrays);
    }
}

void java_add_value(struct strbuf *b, const struct schema *s, struct value v)
{
    add_value(b, s, v, false);
}

void java_add_consumed_value(struct strbuf *b, const struct schema *s, struct value v)
{
    add_value(b, s, v, true);
}

/* --- header texts ----------------------------------------------------------------------------- */

/* ISO text of a java.util.Date: below one day a time, whole days a date, else both. */
static void add_iso(struct strbuf *b, int64_t ms)
{
    char text[CLOCK_ISO_SIZE];
    int64_t day = 86400000, s = ms / 1000 - (ms % 1000 < 0);
    struct slice whole = slice_cstr(clock_iso(text, s, (int32_t)(ms - s * 1000), 3));
    size_t t = (size_t)slice_find_char(whole, 'T');
    if (ms < day)
        strbuf_add_slice(b, slice_sub(whole, t + 1, whole.n));
    else
        strbuf_add_slice(b, ms % day == 0 ? slice_sub(whole, 0, t) : whole);
}

static void add_quoted(struct strbuf *b, struct slice s)
{
    strbuf_addc(b, '"');
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '"' || s.p[i] == '\\')
            strbuf_addc(b, '\\');
        strbuf_addc(b, s.p[i]);
    }
    strbuf_addc(b, '"');
}

static void add_header_members(struct strbuf *b, const struct schema *s, struct value v)
{
    bool is_struct = v.kind == VALUE_STRUCT;
    strbuf_addc(b, '{');
    for (uint32_t i = 0; i < v.n; i++) {
        if (is_struct && (!s || i >= s->fields_count))
            break;
        strbuf_adds(b, i ? "," : "");
        if (is_struct)
            add_quoted(b, s->fields[i].name);
        else
            java_add_header_value(b, s ? s->key : NULL, v.u.v[2 * i], true);
        strbuf_addc(b, ':');
        if (is_struct)
            java_add_header_value(b, s->fields[i].schema, v.u.v[i], true);
        else
            java_add_header_value(b, s ? s->value : NULL, v.u.v[2 * i + 1], true);
    }
    strbuf_addc(b, '}');
}

void java_add_header_value(struct strbuf *b, const struct schema *s, struct value v, bool embedded)
{
    switch ((enum value_kind)v.kind) {
    case VALUE_STRING:
        if (embedded)
            add_quoted(b, value_slice(v));
        else
            strbuf_add(b, v.u.s, v.n);
        return;
    case VALUE_BYTES:
        if (s && s->logical == LOGICAL_DECIMAL) {
            java_add_decimal(b, value_slice(v), s->scale);
            return;
        }
        strbuf_adds(b, embedded ? "\"" : "");
        base64_encode(b, value_slice(v));
        strbuf_adds(b, embedded ? "\"" : "");
        return;
    case VALUE_INT:
        if (s && s->logical != LOGICAL_NONE) {
            strbuf_adds(b, embedded ? "\"" : "");
            add_iso(b, date_ms(s, v.u.i));
            strbuf_adds(b, embedded ? "\"" : "");
            return;
        }
        break;
    case VALUE_ARRAY:
        strbuf_addc(b, '[');
        for (uint32_t i = 0; i < v.n; i++) {
            strbuf_adds(b, i ? "," : "");
            java_add_header_value(b, s ? s->value : NULL, v.u.v[i], true);
        }
        strbuf_addc(b, ']');
        return;
    case VALUE_MAP:
    case VALUE_STRUCT:
        add_header_members(b, s, v);
        return;
    default:
        break;
    }
    add_scalar(b, s, v, false);
}

enum err converter_no_state(void **conv, const struct strmap *config, bool is_key, struct error *e)
{
    (void)config;
    (void)is_key;
    (void)e;
    *conv = NULL;
    return E_OK;
}

void converter_no_release(void *conv)
{
    (void)conv;
}

static enum err header_from(void *conv, struct slice topic, const struct schema *s, struct value v,
                            struct strbuf *out, bool *null, struct error *e)
{
    (void)conv;
    (void)topic;
    *null = v.kind == VALUE_NULL;
    if (!*null)
        java_add_header_value(out, s, v, false);
    if (!strbuf_err(out))
        return E_OK;
    return error_set(e, strbuf_err(out),
                     "org.apache.kafka.connect.errors.ConnectException: the header does not "
                     "fit into memory");
}

static void drop_schema(void *s)
{
    schema_unref(s);
}

static enum err header_to(void *conv, struct slice topic, struct slice bytes, struct arena *a,
                          const struct schema **s, struct value *v, struct error *e)
{
    (void)conv;
    (void)topic;
    *s = NULL;
    *v = value_null();
    if (!bytes.p)
        return E_OK;
    if (!slice_is_utf8(bytes)) { /* no text at all */
        *s = schema_plain(SCHEMA_BYTES, false);
        *v = value_bytes(bytes);
        return E_OK;
    }
    *v = infer_value(bytes, a, s);
    if (*s)
        arena_on_release(a, drop_schema, (void *)(uintptr_t)*s);
    (void)e;
    return E_OK;
}

const struct opt_row converter_plain_rows[] = {
    CONVERTER_TYPE_ROW,
    {.name = NULL},
};
static const struct opt_row no_rows[] = {{.name = NULL}};
static const char *const header_aliases[] = {"SimpleHeaderConverter", "Simple", NULL};
const struct converter_ops converter_simple_header = {
    .class_name = "org.apache.kafka.connect.storage.SimpleHeaderConverter",
    .aliases = header_aliases,
    .version = "4.1.1",
    .rows = no_rows,
    .configure = converter_no_state,
    .from_connect = header_from,
    .to_connect = header_to,
    .release = converter_no_release,
};

const struct converter_ops *const connect_converters[] = {
    &converter_json,         &converter_string,
    &converter_byte_array,   &converter_simple_header,
    &converter_short,        &converter_integer,
    &converter_long,         &converter_float,
    &converter_double,       &converter_boolean,
    &converter_binary_data,  &converter_debezium_bytes,
    &converter_cloud_events, NULL,
};
