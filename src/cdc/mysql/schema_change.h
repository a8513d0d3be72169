/* cdc/mysql/schema_change.h - records of the schema-change topic: one for each table that a
 * statement changed, or one for a statement about a database. SPEC: cdc-mysql 5.9. Thread: the
 * task's. */
#ifndef WEIR_CDC_MYSQL_SCHEMA_CHANGE_H
#define WEIR_CDC_MYSQL_SCHEMA_CHANGE_H

#include "base/base.h"
#include "cdc/envelope.h"
#include "cdc/mysql/schema.h"
#include "cdc/mysql/source_info.h"
#include "connect/record.h"

struct schema_change_schemas {
    const struct schema *key, *value;
    const struct schema *change, *table, *column; /* borrowed from value */
    bool table_comments; /* MariaDB's class tells them always (recorded in mariadb-specials) */
};
void schema_change_init(struct schema_change_schemas *s, enum mysql_flavour f,
                        const struct schema *source);
void schema_change_release(struct schema_change_schemas *s);

/* One record on `topic` for a change. source's db and table are already set for it. with_table: the
 * event lists the change of one table (else tableChanges is empty). Texts are copied. */
enum err schema_change_add(const struct schema_change_schemas *s, struct record_batch *b,
                           struct slice topic, const struct context_headers *headers,
                           const struct source_info *source, const struct mysql_change *change,
                           struct slice db, bool with_table, bool comments,
                           struct error *e) MUST_CHECK;
/* Whether a change lists a table, and its type: "CREATE", "ALTER", "DROP"; NULL: none. */
const char *schema_change_type(const struct mysql_change *c);

#endif
