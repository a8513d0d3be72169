/* cdc/mysql/gtid.c - see the header.
 *
 * Sources are kept sorted by uuid and tag, intervals sorted and merged, so that equality is plain
 * comparison and printing is a walk. Sets are small (sources by the dozen), searched from the end,
 * where additions come. */
#include "cdc/mysql/gtid.h"

#include <stdlib.h>

#include "base/bytes.h"
#include "base/mem.h"

#define MAX_SOURCES 65536
#define MAX_INTERVALS (1u << 20)

/* --- sets: structure ------------------------------------------------------------------------ */

void gtid_set_init(struct gtid_set *s)
{
    *s = (struct gtid_set)GTID_SET_INIT;
}

void gtid_set_release(struct gtid_set *s)
{
    for (size_t i = 0; i < s->count; i++)
        mem_free(s->sources[i].intervals);
    mem_free(s->sources);
    gtid_set_init(s);
}

void gtid_set_copy(struct gtid_set *to, const struct gtid_set *from)
{
    gtid_set_init(to);
    gtid_set_union(to, from);
}

static int source_cmp(const struct gtid_source *s, const uint8_t uuid[16], const char *tag)
{
    int d = memcmp(s->uuid, uuid, 16);

    return d ? d : strcmp(s->tag, tag);
}

/* Index of the source, or where it belongs with *found false. */
static size_t find(const struct gtid_set *s, const uint8_t uuid[16], const char *tag, bool *found)
{
    size_t i = s->count;

    *found = false;
    while (i > 0) {
        int d = source_cmp(&s->sources[i - 1], uuid, tag);
        if (d == 0) {
            *found = true;
            return i - 1;
        }
        if (d < 0)
            break;
        i--;
    }
    return i;
}

static const struct gtid_source *get(const struct gtid_set *s, const uint8_t uuid[16],
                                     const char *tag)
{
    bool found;
    size_t i = find(s, uuid, tag, &found);

    return found ? &s->sources[i] : NULL;
}

static struct gtid_source *get_or_add(struct gtid_set *s, const uint8_t uuid[16], const char *tag)
{
    bool found;
    size_t i = find(s, uuid, tag, &found);

    if (found)
        return &s->sources[i];
    if (s->count == s->cap) {
        s->cap = s->cap ? s->cap * 2 : 4;
        s->sources = xrealloc(s->sources, s->cap * sizeof *s->sources);
    }
    memmove(s->sources + i + 1, s->sources + i, (s->count - i) * sizeof *s->sources);
    s->count++;
    struct gtid_source *src = &s->sources[i];
    memset(src, 0, sizeof *src);
    memcpy(src->uuid, uuid, 16);
    snprintf(src->tag, sizeof src->tag, "%s", tag);
    return src;
}

static void remove_source(struct gtid_set *s, size_t i)
{
    mem_free(s->sources[i].intervals);
    memmove(s->sources + i, s->sources + i + 1, (s->count - i - 1) * sizeof *s->sources);
    s->count--;
}

/* Inserts [first, last], merging with what it touches. */
static void source_add(struct gtid_source *s, uint64_t first, uint64_t last)
{
    size_t to = s->count, from;

    while (to > 0 && s->intervals[to - 1].first > (last == UINT64_MAX ? last : last + 1))
        to--;
    from = to; /* [from, to) touch the new one */
    while (from > 0 && s->intervals[from - 1].last >= (first == 0 ? 0 : first - 1)) {
        from--;
        first = MIN(first, s->intervals[from].first);
        last = MAX(last, s->intervals[from].last);
    }
    if (from == to) {
        if (s->count == s->cap) {
            s->cap = s->cap ? s->cap * 2 : 2;
            s->intervals = xrealloc(s->intervals, s->cap * sizeof *s->intervals);
        }
        memmove(s->intervals + from + 1, s->intervals + from,
                (s->count - from) * sizeof *s->intervals);
        s->count++;
    } else {
        memmove(s->intervals + from + 1, s->intervals + to, (s->count - to) * sizeof *s->intervals);
        s->count -= to - from - 1;
    }
    s->intervals[from] = (struct gtid_interval){first, last};
}

static void source_subtract(struct gtid_source *s, uint64_t first, uint64_t last)
{
    for (size_t i = 0; i < s->count;) {
        struct gtid_interval iv = s->intervals[i];
        if (iv.last < first || iv.first > last) {
            i++;
            continue;
        }
        memmove(s->intervals + i, s->intervals + i + 1, (s->count - i - 1) * sizeof *s->intervals);
        s->count--;
        if (iv.last > last) /* behind first, so that the loop goes on correctly */
            source_add(s, last + 1, iv.last);
        if (iv.first < first)
            source_add(s, iv.first, first - 1);
    }
}

