/* broker/features.h - the cluster features of Kafka: which levels weir knows, and which are in force.
 * ApiVersions shows them, UpdateFeatures answers for them. Immutable. SPEC: broker 2.6, 10.1. */
#ifndef WEIR_BROKER_FEATURES_H
#define WEIR_BROKER_FEATURES_H

#include "base/base.h"
#include "base/str.h"

struct broker_feature {
    const char *name;
    int16_t min, max; /* supported levels */
    int16_t level;    /* in force; 0: not finalized */
};
/* Sorted by name. */
const struct broker_feature *broker_features(size_t *count);
const struct broker_feature *broker_feature(struct slice name); /* NULL when unknown */

#endif
