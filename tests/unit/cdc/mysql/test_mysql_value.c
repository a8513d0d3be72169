/* Columns to Connect: schemas, snapshot texts, binlog cells and defaults of every type, as recorded
 * from the real connector (golden types-*, modes-*). Tables come from their statements, as they do
 * in life. SPEC: cdc-mysql 6 */
#include "cdc/mysql/value.h"

#include "cdc/mysql/column_converters.h"
#include "cdc/mysql/schema.h"
#include "connect/json_out.h"
#include "helpers.h"

struct fixture {
    struct mysql_schema *schema;
    const struct mysql_table *table;
    struct value_modes modes;
    struct codec codec;
    struct value_env env;
    struct arena arena;
};

/* Table t with one column c of this definition. */
static void open_column(struct fixture *f, const char *definition, bool mariadb)
{
    struct mysql_schema_options o = {.mariadb = mariadb};
    struct mysql_ddl_origin origin = {.db = SL("d")};
    struct mysql_changes changes;
    struct strbuf sql = STRBUF_INIT;
    struct error e = {0};
    strbuf_addf(&sql, "CREATE TABLE t (c %s)", definition);
    f->schema = mysql_schema_new(&o);
    mysql_changes_init(&changes);
    CHECK_OK(mysql_schema_apply(f->schema, &origin, strbuf_slice(&sql), &changes, &e));
    mysql_changes_release(&changes);
    f->table = mysql_schema_find(f->schema, SL("d"), SL("t"));
    arena_init(&f->arena, 0, ARENA_NO_BUDGET);
    value_env_init(&f->env);
    f->env.arena = &f->arena;
    CHECK(f->table != NULL);
    if (f->table)
        codec_init(&f->codec, f->table, &f->table->columns[0], &f->modes);
    strbuf_release(&sql);
}

static void close_column(struct fixture *f)
{
    codec_release(&f->codec);
    value_env_release(&f->env);
    arena_release(&f->arena);
    mysql_schema_free(f->schema);
}

static void print(struct fixture *f, struct value v, struct strbuf *out)
{
    struct json_out_options o = {0};
    struct error e = {0};
    strbuf_reset(out);
    CHECK_OK(json_out_value(out, f->codec.schema, v, &o, &e));
}

struct text_row {
    const char *definition;
    const char *schema; /* NULL: not looked at */
    const char *text;   /* of a snapshot; NULL: SQL NULL */
    const char *value;  /* JSON */
};

static void run_rows(const struct text_row *rows, size_t n, struct value_modes modes, bool mariadb)
{
    struct strbuf got = STRBUF_INIT;
    for (size_t i = 0; i < n; i++) {
        struct fixture f = {.modes = modes};
        struct value v;
        open_column(&f, rows[i].definition, mariadb);
        if (f.table && f.codec.schema) {
            if (rows[i].schema)
                CHECK_SLICE(f.codec.schema->json, slice_cstr(rows[i].schema));
            CHECK_OK(codec_text(&f.codec, &f.env, slice_cstr(rows[i].text), &v));
            print(&f, v, &got);
            CHECK_STR(got.p, rows[i].value);
        }
        close_column(&f);
    }
    strbuf_release(&got);
}

#define OPT(type) "{\"type\":\"" type "\",\"optional\":true"
#define REQ(type) "{\"type\":\"" type "\",\"optional\":false"
#define DECIMAL(s, p)                                                                              \
    ",\"name\":\"org.apache.kafka.connect.data.Decimal\",\"version\":1,\"parameters\":{\"scale\":" \
    "\"" s "\",\"connect.decimal.precision\":\"" p "\"}"
static const struct value_modes plain = {.time_adjuster = true};

