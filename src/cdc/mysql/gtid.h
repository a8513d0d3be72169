/* cdc/mysql/gtid.h - GTID sets of MySQL and GTID positions of MariaDB.
 *
 * MySQL: uuid[:tag]:1-5:7, sets sorted by uuid bytes and tag, intervals merged; text ends
 * inclusive, the wire's ends exclusive. MariaDB: domain-server-sequence, one entry per domain, in
 * order of domain. SPEC: cdc-mysql 2.4, 4.6, 11.4. Thread: the owner's. */
#ifndef WEIR_CDC_MYSQL_GTID_H
#define WEIR_CDC_MYSQL_GTID_H

#include "base/base.h"
#include "base/err.h"
#include "base/str.h"

#define GTID_TAG_MAX 32
struct gtid_interval {
    uint64_t first, last; /* inclusive */
};
struct gtid_source {
    uint8_t uuid[16];
    char tag[GTID_TAG_MAX + 1]; /* "" without one */
    struct gtid_interval *intervals;
    size_t count, cap;
};
struct gtid_set {
    struct gtid_source *sources;
    size_t count, cap;
};
#define GTID_SET_INIT                                                                              \
    {                                                                                              \
        NULL, 0, 0                                                                                 \
    }

void gtid_set_init(struct gtid_set *s);
void gtid_set_release(struct gtid_set *s);
void gtid_set_copy(struct gtid_set *to, const struct gtid_set *from); /* `to` is initialised here */
/* Text in any spelling that the servers accept: blanks, newlines, upper-case hex, empty set.
 * Replaces the contents. E_INVALID. */
enum err gtid_set_parse(struct gtid_set *s, struct slice text, struct error *e) MUST_CHECK;
void gtid_set_print(const struct gtid_set *s,
                    struct strbuf *out); /* lower case, "," without newline */
void gtid_set_add(struct gtid_set *s, const uint8_t uuid[16], const char *tag, uint64_t gno);
void gtid_set_add_range(struct gtid_set *s, const uint8_t uuid[16], const char *tag, uint64_t first,
                        uint64_t last);
void gtid_set_union(struct gtid_set *s, const struct gtid_set *other);
void gtid_set_subtract(struct gtid_set *s, const struct gtid_set *other);
bool gtid_set_contains(const struct gtid_set *s, const uint8_t uuid[16], const char *tag,
                       uint64_t gno);
bool gtid_set_subset(const struct gtid_set *inner,
                     const struct gtid_set *outer); /* inner in outer */
bool gtid_set_eq(const struct gtid_set *a, const struct gtid_set *b);
bool gtid_set_has_uuid(const struct gtid_set *s, const uint8_t uuid[16]);
/* Removes all sources of a uuid (gtid.source filters). */
void gtid_set_remove_uuid(struct gtid_set *s, const uint8_t uuid[16]);
/* Data of COM_BINLOG_DUMP_GTID. Tagged sources are left out (older form) unless tagged is true. */
void gtid_set_encode(const struct gtid_set *s, bool tagged, struct strbuf *out);
/* Body of PREVIOUS_GTIDS and the like (either form). E_CORRUPT, E_TRUNCATED. */
enum err gtid_set_decode(struct gtid_set *s, struct slice bytes, struct error *e) MUST_CHECK;
#define GTID_UUID_TEXT 37
void gtid_uuid_text(const uint8_t uuid[16], char out[GTID_UUID_TEXT]);
enum err gtid_uuid_parse(struct slice text,
                         uint8_t uuid[16]) MUST_CHECK; /* with or without dashes */

struct mariadb_gtid {
    uint32_t domain, server;
    uint64_t seq;
};
struct mariadb_gtid_pos {
    struct mariadb_gtid *items; /* ordered by domain, then as given */
    size_t count, cap;
};
#define MARIADB_GTID_POS_INIT                                                                      \
    {                                                                                              \
        NULL, 0, 0                                                                                 \
    }
void mariadb_gtid_pos_init(struct mariadb_gtid_pos *p);
void mariadb_gtid_pos_release(struct mariadb_gtid_pos *p);
void mariadb_gtid_pos_copy(struct mariadb_gtid_pos *to, const struct mariadb_gtid_pos *from);
enum err mariadb_gtid_pos_parse(struct mariadb_gtid_pos *p, struct slice text,
                                struct error *e) MUST_CHECK;
void mariadb_gtid_pos_print(const struct mariadb_gtid_pos *p, struct strbuf *out);
/* Sets the last GTID of its domain. */
void mariadb_gtid_pos_add(struct mariadb_gtid_pos *p, struct mariadb_gtid g);
/* True when every domain of a is in b with at least its sequence. */
bool mariadb_gtid_pos_at_or_before(const struct mariadb_gtid_pos *a,
                                   const struct mariadb_gtid_pos *b);

#endif
