/* broker/metrics_view.c - see metrics_view.h. The families are in metrics_view.def; samples are
 * gathered per family, because those of one family must stand together, and printed in its order.
 *
 * Above metrics.partitions.max partitions no series is printed for each of them: a board is better
 * served by sums than a Prometheus by a million lines. */
#include "broker/metrics_view.h"

#include "base/base.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "broker/admin.h"
#include "broker/broker_state.h"
#include "broker/topic.h"
#include "broker/topic_stats.h"
#include "broker/txn/txn_coord.h"

enum family {
#define F(id, name, kind, help) F_##id,
#include "broker/metrics_view.def"
#undef F
    FAMILIES
};
static const struct {
    const char *name, *kind, *help;
} families[] = {
#define F(id, name, kind, help) {name, #kind, help},
#include "broker/metrics_view.def"
#undef F
};

struct view {
    struct broker *b;
    struct strbuf text[FAMILIES], labels;
    struct arena arena;
};

static void sample_as(struct view *v, enum family f, const char *suffix, double value)
{
    struct strbuf *t = &v->text[f];
    strbuf_addf(t, "%s%s", families[f].name, suffix);
    if (v->labels.n)
        strbuf_addf(t, "{" PRI_SL "}", ARG_SL(strbuf_slice(&v->labels)));
    strbuf_addf(t, " %.17g\n", value);
}

static void sample(struct view *v, enum family f, double value)
{
    sample_as(v, f, "", value);
}

static void plain(struct view *v, enum family f, double value)
{
    strbuf_reset(&v->labels);
    sample(v, f, value);
}

static void label(struct view *v, const char *name, struct slice value)
{
    metrics_label(&v->labels, name, value);
}

static void label_number(struct view *v, const char *name, int64_t value)
{
    char text[24];
    snprintf(text, sizeof text, "%lld", (long long)value);
    metrics_label(&v->labels, name, slice_cstr(text));
}

/* --- topics and partitions -------------------------------------------------------------------- */

static void add_partition(struct view *v, struct topic *t, const struct broker_partition_info *p)
{
    int32_t enough = MIN(topic_config(t)->min_insync_replicas, p->replica_count);
    strbuf_reset(&v->labels);
    label(v, "topic", topic_name(t));
    label_number(v, "partition", p->id);
    sample(v, F_LOG_SIZE, (double)p->bytes);
    sample(v, F_LOG_START, (double)p->start_offset);
    sample(v, F_LOG_END, (double)p->end_offset);
    sample(v, F_LOG_SEGMENTS, p->segments);
    sample(v, F_P_UNDER_MIN, p->isr_count < enough);
    sample(v, F_P_AT_MIN, p->isr_count == enough);
    sample(v, F_P_UNDER, p->isr_count < p->replica_count);
    sample(v, F_P_REPLICAS, p->replica_count);
    sample(v, F_P_IN_SYNC, p->isr_count);
    sample(v, F_X_CURRENT, (double)p->end_offset);
    sample(v, F_X_OLDEST, (double)p->start_offset);
    sample(v, F_X_LEADER, p->leader);
    sample(v, F_X_PREFERRED, p->leader == p->replicas[0]);
    sample(v, F_X_REPLICAS, p->replica_count);
    sample(v, F_X_IN_SYNC, p->isr_count);
    sample(v, F_X_UNDER, p->isr_count < p->replica_count);
}

static void add_topics(struct view *v, bool each_partition)
{
    struct topic **all;
    size_t n;
    if (topics_list(v->b->topics, &v->arena, &all, &n) != E_OK)
        return;
    for (int s = 0; s < TOPIC_STATS; s++)
        plain(v, F_MESSAGES_IN + s, (double)topics_counted(v->b->topics, s));
    plain(v, F_GLOBAL_TOPICS, (double)n);
    for (size_t i = 0; i < n; i++) {
        int32_t count = topic_partition_count(all[i]);
        strbuf_reset(&v->labels);
        label(v, "topic", topic_name(all[i]));
        for (int s = 0; s < TOPIC_STATS; s++)
            sample(v, F_MESSAGES_IN + s, (double)topic_counted(all[i], s));
        sample(v, F_X_PARTITIONS, count);
        for (int32_t p = 0; each_partition && p < count; p++) {
            struct broker_partition_info info;
            struct partition *q = topic_partition(all[i], p);
            broker_partition_view(v->b, q, &info);
            partition_unref(q);
            add_partition(v, all[i], &info);
        }
        topic_unref(all[i]);
    }
}

/* --- the cluster ------------------------------------------------------------------------------ */

