/* cdc/mongodb/inspect.h - a look at a cluster as a connector would need it: connection, replica set,
 * privileges, collections, pre-images, oplog. SPEC: cdc-mongodb 3.4, 3.5, 5.2. Thread: the caller's;
 * blocks. */
#ifndef WEIR_CDC_MONGODB_INSPECT_H
#define WEIR_CDC_MONGODB_INSPECT_H

#include "base/base.h"
#include "base/strmap.h"
#include "connect/inspect.h"

/* For struct connector_ops. */
void mongo_inspect(const struct strmap *config, struct inspection *out);

#endif
