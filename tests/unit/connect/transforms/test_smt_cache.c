/* Made schemas are made once, however many pass; those that nobody holds any more are let go. */
#include "connect/transforms/smt.h"

#include "base/mem.h"
#include "connect/transforms/transforms.h"
#include "helpers.h"

static const struct schema *row_schema(int number)
{
    char name[40];
    struct schema_builder *b = schema_builder_new(SCHEMA_STRUCT);
    snprintf(name, sizeof name, "table_%d", number);
    schema_builder_name(b, slice_cstr(name));
    schema_builder_field(b, SL("id"), schema_plain(SCHEMA_INT64, false));
    snprintf(name, sizeof name, "only_%d", number);
    schema_builder_field(b, slice_cstr(name), schema_plain(SCHEMA_STRING, true));
    return schema_build(b);
}

static struct record *add(struct record_batch *b, const struct schema *s, int64_t id)
{
    struct record *r = record_batch_add(b);
    r->topic = SL("t");
    r->value_schema = s;
    r->value = value_struct_new(&b->arena, 2);
    r->value.u.v[0] = value_int(id);
    return r;
}

static void *configured(const struct transform_ops *ops, const char *option, const char *value)
{
    struct strmap config = STRMAP_INIT;
    struct error e = {0};
    void *smt = NULL;
    strmap_set(&config, slice_cstr(option), slice_cstr(value));
    CHECK_OK(ops->configure(&smt, &config, ops->class_name, &e));
    strmap_release(&config);
    return smt;
}

enum { TABLES = 1000 };

/* A thousand tables take turns: each schema is made in the first round, and right in each. */
static void test_many(void)
{
    const struct transform_ops *ops = &smt_replace_field_value;
    const struct schema *from[TABLES], *to[TABLES];
    void *smt = configured(ops, "renames", "id:number");
    struct record_batch b;
    struct error e = {0};
    record_batch_init(&b, 0);
    for (int i = 0; i < TABLES; i++)
        from[i] = row_schema(i);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < TABLES; i++) {
            struct record *r = add(&b, from[i], i);
            CHECK_OK(ops->apply(smt, &b, r, &e));
            const struct schema *got = r->value_schema;
            if (!round)
                to[i] = got;
            CHECK(got == to[i]);
            CHECK(got->fields_count == 2 && slice_eq(got->fields[0].name, SL("number")) &&
                  slice_eq(got->fields[1].name, from[i]->fields[1].name));
            CHECK(slice_eq(got->name, from[i]->name) && r->value.u.v[0].u.i == i);
        }
        record_batch_reset(&b);
    }
    record_batch_release(&b);
    ops->release(smt);
    for (int i = 0; i < TABLES; i++)
        schema_unref(from[i]);
}

/* Schemas of a source that makes one for each record: the state does not grow, and the records of a
 * batch keep what they have. */
static void test_short_lived(void)
{
    static const struct {
        const struct transform_ops *ops;
        const char *option, *value;
    } cases[] = {
        {&smt_replace_field_value, "renames", "id:number"},
        {&smt_hoist_field_value, "field", "inner"}}; /* what is made holds what it is made of */
    struct error e = {0};
    for (size_t k = 0; k < ARRAY_LEN(cases); k++) {
        void *smt = configured(cases[k].ops, cases[k].option, cases[k].value);
        struct record_batch b;
        record_batch_init(&b, 0);
        for (int i = 0; i < 5000; i++) {
            const struct schema *s = row_schema(i);
            struct record *r = add(&b, s, i);
            record_batch_keep(&b, s);
            CHECK_OK(cases[k].ops->apply(smt, &b, r, &e));
            schema_unref(s);
            if (b.count == 100) {
                for (size_t j = 0; j < b.count; j++)
                    CHECK(b.records[j].value_schema->type == SCHEMA_STRUCT &&
                          b.records[j].value_schema->fields_count == (k ? 1 : 2));
                record_batch_reset(&b);
            }
        }
        CHECK(((struct smt *)smt)->cache.count <= 512);
        record_batch_release(&b);
        cases[k].ops->release(smt);
    }
}

/* What was made of a schema can be made anew, as for another topic. */
static void test_replaced(void)
{
    struct smt_cache c = {0};
    struct record_batch b;
    const struct schema *from = row_schema(1), *other = row_schema(2), *first = row_schema(3),
                        *second = row_schema(4);
    record_batch_init(&b, 0);
    CHECK(smt_cache_get(&c, from) == NULL);
    CHECK(smt_cache_put(&c, &b, from, first) == first);
    CHECK(smt_cache_put(&c, &b, other, schema_ref(first)) == first);
    CHECK(smt_cache_get(&c, from) == first && smt_cache_get(&c, other) == first);
    CHECK(smt_cache_put(&c, &b, from, second) == second);
    CHECK(smt_cache_get(&c, from) == second && smt_cache_get(&c, other) == first);
    CHECK_INT(c.count, 2);
    smt_cache_release(&c);
    record_batch_release(&b);
    schema_unref(from);
    schema_unref(other);
}

static const struct test_case tests[] = {
    {"a thousand schemas", test_many},
    {"schemas that do not last", test_short_lived},
    {"made anew", test_replaced},
    {NULL, NULL},
};
const struct test_suite test_smt_cache = {"connect/transforms/smt_cache", tests, NULL, NULL};
