/* connect/connector.h - what a connector, a transform, a predicate and a converter are to the
 * worker.
 *
 * A module exports one array of `struct connector_ops` (Java class names that users paste, their
 * aliases, option rows, functions); main.c hands the arrays to connect_start. Connect knows
 * connectors only through these. */
#ifndef WEIR_CONNECT_CONNECTOR_H
#define WEIR_CONNECT_CONNECTOR_H

#include "base/base.h"

#include <stdatomic.h>

#include "base/db.h"
#include "base/err.h"
#include "base/opt.h"
#include "base/strmap.h"
#include "connect/json_out.h"
#include "connect/record.h"

struct kclient;
struct metrics_table;

/* --- records that a source writes itself ------------------------------------------------------ */
/* Given to a source whose records meet nothing else: no transform, JsonConverter for both. It may
 * then fill record_text; the bytes must be those that the converters would have written. */
struct direct_form {
    struct json_form key, value;
};

/* --- what the worker gives a task ------------------------------------------------------------- */
struct task_ctx {
    const char *connector;       /* connector's name */
    int task;                    /* number of this task */
    const struct strmap *config; /* task configuration, references (${file:...}) resolved */
    const struct strmap *raw;    /* the same as the user gave it, for texts that people see */
    struct kclient
        *kclient;       /* topics: create, describe, read and write (schema history, signals) */
    struct db *db;      /* weir's SQLite, for tables of the module's own */
    const char *run_id; /* new at each start of the task */
    const struct direct_form *direct; /* NULL: records are values */
    /* Set when the task must end; reaches a sleeping task through stop_fd too (poll it). A task
     * looks at least every 500 ms. Paired: the worker stores with release, the task loads with
     * acquire. */
    atomic_bool stop;
    int stop_fd;
    /* Last stored source offset of this partition text: a copy in the arena, or null slice. An
     * error says that the store could not be read, which is not the same as no offset: a task that
     * began anew then would lose or repeat changes, so that it must not start. */
    enum err (*load_offset)(struct task_ctx *ctx, struct arena *a, struct slice partition,
                            struct slice *out, struct error *e) MUST_CHECK;
    void *worker; /* for load_offset; not for tasks */
};
static inline bool task_stopping(const struct task_ctx *c)
{
    return atomic_load_explicit(&c->stop, memory_order_acquire);
}
/* Sleeps up to ms, less when the task is asked to stop. True when stopping. */
bool task_sleep(struct task_ctx *c, int64_t ms);

/* A failure with Java's words: class name of the exception and its causes, as the status trace and
 * the error log show them. msg of `struct error` holds the chain, one link per line:
 *   "org.apache.kafka.connect.errors.ConnectException: text\nCaused by: java....: text". */
#define DATA_EXCEPTION "org.apache.kafka.connect.errors.DataException: "
#define CONFIG_EXCEPTION "org.apache.kafka.common.config.ConfigException: "

/* E_INVALID: "ConfigException: Invalid value VALUE for configuration NAME: " and why. */
enum err config_invalid(struct error *e, struct slice value, const char *name, const char *why, ...)
    PRINTF_LIKE(4, 5);

/* --- source tasks ----------------------------------------------------------------------------- */
/* All run on the task's thread. poll fills the batch and returns E_OK (perhaps with nothing, after
 * at most 500 ms), E_AGAIN after a retriable fault (message logged, polled again), or an error: the
 * task is FAILED with e->msg as trace. */
struct source_task_ops {
    enum err (*start)(void **task, struct task_ctx *ctx, struct error *e);
    enum err (*poll)(void *task, struct record_batch *out, struct error *e);
    /* The batch is in the log and its last offset stored. May be NULL. */
    void (*committed)(void *task);
    /* Appends progress and state as JSON members for the page (herder_progress), the first without
     * a comma before it. Any thread. May be NULL. */
    void (*describe)(void *task, struct strbuf *out);
    /* Adds metrics of its own for /metrics. Any thread. May be NULL. */
    void (*metrics)(void *task, struct metrics_table *out);
    void (*stop)(void *task); /* releases; task may be NULL after a failed start */
};

/* --- sink tasks ------------------------------------------------------------------------------- */
/* How far the sink has got in one partition: everything below `offset` was put, and the sink may
 * have it written. */
