/* connect/kproducer_embedded.c - a producer on the embedded broker: record batches are built here and
 * appended straight to the partition's log. SPEC: connect 8.1.
 *
 * A producer keeps one slot per partition that it writes to: an open batch, sealed batches before
 * it (a batch is sealed at SPLIT_BYTES, so that consumers with small buffers stay happy), and the
 * next sequence number. Builders belong to the producer and are lent to slots while these have
 * something pending, so that memory follows what is pending and not how many tables there are. Invariant: next_sequence is what the log expects once everything pending of
 * the slot has been appended; pending records carry [first_sequence, first_sequence + count).
 * Thread: a producer is one task's. */
#include "connect/kclient_embedded.h"

#include "base/arena.h"
#include "base/bytes.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "broker/proto/batch.h"
#include "connect/builder_pool.h"
#include "connect/connector.h"

enum {
    SPLIT_BYTES = 1 << 20,
    RECORD_OVERHEAD = 40, /* of a record in a batch at most: lengths and so on */
};

struct ktopic;
struct sealed {
    struct batch_builder *builder;
    struct slice bytes; /* in it */
};
struct slot {
    struct ktopic *topic;
    int32_t partition;
    struct broker_target *target;
    struct batch_builder *open; /* NULL: nothing in it */
    struct sealed *sealed;      /* finished batches, oldest first */
    size_t sealed_count, sealed_cap;
    int32_t open_count;            /* records in the open batch */
    int32_t first_sequence, count; /* pending, sealed and open together */
    int32_t appended;              /* of the pending ones; after a failed flush */
    int32_t next_sequence;
    int32_t skip;    /* records still to leave out */
    int32_t skipped; /* left out since the last flush */
    bool sticky_used;
    bool in_use;              /* listed in the producer's `used` */
    int64_t end_offset, mark; /* after the last append; remembered for mark_synced */
};

struct ktopic {
    struct slice name;
    int32_t partitions, sticky;
    int32_t max_bytes;     /* of a batch; -1: no limit but our own */
    int32_t replay_sticky; /* where keyless records of the range being read again went; -1 none */
    bool gone;             /* was deleted: forgotten at the next abort */
    struct slot **slots;   /* by partition; NULL until used */
};

struct kproducer {
    struct kclient *k;
    char *name;
    int64_t id;
    int64_t generation; /* of the broker's topics, when partition counts were looked up */
    struct map topics;  /* name -> struct ktopic */
    struct ktopic *last;
    struct slot **used; /* slots with something pending or skipped */
    size_t used_count, used_cap;
    struct kpart *parts; /* answer of kproducer_pending */
    size_t parts_cap;
    struct batch_headers heads;
    struct strbuf joined; /* a key in two pieces, to be hashed */
    struct builder_pool builders;
    int fault_after; /* tests: batches until the fault + 1; 0 none */
};

/* --- a producer --------------------------------------------------------------------------------
 */

enum err kproducer_open(struct kproducer **out, struct kclient *k, const char *name,
                        const struct strmap *overrides, struct error *e)
{
    struct kproducer *p = xcalloc(1, sizeof *p);
    struct slice codec =
        overrides ? slice_trim(strmap_get_c(overrides, "compression.type")) : SLICE_NULL;
    p->k = k;
    p->name = xstrdup(name);
    p->id = -1;
    p->builders.codec = CODEC_NONE;
    map_init(&p->topics);
    strbuf_init(&p->heads.bytes, 0);
    strbuf_init(&p->joined, 0);
    *out = p;
    if (!codec.p || codec_parse(codec, &p->builders.codec) == E_OK)
        return E_OK;
    kproducer_close(p);
    *out = NULL;
    return config_invalid(e, codec, "compression.type",
                          "String must be one of: gzip, lz4, none, snappy, zstd");
}

