/* cdc/mysql/schema_int.h - internal to the schema*.c family: the store, and the table under change.
 * Thread: the task. */
#ifndef WEIR_CDC_MYSQL_SCHEMA_INT_H
#define WEIR_CDC_MYSQL_SCHEMA_INT_H

#include "base/map.h"
#include "cdc/mysql/ddl.h"
#include "cdc/mysql/schema.h"

struct schema_db {
    char *name;
    char *charset, *collation; /* collation "": the charset's default */
};

struct mysql_schema {
    struct mysql_schema_options options; /* its slices point to the two below */
    char *server_charset, *server_collation;
    struct map
        tables;     /* key: db NUL name, lower case when names compare so -> struct mysql_table */
    struct map dbs; /* key: name as above -> struct schema_db */
};

/* Charset and collation by name; the collation is null when it is the charset's default. */
struct charset_choice {
    struct slice name, collation;
};

/* --- the store (schema.c) ------------------------------------------------------------------- */
struct schema_db *schema_get_db(const struct mysql_schema *s, struct slice db);
void schema_put_db(struct mysql_schema *s, struct slice db, struct charset_choice c);
void schema_drop_db(struct mysql_schema *s, struct slice db);
struct charset_choice schema_db_choice(const struct mysql_schema *s, struct slice db,
                                       const struct mysql_charset *fallback);
/* What options or a column state, over an outer choice. */
struct charset_choice schema_choose(struct slice charset, struct slice collation,
                                    struct charset_choice outer);

/* --- tables as JSON (schema_json.c) --------------------------------------------------------- */
/* By enum mysql_default_kind, as the member "weir" says it. */
enum { SCHEMA_DEFAULT_KINDS = DEFAULT_EXPRESSION + 1 };
extern const char *const schema_default_kinds[SCHEMA_DEFAULT_KINDS];

/* --- a table under change (schema_table.c) -------------------------------------------------- */
struct build_column {
    struct mysql_column def;
    uint32_t id;
    struct slice before; /* its name before the statement; null: added by it */
};
struct build_key {
    struct slice name;
    bool whole;
    uint32_t *ids;
    uint32_t count;
};
struct build {
    struct arena *arena;
    struct error *e;
    const struct mysql_schema *schema;
    struct slice db, name, comment;
    struct charset_choice charset;
    struct build_column *columns;
    uint32_t count, cap, next_id;
    uint32_t *primary;
    uint32_t primary_count;
    struct build_key *keys;
    uint32_t key_count, key_cap;
    bool system_versioned, is_sequence;
};
/* Fills from a published table. E_NOMEM. */
enum err build_from(struct build *b, const struct mysql_table *t) MUST_CHECK;
enum err build_create(struct build *b, const struct ddl_stmt *s) MUST_CHECK;
/* One clause. E_NOT_FOUND: a column it needs is not in the model. */
enum err build_alter(struct build *b, const struct ddl_alter *a) MUST_CHECK;
enum err build_add_key(struct build *b, const struct ddl_key *k, bool if_not_exists) MUST_CHECK;
void build_drop_key(struct build *b, struct slice name);
enum err build_publish(struct build *b, const struct mysql_table **out) MUST_CHECK;

#endif
