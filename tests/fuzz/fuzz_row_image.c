/* tests/fuzz/fuzz_row_image.c - row images and every conversion of a cell.
 *
 * Byte 0: operation (low 2 bits), partial (4). Byte 1: columns (1..32). Then per column 3 bytes:
 * type, 2 bytes of metadata, as a TABLE_MAP carries them; 2 bitmaps of ceil(columns / 8); the rest
 * are the images. */
#include <stdlib.h>

#include "base/bytes.h"
#include "base/mem.h"
#include "cdc/mysql/decimal.h"
#include "cdc/mysql/json_binary.h"
#include "cdc/mysql/row.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void convert(const struct mysql_map_column *c, const struct mysql_cell *cell)
{
    struct mysql_time_parts t;
    struct strbuf out;
    char text[DECIMAL_TEXT_MAX];
    uint8_t unscaled[DECIMAL_UNSCALED_MAX];
    size_t n, m;
    int64_t seconds;
    uint32_t micros;

    strbuf_init(&out, 1 << 20);
    (void)!mysql_cell_time(c, cell, &t);
    (void)!mysql_cell_timestamp(c, cell, &seconds, &micros);
    if (cell->n >= 1 && cell->n <= 8) {
        volatile int64_t sum = mysql_cell_int(cell) ^ (int64_t)mysql_cell_uint(cell);
        (void)sum;
    }
    if (c->type == WIRE_NEWDECIMAL &&
        decimal_text(cell->p, cell->n, c->meta & 0xFF, c->meta >> 8, text, &n) == E_OK) {
        uint8_t again[DECIMAL_UNSCALED_MAX];
        /* the bytes and their text must be the same number */
        if (decimal_unscaled(cell->p, cell->n, c->meta & 0xFF, c->meta >> 8, unscaled, &n) !=
                E_OK ||
            decimal_parse(slice_cstr(text), c->meta >> 8, again, &m) != E_OK || n != m ||
            memcmp(unscaled, again, n) != 0)
            abort();
    }
    (void)!mysql_cell_decompress(cell, &out);
    strbuf_reset(&out);
    if (c->type == WIRE_JSON)
        (void)!mysql_json_text(slice_of(cell->p, cell->n), &out, NULL);
    strbuf_release(&out);
}

/* The layouts come from a real table map, so that only its combinations are met. */
static struct mysql_table_map *make_map(struct mysql_binlog *b, const uint8_t *types,
                                        unsigned columns)
{
    struct strbuf body = STRBUF_INIT, meta = STRBUF_INIT, raw = STRBUF_INIT;
    struct mysql_event ev;
    uint8_t header[19] = {0};

    strbuf_add(&body, "\1\0\0\0\0\0\0\0\1d\0\1t\0", 14);
    strbuf_addc(&body, (char)columns);
    for (unsigned i = 0; i < columns; i++) {
        uint8_t type = types[i * 3];
        strbuf_addc(&body, (char)type);
        bool two = type == WIRE_VARCHAR || type == WIRE_STRING || type == WIRE_BIT ||
                   type == WIRE_NEWDECIMAL || type == WIRE_VARCHAR_COMPRESSED ||
                   type == WIRE_VAR_STRING || type == WIRE_ENUM || type == WIRE_SET;
        strbuf_add(&meta, types + i * 3 + 1, two ? 2 : 1);
        bool none = !two && type != WIRE_FLOAT && type != WIRE_DOUBLE && type != WIRE_BLOB &&
                    type != WIRE_JSON && type != WIRE_GEOMETRY && type != WIRE_VECTOR &&
                    type != WIRE_BLOB_COMPRESSED && type != WIRE_TIMESTAMP2 &&
                    type != WIRE_DATETIME2 && type != WIRE_TIME2 && type != WIRE_TYPED_ARRAY;
        if (none)
            meta.n--;
    }
    strbuf_addc(&body, (char)meta.n);
    strbuf_add_slice(&body, strbuf_slice(&meta));
    strbuf_add(&body, "\0\0\0\0", (columns + 7) / 8);
    header[4] = EV_TABLE_MAP;
    store_le32(header + 9, (uint32_t)(19 + body.n));
    strbuf_add(&raw, header, 19);
    strbuf_add_slice(&raw, strbuf_slice(&body));
    enum err err = mysql_binlog_decode(b, strbuf_slice(&raw), &ev, NULL);
    strbuf_release(&body);
    strbuf_release(&meta);
    strbuf_release(&raw);
    return err ? NULL : ev.u.table_map;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 3)
        return 0;
    unsigned columns = 1 + data[1] % 32, bitmap = (columns + 7) / 8;
    size_t head = 2 + columns * 3 + 2 * bitmap;
    if (size < head)
        return 0;
    struct mysql_binlog_options o = {.checksums = false};
    struct mysql_binlog *b = mysql_binlog_new(&o);
    struct mysql_table_map *map = make_map(b, data + 2, columns);
    uint8_t *image = xmalloc(size - head + 1); /* exact but for one byte: malloc(0) */
    memcpy(image, data + head, size - head);
    struct mysql_rows_event ev = {.op = (enum mysql_rows_op)(data[0] % 3),
                                  .partial = data[0] & 4,
                                  .map = map,
                                  .column_count = columns,
                                  .present_before = data + 2 + columns * 3,
                                  .present_after = data + 2 + columns * 3 + bitmap,
                                  .rows = slice_of(image, size - head)};
    struct mysql_cell before[32], after[32];
    struct mysql_rows it;
    struct error e = {.msg = ""};

    if (map && mysql_rows_init(&it, &ev, &e) == E_OK)
        for (int n = 0; n < 200 && mysql_rows_next(&it, before, after, &e) == E_OK; n++)
            for (unsigned i = 0; i < columns; i++) {
                if (ev.op != ROWS_WRITE && before[i].state == CELL_VALUE)
                    convert(&map->columns[i], &before[i]);
                if (ev.op != ROWS_DELETE && after[i].state == CELL_VALUE)
                    convert(&map->columns[i], &after[i]);
            }
    mem_free(image);
    mysql_binlog_free(b);
    return 0;
}
