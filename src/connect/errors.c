/* connect/errors.c - see the header. */
#include "connect/errors.h"

#include "base/clock.h"
#include "base/log.h"
#include "connect/config_refs.h"
#include "connect/converters/converters.h"

enum { FIRST_DELAY_MS = 300 };

void error_rules_init(struct error_rules *x, struct task_ctx *ctx, const struct strmap *config,
                      bool is_sink)
{
    memset(x, 0, sizeof *x);
    x->ctx = ctx;
    x->connector = ctx ? ctx->connector : "";
    x->task = ctx ? ctx->task : 0;
    x->is_sink = is_sink;
    x->tolerate = slice_eq(slice_trim(strmap_get_c(config, "errors.tolerance")), SL("all"));
    x->log = strmap_flag(config, "errors.log.enable", false);
    x->log_messages = strmap_flag(config, "errors.log.include.messages", false);
    x->retry_timeout_ms = strmap_i64(config, "errors.retry.timeout", 0);
    x->retry_delay_max_ms = strmap_i64(config, "errors.retry.delay.max.ms", 60000);
}

enum err error_rules_open_queue(struct error_rules *x, const struct strmap *config, struct error *e)
{
    return dead_letters_open(&x->dead, x->ctx->kclient, x->connector, x->task, config, e);
}

void error_rules_release(struct error_rules *x)
{
    dead_letters_close(x->dead);
    x->dead = NULL;
}

static void count(_Atomic int64_t *c)
{
    atomic_fetch_add_explicit(c, 1, memory_order_relaxed);
}

/* --- retries ---------------------------------------------------------------------------------- */

/* 300 ms doubled with each attempt; above the ceiling anything below that. */
static int64_t delay_ms(const struct error_rules *x, int attempt)
{
    int64_t delay = attempt < 40 ? (int64_t)FIRST_DELAY_MS << attempt : INT64_MAX;
    if (delay <= x->retry_delay_max_ms)
        return delay;
    return x->retry_delay_max_ms > 0 ? (clock_mono_ms() * 7919) % x->retry_delay_max_ms : 0;
}

enum err error_rules_retry(struct error_rules *x, struct error_retry *retry, struct error *e)
{
    int64_t now = clock_mono_ms();
    if (x->retry_timeout_ms == 0)
        return E_AGAIN;
    if (!retry->deadline)
        retry->deadline = x->retry_timeout_ms < 0 ? INT64_MAX : now + x->retry_timeout_ms;
    if (now >= retry->deadline)
        return E_AGAIN;
    int64_t wait = MIN(delay_ms(x, retry->attempts++), retry->deadline - now);
    count(&x->failures); /* the last attempt is counted by error_rules_failed */
    count(&x->retries);
    if (x->ctx && task_sleep(x->ctx, wait))
        return error_set(e, E_CANCELLED,
                         "the task is stopped while it waits to try a record again");
    return E_OK;
}

/* --- reports ---------------------------------------------------------------------------------- */

void error_exception(const struct error *e, struct slice *class_name, struct slice *message)
{
    struct slice text = slice_cstr(e->msg);
    ptrdiff_t cause = slice_find(text, SL("\nCaused by: "));
    struct slice first = cause < 0 ? text : slice_sub(text, 0, (size_t)cause);
    ptrdiff_t colon = slice_find(first, SL(": ")), blank = slice_find_char(first, ' ');
    ptrdiff_t dot = slice_find_char(first, '.');
    *class_name = SL("org.apache.kafka.connect.errors.ConnectException");
    *message = first;
    if (colon > 0 && dot > 0 && dot < colon && blank == colon + 1) {
        *class_name = slice_sub(first, 0, (size_t)colon);
        *message = slice_sub(first, (size_t)colon + 2, first.n);
    } else if (dot > 0 && blank < 0) { /* a class alone */
        *class_name = first;
        *message = SLICE_NULL;
    }
}

static void add_part(struct strbuf *b, const char *name, const struct schema *s, struct value v)
{
    strbuf_addf(b, ", %s=", name);
    java_add_value(b, s, v);
}

/* What the log line tells of the record when the user wants it told. */
static void describe(const struct error_rules *x, const struct record *r, struct strbuf *b)
{
    const struct krecord *k = r->consumed;
    if (x->is_sink && k) {
        strbuf_addf(b,
                    ", where consumed record is {topic='" PRI_SL
                    "', partition=%d, offset=%lld, timestamp=%lld, timestampType=%s}",
                    ARG_SL(k->topic), (int)k->partition, (long long)k->offset,
                    (long long)k->timestamp_ms,
                    k->log_append_time ? "LogAppendTime" : "CreateTime");
        return;
    }
    strbuf_addf(b, ", where source record is = SourceRecord{topic='" PRI_SL "'", ARG_SL(r->topic));
    add_part(b, "key", r->key_schema, r->key);
    add_part(b, "value", r->value_schema, r->value);
    strbuf_addc(b, '}');
}

static void log_line(struct error_rules *x, const struct record *r, struct error_stage at,
                     const struct error *e)
{
    struct strbuf b = STRBUF_INIT;
    strbuf_addf(&b, "Error encountered in task %s-%d. Executing stage '%s' with class '%s'",
                x->connector, x->task, at.stage, at.class_name);
    if (x->log_messages)
        describe(x, r, &b);
    LOG_ERROR(LOG_CONNECT_TASK, PRI_SL ". %s", ARG_SL(strbuf_slice(&b)), e->msg);
    strbuf_release(&b);
    count(&x->logged);
}

static enum err to_queue(struct error_rules *x, const struct record *r, struct error_stage at,
                         const struct error *why, struct error *e)
{
    struct strbuf trace = STRBUF_INIT;
    struct dead_letter l = {.record = r->consumed, .stage = at.stage, .class_name = at.class_name};
    error_exception(why, &l.exception, &l.message);
    strbuf_addf(&trace, "%s\n", why->msg);
    l.trace = strbuf_slice(&trace);
    enum err err = dead_letters_add(x->dead, &l, e);
    strbuf_release(&trace);
    return err;
}

enum err error_rules_failed(struct error_rules *x, struct record *r, struct error_stage at,
                            struct error *e)
{
    struct error late = {0};
    if (e->code == E_CANCELLED)
        return E_CANCELLED;
    if (x->ctx && x->ctx->raw)
        config_refs_hide_error(x->ctx->raw, x->ctx->config, e);
    count(&x->failures);
    count(&x->errors);
    atomic_store_explicit(&x->last_error_ms, clock_wall_ms(), memory_order_relaxed);
    if (x->log)
        log_line(x, r, at, e);
    enum err err = x->dead && r->consumed ? to_queue(x, r, at, e, &late) : E_OK;
    if (x->dead && r->consumed)
        count(&x->dead_letters);
    if (err)
        count(&x->dead_letters_failed);
    if (err) /* the record would be lost: better the task fails and comes back to it */
        return error_set(e, err,
                         "org.apache.kafka.connect.errors.ConnectException: the dead-letter queue "
                         "could not be written\nCaused by: "
                         "org.apache.kafka.common.KafkaException: %s",
                         late.msg);
    if (x->tolerate && e->code != E_NOMEM) {
        count(&x->skipped);
        r->dropped = true;
        error_clear(e);
        return E_OK;
    }
    char cause[sizeof e->msg];
    snprintf(cause, sizeof cause, "%s", e->msg);
    return error_set(
        e, e->code,
        "org.apache.kafka.connect.errors.ConnectException: Tolerance exceeded in error "
        "handler\nCaused by: %s",
        cause);
}
