/* cdc/mysql/charset.c - the table of character sets, and their conversion to UTF-8.
 *
 * Single-byte sets use constant tables (as the server itself converts). Double-byte sets get a
 * table of 32768 code points on first use, filled through iconv, built once and kept for the life
 * of the process; publication is by an atomic pointer, building under one lock. GB18030 and the
 * three-byte EUC sets, which are rare, go through iconv each time. Invalid bytes become U+FFFD one
 * by one. SPEC: cdc-mysql 6.2 (measured charset behaviour), 11.7. */
#include "cdc/mysql/charset.h"

#include <iconv.h>
#include <pthread.h>
#include <stdatomic.h>

#include "base/bytes.h"
#include "base/mem.h"
#include "cdc/mysql/charset_tables.h"

enum charset_form {
    FORM_UTF8,
    FORM_ASCII,
    FORM_SINGLE, /* 0x80..0xff by table, below as ASCII */
    FORM_SWE7,   /* 0x00..0x7f by table */
    FORM_DOUBLE, /* lead byte >= 0x81, two bytes; single bytes by iconv too */
    FORM_ICONV,
    FORM_UCS2,
    FORM_UTF16,
    FORM_UTF16LE,
    FORM_UTF32,
    FORM_BINARY,
};

struct mysql_charset {
    const char *name, *collation;
    uint8_t max_bytes, form;
    const uint16_t *table; /* FORM_SINGLE, FORM_SWE7 */
    const char *iconv;
};

/* Order is that of the C_ symbols below. */
#define CHARSETS(X)                                                                                \
    X(armscii8, "armscii8_general_ci", 1, FORM_SINGLE, charset_armscii8, NULL)                     \
    X(ascii, "ascii_general_ci", 1, FORM_ASCII, NULL, NULL)                                        \
    X(big5, "big5_chinese_ci", 2, FORM_DOUBLE, NULL, "BIG5")                                       \
    X(binary, "binary", 1, FORM_BINARY, NULL, NULL)                                                \
    X(cp1250, "cp1250_general_ci", 1, FORM_SINGLE, charset_cp1250, NULL)                           \
    X(cp1251, "cp1251_general_ci", 1, FORM_SINGLE, charset_cp1251, NULL)                           \
    X(cp1256, "cp1256_general_ci", 1, FORM_SINGLE, charset_cp1256, NULL)                           \
    X(cp1257, "cp1257_general_ci", 1, FORM_SINGLE, charset_cp1257, NULL)                           \
    X(cp850, "cp850_general_ci", 1, FORM_SINGLE, charset_cp850, NULL)                              \
    X(cp852, "cp852_general_ci", 1, FORM_SINGLE, charset_cp852, NULL)                              \
    X(cp866, "cp866_general_ci", 1, FORM_SINGLE, charset_cp866, NULL)                              \
    X(cp932, "cp932_japanese_ci", 2, FORM_DOUBLE, NULL, "CP932")                                   \
    X(dec8, "dec8_swedish_ci", 1, FORM_SINGLE, charset_dec8, NULL)                                 \
    X(eucjpms, "eucjpms_japanese_ci", 3, FORM_ICONV, NULL, "EUC-JP-MS")                            \
    X(euckr, "euckr_korean_ci", 2, FORM_DOUBLE, NULL, "CP949")                                     \
    X(gb18030, "gb18030_chinese_ci", 4, FORM_ICONV, NULL, "GB18030")                               \
    X(gb2312, "gb2312_chinese_ci", 2, FORM_DOUBLE, NULL, "EUC-CN")                                 \
    X(gbk, "gbk_chinese_ci", 2, FORM_DOUBLE, NULL, "GBK")                                          \
    X(geostd8, "geostd8_general_ci", 1, FORM_SINGLE, charset_geostd8, NULL)                        \
    X(greek, "greek_general_ci", 1, FORM_SINGLE, charset_greek, NULL)                              \
    X(hebrew, "hebrew_general_ci", 1, FORM_SINGLE, charset_hebrew, NULL)                           \
    X(hp8, "hp8_english_ci", 1, FORM_SINGLE, charset_hp8, NULL)                                    \
    X(keybcs2, "keybcs2_general_ci", 1, FORM_SINGLE, charset_keybcs2, NULL)                        \
    X(koi8r, "koi8r_general_ci", 1, FORM_SINGLE, charset_koi8r, NULL)                              \
    X(koi8u, "koi8u_general_ci", 1, FORM_SINGLE, charset_koi8u, NULL)                              \
    X(latin1, "latin1_swedish_ci", 1, FORM_SINGLE, charset_latin1, NULL)                           \
    X(latin2, "latin2_general_ci", 1, FORM_SINGLE, charset_latin2, NULL)                           \
    X(latin5, "latin5_turkish_ci", 1, FORM_SINGLE, charset_latin5, NULL)                           \
    X(latin7, "latin7_general_ci", 1, FORM_SINGLE, charset_latin7, NULL)                           \
    X(macce, "macce_general_ci", 1, FORM_SINGLE, charset_macce, NULL)                              \
    X(macroman, "macroman_general_ci", 1, FORM_SINGLE, charset_macroman, NULL)                     \
    X(sjis, "sjis_japanese_ci", 2, FORM_DOUBLE, NULL, "SJIS")                                      \
    X(swe7, "swe7_swedish_ci", 1, FORM_SWE7, charset_swe7, NULL)                                   \
    X(tis620, "tis620_thai_ci", 1, FORM_SINGLE, charset_tis620, NULL)                              \
    X(ucs2, "ucs2_general_ci", 2, FORM_UCS2, NULL, NULL)                                           \
    X(ujis, "ujis_japanese_ci", 3, FORM_ICONV, NULL, "EUC-JP")                                     \
    X(utf16, "utf16_general_ci", 4, FORM_UTF16, NULL, NULL)                                        \
    X(utf16le, "utf16le_general_ci", 4, FORM_UTF16LE, NULL, NULL)                                  \
    X(utf32, "utf32_general_ci", 4, FORM_UTF32, NULL, NULL)                                        \
    X(utf8mb3, "utf8mb3_general_ci", 3, FORM_UTF8, NULL, NULL)                                     \
    X(utf8mb4, "utf8mb4_0900_ai_ci", 4, FORM_UTF8, NULL, NULL)

