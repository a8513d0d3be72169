/* broker/group/member.c - see broker/member.h. Each call is a request to the coordinator as a client
 * would send it; the assignment is made here when this member leads. */
#include "broker/member.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "base/mem.h"
#include "broker/broker_state.h"
#include "broker/group/assignor.h"
#include "broker/group/blocking.h"
#include "broker/group/consumer_bytes.h"
#include "broker/proto/kerr.h"
#include "broker/topic.h"

#define PROTOCOL SL("range")
enum { CANCEL_POLL_MS = 100, SESSION_MS = 45000, ROUNDS_MAX = 100 };

struct broker_member {
    struct broker *b;
    char *group, *client_id;
    int32_t rebalance_timeout_ms;
    pthread_mutex_t lock; /* id: another thread may make it leave */
    char *id;             /* NULL: not known to the group */
    bool gone;            /* made to leave: it does not come back */
    int32_t generation;
    bool leads;
};

struct broker_member *broker_member_open(struct broker *b, struct slice group,
                                         struct slice client_id, int32_t rebalance_timeout_ms)
{
    struct broker_member *m = xcalloc(1, sizeof *m);
    m->b = b;
    m->group = slice_dup(group);
    m->client_id = slice_dup(client_id);
    m->rebalance_timeout_ms = rebalance_timeout_ms;
    m->generation = -1;
    pthread_mutex_init(&m->lock, NULL);
    return m;
}

static void call_init(const struct broker_member *m, struct blocking *k)
{
    blocking_init(k);
    k->call.client_id = slice_cstr(m->client_id);
    k->call.inside = true;
}

/* The id as it is now, copied into the arena; "" without one. */
static struct slice own_id(struct broker_member *m, struct arena *a)
{
    pthread_mutex_lock(&m->lock);
    struct slice id = m->id ? slice_cstr(arena_strdup(a, m->id)) : SL("");
    pthread_mutex_unlock(&m->lock);
    return id;
}

static void set_id(struct broker_member *m, struct slice id)
{
    pthread_mutex_lock(&m->lock);
    mem_free(m->id);
    m->id = id.n ? slice_dup(id) : NULL;
    pthread_mutex_unlock(&m->lock);
}

static bool is_gone(struct broker_member *m)
{
    pthread_mutex_lock(&m->lock);
    bool gone = m->gone;
    pthread_mutex_unlock(&m->lock);
    return gone;
}

static void leave(struct broker_member *m)
{
    struct blocking k;
    struct leave_group_request in;
    struct leave_group_response out;
    call_init(m, &k);
    leave_group_request_init(&in);
    leave_group_response_init(&out);
    in.group_id = slice_cstr(m->group);
    in.member_id = own_id(m, &k.a);
    if (in.member_id.n)
        blocking_run(m->b->coord, &k, coord_leave_group, &in, &out, 2);
    blocking_release(&k);
}

void broker_member_leave(struct broker_member *m)
{
    pthread_mutex_lock(&m->lock);
    m->gone = true;
    pthread_mutex_unlock(&m->lock);
    leave(m);
}

void broker_member_close(struct broker_member *m)
{
    if (!m)
        return;
    leave(m);
    pthread_mutex_destroy(&m->lock);
    mem_free(m->id);
    mem_free(m->group);
    mem_free(m->client_id);
    mem_free(m);
}

static enum err refused(const struct broker_member *m, int16_t code, struct error *e)
{
    return kerr_error(e, E_CONFLICT, code, "group %s: %s", m->group, kerr_message(code));
}

/* Waits for a call that the coordinator may park. A cancelled member leaves, which answers it. */
static bool wait_parked(struct broker_member *m, struct blocking *k, const _Atomic bool *cancel)
{
    bool cancelled = false;
    while (!blocking_wait(k, CANCEL_POLL_MS)) {
        if (!cancelled && cancel && atomic_load_explicit(cancel, memory_order_acquire)) {
            cancelled = true;
            leave(m);
        }
    }
    return !cancelled && !is_gone(m);
}