struct sink_offset {
    struct slice topic;
    int32_t partition;
    int64_t offset;
};
/* All run on the task's thread; all but start, put and stop may be NULL. What a sink was given in a
 * batch lives until its put returns with anything but E_AGAIN. */
struct sink_task_ops {
    enum err (*start)(void **task, struct task_ctx *ctx, struct error *e);
    /* Partitions that it gets (offset: where reading begins, -1 not known yet), before their first
     * records; and that go away, after the last commit. Sorted. */
    enum err (*open)(void *task, const struct sink_offset *parts, size_t count, struct error *e);
    void (*close)(void *task, const struct sink_offset *parts, size_t count);
    /* At most max.poll.records (500) records, those of a partition in their order; never empty,
     * none dropped. E_OK: taken, in part perhaps by sink_report. E_AGAIN after a retriable fault:
     * the same batch comes again, in the time that sink_retry_after said, without the records that
     * were reported (the others may move in the array). Anything else ends the task. */
    enum err (*put)(void *task, struct record_batch *batch, struct error *e);
    /* Before offsets are committed: writes what it holds back. On failure nothing is committed, and
     * reading goes back to what was committed last. */
    enum err (*flush)(void *task, struct error *e);
    /* After flush: may lower an offset, or set it to -1 (not to be committed now). Higher ones are
     * not taken. */
    enum err (*pre_commit)(void *task, struct sink_offset *offsets, size_t count, struct error *e);
    /* As in source_task_ops. */
    void (*describe)(void *task, struct strbuf *out);
    void (*stop)(void *task); /* releases; task may be NULL after a failed start */
};
/* --- what a sink may ask of the worker (task_sink.c) ------------------------------------------ */
/* Whether single records may be reported: there is a dead-letter queue, or errors are logged.
 * Without it a sink fails with its whole batch. SPEC: connect 8.2, 8.3 */
bool sink_can_report(const struct task_ctx *c);
/* The record could not be written because of `why` (a Java chain): it goes into the dead-letter
 * queue and the log. E_OK: tolerated, the sink goes on; else e is what put returns. */
enum err sink_report(struct task_ctx *c, struct record *r, const struct error *why,
                     struct error *e) MUST_CHECK;
/* After a put that returns E_AGAIN: when the batch comes again. Default: a second. */
void sink_retry_after(struct task_ctx *c, int64_t ms);
/* Reading goes on at this offset, when put or open has returned; a sink that keeps offsets
 * itself. */
enum err sink_seek(struct task_ctx *c, struct slice topic, int32_t partition, int64_t offset,
                   struct error *e) MUST_CHECK;
void sink_request_commit(struct task_ctx *c); /* as soon as this put has returned */

/* --- connectors ------------------------------------------------------------------------------- */
enum connector_kind { CONNECTOR_SOURCE, CONNECTOR_SINK };

/* Result of validation, one per option that has something to say; made by configdef. */
struct config_errors;
/* Adds a message to an option's errors (exact texts matter: they are shown and recorded). */
void config_error(struct config_errors *errs, const char *option, const char *fmt, ...)
    PRINTF_LIKE(3, 4);
/* True when the option has an error already. */
bool config_has_error(const struct config_errors *errs, const char *option);
/* What recommenders do in the original: the form does not show the option; another one depends on
 * it. For validate functions of connectors. */
void config_hide(struct config_errors *errs, const char *option);
void config_dependent(struct config_errors *errs, const char *option, const char *dependent);

struct inspection; /* connect/inspect.h */

/* Whether a class goes by this name: its own, or one of its aliases. */
static inline bool class_is_called(const char *class_name, const char *const *aliases,
                                   struct slice name)
{
    bool called = slice_eq_c(name, class_name);
    for (const char *const *a = aliases; !called && a && *a; a++)
        called = slice_eq_c(name, *a);
    return called;
}

