/* tests/unit/cdc/transforms/mongo_world.h - one transform and records as the MongoDB connector
 * makes them. */
#ifndef WEIR_TESTS_UNIT_CDC_TRANSFORMS_MONGO_WORLD_H
#define WEIR_TESTS_UNIT_CDC_TRANSFORMS_MONGO_WORLD_H

#include "connect/connector.h"

/* JSON of an envelope; the parts are JSON too. */
#define VALUE(after, update, op)                                                                   \
    "{\"before\":null,\"after\":" after ",\"updateDescription\":" update ",\"source\":{"           \
    "\"version\":\"3\",\"connector\":\"mongodb\",\"name\":\"n\",\"ts_ms\":7,\"snapshot\":null,"    \
    "\"db\":\"d\",\"sequence\":null,\"ts_us\":7,\"ts_ns\":7,\"collection\":\"c\",\"ord\":1,"       \
    "\"lsid\":null,\"txnNumber\":null,\"wallTime\":7},\"op\":\"" op "\",\"ts_ms\":7,"              \
    "\"transaction\":null}"

struct mongo_world {
    const struct transform_ops *ops;
    void *state;
    struct record_batch batch;
    const struct schema *key, *envelope;
    char *topic;
};
void mongo_start(struct mongo_world *w, const struct transform_ops *ops, const char *config,
                 const char *topic); /* "name=value" lines */
void mongo_stop(struct mongo_world *w);
/* A record of the batch; value NULL: a tombstone. id: the text in the key. */
struct record *mongo_add(struct mongo_world *w, const char *id, const char *value);
/* In a new batch through the transform; want: topic, schema and value of the key, " | ", those of
 * the value, headers; or "dropped", or the message, of which want may leave out what stands
 * indented below the original's words. `schemas`: not without them. */
void mongo_apply(struct mongo_world *w, const char *id, const char *value, bool schemas,
                 const char *want);

#endif
