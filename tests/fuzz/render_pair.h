/* tests/fuzz/render_pair.h - one table and one rows event out of a stream of choices, run through
 * both ways from row to JSON: the plan (cdc/mysql/render.h) and values with the real converter. Both
 * must give the same records, byte by byte, or the same error.
 *
 * Choices come from a fuzzer's input or from a generator of random numbers. Included by
 * fuzz_render.c and by tests/unit/cdc/mysql/test_mysql_render.c. */
#ifndef WEIR_TESTS_FUZZ_RENDER_PAIR_H
#define WEIR_TESTS_FUZZ_RENDER_PAIR_H

#include <stdlib.h>

#include "base/bytes.h"
#include "base/mem.h"
#include "cdc/mysql/stream.h"
#include "connect/converters/converters.h"

struct choices {
    const uint8_t *p, *end; /* of a fuzzer; NULL: random */
    uint64_t seed;
};

static uint32_t choose(struct choices *c, uint32_t below)
{
    if (c->p)
        return c->p < c->end ? *c->p++ % below : 0;
    c->seed ^= c->seed << 13;
    c->seed ^= c->seed >> 7;
    c->seed ^= c->seed << 17;
    return (uint32_t)(c->seed >> 20) % below;
}

/* --- columns ---------------------------------------------------------------------------------- */

