/* cdc/mysql/event_map.c - TABLE_MAP: column types, their metadata, and how their bytes lie in a
 * row.
 *
 * A server writes the map of a table before each statement that changes it. One with the same id
 * and the same bytes keeps the struct (and what the stream has hung on it); that comparison is all
 * a repeated map costs. SPEC: cdc-mysql 4.2. */
#include "base/mem.h"
#include "cdc/mysql/event_int.h"

#define MAX_COLUMNS 4098 /* the server's 4096, and two of MariaDB's system versioning */

static void map_free(void *p)
{
    struct mysql_table_map *m = p;

    if (m->user && m->free_user)
        m->free_user(m->user);
    mem_free(m->columns);
    mem_free(m->primary);
    mem_free((char *)(uintptr_t)m->raw.p);
    mem_free(m);
}

void event_forget_maps(struct mysql_binlog *b)
{
    map_release(&b->maps, map_free);
    map_init(&b->maps);
}

/* --- column metadata ------------------------------------------------------------------------ */

static void fixed(struct mysql_map_column *c, uint32_t size)
{
    c->layout = CELL_FIXED;
    c->size = size;
}

/* STRING hides ENUM, SET and lengths above 255 in its two bytes. */
static void string_column(struct mysql_map_column *c, uint8_t b0, uint8_t b1)
{
    unsigned length = b1;

    c->type = b0;
    if ((b0 & 0x30) != 0x30) {
        length = b1 | (((b0 & 0x30u) ^ 0x30u) << 4);
        c->type = b0 | 0x30;
    }
    c->meta = (uint16_t)length;
    if (c->type == WIRE_ENUM || c->type == WIRE_SET) {
        if (length >= 1 && length <= 8)
            fixed(c, length);
        return;
    }
    c->type = WIRE_STRING;
    c->layout = length < 256 ? CELL_LEN1 : CELL_LEN2;
}

static uint32_t fraction_bytes(unsigned fsp)
{
    return fsp <= 6 ? (fsp + 1) / 2 : UINT32_MAX;
}

static void fractional(struct mysql_map_column *c, uint32_t base, struct reader *meta)
{
    c->meta = read_u8(meta);
    if (c->meta <= 6)
        fixed(c, base + fraction_bytes(c->meta));
}

static uint32_t decimal_bytes(unsigned precision, unsigned scale)
{
    static const uint8_t digits_to_bytes[10] = {0, 1, 1, 2, 2, 3, 3, 4, 4, 4};

    if (precision == 0 || precision > 65 || scale > 38 || scale > precision)
        return 0;
    unsigned whole = precision - scale;
    return whole / 9 * 4 + digits_to_bytes[whole % 9] + scale / 9 * 4 + digits_to_bytes[scale % 9];
}

/* TYPED_ARRAY is never in rows; its metadata is the element type and what that needs. */
static void typed_array(struct reader *meta)
{
    switch (read_u8(meta)) {
    case WIRE_VARCHAR:
    case WIRE_VAR_STRING:
    case WIRE_STRING:
        (void)reader_take(meta, 3);
        break;
    case WIRE_NEWDECIMAL:
        (void)reader_take(meta, 2);
        break;
    case WIRE_TIME2:
    case WIRE_DATETIME2:
    case WIRE_TIMESTAMP2:
        (void)reader_take(meta, 1);
        break;
    default:
        break;
    }
}

/* Reads the type's metadata and chooses the layout; CELL_INVALID stays where rows cannot be sliced.
 */
