/* connect/kproducer_add.c - a record finds its partition and goes into that one's open batch. See
 * kproducer_internal.h. SPEC: connect 8.1. */
#include "connect/kproducer_internal.h"

#include "base/bytes.h"
#include "base/hash.h"

enum { RECORD_OVERHEAD = 40 }; /* of a record in a batch at most: lengths and so on */

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
static enum err try_large(struct kproducer *p, struct kslot *s, struct error *e)
{
    enum err err = kproducer_seal(p, s, e);
    if (err || s->sealed[s->sealed_count - 1].bytes.n <= (size_t)s->topic->max_bytes)
        return err;
    builder_pool_give(&p->builders, s->sealed[--s->sealed_count].builder);
    s->count--;
    return too_large(e);
}

/* The record is left out because the log has it, unless the topic refused it then as it does now: that
 * one is not in the log. */
static enum err leave_out(struct kproducer *p, struct kslot *s, const struct entry *r,
                          struct error *e)
{
    int32_t max = s->topic->max_bytes;
    enum err err = E_OK;
    if (UNLIKELY(entry_bytes(r) + BATCH_HEADER_SIZE > (size_t)(max >= 0 ? max : KPRODUCER_SPLIT))) {
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

static enum err add_to_slot(struct kproducer *p, struct kslot *s, const struct entry *r,
                            struct error *e)
{
    size_t encoded = entry_bytes(r), limit = KPRODUCER_SPLIT;
    enum err err = E_OK;
    if (s->topic->max_bytes >= 0)
        limit = MIN(limit, (size_t)s->topic->max_bytes);
    if (s->open_count && batch_builder_size(s->open) + encoded > limit)
        err = kproducer_seal(p, s, e);
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
    struct kslot *s;
    struct batch_headers ready;
    bool sticky = false;
    enum err err = kproducer_find_topic(p, topic, &t, e);
    if (!err)
        err = pick_partition(p, t, partition, key, &partition, &sticky, e);
    if (!err)
        err = kproducer_find_slot(p, t, partition, &s, e);
    if (err)
        return err;
    kproducer_use(p, s);
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
