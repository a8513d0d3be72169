/* What a table is read by in chunks, and the statements with it. SPEC: cdc-mysql 3.7 */
#include "cdc/mysql/chunk.h"

#include "base/mem.h"
#include "cdc/mysql/schema.h"
#include "cdc/mysql/source_info.h"
#include "helpers.h"

struct fixture {
    struct strmap config;
    struct mysql_options o;
    struct shape_rules rules;
    struct source_info source;
    struct mysql_schema *schema;
    struct shape *shape;
    struct chunk_keys keys;
    struct strbuf text;
};

/* config: pairs of names and values, then NULL. */
static void open_table(struct fixture *f, const char *create, const char *const *config)
{
    struct mysql_schema_options so = {0};
    struct mysql_ddl_origin origin = {.db = SL("d")};
    struct mysql_changes changes;
    memset(f, 0, sizeof *f);
    strmap_init(&f->config);
    strmap_set(&f->config, SL("topic.prefix"), SL("p"));
    for (size_t i = 0; config && config[i]; i += 2)
        strmap_set(&f->config, slice_cstr(config[i]), slice_cstr(config[i + 1]));
    CHECK_OK(mysql_options_load(&f->o, FLAVOUR_MYSQL, &f->config, NULL));
    source_info_init(&f->source, FLAVOUR_MYSQL, SL("p"));
    CHECK_OK(shape_rules_init(&f->rules, &f->o, f->source.schema, NULL));
    f->schema = mysql_schema_new(&so);
    mysql_changes_init(&changes);
    CHECK_OK(mysql_schema_apply(f->schema, &origin, slice_cstr(create), &changes, NULL));
    mysql_changes_release(&changes);
    f->shape = shape_new(&f->rules, mysql_schema_find(f->schema, SL("d"), SL("t")));
    chunk_keys_init(&f->keys);
    strbuf_init(&f->text, 0);
}

static void close_table(struct fixture *f)
{
    chunk_keys_release(&f->keys);
    shape_free(f->shape);
    mysql_schema_free(f->schema);
    shape_rules_release(&f->rules);
    source_info_release(&f->source);
    mysql_options_release(&f->o);
    strmap_release(&f->config);
    strbuf_release(&f->text);
}

static bool choose(struct fixture *f, const char *surrogate)
{
    return chunk_keys_choose(&f->keys, f->shape->table, f->shape, surrogate);
}

static const char *form(struct fixture *f)
{
    strbuf_reset(&f->text);
    chunk_keys_form(&f->keys, &f->text);
    return f->text.p;
}

static void test_choice(void)
{
    struct fixture f;
    static const char *const masked[] = {"column.mask.with.3.chars", "d.t.a", NULL};
    open_table(&f,
               "CREATE TABLE t (v INT, a VARCHAR(9) CHARACTER SET latin1 COLLATE latin1_bin, b "
               "ENUM('x','y'), n INT NULL, PRIMARY KEY (b, a))",
               masked);
    CHECK(choose(&f, NULL) && f.keys.unique);
    CHECK_STR(form(&f), "b ENUM(1) utf8mb4 x|y, a VARCHAR(9) latin1 latin1_bin");
    CHECK(choose(&f, "N") && f.keys.unique); /* ties are broken by the primary key */
    CHECK_INT(f.keys.count, 3);
    CHECK_INT(f.keys.items[0].column, 3);
    CHECK(choose(&f, "a"));
    CHECK_INT(f.keys.count, 2);
    CHECK(!choose(&f, "none"));
    close_table(&f);
    open_table(&f, "CREATE TABLE t (v INT, u INT NOT NULL UNIQUE, w INT UNIQUE)", NULL);
    CHECK(choose(&f, "u") && f.keys.unique);
    CHECK_INT(f.keys.count, 1);
    CHECK(choose(&f, "w")); /* NULL may be there more than once */
    CHECK_INT(f.keys.count, 2);
    close_table(&f);
    open_table(&f, "CREATE TABLE t (v INT)", NULL);
    CHECK(!choose(&f, NULL));
    CHECK(choose(&f, "v") && !f.keys.unique);
    close_table(&f);
}

static const char *rows(struct fixture *f, const struct chunk_range *range, enum err want)
{
    const uint32_t columns[] = {0};
    strbuf_reset(&f->text);
    CHECK_ERR(chunk_sql_rows(&f->keys, columns, 1, range, &f->text), want);
    return f->text.p;
}

