/* cdc/bson/bson_json.c - see the header. On the capture path: one pass over the document, room
 * asked for per member, nothing allocated but the buffer. The walk is compiled twice: as plain JSON
 * and as the inside of a JSON string (`esc` is a constant in each), so that no text is gone through
 * again. */
#include "cdc/bson/bson_json.h"

#include <math.h>

#include "base/bytes.h"
#include "base/civil.h"
#include "base/json.h"
#include "cdc/bson/bson_decimal.h"
#include "cdc/bson/bson_out.h"
#include "cdc/bson/bson_pretty.h"
#include "connect/javatext.h"

static bool text_plain(struct out *o, struct slice s)
{
    return put_text(o, s, false);
}

static bool text_escaped(struct out *o, struct slice s)
{
    return put_text(o, s, true);
}

#define TEXT(s) (esc ? text_escaped(o, s) : text_plain(o, s))

/* --- values ----------------------------------------------------------------------------------- */

static void put_number(struct out *o, double v)
{
    sync_buffer(o);
    json_add_double(o->b, v); /* there is room */
    take_buffer(o);
}

#define DOUBLE_OPEN(q) "{" q "$numberDouble" q ": " q
static ALWAYS_INLINE void put_double(struct out *o, double v, bool esc)
{
    bool wrapped = o->mode == BSON_JSON_EXTENDED || (o->mode == BSON_JSON_RELAXED && !isfinite(v));
    if (wrapped)
        PUT(DOUBLE_OPEN);
    put_number(o, v);
    if (wrapped)
        PUT(QUOTE_CLOSE);
}

#define INT_OPEN(q) "{" q "$numberInt" q ": " q
#define LONG_OPEN(q) "{" q "$numberLong" q ": " q
static ALWAYS_INLINE void put_int(struct out *o, int32_t v, bool esc)
{
    if (o->mode == BSON_JSON_EXTENDED)
        PUT(INT_OPEN);
    o->p = java_write_i64(o->p, v);
    if (o->mode == BSON_JSON_EXTENDED)
        PUT(QUOTE_CLOSE);
}
static ALWAYS_INLINE void put_long(struct out *o, int64_t v, bool esc)
{
    if (o->mode != BSON_JSON_RELAXED)
        PUT(LONG_OPEN);
    o->p = java_write_i64(o->p, v);
    if (o->mode != BSON_JSON_RELAXED)
        PUT(QUOTE_CLOSE);
}

static void put_padded(struct out *o, unsigned v, int digits)
{
    for (int i = digits - 1; i >= 0; i--, v /= 10)
        o->p[i] = (char)('0' + v % 10);
    o->p += digits;
}

/* 2017-07-19T10:37:12.31Z, of years 1970 to 9999. */
static void put_instant(struct out *o, int64_t ms)
{
    unsigned day = (unsigned)(ms / 86400000), of_day = (unsigned)(ms % 86400000);
    struct civil_day d = civil_of_days_from_1970(day);
    put_padded(o, (unsigned)d.year, 4);
    *o->p++ = '-';
    put_padded(o, (unsigned)d.month, 2);
    *o->p++ = '-';
    put_padded(o, (unsigned)d.day, 2);
    *o->p++ = 'T';
    put_padded(o, of_day / 3600000, 2);
    *o->p++ = ':';
    put_padded(o, of_day / 60000 % 60, 2);
    *o->p++ = ':';
    put_padded(o, of_day / 1000 % 60, 2);
    unsigned fraction = of_day % 1000;
    if (fraction) {
        *o->p++ = '.';
        put_padded(o, fraction, 3);
        while (o->p[-1] == '0')
            o->p--;
    }
    *o->p++ = 'Z';
}

