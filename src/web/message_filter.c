/* web/message_filter.c - see message_filter.h. Case counts, as in kafka-ui. */
#include "web/message_filter.h"

#include "base/base.h"
#include "broker/proto/batch.h"

/* Length of the UTF-8 sequence at p and its code point; 0: not UTF-8. */
static size_t decode(const char *p, size_t n, uint32_t *code)
{
    const uint8_t *b = (const uint8_t *)p;
    size_t size = b[0] < 0x80 ? 1 : b[0] >= 0xf0 ? 4 : b[0] >= 0xe0 ? 3 : b[0] >= 0xc0 ? 2 : 0;
    if (size == 0 || size > n || !slice_is_utf8(slice_of(p, size)))
        return 0;
    *code = size == 1 ? b[0] : b[0] & (0x7f >> size);
    for (size_t i = 1; i < size; i++)
        *code = *code << 6 | (b[i] & 0x3f);
    return size;
}

static void add_unit(struct strbuf *out, uint32_t unit, bool capital)
{
    strbuf_addf(out, capital ? "\\u%04X" : "\\u%04x", unit);
}

/* Everything beyond ASCII as \uXXXX; beyond the BMP as a surrogate pair. False: not UTF-8. */
static bool escape(struct strbuf *out, struct slice text, bool capital)
{
    uint32_t code = 0;
    for (size_t i = 0, size; i < text.n; i += size) {
        size = decode(text.p + i, text.n - i, &code);
        if (size == 0)
            return false;
        if (code < 0x80) {
            strbuf_addc(out, (char)code);
        } else if (code < 0x10000) {
            add_unit(out, code, capital);
        } else {
            add_unit(out, 0xd800 + ((code - 0x10000) >> 10), capital);
            add_unit(out, 0xdc00 + ((code - 0x10000) & 0x3ff), capital);
        }
    }
    return true;
}

static bool all_ascii(struct slice text)
{
    for (size_t i = 0; i < text.n; i++)
        if ((uint8_t)text.p[i] >= 0x80)
            return false;
    return true;
}

void message_filter_init(struct message_filter *f, struct slice text)
{
    for (size_t i = 0; i < ARRAY_LEN(f->needles); i++)
        strbuf_init(&f->needles[i], 0);
    f->count = 0;
    if (text.n == 0)
        return;
    strbuf_add_slice(&f->needles[f->count++], text);
    if (all_ascii(text))
        return;
    for (int capital = 0; capital < 2; capital++)
        if (escape(&f->needles[f->count], text, capital))
            f->count++;
        else
            strbuf_reset(&f->needles[f->count]);
}

void message_filter_release(struct message_filter *f)
{
    for (size_t i = 0; i < ARRAY_LEN(f->needles); i++)
        strbuf_release(&f->needles[i]);
    f->count = 0;
}

bool message_filter_text(const struct message_filter *f, struct slice text)
{
    for (size_t i = 0; text.p && i < f->count; i++)
        if (slice_find(text, strbuf_slice(&f->needles[i])) >= 0)
            return true;
    return false;
}

bool message_filter_match(const struct message_filter *f, struct slice key, struct slice value,
                          struct slice headers)
{
    struct slice name, content;
    if (f->count == 0 || message_filter_text(f, key) || message_filter_text(f, value))
        return true;
    while (batch_header_next(&headers, &name, &content))
        if (message_filter_text(f, name) || message_filter_text(f, content))
            return true;
    return false;
}
