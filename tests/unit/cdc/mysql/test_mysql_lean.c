/* Row images without all of their columns: what is asked, what an answer fills, what stays unknown.
 * SPEC: cdc-mysql 4.7 */
#include "cdc/mysql/lean.h"

#include "cdc/mysql/schema.h"
#include "cdc/mysql/source_info.h"
#include "connect/json_out.h"
#include "helpers.h"

enum { ID, NAME, BIN, DAY, N, DOC, COLUMNS };
#define TABLE                                                                                      \
    "CREATE TABLE t (id INT, name VARCHAR(20), bin BINARY(3), day DATE, n INT NOT NULL DEFAULT 7," \
    " doc JSON, PRIMARY KEY (id, name, bin)) CHARACTER SET utf8mb4"

struct fixture {
    struct strmap config;
    struct mysql_options o;
    struct shape_rules rules;
    struct shapes shapes;
    struct source_info source;
    struct mysql_schema *schema;
    struct arena arena;
    struct value_env env;
    const struct shape *shape;
    struct mysql_map_column columns[COLUMNS];
    struct mysql_table_map map;
    struct lean *lean;
    struct mysql_cell before[COLUMNS], after[COLUMNS];
    uint8_t numbers[2 * LEAN_ROWS + 8][4];
    size_t used;
};

static void open_table(struct fixture *f, const char *option, const char *value)
{
    static const struct mysql_map_column columns[COLUMNS] = {
        [ID] = {.type = WIRE_LONG},  [NAME] = {.type = WIRE_VARCHAR}, [BIN] = {.type = WIRE_STRING},
        [DAY] = {.type = WIRE_DATE}, [N] = {.type = WIRE_LONG},       [DOC] = {.type = WIRE_JSON},
    };
    struct mysql_schema_options so = {0};
    struct mysql_ddl_origin origin = {.db = SL("d")};
    struct mysql_changes changes;
    memset(f, 0, sizeof *f);
    strmap_init(&f->config);
    strmap_set(&f->config, SL("topic.prefix"), SL("p"));
    if (option)
        strmap_set(&f->config, slice_cstr(option), slice_cstr(value));
    CHECK_OK(mysql_options_load(&f->o, FLAVOUR_MYSQL, &f->config, NULL));
    source_info_init(&f->source, FLAVOUR_MYSQL, f->o.topic_prefix);
    CHECK_OK(shape_rules_init(&f->rules, &f->o, f->source.schema, NULL));
    shapes_init(&f->shapes, &f->rules);
    f->schema = mysql_schema_new(&so);
    mysql_changes_init(&changes);
    CHECK_OK(mysql_schema_apply(f->schema, &origin, SL(TABLE), &changes, NULL));
    mysql_changes_release(&changes);
    arena_init(&f->arena, 4096, (size_t)1 << 20);
    value_env_init(&f->env);
    f->env.arena = &f->arena;
    f->shape = shapes_get(&f->shapes, mysql_schema_find(f->schema, SL("d"), SL("t")));
    memcpy(f->columns, columns, sizeof columns);
    f->map = (struct mysql_table_map){
        .db = SL("d"), .table = SL("t"), .column_count = COLUMNS, .columns = f->columns};
    f->lean = lean_new(f->shape, &f->map);
}

static void close_table(struct fixture *f)
{
    lean_free(f->lean);
    value_env_release(&f->env);
    arena_release(&f->arena);
    shapes_release(&f->shapes);
    shape_rules_release(&f->rules);
    mysql_schema_free(f->schema);
    source_info_release(&f->source);
    mysql_options_release(&f->o);
    strmap_release(&f->config);
}

static struct mysql_cell text_cell(const char *s)
{
    return (struct mysql_cell){(const uint8_t *)s, (uint32_t)strlen(s), CELL_VALUE};
}

static struct mysql_cell number_cell(struct fixture *f, uint32_t v)
{
    uint8_t *at = f->numbers[f->used++];
    store_le32(at, v);
    return (struct mysql_cell){at, 4, CELL_VALUE};
}

/* The images of UPDATE t SET n = n WHERE (id, name, bin) = ...: the key before, n after. */
static void minimal_update(struct fixture *f, uint32_t id, const char *name, const char *bin,
                           uint32_t n)
{
    memset(f->before, 0, sizeof f->before);
    memset(f->after, 0, sizeof f->after);
    f->before[ID] = number_cell(f, id);
    f->before[NAME] = text_cell(name);
    f->before[BIN] = text_cell(bin);
    f->after[N] = number_cell(f, n);
}

static void add(struct fixture *f)
{
    CHECK_OK(lean_add(f->lean, &f->env, f->after, f->before, NULL));
}

static void check_statement(const struct fixture *f, bool locked, const char *want)
{
    struct strbuf sql = STRBUF_INIT;
    CHECK(lean_statement(f->lean, locked, &sql) == (want[0] != '\0'));
    CHECK_STR(sql.n ? sql.p : "", want);
    strbuf_release(&sql);
}

