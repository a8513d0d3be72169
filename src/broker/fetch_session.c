/* broker/fetch_session.c - see fetch_session.h.
 *
 * A session is a list of partitions in the order in which they are read, and a map to find them by
 * (topic, partition). What the client was told of a partition is remembered: its high watermark (-1
 * after an error, so that whatever follows is told) and its log start.
 *
 * Invariants: 1. parts.count == index.count. 2. A session is in by_id and in by_use, or nowhere.
 * Owner: a broker loop. */
#include "broker/fetch_session.h"

#include "base/base.h"
#include "base/bytes.h"
#include "base/mem.h"
#include "broker/proto/kerr.h"

#define TOPIC_MAX 249 /* longest legal name */

struct session_part {
    struct link link;
    struct fetch_want want; /* topic is owned, in points to `in` */
    struct fetch_request_partition in;
    int64_t high_watermark, log_start; /* as the client knows them */
};
struct fetch_session {
    struct link link; /* by_use */
    int32_t id;
    int32_t epoch; /* expected next */
    bool by_id;
    int64_t used_ms;
    struct list parts;
    struct map index;
};

void fetch_sessions_init(struct fetch_sessions *s, size_t slots)
{
    map_init(&s->by_id);
    list_init(&s->by_use);
    s->slots = slots;
    atomic_init(&s->open, 0);
}

/* --- parts ------------------------------------------------------------------------------------ */

struct part_key {
    char bytes[4 + MAX(sizeof(struct uuid), TOPIC_MAX)];
    size_t n;
};

static struct slice make_key(struct part_key *k, struct slice topic, const struct uuid *id,
                             bool by_id, int32_t partition)
{
    size_t n = by_id ? sizeof id->b : MIN(topic.n, (size_t)TOPIC_MAX);
    memcpy(k->bytes, &partition, sizeof partition);
    if (n)
        memcpy(k->bytes + sizeof partition, by_id ? (const char *)id->b : topic.p, n);
    k->n = sizeof partition + n;
    return slice_of(k->bytes, k->n);
}

static void part_free(struct session_part *p)
{
    mem_free((char *)(uintptr_t)p->want.topic.p);
    mem_free(p);
}

static void part_remove(struct fetch_session *fs, struct slice key)
{
    struct session_part *p = map_del(&fs->index, key);
    if (!p)
        return;
    list_remove(&fs->parts, &p->link);
    part_free(p);
}

/* Adds or changes one. NULL: too many, or no memory. */
static struct session_part *part_put(struct fetch_session *fs, struct slice topic,
                                     const struct uuid *topic_id,
                                     const struct fetch_request_partition *in)
{
    struct part_key k;
    if (topic.n > TOPIC_MAX)
        return NULL;
    struct slice key = make_key(&k, topic, topic_id, fs->by_id, in->partition);
    struct session_part *p = map_get(&fs->index, key);
    if (!p) {
        if (fs->parts.count >= FETCH_SESSION_PARTS_MAX)
            return NULL;
        p = try_calloc(1, sizeof *p);
        if (!p)
            return NULL;
        p->want.topic = slice_of(topic.n ? slice_dup(topic) : xstrdup(""), topic.n);
        p->want.topic_id = *topic_id;
        p->want.in = &p->in;
        p->high_watermark = p->log_start = -1;
        map_put(&fs->index, key, p);
        list_push_back(&fs->parts, &p->link);
    }
    p->in = *in;
    return p;
}

static bool note_answer(struct session_part *p, const struct fetch_response_partition *out)
{
    bool tell = out->records.n > 0 || out->error_code != KERR_NONE ||
                out->high_watermark != p->high_watermark || out->log_start_offset != p->log_start;
    p->high_watermark = out->error_code == KERR_NONE ? out->high_watermark : -1;
    p->log_start = out->log_start_offset;
    return tell;
}

/* --- sessions --------------------------------------------------------------------------------- */

static struct fetch_session *find(const struct fetch_sessions *s, int32_t id)
{
    return id > 0 ? map_get_u64(&s->by_id, (uint64_t)id) : NULL;
}

static void session_free(struct fetch_session *fs)
{
    struct link *k;
    while ((k = list_pop_front(&fs->parts)))
        part_free(list_entry(k, struct session_part, link));
    map_release(&fs->index, NULL);
    mem_free(fs);
}

static void drop(struct fetch_sessions *s, struct fetch_session *fs)
{
    map_del_u64(&s->by_id, (uint64_t)fs->id);
    list_remove(&s->by_use, &fs->link);
    atomic_fetch_sub(&s->open, 1);
    session_free(fs);
}

void fetch_sessions_release(struct fetch_sessions *s)
{
    struct link *k;
    while ((k = list_first(&s->by_use)))
        drop(s, list_entry(k, struct fetch_session, link));
    map_release(&s->by_id, NULL);
}

void fetch_session_close(struct fetch_sessions *s, int32_t id)
{
    struct fetch_session *fs = find(s, id);
    if (fs)
        drop(s, fs);
}