struct pair_type {
    const char *sql;
    uint8_t wire, meta[2], meta_count;
    uint8_t flavour; /* 0 both, 1 MariaDB, 2 MySQL */
};
static const struct pair_type pair_types[] = {
    {"INT", WIRE_LONG, {0}, 0, 0},
    {"VARCHAR(20) CHARACTER SET utf8mb4", WIRE_VARCHAR, {80, 0}, 2, 0},
    {"TINYINT", WIRE_TINY, {0}, 0, 0},
    {"TINYINT UNSIGNED", WIRE_TINY, {0}, 0, 0},
    {"SMALLINT", WIRE_SHORT, {0}, 0, 0},
    {"SMALLINT UNSIGNED", WIRE_SHORT, {0}, 0, 0},
    {"MEDIUMINT", WIRE_INT24, {0}, 0, 0},
    {"MEDIUMINT UNSIGNED", WIRE_INT24, {0}, 0, 0},
    {"INT UNSIGNED", WIRE_LONG, {0}, 0, 0},
    {"INT DEFAULT 7", WIRE_LONG, {0}, 0, 0},
    {"BIGINT", WIRE_LONGLONG, {0}, 0, 0},
    {"BIGINT UNSIGNED", WIRE_LONGLONG, {0}, 0, 0},
    {"BOOLEAN", WIRE_TINY, {0}, 0, 0},
    {"TINYINT(1) DEFAULT 1", WIRE_TINY, {0}, 0, 0},
    {"BIT(1)", WIRE_BIT, {1, 0}, 2, 0},
    {"BIT(13)", WIRE_BIT, {5, 1}, 2, 0},
    {"FLOAT", WIRE_FLOAT, {4}, 1, 0},
    {"FLOAT(7,2)", WIRE_FLOAT, {4}, 1, 0},
    {"DOUBLE", WIRE_DOUBLE, {8}, 1, 0},
    {"DECIMAL(5,2)", WIRE_NEWDECIMAL, {5, 2}, 2, 0},
    {"DECIMAL(5,2) DEFAULT 1.50", WIRE_NEWDECIMAL, {5, 2}, 2, 0},
    {"DECIMAL(10,0)", WIRE_NEWDECIMAL, {10, 0}, 2, 0},
    {"DECIMAL(18,18)", WIRE_NEWDECIMAL, {18, 18}, 2, 0},
    {"DECIMAL(18,4)", WIRE_NEWDECIMAL, {18, 4}, 2, 0},
    {"DECIMAL(19,4)", WIRE_NEWDECIMAL, {19, 4}, 2, 0},
    {"DECIMAL(65,30)", WIRE_NEWDECIMAL, {65, 30}, 2, 0},
    {"YEAR", WIRE_YEAR, {0}, 0, 0},
    {"DATE", WIRE_DATE, {0}, 0, 0},
    {"TIME", WIRE_TIME2, {0}, 1, 0},
    {"TIME(6)", WIRE_TIME2, {6}, 1, 0},
    {"DATETIME", WIRE_DATETIME2, {0}, 1, 0},
    {"DATETIME DEFAULT '2020-01-02 03:04:05'", WIRE_DATETIME2, {0}, 1, 0},
    {"DATETIME(3)", WIRE_DATETIME2, {3}, 1, 0},
    {"DATETIME(6)", WIRE_DATETIME2, {6}, 1, 0},
    {"TIMESTAMP NULL", WIRE_TIMESTAMP2, {0}, 1, 0},
    {"TIMESTAMP(6) NULL", WIRE_TIMESTAMP2, {6}, 1, 0},
    {"TIMESTAMP NULL", WIRE_TIMESTAMP, {0}, 0, 0},
    {"DATETIME", WIRE_DATETIME, {0}, 0, 0},
    {"TIME", WIRE_TIME, {0}, 0, 0},
    {"CHAR(10) CHARACTER SET utf8mb4", WIRE_STRING, {0xfe, 40}, 2, 0},
    {"VARCHAR(500) CHARACTER SET utf8mb4 DEFAULT 'a\"b'", WIRE_VARCHAR, {0xd0, 7}, 2, 0},
    {"VARCHAR(20) CHARACTER SET latin1", WIRE_VARCHAR, {20, 0}, 2, 0},
    {"VARCHAR(20) CHARACTER SET utf16", WIRE_VARCHAR, {80, 0}, 2, 0},
    {"VARCHAR(20) CHARACTER SET sjis", WIRE_VARCHAR, {40, 0}, 2, 0},
    {"VARCHAR(20) CHARACTER SET euckr", WIRE_VARCHAR, {40, 0}, 2, 0},
    {"VARCHAR(20) CHARACTER SET swe7", WIRE_VARCHAR, {20, 0}, 2, 0},
    {"TEXT CHARACTER SET utf8mb4", WIRE_BLOB, {2}, 1, 0},
    {"LONGTEXT CHARACTER SET utf8mb4", WIRE_BLOB, {4}, 1, 0},
    {"BINARY(5)", WIRE_STRING, {0xfe, 5}, 2, 0},
    {"VARBINARY(20)", WIRE_VARCHAR, {20, 0}, 2, 0},
    {"BLOB", WIRE_BLOB, {2}, 1, 0},
    {"ENUM('a','b,c','d\"e')", WIRE_STRING, {0xf7, 1}, 2, 0},
    {"SET('a','b,c','d')", WIRE_STRING, {0xf8, 1}, 2, 0},
    {"JSON", WIRE_JSON, {4}, 1, 2},
    {"JSON", WIRE_BLOB, {4}, 1, 1},
    {"POINT", WIRE_GEOMETRY, {4}, 1, 0},
    {"UUID", WIRE_STRING, {0xfe, 16}, 2, 1},
    {"INET4", WIRE_STRING, {0xfe, 4}, 2, 1},
    {"INET6", WIRE_STRING, {0xfe, 16}, 2, 1},
    {"VARCHAR(20) COMPRESSED", WIRE_VARCHAR_COMPRESSED, {21, 0}, 2, 1},
};

enum { PAIR_COLUMNS = 9 };
struct pair_table {
    bool mariadb;
    const struct pair_type *types[PAIR_COLUMNS];
    uint32_t count;
    struct strbuf create;
};

static void choose_table(struct choices *c, struct pair_table *t)
{
    t->mariadb = choose(c, 2);
    t->count = 1 + choose(c, PAIR_COLUMNS);
    strbuf_init(&t->create, 0);
    strbuf_adds(&t->create, "CREATE TABLE t (");
    for (uint32_t i = 0; i < t->count; i++) {
        const struct pair_type *x;
        do
            x = &pair_types[choose(c, ARRAY_LEN(pair_types))];
        while (x->flavour && x->flavour != (t->mariadb ? 1 : 2) && (!c->p || c->p < c->end));
        if (x->flavour && x->flavour != (t->mariadb ? 1 : 2))
            x = &pair_types[0];
        t->types[i] = x;
        strbuf_addf(&t->create, "%s`c%u%s` %s%s", i ? ", " : "", i, i == 3 ? "\"\\x" : "", x->sql,
                    choose(c, 3) || strstr(x->sql, " NULL") ? "" : " NOT NULL");
    }
    if (choose(c, 4))
        strbuf_addf(&t->create, ", PRIMARY KEY (c0%s)", t->count > 2 && choose(c, 2) ? ", c2" : "");
    strbuf_adds(&t->create, ")");
}

