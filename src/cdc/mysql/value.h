/* cdc/mysql/value.h - columns to Connect: for each column of a table version one schema, one
 * function that reads a cell of the binlog, one that reads the text of a snapshot.
 *
 * Everything that depends on the type, on options or on the default is decided in codec_init; per
 * value there is one indirect call. Values point into the input (which lives in the batch's arena)
 * or into the arena. SPEC: cdc-mysql 6. Thread: the task's. */
#ifndef WEIR_CDC_MYSQL_VALUE_H
#define WEIR_CDC_MYSQL_VALUE_H

#include "base/arena.h"
#include "base/base.h"
#include "base/bytes.h"
#include "base/err.h"
#include "cdc/mysql/options.h"
#include "cdc/mysql/row.h"
#include "cdc/mysql/table.h"
#include "connect/schema.h"

struct column_rule;
struct column_rules;
struct column_converters;
struct column_converter;

/* How values appear; made from the options once. */
struct value_modes {
    enum decimal_mode decimal;
    bool bigint_precise;
    enum time_mode time;
    enum binary_mode binary;
    bool time_adjuster, comments;
    struct slice unavailable;                   /* text for columns that a row image leaves out */
    bool unavailable_is_hex;                    /* unavailable is the digits behind "hex:" */
    const struct column_converters *converters; /* borrowed; NULL: none */
    const struct column_rules *rules;           /* NULL: none, as for keys; borrowed */
};
void value_modes_from(struct value_modes *m, const struct mysql_options *o);

struct value_env {
    struct arena *arena;   /* of the batch */
    struct strbuf scratch; /* reused between values */
};
void value_env_init(struct value_env *env);
void value_env_release(struct value_env *env);

struct codec;
/* E_INVALID: this value has no form in the schema (zero date, out of range): null or the fallback
 * is taken. Other errors are faults of the data. */
typedef enum err (*codec_cell_fn)(const struct codec *c, struct value_env *env,
                                  const struct mysql_map_column *m, const struct mysql_cell *cell,
                                  struct value *out);
typedef enum err (*codec_text_fn)(const struct codec *c, struct value_env *env, struct slice text,
                                  struct value *out);
/* Codecs that are simple enough to be written without a value in between; see render.h. */
enum codec_form {
    CODEC_OTHER,
    CODEC_SIGNED,   /* the cell is the number */
    CODEC_UNSIGNED, /* the same; above INT64_MAX it wraps */
    CODEC_NUMBER,   /* from_cell or from_text makes a number and needs no environment */
    CODEC_UTF8,     /* the cell is the text */
    CODEC_ASCII,    /* the same as long as no byte is above 0x7f */
    CODEC_BYTES,    /* the cell is the bytes */
    CODEC_DECIMAL,  /* the cell is a decimal, the value its unscaled bytes */
    CODEC_ZONED,    /* time stamp as text, with zone */
};
struct codec {
    const struct mysql_column *column; /* borrowed from the table */
    const struct value_modes *modes;   /* borrowed */
    const struct schema *schema;       /* one reference; NULL: a type without mapping, left out */
    codec_cell_fn from_cell;
    codec_text_fn from_text;
    enum codec_form form, text_form; /* of from_cell and from_text */
    struct value fallback;           /* for NULL or E_INVALID in a NOT NULL column */
    struct value on_null;            /* what NULL and E_INVALID give */
    struct value absent;             /* placeholder for what the image leaves out */
    uint32_t length;                 /* BINARY: bytes; BIT: bytes; temporal: digits of fraction */
    struct arena *keep;              /* behind fallback and absent; NULL: not needed */
    const struct column_converter *converter; /* NULL: none */
    codec_cell_fn base_cell;                  /* with a converter: the column's own decoders */
    codec_text_fn base_text;
    struct slice instead; /* text for zero dates; null: none */
    bool nullable;
    const struct column_rule *rule; /* NULL: none that changes values */
    codec_cell_fn plain_cell;       /* what from_cell is without a rule */
    codec_text_fn plain_text;
    bool text_is_default; /* while reading a DEFAULT's text instead of a row's */
};

/* table: for names in warnings. */
void codec_init(struct codec *c, const struct mysql_table *table, const struct mysql_column *column,
                const struct value_modes *modes);
void codec_release(struct codec *c);

/* One value of a row; what has no form in the schema is replaced here. */
enum err codec_cell(const struct codec *c, struct value_env *env, const struct mysql_map_column *m,
                    const struct mysql_cell *cell, struct value *out) MUST_CHECK;
enum err codec_text(const struct codec *c, struct value_env *env, struct slice text,
                    struct value *out) MUST_CHECK; /* null slice: NULL */
/* A cell as the column holds it, whatever a rule shows instead of it: for statements to the server. */
enum err codec_cell_plain(const struct codec *c, struct value_env *env,
                          const struct mysql_map_column *m, const struct mysql_cell *cell,
                          struct value *out) MUST_CHECK;
/* What the column's rule makes of a value that did not come through codec_cell or codec_text. */
enum err codec_rule(const struct codec *c, struct value_env *env, struct value *v) MUST_CHECK;
/* Columns of these types may be missing from a NOBLOB image. */
bool codec_may_be_absent(const struct mysql_column *column);

/* --- families, one file each; they set schema, from_cell, from_text --------------------------- */
struct schema_builder *
codec_schema(const struct codec *c, enum schema_type t, struct slice name,
             int32_t version); /* optional as the column is; name null: none */
/* The family's schema and decoders; *b stays NULL for a type without mapping. */
void codec_choose(struct codec *c, struct schema_builder **b);
void codec_init_number(struct codec *c, struct schema_builder **b);
void codec_init_string(struct codec *c, struct schema_builder **b);
void codec_init_time(struct codec *c, struct schema_builder **b);
void codec_init_geometry(struct codec *c, struct schema_builder **b);
/* Value of the DEFAULT clause. E_NOT_FOUND: the schema has no default. In env's arena. */
enum err codec_default(const struct codec *c, struct value_env *env, struct value *out) MUST_CHECK;
/* Zero of the type, for NOT NULL columns without default that receive NULL. */
struct value codec_zero(const struct codec *c, struct value_env *env);

/* Copies bytes into the arena; NULL without memory. */
char *value_dup(struct value_env *env, const void *p, size_t n);

#endif
