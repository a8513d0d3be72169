/* broker/broker.c - start and stop: the parts in their order, the loops, accepting connections.
 *
 *   start: settings -> topics (recovery) -> care -> coordinator -> loops -> listeners -> accept
 *   stop:  accept ends -> coordinator lets go of what is parked -> connections close -> loops end
 * -> coordinator and care end -> logs are flushed and marked clean */
#include "broker/broker.h"

#include "base/base.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "broker/acceptor.h"
#include "broker/broker_state.h"
#include "broker/care.h"
#include "broker/metrics_view.h"
#include "broker/partition_life.h"
#include "broker/security/quota.h"
#include "broker/security/tls.h"
#include "broker/topic.h"
#include "broker/txn/txn_coord.h"

#include <unistd.h>

/* --- parts ------------------------------------------------------------------------------------ */

static struct slice broker_value(void *arg, struct slice synonym, struct arena *a)
{
    enum config_source source;
    return broker_setting_given(arg, synonym, a, &source);
}

static bool partition_exists(void *arg, struct slice topic, int32_t partition)
{
    struct broker *b = arg;
    struct topic *t = topics_get(b->topics, topic);
    bool found = t && partition >= 0 && partition < topic_partition_count(t);
    topic_unref(t);
    return found;
}

/* Drops the topic. */
static int64_t recovered_end_of(struct topic *t, int32_t partition)
{
    struct partition *p =
        t && partition < topic_partition_count(t) ? topic_partition(t, partition) : NULL;
    int64_t end = p ? partition_recovered_end(p) : -1;
    partition_unref(p);
    topic_unref(t);
    return end;
}

static int64_t recovered_end(void *arg, struct slice topic, int32_t partition)
{
    return recovered_end_of(topics_get(((struct broker *)arg)->topics, topic), partition);
}

static int64_t recovered_share_end(void *arg, const struct share_key *key)
{
    return recovered_end_of(topics_get_id(((struct broker *)arg)->topics, &key->topic_id),
                            key->partition);
}

static bool topic_by_name(void *arg, struct slice name, struct uuid *id, int32_t *partitions)
{
    struct broker *b = arg;
    struct topic *t = topics_get(b->topics, name);
    if (!t)
        return false;
    *id = topic_id(t);
    *partitions = topic_partition_count(t);
    topic_unref(t);
    return true;
}

static void each_topic(void *arg, void (*fn)(void *to, struct slice name), void *to)
{
    struct broker *b = arg;
    struct arena a;
    struct topic **all;
    size_t n;
    arena_init(&a, 0, ARENA_NO_BUDGET);
    if (topics_list(b->topics, &a, &all, &n) == E_OK) {
        for (size_t i = 0; i < n; i++) {
            fn(to, topic_name(all[i]));
            topic_unref(all[i]);
        }
    }
    arena_release(&a);
}

static struct slice topic_name_of(void *arg, const struct uuid *id, struct arena *a)
{
    struct topic *t = topics_get_id(((struct broker *)arg)->topics, id);
    struct slice name = t ? arena_dup(a, topic_name(t)) : SLICE_NULL;
    topic_unref(t);
    return name;
}

static int64_t topics_now(void *arg)
{
    return topics_generation(((struct broker *)arg)->topics);
}

static enum err open_topics(struct broker *b, const char *dir, struct error *e)
{
    const struct topics_options o = {.dir = dir,
                                     .node_id = b->o->node_id,
                                     .sync = b->o->durability == BROKER_DURABILITY_SYNC,
                                     .producer_expire_ms = b->o->producer_id_expiration_ms,
                                     .max_partitions = b->o->max_partitions,
                                     .broker_value = broker_value,
                                     .broker_value_arg = &b->settings};
    enum err r = topics_open(&b->topics, &o, b->db, b->pool, e);
    if (r == E_OK)
        snprintf(b->cluster_id, sizeof b->cluster_id, "%s", topics_cluster_id(b->topics));
    return r;
}

/* Text of a setting as a number; the row's default when it is no number. */
static double number_now(struct broker *b, const char *name, struct arena *a)
{
    enum config_source source;
    double n;
    if (slice_to_double(broker_setting(&b->settings, slice_cstr(name), a, &source), &n) != E_OK)
        n = 0;
    return n;
}

