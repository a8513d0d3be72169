/* cdc/mysql/value_string.c - text in any charset, binary, ENUM, SET, JSON, UUID and addresses.
 *
 * Text that already is UTF-8 is not copied: it stays in the event, which lives in the batch's
 * arena. SPEC: cdc-mysql 6.2 */
#include "cdc/mysql/value.h"

#include <arpa/inet.h>

#include "base/bytes.h"
#include "cdc/mysql/json_binary.h"

#define SCRATCH_KEPT ((size_t)1 << 20)

static enum err dup_string(struct value_env *env, const void *p, size_t n, struct value *out)
{
    char *to = value_dup(env, p, n);
    if (!to)
        return E_NOMEM;
    *out = value_string(slice_of(to, n));
    return E_OK;
}

static enum err dup_bytes(struct value_env *env, const void *p, size_t n, struct value *out)
{
    char *to = value_dup(env, p, n);
    if (!to)
        return E_NOMEM;
    *out = value_bytes(slice_of(to, n));
    return E_OK;
}

static enum err take_scratch(struct value_env *env, struct value *out)
{
    enum err rc = strbuf_err(&env->scratch);
    if (rc == E_OK)
        rc = dup_string(env, env->scratch.p, env->scratch.n, out);
    if (env->scratch.cap > SCRATCH_KEPT)
        strbuf_release(&env->scratch);
    return rc;
}

/* Snapshot text comes in utf8mb4 whatever the column's charset. */
static enum err text_string(const struct codec *c, struct value_env *env, struct slice text,
                            struct value *out)
{
    (void)c;
    return dup_string(env, text.p, text.n, out);
}

static enum err cell_utf8(const struct codec *c, struct value_env *env,
                          const struct mysql_map_column *m, const struct mysql_cell *cell,
                          struct value *out)
{
    (void)c, (void)env, (void)m;
    *out = value_string(slice_of(cell->p, cell->n));
    return E_OK;
}

static enum err cell_charset(const struct codec *c, struct value_env *env,
                             const struct mysql_map_column *m, const struct mysql_cell *cell,
                             struct value *out)
{
    if (c->form == CODEC_ASCII && bytes_are_ascii(cell->p, cell->n))
        return cell_utf8(c, env, m, cell, out);
    strbuf_reset(&env->scratch);
    mysql_charset_to_utf8(c->column->charset, slice_of(cell->p, cell->n), &env->scratch);
    return take_scratch(env, out);
}

/* Columns with MariaDB's attribute COMPRESSED; rare, so the wire type is looked at per value. */
static enum err cell_compressed(const struct codec *c, struct value_env *env,
                                const struct mysql_map_column *m, const struct mysql_cell *cell,
                                struct value *out)
{
    struct mysql_cell plain = *cell;
    struct strbuf bytes = STRBUF_INIT;
    enum err rc = E_OK;
    if (m->type == WIRE_BLOB_COMPRESSED || m->type == WIRE_VARCHAR_COMPRESSED) {
        rc = mysql_cell_decompress(cell, &bytes);
        if (rc == E_OK)
            rc = strbuf_err(&bytes);
        char *p = rc ? NULL : value_dup(env, bytes.p, bytes.n);
        if (!rc && !p)
            rc = E_NOMEM;
        plain.p = (const uint8_t *)p;
        plain.n = (uint32_t)bytes.n;
    }
    strbuf_release(&bytes);
    if (rc)
        return rc;
    if (c->schema->type == SCHEMA_BYTES)
        return dup_bytes(env, plain.p, plain.n, out);
    if (!c->column->charset || mysql_charset_is_utf8(c->column->charset))
        return cell_utf8(c, env, m, &plain, out);
    return cell_charset(c, env, m, &plain, out);
}

/* --- binary ----------------------------------------------------------------------------------- */

static enum err encode_binary(const struct codec *c, struct value_env *env, const char *p, size_t n,
                              struct value *out)
{
    struct strbuf *b = &env->scratch;
    strbuf_reset(b);
    if (c->modes->binary == BINARY_HEX) {
        hex_encode(b, slice_of(p, n));
    } else {
        base64_encode(b, slice_of(p, n));
        for (size_t i = 0; c->modes->binary == BINARY_BASE64_URL && i < b->n; i++)
            b->p[i] = b->p[i] == '+' ? '-' : b->p[i] == '/' ? '_' : b->p[i];
    }
    return take_scratch(env, out);
}