/* --- subscriptions and assignments --------------------------------------------------------------
 * Bytes of protocol type consumer, version 0. */

static void add_string(struct strbuf *b, struct slice s)
{
    strbuf_add_be16(b, (uint16_t)s.n);
    strbuf_add_slice(b, s);
}

static struct slice encode_subscription(struct arena *a, const struct slice *topics, size_t count)
{
    struct strbuf b = STRBUF_INIT;
    strbuf_add_be16(&b, 0);
    strbuf_add_be32(&b, (uint32_t)count);
    for (size_t i = 0; i < count; i++)
        add_string(&b, topics[i]);
    strbuf_add_be32(&b, UINT32_MAX); /* no user data */
    struct slice out = arena_dup(a, strbuf_slice(&b));
    strbuf_release(&b);
    return out;
}

/* The target is sorted: partitions of one topic stand together. */
static struct slice encode_assignment(struct arena *a, const struct slice *names,
                                      const struct assign_list *l)
{
    struct strbuf b = STRBUF_INIT;
    struct consumer_list out = {arena_calloc(a, l->n + 1, sizeof *out.v), 0};
    int32_t *partitions = arena_alloc(a, (l->n + 1) * sizeof *partitions);
    for (size_t i = 0; i < l->n; i++) {
        partitions[i] = l->v[i].partition;
        if (i == 0 || l->v[i].topic != l->v[i - 1].topic)
            out.v[out.n++] = (struct consumer_partitions){names[l->v[i].topic], &partitions[i], 0};
        out.v[out.n - 1].count++;
    }
    consumer_assignment_write(&out, 0, &b);
    struct slice bytes = arena_dup(a, strbuf_slice(&b));
    strbuf_release(&b);
    return bytes;
}

static int by_partition(const void *a, const void *b)
{
    const struct broker_group_partition *x = a, *y = b;
    int c = slice_cmp(x->topic, y->topic);
    return c ? c : (x->partition > y->partition) - (x->partition < y->partition);
}

/* The leader may be a client from outside: nothing in the bytes is believed. */
static enum err decode_assignment(struct slice bytes, struct arena *a,
                                  struct broker_group_partition **out, size_t *count)
{
    struct consumer_list l;
    size_t n = 0;
    enum err err = consumer_assignment_read(bytes, a, &l);
    for (size_t i = 0; i < l.n && !err; i++)
        n += (size_t)l.v[i].count;
    *out = arena_alloc(a, (n + 1) * sizeof **out);
    *count = 0;
    for (size_t i = 0; i < l.n && !err; i++) {
        struct slice topic = arena_dup(a, l.v[i].topic);
        for (int32_t k = 0; k < l.v[i].count; k++)
            (*out)[(*count)++] = (struct broker_group_partition){topic, l.v[i].partitions[k]};
    }
    if (*count > 1)
        qsort(*out, *count, sizeof **out, by_partition);
    return err;
}

/* --- leading ---------------------------------------------------------------------------------- */

struct lead {
    struct arena *a;
    struct map index; /* topic -> 1 + its position */
    struct slice *names;
    int32_t *partitions;
    size_t count, cap;
};

static int32_t topic_index(struct lead *l, struct broker *b, struct slice name)
{
    uintptr_t known = (uintptr_t)map_get(&l->index, name);
    if (known)
        return (int32_t)(known - 1);
    if (l->count == l->cap) {
        size_t cap = l->cap ? l->cap * 2 : 16;
        struct slice *names = arena_alloc(l->a, cap * sizeof *names);
        int32_t *partitions = arena_alloc(l->a, cap * sizeof *partitions);
        if (l->count) {
            memcpy(names, l->names, l->count * sizeof *names);
            memcpy(partitions, l->partitions, l->count * sizeof *partitions);
        }
        l->names = names;
        l->partitions = partitions;
        l->cap = cap;
    }
    struct topic *t = topics_get(b->topics, name);
    l->names[l->count] = name;
    l->partitions[l->count] = t ? topic_partition_count(t) : 0;
    topic_unref(t);
    (void)map_put(&l->index, name, (void *)(uintptr_t)(l->count + 1));
    return (int32_t)l->count++;
}

