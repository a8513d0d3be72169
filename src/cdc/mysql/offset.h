/* cdc/mysql/offset.h - where a connector stands: the source offset as Connect stores it.
 *
 *   {"ts_sec":1707299221,"file":"mysql-bin.000003","pos":1026,"gtids":"...","row":1,
 *    "server_id":223344,"event":2}
 *
 * pos is the start of the transaction (its BEGIN) while in one, else the end of the last event;
 * event and row say how much of the transaction is done. SPEC: cdc-mysql 4.4, 8. Thread: the
 * owner's. */
#ifndef WEIR_CDC_MYSQL_OFFSET_H
#define WEIR_CDC_MYSQL_OFFSET_H

#include "base/base.h"
#include "base/err.h"
#include "base/str.h"

enum offset_snapshot {
    OFFSET_STREAMING, /* no marker */
    OFFSET_INITIAL,   /* a snapshot was under way */
    OFFSET_BLOCKING,
    OFFSET_INCREMENTAL, /* streaming goes on beside it */
};
#define BINLOG_NAME_MAX 512
struct mysql_offset {
    char file[BINLOG_NAME_MAX];
    uint64_t pos;
    struct strbuf gtids; /* n == 0: none */
    uint64_t event, row;
    int64_t ts_sec;
    int64_t server_id; /* 0: not stored */
    enum offset_snapshot snapshot;
    struct strbuf transaction; /* counters of transactions.h: further members, or nothing */
    struct strbuf xa;          /* member weir_xa: branches that are prepared, see stream_xa.c */
    struct strbuf extra; /* members to be printed too, each with a comma before it; not parsed */
    bool snapshot_completed; /* of older versions: the marker stayed, this says that it had ended */
};
void mysql_offset_init(struct mysql_offset *o);
void mysql_offset_release(struct mysql_offset *o);
void mysql_offset_copy(struct mysql_offset *to,
                       const struct mysql_offset *from); /* both initialised */
enum err mysql_offset_set_file(struct mysql_offset *o,
                               struct slice file) MUST_CHECK; /* E_TOO_LARGE */

/* JSON text of an offset. Accepts numbers as text, `snapshot` as true, "true" or a name, and
 * unknown members. E_INVALID: "Source offset 'file' parameter is missing". */
enum err mysql_offset_parse(struct mysql_offset *o, struct slice json, struct error *e) MUST_CHECK;
/* history: as in records of the schema history, without event and row. */
void mysql_offset_print(const struct mysql_offset *o, bool history, struct strbuf *out);
/* {"server":"<prefix>"} */
void mysql_partition_print(struct slice prefix, struct strbuf *out);

/* True when the stream that has reached `b` has been at `a`: GTID sets decide when both have one,
 * else number of the file and position. mariadb: form of the sets. */
bool mysql_offset_at_or_before(const struct mysql_offset *a, const struct mysql_offset *b,
                               bool mariadb);
/* Number behind the last dot of a binlog's name; 0 when there is none. */
uint64_t mysql_binlog_number(struct slice file);

#endif
