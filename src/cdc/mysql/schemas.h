/* cdc/mysql/schemas.h - the shape of a captured table's events: topic, key, value and envelope
 * schemas, decoders of all columns. Made once per table version; rows only run through it.
 *
 * A row is an array of values: first the fields of the value struct, then key columns that a column
 * filter keeps out of the value or a rule changes in it. SPEC: cdc-mysql 5.2, 5.13, 6. Thread: the task's. */
#ifndef WEIR_CDC_MYSQL_SCHEMAS_H
#define WEIR_CDC_MYSQL_SCHEMAS_H

#include "base/base.h"
#include "base/map.h"
#include "cdc/filter.h"
#include "cdc/mysql/column_converters.h"
#include "cdc/mysql/column_rule.h"
#include "cdc/mysql/options.h"
#include "cdc/mysql/row.h"
#include "cdc/mysql/table.h"
#include "cdc/mysql/value.h"
#include "connect/record.h"

struct key_rule { /* one element of message.key.columns */
    struct regex *table;
    struct slice columns; /* "c1,c2", borrowed from the options */
};
struct shape_rules {
    const struct mysql_options *options; /* borrowed */
    struct capture_filter filter;
    struct column_converters converters;
    struct column_rules columns;
    struct value_modes modes, key_modes; /* keys show columns as they are */
    struct key_rule *keys;
    size_t key_count;
    const struct schema *source; /* of source blocks; borrowed */
};
enum err shape_rules_init(struct shape_rules *r, const struct mysql_options *o,
                          const struct schema *source, struct error *e) MUST_CHECK;
void shape_rules_release(struct shape_rules *r);

struct shape {
    const struct mysql_table *table; /* one reference */
    struct arena arena;              /* texts and arrays below */
    struct slice topic;
    enum failure_mode on_value_error;
    struct codec *codecs; /* one per table column */
    int32_t *slots;       /* position in a row, or -1: not wanted */
    uint32_t field_count; /* fields of the value */
    uint32_t row_count;   /* with the key-only columns */
    uint32_t *key_slots;  /* key_count: positions in a row, in the order of the key */
    uint32_t key_count;
    /* Per key column, where the value shows it changed by a rule: the codec for its own slot of the
     * key (else schema NULL). NULL: no rule touches the key. */
    struct codec *key_codecs;
    uint32_t *key_columns;      /* table columns of the key */
    const struct schema *key;   /* NULL: no key */
    const struct schema *value; /* optional row struct */
    const struct schema *envelope;
    /* `{"schema":...,"payload":` of records that are written as text, made with the first plan: they
     * outlive plans, because records of the batch point to them. Null: not made. */
    struct slice value_head, key_head;
    struct shape *retired_next;
};
struct shape *shape_new(const struct shape_rules *r, const struct mysql_table *table);
void shape_free(struct shape *s);

/* Topic of a table. */
void shape_topic(const struct mysql_options *o, struct slice db, struct slice table,
                 struct strbuf *out);

/* One image: cells in table order. before: cells of the image before, for partial JSON; may be
 * NULL. A value that can't be read is null, or as its column has it for null, unless
 * event.converting.failure.handling.mode says fail. E_NOMEM: over the batch's budget; E_CORRUPT. */
enum err shape_cells(const struct shape *s, struct value_env *env,
                     const struct mysql_table_map *map, const struct mysql_cell *cells,
                     const struct mysql_cell *before, struct value **row,
                     struct error *e) MUST_CHECK;
/* One row of a snapshot; texts[i] belongs to column columns[i]. */
enum err shape_texts(const struct shape *s, struct value_env *env, const uint32_t *columns,
                     uint32_t count, const char *const *texts, const unsigned long *lengths,
                     struct value **row, struct error *e) MUST_CHECK;
/* One column of a row from a text of the server, in the value and in the key. Null slice: NULL. */
enum err shape_text(const struct shape *s, struct value_env *env, uint32_t column,
                    struct slice text, struct value *row) MUST_CHECK;
struct value shape_key(const struct shape *s, struct arena *a, const struct value *row);
static inline struct value shape_value(const struct shape *s, struct value *row)
{
    return (struct value){.kind = VALUE_STRUCT, .n = s->field_count, .u.v = row};
}
bool shape_same_key(const struct shape *s, const struct value *a, const struct value *b);
bool shape_same_row(const struct shape *s, const struct value *a, const struct value *b);

/* Shapes by table, newest version; replaced ones live until no batch can hold their schemas. */
struct shapes {
    const struct shape_rules *rules;
    struct map by_table; /* "db\0table" -> struct shape */
    struct shape *retired, *retired_before;
};
void shapes_init(struct shapes *s, const struct shape_rules *r);
void shapes_release(struct shapes *s);
struct shape *shapes_get(struct shapes *s, const struct mysql_table *table);
/* Start of a poll: what was replaced before the batch before is released. */
void shapes_tick(struct shapes *s);

#endif
