/* tests of cdc/mysql/schema.c, schema_json.c and table.c */
#include "cdc/mysql/schema.h"

#include "base/mem.h"
#include "helpers.h"

static struct mysql_schema *new_schema(int lower_case)
{
    struct mysql_schema_options o = {.server_version = 90700, .lower_case_table_names = lower_case};

    return mysql_schema_new(&o);
}

static void run(struct mysql_schema *s, const char *sql)
{
    struct mysql_ddl_origin o = {.db = SL("d")};
    struct mysql_changes c;
    struct error e = {.msg = ""};

    mysql_changes_init(&c);
    enum err err = mysql_schema_apply(s, &o, slice_cstr(sql), &c, &e);
    CHECK_STR(err ? e.msg : "", "");
    mysql_changes_release(&c);
}

/* SPEC: cdc-mysql 5.10: golden mysql/schema-history, byte for byte. */
static void history_json(void)
{
    struct mysql_schema *s = new_schema(0);
    struct mysql_ddl_origin o = {.db = SL("d")};
    struct strbuf b = STRBUF_INIT;
    struct mysql_changes c;
    struct error e = {.msg = ""};

    run(s, "CREATE DATABASE d CHARACTER SET utf8mb4 COLLATE utf8mb4_bin");
    mysql_changes_init(&c);
    CHECK_OK(mysql_schema_apply(s, &o,
                                SL("CREATE TABLE `parent` (\n  `id` int unsigned NOT NULL "
                                   "AUTO_INCREMENT,\n  `name` varchar(20) COLLATE utf8mb4_bin "
                                   "NOT NULL DEFAULT 'x' COMMENT 'a name',\n  `kind` enum('a','b') "
                                   "COLLATE utf8mb4_bin DEFAULT 'b',\n  `d` "
                                   "decimal(6,3) DEFAULT '1.500',\n  `ts` timestamp NULL DEFAULT "
                                   "CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP,\n  "
                                   "`bi` bit(4) DEFAULT NULL,\n  `sz` varchar(5) CHARACTER SET "
                                   "euckr COLLATE euckr_korean_ci DEFAULT NULL,\n  PRIMARY "
                                   "KEY (`id`),\n  UNIQUE KEY `name` (`name`)\n) ENGINE=InnoDB "
                                   "AUTO_INCREMENT=2 DEFAULT CHARSET=utf8mb4 "
                                   "COLLATE=utf8mb4_bin COMMENT='parents'"),
                                &c, &e));
    mysql_changes_json(&c, 0, c.count, TABLE_JSON_HISTORY, &b);
    CHECK_STR(b.p, "[{\"type\":\"CREATE\",\"id\":\"\\\"d\\\".\\\"parent\\\"\",\"table\":{"
                   "\"defaultCharsetName\":\"utf8mb4\","
                   "\"primaryKeyColumnNames\":[\"id\"],\"columns\":[{\"name\":\"id\",\"jdbcType\":"
                   "4,\"typeName\":\"INT UNSIGNED\","
                   "\"typeExpression\":\"INT "
                   "UNSIGNED\",\"charsetName\":null,\"position\":1,\"optional\":false,"
                   "\"autoIncremented\":true,"
                   "\"generated\":true,\"comment\":null,\"hasDefaultValue\":false,\"enumValues\":[]"
                   "},{\"name\":\"name\",\"jdbcType\":12,"
                   "\"typeName\":\"VARCHAR\",\"typeExpression\":\"VARCHAR\",\"charsetName\":"
                   "\"utf8mb4\",\"length\":20,\"position\":2,"
                   "\"optional\":false,\"autoIncremented\":false,\"generated\":false,\"comment\":"
                   "null,\"hasDefaultValue\":true,"
                   "\"defaultValueExpression\":\"x\",\"enumValues\":[]},{\"name\":\"kind\","
                   "\"jdbcType\":1,\"typeName\":\"ENUM\","
                   "\"typeExpression\":\"ENUM\",\"charsetName\":\"utf8mb4\",\"length\":1,"
                   "\"position\":3,\"optional\":true,"
                   "\"autoIncremented\":false,\"generated\":false,\"comment\":null,"
                   "\"hasDefaultValue\":true,\"defaultValueExpression\":"
                   "\"b\",\"enumValues\":[\"'a'\",\"'b'\"]},{\"name\":\"d\",\"jdbcType\":3,"
                   "\"typeName\":\"DECIMAL\",\"typeExpression\":"
                   "\"DECIMAL\",\"charsetName\":null,\"length\":6,\"scale\":3,\"position\":4,"
                   "\"optional\":true,\"autoIncremented\":false,"
                   "\"generated\":false,\"comment\":null,\"hasDefaultValue\":true,"
                   "\"defaultValueExpression\":\"1.500\",\"enumValues\":[]},"
                   "{\"name\":\"ts\",\"jdbcType\":2014,\"typeName\":\"TIMESTAMP\","
                   "\"typeExpression\":\"TIMESTAMP\",\"charsetName\":null,"
                   "\"position\":5,\"optional\":true,\"autoIncremented\":false,\"generated\":false,"
                   "\"comment\":null,\"hasDefaultValue\":true,"
                   "\"defaultValueExpression\":\"1970-01-01 "
                   "00:00:00\",\"enumValues\":[]},{\"name\":\"bi\",\"jdbcType\":-7,\"typeName\":"
                   "\"BIT\",\"typeExpression\":\"BIT\",\"charsetName\":null,\"length\":4,"
                   "\"position\":6,\"optional\":true,"
                   "\"autoIncremented\":false,\"generated\":false,\"comment\":null,"
                   "\"hasDefaultValue\":true,\"enumValues\":[]},{\"name\":"
                   "\"sz\",\"jdbcType\":12,\"typeName\":\"VARCHAR\",\"typeExpression\":\"VARCHAR\","
                   "\"charsetName\":\"euckr\",\"length\":5,"
                   "\"position\":7,\"optional\":true,\"autoIncremented\":false,\"generated\":false,"
                   "\"comment\":null,\"hasDefaultValue\":"
                   "true,\"enumValues\":[]}],\"attributes\":[]},\"comment\":null}]");
    mysql_changes_release(&c);
    strbuf_release(&b);
    mysql_schema_free(s);
}

