/* cdc/mysql/json_binary.c - binary JSON to text, one walk without a tree.
 *
 * A container: count and byte size (16 bits, or 32 in the large form), for objects a key entry each
 * (offset, length), a value entry each (type, offset or the value itself), then keys and values.
 * All offsets count from the start of the container; each is checked against its size. Overlapping
 * containers could make little input into much text: the output has a ceiling of its buffer, and a
 * budget of nodes per byte of input. SPEC: cdc-mysql 4.2, 6.2. */
#include "cdc/mysql/json_binary.h"

#include <math.h>

#include "base/bytes.h"
#include "base/json.h"
#include "cdc/mysql/decimal.h"

#include "cdc/mysql/json_binary_int.h"

enum err json_bad(const struct walk *w, const char *what)
{
    return error_set(w->e, E_CORRUPT, "binary JSON is damaged: %s", what);
}

/* --- scalars -------------------------------------------------------------------------------- */

void mysql_json_double(double d, struct strbuf *out)
{
    double a = fabs(d);
    char buf[1408]; /* 309 digits, a point, 1074 digits */

    if (d == 0) {
        strbuf_adds(out, signbit(d) ? "-0.0" : "0.0");
    } else if (!isfinite(d)) {
        strbuf_adds(out, "null"); /* cannot be in a JSON column */
    } else if (a >= 1e-3 && a < 1e7) {
        json_add_double(out, d); /* without an exponent in this range */
    } else { /* the exact binary value: BigDecimal's digits, without trailing zeros */
        int n = snprintf(buf, sizeof buf, "%.1074f", d);
        while (n > 0 && n < (int)sizeof buf && buf[n - 1] == '0')
            n--;
        if (n > 0 && buf[n - 1] == '.')
            n--;
        strbuf_add(out, buf, (size_t)n);
    }
}

static void fraction_text(uint32_t micros, struct strbuf *out)
{
    char buf[8];
    size_t n = 7;

    if (micros == 0)
        return;
    snprintf(buf, sizeof buf, ".%06u", micros % 1000000);
    while (buf[n - 1] == '0')
        n--;
    strbuf_add(out, buf, n);
}

/* Packed form: DATETIME and TIMESTAMP (year * 13 + month) << 22 ..., TIME hours << 12 ..., 24 bits
 * of fraction. */
static void temporal_text(uint8_t type, int64_t packed, struct strbuf *out)
{
    bool negative = packed < 0;
    uint64_t v = negative ? -(uint64_t)packed : (uint64_t)packed;
    uint32_t micros = (uint32_t)(v & 0xFFFFFF);
    uint64_t whole = v >> 24;
    unsigned second = whole & 63, minute = whole >> 6 & 63;

    strbuf_addc(out, '"');
    if (type == 11) { /* TIME */
        strbuf_addf(out, "%s%02u:%02u:%02u", negative ? "-" : "", (unsigned)(whole >> 12 & 0x3FF),
                    minute, second);
    } else {
        unsigned day = whole >> 17 & 31, year_month = whole >> 22 & 0x1FFFF;
        strbuf_addf(out, "%04u-%02u-%02u", year_month / 13, year_month % 13, day);
        if (type != 10) /* DATE */
            strbuf_addf(out, " %02u:%02u:%02u", (unsigned)(whole >> 12 & 31), minute, second);
    }
    if (type != 10)
        fraction_text(micros, out);
    strbuf_addc(out, '"');
}

/* Lengths of strings and opaque values: 7 bits a byte, low first, at most 5 bytes. */
static uint64_t length(struct reader *r)
{
    uint64_t v = 0;

    for (unsigned shift = 0; shift < 35; shift += 7) {
        uint8_t b = read_u8(r);
        v |= (uint64_t)(b & 0x7F) << shift;
        if (!(b & 0x80))
            return v;
    }
    reader_fail(r, E_CORRUPT);
    return 0;
}

static enum err opaque(struct walk *w, struct slice data)
{
    struct reader r = reader_of(data.p, data.n);
    uint8_t type = read_u8(&r);
    struct slice v = read_slice(&r, length(&r));
    char text[DECIMAL_TEXT_MAX];
    size_t n;

    if (r.err)
        return json_bad(w, "an opaque value is cut off");
    switch (type) {
    case 246: /* NEWDECIMAL: precision, scale, digits */
        if (v.n < 2 || decimal_text((const uint8_t *)v.p + 2, v.n - 2, (uint8_t)v.p[0],
                                    (uint8_t)v.p[1], text, &n) != E_OK)
            return json_bad(w, "a decimal");
        strbuf_add(w->out, text, n);
        break;
    case 7:  /* TIMESTAMP */
    case 10: /* DATE */
    case 11: /* TIME */
    case 12: /* DATETIME */
        if (v.n != 8)
            return json_bad(w, "a date or time");
        temporal_text(type, (int64_t)load_le64(v.p), w->out);
        break;
    default:
        strbuf_addc(w->out, '"');
        base64_encode(w->out, v);
        strbuf_addc(w->out, '"');
        break;
    }
    return E_OK;
}

static enum err scalar(struct walk *w, uint8_t type, struct slice data)
{
    struct reader r = reader_of(data.p, data.n);
    struct slice s;
    double d;
    uint64_t bits;