enum {
#define X(name, coll, max, form, table, iconv) C_##name,
    CHARSETS(X)
#undef X
        C_COUNT
};
static const struct mysql_charset charsets[C_COUNT] = {
#define X(name, coll, max, form, table, iconv) {#name, coll, max, form, table, iconv},
    CHARSETS(X)
#undef X
};
const struct mysql_charset *const mysql_charset_utf8mb4 = &charsets[C_utf8mb4];
const struct mysql_charset *const mysql_charset_binary = &charsets[C_binary];

/* Collation ids in ranges, of MySQL 9 and MariaDB 11. MariaDB's NOPAD twins of ids below 256 are id
 * + 1024. */
static const struct {
    uint16_t first, last;
    uint8_t charset;
} collation_ids[] = {
    /* clang-format off */
        {1, 1, C_big5}, {2, 2, C_latin2}, {3, 3, C_dec8}, {4, 4, C_cp850}, {5, 5, C_latin1}, {6,
    6, C_hp8}, {7, 7, C_koi8r}, {8, 8, C_latin1}, {9, 9, C_latin2}, {10, 10, C_swe7}, {11, 11,
    C_ascii}, {12, 12, C_ujis}, {13, 13, C_sjis}, {14, 14, C_cp1251}, {15, 15, C_latin1}, {16,
    16, C_hebrew}, {18, 18, C_tis620}, {19, 19, C_euckr}, {20, 20, C_latin7}, {21, 21,
    C_latin2}, {22, 22, C_koi8u}, {23, 23, C_cp1251}, {24, 24, C_gb2312}, {25, 25, C_greek},
    {26, 26, C_cp1250}, {27, 27, C_latin2}, {28, 28, C_gbk}, {29, 29, C_cp1257}, {30, 30,
    C_latin5}, {31, 31, C_latin1}, {32, 32, C_armscii8}, {33, 33, C_utf8mb3}, {34, 34,
    C_cp1250}, {35, 35, C_ucs2}, {36, 36, C_cp866}, {37, 37, C_keybcs2}, {38, 38, C_macce}, {39,
    39, C_macroman}, {40, 40, C_cp852}, {41, 42, C_latin7}, {43, 43, C_macce}, {44, 44,
    C_cp1250}, {45, 46, C_utf8mb4}, {47, 49, C_latin1}, {50, 52, C_cp1251}, {53, 53,
    C_macroman}, {54, 55, C_utf16}, {56, 56, C_utf16le}, {57, 57, C_cp1256}, {58, 59, C_cp1257},
    {60, 61, C_utf32}, {62, 62, C_utf16le}, {63, 63, C_binary}, {64, 64, C_armscii8}, {65, 65,
    C_ascii}, {66, 66, C_cp1250}, {67, 67, C_cp1256}, {68, 68, C_cp866}, {69, 69, C_dec8}, {70,
    70, C_greek}, {71, 71, C_hebrew}, {72, 72, C_hp8}, {73, 73, C_keybcs2}, {74, 74, C_koi8r},
    {75, 75, C_koi8u}, {76, 76, C_utf8mb3}, {77, 77, C_latin2}, {78, 78, C_latin5}, {79, 79,
    C_latin7}, {80, 80, C_cp850}, {81, 81, C_cp852}, {82, 82, C_swe7}, {83, 83, C_utf8mb3}, {84,
    84, C_big5}, {85, 85, C_euckr}, {86, 86, C_gb2312}, {87, 87, C_gbk}, {88, 88, C_sjis}, {89,
    89, C_tis620}, {90, 90, C_ucs2}, {91, 91, C_ujis}, {92, 93, C_geostd8}, {94, 94, C_latin1},
    {95, 96, C_cp932}, {97, 98, C_eucjpms}, {99, 99, C_cp1250}, {101, 124, C_utf16}, {128, 151,
    C_ucs2}, {159, 159, C_ucs2}, {160, 183, C_utf32}, {192, 215, C_utf8mb3}, {223, 223,
    C_utf8mb3}, {224, 247, C_utf8mb4}, {248, 250, C_gb18030}, {255, 323, C_utf8mb4}, {576, 578,
    C_utf8mb3}, {608, 610, C_utf8mb4}, {640, 642, C_ucs2}, {672, 674, C_utf16}, {736, 738,
    C_utf32}, {2048, 2247, C_utf8mb3}, {2304, 2503, C_utf8mb4}, {2560, 2759, C_ucs2}, {2816,
    3015, C_utf16}, {3072, 3271, C_utf32},
    /* clang-format on */
};

