/* cdc/mysql/dump.h - the replication stream: asks for the binlog and hands out raw events.
 *
 * Without TLS the socket is read directly into one large buffer (several events a system call);
 * with TLS packets come from mysql_net_read_packet. Events above 16 MiB arrive in several packets
 * and are put together under a ceiling. The bytes of an event stay valid until the next call. SPEC:
 * cdc-mysql 2.4. Thread: one; the options' `stop` may be set by any. */
#ifndef WEIR_CDC_MYSQL_DUMP_H
#define WEIR_CDC_MYSQL_DUMP_H

#include "base/base.h"
#include "base/err.h"
#include "base/str.h"
#include "cdc/mysql/conn.h"

struct mysql_dump;

struct mysql_dump_options {
    struct mysql_conn_options conn;
    uint32_t server_id;    /* ours; unique among replicas */
    struct slice file;     /* binlog file; ignored with gtids */
    uint64_t pos;          /* < 4 is taken as 4. Above 4 GiB: starts at 4 of the file and skips */
    struct slice gtids;    /* MySQL GTID set or MariaDB GTID list; null: by file and position;
                               empty: from the start of what the server has */
    uint32_t heartbeat_ms; /* server heartbeat period when idle; 0: 48 s */
    bool annotate;         /* MariaDB: send ANNOTATE_ROWS */
    int64_t net_write_timeout_s, net_read_timeout_s; /* of the session; 0: the server's */
    bool register_replica;  /* COM_REGISTER_SLAVE, so that SHOW REPLICAS shows us */
    size_t max_event_bytes; /* ceiling of one event; 0: 1 GiB + 64 KiB (the servers' own limit) */
};

/* Connects, negotiates checksum and capabilities, asks for the stream. Errors as mysql_conn_open;
 * E_REMOTE with the server's code for a refused dump comes from the first next (1236, 1227). */
enum err mysql_dump_open(const struct mysql_dump_options *o, struct mysql_dump **out,
                         struct error *e) MUST_CHECK;
/* The same in two steps. */
struct mysql_dump *mysql_dump_new(const struct mysql_dump_options *o); /* copies */
enum err mysql_dump_start(struct mysql_dump *d, struct error *e) MUST_CHECK;
void mysql_dump_close(struct mysql_dump *d); /* frees; NULL allowed */

/* The next raw event (19-byte header on), *event valid until the next call.
 *   E_AGAIN      nothing came within timeout_ms (0: only what is there already)
 *   E_REMOTE     the server ended the stream with an error (e->sys 1236: position or GTIDs not
 *                available, or a server id in use twice; 1227, 1045: privileges)
 *   E_IO         connection lost, or the server ended the stream (EOF): reconnect
 *   E_TOO_LARGE  an event above the ceiling
 *   E_CORRUPT    packets out of order
 *   E_CANCELLED */
enum err mysql_dump_next(struct mysql_dump *d, int timeout_ms, struct slice *event,
                         struct error *e) MUST_CHECK;
/* The event that next gave is not needed any more; the bytes of a large one are given back now and not
 * at the next call. */
void mysql_dump_done(struct mysql_dump *d);
/* True when next would not wait: a whole event is in the buffer. */
bool mysql_dump_buffered(const struct mysql_dump *d);
/* The server sends checksums (for mysql_binlog_init). */
bool mysql_dump_checksums(const struct mysql_dump *d);
const struct mysql_server *mysql_dump_server(const struct mysql_dump *d);
uint64_t mysql_dump_bytes(const struct mysql_dump *d); /* received so far */

#endif
