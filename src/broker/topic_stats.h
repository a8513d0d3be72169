/* broker/topic_stats.h - what is counted for a topic and for all topics together, as the beans
 * BrokerTopicMetrics of Kafka count it. Relaxed atomics, added to once a batch or request, never
 * once a record. Thread: any. SPEC: broker 12.1. */
#ifndef WEIR_BROKER_TOPIC_STATS_H
#define WEIR_BROKER_TOPIC_STATS_H

#include <stdatomic.h>
#include <stdint.h>

enum topic_stat {
    TOPIC_MESSAGES_IN,
    TOPIC_BYTES_IN,
    TOPIC_BYTES_OUT,
    TOPIC_BYTES_REJECTED,
    TOPIC_PRODUCE_REQUESTS, /* partitions of Produce requests, as Kafka counts */
    TOPIC_FETCH_REQUESTS,
    TOPIC_FAILED_PRODUCE,
    TOPIC_FAILED_FETCH,
    TOPIC_PRODUCE_CONVERSIONS,
    TOPIC_FETCH_CONVERSIONS,
    TOPIC_STATS,
};
struct topic_stats {
    _Atomic int64_t v[TOPIC_STATS];
};

struct topic;
struct topics;
void topic_stat_add(struct topic *t, enum topic_stat what, int64_t n); /* and for all topics */
int64_t topic_counted(const struct topic *t, enum topic_stat what);
int64_t topics_counted(const struct topics *t, enum topic_stat what); /* deleted topics too */

#endif
