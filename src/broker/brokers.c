/* broker/brokers.c - see brokers.h. placement.c has the rules; this file applies them to all
 * partitions at once: gather what changes, store it, put it in force (topics_move), then sockets. */
#include "broker/brokers.h"

#include "base/arena.h"
#include "base/bytes.h"
#include "base/log.h"
#include "base/mem.h"
#include "broker/acceptor.h"
#include "broker/broker_state.h"
#include "broker/proto/kerr.h"
#include "broker/topic.h"

/* --- moving many at once ---------------------------------------------------------------------- */

/* What happens to one partition: true when `p` was changed. */
typedef bool (*change_fn)(void *arg, struct placement *p, const struct topic *t, int32_t partition);

static void count_change(struct brokers *s, const struct placement *was,
                         const struct placement *now)
{
    if (now->isr_count < was->isr_count)
        atomic_fetch_add(&s->isr_shrinks, 1);
    if (now->isr_count > was->isr_count)
        atomic_fetch_add(&s->isr_expands, 1);
    if (now->leader != was->leader && now->leader >= 0)
        atomic_fetch_add(&s->elections, 1);
    if (now->leader != was->leader && now->leader >= 0 && !placement_in_sync(was, now->leader))
        atomic_fetch_add(&s->unclean_elections, 1);
}

/* Fills `move` when something of the topic changes. */
static bool change_topic(struct brokers *s, struct topic *t, change_fn fn, void *arg,
                         struct arena *a, struct topic_move *move)
{
    int32_t count = topic_partition_count(t);
    struct placement *v = arena_alloc(a, (size_t)count * sizeof *v);
    bool changed = false;
    for (int32_t i = 0; i < count; i++) {
        struct partition *p = topic_partition(t, i);
        partition_placement(p, &v[i]);
        partition_unref(p);
        struct placement was = v[i];
        if (fn(arg, &v[i], t, i)) {
            changed = true;
            count_change(s, &was, &v[i]);
        }
    }
    *move = (struct topic_move){t, v, count};
    return changed;
}

/* All topics, or the one that is named. */
static enum err change_topics(struct brokers *s, struct slice only, change_fn fn, void *arg,
                              struct error *e)
{
    struct arena a;
    struct topic **v;
    size_t n, moves = 0;
    arena_init(&a, 0, ARENA_NO_BUDGET);
    enum err r = topics_list(s->b->topics, &a, &v, &n);
    if (r != E_OK) {
        arena_release(&a);
        return error_set(e, r, "no memory for a list of topics");
    }
    struct topic_move *move = arena_calloc(&a, n + 1, sizeof *move);
    for (size_t i = 0; i < n; i++)
        if (!only.p || slice_eq(topic_name(v[i]), only))
            moves += change_topic(s, v[i], fn, arg, &a, &move[moves]);
    if (moves)
        r = topics_move(s->b->topics, move, moves, e);
    for (size_t i = 0; i < n; i++)
        topic_unref(v[i]);
    arena_release(&a);
    return r;
}

/* --- life ------------------------------------------------------------------------------------- */

struct adoption {
    const struct broker_ids *ids;
};

static bool adopt(void *arg, struct placement *p, const struct topic *t, int32_t partition)
{
    struct uuid id = topic_id(t);
    return placement_adopt(p, ((struct adoption *)arg)->ids, id.b[0] + (uint32_t)partition);
}

/* One broker: what an earlier lab left is moved to it, in memory only; the lab's placements stay in
 * the database for the next one. */
static void adopt_alone(struct brokers *s, struct topic *t)
{
    struct broker_ids ids = brokers_ids(s);
    for (int32_t i = 0; i < topic_partition_count(t); i++) {
        struct placement place;
        struct partition *p = topic_partition(t, i);
        partition_placement(p, &place);
        if (placement_adopt(&place, &ids, 0))
            (void)!partition_place(p, &place, NULL); /* not loaded, or its epoch is the same */
        partition_unref(p);
    }
}

static enum err adopt_all(struct brokers *s, struct error *e)
{
    struct broker_ids ids = brokers_ids(s);
    struct adoption arg = {&ids};
    struct arena a;
    struct topic **v;
    size_t n;
    if (brokers_are_several(s))
        return change_topics(s, SLICE_NULL, adopt, &arg, e);
    arena_init(&a, 0, ARENA_NO_BUDGET);
    enum err r = topics_list(s->b->topics, &a, &v, &n);
    for (size_t i = 0; r == E_OK && i < n; i++) {
        adopt_alone(s, v[i]);
        topic_unref(v[i]);
    }
    arena_release(&a);
    return r;
}

enum err brokers_open(struct brokers *s, struct broker *b, struct error *e)
{
    memset(s, 0, sizeof *s);
    s->b = b;
    s->first = b->o->node_id;
    s->count = MAX(b->o->lab_brokers, 1);
    s->alive = (1u << s->count) - 1;
    pthread_mutex_init(&s->change, NULL);
    pthread_mutex_lock(&s->change);
    enum err r = adopt_all(s, e);
    pthread_mutex_unlock(&s->change);
    return r;
}

