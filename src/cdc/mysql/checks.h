/* cdc/mysql/checks.h - questions to the server before anything is read: settings, privileges,
 * position. SPEC: cdc-mysql 2.3, 2.5. Messages are Debezium's, plain. Thread: the caller's. */
#ifndef WEIR_CDC_MYSQL_CHECKS_H
#define WEIR_CDC_MYSQL_CHECKS_H

#include "base/base.h"
#include "base/err.h"
#include "cdc/mysql/conn.h"
#include "cdc/mysql/gtid_filter.h"
#include "cdc/mysql/offset.h"

/* Settings of the server: a fault is the error, warnings are logged. queries: the text of
 * statements is wanted. */
enum err check_settings(struct mysql_conn *c, bool queries, struct error *e) MUST_CHECK;
/* Current position: file, pos and, where the server has them, GTIDs. */
enum err check_position(struct mysql_conn *c, struct mysql_offset *out, struct error *e) MUST_CHECK;
/* The position of the read view that this session has just opened; *told false: this server does
 * not tell it, and out is as it was. */
enum err check_view_position(struct mysql_conn *c, struct mysql_offset *out, bool *told,
                             struct error *e) MUST_CHECK;
/* Whether the server still has everything behind the offset that comes from wanted sources. */
enum err check_available(struct mysql_conn *c, const struct mysql_offset *o,
                         const struct gtid_filter *f, bool *available, struct error *e) MUST_CHECK;
/* guardrail.collections.max: how many tables the filter captures. fail: too many are an error, else
 * a warning. */
enum err check_guardrail(struct mysql_conn *c, const struct capture_filter *f, int64_t max,
                         bool fail, struct error *e) MUST_CHECK;
/* Whether the privilege (or ALL) is granted somewhere. */
enum err check_privilege(struct mysql_conn *c, const char *privilege, bool *has,
                         struct error *e) MUST_CHECK;
/* gtid_mode is ON (MariaDB: always). */
enum err check_gtid_mode(struct mysql_conn *c, bool *on, struct error *e) MUST_CHECK;

/* Warns when binlogs are missing or begin late; for starts without a stored position. */
void check_first_binlog(struct mysql_conn *c);
/* The server threw a reader out because another one has its number. */
bool check_same_id(const struct error *e);
/* Why a server refuses its binlog, and the cure, as hint of its error. */
void check_dump_hint(struct error *e);

#endif
