/* cdc/mysql/event_int.h - internal to the event*.c family: the decoder's state. Thread: the
 * owner's. */
#ifndef WEIR_CDC_MYSQL_EVENT_INT_H
#define WEIR_CDC_MYSQL_EVENT_INT_H

#include "base/map.h"
#include "cdc/mysql/event.h"

struct payload_reader;

struct mysql_binlog {
    struct mysql_binlog_options options;
    size_t max_bytes;
    bool checksums;                 /* events end with 4 bytes of CRC-32 */
    uint8_t post_len[256];          /* post-header lengths by type, as FORMAT_DESCRIPTION says */
    struct map maps;                /* table id -> struct mysql_table_map */
    struct strbuf plain;            /* decompressed part of the event in hand */
    struct payload_reader *payload; /* open TRANSACTION_PAYLOAD, or kept for the next */
};

enum { EVENT_BYTES_KEPT = 8 << 20 }; /* of buffers, between events */

typedef enum err (*event_decoder_fn)(struct mysql_binlog *b, struct mysql_event *ev,
                                     struct error *e);

enum err event_decode_table_map(struct mysql_binlog *b, struct mysql_event *ev,
                                struct error *e) MUST_CHECK;
enum err event_decode_gtid_tagged(struct mysql_binlog *b, struct mysql_event *ev,
                                  struct error *e) MUST_CHECK;
void event_forget_maps(struct mysql_binlog *b);
/* Body and type are set: calls the type's decoder. */
enum err event_decode_body(struct mysql_binlog *b, struct mysql_event *ev,
                           struct error *e) MUST_CHECK;
/* MariaDB's compressed part of an event, to b->plain. */
enum err event_decompress(struct mysql_binlog *b, struct slice in, struct error *e) MUST_CHECK;
enum err event_open_payload(struct mysql_binlog *b, struct mysql_event *ev,
                            struct error *e) MUST_CHECK;
/* Between two events of it, or behind it. */
void event_trim_payload(struct mysql_binlog *b);
void event_free_payload(struct mysql_binlog *b);
/* MySQL's packed integer (1, 3, 4 or 9 bytes); 0 with a failed reader on 251 and 255. */
uint64_t event_packed(struct reader *r);
/* E_CORRUPT, or the reader's error, with the event's name and place. */
enum err event_bad(const struct mysql_event *ev, const char *what, struct error *e) MUST_CHECK;

#endif
