/* Rows to records: envelopes, tombstones, key changes, key-only columns. SPEC: cdc-mysql 5 */
#include "cdc/mysql/emit.h"

#include "cdc/mysql/schema.h"
#include "connect/json_out.h"
#include "helpers.h"

struct fixture {
    struct strmap config;
    struct mysql_options o;
    struct shape_rules rules;
    struct shapes shapes;
    struct emitter em;
    struct mysql_schema *schema;
    struct record_batch batch;
    struct value_env env;
    const struct shape *shape;
};

static void open_table(struct fixture *f, const char *create, const char *option, const char *value)
{
    struct mysql_schema_options so = {0};
    struct mysql_ddl_origin origin = {.db = SL("d")};
    struct mysql_changes changes;
    memset(f, 0, sizeof *f);
    strmap_init(&f->config);
    strmap_set(&f->config, SL("topic.prefix"), SL("p"));
    if (option)
        strmap_set(&f->config, slice_cstr(option), slice_cstr(value));
    CHECK_OK(mysql_options_load(&f->o, FLAVOUR_MYSQL, &f->config, NULL));
    source_info_init(&f->em.source, FLAVOUR_MYSQL, f->o.topic_prefix);
    context_headers_init(&f->em.headers, true, "p", 0, "mysql", "run");
    f->em.tombstones = f->o.tombstones;
    f->em.skip_unchanged = f->o.skip_unchanged;
    CHECK_OK(shape_rules_init(&f->rules, &f->o, f->em.source.schema, NULL));
    shapes_init(&f->shapes, &f->rules);
    f->schema = mysql_schema_new(&so);
    mysql_changes_init(&changes);
    CHECK_OK(mysql_schema_apply(f->schema, &origin, slice_cstr(create), &changes, NULL));
    mysql_changes_release(&changes);
    record_batch_init(&f->batch, (size_t)1 << 20);
    value_env_init(&f->env);
    f->env.arena = &f->batch.arena;
    f->shape = shapes_get(&f->shapes, mysql_schema_find(f->schema, SL("d"), SL("t")));
}

static void close_table(struct fixture *f)
{
    value_env_release(&f->env);
    record_batch_release(&f->batch);
    shapes_release(&f->shapes);
    shape_rules_release(&f->rules);
    mysql_schema_free(f->schema);
    context_headers_release(&f->em.headers);
    source_info_release(&f->em.source);
    mysql_options_release(&f->o);
    strmap_release(&f->config);
}

/* A row of texts, as a snapshot gives it. */
static struct value *row(struct fixture *f, const char *a, const char *b)
{
    const char *texts[2] = {a, b};
    unsigned long lengths[2] = {a ? strlen(a) : 0, b ? strlen(b) : 0};
    uint32_t columns[2] = {0, 1};
    struct value *v = NULL;
    CHECK_OK(shape_texts(f->shape, &f->env, columns, 2, texts, lengths, &v, NULL));
    return v;
}

static void check_value(const struct schema *s, struct value v, const char *want)
{
    struct strbuf b = STRBUF_INIT;
    struct json_out_options o = {0};
    CHECK_OK(json_out_value(&b, s, v, &o, NULL));
    CHECK_STR(b.p, want);
    strbuf_release(&b);
}

static void check_images(const struct record *r, const char *op, const char *before,
                         const char *after)
{
    const struct value *v = r->value.u.v;
    const struct schema *s = r->value_schema;
    CHECK_SLICE(value_slice(v[ENVELOPE_OP]), slice_cstr(op));
    check_value(s->fields[ENVELOPE_BEFORE].schema, v[ENVELOPE_BEFORE], before);
    check_value(s->fields[ENVELOPE_AFTER].schema, v[ENVELOPE_AFTER], after);
}

#define TABLE "CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(5))"
static const struct emit_time at = {1700000000123456};

static void test_events(void)
{
    struct fixture f;
    open_table(&f, TABLE, NULL, NULL);
    CHECK_OK(emit_create(&f.em, &f.batch, f.shape, row(&f, "1", "a"), at, NULL));
    CHECK_OK(
        emit_update(&f.em, &f.batch, f.shape, row(&f, "1", "a"), row(&f, "1", NULL), at, NULL));
    CHECK_OK(emit_delete(&f.em, &f.batch, f.shape, row(&f, "1", NULL), at, NULL));
    CHECK_INT(f.batch.count, 4);
    const struct record *r = f.batch.records;
    CHECK_SLICE(r[0].topic, SL("p.d.t"));
    check_images(&r[0], "c", "null", "{\"id\":1,\"v\":\"a\"}");
    check_images(&r[1], "u", "{\"id\":1,\"v\":\"a\"}", "{\"id\":1,\"v\":null}");
    check_images(&r[2], "d", "{\"id\":1,\"v\":null}", "null");
    check_value(r[2].key_schema, r[2].key, "{\"id\":1}");
    CHECK(r[3].value_schema == NULL && r[3].value.kind == VALUE_NULL);
    check_value(r[3].key_schema, r[3].key, "{\"id\":1}");
    CHECK_INT(r[0].value.u.v[ENVELOPE_TS_MS].u.i, 1700000000123);
    CHECK_INT(r[0].value.u.v[ENVELOPE_TS_US].u.i, 1700000000123456);
    CHECK_INT(r[0].value.u.v[ENVELOPE_TS_NS].u.i, 1700000000123456000);
    CHECK_INT(r[0].headers.count, 4);
    CHECK_SLICE(r[0].key_schema->name, SL("p.d.t.Key"));
    CHECK_SLICE(r[0].value_schema->name, SL("p.d.t.Envelope"));
    close_table(&f);
}

