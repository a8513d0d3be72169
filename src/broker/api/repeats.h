/* broker/api/repeats.h - entries of a request that name the same thing, found in one pass: a request
 * of a million names must not cost its square. Thread: any. */
#ifndef WEIR_BROKER_API_REPEATS_H
#define WEIR_BROKER_API_REPEATS_H

#include "base/arena.h"
#include "base/base.h"
#include "base/str.h"

enum repeat {
    REPEAT_NONE,    /* nothing else has this key */
    REPEAT_FIRST,   /* the first of several */
    REPEAT_EARLIER, /* an earlier one has it */
};
/* One enum repeat per key, in the arena. */
const uint8_t *repeats_of(struct arena *a, const struct slice *keys, int32_t n);
/* Room for the keys, in the arena; n <= 0 gives room too. */
struct slice *repeats_keys(struct arena *a, int32_t n);

#endif
