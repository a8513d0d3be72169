/* connect/transforms/transforms.c - the list. */
#include "connect/transforms/transforms.h"

const struct transform_ops *const connect_transforms[] = {
#define X(var) &var,
    KAFKA_TRANSFORMS(X)
#undef X
        NULL,
};
