/* tests/fuzz/fuzz_binlog_event.c - a binlog as a sequence of raw events, as the stream and a file
 * carry them.
 *
 * First byte: bit 0 = MariaDB, bit 1 = with checksums (not verified, so that the fuzzer gets behind
 * them). The rest: events one after the other, each cut by the size in its header; a table map may
 * hold layouts for the rows that follow. GTID sets are decoded from the bodies of PREVIOUS_GTIDS.
 */
#include <stdlib.h>

#include "base/bytes.h"
#include "base/mem.h"
#include "cdc/mysql/event.h"
#include "cdc/mysql/gtid.h"
#include "cdc/mysql/row.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok)
{
    if (!ok)
        abort();
}

/* Reads every byte, so that the sanitizer sees a wrong slice. */
static void touch(struct slice s)
{
    static uint8_t keep;
    uint8_t sum = keep;

    for (size_t i = 0; i < s.n; i++)
        sum ^= (uint8_t)s.p[i];
    __atomic_store_n(&keep, sum, __ATOMIC_RELAXED);
}

static void rows(const struct mysql_event *ev)
{
    static struct mysql_cell before[5000], after[5000];
    struct mysql_rows it;
    struct error e = {.msg = ""};
    enum err err;

    if (!ev->u.rows.map || mysql_rows_init(&it, &ev->u.rows, &e) != E_OK)
        return;
    for (uint32_t n = 0; n < 2000 && (err = mysql_rows_next(&it, before, after, &e)) != E_NOT_FOUND;
         n++) {
        if (err)
            break;
        const struct mysql_cell *cells = ev->u.rows.op == ROWS_DELETE ? before : after;
        for (uint32_t i = 0; i < it.column_count; i++)
            if (cells[i].state == CELL_VALUE)
                touch(slice_of(cells[i].p, cells[i].n));
    }
}

static void look(struct mysql_event *ev)
{
    if (ev->type == EV_QUERY || ev->type == EV_QUERY_COMPRESSED) {
        touch(ev->u.query.sql);
        touch(ev->u.query.db);
    } else if (ev->type == EV_TABLE_MAP) {
        touch(ev->u.table_map->table);
        for (uint32_t i = 0; i < ev->u.table_map->column_count; i++)
            touch(ev->u.table_map->columns[i].name);
    } else if (mysql_event_is_rows(ev->type)) {
        rows(ev);
    } else if (ev->type == EV_PREVIOUS_GTIDS) {
        struct gtid_set s = GTID_SET_INIT, again = GTID_SET_INIT;
        struct strbuf text = STRBUF_INIT;
        if (gtid_set_decode(&s, ev->body, NULL) == E_OK) {
            gtid_set_print(&s, &text);
            check(s.count == 0 || gtid_set_parse(&again, strbuf_slice(&text), NULL) != E_OK ||
                  gtid_set_eq(&s, &again));
        }
        gtid_set_release(&s);
        gtid_set_release(&again);
        strbuf_release(&text);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    struct mysql_binlog_options o = {
        .mariadb = data[0] & 1, .checksums = data[0] & 2, .max_event_bytes = 1 << 20};
    struct mysql_binlog *b = mysql_binlog_new(&o);
    size_t at = 1;

    while (size - at >= EVENT_HEADER_SIZE) {
        struct error e = {.msg = ""};
        struct mysql_event ev, inner;
        size_t n = load_le32(data + at + 9);
        if (n < EVENT_HEADER_SIZE || n > size - at)
            n = size - at;
        char *raw = xmalloc(n); /* exact, for the sanitizer */
        memcpy(raw, data + at, n);
        enum err err = mysql_binlog_decode(b, slice_of(raw, n), &ev, &e);
        check(err == E_OK || e.msg[0]);
        if (!err)
            look(&ev);
        for (int i = 0; !err && ev.type == EV_TRANSACTION_PAYLOAD && i < 1000; i++) {
            err = mysql_binlog_inner(b, &inner, &e);
            if (!err)
                look(&inner);
        }
        if (ev.type == EV_TRANSACTION_PAYLOAD)
            mysql_binlog_restart(b, o.checksums); /* the reader points into raw */
        mem_free(raw);
        at += n;
    }
    mysql_binlog_free(b);
    return 0;
}
