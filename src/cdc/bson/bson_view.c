/* cdc/bson/bson_view.c - see the header. bson_check is the only place that meets bytes nobody
 * looked at: it knows where each open document ends (a stack, no recursion) and never reads at or
 * behind that end. All the rest relies on it:
 *   1. a document's size is right, its last byte is 0 and no member crosses it;
 *   2. names, patterns and options end with a 0 inside their document;
 *   3. texts are as long as they say and have a 0 behind them;
 *   4. booleans are 0 or 1; only the kinds of enum bson_kind occur. */
#include "cdc/bson/bson_view.h"

#include <math.h>

#include "base/bytes.h"

static inline size_t length_at(const char *p) /* checked before: not negative */
{
    return load_le32(p);
}

/* Of the kinds that always have the same size; 0 for the others. */
static inline size_t fixed_size(enum bson_kind kind)
{
    switch (kind) {
    case BSON_DOUBLE:
    case BSON_DATE:
    case BSON_TIMESTAMP:
    case BSON_INT64:
        return 8;
    case BSON_OBJECT_ID:
        return 12;
    case BSON_BOOLEAN:
        return 1;
    case BSON_INT32:
        return 4;
    case BSON_DECIMAL128:
        return 16;
    default:
        return 0;
    }
}

/* Bytes of a member's value, in a document that was checked. */
static inline size_t value_size(enum bson_kind kind, const char *p)
{
    switch (kind) {
    case BSON_STRING:
    case BSON_CODE:
    case BSON_SYMBOL:
        return 4 + length_at(p);
    case BSON_DOCUMENT:
    case BSON_ARRAY:
    case BSON_CODE_SCOPE:
        return length_at(p);
    case BSON_BINARY:
        return 5 + length_at(p);
    case BSON_REGEX: {
        size_t pattern = strlen(p) + 1;
        return pattern + strlen(p + pattern) + 1;
    }
    case BSON_DB_POINTER:
        return 4 + length_at(p) + 12;
    default:
        return fixed_size(kind);
    }
}

/* --- the check -------------------------------------------------------------------------------- */

struct check {
    const char *start, *at;
    const char *ends[BSON_DEPTH_MAX + 1]; /* of the open documents: the position of their last 0 */
    unsigned depth;
    struct error *e;
};

static enum err broken(struct check *c, const char *what)
{
    return error_set(c->e, E_CORRUPT, "broken document at byte %zu: %s", (size_t)(c->at - c->start),
                     what);
}

/* A document begins at c->at and has to end before end (exactly: at it). */
static enum err open_document(struct check *c, const char *end, bool exactly)
{
    size_t left = (size_t)(end - c->at);
    if (left < 5)
        return broken(c, "a document is cut off");
    uint32_t size = load_le32(c->at);
    if (size < 5 || size > left || (exactly && size != left))
        return broken(c, "wrong size of a document");
    if (c->at[size - 1])
        return broken(c, "a document does not end with 0");
    if (c->depth == ARRAY_LEN(c->ends))
        return broken(c, "documents are nested too deeply");
    c->ends[c->depth++] = c->at + size - 1;
    c->at += 4;
    return E_OK;
}

/* At c->at: a length of text, the text, a 0. */
static enum err skip_text(struct check *c, const char *end)
{
    size_t left = (size_t)(end - c->at);
    if (left < 5)
        return broken(c, "a text is cut off");
    uint32_t n = load_le32(c->at);
    if (n < 1 || n > left - 4)
        return broken(c, "wrong length of a text");
    if (c->at[4 + n - 1])
        return broken(c, "a text does not end with 0");
    c->at += 4 + n;
    return E_OK;
}

static enum err skip_cstr(struct check *c, const char *end, const char *what)
{
    const char *zero = memchr(c->at, 0, (size_t)(end - c->at));
    if (!zero)
        return broken(c, what);
    c->at = zero + 1;
    return E_OK;
}

static enum err skip_bytes(struct check *c, const char *end, size_t n)
{
    if ((size_t)(end - c->at) < n)
        return broken(c, "a value is cut off");
    c->at += n;
    return E_OK;
}

static enum err check_scope(struct check *c, const char *end)
{
    if (end - c->at < 4)
        return broken(c, "code is cut off");
    uint32_t size = load_le32(c->at);
    if (size < 14 || size > (size_t)(end - c->at))
        return broken(c, "wrong size of code");
    const char *code_end = c->at + size;
    c->at += 4;
    enum err err = skip_text(c, code_end);
    return err ? err : open_document(c, code_end, true);
}

static enum err check_value(struct check *c, uint8_t kind, const char *end)
{
    enum err err;
    switch (kind) {
    case BSON_STRING:
    case BSON_CODE:
    case BSON_SYMBOL:
        return skip_text(c, end);
    case BSON_DOCUMENT:
    case BSON_ARRAY:
        return open_document(c, end, false);
    case BSON_CODE_SCOPE:
        return check_scope(c, end);
    case BSON_BINARY: {
        size_t left = (size_t)(end - c->at);
        if (left < 5 || load_le32(c->at) > left - 5)
            return broken(c, "wrong length of binary data");
        c->at += 5 + load_le32(c->at);
        return E_OK;
    }
    case BSON_BOOLEAN:
        if (c->at < end && (uint8_t)*c->at > 1)
            return broken(c, "a boolean is neither 0 nor 1");
        return skip_bytes(c, end, 1);
    case BSON_REGEX:
        err = skip_cstr(c, end, "a pattern has no end");
        return err ? err : skip_cstr(c, end, "a pattern's options have no end");
    case BSON_DB_POINTER:
        err = skip_text(c, end);
        return err ? err : skip_bytes(c, end, 12);
    case BSON_DOUBLE:
    case BSON_DATE:
    case BSON_TIMESTAMP:
    case BSON_INT64:
    case BSON_OBJECT_ID:
    case BSON_INT32:
    case BSON_DECIMAL128:
        return skip_bytes(c, end, fixed_size((enum bson_kind)kind));
    case BSON_UNDEFINED:
    case BSON_NULL:
    case BSON_MIN_KEY:
    case BSON_MAX_KEY:
        return E_OK;
    default:
        c->at--;
        return broken(c, "a kind of value that is not known");
    }
}

