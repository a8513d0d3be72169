/* cdc/naming.c - sanitising of names. Characters are UTF-16 units in Java, so one outside the basic
 * plane is replaced twice. SPEC: cdc-mysql 5.13 */
#include "cdc/naming.h"

#define TOPIC_MAX 249

static bool is_alnum(unsigned c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* Next code point of UTF-8 text; bytes that are not UTF-8 count as U+FFFD one by one. */
static uint32_t next_char(struct slice s, size_t *i)
{
    unsigned c = (unsigned char)s.p[*i];
    size_t more = c < 0x80 ? 0 : c >= 0xf0 && c < 0xf8 ? 3 : c >= 0xe0 ? 2 : c >= 0xc0 ? 1 : 4;
    (*i)++;
    if (more == 0)
        return c;
    if (more == 4 || *i + more > s.n)
        return 0xfffd;
    uint32_t cp = c & (0x3fU >> more);
    for (size_t k = 0; k < more; k++) {
        unsigned n = (unsigned char)s.p[*i + k];
        if ((n & 0xc0) != 0x80)
            return 0xfffd;
        cp = cp << 6 | (n & 0x3f);
    }
    *i += more;
    return cp;
}

/* `_` or `_uXXXX`, once for each UTF-16 unit. */
static void add_replacement(struct strbuf *out, uint32_t cp, bool unicode)
{
    if (!unicode) {
        strbuf_adds(out, cp > 0xffff ? "__" : "_");
    } else if (cp > 0xffff) {
        cp -= 0x10000;
        strbuf_addf(out, "_u%04x_u%04x", 0xd800 + (cp >> 10), 0xdc00 + (cp & 0x3ff));
    } else {
        strbuf_addf(out, "_u%04x", cp);
    }
}

void naming_topic(struct slice raw, bool unicode, struct strbuf *out)
{
    size_t start = out->n;
    if (slice_eq(raw, SL(".")) || slice_eq(raw, SL(".."))) {
        strbuf_adds(out, raw.n == 1 ? "_" : "__");
        return;
    }
    for (size_t i = 0; i < raw.n && out->n - start < TOPIC_MAX;) {
        uint32_t cp = next_char(raw, &i);
        bool ok = is_alnum(cp) || cp == '.' || cp == '-' || (cp == '_' && !unicode);
        if (ok)
            strbuf_addc(out, (char)cp);
        else
            add_replacement(out, cp, unicode);
    }
    if (out->n - start > TOPIC_MAX) {
        out->n = start + TOPIC_MAX;
        out->p[out->n] = '\0';
    }
}

void naming_adjust(struct slice raw, enum name_adjustment how, bool field, struct strbuf *out)
{
    if (how == NAME_AS_IS) {
        strbuf_add_slice(out, raw);
        return;
    }
    bool unicode = how == NAME_AVRO_UNICODE, first = true;
    for (size_t i = 0; i < raw.n;) {
        uint32_t cp = next_char(raw, &i);
        if (cp == '.' && !field) {
            strbuf_addc(out, '.');
            first = false; /* digits are wrong only where the whole name begins */
            continue;
        }
        if (cp >= '0' && cp <= '9' && first) {
            if (unicode) {
                add_replacement(out, cp, true);
            } else {
                strbuf_addc(out, '_');
                strbuf_addc(out, (char)cp);
            }
        } else if (is_alnum(cp) || (cp == '_' && !unicode)) {
            strbuf_addc(out, (char)cp);
        } else {
            add_replacement(out, cp, unicode);
        }
        first = false;
    }
}
