/* cdc/mysql/row.c - slicing row images, and the packed temporal values.
 *
 * The hot loop of streaming: one pass per image, one switch per column, no allocation. The null
 * bitmap covers present columns only (SPEC: cdc-mysql 11.10). */
#include "cdc/mysql/row.h"

#include <zlib.h>

#include "base/bytes.h"

static uint32_t count_bits(const uint8_t *bitmap, uint32_t n)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < n; i++)
        count += bitmap[i / 8] >> (i % 8) & 1;
    return count;
}

enum err mysql_rows_init(struct mysql_rows *it, const struct mysql_rows_event *ev, struct error *e)
{
    *it = (struct mysql_rows){.event = ev};
    if (!ev->map)
        return error_set(e, E_INVALID, "no table map for table id %llu",
                         (unsigned long long)ev->table_id);
    if (ev->column_count != ev->map->column_count)
        return error_set(
            e, E_CORRUPT, "rows of " PRI_SL "." PRI_SL " have %u columns, their table map %u",
            ARG_SL(ev->map->db), ARG_SL(ev->map->table), ev->column_count, ev->map->column_count);
    it->columns = ev->map->columns;
    it->column_count = ev->column_count;
    it->at = (const uint8_t *)ev->rows.p;
    it->end = it->at + ev->rows.n;
    it->before_count = count_bits(ev->present_before, it->column_count);
    it->after_count = count_bits(ev->present_after, it->column_count);
    it->all_before = it->before_count == it->column_count;
    it->all_after = it->after_count == it->column_count;
    return E_OK;
}

static enum err cut_off(const struct mysql_rows *it, uint32_t column, struct error *e)
{
    const struct mysql_table_map *m = it->event->map;

    if (column < it->column_count && it->columns[column].layout == CELL_INVALID)
        return error_set(
            e, E_CORRUPT,
            "row %u of " PRI_SL "." PRI_SL ": column %u has type %u, which cannot be in a row",
            it->row, ARG_SL(m->db), ARG_SL(m->table), column + 1, it->columns[column].type);
    return error_set(e, E_CORRUPT,
                     "row %u of " PRI_SL "." PRI_SL ": the event ends within column %u", it->row,
                     ARG_SL(m->db), ARG_SL(m->table), column + 1);
}

/* The value's size and where it starts; false: cut off. */
static ALWAYS_INLINE bool measure(const struct mysql_map_column *c, const uint8_t **at,
                                  const uint8_t *end, uint32_t *n)
{
    const uint8_t *p = *at;
    size_t left = (size_t)(end - p), prefix;
    uint32_t size;

    if (c->layout == CELL_FIXED) {
        *n = c->size;
        return left >= c->size;
    }
    if (UNLIKELY(left < 1))
        return false;
    switch (c->layout) {
    case CELL_LEN1:
        size = p[0];
        prefix = 1;
        break;
    case CELL_LEN2:
        if (left < 2)
            return false;
        size = load_le16(p);
        prefix = 2;
        break;
    case CELL_LEN3:
        if (left < 3)
            return false;
        size = load_le24(p);
        prefix = 3;
        break;
    case CELL_LEN4:
        if (left < 4)
            return false;
        size = load_le32(p);
        prefix = 4;
        break;
    default:
        return false;
    }
    *at = p + prefix;
    *n = size;
    return left - prefix >= size;
}

/* The bits of PARTIAL_UPDATE: one per JSON column of the table; NULL: whole values. False: cut off.
 */
static bool partial_bits(struct mysql_rows *it, const uint8_t **bits)
{
    uint32_t json = 0;

    *bits = NULL;
    if (it->at >= it->end)
        return false;
    uint8_t options = *it->at++; /* packed, but only bit 0 is defined */
    if (!(options & 1))
        return true;
    for (uint32_t i = 0; i < it->column_count; i++)
        json += it->columns[i].type == WIRE_JSON;
    if ((size_t)(it->end - it->at) < (json + 7) / 8)
        return false;
    *bits = it->at;
    it->at += (json + 7) / 8;
    return true;
}

struct image {
    const uint8_t *present, *nulls, *partial;
    bool all;
    uint32_t count;
};

static enum err read_image(struct mysql_rows *it, const struct image *im, struct mysql_cell *cells,
                           struct error *e)
{
    const uint8_t *at = it->at, *end = it->end;
    uint32_t bit = 0, json = 0;

    for (uint32_t i = 0; i < it->column_count; i++) {
        const struct mysql_map_column *c = &it->columns[i];
        struct mysql_cell cell = {NULL, 0, CELL_VALUE};
        if (UNLIKELY(im->partial) && c->type == WIRE_JSON) {
            if (im->partial[json / 8] >> (json % 8) & 1)
                cell.state = CELL_PARTIAL;
            json++;
        }
        if (!im->all && !(im->present[i / 8] >> (i % 8) & 1)) {
            cell.state = CELL_ABSENT;
        } else if (im->nulls[bit / 8] >> (bit % 8) & 1) {
            cell.state = CELL_NULL;
            bit++;
        } else {
            bit++;
            if (UNLIKELY(!measure(c, &at, end, &cell.n)))
                return cut_off(it, i, e);
            cell.p = at;
            at += cell.n;
        }
        if (cells)
            cells[i] = cell;
    }
    it->at = at;
    return E_OK;
}