void brokers_close(struct brokers *s)
{
    if (s->b)
        pthread_mutex_destroy(&s->change);
    s->b = NULL;
}

/* --- looking ---------------------------------------------------------------------------------- */

int32_t brokers_controller(const struct brokers *s)
{
    struct broker_ids ids = brokers_ids(s);
    for (int32_t i = 0; i < s->count; i++)
        if (broker_ids_alive(&ids, s->first + i))
            return s->first + i;
    return -1;
}

/* Java's String.hashCode of UTF-8 text: over UTF-16 units. What is no UTF-8 counts byte by byte. */
static int32_t java_hash(struct slice text)
{
    uint32_t h = 0;
    for (size_t i = 0; i < text.n;) {
        unsigned char c = (unsigned char)text.p[i];
        size_t n = c < 0x80 ? 1 : c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : c >= 0xc0 ? 2 : 1;
        if (i + n > text.n)
            n = 1;
        uint32_t u = n == 1 ? c : c & (0x7fu >> n);
        for (size_t k = 1; k < n; k++)
            u = u << 6 | ((unsigned char)text.p[i + k] & 0x3f);
        i += n;
        if (u > 0xffff) {
            u -= 0x10000;
            h = h * 31 + (0xd800 + (u >> 10));
            u = 0xdc00 + (u & 0x3ff);
        }
        h = h * 31 + u;
    }
    return (int32_t)h;
}

int32_t brokers_coordinator(const struct brokers *s, enum coordinator_key kind, struct slice key)
{
    if (!brokers_are_several(s))
        return s->first;
    struct topic *t =
        topics_get(s->b->topics, kind == COORDINATOR_GROUP ? SL("__consumer_offsets")
                                                           : SL("__transaction_state"));
    int32_t h = java_hash(key), leader = brokers_controller(s);
    h = h == INT32_MIN ? 0 : h < 0 ? -h : h;
    if (t) {
        struct partition *p = topic_partition(t, h % topic_partition_count(t));
        leader = partition_leader(p);
        partition_unref(p);
    }
    topic_unref(t);
    return leader;
}

/* --- placing ---------------------------------------------------------------------------------- */

enum err brokers_spread(struct brokers *s, int32_t factor, int32_t from, struct placement *out,
                        int32_t count, struct error *e)
{
    struct broker_ids ids = brokers_ids(s);
    uint32_t start = 0;
    bytes_random(&start, sizeof start);
    if (placement_spread(&ids, start % 1024, factor, from, out, count))
        return E_OK;
    return kerr_error(e, E_INVALID, KERR_INVALID_REPLICATION_FACTOR,
                      "All brokers are currently fenced.");
}

/* --- stopping and starting -------------------------------------------------------------------- */

struct turn {
    struct broker_ids ids; /* after it */
    int32_t id;
    bool start;
};

static bool turn_one(const struct turn *t, struct placement *p, const struct placement_rules *rules)
{
    return t->start ? placement_started(p, &t->ids, t->id)
                    : placement_stopped(p, &t->ids, t->id, rules);
}

static bool turn_partition(void *arg, struct placement *p, const struct topic *t, int32_t partition)
{
    const struct topic_config *c = topic_config(t);
    const struct placement_rules rules = {c->min_insync_replicas, c->unclean_election};
    (void)partition;
    return turn_one(arg, p, &rules);
}

/* Moves everything for a broker that stops or has started. On failure it is as before. */
static enum err turn_all(struct brokers *s, int32_t id, bool start, struct error *e)
{
    uint32_t bit = 1u << (id - s->first);
    uint32_t was = atomic_load(&s->alive), now = start ? was | bit : was & ~bit;
    struct turn turn = {{s->first, s->count, now}, id, start};
    atomic_store(&s->alive, now);
    enum err r = change_topics(s, SLICE_NULL, turn_partition, &turn, e);
    if (r != E_OK) {
        atomic_store(&s->alive, was);
        return r;
    }
    return E_OK;
}

static enum err check_turn(struct brokers *s, int32_t id, bool start, struct error *e)
{
    struct broker_ids ids = brokers_ids(s);
    if (!brokers_are_several(s)) {
        error_set(e, E_CONFLICT, "there is one broker only");
        error_hint(e, "start weir with --lab-brokers 3 for brokers that can be stopped");
        return E_CONFLICT;
    }
    if (!broker_ids_has(&ids, id))
        return error_set(e, E_NOT_FOUND, "there is no broker %d; there are %d to %d", id, s->first,
                         s->first + s->count - 1);
    if (broker_ids_alive(&ids, id) == start)
        return error_set(e, E_CONFLICT, "broker %d %s", id,
                         start ? "runs already" : "is stopped already");
    return E_OK;
}