#define DATE_OPEN(q) "{" q "$date" q ": "
#define DATE_LONG_OPEN(q) "{" q "$date" q ": {" q "$numberLong" q ": " q
#define DATE_LAST INT64_C(253402300799999) /* the last moment of the year 9999 */
static ALWAYS_INLINE void put_date(struct out *o, int64_t ms, bool esc)
{
    if (o->mode == BSON_JSON_STRICT) {
        PUT(DATE_OPEN);
        o->p = java_write_i64(o->p, ms);
        *o->p++ = '}';
    } else if (o->mode == BSON_JSON_RELAXED && ms >= 0 && ms <= DATE_LAST) {
        PUT(DATE_OPEN);
        PUT(QUOTE);
        put_instant(o, ms);
        PUT(QUOTE_CLOSE);
    } else {
        PUT(DATE_LONG_OPEN);
        o->p = java_write_i64(o->p, ms);
        PUT(QUOTE_CLOSE_TWICE);
    }
}

static ALWAYS_INLINE void put_hex(struct out *o, const char *s, size_t n, const char *digits)
{
    for (size_t i = 0; i < n; i++) {
        *o->p++ = digits[(unsigned char)s[i] >> 4];
        *o->p++ = digits[(unsigned char)s[i] & 15];
    }
}

#define OID_OPEN(q) "{" q "$oid" q ": " q
static ALWAYS_INLINE void put_oid(struct out *o, const char *bytes, bool esc)
{
    PUT(OID_OPEN);
    put_hex(o, bytes, 12, "0123456789abcdef");
    PUT(QUOTE_CLOSE);
}

#define BINARY_OPEN(q) "{" q "$binary" q ": {" q "base64" q ": " q
#define BINARY_SUBTYPE(q) q "subType" q ": " q
#define BINARY_OPEN_OLD(q) "{" q "$binary" q ": " q
#define BINARY_TYPE_OLD(q) q "$type" q ": " q
static ALWAYS_INLINE bool put_binary(struct out *o, const struct bson_item *i, bool esc)
{
    uint8_t subtype;
    struct slice data = bson_binary(i, &subtype);
    bool old = o->mode == BSON_JSON_STRICT;
    if (!need(o, data.n / 3 * 4 + ROOM))
        return false;
    if (old)
        PUT(BINARY_OPEN_OLD);
    else
        PUT(BINARY_OPEN);
    o->p = json_write_base64(o->p, (const uint8_t *)data.p, data.n);
    PUT(QUOTE);
    put_comma(o);
    if (old)
        PUT(BINARY_TYPE_OLD);
    else
        PUT(BINARY_SUBTYPE);
    put_hex(o, (const char *)&subtype, 1, "0123456789ABCDEF");
    if (old)
        PUT(QUOTE_CLOSE);
    else
        PUT(QUOTE_CLOSE_TWICE);
    return true;
}

/* As Java sorts them; those that the server knows are letters. */
static struct slice sorted(struct slice options, char buf[16])
{
    if (options.n > 16 || !bytes_are_ascii(options.p, options.n))
        return options;
    for (size_t i = 0; i < options.n; i++) {
        size_t k = i;
        for (; k && buf[k - 1] > options.p[i]; k--)
            buf[k] = buf[k - 1];
        buf[k] = options.p[i];
    }
    return slice_of(buf, options.n);
}

#define REGEX_OPEN(q) "{" q "$regularExpression" q ": {" q "pattern" q ": "
#define REGEX_OPTIONS(q) q "options" q ": "
#define REGEX_OPEN_OLD(q) "{" q "$regex" q ": "
#define REGEX_OPTIONS_OLD(q) q "$options" q ": "
static ALWAYS_INLINE bool put_regex(struct out *o, const struct bson_item *i, bool esc)
{
    struct slice pattern, options;
    char buf[16];
    bson_regex(i, &pattern, &options);
    bool old = o->mode == BSON_JSON_STRICT;
    if (old)
        PUT(REGEX_OPEN_OLD);
    else
        PUT(REGEX_OPEN);
    if (!TEXT(pattern))
        return false;
    put_comma(o);
    if (old)
        PUT(REGEX_OPTIONS_OLD);
    else
        PUT(REGEX_OPTIONS);
    if (!TEXT(sorted(options, buf)))
        return false;
    put(o, "}}", old ? 1 : 2);
    return true;
}

