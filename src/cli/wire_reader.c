/* cli/wire_reader.c - the topic reader of wire.h: Metadata until the topics are there, then Fetch
 * from offset 0 of every partition. */
#include <stdlib.h>
#include <time.h>

#include "base/base.h"
#include "base/mem.h"
#include "broker/proto/batch.h"
#include "broker/proto/kerr.h"
#include "cli/wire.h"

#define METADATA_VERSION 8
#define FETCH_VERSION 11
#define FETCH_BYTES (4 << 20)

struct position {
    char *topic;
    int32_t partition;
    int64_t next;
};
struct wire_reader {
    struct wire *wire;
    struct arena arena;
    char **topics;
    size_t topics_count;
    struct position *positions;
    size_t positions_count;
    bool complete; /* every topic has been seen in metadata */
};

enum err wire_reader_open(struct wire_reader **out, const char *address, const char *const *topics,
                          struct error *e)
{
    struct wire *w;
    enum err err = wire_open(&w, address, 30000, e);
    if (err)
        return err;
    struct wire_reader *r = xcalloc(1, sizeof *r);
    r->wire = w;
    arena_init(&r->arena, 0, (size_t)64 << 20);
    for (; *topics; topics++) {
        r->topics = xrealloc(r->topics, (r->topics_count + 1) * sizeof *r->topics);
        r->topics[r->topics_count++] = xstrdup(*topics);
    }
    *out = r;
    return E_OK;
}

void wire_reader_close(struct wire_reader *r)
{
    if (!r)
        return;
    wire_close(r->wire);
    arena_release(&r->arena);
    for (size_t i = 0; i < r->topics_count; i++)
        mem_free(r->topics[i]);
    for (size_t i = 0; i < r->positions_count; i++)
        mem_free(r->positions[i].topic);
    mem_free(r->topics);
    mem_free(r->positions);
    mem_free(r);
}

static bool known(const struct wire_reader *r, struct slice topic, int32_t partition)
{
    for (size_t i = 0; i < r->positions_count; i++)
        if (slice_eq_c(topic, r->positions[i].topic) && r->positions[i].partition == partition)
            return true;
    return false;
}

/* Adds the partitions of topics that have appeared. */
static enum err refresh(struct wire_reader *r, struct error *e)
{
    struct metadata_request q;
    struct metadata_response s;
    metadata_request_init(&q);
    q.topics_count = (int32_t)r->topics_count;
    q.topics = metadata_request_topic_array(&r->arena, q.topics_count);
    for (size_t i = 0; i < r->topics_count; i++)
        q.topics[i].name = slice_cstr(r->topics[i]);
    q.allow_auto_topic_creation = false;
    enum err err =
        wire_call(r->wire, &metadata_request_msg, METADATA_VERSION, &q, &r->arena, &s, e);
    if (err)
        return err;
    size_t there = 0;
    for (int32_t t = 0; t < s.topics_count; t++) {
        if (s.topics[t].error_code != KERR_NONE)
            continue;
        there++;
        for (int32_t p = 0; p < s.topics[t].partitions_count; p++) {
            int32_t id = s.topics[t].partitions[p].partition_index;
            if (known(r, s.topics[t].name, id))
                continue;
            r->positions = xrealloc(r->positions, (r->positions_count + 1) * sizeof *r->positions);
            r->positions[r->positions_count++] =
                (struct position){.topic = slice_dup(s.topics[t].name), .partition = id};
        }
    }
    r->complete = there == r->topics_count;
    return E_OK;
}

/* Hands on the records of one partition's answer and moves its position. */
static enum err take(struct position *at, struct slice records, wire_record_fn fn, void *arg,
                     struct error *e)
{
    struct slice batch;
    while (batch_split(&records, &batch)) {
        struct batch_iter it;
        struct batch_record rec;
        if (batch_check(batch) != E_OK)
            return error_set(e, E_CORRUPT, "a batch of %s does not match its checksum", at->topic);
        enum err err = batch_iter_init(&it, batch, 0);
        if (err)
            return error_set(e, err, "a batch of %s cannot be read", at->topic);
        while (!batch_is_control(batch.p) && batch_iter_next(&it, &rec))
            if (rec.offset >= at->next)
                fn(&(struct wire_record){.topic = slice_cstr(at->topic),
                                         .partition = at->partition,
                                         .offset = rec.offset,
                                         .key = rec.key,
                                         .value = rec.value},
                   arg);
        batch_iter_release(&it);
        at->next = MAX(at->next, batch_last_offset(batch.p) + 1);
    }
    return E_OK;
}

static struct position *position_of(struct wire_reader *r, struct slice topic, int32_t partition)
{
    for (size_t i = 0; i < r->positions_count; i++)
        if (r->positions[i].partition == partition && slice_eq_c(topic, r->positions[i].topic))
            return &r->positions[i];
    return NULL;
}

static enum err fetch(struct wire_reader *r, int wait_ms, wire_record_fn fn, void *arg,
                      struct error *e)
{
    struct fetch_request q;
    struct fetch_response s;
    fetch_request_init(&q);
    q.max_wait_ms = wait_ms;
    q.min_bytes = 1;
    q.max_bytes = FETCH_BYTES;
    q.topics_count = (int32_t)r->positions_count;
    q.topics = fetch_request_topic_array(&r->arena, q.topics_count);
    for (size_t i = 0; i < r->positions_count; i++) {
        struct fetch_request_topic *t = &q.topics[i];
        t->topic = slice_cstr(r->positions[i].topic);
        t->partitions_count = 1;
        t->partitions = fetch_request_partition_array(&r->arena, 1);
        t->partitions[0].partition = r->positions[i].partition;
        t->partitions[0].fetch_offset = r->positions[i].next;
        t->partitions[0].partition_max_bytes = FETCH_BYTES;
    }
    enum err err = wire_call(r->wire, &fetch_request_msg, FETCH_VERSION, &q, &r->arena, &s, e);
    for (int32_t t = 0; !err && t < s.responses_count; t++)
        for (int32_t p = 0; !err && p < s.responses[t].partitions_count; p++) {
            const struct fetch_response_partition *part = &s.responses[t].partitions[p];
            struct position *at = position_of(r, s.responses[t].topic, part->partition_index);
            if (part->error_code != KERR_NONE)
                err = error_set(e, E_REMOTE, "fetching " PRI_SL ": error %d",
                                ARG_SL(s.responses[t].topic), part->error_code);
            else if (at && part->records.p)
                err = take(at, part->records, fn, arg, e);
        }
    return err;
}

enum err wire_reader_poll(struct wire_reader *r, int wait_ms, wire_record_fn fn, void *arg,
                          struct error *e)
{
    enum err err = E_OK;
    arena_reset(&r->arena);
    if (!r->complete)
        err = refresh(r, e);
    if (err)
        return err;
    if (r->positions_count)
        return fetch(r, r->complete ? wait_ms : MIN(wait_ms, 100), fn, arg, e);
    struct timespec t = {.tv_nsec = (long)MIN(wait_ms, 50) * 1000000};
    nanosleep(&t, NULL);
    return E_OK;
}
