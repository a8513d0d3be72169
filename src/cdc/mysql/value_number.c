/* cdc/mysql/value_number.c - integers, BIT, floating point, DECIMAL, YEAR. SPEC: cdc-mysql 6.1 */
#include "cdc/mysql/value.h"

#include <stdlib.h>

#include "cdc/mysql/decimal.h"

/* --- integers --------------------------------------------------------------------------------- */

static enum err cell_signed(const struct codec *c, struct value_env *env,
                            const struct mysql_map_column *m, const struct mysql_cell *cell,
                            struct value *out)
{
    (void)c, (void)env, (void)m;
    if (LIKELY(cell->n == 4))
        *out = value_int((int32_t)load_le32(cell->p));
    else if (cell->n == 8)
        *out = value_int((int64_t)load_le64(cell->p));
    else
        *out = value_int(mysql_cell_int(cell));
    return E_OK;
}

/* BIGINT UNSIGNED wraps in mode `long`. */
static enum err cell_unsigned(const struct codec *c, struct value_env *env,
                              const struct mysql_map_column *m, const struct mysql_cell *cell,
                              struct value *out)
{
    (void)c, (void)env, (void)m;
    *out = value_int((int64_t)mysql_cell_uint(cell));
    return E_OK;
}

static enum err cell_boolean(const struct codec *c, struct value_env *env,
                             const struct mysql_map_column *m, const struct mysql_cell *cell,
                             struct value *out)
{
    (void)c, (void)env, (void)m;
    *out = value_bool(mysql_cell_int(cell) != 0);
    return E_OK;
}

static enum err decimal_value(struct value_env *env, const uint8_t *bytes, size_t n,
                              struct value *out)
{
    char *p = value_dup(env, bytes, n);
    if (!p)
        return E_NOMEM;
    *out = value_bytes(slice_of(p, n));
    return E_OK;
}

static enum err cell_unsigned_decimal(const struct codec *c, struct value_env *env,
                                      const struct mysql_map_column *m,
                                      const struct mysql_cell *cell, struct value *out)
{
    (void)c, (void)m;
    uint8_t bytes[DECIMAL_UNSCALED_MAX];
    size_t n = decimal_from_u64(mysql_cell_uint(cell), bytes);
    return decimal_value(env, bytes, n, out);
}

/* Decimal digits with an optional sign; the common text of a snapshot. */
static bool parse_int(struct slice t, uint64_t *magnitude, bool *negative)
{
    size_t i = 0;
    uint64_t v = 0;
    *negative = t.n && t.p[0] == '-';
    if (t.n && (t.p[0] == '-' || t.p[0] == '+'))
        i++;
    if (i == t.n || t.n - i > 20)
        return false;
    for (; i < t.n; i++) {
        unsigned d = (unsigned)(unsigned char)t.p[i] - '0';
        if (d > 9 || __builtin_mul_overflow(v, 10u, &v) || __builtin_add_overflow(v, d, &v))
            return false;
    }
    *magnitude = v;
    return true;
}

/* Text that is a number but not a whole one ('2.50' as DEFAULT of an INT): rounded half up, as the
 * server does. */
static bool parse_rounded(struct slice t, uint64_t *magnitude, bool *negative)
{
    char text[DECIMAL_TEXT_MAX];
    size_t n;
    return decimal_rescale_text(t, 0, text, &n) == E_OK &&
           parse_int(slice_of(text, n), magnitude, negative);
}

static enum err text_int(const struct codec *c, struct value_env *env, struct slice text,
                         struct value *out)
{
    uint64_t v;
    bool negative;
    (void)env;
    if (!parse_int(text, &v, &negative) && !parse_rounded(slice_trim(text), &v, &negative))
        return E_INVALID;
    /* A DEFAULT above what int64 holds is clamped, a value wraps. SPEC: cdc-mysql 6.1 */
    if (c->text_is_default && !negative && v > INT64_MAX)
        v = INT64_MAX;
    *out = value_int((int64_t)(negative ? 0 - v : v));
    return E_OK;
}

static enum err text_boolean(const struct codec *c, struct value_env *env, struct slice text,
                             struct value *out)
{
    enum err rc = text_int(c, env, text, out);
    if (rc == E_OK)
        *out = value_bool(out->u.i != 0);
    return rc;
}