static void add_cluster(struct view *v)
{
    struct broker_cluster c;
    if (broker_cluster(v->b, &c, NULL) != E_OK)
        return;
    int64_t replicas = 0;
    for (size_t i = 0; i < c.node_count; i++)
        replicas += c.nodes[i].running ? c.nodes[i].replicas : 0;
    plain(v, F_LEADER_COUNT, (double)(c.partitions - c.offline));
    plain(v, F_PARTITION_COUNT, (double)replicas);
    plain(v, F_UNDER_REPLICATED, (double)c.under_replicated);
    plain(v, F_UNDER_MIN_ISR, (double)c.under_min_isr);
    plain(v, F_AT_MIN_ISR, (double)c.at_min_isr);
    plain(v, F_OFFLINE_REPLICAS, 0);
    plain(v, F_ISR_SHRINKS, (double)c.isr_shrinks);
    plain(v, F_ISR_EXPANDS, (double)c.isr_expands);
    plain(v, F_ACTIVE_CONTROLLERS, c.controller >= 0);
    plain(v, F_ACTIVE_BROKERS, (double)c.running);
    plain(v, F_FENCED_BROKERS, (double)(c.node_count - c.running));
    plain(v, F_OFFLINE_PARTITIONS, (double)c.offline);
    plain(v, F_NOT_PREFERRED, (double)c.not_preferred);
    plain(v, F_GLOBAL_PARTITIONS, (double)c.partitions);
    plain(v, F_UNCLEAN, (double)c.unclean_elections);
    plain(v, F_RAFT_LEADER, c.controller);
    plain(v, F_RAFT_EPOCH, 1);
    plain(v, F_RAFT_HW, (double)broker_topics_generation(v->b) + 1);
    plain(v, F_RAFT_END, (double)broker_topics_generation(v->b) + 1);
    plain(v, F_BROKER_STATE, 3);
    strbuf_reset(&v->labels);
    label(v, "version", SL(WEIR_VERSION));
    sample(v, F_APP_INFO, 1);
    plain(v, F_X_BROKERS, (double)c.running);
    for (size_t i = 0; i < c.node_count; i++) {
        char address[300];
        if (!c.nodes[i].running)
            continue;
        snprintf(address, sizeof address, "%s:%d", c.nodes[i].host, c.nodes[i].port);
        strbuf_reset(&v->labels);
        label(v, "address", slice_cstr(address));
        label_number(v, "id", c.nodes[i].id);
        sample(v, F_X_BROKER_INFO, 1);
    }
}

/* --- requests and loops ----------------------------------------------------------------------- */

static const struct {
    enum family family;
    int what; /* enum request_time, -1: always 0 */
} times[] = {
    {F_TOTAL_TIME, REQUEST_TOTAL},   {F_QUEUE_TIME, -1},          {F_LOCAL_TIME, REQUEST_LOCAL},
    {F_REMOTE_TIME, REQUEST_REMOTE}, {F_RESPONSE_QUEUE_TIME, -1}, {F_SEND_TIME, -1},
};
static const struct {
    double q;
    const char *text;
} quantiles[] = {{0.5, "0.5"},   {0.75, "0.75"}, {0.95, "0.95"},
                 {0.98, "0.98"}, {0.99, "0.99"}, {0.999, "0.999"}};

static int64_t sum_of(struct view *v, int16_t api, int version, int64_t *errors)
{
    int64_t n = 0;
    for (int i = 0; i < v->b->loop_count; i++) {
        const struct request_api_stats *a =
            atomic_load_explicit(&v->b->loops[i].stats.apis[api], memory_order_acquire);
        if (!a)
            continue;
        n += version < 0 ? atomic_load(&a->count) : atomic_load(&a->versions[version]);
        if (errors)
            *errors += atomic_load(&a->errors);
    }
    return n;
}

static void add_times(struct view *v, int16_t api, struct slice name, int64_t count)
{
    int64_t now_us = clock_mono_us();
    for (size_t t = 0; t < ARRAY_LEN(times); t++) {
        struct latency l = {0};
        for (int i = 0; times[t].what >= 0 && i < v->b->loop_count; i++)
            latency_add(&l, &v->b->loops[i].stats, api, times[t].what, now_us);
        for (size_t q = 0; q < ARRAY_LEN(quantiles); q++) {
            strbuf_reset(&v->labels);
            label(v, "request", name);
            label(v, "quantile", slice_cstr(quantiles[q].text));
            sample(v, times[t].family, latency_quantile(&l, quantiles[q].q));
        }
        strbuf_reset(&v->labels);
        label(v, "request", name);
        sample_as(v, times[t].family, "_count", (double)count);
    }
}

