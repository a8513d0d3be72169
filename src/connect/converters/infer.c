/* connect/converters/infer.c - see the header. A text is cut into tokens at the delimiters of lists
 * and maps; one that is no list, map, number, date, true, false or null as far as its first token
 * goes is the string as a whole. */
#include "connect/converters/infer.h"

#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "connect/java_date.h"
#include "connect/javatext.h"

#define DEPTH_MAX 100

struct parser {
    struct slice text;
    size_t at;
    struct arena *a;
    int depth;
};
struct typed { /* schema NULL: null */
    const struct schema *schema;
    struct value value;
};

static bool is_delimiter(char c)
{
    return c == ':' || c == ',' || c == '{' || c == '}' || c == '[' || c == ']' || c == '"';
}

/* One delimiter, or what stands before the next one; n == 0: the end. A backslash keeps a
 * delimiter. */
static struct slice next_token(struct parser *p)
{
    size_t from = p->at;
    bool escaped = false;
    for (; p->at < p->text.n; p->at++) {
        char c = p->text.p[p->at];
        if (c == '\\') {
            escaped = !escaped;
        } else {
            if (is_delimiter(c) && !escaped) {
                if (p->at == from)
                    p->at++;
                break;
            }
            escaped = false;
        }
    }
    return slice_sub(p->text, from, p->at);
}

/* Takes a token that is `want` but for blanks around it. */
static bool take(struct parser *p, const char *want)
{
    size_t from = p->at;
    struct slice token;
    do
        token = next_token(p);
    while (token.n && slice_trim(token).n == 0);
    if (token.n && slice_eq_c(slice_trim(token), want))
        return true;
    p->at = from;
    return false;
}

/* --- numbers and times ------------------------------------------------------------------------ */

static struct typed typed_plain(enum schema_type t, struct value v)
{
    return (struct typed){schema_plain(t, false), v};
}

/* Whole numbers by the smallest type, also when they are written as 1.0 or 1e3. */
static bool whole_number(struct slice unscaled, int32_t scale, int64_t *out)
{
    struct strbuf b = STRBUF_INIT;
    bool ok = unscaled.n <= 16 && scale > -20 && scale < 40;
    strbuf_add_slice(&b, unscaled);
    if (ok && scale != 0)
        ok = java_rescale(&b, scale, 0) == E_OK;
    ok = ok && b.n <= 8;
    int64_t v = ok && b.n && (uint8_t)b.p[0] & 0x80 ? -1 : 0;
    for (size_t i = 0; ok && i < b.n; i++)
        v = (int64_t)((uint64_t)v << 8 | (uint8_t)b.p[i]);
    strbuf_release(&b);
    *out = v;
    return ok;
}

static bool infer_number(struct parser *p, struct slice token, struct typed *out)
{
    struct strbuf unscaled = STRBUF_INIT;
    int32_t scale;
    int64_t v;
    char text[400];
    bool ok = token.n < sizeof text && java_parse_decimal(token, &unscaled, &scale) == E_OK;
    if (!ok) {
        strbuf_release(&unscaled);
        return false;
    }
    if (whole_number(strbuf_slice(&unscaled), scale, &v)) {
        enum schema_type t = v >= INT8_MIN && v <= INT8_MAX     ? SCHEMA_INT8
                             : v >= INT16_MIN && v <= INT16_MAX ? SCHEMA_INT16
                             : v >= INT32_MIN && v <= INT32_MAX ? SCHEMA_INT32
                                                                : SCHEMA_INT64;
        *out = typed_plain(t, value_int(v));
        strbuf_release(&unscaled);
        return true;
    }
    memcpy(text, token.p, token.n);
    text[token.n] = 0;
    float f = strtof(text, NULL);
    double d = strtod(text, NULL);
    if (isfinite(f) && scale != 0) {
        *out = typed_plain(SCHEMA_FLOAT32, value_float(f));
    } else if (isfinite(d) && scale != 0) {
        *out = typed_plain(SCHEMA_FLOAT64, value_double(d));
    } else {
        struct schema_builder *b = schema_builder_new(SCHEMA_BYTES);
        char digits[16];
        snprintf(digits, sizeof digits, "%d", scale);
        schema_builder_name(b, SL("org.apache.kafka.connect.data.Decimal"));
        schema_builder_version(b, 1);
        schema_builder_param(b, SL("scale"), slice_cstr(digits));
        struct slice bytes = arena_dup(p->a, strbuf_slice(&unscaled));
        *out = (struct typed){schema_build(b), value_bytes(bytes)};
    }
    strbuf_release(&unscaled);
    return true;
}

