/* connect/value.c - compound values in an arena: new, copy, compare. Declared in connect/schema.h.
 */
#include "connect/schema.h"

static struct value compound(struct arena *a, enum value_kind kind, uint32_t n, size_t cells)
{
    struct value v = {.kind = (uint8_t)kind, .n = n};
    v.u.v = arena_calloc(a, cells ? cells : 1, sizeof *v.u.v);
    return v;
}

struct value value_struct_new(struct arena *a, uint32_t n)
{
    return compound(a, VALUE_STRUCT, n, n);
}

struct value value_array_new(struct arena *a, uint32_t n)
{
    return compound(a, VALUE_ARRAY, n, n);
}

struct value value_map_new(struct arena *a, uint32_t n)
{
    return compound(a, VALUE_MAP, n, (size_t)n * 2);
}

static size_t cells_of(struct value v)
{
    switch ((enum value_kind)v.kind) {
    case VALUE_ARRAY:
    case VALUE_STRUCT:
        return v.n;
    case VALUE_MAP:
        return (size_t)v.n * 2;
    default:
        return 0;
    }
}

struct value value_copy(struct arena *a, struct value v)
{
    if (v.kind == VALUE_STRING || v.kind == VALUE_BYTES) {
        v.u.s = arena_dup(a, slice_of(v.u.s, v.n)).p;
        return v;
    }
    if (v.kind < VALUE_ARRAY)
        return v;
    size_t cells = cells_of(v);
    struct value out = v;
    out.u.v = arena_alloc(a, (cells ? cells : 1) * sizeof *out.u.v);
    for (size_t i = 0; i < cells; i++)
        out.u.v[i] = value_copy(a, v.u.v[i]);
    return out;
}

bool value_eq(struct value a, struct value b)
{
    if (a.kind != b.kind)
        return false;
    switch ((enum value_kind)a.kind) {
    case VALUE_NULL:
        return true;
    case VALUE_BOOL:
    case VALUE_INT:
        return a.u.i == b.u.i;
    case VALUE_DOUBLE: /* by bits, as Java's Double.equals: NaN equals NaN, 0.0 is not -0.0 */
        return memcmp(&a.u.d, &b.u.d, sizeof a.u.d) == 0;
    case VALUE_STRING:
    case VALUE_BYTES:
        return a.n == b.n && (a.n == 0 || memcmp(a.u.s, b.u.s, a.n) == 0);
    case VALUE_ARRAY:
    case VALUE_MAP:
    case VALUE_STRUCT:
        break;
    }
    if (a.n != b.n)
        return false;
    size_t cells = cells_of(a);
    for (size_t i = 0; i < cells; i++)
        if (!value_eq(a.u.v[i], b.u.v[i]))
            return false;
    return true;
}
