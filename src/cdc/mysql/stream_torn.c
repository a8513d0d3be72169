/* cdc/mysql/stream_torn.c - binlog files that end within an event.
 *
 * A MariaDB that was killed while it wrote its binlog leaves a file with half a transaction at its end.
 * When it starts again it rolls that transaction back, begins a new file, and answers whoever comes to
 * the end of the old one with error 1236. Nothing behind that point is lost: the stream goes on with
 * the next file. What the batch holds of the transaction is taken back; a poll does not end within a
 * transaction that is still coming, so that is all of it unless it is larger than a batch.
 * (MySQL cuts such files itself.) */
#include "cdc/mysql/stream.h"

#include "base/clock.h"
#include "base/log.h"

#define TORN "binlog truncated in the middle of event"
#define FIRST_EVENT 4 /* behind the file's magic number */

void stream_unit_begins(struct stream *s, const struct record_batch *b)
{
    s->unit_records = b->count;
    s->unit_text = b->text.n;
    s->unit_whole = true;
}

/* The name of the file behind the one that is read; E_NOT_FOUND: there is none. */
static enum err next_file(struct stream *s, char out[BINLOG_NAME_MAX], struct error *e)
{
    struct mysql_result r;
    bool here = false, found = false;
    enum err rc = stream_session(s, e);
    if (rc == E_OK)
        rc = mysql_conn_query(s->t->conn, "SHOW BINARY LOGS", &r, e);
    if (rc)
        return rc;
    while ((rc = mysql_result_next(&r, e)) == E_OK) {
        struct slice name = mysql_result_get(&r, 0);
        if (here && !found && name.n && name.n < BINLOG_NAME_MAX) {
            memcpy(out, name.p, name.n);
            out[name.n] = '\0';
            found = true;
        }
        here |= slice_eq_c(name, s->file);
    }
    mysql_result_end(&r);
    if (rc != E_NOT_FOUND)
        return rc;
    return found ? E_OK : error_set(e, E_NOT_FOUND, "there is no binlog behind %s", s->file);
}

/* Records of the transaction that was cut off. */
static void take_back(struct stream *s, struct record_batch *b)
{
    if (!s->in_transaction)
        return;
    if (!s->unit_whole)
        LOG_WARN(
            LOG_CDC_MYSQL,
            "changes of a transaction that the server has rolled back were told before its end "
            "was seen: %s from %llu",
            s->restart.file, (unsigned long long)s->restart.pos);
    b->count = s->unit_records;
    b->text.n = s->unit_text;
    s->t->transactions.active = false;
}

bool stream_passes_torn(struct stream *s, struct record_batch *b, const struct error *fault)
{
    char next[BINLOG_NAME_MAX];
    struct error e = {0};
    if (!s->mariadb || fault->sys != 1236 || !strstr(fault->msg, TORN))
        return false;
    if (next_file(s, next, &e)) {
        LOG_ERR(LOG_CDC_MYSQL, LOG_L_WARN, &e, "%s ends within an event", s->file);
        return false;
    }
    LOG_WARN(
        LOG_CDC_MYSQL,
        "%s ends within an event behind %llu: the server was killed while it wrote it, and has "
        "rolled that transaction back; going on with %s",
        s->file, (unsigned long long)s->event_end, next);
    take_back(s, b);
    stream_rewind(s);
    memcpy(s->file, next, sizeof s->file);
    memcpy(s->restart.file, next, sizeof s->restart.file);
    s->restart.pos = s->event_start = s->event_end = FIRST_EVENT;
    s->restart.event = s->restart.row = s->skip_events = s->skip_rows = 0;
    s->resuming = s->last_valid = false;
    s->by_file = true;
    s->progressed = true;
    s->next_try_ms = clock_mono_ms();
    return true;
}