void gtid_set_add_range(struct gtid_set *s, const uint8_t uuid[16], const char *tag, uint64_t first,
                        uint64_t last)
{
    if (first <= last)
        source_add(get_or_add(s, uuid, tag), first, last);
}

void gtid_set_add(struct gtid_set *s, const uint8_t uuid[16], const char *tag, uint64_t gno)
{
    gtid_set_add_range(s, uuid, tag, gno, gno);
}

void gtid_set_union(struct gtid_set *s, const struct gtid_set *other)
{
    for (size_t i = 0; i < other->count; i++) {
        const struct gtid_source *o = &other->sources[i];
        for (size_t j = 0; j < o->count; j++)
            gtid_set_add_range(s, o->uuid, o->tag, o->intervals[j].first, o->intervals[j].last);
    }
}

void gtid_set_subtract(struct gtid_set *s, const struct gtid_set *other)
{
    for (size_t i = 0; i < other->count; i++) {
        const struct gtid_source *o = &other->sources[i];
        bool found;
        size_t at = find(s, o->uuid, o->tag, &found);
        for (size_t j = 0; found && j < o->count; j++)
            source_subtract(&s->sources[at], o->intervals[j].first, o->intervals[j].last);
        if (found && s->sources[at].count == 0)
            remove_source(s, at);
    }
}

static bool source_covers(const struct gtid_source *s, uint64_t first, uint64_t last)
{
    for (size_t i = s ? s->count : 0; i-- > 0;)
        if (s->intervals[i].first <= first)
            return s->intervals[i].last >= last;
    return false;
}

bool gtid_set_contains(const struct gtid_set *s, const uint8_t uuid[16], const char *tag,
                       uint64_t gno)
{
    return source_covers(get(s, uuid, tag), gno, gno);
}

bool gtid_set_subset(const struct gtid_set *inner, const struct gtid_set *outer)
{
    for (size_t i = 0; i < inner->count; i++) {
        const struct gtid_source *a = &inner->sources[i], *b = get(outer, a->uuid, a->tag);
        for (size_t j = 0; j < a->count; j++)
            if (!source_covers(b, a->intervals[j].first, a->intervals[j].last))
                return false;
    }
    return true;
}

bool gtid_set_eq(const struct gtid_set *a, const struct gtid_set *b)
{
    return gtid_set_subset(a, b) && gtid_set_subset(b, a);
}

bool gtid_set_has_uuid(const struct gtid_set *s, const uint8_t uuid[16])
{
    for (size_t i = 0; i < s->count; i++)
        if (memcmp(s->sources[i].uuid, uuid, 16) == 0)
            return true;
    return false;
}

void gtid_set_remove_uuid(struct gtid_set *s, const uint8_t uuid[16])
{
    for (size_t i = s->count; i-- > 0;)
        if (memcmp(s->sources[i].uuid, uuid, 16) == 0)
            remove_source(s, i);
}

/* --- text ----------------------------------------------------------------------------------- */

void gtid_uuid_text(const uint8_t uuid[16], char out[GTID_UUID_TEXT])
{
    static const char hex[] = "0123456789abcdef";
    char *p = out;

    for (int i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *p++ = '-';
        *p++ = hex[uuid[i] >> 4];
        *p++ = hex[uuid[i] & 15];
    }
    *p = '\0';
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

enum err gtid_uuid_parse(struct slice text, uint8_t uuid[16])
{
    size_t n = 0;

    if (text.n != 36 && text.n != 32)
        return E_INVALID;
    for (size_t i = 0; i < text.n; i++) {
        if (text.n == 36 && (i == 8 || i == 13 || i == 18 || i == 23)) {
            if (text.p[i] != '-')
                return E_INVALID;
            continue;
        }
        int d = hex_digit(text.p[i]);
        if (d < 0)
            return E_INVALID;
        uuid[n / 2] = (uint8_t)(n % 2 ? uuid[n / 2] | d : d << 4);
        n++;
    }
    return E_OK;
}

void gtid_set_print(const struct gtid_set *s, struct strbuf *out)
{
    char uuid[GTID_UUID_TEXT];

    for (size_t i = 0; i < s->count; i++) {
        const struct gtid_source *src = &s->sources[i];
        if (i > 0 && memcmp(src->uuid, s->sources[i - 1].uuid, 16) == 0) {
            strbuf_addc(out, ':'); /* a further tag of the same source */
        } else {
            if (i > 0)
                strbuf_addc(out, ',');
            gtid_uuid_text(src->uuid, uuid);
            strbuf_adds(out, uuid);
            strbuf_addc(out, ':');
        }
        if (src->tag[0]) {
            strbuf_adds(out, src->tag);
            strbuf_addc(out, ':');
        }
        for (size_t j = 0; j < src->count; j++) {
            if (j > 0)
                strbuf_addc(out, ':');
            strbuf_add_u64(out, src->intervals[j].first);
            if (src->intervals[j].last != src->intervals[j].first) {
                strbuf_addc(out, '-');
                strbuf_add_u64(out, src->intervals[j].last);
            }
        }
    }
}

static bool is_tag(struct slice s)
{
    if (s.n == 0 || s.n > GTID_TAG_MAX || (s.p[0] >= '0' && s.p[0] <= '9'))
        return false;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '_'))
            return false;
    }
    return true;
}