static void slot_free(struct slot *s)
{
    if (!s)
        return;
    broker_target_close(s->target);
    builder_free(s->open);
    for (size_t i = 0; i < s->sealed_count; i++)
        builder_free(s->sealed[i].builder);
    mem_free(s->sealed);
    mem_free(s);
}

/* Forgets what is pending. */
static void empty_slot(struct kproducer *p, struct slot *s)
{
    builder_pool_give(&p->builders, s->open);
    s->open = NULL;
    for (size_t i = 0; i < s->sealed_count; i++)
        builder_pool_give(&p->builders, s->sealed[i].builder);
    s->sealed_count = 0;
    s->count = s->open_count = s->appended = s->skipped = 0;
    s->sticky_used = false;
}

static void ktopic_free(void *arg)
{
    struct ktopic *t = arg;
    for (int32_t i = 0; i < t->partitions; i++)
        slot_free(t->slots[i]);
    mem_free(t->slots);
    mem_free((void *)(uintptr_t)t->name.p);
    mem_free(t);
}

void kproducer_close(struct kproducer *p)
{
    if (!p)
        return;
    map_release(&p->topics, ktopic_free);
    builder_pool_release(&p->builders);
    strbuf_release(&p->joined);
    strbuf_release(&p->heads.bytes);
    mem_free(p->used);
    mem_free(p->parts);
    mem_free(p->name);
    mem_free(p);
}

/* More partitions than before: only ever grows, slots stay. */
static void grow_topic(struct ktopic *t, int32_t partitions)
{
    if (partitions <= t->partitions)
        return;
    t->slots = xrealloc(t->slots, (size_t)partitions * sizeof *t->slots);
    memset(t->slots + t->partitions, 0, (size_t)(partitions - t->partitions) * sizeof *t->slots);
    t->partitions = partitions;
}

static enum err find_topic(struct kproducer *p, struct slice name, struct ktopic **out,
                           struct error *e)
{
    if (p->last && slice_eq(p->last->name, name)) {
        *out = p->last;
        return E_OK;
    }
    struct ktopic *t = map_get(&p->topics, name);
    if (!t) {
        struct kclient_topic info;
        enum err err = kclient_describe(p->k, name, &info, e);
        if (err)
            return err;
        t = xcalloc(1, sizeof *t);
        t->name = slice_of(slice_dup(name), name.n);
        t->replay_sticky = -1;
        t->max_bytes = info.max_bytes;
        grow_topic(t, info.partitions);
        (void)map_put(&p->topics, name, t);
    }
    *out = p->last = t;
    return E_OK;
}

/* The log's word on where this producer stands in the partition. */
static enum err ask_log(struct kproducer *p, struct slot *s)
{
    struct broker_producer state;
    s->next_sequence = 0;
    if (p->id < 0)
        return E_OK;
    enum err err = broker_producer_state(s->target, p->id, &state);
    if (!err && state.last_sequence >= 0)
        s->next_sequence = (int32_t)(((int64_t)state.last_sequence + 1) & INT32_MAX);
    return err == E_NOT_FOUND ? E_OK : err;
}

static enum err find_slot(struct kproducer *p, struct ktopic *t, int32_t partition,
                          struct slot **out, struct error *e)
{
    if (partition < 0 || partition >= t->partitions)
        return error_set(e, E_NOT_FOUND, "partition %d of topic " PRI_SL " does not exist",
                         (int)partition, ARG_SL(t->name));
    struct slot *s = t->slots[partition];
    if (!s) {
        s = xcalloc(1, sizeof *s);
        s->topic = t;
        s->partition = partition;
        s->end_offset = s->mark = -1;
        t->slots[partition] = s;
    }
    if (!s->target) {
        enum err err = broker_target_open(p->k->broker, t->name, partition, &s->target, e);
        if (!err)
            err = ask_log(p, s);
        t->gone |= err == E_NOT_FOUND;
        if (err)
            return err;
    }
    *out = s;
    return E_OK;
}

