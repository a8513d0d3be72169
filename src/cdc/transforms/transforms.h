/* cdc/transforms/transforms.h - Debezium's transforms. SPEC: connect 7. */
#ifndef WEIR_CDC_TRANSFORMS_TRANSFORMS_H
#define WEIR_CDC_TRANSFORMS_TRANSFORMS_H

#include "connect/connector.h"

extern const struct transform_ops smt_extract_new_record;

#endif