enum err brokers_stop_one(struct brokers *s, int32_t id, struct error *e)
{
    pthread_mutex_lock(&s->change);
    enum err r = check_turn(s, id, false, e);
    if (r == E_OK)
        r = turn_all(s, id, false, e);
    if (r == E_OK) {
        acceptor_close_broker(s->b->acceptor, id);
        LOG_INFO(LOG_BROKER, "broker %d is stopped", id);
    }
    pthread_mutex_unlock(&s->change);
    return r;
}

enum err brokers_start_one(struct brokers *s, int32_t id, struct error *e)
{
    pthread_mutex_lock(&s->change);
    enum err r = check_turn(s, id, true, e);
    if (r == E_OK)
        r = acceptor_open_broker(s->b->acceptor, id, e);
    if (r == E_OK) {
        r = turn_all(s, id, true, e);
        if (r != E_OK)
            acceptor_close_broker(s->b->acceptor, id);
        else
            LOG_INFO(LOG_BROKER, "broker %d runs again", id);
    }
    pthread_mutex_unlock(&s->change);
    return r;
}

/* --- elections and reassignments -------------------------------------------------------------- */

struct election {
    struct brokers *s;
    struct broker_ids ids;
    int32_t partition; /* -1: all */
    bool unclean, seen;
    brokers_elected_fn report;
    void *arg;
};

static bool elect_one(void *arg, struct placement *p, const struct topic *t, int32_t partition)
{
    struct election *el = arg;
    if (el->partition >= 0 && el->partition != partition)
        return false;
    el->seen = true;
    int16_t code = placement_elect(p, &el->ids, el->unclean);
    if (el->report && (el->partition >= 0 || code != KERR_ELECTION_NOT_NEEDED))
        el->report(el->arg, topic_name(t), partition, code);
    return code == KERR_NONE;
}

enum err brokers_elect(struct brokers *s, struct slice topic, int32_t partition, bool unclean,
                       brokers_elected_fn report, void *arg, struct error *e)
{
    struct election el = {.s = s,
                          .partition = topic.p ? partition : -1,
                          .unclean = unclean,
                          .report = report,
                          .arg = arg};
    pthread_mutex_lock(&s->change);
    el.ids = brokers_ids(s);
    enum err r = E_OK;
    if (!topic.p || partition >= 0)
        r = change_topics(s, topic, elect_one, &el, e);
    if (topic.p && !el.seen && report)
        report(arg, topic, partition, KERR_UNKNOWN_TOPIC_OR_PARTITION);
    pthread_mutex_unlock(&s->change);
    return r;
}

struct reassignment {
    struct broker_ids ids;
    int32_t partition;
    const int32_t *to;
    int32_t count;
    bool seen, none_runs;
};

static bool reassign_one(void *arg, struct placement *p, const struct topic *t, int32_t partition)
{
    struct reassignment *ra = arg;
    (void)t;
    if (partition != ra->partition)
        return false;
    ra->seen = true;
    for (int32_t i = 0; i < ra->count; i++)
        if (broker_ids_alive(&ra->ids, ra->to[i]))
            return placement_reassign(p, &ra->ids, ra->to, ra->count);
    ra->none_runs = true;
    return false;
}

static enum err bad_replicas(struct error *e, const char *text)
{
    return kerr_error(e, E_INVALID, KERR_INVALID_REPLICA_ASSIGNMENT, "%s", text);
}

enum err brokers_check_replicas(const struct brokers *s, const int32_t *ids, int32_t count,
                                struct error *e)
{
    char text[160];
    struct broker_ids all = brokers_ids(s), *b = &all;
    if (count <= 0)
        return bad_replicas(e, "The manual partition assignment includes an empty replica list.");
    for (int32_t i = 0; i < count; i++) {
        if (!broker_ids_has(b, ids[i])) {
            snprintf(text, sizeof text,
                     "The manual partition assignment includes broker %d, but no such broker is "
                     "registered.",
                     ids[i]);
            return bad_replicas(e, text);
        }
        for (int32_t k = 0; k < i; k++)
            if (ids[k] == ids[i]) {
                snprintf(text, sizeof text,
                         "The manual partition assignment includes the broker %d more than once.",
                         ids[i]);
                return bad_replicas(e, text);
            }
    }
    return E_OK;
}

enum err brokers_reassign(struct brokers *s, struct slice topic, int32_t partition,
                          const int32_t *ids, int32_t count, struct error *e)
{
    struct reassignment ra = {.partition = partition, .to = ids, .count = count};
    pthread_mutex_lock(&s->change);
    ra.ids = brokers_ids(s);
    enum err r = brokers_check_replicas(s, ids, count, e);
    if (r == E_OK)
        r = change_topics(s, topic.p ? topic : SL(""), reassign_one, &ra, e);
    pthread_mutex_unlock(&s->change);
    if (r == E_OK && ra.none_runs)
        return bad_replicas(e, "None of the replicas runs.");
    if (r == E_OK && !ra.seen)
        return kerr_error(e, E_NOT_FOUND, KERR_UNKNOWN_TOPIC_OR_PARTITION, "%s",
                          kerr_message(KERR_UNKNOWN_TOPIC_OR_PARTITION));
    return r;
}