    switch (type) {
    case J_LITERAL: {
        uint8_t which = read_u8(&r);
        if (r.err || which > 2)
            return json_bad(w, "a literal");
        strbuf_adds(w->out, which == 0 ? "null" : which == 1 ? "true" : "false");
        return E_OK;
    }
    case J_INT16:
        strbuf_add_i64(w->out, (int16_t)read_le16(&r));
        break;
    case J_UINT16:
        strbuf_add_u64(w->out, read_le16(&r));
        break;
    case J_INT32:
        strbuf_add_i64(w->out, (int32_t)read_le32(&r));
        break;
    case J_UINT32:
        strbuf_add_u64(w->out, read_le32(&r));
        break;
    case J_INT64:
        strbuf_add_i64(w->out, (int64_t)read_le64(&r));
        break;
    case J_UINT64:
        strbuf_add_u64(w->out, read_le64(&r));
        break;
    case J_DOUBLE:
        bits = read_le64(&r);
        memcpy(&d, &bits, sizeof d);
        if (!r.err)
            mysql_json_double(d, w->out);
        break;
    case J_STRING:
        s = read_slice(&r, length(&r));
        if (!r.err)
            json_add_string(w->out, s);
        break;
    case J_OPAQUE:
        return opaque(w, data);
    default:
        return json_bad(w, "a type that is not known");
    }
    return r.err ? json_bad(w, "a value is cut off") : E_OK;
}

/* --- containers ----------------------------------------------------------------------------- */

static uint32_t number(const struct container *c, size_t at)
{
    return c->large ? load_le32(c->data.p + at) : load_le16(c->data.p + at);
}

enum err json_container_open(const struct walk *w, uint8_t type, struct slice data,
                             struct container *c)
{
    *c = (struct container){data, type <= J_LARGE_OBJECT, type & 1, 0, 0, 0};
    size_t word = c->large ? 4 : 2;

    if (data.n < 2 * word)
        return json_bad(w, "a container is cut off");
    c->count = number(c, 0);
    uint32_t bytes = number(c, word);
    uint64_t head = 2 * word + (uint64_t)c->count * (c->object ? word + 2 : 0) +
                    (uint64_t)c->count * (1 + word);
    if (bytes > data.n || head > bytes)
        return json_bad(w, "a container is larger than its data");
    c->data.n = bytes;
    c->keys_at = (uint32_t)(2 * word);
    c->values_at = (uint32_t)(2 * word + (c->object ? (size_t)c->count * (word + 2) : 0));
    return E_OK;
}

enum err json_container_key(const struct walk *w, const struct container *c, uint32_t i,
                            struct slice *out)
{
    size_t word = c->large ? 4 : 2, at = c->keys_at + i * (word + 2);
    uint32_t offset = number(c, at);
    uint16_t n = load_le16(c->data.p + at + word);

    if (offset > c->data.n || c->data.n - offset < n)
        return json_bad(w, "a key lies outside");
    *out = slice_of(c->data.p + offset, n);
    return E_OK;
}

/* Type and bytes of a member; small values stand in the entry itself. */
enum err json_container_value(const struct walk *w, const struct container *c, uint32_t i,
                              uint8_t *type, struct slice *out)
{
    size_t word = c->large ? 4 : 2, at = c->values_at + i * (1 + word);

    *type = (uint8_t)c->data.p[at];
    if (*type == J_LITERAL || *type == J_INT16 || *type == J_UINT16 ||
        (c->large && (*type == J_INT32 || *type == J_UINT32))) {
        *out = slice_of(c->data.p + at + 1, word);
        return E_OK;
    }
    uint32_t offset = number(c, at + 1);
    if (offset >= c->data.n)
        return json_bad(w, "a value lies outside");
    *out = slice_of(c->data.p + offset, c->data.n - offset);
    return E_OK;
}

static enum err container(struct walk *w, uint8_t type, struct slice data, unsigned depth)
{
    struct container c;
    enum err err = json_container_open(w, type, data, &c);

    if (err)
        return err;
    if (depth >= MYSQL_JSON_MAX_DEPTH)
        return json_bad(w, "it is nested too deeply");
    strbuf_addc(w->out, c.object ? '{' : '[');
    for (uint32_t i = 0; i < c.count; i++) {
        struct slice key, data_i;
        uint8_t type_i;
        if (i > 0)
            strbuf_addc(w->out, ',');
        if (c.object) {
            err = json_container_key(w, &c, i, &key);
            if (err)
                return err;
            json_add_string(w->out, key);
            strbuf_addc(w->out, ':');
        }
        err = json_container_value(w, &c, i, &type_i, &data_i);
        if (!err)
            err = json_value(w, type_i, data_i, depth + 1);
        if (err)
            return err;
    }
    strbuf_addc(w->out, c.object ? '}' : ']');
    return E_OK;
}

enum err json_value(struct walk *w, uint8_t type, struct slice data, unsigned depth)
{
    if (w->budget-- == 0 || strbuf_err(w->out) != E_OK)
        return error_set(w->e, E_TOO_LARGE, "binary JSON grows over its limit as text");
    return type <= J_LARGE_ARRAY ? container(w, type, data, depth) : scalar(w, type, data);
}

enum err mysql_json_text(struct slice binary, struct strbuf *out, struct error *e)
{
    struct walk w = {out, e, binary.n + 16};

    if (binary.n == 0) { /* written by ALTER TABLE ... NOT NULL of old servers */
        strbuf_adds(out, "null");
        return strbuf_err(out);
    }
    enum err err = json_value(&w, (uint8_t)binary.p[0], slice_sub(binary, 1, binary.n), 0);
    if (!err && strbuf_err(out) != E_OK)
        return error_set(e, strbuf_err(out), "binary JSON is too large as text");
    return err;
}

bool mysql_json_is_null(struct slice binary)
{
    return binary.n == 0 || (binary.n >= 2 && binary.p[0] == J_LITERAL && binary.p[1] == 0);
}