/* Both rows of the images at hand, number n; true: the key is the same. */
static bool rows(struct fixture *f, size_t n, struct value **after)
{
    struct value *before;
    CHECK_OK(shape_cells(f->shape, &f->env, &f->map, f->before, NULL, &before, NULL));
    CHECK_OK(shape_cells(f->shape, &f->env, &f->map, f->after, f->before, after, NULL));
    lean_unknown(f->shape, f->before, before);
    CHECK_OK(lean_after(f->lean, n, &f->env, f->after, f->before, before, *after, NULL));
    return shape_same_key(f->shape, before, *after);
}

static void check_row(const struct fixture *f, struct value *row, const char *want)
{
    struct strbuf b = STRBUF_INIT;
    struct json_out_options o = {0};
    CHECK_OK(json_out_value(&b, f->shape->value, shape_value(f->shape, row), &o, NULL));
    CHECK_STR(b.p, want);
    strbuf_release(&b);
}

static void check_key(struct fixture *f, const struct value *row, const char *want)
{
    struct strbuf b = STRBUF_INIT;
    struct json_out_options o = {0};
    CHECK_OK(json_out_value(&b, f->shape->key, shape_key(f->shape, &f->arena, row), &o, NULL));
    CHECK_STR(b.p, want);
    strbuf_release(&b);
}

static void answer(struct fixture *f, const char *number, const char *day)
{
    const struct slice texts[2] = {slice_cstr(number), day ? slice_cstr(day) : SLICE_NULL};
    CHECK_OK(lean_answer(f->lean, &f->env, texts, 2, NULL));
}

#define UNAVAILABLE "__debezium_unavailable_value"
#define ROW(id, name, bin, day, n)                                                                 \
    "{\"id\":" #id ",\"name\":\"" name "\",\"bin\":\"" bin "\",\"day\":" #day ",\"n\":" #n         \
    ",\"doc\":\"" UNAVAILABLE "\"}"

/* One statement for all rows; each answer finds its row; who has none is unknown. */
static void test_one_statement(void)
{
    struct fixture f;
    struct value *row;
    open_table(&f, NULL, NULL);
    CHECK(!lean_wants(f.lean));
    minimal_update(&f, 1, "it's \\", "a", 10);
    add(&f);
    minimal_update(&f, 2, "b", "xyz", 20);
    add(&f);
    minimal_update(&f, 2, "b", "xyz", 21); /* the same row again */
    add(&f);
    CHECK(lean_wants(f.lean));
#define FIRST "(`id` = 1 AND `name` = 'it\\'s \\\\' AND `bin` = UNHEX('610000'))"
#define SECOND "(`id` = 2 AND `name` = 'b' AND `bin` = UNHEX('78797a'))"
    check_statement(&f, false,
                    "SELECT CASE WHEN " FIRST " THEN 0 WHEN " SECOND
                    " THEN 1 END, `day` FROM `d`.`t` WHERE " FIRST " OR " SECOND);
    answer(&f, "1", "2024-01-02");
    check_statement(&f, true,
                    "SELECT CASE WHEN " FIRST " THEN 0 END, `day` FROM `d`.`t` WHERE " FIRST
                    " LOCK IN SHARE MODE");
    CHECK(rows(&f, 2, &row));
    check_row(&f, row, ROW(2, "b", "eHl6", 19724, 21));
    minimal_update(&f, 2, "b", "xyz", 20);
    CHECK(rows(&f, 1, &row));
    check_row(&f, row, ROW(2, "b", "eHl6", 19724, 20));
    minimal_update(&f, 1, "it's \\", "a", 10);
    CHECK(rows(&f, 0, &row));
    check_row(&f, row, ROW(1, "it's \\\\", "YQAA", null, 10));
    lean_reset(f.lean);
    check_statement(&f, false, "");
    close_table(&f);
}

/* Nothing is asked for what the images have between them. */
static void test_nothing_to_ask(void)
{
    struct fixture f;
    struct value *row;
    open_table(&f, NULL, NULL);
    minimal_update(&f, 1, "a", "b", 10);
    f.before[DAY] = (struct mysql_cell){.state = CELL_NULL};
    add(&f);
    CHECK(!lean_wants(f.lean));
    CHECK(rows(&f, 0, &row));
    check_row(&f, row, ROW(1, "a", "YgAA", null, 10));
    close_table(&f);
}

static void test_bounds(void)
{
    struct fixture f;
    struct slice texts[2] = {SL("128"), SL("2024-01-02")};
    open_table(&f, NULL, NULL);
    for (uint32_t i = 0; i < LEAN_ROWS; i++) {
        minimal_update(&f, i, "a", "b", i);
        add(&f);
    }
    CHECK_ERR(lean_add(f.lean, &f.env, f.after, f.before, NULL), E_TOO_LARGE);
    CHECK_ERR(lean_answer(f.lean, &f.env, texts, 2, NULL), E_CORRUPT); /* no such row */
    texts[0] = SL("x");
    CHECK_ERR(lean_answer(f.lean, &f.env, texts, 2, NULL), E_CORRUPT);
    texts[0] = SL("0");
    CHECK_ERR(lean_answer(f.lean, &f.env, texts, 1, NULL), E_CORRUPT); /* a column is missing */
    CHECK_OK(lean_answer(f.lean, &f.env, texts, 2, NULL));
    close_table(&f);
}