static void use_slot(struct kproducer *p, struct slot *s)
{
    if (s->in_use)
        return;
    s->in_use = true;
    if (p->used_count == p->used_cap) {
        p->used_cap = p->used_cap ? p->used_cap * 2 : 8;
        p->used = xrealloc(p->used, p->used_cap * sizeof *p->used);
    }
    p->used[p->used_count++] = s;
    s->first_sequence = s->next_sequence;
    s->appended = 0;
}

static enum err new_id(struct kproducer *p, struct error *e)
{
    return p->id >= 0 ? E_OK : broker_producer_id(p->k->broker, &p->id, e);
}

/* Moves the open batch to the sealed ones. */
static enum err seal_batch(struct kproducer *p, struct slot *s, struct error *e)
{
    if (!s->open_count)
        return E_OK;
    enum err err = new_id(p, e);
    struct slice bytes;
    int32_t first = (int32_t)(((int64_t)s->first_sequence + s->count - s->open_count) & INT32_MAX);
    batch_builder_producer(s->open, p->id, 0, first, false);
    if (!err)
        err = batch_builder_finish(s->open, &bytes);
    if (err)
        return error_set(
            e, err,
            "org.apache.kafka.connect.errors.ConnectException: a record batch could not be "
            "built: %s",
            err_name(err));
    if (s->sealed_count == s->sealed_cap) {
        s->sealed_cap = s->sealed_cap ? s->sealed_cap * 2 : 4;
        s->sealed = xrealloc(s->sealed, s->sealed_cap * sizeof *s->sealed);
    }
    s->sealed[s->sealed_count++] = (struct sealed){s->open, bytes};
    s->open = NULL;
    s->open_count = 0;
    return E_OK;
}

static enum err hash_key(struct kproducer *p, struct ktext key, uint32_t *hash, struct error *e)
{
    struct slice whole = key.body;
    if (key.head.n) {
        strbuf_reset(&p->joined);
        strbuf_add_slice(&p->joined, key.head);
        strbuf_add_slice(&p->joined, key.body);
        whole = strbuf_slice(&p->joined);
        if (strbuf_err(&p->joined))
            return error_set(e, E_NOMEM, "no memory for a key of %zu bytes",
                             key.head.n + key.body.n);
    }
    *hash = murmur2(whole) & 0x7fffffff;
    return E_OK;
}

static enum err pick_partition(struct kproducer *p, const struct ktopic *t, int32_t wish,
                               struct ktext key, int32_t *partition, bool *sticky, struct error *e)
{
    uint32_t hash = 0;
    enum err err = E_OK;
    *sticky = wish < 0 && !key.body.p;
    *partition = wish;
    if (wish >= 0)
        return E_OK;
    if (*sticky) {
        bool replay = t->replay_sticky >= 0 && t->replay_sticky < t->partitions;
        *partition = replay ? t->replay_sticky : t->sticky % t->partitions;
        return E_OK;
    }
    if (t->partitions > 1)
        err = hash_key(p, key, &hash, e);
    *partition = (int32_t)(hash % (uint32_t)t->partitions);
    return err;
}

/* A ready-made section begins with the count that the builder wants apart. */
static struct batch_headers borrow_headers(struct slice encoded)
{
    struct reader r = reader_of(encoded.p, encoded.n);
    struct batch_headers h = BATCH_HEADERS_INIT;
    h.count = read_varint(&r);
    h.bytes.p = (char *)(uintptr_t)r.at;
    h.bytes.n = reader_left(&r);
    h.bytes.cap = h.bytes.n;
    return h;
}

/* The headers of a record as the builder wants them; *ready is room for them. NULL: none. */
static const struct batch_headers *headers_of(struct kproducer *p, struct kheads heads,
                                              struct batch_headers *ready)
{
    if (heads.encoded.p) {
        *ready = borrow_headers(heads.encoded);
        return ready;
    }
    if (!heads.count)
        return NULL;
    batch_headers_reset(&p->heads);
    for (size_t i = 0; i < heads.count; i++)
        batch_headers_add(&p->heads, heads.items[i].name, heads.items[i].value);
    return &p->heads;
}