/* --- BIT -------------------------------------------------------------------------------------- */

/* Big-endian in binlog and snapshot alike; Debezium's Bits is little-endian. */
static enum err bits_value(const struct codec *c, struct value_env *env, const char *p, size_t n,
                           struct value *out)
{
    size_t size = c->length;
    char *to = arena_try_alloc(env->arena, size ? size : 1);
    if (!to)
        return E_NOMEM;
    for (size_t i = 0; i < size; i++)
        to[i] = i < n ? p[n - 1 - i] : 0;
    *out = value_bytes(slice_of(to, size));
    return E_OK;
}

static bool any_bit(const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (p[i])
            return true;
    return false;
}

static enum err cell_bits(const struct codec *c, struct value_env *env,
                          const struct mysql_map_column *m, const struct mysql_cell *cell,
                          struct value *out)
{
    (void)m;
    return bits_value(c, env, (const char *)cell->p, cell->n, out);
}

static enum err text_bits(const struct codec *c, struct value_env *env, struct slice text,
                          struct value *out)
{
    return bits_value(c, env, text.p, text.n, out);
}

static enum err cell_bit(const struct codec *c, struct value_env *env,
                         const struct mysql_map_column *m, const struct mysql_cell *cell,
                         struct value *out)
{
    (void)c, (void)env, (void)m;
    *out = value_bool(any_bit((const char *)cell->p, cell->n));
    return E_OK;
}

static enum err text_bit(const struct codec *c, struct value_env *env, struct slice text,
                         struct value *out)
{
    (void)c, (void)env;
    *out = value_bool(any_bit(text.p, text.n));
    return E_OK;
}

static void init_bit(struct codec *c, struct schema_builder **b)
{
    uint32_t bits = c->length ? c->length : 1;
    if (bits == 1) {
        *b = codec_schema(c, SCHEMA_BOOLEAN, SLICE_NULL, 0);
        c->from_cell = cell_bit;
        c->from_text = text_bit;
        return;
    }
    char length[16];
    snprintf(length, sizeof length, "%u", bits);
    *b = codec_schema(c, SCHEMA_BYTES, SL("io.debezium.data.Bits"), 1);
    schema_builder_param(*b, SL("length"), slice_cstr(length));
    c->length = (bits + 7) / 8;
    c->from_cell = cell_bits;
    c->from_text = text_bits;
}

/* --- floating point --------------------------------------------------------------------------- */

static double cell_as_double(const struct mysql_cell *cell)
{
    if (cell->n == 4) {
        uint32_t u = load_le32(cell->p);
        float f;
        memcpy(&f, &u, sizeof f);
        return (double)f;
    }
    uint64_t u = cell->n == 8 ? load_le64(cell->p) : 0;
    double d;
    memcpy(&d, &u, sizeof d);
    return d;
}

static enum err cell_float(const struct codec *c, struct value_env *env,
                           const struct mysql_map_column *m, const struct mysql_cell *cell,
                           struct value *out)
{
    (void)c, (void)env, (void)m;
    *out = value_float((float)cell_as_double(cell));
    return E_OK;
}

static enum err cell_double(const struct codec *c, struct value_env *env,
                            const struct mysql_map_column *m, const struct mysql_cell *cell,
                            struct value *out)
{
    (void)c, (void)env, (void)m;
    *out = value_double(cell_as_double(cell));
    return E_OK;
}

static bool number_text(struct slice text, char buf[400])
{
    text = slice_trim(text);
    if (text.n == 0 || text.n >= 400)
        return false;
    memcpy(buf, text.p, text.n);
    buf[text.n] = '\0';
    return true;
}

static enum err text_float(const struct codec *c, struct value_env *env, struct slice text,
                           struct value *out)
{
    char buf[400], *end;
    (void)c, (void)env;
    if (!number_text(text, buf))
        return E_INVALID;
    float f = strtof(buf, &end);
    if (*end)
        return E_INVALID;
    *out = value_float(f);
    return E_OK;
}

