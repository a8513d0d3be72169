/* broker/features.c - the table of features. */
#include "broker/features.h"

#include "base/base.h"

static const struct broker_feature features[] = {
    {"eligible.leader.replicas.version", 0, 1, 1},
    {"group.version", 0, 1, 1},
    {"kraft.version", 0, 1, 0},
    {"metadata.version", 7, 27, 27}, /* 3.3-IV3 to 4.1-IV1 */
    {"share.version", 0, 1, 1},
    {"transaction.version", 0, 2, 2},
};

const struct broker_feature *broker_features(size_t *count)
{
    *count = ARRAY_LEN(features);
    return features;
}

const struct broker_feature *broker_feature(struct slice name)
{
    for (size_t i = 0; i < ARRAY_LEN(features); i++)
        if (slice_eq_c(name, features[i].name))
            return &features[i];
    return NULL;
}
