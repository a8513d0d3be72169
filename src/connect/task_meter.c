/* connect/task_meter.c - see the header. */
#include "connect/task_meter.h"

#include <math.h>

#include "base/clock.h"

#define WINDOW_MS 30000

static void stat_add(struct meter_stat *s, int64_t value)
{
    int64_t now = clock_mono_ms();
    int c = s->current;
    if (now - s->began_ms[c] >= WINDOW_MS || !s->began_ms[c]) {
        c = s->current = s->began_ms[c] ? !c : c;
        s->began_ms[c] = MAX(now, (int64_t)1);
        s->sum[c] = s->count[c] = 0;
        s->max[c] = INT64_MIN;
        s->min[c] = INT64_MAX;
    }
    s->sum[c] += value;
    s->count[c]++;
    s->max[c] = MAX(s->max[c], value);
    s->min[c] = MIN(s->min[c], value);
}

/* Both windows together, without one that is over. */
struct seen {
    int64_t sum, count, max, min, ms;
};

static struct seen both(const struct meter_stat *s)
{
    int64_t now = clock_mono_ms(), oldest = now;
    struct seen v = {.max = INT64_MIN, .min = INT64_MAX};
    for (int i = 0; i < 2; i++) {
        if (!s->began_ms[i] || now - s->began_ms[i] >= 2 * WINDOW_MS)
            continue;
        v.sum += s->sum[i];
        v.count += s->count[i];
        v.max = MAX(v.max, s->max[i]);
        v.min = MIN(v.min, s->min[i]);
        oldest = MIN(oldest, s->began_ms[i]);
    }
    v.ms = MAX(now - oldest, (int64_t)WINDOW_MS);
    return v;
}

double meter_rate(const struct meter_stat *s)
{
    struct seen v = both(s);
    return (double)v.sum * 1000 / (double)v.ms;
}

double meter_avg(const struct meter_stat *s)
{
    struct seen v = both(s);
    return v.count ? (double)v.sum / (double)v.count : NAN;
}

double meter_max(const struct meter_stat *s)
{
    struct seen v = both(s);
    return v.count ? (double)v.max : NAN;
}

double meter_min(const struct meter_stat *s)
{
    struct seen v = both(s);
    return v.count ? (double)v.min : NAN;
}

void task_meter_init(struct task_meter *m)
{
    memset(m, 0, sizeof *m);
    pthread_mutex_init(&m->lock, NULL);
    m->started_ms = clock_mono_ms();
}

void task_meter_release(struct task_meter *m)
{
    pthread_mutex_destroy(&m->lock);
}

void task_meter_active(struct task_meter *m, int64_t records)
{
    pthread_mutex_lock(&m->lock);
    m->active = records;
    stat_add(&m->values[METER_ACTIVE], records);
    pthread_mutex_unlock(&m->lock);
}

void task_meter_in(struct task_meter *m, int64_t records, int64_t us)
{
    pthread_mutex_lock(&m->lock);
    m->counts[METER_IN] += records;
    stat_add(&m->values[METER_BATCH_IN], records);
    if (us >= 0)
        stat_add(&m->values[METER_BATCH_IN_US], us);
    pthread_mutex_unlock(&m->lock);
}

void task_meter_out(struct task_meter *m, int64_t records, int64_t us)
{
    pthread_mutex_lock(&m->lock);
    m->counts[METER_OUT] += records;
    stat_add(&m->values[METER_BATCH_OUT], records);
    if (us)
        stat_add(&m->values[METER_BATCH_IN_US], us);
    pthread_mutex_unlock(&m->lock);
}

void task_meter_commit(struct task_meter *m, bool ok, int64_t us)
{
    pthread_mutex_lock(&m->lock);
    m->counts[ok ? METER_COMMITS : METER_COMMITS_FAILED]++;
    stat_add(&m->values[METER_COMMIT_US], us);
    if (ok)
        stat_add(&m->values[METER_COMMIT_COUNT], 1);
    pthread_mutex_unlock(&m->lock);
}

void task_meter_paused(struct task_meter *m, bool paused)
{
    pthread_mutex_lock(&m->lock);
    int64_t now = clock_mono_ms();
    if (m->paused_since_ms)
        m->paused_ms += now - m->paused_since_ms;
    m->paused_since_ms = paused ? MAX(now, (int64_t)1) : 0;
    pthread_mutex_unlock(&m->lock);
}

void task_meter_copy(struct task_meter *m, struct task_meter *out)
{
    pthread_mutex_lock(&m->lock);
    *out = *m;
    pthread_mutex_unlock(&m->lock);
}
