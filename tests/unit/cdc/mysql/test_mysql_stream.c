/* Position rules of the stream, event by event: what a restart would begin with. SPEC:
 * cdc-mysql 4.4 */
#include "cdc/mysql/stream.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "helpers.h"

struct fixture {
    struct strmap config;
    struct mysql_task t;
    struct stream *s;
    struct record_batch batch;
    struct mysql_table_map map;
    struct mysql_map_column column;
    uint32_t pos;
};

static void open_stream(struct fixture *f, bool mariadb, const char *offset)
{
    struct mysql_schema_options so = {.mariadb = mariadb};
    struct mysql_ddl_origin origin = {.db = SL("d")};
    struct mysql_changes changes;
    struct mysql_task *t = &f->t;
    memset(f, 0, sizeof *f);
    strmap_init(&f->config);
    strmap_set(&f->config, SL("topic.prefix"), SL("p"));
    strmap_set(&f->config, SL("event.converting.failure.handling.mode"), SL("fail"));
    CHECK_OK(
        mysql_options_load(&t->o, mariadb ? FLAVOUR_MARIADB : FLAVOUR_MYSQL, &f->config, NULL));
    t->server.mariadb = mariadb;
    source_info_init(&t->em.source, t->o.flavour, t->o.topic_prefix);
    t->em.tombstones = true;
    CHECK_OK(shape_rules_init(&t->rules, &t->o, t->em.source.schema, NULL));
    shapes_init(&t->shapes, &t->rules);
    value_env_init(&t->env);
    mysql_offset_init(&t->offset);
    CHECK_OK(mysql_offset_parse(&t->offset, slice_cstr(offset), NULL));
    t->schema = mysql_schema_new(&so);
    mysql_changes_init(&changes);
    CHECK_OK(mysql_schema_apply(t->schema, &origin, SL("CREATE TABLE t (id INT PRIMARY KEY)"),
                                &changes, NULL));
    mysql_changes_release(&changes);
    record_batch_init(&f->batch, (size_t)1 << 20);
    f->s = stream_new(t);
    CHECK_OK(gtid_done_init(&f->s->gtids, true, mariadb, strbuf_slice(&t->offset.gtids), NULL));
    f->s->event_start = f->s->event_end = t->offset.pos;
    f->pos = (uint32_t)t->offset.pos;
    f->s->skip_events = t->offset.event;
    f->s->skip_rows = t->offset.row;
    f->s->skip_server = t->offset.server_id;
    f->s->by_gtid = t->offset.gtids.n > 0;
    f->s->resuming = t->offset.event || t->offset.row;
    f->column = (struct mysql_map_column){.type = WIRE_LONG, .layout = CELL_FIXED, .size = 4};
    f->map = (struct mysql_table_map){
        .id = 7, .db = SL("d"), .table = SL("t"), .column_count = 1, .columns = &f->column};
}

static void close_stream(struct fixture *f)
{
    struct mysql_task *t = &f->t;
    if (f->map.user)
        f->map.free_user(f->map.user);
    stream_free(f->s);
    record_batch_release(&f->batch);
    mysql_schema_free(t->schema);
    shapes_release(&t->shapes);
    shape_rules_release(&t->rules);
    source_info_release(&t->em.source);
    value_env_release(&t->env);
    mysql_offset_release(&t->offset);
    mysql_options_release(&t->o);
    strmap_release(&f->config);
}

static void feed(struct fixture *f, struct mysql_event ev, bool zero_pos)
{
    ev.size = 100;
    ev.timestamp = 1700000000;
    ev.server_id = 9;
    f->pos += 100;
    ev.log_pos = zero_pos ? 0 : f->pos;
    f->s->texts_stale = true;
    CHECK_OK(stream_event(f->s, &ev, &f->batch, NULL));
}

static void feed_query(struct fixture *f, const char *sql)
{
    feed(f,
         (struct mysql_event){.type = EV_QUERY,
                              .u.query = {.sql = slice_cstr(sql), .db = SL("d"), .thread_id = 5}},
         false);
}