/* BINARY(n): the binlog strips trailing zeros. c->length is 0 for types without padding. */
static enum err binary_value(const struct codec *c, struct value_env *env, const char *p, size_t n,
                             bool in_arena, struct value *out)
{
    if (n < c->length) {
        char *to = arena_try_alloc(env->arena, c->length);
        if (!to)
            return E_NOMEM;
        memcpy(to, p, n);
        memset(to + n, 0, c->length - n);
        p = to;
        n = c->length;
        in_arena = true;
    }
    if (c->modes->binary != BINARY_BYTES)
        return encode_binary(c, env, p, n, out);
    if (!in_arena)
        return dup_bytes(env, p, n, out);
    *out = value_bytes(slice_of(p, n));
    return E_OK;
}

static enum err cell_binary(const struct codec *c, struct value_env *env,
                            const struct mysql_map_column *m, const struct mysql_cell *cell,
                            struct value *out)
{
    (void)m;
    return binary_value(c, env, (const char *)cell->p, cell->n, true, out);
}

static enum err text_binary(const struct codec *c, struct value_env *env, struct slice text,
                            struct value *out)
{
    return binary_value(c, env, text.p, text.n, false, out);
}

static void init_binary(struct codec *c, struct schema_builder **b)
{
    if (c->column->type != COL_BINARY)
        c->length = 0;
    *b = codec_schema(c, c->modes->binary == BINARY_BYTES ? SCHEMA_BYTES : SCHEMA_STRING,
                      SLICE_NULL, 0);
    c->from_cell = c->column->compressed ? cell_compressed : cell_binary;
    bool plain = !c->column->compressed && !c->length && c->modes->binary == BINARY_BYTES;
    c->form = c->text_form = plain ? CODEC_BYTES : CODEC_OTHER;
    c->from_text = text_binary;
}

/* --- ENUM and SET ----------------------------------------------------------------------------- */

/* Numbers beyond the list (0: the server stored an invalid value) give the empty text. */
static enum err cell_enum(const struct codec *c, struct value_env *env,
                          const struct mysql_map_column *m, const struct mysql_cell *cell,
                          struct value *out)
{
    uint64_t i = mysql_cell_uint(cell);
    (void)env, (void)m;
    *out = value_string(i >= 1 && i <= c->column->value_count ? c->column->values[i - 1] : SL(""));
    return E_OK;
}

static enum err cell_set(const struct codec *c, struct value_env *env,
                         const struct mysql_map_column *m, const struct mysql_cell *cell,
                         struct value *out)
{
    uint64_t bits = mysql_cell_uint(cell);
    (void)m;
    strbuf_reset(&env->scratch);
    for (uint32_t i = 0; i < c->column->value_count && i < 64; i++) {
        if (!(bits >> i & 1))
            continue;
        if (env->scratch.n)
            strbuf_addc(&env->scratch, ',');
        strbuf_add_slice(&env->scratch, c->column->values[i]);
    }
    return take_scratch(env, out);
}

/* Parameter `allowed`: values joined by commas, a comma inside a value as `\,`. */
static void init_choice(struct codec *c, struct schema_builder **b)
{
    bool set = c->column->type == COL_SET;
    struct strbuf allowed = STRBUF_INIT;
    for (uint32_t i = 0; i < c->column->value_count; i++) {
        struct slice v = c->column->values[i];
        if (i)
            strbuf_addc(&allowed, ',');
        for (size_t k = 0; k < v.n; k++) {
            if (v.p[k] == ',')
                strbuf_addc(&allowed, '\\');
            strbuf_addc(&allowed, v.p[k]);
        }
    }
    *b = codec_schema(c, SCHEMA_STRING,
                      set ? SL("io.debezium.data.EnumSet") : SL("io.debezium.data.Enum"), 1);
    schema_builder_param(*b, SL("allowed"), strbuf_slice(&allowed));
    strbuf_release(&allowed);
    c->from_cell = set ? cell_set : cell_enum;
    c->from_text = text_string;
}