static void care_settings(void *arg, struct care_settings *out)
{
    struct broker *b = arg;
    struct arena a;
    enum config_source source;
    arena_init(&a, 1024, ARENA_NO_BUDGET);
    double room = number_now(b, "log.cleaner.dedupe.buffer.size", &a);
    *out = (struct care_settings){
        .retention_check_ms = b->o->log_retention_check_interval_ms,
        .cleaner_backoff_ms = (int64_t)MIN(number_now(b, "log.cleaner.backoff.ms", &a), 9e15),
        .cleaner_enable = !slice_ieq(
            broker_setting(&b->settings, SL("log.cleaner.enable"), &a, &source), SL("false")),
        .load_factor = number_now(b, "log.cleaner.io.buffer.load.factor", &a),
        .dedupe_bytes = (size_t)MAX(MIN(room, 9e15), 0),
        .io_bytes_per_second = number_now(b, "log.cleaner.io.max.bytes.per.second", &a)};
    arena_release(&a);
}

/* Leaders go back to the preferred replicas, as far as these are in sync. Waits for the
 * database. */
static void balance_on_pool(void *arg)
{
    struct broker *b = arg;
    struct error e;
    if (brokers_elect(&b->brokers, SLICE_NULL, -1, false, NULL, NULL, &e) != E_OK)
        LOG_ERR(LOG_BROKER, LOG_L_WARN, &e, "leaders stay where they are");
    atomic_store(&b->balancing, false);
}

static void balance(void *arg)
{
    struct broker *b = arg;
    if (!atomic_exchange(&b->balancing, true))
        pool_submit(b->pool, b->topics, balance_on_pool, NULL, NULL, b);
}

static enum err start_care(struct broker *b, struct error *e)
{
    bool balances = brokers_are_several(&b->brokers) && b->o->auto_leader_rebalance;
    const struct care_options o = {.topics = b->topics,
                                   .settings = care_settings,
                                   .balance_ms =
                                       balances ? b->o->leader_imbalance_check_s * 1000 : 0,
                                   .balance = balance,
                                   .arg = b};
    return care_start(&b->care, &o, e);
}

bool broker_keeps_share(void *arg, const struct share_key *key)
{
    struct topic *t = topics_get_id(((struct broker *)arg)->topics, &key->topic_id);
    topic_unref(t);
    return t != NULL;
}

static enum err start_coordinator(struct broker *b, struct error *e)
{
    const struct broker_options *o = b->o;
    const struct share_options s = {o->group_share_max_locks, o->group_share_delivery_limit,
                                    o->group_share_max_sessions};
    b->group_configs = (struct group_configs){o, &b->resources};
    enum err r = share_groups_open(&b->shares, &s, b->db, e);
    if (r != E_OK)
        return r;
    share_sweep(b->shares, broker_keeps_share, b);
    if (!topics_was_clean(b->topics))
        share_lower(b->shares, recovered_share_end, b);
    const struct coord_options c = {
        .rules = {.initial_rebalance_delay_ms = o->group_initial_rebalance_delay_ms,
                  .min_session_timeout_ms = o->group_min_session_timeout_ms,
                  .max_session_timeout_ms = o->group_max_session_timeout_ms,
                  .max_size = o->group_max_size},
        .offset_metadata_max_bytes = o->offset_metadata_max_bytes,
        .offsets_retention_ms = (int64_t)o->offsets_retention_minutes * 60000,
        .offsets_check_ms = o->offsets_retention_check_interval_ms,
        .partition_exists = partition_exists,
        .recovered_end = topics_was_clean(b->topics) ? NULL : recovered_end,
        .arg = b,
        .configs = &b->group_configs,
        .topics = {topic_by_name, each_topic, topics_now, topic_name_of, b},
        .shares = b->shares,
        .consumer_max_size = o->group_consumer_max_size,
        .may_upgrade = o->group_migration_policy & BROKER_MIGRATION_UPGRADE,
        .may_downgrade = o->group_migration_policy & BROKER_MIGRATION_DOWNGRADE,
        .share_max_size = o->group_share_max_size};
    return coord_start(&b->coord, &c, b->db, e);
}

static enum err start_transactions(struct broker *b, struct error *e)
{
    const struct txn_coord_options o = {.max_timeout_ms = b->o->transaction_max_timeout_ms,
                                        .offset_metadata_max_bytes =
                                            b->o->offset_metadata_max_bytes,
                                        .sweep_ms = b->o->transaction_abort_interval_ms,
                                        .expire_ms = b->o->transactional_id_expiration_ms,
                                        .expire_check_ms = b->o->transaction_expire_interval_ms,
                                        .check_markers = !topics_was_clean(b->topics)};
    const struct txn_coord_parts parts = {.coord = b->coord,
                                          .db = b->db,
                                          .pool = b->pool,
                                          .topics = b->topics,
                                          .ids = &b->producer_ids};
    return txn_coord_start(&b->txns, &o, &parts, e);
}

