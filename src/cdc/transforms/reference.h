/* cdc/transforms/reference.h - metadata of a change event by name, as add.fields and add.headers
 * write it: op, table, source.ts_ms, transaction.id:txn. SPEC: connect 7.1. Thread: any. */
#ifndef WEIR_CDC_TRANSFORMS_REFERENCE_H
#define WEIR_CDC_TRANSFORMS_REFERENCE_H

#include "connect/schema.h"

struct reference {
    struct slice owner; /* "source", "transaction"; null: as the field's name tells */
    struct slice field;
    struct slice name; /* of the result; owned */
};
struct references {
    struct reference *v;
    size_t count;
};
/* text: comma separated, may be null; borrowed for as long as the references. prefix null: "__". */
void references_parse(struct references *r, struct slice text, struct slice prefix);
void references_release(struct references *r);

struct referred {
    const struct schema *schema; /* borrowed from the envelope's */
    struct value value;
};
/* False: there is no such metadata in this envelope. The value is null when the envelope is. */
bool reference_find(const struct reference *ref, const struct schema *envelope, struct value v,
                    struct referred *out);

#endif
