/* tests of cdc/mysql/row.c: every column type out of recorded binlogs, and hostile images */
#include "cdc/mysql/row.h"

#include "base/bytes.h"
#include "base/mem.h"
#include "binlog_file.h"
#include "cdc/mysql/json_binary.h"
#include "helpers.h"

struct collect {
    const char *table;
    struct strbuf out;
};

static void collect_rows(struct mysql_binlog *b, const struct mysql_event *ev, void *arg)
{
    struct collect *c = arg;

    (void)b;
    binlog_rows_text(ev, c->table, &c->out);
}

static void check_table(const char *file, bool mariadb, const char *table, const char *want)
{
    struct collect c = {table, STRBUF_INIT};

    CHECK(binlog_file_walk(file, mariadb, collect_rows, &c) > 0);
    CHECK_STR(c.out.p, want);
    strbuf_release(&c.out);
}

static void numbers(void)
{
    check_table("mysql9-types.binlog", false, "n",
                "+ "
                "1|x'01'|x'010001'|x'ffffffffffffffff'|-128|255|-32768|-8388608|16777215|-"
                "2147483648|4294967295|"
                "-9223372036854775808|18446744073709551615|3.1400001|-1.7e+308|-1234567.891|"
                "12345678901234567890123456789012345.123456789012345678901234567891|-123456789."
                "987654321|255|-65536\n"
                "+ "
                "2|NULL|NULL|NULL|NULL|NULL|NULL|NULL|NULL|NULL|NULL|NULL|NULL|NULL|NULL|NULL|NULL|"
                "NULL|NULL|NULL\n");
}

static void strings(void)
{
    check_table(
        "mysql9-types.binlog", false, "s",
        "+ 1|'가나'|'안녕 😀'|x'636166e92080'|x'c7d1b1db'|'long'|'tiny'|'text'|'medium'|'long "
        "text'|2|5|"
        "x'0102'|x'deadbeef'|'tb'|x'0001'|'mb'|'lb'\n"
        "+ "
        "2|NULL|NULL|NULL|NULL|NULL|NULL|NULL|NULL|NULL|NULL|NULL|NULL|NULL|NULL|NULL|NULL|NULL\n");
}

static void times(void)
{
    check_table("mysql9-types.binlog", false, "t",
                "+ 1|2018-06-20 |-10:00:01.000000|-838:59:58.999999|2018-06-20 06:37:03.000000|"
                "9999-12-31 23:59:59.987000|1000-01-01 "
                "00:00:00.000001|1529501823.000000|1529501823.250000|1\n"
                "+ 2|0000-00-00 |00:00:00.000000|00:00:00.500000|0000-00-00 00:00:00.000000|"
                "2024-00-10 00:00:00.000000|2001-02-03 04:05:06.700000|NULL|1.990000|0\n");
}

static void json(void)
{
    struct collect c = {"docs", STRBUF_INIT};

    CHECK(binlog_file_walk("mysql9-types.binlog", false, collect_rows, &c) > 0);
    /* SPEC: cdc-mysql 6.2: as recorded in types-json */
    static const char *const want[] = {
        "+ 1|NULL\n",
        "+ 2|{\"a\":1,\"b\":2,\"long name key\":[1,2,{\"x\":null}]}\n",
        "+ 3|\"text \\\"quoted\\\" \\\\ / é 한글 \\n\\t\"\n",
        "+ "
        "4|[true,false,null,0,-1,32767,-32768,65535,65536,2147483647,-2147483648,4294967295,"
        "4294967296,"
        "9223372036854775807,-9223372036854775808,18446744073709551615]\n",
        "+ 5|[1.5,-0.0,10000000000,1.0,100.0,0.1,3.141592653589793,123456789012345677877719597056,"
        "0.0000000999999999999999954748111825886258685613938723690807819366455078125,"
        "12345678.90000000037252902984619140625]\n",
        "+ 6|{\"d\":\"2020-01-02\",\"t\":\"-10:11:12.5\",\"u\":7,\"dt\":\"2020-01-02 "
        "03:44:05.678\","
        "\"bin\":\"AP9B\",\"bit\":\"BQ==\",\"dec\":123.450}\n",
        "> 2|{\"a\":5,\"b\":2,\"c\":\"new\",\"long name key\":[1,2,{\"x\":null}]}\n",
        "- 1|NULL\n",
    };
    for (size_t i = 0; i < ARRAY_LEN(want); i++)
        CHECK(slice_find(strbuf_slice(&c.out), slice_cstr(want[i])) >= 0);
    strbuf_release(&c.out);
}