static void add_requests(struct view *v)
{
    const struct msg_api *api;
    for (size_t i = 0; (api = msg_api_at(i)); i++) {
        int64_t errors = 0, count = sum_of(v, api->key, -1, &errors);
        struct slice name = api->key == KAPI_FETCH ? SL("FetchConsumer") : slice_cstr(api->name);
        if (count == 0)
            continue;
        for (int version = 0; version < REQUEST_VERSIONS; version++) {
            int64_t n = sum_of(v, api->key, version, NULL);
            if (n == 0)
                continue;
            strbuf_reset(&v->labels);
            label(v, "request", name);
            label_number(v, "version", version);
            sample(v, F_REQUESTS, (double)n);
        }
        for (int failed = 0; failed < 2; failed++) {
            strbuf_reset(&v->labels);
            label(v, "request", name);
            label(v, "error", failed ? SL("ANY") : SL("NONE"));
            sample(v, F_ERRORS, (double)(failed ? errors : count - errors));
        }
        add_times(v, api->key, name, count);
    }
}

/* Rates and idle parts between two scrapes; several scrapers shorten each other's intervals. */
static void add_loops(struct view *v)
{
    struct broker *b = v->b;
    struct scrape *last = &b->scrape;
    int64_t now_us = clock_mono_us();
    double seconds = last->at_us ? (double)(now_us - last->at_us) / 1e6 : 0, idle = 0;
    struct slice listener = b->listeners.count ? slice_cstr(b->listeners.v[0].name) : SL("");
    for (int i = 0; i < b->loop_count; i++) {
        const struct conn_stats *s = &b->loops[i].conns.stats;
        int64_t opened = atomic_load(&s->opened), open = atomic_load(&s->open);
        int64_t closed = opened - open, cpu_us = loop_cpu_us(b->loops[i].loop);
        strbuf_reset(&v->labels);
        label(v, "listener", listener);
        label_number(v, "networkprocessor", i);
        sample(v, F_CONNECTIONS, (double)open);
        if (seconds > 0) {
            sample(v, F_CREATION_RATE, (double)(opened - last->opened[i]) / seconds);
            sample(v, F_CLOSE_RATE, (double)(closed - last->closed[i]) / seconds);
            idle += 1 - MIN((double)(cpu_us - last->cpu_us[i]) / 1e6 / seconds, 1.0);
        } else {
            sample(v, F_CREATION_RATE, 0);
            sample(v, F_CLOSE_RATE, 0);
            idle += 1;
        }
        last->opened[i] = opened;
        last->closed[i] = closed;
        last->cpu_us[i] = cpu_us;
    }
    last->at_us = now_us;
    idle = b->loop_count ? idle / b->loop_count : 1;
    plain(v, F_NETWORK_IDLE, idle);
    plain(v, F_HANDLER_IDLE, idle);
    plain(v, F_REQUEST_QUEUE, 0);
    plain(v, F_RESPONSE_QUEUE, 0);
}

/* --- groups ----------------------------------------------------------------------------------- */

static void add_group_topic(struct view *v, const struct broker_group_info *g, size_t from,
                            size_t to)
{
    double offsets = 0, lag = 0;
    for (size_t i = from; i < to; i++) {
        const struct broker_group_offset *o = &g->offsets[i];
        strbuf_reset(&v->labels);
        label(v, "consumergroup", g->id);
        label_number(v, "partition", o->partition);
        label(v, "topic", o->topic);
        sample(v, F_X_GROUP_OFFSET, (double)o->offset);
        sample(v, F_X_GROUP_LAG, (double)o->lag);
        offsets += (double)MAX(o->offset, 0);
        lag += (double)MAX(o->lag, 0);
    }
    strbuf_reset(&v->labels);
    label(v, "consumergroup", g->id);
    label(v, "topic", g->offsets[from].topic);
    sample(v, F_X_GROUP_OFFSET_SUM, offsets);
    sample(v, F_X_GROUP_LAG_SUM, lag);
}

static void add_group(struct view *v, struct slice id, int64_t *offsets, bool each_partition)
{
    struct broker_group_info g;
    if (broker_group(v->b, id, &v->arena, &g, NULL) != E_OK)
        return;
    *offsets += (int64_t)g.offset_count;
    strbuf_reset(&v->labels);
    label(v, "consumergroup", g.id);
    sample(v, F_X_GROUP_MEMBERS, (double)g.member_count);
    for (size_t from = 0, to; each_partition && from < g.offset_count; from = to) {
        for (to = from;
             to < g.offset_count && slice_eq(g.offsets[to].topic, g.offsets[from].topic);)
            to++;
        add_group_topic(v, &g, from, to);
    }
}

