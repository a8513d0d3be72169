/* web/api_messages.c - produce a record, purge a topic, the list of serdes: SPEC web-ui 3.4.
 * Reading is in message_stream.c. */
#include <stdlib.h>

#include "base/base.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/json.h"
#include "broker/proto/batch.h"
#include "web/api.h"
#include "web/serde.h"

/* --- serdes ---------------------------------------------------------------------------------- */

static json_t *serde_list(void)
{
    json_t *out = json_array();
    for (int i = 0; i < SERDE_COUNT; i++)
        json_array_append_new(
            out, json_pack("{s:s, s:s, s:b, s:n, s:{}, s:[]}", "name", serde_name((enum serde)i),
                           "description", serde_description((enum serde)i), "preferred",
                           i == SERDE_STRING, "schema", "additionalProperties", "parameters"));
    return out;
}

void web_serdes(struct http_request *r, void *arg)
{
    struct web *w = arg;
    struct arena a;
    struct broker_topic_info t;
    struct error e = {0};
    arena_init(&a, 0, ARENA_NO_BUDGET);
    if (broker_topic(w->deps.broker, http_param(r, "topic"), &a, &t, &e) == E_OK)
        http_reply_json(r, 200,
                        json_pack("{s:o, s:o}", "key", serde_list(), "value", serde_list()));
    else
        web_fail(r, w, &e, WEB_NO_TOPIC);
    arena_release(&a);
}

void web_serdes_old(struct http_request *r, void *arg)
{
    web_serdes(r, arg);
}

/* --- produce --------------------------------------------------------------------------------- */

struct produce {
    struct strbuf key_bytes, value_bytes;
    struct slice key, value; /* null: null */
    struct batch_headers headers;
    int64_t partition; /* -1: the partitioner's choice */
};

static void produce_release(struct produce *p)
{
    strbuf_release(&p->key_bytes);
    strbuf_release(&p->value_bytes);
    strbuf_release(&p->headers.bytes);
}

static struct slice text_of(const json_t *v)
{
    return json_is_string(v) ? slice_of(json_string_value(v), json_string_length(v)) : SLICE_NULL;
}

/* Key or value of the body, through its serde. */
static enum err read_payload(const json_t *body, const char *name, const char *serde_member,
                             struct strbuf *bytes, struct slice *out, struct error *e)
{
    const json_t *v = json_object_get(body, name);
    struct slice choice = text_of(json_object_get(body, serde_member));
    enum serde serde = SERDE_STRING;
    *out = SLICE_NULL;
    if (choice.n && !serde_find(choice, &serde))
        return error_set(e, E_INVALID, "there is no serde '" PRI_SL "' for the %s", ARG_SL(choice),
                         name);
    if (!v || json_is_null(v))
        return E_OK;
    if (!json_is_string(v))
        return error_set(e, E_INVALID, "%s must be a text or null", name);
    enum err err = serde_parse(serde, text_of(v), bytes, e);
    if (err)
        return error_wrap(e, "%s", name);
    *out = strbuf_slice(bytes);
    return E_OK;
}

static enum err add_header(struct produce *p, struct slice name, const json_t *value,
                           const json_t *b64, struct error *e)
{
    struct strbuf bytes = STRBUF_INIT;
    enum err err = E_OK;
    if (json_is_string(b64)) {
        err = base64_decode(&bytes, text_of(b64));
        if (err)
            error_set(e, E_INVALID, "header " PRI_SL ": valueB64 is not base64", ARG_SL(name));
        else
            batch_headers_add(&p->headers, name, strbuf_slice(&bytes));
    } else if (!value || json_is_null(value)) {
        batch_headers_add(&p->headers, name, SLICE_NULL);
    } else if (json_is_string(value)) {
        batch_headers_add(&p->headers, name, text_of(value));
    } else {
        err = error_set(e, E_INVALID, "header " PRI_SL " must be a text or null", ARG_SL(name));
    }
    strbuf_release(&bytes);
    return err;
}

/* headers {"k": "v"}, or headersList [{"key", "value", "valueB64"}], which keeps order, repetitions
 * and bytes. */
static enum err read_headers(struct produce *p, const json_t *body, struct error *e)
{
    json_t *object = json_object_get(body, "headers"), *list = json_object_get(body, "headersList");
    enum err err = E_OK;
    size_t i;
    json_t *item;
    if (json_is_array(object))
        list = object;
    if (list && !json_is_null(list) && !json_is_array(list))
        return error_set(e, E_INVALID, "headersList must be a list");
    json_array_foreach(list, i, item)
    {
        struct slice name = text_of(json_object_get(item, "key"));
        if (!name.p)
            return error_set(e, E_INVALID, "a header needs a key");
        err = add_header(p, name, json_object_get(item, "value"), json_object_get(item, "valueB64"),
                         e);
        if (err)
            return err;
    }
    if (json_is_array(list) || !object || json_is_null(object))
        return E_OK;
    if (!json_is_object(object))
        return error_set(e, E_INVALID, "headers must be an object of texts");
    for (void *it = json_object_iter(object); it && !err; it = json_object_iter_next(object, it))
        err = add_header(p, slice_cstr(json_object_iter_key(it)), json_object_iter_value(it), NULL,
                         e);
    return err;
}