static const struct schema *logical(enum schema_type t, const char *name)
{
    struct schema_builder *b = schema_builder_new(t);
    schema_builder_name(b, slice_cstr(name));
    schema_builder_version(b, 1);
    return schema_build(b);
}

static bool infer_time(struct slice token, struct typed *out)
{
    static const struct {
        size_t n;
        const char *format, *name;
        enum schema_type type;
    } forms[] = {
        {10, "yyyy-MM-dd", "org.apache.kafka.connect.data.Date", SCHEMA_INT32},
        {13, "HH:mm:ss.SSS'Z'", "org.apache.kafka.connect.data.Time", SCHEMA_INT32},
        {24, "yyyy-MM-dd'T'HH:mm:ss.SSS'Z'", "org.apache.kafka.connect.data.Timestamp",
         SCHEMA_INT64},
    };
    for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
        int64_t ms;
        if (token.n != forms[i].n ||
            java_date_parse(slice_cstr(forms[i].format), token, &ms, NULL) != E_OK)
            continue;
        *out = (struct typed){logical(forms[i].type, forms[i].name),
                              value_int(i == 0 ? ms / 86400000 : ms)};
        return true;
    }
    return false;
}

/* --- lists and maps --------------------------------------------------------------------------- */

struct list {
    struct value *v;
    size_t count, cap;
    const struct schema *common; /* of the elements; NULL: none */
};

static void list_add(struct list *l, struct value v)
{
    if (l->count == l->cap) {
        l->cap = l->cap ? 2 * l->cap : 8;
        l->v = xrealloc(l->v, l->cap * sizeof *l->v);
    }
    l->v[l->count++] = v;
}

/* The wider of two number types; NULL: they have nothing in common. Takes over both references. */
static const struct schema *common_schema(const struct schema *a, const struct schema *b)
{
    if (!a || !b)
        return a ? a : b;
    bool numbers =
        a->type <= SCHEMA_FLOAT64 && b->type <= SCHEMA_FLOAT64 && !a->name.p && !b->name.p;
    const struct schema *kept = schema_eq(a, b) ? a : !numbers ? NULL : a->type >= b->type ? a : b;
    if (kept != a)
        schema_unref(a);
    if (kept != b || a == b)
        schema_unref(b);
    return kept;
}

/* Moves the values into the arena and frees the list. False without memory. */
static bool list_values(struct list *l, struct arena *a, struct value **out)
{
    *out = arena_try_alloc(a, (l->count + 1) * sizeof **out);
    if (*out && l->count)
        memcpy(*out, l->v, l->count * sizeof **out);
    mem_free(l->v);
    return *out != NULL;
}

static bool infer_element(struct parser *p, struct typed *out);

static bool infer_list(struct parser *p, struct typed *out)
{
    struct list l = {0};
    bool ok = true, closed = take(p, "]");
    while (ok && !closed) {
        struct typed t;
        ok = infer_element(p, &t);
        if (!ok)
            break;
        l.common = common_schema(l.common, t.schema);
        list_add(&l, t.value);
        closed = take(p, "]");
        ok = closed || take(p, ",");
    }
    struct value *v;
    if (!list_values(&l, p->a, &v) || !ok) {
        schema_unref(l.common);
        return false;
    }
    struct schema_builder *b = schema_builder_new(SCHEMA_ARRAY);
    schema_builder_element(b, NULL, l.common);
    *out = (struct typed){schema_build(b), {.kind = VALUE_ARRAY, .n = (uint32_t)l.count, .u.v = v}};
    return true;
}