/* --- cells ------------------------------------------------------------------------------------ */

static void random_bytes(struct choices *c, struct strbuf *out, size_t n)
{
    for (size_t i = 0; i < n; i++)
        strbuf_addc(out, (char)choose(c, 256));
}

static void be(struct strbuf *out, uint64_t v, unsigned bytes)
{
    while (bytes-- > 0)
        strbuf_addc(out, (char)(v >> 8 * bytes));
}

/* Digits in range: most decimals that a server writes. */
static void decimal_cell(struct choices *c, struct strbuf *out, const struct mysql_map_column *m)
{
    static const uint8_t bytes[10] = {0, 1, 1, 2, 2, 3, 3, 4, 4, 4};
    unsigned scale = m->meta >> 8, whole = (m->meta & 0xff) - scale, digits[24], n = 0;
    size_t start = out->n;
    bool small = choose(c, 2);
    digits[n++] = whole % 9;
    for (unsigned i = 0; i < whole / 9; i++)
        digits[n++] = 9;
    for (unsigned i = 0; i < scale / 9; i++)
        digits[n++] = 9;
    digits[n++] = scale % 9;
    for (unsigned i = 0; i < n; i++) {
        uint32_t v = 0;
        for (unsigned k = 0; k < digits[i]; k++)
            v = v * 10 + (small && i + 1 < n ? 0 : choose(c, 10));
        be(out, v, bytes[digits[i]]);
    }
    if (out->n == start)
        return;
    out->p[start] ^= (char)0x80;
    if (choose(c, 2))
        for (size_t i = start; i < out->n; i++)
            out->p[i] = (char)~out->p[i];
}

static void datetime_cell(struct choices *c, struct strbuf *out, unsigned fsp)
{
    uint64_t ym = (uint64_t)(1900 + choose(c, 250)) * 13 + choose(c, 13);
    uint64_t v = UINT64_C(1) << 39 | ym << 22 | (uint64_t)choose(c, 32) << 17 |
                 (uint64_t)choose(c, 24) << 12 | (uint64_t)choose(c, 60) << 6 | choose(c, 60);
    static const uint32_t most[4] = {1, 100, 10000, 1000000};
    be(out, v, 5);
    if (fsp)
        be(out, (choose(c, 250) * 250 + choose(c, 250)) % most[(fsp + 1) / 2], (fsp + 1) / 2);
}

static void text_cell(struct choices *c, struct strbuf *out)
{
    static const char *const pieces[] = {"plain",    "a\"b", "back\\slash",
                                         "\n",       "\x01", "\x7f",
                                         "\xc3\xa4", "\xff", "longer text without anything",
                                         " "};
    uint32_t n = choose(c, 6);
    if (choose(c, 40) == 39)
        n = 700;
    for (uint32_t i = 0; i < n; i++)
        strbuf_adds(out, pieces[choose(c, ARRAY_LEN(pieces))]);
}

static void add_length(struct strbuf *out, const struct mysql_map_column *m, size_t n)
{
    unsigned bytes = m->layout == CELL_LEN1   ? 1
                     : m->layout == CELL_LEN2 ? 2
                     : m->layout == CELL_LEN3 ? 3
                                              : 4;
    for (unsigned i = 0; i < bytes; i++)
        strbuf_addc(out, (char)(n >> 8 * i));
}

