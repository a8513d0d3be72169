/* tests/unit/cdc/mysql/binlog_file.c - see the header. */
#include "binlog_file.h"

#include <stdlib.h>

#include "base/bytes.h"
#include "base/mem.h"
#include "cdc/mysql/decimal.h"
#include "cdc/mysql/json_binary.h"
#include "helpers.h"

unsigned binlog_file_walk(const char *name, bool mariadb, binlog_event_fn fn, void *arg)
{
    struct mysql_binlog_options o = {
        .mariadb = mariadb, .checksums = true, .verify_checksums = true};
    struct mysql_binlog *b = mysql_binlog_new(&o);
    struct error e = {.msg = ""};
    char path[200];
    size_t n = 0, at = 4;
    unsigned count = 0;

    snprintf(path, sizeof path, "tests/data/binlogs/%s", name);
    char *file = test_read_file(path, &n);
    CHECK(file != NULL);
    while (file && at + EVENT_HEADER_SIZE <= n) {
        struct mysql_event ev, inner;
        size_t size = load_le32(file + at + 9);
        CHECK(size >= EVENT_HEADER_SIZE && size <= n - at);
        if (size < EVENT_HEADER_SIZE || size > n - at)
            break;
        enum err err = mysql_binlog_decode(b, slice_of(file + at, size), &ev, &e);
        CHECK_STR(err ? e.msg : "", "");
        if (err)
            break;
        fn(b, &ev, arg);
        count++;
        while (ev.type == EV_TRANSACTION_PAYLOAD &&
               (err = mysql_binlog_inner(b, &inner, &e)) == E_OK) {
            fn(b, &inner, arg);
            count++;
        }
        if (ev.type == EV_TRANSACTION_PAYLOAD)
            CHECK_ERR(err, E_NOT_FOUND);
        at += size;
    }
    CHECK(at == n);
    mem_free(file);
    mysql_binlog_free(b);
    return count;
}

static void bytes_text(const struct mysql_cell *cell, struct strbuf *out)
{
    struct slice s = slice_of(cell->p, cell->n);
    bool plain = slice_is_utf8(s);

    for (size_t i = 0; i < s.n; i++)
        plain = plain && (unsigned char)s.p[i] >= 0x20;
    strbuf_adds(out, plain ? "'" : "x'");
    if (plain)
        strbuf_add_slice(out, s);
    else
        hex_encode(out, s);
    strbuf_addc(out, '\'');
}

static void time_text(const struct mysql_map_column *c, const struct mysql_cell *cell,
                      struct strbuf *out)
{
    struct mysql_time_parts t;

    CHECK_OK(mysql_cell_time(c, cell, &t));
    if (c->type != WIRE_TIME2)
        strbuf_addf(out, "%04u-%02u-%02u ", t.year, t.month, t.day);
    if (c->type != WIRE_DATE)
        strbuf_addf(out, "%s%02u:%02u:%02u.%06u", t.negative ? "-" : "", t.hour, t.minute, t.second,
                    t.micros);
}

static void floating(const struct mysql_cell *cell, struct strbuf *out)
{
    float f;
    double d;

    if (cell->n == 4) {
        memcpy(&f, cell->p, 4);
        d = (double)f;
    } else
        memcpy(&d, cell->p, 8);
    strbuf_addf(out, "%.9g", d);
}

void binlog_cell_text(const struct mysql_map_column *c, const struct mysql_cell *cell,
                      struct strbuf *out)
{
    static const char *const states[] = {
        [CELL_ABSENT] = "-", [CELL_NULL] = "NULL", [CELL_PARTIAL] = "partial"};
    struct error e = {.msg = ""};
    char text[DECIMAL_TEXT_MAX];
    size_t n = 0;
    int64_t seconds;
    uint32_t micros;

    if (cell->state != CELL_VALUE) {
        strbuf_adds(out, states[cell->state]);
        return;
    }
    switch (c->type) {
    case WIRE_TINY:
    case WIRE_SHORT:
    case WIRE_INT24:
    case WIRE_LONG:
    case WIRE_LONGLONG:
        if (c->is_unsigned)
            strbuf_add_u64(out, mysql_cell_uint(cell));
        else
            strbuf_add_i64(out, mysql_cell_int(cell));
        break;
    case WIRE_YEAR:
    case WIRE_ENUM:
    case WIRE_SET:
        strbuf_add_u64(out, mysql_cell_uint(cell));
        break;
    case WIRE_FLOAT:
    case WIRE_DOUBLE:
        floating(cell, out);
        break;
    case WIRE_NEWDECIMAL:
        CHECK_OK(decimal_text(cell->p, cell->n, c->meta & 0xFF, c->meta >> 8, text, &n));
        strbuf_add(out, text, n);
        break;
    case WIRE_DATE:
    case WIRE_TIME2:
    case WIRE_DATETIME2:
        time_text(c, cell, out);
        break;
    case WIRE_TIMESTAMP2:
        CHECK_OK(mysql_cell_timestamp(c, cell, &seconds, &micros));
        strbuf_addf(out, "%lld.%06u", (long long)seconds, micros);
        break;
    case WIRE_JSON:
        CHECK_OK(mysql_json_text(slice_of(cell->p, cell->n), out, &e));
        break;
    case WIRE_VARCHAR_COMPRESSED:
    case WIRE_BLOB_COMPRESSED:
        CHECK_OK(mysql_cell_decompress(cell, out));
        break;
    default:
        bytes_text(cell, out);
        break;
    }
}

static void image_text(const struct mysql_rows *it, char sign, const struct mysql_cell *cells,
                       struct strbuf *out)
{
    strbuf_addc(out, sign);
    for (uint32_t i = 0; i < it->column_count; i++) {
        strbuf_addc(out, i ? '|' : ' ');
        binlog_cell_text(&it->columns[i], &cells[i], out);
    }
    strbuf_addc(out, '\n');
}

void binlog_rows_text(const struct mysql_event *ev, const char *table, struct strbuf *out)
{
    struct mysql_cell before[64], after[64];
    struct mysql_rows it;
    struct error e = {.msg = ""};
    uint32_t count = 0, seen = 0;
    enum err err;

    if (!mysql_event_is_rows(ev->type) || !ev->u.rows.map ||
        !slice_eq_c(ev->u.rows.map->table, table))
        return;
    CHECK(ev->u.rows.column_count <= ARRAY_LEN(before));
    CHECK_OK(mysql_rows_init(&it, &ev->u.rows, &e));
    CHECK_OK(mysql_rows_count(&it, &count, &e));
    while ((err = mysql_rows_next(&it, before, after, &e)) == E_OK) {
        bool update = ev->u.rows.op == ROWS_UPDATE;
        if (ev->u.rows.op != ROWS_WRITE)
            image_text(&it, update ? '<' : '-', before, out);
        if (ev->u.rows.op != ROWS_DELETE)
            image_text(&it, update ? '>' : '+', after, out);
        seen++;
    }
    CHECK_STR(err == E_NOT_FOUND ? "" : e.msg, "");
    CHECK_INT(seen, count);
}
