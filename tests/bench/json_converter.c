/* tests/bench/json_converter.c - how fast JsonConverter writes Debezium-like envelopes (five
 * columns before and after, a source block), with and without schemas. The peer is a plain copy of
 * the same bytes: what no converter can beat. Usage: bench-json_converter [seconds] */
#include <stdlib.h>
#include <time.h>

#include "base/mem.h"
#include "connect/converters/converters.h"

/* Processor time, so that a busy machine does not count. */
static int64_t cpu_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static const struct schema *row_schema(void)
{
    struct schema_builder *b = schema_builder_new(SCHEMA_STRUCT);
    schema_builder_optional(b);
    schema_builder_name(b, SL("dbserver1.inventory.customers.Value"));
    schema_builder_field(b, SL("id"), schema_plain(SCHEMA_INT32, false));
    schema_builder_field(b, SL("first_name"), schema_plain(SCHEMA_STRING, false));
    schema_builder_field(b, SL("last_name"), schema_plain(SCHEMA_STRING, false));
    schema_builder_field(b, SL("email"), schema_plain(SCHEMA_STRING, false));
    schema_builder_field(b, SL("updated"), schema_plain(SCHEMA_INT64, true));
    return schema_build(b);
}

static const char *const source_fields[] = {
    "version", "connector", "name", "ts_ms", "snapshot", "db",  "sequence", "ts_us", "ts_ns",
    "table",   "server_id", "gtid", "file",  "pos",      "row", "thread",   "query"};

static bool is_number(size_t i)
{
    static const char *const numbers[] = {"ts_ms", "ts_us", "ts_ns", "server_id",
                                          "pos",   "row",   "thread"};
    for (size_t k = 0; k < ARRAY_LEN(numbers); k++)
        if (strcmp(source_fields[i], numbers[k]) == 0)
            return true;
    return false;
}

static const struct schema *source_schema(void)
{
    struct schema_builder *b = schema_builder_new(SCHEMA_STRUCT);
    schema_builder_name(b, SL("io.debezium.connector.mysql.Source"));
    for (size_t i = 0; i < ARRAY_LEN(source_fields); i++)
        schema_builder_field(b, slice_cstr(source_fields[i]),
                             schema_plain(is_number(i) ? SCHEMA_INT64 : SCHEMA_STRING, true));
    return schema_build(b);
}

static const struct schema *envelope_schema(void)
{
    struct schema_builder *b = schema_builder_new(SCHEMA_STRUCT);
    schema_builder_name(b, SL("dbserver1.inventory.customers.Envelope"));
    schema_builder_version(b, 2);
    schema_builder_field(b, SL("before"), row_schema());
    schema_builder_field(b, SL("after"), row_schema());
    schema_builder_field(b, SL("source"), source_schema());
    schema_builder_field(b, SL("op"), schema_plain(SCHEMA_STRING, false));
    schema_builder_field(b, SL("ts_ms"), schema_plain(SCHEMA_INT64, true));
    schema_builder_field(b, SL("ts_us"), schema_plain(SCHEMA_INT64, true));
    schema_builder_field(b, SL("ts_ns"), schema_plain(SCHEMA_INT64, true));
    return schema_build(b);
}

static struct value row(struct arena *a, int64_t id)
{
    struct value v = value_struct_new(a, 5);
    v.u.v[0] = value_int(id);
    v.u.v[1] = value_string(SL("Sally"));
    v.u.v[2] = value_string(SL("Thomas"));
    v.u.v[3] = value_string(SL("sally.thomas@example.com"));
    v.u.v[4] = value_int(1700000000000000);
    return v;
}

static struct value envelope(struct arena *a)
{
    struct value v = value_struct_new(a, 7), s = value_struct_new(a, ARRAY_LEN(source_fields));
    for (size_t i = 0; i < ARRAY_LEN(source_fields); i++)
        if (is_number(i))
            s.u.v[i] = value_int(1700000000000 + (int64_t)i);
        else if (i % 4)
            s.u.v[i] = value_string(SL("mysql-bin.000003"));
    v.u.v[0] = row(a, 1001);
    v.u.v[1] = row(a, 1001);
    v.u.v[2] = s;
    v.u.v[3] = value_string(SL("u"));
    v.u.v[4] = value_int(1700000000123);
    v.u.v[5] = value_int(1700000000123456);
    v.u.v[6] = value_int(1700000000123456789);
    return v;
}

static double copy_rate(const char *from, size_t n, char *to, double seconds)
{
    int64_t end = cpu_us() + (int64_t)(seconds * 1e6), start = cpu_us(), count = 0;
    while (cpu_us() < end) {
        for (int i = 0; i < 1000; i++, count++) {
            memcpy(to, from, n);
            __asm__ volatile("" : : "r"(to) : "memory");
        }
    }
    return (double)count / ((double)(cpu_us() - start) / 1e6);
}

static void measure(bool schemas, const struct schema *s, struct value v, double seconds)
{
    struct strmap config = STRMAP_INIT;
    struct strbuf out = STRBUF_INIT;
    struct error e = {0};
    void *c;
    bool null;
    strmap_set(&config, SL("schemas.enable"), schemas ? SL("true") : SL("false"));
    if (converter_json.configure(&c, &config, false, &e))
        exit(1);
    int64_t end = cpu_us() + (int64_t)(seconds * 1e6), start = cpu_us(), count = 0;
    while (cpu_us() < end) {
        for (int i = 0; i < 1000; i++, count++) {
            strbuf_reset(&out);
            if (converter_json.from_connect(c, SL("t"), s, v, &out, &null, &e))
                exit(1);
        }
    }
    double rate = (double)count / ((double)(cpu_us() - start) / 1e6);
    char *copy = xmalloc(out.n);
    double plain = copy_rate(out.p, out.n, copy, seconds / 4);
    printf("json_converter schemas=%-3s %4zu bytes  %.2f M/s  %.0f MB/s  %.0f ns each  ratio to "
           "memcpy %.3f\n",
           schemas ? "on" : "off", out.n, rate / 1e6, rate * (double)out.n / 1e6, 1e9 / rate,
           rate / plain);
    mem_free(copy);
    strbuf_release(&out);
    converter_json.release(c);
    strmap_release(&config);
}

int main(int argc, char **argv)
{
    double seconds = argc > 1 ? atof(argv[1]) : 1;
    struct arena a;
    arena_init(&a, 0, ARENA_NO_BUDGET);
    const struct schema *s = envelope_schema();
    struct value v = envelope(&a);
    for (int i = 0; i < 3; i++)
        measure(false, s, v, seconds);
    for (int i = 0; i < 3; i++)
        measure(true, s, v, seconds);
    schema_unref(s);
    arena_release(&a);
    return 0;
}