static void test_numbers(void)
{
    static const struct text_row rows[] = {
        {"INT NOT NULL", REQ("int32") "}", "-5", "-5"},
        {"INT UNSIGNED DEFAULT 4294967295", OPT("int64") ",\"default\":4294967295}", NULL, "null"},
        {"TINYINT DEFAULT -5", OPT("int16") ",\"default\":-5}", "127", "127"},
        {"SMALLINT UNSIGNED", OPT("int32") "}", "65535", "65535"},
        {"MEDIUMINT", OPT("int32") "}", "-8388608", "-8388608"},
        {"BIGINT UNSIGNED", OPT("int64") "}", "18446744073709551615", "-1"},
        {"BIGINT UNSIGNED DEFAULT 18446744073709551615",
         OPT("int64") ",\"default\":9223372036854775807}", "1", "1"},
        {"INT(6) ZEROFILL", OPT("int64") "}", "000042", "42"},
        {"BOOLEAN DEFAULT TRUE", OPT("boolean") ",\"default\":true}", "0", "false"},
        {"TINYINT(1) NOT NULL DEFAULT '0'", REQ("int16") ",\"default\":0}", "1", "1"},
        {"INT NOT NULL", NULL, NULL, "0"},
        {"INT NOT NULL DEFAULT 7", NULL, NULL, "7"},
        {"BIT", OPT("boolean") "}", "\x01", "true"},
        {"BIT(9) DEFAULT b'1'",
         OPT("bytes") ",\"name\":\"io.debezium.data.Bits\",\"version\":1,\"parameters\":{"
                      "\"length\":\"9\"},"
                      "\"default\":\"AQA=\"}",
         "\x01\x02", "\"AgE=\""},
        {"FLOAT DEFAULT 1.1", OPT("float") ",\"default\":1.1}", "3.14", "3.14"},
        {"FLOAT(30)", OPT("double") "}", "3.14159", "3.14159"},
        {"FLOAT(7,2)", OPT("double") "}", "12345.67", "12345.669921875"},
        {"REAL", OPT("float") "}", "0.3", "0.3"},
        {"DOUBLE DEFAULT '2.50'", OPT("double") ",\"default\":2.5}", "1e21", "1.0E21"},
        {"DECIMAL(5,2) NOT NULL DEFAULT 1.5",
         REQ("bytes") DECIMAL("2", "5") ",\"default\":\"AJY=\"}", "123.45", "\"MDk=\""},
        {"DECIMAL(5,2)", NULL, "-1.00", "\"nA==\""},
        {"NUMERIC", OPT("bytes") DECIMAL("0", "10") "}", "-12", "\"9A==\""},
        {"YEAR DEFAULT 2020",
         OPT("int32") ",\"name\":\"io.debezium.time.Year\",\"version\":1,\"default\":2020}", "1901",
         "1901"},
        {"YEAR", NULL, "0000", "0"},
        {"INT", NULL, "no number", "null"},
    };
    run_rows(rows, ARRAY_LEN(rows), plain, false);
}

/* Debezium's own converters. The table is d.t, its column c. SPEC: cdc-mysql 6.10 */
static void run_converter(const char *options, const struct text_row *rows, size_t n)
{
    struct strmap config = STRMAP_INIT;
    struct column_converters converters;
    struct slice rest = slice_cstr(options), line;
    struct value_modes modes = plain;
    strmap_set(&config, SL("converters"), SL("b"));
    while (rest.p && slice_split(&rest, '\n', &line)) {
        size_t eq = (size_t)slice_find_char(line, '=');
        strmap_set(&config, slice_sub(line, 0, eq), slice_sub(line, eq + 1, line.n));
    }
    CHECK_OK(column_converters_init(&converters, &config, NULL));
    modes.converters = &converters;
    run_rows(rows, n, modes, false);
    column_converters_release(&converters);
    strmap_release(&config);
}

