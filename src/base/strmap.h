/* base/strmap.h - ordered map from text to text: connector configurations, offsets, properties.
 * Keeps the order of first insertion; copies keys and values. Small (linear search up to some
 * dozens, an index above). Thread: the owner's. */
#ifndef WEIR_BASE_STRMAP_H
#define WEIR_BASE_STRMAP_H

#include "base/base.h"
#include "base/map.h"
#include "base/str.h"

struct strmap_entry {
    struct slice key, value; /* value null = null */
};
struct strmap {
    struct strmap_entry *entries;
    size_t count, cap;
    struct map index; /* key -> position + 1; built above 16 entries */
};
#define STRMAP_INIT                                                                                \
    {                                                                                              \
        NULL, 0, 0, MAP_INIT                                                                       \
    }
void strmap_init(struct strmap *m);
void strmap_release(struct strmap *m);
void strmap_set(struct strmap *m, struct slice key, struct slice value); /* replaces in place */
struct slice strmap_get(const struct strmap *m, struct slice key); /* null slice when absent */
struct slice strmap_get_c(const struct strmap *m, const char *key);
/* Values read as Java reads them, blanks around them aside; otherwise: absent, or something else. */
bool strmap_flag(const struct strmap *m, const char *key,
                 bool otherwise); /* true, false, any case */
int64_t strmap_i64(const struct strmap *m, const char *key, int64_t otherwise);
bool strmap_has(const struct strmap *m, struct slice key);
bool strmap_del(struct strmap *m, struct slice key);            /* keeps the others' order */
void strmap_copy(struct strmap *to, const struct strmap *from); /* `to` is initialised here */
bool strmap_eq(const struct strmap *a, const struct strmap *b); /* as sets */
/* Java .properties text (escapes, continuation lines, ! and # comments). */
enum err strmap_parse_properties(struct strmap *m, struct slice text, struct error *e) MUST_CHECK;

#endif