static enum err read_produce(struct produce *p, const json_t *body, struct error *e)
{
    const json_t *partition = json_object_get(body, "partition");
    p->partition = -1;
    if (json_is_integer(partition))
        p->partition = json_integer_value(partition);
    else if (partition && !json_is_null(partition))
        return error_set(e, E_INVALID, "partition must be a number or null");
    enum err err = read_payload(body, "key", "keySerde", &p->key_bytes, &p->key, e);
    if (!err)
        err = read_payload(body, "value", "valueSerde", &p->value_bytes, &p->value, e);
    if (!err)
        err = read_headers(p, body, e);
    if (!err && strbuf_err(&p->headers.bytes))
        err = error_set(e, strbuf_err(&p->headers.bytes), "the headers are too long");
    return err;
}

/* The record's place: asked for, by the key as Java's producer does it, or in turn. */
static enum err choose_partition(struct web *w, struct slice topic, struct produce *p,
                                 enum web_code *code, struct error *e)
{
    struct arena a;
    struct broker_topic_info t;
    arena_init(&a, 0, ARENA_NO_BUDGET);
    enum err err = broker_topic(w->deps.broker, topic, &a, &t, e);
    if (err) {
        *code = WEB_NO_TOPIC;
    } else if (p->partition < -1 || p->partition >= t.partition_count) {
        err = error_set(e, E_NOT_FOUND, "topic " PRI_SL " has no partition %lld", ARG_SL(topic),
                        (long long)p->partition);
        *code = WEB_NO_PARTITION;
    } else if (p->partition < 0) {
        uint32_t n = p->key.p ? murmur2(p->key) & 0x7fffffff
                              : atomic_fetch_add(&w->next_partition, 1) & 0x7fffffff;
        p->partition = n % (uint32_t)t.partition_count;
    }
    arena_release(&a);
    return err;
}

static enum err append(struct web *w, struct slice topic, const struct produce *p,
                       struct broker_appended *out, int64_t now, struct error *e)
{
    struct broker_target *t;
    struct batch_builder b;
    struct slice batch;
    enum err err = broker_target_open(w->deps.broker, topic, (int32_t)p->partition, &t, e);
    if (err)
        return err;
    batch_builder_init(&b, CODEC_NONE, CODEC_LEVEL_DEFAULT, 0);
    err = batch_builder_add(&b, now, p->key, p->value, &p->headers);
    if (!err)
        err = batch_builder_finish(&b, &batch);
    if (err)
        error_set(e, err, "the record is too large");
    else
        err = broker_append(t, b.plain.p, batch.n, out, e);
    batch_builder_release(&b);
    broker_target_close(t);
    return err;
}

void web_message_produce(struct http_request *r, void *arg)
{
    struct web *w = arg;
    struct slice topic = http_param(r, "topic");
    struct produce p = {
        .key_bytes = STRBUF_INIT, .value_bytes = STRBUF_INIT, .headers = BATCH_HEADERS_INIT};
    struct broker_appended done;
    struct error e = {0};
    enum web_code code = WEB_NO_TOPIC;
    json_t *body = web_body(r, w);
    if (!body)
        return;
    int64_t now = clock_wall_ms();
    enum err err = read_produce(&p, body, &e);
    if (!err)
        err = choose_partition(w, topic, &p, &code, &e);
    if (!err)
        err = append(w, topic, &p, &done, now, &e);
    if (err)
        web_fail(r, w, &e, code);
    else
        http_reply_json(
            r, 200,
            json_pack("{s:I, s:I, s:I}", "partition", (json_int_t)p.partition, "offset",
                      (json_int_t)done.base_offset, "timestamp",
                      (json_int_t)(done.log_append_ms >= 0 ? done.log_append_ms : now)));
    produce_release(&p);
    json_decref(body);
}

/* --- purge ----------------------------------------------------------------------------------- */

/* Partitions named by the request; E_NOT_FOUND for one that is not there. */
static enum err wanted_partitions(const struct http_request *r, const struct broker_topic_info *t,
                                  bool *wanted, struct error *e)
{
    struct slice text;
    int64_t id;
    bool any = false;
    for (size_t i = 0; web_query_item(r, "partitions", i, &text); i++) {
        if (slice_to_i64(text, &id) != E_OK || id < 0 || id >= t->partition_count)
            return error_set(e, E_NOT_FOUND, "topic " PRI_SL " has no partition " PRI_SL,
                             ARG_SL(t->name), ARG_SL(text));
        wanted[id] = any = true;
    }
    for (int32_t i = 0; !any && i < t->partition_count; i++)
        wanted[i] = true;
    return E_OK;
}

void web_messages_purge(struct http_request *r, void *arg)
{
    struct web *w = arg;
    struct arena a;
    struct broker_topic_info t;
    struct error e = {0};
    enum web_code code = WEB_NO_TOPIC;
    int64_t low;
    arena_init(&a, 0, ARENA_NO_BUDGET);
    enum err err = broker_topic(w->deps.broker, http_param(r, "topic"), &a, &t, &e);
    bool *wanted = err ? NULL : arena_calloc(&a, (size_t)t.partition_count + 1, sizeof *wanted);
    if (!err && slice_find(t.cleanup_policy, SL("delete")) < 0)
        err = error_set(&e, E_INVALID,
                        "messages of a compacted topic cannot be purged (cleanup.policy is " PRI_SL
                        ")",
                        ARG_SL(t.cleanup_policy));
    if (!err) {
        code = WEB_NO_PARTITION;
        err = wanted_partitions(r, &t, wanted, &e);
    }
    for (int32_t i = 0; !err && i < t.partition_count; i++)
        if (wanted[i])
            err = broker_delete_records(w->deps.broker, t.name, t.partitions[i].id, -1, &low, &e);
    if (err)
        web_fail(r, w, &e, code);
    else
        http_reply_empty(r, 200);
    arena_release(&a);
}