static void feed_gtid(struct fixture *f, uint64_t gno)
{
    struct mysql_event ev = {.type = EV_GTID, .u.gtid = {.gno = gno}};
    memset(ev.u.gtid.uuid, 0x11, 16);
    feed(f, ev, false);
}

static void feed_mariadb_gtid(struct fixture *f, uint64_t seq, bool standalone)
{
    feed(
        f,
        (struct mysql_event){.type = EV_MARIADB_GTID,
                             .u.mariadb_gtid = {.server = 9, .seq = seq, .standalone = standalone}},
        false);
}

/* Inserts of the ids from `first` on. */
static void feed_rows(struct fixture *f, uint32_t first, uint32_t count, bool zero_pos)
{
    static const uint8_t all[1] = {0xff};
    uint8_t rows[5 * 16];
    for (uint32_t i = 0; i < count; i++) {
        rows[5 * i] = 0; /* no NULL */
        store_le32(rows + 5 * i + 1, first + i);
    }
    feed(f,
         (struct mysql_event){.type = EV_WRITE_ROWS,
                              .u.rows = {.op = ROWS_WRITE,
                                         .table_id = 7,
                                         .map = &f->map,
                                         .column_count = 1,
                                         .present_before = all,
                                         .present_after = all,
                                         .rows = slice_of(rows, 5 * count)}},
         zero_pos);
}

static void feed_map(struct fixture *f, bool zero_pos)
{
    feed(f, (struct mysql_event){.type = EV_TABLE_MAP, .u.table_map = &f->map}, zero_pos);
}

static void check_offset(struct fixture *f, const char *want)
{
    struct mysql_offset o;
    struct strbuf b = STRBUF_INIT;
    mysql_offset_init(&o);
    stream_offset(f->s, &o);
    mysql_offset_print(&o, false, &b);
    CHECK_STR(b.p, want);
    mysql_offset_release(&o);
    strbuf_release(&b);
}

#define UUID "11111111-1111-1111-1111-111111111111"
#define START "{\"file\":\"b.000001\",\"pos\":1000,\"gtids\":\"" UUID ":1-4\"}"
#define AT(pos, gtids, rest)                                                                       \
    "{\"ts_sec\":1700000000,\"file\":\"b.000001\",\"pos\":" #pos ",\"gtids\":\"" gtids "\"" rest "}"

static void test_transaction(void)
{
    struct fixture f;
    open_stream(&f, false, START);
    feed_gtid(&f, 5); /* 1000-1100 */
    feed_query(&f, "BEGIN");
    feed_map(&f, false);
    feed_rows(&f, 1, 3, false);
    CHECK_INT(f.batch.count, 3);
    /* BEGIN starts at 1100; the rows event is the third of the transaction; its last row is the
     * third. */
    check_offset(&f, AT(1100, UUID ":1-4", ",\"row\":3,\"server_id\":9,\"event\":2"));
    const struct value *source = f.batch.records[2].value.u.v[ENVELOPE_SOURCE].u.v;
    CHECK_INT(source[SOURCE_POS].u.i, 1300);
    CHECK_INT(source[SOURCE_ROW].u.i, 2);
    CHECK_INT(source[SOURCE_THREAD].u.i, 5);
    CHECK_SLICE(value_slice(source[SOURCE_GTID]), SL(UUID ":5"));
    /* The commit alone moves nothing: the last record keeps its place until something newer comes.
     */
    feed(&f, (struct mysql_event){.type = EV_XID, .u.xid = 1}, false);
    check_offset(&f, AT(1100, UUID ":1-4", ",\"row\":3,\"server_id\":9,\"event\":2"));
    feed_gtid(&f, 6);
    feed_query(&f, "BEGIN");
    check_offset(&f, AT(1600, UUID ":1-5", ",\"server_id\":9,\"event\":1"));
    feed(&f, (struct mysql_event){.type = EV_XID, .u.xid = 2}, false);
    check_offset(&f, AT(1800, UUID ":1-6", ",\"server_id\":9"));
    close_stream(&f);
}