static void choose_cell(struct choices *c, struct strbuf *out, const struct mysql_map_column *m)
{
    struct strbuf cell = STRBUF_INIT;
    bool usual = choose(c, 8) > 0;
    if (usual && m->type == WIRE_NEWDECIMAL)
        decimal_cell(c, &cell, m);
    else if (usual && m->type == WIRE_DATETIME2)
        datetime_cell(c, &cell, m->meta);
    else if (usual && m->type == WIRE_DATE) /* 5 bits, 4 bits, the year */
        for (uint32_t v = (1900 + choose(c, 200)) << 9 | choose(c, 14) << 5 | choose(c, 32), i = 0;
             i < 3; i++, v >>= 8)
            strbuf_addc(&cell, (char)v);
    else if (usual && m->type == WIRE_JSON && choose(c, 4) && choose(c, 2))
        strbuf_add(&cell, "\x0c\3a\"b", 5);
    else if (usual && m->type == WIRE_JSON && choose(c, 2))
        strbuf_add(&cell, "\x05\x10\x80", 3);
    else if (m->layout == CELL_FIXED)
        random_bytes(c, &cell, m->size);
    else if (usual)
        text_cell(c, &cell);
    else
        random_bytes(c, &cell, choose(c, 20));
    if (m->layout == CELL_FIXED) {
        while (cell.n < m->size)
            strbuf_addc(&cell, 0);
        cell.n = m->size;
    } else {
        if (m->layout == CELL_LEN1)
            cell.n = MIN(cell.n, (size_t)255);
        add_length(out, m, cell.n);
    }
    strbuf_add(out, cell.p, cell.n);
    strbuf_release(&cell);
}

/* like: an image of the same table, some of whose cells are taken over; NULL: none. cells: where
 * each begins and ends, for the next one. */
struct pair_image {
    struct strbuf bytes;
    size_t ends[PAIR_COLUMNS + 1];
};
static void choose_image(struct choices *c, const struct mysql_table_map *map,
                         const struct pair_image *like, struct pair_image *out)
{
    size_t nulls = (map->column_count + 7) / 8;
    strbuf_init(&out->bytes, 0);
    random_bytes(c, &out->bytes, nulls);
    for (size_t i = 0; i < nulls; i++)
        out->bytes.p[i] &= (char)(choose(c, 2) ? 0 : choose(c, 256));
    if (like && choose(c, 2))
        memcpy(out->bytes.p, like->bytes.p, nulls);
    out->ends[0] = nulls;
    for (uint32_t i = 0; i < map->column_count; i++) {
        size_t n = like ? like->ends[i + 1] - like->ends[i] : 0;
        if (out->bytes.p[i / 8] >> (i % 8) & 1)
            ; /* NULL has no bytes */
        else if (n && choose(c, 3))
            strbuf_add(&out->bytes, like->bytes.p + like->ends[i], n);
        else
            choose_cell(c, &out->bytes, &map->columns[i]);
        out->ends[i + 1] = out->bytes.n;
    }
}

/* --- a task without a server ------------------------------------------------------------------ */

struct pair_side {
    struct task_ctx ctx;
    struct mysql_task t;
    struct record_batch batch;
    enum err err;
    struct error e;
};

static bool side_open(struct pair_side *s, const struct strmap *config,
                      const struct pair_table *table, const struct direct_form *form)
{
    struct mysql_schema_options so = {.mariadb = table->mariadb};
    struct mysql_ddl_origin origin = {.db = SL("d")};
    struct mysql_task *t = &s->t;
    struct mysql_changes changes;
    memset(s, 0, sizeof *s);
    s->ctx.direct = form;
    t->ctx = &s->ctx;
    bool ok = mysql_options_load(&t->o, table->mariadb ? FLAVOUR_MARIADB : FLAVOUR_MYSQL, config,
                                 &s->e) == E_OK;
    t->server.mariadb = table->mariadb;
    source_info_init(&t->em.source, t->o.flavour, t->o.topic_prefix);
    context_headers_init(&t->em.headers, true, "p", 0, "mysql", "run");
    t->em.tombstones = true;
    ok &= shape_rules_init(&t->rules, &t->o, t->em.source.schema, &s->e) == E_OK;
    shapes_init(&t->shapes, &t->rules);
    value_env_init(&t->env);
    mysql_offset_init(&t->offset);
    ok &= mysql_offset_parse(&t->offset, SL("{\"file\":\"b.000001\",\"pos\":4}"), &s->e) == E_OK;
    t->schema = mysql_schema_new(&so);
    mysql_changes_init(&changes);
    ok &= mysql_schema_apply(t->schema, &origin, strbuf_slice(&table->create), &changes, &s->e) ==
          E_OK;
    mysql_changes_release(&changes);
    record_batch_init(&s->batch, (size_t)64 << 20);
    t->stream = stream_new(t);
    ok &= gtid_done_init(&t->stream->gtids, true, table->mariadb, SLICE_NULL, &s->e) == E_OK;
    return ok;
}

