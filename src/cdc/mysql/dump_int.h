/* cdc/mysql/dump_int.h - internal to dump.c and dump_tls.c. */
#ifndef WEIR_CDC_MYSQL_DUMP_INT_H
#define WEIR_CDC_MYSQL_DUMP_INT_H

#include "base/str.h"
#include "cdc/mysql/conn.h"
#include "cdc/mysql/dump.h"

/* With TLS a thread of its own sits in mysql_net_read_packet, which cannot be waited for with a
 * time limit, and hands whole packets over in pieces of some megabytes. Each packet is stored as
 * u32 length and bytes. Thread: the dump's thread calls these; the reader thread is inside. */
struct dump_tls;

/* Starts the thread; wake_fd (an eventfd) is written when packets or the end have arrived. */
enum err dump_tls_start(struct mysql_conn *c, int wake_fd, struct dump_tls **out,
                        struct error *e) MUST_CHECK;
/* Swaps what has arrived into *filled (whose memory is taken in exchange). E_AGAIN: nothing; else
 * when the stream has ended: the error, once everything before it was handed over. */
enum err dump_tls_take(struct dump_tls *t, struct strbuf *filled, struct error *e) MUST_CHECK;
/* The connection has been cancelled (so that the thread comes out), or has ended. Joins; NULL
 * allowed. */
void dump_tls_stop(struct dump_tls *t);

/* Tests: a stream without TLS whose set-up is over. fd stays the caller's; large: packets from this
 * size on are received into one piece; full: a packet of this size goes on in the next. */
struct mysql_dump *dump_on_socket(int fd, size_t large, size_t full, size_t max_event_bytes);

#endif