static void add_groups(struct view *v, bool each_partition)
{
    static const struct {
        const char *state;
        enum family f;
    } states[] = {{"Stable", F_GROUPS_STABLE},
                  {"Empty", F_GROUPS_EMPTY},
                  {"Dead", F_GROUPS_DEAD},
                  {"PreparingRebalance", F_GROUPS_PREPARING},
                  {"CompletingRebalance", F_GROUPS_COMPLETING}};
    struct broker_group_info *all;
    size_t n;
    int64_t offsets = 0, in_state[ARRAY_LEN(states)] = {0};
    if (broker_groups(v->b, &v->arena, &all, &n, NULL) != E_OK)
        return;
    for (size_t i = 0; i < n; i++) {
        for (size_t s = 0; s < ARRAY_LEN(states); s++)
            in_state[s] += slice_eq_c(all[i].state, states[s].state);
        add_group(v, all[i].id, &offsets, each_partition);
    }
    plain(v, F_GROUPS, (double)n);
    for (size_t s = 0; s < ARRAY_LEN(states); s++)
        plain(v, states[s].f, (double)in_state[s]);
    plain(v, F_GROUP_OFFSETS, (double)offsets);
}

/* --- all -------------------------------------------------------------------------------------- */

static void add_transactions(struct view *v)
{
    struct txn_coord_stats s;
    txn_coord_stats(v->b->txns, &s);
    plain(v, F_W_TXN_IDS, (double)s.ids);
    plain(v, F_W_TXN_OPEN, (double)s.open);
    plain(v, F_W_TXN_LATE, (double)s.timed_out);
    strbuf_reset(&v->labels);
    label(v, "outcome", SL("commit"));
    sample(v, F_W_TXN_ENDED, (double)s.committed);
    strbuf_reset(&v->labels);
    label(v, "outcome", SL("abort"));
    sample(v, F_W_TXN_ENDED, (double)s.aborted);
}

static void add_own(struct view *v)
{
    struct broker_info info;
    int64_t sessions = 0;
    for (int i = 0; i < v->b->loop_count; i++)
        sessions += atomic_load(&v->b->loops[i].fetch_sessions.open);
    broker_info(v->b, &info);
    strbuf_reset(&v->labels);
    label(v, "delayedoperation", SL("Fetch"));
    sample(v, F_PURGATORY, (double)atomic_load(&v->b->fetches_waiting));
    strbuf_reset(&v->labels);
    label(v, "delayedoperation", SL("Produce"));
    sample(v, F_PURGATORY, (double)atomic_load(&v->b->produces_waiting));
    plain(v, F_SESSIONS, (double)sessions);
    plain(v, F_W_SESSIONS, (double)sessions);
    plain(v, F_W_CONNECTIONS, (double)info.connections);
    plain(v, F_W_TOPICS, (double)info.topics);
    plain(v, F_W_PARTITIONS, (double)info.partitions);
    plain(v, F_W_GROUPS, (double)info.groups);
    plain(v, F_W_LOG_BYTES, (double)info.log_bytes);
    plain(v, F_W_RECORDS, (double)info.records_in);
    plain(v, F_W_RECEIVED, (double)info.bytes_in);
    plain(v, F_W_SENT, (double)info.bytes_out);
}

void broker_collect_metrics(struct strbuf *out, void *broker)
{
    struct view *v = xcalloc(1, sizeof *v);
    v->b = broker;
    bool each = topics_partition_count(v->b->topics) <= (size_t)v->b->o->metrics_partitions_max;
    arena_init(&v->arena, 0, ARENA_NO_BUDGET);
    strbuf_init(&v->labels, 0);
    for (int f = 0; f < FAMILIES; f++)
        strbuf_init(&v->text[f], 0);
    add_topics(v, each);
    add_cluster(v);
    add_requests(v);
    add_loops(v);
    add_groups(v, each);
    add_transactions(v);
    add_own(v);
    for (int f = 0; f < FAMILIES; f++) {
        if (v->text[f].n) {
            metrics_head(out, families[f].name, families[f].help, families[f].kind);
            strbuf_add_slice(out, strbuf_slice(&v->text[f]));
        }
        strbuf_release(&v->text[f]);
    }
    strbuf_release(&v->labels);
    arena_release(&v->arena);
    mem_free(v);
}
