/* broker/partition_producers.c - see partition.h: what a partition knows of producers and their
 * transactions, how that is stored and found again, the last stable offset.
 *
 * At load the newest snapshot that is not beyond the recovery point is taken, and the log is read
 * from there: what was written after the recovery point need not have reached the disk together, so
 * a newer snapshot, or a list of aborted transactions, proves nothing about the log beside it. */
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "broker/partition_internal.h"
#include "broker/proto/batch.h"
#include "broker/proto/kerr.h"
#include "broker/topic.h"

#define EXPIRE_AT_LEAST 1000 /* producers */

void partition_expire_producers(struct partition *p)
{
    producer_state_expire(&p->producers, clock_wall_ms() - p->env->producer_expire_ms);
    p->expire_at = MAX(2 * p->producers.by_id.count, EXPIRE_AT_LEAST);
}

void partition_update_stable(struct partition *p)
{
    const struct plog *l = &p->log;
    int64_t open = producer_state_first_open(&p->producers);
    p->stable = open < 0 ? l->end : MAX(open, l->start); /* its beginning may have been deleted */
    invariant(p->stable <= l->end);
    invariant(open < 0 || p->stable <= MAX(open, l->start));
}

/* --- snapshots -------------------------------------------------------------------------------- */

/* The offset that the snapshot stands for, or -1. */
static int64_t load_snapshot(struct partition *p, int64_t limit)
{
    int64_t at = plog_newest_snapshot(&p->log, limit);
    if (at < 0)
        return -1;
    struct strbuf bytes = STRBUF_INIT;
    char *path = plog_snapshot_path(&p->log, at);
    if (fs_read_all(path, STRBUF_MAX_DEFAULT, &bytes, NULL) != E_OK ||
        producer_state_decode(&p->producers, strbuf_slice(&bytes)) != E_OK ||
        producer_state_last_open(&p->producers) >= at) {
        LOG_WARN(LOG_BROKER_LOG, "%s is damaged; reading the whole log instead", path);
        producer_state_clear(&p->producers);
        at = -1;
    }
    mem_free(path);
    strbuf_release(&bytes);
    return at;
}

enum err partition_save_producers(struct partition *p, struct error *e)
{
    struct strbuf bytes = STRBUF_INIT;
    struct fs_file f;
    partition_expire_producers(p);
    char *path = plog_snapshot_path(&p->log, p->log.end);
    enum err err = producer_state_encode(&p->producers, &bytes);
    if (!err)
        err = fs_open(&f, path, FS_WRITE | FS_CREATE | FS_TRUNC, e);
    if (!err) {
        err = fs_pwrite(&f, bytes.p, bytes.n, 0, e);
        fs_close(&f);
    }
    strbuf_release(&bytes);
    mem_free(path);
    return err;
}

/* --- loading ---------------------------------------------------------------------------------- */

static enum err note_marker(struct partition *p, struct segment *s, const struct batch_at *at,
                            struct txn_index *aborted, struct strbuf *buf, struct error *e)
{
    enum control_type type;
    int32_t coordinator_epoch;
    enum err err = segment_read_batch(s, at->pos, at->n, buf, e);
    if (!err && batch_control_parse(strbuf_slice(buf), &type, &coordinator_epoch) != E_OK)
        err = error_set(e, E_CORRUPT, "%s.log: a damaged marker at position %lld", s->stem,
                        (long long)at->pos);
    if (!err && type == CONTROL_UNKNOWN)
        return E_OK;
    if (!err)
        err = producer_state_reserve(&p->producers, buf->p);
    if (err)
        return err;
    const struct producer *of = producer_state_get(&p->producers, batch_producer_id(buf->p));
    if (type == CONTROL_ABORT && of && of->txn_first_offset >= 0) {
        int64_t last = batch_base_offset(buf->p);
        int64_t open = producer_state_first_open_without(&p->producers, of->id);
        err = txn_index_add(aborted, &(struct txn_aborted){of->id, of->txn_first_offset, last,
                                                           open >= 0 ? open : last + 1});
    }
    producer_state_end_txn(&p->producers, buf->p, coordinator_epoch);
    return err;
}

