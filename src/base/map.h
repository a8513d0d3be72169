/* base/map.h - hash map from bytes (or an integer) to a pointer. Keys are copied. Hash is seeded at
 * start, so that names from outside cannot make it slow. Thread: the owner's. */
#ifndef WEIR_BASE_MAP_H
#define WEIR_BASE_MAP_H

#include "base/base.h"
#include "base/str.h"

struct map_slot;
struct map {
    struct map_slot *slots;
    size_t count, cap;
};
#define MAP_INIT                                                                                   \
    {                                                                                              \
        NULL, 0, 0                                                                                 \
    }

void map_init(struct map *m);
void map_release(struct map *m, void (*free_value)(void *)); /* free_value NULL: values stay */
void *map_get(const struct map *m, struct slice key);        /* NULL when absent */
/* Returns the value replaced, or NULL. value must not be NULL. */
void *map_put(struct map *m, struct slice key, void *value);
void *map_del(struct map *m, struct slice key); /* the value removed, or NULL */
void *map_get_u64(const struct map *m, uint64_t key);
void *map_put_u64(struct map *m, uint64_t key, void *value);
void *map_del_u64(struct map *m, uint64_t key);
/* for (size_t i = 0; map_next(&m, &i, &key, &value);) - any order; the entry just seen may be
 * deleted. */
bool map_next(const struct map *m, size_t *i, struct slice *key, void **value);

#endif
