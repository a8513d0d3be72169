/* broker/api/configs.h - what describing and changing configurations share. SPEC: broker 5.4, 5.5. */
#ifndef WEIR_BROKER_API_CONFIGS_H
#define WEIR_BROKER_API_CONFIGS_H

#include "base/base.h"
#include "base/err.h"
#include "broker/dispatch.h"

enum config_resource {
    CONFIG_RESOURCE_TOPIC = 2,
    CONFIG_RESOURCE_BROKER = 4,
    CONFIG_RESOURCE_LOGGER = 8,
    CONFIG_RESOURCE_METRICS = 16,
    CONFIG_RESOURCE_GROUP = 32
};

/* The id in a resource name of a broker: 1 this one, 0 for "", -1 neither (then *text says so).
 * expected: what else would have been right, " or empty string". */
int config_broker_name(struct request *rq, struct slice name, const char *expected,
                       struct slice *text);

#endif
