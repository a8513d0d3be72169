/* cdc/transforms/partition_routing.c - PartitionRouting: the partition comes from fields of the
 * event, by Java's hashCode of their values, so that rows go where they go with the original. SPEC:
 * connect 7.4. Thread: the task's. */
#include "cdc/transforms/transforms.h"

#include "base/bytes.h"
#include "base/mem.h"

struct routing {
    struct smt smt;
    struct slice *fields; /* paths: change.name, source.table, op */
    size_t count;
    int32_t partitions;
};

static void release(void *smt)
{
    struct routing *s = smt;
    mem_free(s->fields);
    smt_free(s);
}

static enum err configure(void **smt, const struct strmap *config, const char *class_name,
                          struct error *e)
{
    struct routing *s = *smt = smt_new(sizeof *s, config, class_name);
    struct slice hash = smt_text(&s->smt, "partition.hash.function");
    struct slice number = smt_text(&s->smt, "partition.topic.num");
    int64_t n;
    s->fields = smt_list(&s->smt, "partition.payload.fields", &s->count);
    if (!smt_text(&s->smt, "partition.payload.fields").n)
        return dbz_bad_option(e, "partition.payload.fields", "A value is required");
    for (size_t i = 0; i < s->count; i++)
        if (!s->fields[i].n)
            return dbz_bad_option(e, "partition.payload.fields", "Empty string element(s) found");
    if (!number.n)
        return dbz_bad_option(e, "partition.topic.num", "A value is required");
    if (slice_to_i64(number, &n) || n <= 0 || n > INT32_MAX)
        return dbz_bad_option(e, "partition.topic.num",
                              "A positive, non-zero integer value is expected");
    s->partitions = (int32_t)n;
    if (slice_ieq(hash, SL("murmur")))
        return dbz_bad_option(e, "partition.hash.function",
                              "weir has Java's hash codes alone (partition.hash.function=java)");
    return E_OK;
}

/* --- hashCode --------------------------------------------------------------------------------- */

static uint32_t hash_long(uint64_t v)
{
    return (uint32_t)(v ^ v >> 32);
}

/* Over the UTF-16 units of a text in UTF-8. */
static uint32_t hash_text(struct slice s)
{
    uint32_t h = 0;
    for (size_t i = 0; i < s.n;) {
        unsigned char c = (unsigned char)s.p[i++];
        uint32_t point = c;
        if (c >= 0xc0) {
            int more = c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : 1;
            point = c & (0x3fu >> more);
            for (; more && i < s.n; more--)
                point = point << 6 | ((unsigned char)s.p[i++] & 0x3f);
        }
        if (point >= 0x10000) {
            h = 31 * h + (0xd800 + ((point - 0x10000) >> 10));
            point = 0xdc00 + ((point - 0x10000) & 0x3ff);
        }
        h = 31 * h + point;
    }
    return h;
}

/* ByteBuffer: from the last byte to the first. */
static uint32_t hash_bytes(struct slice s)
{
    uint32_t h = 1;
    for (size_t i = s.n; i-- > 0;)
        h = 31 * h + (uint32_t)(int8_t)s.p[i];
    return h;
}

/* BigDecimal: 31 * hashCode of the unscaled value + scale; BigInteger: over the magnitude's words of
 * 32 bits, times the sign. */
static bool hash_decimal(struct slice s, int32_t scale, uint32_t *out)
{
    uint8_t magnitude[64] = {0};
    bool negative = s.n && (s.p[0] & 0x80);
    uint32_t h = 0, carry = 1;
    if (s.n > sizeof magnitude)
        return false;
    for (size_t i = 0; i < s.n; i++) { /* from the last byte */
        uint32_t byte = (unsigned char)s.p[s.n - 1 - i];
        if (negative) {
            byte = (~byte & 0xff) + carry;
            carry = byte >> 8;
        }
        magnitude[sizeof magnitude - 1 - i] = (uint8_t)byte;
    }
    for (size_t i = 0; i < sizeof magnitude; i += 4)
        h = 31 * h + load_be32(magnitude + i); /* leading zeros add nothing */
    *out = 31 * (negative ? 0 - h : h) + (uint32_t)scale;
    return true;
}

