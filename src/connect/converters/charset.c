/* connect/converters/charset.c - see the header. */
#include "connect/converters/charset.h"

#include <errno.h>
#include <iconv.h>

#include "base/mem.h"

struct text_charset {
    iconv_t encode, decode, decode_little; /* decode_little: UTF-16 behind such a mark */
    bool marked;                           /* UTF-16: with a byte order mark */
};

#define NONE ((iconv_t)-1)

enum err text_charset_open(struct text_charset **out, struct slice name, struct error *e)
{
    char text[64];
    *out = NULL;
    if (!name.n || slice_ieq(name, SL("UTF-8")) || slice_ieq(name, SL("UTF8")))
        return E_OK;
    bool marked = slice_ieq(name, SL("UTF-16")) || slice_ieq(name, SL("UTF16"));
    snprintf(text, sizeof text, PRI_SL, ARG_SL(marked ? SL("UTF-16BE") : name));
    struct text_charset *c = xcalloc(1, sizeof *c);
    c->marked = marked;
    /* "//" and what follows it would be glibc's own options. */
    bool plain = name.n < sizeof text && slice_find_char(name, '/') < 0;
    c->encode = plain ? iconv_open(text, "UTF-8") : NONE;
    c->decode = plain ? iconv_open("UTF-8", text) : NONE;
    c->decode_little = marked ? iconv_open("UTF-8", "UTF-16LE") : NONE;
    if (c->encode != NONE && c->decode != NONE && (!marked || c->decode_little != NONE)) {
        *out = c;
        return E_OK;
    }
    text_charset_close(c);
    return error_set(e, E_UNSUPPORTED, "there is no character set " PRI_SL, ARG_SL(name));
}

void text_charset_close(struct text_charset *c)
{
    if (!c)
        return;
    iconv_t all[] = {c->encode, c->decode, c->decode_little};
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        if (all[i] != NONE)
            iconv_close(all[i]);
    mem_free(c);
}

/* Bytes of the character that stands at p, so that one goes on behind it. */
static size_t utf8_length(const char *p, size_t n)
{
    size_t length = 1;
    while (length < n && ((unsigned char)p[length] & 0xc0) == 0x80)
        length++;
    return length;
}

/* All of `in`; `instead` stands for what has no form on the other side. */
static void run(iconv_t cd, struct slice in, bool utf8_in, struct slice instead, struct strbuf *out)
{
    char *from = (char *)(uintptr_t)in.p, buf[512];
    size_t left = in.n;
    iconv(cd, NULL, NULL, NULL, NULL);
    for (bool more = left > 0; more;) {
        char *to = buf;
        size_t room = sizeof buf;
        size_t rc = iconv(cd, &from, &left, &to, &room);
        strbuf_add(out, buf, (size_t)(to - buf));
        if (rc == (size_t)-1 && errno != E2BIG) { /* invalid, or cut off at the end */
            size_t skip = utf8_in ? utf8_length(from, left) : 1;
            strbuf_add_slice(out, instead);
            from += skip;
            left -= skip;
        }
        more = left > 0 && !strbuf_err(out);
    }
    char *to = buf;
    size_t room = sizeof buf;
    iconv(cd, NULL, NULL, &to, &room); /* back to the first state of sets that have states */
    strbuf_add(out, buf, (size_t)(to - buf));
}

void text_charset_encode(struct text_charset *c, struct slice text, struct strbuf *out)
{
    if (c->marked && text.n)
        strbuf_add(out, "\xfe\xff", 2);
    run(c->encode, text, true, c->marked ? slice_of("\0?", 2) : SL("?"), out);
}

void text_charset_decode(struct text_charset *c, struct slice bytes, struct strbuf *out)
{
    iconv_t cd = c->decode;
    if (c->marked && bytes.n >= 2) {
        bool big = memcmp(bytes.p, "\xfe\xff", 2) == 0,
             little = memcmp(bytes.p, "\xff\xfe", 2) == 0;
        cd = little ? c->decode_little : cd;
        bytes = big || little ? slice_sub(bytes, 2, bytes.n) : bytes;
    }
    run(cd, bytes, false, SL("\xef\xbf\xbd"), out);
}