/* The usual image: every column is there, JSON is whole. Bit i of the null bitmap is column i's. */
static enum err read_full_image(struct mysql_rows *it, const uint8_t *nulls,
                                struct mysql_cell *cells, struct error *e)
{
    const struct mysql_map_column *c = it->columns;
    const uint8_t *at = it->at, *end = it->end;
    uint32_t count = it->column_count;

    for (uint32_t i = 0; i < count; i += 8) {
        unsigned bits = nulls[i / 8];
        uint32_t until = MIN(i + 8, count);
        for (uint32_t k = i; k < until; k++, bits >>= 1, c++) {
            if (UNLIKELY(bits & 1)) {
                cells[k] = (struct mysql_cell){NULL, 0, CELL_NULL};
                continue;
            }
            uint32_t n;
            if (UNLIKELY(!measure(c, &at, end, &n)))
                return cut_off(it, k, e);
            cells[k] = (struct mysql_cell){at, n, CELL_VALUE};
            at += n;
        }
    }
    it->at = at;
    return E_OK;
}

static enum err image(struct mysql_rows *it, bool after, struct mysql_cell *cells, struct error *e)
{
    const struct mysql_rows_event *ev = it->event;
    struct image im = {
        .present = after ? ev->present_after : ev->present_before,
        .all = after ? it->all_after : it->all_before,
        .count = after ? it->after_count : it->before_count,
    };

    if (after && ev->partial && !partial_bits(it, &im.partial))
        return cut_off(it, 0, e);
    size_t nulls = (im.count + 7) / 8;
    if ((size_t)(it->end - it->at) < nulls)
        return cut_off(it, 0, e);
    im.nulls = it->at;
    it->at += nulls;
    if (LIKELY(im.all && !im.partial && cells))
        return read_full_image(it, im.nulls, cells, e);
    return read_image(it, &im, cells, e);
}

enum err mysql_rows_next(struct mysql_rows *it, struct mysql_cell *before, struct mysql_cell *after,
                         struct error *e)
{
    enum mysql_rows_op op = it->event->op;
    const uint8_t *start = it->at;
    enum err err = E_OK;

    if (it->at >= it->end)
        return E_NOT_FOUND;
    if (op != ROWS_WRITE)
        err = image(it, false, before, e);
    if (!err && op != ROWS_DELETE)
        err = image(it, true, after, e);
    if (!err && it->at == start) /* rows without a byte would never end */
        err = error_set(e, E_CORRUPT, "rows event without columns has data");
    if (err)
        return err;
    it->row++;
    return E_OK;
}

enum err mysql_rows_count(const struct mysql_rows *it, uint32_t *count, struct error *e)
{
    struct mysql_rows copy = *it;
    enum err err;

    while ((err = mysql_rows_next(&copy, NULL, NULL, e)) == E_OK)
        continue;
    *count = copy.row - it->row;
    return err == E_NOT_FOUND ? E_OK : err;
}

/* --- temporal values ------------------------------------------------------------------------ */

static uint64_t load_be(const uint8_t *p, size_t n)
{
    uint64_t v = 0;

    while (n-- > 0)
        v = v << 8 | *p++;
    return v;
}

static uint32_t fraction(const uint8_t *p, unsigned fsp)
{
    static const uint32_t scale[4] = {0, 10000, 100, 1};
    unsigned bytes = (fsp + 1) / 2;

    return (uint32_t)load_be(p, bytes) * scale[bytes];
}

static void time2(const uint8_t *p, unsigned fsp, struct mysql_time_parts *out)
{
    static const uint32_t scale[4] = {0, 10000, 100, 1};
    unsigned bytes = (fsp + 1) / 2;
    /* Whole and fraction form one number that is offset, so that a negative one borrows from the
     * whole. */
    int64_t v = (int64_t)load_be(p, 3 + bytes) - (INT64_C(0x800000) << (8 * bytes));

    out->negative = v < 0;
    if (v < 0)
        v = -v;
    uint32_t whole = (uint32_t)(v >> (8 * bytes));
    out->hour = whole >> 12 & 0x3FF;
    out->minute = whole >> 6 & 0x3F;
    out->second = whole & 0x3F;
    out->micros = (uint32_t)(v & ((INT64_C(1) << (8 * bytes)) - 1)) * scale[bytes];
}

static void datetime2(const uint8_t *p, unsigned fsp, struct mysql_time_parts *out)
{
    uint64_t v = load_be(p, 5) & UINT64_C(0x7FFFFFFFFF);
    uint32_t year_month = (uint32_t)(v >> 22) & 0x1FFFF;

    out->year = year_month / 13;
    out->month = year_month % 13;
    out->day = (uint32_t)(v >> 17) & 0x1F;
    out->hour = (uint32_t)(v >> 12) & 0x1F;
    out->minute = (uint32_t)(v >> 6) & 0x3F;
    out->second = (uint32_t)v & 0x3F;
    out->micros = fraction(p + 5, fsp);
}

