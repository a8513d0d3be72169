/* connect/kconsumer_read.c - what a member of a group reads: batches of its partitions, one partition at a
 * time. See kconsumer_internal.h. */
#include "connect/kconsumer_internal.h"

#include "base/log.h"

enum { READ_BYTES = 1 << 20, POLL_BYTES = 32 << 20 };

void kconsumer_close_source(struct ksource *s)
{
    if (s->in_batch)
        batch_iter_release(&s->it);
    s->in_batch = s->open = false;
}

/* The log does not have that position (any more). */
static enum err out_of_range(struct kconsumer *c, struct kheld *p, struct error *e)
{
    if (c->reset == RESET_NONE)
        return error_set(e, E_INVALID,
                         "org.apache.kafka.clients.consumer.OffsetOutOfRangeException: Fetch "
                         "position %lld is out of range for partition " PRI_SL
                         "-%d, and no reset policy is configured",
                         (long long)p->a.position, ARG_SL(p->a.topic), (int)p->a.partition);
    LOG_WARN(LOG_CONNECT_TASK,
             "offset %lld of " PRI_SL "-%d is not in the log: reading goes on at "
             "its %s",
             (long long)p->a.position, ARG_SL(p->a.topic), (int)p->a.partition,
             c->reset == RESET_LATEST ? "end" : "start");
    error_clear(e);
    return kconsumer_first_position(c, p, e);
}

/* Reads what comes next of part i. s->open tells whether there was anything. */
static enum err open_source(struct kconsumer *c, size_t i, struct error *e)
{
    struct ksource *s = &c->source;
    struct kheld *p = &c->parts[i];
    struct broker_read info;
    strbuf_reset(&s->bytes);
    arena_reset(&s->arena);
    s->aborted_count = 0;
    enum err err = c->committed_only
                       ? broker_read_committed(p->target, p->a.position, READ_BYTES, &s->arena,
                                               &s->bytes, &info, &s->aborted, &s->aborted_count, e)
                       : broker_read(p->target, p->a.position, READ_BYTES, false, 0, NULL,
                                     &s->bytes, &info, e);
    if (err == E_NOT_FOUND) { /* deleted; a change of topics makes this member look for it */
        broker_target_close(p->target);
        p->target = NULL;
        p->a.position = -1;
        c->generation = -1;
        error_clear(e);
        return E_OK;
    }
    if (err == E_INVALID)
        return out_of_range(c, p, e);
    if (!err)
        p->a.end = c->committed_only ? info.last_stable_offset : info.end_offset;
    if (err || !s->bytes.n)
        return err;
    s->part = i;
    s->rest = strbuf_slice(&s->bytes);
    s->next = info.next_offset;
    s->open = true;
    return E_OK;
}

static bool is_aborted(const struct ksource *s, const void *batch)
{
    for (size_t i = 0; i < s->aborted_count; i++)
        if (s->aborted[i].producer_id == batch_producer_id(batch) &&
            batch_base_offset(batch) >= s->aborted[i].first_offset &&
            batch_base_offset(batch) <= s->aborted[i].last_offset)
            return true;
    return false;
}

/* The next batch with records for us; false: the source is at its end, or failed. */
static bool next_batch(struct kconsumer *c, enum err *err)
{
    struct ksource *s = &c->source;
    struct slice one;
    while (!s->in_batch) {
        if (!batch_split(&s->rest, &one)) {
            s->open = false;
            c->parts[s->part].a.position = s->next;
            return false;
        }
        if (batch_is_control(one.p) || (batch_is_transactional(one.p) && is_aborted(s, one.p)))
            continue;
        *err = batch_iter_init(&s->it, one, 0);
        if (*err)
            return false;
        s->in_batch = true;
    }
    return true;
}

static void copy_record(struct arena *a, const struct kheld *p, const struct batch_record *r,
                        bool log_append_time, struct krecord *out)
{
    *out = (struct krecord){.topic = p->a.topic,
                            .partition = p->a.partition,
                            .log_append_time = log_append_time,
                            .offset = r->offset,
                            .timestamp_ms = r->timestamp,
                            .key = arena_dup(a, r->key),
                            .value = arena_dup(a, r->value)};
    if (r->headers_count <= 0)
        return;
    struct slice rest = arena_dup(a, r->headers);
    struct khead *heads = arena_alloc(a, (size_t)r->headers_count * sizeof *heads);
    while (out->heads_count < (size_t)r->headers_count &&
           batch_header_next(&rest, &heads[out->heads_count].name, &heads[out->heads_count].value))
        out->heads_count++;
    out->heads = heads;
}

/* Adds records of the open source; the room is for max_records. */
static enum err take_records(struct kconsumer *c, struct arena *a, struct krecord *out,
                             size_t *count, struct error *e)
{
    struct ksource *s = &c->source;
    struct kheld *p = &c->parts[s->part];
    struct batch_record r;
    enum err err = E_OK;
    while (*count < (size_t)c->max_records && a->used < POLL_BYTES && next_batch(c, &err)) {
        if (batch_iter_next(&s->it, &r)) {
            if (r.offset < p->a.position)
                continue;
            copy_record(a, p, &r, s->it.log_append_time, &out[(*count)++]);
            p->a.position = r.offset + 1;
            continue;
        }
        err = s->it.err;
        batch_iter_release(&s->it);
        s->in_batch = false;
        if (err)
            break;
    }
    if (err)
        return error_set(e, err,
                         "org.apache.kafka.common.KafkaException: a record batch of " PRI_SL
                         "-%d at offset %lld cannot be read: %s",
                         ARG_SL(p->a.topic), (int)p->a.partition, (long long)p->a.position,
                         err_name(err));
    return E_OK;
}

enum err kconsumer_read(struct kconsumer *c, struct arena *a, struct krecord *out, size_t *count,
                        struct error *e)
{
    enum err err = E_OK;
    if (c->source.open)
        err = take_records(c, a, out, count, e);
    for (size_t n = 0; n < c->count && !err && !c->source.open; n++) {
        size_t i = c->turn;
        c->turn = (c->turn + 1) % c->count;
        if (c->parts[i].target)
            err = open_source(c, i, e);
        if (!err && c->source.open)
            err = take_records(c, a, out, count, e);
    }
    return err;
}