#define CLASSES "b.type=io.debezium.connector.mysql.converters."
static void test_converters(void)
{
    static const struct text_row tiny[] = {
        {"TINYINT(1) DEFAULT 1", OPT("boolean") ",\"default\":true}", "0", "false"},
        {"TINYINT(1) UNSIGNED NOT NULL", REQ("boolean") "}", "2", "true"},
        {"TINYINT(1)", OPT("boolean") "}", "-1", "false"},
        {"TINYINT(1) NOT NULL DEFAULT 1", REQ("boolean") ",\"default\":true}", NULL, "true"},
        {"TINYINT(2)", OPT("int16") "}", "1", "1"},
        {"INT", OPT("int32") "}", "1", "1"},
    };
    static const struct text_row unchecked[] = {{"TINYINT", OPT("boolean") "}", "1", "true"}};
    static const struct text_row other[] = {{"TINYINT(1)", OPT("int16") "}", "1", "1"}};
    run_converter(CLASSES "TinyIntOneToBooleanConverter", tiny, ARRAY_LEN(tiny));
    run_converter(CLASSES "TinyIntOneToBooleanConverter\nb.length.checker=false", unchecked, 1);
    run_converter(CLASSES "TinyIntOneToBooleanConverter\nb.selector=x, D\\.T\\.c", tiny, 1);
    run_converter(CLASSES "TinyIntOneToBooleanConverter\nb.selector=d\\.t", other, 1);

    static const struct text_row bits[] = {{"BIT", OPT("int16") "}", "\x01", "1"}};
    static const struct text_row reals[] = {{"REAL", OPT("double") "}", "1.5", "1.5"}};
    static const struct text_row floats[] = {{"DOUBLE", OPT("float") "}", "1.5", "1.5"}};
    static const struct text_row texts[] = {
        {"VARCHAR(3) CHARACTER SET latin1",
         OPT("string") ",\"parameters\":{\"__debezium.source.column.character_set\":\"latin1\"}}",
         "x", "\"x\""}};
    run_converter(CLASSES "JdbcSinkDataTypesConverter\nb.selector.boolean=.*", bits, 1);
    run_converter(CLASSES "JdbcSinkDataTypesConverter\nb.selector.real=.*", reals, 1);
    run_converter(CLASSES
                  "JdbcSinkDataTypesConverter\nb.selector.real=.*\nb.treat.real.as.double=false",
                  floats, 1);
    run_converter(CLASSES "JdbcSinkDataTypesConverter\nb.selector.string=.*", texts, 1);
    run_converter(CLASSES "JdbcSinkDataTypesConverter", other, 1);
}

#define DATE_NAME ",\"name\":\"io.debezium.time.Date\",\"version\":1"
#define ZONED_NAME ",\"name\":\"io.debezium.time.ZonedTimestamp\",\"version\":1"
static void test_zero_dates(void)
{
    static const struct text_row nulls[] = {
        {"DATE NOT NULL", OPT("int32") DATE_NAME "}", "0000-00-00", "null"},
        {"DATE NOT NULL DEFAULT '1970-01-03'", OPT("int32") DATE_NAME "}", "1970-01-02", "1"},
    };
    static const struct text_row given[] = {
        {"DATE NOT NULL DEFAULT '2000-01-01'", REQ("int32") DATE_NAME ",\"default\":1}",
         "0000-00-00", "1"},
        {"DATE NOT NULL", NULL, "1970-01-04", "3"},
        {"TIMESTAMP NOT NULL", REQ("string") ZONED_NAME ",\"default\":\"1971-01-01T00:00:00Z\"}",
         "0000-00-00 00:00:00", "\"1971-01-01T00:00:00Z\""},
    };
    static const struct text_row column[] = {{"DATE NOT NULL", NULL, "0000-00-00", "2"}};
    run_converter(CLASSES "ZeroDateFallbackConverter", nulls, ARRAY_LEN(nulls));
    run_converter(CLASSES "ZeroDateFallbackConverter\nb.fallback.date=1970-01-02\n"
                          "b.fallback.timestamp=1971-01-01T00:00:00Z",
                  given, ARRAY_LEN(given));
    run_converter(CLASSES "ZeroDateFallbackConverter\nb.fallback.date=1970-01-02\n"
                          "b.column.d.t.c.fallback=1970-01-03",
                  column, 1);
}