static void side_close(struct pair_side *s)
{
    struct mysql_task *t = &s->t;
    stream_free(t->stream);
    record_batch_release(&s->batch);
    mysql_schema_free(t->schema);
    shapes_release(&t->shapes);
    shape_rules_release(&t->rules);
    context_headers_release(&t->em.headers);
    source_info_release(&t->em.source);
    value_env_release(&t->env);
    mysql_offset_release(&t->offset);
    mysql_options_release(&t->o);
}

/* --- both ways -------------------------------------------------------------------------------- */

struct pair {
    struct pair_table table;
    struct strmap config;
    struct direct_form form;
    void *key_conv, *value_conv;
    struct mysql_binlog *maps[2];
    struct pair_side direct, general;
    size_t direct_records; /* that the plan wrote */
    size_t records;
};

static void choose_options(struct choices *c, struct pair *p)
{
    static const char *const decimals[] = {"precise", "string", "double"};
    static const char *const times[] = {"adaptive_time_microseconds", "connect", "isostring",
                                        "microseconds", "nanoseconds"};
    static const char *const binaries[] = {"bytes", "hex", "base64", "base64-url-safe"};
    strmap_init(&p->config);
    strmap_set(&p->config, SL("topic.prefix"), SL("p"));
    bool plain = choose(c, 2);
    strmap_set(&p->config, SL("decimal.handling.mode"),
               slice_cstr(decimals[plain ? 0 : choose(c, 3)]));
    strmap_set(&p->config, SL("time.precision.mode"), slice_cstr(times[plain ? 0 : choose(c, 5)]));
    strmap_set(&p->config, SL("binary.handling.mode"),
               slice_cstr(binaries[plain ? 0 : choose(c, 4)]));
    strmap_set(&p->config, SL("bigint.unsigned.handling.mode"),
               choose(c, 2) ? SL("precise") : SL("long"));
    if (!plain && choose(c, 4) == 0)
        strmap_set(&p->config, SL("column.exclude.list"), SL("d.t.c1"));
}

static void choose_form(struct choices *c, struct json_form *form, void **conv)
{
    struct strmap o = STRMAP_INIT;
    form->schemas = choose(c, 2);
    form->out.numeric_decimals = choose(c, 4) == 0;
    form->out.null_to_default = choose(c, 4) > 0;
    strmap_set(&o, SL("schemas.enable"), form->schemas ? SL("true") : SL("false"));
    strmap_set(&o, SL("decimal.format"), form->out.numeric_decimals ? SL("numeric") : SL("base64"));
    strmap_set(&o, SL("replace.null.with.default"),
               form->out.null_to_default ? SL("true") : SL("false"));
    if (converter_json.configure(conv, &o, false, NULL))
        abort();
    strmap_release(&o);
}

static bool pair_open(struct pair *p, struct choices *c)
{
    memset(p, 0, sizeof *p);
    choose_options(c, p);
    choose_table(c, &p->table);
    choose_form(c, &p->form.key, &p->key_conv);
    choose_form(c, &p->form.value, &p->value_conv);
    bool a = side_open(&p->direct, &p->config, &p->table, &p->form);
    bool b = side_open(&p->general, &p->config, &p->table, NULL);
    return a && b;
}

static void pair_close(struct pair *p)
{
    for (int i = 0; i < 2; i++)
        if (p->maps[i])
            mysql_binlog_free(p->maps[i]);
    side_close(&p->direct);
    side_close(&p->general);
    converter_json.release(p->key_conv);
    converter_json.release(p->value_conv);
    strbuf_release(&p->table.create);
    strmap_release(&p->config);
}

