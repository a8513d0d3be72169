/* broker/group/group_config.h - what is in force for one group: its own settings (resource type 32, see
 * resource_config.h) within the broker's bounds, else the broker's.
 *
 * Immutable but for the settings, which have a lock of their own. Thread: any. SPEC: broker 5.4,
 * 8.4, 8.5. */
#ifndef WEIR_BROKER_GROUP_GROUP_CONFIG_H
#define WEIR_BROKER_GROUP_GROUP_CONFIG_H

#include "base/base.h"
#include "base/str.h"

struct broker_options;
struct resource_configs;

enum group_config_key { /* numbers */
                        GROUP_CONSUMER_HEARTBEAT_MS,
                        GROUP_CONSUMER_SESSION_MS,
                        GROUP_SHARE_HEARTBEAT_MS,
                        GROUP_SHARE_SESSION_MS,
                        GROUP_SHARE_LOCK_MS,
                        GROUP_CONFIG_KEYS
};
struct group_configs {
    const struct broker_options *o;
    struct resource_configs *set;
};

int32_t group_config_int(const struct group_configs *c, struct slice group,
                         enum group_config_key key);
/* Where a share group begins: a time (ms since 1970), -1 the end or -2 the start. now_ms: wall
 * clock. SPEC: share.auto.offset.reset */
int64_t group_config_share_start(const struct group_configs *c, struct slice group, int64_t now_ms);
bool group_config_share_committed(const struct group_configs *c, struct slice group);

#endif
