/* cdc/mysql/stream_pos.c - positions of the stream: GTIDs that are done, the restart point, the
 * source block. SPEC: cdc-mysql 4.4, 4.6, 4.9 */
#include "cdc/mysql/stream.h"

#include "cdc/mysql/signals.h"

/* --- GTIDs ------------------------------------------------------------------------------------ */

enum err gtid_done_init(struct gtid_done *g, bool used, bool mariadb, struct slice text,
                        struct error *e)
{
    memset(g, 0, sizeof *g);
    g->used = used;
    g->mariadb = mariadb;
    gtid_set_init(&g->set);
    mariadb_gtid_pos_init(&g->pos);
    if (!used || !text.n)
        return E_OK;
    return mariadb ? mariadb_gtid_pos_parse(&g->pos, text, e) : gtid_set_parse(&g->set, text, e);
}

void gtid_done_release(struct gtid_done *g)
{
    gtid_set_release(&g->set);
    mariadb_gtid_pos_release(&g->pos);
}

void gtid_done_fold(struct gtid_done *g)
{
    if (!g->pending)
        return;
    g->pending = false;
    if (g->mariadb)
        mariadb_gtid_pos_add(&g->pos, g->mariadb_gtid);
    else
        gtid_set_add(&g->set, g->uuid, g->tag, g->gno);
}

void gtid_done_print(const struct gtid_done *g, struct strbuf *out)
{
    if (g->mariadb)
        mariadb_gtid_pos_print(&g->pos, out);
    else
        gtid_set_print(&g->set, out);
}

/* --- offset ----------------------------------------------------------------------------------- */

void stream_offset(struct stream *s, struct mysql_offset *out)
{
    const struct stream_pos *p = s->last_valid ? &s->last : &s->restart;
    /* Behind a commit the transaction is done; the last record of it was still inside. */
    if (!s->last_valid && s->gtids.ended)
        gtid_done_fold(&s->gtids);
    memcpy(out->file, p->file, sizeof out->file);
    out->pos = p->pos;
    /* While a restart skips what is told, the offset stays where that ends. */
    bool behind = stream_resuming(s) && !s->last_valid;
    out->event = behind ? s->skip_events : p->event;
    out->row = behind ? s->skip_rows : p->row;
    out->ts_sec = p->ts_sec;
    out->server_id = p->server_id;
    out->snapshot = OFFSET_STREAMING;
    strbuf_reset(&out->extra);
    signals_print(s->t->signals, &out->extra);
    strbuf_reset(&out->gtids);
    if (s->gtids.used)
        gtid_done_print(&s->gtids, &out->gtids);
    stream_xa_print(s, &out->xa);
    strbuf_reset(&out->transaction);
    transactions_print(&s->t->transactions, &out->transaction);
}

void stream_rewind(struct stream *s)
{
    if (s->by_gtid) {
        if (s->gtids.ended) {
            gtid_done_fold(&s->gtids);
            s->last_valid = false; /* the GTIDs say more than the place of the last record */
        }
        s->gtids.pending = false; /* comes again */
    }
    /* restart.event counts handled events of the transaction at restart.pos; row those of the next.
     * What an earlier connection had still to skip stays. */
    if (!s->resuming) {
        s->skip_events = s->restart.event;
        s->skip_rows = s->restart.row;
        s->skip_server = s->restart.server_id;
        s->resuming = s->skip_events > 0 || s->skip_rows > 0;
    }
    stream_xa_rewind(s);
    s->foreign = false;
    s->in_transaction = false;
    s->in_payload = false;
    s->has_query = false;
    s->gtid = SLICE_NULL;
    s->commit_us = 0;
    s->event_start = s->event_end = s->restart.pos;
    s->generation++; /* table maps are forgotten */
}

void stream_left_out(struct stream *s)
{
    s->left_out++;
    s->restart.row = 0;
    if (s->in_transaction)
        s->restart.event++;
}

void stream_describe(const struct stream *s, struct strbuf *out)
{
    strbuf_addf(out, "%s/%llu", s->file, (unsigned long long)s->event_start);
}

/* The name's room is far larger than names are. */
void stream_pos_copy(struct stream_pos *to, const struct stream_pos *from)
{
    memcpy(to->file, from->file, strlen(from->file) + 1);
    to->pos = from->pos;
    to->event = from->event;
    to->row = from->row;
    to->ts_sec = from->ts_sec;
    to->server_id = from->server_id;
}

/* --- source block ----------------------------------------------------------------------------- */

static struct value text_value(struct slice s)
{
    return s.p ? value_string(s) : value_null();
}

static void set_source(struct stream *s, int64_t server_id, struct record_batch *b)
{
    struct source_info *source = &s->t->em.source;
    struct value *f = source->fields;
    if (s->texts_stale) {
        s->texts_stale = false;
        s->batch_gtid = arena_dup(&b->arena, s->gtid);
        s->batch_file = arena_dup(&b->arena, slice_cstr(s->file));
        s->batch_query = s->has_query && s->t->o.include_query
                             ? arena_dup(&b->arena, strbuf_slice(&s->query))
                             : SLICE_NULL;
    }
    int64_t micros = s->commit_us ? s->commit_us : (int64_t)s->last_timestamp * 1000000;
    source_info_time(source, micros);
    f[SOURCE_SNAPSHOT] = value_null(); /* converters print the default "false" */
    f[SOURCE_SERVER_ID] = value_int(server_id);
    f[SOURCE_GTID] = text_value(s->batch_gtid);
    f[SOURCE_FILE] = text_value(s->batch_file);
    f[SOURCE_POS] = value_int((int64_t)s->event_start);
    f[SOURCE_ROW] = value_int(0);
    f[SOURCE_THREAD] = s->has_thread && s->in_transaction ? value_int(s->thread_id) : value_null();
    f[SOURCE_QUERY] = text_value(s->batch_query);
}

void stream_source(struct stream *s, const struct mysql_event *ev, struct record_batch *b)
{
    set_source(s, ev->server_id, b);
    lag_stats_note(&s->t->lag, s->t->em.source.fields[SOURCE_TS_MS].u.i);
}

void stream_source_held(struct stream *s, struct record_batch *b)
{
    s->texts_stale = true;
    set_source(s, s->restart.server_id, b);
}