/* A GTID event alone, with the rest of its transaction still to come, is not done. */
static void test_gtid_is_not_done_early(void)
{
    struct fixture f;
    open_stream(&f, false, START);
    feed_gtid(&f, 5);
    check_offset(&f, "{\"ts_sec\":1700000000,\"file\":\"b.000001\",\"pos\":1000,\"gtids\":\"" UUID
                     ":1-4\",\"server_id\":9}");
    close_stream(&f);
}

static void test_resume(void)
{
    struct fixture f;
    open_stream(&f, false,
                "{\"file\":\"b.000001\",\"pos\":1100,\"event\":4,\"row\":2,\"gtids\":\"" UUID
                ":1-4\"}");
    f.pos = 1000;
    feed_gtid(&f, 5);
    feed_query(&f, "BEGIN"); /* 0 */
    feed_map(&f, false);     /* 1 */
    feed_rows(&f, 1, 3, false);
    CHECK_INT(f.batch.count, 0);
    feed_map(&f, false); /* 3 */
    feed_rows(&f, 4, 3, false);
    CHECK_INT(f.batch.count, 1);
    CHECK_INT(f.batch.records[0].key.u.v[0].u.i, 6);
    feed_rows(&f, 7, 2, false);
    CHECK_INT(f.batch.count, 3);
    close_stream(&f);
}

/* After a change of servers: what another one made comes first, and is no part of what was handled. */
static void test_resume_elsewhere(void)
{
    struct fixture f;
    open_stream(&f, true,
                "{\"file\":\"b.000001\",\"pos\":1100,\"event\":2,\"row\":1,\"server_id\":8,"
                "\"gtids\":\"0-8-4\"}");
    feed_mariadb_gtid(&f, 1, false); /* of server 9 */
    feed_map(&f, false);
    feed_rows(&f, 1, 2, false);
    feed(&f, (struct mysql_event){.type = EV_XID, .u.xid = 1}, false);
    CHECK_INT(f.batch.count, 2);
    f.s->skip_server = 9; /* now the one that was left in its middle */
    feed_mariadb_gtid(&f, 5, false);
    feed_map(&f, false);
    feed_rows(&f, 3, 2, false);
    CHECK_INT(f.batch.count, 3);
    CHECK_INT(f.batch.records[2].key.u.v[0].u.i, 4);
    close_stream(&f);
}

static void test_mariadb(void)
{
    struct fixture f;
    open_stream(&f, true, "{\"file\":\"b.000001\",\"pos\":1000,\"gtids\":\"0-9-4\"}");
    feed_mariadb_gtid(&f, 5, false);
    /* Servers from 11.8 on write no positions inside a transaction. */
    feed_map(&f, true);
    feed_rows(&f, 1, 2, true);
    check_offset(&f, AT(1000, "0-9-4", ",\"row\":2,\"server_id\":9,\"event\":2"));
    CHECK_INT(f.batch.records[0].value.u.v[ENVELOPE_SOURCE].u.v[SOURCE_POS].u.i, 1200);
    CHECK(f.batch.records[0].value.u.v[ENVELOPE_SOURCE].u.v[SOURCE_THREAD].kind == VALUE_NULL);
    feed_query(&f, "COMMIT"); /* non-transactional tables */
    feed_mariadb_gtid(&f, 6, false);
    check_offset(&f, AT(1400, "0-9-5", ",\"server_id\":9,\"event\":1"));
    close_stream(&f);
}