static enum err start_loops(struct broker *b, struct error *e)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    int n = b->o->loop_threads > 0 ? b->o->loop_threads : (int)MAX(1, MIN(4, cores));
    n = MIN(n, BROKER_LOOPS_MAX);
    for (int i = 0; i < n; i++) {
        char name[32];
        struct loop *loop;
        snprintf(name, sizeof name, "weir-broker%d", i);
        enum err r = loop_start(&loop, name, e);
        if (r != E_OK)
            return r;
        struct broker_loop *bl = &b->loops[b->loop_count++];
        broker_loop_init(bl, b, loop, i);
        bl->fetch_sessions.slots = (size_t)(b->o->fetch_session_slots + n - 1) / (size_t)n;
        bl->conns.listeners = &b->listeners;
        bl->conns.max_idle_ms = b->o->connections_max_idle_ms;
        bl->conns.max_frame_bytes = (size_t)b->o->socket_request_max_bytes;
        bl->conns.send_buffer = b->o->socket_send_buffer;
        bl->conns.receive_buffer = b->o->socket_receive_buffer;
    }
    return E_OK;
}

/* What weir sets itself is shown as static: SPEC: broker 5.3. */
static void fix_settings(struct broker *b)
{
    static const char *const shown[] = {"process.roles",
                                        "offsets.topic.replication.factor",
                                        "transaction.state.log.replication.factor",
                                        "transaction.state.log.min.isr",
                                        "share.coordinator.state.topic.replication.factor",
                                        "group.initial.rebalance.delay.ms",
                                        "controller.quorum.voters",
                                        "inter.broker.protocol.version",
                                        "socket.listen.backlog.size",
                                        "socket.receive.buffer.bytes",
                                        "socket.send.buffer.bytes"};
    struct strbuf t = STRBUF_INIT;
    for (size_t i = 0; i < ARRAY_LEN(shown); i++) {
        const struct opt_row *row = opt_find(broker_option_rows(), slice_cstr(shown[i]));
        if (row && !strmap_has(&b->settings.fixed, slice_cstr(shown[i])))
            broker_settings_fix(&b->settings, shown[i], slice_cstr(row->def));
    }
    strbuf_add_i64(&t, b->o->node_id);
    broker_settings_fix(&b->settings, "node.id", strbuf_slice(&t));
    broker_settings_fix(&b->settings, "broker.id", strbuf_slice(&t));
    strbuf_reset(&t);
    for (size_t i = 0; i < b->listeners.count; i++) {
        const struct listener *l = &b->listeners.v[i];
        bool v6 = strchr(l->host, ':') != NULL;
        strbuf_addf(&t, "%s%s://%s%s%s:%d", i ? "," : "", l->name, v6 ? "[" : "", l->host,
                    v6 ? "]" : "", l->port);
    }
    broker_settings_fix(&b->settings, "listeners", strbuf_slice(&t));
    strbuf_reset(&t);
    for (size_t i = 0; i < b->listeners.count; i++)
        strbuf_addf(&t, "%s%s://%s", i ? "," : "", b->listeners.v[i].name,
                    b->listeners.v[i].adv_text);
    broker_settings_fix(&b->settings, "advertised.listeners", strbuf_slice(&t));
    strbuf_release(&t);
}

static void fill_infos(struct broker *b)
{
    for (size_t i = 0; i < b->listeners.count; i++) {
        const struct listener *l = &b->listeners.v[i];
        b->infos[i] = (struct broker_listener_info){.name = l->name,
                                                    .host = l->host,
                                                    .port = l->port,
                                                    .advertised = l->adv_text,
                                                    .node_id = l->node_id};
        b->infos[i].guarded =
            l->sasl || (l->tls && tls_requires_certificate(l->tls)) || b->security.acls;
    }
}

/* The banner has the first one; who set up several wants to see that all are there. */
static void tell_listeners(const struct broker *b)
{
    for (size_t i = 0; i < b->listeners.count; i++) {
        const struct listener *l = &b->listeners.v[i];
        if (b->listeners.count > 1 || l->tls || l->sasl)
            LOG_INFO(LOG_BROKER, "serving %s://%s:%d protocol=%s advertised=%s", l->name,
                     l->host[0] ? l->host : "*", l->port, l->protocol, l->adv_text);
    }
}

const struct db_migrations *const *broker_migrations(void)
{
    static const struct db_migrations *const all[] = {
        &broker_state_migrations, &topic_migrations, &scram_migrations, &txn_migrations,
        &acl_migrations,          &quota_migrations, &share_migrations, NULL,
    };
    return all;
}

const struct broker_listener_info *broker_listeners(const struct broker *b, size_t *count)
{
    *count = b->listeners.count;
    return b->infos;
}

