/* Masks, hashes and truncations of columns; the golden case filters has the same values from a real
 * server. SPEC: cdc-mysql 6.9 */
#include "cdc/mysql/column_rule.h"

#include "base/mem.h"
#include "cdc/mysql/schemas.h"
#include "helpers.h"

static struct mysql_column column(const char *name, int32_t jdbc, int32_t length)
{
    return (struct mysql_column){.name = slice_cstr(name),
                                 .type = COL_VARCHAR,
                                 .type_name = SL("VARCHAR"),
                                 .jdbc = jdbc,
                                 .length = length,
                                 .scale = -1};
}

struct fixture {
    struct strmap config;
    struct mysql_options o;
    struct column_rules rules;
};

static void open_rules(struct fixture *f, const char *const *pairs)
{
    strmap_init(&f->config);
    for (; *pairs; pairs += 2)
        strmap_set(&f->config, slice_cstr(pairs[0]), slice_cstr(pairs[1]));
    CHECK_OK(mysql_options_load(&f->o, FLAVOUR_MYSQL, &f->config, NULL));
    CHECK_OK(column_rules_init(&f->rules, &f->o, NULL, NULL));
}

static void close_rules(struct fixture *f)
{
    column_rules_release(&f->rules);
    mysql_options_release(&f->o);
    strmap_release(&f->config);
}

static void test_choice(void)
{
    struct fixture f;
    const char *const pairs[] = {"column.propagate.source.type",
                                 ".*\\.name,.*\\.total",
                                 "datatype.propagate.source.type",
                                 "d\\.int,d\\.t\\.json",
                                 "column.mask.with.6.chars",
                                 "d\\.t\\.card",
                                 "column.truncate.to.5.chars",
                                 "D\\.T\\.(name|card)",
                                 NULL};
    open_rules(&f, pairs);
    struct mysql_column name = column("name", 12, 30), card = column("card", 12, 20),
                        total = column("total", 8, -1), n = column("n", 4, -1);
    n.type_name = SL("INT");
    CHECK_INT(column_rules_find(&f.rules, SL("d"), SL("t"), &name)->kind, RULE_TRUNCATE);
    /* truncate comes before mask, whatever the order in the configuration */
    CHECK_INT(column_rules_find(&f.rules, SL("d"), SL("t"), &card)->kind, RULE_TRUNCATE);
    CHECK_INT(column_rules_find(&f.rules, SL("d"), SL("t"), &total)->kind, RULE_PROPAGATE);
    CHECK_INT(column_rules_find(&f.rules, SL("d"), SL("other"), &n)->kind, RULE_PROPAGATE);
    CHECK(column_rules_find(&f.rules, SL("e"), SL("t"), &n) == NULL);
    close_rules(&f);
}

static void check_text(const struct column_rules *rules, struct mysql_column *c, const char *in,
                       const char *want)
{
    struct strbuf out = STRBUF_INIT;
    const struct column_rule *r = column_rules_find(rules, SL("d"), SL("t"), c);
    CHECK(r && column_rule_changes(r, c));
    CHECK_SLICE(column_rule_text(r, c, slice_cstr(in), &out), slice_cstr(want));
    strbuf_release(&out);
}