static void test_rotate(void)
{
    struct fixture f;
    open_stream(&f, false, START);
    struct mysql_event fake = {.type = EV_ROTATE,
                               .flags = EVF_ARTIFICIAL,
                               .u.rotate = {.file = SL("b.000001"), .pos = 1000}};
    CHECK_OK(stream_event(f.s, &fake, &f.batch, NULL));
    check_offset(&f,
                 "{\"ts_sec\":0,\"file\":\"b.000001\",\"pos\":1000,\"gtids\":\"" UUID ":1-4\"}");
    struct mysql_event real = {.type = EV_ROTATE,
                               .timestamp = 1,
                               .log_pos = 1040,
                               .size = 40,
                               .u.rotate = {.file = SL("b.000002"), .pos = 4}};
    CHECK_OK(stream_event(f.s, &real, &f.batch, NULL));
    check_offset(&f, "{\"ts_sec\":0,\"file\":\"b.000002\",\"pos\":4,\"gtids\":\"" UUID ":1-4\"}");
    struct mysql_event nameless = {.type = EV_ROTATE, .timestamp = 1};
    CHECK_ERR(stream_event(f.s, &nameless, &f.batch, NULL), E_CORRUPT);
    close_stream(&f);
}

static void test_skipped(void)
{
    struct fixture f;
    open_stream(&f, false, START);
    f.t.o.skipped = SKIP_CREATE;
    feed_query(&f, "BEGIN");
    feed_map(&f, false);
    feed_rows(&f, 1, 3, false);
    CHECK_INT(f.batch.count, 0);
    close_stream(&f);
}

/* With metadata the end of a transaction is a record of its own: a restart must tell neither it nor
 * the beginning twice, and goes on counting. SPEC: cdc-mysql 5.12 */
static void test_metadata(void)
{
    struct fixture f;
    open_stream(&f, false, START);
    transactions_init(&f.t.transactions, true, SL("p.transaction"));
    f.t.em.transactions = &f.t.transactions;
    feed_gtid(&f, 5);
    feed_query(&f, "BEGIN");
    CHECK_INT(f.batch.count, 1);
    check_offset(&f, AT(1100, UUID ":1-4",
                        ",\"server_id\":9,\"event\":1,\"transaction_id\":\"" UUID ":5\""));
    feed_map(&f, false);
    feed_rows(&f, 1, 3, false);
    check_offset(&f, AT(1100, UUID ":1-4",
                        ",\"row\":3,\"server_id\":9,\"event\":2,\"transaction_id\":\"" UUID
                        ":5\",\"transaction_data_collection_order_d.t\":3"));
    feed(&f, (struct mysql_event){.type = EV_XID, .u.xid = 1}, false);
    CHECK_INT(f.batch.count, 5);
    check_offset(&f, AT(1500, UUID ":1-5", ",\"server_id\":9"));
    transactions_release(&f.t.transactions);
    close_stream(&f);

    const char *inside =
        "{\"file\":\"b.000001\",\"pos\":1100,\"event\":2,\"row\":2,\"gtids\":\"" UUID
        ":1-4\",\"transaction_id\":\"" UUID ":5\",\"transaction_data_collection_order_d.t\":2}";
    open_stream(&f, false, inside);
    transactions_init(&f.t.transactions, true, SL("p.transaction"));
    transactions_load(&f.t.transactions, slice_cstr(inside));
    f.t.em.transactions = &f.t.transactions;
    f.pos = 1000;
    feed_gtid(&f, 5);
    feed_query(&f, "BEGIN");
    feed_map(&f, false);
    CHECK_INT(f.batch.count, 0);
    feed_rows(&f, 1, 3, false);
    CHECK_INT(f.batch.count, 1);
    CHECK_INT(f.batch.records[0].value.u.v[ENVELOPE_TRANSACTION].u.v[1].u.i, 3);
    feed(&f, (struct mysql_event){.type = EV_XID, .u.xid = 1}, false);
    CHECK_INT(f.batch.count, 2);
    transactions_release(&f.t.transactions);
    close_stream(&f);
}

/* --- rows that fail: what is told is told once ------------------------------------------------ */

enum { ROWS = 5 };
static const uint8_t both[1] = {0xff};