const struct mysql_charset *mysql_charset_find(struct slice name)
{
    if (slice_ieq(name, SL("utf8")))
        return &charsets[C_utf8mb3];
    for (size_t i = 0; i < C_COUNT; i++)
        if (slice_ieq(name, slice_cstr(charsets[i].name)))
            return &charsets[i];
    return NULL;
}

const struct mysql_charset *mysql_charset_of_collation(struct slice collation)
{
    ptrdiff_t cut = slice_find_char(collation, '_');
    if (cut < 0)
        return slice_ieq(collation, SL("binary")) ? mysql_charset_binary : NULL;
    return mysql_charset_find(slice_sub(collation, 0, (size_t)cut));
}

const struct mysql_charset *mysql_charset_of_collation_id(uint32_t id)
{
    if (id > 1024 && id <= 1024 + 255)
        id -= 1024;
    for (size_t i = 0; i < ARRAY_LEN(collation_ids); i++)
        if (id >= collation_ids[i].first && id <= collation_ids[i].last)
            return &charsets[collation_ids[i].charset];
    return NULL;
}

struct slice mysql_charset_name(const struct mysql_charset *cs)
{
    return cs ? slice_cstr(cs->name) : SLICE_NULL;
}

struct slice mysql_charset_default_collation(const struct mysql_charset *cs)
{
    return cs ? slice_cstr(cs->collation) : SLICE_NULL;
}

unsigned mysql_charset_max_bytes(const struct mysql_charset *cs)
{
    return cs ? cs->max_bytes : 4;
}

bool mysql_charset_is_utf8(const struct mysql_charset *cs)
{
    return !cs || cs->form == FORM_UTF8 || cs->form == FORM_ASCII;
}

/* --- conversion ----------------------------------------------------------------------------- */