static bool make_room(struct fetch_sessions *s, int64_t now)
{
    if (s->by_id.count < s->slots)
        return true;
    struct link *oldest = list_first(&s->by_use);
    if (!oldest)
        return false;
    struct fetch_session *fs = list_entry(oldest, struct fetch_session, link);
    if (now - fs->used_ms <= FETCH_SESSION_IDLE_MS)
        return false;
    drop(s, fs);
    return true;
}

static int32_t new_id(const struct fetch_sessions *s)
{
    for (;;) {
        struct uuid u;
        int32_t id;
        uuid_random(&u);
        memcpy(&id, u.b, sizeof id);
        id &= INT32_MAX;
        if (id != 0 && !find(s, id))
            return id;
    }
}

int32_t fetch_session_create(struct fetch_sessions *s, const struct fetch_want *wants,
                             const struct fetch_response_partition *outs, int32_t count, bool by_id,
                             int64_t now)
{
    if (count > FETCH_SESSION_PARTS_MAX || !make_room(s, now))
        return 0;
    struct fetch_session *fs = xcalloc(1, sizeof *fs);
    list_init(&fs->parts);
    map_init(&fs->index);
    fs->by_id = by_id;
    fs->epoch = 1;
    fs->used_ms = now;
    for (int32_t i = 0; i < count; i++) {
        struct session_part *p = part_put(fs, wants[i].topic, &wants[i].topic_id, wants[i].in);
        if (!p) {
            session_free(fs);
            return 0;
        }
        (void)note_answer(p, &outs[i]);
    }
    fs->id = new_id(s);
    map_put_u64(&s->by_id, (uint64_t)fs->id, fs);
    list_push_back(&s->by_use, &fs->link);
    atomic_fetch_add(&s->open, 1);
    return fs->id;
}

/* --- incremental ------------------------------------------------------------------------------ */

static bool take_changes(struct fetch_session *fs, const struct fetch_request *in)
{
    for (int32_t t = 0; t < in->topics_count; t++) {
        const struct fetch_request_topic *topic = &in->topics[t];
        for (int32_t i = 0; i < topic->partitions_count; i++) {
            if (!part_put(fs, topic->topic, &topic->topic_id, &topic->partitions[i]))
                return false;
        }
    }
    for (int32_t t = 0; t < in->forgotten_topics_data_count; t++) {
        const struct fetch_request_forgotten_topic *topic = &in->forgotten_topics_data[t];
        struct part_key k;
        for (int32_t i = 0; i < topic->partitions_count; i++)
            part_remove(
                fs, make_key(&k, topic->topic, &topic->topic_id, fs->by_id, topic->partitions[i]));
    }
    return true;
}

static void copy_wants(const struct fetch_session *fs, struct arena *a, struct fetch_want **out,
                       int32_t *count)
{
    struct fetch_want *wants = arena_alloc(a, (fs->parts.count + 1) * sizeof *wants);
    struct fetch_request_partition *ins = arena_alloc(a, (fs->parts.count + 1) * sizeof *ins);
    struct slice last = SLICE_NULL; /* neighbours share the copy of a name */
    *count = 0;
    list_each (&fs->parts, k) {
        const struct session_part *p = list_entry(k, struct session_part, link);
        int32_t i = (*count)++;
        ins[i] = p->in;
        if (!slice_eq(last, p->want.topic))
            last = arena_dup(a, p->want.topic);
        wants[i] = (struct fetch_want){last, p->want.topic_id, &ins[i]};
    }
    *out = wants;
}

int16_t fetch_session_continue(struct fetch_sessions *s, const struct fetch_request *in, bool by_id,
                               int64_t now, struct arena *a, struct fetch_want **out,
                               int32_t *count, bool *ended)
{
    struct fetch_session *fs = find(s, in->session_id);
    *ended = false;
    if (!fs)
        return KERR_FETCH_SESSION_ID_NOT_FOUND;
    if (fs->epoch != in->session_epoch)
        return KERR_INVALID_FETCH_SESSION_EPOCH;
    if (fs->by_id != by_id)
        return KERR_FETCH_SESSION_TOPIC_ID_ERROR;
    if (!take_changes(fs, in)) { /* the client comes back with a full request */
        drop(s, fs);
        return KERR_FETCH_SESSION_ID_NOT_FOUND;
    }
    copy_wants(fs, a, out, count);
    fs->epoch = fs->epoch == INT32_MAX ? 1 : fs->epoch + 1;
    fs->used_ms = now;
    list_remove(&s->by_use, &fs->link);
    list_push_back(&s->by_use, &fs->link);
    if (*count == 0) {
        drop(s, fs);
        *ended = true;
    }
    return KERR_NONE;
}

bool fetch_session_settle(struct fetch_sessions *s, int32_t id, const struct fetch_want *want,
                          bool by_id, const struct fetch_response_partition *out)
{
    struct fetch_session *fs = find(s, id);
    struct part_key k;
    struct session_part *p = fs && fs->by_id == by_id
                                 ? map_get(&fs->index, make_key(&k, want->topic, &want->topic_id,
                                                                by_id, want->in->partition))
                                 : NULL;
    if (!p)
        return true;
    if (out->records.n) {
        list_remove(&fs->parts, &p->link);
        list_push_back(&fs->parts, &p->link);
    }
    return note_answer(p, out);
}
