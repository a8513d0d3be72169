/* cdc/mysql/snapshot_order.c - which tables are read, and in which order. SPEC: cdc-mysql 3.2 */
#include "cdc/mysql/snapshot.h"

#include <stdlib.h>

#include "base/mem.h"

static enum err estimate(struct snapshot *s, struct snap_table *t, struct error *e)
{
    struct strbuf sql = STRBUF_INIT;
    char *rows = NULL;
    strbuf_adds(&sql, "SELECT table_rows FROM information_schema.tables WHERE table_schema = ");
    mysql_quote_text(&sql, slice_cstr(t->db));
    strbuf_adds(&sql, " AND table_name = ");
    mysql_quote_text(&sql, slice_cstr(t->name));
    enum err rc = mysql_conn_scalar(s->t->conn, sql.p, 0, &rows, e);
    if (rc == E_OK && slice_to_u64(slice_cstr(rows), &t->rows))
        t->rows = 0;
    mem_free(rows);
    strbuf_release(&sql);
    return rc == E_NOT_FOUND ? E_OK : rc;
}

static _Thread_local const struct snapshot *order_of;

static int by_order(const void *a, const void *b)
{
    size_t ia = *(const size_t *)a, ib = *(const size_t *)b;
    const struct snap_table *x = &order_of->tables[ia], *y = &order_of->tables[ib];
    enum row_count_order by_rows = order_of->t->o.table_order;
    if (by_rows != ORDER_NONE && x->rows != y->rows)
        return (x->rows < y->rows) == (by_rows == ORDER_ASCENDING) ? -1 : 1;
    if (x->rank != y->rank)
        return x->rank < y->rank ? -1 : 1;
    return ia < ib ? -1 : ia > ib;
}

enum err snapshot_order_tables(struct snapshot *s, struct error *e)
{
    struct regex_list include;
    enum err rc = regex_list_parse(&include, s->t->o.snapshot_include, e);
    if (rc)
        return rc;
    struct strbuf id = STRBUF_INIT;
    s->order = xcalloc(s->count + 1, sizeof *s->order);
    for (size_t i = 0; i < s->count && rc == E_OK; i++) {
        struct snap_table *t = &s->tables[i];
        struct slice db = slice_cstr(t->db), name = slice_cstr(t->name);
        strbuf_reset(&id);
        strbuf_addf(&id, "%s.%s", t->db, t->name);
        t->wanted =
            t->captured && t->create && !capture_is_signal_table(&s->t->rules.filter, db, name) &&
            (include.count == 0 || s->request || regex_list_find(&include, strbuf_slice(&id)) >= 0);
        if (!t->wanted)
            continue;
        if (s->t->o.table_order != ORDER_NONE)
            rc = estimate(s, t, e);
        s->order[s->order_count++] = i;
    }
    strbuf_release(&id);
    regex_list_release(&include);
    order_of = s;
    if (s->order_count)
        qsort(s->order, s->order_count, sizeof *s->order, by_order);
    order_of = NULL;
    scan_counts_clear(&s->t->scanned);
    atomic_store_explicit(&s->t->tables_done, 0, memory_order_relaxed);
    atomic_store_explicit(&s->t->tables_total, s->order_count, memory_order_relaxed);
    return rc;
}