static void put(struct strbuf *out, uint32_t u)
{
    char b[4];
    size_t n;

    if (u > 0x10FFFF || (u >= 0xD800 && u <= 0xDFFF))
        u = 0xFFFD;
    if (u < 0x80) {
        b[0] = (char)u;
        n = 1;
    } else if (u < 0x800) {
        b[0] = (char)(0xC0 | u >> 6);
        b[1] = (char)(0x80 | (u & 0x3F));
        n = 2;
    } else if (u < 0x10000) {
        b[0] = (char)(0xE0 | u >> 12);
        b[1] = (char)(0x80 | (u >> 6 & 0x3F));
        b[2] = (char)(0x80 | (u & 0x3F));
        n = 3;
    } else {
        b[0] = (char)(0xF0 | u >> 18);
        b[1] = (char)(0x80 | (u >> 12 & 0x3F));
        b[2] = (char)(0x80 | (u >> 6 & 0x3F));
        b[3] = (char)(0x80 | (u & 0x3F));
        n = 4;
    }
    strbuf_add(out, b, n);
}

/* Bytes at p that form one well-formed UTF-8 character, or 0. */
static size_t utf8_char(const uint8_t *p, size_t n)
{
    uint8_t c = p[0];
    size_t need = c < 0x80                ? 1
                  : c >= 0xC2 && c < 0xE0 ? 2
                  : c >= 0xE0 && c < 0xF0 ? 3
                  : c >= 0xF0 && c < 0xF5 ? 4
                                          : 0;

    if (need == 0 || need > n)
        return 0;
    for (size_t i = 1; i < need; i++)
        if ((p[i] & 0xC0) != 0x80)
            return 0;
    if ((c == 0xE0 && p[1] < 0xA0) || (c == 0xED && p[1] >= 0xA0) || (c == 0xF0 && p[1] < 0x90) ||
        (c == 0xF4 && p[1] >= 0x90))
        return 0;
    return need;
}

static void from_utf8(struct slice in, struct strbuf *out)
{
    const uint8_t *p = (const uint8_t *)in.p, *end = p + in.n;

    if (slice_is_utf8(in)) {
        strbuf_add_slice(out, in);
        return;
    }
    while (p < end) {
        size_t n = utf8_char(p, (size_t)(end - p));
        if (n)
            strbuf_add(out, p, n);
        else
            put(out, 0xFFFD);
        p += n ? n : 1;
    }
}

static void from_single(const uint16_t *high, const uint16_t *low, struct slice in,
                        struct strbuf *out)
{
    const uint8_t *p = (const uint8_t *)in.p, *end = p + in.n;

    while (p < end) {
        const uint8_t *start = p;
        while (p < end && *p < 0x80 && !low)
            p++;
        strbuf_add(out, start, (size_t)(p - start));
        if (p == end)
            break;
        if (*p < 0x80)
            put(out, low[*p]);
        else
            put(out, high ? high[*p - 0x80] : 0xFFFD);
        p++;
    }
}

/* A double-byte set's table: [0, 0x8000): lead 0x80..0xff and trail; then 256 single bytes. 0:
 * invalid. */
#define DOUBLE_SIZE (0x8000 + 256)
static _Atomic(uint16_t *)
    double_tables[C_COUNT]; /* released once filled; kept until the process ends */
static pthread_mutex_t double_lock = PTHREAD_MUTEX_INITIALIZER;

static uint16_t iconv_one(iconv_t cd, const uint8_t *bytes, size_t n)
{
    char in[2], res[8];
    char *ip = in, *op = res;
    size_t in_left = n, out_left = sizeof res;

    memcpy(in, bytes, n);
    iconv(cd, NULL, NULL, NULL, NULL);
    if (iconv(cd, &ip, &in_left, &op, &out_left) == (size_t)-1 || in_left ||
        out_left != sizeof res - 2)
        return 0;
    return load_le16(res);
}

static const uint16_t *double_table(const struct mysql_charset *cs)
{
    size_t index = (size_t)(cs - charsets);
    uint16_t *t = atomic_load_explicit(&double_tables[index], memory_order_acquire);

    if (t)
        return t;
    pthread_mutex_lock(&double_lock);
    t = atomic_load_explicit(&double_tables[index], memory_order_relaxed); /* the lock orders it */
    iconv_t cd = t ? (iconv_t)-1 : iconv_open("UTF-16LE", cs->iconv);
    if (!t && cd != (iconv_t)-1) {
        t = xcalloc(DOUBLE_SIZE, sizeof *t);
        for (unsigned i = 0; i < 0x8000; i++)
            t[i] = iconv_one(cd, (uint8_t[]){(uint8_t)(0x80 | i >> 8), (uint8_t)i}, 2);
        for (unsigned i = 0; i < 256; i++)
            t[0x8000 + i] = iconv_one(cd, (uint8_t[]){(uint8_t)i}, 1);
        iconv_close(cd);
        atomic_store_explicit(&double_tables[index], t,
                              memory_order_release); /* pairs with the acquire */
    }
    pthread_mutex_unlock(&double_lock);
    return t;
}