static struct mysql_table_map *pair_map(struct pair *p, int side)
{
    struct strbuf body = STRBUF_INIT, meta = STRBUF_INIT, raw = STRBUF_INIT;
    struct mysql_binlog_options o = {.checksums = false, .mariadb = p->table.mariadb};
    struct mysql_event ev;
    uint8_t header[19] = {0};
    p->maps[side] = mysql_binlog_new(&o);
    strbuf_add(&body, "\1\0\0\0\0\0\0\0\1d\0\1t\0", 14);
    strbuf_addc(&body, (char)p->table.count);
    for (uint32_t i = 0; i < p->table.count; i++) {
        const struct pair_type *x = p->table.types[i];
        strbuf_addc(&body, (char)x->wire);
        strbuf_add(&meta, x->meta, x->meta_count);
    }
    strbuf_addc(&body, (char)meta.n);
    strbuf_add_slice(&body, strbuf_slice(&meta));
    strbuf_add(&body, "\xff\xff", (p->table.count + 7) / 8);
    header[4] = EV_TABLE_MAP;
    store_le32(header + 9, (uint32_t)(19 + body.n));
    strbuf_add(&raw, header, 19);
    strbuf_add_slice(&raw, strbuf_slice(&body));
    enum err err = mysql_binlog_decode(p->maps[side], strbuf_slice(&raw), &ev, NULL);
    strbuf_release(&body);
    strbuf_release(&meta);
    strbuf_release(&raw);
    return err ? NULL : ev.u.table_map;
}

static void run_side(struct pair_side *s, struct mysql_table_map *map, enum mysql_rows_op op,
                     const struct strbuf *rows)
{
    static const uint8_t all[2] = {0xff, 0xff};
    struct mysql_event ev = {.type = EV_WRITE_ROWS,
                             .timestamp = 1700000000,
                             .server_id = 9,
                             .log_pos = 1000,
                             .size = 100,
                             .u.rows = {.op = op,
                                        .table_id = 1,
                                        .map = map,
                                        .column_count = map->column_count,
                                        .present_before = all,
                                        .present_after = all,
                                        .rows = strbuf_slice(rows)}};
    s->t.stream->texts_stale = true;
    s->t.env.arena = &s->batch.arena;
    s->err = stream_rows(s->t.stream, &ev, &s->batch, &s->e);
}

/* Both sides looked at the clock for themselves: the values get the time of the text. */
static void same_time(struct slice text, struct value envelope)
{
    if (envelope.kind != VALUE_STRUCT)
        return;
    for (int i = ENVELOPE_TS_MS; i < ENVELOPE_FIELDS; i++) {
        static const char *const names[] = {[ENVELOPE_TS_MS] = "\"ts_ms\":",
                                            [ENVELOPE_TS_US] = "\"ts_us\":",
                                            [ENVELOPE_TS_NS] = "\"ts_ns\":"};
        struct slice name = slice_cstr(names[i]);
        for (const char *p = text.p + text.n - name.n; p > text.p; p--)
            if (memcmp(p, name.p, name.n) == 0) {
                envelope.u.v[i] = value_int(strtoll(p + name.n, NULL, 10));
                break;
            }
    }
}

static bool same_part(struct pair *p, const struct record *d, const struct record *g, bool key,
                      struct strbuf *why)
{
    struct strbuf want = STRBUF_INIT, got = STRBUF_INIT;
    bool null = false, got_null = key ? d->text.key_null : d->text.value_null;
    const struct strbuf *text = &p->direct.batch.text;
    strbuf_add_slice(&got, key ? d->text.key_head : d->text.value_head);
    strbuf_add(&got, text->p + (key ? d->text.key_at : d->text.value_at),
               key ? d->text.key_n : d->text.value_n);
    if (!key)
        same_time(strbuf_slice(&got), g->value);
    enum err err = converter_json.from_connect(
        key ? p->key_conv : p->value_conv, g->topic, key ? g->key_schema : g->value_schema,
        key ? g->key : g->value, &want, &null, &p->general.e);
    bool same =
        !err && null == got_null && (null || slice_eq(strbuf_slice(&want), strbuf_slice(&got)));
    if (!same) {
        size_t at = 0;
        while (at < MIN(got.n, want.n) && got.p[at] == want.p[at])
            at++;
        at = at > 40 ? at - 40 : 0;
        strbuf_addf(why, "%s\n%s of a record, from byte %zu:\n%.300s\n%.300s\n", p->table.create.p,
                    key ? "key" : "value", at, got_null ? "null" : got.p + MIN(at, got.n),
                    err    ? p->general.e.msg
                    : null ? "null"
                           : want.p + MIN(at, want.n));
    }
    strbuf_release(&want);
    strbuf_release(&got);
    return same;
}