static const char *const shop[] = {
    "CREATE DATABASE d CHARACTER SET latin1 COLLATE latin1_bin",
    "CREATE TABLE a (id BIGINT UNSIGNED NOT NULL, v VARCHAR(20) COLLATE utf8mb4_bin DEFAULT "
    "'it''s' COMMENT 'v', e ENUM('a','d''e,') "
    "NOT NULL DEFAULT 'a', s SET('x') , b BIT(9) DEFAULT b'101', h BINARY(2) DEFAULT 0x4142, t "
    "TIMESTAMP(3) NOT NULL DEFAULT "
    "NOW(3), ou DATETIME ON UPDATE NOW(), g INT AS (id) STORED, inv INT INVISIBLE, p POINT SRID "
    "4326, x VARCHAR(9) DEFAULT "
    "(uuid()), n INT DEFAULT NULL, cb CHAR(3) CHARACTER SET binary, r REAL, de DECIMAL(12,3) "
    "UNSIGNED ZEROFILL DEFAULT -0, "
    "PRIMARY KEY (v, id), UNIQUE KEY k1 (n), UNIQUE (e(1), id)) COMMENT='tab' CHARSET=euckr",
    "CREATE TABLE `we\"ird.` (a INT NOT NULL UNIQUE, b JSON)",
    "CREATE TABLE nokey (a TEXT, b DOUBLE(8,2))",
};

static void round_trip(void)
{
    struct mysql_schema *s = new_schema(0), *back = new_schema(0);
    struct strbuf json = STRBUF_INIT, again = STRBUF_INIT;
    const struct mysql_table *t;
    struct error e = {.msg = ""};

    for (size_t i = 0; i < ARRAY_LEN(shop); i++)
        run(s, shop[i]);
    mysql_schema_save(s, &json);
    CHECK_OK(mysql_schema_load(back, strbuf_slice(&json), &e));
    CHECK_INT(mysql_schema_count(back), 3);
    for (size_t i = 0; (t = mysql_schema_next(s, &i));)
        CHECK(mysql_table_same(t, mysql_schema_find(back, t->db, t->name)));
    CHECK_SLICE(mysql_schema_db_charset(back, SL("d")), SL("latin1"));
    CHECK(mysql_schema_has_db(back, SL("d")) && !mysql_schema_has_db(back, SL("x")));
    run(back, "ALTER TABLE nokey ADD k VARCHAR(3)"); /* the model goes on from there */
    CHECK_SLICE(mysql_schema_find(back, SL("d"), SL("nokey"))->columns[2].charset_name,
                SL("latin1"));
    strbuf_release(&json);
    strbuf_release(&again);
    mysql_schema_free(s);
    mysql_schema_free(back);
}

