/* cdc/cdc.h - change data capture: the connectors and transforms that this module brings to
 * Connect. */
#ifndef WEIR_CDC_CDC_H
#define WEIR_CDC_CDC_H

#include "connect/connector.h"

/* MySQL, MariaDB and MongoDB (class names, option rows, functions). Given to connect_start by main.c. */
extern const struct connect_plugins cdc_plugins;

#endif