static enum err text_double(const struct codec *c, struct value_env *env, struct slice text,
                            struct value *out)
{
    char buf[400], *end;
    (void)c, (void)env;
    if (!number_text(text, buf))
        return E_INVALID;
    double d = strtod(buf, &end);
    if (*end)
        return E_INVALID;
    *out = value_double(d);
    return E_OK;
}

/* FLOAT(M,D) is stored as a float and shown widened. SPEC: cdc-mysql 6.1 */
static enum err text_widened(const struct codec *c, struct value_env *env, struct slice text,
                             struct value *out)
{
    enum err rc = text_float(c, env, text, out);
    if (rc == E_OK)
        *out = value_double(out->u.d);
    return rc;
}

static void init_floating(struct codec *c, struct schema_builder **b)
{
    const struct mysql_column *col = c->column;
    bool single =
        col->type == COL_REAL || (col->type == COL_FLOAT && col->scale < 0 && col->length <= 24);
    *b = codec_schema(c, single ? SCHEMA_FLOAT32 : SCHEMA_FLOAT64, SLICE_NULL, 0);
    c->from_cell = single ? cell_float : cell_double;
    c->from_text = single                                      ? text_float
                   : col->type == COL_FLOAT && col->scale >= 0 ? text_widened
                                                               : text_double;
}

/* --- DECIMAL ---------------------------------------------------------------------------------- */

static enum err cell_decimal(const struct codec *c, struct value_env *env,
                             const struct mysql_map_column *m, const struct mysql_cell *cell,
                             struct value *out)
{
    (void)c;
    char *to = arena_try_alloc(env->arena, DECIMAL_UNSCALED_MAX);
    size_t n;
    if (!to)
        return E_NOMEM;
    enum err rc =
        decimal_unscaled(cell->p, cell->n, m->meta & 0xff, m->meta >> 8, (uint8_t *)to, &n);
    if (rc == E_OK)
        *out = value_bytes(slice_of(to, n));
    return rc;
}

static enum err cell_decimal_string(const struct codec *c, struct value_env *env,
                                    const struct mysql_map_column *m, const struct mysql_cell *cell,
                                    struct value *out)
{
    (void)c;
    char *to = arena_try_alloc(env->arena, DECIMAL_TEXT_MAX);
    size_t n;
    if (!to)
        return E_NOMEM;
    enum err rc = decimal_text(cell->p, cell->n, m->meta & 0xff, m->meta >> 8, to, &n);
    if (rc == E_OK)
        *out = value_string(slice_of(to, n));
    return rc;
}

static enum err cell_decimal_double(const struct codec *c, struct value_env *env,
                                    const struct mysql_map_column *m, const struct mysql_cell *cell,
                                    struct value *out)
{
    char text[DECIMAL_TEXT_MAX];
    size_t n;
    enum err rc = decimal_text(cell->p, cell->n, m->meta & 0xff, m->meta >> 8, text, &n);
    return rc ? rc : text_double(c, env, slice_of(text, n), out);
}

static unsigned column_scale(const struct codec *c)
{
    return c->column->scale > 0 ? (unsigned)c->column->scale : 0;
}

static enum err text_decimal(const struct codec *c, struct value_env *env, struct slice text,
                             struct value *out)
{
    uint8_t bytes[DECIMAL_UNSCALED_MAX];
    size_t n;
    if (decimal_parse(slice_trim(text), column_scale(c), bytes, &n))
        return E_INVALID;
    return decimal_value(env, bytes, n, out);
}

static enum err text_decimal_string(const struct codec *c, struct value_env *env, struct slice text,
                                    struct value *out)
{
    char buf[DECIMAL_TEXT_MAX];
    size_t n;
    if (decimal_rescale_text(slice_trim(text), column_scale(c), buf, &n))
        return E_INVALID;
    char *p = value_dup(env, buf, n);
    if (!p)
        return E_NOMEM;
    *out = value_string(slice_of(p, n));
    return E_OK;
}

static void decimal_schema(struct codec *c, int32_t scale, int32_t precision,
                           struct schema_builder **b)
{
    char s[16], p[16];
    snprintf(s, sizeof s, "%d", scale);
    snprintf(p, sizeof p, "%d", precision);
    *b = codec_schema(c, SCHEMA_BYTES, SL("org.apache.kafka.connect.data.Decimal"), 1);
    schema_builder_param(*b, SL("scale"), slice_cstr(s));
    schema_builder_param(*b, SL("connect.decimal.precision"), slice_cstr(p));
}