struct connector_ops {
    const char *class_name;     /* io.debezium.connector.mysql.MySqlConnector */
    const char *const *aliases; /* "MySqlConnector", "MySql"; ends with NULL */
    const char *task_class;     /* io.debezium.connector.mysql.MySqlConnectorTask */
    const char *version;        /* shown by /connector-plugins */
    enum connector_kind kind;
    const struct opt_row *rows; /* own options; the common ones are the worker's */
    bool rows_are_all; /* keys beside them are told as unknown; else the module tells them */
    /* Checks across options and against the outside (connect to the database). Runs on the pool;
     * blocks. Single-option errors (types, ranges) are in errs already. May be NULL. */
    void (*validate)(const struct strmap *config, struct config_errors *errs);
    /* The part of validate that asks nobody. May be NULL. */
    void (*check)(const struct strmap *config, struct config_errors *errs);
    /* Whether nobody reads this option; *near: the name that may be meant, or NULL. May be NULL. */
    bool (*unread)(const struct strmap *config, struct slice key, const char **near);
    /* Looks at the source with this configuration (of which little may be given): connection,
     * settings, privileges. Blocks. May be NULL. */
    void (*inspect)(const struct strmap *config, struct inspection *out);
    /* Number of tasks for this configuration (1..tasks_max); may be NULL: 1. The configuration of
     * task i is `out`, initialised with the connector's. */
    int (*task_count)(const struct strmap *config, int tasks_max);
    void (*task_config)(const struct strmap *config, int task, int count, struct strmap *out);
    const struct source_task_ops *source; /* one of the two */
    const struct sink_task_ops *sink;
    /* Checks one entry of PATCH /offsets; E_INVALID with the message. NULL: everything is taken. */
    enum err (*check_offset)(const struct strmap *config, struct slice partition,
                             struct slice offset, struct error *e);
    /* The original checks no offsets itself: answers name the framework, a refusal is a 400. */
    bool offsets_by_framework;
    /* The connector was deleted, or its offsets were reset: forget what the module stored itself
     * (schema history). Runs inside the deleting database job. May be NULL. */
    enum err (*forget)(struct db *d, const char *connector, struct error *e);
    const struct db_migrations *migrations; /* tables of the module's own; may be NULL */
};

/* Rows of the framework, which each connector has (connector_options.c); end with name NULL. */
extern const struct opt_row connector_common_rows[], connector_source_rows[], connector_sink_rows[];

/* --- converters ------------------------------------------------------------------------------- */
struct converter_ops {
    const char *class_name;
    const char *const *aliases;
    const char *version;
    const struct opt_row *rows;
    enum err (*configure)(void **conv, const struct strmap *config, bool is_key, struct error *e);
    /* Appends the bytes; *null is set instead for a Kafka null. e: the Java exception's text. */
    enum err (*from_connect)(void *conv, struct slice topic, const struct schema *s, struct value v,
                             struct strbuf *out, bool *null, struct error *e);
    /* bytes null: Kafka null. Values in the arena; the schema is kept by the converter's cache. */
    enum err (*to_connect)(void *conv, struct slice topic, struct slice bytes, struct arena *a,
                           const struct schema **s, struct value *v, struct error *e);
    void (*release)(void *conv);
    /* What it writes is JsonConverter's text in this form. NULL: it is something else. */
    void (*json_form)(const void *conv, struct json_form *out);
};

/* --- transforms and predicates ---------------------------------------------------------------- */
struct transform_ops {
    const char
        *class_name; /* ...$Key and ...$Value are rows of their own, with the same functions */
    const char *const *aliases;
    const char *version;
    const struct opt_row *rows;
    enum err (*configure)(void **smt, const struct strmap *config, const char *class_name,
                          struct error *e);
    /* Changes the record in place (values in the batch's arena), or sets r->dropped. */
    enum err (*apply)(void *smt, struct record_batch *b, struct record *r, struct error *e);
    void (*release)(void *smt);
};
struct predicate_ops {
    const char *class_name;
    const char *const *aliases;
    const char *version;
    const struct opt_row *rows;
    enum err (*configure)(void **pred, const struct strmap *config, struct error *e);
    bool (*test)(void *pred, const struct record *r);
    void (*release)(void *pred);
};

/* What one module brings; NULL-terminated arrays, each may be NULL. */
struct connect_plugins {
    const struct connector_ops *const *connectors;
    const struct converter_ops *const *converters;
    const struct transform_ops *const *transforms;
    const struct predicate_ops *const *predicates;
};

#endif