/* What a batch is given of one record. */
struct entry {
    int64_t timestamp_ms;
    const struct ktext *key, *value;
    const struct batch_headers *heads; /* NULL: none */
};

/* Of its record in a batch, at most. */
static size_t entry_bytes(const struct entry *r)
{
    return r->key->head.n + r->key->body.n + r->value->head.n + r->value->body.n +
           (r->heads ? r->heads->bytes.n : 0) + RECORD_OVERHEAD;
}

static enum err build(struct batch_builder *b, const struct entry *r, struct error *e)
{
    const struct slice k[2] = {r->key->head, r->key->body}, v[2] = {r->value->head, r->value->body};
    enum err err =
        batch_builder_add_parts(b, r->timestamp_ms, (struct batch_text){k, r->key->body.p ? 2 : -1},
                                (struct batch_text){v, r->value->body.p ? 2 : -1}, r->heads);
    if (err)
        return error_set(
            e, err,
            "org.apache.kafka.common.errors.RecordTooLargeException: a record of %zu bytes does "
            "not fit into a batch",
            k[0].n + k[1].n + v[0].n + v[1].n);
    return E_OK;
}

static enum err too_large(struct error *e)
{
    return error_set(e, E_TOO_LARGE,
                     "org.apache.kafka.common.errors.RecordTooLargeException: The request included "
                     "a message larger than the max message size the server will accept.");
}

/* The open batch holds one record, which may be too large for the topic: compressed it may yet fit. */
static enum err try_large(struct kproducer *p, struct slot *s, struct error *e)
{
    enum err err = seal_batch(p, s, e);
    if (err || s->sealed[s->sealed_count - 1].bytes.n <= (size_t)s->topic->max_bytes)
        return err;
    builder_pool_give(&p->builders, s->sealed[--s->sealed_count].builder);
    s->count--;
    return too_large(e);
}

/* The record is left out because the log has it, unless the topic refused it then as it does now: that
 * one is not in the log. */
static enum err leave_out(struct kproducer *p, struct slot *s, const struct entry *r,
                          struct error *e)
{
    int32_t max = s->topic->max_bytes;
    enum err err = E_OK;
    if (UNLIKELY(entry_bytes(r) + BATCH_HEADER_SIZE > (size_t)(max >= 0 ? max : SPLIT_BYTES))) {
        struct batch_builder *b = builder_pool_take(&p->builders);
        struct slice bytes = SL("");
        err = build(b, r, e);
        if (!err)
            err = batch_builder_finish(b, &bytes);
        if (!err && max >= 0 && bytes.n > (size_t)max)
            err = too_large(e);
        builder_pool_give(&p->builders, b);
    }
    if (err)
        return err;
    s->skip--;
    s->skipped++;
    return E_OK;
}

static enum err add_to_slot(struct kproducer *p, struct slot *s, const struct entry *r,
                            struct error *e)
{
    size_t encoded = entry_bytes(r), limit = SPLIT_BYTES;
    enum err err = E_OK;
    if (s->topic->max_bytes >= 0)
        limit = MIN(limit, (size_t)s->topic->max_bytes);
    if (s->open_count && batch_builder_size(s->open) + encoded > limit)
        err = seal_batch(p, s, e);
    if (err)
        return err;
    if (!s->open)
        s->open = builder_pool_take(&p->builders);
    err = build(s->open, r, e);
    if (err)
        return err;
    s->open_count++;
    s->count++;
    if (UNLIKELY(s->topic->max_bytes >= 0 && s->open_count == 1 &&
                 batch_builder_size(s->open) > (size_t)s->topic->max_bytes))
        return try_large(p, s, e);
    return E_OK;
}