static int by_number(const void *a, const void *b)
{
    return (*(const int32_t *)a > *(const int32_t *)b) -
           (*(const int32_t *)a < *(const int32_t *)b);
}

/* Topics of one member; what does not parse counts as none. */
static void read_member(struct lead *l, struct broker *b,
                        const struct join_group_response_member *in, struct assign_member *out)
{
    struct consumer_subscription sub;
    *out = (struct assign_member){.id = in->member_id, .instance_id = in->group_instance_id};
    if (consumer_subscription_read(in->metadata, l->a, &sub) != E_OK || sub.topic_count == 0)
        return;
    size_t count = (size_t)sub.topic_count;
    int32_t *topics = arena_alloc(l->a, count * sizeof *topics);
    for (size_t i = 0; i < count; i++)
        topics[i] = topic_index(l, b, sub.topics[i]);
    qsort(topics, count, sizeof *topics, by_number);
    size_t unique = 0;
    for (size_t i = 0; i < count; i++)
        if (i == 0 || topics[i] != topics[unique - 1])
            topics[unique++] = topics[i];
    out->topics = topics;
    out->topic_count = unique;
}

static void assign(struct broker_member *m, const struct join_group_response *joined,
                   struct arena *a, struct sync_group_request *out)
{
    struct lead l = {.a = a};
    size_t n = (size_t)MAX(joined->members_count, 0);
    struct assign_member *members = arena_calloc(a, n + 1, sizeof *members);
    map_init(&l.index);
    for (size_t i = 0; i < n; i++)
        read_member(&l, m->b, &joined->members[i], &members[i]);
    struct assign_input in = {.partitions = l.partitions,
                              .topic_count = l.count,
                              .members = members,
                              .member_count = n,
                              .a = a};
    assign_range(&in);
    out->assignments_count = (int32_t)n;
    out->assignments = sync_group_request_assignment_array(a, (int32_t)n);
    for (size_t i = 0; i < n; i++) {
        out->assignments[i].member_id = members[i].id;
        out->assignments[i].assignment = encode_assignment(a, l.names, &members[i].target);
    }
    map_release(&l.index, NULL);
}

/* --- joining ---------------------------------------------------------------------------------- */

/* One JoinGroup; *code is the answer's. False: cancelled. */
static bool join_once(struct broker_member *m, struct blocking *k, struct slice subscription,
                      struct join_group_response *out, const _Atomic bool *cancel, int16_t *code)
{
    struct join_group_request *in = arena_alloc(&k->a, sizeof *in);
    join_group_request_init(in);
    join_group_response_init(out);
    in->group_id = slice_cstr(m->group);
    in->session_timeout_ms = SESSION_MS;
    in->rebalance_timeout_ms = m->rebalance_timeout_ms;
    in->member_id = own_id(m, &k->a);
    in->protocol_type = SL("consumer");
    in->protocols = join_group_request_protocol_array(&k->a, 1);
    in->protocols_count = 1;
    in->protocols[0].name = PROTOCOL;
    in->protocols[0].metadata = subscription;
    blocking_start(m->b->coord, k, coord_join_group, in, out, 9);
    bool ok = wait_parked(m, k, cancel);
    *code = out->error_code;
    return ok;
}

static bool sync_once(struct broker_member *m, struct blocking *k,
                      const struct join_group_response *joined, struct sync_group_response *out,
                      const _Atomic bool *cancel)
{
    struct sync_group_request *in = arena_alloc(&k->a, sizeof *in);
    sync_group_request_init(in);
    sync_group_response_init(out);
    in->group_id = slice_cstr(m->group);
    in->generation_id = joined->generation_id;
    in->member_id = joined->member_id;
    in->protocol_type = SL("consumer");
    in->protocol_name = joined->protocol_name;
    m->leads = slice_eq(joined->leader, joined->member_id);
    if (m->leads && !joined->skip_assignment)
        assign(m, joined, &k->a, in);
    blocking_start(m->b->coord, k, coord_sync_group, in, out, 5);
    return wait_parked(m, k, cancel);
}