static void test_key_change(void)
{
    struct fixture f;
    open_table(&f, TABLE, NULL, NULL);
    CHECK_OK(emit_update(&f.em, &f.batch, f.shape, row(&f, "1", "a"), row(&f, "2", "a"), at, NULL));
    CHECK_INT(f.batch.count, 3);
    const struct record *r = f.batch.records;
    check_images(&r[0], "d", "{\"id\":1,\"v\":\"a\"}", "null");
    CHECK(r[1].value.kind == VALUE_NULL);
    check_images(&r[2], "c", "null", "{\"id\":2,\"v\":\"a\"}");
    for (int i = 0; i < 3; i++)
        CHECK_INT(r[i].headers.count, 5);
    CHECK_SLICE(r[0].headers.items[0].name, SL("__debezium.newkey"));
    check_value(r[0].headers.items[0].schema, r[0].headers.items[0].value, "{\"id\":2}");
    CHECK_SLICE(r[2].headers.items[0].name, SL("__debezium.oldkey"));
    check_value(r[2].headers.items[0].schema, r[2].headers.items[0].value, "{\"id\":1}");
    close_table(&f);
}

static void test_options(void)
{
    struct fixture f;
    open_table(&f, TABLE, "tombstones.on.delete", "false");
    CHECK_OK(emit_delete(&f.em, &f.batch, f.shape, row(&f, "1", "a"), at, NULL));
    CHECK_INT(f.batch.count, 1);
    close_table(&f);
    open_table(&f, TABLE, "skip.messages.without.change", "true");
    CHECK_OK(emit_update(&f.em, &f.batch, f.shape, row(&f, "1", "a"), row(&f, "1", "a"), at, NULL));
    CHECK_INT(f.batch.count, 0);
    CHECK_OK(emit_update(&f.em, &f.batch, f.shape, row(&f, "1", "a"), row(&f, "1", "b"), at, NULL));
    CHECK_INT(f.batch.count, 1);
    close_table(&f);
}

static void test_no_key(void)
{
    struct fixture f;
    open_table(&f, "CREATE TABLE t (a INT, b INT)", NULL, NULL);
    CHECK(f.shape->key == NULL);
    CHECK_OK(emit_delete(&f.em, &f.batch, f.shape, row(&f, "1", "2"), at, NULL));
    CHECK_INT(f.batch.count, 2);
    CHECK(f.batch.records[1].key.kind == VALUE_NULL && f.batch.records[1].key_schema == NULL);
    close_table(&f);
}

static void test_chosen_key(void)
{
    struct fixture f;
    open_table(&f, TABLE, "message.key.columns", "(.*)\\.t:v,id;x:y");
    CHECK_OK(emit_create(&f.em, &f.batch, f.shape, row(&f, "1", NULL), at, NULL));
    check_value(f.batch.records[0].key_schema, f.batch.records[0].key, "{\"v\":null,\"id\":1}");
    close_table(&f);
}

/* A key column that the filter takes out of the value stays in the key. */
static void test_excluded_key(void)
{
    struct fixture f;
    open_table(&f, TABLE, "column.exclude.list", "d\\.t\\.id");
    CHECK_INT(f.shape->field_count, 1);
    CHECK_OK(emit_create(&f.em, &f.batch, f.shape, row(&f, "7", "x"), at, NULL));
    check_images(&f.batch.records[0], "c", "null", "{\"v\":\"x\"}");
    check_value(f.batch.records[0].key_schema, f.batch.records[0].key, "{\"id\":7}");
    close_table(&f);
}

static void test_new_version(void)
{
    struct fixture f;
    struct mysql_changes changes;
    struct mysql_ddl_origin origin = {.db = SL("d")};
    open_table(&f, TABLE, NULL, NULL);
    const struct shape *old = f.shape;
    CHECK(shapes_get(&f.shapes, old->table) == old);
    mysql_changes_init(&changes);
    CHECK_OK(mysql_schema_apply(f.schema, &origin, SL("ALTER TABLE t ADD COLUMN n INT DEFAULT 3"),
                                &changes, NULL));
    mysql_changes_release(&changes);
    const struct shape *now = shapes_get(&f.shapes, mysql_schema_find(f.schema, SL("d"), SL("t")));
    CHECK(now != old);
    CHECK_INT(now->field_count, 3);
    CHECK_INT(old->field_count, 2); /* still there: a batch may hold it */
    shapes_tick(&f.shapes);
    CHECK_INT(old->field_count, 2);
    shapes_tick(&f.shapes);
    close_table(&f);
}

static void test_budget(void)
{
    struct fixture f;
    struct error e = {0};
    open_table(&f, TABLE, NULL, NULL);
    struct value *v = row(&f, "1", "a");
    f.batch.arena.budget = 0;
    CHECK_ERR(emit_create(&f.em, &f.batch, f.shape, v, at, &e), E_NOMEM);
    close_table(&f);
}

static const struct test_case tests[] = {
    {"events", test_events},
    {"key change", test_key_change},
    {"options", test_options},
    {"no key", test_no_key},
    {"chosen key", test_chosen_key},
    {"excluded key", test_excluded_key},
    {"new version of a table", test_new_version},
    {"over the budget", test_budget},
    {NULL, NULL},
};
const struct test_suite test_mysql_emit = {"cdc/mysql/emit", tests};
