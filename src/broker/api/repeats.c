/* broker/api/repeats.c - see repeats.h. */
#include "broker/api/repeats.h"

#include "base/base.h"
#include "base/map.h"

#define FEW 8 /* compared with each other */

struct slice *repeats_keys(struct arena *a, int32_t n)
{
    return arena_alloc(a, ((size_t)MAX(n, 0) + 1) * sizeof(struct slice));
}

static void compare(const struct slice *keys, int32_t n, uint8_t *out)
{
    for (int32_t i = 1; i < n; i++) {
        for (int32_t k = 0; k < i; k++) {
            if (out[k] == REPEAT_EARLIER || !slice_eq(keys[k], keys[i]))
                continue;
            out[k] = REPEAT_FIRST;
            out[i] = REPEAT_EARLIER;
        }
    }
}

const uint8_t *repeats_of(struct arena *a, const struct slice *keys, int32_t n)
{
    uint8_t *out = arena_calloc(a, (size_t)MAX(n, 0) + 1, 1);
    if (n <= FEW) {
        compare(keys, n, out);
        return out;
    }
    struct map seen;
    map_init(&seen);
    for (int32_t i = 0; i < n; i++) {
        uint8_t *first = map_get(&seen, keys[i]);
        if (first) {
            *first = REPEAT_FIRST;
            out[i] = REPEAT_EARLIER;
        } else {
            (void)map_put(&seen, keys[i], &out[i]);
        }
    }
    map_release(&seen, NULL);
    return out;
}
