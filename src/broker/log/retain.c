/* broker/log/retain.c - see retain.h. Oldest first: usually one segment is measured and stays. */
#include "broker/log/retain.h"

#include "base/log.h"
#include "base/mem.h"

#define FUTURE_MS 60000 /* clocks differ by less; what is further ahead is worth a line */

/* What counts as the age of a segment: its newest record, else its file. */
static enum err newest_ms(struct segment *s, int64_t *out, struct error *e)
{
    enum err err = segment_measure(s, e);
    *out = s->max_timestamp;
    if (err || *out >= 0)
        return err;
    err = segment_open(s, false, e);
    return err ? err : fs_mtime_ms(&s->log, out, e);
}

/* Users ask why a topic does not lose old records: a record of the future is why. */
static void tell_future(struct segment *s, int64_t newest, int64_t now_ms)
{
    if (s->future_told || newest <= now_ms || newest - now_ms < FUTURE_MS)
        return;
    s->future_told = true;
    LOG_WARN(LOG_BROKER_LOG,
             "%s.log holds a record of the future and stays until retention.ms after that "
             "ahead_ms=%lld offset=%lld",
             s->stem, (long long)(newest - now_ms), (long long)s->max_timestamp_offset);
}

/* retention_ms may be as large as an int64; now and newest are not negative. */
static enum err is_expired(struct segment *s, const struct topic_config *c, int64_t now_ms,
                           bool *out, struct error *e)
{
    int64_t newest;
    *out = false;
    if (!c->cleanup_delete || c->retention_ms < 0)
        return E_OK;
    enum err err = newest_ms(s, &newest, e);
    if (err)
        return err;
    tell_future(s, newest, now_ms);
    *out = now_ms > newest && now_ms - MAX(newest, 0) > c->retention_ms;
    return E_OK;
}

enum err retain_look(struct plog *l, const struct topic_config *c, int64_t now_ms,
                     struct retain_plan *out, struct error *e)
{
    int64_t total = plog_bytes(l);
    *out = (struct retain_plan){.start = l->start};
    for (size_t i = 0; i < l->count; i++) {
        struct segment *s = l->segments[i];
        bool active = i + 1 == l->count, goes;
        int64_t next = active ? l->end : l->segments[i + 1]->base;
        if (active && s->size == 0)
            break;
        enum err err = E_OK;
        goes = next <= l->start || (c->cleanup_delete && c->retention_bytes >= 0 &&
                                    total - s->size >= c->retention_bytes);
        if (!goes)
            err = is_expired(s, c, now_ms, &goes, e);
        if (err)
            return err;
        if (!goes)
            break;
        total -= s->size;
        out->segments = i + 1;
        out->roll = active;
        out->bytes += s->size;
        out->start = MAX(l->start, next);
    }
    return E_OK;
}
