/* broker/log/checkpoint.h - Kafka's small text files: offsets per partition, leader epochs.
 *
 *   0                      version
 *   2                      number of lines
 *   orders 0 1234          topic partition offset        (or: epoch startOffset)
 *
 * and one of weir's own in the same manner: where logs ended when all of them was durable, so that a
 * start after a crash need not read those that nobody wrote to since.
 *
 *   orders 0 1000 1234 52340 0    topic partition, base of the last segment, end offset, bytes of
 *                                 the last segment, leader epoch */
#ifndef WEIR_BROKER_LOG_CHECKPOINT_H
#define WEIR_BROKER_LOG_CHECKPOINT_H

#include "base/err.h"
#include "base/map.h"
#include "base/str.h"

/* key "topic 0" -> offset + 1 in the pointer's place; 0 entries when the file is missing or
 * damaged. */
struct checkpoint {
    struct map offsets;
};
void checkpoint_init(struct checkpoint *c);
void checkpoint_release(struct checkpoint *c);
void checkpoint_set(struct checkpoint *c, struct slice topic, int32_t partition, int64_t offset);
int64_t checkpoint_get(const struct checkpoint *c, struct slice topic,
                       int32_t partition); /* -1: none */
void checkpoint_load(struct checkpoint *c, const char *path);
enum err checkpoint_save(const struct checkpoint *c, const char *path, struct error *e) MUST_CHECK;

struct tail {
    int64_t base, end, size;
    int32_t epoch;
};
struct tails {
    struct map of; /* key "topic 0" -> struct tail, owned */
};
void tails_init(struct tails *t);
void tails_release(struct tails *t);
void tails_set(struct tails *t, struct slice topic, int32_t partition, const struct tail *tail);
const struct tail *tails_get(const struct tails *t, struct slice topic,
                             int32_t partition); /* NULL: none */
void tails_load(struct tails *t, const char *path);
enum err tails_save(const struct tails *t, const char *path, struct error *e) MUST_CHECK;

struct epoch_entry {
    int32_t epoch;
    int64_t start;
};
/* Caller frees *out with mem_free. A missing or damaged file gives none. */
void epochs_load(const char *path, struct epoch_entry **out, size_t *count);
enum err epochs_save(const char *path, const struct epoch_entry *epochs, size_t count,
                     struct error *e) MUST_CHECK;

#endif