static void test_bad_converters(void)
{
    static const struct {
        const char *name, *value, *want;
    } rows[] = {
        {"b.type", "com.example.Own",
         "Class com.example.Own of b.type could not be found; built in are "
         "TinyIntOneToBooleanConverter, JdbcSinkDataTypesConverter and ZeroDateFallbackConverter "
         "of "
         "io.debezium.connector.mysql.converters"},
        {"b.kind", "x", "the option b.type with the converter's class is missing"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct strmap config = STRMAP_INIT;
        struct column_converters c;
        struct error e = {0};
        strmap_set(&config, SL("converters"), SL("b"));
        strmap_set(&config, slice_cstr(rows[i].name), slice_cstr(rows[i].value));
        CU_ASSERT_EQUAL(column_converters_init(&c, &config, &e), E_INVALID);
        CHECK_STR(e.msg, rows[i].want);
        column_converters_release(&c);
        strmap_release(&config);
    }
}

static void test_strings(void)
{
    static const struct text_row rows[] = {
        {"VARCHAR(20) NOT NULL DEFAULT 'say \"x\"'",
         REQ("string") ",\"default\":\"say \\\"x\\\"\"}", "한글", "\"한글\""},
        {"VARCHAR(20) NOT NULL DEFAULT 'it''s'", REQ("string") ",\"default\":\"it's\"}", "",
         "\"\""},
        {"CHAR(5)", OPT("string") "}", "  x", "\"  x\""},
        {"ENUM('a','b,c','d''e') DEFAULT 'a'",
         OPT("string") ",\"name\":\"io.debezium.data.Enum\",\"version\":1,\"parameters\":{"
                       "\"allowed\":"
                       "\"a,b\\\\,c,d'e\"},\"default\":\"a\"}",
         "b,c", "\"b,c\""},
        {"SET('r','w') NOT NULL DEFAULT ''",
         REQ("string") ",\"name\":\"io.debezium.data.EnumSet\",\"version\":1,\"parameters\":{"
                       "\"allowed\":"
                       "\"r,w\"},\"default\":\"\"}",
         "r,w", "\"r,w\""},
        {"BINARY(3) DEFAULT 'abc'", OPT("bytes") ",\"default\":\"YWJj\"}", "\x01", "\"AQAA\""},
        {"VARBINARY(9)", OPT("bytes") "}", "\x01\x02\x03", "\"AQID\""},
        {"CHAR(6) CHARACTER SET binary", OPT("bytes") "}", "\x7f", "\"fwAAAAAA\""},
        {"JSON", OPT("string") ",\"name\":\"io.debezium.data.Json\",\"version\":1}", "{\"a\": 2}",
         "\"{\\\"a\\\": 2}\""},
        {"VARCHAR(5) DEFAULT (UUID())", OPT("string") "}", "x", "\"x\""},
        {"TEXT NOT NULL", NULL, NULL, "\"\""},
    };
    run_rows(rows, ARRAY_LEN(rows), plain, false);
    static const struct text_row mariadb[] = {
        {"UUID NOT NULL", REQ("string") ",\"name\":\"io.debezium.data.Uuid\",\"version\":1}",
         "123e4567-e89b-12d3-a456-426614174001", "\"123e4567-e89b-12d3-a456-426614174001\""},
        {"INET6", OPT("string") "}", "::1", "\"::1\""},
    };
    run_rows(mariadb, ARRAY_LEN(mariadb), plain, true);
}

static void test_binary_modes(void)
{
    static const struct text_row hex[] = {
        {"VARBINARY(9)", OPT("string") "}", "\xfb\xff\x01", "\"fbff01\""}};
    static const struct text_row base64[] = {
        {"VARBINARY(9)", OPT("string") "}", "\xfb\xff\x01", "\"+/8B\""}};
    static const struct text_row url[] = {
        {"VARBINARY(9)", OPT("string") "}", "\xff\xff\xff\xff", "\"_____w==\""}};
    run_rows(hex, 1, (struct value_modes){.binary = BINARY_HEX}, false);
    run_rows(base64, 1, (struct value_modes){.binary = BINARY_BASE64}, false);
    run_rows(url, 1, (struct value_modes){.binary = BINARY_BASE64_URL}, false);
}

static void test_decimal_modes(void)
{
    static const struct text_row text[] = {{"DECIMAL(10,2) NOT NULL DEFAULT 9.9",
                                            REQ("string") ",\"default\":\"9.90\"}", "-0.10",
                                            "\"-0.10\""}};
    static const struct text_row floating[] = {
        {"DECIMAL(10,2) NOT NULL DEFAULT 9.9", REQ("double") ",\"default\":9.9}", "-0.10", "-0.1"}};
    static const struct text_row precise[] = {{"BIGINT UNSIGNED NOT NULL",
                                               REQ("bytes") DECIMAL("0", "20") "}",
                                               "18446744073709551615", "\"AP//////////\""}};
    run_rows(text, 1, (struct value_modes){.decimal = DECIMAL_STRING}, false);
    run_rows(floating, 1, (struct value_modes){.decimal = DECIMAL_DOUBLE}, false);
    run_rows(precise, 1, (struct value_modes){.bigint_precise = true}, false);
}

#define TIME(type, name) type ",\"name\":\"io.debezium.time." name "\",\"version\":1"
static void test_time(void)
{
    static const struct text_row rows[] = {
        {"DATE", TIME(OPT("int32"), "Date") "}", "2018-06-20", "17702"},
        {"DATE NOT NULL DEFAULT '2020-02-29'", TIME(REQ("int32"), "Date") ",\"default\":18321}",
         "0000-00-00", "18321"},
        {"DATE", NULL, "2024-00-10", "null"},
        {"DATE", NULL, "2023-02-29", "null"},
        {"DATE", NULL, "9999-12-31", "2932896"},
        {"DATE", NULL, "0001-01-01", "11323"},
        {"TIME(6) DEFAULT '01:02:03.000004'",
         TIME(OPT("int64"), "MicroTime") ",\"default\":3723000004}", "-838:59:58.999999",
         "-3020398999999"},
        {"TIME", NULL, "24:00:00", "86400000000"},
        {"DATETIME", TIME(OPT("int64"), "Timestamp") "}", "2018-06-20 06:37:03", "1529476623000"},
        {"DATETIME(2)", NULL, "1969-12-31 23:59:59.99", "-10"},
        {"DATETIME(6)", TIME(OPT("int64"), "MicroTimestamp") "}", "0001-01-01 00:00:00",
         "978307200000000"},
        {"DATETIME(3) DEFAULT CURRENT_TIMESTAMP(3)",
         TIME(OPT("int64"), "Timestamp") ",\"default\":0}", NULL, "null"},
        {"TIMESTAMP(3) NULL", TIME(OPT("string"), "ZonedTimestamp") "}", "2018-06-20 13:37:03.500",
         "\"2018-06-20T13:37:03.5Z\""},
        {"TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP",
         TIME(REQ("string"), "ZonedTimestamp") ",\"default\":\"1970-01-01T00:00:00Z\"}",
         "0000-00-00 00:00:00", "\"1970-01-01T00:00:00Z\""},
        {"TIMESTAMP(2) NOT NULL DEFAULT '2010-10-10 10:10:10.00'",
         TIME(REQ("string"), "ZonedTimestamp") ",\"default\":\"2010-10-10T10:10:10.00Z\"}",
         "2020-01-01 00:00:00", "\"2020-01-01T00:00:00Z\""},
        {"TIMESTAMP NULL DEFAULT CURRENT_TIMESTAMP", TIME(OPT("string"), "ZonedTimestamp") "}",
         NULL, "null"},
    };
    run_rows(rows, ARRAY_LEN(rows), plain, false);
}

static void test_time_modes(void)
{
    static const struct text_row connect[] = {
        {"DATE", OPT("int32") ",\"name\":\"org.apache.kafka.connect.data.Date\",\"version\":1}",
         "1969-12-31", "-1"},
        {"TIME(6)", NULL, "04:05:11.789123", "14711789"},
        {"TIME", NULL, "-00:00:01", "null"},
        {"DATETIME(6)", NULL, "1969-12-31 23:59:59.999999", "-1"},
    };
    static const struct text_row iso[] = {
        {"DATE NOT NULL DEFAULT '2001-01-01'",
         TIME(REQ("string"), "IsoDate") ",\"default\":\"2001-01-01Z\"}", "2018-06-20",
         "\"2018-06-20Z\""},
        {"TIME(3) DEFAULT '12:00:00.5'",
         TIME(OPT("string"), "IsoTime") ",\"default\":\"12:00:00.5Z\"}", "23:59:59.999",
         "\"23:59:59.999Z\""},
        {"DATETIME(6)", NULL, "2024-02-29 23:59:59.000100", "\"2024-02-29T23:59:59.0001Z\""},
    };
    static const struct text_row nano[] = {
        {"TIME(3)", TIME(OPT("int64"), "NanoTime") "}", "00:00:00.001", "1000000"},
        {"DATETIME(6)", TIME(OPT("int64"), "NanoTimestamp") "}", "1969-12-31 23:59:59.999999",
         "-1000"},
        {"DATETIME", NULL, "9999-12-31 23:59:59", "null"},
    };
    run_rows(connect, ARRAY_LEN(connect), (struct value_modes){.time = TIME_CONNECT}, false);
    run_rows(iso, ARRAY_LEN(iso), (struct value_modes){.time = TIME_ISO}, false);
    run_rows(nano, ARRAY_LEN(nano), (struct value_modes){.time = TIME_NANO}, false);
}

struct cell_row {
    const char *definition;
    struct mysql_map_column map;
    const char *bytes;
    uint32_t n;
    const char *value;
};

static void test_cells(void)
{
    static const struct cell_row rows[] = {
        {"INT", {.type = WIRE_LONG}, "\xff\xff\xff\xff", 4, "-1"},
        {"INT UNSIGNED", {.type = WIRE_LONG}, "\xff\xff\xff\xff", 4, "4294967295"},
        {"MEDIUMINT", {.type = WIRE_INT24}, "\x00\x00\x80", 3, "-8388608"},
        {"BIGINT UNSIGNED", {.type = WIRE_LONGLONG}, "\xff\xff\xff\xff\xff\xff\xff\xff", 8, "-1"},
        {"BOOLEAN", {.type = WIRE_TINY}, "\x01", 1, "true"},
        {"BIT(17)", {.type = WIRE_BIT}, "\x01\x00\x02", 3, "\"AgAB\""},
        {"BIT", {.type = WIRE_BIT}, "\x00", 1, "false"},
        {"FLOAT", {.type = WIRE_FLOAT}, "\xc3\xf5\x48\x40", 4, "3.14"},
        {"DECIMAL(5,2)",
         {.type = WIRE_NEWDECIMAL, .meta = 5 | 2 << 8},
         "\x80\x7b\x2d",
         3,
         "\"MDk=\""},
        {"YEAR", {.type = WIRE_YEAR}, "\x00", 1, "0"},
        {"YEAR", {.type = WIRE_YEAR}, "\x7c", 1, "2024"},
        {"VARCHAR(9) CHARACTER SET latin1",
         {.type = WIRE_VARCHAR},
         "caf\xe9 \x80",
         6,
         "\"café €\""},
        {"VARCHAR(9)", {.type = WIRE_VARCHAR}, "caf\xc3\xa9", 5, "\"café\""},
        {"BINARY(4)", {.type = WIRE_STRING}, "\x01\x02", 2, "\"AQIAAA==\""},
        {"ENUM('a','b,c')", {.type = WIRE_ENUM}, "\x02", 1, "\"b,c\""},
        {"ENUM('a','b,c')", {.type = WIRE_ENUM}, "\x00", 1, "\"\""},
        {"SET('r','w','x')", {.type = WIRE_SET}, "\x05", 1, "\"r,x\""},
        {"TIMESTAMP(3) NULL",
         {.type = WIRE_TIMESTAMP2, .meta = 3},
         "\x5b\x2a\x57\x6f\x13\x88",
         6,
         "\"2018-06-20T13:32:31.500Z\""},
        {"TIMESTAMP NULL", {.type = WIRE_TIMESTAMP2}, "\x00\x00\x00\x00", 4, "null"},
        {"VECTOR(2)", {.type = WIRE_VECTOR}, "\x00\x00\x80\x3f\x00\x00\x20\x40", 8, "[1.0,2.5]"},
        {"POINT",
         {.type = WIRE_GEOMETRY},
         "\x00\x00\x00\x00\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\xf0\x3f\x00\x00\x00\x00\x00"
         "\x00\xf0\x3f",
         25,
         "{\"x\":1.0,\"y\":1.0,\"wkb\":\"AQEAAAAAAAAAAADwPwAAAAAAAPA/\",\"srid\":null}"},
        {"GEOMETRY NOT NULL",
         {.type = WIRE_GEOMETRY},
         "",
         0,
         "{\"wkb\":\"AQcAAAAAAAAA\",\"srid\":null}"},
    };
    struct strbuf got = STRBUF_INIT;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct fixture f = {.modes = plain};
        struct mysql_cell cell = {(const uint8_t *)rows[i].bytes, rows[i].n, CELL_VALUE};
        struct mysql_map_column map = rows[i].map;
        struct value v;
        map.size = rows[i].n;
        open_column(&f, rows[i].definition, false);
        if (f.table && f.codec.schema) {
            CHECK_OK(codec_cell(&f.codec, &f.env, &map, &cell, &v));
            print(&f, v, &got);
            CHECK_STR(got.p, rows[i].value);
        }
        close_column(&f);
    }
    strbuf_release(&got);
}