enum err bson_check(struct slice doc, struct error *e)
{
    struct check c = {.start = doc.p, .at = doc.p, .e = e};
    enum err err = doc.p ? open_document(&c, doc.p + doc.n, true) : broken(&c, "no document");
    while (!err && c.depth) {
        const char *end = c.ends[c.depth - 1];
        if (c.at == end) { /* its last 0 */
            c.at++;
            c.depth--;
            continue;
        }
        uint8_t kind = (uint8_t)*c.at++;
        err = skip_cstr(&c, end, "a name has no end");
        if (!err)
            err = check_value(&c, kind, end);
    }
    return err;
}

/* --- reading ---------------------------------------------------------------------------------- */

void bson_walk_init(struct bson_walk *w, struct slice doc)
{
    if (UNLIKELY(!doc.p)) {
        *w = (struct bson_walk){0};
        return;
    }
    w->at = doc.p + 4;
    w->end = doc.p + doc.n - 1;
}

bool bson_walk_next(struct bson_walk *w, struct bson_item *out)
{
    if (w->at >= w->end)
        return false;
    out->kind = (enum bson_kind)(uint8_t)*w->at++;
    out->name = slice_of(w->at, strlen(w->at));
    const char *value = w->at + out->name.n + 1;
    out->raw = slice_of(value, value_size(out->kind, value));
    w->at = value + out->raw.n;
    return true;
}

bool bson_find(struct slice doc, struct slice name, struct bson_item *out)
{
    struct bson_walk w;
    bson_walk_init(&w, doc);
    while (bson_walk_next(&w, out))
        if (slice_eq(out->name, name))
            return true;
    return false;
}

static int64_t cut(double v)
{
    if (isnan(v))
        return 0;
    if (v >= 0x1p63)
        return INT64_MAX;
    return v <= -0x1p63 ? INT64_MIN : (int64_t)v;
}

int64_t bson_int(const struct bson_item *i)
{
    switch (i->kind) {
    case BSON_INT32:
        return (int32_t)load_le32(i->raw.p);
    case BSON_INT64:
    case BSON_DATE:
        return (int64_t)load_le64(i->raw.p);
    case BSON_BOOLEAN:
        return *i->raw.p;
    case BSON_DOUBLE:
        return cut(bson_double(i));
    default:
        return 0;
    }
}

double bson_double(const struct bson_item *i)
{
    if (i->kind == BSON_DOUBLE) {
        uint64_t bits = load_le64(i->raw.p);
        double v;
        memcpy(&v, &bits, sizeof v);
        return v;
    }
    return i->kind == BSON_INT32 || i->kind == BSON_INT64 ? (double)bson_int(i) : 0;
}

struct slice bson_text(const struct bson_item *i)
{
    if (i->kind != BSON_STRING && i->kind != BSON_SYMBOL && i->kind != BSON_CODE)
        return SLICE_NULL;
    return slice_of(i->raw.p + 4, i->raw.n - 5);
}

struct slice bson_doc(const struct bson_item *i)
{
    return i->kind == BSON_DOCUMENT || i->kind == BSON_ARRAY ? i->raw : SLICE_NULL;
}

void bson_timestamp(const struct bson_item *i, uint32_t *seconds, uint32_t *increment)
{
    bool is = i->kind == BSON_TIMESTAMP;
    *increment = is ? load_le32(i->raw.p) : 0;
    *seconds = is ? load_le32(i->raw.p + 4) : 0;
}

struct slice bson_binary(const struct bson_item *i, uint8_t *subtype)
{
    if (i->kind != BSON_BINARY) {
        *subtype = 0;
        return SLICE_NULL;
    }
    *subtype = (uint8_t)i->raw.p[4];
    struct slice data = slice_of(i->raw.p + 5, i->raw.n - 5);
    if (*subtype == 2 && data.n >= 4 && load_le32(data.p) == data.n - 4) /* says its length twice */
        data = slice_of(data.p + 4, data.n - 4);
    return data;
}

void bson_regex(const struct bson_item *i, struct slice *pattern, struct slice *options)
{
    *pattern = *options = SLICE_NULL;
    if (i->kind != BSON_REGEX)
        return;
    *pattern = slice_of(i->raw.p, strlen(i->raw.p));
    *options = slice_of(i->raw.p + pattern->n + 1, i->raw.n - pattern->n - 2);
}

void bson_scope(const struct bson_item *i, struct slice *code, struct slice *scope)
{
    *code = *scope = SLICE_NULL;
    if (i->kind != BSON_CODE_SCOPE)
        return;
    *code = slice_of(i->raw.p + 8, length_at(i->raw.p + 4) - 1);
    const char *doc = code->p + code->n + 1;
    *scope = slice_of(doc, i->raw.n - (size_t)(doc - i->raw.p));
}
