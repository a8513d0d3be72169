/* connect/sink_config.h - what a sink connector's configuration says about reading: group, client id,
 * topics, consumer options. For its tasks, and for who asks for its offsets. SPEC: connect 4.4, 8.2. */
#ifndef WEIR_CONNECT_SINK_CONFIG_H
#define WEIR_CONNECT_SINK_CONFIG_H

#include "base/str.h"
#include "base/strmap.h"

struct sink_config {
    struct slice group, client_id; /* owned */
    struct slice topics, regex;    /* of the configuration; the other one is null */
    struct strmap consumer;        /* consumer.* of the worker, consumer.override.* over it */
    int64_t flush_interval_ms;
};
/* config: references resolved; it must outlive c. */
void sink_config_init(struct sink_config *c, const struct strmap *config,
                      const struct strmap *worker, const char *connector, int task);
/* One line of the log with the options that are accepted and change nothing here, if any was given. */
void sink_config_warn(const struct sink_config *c);
void sink_config_release(struct sink_config *c);

#endif
