/* connect/errors.h - what happens to a record that fails in a stage: errors.* of its connector (retry,
 * log line, dead-letter queue, tolerance), the same for sources and sinks. SPEC: connect 8.3.
 * Thread: the task's; the counters any. */
#ifndef WEIR_CONNECT_ERRORS_H
#define WEIR_CONNECT_ERRORS_H

#include "connect/connector.h"
#include "connect/dead_letters.h"

struct error_rules {
    struct task_ctx *ctx; /* for waiting; NULL: does not wait */
    const char *connector;
    int task;
    bool is_sink, tolerate, log, log_messages;
    int64_t retry_timeout_ms, retry_delay_max_ms;
    struct dead_letters *dead; /* NULL: none */
    /* failures: attempts that failed; errors: records given up; skipped: of these, tolerated */
    _Atomic int64_t failures, errors, skipped, retries, logged;
    _Atomic int64_t dead_letters, dead_letters_failed;
    _Atomic int64_t last_error_ms; /* wall clock; 0: none */
};
/* The stage that was executed, by its name in Connect, and the class that did. */
struct error_stage {
    const char *stage, *class_name;
};

/* Reads errors.*; values that do not parse are their defaults (validation has refused them). */
void error_rules_init(struct error_rules *x, struct task_ctx *ctx, const struct strmap *config,
                      bool is_sink);
/* Makes the topic of the dead-letter queue when there is to be one. For sinks, at the start. */
enum err error_rules_open_queue(struct error_rules *x, const struct strmap *config,
                                struct error *e) MUST_CHECK;
void error_rules_release(struct error_rules *x);

/* After an operation that gave E_AGAIN: waits, then E_OK when it is to be tried again, E_AGAIN when it
 * has been tried enough. E_CANCELLED: the task is to end; the record has not failed, and comes again. */
struct error_retry {
    int64_t deadline; /* 0: not begun */
    int attempts;
};
enum err error_rules_retry(struct error_rules *x, struct error_retry *retry,
                           struct error *e) MUST_CHECK;
/* The record failed with e (e->code and a Java chain in e->msg): reports it, then E_OK when it is
 * tolerated (the record is dropped), else e is what the task fails with. E_CANCELLED is given back as
 * it is: no failure. */
enum err error_rules_failed(struct error_rules *x, struct record *r, struct error_stage at,
                            struct error *e) MUST_CHECK;

/* First link of a Java chain: its class and its message (null slice: none). */
void error_exception(const struct error *e, struct slice *class_name, struct slice *message);

#endif
