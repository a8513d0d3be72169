/* broker/partition_read.c - see partition.h: offsets, reading, waiting, lookup by time and epoch.
 *
 * Bytes are never copied here: a read answers where whole batches lie in a file, and the reference
 * on the segment keeps that file until they were sent. */
#include "base/log.h"
#include "broker/partition_internal.h"
#include "broker/proto/batch.h"
#include "broker/proto/kerr.h"
#include "broker/topic.h"

static int64_t limit_of(const struct partition *p, bool committed_only)
{
    return committed_only ? p->stable : p->log.end;
}

static int16_t read_failed(const struct partition *p, const struct error *e)
{
    LOG_ERR(LOG_BROKER_LOG, LOG_L_ERROR, e, "reading " PRI_SL "-%d", ARG_SL(topic_name(p->topic)),
            p->id);
    return KERR_KAFKA_STORAGE_ERROR;
}

int16_t partition_offsets(struct partition *p, struct partition_offsets *out)
{
    *out = (struct partition_offsets){0, 0, 0};
    int16_t code = partition_enter(p);
    if (code)
        return code;
    *out = (struct partition_offsets){p->log.start, p->log.end, p->stable};
    partition_leave(p);
    return KERR_NONE;
}

/* Does not load the log: who looks at all partitions (a scrape, a list of topics) must not open all
 * of them. What is not loaded does not change. */
void partition_size(struct partition *p, int64_t *bytes, int32_t *segments)
{
    *bytes = 0;
    *segments = 0;
    pthread_mutex_lock(&p->lock);
    if (p->loaded && !p->deleted) {
        *bytes = plog_bytes(&p->log);
        *segments = (int32_t)p->log.count;
    } else if (!p->deleted) {
        if (p->fresh)
            p->measured_segments = 1;
        if (!p->measured_segments)
            plog_measure(p->dir, &p->measured_bytes, &p->measured_segments);
        *bytes = p->measured_bytes;
        *segments = p->measured_segments;
    }
    pthread_mutex_unlock(&p->lock);
}

/* --- waiting ---------------------------------------------------------------------------------- */

size_t partition_available(struct partition *p, int64_t offset, bool committed_only, size_t enough)
{
    int64_t bytes;
    if (partition_enter(p) != KERR_NONE)
        return enough; /* a read will find out and answer the error */
    if (offset < p->log.start || offset > p->log.end ||
        plog_available(&p->log, offset, limit_of(p, committed_only), &bytes, NULL) != E_OK)
        bytes = INT64_MAX;
    partition_leave(p);
    return (uint64_t)bytes < enough ? (size_t)bytes : enough;
}

bool partition_wait(struct partition *p, int64_t offset, bool committed_only, struct wait *w)
{
    if (partition_enter(p) != KERR_NONE)
        return true;
    bool ready = limit_of(p, committed_only) > offset;
    if (!ready)
        wait_list_add(&p->waits, w);
    partition_leave(p);
    return ready;
}

void partition_unwait(struct partition *p, struct wait *w)
{
    pthread_mutex_lock(&p->lock);
    wait_list_remove(&p->waits, w);
    pthread_mutex_unlock(&p->lock);
}

/* --- reading ---------------------------------------------------------------------------------- */

int16_t partition_read(struct partition *p, int64_t offset, size_t max_bytes, bool at_least_one,
                       bool committed_only, struct arena *a, struct partition_read *out)
{
    struct error e = {0};
    struct plog_run run;
    memset(out, 0, sizeof *out);
    out->next_offset = offset;
    int16_t code = partition_enter(p);
    if (code)
        return code;
    struct plog *l = &p->log;
    out->offsets = (struct partition_offsets){l->start, l->end, p->stable};
    if (offset < l->start || offset > l->end) {
        code = KERR_OFFSET_OUT_OF_RANGE;
    } else if (plog_read(l, offset, limit_of(p, committed_only), max_bytes, at_least_one, &run,
                         &e) != E_OK) {
        code = read_failed(p, &e);
    } else if (run.segment) {
        out->range = (struct file_range){run.segment, run.segment->log.fd, run.pos, run.n};
        out->next_offset = run.next_offset;
        if (committed_only &&
            plog_aborted(l, offset, run.next_offset >= 0 ? run.next_offset : p->stable, a,
                         &out->aborted, &out->aborted_count, &e) != E_OK) {
            file_range_release(&out->range);
            code = read_failed(p, &e);
        }
    }
    partition_leave(p);
    return code;
}

void file_range_release(struct file_range *r)
{
    segment_unref(r->segment);
    memset(r, 0, sizeof *r);
}

enum err file_range_read(const struct file_range *r, struct strbuf *out, struct error *e)
{
    size_t got;
    enum err err = strbuf_reserve(out, r->n);
    if (err)
        return error_set(e, err, "%zu bytes of %s.log", r->n, r->segment->stem);
    err = fs_pread(&r->segment->log, out->p + out->n, r->n, r->pos, &got, e);
    if (!err && got != r->n)
        err = error_set(e, E_CORRUPT, "%s.log is shorter than it was", r->segment->stem);
    if (!err)
        out->n += r->n;
    out->p[out->n] = 0;
    return err;
}

enum err file_range_peek(const struct file_range *r, size_t at, void *out, size_t n,
                         struct error *e)
{
    size_t got;
    enum err err = fs_pread(&r->segment->log, out, n, r->pos + (int64_t)at, &got, e);
    if (!err && got != n)
        err = error_set(e, E_CORRUPT, "%s.log is shorter than it was", r->segment->stem);
    return err;
}