/* Codes after which the round is tried again. */
static bool may_retry(struct broker_member *m, int16_t code)
{
    if (code == KERR_UNKNOWN_MEMBER_ID || code == KERR_ILLEGAL_GENERATION) {
        if (code == KERR_UNKNOWN_MEMBER_ID)
            set_id(m, SL(""));
        return true;
    }
    return code == KERR_REBALANCE_IN_PROGRESS;
}

/* Join and Sync once. *again: the round was overtaken by another one. */
static enum err one_round(struct broker_member *m, struct slice subscription,
                          const _Atomic bool *cancel, struct arena *a,
                          struct broker_group_partition **out, size_t *out_count, bool *again,
                          struct error *e)
{
    struct blocking k;
    struct join_group_response joined;
    struct sync_group_response synced;
    int16_t code;
    enum err err = E_OK;
    call_init(m, &k);
    bool ok = join_once(m, &k, subscription, &joined, cancel, &code);
    if (ok && code == KERR_MEMBER_ID_REQUIRED) {
        set_id(m, joined.member_id);
        ok = join_once(m, &k, subscription, &joined, cancel, &code);
    }
    if (ok && code == KERR_NONE) {
        set_id(m, joined.member_id);
        m->generation = joined.generation_id;
        ok = sync_once(m, &k, &joined, &synced, cancel);
        code = synced.error_code;
    }
    if (!ok)
        err = error_set(e, E_CANCELLED, "group %s: joining was given up", m->group);
    else if (may_retry(m, code))
        *again = true;
    else if (code != KERR_NONE)
        err = refused(m, code, e);
    else if (decode_assignment(synced.assignment, a, out, out_count) != E_OK)
        err = error_set(e, E_CORRUPT, "group %s: its leader gave an assignment that cannot be read",
                        m->group);
    blocking_release(&k);
    return err;
}

enum err broker_member_join(struct broker_member *m, const struct slice *topics, size_t count,
                            const _Atomic bool *cancel, struct arena *a,
                            struct broker_group_partition **out, size_t *out_count, struct error *e)
{
    struct slice subscription = encode_subscription(a, topics, count);
    *out = NULL;
    *out_count = 0;
    m->leads = false;
    for (int i = 0; i < ROUNDS_MAX; i++) {
        bool again = false;
        if (is_gone(m))
            return error_set(e, E_CANCELLED, "group %s: the member was made to leave", m->group);
        enum err err = one_round(m, subscription, cancel, a, out, out_count, &again, e);
        if (!again)
            return err;
    }
    return refused(m, KERR_REBALANCE_IN_PROGRESS, e);
}

/* --- membership ------------------------------------------------------------------------------- */

enum broker_member_state broker_member_check(struct broker_member *m)
{
    struct blocking k;
    struct heartbeat_request in;
    struct heartbeat_response out;
    call_init(m, &k);
    heartbeat_request_init(&in);
    heartbeat_response_init(&out);
    in.group_id = slice_cstr(m->group);
    in.generation_id = m->generation;
    in.member_id = own_id(m, &k.a);
    blocking_run(m->b->coord, &k, coord_heartbeat, &in, &out, 4);
    blocking_release(&k);
    return out.error_code == KERR_NONE                    ? MEMBER_IN_GROUP
           : out.error_code == KERR_REBALANCE_IN_PROGRESS ? MEMBER_REJOIN
                                                          : MEMBER_LOST;
}

bool broker_member_leads(const struct broker_member *m)
{
    return m->leads;
}

enum err broker_member_commit(struct broker_member *m, const struct broker_group_offset *offsets,
                              size_t count, struct error *e)
{
    struct blocking k;
    call_init(m, &k);
    struct slice id = own_id(m, &k.a);
    int16_t code =
        group_commit_call(m->b->coord, &k, slice_cstr(m->group), m->generation, id, offsets, count);
    blocking_release(&k);
    return code == KERR_NONE ? E_OK : refused(m, code, e);
}