/* A topic written by others has no "weir" member: what decoding needs is still there. */
static void foreign_history(void)
{
    struct mysql_schema *s = new_schema(0), *back = new_schema(0);
    struct error e = {.msg = ""};
    struct strbuf json = STRBUF_INIT, id = STRBUF_INIT;
    const struct mysql_table *t, *u = NULL;

    run(s, shop[1]);
    t = mysql_schema_find(s, SL("d"), SL("a"));
    mysql_table_json(t, TABLE_JSON_HISTORY, &json);
    mysql_table_id(t->db, t->name, &id);
    CHECK_OK(mysql_table_from_json(strbuf_slice(&id), strbuf_slice(&json), &u, &e));
    CHECK_INT(u->column_count, t->column_count);
    CHECK_INT(u->row_key_count, 2);
    for (uint32_t i = 0; i < u->column_count; i++) {
        const struct mysql_column *a = &t->columns[i], *b = &u->columns[i];
        CHECK_SLICE(b->name, a->name);
        CHECK_SLICE(b->type_name, a->type_name);
        CHECK(a->nullable == b->nullable && a->is_unsigned == b->is_unsigned &&
              a->zerofill == b->zerofill);
        CHECK(a->length == b->length && a->scale == b->scale && a->jdbc == b->jdbc);
        CHECK(a->charset == b->charset);
        CHECK_INT(a->value_count, b->value_count);
        if (a->type != COL_BINARY ||
            a->charset_name.p == NULL) /* CHAR with charset binary: spelling only */
            CHECK(a->type == b->type);
    }
    CHECK_SLICE(u->columns[2].values[1], SL("d'e,"));
    CHECK(u->columns[4].default_is_bits);
    mysql_table_unref(u);

    /* statements without table changes, and a rename with previousId */
    CHECK_OK(mysql_schema_restore(back, SL("[]"), SL("d"),
                                  SL("CREATE DATABASE d CHARACTER SET euckr"), &e));
    CHECK_SLICE(mysql_schema_db_charset(back, SL("d")), SL("euckr"));
    CHECK_OK(mysql_schema_restore(back, SLICE_NULL, SL("d"), SL("CREATE TABLE one (a INT)"), &e));
    CHECK_OK(mysql_schema_restore(back, SL("[]"), SL("d"), SL("FROBNICATE"),
                                  &e)); /* left out with a warning */
    CHECK_OK(mysql_schema_restore(
        back,
        SL("[{\"type\":\"ALTER\",\"id\":\"\\\"d\\\".\\\"two\\\"\",\"previousId\":\"\\\"d\\\"."
           "\\\"one\\\"\",\"table\":{"
           "\"defaultCharsetName\":null,\"primaryKeyColumnNames\":[],\"columns\":[{\"name\":\"a\","
           "\"jdbcType\":4,\"typeName\":"
           "\"INT\",\"typeExpression\":\"INT\",\"position\":1,\"optional\":true}]}}]"),
        SL("d"), SL("RENAME TABLE one TO two"), &e));
    CHECK(mysql_schema_find(back, SL("d"), SL("one")) == NULL);
    CHECK(mysql_schema_find(back, SL("d"), SL("two")) != NULL);
    CHECK_OK(mysql_schema_restore(
        back, SL("[{\"type\":\"DROP\",\"id\":\"\\\"d\\\".\\\"two\\\"\"}]"), SL("d"), SL(""), &e));
    CHECK_INT(mysql_schema_count(back), 0);
    strbuf_release(&json);
    strbuf_release(&id);
    mysql_schema_free(s);
    mysql_schema_free(back);
}