/* n or n-m. */
static enum err parse_interval(struct slice text, uint64_t *first, uint64_t *last)
{
    ptrdiff_t dash = slice_find_char(text, '-');
    struct slice a = slice_trim(dash < 0 ? text : slice_sub(text, 0, (size_t)dash));

    if (slice_to_u64(a, first) != E_OK)
        return E_INVALID;
    *last = *first;
    if (dash >= 0 &&
        slice_to_u64(slice_trim(slice_sub(text, (size_t)dash + 1, text.n)), last) != E_OK)
        return E_INVALID;
    return *first >= 1 && *last <= INT64_MAX ? E_OK : E_INVALID;
}

static enum err parse_source(struct gtid_set *s, struct slice text)
{
    struct slice part;
    uint8_t uuid[16];
    char tag[GTID_TAG_MAX + 1] = "";
    bool any = false;

    if (!slice_split(&text, ':', &part) || gtid_uuid_parse(slice_trim(part), uuid) != E_OK)
        return E_INVALID;
    while (slice_split(&text, ':', &part)) {
        uint64_t first, last;
        part = slice_trim(part);
        if (is_tag(part)) {
            for (size_t i = 0; i <= part.n; i++)
                tag[i] = i == part.n ? '\0'
                                     : (char)(part.p[i] >= 'A' && part.p[i] <= 'Z' ? part.p[i] + 32
                                                                                   : part.p[i]);
            continue;
        }
        if (parse_interval(part, &first, &last) != E_OK)
            return E_INVALID;
        gtid_set_add_range(s, uuid, tag, first, last);
        any = true;
    }
    return any ? E_OK : E_INVALID;
}

enum err gtid_set_parse(struct gtid_set *s, struct slice text, struct error *e)
{
    struct slice rest = text, part;

    gtid_set_release(s);
    if (slice_trim(text).n == 0)
        return E_OK;
    while (slice_split(&rest, ',', &part)) {
        part = slice_trim(part);
        if (part.n == 0)
            continue;
        if (parse_source(s, part) != E_OK) {
            gtid_set_release(s);
            return error_set(e, E_INVALID, "not a GTID set: '" PRI_SL "'",
                             ARG_SL(slice_sub(part, 0, 100)));
        }
    }
    return E_OK;
}

/* --- wire ----------------------------------------------------------------------------------- */

static void add_le64(struct strbuf *out, uint64_t v)
{
    char b[8];

    store_le64(b, v);
    strbuf_add(out, b, 8);
}

void gtid_set_encode(const struct gtid_set *s, bool tagged, struct strbuf *out)
{
    uint64_t n = 0;

    for (size_t i = 0; i < s->count; i++)
        n += tagged || !s->sources[i].tag[0];
    /* The tagged form says so in both outer bytes of the count. */
    add_le64(out, tagged ? n << 8 | UINT64_C(1) << 56 | 1 : n);
    for (size_t i = 0; i < s->count; i++) {
        const struct gtid_source *src = &s->sources[i];
        if (src->tag[0] && !tagged)
            continue;
        strbuf_add(out, src->uuid, 16);
        if (tagged) { /* length as a variable-length integer: one byte below 128 */
            strbuf_addc(out, (char)(strlen(src->tag) << 1));
            strbuf_adds(out, src->tag);
        }
        add_le64(out, src->count);
        for (size_t j = 0; j < src->count; j++) {
            add_le64(out, src->intervals[j].first);
            add_le64(out, src->intervals[j].last + 1);
        }
    }
}

enum err gtid_set_decode(struct gtid_set *s, struct slice bytes, struct error *e)
{
    struct reader r = reader_of(bytes.p, bytes.n);
    uint64_t head = read_le64(&r);
    bool tagged = head >> 56 == 1;
    uint64_t n = tagged ? head >> 8 & ((UINT64_C(1) << 40) - 1) : head;