static void minimal_images(void)
{
    struct collect c = {"p", STRBUF_INIT};

    CHECK(binlog_file_walk("mysql9-special.binlog", false, collect_rows, &c) > 0);
    CHECK(slice_find(strbuf_slice(&c.out), SL("< 1|-|-|-|-\n> -|-|-|-|'min'\n")) >= 0);
    CHECK(slice_find(strbuf_slice(&c.out), SL("|-|'noblob'\n")) >= 0);
    CHECK(slice_find(strbuf_slice(&c.out), SL("> 1|partial|partial|'blob'|'y'\n")) >= 0);
    CHECK(slice_find(strbuf_slice(&c.out), SL("|'c!'\n")) >=
          0); /* inside the compressed transaction */
    strbuf_release(&c.out);
    check_table("mysql9-special.binlog", false, "v", "+ 1|x'0000803f00002040000040c0'\n");
}

/* What the partial updates make of each before image. */
static void partial_rows(struct mysql_binlog *b, const struct mysql_event *ev, void *arg)
{
    struct mysql_cell before[8], after[8];
    struct mysql_rows it;
    struct strbuf *out = arg;
    struct error e = {.msg = ""};

    (void)b;
    if (ev->type != EV_PARTIAL_UPDATE_ROWS)
        return;
    CHECK_OK(mysql_rows_init(&it, &ev->u.rows, &e));
    while (mysql_rows_next(&it, before, after, &e) == E_OK)
        for (int i = 1; i <= 2; i++)
            if (after[i].state == CELL_PARTIAL) {
                CHECK_OK(mysql_json_apply_partial(slice_of(before[i].p, before[i].n),
                                                  slice_of(after[i].p, after[i].n), out, &e));
                strbuf_addc(out, '\n');
            }
}

static void partial_json(void)
{
    struct strbuf out = STRBUF_INIT;

    CHECK(binlog_file_walk("mysql9-special.binlog", false, partial_rows, &out) > 0);
    CHECK_STR(
        out.p,
        "{\"a\":2,\"b\":[1,2,3],\"s\":\"0123456789012345678901234567890123456789\"}\n"
        "[1,2]\n"
        "{\"a\":2,\"b\":[1,2,3],\"n\":\"new\",\"s\":\"0123456789012345678901234567890123456789\"}\n"
        "{\"a\":2,\"b\":[2,3],\"n\":\"new\",\"s\":\"0123456789012345678901234567890123456789\"}\n");
    strbuf_release(&out);
}

static void mariadb(void)
{
    static const char *const files[] = {"mariadb10-types.binlog", "mariadb11-types.binlog"};

    for (size_t i = 0; i < 2; i++) {
        struct collect c = {"m", STRBUF_INIT};
        CHECK(binlog_file_walk(files[i], true, collect_rows, &c) > 0);
        CHECK(slice_starts(
            strbuf_slice(&c.out),
            SL("+ "
               "1|x'00000000000000000000000000000001'|x'0a010203'|x'"
               "00000000000000000000000000000001'|"
               "'{\"a\": 1}'|1|-1.500|3.1400001|2.5|'abc'|'cl'|'v'|x'01'|2|3|x'0101'|'text'|"
               "x'000000000101000000000000000000f03f0000000000000040'\n")));
        strbuf_release(&c.out);
        check_table(
            files[i], true, "mt",
            "+ 1|2018-06-20 |-10:00:00.125000|2018-06-20 06:37:03.123456|1529501823.250000|124\n");
        c = (struct collect){"comp", STRBUF_INIT};
        CHECK(binlog_file_walk(files[i], true, collect_rows, &c) > 0);
        /* 400 a, then a compressed event with 600 c and 500 d, an update and a delete */
        struct slice first = slice_sub(strbuf_slice(&c.out), 0, 4 + 400 + 7);
        CHECK(slice_starts(first, SL("+ 1|aaaa")) && slice_ends(first, SL("aaaa|short\n")));
        CHECK(slice_find(strbuf_slice(&c.out), SL("+ 3|NULL|\n+ 4|cccc")) >= 0);
        CHECK(slice_find(strbuf_slice(&c.out),
                         SL("> 1|zzzzzzzzzzzzzzzzzzzzzzzzzzzzz|short\n- 2|s|bbb")) >= 0);
        strbuf_release(&c.out);
    }
}

/* --- hostile images ------------------------------------------------------------------------- */

struct made {
    struct mysql_table_map map;
    struct mysql_map_column columns[3];
    struct mysql_rows_event ev;
    uint8_t present[1];
};