static void column_layout(struct mysql_map_column *c, struct reader *meta)
{
    static const uint8_t plain_size[] = {
        [WIRE_TINY] = 1,     [WIRE_SHORT] = 2, [WIRE_LONG] = 4, [WIRE_TIMESTAMP] = 4,
        [WIRE_LONGLONG] = 8, [WIRE_INT24] = 3, [WIRE_DATE] = 3, [WIRE_TIME] = 3,
        [WIRE_DATETIME] = 8, [WIRE_YEAR] = 1,
    };
    uint8_t b0, b1;

    c->layout = CELL_INVALID;
    switch (c->type) {
    case WIRE_NULL:
        fixed(c, 0);
        break;
    case WIRE_FLOAT:
    case WIRE_DOUBLE:
        c->meta = read_u8(meta);
        fixed(c, c->type == WIRE_FLOAT ? 4 : 8);
        break;
    case WIRE_VARCHAR:
    case WIRE_VARCHAR_COMPRESSED:
    case WIRE_VAR_STRING:
        c->meta = read_le16(meta);
        c->layout = c->meta < 256 ? CELL_LEN1 : CELL_LEN2;
        break;
    case WIRE_BIT:
        b0 = read_u8(meta); /* bits beside the whole bytes */
        b1 = read_u8(meta);
        c->meta = (uint16_t)(b1 * 8u + b0);
        if (b0 < 8 && c->meta >= 1 && c->meta <= 64)
            fixed(c, b1 + (b0 > 0));
        break;
    case WIRE_TIMESTAMP2:
        fractional(c, 4, meta);
        break;
    case WIRE_DATETIME2:
        fractional(c, 5, meta);
        break;
    case WIRE_TIME2:
        fractional(c, 3, meta);
        break;
    case WIRE_NEWDECIMAL:
        b0 = read_u8(meta);
        b1 = read_u8(meta);
        c->meta = (uint16_t)(b0 | b1 << 8);
        if (decimal_bytes(b0, b1))
            fixed(c, decimal_bytes(b0, b1));
        break;
    case WIRE_ENUM:
    case WIRE_SET:
    case WIRE_STRING:
        b0 = read_u8(meta);
        b1 = read_u8(meta);
        string_column(c, b0, b1);
        break;
    case WIRE_BLOB:
    case WIRE_BLOB_COMPRESSED:
    case WIRE_GEOMETRY:
    case WIRE_JSON:
    case WIRE_VECTOR:
        c->meta = read_u8(meta);
        if (c->meta >= 1 && c->meta <= 4)
            c->layout = (uint8_t)(CELL_LEN1 + c->meta - 1);
        break;
    case WIRE_TYPED_ARRAY:
        typed_array(meta);
        break;
    default:
        if (c->type < ARRAY_LEN(plain_size) && plain_size[c->type])
            fixed(c, plain_size[c->type]);
        break;
    }
}

/* --- optional metadata ---------------------------------------------------------------------- */

static bool is_numeric(uint8_t type)
{
    return (type >= WIRE_TINY && type <= WIRE_DOUBLE) || type == WIRE_LONGLONG ||
           type == WIRE_INT24 || type == WIRE_YEAR || type == WIRE_NEWDECIMAL;
}
static bool is_character(uint8_t type)
{
    return type == WIRE_VARCHAR || type == WIRE_STRING || type == WIRE_VAR_STRING ||
           type == WIRE_BLOB || type == WIRE_BLOB_COMPRESSED || type == WIRE_VARCHAR_COMPRESSED;
}
static bool is_enum_or_set(uint8_t type)
{
    return type == WIRE_ENUM || type == WIRE_SET;
}

static void signs(struct mysql_table_map *m, struct slice v)
{
    size_t bit = 0;

    for (uint32_t i = 0; i < m->column_count; i++) {
        if (!is_numeric(m->columns[i].type))
            continue;
        if (bit / 8 >= v.n)
            return;
        m->columns[i].has_sign = true;
        m->columns[i].is_unsigned = (uint8_t)v.p[bit / 8] >> (7 - bit % 8) & 1;
        bit++;
    }
}

/* Default collation, then pairs (index among such columns, collation). */
static void default_charsets(struct mysql_table_map *m, struct slice v, bool (*wanted)(uint8_t))
{
    struct reader r = reader_of(v.p, v.n);
    uint32_t collation = (uint32_t)event_packed(&r);

    for (uint32_t i = 0; i < m->column_count; i++)
        if (wanted(m->columns[i].type))
            m->columns[i].collation = collation;
    while (reader_left(&r) > 0) {
        uint64_t index = event_packed(&r);
        collation = (uint32_t)event_packed(&r);
        for (uint32_t i = 0; i < m->column_count && r.err == E_OK; i++)
            if (wanted(m->columns[i].type) && index-- == 0) {
                m->columns[i].collation = collation;
                break;
            }
    }
}

static void column_charsets(struct mysql_table_map *m, struct slice v, bool (*wanted)(uint8_t))
{
    struct reader r = reader_of(v.p, v.n);

    for (uint32_t i = 0; i < m->column_count && reader_left(&r) > 0; i++)
        if (wanted(m->columns[i].type))
            m->columns[i].collation = (uint32_t)event_packed(&r);
}

static void names(struct mysql_table_map *m, struct slice v)
{
    struct reader r = reader_of(v.p, v.n);

    for (uint32_t i = 0; i < m->column_count; i++)
        m->columns[i].name = read_slice(&r, event_packed(&r));
    m->has_names = r.err == E_OK;
}

