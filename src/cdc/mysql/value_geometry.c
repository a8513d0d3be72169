/* cdc/mysql/value_geometry.c - spatial columns and vectors. A stored geometry is a little-endian
 * SRID and well-known binary (WKB). SPEC: cdc-mysql 6.2, 6.6 */
#include "cdc/mysql/value.h"

#include "base/bytes.h"

/* WKB of an empty collection, for NULL in a NOT NULL column. */
static const char empty_collection[9] = {1, 7, 0, 0, 0, 0, 0, 0, 0};

static double le_double(const char *p)
{
    uint64_t u = load_le64(p);
    double d;
    memcpy(&d, &u, sizeof d);
    return d;
}

static struct value srid_value(uint32_t srid)
{
    return srid ? value_int((int32_t)srid) : value_null();
}

static enum err geometry_value(struct value_env *env, uint32_t srid, struct slice wkb,
                               struct value *out)
{
    struct value v = value_struct_new(env->arena, 2);
    char *p = value_dup(env, wkb.p, wkb.n);
    if (!p)
        return E_NOMEM;
    v.u.v[0] = value_bytes(slice_of(p, wkb.n));
    v.u.v[1] = srid_value(srid);
    *out = v;
    return E_OK;
}

static enum err text_geometry(const struct codec *c, struct value_env *env, struct slice text,
                              struct value *out)
{
    (void)c;
    if (text.n < 4 + 5)
        return geometry_value(env, 0, slice_of(empty_collection, sizeof empty_collection), out);
    return geometry_value(env, load_le32(text.p), slice_sub(text, 4, text.n), out);
}

static enum err cell_geometry(const struct codec *c, struct value_env *env,
                              const struct mysql_map_column *m, const struct mysql_cell *cell,
                              struct value *out)
{
    (void)m;
    return text_geometry(c, env, slice_of(cell->p, cell->n), out);
}

#define POINT_SIZE (4 + 1 + 4 + 16) /* SRID, byte order, type, x and y */

static enum err text_point(const struct codec *c, struct value_env *env, struct slice text,
                           struct value *out)
{
    static const char origin[POINT_SIZE] = {0, 0, 0, 0, 1, 1, 0, 0, 0};
    (void)c;
    if (text.n < POINT_SIZE)
        text = slice_of(origin, sizeof origin);
    struct value v = value_struct_new(env->arena, 4);
    struct slice wkb = slice_sub(text, 4, text.n);
    char *p = value_dup(env, wkb.p, wkb.n);
    if (!p)
        return E_NOMEM;
    v.u.v[0] = value_double(le_double(text.p + 9));
    v.u.v[1] = value_double(le_double(text.p + 17));
    v.u.v[2] = value_bytes(slice_of(p, wkb.n));
    v.u.v[3] = srid_value(load_le32(text.p));
    *out = v;
    return E_OK;
}

static enum err cell_point(const struct codec *c, struct value_env *env,
                           const struct mysql_map_column *m, const struct mysql_cell *cell,
                           struct value *out)
{
    (void)m;
    return text_point(c, env, slice_of(cell->p, cell->n), out);
}

/* --- VECTOR ----------------------------------------------------------------------------------- */

static enum err text_vector(const struct codec *c, struct value_env *env, struct slice text,
                            struct value *out)
{
    size_t n = text.n / 4;
    (void)c;
    struct value *items = arena_try_calloc(env->arena, n ? n : 1, sizeof *items);
    if (!items)
        return E_NOMEM;
    for (size_t i = 0; i < n; i++) {
        uint32_t u = load_le32(text.p + 4 * i);
        float f;
        memcpy(&f, &u, sizeof f);
        items[i] = value_float(f);
    }
    *out = (struct value){.kind = VALUE_ARRAY, .n = (uint32_t)n, .u.v = items};
    return E_OK;
}

static enum err cell_vector(const struct codec *c, struct value_env *env,
                            const struct mysql_map_column *m, const struct mysql_cell *cell,
                            struct value *out)
{
    (void)m;
    return text_vector(c, env, slice_of(cell->p, cell->n), out);
}

void codec_init_geometry(struct codec *c, struct schema_builder **b)
{
    if (c->column->type == COL_VECTOR) {
        *b = codec_schema(c, SCHEMA_ARRAY, SL("io.debezium.data.FloatVector"), 1);
        schema_builder_element(*b, NULL, schema_plain(SCHEMA_FLOAT32, false));
        c->from_cell = cell_vector;
        c->from_text = text_vector;
        return;
    }
    bool point = c->column->type == COL_POINT;
    *b = codec_schema(c, SCHEMA_STRUCT,
                      point ? SL("io.debezium.data.geometry.Point")
                            : SL("io.debezium.data.geometry.Geometry"),
                      1);
    schema_builder_doc(*b, point ? SL("Geometry (POINT)") : SL("Geometry"));
    if (point) {
        schema_builder_field(*b, SL("x"), schema_plain(SCHEMA_FLOAT64, false));
        schema_builder_field(*b, SL("y"), schema_plain(SCHEMA_FLOAT64, false));
    }
    schema_builder_field(*b, SL("wkb"), schema_plain(SCHEMA_BYTES, point));
    schema_builder_field(*b, SL("srid"), schema_plain(SCHEMA_INT32, true));
    c->from_cell = point ? cell_point : cell_geometry;
    c->from_text = point ? text_point : text_geometry;
}
