/* connect/kproducer_resume.c - exactly once: what of an earlier run has arrived and is left out, and what
 * is on disk. See kproducer_internal.h. */
#include "connect/kproducer_internal.h"

int64_t kproducer_id(const struct kproducer *p)
{
    return p->id;
}

void kproducer_resume(struct kproducer *p, int64_t id)
{
    p->id = id;
}

enum err kproducer_arrived(struct kproducer *p, const struct kpart *part, int32_t *arrived,
                           bool *known, bool *behind, struct error *e)
{
    struct broker_target *t;
    struct broker_producer state;
    *arrived = 0;
    *known = true;
    *behind = false;
    enum err err = broker_target_open(p->k->broker, part->topic, part->partition, &t, e);
    if (err == E_NOT_FOUND) {
        *known = false;
        return E_OK;
    }
    if (err)
        return err;
    err = broker_producer_state(t, p->id, &state);
    broker_target_close(t);
    if (err == E_NOT_FOUND || (!err && state.last_sequence < 0)) {
        /* Nothing of this producer: either nothing ever arrived, or it was forgotten. */
        *known = part->first_sequence == 0;
        return E_OK;
    }
    if (err)
        return error_set(e, err, "the log's producer state could not be read");
    int64_t next = ((int64_t)state.last_sequence + 1) & INT32_MAX;
    int64_t ahead = (next - part->first_sequence) & INT32_MAX; /* sequences wrap */
    if (ahead > INT32_MAX / 2)
        *behind = true;
    else
        *arrived = (int32_t)MIN(ahead, part->count);
    return E_OK;
}

void kproducer_skip(struct kproducer *p, const struct kpart *part, int32_t n)
{
    struct ktopic *t;
    struct kslot *s;
    if (n <= 0 || kproducer_find_topic(p, part->topic, &t, NULL) ||
        kproducer_find_slot(p, t, part->partition, &s, NULL))
        return;
    s->skip = n;
    if (part->sticky)
        t->replay_sticky = part->partition;
}

void kproducer_skip_nothing(struct kproducer *p, struct slice topic)
{
    struct ktopic *t = map_get(&p->topics, topic);
    if (!t)
        return;
    t->replay_sticky = -1;
    for (int32_t k = 0; k < t->partitions; k++)
        if (t->slots[k])
            t->slots[k]->skip = 0;
}

static void each_slot(struct kproducer *p, bool (*fn)(struct kslot *s, void *arg), void *arg)
{
    size_t i = 0;
    struct slice name;
    void *value;
    while (map_next(&p->topics, &i, &name, &value)) {
        struct ktopic *t = value;
        for (int32_t k = 0; k < t->partitions; k++)
            if (t->slots[k] && t->slots[k]->target && !fn(t->slots[k], arg))
                return;
    }
}

static bool mark_slot(struct kslot *s, void *arg)
{
    (void)arg;
    s->mark = s->end_offset;
    return true;
}

static bool slot_synced(struct kslot *s, void *arg)
{
    bool *all = arg;
    *all = s->mark < 0 || broker_synced_offset(s->target) >= s->mark;
    return *all;
}

struct sync_call {
    struct error *e;
    enum err err;
};

static bool sync_slot(struct kslot *s, void *arg)
{
    struct sync_call *c = arg;
    if (s->end_offset >= 0 && broker_synced_offset(s->target) < s->end_offset)
        c->err = broker_sync(s->target, c->e);
    if (c->err == E_NOT_FOUND) /* deleted topics need no sync */
        c->err = E_OK;
    return c->err == E_OK;
}

void kproducer_mark(struct kproducer *p)
{
    each_slot(p, mark_slot, NULL);
}

bool kproducer_mark_synced(struct kproducer *p)
{
    bool all = true;
    each_slot(p, slot_synced, &all);
    return all;
}

enum err kproducer_sync(struct kproducer *p, struct error *e)
{
    struct sync_call c = {.e = e, .err = E_OK};
    each_slot(p, sync_slot, &c);
    return c.err;
}