static bool infer_map(struct parser *p, struct typed *out)
{
    struct list l = {0};
    const struct schema *keys = NULL;
    bool ok = true, closed = take(p, "}");
    while (ok && !closed) {
        struct typed k, v;
        ok = infer_element(p, &k) && k.schema != NULL;
        if (!ok)
            break;
        keys = common_schema(keys, k.schema);
        ok = take(p, ":") && infer_element(p, &v);
        if (!ok)
            break;
        l.common = common_schema(l.common, v.schema);
        list_add(&l, k.value);
        list_add(&l, v.value);
        closed = take(p, "}");
        ok = closed || take(p, ",");
    }
    struct value *v;
    if (!list_values(&l, p->a, &v) || !ok) {
        schema_unref(keys);
        schema_unref(l.common);
        return false;
    }
    struct schema_builder *b = schema_builder_new(SCHEMA_MAP);
    schema_builder_element(b, keys, l.common);
    *out =
        (struct typed){schema_build(b), {.kind = VALUE_MAP, .n = (uint32_t)l.count / 2, .u.v = v}};
    return true;
}

/* Between quotes, behind the first of them; \" and \\ are resolved. */
static bool quoted(struct parser *p, struct typed *out)
{
    struct strbuf b = STRBUF_INIT;
    for (; p->at < p->text.n && p->text.p[p->at] != '"'; p->at++) {
        if (p->text.p[p->at] == '\\' && p->at + 1 < p->text.n)
            p->at++;
        strbuf_addc(&b, p->text.p[p->at]);
    }
    bool closed = p->at < p->text.n;
    p->at++;
    *out = typed_plain(SCHEMA_STRING, value_string(arena_dup(p->a, strbuf_slice(&b))));
    if (b.n == 0)
        out->value = value_string(SL(""));
    strbuf_release(&b);
    return closed;
}

/* --- the whole -------------------------------------------------------------------------------- */

/* What can be told without looking at the text as a whole. */
static bool infer_part(struct parser *p, struct typed *out)
{
    size_t from = p->at;
    *out = (struct typed){NULL, value_null()};
    if (take(p, "null"))
        return true;
    bool truth = take(p, "true");
    if (truth || take(p, "false")) {
        *out = typed_plain(SCHEMA_BOOLEAN, value_bool(truth));
        return true;
    }
    if (p->depth < DEPTH_MAX) {
        p->depth++;
        bool ok = (take(p, "[") && infer_list(p, out));
        if (!ok) {
            p->at = from;
            ok = take(p, "{") && infer_map(p, out);
        }
        p->depth--;
        if (ok)
            return true;
        p->at = from;
    }
    struct slice token = slice_trim(next_token(p));
    if (!token.n)
        return false;
    char c = token.p[0];
    bool digit = c >= '0' && c <= '9';
    if (digit) {
        /* a time has colons, at which tokens end: it takes five of them */
        size_t one = p->at;
        for (int i = 0; i < 4; i++)
            next_token(p);
        if (infer_time(slice_trim(slice_sub(p->text, from, p->at)), out))
            return true;
        p->at = one;
        if (infer_time(token, out))
            return true;
    }
    return (digit || c == '+' || c == '-') && infer_number(p, token, out);
}

static bool infer_element(struct parser *p, struct typed *out)
{
    return take(p, "\"") ? quoted(p, out) : infer_part(p, out);
}

struct value infer_value(struct slice text, struct arena *a, const struct schema **schema)
{
    struct parser p = {.text = text, .a = a};
    struct typed out;
    if (text.n == 0 || !infer_part(&p, &out))
        out = typed_plain(SCHEMA_STRING, value_string(text.p ? arena_dup(a, text) : SL("")));
    *schema = out.schema;
    return out.value;
}