/* False: Java's object has no hash code that says something (a list, a struct). */
static bool hash_code(const struct schema *s, struct value v, uint32_t *out)
{
    uint64_t bits;
    uint32_t f_bits;
    float f = 0;
    switch ((enum value_kind)v.kind) {
    case VALUE_BOOL:
        *out = v.u.i ? 1231 : 1237;
        return true;
    case VALUE_INT: /* a java.util.Date has that of its milliseconds */
        bits = (uint64_t)(s->logical == LOGICAL_DATE ? v.u.i * 86400000 : v.u.i);
        *out = s->type == SCHEMA_INT64 || s->logical != LOGICAL_NONE ? hash_long(bits)
                                                                     : (uint32_t)v.u.i;
        return true;
    case VALUE_DOUBLE:
        f = (float)v.u.d;
        memcpy(&f_bits, &f, sizeof f_bits);
        memcpy(&bits, &v.u.d, sizeof bits);
        *out = s->type == SCHEMA_FLOAT32 ? f_bits : hash_long(bits);
        return true;
    case VALUE_STRING:
        *out = hash_text(value_slice(v));
        return true;
    case VALUE_BYTES:
        if (s->logical == LOGICAL_DECIMAL)
            return hash_decimal(value_slice(v), s->scale, out);
        *out = hash_bytes(value_slice(v));
        return true;
    default:
        return false;
    }
}

/* --- records ---------------------------------------------------------------------------------- */

/* The field at the end of a path. False: it is not there, or null. */
static bool find(const struct record *r, struct slice path, struct dbz_field *out)
{
    struct slice part;
    *out = (struct dbz_field){r->value_schema, r->value};
    while (path.p && slice_split(&path, '.', &part)) {
        part = slice_trim(part);
        if (slice_eq(part, SL("change")) && path.p)
            part = slice_eq(dbz_operation(r), SL("d")) ? SL("before") : SL("after");
        if (out->value.kind != VALUE_STRUCT || !dbz_field(out->schema, out->value, part, out))
            return false;
    }
    if (out->value.kind == VALUE_NULL && out->schema->has_default)
        out->value = out->schema->def;
    return out->value.kind != VALUE_NULL;
}

static enum err apply(void *smt, struct record_batch *b, struct record *r, struct error *e)
{
    struct routing *s = smt;
    uint32_t sum = 0, hash;
    bool any = false;
    (void)b;
    (void)e;
    if (!smt_is_envelope(r) || slice_eq(dbz_operation(r), SL("t")) ||
        slice_eq(dbz_operation(r), SL("m")))
        return E_OK;
    for (size_t i = 0; i < s->count; i++) {
        struct dbz_field f;
        if (find(r, s->fields[i], &f) && hash_code(f.schema, f.value, &hash)) {
            any = true;
            sum += hash;
        }
    }
    sum &= 0x7fffffff;
    if (any)
        r->partition = (int32_t)(sum == 0x7fffffff ? 0 : sum) % s->partitions;
    return E_OK;
}

#define ROW(order_, display_, name_, type_, def_, flags_, importance_, doc_)                       \
    {                                                                                              \
        DBZ_FIELDS(order_, OPT_W_NONE, display_, name_, type_, def_, flags_, importance_, doc_),   \
            .group = "partitions"                                                                  \
    }
static const struct opt_row rows[] = {
    ROW(1, "List of payload fields to use for compute partition.", "partition.payload.fields",
        OPT_LIST, NULL, OPT_REQUIRED, OPT_HIGH,
        "Fields whose values choose the partition: change.name (of the row), source.table, op."),
    ROW(2, "Number of partition configured for topic", "partition.topic.num", OPT_INT, NULL,
        OPT_REQUIRED, OPT_HIGH, "How many partitions the topic has."),
    ROW(3, "Hash function", "partition.hash.function", OPT_STRING, "java", 0, OPT_LOW,
        "How values are hashed: java. (murmur is not there.)"),
    {.name = NULL},
};
DBZ_CLASS(smt_partition_routing, "partitions.", "PartitionRouting", rows, configure, apply, release)