#define POINTER_OPEN(q) "{" q "$dbPointer" q ": {" q "$ref" q ": "
#define POINTER_OPEN_OLD(q) "{" q "$ref" q ": "
#define POINTER_ID(q) q "$id" q ": "
static ALWAYS_INLINE bool put_pointer(struct out *o, const struct bson_item *i, bool esc)
{
    bool wrapped = o->mode == BSON_JSON_EXTENDED;
    if (wrapped)
        PUT(POINTER_OPEN);
    else
        PUT(POINTER_OPEN_OLD);
    if (!TEXT(slice_of(i->raw.p + 4, i->raw.n - 4 - 1 - 12)))
        return false;
    put_comma(o);
    PUT(POINTER_ID);
    put_oid(o, i->raw.p + i->raw.n - 12, esc);
    put(o, "}}", wrapped ? 2 : 1);
    return true;
}

#define TIMESTAMP_OPEN(q) "{" q "$timestamp" q ": {" q "t" q ": "
#define TIMESTAMP_I(q) q "i" q ": "
static ALWAYS_INLINE void put_timestamp(struct out *o, const struct bson_item *i, bool esc)
{
    uint32_t seconds, increment;
    bson_timestamp(i, &seconds, &increment);
    PUT(TIMESTAMP_OPEN);
    o->p = java_write_i64(o->p, seconds);
    put_comma(o);
    PUT(TIMESTAMP_I);
    o->p = java_write_i64(o->p, increment);
    put(o, "}}", 2);
}

#define DECIMAL_OPEN(q) "{" q "$numberDecimal" q ": " q
#define CODE_OPEN(q) "{" q "$code" q ": "
#define SYMBOL_OPEN(q) "{" q "$symbol" q ": "
#define SCOPE(q) q "$scope" q ": "
#define UNDEFINED(q) "{" q "$undefined" q ": true}"
#define MIN_KEY(q) "{" q "$minKey" q ": 1}"
#define MAX_KEY(q) "{" q "$maxKey" q ": 1}"
#define CLOSE(q) "}"

static bool members_plain(struct out *o, struct slice doc, bool array);
static bool members_escaped(struct out *o, struct slice doc, bool array);
#define MEMBERS(doc, array) (esc ? members_escaped(o, doc, array) : members_plain(o, doc, array))

static ALWAYS_INLINE bool put_scope(struct out *o, const struct bson_item *i, bool esc)
{
    struct slice code, scope;
    bson_scope(i, &code, &scope);
    PUT(CODE_OPEN);
    if (!TEXT(code))
        return false;
    put_comma(o);
    PUT(SCOPE);
    if (!MEMBERS(scope, false))
        return false;
    *o->p++ = '}';
    return true;
}