static void test_texts(void)
{
    struct fixture f;
    const char *const pairs[] = {"column.truncate.to.3.chars",
                                 "d.t.cut",
                                 "column.mask.hash.SHA-256.with.salt.CzQMA0cB5K",
                                 "d.t.card",
                                 "column.mask.hash.v2.MD5.with.salt.salty",
                                 "d.t.name,d.t.wide",
                                 NULL};
    open_rules(&f, pairs);
    struct mysql_column cut = column("cut", 12, 30), card = column("card", 12, 20),
                        name = column("name", 12, 30), wide = column("wide", 12, -1);
    check_text(&f.rules, &cut, "ab", "ab");
    check_text(&f.rules, &cut, "가나다라", "가나다");
    check_text(&f.rules, &cut, "a😀b", "a😀");
    check_text(&f.rules, &cut, "ab😀", "ab"); /* half a pair is none */
    check_text(&f.rules, &card, "1234-5678", "0b3b8db553403b0fc939");
    check_text(&f.rules, &card, "가나다라마", "44f1565d940fa915f526");
    check_text(&f.rules, &name, "Kim Chul-soo", "5e38723e344c4a3c58d628f06768b8");
    check_text(&f.rules, &wide, "Kim Chul-soo", "5e38723e344c4a3c58d628f06768b807");
    struct mysql_column number = column("card", 4, -1), fits = column("cut", 12, 3);
    const struct column_rule *r = column_rules_find(&f.rules, SL("d"), SL("t"), &number);
    CHECK(!column_rule_changes(r, &number));
    r = column_rules_find(&f.rules, SL("d"), SL("t"), &fits);
    CHECK(!column_rule_changes(r, &fits));
    close_rules(&f);
}

static void test_wrong(void)
{
    static const struct {
        const char *key, *value, *says;
    } rows[] = {
        {"column.truncate.to.x.chars", "a", "between 0 and"},
        {"column.mask.with.70000.chars", "a", "between 0 and"},
        {"column.mask.hash.NOPE.with.salt.s", "a", "'NOPE' is not a hash algorithm"},
        {"column.mask.hash.MD5", "a", "ALGORITHM.with.salt.SALT"},
        {"column.mask.with.3.chars", "(", "Unclosed group"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct strmap config = STRMAP_INIT;
        struct error e = {0};
        struct slice option;
        strmap_set(&config, slice_cstr(rows[i].key), slice_cstr(rows[i].value));
        CHECK_INT(column_rules_check(&config, &option, &e), E_INVALID);
        CHECK_SLICE(option, slice_cstr(rows[i].key));
        CHECK(strstr(e.msg, rows[i].says) != NULL);
        strmap_release(&config);
    }
}

/* A rule on a key column changes the value, not the key. */
static void test_key_stays(void)
{
    struct fixture f;
    struct shape_rules rules;
    const char *const pairs[] = {"topic.prefix", "p", "column.mask.with.2.chars", "d.t.id", NULL};
    open_rules(&f, pairs);
    struct mysql_column columns[] = {column("id", 12, 9)};
    columns[0].nullable = false;
    static const uint16_t key[] = {0};
    struct mysql_table t = {.refs = 1,
                            .db = SL("d"),
                            .name = SL("t"),
                            .columns = columns,
                            .column_count = 1,
                            .primary = key,
                            .primary_count = 1,
                            .key = key,
                            .row_key_count = 1};
    const struct schema *source = schema_build(schema_builder_new(SCHEMA_STRUCT));
    CHECK_OK(shape_rules_init(&rules, &f.o, source, NULL));
    struct shape *s = shape_new(&rules, &t);
    struct arena a;
    struct value_env env;
    struct value *row;
    arena_init(&a, 1024, ARENA_NO_BUDGET);
    value_env_init(&env);
    env.arena = &a;
    static const uint32_t map[] = {0};
    static const char *const texts[] = {"secret"};
    static const unsigned long lengths[] = {6};
    CHECK_OK(shape_texts(s, &env, map, 1, texts, lengths, &row, NULL));
    CHECK_SLICE(slice_of(row[0].u.s, row[0].n), SL("**"));
    struct value k = shape_key(s, &a, row);
    CHECK_SLICE(slice_of(k.u.v[0].u.s, k.u.v[0].n), SL("secret"));
    CHECK(s->value->fields[0].schema->params_count == 1);
    CHECK(s->key->fields[0].schema->params_count == 0);
    shape_free(s);
    value_env_release(&env);
    arena_release(&a);
    shape_rules_release(&rules);
    schema_unref(source);
    close_rules(&f);
}

static const struct test_case tests[] = {{"choice", test_choice},
                                         {"texts", test_texts},
                                         {"wrong", test_wrong},
                                         {"key stays", test_key_stays},
                                         {NULL, NULL}};
const struct test_suite test_mysql_column_rule = {"cdc/mysql/column_rule", tests};
