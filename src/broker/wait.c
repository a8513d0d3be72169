/* broker/wait.c - see wait.h. A registration is a small node that holds a reference of the wait;
 * lists of nodes are cut off under the owner's lock and fired outside of it. */
#include "broker/wait.h"

#include "base/mem.h"

struct wait_node {
    struct link link;
    struct wait *wait;
};

struct wait *wait_new(void (*fn)(void *arg), void (*release)(void *arg), void *arg)
{
    struct wait *w = xcalloc(1, sizeof *w);
    w->refs = 1;
    w->fn = fn;
    w->release = release;
    w->arg = arg;
    return w;
}

struct wait *wait_ref(struct wait *w)
{
    atomic_fetch_add_explicit(&w->refs, 1, memory_order_relaxed);
    return w;
}

void wait_unref(struct wait *w)
{
    if (!w || atomic_fetch_sub_explicit(&w->refs, 1, memory_order_acq_rel) != 1)
        return;
    if (w->release)
        w->release(w->arg);
    mem_free(w);
}

void wait_fire(struct wait *w)
{
    if (!atomic_exchange_explicit(&w->fired, true, memory_order_acq_rel))
        w->fn(w->arg);
}

void wait_give_up(struct wait *w)
{
    atomic_store_explicit(&w->fired, true, memory_order_release);
}

void wait_list_init(struct wait_list *l)
{
    list_init(&l->nodes);
}

void wait_list_add(struct wait_list *l, struct wait *w)
{
    struct wait_node *n = xcalloc(1, sizeof *n);
    n->wait = wait_ref(w);
    list_push_back(&l->nodes, &n->link);
}

static void drop(struct wait_list *l, struct wait_node *n)
{
    list_remove(&l->nodes, &n->link);
    wait_unref(n->wait);
    mem_free(n);
}

void wait_list_remove(struct wait_list *l, struct wait *w)
{
    list_each (&l->nodes, it) {
        struct wait_node *n = list_entry(it, struct wait_node, link);
        if (n->wait == w)
            drop(l, n);
    }
}

void wait_list_take(struct wait_list *l, struct wait_list *out)
{
    list_init(&out->nodes);
    for (struct link *k; (k = list_pop_front(&l->nodes)) != NULL;)
        list_push_back(&out->nodes, k);
}

void wait_list_fire(struct wait_list *l)
{
    list_each (&l->nodes, it) {
        struct wait_node *n = list_entry(it, struct wait_node, link);
        wait_fire(n->wait);
        drop(l, n);
    }
}
