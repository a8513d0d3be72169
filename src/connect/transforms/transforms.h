/* connect/transforms/transforms.h - Kafka's own transforms and predicates. SPEC: connect 6. */
#ifndef WEIR_CONNECT_TRANSFORMS_TRANSFORMS_H
#define WEIR_CONNECT_TRANSFORMS_TRANSFORMS_H

#include "connect/connector.h"

/* X(variable): headers.c, route.c, shape.c, field.c, cast.c, timestamp.c */
#define KAFKA_TRANSFORMS(X)                                                                        \
    X(smt_drop_headers)                                                                            \
    X(smt_header_from_key)                                                                         \
    X(smt_header_from_value)                                                                       \
    X(smt_insert_header)                                                                           \
    X(smt_filter)                                                                                  \
    X(smt_regex_router)                                                                            \
    X(smt_timestamp_router)                                                                        \
    X(smt_extract_field_key)                                                                       \
    X(smt_extract_field_value)                                                                     \
    X(smt_flatten_key)                                                                             \
    X(smt_flatten_value)                                                                           \
    X(smt_hoist_field_key)                                                                         \
    X(smt_hoist_field_value)                                                                       \
    X(smt_set_schema_metadata_key)                                                                 \
    X(smt_set_schema_metadata_value)                                                               \
    X(smt_value_to_key)                                                                            \
    X(smt_insert_field_key)                                                                        \
    X(smt_insert_field_value)                                                                      \
    X(smt_mask_field_key)                                                                          \
    X(smt_mask_field_value)                                                                        \
    X(smt_replace_field_key)                                                                       \
    X(smt_replace_field_value)                                                                     \
    X(smt_cast_key)                                                                                \
    X(smt_cast_value)                                                                              \
    X(smt_timestamp_converter_key)                                                                 \
    X(smt_timestamp_converter_value)

#define X(var) extern const struct transform_ops var;
KAFKA_TRANSFORMS(X)
#undef X

/* All of them; end with NULL. */
extern const struct transform_ops *const connect_transforms[];
extern const struct predicate_ops *const connect_predicates[];

#endif
