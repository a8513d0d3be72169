/* connect/converters/infer.h - the type that a text looks like: header texts and literals.
 *
 * true, 1 (the smallest integer type that holds it), 1.5, 2024-02-29, 12:34:56.789Z, [1, 2],
 * {"a": 1}, null; everything else is a string. SPEC: connect 5.3. Thread: any. */
#ifndef WEIR_CONNECT_CONVERTERS_INFER_H
#define WEIR_CONNECT_CONVERTERS_INFER_H

#include "connect/schema.h"

/* Values live in the arena, strings may be slices of text. *schema: one reference for the caller;
 * NULL for null. */
struct value infer_value(struct slice text, struct arena *a, const struct schema **schema);

#endif
