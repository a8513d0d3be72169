/* connect/dead_letters.c - see the header. */
#include "connect/dead_letters.h"

#include "base/log.h"
#include "base/mem.h"

enum { CONTEXT_HEADERS = 10 };

struct dead_letters {
    struct kclient *k;
    struct kproducer *producer;
    char *topic, *connector;
    int task;
    int16_t replication;
    bool with_context;
    struct khead *heads; /* of one record */
    size_t cap;
};

static enum err make_topic(struct dead_letters *d, struct error *e)
{
    struct kclient_topic info;
    struct slice topic = slice_cstr(d->topic);
    enum err err = kclient_describe(d->k, topic, &info, e);
    if (err != E_NOT_FOUND)
        return err;
    error_clear(e);
    err = kclient_create(d->k, topic, 1, d->replication, NULL, e);
    if (err != E_EXISTS)
        return err;
    error_clear(e);
    return E_OK;
}

enum err dead_letters_open(struct dead_letters **out, struct kclient *k, const char *connector,
                           int task, const struct strmap *config, struct error *e)
{
    struct slice topic = slice_trim(strmap_get_c(config, "errors.deadletterqueue.topic.name"));
    *out = NULL;
    if (!topic.n)
        return E_OK;
    struct dead_letters *d = xcalloc(1, sizeof *d);
    char *name = xasprintf("%s-%d errors", connector, task);
    d->k = k;
    d->topic = slice_dup(topic);
    d->connector = xstrdup(connector);
    d->task = task;
    int64_t replication = strmap_i64(config, "errors.deadletterqueue.topic.replication.factor", 3);
    d->replication =
        (int16_t)MAX(MIN(replication, INT16_MAX), INT16_MIN); /* the broker refuses it */
    d->with_context = strmap_flag(config, "errors.deadletterqueue.context.headers.enable", false);
    enum err err = make_topic(d, e);
    if (err) {
        char cause[sizeof e->msg];
        snprintf(cause, sizeof cause, "%s", e->msg);
        error_set(e, err,
                  "org.apache.kafka.connect.errors.ConnectException: Could not initialize dead "
                  "letter queue with topic=%s\nCaused by: "
                  "org.apache.kafka.common.KafkaException: %s",
                  d->topic, cause);
    }
    if (!err)
        err = kproducer_open(&d->producer, k, name, NULL, e);
    mem_free(name);
    if (err)
        dead_letters_close(d);
    else
        *out = d;
    return err;
}

void dead_letters_close(struct dead_letters *d)
{
    if (!d)
        return;
    kproducer_close(d->producer);
    mem_free(d->topic);
    mem_free(d->connector);
    mem_free(d->heads);
    mem_free(d);
}

static void add_head(struct dead_letters *d, size_t *n, const char *name, struct slice value)
{
    d->heads[(*n)++] = (struct khead){slice_cstr(name), value};
}

/* The record's own headers, then where and why. The numbers are printed into `numbers`. */
static size_t make_heads(struct dead_letters *d, const struct dead_letter *l, char numbers[3][24])
{
    const struct krecord *r = l->record;
    size_t n = 0;
    if (r->heads_count + CONTEXT_HEADERS > d->cap) {
        d->cap = r->heads_count + CONTEXT_HEADERS;
        d->heads = xrealloc(d->heads, d->cap * sizeof *d->heads);
    }
    for (size_t i = 0; i < r->heads_count; i++)
        d->heads[n++] = r->heads[i];
    if (!d->with_context)
        return n;
    snprintf(numbers[0], sizeof numbers[0], "%d", (int)r->partition);
    snprintf(numbers[1], sizeof numbers[1], "%lld", (long long)r->offset);
    snprintf(numbers[2], sizeof numbers[2], "%d", d->task);
    add_head(d, &n, "__connect.errors.topic", r->topic);
    add_head(d, &n, "__connect.errors.partition", slice_cstr(numbers[0]));
    add_head(d, &n, "__connect.errors.offset", slice_cstr(numbers[1]));
    add_head(d, &n, "__connect.errors.connector.name", slice_cstr(d->connector));
    add_head(d, &n, "__connect.errors.task.id", slice_cstr(numbers[2]));
    add_head(d, &n, "__connect.errors.stage", slice_cstr(l->stage));
    add_head(d, &n, "__connect.errors.class.name", slice_cstr(l->class_name));
    add_head(d, &n, "__connect.errors.exception.class.name", l->exception);
    add_head(d, &n, "__connect.errors.exception.message", l->message);
    add_head(d, &n, "__connect.errors.exception.stacktrace", l->trace);
    return n;
}

static enum err send(struct dead_letters *d, const struct krecord *r, size_t heads, struct error *e)
{
    enum err err = kproducer_add(d->producer, slice_cstr(d->topic), -1, r->timestamp_ms,
                                 (struct ktext){.body = r->key}, (struct ktext){.body = r->value},
                                 (struct kheads){.items = d->heads, .count = heads}, e);
    if (!err)
        err = kproducer_flush(d->producer, e);
    if (err)
        kproducer_abort(d->producer);
    return err;
}

enum err dead_letters_add(struct dead_letters *d, const struct dead_letter *l, struct error *e)
{
    char numbers[3][24];
    size_t heads = make_heads(d, l, numbers);
    enum err err = send(d, l->record, heads, e);
    if (err == E_NOT_FOUND) { /* somebody deleted the topic */
        LOG_WARN(LOG_CONNECT_TASK, "the dead-letter topic %s is gone; it is made again", d->topic);
        error_clear(e);
        err = make_topic(d, e);
        if (!err)
            err = send(d, l->record, heads, e);
    }
    return err;
}