/* Table t as (id, doc JSON): a document may be damaged, so that its row can't be told. */
static void with_documents(struct fixture *f, struct mysql_map_column columns[2])
{
    struct mysql_ddl_origin origin = {.db = SL("d")};
    struct mysql_changes changes;
    mysql_changes_init(&changes);
    CHECK_OK(
        mysql_schema_apply(f->t.schema, &origin, SL("ALTER TABLE t ADD doc JSON"), &changes, NULL));
    mysql_changes_release(&changes);
    columns[0] = f->column;
    columns[1] = (struct mysql_map_column){.type = WIRE_JSON, .layout = CELL_LEN4, .meta = 4};
    f->map.column_count = 2;
    f->map.columns = columns;
}

/* Inserts of the ids from `first` on, the one at `damaged` with a document that can't be read. */
static enum err feed_documents(struct fixture *f, uint32_t first, uint32_t damaged)
{
    static const uint8_t fine[3] = {4, 1, 0}; /* true */
    uint8_t rows[ROWS * 12];
    for (uint32_t i = 0; i < ROWS; i++) {
        uint8_t *at = rows + 12 * i;
        at[0] = 0; /* no NULL */
        store_le32(at + 1, first + i);
        store_le32(at + 5, 3);
        memcpy(at + 9, fine, 3);
        if (i == damaged)
            at[9] = 200; /* no type */
    }
    struct mysql_event ev = {.type = EV_WRITE_ROWS,
                             .size = 100,
                             .timestamp = 1700000000,
                             .server_id = 9,
                             .u.rows = {.op = ROWS_WRITE,
                                        .table_id = 7,
                                        .map = &f->map,
                                        .column_count = 2,
                                        .present_before = both,
                                        .present_after = both,
                                        .rows = slice_of(rows, sizeof rows)}};
    ev.log_pos = f->pos += 100;
    f->s->texts_stale = true;
    return stream_event(f->s, &ev, &f->batch, NULL);
}

/* BEGIN, map, rows 1 to 5, map, rows 6 to 10; the row number `damaged` can't be told. */
static enum err feed_two_events(struct fixture *f, uint32_t damaged)
{
    f->pos = 1000;
    feed_gtid(f, 5);
    feed_query(f, "BEGIN");
    feed_map(f, false);
    enum err rc = feed_documents(f, 1, damaged);
    if (rc)
        return rc;
    feed_map(f, false);
    return feed_documents(f, 1 + ROWS, damaged - ROWS);
}

static void check_ids(const struct fixture *f, uint32_t from)
{
    for (size_t i = 0; i < f->batch.count; i++)
        CHECK_INT(f->batch.records[i].key.u.v[0].u.i, from + i);
}

/* Each row in turn is the one that fails. The offset that goes with the records before it, and the
 * stream itself behind a lost connection, go on with that row: none is lost, none told twice. */
static void test_rows_fail(void)
{
    enum { NONE = 99 };
    for (uint32_t damaged = 0; damaged < 2 * ROWS; damaged++) {
        struct fixture f;
        struct mysql_map_column columns[2];
        struct mysql_offset at;
        struct strbuf text = STRBUF_INIT;
        open_stream(&f, false, START);
        with_documents(&f, columns);
        CHECK_ERR(feed_two_events(&f, damaged), E_CORRUPT);
        CHECK_INT(f.batch.count, damaged);
        check_ids(&f, 1);
        mysql_offset_init(&at);
        stream_offset(f.s, &at);
        mysql_offset_print(&at, false, &text);
        mysql_offset_release(&at);
        /* the same stream, connected anew */
        stream_rewind(f.s);
        CHECK_OK(feed_two_events(&f, NONE));
        CHECK_INT(f.batch.count, 2 * ROWS);
        check_ids(&f, 1);
        close_stream(&f);
        /* another one, from the offset */
        open_stream(&f, false, text.p);
        with_documents(&f, columns);
        CHECK_OK(feed_two_events(&f, NONE));
        CHECK_INT(f.batch.count, 2 * ROWS - damaged);
        check_ids(&f, 1 + damaged);
        close_stream(&f);
        strbuf_release(&text);
    }
}