/* --- JSON ------------------------------------------------------------------------------------- */

/* MySQL's binary form; MariaDB stores the text. A partial update carries its differences only: the
 * stream hands such cells to json_partial before. */
static enum err cell_json(const struct codec *c, struct value_env *env,
                          const struct mysql_map_column *m, const struct mysql_cell *cell,
                          struct value *out)
{
    if (m->type != WIRE_JSON)
        return cell_utf8(c, env, m, cell, out);
    strbuf_reset(&env->scratch);
    enum err rc = mysql_json_text(slice_of(cell->p, cell->n), &env->scratch, NULL);
    return rc ? rc : take_scratch(env, out);
}

/* --- UUID, INET4, INET6 ----------------------------------------------------------------------- */

static enum err cell_uuid(const struct codec *c, struct value_env *env,
                          const struct mysql_map_column *m, const struct mysql_cell *cell,
                          struct value *out)
{
    static const char digits[] = "0123456789abcdef";
    uint8_t b[16] = {0};
    char text[36], *p = text;
    (void)c, (void)m;
    memcpy(b, cell->p, MIN(cell->n, sizeof b));
    for (int i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *p++ = '-';
        *p++ = digits[b[i] >> 4];
        *p++ = digits[b[i] & 15];
    }
    return dup_string(env, text, sizeof text, out);
}

static enum err cell_inet(const struct codec *c, struct value_env *env,
                          const struct mysql_map_column *m, const struct mysql_cell *cell,
                          struct value *out)
{
    uint8_t b[16] = {0};
    char text[INET6_ADDRSTRLEN];
    bool v4 = c->column->type == COL_INET4;
    (void)m;
    memcpy(b, cell->p, MIN(cell->n, v4 ? (size_t)4 : sizeof b));
    if (!inet_ntop(v4 ? AF_INET : AF_INET6, b, text, sizeof text))
        return E_INVALID;
    return dup_string(env, text, strlen(text), out);
}

/* --- choice ----------------------------------------------------------------------------------- */

/* Charsets in which ASCII is ASCII: most, but for the wide ones and a few national ones. */
static enum codec_form charset_form(const struct mysql_charset *charset)
{
    struct strbuf out = STRBUF_INIT;
    bool same = true;
    for (int i = 0; i < 128 && same; i++) {
        char byte = (char)i;
        strbuf_reset(&out);
        mysql_charset_to_utf8(charset, slice_of(&byte, 1), &out);
        same = out.n == 1 && out.p[0] == byte;
    }
    strbuf_release(&out);
    return same ? CODEC_ASCII : CODEC_OTHER;
}

void codec_init_string(struct codec *c, struct schema_builder **b)
{
    const struct mysql_column *col = c->column;
    c->from_text = text_string;
    c->text_form = CODEC_UTF8;
    switch (col->type) {
    case COL_ENUM:
    case COL_SET:
        init_choice(c, b);
        return;
    case COL_JSON:
        *b = codec_schema(c, SCHEMA_STRING, SL("io.debezium.data.Json"), 1);
        c->from_cell = cell_json;
        return;
    case COL_UUID:
        *b = codec_schema(c, SCHEMA_STRING, SL("io.debezium.data.Uuid"), 1);
        c->from_cell = cell_uuid;
        return;
    case COL_INET4:
    case COL_INET6:
        *b = codec_schema(c, SCHEMA_STRING, SLICE_NULL, 0);
        c->from_cell = cell_inet;
        return;
    default:
        break;
    }
    unsigned flags = mysql_column_type_flags(col->type);
    if (flags & COLF_BYTES || (flags & COLF_TEXT && col->charset == mysql_charset_binary)) {
        init_binary(c, b);
    } else if (flags & COLF_TEXT) {
        *b = codec_schema(c, SCHEMA_STRING, SLICE_NULL, 0);
        c->from_cell = col->compressed                                        ? cell_compressed
                       : !col->charset || mysql_charset_is_utf8(col->charset) ? cell_utf8
                                                                              : cell_charset;
        c->form = c->from_cell == cell_utf8      ? CODEC_UTF8
                  : c->from_cell == cell_charset ? charset_form(col->charset)
                                                 : CODEC_OTHER;
    }
}
