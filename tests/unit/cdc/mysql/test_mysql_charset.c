/* tests of cdc/mysql/charset.c */
#include "cdc/mysql/charset.h"

#include "base/bytes.h"
#include "helpers.h"

static void check(const char *charset, const char *hex, const char *want)
{
    const struct mysql_charset *cs = mysql_charset_find(slice_cstr(charset));
    struct strbuf in = STRBUF_INIT, out = STRBUF_INIT;

    CHECK(cs != NULL);
    CHECK_OK(hex_decode(&in, slice_cstr(hex)));
    mysql_charset_to_utf8(cs, strbuf_slice(&in), &out);
    CHECK_STR(out.p, want);
    CHECK(slice_is_utf8(strbuf_slice(&out)));
    strbuf_release(&in);
    strbuf_release(&out);
}

static void conversions(void)
{
    check("latin1", "636166e92080", "café €"); /* cp1252 */
    check("LATIN1", "8190", "\xc2\x81\xc2\x90");
    check("euckr", "c7d1b1db20c8a3", "한글 호");
    check("euckr", "81418c63", "갂똠"); /* beyond KS X 1001 */
    check("sjis", "93fa967bb1", "日本ｱ");
    check("cp932", "8160", "～");
    check("gbk", "d6d0cec4", "中文");
    check("gb2312", "d6d0", "中");
    check("gb18030", "d6d081308130", "中\xc2\x80");
    check("big5", "a4a4a4e5", "中文");
    check("ujis", "c6fccbdc8ea6", "日本ｦ");
    check("eucjpms", "a1c1", "～");
}

static void unicode(void)
{
    check("utf16", "d55cae00d83dde00", "한글😀");
    check("utf16le", "5cd500ae3dd800de", "한글😀");
    check("utf32", "0001f6000000ac00", "😀가");
    check("ucs2", "ac000041", "가A");
    check("ucs2", "d83dde00", "\xef\xbf\xbd\xef\xbf\xbd");
    check("utf8", "eab080", "가");
    check("utf8mb4", "f09f9880", "😀");
    check("ascii", "4180", "A\xef\xbf\xbd");
    check("swe7", "407b", "Éä");
    check("koi8r", "f2", "Р");
    check("cp1251", "cf", "П");
    check("greek", "c1", "Α");
    check("tis620", "a1", "ก");
}

static void damaged(void)
{
    check("utf8mb4", "41c0af42",
          "A\xef\xbf\xbd\xef\xbf\xbd"
          "B");
    check("utf8mb4", "eda080", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
    check("euckr", "c7", "\xef\xbf\xbd");
    check("euckr", "41ff42",
          "A\xef\xbf\xbd"
          "B");
    check("utf16", "d83d0041",
          "\xef\xbf\xbd"
          "A");
    check("utf16", "00", "\xef\xbf\xbd");
    check("utf32", "00110000", "\xef\xbf\xbd");
    check("gb18030", "ff41",
          "\xef\xbf\xbd"
          "A");
}

static void names(void)
{
    CHECK(mysql_charset_find(SL("nonsense")) == NULL);
    CHECK_SLICE(mysql_charset_name(mysql_charset_find(SL("utf8"))), SL("utf8mb3"));
    CHECK_SLICE(mysql_charset_name(mysql_charset_of_collation(SL("euckr_korean_ci"))), SL("euckr"));
    CHECK_SLICE(mysql_charset_name(mysql_charset_of_collation(SL("utf8mb4_uca1400_ai_ci"))),
                SL("utf8mb4"));
    CHECK(mysql_charset_of_collation(SL("binary")) == mysql_charset_binary);
    CHECK(mysql_charset_of_collation(SL("uca1400_ai_ci")) == NULL);
    CHECK_SLICE(mysql_charset_name(mysql_charset_of_collation_id(8)), SL("latin1"));
    CHECK_SLICE(mysql_charset_name(mysql_charset_of_collation_id(33)), SL("utf8mb3"));
    CHECK_SLICE(mysql_charset_name(mysql_charset_of_collation_id(45)), SL("utf8mb4"));
    CHECK_SLICE(mysql_charset_name(mysql_charset_of_collation_id(255)), SL("utf8mb4"));
    CHECK_SLICE(mysql_charset_name(mysql_charset_of_collation_id(63)), SL("binary"));
    CHECK_SLICE(mysql_charset_name(mysql_charset_of_collation_id(1069)),
                SL("utf8mb4")); /* NOPAD twin */
    CHECK_SLICE(mysql_charset_name(mysql_charset_of_collation_id(2304)), SL("utf8mb4"));
    CHECK(mysql_charset_of_collation_id(65000) == NULL);
    CHECK(mysql_charset_is_utf8(NULL));
    CHECK(mysql_charset_max_bytes(mysql_charset_utf8mb4) == 4);
}

static const struct test_case tests[] = {
    {"conversions", conversions},
    {"unicode", unicode},
    {"damaged", damaged},
    {"names", names},
    {NULL, NULL},
};
const struct test_suite test_mysql_charset = {"cdc/mysql/charset", tests};
