/* tests of cdc/mysql/event*.c */
#include "cdc/mysql/event.h"

#include "base/hash.h"
#include "base/mem.h"
#include "binlog_file.h"
#include "helpers.h"

struct seen {
    unsigned types[256], inner;
    struct strbuf sql; /* of QUERY and ROWS_QUERY */
    struct mysql_gtid_event gtid, tagged;
    struct mysql_mariadb_gtid_event mariadb;
    const struct mysql_table_map *map;
    unsigned same_maps;
};

static void collect(struct mysql_binlog *b, const struct mysql_event *ev, void *arg)
{
    struct seen *s = arg;

    (void)b;
    s->types[ev->type]++;
    s->inner += ev->inner;
    if (ev->type == EV_QUERY || ev->type == EV_QUERY_COMPRESSED) {
        strbuf_addf(&s->sql, PRI_SL ": " PRI_SL "\n", ARG_SL(ev->u.query.db),
                    ARG_SL(ev->u.query.sql));
        if (slice_eq(ev->u.query.sql, SL("COMMIT"))) /* the server's own, of a sequence */
            return;
        CHECK(ev->u.query.has_charset && ev->u.query.has_sql_mode);
        CHECK(ev->u.query.client == mysql_charset_utf8mb4);
    }
    if (ev->type == EV_ROWS_QUERY || ev->type == EV_ANNOTATE_ROWS)
        strbuf_addf(&s->sql, "# " PRI_SL "\n", ARG_SL(ev->u.rows_query));
    if (ev->type == EV_GTID)
        s->gtid = ev->u.gtid;
    if (ev->type == EV_GTID_TAGGED)
        s->tagged = ev->u.gtid;
    if (ev->type == EV_MARIADB_GTID)
        s->mariadb = ev->u.mariadb_gtid;
    if (ev->type == EV_TABLE_MAP) {
        s->same_maps += s->map == ev->u.table_map;
        s->map = ev->u.table_map;
    }
    if (ev->type == EV_FORMAT_DESCRIPTION)
        CHECK(ev->u.format.checksums && ev->u.format.version == 4);
}

static void mysql_file(void)
{
    struct seen s = {.sql = STRBUF_INIT};

    CHECK(binlog_file_walk("mysql9-special.binlog", false, collect, &s) > 60);
    CHECK_INT(s.types[EV_PARTIAL_UPDATE_ROWS], 3);
    CHECK_INT(s.types[EV_TRANSACTION_PAYLOAD], 1);
    CHECK_INT(s.inner, 8);
    CHECK_INT(s.types[EV_XA_PREPARE], 1);
    CHECK_INT(s.types[EV_GTID_TAGGED], 1);
    CHECK_STR(s.tagged.tag, "blue");
    CHECK_INT(s.tagged.gno, 1);
    CHECK(memcmp(s.tagged.uuid, s.gtid.uuid, 16) == 0); /* one server: GTID and GTID_TAGGED agree */
    CHECK(s.tagged.immediate_commit_us > INT64_C(1500000000000000));
    CHECK(s.tagged.original_commit_us == s.tagged.immediate_commit_us);
    CHECK_INT(s.gtid.gno, 40);
    CHECK_INT(s.gtid.sequence, 18);
    CHECK_INT(s.gtid.last_committed, 17);
    CHECK_INT(s.gtid.transaction_length, 415);
    CHECK(s.gtid.original_commit_us > s.tagged.original_commit_us);
    CHECK(slice_find(strbuf_slice(&s.sql), SL("lab: XA START X'7831',X'',1\n")) >= 0);
    CHECK(slice_find(strbuf_slice(&s.sql), SL("# UPDATE p SET x=CONCAT(x,'!')\n")) >= 0);
    CHECK(slice_find(strbuf_slice(&s.sql), SL("START TRANSACTION\n")) >= 0);
    CHECK(s.same_maps > 3); /* an unchanged map keeps its struct */
    strbuf_release(&s.sql);
}