/* --- start and stop --------------------------------------------------------------------------- */

static enum err start_parts(struct broker *b, const struct broker_config *c, struct error *e)
{
    enum err r = broker_settings_init(&b->settings, c, b->db, e);
    enum err r2 = resource_configs_init(&b->resources, b->db, r == E_OK ? e : NULL);
    if (r != E_OK || r2 != E_OK)
        return r != E_OK ? r : r2;
    if (c->o.data_dir.n == 0)
        return error_set(e, E_INVALID, "no data directory was given");
    r = listeners_parse(&b->listeners, b->o, e);
    if (r == E_OK)
        r = security_open(&b->security, c, &b->listeners, b->db, e);
    if (r == E_OK)
        r = quotas_open(&b->quotas, b->db, e);
    if (r == E_OK)
        r = listeners_bind(&b->listeners, b->o->socket_listen_backlog, e);
    if (r != E_OK)
        return r;
    char *dir = slice_dup(c->o.data_dir);
    r = open_topics(b, dir, e);
    mem_free(dir);
    if (r == E_OK)
        r = brokers_open(&b->brokers, b, e);
    if (r == E_OK)
        r = start_care(b, e);
    if (r == E_OK)
        r = start_coordinator(b, e);
    if (r == E_OK)
        r = start_transactions(b, e);
    if (r == E_OK)
        r = start_loops(b, e);
    return r;
}

enum err broker_start(struct broker **out, const struct broker_config *c, struct db *db,
                      struct pool *pool, struct error *e)
{
    struct broker *b = xcalloc(1, sizeof *b);
    b->o = &c->o;
    b->db = db;
    b->pool = pool;
    b->started_ms = clock_wall_ms();
    producer_ids_init(&b->producer_ids, db);
    diagnosis_init(&b->diagnosis);
    conn_limit_init(&b->conn_limit);
    enum err r = start_parts(b, c, e);
    if (r != E_OK) {
        broker_stop(b);
        return r;
    }
    fix_settings(b);
    fill_infos(b);
    tell_listeners(b);
    dispatch_init_metrics();
    metrics_collector(broker_collect_metrics, b);
    b->collecting = true;
    b->acceptor = acceptor_start(b);
    *out = b;
    return E_OK;
}

static void close_connections(void *arg)
{
    conn_loop_stop(&((struct broker_loop *)arg)->conns);
}

struct request_count {
    struct broker_loop *bl;
    size_t count;
};

static void count_requests(void *arg)
{
    struct request_count *q = arg;
    q->count += q->bl->live.count;
}

static size_t requests_out(struct broker *b)
{
    struct request_count q = {0};
    for (int i = 0; i < b->loop_count; i++) {
        q.bl = &b->loops[i];
        loop_call(b->loops[i].loop, count_requests, &q);
    }
    return q.count;
}

/* Requests that the pool and the flusher work on post to the loops: all come home before those end,
 * however long a disk takes. */
static void wait_for_requests(struct broker *b)
{
    int64_t next_ms = clock_mono_ms() + 1000;
    for (size_t n; (n = requests_out(b)) > 0; usleep(5000)) {
        if (clock_mono_ms() < next_ms)
            continue;
        next_ms += 1000;
        LOG_WARN(LOG_BROKER_CONN, "stopping waits for requests that are worked on requests=%zu", n);
    }
}

void broker_stop(struct broker *b)
{
    if (!b)
        return;
    if (b->collecting)
        metrics_collector_remove(broker_collect_metrics, b);
    acceptor_stop(b->acceptor);
    b->acceptor = NULL;
    if (b->coord)
        coord_quiesce(b->coord);
    if (b->txns)
        txn_coord_quiesce(b->txns);
    for (int i = 0; i < b->loop_count; i++)
        loop_call(b->loops[i].loop, close_connections, &b->loops[i]);
    wait_for_requests(b);
    for (int i = 0; i < b->loop_count; i++) {
        loop_stop(b->loops[i].loop);
        broker_loop_release(&b->loops[i]);
    }
    txn_coord_stop(b->txns);
    coord_stop(b->coord);
    share_groups_close(b->shares);
    care_stop(b->care);
    while (atomic_load(&b->balancing)) /* nobody begins it any more */
        usleep(1000);
    brokers_close(&b->brokers);
    topics_close(b->topics);
    listeners_release(&b->listeners);
    security_release(&b->security);
    quotas_close(b->quotas);
    conn_limit_release(&b->conn_limit);
    broker_settings_release(&b->settings);
    resource_configs_release(&b->resources);
    producer_ids_release(&b->producer_ids);
    diagnosis_release(&b->diagnosis);
    mem_free(b);
}
