/* cdc/bson/bson_build.c - see the header. */
#include "cdc/bson/bson_build.h"

#include "base/bytes.h"

static void open_document(struct bson_build *b)
{
    if (b->depth == ARRAY_LEN(b->starts)) {
        b->out.failed = E_TOO_LARGE;
        return;
    }
    b->starts[b->depth++] = b->out.n;
    strbuf_add(&b->out, "\0\0\0\0", 4);
}

void bson_build_init(struct bson_build *b)
{
    strbuf_init(&b->out, 0);
    b->depth = 0;
    open_document(b);
}

void bson_build_release(struct bson_build *b)
{
    strbuf_release(&b->out);
    b->depth = 0;
}

void bson_build_reset(struct bson_build *b)
{
    strbuf_reset(&b->out);
    b->depth = 0;
    open_document(b);
}

enum err bson_build_err(const struct bson_build *b)
{
    return strbuf_err(&b->out);
}

static void close_document(struct bson_build *b)
{
    strbuf_addc(&b->out, 0);
    b->depth--;
    if (b->out.failed)
        return;
    size_t start = b->starts[b->depth];
    store_le32(b->out.p + start, (uint32_t)(b->out.n - start)); /* the ceiling is below 2^31 */
}

struct slice bson_build_finish(struct bson_build *b)
{
    while (b->depth)
        close_document(b);
    return b->out.failed ? SLICE_NULL : strbuf_slice(&b->out);
}

struct slice bson_index(unsigned index, char buf[BSON_INDEX_SIZE])
{
    char *p = buf + BSON_INDEX_SIZE;
    do {
        *--p = (char)('0' + index % 10);
        index /= 10;
    } while (index);
    return slice_of(p, (size_t)(buf + BSON_INDEX_SIZE - p));
}

static void head(struct bson_build *b, enum bson_kind kind, struct slice name)
{
    strbuf_addc(&b->out, (char)kind);
    strbuf_add_slice(&b->out, name);
    strbuf_addc(&b->out, 0);
}

void bson_build_begin(struct bson_build *b, struct slice name, enum bson_kind kind)
{
    head(b, kind, name);
    open_document(b);
}

void bson_build_end(struct bson_build *b)
{
    if (b->depth > 1) /* beyond it only when begin failed */
        close_document(b);
}

void bson_build_raw(struct bson_build *b, struct slice name, enum bson_kind kind, const void *raw,
                    size_t n)
{
    head(b, kind, name);
    strbuf_add(&b->out, raw, n);
}

void bson_build_item(struct bson_build *b, struct slice name, const struct bson_item *i)
{
    bson_build_raw(b, name, i->kind, i->raw.p, i->raw.n);
}

static void add_le32(struct bson_build *b, size_t v)
{
    char bytes[4];
    store_le32(bytes, (uint32_t)v);
    strbuf_add(&b->out, bytes, sizeof bytes);
}

static void add_le64(struct bson_build *b, enum bson_kind kind, struct slice name, uint64_t v)
{
    char bytes[8];
    store_le64(bytes, v);
    bson_build_raw(b, name, kind, bytes, sizeof bytes);
}

void bson_build_text_as(struct bson_build *b, struct slice name, enum bson_kind kind,
                        struct slice text)
{
    head(b, kind, name);
    add_le32(b, text.n + 1);
    strbuf_add_slice(&b->out, text);
    strbuf_addc(&b->out, 0);
}

void bson_build_text(struct bson_build *b, struct slice name, struct slice text)
{
    bson_build_text_as(b, name, BSON_STRING, text);
}

void bson_build_int(struct bson_build *b, struct slice name, int32_t v)
{
    head(b, BSON_INT32, name);
    add_le32(b, (uint32_t)v);
}

void bson_build_long(struct bson_build *b, struct slice name, int64_t v)
{
    add_le64(b, BSON_INT64, name, (uint64_t)v);
}

void bson_build_double(struct bson_build *b, struct slice name, double v)
{
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    add_le64(b, BSON_DOUBLE, name, bits);
}

void bson_build_date(struct bson_build *b, struct slice name, int64_t ms)
{
    add_le64(b, BSON_DATE, name, (uint64_t)ms);
}

void bson_build_bool(struct bson_build *b, struct slice name, bool v)
{
    char byte = v;
    bson_build_raw(b, name, BSON_BOOLEAN, &byte, 1);
}

void bson_build_null(struct bson_build *b, struct slice name)
{
    head(b, BSON_NULL, name);
}

void bson_build_timestamp(struct bson_build *b, struct slice name, uint32_t seconds,
                          uint32_t increment)
{
    add_le64(b, BSON_TIMESTAMP, name, (uint64_t)seconds << 32 | increment);
}

void bson_build_binary(struct bson_build *b, struct slice name, uint8_t subtype, struct slice data)
{
    head(b, BSON_BINARY, name);
    add_le32(b, data.n + (subtype == 2 ? 4 : 0));
    strbuf_addc(&b->out, (char)subtype);
    if (subtype == 2) /* says its length twice */
        add_le32(b, data.n);
    strbuf_add_slice(&b->out, data);
}

void bson_build_regex(struct bson_build *b, struct slice name, struct slice pattern,
                      struct slice options)
{
    head(b, BSON_REGEX, name);
    strbuf_add(&b->out, pattern.p, pattern.n);
    strbuf_addc(&b->out, 0);
    strbuf_add(&b->out, options.p, options.n);
    strbuf_addc(&b->out, 0);
}

void bson_build_pointer(struct bson_build *b, struct slice name, struct slice to, const char id[12])
{
    bson_build_text_as(b, name, BSON_DB_POINTER, to);
    strbuf_add(&b->out, id, 12);
}

void bson_build_scope(struct bson_build *b, struct slice name, struct slice code,
                      struct slice scope)
{
    head(b, BSON_CODE_SCOPE, name);
    add_le32(b, 4 + 4 + code.n + 1 + scope.n);
    add_le32(b, code.n + 1);
    strbuf_add_slice(&b->out, code);
    strbuf_addc(&b->out, 0);
    strbuf_add_slice(&b->out, scope);
}

void bson_build_doc(struct bson_build *b, struct slice name, struct slice doc, enum bson_kind kind)
{
    bson_build_raw(b, name, kind, doc.p, doc.n);
}