static void mariadb_file(void)
{
    struct seen s = {.sql = STRBUF_INIT};

    CHECK(binlog_file_walk("mariadb11-types.binlog", true, collect, &s) > 60);
    CHECK_INT(s.types[EV_WRITE_ROWS_COMPRESSED_V1], 1);
    CHECK_INT(s.types[EV_UPDATE_ROWS_COMPRESSED_V1], 1);
    CHECK_INT(s.types[EV_DELETE_ROWS_COMPRESSED_V1], 1);
    CHECK_INT(s.types[EV_QUERY_COMPRESSED], 1);
    CHECK(s.mariadb.standalone && s.mariadb.ddl && s.mariadb.server == 223344);
    CHECK(slice_find(strbuf_slice(&s.sql), SL("lab: ALTER TABLE comp ADD COLUMN a_long_column")) >=
          0);
    CHECK(slice_find(strbuf_slice(&s.sql), SL("# INSERT INTO m (id) VALUES (2)\n")) >= 0);
    strbuf_release(&s.sql);
}

static void metadata(struct mysql_binlog *b, const struct mysql_event *ev, void *arg)
{
    bool *found = arg;

    (void)b;
    if (ev->type != EV_TABLE_MAP || !slice_eq(ev->u.table_map->table, SL("s")))
        return;
    const struct mysql_map_column *c = ev->u.table_map->columns;
    CHECK_SLICE(ev->u.table_map->db, SL("lab"));
    CHECK_INT(ev->u.table_map->column_count, 18);
    CHECK(!c[0].nullable && c[1].nullable);
    CHECK(c[0].has_sign && !c[0].is_unsigned);
    CHECK_INT(c[1].collation, 255); /* default, then the exceptions */
    CHECK_INT(c[3].collation, 8);
    CHECK_INT(c[4].collation, 19);
    CHECK_INT(c[12].collation, 63);
    CHECK_INT(c[5].meta, 400); /* CHAR(100) in utf8mb4: the 0x30 trick */
    CHECK_INT(c[5].layout, CELL_LEN2);
    CHECK_INT(c[10].type, WIRE_ENUM);
    CHECK_INT(c[11].type, WIRE_SET);
    *found = true;
}

static void table_map_metadata(void)
{
    bool found = false;

    (void)binlog_file_walk("mysql9-types.binlog", false, metadata, &found);
    CHECK(found);
}

/* --- made events ------------------------------------------------------------------------------ */

static struct strbuf event(uint8_t type, const void *body, size_t n, bool checksum)
{
    struct strbuf b = STRBUF_INIT;
    uint8_t header[19] = {1, 0, 0, 0, type, 9, 0, 0, 0};
    char crc[4];

    store_le32(header + 9, (uint32_t)(19 + n + (checksum ? 4 : 0)));
    store_le32(header + 13, 500);
    strbuf_add(&b, header, 19);
    strbuf_add(&b, body, n);
    if (checksum) {
        store_le32(crc, crc32_ieee(0, b.p, b.n));
        strbuf_add(&b, crc, 4);
    }
    return b;
}

static enum err decode(struct mysql_binlog *b, uint8_t type, const void *body, size_t n,
                       struct mysql_event *ev)
{
    struct error e = {.msg = ""};
    struct strbuf raw = event(type, body, n, false);
    /* an exact allocation, so that a read beyond it is seen by the sanitizer */
    char *exact = xmalloc(raw.n);

    memcpy(exact, raw.p, raw.n);
    enum err err = mysql_binlog_decode(b, slice_of(exact, raw.n), ev, &e);
    if (err && err != E_NOT_FOUND)
        CHECK(e.msg[0] != '\0');
    strbuf_release(&raw);
    mem_free(exact);
    return err;
}

