/* connect/kclient_embedded.c - kclient on the embedded broker: topics, offsets of groups, and reading
 * without a group. Thread: any. */
#include "connect/kclient_embedded.h"

#include "base/arena.h"
#include "base/mem.h"
#include "broker/proto/batch.h"

enum { READ_BYTES = 1 << 20 };

struct kclient *kclient_embedded(struct broker *b)
{
    struct kclient *k = xcalloc(1, sizeof *k);
    k->broker = b;
    return k;
}

void kclient_free(struct kclient *k)
{
    mem_free(k);
}

/* --- topics ----------------------------------------------------------------------------------- */

enum err kclient_describe(struct kclient *k, struct slice topic, struct kclient_topic *out,
                          struct error *e)
{
    struct arena a;
    struct broker_topic_info info;
    arena_init(&a, 4096, ARENA_NO_BUDGET);
    enum err err = broker_topic(k->broker, topic, &a, &info, e);
    if (!err)
        *out = (struct kclient_topic){info.id, info.partition_count, info.max_message_bytes};
    arena_release(&a);
    return err;
}

int64_t kclient_topics_generation(struct kclient *k)
{
    return broker_topics_generation(k->broker);
}

enum err kclient_create(struct kclient *k, struct slice topic, int32_t partitions,
                        int16_t replication, const struct strmap *configs, struct error *e)
{
    struct broker_topic_spec spec = {.name = topic,
                                     .partitions = partitions,
                                     .replication_factor = replication,
                                     .configs = configs};
    return broker_topic_create(k->broker, &spec, e);
}

/* --- groups ----------------------------------------------------------------------------------- */

enum err kclient_group_offsets(struct kclient *k, struct slice group, struct arena *a,
                               struct koffset **out, size_t *count, struct error *e)
{
    struct broker_group_info info = {0};
    *count = 0;
    enum err err = broker_group(k->broker, group, a, &info, e);
    if (err == E_NOT_FOUND) {
        error_clear(e);
        err = E_OK;
    }
    *out = arena_alloc(a, (info.offset_count + 1) * sizeof **out);
    for (size_t i = 0; i < info.offset_count && !err; i++)
        if (info.offsets[i].offset >= 0)
            (*out)[(*count)++] = (struct koffset){info.offsets[i].topic, info.offsets[i].partition,
                                                  info.offsets[i].offset};
    return err;
}

enum err kclient_group_alter(struct kclient *k, struct slice group, const struct koffset *offsets,
                             size_t count, struct error *e)
{
    struct broker_group_offset *set = xcalloc(count + 1, sizeof *set);
    struct broker_group_partition *gone = xcalloc(count + 1, sizeof *gone);
    size_t sets = 0, gones = 0;
    for (size_t i = 0; i < count; i++) {
        const struct koffset *o = &offsets[i];
        if (o->offset < 0)
            gone[gones++] = (struct broker_group_partition){o->topic, o->partition};
        else
            set[sets++] = (struct broker_group_offset){.topic = o->topic,
                                                       .partition = o->partition,
                                                       .offset = o->offset,
                                                       .leader_epoch = -1,
                                                       .metadata = SL("")};
    }
    enum err err = sets ? broker_group_commit(k->broker, group, set, sets, e) : E_OK;
    if (!err && gones) {
        err = broker_group_delete_offsets(k->broker, group, gone, gones, e);
        if (err == E_NOT_FOUND) { /* nothing to delete */
            error_clear(e);
            err = E_OK;
        }
    }
    mem_free(set);
    mem_free(gone);
    return err;
}

enum err kclient_group_delete(struct kclient *k, struct slice group, struct error *e)
{
    enum err err = broker_group_delete(k->broker, group, e);
    if (err != E_NOT_FOUND)
        return err;
    error_clear(e);
    return E_OK;
}

/* --- reading ---------------------------------------------------------------------------------- */

/* False: fn has had enough. */
static bool give_records(struct slice batch, struct krecord k, int64_t from, struct khead **heads,
                         size_t *cap, krecord_fn fn, void *arg, enum err *err)
{
    struct batch_iter it;
    struct batch_record r;
    bool more = true;
    if (batch_is_control(batch.p))
        return true;
    *err = batch_iter_init(&it, batch, 0);
    while (!*err && more && batch_iter_next(&it, &r)) {
        if (r.offset < from)
            continue;
        k.offset = r.offset;
        k.timestamp_ms = r.timestamp;
        k.log_append_time = it.log_append_time;
        k.key = r.key;
        k.value = r.value;
        k.heads_count = 0;
        struct slice rest = r.headers, name, value;
        while (batch_header_next(&rest, &name, &value)) {
            if (k.heads_count == *cap) {
                *cap = *cap ? *cap * 2 : 8;
                *heads = xrealloc(*heads, *cap * sizeof **heads);
            }
            (*heads)[k.heads_count++] = (struct khead){name, value};
        }
        k.heads = *heads;
        more = fn(&k, arg);
    }
    if (!*err && more)
        *err = it.err;
    batch_iter_release(&it);
    return more;
}

enum err kclient_read(struct kclient *k, struct slice topic, int32_t partition, int64_t from,
                      krecord_fn fn, void *arg, struct error *e)
{
    struct broker_target *t;
    enum err err = broker_target_open(k->broker, topic, partition, &t, e);
    if (err)
        return err;
    struct strbuf bytes = STRBUF_INIT;
    struct broker_partition_info now;
    const struct krecord about = {.topic = topic, .partition = partition};
    struct khead *heads = NULL;
    size_t cap = 0;
    bool more = true;
    broker_target_info(t, &now);
    int64_t at = from < now.start_offset ? now.start_offset : from;
    while (!err && more && at < now.end_offset) {
        struct broker_read info;
        strbuf_reset(&bytes);
        err = broker_read(t, at, READ_BYTES, false, 0, NULL, &bytes, &info, e);
        if (err || !bytes.n)
            break;
        struct slice rest = strbuf_slice(&bytes), one;
        while (!err && more && batch_split(&rest, &one))
            more = give_records(one, about, at, &heads, &cap, fn, arg, &err);
        if (err)
            err = error_set(e, err,
                            "a record batch of topic " PRI_SL " at offset %lld cannot be read: %s",
                            ARG_SL(topic), (long long)at, err_name(err));
        at = info.next_offset;
    }
    mem_free(heads);
    strbuf_release(&bytes);
    broker_target_close(t);
    return err;
}

enum err kclient_end(struct kclient *k, struct slice topic, int32_t partition, int64_t *out,
                     struct error *e)
{
    struct broker_target *t;
    struct broker_partition_info now;
    enum err err = broker_target_open(k->broker, topic, partition, &t, e);
    if (err)
        return err;
    broker_target_info(t, &now);
    *out = now.end_offset;
    broker_target_close(t);
    return E_OK;
}