static void make(struct made *m, const char *rows, size_t n)
{
    memset(m, 0, sizeof *m);
    m->columns[0] = (struct mysql_map_column){.type = WIRE_LONG, .layout = CELL_FIXED, .size = 4};
    m->columns[1] = (struct mysql_map_column){.type = WIRE_VARCHAR, .layout = CELL_LEN1};
    m->columns[2] = (struct mysql_map_column){.type = WIRE_BLOB, .layout = CELL_LEN4, .meta = 4};
    m->map = (struct mysql_table_map){
        .db = SL("d"), .table = SL("t"), .column_count = 3, .columns = m->columns};
    m->present[0] = 7;
    m->ev = (struct mysql_rows_event){.op = ROWS_WRITE,
                                      .map = &m->map,
                                      .column_count = 3,
                                      .present_before = m->present,
                                      .present_after = m->present,
                                      .rows = slice_of(rows, n)};
}

static void hostile(void)
{
    static const char good[] = "\0\1\0\0\0\2ab\3\0\0\0xyz";
    struct mysql_cell cells[3];
    struct mysql_rows it;
    struct error e = {.msg = ""};
    struct made m;

    make(&m, good, sizeof good - 1);
    CHECK_OK(mysql_rows_init(&it, &m.ev, &e));
    CHECK_OK(mysql_rows_next(&it, NULL, cells, &e));
    CHECK_SLICE(slice_of(cells[2].p, cells[2].n), SL("xyz"));
    CHECK_ERR(mysql_rows_next(&it, NULL, cells, &e), E_NOT_FOUND);
    for (size_t n = 1; n < sizeof good - 1; n++) {
        make(&m, good, n);
        CHECK_OK(mysql_rows_init(&it, &m.ev, &e));
        CHECK_ERR(mysql_rows_next(&it, NULL, cells, &e), E_CORRUPT);
        CHECK(strstr(e.msg, "d.t") != NULL);
    }
    make(&m, "\0\1\0\0\0\2ab\xff\xff\xff\xff", 12); /* 4 GiB that are not there */
    CHECK_OK(mysql_rows_init(&it, &m.ev, &e));
    CHECK_ERR(mysql_rows_next(&it, NULL, cells, &e), E_CORRUPT);
    m.columns[1].layout = CELL_INVALID;
    CHECK_OK(mysql_rows_init(&it, &m.ev, &e));
    CHECK_ERR(mysql_rows_next(&it, NULL, cells, &e), E_CORRUPT);
    m.ev.column_count = 2;
    CHECK_ERR(mysql_rows_init(&it, &m.ev, &e), E_CORRUPT);
    m.ev.map = NULL;
    CHECK_ERR(mysql_rows_init(&it, &m.ev, &e), E_INVALID);
    make(&m, "xx", 2);
    m.map.column_count = m.ev.column_count = 0; /* rows of nothing must end */
    CHECK_OK(mysql_rows_init(&it, &m.ev, &e));
    CHECK_ERR(mysql_rows_next(&it, NULL, NULL, &e), E_CORRUPT);
}

static void integers(void)
{
    static const uint8_t ff[8] = {0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF};

    for (uint32_t n = 1; n <= 8; n++) {
        struct mysql_cell c = {ff, n, CELL_VALUE};
        CHECK_INT(mysql_cell_int(&c), -1);
        CHECK(mysql_cell_uint(&c) == (n == 8 ? UINT64_MAX : (UINT64_C(1) << (8 * n)) - 1));
    }
}

static void compressed_cells(void)
{
    static const char *const bad[] = {"\x81",       "\x81\x05", "\x81\x05zz",
                                      "\x91\x05zz", "\x80zz",   "\x84\xff\xff\xff\xffx"};
    struct strbuf out = STRBUF_INIT;

    struct mysql_cell stored = {(const uint8_t *)"\0abc", 4, CELL_VALUE},
                      none = {(const uint8_t *)"", 0, CELL_VALUE};
    CHECK_OK(mysql_cell_decompress(&stored, &out));
    CHECK_OK(mysql_cell_decompress(&none, &out));
    CHECK_STR(out.p, "abc");
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct mysql_cell c = {(const uint8_t *)bad[i], (uint32_t)strlen(bad[i]), CELL_VALUE};
        CHECK_ERR(mysql_cell_decompress(&c, &out), E_CORRUPT);
    }
    strbuf_release(&out);
}

static const struct test_case tests[] = {
    {"numbers", numbers},
    {"strings", strings},
    {"times", times},
    {"json", json},
    {"minimal images", minimal_images},
    {"partial json", partial_json},
    {"mariadb", mariadb},
    {"hostile", hostile},
    {"integers", integers},
    {"compressed cells", compressed_cells},
    {NULL, NULL},
};
const struct test_suite test_mysql_row = {"cdc/mysql/row", tests};
