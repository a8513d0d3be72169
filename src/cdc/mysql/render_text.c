/* cdc/mysql/render_text.c - texts of a snapshot as JSON. What the server prints for the usual value
 * of a type mostly is the JSON already; everything else (NULL return) goes through the codec. SPEC:
 * cdc-mysql 6, connect 5.2 */
#include "cdc/mysql/render.h"

#include "base/bytes.h"
#include "connect/javatext.h"

static inline bool is_digit(uint8_t c)
{
    return (uint8_t)(c - '0') <= 9;
}

/* The number as it stands, if it is what a number is written as: no zeros in front (ZEROFILL), not
 * beyond int64. */
static char *put_integer(const struct render_op *op, const struct mysql_cell *cell, char *to)
{
    const uint8_t *p = cell->p, *end = p + cell->n;
    (void)op;
    if (p < end && *p == '-')
        p++;
    size_t digits = (size_t)(end - p);
    if (digits == 0 || digits > 18 || (*p == '0' && cell->n > 1))
        return NULL;
    for (; p < end; p++)
        if (!is_digit(*p))
            return NULL;
    memcpy(to, cell->p, cell->n);
    return to + cell->n;
}

static char *put_number(const struct render_op *op, const struct mysql_cell *cell, char *to)
{
    struct value v;
    struct slice text = slice_of(cell->p, cell->n);
    if (UNLIKELY(op->codec->from_text(op->codec, NULL, text, &v) || v.kind != VALUE_INT))
        return NULL;
    return java_write_i64(to, v.u.i);
}

/* -123.45 with just the column's digits behind the point, 18 in all at most. */
static char *put_decimal(const struct render_op *op, const struct mysql_cell *cell, char *to)
{
    const uint8_t *p = cell->p, *end = p + cell->n;
    uint32_t scale = op->codec->column->scale > 0 ? (uint32_t)op->codec->column->scale : 0;
    bool negative = p < end && *p == '-';
    const uint8_t *point = scale ? end - scale - 1 : end;
    int64_t v = 0;
    p += negative;
    if (end - p > 19 || (size_t)(end - p) < (scale ? scale + 2 : 1) || (scale && *point != '.'))
        return NULL;
    if (end - p - (scale ? 1 : 0) > 18)
        return NULL;
    for (; p < end; p++) {
        if (p == point)
            continue;
        if (!is_digit(*p))
            return NULL;
        v = v * 10 + (*p - '0');
    }
    return render_unscaled(to, negative ? -v : v);
}

/* 2024-01-02 03:04:05 to "2024-01-02T03:04:05Z"; zero dates and fractions are not for here. */
static char *put_zoned(const struct render_op *op, const struct mysql_cell *cell, char *to)
{
    static const char form[] = "0000-00-00 00:00:00";
    const uint8_t *p = cell->p;
    (void)op;
    if (cell->n != sizeof form - 1)
        return NULL;
    for (size_t i = 0; i < sizeof form - 1; i++)
        if (form[i] == '0' ? !is_digit(p[i]) : p[i] != (uint8_t)form[i])
            return NULL;
    unsigned month = (p[5] - '0') * 10u + (p[6] - '0'), day = (p[8] - '0') * 10u + (p[9] - '0');
    if (month < 1 || month > 12 || day < 1)
        return NULL;
    *to++ = '"';
    memcpy(to, p, 19);
    to[10] = 'T';
    to += 19;
    *to++ = 'Z';
    *to++ = '"';
    return to;
}

void render_choose_text(struct render_op *op)
{
    switch (op->codec->text_form) {
    case CODEC_SIGNED:
    case CODEC_UNSIGNED:
        op->fn = put_integer;
        break;
    case CODEC_NUMBER:
        op->fn = put_number;
        break;
    case CODEC_UTF8:
        op->fn = render_utf8;
        break;
    case CODEC_BYTES:
        op->fn = render_base64;
        break;
    case CODEC_DECIMAL:
        op->fn = op->form->out.numeric_decimals ? NULL : put_decimal;
        break;
    case CODEC_ZONED:
        op->fn = put_zoned;
        break;
    case CODEC_ASCII:
    case CODEC_OTHER:
        break;
    }
}