/* Runs one event; what is wrong is appended to why. */
static void pair_run(struct pair *p, struct choices *c, struct strbuf *why)
{
    struct mysql_table_map *maps[2] = {pair_map(p, 0), pair_map(p, 1)};
    if (!maps[0] || !maps[1])
        return;
    enum mysql_rows_op op = (enum mysql_rows_op)choose(c, 3);
    uint32_t rows = 1 + choose(c, 6);
    struct strbuf bytes = STRBUF_INIT;
    struct pair_image last = {.bytes = STRBUF_INIT};
    for (uint32_t i = 0; i < (op == ROWS_UPDATE ? 2 * rows : rows); i++) {
        struct pair_image image;
        choose_image(c, maps[0], i % 2 ? &last : NULL, &image);
        strbuf_add_slice(&bytes, strbuf_slice(&image.bytes));
        strbuf_release(&last.bytes);
        last = image;
    }
    strbuf_release(&last.bytes);
    if (choose(c, 10) == 9 && bytes.n > 1)
        bytes.n -= 1 + choose(c, (uint32_t)MIN(bytes.n - 1, (size_t)50)); /* cut off */
    /* An exact copy: reading beyond it is seen by AddressSanitizer. */
    char *exact = xmalloc(bytes.n + 1);
    memcpy(exact + 1, bytes.p, bytes.n);
    struct strbuf view = {exact + 1, bytes.n, bytes.n, bytes.n, E_OK};
    run_side(&p->direct, maps[0], op, &view);
    run_side(&p->general, maps[1], op, &view);
    mem_free(exact);
    strbuf_release(&bytes);
    mysql_binlog_free(p->maps[0]); /* and the plan: records must not need it */
    p->maps[0] = NULL;
    const struct record_batch *d = &p->direct.batch, *g = &p->general.batch;
    if (p->direct.err != p->general.err || d->count != g->count)
        strbuf_addf(why, "%s\n%s (%zu records, %s), want %s (%zu records, %s)\n", p->table.create.p,
                    err_name(p->direct.err), d->count, p->direct.e.msg, err_name(p->general.err),
                    g->count, p->general.e.msg);
    for (size_t i = 0; i < d->count && i < g->count && !why->n; i++, p->records++) {
        if (!slice_eq(d->records[i].topic, g->records[i].topic) ||
            d->records[i].headers.count != g->records[i].headers.count)
            strbuf_addf(why, "record %zu: topic or headers differ\n", i);
        if (!d->records[i].text.used)
            continue; /* the general way took it too */
        p->direct_records++;
        if (!same_part(p, &d->records[i], &g->records[i], true, why) ||
            !same_part(p, &d->records[i], &g->records[i], false, why))
            break;
    }
}

/* --- a snapshot's row ------------------------------------------------------------------------- */

static void choose_text(struct choices *c, struct strbuf *out)
{
    static const char *const texts[] = {
        "0",
        "-5",
        "42",
        "00042",
        "-0",
        "+7",
        "",
        "-",
        "127",
        "4294967295",
        "9223372036854775807",
        "18446744073709551615",
        "-9223372036854775808",
        "123.45",
        "-0.10",
        "1.5",
        "0.00",
        "-123456789.1234",
        "99999999999999.9999",
        ".5",
        "1.",
        "-.25",
        "3.14",
        "1e21",
        "2020-01-02",
        "0000-00-00",
        "2020-13-01",
        "12:34:56",
        "-838:59:59",
        "12:34:56.789",
        "2020-01-02 03:04:05",
        "2020-01-02 03:04:05.678",
        "2020-01-02 03:04:05.678900",
        "2020-00-02 03:04:05",
        "2020-02-31 03:04:05",
        "0000-00-00 00:00:00",
        "2020-01-02T03:04:05",
        "1999",
        "a",
        "b,c",
        "a,d",
        "{\"k\": [1, \"x\"]}",
        "\x01",
        "192.168.0.1",
    };
    if (choose(c, 4) == 0)
        text_cell(c, out);
    else
        strbuf_adds(out, texts[choose(c, ARRAY_LEN(texts))]);
}