/* event.converting.failure.handling.mode: only "fail" makes the event one that failed. */
static void test_values_fail(void)
{
    for (enum failure_mode mode = FAILURE_WARN; mode <= FAILURE_SKIP; mode++) {
        struct fixture f;
        struct mysql_map_column columns[2];
        open_stream(&f, false, START);
        f.t.o.on_value_error = mode;
        with_documents(&f, columns);
        CHECK_OK(feed_two_events(&f, 3));
        CHECK_INT(f.batch.count, 2 * ROWS);
        check_ids(&f, 1);
        for (size_t i = 0; i < f.batch.count; i++) {
            const struct value *row = f.batch.records[i].value.u.v[ENVELOPE_AFTER].u.v;
            CHECK((row[1].kind == VALUE_NULL) == (i == 3));
        }
        close_stream(&f);
    }
}

/* max.queue.size.in.bytes bounds a batch. */
static void test_batch_bytes(void)
{
    struct fixture f;
    open_stream(&f, false, START);
    CHECK_INT(f.t.o.max_queue_bytes, 0);
    f.batch.bytes = (4 << 20) - 1;
    CHECK(!mysql_task_batch_full(&f.t, &f.batch));
    f.t.o.max_queue_bytes = 1000;
    CHECK(mysql_task_batch_full(&f.t, &f.batch));
    f.batch.bytes = 999;
    CHECK(!mysql_task_batch_full(&f.t, &f.batch));
    f.t.o.max_queue_bytes = INT64_MAX; /* not more than without it */
    f.batch.bytes = 4 << 20;
    CHECK(mysql_task_batch_full(&f.t, &f.batch));
    f.t.o.max_queue_bytes = 1000;
    f.batch.bytes = 0;
    CHECK(arena_try_alloc(&f.batch.arena, 2000) !=
          NULL); /* what values of records take counts, too */
    CHECK(mysql_task_batch_full(&f.t, &f.batch));
    close_stream(&f);
}

/* The connection is lost before a row of the resumed event is told: the rows before stay skipped. */
static void test_resume_fails(void)
{
    struct fixture f;
    struct mysql_map_column columns[2];
    const char *inside =
        "{\"file\":\"b.000001\",\"pos\":1100,\"event\":2,\"row\":2,\"gtids\":\"" UUID
        ":1-4\",\"server_id\":9}";
    open_stream(&f, false, inside);
    with_documents(&f, columns);
    CHECK_ERR(feed_two_events(&f, 2), E_CORRUPT);
    CHECK_INT(f.batch.count, 0);
    stream_rewind(f.s);
    CHECK_OK(feed_two_events(&f, 99));
    CHECK_INT(f.batch.count, 2 * ROWS - 2);
    check_ids(&f, 3);
    close_stream(&f);
}

/* While a restart skips what is told, the offset stays where that ends. */
static void test_offset_while_resuming(void)
{
    struct fixture f;
    const char *inside =
        "{\"file\":\"b.000001\",\"pos\":1100,\"event\":4,\"row\":2,\"gtids\":\"" UUID
        ":1-4\",\"server_id\":9}";
    open_stream(&f, false, inside);
    f.pos = 1000;
    feed_gtid(&f, 5);
    check_offset(&f, AT(1100, UUID ":1-4", ",\"row\":2,\"server_id\":9,\"event\":4"));
    feed_query(&f, "BEGIN");
    feed_map(&f, false);
    check_offset(&f, AT(1100, UUID ":1-4", ",\"row\":2,\"server_id\":9,\"event\":4"));
    feed_rows(&f, 1, 3, false);
    check_offset(&f, AT(1100, UUID ":1-4", ",\"row\":2,\"server_id\":9,\"event\":4"));
    close_stream(&f);
}

/* A connection is lost behind a COMMIT, and something else is told before the next transaction: the
 * offset is not inside a transaction that its GTIDs call done. */
static void test_lost_behind_commit(void)
{
    struct fixture f;
    open_stream(&f, false, START);
    feed_gtid(&f, 5);
    feed_query(&f, "BEGIN");
    feed_map(&f, false);
    feed_rows(&f, 1, 3, false);
    feed(&f, (struct mysql_event){.type = EV_XID, .u.xid = 1}, false);
    stream_rewind(f.s);
    check_offset(&f, AT(1500, UUID ":1-5", ",\"server_id\":9"));
    close_stream(&f);
}