/* There is ROOM; a bit of it is left. */
static ALWAYS_INLINE bool put_value(struct out *o, const struct bson_item *i, bool esc)
{
    switch (i->kind) {
    case BSON_DOUBLE:
        put_double(o, bson_double(i), esc);
        return true;
    case BSON_STRING:
        return TEXT(bson_text(i));
    case BSON_DOCUMENT:
        return MEMBERS(i->raw, false);
    case BSON_ARRAY:
        return MEMBERS(i->raw, true);
    case BSON_BINARY:
        return put_binary(o, i, esc);
    case BSON_UNDEFINED:
        PUT(UNDEFINED);
        return true;
    case BSON_OBJECT_ID:
        put_oid(o, i->raw.p, esc);
        return true;
    case BSON_BOOLEAN:
        put(o, *i->raw.p ? "true" : "false", *i->raw.p ? 4 : 5);
        return true;
    case BSON_DATE:
        put_date(o, (int64_t)load_le64(i->raw.p), esc);
        return true;
    case BSON_NULL:
        put(o, "null", 4);
        return true;
    case BSON_REGEX:
        return put_regex(o, i, esc);
    case BSON_DB_POINTER:
        return put_pointer(o, i, esc);
    case BSON_CODE:
    case BSON_SYMBOL:
        if (i->kind == BSON_CODE)
            PUT(CODE_OPEN);
        else
            PUT(SYMBOL_OPEN);
        if (!TEXT(bson_text(i)))
            return false;
        *o->p++ = '}';
        return true;
    case BSON_CODE_SCOPE:
        return put_scope(o, i, esc);
    case BSON_INT32:
        put_int(o, (int32_t)load_le32(i->raw.p), esc);
        return true;
    case BSON_TIMESTAMP:
        put_timestamp(o, i, esc);
        return true;
    case BSON_INT64:
        put_long(o, (int64_t)load_le64(i->raw.p), esc);
        return true;
    case BSON_DECIMAL128:
        PUT(DECIMAL_OPEN);
        o->p = bson_decimal_write(o->p, i->raw.p);
        PUT(QUOTE_CLOSE);
        return true;
    case BSON_MIN_KEY:
        PUT(MIN_KEY);
        return true;
    case BSON_MAX_KEY:
        PUT(MAX_KEY);
        return true;
    }
    return true;
}

static ALWAYS_INLINE bool put_members(struct out *o, struct slice doc, bool array, bool esc)
{
    struct bson_walk w;
    struct bson_item i;
    bson_walk_init(&w, doc);
    *o->p++ = array ? '[' : '{';
    for (bool first = true; bson_walk_next(&w, &i); first = false) {
        if (!need(o, ROOM))
            return false;
        if (!first)
            put_comma(o);
        if (!array) {
            if (!TEXT(i.name))
                return false;
            put(o, ": ", 2);
        }
        if (!put_value(o, &i, esc))
            return false;
    }
    if (!need(o, ROOM))
        return false;
    *o->p++ = array ? ']' : '}';
    return true;
}

static __attribute__((noinline)) bool members_plain(struct out *o, struct slice doc, bool array)
{
    return put_members(o, doc, array, false);
}

static __attribute__((noinline)) bool members_escaped(struct out *o, struct slice doc, bool array)
{
    return put_members(o, doc, array, true);
}

/* --- entry ------------------------------------------------------------------------------------ */

static struct out begin(struct strbuf *b, struct bson_json_form f)
{
    struct out o = {.b = b, .mode = f.mode, .spaced = f.space == BSON_JSON_SPACED};
    take_buffer(&o);
    return o;
}

static void end(struct out *o)
{
    sync_buffer(o);
    if (o->b->cap)
        o->b->p[o->b->n] = 0;
}

void bson_json_print_item(const struct bson_item *i, struct bson_json_form f, struct strbuf *out)
{
    if (f.space == BSON_JSON_PRETTY) {
        bson_print_pretty(i, f.mode, false, out);
        return;
    }
    struct out o = begin(out, f);
    if (need(&o, ROOM))
        (void)put_value(&o, i, false);
    end(&o);
}

void bson_json_print(struct slice doc, struct bson_json_form f, struct strbuf *out)
{
    struct bson_item i = {BSON_DOCUMENT, SLICE_NULL, doc};
    bson_json_print_item(&i, f, out);
}

void bson_json_print_item_escaped(const struct bson_item *i, struct bson_json_form f,
                                  struct strbuf *out)
{
    if (f.space == BSON_JSON_PRETTY) {
        bson_print_pretty(i, f.mode, true, out);
        return;
    }
    struct out o = begin(out, f);
    if (need(&o, ROOM))
        (void)put_value(&o, i, true);
    end(&o);
}

void bson_json_print_escaped(struct slice doc, struct bson_json_form f, struct strbuf *out)
{
    struct bson_item i = {BSON_DOCUMENT, SLICE_NULL, doc};
    bson_json_print_item_escaped(&i, f, out);
}