static void test_statements(void)
{
    struct fixture f;
    struct chunk_range range = {.until = "[\"9\",\"z\"]", .limit = 2};
    open_table(&f, "CREATE TABLE t (i INT, s VARCHAR(5), PRIMARY KEY (i, s))", NULL);
    CHECK(choose(&f, NULL));
    CHECK_STR(rows(&f, &range, E_OK),
              "SELECT `i`, `i`, `s` FROM `d`.`t` WHERE NOT ((`i` > 9) OR (`i` = 9 AND `s` > 'z')) "
              "ORDER BY `i`, `s` LIMIT 2");
    range.after = "[\"1\",\"it's\"]";
    range.filter = "v = 1";
    CHECK_STR(rows(&f, &range, E_OK),
              "SELECT `i`, `i`, `s` FROM `d`.`t` WHERE ((`i` > 1) OR (`i` = 1 AND `s` > 'it\\'s')) "
              "AND NOT ((`i` > 9) OR (`i` = 9 AND `s` > 'z')) AND (v = 1) ORDER BY `i`, `s` LIMIT "
              "2");
    strbuf_reset(&f.text);
    chunk_sql_max(&f.keys, "v = 1", &f.text);
    CHECK_STR(f.text.p, "SELECT `i`, `s` FROM `d`.`t` WHERE (v = 1) ORDER BY `i` DESC, `s` DESC "
                        "LIMIT 1");
    range = (struct chunk_range){.until = "[\"9\",\"z\"]", .limit = 5};
    strbuf_reset(&f.text);
    CHECK_OK(chunk_sql_end(&f.keys, &range, &f.text));
    CHECK(slice_ends(strbuf_slice(&f.text), SL(" LIMIT 4, 1")));
    /* Stored keys come from outside. */
    range.after = "[\"1 OR 1\",\"x\"]";
    rows(&f, &range, E_CORRUPT);
    range.after = "[\"1\"]";
    rows(&f, &range, E_CORRUPT);
    range.after = "[null,\"x\"]";
    rows(&f, &range, E_CORRUPT);
    range.after = "no json";
    rows(&f, &range, E_INVALID);
    close_table(&f);
    open_table(&f, "CREATE TABLE t (b VARBINARY(4), f FLOAT NULL, PRIMARY KEY (b))", NULL);
    CHECK(choose(&f, "f"));
    range = (struct chunk_range){.after = "[null,\"00ff\"]", .until = "[\"1.5\",\"00\"]"};
    CHECK_STR(rows(&f, &range, E_OK),
              "SELECT `b`, (`f`+0e0), `b` FROM `d`.`t` WHERE ((((`f`+0e0) IS NOT NULL)) OR "
              "((`f`+0e0) IS NULL AND `b` > x'00ff')) AND NOT ((((`f`+0e0) IS NOT NULL AND "
              "(`f`+0e0) > 1.5)) OR ((`f`+0e0) <=> 1.5 AND `b` > x'00')) ORDER BY `f`, `b`");
    range.after = "[null,\"0g\"]";
    rows(&f, &range, E_CORRUPT);
    close_table(&f);
}

/* The key that a result with these texts has. */
static void key_of(struct fixture *f, const char *a, const char *b, struct strbuf *out)
{
    const char *row[] = {a, b};
    unsigned long lengths[] = {a ? strlen(a) : 0, b ? strlen(b) : 0};
    struct mysql_result r = {.columns = 2, .row = row, .length = lengths};
    struct arena scratch;
    arena_init(&scratch, 1024, ARENA_NO_BUDGET);
    for (uint32_t i = 0; i < f->keys.count; i++)
        f->keys.items[i].at = f->keys.items[i].column;
    CHECK_OK(chunk_key_result(&f->keys, &r, &scratch, out));
    arena_release(&scratch);
}

static void check_differ(struct fixture *f, const char *a1, const char *b1, const char *a2,
                         const char *b2, bool differ)
{
    struct strbuf one = STRBUF_INIT, two = STRBUF_INIT;
    key_of(f, a1, b1, &one);
    key_of(f, a2, b2, &two);
    CHECK(slice_eq(strbuf_slice(&one), strbuf_slice(&two)) != differ);
    strbuf_release(&one);
    strbuf_release(&two);
}

/* What options make of values does not reach keys. */
static void test_keys_differ(void)
{
    struct fixture f;
    static const char *const config[] = {"column.mask.with.3.chars",
                                         "d.t.a",
                                         "time.precision.mode",
                                         "connect",
                                         "decimal.handling.mode",
                                         "double",
                                         NULL};
    open_table(&f, "CREATE TABLE t (a VARCHAR(9), b DATETIME(6), PRIMARY KEY (a, b))", config);
    CHECK(choose(&f, NULL));
    check_differ(&f, "x", "2001-01-01 00:00:00.000001", "x", "2001-01-01 00:00:00.000002", true);
    check_differ(&f, "x", "2001-01-01 00:00:00.000001", "y", "2001-01-01 00:00:00.000001", true);
    check_differ(&f, "x", "2001-01-01 00:00:00.100000", "x", "2001-01-01 00:00:00.1", false);
    close_table(&f);
    open_table(&f, "CREATE TABLE t (a DECIMAL(30,10), b VARCHAR(9), PRIMARY KEY (a, b))", config);
    CHECK(choose(&f, NULL));
    check_differ(&f, "12345678901234567890.0000000001", "", "12345678901234567890.0000000002", "",
                 true);
    check_differ(&f, "1.5", "1", "1.5", "", true);
    close_table(&f);
}

static const struct test_case tests[] = {
    {"what a table is read by", test_choice},
    {"statements", test_statements},
    {"keys that options show alike", test_keys_differ},
    {NULL, NULL},
};
const struct test_suite test_mysql_chunk = {"cdc/mysql/chunk", tests, NULL, NULL};