/* Events that are left out because they can't be told count as the others do. */
static void test_left_out(void)
{
    struct fixture f;
    struct mysql_map_column columns[2];
    open_stream(&f, false, START);
    with_documents(&f, columns);
    f.pos = 1000;
    feed_gtid(&f, 5);
    feed_query(&f, "BEGIN"); /* 0 */
    feed_map(&f, false);     /* 1 */
    CHECK_ERR(feed_documents(&f, 1, 3), E_CORRUPT);
    stream_left_out(f.s); /* 2 */
    CHECK_INT(f.batch.count, 3);
    CHECK_OK(feed_documents(&f, 6, 99)); /* 3 */
    check_offset(&f, AT(1100, UUID ":1-4", ",\"row\":5,\"server_id\":9,\"event\":3"));
    close_stream(&f);
}

/* --- a history that can't be stored ----------------------------------------------------------- */

static enum err feed_statement(struct fixture *f, const char *sql, struct error *e)
{
    struct mysql_event ev = {.type = EV_QUERY,
                             .size = 100,
                             .timestamp = 1700000000,
                             .server_id = 9,
                             .u.query = {.sql = slice_cstr(sql), .db = SL("d")}};
    ev.log_pos = f->pos += 100;
    f->s->texts_stale = true;
    return stream_event(f->s, &ev, &f->batch, e);
}

/* The model would be ahead of what a restart finds: that is no fault of one event, whatever becomes
 * of those. */
static void check_broken(bool adopted)
{
    static const struct db_migrations *const none[] = {NULL}; /* so that there is no table for it */
    char path[] = "/tmp/weir-unit-XXXXXX";
    struct fixture f;
    struct error e = {0};
    struct db *db;
    enum err rc;
    int fd = mkstemp(path);
    CHECK(fd >= 0);
    close(fd);
    CHECK_OK(db_open(&db, path, false, none, NULL));
    open_stream(&f, false, START);
    history_init(&f.t.history, db, NULL, "c", SL("p"), SLICE_NULL);
    f.t.o.on_event_error = FAILURE_WARN;
    CHECK_OK(stream_failed(f.s, E_CORRUPT, &e)); /* of one event */
    if (adopted)
        rc = stream_adopt(f.s, SL("d"), SL("u"), "CREATE TABLE u (id INT)", NULL, NULL, &e);
    else
        rc = feed_statement(&f, "ALTER TABLE t ADD x INT", &e);
    CHECK(rc != E_OK);
    CHECK(strstr(e.msg, "storing the schema history") != NULL);
    CHECK_ERR(stream_failed(f.s, rc, &e), rc);
    CHECK(strstr(e.msg, "This connector will be stopped") != NULL);
    history_release(&f.t.history);
    close_stream(&f);
    db_close(db);
    unlink(path);
}

static void test_history_fails(void)
{
    check_broken(false);
    check_broken(true);
}

static const struct test_case tests[] = {
    {"a history that can't be stored", test_history_fails},
    {"rows that fail", test_rows_fail},
    {"values that fail", test_values_fail},
    {"bytes of a batch", test_batch_bytes},
    {"resuming fails", test_resume_fails},
    {"the offset while resuming", test_offset_while_resuming},
    {"a connection lost behind a commit", test_lost_behind_commit},
    {"events that are left out", test_left_out},
    {"a transaction", test_transaction},
    {"transaction metadata", test_metadata},
    {"a gtid is not done early", test_gtid_is_not_done_early},
    {"resuming inside a transaction", test_resume},
    {"resuming on another server", test_resume_elsewhere},
    {"mariadb", test_mariadb},
    {"rotate", test_rotate},
    {"skipped operations", test_skipped},
    {NULL, NULL},
};
const struct test_suite test_mysql_stream = {"cdc/mysql/stream", tests};