static void checksums(void)
{
    struct mysql_binlog_options o = {.checksums = true, .verify_checksums = true};
    struct mysql_binlog *b = mysql_binlog_new(&o);
    struct error e = {.msg = ""};
    struct mysql_event ev;
    struct strbuf raw = event(EV_XID, "\7\0\0\0\0\0\0\0", 8, true);

    CHECK_OK(mysql_binlog_decode(b, strbuf_slice(&raw), &ev, &e));
    CHECK_INT(ev.u.xid, 7);
    raw.p[20] ^= 1;
    CHECK_ERR(mysql_binlog_decode(b, strbuf_slice(&raw), &ev, &e), E_CORRUPT);
    CHECK(strstr(e.msg, "checksum") != NULL);
    strbuf_release(&raw);
    raw = event(EV_XID, "", 0, false);
    CHECK_ERR(mysql_binlog_decode(b, strbuf_slice(&raw), &ev, &e), E_CORRUPT);
    strbuf_release(&raw);
    mysql_binlog_free(b);
}

static void headers(void)
{
    struct error e = {.msg = ""};
    struct mysql_event ev;
    struct strbuf raw = event(EV_XID, "\7\0\0\0\0\0\0\0", 8, false);

    CHECK_OK(mysql_event_header(strbuf_slice(&raw), &ev, &e));
    CHECK_INT(ev.server_id, 9);
    CHECK_INT(ev.log_pos, 500);
    for (size_t n = 0; n < raw.n; n++)
        CHECK(mysql_event_header(slice_of(raw.p, n), &ev, &e) != E_OK);
    strbuf_release(&raw);
    CHECK_STR(mysql_event_name(EV_WRITE_ROWS), "WRITE_ROWS");
    CHECK_STR(mysql_event_name(200), "UNKNOWN");
}

static void truncated(void)
{
    static const uint8_t types[] = {EV_QUERY,
                                    EV_ROTATE,
                                    EV_FORMAT_DESCRIPTION,
                                    EV_XID,
                                    EV_TABLE_MAP,
                                    EV_WRITE_ROWS,
                                    EV_UPDATE_ROWS_V1,
                                    EV_INCIDENT,
                                    EV_HEARTBEAT_V2,
                                    EV_GTID,
                                    EV_GTID_TAGGED,
                                    EV_MARIADB_GTID,
                                    EV_TRANSACTION_PAYLOAD,
                                    EV_QUERY_COMPRESSED,
                                    EV_ROWS_QUERY,
                                    EV_WRITE_ROWS_COMPRESSED_V1};
    struct mysql_binlog_options o = {.checksums = false};
    struct mysql_binlog *b = mysql_binlog_new(&o);
    uint8_t body[64];
    struct mysql_event ev;

    for (size_t t = 0; t < ARRAY_LEN(types); t++)
        for (int fill = 0; fill < 4; fill++)
            for (size_t n = 0; n < sizeof body; n++) {
                memset(body, fill == 0 ? 0 : fill == 1 ? 0xFF : fill == 2 ? 0x80 : 1, sizeof body);
                enum err err = decode(b, types[t], body, n, &ev);
                CHECK(err == E_OK || err == E_CORRUPT || err == E_TRUNCATED ||
                      err == E_UNSUPPORTED || err == E_TOO_LARGE || err == E_NOMEM);
            }
    CHECK(decode(b, EV_XID, "", 0, &ev) == E_CORRUPT);
    CHECK(decode(b, 99, "anything", 8, &ev) == E_OK); /* not known: passes with its header */
    CHECK_SLICE(slice_of("anything", 8), SL("anything"));
    mysql_binlog_free(b);
}

/* A table map that is sent again differently replaces the first, and frees what hung on it. */
static unsigned freed;
static void count_free(void *p)
{
    (void)p;
    freed++;
}

