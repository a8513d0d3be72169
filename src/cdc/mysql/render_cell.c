/* cdc/mysql/render_cell.c - cells of a row image as JSON. Only what is frequent is here; a NULL
 * return sends the cell through its codec, which knows all cases and all errors. SPEC: cdc-mysql
 * 6, connect 5.2 */
#include "cdc/mysql/render.h"

#include "base/bytes.h"
#include "connect/javatext.h"

static char *put_signed(const struct render_op *op, const struct mysql_cell *cell, char *to)
{
    (void)op;
    return java_write_i64(to, LIKELY(cell->n == 4) ? (int32_t)load_le32(cell->p)
                                                   : mysql_cell_int(cell));
}

static char *put_unsigned(const struct render_op *op, const struct mysql_cell *cell, char *to)
{
    (void)op;
    return java_write_i64(to, (int64_t)mysql_cell_uint(cell));
}

/* Any codec whose value is a number: the decoder makes it, nothing is allocated. */
static char *put_number(const struct render_op *op, const struct mysql_cell *cell, char *to)
{
    struct value v;
    if (UNLIKELY(op->codec->from_cell(op->codec, NULL, op->map, cell, &v) || v.kind != VALUE_INT))
        return NULL;
    return java_write_i64(to, v.u.i);
}

char *render_utf8(const struct render_op *op, const struct mysql_cell *cell, char *to)
{
    (void)op;
    *to++ = '"';
    to = json_write_escaped(to, (const char *)cell->p, cell->n);
    *to++ = '"';
    return to;
}

static char *put_ascii(const struct render_op *op, const struct mysql_cell *cell, char *to)
{
    return LIKELY(bytes_are_ascii(cell->p, cell->n)) ? render_utf8(op, cell, to) : NULL;
}

char *render_base64(const struct render_op *op, const struct mysql_cell *cell, char *to)
{
    (void)op;
    *to++ = '"';
    to = json_write_base64(to, cell->p, cell->n);
    *to++ = '"';
    return to;
}

char *render_unscaled(char *to, int64_t v)
{
    /* Bits without the sign's repetitions, and one for the sign. */
    unsigned bits = 65 - (unsigned)__builtin_clzll((uint64_t)(v ^ v >> 63) | 1);
    unsigned n = (bits + 7) / 8;
    uint8_t bytes[8];
    store_be64(bytes, (uint64_t)v << (64 - 8 * n));
    *to++ = '"';
    to = json_write_base64(to, bytes, n);
    *to++ = '"';
    return to;
}

/* --- decimals of up to 18 digits, as base64 of the shortest two's complement ------------------ */

static void add_group(struct render_op *op, unsigned digits)
{
    static const uint8_t bytes[10] = {0, 1, 1, 2, 2, 3, 3, 4, 4, 4};
    static const uint32_t powers[10] = {1,      10,      100,      1000,      10000,
                                        100000, 1000000, 10000000, 100000000, 1000000000};
    if (digits)
        op->groups[op->group_count++] = (struct render_group){bytes[digits], powers[digits]};
}

static bool decimal_groups(struct render_op *op)
{
    unsigned precision = op->map->meta & 0xff, scale = op->map->meta >> 8;
    if (op->map->type != WIRE_NEWDECIMAL || op->form->out.numeric_decimals || precision == 0 ||
        precision > 18 || scale > precision)
        return false;
    unsigned whole = precision - scale;
    add_group(op, whole % 9);
    for (unsigned i = 0; i < whole / 9; i++)
        add_group(op, 9);
    for (unsigned i = 0; i < scale / 9; i++)
        add_group(op, 9);
    add_group(op, scale % 9);
    return true;
}

static char *put_decimal(const struct render_op *op, const struct mysql_cell *cell, char *to)
{
    const uint8_t *p = cell->p;
    uint32_t invert = p[0] & 0x80 ? 0 : 0xffffffff; /* of a negative value */
    uint32_t sign = 0x80;                           /* inverted too, in the first byte */
    int64_t v = 0;
    for (uint32_t i = 0; i < op->group_count; i++) {
        const struct render_group *g = &op->groups[i];
        uint32_t group = 0;
        for (uint32_t k = 0; k < g->bytes; k++) {
            group = group << 8 | ((*p++ ^ invert ^ sign) & 0xff);
            sign = 0;
        }
        if (UNLIKELY(group >= g->power))
            return NULL;
        v = v * g->power + group;
    }
    return render_unscaled(to, invert ? -v : v);
}

void render_choose_cell(struct render_op *op)
{
    switch (op->codec->form) {
    case CODEC_SIGNED:
        op->fn = put_signed;
        break;
    case CODEC_UNSIGNED:
        op->fn = put_unsigned;
        break;
    case CODEC_NUMBER:
        op->fn = put_number;
        break;
    case CODEC_UTF8:
        op->fn = render_utf8;
        break;
    case CODEC_ASCII:
        op->fn = put_ascii;
        break;
    case CODEC_BYTES:
        op->fn = render_base64;
        break;
    case CODEC_DECIMAL:
        op->fn = decimal_groups(op) ? put_decimal : NULL;
        break;
    case CODEC_ZONED:
    case CODEC_OTHER:
        break;
    }
    if (op->map->layout == CELL_INVALID)
        op->fn = NULL;
}