/* Notes the batches of a segment from offset `from` on, and which transactions were aborted. */
static enum err scan_segment(struct partition *p, struct segment *s, int64_t from,
                             struct txn_index *aborted, struct error *e)
{
    struct segment_scan scan;
    struct batch_at at;
    struct strbuf buf = STRBUF_INIT;
    enum err err = segment_open(s, false, e);
    segment_scan_init(&scan, s, 0, err ? 0 : s->size);
    while (!err && segment_scan_next(&scan, &at)) {
        if (batch_base_offset(at.header) < from)
            continue;
        if (batch_is_control(at.header))
            err = note_marker(p, s, &at, aborted, &buf, e);
        else
            err = producer_state_note(&p->producers, at.header);
    }
    if (!err && scan.err)
        err = error_set(e, scan.err, "%s.log: no whole batch at position %lld", s->stem,
                        (long long)scan.pos);
    strbuf_release(&buf);
    return err;
}

static bool same_entries(const struct txn_index *a, const struct txn_index *b)
{
    return a->count == b->count && (!a->count || !memcmp(a->v, b->v, a->count * sizeof *a->v));
}

/* Scans the segment; its list of aborted transactions is kept below `from` and made anew above. */
static enum err load_segment(struct partition *p, struct segment *s, int64_t from, struct error *e)
{
    struct txn_index made;
    enum err err = E_OK;
    bool readable = txn_index_load(&s->aborted, s->stem, NULL) == E_OK;
    if (!readable && s->base < from)
        return E_CORRUPT; /* part of it can't be made anew from here */
    txn_index_init(&made, true);
    for (size_t i = 0; !err && readable && i < s->aborted.count; i++)
        if (s->aborted.v[i].last_offset < from)
            err = txn_index_add(&made, &s->aborted.v[i]);
    if (!err && s->size && from < p->log.end)
        err = scan_segment(p, s, from, &made, e);
    bool changed = !readable || !same_entries(&made, &s->aborted);
    txn_index_release(&s->aborted);
    s->aborted = made;
    if (!err && changed)
        err = txn_index_save(&s->aborted, s->stem, e);
    return err;
}

static enum err load_from(struct partition *p, int64_t from, struct error *e)
{
    struct plog *l = &p->log;
    enum err err = E_OK;
    for (size_t i = plog_segment_of(l, from); !err && i < l->count; i++) {
        err = load_segment(p, l->segments[i], from, e);
        plog_park(l, false);
    }
    return err;
}

enum err partition_load_producers(struct partition *p, struct error *e)
{
    struct plog *l = &p->log;
    int64_t first = l->segments[0]->base, from = MAX(load_snapshot(p, l->recovery_point), first);
    enum err err = load_from(p, from, e);
    if (err == E_CORRUPT && from > first) {
        LOG_WARN(LOG_BROKER_LOG, "%s: producers and transactions are read from the whole log",
                 p->dir);
        producer_state_clear(&p->producers);
        err = load_from(p, first, e);
    }
    plog_park(l, true);
    partition_expire_producers(p);
    return err;
}

/* --- transactions ----------------------------------------------------------------------------- */

int16_t partition_txn_guard(struct partition *p, const void *batch, uint64_t *guard)
{
    const struct producer_batch *duplicate;
    *guard = 0;
    int16_t code = partition_enter(p);
    if (code)
        return code;
    /* other codes than this one the append gives as well, without asking anybody */
    if (producer_state_check(&p->producers, batch, 0, &duplicate) == KERR_INVALID_TXN_STATE &&
        !producer_state_has_open(&p->producers, batch) &&
        producer_state_guard(&p->producers, batch, clock_wall_ms(), guard) != E_OK)
        code = KERR_KAFKA_STORAGE_ERROR;
    partition_leave(p);
    return code;
}

/* --- views ------------------------------------------------------------------------------------ */

bool partition_producer(struct partition *p, int64_t id, struct producer *out)
{
    if (partition_enter(p) != KERR_NONE)
        return false;
    const struct producer *found = producer_state_get(&p->producers, id);
    if (found)
        *out = *found;
    partition_leave(p);
    return found != NULL;
}

enum err partition_producers(struct partition *p, struct arena *a, struct producer **out,
                             size_t *count)
{
    *out = NULL;
    *count = 0;
    if (partition_enter(p) != KERR_NONE)
        return E_OK;
    size_t most = p->producers.by_id.count;
    *out = arena_try_alloc(a, MAX(most, 1) * sizeof **out);
    struct slice key;
    void *value;
    for (size_t i = 0; *out && map_next(&p->producers.by_id, &i, &key, &value);)
        if (producer_is_known(value))
            (*out)[(*count)++] = *(const struct producer *)value;
    partition_leave(p);
    return *out ? E_OK : E_NOMEM;
}