static void damaged_history(void)
{
    static const char *const bad[] = {
        "x",
        "{}",
        "[1]",
        "[{}]",
        "[{\"type\":\"CREATE\",\"id\":\"d.t\"}]",
        "[{\"type\":\"DROP\",\"id\":\"t\"}]",
        "[{\"type\":\"CREATE\",\"id\":\"d.t\",\"table\":{\"columns\":[{\"name\":\"a\"}]}}]",
        "[{\"type\":\"CREATE\",\"id\":\"d.t\",\"table\":{\"columns\":[{\"name\":\"a\",\"typeName\":"
        "\"(\"}]}}]",
        "[{\"type\":\"CREATE\",\"id\":\"d.t\",\"table\":{\"columns\":[],\"primaryKeyColumnNames\":["
        "\"z\"]}}]",
        "[{\"type\":\"CREATE\",\"id\":\"d.t\",\"table\":{\"columns\":[{\"name\":\"a\",\"typeName\":"
        "\"ENUM\",\"enumValues\":[5]}]}}]"};
    struct mysql_schema *s = new_schema(0);

    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct error e = {.msg = ""};
        CHECK_ERR(mysql_schema_restore(s, slice_cstr(bad[i]), SL("d"), SL(""), &e), E_CORRUPT);
        CHECK(e.msg[0] != '\0');
    }
    CHECK_INT(mysql_schema_count(s), 0);
    mysql_schema_free(s);
}

static void lower_case(void)
{
    struct mysql_schema *s = new_schema(1);

    run(s, "CREATE TABLE D.Mixed (Id INT)");
    const struct mysql_table *t = mysql_schema_find(s, SL("d"), SL("MIXED"));
    CHECK(t != NULL);
    CHECK_SLICE(t->name, SL("mixed"));
    CHECK_SLICE(t->columns[0].name, SL("Id"));
    CHECK_INT(mysql_table_column(t, SL("ID")), 0);
    CHECK_INT(mysql_table_column(t, SL("x")), -1);
    mysql_schema_free(s);
    s = new_schema(0);
    run(s, "CREATE TABLE Mixed (id INT)");
    CHECK(mysql_schema_find(s, SL("d"), SL("mixed")) == NULL);
    mysql_schema_free(s);
}

static void references(void)
{
    struct mysql_schema *s = new_schema(0);

    run(s, "CREATE TABLE t (a INT)");
    const struct mysql_table *t = mysql_table_ref(mysql_schema_find(s, SL("d"), SL("t")));
    run(s, "ALTER TABLE t ADD b INT");
    const struct mysql_table *u = mysql_schema_find(s, SL("d"), SL("t"));
    CHECK(u != t && u->version > t->version);
    CHECK(!mysql_table_same(t, u));
    mysql_schema_put(s, t); /* adopt the old one again */
    CHECK(mysql_schema_find(s, SL("d"), SL("t")) == t);
    mysql_schema_free(s);
    CHECK_INT(t->column_count, 1); /* ours outlives the store */
    mysql_table_unref(t);
    mysql_table_unref(NULL);
}

static void made_tables(void)
{
    struct mysql_column columns[2] = {
        {.name = SL("a"), .type_name = SL("INT"), .type = COL_INT, .nullable = true},
        {.name = SL("b"), .type_name = SL("INT"), .type = COL_INT}};
    static const uint16_t second[] = {1}, outside[] = {2};
    struct mysql_key keys[] = {
        {.unique = true, .whole = false, .columns = second, .column_count = 1},
        {.unique = true, .whole = true, .columns = second, .column_count = 1}};
    struct mysql_table_def def = {.db = SL("d"),
                                  .name = SL("t"),
                                  .columns = columns,
                                  .column_count = 2,
                                  .keys = keys,
                                  .key_count = 2};
    const struct mysql_table *t = NULL;
    struct error e = {.msg = ""};

    CHECK_OK(mysql_table_new(&def, &t, &e));
    CHECK(t->row_key_count == 1 && t->key[0] == 1); /* the one with a prefix is no key */
    mysql_table_unref(t);
    def.primary = outside;
    def.primary_count = 1;
    CHECK_ERR(mysql_table_new(&def, &t, &e), E_INVALID);
    def.primary_count = 0;
    columns[1].name = SL("a");
    CHECK_ERR(mysql_table_new(&def, &t, &e), E_INVALID);
    columns[1].name = SL("");
    CHECK_ERR(mysql_table_new(&def, &t, &e), E_INVALID);
    def.column_count = 5000;
    CHECK_ERR(mysql_table_new(&def, &t, &e), E_TOO_LARGE);
    CHECK(t == NULL);
}

static const struct test_case tests[] = {
    {"history json", history_json},       {"round trip", round_trip},
    {"foreign history", foreign_history}, {"damaged history", damaged_history},
    {"lower case", lower_case},           {"references", references},
    {"made tables", made_tables},         {NULL, NULL},
};
const struct test_suite test_mysql_schema = {"cdc/mysql/schema", tests};
