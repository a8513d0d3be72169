/* cdc/option_words.h - what the connectors' options have in common: words that stand for values, lists
 * of operations, and names that are not a connector's own. SPEC: cdc-mysql 1.3, cdc-mongodb 2.
 * Thread: any. */
#ifndef WEIR_CDC_OPTION_WORDS_H
#define WEIR_CDC_OPTION_WORDS_H

#include "base/base.h"
#include "base/str.h"
#include "base/strmap.h"

enum failure_mode { FAILURE_FAIL, FAILURE_WARN, FAILURE_SKIP };
enum adjustment_mode { ADJUST_NONE, ADJUST_AVRO, ADJUST_AVRO_UNICODE };
enum skipped_ops {
    SKIP_CREATE = 1,
    SKIP_UPDATE = 2,
    SKIP_DELETE = 4,
    SKIP_TRUNCATE = 8,
    SKIP_READ = 16
};

struct option_word {
    const char *text;
    int value;
};
/* Value of the text (any case, trimmed) in a table that ends with text NULL; `otherwise` when it is
 * not there. */
int option_word(const struct option_word *words, struct slice text, int otherwise);
extern const struct option_word option_failure_words[];    /* enum failure_mode */
extern const struct option_word option_adjustment_words[]; /* enum adjustment_mode */

/* Mask of enum skipped_ops out of "c, u". */
unsigned option_skipped(struct slice text);
/* field.name.adjustment.mode; without a text what the converters named in config need: Avro's names
 * have rules. */
enum adjustment_mode option_field_adjustment(const struct strmap *config, struct slice text);
/* True for options of the worker, of transforms and converters, and for families of names that all
 * connectors take: they are no mistakes in a connector's configuration. */
bool option_is_foreign(struct slice key);

#endif
