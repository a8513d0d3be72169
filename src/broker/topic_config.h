/* broker/topic_config.h - options of a topic: rows, values in force, and where each comes from.
 * SPEC: broker 5.2, 5.4, 5.5. */
#ifndef WEIR_BROKER_TOPIC_CONFIG_H
#define WEIR_BROKER_TOPIC_CONFIG_H

#include "base/arena.h"
#include "base/opt.h"
#include "base/strmap.h"

/* Values in force for one topic; read without a lock by whoever holds the topic (each a plain load;
 * a change is seen at the next use). */
struct topic_config {
    bool cleanup_delete, cleanup_compact;
    bool preallocate;
    bool unclean_election; /* of a lab's brokers, see brokers.h; like the next */
    int32_t min_insync_replicas;
    bool log_append_time;
    int32_t compression; /* enum codec, or -1: the producer's */
    int32_t gzip_level, lz4_level, zstd_level;
    int32_t index_interval_bytes, segment_index_bytes, max_message_bytes;
    bool max_message_bytes_set; /* by the user, on the topic */
    int64_t delete_retention_ms, file_delete_delay_ms, flush_messages, flush_ms;
    int64_t max_compaction_lag_ms, min_compaction_lag_ms;
    double min_cleanable_dirty_ratio;
    int64_t timestamp_before_max_ms, timestamp_after_max_ms;
    int64_t retention_bytes, retention_ms;
    int32_t segment_bytes;
    int64_t segment_jitter_ms, segment_ms;
};

/* Rows end with name NULL. */
const struct opt_row *topic_option_rows(void);
/* Broker options that stand in for a topic option, strongest first; ends with NULL. A name ending
 * in .hours or .minutes counts in that unit. */
const char *const *topic_option_synonyms(const struct opt_row *row);
/* Text of a broker synonym converted to the topic option's unit ("168" hours -> "604800000"). */
struct slice topic_option_from_synonym(struct arena *a, const char *synonym, struct slice text);
/* Options of older Kafka that are accepted and ignored. */
bool topic_option_is_ignored(struct slice name);
/* One value. E_INVALID with e->sys 40 and Kafka's words: unknown name, bad value. */
enum err topic_option_check(struct slice name, struct slice value, struct error *e) MUST_CHECK;

/* Gives the broker-wide text of a synonym that was set (not defaults), or the null slice; copy in
 * the arena. Any thread. */
typedef struct slice (*topic_broker_value_fn)(void *arg, struct slice synonym, struct arena *a);
/* Values in force from the topic's own texts, else the broker's, else defaults. Texts were checked.
 */
void topic_config_compute(struct topic_config *out, const struct strmap *own,
                          topic_broker_value_fn broker_value, void *arg);

#endif