/* Rules change what is shown, not which row is asked for, nor the key. */
static void check_rule(const char *option, const char *shown)
{
    struct fixture f;
    struct value *row;
    struct strbuf want = STRBUF_INIT;
    open_table(&f, option, "d.t.name");
    minimal_update(&f, 1, "secret", "a", 10);
    add(&f);
    check_statement(&f, false,
                    "SELECT CASE WHEN (`id` = 1 AND `name` = 'secret' AND `bin` = UNHEX('610000')) "
                    "THEN 0 END, `day` FROM `d`.`t` WHERE (`id` = 1 AND `name` = 'secret' AND "
                    "`bin` = UNHEX('610000'))");
    answer(&f, "0", NULL);
    CHECK(rows(&f, 0, &row));
    strbuf_addf(
        &want,
        "{\"id\":1,\"name\":\"%s\",\"bin\":\"YQAA\",\"day\":null,\"n\":10,\"doc\":\"" UNAVAILABLE
        "\"}",
        shown);
    check_row(&f, row, want.p);
    check_key(&f, row, "{\"id\":1,\"name\":\"secret\",\"bin\":\"YQAA\"}");
    strbuf_release(&want);
    close_table(&f);
}

static void test_rules(void)
{
    check_rule("column.mask.with.3.chars", "***");
    check_rule("column.truncate.to.2.chars", "se");
    check_rule("column.mask.hash.v2.MD5.with.salt.s", "1590a9c2e6ee3fc96982");
}

/* A key that message.key.columns makes of a column that no image has comes from the table. */
static void test_key_from_table(void)
{
    struct fixture f;
    struct value *row;
    open_table(&f, "message.key.columns", "d.t:day");
    minimal_update(&f, 1, "a", "b", 10);
    add(&f);
    answer(&f, "0", "1970-01-03");
    (void)rows(&f, 0, &row);
    check_key(&f, row, "{\"day\":2}");
    close_table(&f);
}

/* What is unknown reads as NULL does: a mask stays one. */
static void test_unknown_is_masked(void)
{
    struct fixture f;
    struct value *row;
    open_table(&f, "column.mask.with.3.chars", "d.t.name");
    minimal_update(&f, 1, "a", "b", 10);
    f.before[NAME].state = f.after[NAME].state = CELL_LOST;
    add(&f);
    CHECK(!lean_wants(f.lean)); /* its key is not known either */
    (void)rows(&f, 0, &row);
    check_row(&f, row, ROW(1, "***", "YgAA", null, 10));
    close_table(&f);
}

/* Differences of JSON are put together before a rule looks at the text. */
static void check_partial(const char *option, const char *want)
{
    static const uint8_t whole[] = {12, 3, 'a', 'b', 'c'};              /* "abc" */
    static const uint8_t diff[] = {0, 1, '$', 5, 12, 3, 'x', 'y', 'z'}; /* $ is "xyz" now */
    struct fixture f;
    struct value *row = NULL;
    open_table(&f, option, "d.t.doc");
    minimal_update(&f, 1, "a", "b", 10);
    f.before[DOC] = (struct mysql_cell){whole, sizeof whole, CELL_VALUE};
    f.after[DOC] = (struct mysql_cell){diff, sizeof diff, CELL_PARTIAL};
    CHECK_OK(shape_cells(f.shape, &f.env, &f.map, f.after, f.before, &row, NULL));
    if (row)
        CHECK_SLICE(value_slice(row[f.shape->slots[DOC]]), slice_cstr(want));
    close_table(&f);
}

static void test_partial(void)
{
    check_partial("column.truncate.to.99.chars", "\"xyz\"");
    check_partial("column.truncate.to.2.chars", "\"x");
}

/* A column that the rows of a snapshot leave out (a statement of the user's own) is NULL: as its
 * mask shows it, or what a NOT NULL column has instead. */
static void test_left_out_of_a_snapshot(void)
{
    static const uint32_t columns[] = {ID, BIN};
    static const char *const texts[] = {"5", "abc"};
    static const unsigned long lengths[] = {1, 3};
    struct fixture f;
    struct value *row = NULL;
    open_table(&f, "column.mask.with.3.chars", "d.t.name");
    CHECK_OK(shape_texts(f.shape, &f.env, columns, 2, texts, lengths, &row, NULL));
    if (row)
        check_row(&f, row,
                  "{\"id\":5,\"name\":\"***\",\"bin\":\"YWJj\",\"day\":null,\"n\":7,\"doc\":null}");
    close_table(&f);
}

static const struct test_case tests[] = {
    {"one statement for all rows", test_one_statement},
    {"nothing to ask", test_nothing_to_ask},
    {"bounds", test_bounds},
    {"rules on key columns", test_rules},
    {"a key out of the table", test_key_from_table},
    {"unknown values of masked columns", test_unknown_is_masked},
    {"rules on differences of JSON", test_partial},
    {"columns that a snapshot leaves out", test_left_out_of_a_snapshot},
    {NULL, NULL},
};
const struct test_suite test_mysql_lean = {"cdc/mysql/lean", tests};
