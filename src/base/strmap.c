/* base/strmap.c - see strmap.h.
 *
 * Entries are an array in order of insertion; above INDEX_FROM of them a hash map from key to
 * position + 1 is kept beside it. Deleting moves the later entries down and drops the index, which
 * the next insertion above the limit builds again; lookups without an index are linear and still
 * right. */
#include "base/strmap.h"

#include "base/mem.h"

enum { INDEX_FROM = 16 };

void strmap_init(struct strmap *m)
{
    *m = (struct strmap)STRMAP_INIT;
}

static void free_slice(struct slice s)
{
    mem_free((void *)(uintptr_t)s.p);
}

void strmap_release(struct strmap *m)
{
    for (size_t i = 0; i < m->count; i++) {
        free_slice(m->entries[i].key);
        free_slice(m->entries[i].value);
    }
    mem_free(m->entries);
    map_release(&m->index, NULL);
    strmap_init(m);
}

static struct slice copy(struct slice s)
{
    return slice_of(slice_dup(s), s.n);
}

/* Position + 1, or 0. */
static size_t position(const struct strmap *m, struct slice key)
{
    if (m->index.count > 0)
        return (size_t)(uintptr_t)map_get(&m->index, key);
    for (size_t i = 0; i < m->count; i++)
        if (slice_eq(m->entries[i].key, key))
            return i + 1;
    return 0;
}

static void index_entry(struct strmap *m, size_t i)
{
    map_put(&m->index, m->entries[i].key, (void *)(uintptr_t)(i + 1));
}

void strmap_set(struct strmap *m, struct slice key, struct slice value)
{
    invariant(key.p != NULL);
    struct slice v = copy(value); /* before anything is freed: value may be one of ours */
    size_t at = position(m, key);
    if (at > 0) {
        free_slice(m->entries[at - 1].value);
        m->entries[at - 1].value = v;
        return;
    }
    if (m->count == m->cap) {
        m->cap = m->cap ? m->cap * 2 : 8;
        m->entries = xrealloc(m->entries, m->cap * sizeof *m->entries);
    }
    m->entries[m->count++] = (struct strmap_entry){copy(key), v};
    if (m->index.count > 0)
        index_entry(m, m->count - 1);
    else if (m->count > INDEX_FROM)
        for (size_t i = 0; i < m->count; i++)
            index_entry(m, i);
}

struct slice strmap_get(const struct strmap *m, struct slice key)
{
    size_t at = position(m, key);
    return at > 0 ? m->entries[at - 1].value : SLICE_NULL;
}

struct slice strmap_get_c(const struct strmap *m, const char *key)
{
    return strmap_get(m, slice_cstr(key));
}

bool strmap_flag(const struct strmap *m, const char *key, bool otherwise)
{
    struct slice text = slice_trim(strmap_get_c(m, key));
    return slice_ieq(text, SL("true")) || (otherwise && !slice_ieq(text, SL("false")));
}

int64_t strmap_i64(const struct strmap *m, const char *key, int64_t otherwise)
{
    int64_t v;
    return slice_to_i64(slice_trim(strmap_get_c(m, key)), &v) == E_OK ? v : otherwise;
}

bool strmap_has(const struct strmap *m, struct slice key)
{
    return position(m, key) > 0;
}

bool strmap_del(struct strmap *m, struct slice key)
{
    size_t at = position(m, key);
    if (at == 0)
        return false;
    struct strmap_entry gone = m->entries[at - 1];
    memmove(m->entries + at - 1, m->entries + at, (m->count - at) * sizeof *m->entries);
    m->count--;
    map_release(&m->index, NULL);
    map_init(&m->index);
    free_slice(gone.key); /* last: key may be a view of it */
    free_slice(gone.value);
    return true;
}

void strmap_copy(struct strmap *to, const struct strmap *from)
{
    strmap_init(to);
    for (size_t i = 0; i < from->count; i++)
        strmap_set(to, from->entries[i].key, from->entries[i].value);
}

bool strmap_eq(const struct strmap *a, const struct strmap *b)
{
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++) {
        size_t at = position(b, a->entries[i].key);
        if (at == 0 || !slice_eq(a->entries[i].value, b->entries[at - 1].value))
            return false;
    }
    return true;
}

/* --- .properties ------------------------------------------------------------------------------ */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\f';
}

struct props {
    const char *at, *end;
    int line;
};

/* One logical line without its leading blanks, continuation lines joined, escapes kept. False at
 * the end of the text. */
static bool next_line(struct props *t, struct strbuf *out)
{
    strbuf_reset(out);
    bool any = false;
    while (t->at < t->end) {
        while (t->at < t->end && is_blank(*t->at))
            t->at++;
        const char *from = t->at;
        while (t->at < t->end && *t->at != '\n' && *t->at != '\r')
            t->at++;
        const char *to = t->at;
        if (t->at < t->end) {
            bool crlf = *t->at == '\r' && t->at + 1 < t->end && t->at[1] == '\n';
            t->at += crlf ? 2 : 1;
        }
        t->line++;
        bool comment = !any && to > from && (*from == '#' || *from == '!');
        if (!any && (to == from || comment))
            continue;
        size_t slashes = 0;
        while (to - (ptrdiff_t)slashes > from && to[-1 - (ptrdiff_t)slashes] == '\\')
            slashes++;
        bool more = slashes % 2 == 1;
        strbuf_add(out, from, (size_t)(to - from) - more);
        any = true;
        if (!more)
            return true;
    }
    return any;
}