static void old_datetime(uint64_t v, struct mysql_time_parts *out)
{
    uint64_t date = v / 1000000, time = v % 1000000;

    out->year = (uint32_t)(date / 10000 % 100000);
    out->month = (uint32_t)(date / 100 % 100);
    out->day = (uint32_t)(date % 100);
    out->hour = (uint32_t)(time / 10000);
    out->minute = (uint32_t)(time / 100 % 100);
    out->second = (uint32_t)(time % 100);
}

enum err mysql_cell_time(const struct mysql_map_column *c, const struct mysql_cell *cell,
                         struct mysql_time_parts *out)
{
    const uint8_t *p = cell->p;
    uint32_t v;

    memset(out, 0, sizeof *out);
    if (cell->state != CELL_VALUE || c->layout != CELL_FIXED || cell->n != c->size)
        return E_CORRUPT;
    switch (c->type) {
    case WIRE_DATE:
        v = load_le24(p);
        out->day = v & 31;
        out->month = v >> 5 & 15;
        out->year = v >> 9;
        return E_OK;
    case WIRE_TIME: {
        int32_t t = (int32_t)(load_le24(p) << 8) >> 8;
        out->negative = t < 0;
        v = (uint32_t)(t < 0 ? -t : t);
        out->hour = v / 10000;
        out->minute = v / 100 % 100;
        out->second = v % 100;
        return E_OK;
    }
    case WIRE_DATETIME:
        old_datetime(load_le64(p), out);
        return E_OK;
    case WIRE_TIME2:
        time2(p, c->meta, out);
        return E_OK;
    case WIRE_DATETIME2:
        datetime2(p, c->meta, out);
        return E_OK;
    default:
        return E_CORRUPT;
    }
}

enum err mysql_cell_timestamp(const struct mysql_map_column *c, const struct mysql_cell *cell,
                              int64_t *seconds, uint32_t *micros)
{
    *seconds = 0;
    *micros = 0;
    if (cell->state != CELL_VALUE || c->layout != CELL_FIXED || cell->n != c->size)
        return E_CORRUPT;
    if (c->type == WIRE_TIMESTAMP) {
        *seconds = load_le32(cell->p);
        return E_OK;
    }
    if (c->type != WIRE_TIMESTAMP2)
        return E_CORRUPT;
    *seconds = load_be32(cell->p);
    *micros = fraction(cell->p + 4, c->meta);
    return E_OK;
}

uint64_t mysql_cell_uint(const struct mysql_cell *cell)
{
    uint64_t v = 0;

    switch (cell->n) {
    case 1:
        return cell->p[0];
    case 2:
        return load_le16(cell->p);
    case 4:
        return load_le32(cell->p);
    case 8:
        return load_le64(cell->p);
    default:
        for (uint32_t i = 0; i < cell->n && i < 8; i++)
            v |= (uint64_t)cell->p[i] << (8 * i);
        return v;
    }
}

int64_t mysql_cell_int(const struct mysql_cell *cell)
{
    unsigned unused = cell->n >= 8 || cell->n == 0 ? 0 : 64 - 8 * cell->n;

    return (int64_t)(mysql_cell_uint(cell) << unused) >> unused;
}

/* Header byte: method in the high 4 bits (8: zlib, 0: stored), bytes of the length in the low 3,
 * bit 3: raw deflate without zlib's header. The length is big-endian. */
enum err mysql_cell_decompress(const struct mysql_cell *cell, struct strbuf *out)
{
    struct reader r = reader_of(cell->p, cell->n);

    if (cell->n == 0)
        return E_OK;
    uint8_t head = read_u8(&r);
    if (head == 0) {
        strbuf_add(out, r.at, reader_left(&r));
        return strbuf_err(out);
    }
    unsigned length_size = head & 7;
    if (head >> 4 != 8 || length_size == 0 || length_size > 4)
        return E_CORRUPT;
    struct slice length = read_slice(&r, length_size);
    if (r.err)
        return E_CORRUPT;
    uint64_t plain = load_be((const uint8_t *)length.p, length_size);
    if (plain / 1100 > cell->n)
        return E_CORRUPT;
    if (strbuf_reserve(out, (size_t)plain) != E_OK)
        return E_TOO_LARGE;
    union {
        const uint8_t *c;
        Bytef *m;
    } in = {.c = r.at}; /* zlib's prototype lacks const */
    z_stream z = {.next_in = in.m,
                  .avail_in = (uInt)reader_left(&r),
                  .next_out = (Bytef *)out->p + out->n,
                  .avail_out = (uInt)plain};
    if (inflateInit2(&z, head & 8 ? -15 : 15) != Z_OK)
        return E_NOMEM;
    int rc = inflate(&z, Z_FINISH);
    inflateEnd(&z);
    if (rc != Z_STREAM_END || z.total_out != plain)
        return E_CORRUPT;
    out->n += (size_t)plain;
    out->p[out->n] = '\0';
    return E_OK;
}
