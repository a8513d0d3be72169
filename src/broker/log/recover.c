/* broker/log/recover.c - see recover.h. Batches are read one at a time, so the memory needed is
 * that of the largest batch; a length that runs past the end of the file is a torn tail.
 *
 * A power cut may also take the end of a segment away exactly between two batches, while a later
 * one is whole. So what is not known to be durable must go on where the segment before it ends;
 * what comes after such a hole cannot be used. It is set aside, not deleted: a person may know
 * better. (Compaction leaves holes, too, but only in segments that are durable.) */
#include "broker/log/recover.h"

#include "base/log.h"
#include "base/mem.h"

/* Size of the whole batches at the start of the segment, and the offset after them. */
static enum err whole_bytes(struct segment *s, struct strbuf *buf, int64_t *size, int64_t *next,
                            struct error *e)
{
    struct segment_scan scan;
    struct batch_at at;
    *size = 0;
    *next = s->base;
    segment_scan_init(&scan, s, 0, s->size);
    while (segment_scan_next(&scan, &at)) {
        int64_t base = batch_base_offset(at.header), last = batch_last_offset(at.header);
        if (base < *next || last < base || last - s->base > INT32_MAX)
            break;
        enum err err = segment_read_batch(s, at.pos, at.n, buf, e);
        if (err == E_CORRUPT)
            break;
        if (err)
            return err;
        *next = last + 1;
        *size = scan.pos;
    }
    if (scan.err && scan.err != E_CORRUPT)
        return error_set(e, scan.err, "%s.log cannot be read", s->stem);
    return E_OK;
}

static void set_aside(const struct segment *s)
{
    struct error e;
    char *from = xasprintf("%s.log", s->stem), *to = xasprintf("%s.log.aside", s->stem);
    if (fs_rename(from, to, &e) == E_OK)
        LOG_WARN(LOG_BROKER_LOG, "%s comes after a hole in the log; kept as %s", from, to);
    else
        LOG_ERR(LOG_BROKER_LOG, LOG_L_WARN, &e, "a segment after a hole in the log");
    mem_free(from);
    mem_free(to);
}

/* Takes the segments from number `from` on out of the log. */
static void drop_from(struct plog *l, size_t from, int64_t *bytes_cut)
{
    while (l->count > from) {
        struct segment *gone = l->segments[--l->count];
        *bytes_cut += gone->size;
        if (gone->size)
            set_aside(gone);
        plog_remove_files(gone); /* what is still there under its name */
        segment_unref(gone);
    }
}

/* Cuts the file to `whole` bytes for good. */
static enum err cut(struct segment *s, int64_t whole, int64_t *bytes_cut, struct error *e)
{
    *bytes_cut += s->size - whole;
    enum err err = fs_truncate(&s->log, whole, e);
    if (!err)
        err = fs_datasync(&s->log, e);
    s->size = whole;
    segment_forget_index(s);
    return err;
}

enum err recover_log(struct plog *l, int64_t from, int64_t durable, int64_t *bytes_cut,
                     struct error *e)
{
    struct strbuf buf = STRBUF_INIT;
    enum err err = E_OK;
    int64_t next = -1; /* where the next segment has to begin; -1: anywhere */
    *bytes_cut = 0;
    for (size_t i = plog_segment_of(l, MAX(from, 0)); !err && i < l->count; i++) {
        struct segment *s = l->segments[i];
        int64_t whole;
        if (next >= 0 && s->base != next && (s->base < next || s->base > durable)) {
            drop_from(l, i, bytes_cut);
            break;
        }
        err = segment_open(s, false, e);
        if (!err)
            err = whole_bytes(s, &buf, &whole, &next, e);
        if (err)
            break;
        segment_forget_index(s);
        if (whole < s->size) {
            err = cut(s, whole, bytes_cut, e);
            drop_from(l, i + 1, bytes_cut);
        }
    }
    if (!err && *bytes_cut)
        LOG_WARN(LOG_BROKER_LOG, "%s.log: cut at byte %lld; bytes that were no whole batches: %lld",
                 plog_active(l)->stem, (long long)plog_active(l)->size, (long long)*bytes_cut);
    strbuf_release(&buf);
    return err;
}