static int hex4(const char *p, const char *end)
{
    int v = 0;
    if (end - p < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        char c = p[i];
        int d = c >= '0' && c <= '9'   ? c - '0'
                : c >= 'a' && c <= 'f' ? c - 'a' + 10
                : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                       : -1;
        if (d < 0)
            return -1;
        v = v * 16 + d;
    }
    return v;
}

static void add_utf8(struct strbuf *b, unsigned cp)
{
    if (cp < 0x80) {
        strbuf_addc(b, (char)cp);
    } else if (cp < 0x800) {
        strbuf_addc(b, (char)(0xc0 | cp >> 6));
        strbuf_addc(b, (char)(0x80 | (cp & 63)));
    } else if (cp < 0x10000) {
        strbuf_addc(b, (char)(0xe0 | cp >> 12));
        strbuf_addc(b, (char)(0x80 | (cp >> 6 & 63)));
        strbuf_addc(b, (char)(0x80 | (cp & 63)));
    } else {
        strbuf_addc(b, (char)(0xf0 | cp >> 18));
        strbuf_addc(b, (char)(0x80 | (cp >> 12 & 63)));
        strbuf_addc(b, (char)(0x80 | (cp >> 6 & 63)));
        strbuf_addc(b, (char)(0x80 | (cp & 63)));
    }
}

/* After "\u" at p: the code point and how many bytes it took; 0 when malformed. */
static size_t unicode_escape(const char *p, const char *end, unsigned *cp)
{
    int hi = hex4(p, end);
    if (hi < 0)
        return 0;
    *cp = (unsigned)hi;
    if (hi >= 0xd800 && hi < 0xdc00 && end - p >= 10 && p[4] == '\\' && p[5] == 'u') {
        int lo = hex4(p + 6, end);
        if (lo >= 0xdc00 && lo < 0xe000) {
            *cp = 0x10000 + ((unsigned)(hi - 0xd800) << 10) + (unsigned)(lo - 0xdc00);
            return 10;
        }
    }
    if (hi >= 0xd800 && hi < 0xe000)
        *cp = 0xfffd; /* half of a pair */
    return 4;
}

static bool unescape(struct slice s, struct strbuf *out)
{
    const char *p = s.p, *end = s.p + s.n;
    strbuf_reset(out);
    while (p < end) {
        if (*p != '\\') {
            strbuf_addc(out, *p++);
            continue;
        }
        if (++p == end)
            break;
        char c = *p++;
        if (c == 'u') {
            unsigned cp;
            size_t n = unicode_escape(p, end, &cp);
            if (n == 0)
                return false;
            add_utf8(out, cp);
            p += n;
        } else {
            strbuf_addc(out, c == 't'   ? '\t'
                             : c == 'n' ? '\n'
                             : c == 'r' ? '\r'
                             : c == 'f' ? '\f'
                                        : c);
        }
    }
    return true;
}

static void split_pair(struct slice line, struct slice *key, struct slice *value)
{
    size_t i = 0;
    while (i < line.n && line.p[i] != '=' && line.p[i] != ':' && !is_blank(line.p[i]))
        i += line.p[i] == '\\' ? 2 : 1;
    i = MIN(i, line.n);
    *key = slice_sub(line, 0, i);
    while (i < line.n && is_blank(line.p[i]))
        i++;
    if (i < line.n && (line.p[i] == '=' || line.p[i] == ':'))
        i++;
    while (i < line.n && is_blank(line.p[i]))
        i++;
    *value = slice_sub(line, i, line.n);
}

enum err strmap_parse_properties(struct strmap *m, struct slice text, struct error *e)
{
    struct props t = {text.p, text.p + text.n, 0};
    struct strbuf line = STRBUF_INIT, key = STRBUF_INIT, value = STRBUF_INIT;
    enum err rc = E_OK;
    if (slice_starts(text, SL("\xef\xbb\xbf"))) /* editors on Windows */
        t.at += 3;
    while (rc == E_OK && next_line(&t, &line)) {
        struct slice k, v;
        split_pair(strbuf_slice(&line), &k, &v);
        if (!unescape(k, &key) || !unescape(v, &value))
            rc = error_set(e, E_INVALID, "line %d: malformed \\uxxxx encoding", t.line);
        else if (strbuf_err(&line) != E_OK || strbuf_err(&key) != E_OK ||
                 strbuf_err(&value) != E_OK)
            rc = error_set(e, E_TOO_LARGE, "line %d is too long", t.line);
        else
            strmap_set(m, strbuf_slice(&key), strbuf_slice(&value));
    }
    strbuf_release(&line);
    strbuf_release(&key);
    strbuf_release(&value);
    return rc;
}
