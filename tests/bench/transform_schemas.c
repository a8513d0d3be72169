/* tests/bench/transform_schemas.c - what a record costs in a transform (ReplaceField) and JsonConverter
 * when records of many schemas take turns, as those of a database with many tables do. The peer is
 * the same with one schema. Usage: bench-transform_schemas [records] */
#include <stdlib.h>
#include <time.h>

#include "base/mem.h"
#include "connect/converters/converters.h"
#include "connect/transforms/transforms.h"

enum { COLUMNS = 10, BATCH = 500 };

/* Processor time, so that a busy machine does not count. */
static int64_t cpu_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static const struct schema *row_schema(int number)
{
    char name[60];
    struct schema_builder *b = schema_builder_new(SCHEMA_STRUCT);
    snprintf(name, sizeof name, "server.database.table_%d.Value", number);
    schema_builder_name(b, slice_cstr(name));
    for (int i = 0; i < COLUMNS; i++) {
        snprintf(name, sizeof name, "column_%d", i);
        schema_builder_field(b, slice_cstr(name),
                             schema_plain(i % 2 ? SCHEMA_STRING : SCHEMA_INT64, true));
    }
    return schema_build(b);
}

static void add_row(struct record_batch *b, const struct schema *s, int64_t id)
{
    struct record *r = record_batch_add(b);
    r->topic = SL("t");
    r->value_schema = s;
    r->value = value_struct_new(&b->arena, COLUMNS);
    for (int i = 0; i < COLUMNS; i++)
        r->value.u.v[i] = i % 2 ? value_string(SL("some text")) : value_int(id + i);
}

static double measure(int schemas, int64_t records)
{
    const struct schema **all = xcalloc((size_t)schemas, sizeof *all);
    struct strmap config = STRMAP_INIT;
    struct strbuf out = STRBUF_INIT;
    struct record_batch b;
    struct error e = {0};
    void *smt, *conv;
    for (int i = 0; i < schemas; i++)
        all[i] = row_schema(i);
    strmap_set(&config, SL("exclude"), SL("column_3"));
    if (smt_replace_field_value.configure(&smt, &config, smt_replace_field_value.class_name, &e) ||
        converter_json.configure(&conv, &config, false, &e))
        exit(1);
    record_batch_init(&b, 64 << 20);
    int64_t spent = 0;
    for (int64_t n = 0; n < records;) {
        record_batch_reset(&b);
        for (int i = 0; i < BATCH; i++, n++)
            add_row(&b, all[n % schemas], n);
        int64_t began = cpu_ns();
        for (size_t i = 0; i < b.count; i++) {
            struct record *r = &b.records[i];
            bool null;
            if (smt_replace_field_value.apply(smt, &b, r, &e))
                exit(1);
            strbuf_reset(&out);
            if (converter_json.from_connect(conv, SL("t"), r->value_schema, r->value, &out, &null,
                                            &e))
                exit(1);
        }
        spent += n > schemas ? cpu_ns() - began : 0; /* not while schemas are seen first */
    }
    record_batch_release(&b);
    smt_replace_field_value.release(smt);
    converter_json.release(conv);
    for (int i = 0; i < schemas; i++)
        schema_unref(all[i]);
    mem_free(all);
    strmap_release(&config);
    strbuf_release(&out);
    return (double)spent / (double)(records - schemas);
}

int main(int argc, char **argv)
{
    static const int schemas[] = {1, 16, 17, 1000, 10000};
    int64_t records = argc > 1 ? atoll(argv[1]) : 200000;
    double one = 0;
    for (size_t i = 0; i < ARRAY_LEN(schemas); i++) {
        double ns = measure(schemas[i], records);
        one = i ? one : ns;
        printf("transform_schemas %d schemas: %.0f ns a record, ratio to one schema %.2f\n",
               schemas[i], ns, ns / one);
    }
    return 0;
}