enum err kproducer_add(struct kproducer *p, struct slice topic, int32_t partition,
                       int64_t timestamp_ms, struct ktext key, struct ktext value,
                       struct kheads heads, struct error *e)
{
    struct ktopic *t;
    struct slot *s;
    struct batch_headers ready;
    bool sticky = false;
    enum err err = find_topic(p, topic, &t, e);
    if (!err)
        err = pick_partition(p, t, partition, key, &partition, &sticky, e);
    if (!err)
        err = find_slot(p, t, partition, &s, e);
    if (err)
        return err;
    use_slot(p, s);
    s->sticky_used |= sticky;
    const struct entry r = {timestamp_ms, &key, &value, headers_of(p, heads, &ready)};
    return UNLIKELY(s->skip > 0) ? leave_out(p, s, &r, e) : add_to_slot(p, s, &r, e);
}

void khead_encode(struct strbuf *out, const struct khead *heads, size_t count)
{
    struct batch_headers h = BATCH_HEADERS_INIT;
    for (size_t i = 0; i < count; i++)
        batch_headers_add(&h, heads[i].name, heads[i].value);
    strbuf_add_varint(out, (int64_t)count);
    strbuf_add_slice(out, strbuf_slice(&h.bytes));
    strbuf_release(&h.bytes);
}

/* --- flush -------------------------------------------------------------------------------------
 */

static void add_part(struct kproducer *p, size_t *n, const struct ktopic *t, const struct slot *s)
{
    if (*n == p->parts_cap) {
        p->parts_cap = p->parts_cap ? p->parts_cap * 2 : 8;
        p->parts = xrealloc(p->parts, p->parts_cap * sizeof *p->parts);
    }
    p->parts[(*n)++] = (struct kpart){.topic = t->name,
                                      .partition = s->partition,
                                      .partitions = t->partitions,
                                      .first_sequence = s->first_sequence,
                                      .count = s->count,
                                      .skip = s->skipped,
                                      .left = s->skip,
                                      .sticky = s->sticky_used || t->replay_sticky == s->partition};
}

enum err kproducer_pending(struct kproducer *p, const struct kpart **parts, size_t *count,
                           struct error *e)
{
    size_t i = 0;
    struct slice name;
    void *value;
    *count = 0;
    for (size_t k = 0; k < p->used_count; k++) {
        enum err err = seal_batch(p, p->used[k], e);
        if (err)
            return err;
    }
    while (map_next(&p->topics, &i, &name, &value)) {
        const struct ktopic *t = value;
        for (int32_t k = 0; k < t->partitions; k++) {
            const struct slot *s = t->slots[k];
            if (s && (s->count || s->skipped || s->skip))
                add_part(p, count, t, s);
        }
    }
    *parts = p->parts;
    return E_OK;
}

void kproducer_fault_after(struct kproducer *p, int batches)
{
    p->fault_after = batches + 1;
}

static enum err append_batch(struct kproducer *p, struct slot *s, struct slice one, struct error *e)
{
    struct broker_appended done;
    if (UNLIKELY(p->fault_after) && --p->fault_after == 0)
        return error_set(e, E_CANCELLED, "stopped by the test");
    enum err err = broker_append(s->target, (void *)(uintptr_t)one.p, one.n, &done, e);
    if (err)
        return err;
    s->appended += batch_count(one.p);
    s->end_offset = MAX(s->end_offset, done.end_offset);
    if (done.duplicate)
        LOG_WARN(LOG_CONNECT_TASK, "a batch was in the log already, base offset %lld",
                 (long long)done.base_offset);
    return E_OK;
}

static enum err append_slot(struct kproducer *p, struct slot *s, struct error *e)
{
    enum err err = seal_batch(p, s, e);
    for (size_t i = 0; i < s->sealed_count && !err; i++)
        err = append_batch(p, s, s->sealed[i].bytes, e);
    if (err == E_NOT_FOUND) { /* the topic is gone: a new one of that name starts at sequence 0 */
        broker_target_close(s->target);
        s->target = NULL;
        s->topic->gone = true;
    }
    return err;
}

