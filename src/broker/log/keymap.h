/* broker/log/keymap.h - for compaction: the highest offset of each key, in a bounded table.
 *
 * Keys are told apart by 128 bits of their SHA-256, so a slot takes 24 bytes whatever the key's
 * size (log.cleaner.dedupe.buffer.size counts slots that way, as Kafka does). Thread: the owner's.
 */
#ifndef WEIR_BROKER_LOG_KEYMAP_H
#define WEIR_BROKER_LOG_KEYMAP_H

#include "base/err.h"
#include "base/str.h"

struct keymap_slot;
struct keymap {
    struct keymap_slot *slots;
    size_t cap, count, limit; /* limit: keys, by the load factor */
};
#define KEYMAP_SLOT_BYTES 24
/* Room for `expected` keys if max_bytes allows (at least for one). load: how full, 0..1. E_NOMEM.
 */
enum err keymap_init(struct keymap *m, size_t expected, size_t max_bytes, double load) MUST_CHECK;
void keymap_release(struct keymap *m);
/* offset >= 0 and not below earlier ones of the key. False: it is a new key and there is no room.
 */
bool keymap_put(struct keymap *m, struct slice key, int64_t offset);
int64_t keymap_get(const struct keymap *m, struct slice key); /* -1: not there */

#endif