    gtid_set_release(s);
    if (n > MAX_SOURCES)
        reader_fail(&r, E_CORRUPT);
    for (uint64_t i = 0; i < n && r.err == E_OK; i++) {
        char tag[GTID_TAG_MAX + 1] = "";
        const uint8_t *uuid = reader_take(&r, 16);
        if (tagged) {
            struct slice t = read_slice(&r, read_u8(&r) >> 1);
            if (t.n > GTID_TAG_MAX || (t.n && !is_tag(t)))
                reader_fail(&r, E_CORRUPT);
            else if (t.n)
                memcpy(tag, t.p, t.n);
        }
        uint64_t count = read_le64(&r);
        if (count > MAX_INTERVALS)
            reader_fail(&r, E_CORRUPT);
        for (uint64_t j = 0; j < count && r.err == E_OK; j++) {
            uint64_t first = read_le64(&r), end = read_le64(&r);
            if (r.err == E_OK && (first == 0 || end <= first))
                reader_fail(&r, E_CORRUPT);
            if (r.err == E_OK)
                gtid_set_add_range(s, uuid, tag, first, end - 1);
        }
    }
    if (r.err == E_OK)
        return E_OK;
    gtid_set_release(s);
    return error_set(e, r.err, "GTID set of %zu bytes is damaged", bytes.n);
}

/* --- MariaDB -------------------------------------------------------------------------------- */

void mariadb_gtid_pos_init(struct mariadb_gtid_pos *p)
{
    *p = (struct mariadb_gtid_pos)MARIADB_GTID_POS_INIT;
}

void mariadb_gtid_pos_release(struct mariadb_gtid_pos *p)
{
    mem_free(p->items);
    mariadb_gtid_pos_init(p);
}

void mariadb_gtid_pos_copy(struct mariadb_gtid_pos *to, const struct mariadb_gtid_pos *from)
{
    *to = *from;
    to->cap = from->count;
    to->items = from->count ? xmalloc(from->count * sizeof *to->items) : NULL;
    if (from->count)
        memcpy(to->items, from->items, from->count * sizeof *to->items);
}

void mariadb_gtid_pos_add(struct mariadb_gtid_pos *p, struct mariadb_gtid g)
{
    size_t i = 0;

    while (i < p->count && p->items[i].domain < g.domain)
        i++;
    if (i < p->count && p->items[i].domain == g.domain) {
        p->items[i] = g;
        return;
    }
    if (p->count == p->cap) {
        p->cap = p->cap ? p->cap * 2 : 2;
        p->items = xrealloc(p->items, p->cap * sizeof *p->items);
    }
    memmove(p->items + i + 1, p->items + i, (p->count - i) * sizeof *p->items);
    p->items[i] = g;
    p->count++;
}

static bool parse_mariadb(struct slice text, struct mariadb_gtid *g)
{
    struct slice a, b, c;
    uint64_t domain, server;

    if (!slice_split(&text, '-', &a) || !slice_split(&text, '-', &b) ||
        !slice_split(&text, '-', &c) || text.p)
        return false;
    if (slice_to_u64(a, &domain) != E_OK || slice_to_u64(b, &server) != E_OK ||
        slice_to_u64(c, &g->seq) != E_OK || domain > UINT32_MAX || server > UINT32_MAX)
        return false;
    g->domain = (uint32_t)domain;
    g->server = (uint32_t)server;
    return true;
}

enum err mariadb_gtid_pos_parse(struct mariadb_gtid_pos *p, struct slice text, struct error *e)
{
    struct slice rest = text, part;

    mariadb_gtid_pos_release(p);
    if (slice_trim(text).n == 0)
        return E_OK;
    while (slice_split(&rest, ',', &part)) {
        struct mariadb_gtid g;
        part = slice_trim(part);
        if (part.n == 0)
            continue;
        if (!parse_mariadb(part, &g)) {
            mariadb_gtid_pos_release(p);
            return error_set(e, E_INVALID, "not a MariaDB GTID: '" PRI_SL "'",
                             ARG_SL(slice_sub(part, 0, 100)));
        }
        /* of several servers in a domain the one with the highest sequence is the position */
        const struct mariadb_gtid *have = NULL;
        for (size_t i = 0; i < p->count; i++)
            if (p->items[i].domain == g.domain)
                have = &p->items[i];
        if (!have || have->seq <= g.seq)
            mariadb_gtid_pos_add(p, g);
    }
    return E_OK;
}

void mariadb_gtid_pos_print(const struct mariadb_gtid_pos *p, struct strbuf *out)
{
    for (size_t i = 0; i < p->count; i++)
        strbuf_addf(out, "%s%u-%u-%llu", i ? "," : "", p->items[i].domain, p->items[i].server,
                    (unsigned long long)p->items[i].seq);
}

bool mariadb_gtid_pos_at_or_before(const struct mariadb_gtid_pos *a,
                                   const struct mariadb_gtid_pos *b)
{
    for (size_t i = 0; i < a->count; i++) {
        bool covered = false;
        for (size_t j = 0; j < b->count; j++)
            covered = covered || (b->items[j].domain == a->items[i].domain &&
                                  b->items[j].seq >= a->items[i].seq);
        if (!covered)
            return false;
    }
    return true;
}
