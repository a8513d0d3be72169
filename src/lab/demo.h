/* lab/demo.h - `weir demo`: the main job to look at. A private MariaDB (or MongoDB) with a small
 * shop, weir with a connector on it, a few orders a second changing, and every change printed as it
 * comes back over the Kafka protocol. */
#ifndef WEIR_LAB_DEMO_H
#define WEIR_LAB_DEMO_H

#include "connect/connector.h"

/* argv: what follows the subcommand. With --headless it ends after --duration seconds, with status
 * 0 only if snapshot and streamed events were consumed back. Thread: main. */
int demo_main(int argc, char **argv, const struct connect_plugins *const *plugins);

#endif
