/* broker/group/consumer_bytes.c - see consumer_bytes.h.
 *
 *   subscription: i16 version, [text topic], bytes user data; from 1: list owned; from 2: i32
 *                 generation; from 3: text or null rack
 *   assignment:   i16 version, list, bytes user data
 *   list:         [text topic, [i32 partition]]
 * Texts have an i16 length, bytes and arrays an i32 length (-1: null). What a newer version adds
 * stands behind and is left alone. */
#include "broker/group/consumer_bytes.h"

#include "base/base.h"
#include "base/bytes.h"

static struct slice text(struct reader *r)
{
    int16_t n = (int16_t)read_be16(r);
    return n < 0 ? SLICE_NULL : read_slice(r, (size_t)n);
}

/* The length of an array of elements that take at least `least` bytes each. */
static int32_t array(struct reader *r, size_t least)
{
    int32_t n = (int32_t)read_be32(r);
    if (n <= 0)
        return 0;
    if ((size_t)n > reader_left(r) / least) {
        reader_fail(r, E_CORRUPT);
        return 0;
    }
    return n;
}

static void skip_bytes(struct reader *r)
{
    int32_t n = (int32_t)read_be32(r);
    if (n > 0)
        (void)read_slice(r, (size_t)n);
}

static void list(struct reader *r, struct arena *a, struct consumer_list *out)
{
    int32_t n = array(r, 6);
    *out = (struct consumer_list){arena_calloc(a, (size_t)n + 1, sizeof *out->v), (size_t)n};
    for (int32_t i = 0; i < n && r->err == E_OK; i++) {
        struct consumer_partitions *p = &out->v[i];
        p->topic = text(r);
        p->count = array(r, 4);
        p->partitions = arena_calloc(a, (size_t)p->count + 1, sizeof *p->partitions);
        for (int32_t k = 0; k < p->count; k++)
            p->partitions[k] = (int32_t)read_be32(r);
    }
}

enum err consumer_subscription_read(struct slice bytes, struct arena *a,
                                    struct consumer_subscription *out)
{
    struct reader r = reader_of(bytes.p, bytes.n);
    *out = (struct consumer_subscription){.rack = SLICE_NULL};
    out->version = (int16_t)read_be16(&r);
    out->topic_count = array(&r, 2);
    out->topics = arena_calloc(a, (size_t)out->topic_count + 1, sizeof *out->topics);
    for (int32_t i = 0; i < out->topic_count; i++)
        out->topics[i] = text(&r);
    skip_bytes(&r);
    if (out->version >= 1)
        list(&r, a, &out->owned);
    if (out->version >= 2)
        (void)read_be32(&r);
    if (out->version >= 3)
        out->rack = text(&r);
    return out->version < 0 ? E_CORRUPT : r.err;
}

bool consumer_subscription_names(struct slice bytes, struct slice topic)
{
    struct reader r = reader_of(bytes.p, bytes.n);
    (void)read_be16(&r);
    int32_t n = array(&r, 2);
    for (int32_t i = 0; i < n && r.err == E_OK; i++) {
        if (slice_eq(text(&r), topic))
            return true;
    }
    return r.err != E_OK;
}

enum err consumer_assignment_read(struct slice bytes, struct arena *a, struct consumer_list *out)
{
    struct reader r = reader_of(bytes.p, bytes.n);
    *out = (struct consumer_list){NULL, 0};
    if (!bytes.n)
        return E_OK;
    bool bad = (int16_t)read_be16(&r) < 0;
    list(&r, a, out);
    skip_bytes(&r);
    return bad ? E_CORRUPT : r.err;
}

void consumer_assignment_write(const struct consumer_list *l, int16_t version, struct strbuf *out)
{
    strbuf_add_be16(out, (uint16_t)version);
    strbuf_add_be32(out, (uint32_t)l->n);
    for (size_t i = 0; i < l->n; i++) {
        const struct consumer_partitions *p = &l->v[i];
        strbuf_add_be16(out, (uint16_t)p->topic.n);
        strbuf_add_slice(out, p->topic);
        strbuf_add_be32(out, (uint32_t)p->count);
        for (int32_t k = 0; k < p->count; k++)
            strbuf_add_be32(out, (uint32_t)p->partitions[k]);
    }
    strbuf_add_be32(out, UINT32_MAX); /* no user data */
}