static void primary(struct mysql_table_map *m, struct slice v, bool with_prefix)
{
    struct reader r = reader_of(v.p, v.n);

    mem_free(m->primary);
    m->primary = NULL;
    m->primary_count = 0;
    if (v.n == 0)
        return;
    m->primary = try_calloc(v.n, sizeof *m->primary); /* an index takes at least one byte */
    while (m->primary && reader_left(&r) > 0) {
        uint64_t index = event_packed(&r);
        if (with_prefix)
            (void)event_packed(&r);
        if (index < m->column_count && r.err == E_OK)
            m->primary[m->primary_count++] = (uint16_t)index;
    }
}

/* Damage in here only loses hints: what could be read stays. */
static void optional_metadata(struct mysql_table_map *m, struct reader *r)
{
    while (reader_left(r) > 0) {
        uint8_t type = read_u8(r);
        struct slice v = read_slice(r, event_packed(r));
        if (r->err)
            return;
        switch (type) {
        case 1:
            signs(m, v);
            break;
        case 2:
            default_charsets(m, v, is_character);
            break;
        case 3:
            column_charsets(m, v, is_character);
            break;
        case 4:
            names(m, v);
            break;
        case 8:
        case 9:
            primary(m, v, type == 9);
            break;
        case 10:
            default_charsets(m, v, is_enum_or_set);
            break;
        case 11:
            column_charsets(m, v, is_enum_or_set);
            break;
        default:
            break;
        }
    }
}

/* --- the event ------------------------------------------------------------------------------ */

static struct slice short_name(struct reader *r)
{
    struct slice s = read_slice(r, read_u8(r));

    (void)read_u8(r); /* NUL */
    return s;
}

/* Fills m from its own copy of the body. */
static enum err fill(struct mysql_table_map *m, size_t id_size, const struct mysql_event *ev,
                     struct error *e)
{
    struct reader r = reader_of(m->raw.p, m->raw.n);

    m->id = read_le_n(&r, id_size);
    (void)read_le16(&r); /* flags */
    m->db = short_name(&r);
    m->table = short_name(&r);
    uint64_t count = event_packed(&r);
    if (r.err || count > MAX_COLUMNS)
        return event_bad(ev, "its names or column count are damaged", e);
    const uint8_t *types = reader_take(&r, (size_t)count);
    struct slice meta_bytes = read_slice(&r, event_packed(&r));
    const uint8_t *nulls = reader_take(&r, (size_t)(count + 7) / 8);
    if (r.err)
        return event_bad(ev, "it ends within its columns", e);
    m->columns = try_calloc(count ? (size_t)count : 1, sizeof *m->columns);
    if (!m->columns)
        return error_set(e, E_NOMEM, "no memory for a table map of %u columns", (unsigned)count);
    m->column_count = (uint32_t)count;
    struct reader meta = reader_of(meta_bytes.p, meta_bytes.n);
    for (uint32_t i = 0; i < m->column_count; i++) {
        m->columns[i].type = types[i];
        m->columns[i].nullable = nulls[i / 8] >> (i % 8) & 1;
        column_layout(&m->columns[i], &meta);
    }
    if (meta.err)
        return event_bad(ev, "its column metadata are cut off", e);
    optional_metadata(m, &r);
    return E_OK;
}

enum err event_decode_table_map(struct mysql_binlog *b, struct mysql_event *ev, struct error *e)
{
    size_t id_size = b->post_len[EV_TABLE_MAP] == 6 ? 4 : 6;
    struct reader r = reader_of(ev->body.p, ev->body.n);
    uint64_t id = read_le_n(&r, id_size);
    struct mysql_table_map *m = map_get_u64(&b->maps, id);

    if (m && slice_eq(m->raw, ev->body)) {
        ev->u.table_map = m;
        return E_OK;
    }
    if (r.err)
        return event_bad(ev, "it ends before its table id", e);
    m = try_calloc(1, sizeof *m);
    char *raw = m ? try_alloc(ev->body.n) : NULL;
    if (!raw) {
        mem_free(m);
        return error_set(e, E_NOMEM, "no memory for a table map of %zu bytes", ev->body.n);
    }
    memcpy(raw, ev->body.p, ev->body.n);
    m->raw = slice_of(raw, ev->body.n);
    enum err err = fill(m, id_size, ev, e);
    if (err) {
        map_free(m);
        return err;
    }
    struct mysql_table_map *old = map_put_u64(&b->maps, id, m);
    if (old)
        map_free(old);
    ev->u.table_map = m;
    return E_OK;
}
