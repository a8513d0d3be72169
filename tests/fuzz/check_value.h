/* A value is one of its schema: of its type, and so is each part of it. Ends the program otherwise. */
#ifndef WEIR_TESTS_FUZZ_CHECK_VALUE_H
#define WEIR_TESTS_FUZZ_CHECK_VALUE_H

#include <stdlib.h>

#include "connect/schema.h"

static inline void must(bool is)
{
    if (!is)
        abort();
}

static inline void check_value(const struct schema *s, struct value v)
{
    static const uint8_t kinds[] = {
        [SCHEMA_INT32] = VALUE_INT,      [SCHEMA_INT64] = VALUE_INT,
        [SCHEMA_FLOAT64] = VALUE_DOUBLE, [SCHEMA_BOOLEAN] = VALUE_BOOL,
        [SCHEMA_STRING] = VALUE_STRING,  [SCHEMA_BYTES] = VALUE_BYTES,
        [SCHEMA_ARRAY] = VALUE_ARRAY,    [SCHEMA_STRUCT] = VALUE_STRUCT};
    if (v.kind == VALUE_NULL) {
        must(s->optional);
        return;
    }
    must(s->type < ARRAY_LEN(kinds) && v.kind == kinds[s->type]);
    if (s->type == SCHEMA_INT32)
        must(v.u.i >= INT32_MIN && v.u.i <= INT32_MAX);
    if (s->type == SCHEMA_ARRAY)
        for (uint32_t i = 0; i < v.n; i++)
            check_value(s->value, v.u.v[i]);
    if (s->type == SCHEMA_STRUCT) {
        must(v.n == s->fields_count);
        for (uint32_t i = 0; i < v.n; i++)
            check_value(s->fields[i].schema, v.u.v[i]);
    }
}

#endif
