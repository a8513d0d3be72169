/* cdc/options.h - options that all capturing connectors have: their values, their old names, what
 * is told about names. The rows are in options_connector.def, options_events.def and
 * options_hidden.def, which a connector's own options.def includes; checks are in option_check.h.
 * SPEC: cdc-mysql 1.2-1.4, cdc-mongodb 2. Thread: any. */
#ifndef WEIR_CDC_OPTIONS_H
#define WEIR_CDC_OPTIONS_H

#include "base/base.h"
#include "base/err.h"
#include "base/log.h"
#include "base/opt.h"
#include "base/strmap.h"
#include "cdc/option_words.h"
#include "connect/connector.h"

/* One field per row that is read; then what texts mean, set by capture_options_load; then the
 * canonical configuration: texts point into it or into values. */
#define CAPTURE_OPTION_FIELDS                                                                      \
    struct slice topic_prefix;                                                                     \
    struct slice event_failure_mode;                                                               \
    int32_t max_batch_size;                                                                        \
    int32_t max_queue_size;                                                                        \
    bool transaction_metadata;                                                                     \
    struct slice skipped_operations;                                                               \
    int64_t snapshot_delay_ms;                                                                     \
    int64_t streaming_delay_ms;                                                                    \
    struct slice snapshot_include;                                                                 \
    int32_t snapshot_max_threads;                                                                  \
    bool conf_snapshot_data;                                                                       \
    bool conf_start_stream;                                                                        \
    bool conf_on_data_error;                                                                       \
    int64_t retry_wait_ms;                                                                         \
    int32_t max_retries; /* -1: no limit */                                                        \
    struct slice watermarking;                                                                     \
    int64_t validation_timeout_ms;                                                                 \
    bool extended_headers;                                                                         \
    int32_t guardrail_max;                                                                         \
    struct slice guardrail_action;                                                                 \
    struct slice snapshot_mode;                                                                    \
    struct slice schema_name_adjustment;                                                           \
    struct slice converters;                                                                       \
    bool tombstones;                                                                               \
    int32_t heartbeat_interval_ms; /* 0: none */                                                   \
    int64_t signal_interval_ms;                                                                    \
    struct slice signal_channels;                                                                  \
    struct slice naming_strategy;                                                                  \
    struct slice notification_channels;                                                            \
    struct slice notification_topic;                                                               \
    struct slice database_include;                                                                 \
    struct slice database_exclude;                                                                 \
    int32_t chunk_size;                                                                            \
    struct slice field_name_adjustment;                                                            \
    struct slice heartbeat_prefix;                                                                 \
    struct slice heartbeat_topic; /* blank: prefix, dot, topic.prefix */                           \
    struct slice topic_delimiter;                                                                  \
    struct slice transaction_topic;                                                                \
    struct slice signal_topic;                                                                     \
    struct slice signal_file;                                                                      \
    enum failure_mode on_event_error;                                                              \
    enum adjustment_mode adjust_schema, adjust_field;                                              \
    bool insert_delete; /* how windows are marked */                                               \
    unsigned skipped;   /* enum skipped_ops */                                                     \
    struct strmap config;                                                                          \
    struct opt_values values;
struct capture_options {
    CAPTURE_OPTION_FIELDS
};
/* First member of a connector's own struct: its fields by their names, and all of them as
 * `shared`. */
#define CAPTURE_OPTIONS                                                                            \
    union {                                                                                        \
        struct {                                                                                   \
            CAPTURE_OPTION_FIELDS                                                                  \
        };                                                                                         \
        struct capture_options shared;                                                             \
    }

/* o->config is set. rows: their fields are of the struct that o is the first member of, which holds
 * zeros otherwise. E_INVALID: a value of the wrong type. Release in any case. */
enum err capture_options_load(struct capture_options *o, const struct opt_row *rows,
                              struct error *e) MUST_CHECK;
void capture_options_release(struct capture_options *o);

/* Today's name of an option that all connectors had under another one, or null. */
struct slice capture_option_renamed(struct slice key);
/* sanitize.field.names=true is field.name.adjustment.mode=avro, unless that is given. */
void capture_options_sanitize(struct strmap *canonical);
/* Lines about names: an old one, and one that is none (near: what may be meant of the
 * connector's own; NULL: looked for among those that each connector has). */
void capture_option_tell_renamed(enum log_category log, struct slice key, struct slice now);
void capture_option_tell_unknown(enum log_category log, struct slice key, const char *near);

/* Most records of a poll: what max.batch.size says; records that are text are cheap, so that
 * without it more of them make a batch. ctx NULL: they are values. */
size_t capture_batch_limit(const struct capture_options *o, const struct task_ctx *ctx);

#endif
