/* broker/admin_brokers.c - the brokers for in-process users: what each has, how the cluster is, and
 * stopping and starting one of a lab. SPEC: broker 0.2. */
#include "broker/admin.h"

#include "base/base.h"
#include "broker/broker_state.h"
#include "broker/topic.h"

static struct broker_node *node_of(struct broker *b, struct broker_cluster *c, int32_t id)
{
    int32_t i = id - b->brokers.first;
    return i >= 0 && (size_t)i < c->node_count ? &c->nodes[i] : NULL;
}

static void count_partition(struct broker *b, struct broker_cluster *c, struct topic *t,
                            struct partition *p)
{
    struct placement place;
    int64_t bytes;
    int32_t segments;
    partition_placement(p, &place);
    partition_size(p, &bytes, &segments);
    int32_t enough = MIN(topic_config(t)->min_insync_replicas, place.replica_count);
    c->partitions++;
    c->replicas += place.replica_count;
    c->in_sync += place.isr_count;
    c->offline += place.leader < 0;
    c->under_replicated += place.isr_count < place.replica_count;
    c->under_min_isr += place.isr_count < enough;
    c->at_min_isr += place.isr_count == enough;
    c->not_preferred += place.leader != place.replicas[0];
    for (int32_t i = 0; i < place.replica_count; i++) {
        struct broker_node *n = node_of(b, c, place.replicas[i]);
        if (!n)
            continue;
        n->replicas++;
        n->leaders += place.leader == n->id;
        n->in_sync += placement_in_sync(&place, n->id);
        n->bytes += bytes;
        n->segments += segments;
    }
}

/* Host and port as a client on this machine is told them. */
static void fill_address(struct broker *b, struct broker_node *n)
{
    for (size_t i = 0; i < b->listeners.count; i++) {
        const struct listener *l = &b->listeners.v[i];
        if (l->node_id != n->id)
            continue;
        struct slice text = slice_cstr(l->adv_text);
        ptrdiff_t colon = slice_rfind_char(text, ':');
        struct slice host = slice_sub(text, 0, (size_t)MAX(colon, 0));
        if (host.n > 2 && host.p[0] == '[')
            host = slice_sub(host, 1, host.n - 1);
        snprintf(n->host, sizeof n->host, PRI_SL, ARG_SL(host));
        n->port = l->adv_port ? l->adv_port : l->port;
        return;
    }
}

enum err broker_cluster(struct broker *b, struct broker_cluster *out, struct error *e)
{
    struct arena a;
    struct topic **v;
    size_t n;
    struct brokers *s = &b->brokers;
    *out = (struct broker_cluster){.node_count = (size_t)s->count,
                                   .controller = brokers_controller(s),
                                   .isr_shrinks = atomic_load(&s->isr_shrinks),
                                   .isr_expands = atomic_load(&s->isr_expands),
                                   .elections = atomic_load(&s->elections),
                                   .unclean_elections = atomic_load(&s->unclean_elections)};
    for (int32_t i = 0; i < s->count; i++) {
        out->nodes[i].id = s->first + i;
        out->nodes[i].running = brokers_runs(s, s->first + i);
        out->running += out->nodes[i].running;
        fill_address(b, &out->nodes[i]);
    }
    arena_init(&a, 0, ARENA_NO_BUDGET);
    enum err r = topics_list(b->topics, &a, &v, &n);
    if (r != E_OK)
        error_set(e, r, "no memory for a list of topics");
    for (size_t i = 0; r == E_OK && i < n; i++) {
        for (int32_t k = 0; k < topic_partition_count(v[i]); k++) {
            struct partition *p = topic_partition(v[i], k);
            count_partition(b, out, v[i], p);
            partition_unref(p);
        }
        topic_unref(v[i]);
    }
    arena_release(&a);
    return r;
}

enum err broker_node_stop(struct broker *b, int32_t id, struct error *e)
{
    return brokers_stop_one(&b->brokers, id, e);
}

enum err broker_node_start(struct broker *b, int32_t id, struct error *e)
{
    return brokers_start_one(&b->brokers, id, e);
}

enum err broker_elect_preferred(struct broker *b, struct error *e)
{
    return brokers_elect(&b->brokers, SLICE_NULL, -1, false, NULL, NULL, e);
}