static void test_uuid_cell(void)
{
    struct fixture f = {.modes = plain};
    struct strbuf got = STRBUF_INIT;
    struct mysql_map_column map = {.type = WIRE_STRING};
    struct mysql_cell cell = {(const uint8_t *)"\xab\xcd", 2,
                              CELL_VALUE}; /* trailing zeros are stripped */
    struct value v;
    open_column(&f, "UUID", true);
    CHECK_OK(codec_cell(&f.codec, &f.env, &map, &cell, &v));
    print(&f, v, &got);
    CHECK_STR(got.p, "\"abcd0000-0000-0000-0000-000000000000\"");
    close_column(&f);
    strbuf_release(&got);
}

static void test_absent(void)
{
    struct fixture f = {.modes = {.unavailable = SL_INIT("__debezium_unavailable_value")}};
    struct mysql_map_column map = {.type = WIRE_BLOB};
    struct mysql_cell cell = {.state = CELL_ABSENT};
    struct strbuf got = STRBUF_INIT;
    struct value v;
    open_column(&f, "TEXT", false);
    CHECK(codec_may_be_absent(f.codec.column));
    CHECK_OK(codec_cell(&f.codec, &f.env, &map, &cell, &v));
    print(&f, v, &got);
    CHECK_STR(got.p, "\"__debezium_unavailable_value\"");
    close_column(&f);
    struct fixture h = {.modes = {.unavailable = SL_INIT("0102"), .unavailable_is_hex = true}};
    open_column(&h, "BLOB", false);
    CHECK_OK(codec_cell(&h.codec, &h.env, &map, &cell, &v));
    print(&h, v, &got);
    CHECK_STR(got.p, "\"AQI=\"");
    close_column(&h);
    strbuf_release(&got);
}

static void test_no_memory(void)
{
    struct fixture f = {.modes = plain};
    struct mysql_map_column map = {.type = WIRE_VARCHAR};
    struct mysql_cell cell = {(const uint8_t *)"\xe9", 1, CELL_VALUE};
    struct value v;
    open_column(&f, "VARCHAR(9) CHARACTER SET latin1", false);
    struct arena small;
    arena_init(&small, 64, 0);
    f.env.arena = &small;
    CHECK_ERR(codec_cell(&f.codec, &f.env, &map, &cell, &v), E_NOMEM);
    arena_release(&small);
    close_column(&f);
}

static const struct test_case tests[] = {
    {"numbers", test_numbers},
    {"converters", test_converters},
    {"zero dates", test_zero_dates},
    {"bad converters", test_bad_converters},
    {"strings", test_strings},
    {"binary modes", test_binary_modes},
    {"decimal modes", test_decimal_modes},
    {"time", test_time},
    {"time modes", test_time_modes},
    {"cells", test_cells},
    {"a uuid's stripped zeros", test_uuid_cell},
    {"absent", test_absent},
    {"no memory", test_no_memory},
    {NULL, NULL},
};
const struct test_suite test_mysql_value = {"cdc/mysql/value", tests};
