/* cdc/mysql/column_converters.h - Debezium's own value converters for MySQL and MariaDB, named by
 * the options `converters` and `NAME.type`:
 *
 *   TinyIntOneToBooleanConverter  TINYINT(1) as boolean
 *   JdbcSinkDataTypesConverter    selected columns as INT16, FLOAT64 or text with its character set
 *   ZeroDateFallbackConverter     zero dates as null or as a value of the user's
 *
 * A converter takes the place of a column's decoders when the shape of its table is made; per value
 * there is one call more for these columns and none for others. Classes of the user's own are Java
 * and refused by name. SPEC: cdc-mysql 6.10. Thread: the task's. */
#ifndef WEIR_CDC_MYSQL_COLUMN_CONVERTERS_H
#define WEIR_CDC_MYSQL_COLUMN_CONVERTERS_H

#include "base/strmap.h"
#include "cdc/mysql/value.h"

struct column_converter;
struct column_converters {
    struct column_converter *v;
    size_t count;
};
/* From a canonical configuration. E_INVALID: a class that is not there, a selector or a fallback
 * that can't be read; e->msg says which. Released by the caller in any case. */
enum err column_converters_init(struct column_converters *c, const struct strmap *config,
                                struct error *e) MUST_CHECK;
void column_converters_release(struct column_converters *c);

/* The first one that takes this column, or NULL. */
const struct column_converter *column_converter_for(const struct column_converters *c,
                                                    const struct mysql_table *table,
                                                    const struct mysql_column *column);
/* Instead of codec_choose: sets what the codec decodes to. */
void column_converter_apply(const struct column_converter *cc, const struct mysql_table *table,
                            struct codec *c, struct schema_builder **b);
/* The default that the converter gives the column. E_AGAIN: that of the DEFAULT clause;
 * E_NOT_FOUND: none. */
enum err column_converter_default(const struct codec *c, struct value_env *env,
                                  struct value *out) MUST_CHECK;

#endif