static void finish_slot(struct kproducer *p, struct slot *s)
{
    s->next_sequence = (int32_t)(((int64_t)s->first_sequence + s->count) & INT32_MAX);
    s->in_use = false;
    empty_slot(p, s);
}

/* New partitions show up here; keyless records move on to the next partition. */
static void next_round(struct kproducer *p)
{
    int64_t now = broker_topics_generation(p->k->broker);
    bool changed = now != p->generation, waiting = false;
    size_t i = 0;
    struct slice name;
    void *value;
    while (map_next(&p->topics, &i, &name, &value)) {
        struct ktopic *t = value;
        struct kclient_topic info;
        t->sticky = (t->sticky + 1) % t->partitions;
        bool replaying = false;
        for (int32_t k = 0; k < t->partitions; k++)
            replaying |= t->slots[k] && t->slots[k]->skip > 0;
        if (!replaying)
            t->replay_sticky = -1;
        if (!replaying && changed && kclient_describe(p->k, t->name, &info, NULL) == E_OK) {
            t->max_bytes = info.max_bytes;
            grow_topic(t, info.partitions);
        }
        waiting |= replaying;
    }
    if (!waiting) /* else the change is looked at again after the next flush */
        p->generation = now;
}

enum err kproducer_flush(struct kproducer *p, struct error *e)
{
    for (size_t i = 0; i < p->used_count; i++) {
        enum err err = append_slot(p, p->used[i], e);
        if (err)
            return err;
    }
    for (size_t i = 0; i < p->used_count; i++)
        finish_slot(p, p->used[i]);
    p->used_count = 0;
    next_round(p);
    return E_OK;
}

enum err kproducer_flush_beginning(struct kproducer *p, struct error *e)
{
    enum err err = E_OK;
    for (size_t i = 0; i < p->used_count && !err; i++)
        err = append_slot(p, p->used[i], e);
    kproducer_abort(p);
    return err;
}

static void forget_gone(struct kproducer *p)
{
    size_t i = 0;
    struct slice name;
    void *value;
    while (map_next(&p->topics, &i, &name, &value)) {
        struct ktopic *t = value;
        if (t->gone) {
            (void)map_del(&p->topics, t->name);
            ktopic_free(t);
        }
    }
    p->last = NULL;
}

void kproducer_abort(struct kproducer *p)
{
    for (size_t i = 0; i < p->used_count; i++) {
        struct slot *s = p->used[i];
        /* What was left out and what was appended will come again: leave both out then. */
        s->skip += s->skipped + s->appended;
        if (s->skip && s->sticky_used)
            s->topic->replay_sticky = s->partition;
        s->next_sequence = (int32_t)(((int64_t)s->first_sequence + s->appended) & INT32_MAX);
        s->in_use = false;
        empty_slot(p, s);
    }
    p->used_count = 0;
    forget_gone(p);
}

/* --- exactly once ------------------------------------------------------------------------------
 */

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
    struct slot *s;
    if (n <= 0 || find_topic(p, part->topic, &t, NULL) ||
        find_slot(p, t, part->partition, &s, NULL))
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

static void each_slot(struct kproducer *p, bool (*fn)(struct slot *s, void *arg), void *arg)
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

static bool mark_slot(struct slot *s, void *arg)
{
    (void)arg;
    s->mark = s->end_offset;
    return true;
}

static bool slot_synced(struct slot *s, void *arg)
{
    bool *all = arg;
    *all = s->mark < 0 || broker_synced_offset(s->target) >= s->mark;
    return *all;
}

struct sync_call {
    struct error *e;
    enum err err;
};

static bool sync_slot(struct slot *s, void *arg)
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
