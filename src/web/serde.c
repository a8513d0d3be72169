/* web/serde.c - see serde.h. Numbers are big-endian, as Java's serializers write them; a value
 * whose length is another one is shown as text and says so (Fallback), it is never cut or padded.
 */
#include "web/serde.h"

#include "base/base.h"
#include "base/bytes.h"

static const struct {
    const char *name, *description;
    size_t size; /* in bytes; 0: any */
} serdes[] = {
    [SERDE_STRING] = {"String", "Text in UTF-8", 0},
    [SERDE_INT32] = {"Int32", "Signed number in 4 bytes, big-endian", 4},
    [SERDE_INT64] = {"Int64", "Signed number in 8 bytes, big-endian", 8},
    [SERDE_UINT32] = {"UInt32", "Unsigned number in 4 bytes, big-endian", 4},
    [SERDE_UINT64] = {"UInt64", "Unsigned number in 8 bytes, big-endian", 8},
    [SERDE_UUID] = {"UUIDBinary", "UUID in 16 bytes", 16},
    [SERDE_BASE64] = {"Base64", "Any bytes, as base64", 0},
    [SERDE_HEX] = {"Hex", "Any bytes, as hexadecimal digits", 0},
    [SERDE_FALLBACK] = {"Fallback", "The bytes do not fit the chosen format; shown as text", 0},
};

const char *serde_name(enum serde s)
{
    return serdes[s].name;
}

const char *serde_description(enum serde s)
{
    return serdes[s].description;
}

bool serde_find(struct slice name, enum serde *out)
{
    for (int i = 0; i < SERDE_COUNT; i++)
        if (slice_eq_c(name, serdes[i].name)) {
            *out = (enum serde)i;
            return true;
        }
    return false;
}

/* --- bytes to text --------------------------------------------------------------------------- */

static const char digits[] = "0123456789ABCDEF";

static void add_hex(struct strbuf *out, struct slice bytes) /* "0A FF", as kafka-ui prints it */
{
    for (size_t i = 0; i < bytes.n; i++) {
        uint8_t byte = (uint8_t)bytes.p[i];
        const char text[3] = {' ', digits[byte >> 4], digits[byte & 15]};
        strbuf_add(out, text + (i == 0), i == 0 ? 2 : 3);
    }
}

static void add_uuid(struct strbuf *out, struct slice bytes)
{
    for (size_t i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            strbuf_addc(out, '-');
        hex_encode(out, slice_sub(bytes, i, i + 1));
    }
}

enum serde serde_show(enum serde s, struct slice bytes, struct strbuf *out)
{
    if (serdes[s].size && bytes.n != serdes[s].size)
        s = SERDE_FALLBACK;
    switch (s) {
    case SERDE_INT32:
        strbuf_add_i64(out, (int32_t)load_be32(bytes.p));
        break;
    case SERDE_INT64:
        strbuf_add_i64(out, (int64_t)load_be64(bytes.p));
        break;
    case SERDE_UINT32:
        strbuf_add_u64(out, load_be32(bytes.p));
        break;
    case SERDE_UINT64:
        strbuf_add_u64(out, load_be64(bytes.p));
        break;
    case SERDE_UUID:
        add_uuid(out, bytes);
        break;
    case SERDE_BASE64:
        base64_encode(out, bytes);
        break;
    case SERDE_HEX:
        add_hex(out, bytes);
        break;
    case SERDE_STRING:
    case SERDE_FALLBACK:
        strbuf_add_utf8(out, bytes);
        break;
    }
    return s;
}

/* --- text to bytes --------------------------------------------------------------------------- */

static enum err parse_number(enum serde s, struct slice text, struct strbuf *out, struct error *e)
{
    int64_t i = 0;
    uint64_t u = 0;
    bool is_signed = s == SERDE_INT32 || s == SERDE_INT64;
    text = slice_trim(text);
    enum err err = is_signed ? slice_to_i64(text, &i) : slice_to_u64(text, &u);
    if ((s == SERDE_INT32 && (i < INT32_MIN || i > INT32_MAX)) ||
        (s == SERDE_UINT32 && u > UINT32_MAX))
        err = E_TOO_LARGE;
    if (err)
        return error_set(
            e, E_INVALID, "'" PRI_SL "' is %s %s", (int)MIN(text.n, 60), text.p ? text.p : "",
            err == E_TOO_LARGE ? "out of the range of" : "not a number for", serdes[s].name);
    if (serdes[s].size == 4)
        strbuf_add_be32(out, is_signed ? (uint32_t)i : (uint32_t)u);
    else
        strbuf_add_be64(out, is_signed ? (uint64_t)i : u);
    return E_OK;
}

/* Hexadecimal digits with anything usual between them: "0x0a ff", "0A:FF", "0aff". */
static enum err parse_hex(struct slice text, struct strbuf *out)
{
    struct strbuf plain = STRBUF_INIT;
    text = slice_trim(text);
    if (slice_istarts(text, SL("0x")))
        text = slice_sub(text, 2, text.n);
    for (size_t i = 0; i < text.n; i++)
        if (!memchr(" \t\r\n:-.#", text.p[i], 9))
            strbuf_addc(&plain, text.p[i]);
    enum err err = strbuf_err(&plain) ? strbuf_err(&plain) : hex_decode(out, strbuf_slice(&plain));
    strbuf_release(&plain);
    return err;
}

static enum err parse_uuid(struct slice text, struct strbuf *out)
{
    text = slice_trim(text);
    if (text.n != 36)
        return E_INVALID;
    for (size_t i = 0; i < 36; i++)
        if ((text.p[i] == '-') != (i == 8 || i == 13 || i == 18 || i == 23))
            return E_INVALID;
    return parse_hex(text, out);
}

enum err serde_parse(enum serde s, struct slice text, struct strbuf *out, struct error *e)
{
    enum err err = E_OK;
    size_t before = out->n;
    switch (s) {
    case SERDE_INT32:
    case SERDE_INT64:
    case SERDE_UINT32:
    case SERDE_UINT64:
        return parse_number(s, text, out, e);
    case SERDE_UUID:
        err = parse_uuid(text, out);
        break;
    case SERDE_BASE64:
        err = base64_decode(out, slice_trim(text));
        break;
    case SERDE_HEX:
        err = parse_hex(text, out);
        break;
    case SERDE_STRING:
    case SERDE_FALLBACK:
        strbuf_add_slice(out, text);
        break;
    }
    if (!err)
        err = strbuf_err(out);
    if (err == E_NOMEM || err == E_TOO_LARGE)
        return error_set(e, err, "the text is too long");
    if (err) {
        out->n = before;
        return error_set(e, E_INVALID, "'" PRI_SL "' is not %s", (int)MIN(text.n, 60),
                         text.p ? text.p : "",
                         s == SERDE_UUID     ? "a UUID"
                         : s == SERDE_BASE64 ? "base64"
                                             : "a run of hexadecimal digits");
    }
    return E_OK;
}