/* --- lookup by time --------------------------------------------------------------------------- */

struct search {
    struct partition *p;
    int64_t wanted; /* first record at or after this time; or, with `largest`, the first of exactly
                       it */
    int64_t limit;  /* offsets from here on are not seen */
    struct strbuf buf;
    struct partition_time *out;
};

/* First record of the batch with a timestamp >= wanted, within the visible offsets. */
static bool record_at(const struct search *q, struct slice batch)
{
    struct batch_iter it;
    struct batch_record r;
    bool found = false;
    if (batch_iter_init(&it, batch, 0) != E_OK)
        return false;
    while (!found && batch_iter_next(&it, &r))
        if (r.timestamp >= q->wanted && r.offset >= q->p->log.start && r.offset < q->limit) {
            *q->out = (struct partition_time){r.offset, r.timestamp, batch_leader_epoch(batch.p)};
            found = true;
        }
    batch_iter_release(&it);
    return found;
}

/* Looks in one segment, from where its time index says. E_NOT_FOUND: not here. */
static enum err search_segment(struct search *q, struct segment *s, struct error *e)
{
    struct segment_scan scan;
    struct batch_at at;
    int64_t from = s->base + seg_index_time(&s->index, q->wanted);
    enum err err = segment_find(s, MAX(from, q->p->log.start), &at, &scan, e);
    while (!err) {
        if (batch_base_offset(at.header) >= q->limit)
            return E_NOT_FOUND;
        if (batch_max_timestamp(at.header) >= q->wanted && !batch_is_control(at.header)) {
            err = segment_read_batch(s, at.pos, at.n, &q->buf, e);
            if (err || record_at(q, strbuf_slice(&q->buf)))
                return err;
        }
        if (!segment_scan_next(&scan, &at))
            err = scan.err ? error_set(e, scan.err, "%s.log: no whole batch at %lld", s->stem,
                                       (long long)scan.pos)
                           : E_NOT_FOUND;
    }
    return err;
}

/* The largest timestamp of a visible record, by the headers of batches. -1: none. */
static enum err largest_timestamp(const struct search *q, int64_t *out, struct error *e)
{
    struct plog *l = &q->p->log;
    enum err err = E_OK;
    *out = -1;
    for (size_t i = l->count; !err && i-- > plog_segment_of(l, l->start);) {
        struct segment *s = l->segments[i];
        struct segment_scan scan;
        struct batch_at at;
        if (s->size == 0)
            continue;
        err = segment_index(s, e);
        if (err || s->max_timestamp <= *out)
            continue;
        if (s->max_timestamp_offset < q->limit && s->max_timestamp_offset >= l->start) {
            *out = s->max_timestamp;
            continue;
        }
        segment_scan_init(&scan, s, 0, s->size); /* the largest is one that may not be seen */
        while (segment_scan_next(&scan, &at))
            if (batch_base_offset(at.header) < q->limit && !batch_is_control(at.header) &&
                batch_last_offset(at.header) >= l->start)
                *out = MAX(*out, batch_max_timestamp(at.header));
        err = scan.err;
    }
    return err;
}

static enum err find_time(struct search *q, struct error *e)
{
    struct plog *l = &q->p->log;
    for (size_t i = plog_segment_of(l, l->start); i < l->count; i++) {
        struct segment *s = l->segments[i];
        if (s->size == 0)
            continue;
        enum err err = segment_index(s, e);
        if (!err && s->max_timestamp >= q->wanted)
            err = search_segment(q, s, e);
        else if (!err)
            err = E_NOT_FOUND;
        plog_park(l, false);
        if (err != E_NOT_FOUND)
            return err;
    }
    return E_OK;
}

int16_t partition_find_time(struct partition *p, int64_t timestamp, bool committed_only,
                            struct partition_time *out)
{
    struct error e = {0};
    *out = (struct partition_time){-1, -1, -1};
    int16_t code = partition_enter(p);
    if (code)
        return code;
    struct search q = {.p = p,
                       .wanted = timestamp,
                       .limit = limit_of(p, committed_only),
                       .buf = STRBUF_INIT,
                       .out = out};
    enum err err = E_OK;
    if (timestamp == -3)
        err = largest_timestamp(&q, &q.wanted, &e);
    if (!err && q.wanted >= 0)
        err = find_time(&q, &e);
    if (err)
        code = read_failed(p, &e);
    strbuf_release(&q.buf);
    partition_leave(p);
    return code;
}

/* --- leader epochs ---------------------------------------------------------------------------- */

void partition_epoch_end(struct partition *p, int32_t epoch, int32_t *out_epoch,
                         int64_t *out_offset)
{
    *out_epoch = -1;
    *out_offset = -1;
    if (partition_enter(p) != KERR_NONE)
        return;
    const struct plog *l = &p->log;
    const struct epoch_entry *all = l->epochs;
    size_t n = l->epochs_count;
    if (epoch == all[n - 1].epoch) {
        *out_epoch = epoch;
        *out_offset = l->end;
    } else if (epoch >= 0 && epoch < all[0].epoch) {
        *out_epoch = epoch;
        *out_offset = all[0].start;
    } else if (epoch >= 0 && epoch < all[n - 1].epoch) {
        size_t i = n - 1;
        while (all[i - 1].epoch > epoch)
            i--;
        *out_epoch = all[i - 1].epoch;
        *out_offset = all[i].start;
    }
    partition_leave(p);
}
