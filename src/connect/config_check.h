/* connect/config_check.h - a configuration is checked as a worker checks it when a connector is
 * created, but without a worker and without the database: for `weir doctor`. Thread: any; reads
 * files that references name. */
#ifndef WEIR_CONNECT_CONFIG_CHECK_H
#define WEIR_CONNECT_CONFIG_CHECK_H

#include "base/strmap.h"
#include "connect/connector.h"
#include "connect/inspect.h"

/* Adds a fault for each error that POST /connectors would refuse the configuration with, by a
 * worker with default settings, and a warning for each option that nobody reads. ops: the
 * connector's class. */
void config_check(const struct connect_plugins *const *plugins, const struct connector_ops *ops,
                  const struct strmap *config, struct inspection *out);

#endif