static void texts_direct(struct pair *p, struct render_plan *plan, const struct mysql_cell *cells)
{
    struct pair_side *s = &p->direct;
    struct renderer r;
    renderer_init(&r);
    s->err =
        render_begin(&r, plan, &s->t.em, RENDER_READ, (struct emit_time){1700000000123456}, &s->e);
    if (!s->err)
        s->err = render_row(&r, &s->t.em, &s->batch, NULL, cells, 0, &s->e);
    renderer_release(&r);
}

/* One row of texts, made a record in both ways; some columns may be missing, or be there twice. */
static void pair_run_texts(struct pair *p, struct choices *c, struct strbuf *why)
{
    uint32_t columns[2 * PAIR_COLUMNS], count = 0;
    const char *texts[2 * PAIR_COLUMNS];
    unsigned long lengths[2 * PAIR_COLUMNS];
    struct mysql_cell cells[2 * PAIR_COLUMNS];
    char *exact[2 * PAIR_COLUMNS];
    const struct mysql_table *table = mysql_schema_find(p->direct.t.schema, SL("d"), SL("t"));
    struct shape *shape[2] = {shapes_get(&p->direct.t.shapes, table),
                              shapes_get(&p->general.t.shapes, table)};
    for (int side = 0; side < 2; side++) {
        struct value *f = (side ? &p->general : &p->direct)->t.em.source.fields;
        f[SOURCE_DB] = value_string(table->db);
        f[SOURCE_TABLE] = value_string(table->name);
    }
    for (uint32_t i = 0; i < p->table.count; i++) {
        if (choose(c, 30) == 29)
            continue;
        struct strbuf text = STRBUF_INIT;
        choose_text(c, &text);
        bool null = choose(c, 6) == 5;
        columns[count] = choose(c, 30) == 29 ? choose(c, p->table.count) : i;
        exact[count] = xmalloc(text.n + 1);
        memcpy(exact[count] + 1, text.p, text.n);
        texts[count] = null ? NULL : exact[count] + 1;
        lengths[count] = null ? 0 : text.n;
        cells[count] = (struct mysql_cell){(const uint8_t *)texts[count], (uint32_t)lengths[count],
                                           null ? CELL_NULL : CELL_VALUE};
        count++;
        strbuf_release(&text);
    }
    struct render_plan *plan =
        render_plan_texts(shape[0], columns, count, &p->direct.t.em.source, &p->form);
    bool planned = plan != NULL;
    if (plan)
        texts_direct(p, plan, cells);
    render_plan_free(plan); /* records must not need it */
    struct value *row, *source;
    struct pair_side *g = &p->general;
    g->t.env.arena = &g->batch.arena;
    g->err = shape_texts(shape[1], &g->t.env, columns, count, texts, lengths, &row, &g->e);
    if (!g->err)
        g->err = emit_read(&g->t.em, &g->batch, shape[1], row, (struct emit_time){1700000000123456},
                           &source, &g->e);
    if (planned && p->direct.err != E_UNSUPPORTED) {
        p->records++;
        p->direct_records++;
        const struct record *d = &p->direct.batch.records[0], *v = &g->batch.records[0];
        if (p->direct.err || g->err || p->direct.batch.count != 1)
            strbuf_addf(why, "%s\n%s, want %s\n", p->table.create.p, err_name(p->direct.err),
                        err_name(g->err));
        else if (same_part(p, d, v, true, why))
            (void)same_part(p, d, v, false, why);
    } else {
        p->records++;
    }
    while (count > 0)
        mem_free(exact[--count]);
}

#endif
