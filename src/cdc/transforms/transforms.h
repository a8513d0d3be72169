/* cdc/transforms/transforms.h - Debezium's transforms. SPEC: connect 7. */
#ifndef WEIR_CDC_TRANSFORMS_TRANSFORMS_H
#define WEIR_CDC_TRANSFORMS_TRANSFORMS_H

#include "connect/connector.h"

extern const struct transform_ops smt_extract_new_record;
extern const struct transform_ops smt_event_router;

/* A change event as a connector makes it. */
static inline bool smt_is_envelope(const struct record *r)
{
    return r->value_schema && r->value.kind == VALUE_STRUCT && r->value_schema->name.p &&
           slice_ends(r->value_schema->name, SL("Envelope"));
}

#endif
