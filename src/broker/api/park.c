/* broker/api/park.c - see park.h. */
#include "broker/api/park.h"

#include "base/base.h"
#include "base/clock.h"
#include "base/mem.h"

struct park_wake { /* what a wait posts */
    _Atomic int refs;
    struct loop *loop;
    struct park *park; /* NULL once that is over; on the loop only */
};

static void wake_unref(void *arg)
{
    struct park_wake *k = arg;
    if (atomic_fetch_sub(&k->refs, 1) == 1)
        mem_free(k);
}

static void woken(void *arg)
{
    struct park_wake *k = arg;
    if (k->park)
        k->park->woken(k->park->arg);
    wake_unref(k);
}

static void fire(void *arg) /* on the appender's thread */
{
    struct park_wake *k = arg;
    atomic_fetch_add(&k->refs, 1);
    loop_post(k->loop, woken, k);
}

void park_begin(struct park *p, struct loop *l, void (*on_woken)(void *arg),
                void (*late)(void *arg), void *arg)
{
    *p = (struct park){.loop = l, .woken = on_woken, .arg = arg};
    p->wake = xcalloc(1, sizeof *p->wake);
    p->wake->refs = 1;
    p->wake->loop = l;
    p->wake->park = p;
    loop_timer_init(&p->timer, l, late, arg);
}

void park_until(struct park *p, int64_t mono_ms)
{
    loop_timer_set(&p->timer, MAX(0, mono_ms - clock_mono_ms()));
}

struct wait *park_hang(struct park *p)
{
    atomic_fetch_add(&p->wake->refs, 1);
    p->wait = wait_new(fire, wake_unref, p->wake);
    return p->wait;
}

void park_give_up(struct park *p)
{
    if (p->wait)
        wait_give_up(p->wait);
}

void park_unhung(struct park *p)
{
    if (p->wait)
        wait_unref(p->wait);
    p->wait = NULL;
}

void park_end(struct park *p)
{
    if (!p->wake)
        return;
    loop_timer_release(&p->timer);
    p->wake->park = NULL;
    wake_unref(p->wake);
    p->wake = NULL;
}