static void from_double(const struct mysql_charset *cs, struct slice in, struct strbuf *out)
{
    const uint8_t *p = (const uint8_t *)in.p, *end = p + in.n;
    const uint16_t *t = double_table(cs);

    if (!t) { /* no iconv modules on this machine: what is ASCII stays readable */
        from_single(NULL, NULL, in, out);
        return;
    }
    while (p < end) {
        const uint8_t *start = p;
        while (p < end && *p < 0x80)
            p++;
        strbuf_add(out, start, (size_t)(p - start));
        if (p == end)
            break;
        uint16_t pair = end - p >= 2 ? t[(*p & 0x7F) << 8 | p[1]] : 0;
        uint16_t one = t[0x8000 + *p];
        if (one) { /* half-width katakana of SJIS */
            put(out, one);
            p++;
        } else {
            put(out, pair ? pair : 0xFFFD);
            p += pair ? 2 : 1;
        }
    }
}

static void from_iconv(const struct mysql_charset *cs, struct slice in, struct strbuf *out)
{
    iconv_t cd = iconv_open("UTF-8", cs->iconv);
    char buf[4096];

    if (cd == (iconv_t)-1) {
        from_single(NULL, NULL, in, out);
        return;
    }
    /* iconv's prototype lacks const; it does not write through the pointer. */
    union {
        const char *c;
        char *m;
    } at = {.c = in.p};
    size_t left = in.n;
    while (left > 0) {
        char *op = buf;
        size_t room = sizeof buf, before = left;
        size_t r = iconv(cd, &at.m, &left, &op, &room);
        strbuf_add(out, buf, sizeof buf - room);
        if (r == (size_t)-1 && left > 0 && left == before &&
            room == sizeof buf) { /* stuck: bad byte */
            put(out, 0xFFFD);
            at.c++;
            left--;
            iconv(cd, NULL, NULL, NULL, NULL);
        }
    }
    iconv_close(cd);
}

static void from_utf16(struct slice in, bool little, bool surrogates, struct strbuf *out)
{
    const uint8_t *p = (const uint8_t *)in.p, *end = p + in.n;

    while (end - p >= 2) {
        uint32_t u = little ? load_le16(p) : load_be16(p);
        p += 2;
        if (surrogates && u >= 0xD800 && u < 0xDC00 && end - p >= 2) {
            uint32_t v = little ? load_le16(p) : load_be16(p);
            if (v >= 0xDC00 && v < 0xE000) {
                u = 0x10000 + ((u - 0xD800) << 10) + (v - 0xDC00);
                p += 2;
            }
        }
        put(out, u);
    }
    if (p < end)
        put(out, 0xFFFD);
}

static void from_utf32(struct slice in, struct strbuf *out)
{
    const uint8_t *p = (const uint8_t *)in.p, *end = p + in.n;

    for (; end - p >= 4; p += 4)
        put(out, load_be32(p));
    if (p < end)
        put(out, 0xFFFD);
}

void mysql_charset_to_utf8(const struct mysql_charset *cs, struct slice in, struct strbuf *out)
{
    if (in.n == 0)
        return;
    switch (cs ? cs->form : FORM_UTF8) {
    case FORM_UTF8:
        from_utf8(in, out);
        break;
    case FORM_ASCII:
        from_single(NULL, NULL, in, out);
        break;
    case FORM_SINGLE:
        from_single(cs->table, NULL, in, out);
        break;
    case FORM_SWE7:
        from_single(NULL, cs->table, in, out);
        break;
    case FORM_DOUBLE:
        from_double(cs, in, out);
        break;
    case FORM_ICONV:
        from_iconv(cs, in, out);
        break;
    case FORM_UCS2:
    case FORM_UTF16:
        from_utf16(in, false, cs->form == FORM_UTF16, out);
        break;
    case FORM_UTF16LE:
        from_utf16(in, true, true, out);
        break;
    case FORM_UTF32:
        from_utf32(in, out);
        break;
    default:
        from_single(charset_latin1, NULL, in, out);
        break;
    }
}