static void maps(void)
{
    static const char one[] = "\5\0\0\0\0\0\1\0\1d\0\1t\0\1\3\0\0",
                      two[] = "\5\0\0\0\0\0\1\0\1d\0\1u\0\1\3\0\0";
    struct mysql_binlog_options o = {.checksums = false};
    struct mysql_binlog *b = mysql_binlog_new(&o);
    struct mysql_event ev;
    int dummy;

    freed = 0;
    CHECK_OK(decode(b, EV_TABLE_MAP, one, sizeof one - 1, &ev));
    struct mysql_table_map *m = ev.u.table_map;
    m->user = &dummy;
    m->free_user = count_free;
    CHECK_OK(decode(b, EV_TABLE_MAP, one, sizeof one - 1, &ev));
    CHECK(ev.u.table_map == m && freed == 0);
    CHECK(mysql_binlog_map(b, 5) == m);
    CHECK_OK(decode(b, EV_TABLE_MAP, two, sizeof two - 1, &ev));
    CHECK(freed == 1);
    CHECK_SLICE(ev.u.table_map->table, SL("u"));
    /* rows of it, of an unknown table, and the dummy that ends a statement */
    CHECK_OK(decode(b, EV_WRITE_ROWS, "\5\0\0\0\0\0\1\0\2\0\1\1\0\7\0\0\0", 17, &ev));
    CHECK(ev.u.rows.map && ev.u.rows.statement_end && ev.u.rows.rows.n == 5);
    CHECK_OK(decode(b, EV_WRITE_ROWS, "\6\0\0\0\0\0\1\0\2\0\1\1\0\7\0\0\0", 17, &ev));
    CHECK(!ev.u.rows.map && !ev.u.rows.dummy);
    CHECK_OK(decode(b, EV_WRITE_ROWS, "\xff\xff\xff\0\0\0\1\0\2\0\0", 11, &ev));
    CHECK(!ev.u.rows.map && ev.u.rows.dummy);
    CHECK_OK(decode(b, EV_STOP, "", 0, &ev));
    CHECK(mysql_binlog_map(b, 5) == NULL);
    mysql_binlog_free(b);
}

static void bombs(void)
{
    struct mysql_binlog_options o = {.checksums = false, .max_event_bytes = 1 << 20};
    struct mysql_binlog *b = mysql_binlog_new(&o);
    struct mysql_event ev;
    struct error e = {.msg = ""};
    /* a compressed query that announces 4 GiB */
    static const char query[] = "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x84\xff\xff\xff\xffxx";

    CHECK_ERR(decode(b, EV_QUERY_COMPRESSED, query, sizeof query - 1, &ev), E_TOO_LARGE);
    /* an uncompressed payload with an event of 512 MiB in 30 bytes */
    uint8_t payload[64] = {1, 1, 19, 2, 1, 252, 255, 0, 0};
    (void)decode(b, EV_TRANSACTION_PAYLOAD, payload, 40, &ev);
    static const uint8_t inside[] = {1, 1, 19, 2, 3, 252, 255, 0, 0, /* TLVs; packed 255 */
                                     1, 0, 0,  0, 2, 0,   0,   0, 0, 0, 0, 0, 32, 0, 0, 0, 0, 0, 0};
    struct strbuf raw = event(EV_TRANSACTION_PAYLOAD, inside, sizeof inside, false);
    CHECK_OK(mysql_binlog_decode(b, strbuf_slice(&raw), &ev, &e));
    CHECK_ERR(mysql_binlog_inner(b, &ev, &e), E_TOO_LARGE);
    CHECK_ERR(mysql_binlog_inner(b, &ev, &e), E_NOT_FOUND); /* closed after an error */
    strbuf_release(&raw);
    mysql_binlog_free(b);
}

static const struct test_case tests[] = {
    {"mysql file", mysql_file},
    {"mariadb file", mariadb_file},
    {"table map metadata", table_map_metadata},
    {"checksums", checksums},
    {"headers", headers},
    {"truncated", truncated},
    {"maps", maps},
    {"bombs", bombs},
    {NULL, NULL},
};
const struct test_suite test_mysql_event = {"cdc/mysql/event", tests};