static void init_decimal(struct codec *c, struct schema_builder **b)
{
    const struct mysql_column *col = c->column;
    switch (c->modes->decimal) {
    case DECIMAL_PRECISE:
        decimal_schema(c, (int32_t)column_scale(c), col->length > 0 ? col->length : 10, b);
        c->from_cell = cell_decimal;
        c->from_text = text_decimal;
        c->form = c->text_form = CODEC_DECIMAL;
        break;
    case DECIMAL_STRING:
        *b = codec_schema(c, SCHEMA_STRING, SLICE_NULL, 0);
        c->from_cell = cell_decimal_string;
        c->from_text = text_decimal_string;
        break;
    case DECIMAL_DOUBLE:
        *b = codec_schema(c, SCHEMA_FLOAT64, SLICE_NULL, 0);
        c->from_cell = cell_decimal_double;
        c->from_text = text_double;
        break;
    }
}

/* --- YEAR ------------------------------------------------------------------------------------- */

static int64_t adjust_year(const struct codec *c, int64_t y)
{
    if (!c->modes->time_adjuster || y <= 0 || y > 99)
        return y;
    return y < 70 ? 2000 + y : 1900 + y;
}

static enum err cell_year(const struct codec *c, struct value_env *env,
                          const struct mysql_map_column *m, const struct mysql_cell *cell,
                          struct value *out)
{
    (void)c, (void)env, (void)m;
    uint8_t y = cell->n ? cell->p[0] : 0;
    *out = value_int(y ? 1900 + y : 0);
    return E_OK;
}

static enum err text_year(const struct codec *c, struct value_env *env, struct slice text,
                          struct value *out)
{
    enum err rc = text_int(c, env, text, out);
    if (rc == E_OK)
        *out = value_int(adjust_year(c, out->u.i));
    return rc;
}

/* --- choice ----------------------------------------------------------------------------------- */

static void init_integer(struct codec *c, struct schema_builder **b)
{
    const struct mysql_column *col = c->column;
    enum schema_type t = SCHEMA_INT64;
    switch (col->type) {
    case COL_TINYINT:
        t = SCHEMA_INT16;
        break;
    case COL_SMALLINT:
        t = col->is_unsigned ? SCHEMA_INT32 : SCHEMA_INT16;
        break;
    case COL_MEDIUMINT:
        t = SCHEMA_INT32;
        break;
    case COL_INT:
        t = col->is_unsigned ? SCHEMA_INT64 : SCHEMA_INT32;
        break;
    default:
        if (col->is_unsigned && c->modes->bigint_precise) {
            decimal_schema(c, 0, 20, b);
            c->from_cell = cell_unsigned_decimal;
            c->from_text = text_decimal;
            return;
        }
        break;
    }
    *b = codec_schema(c, t, SLICE_NULL, 0);
    c->from_cell = col->is_unsigned ? cell_unsigned : cell_signed;
    c->from_text = text_int;
    c->form = c->text_form = col->is_unsigned ? CODEC_UNSIGNED : CODEC_SIGNED;
}

void codec_init_number(struct codec *c, struct schema_builder **b)
{
    switch (c->column->type) {
    case COL_BIT:
        init_bit(c, b);
        break;
    case COL_BOOLEAN:
        *b = codec_schema(c, SCHEMA_BOOLEAN, SLICE_NULL, 0);
        c->from_cell = cell_boolean;
        c->from_text = text_boolean;
        break;
    case COL_FLOAT:
    case COL_REAL:
    case COL_DOUBLE:
        init_floating(c, b);
        break;
    case COL_DECIMAL:
        init_decimal(c, b);
        break;
    case COL_YEAR:
        *b = codec_schema(c, SCHEMA_INT32, SL("io.debezium.time.Year"), 1);
        c->from_cell = cell_year;
        c->from_text = text_year;
        c->form = c->text_form = CODEC_NUMBER;
        break;
    default:
        init_integer(c, b);
        break;
    }
}
