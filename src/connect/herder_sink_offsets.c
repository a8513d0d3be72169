/* connect/herder_sink_offsets.c - offsets of sink connectors: those of their consumer group, in
 * Connect's form; see herder_internal.h. SPEC: connect 1.6. */
#include "connect/herder_internal.h"

#include <stdlib.h>

#include "base/json.h"
#include "base/mem.h"
#include "connect/config_refs.h"
#include "connect/kclient.h"
#include "connect/sink_config.h"

/* Name of the connector's group; the caller frees. */
static enum err group_of(const struct herder *h, const struct strmap *raw, const char *connector,
                         char **out, struct error *e)
{
    struct strmap config;
    struct sink_config c;
    enum err err = config_refs_resolve(raw, &h->worker, &config, e);
    if (!err) {
        sink_config_init(&c, &config, &h->worker, connector, 0);
        *out = slice_dup(c.group);
        sink_config_release(&c);
    }
    strmap_release(&config);
    return err;
}

static json_t *offset_json(const struct koffset *o)
{
    json_t *one = json_object(), *partition = json_object(), *offset = json_object();
    json_object_set_new(partition, "kafka_partition", json_integer(o->partition));
    json_object_set_new(partition, "kafka_topic", json_stringn_nocheck(o->topic.p, o->topic.n));
    json_object_set_new(offset, "kafka_offset", json_integer(o->offset));
    json_object_set_new(one, "partition", partition);
    json_object_set_new(one, "offset", offset);
    return one;
}

enum err herder_sink_offsets(struct herder *h, const char *name, const struct strmap *raw,
                             json_t **out, struct error *e)
{
    struct arena a;
    struct koffset *v;
    size_t n = 0;
    char *group = NULL;
    arena_init(&a, 0, ARENA_NO_BUDGET);
    enum err err = group_of(h, raw, name, &group, e);
    if (!err)
        err = kclient_group_offsets(h->kclient, slice_cstr(group), &a, &v, &n, e);
    if (!err) {
        json_t *list = json_array();
        for (size_t i = 0; i < n; i++)
            json_array_append_new(list, offset_json(&v[i]));
        *out = json_object();
        json_object_set_new(*out, "offsets", list);
    }
    arena_release(&a);
    mem_free(group);
    return err;
}

/* --- changes ---------------------------------------------------------------------------------- */

#define INTEGERS                                                                                   \
    "Failed to parse the following Kafka %s value in the provided offsets: '%s'. %s values for "   \
    "sink connectors need to be integers."

/* A number, or a text of one; shown is its text, in the arena. */
static bool number_of(json_t *v, struct arena *a, int64_t *out, const char **shown)
{
    char *text = json_is_string(v) ? NULL : json_dumps(v, JSON_ENCODE_ANY | JSON_COMPACT);
    *shown = arena_strdup(a, json_is_string(v) ? json_string_value(v) : text ? text : "");
    free(text);
    return slice_to_i64(slice_cstr(*shown), out) == E_OK;
}

static enum err read_partition(json_t *p, struct arena *a, struct koffset *out, struct error *e)
{
    const char *shown;
    int64_t number;
    if (!p)
        return herder_answer(e, E_INVALID, 400,
                             "The partition for a sink connector offset cannot be null or missing");
    json_t *topic = json_object_get(p, "kafka_topic"),
           *partition = json_object_get(p, "kafka_partition");
    if (!topic || !partition)
        return herder_answer(e, E_INVALID, 400,
                             "The partition for a sink connector offset must contain the keys "
                             "'kafka_topic' and 'kafka_partition'");
    if (json_is_null(topic))
        return herder_answer(e, E_INVALID, 400,
                             "Kafka topic names must be valid strings and may not be null");
    if (json_is_null(partition))
        return herder_answer(e, E_INVALID, 400,
                             "Kafka partitions must be valid numbers and may not be null");
    if (!number_of(partition, a, &number, &shown) || number > INT32_MAX || number < INT32_MIN)
        return herder_answer(e, E_INVALID, 400, INTEGERS, "partition", shown, "Partition");
    out->partition = (int32_t)number;
    (void)number_of(topic, a, &number, &shown); /* its text, whatever it is */
    out->topic = slice_cstr(shown);
    return E_OK;
}

static enum err read_offset(json_t *o, const char *connector, struct arena *a, struct koffset *out,
                            struct error *e)
{
    const char *shown;
    out->offset = -1;
    if (!o)
        return E_OK;
    json_t *offset = json_object_get(o, "kafka_offset");
    if (!offset)
        return herder_answer(e, E_INVALID, 400,
                             "The offset for a sink connector should either be null or contain the "
                             "key 'kafka_offset'");
    if (!number_of(offset, a, &out->offset, &shown))
        return herder_answer(e, E_INVALID, 400, INTEGERS, "offset", shown, "Offset");
    if (out->offset < 0)
        return herder_answer(e, E_INVALID, 500, "Failed to modify offsets for sink connector %s",
                             connector);
    return E_OK;
}

static enum err read_entry(const struct record_offset *in, const char *connector, struct arena *a,
                           struct koffset *out, struct error *e)
{
    json_t *p = NULL, *o = NULL;
    if (in->partition.p)
        (void)!json_load_slice(in->partition, &p, NULL);
    if (in->offset.p)
        (void)!json_load_slice(in->offset, &o, NULL);
    enum err err = read_partition(p, a, out, e);
    if (!err)
        err = read_offset(o, connector, a, out, e);
    json_decref(p);
    json_decref(o);
    return err;
}

static int by_partition(const void *a, const void *b)
{
    const struct koffset *x = a, *y = b;
    int c = slice_cmp(x->topic, y->topic);
    return c ? c : (x->partition > y->partition) - (x->partition < y->partition);
}

/* What the group said, in a form that names the connector. */
static enum err not_changed(struct error *e, enum err err, const char *connector, const char *word)
{
    char why[sizeof e->msg];
    snprintf(why, sizeof why, "%s", e->msg);
    return herder_answer(e, err, 500, "Failed to %s consumer group offsets for connector %s: %s",
                         word, connector, why);
}

enum err hconn_alter_sink_offsets(struct herder_request *r, const struct hconn *c)
{
    struct arena a;
    char *group = NULL;
    arena_init(&a, 0, ARENA_NO_BUDGET);
    struct koffset *v = arena_calloc(&a, r->offset_count + 1, sizeof *v);
    enum err err = E_OK;
    for (size_t i = 0; i < r->offset_count && !err; i++)
        err = read_entry(&r->offsets[i], c->name, &a, &v[i], r->e);
    if (!err)
        err = group_of(r->h, &c->config, c->name, &group, r->e);
    if (!err) {
        qsort(v, r->offset_count, sizeof *v, by_partition);
        err = kclient_group_alter(r->h->kclient, slice_cstr(group), v, r->offset_count, r->e);
        if (err)
            err = not_changed(r->e, err, c->name, "alter");
    }
    arena_release(&a);
    mem_free(group);
    return err;
}

enum err hconn_reset_sink_offsets(struct herder_request *r, const struct hconn *c)
{
    char *group = NULL;
    enum err err = group_of(r->h, &c->config, c->name, &group, r->e);
    if (!err) {
        err = kclient_group_delete(r->h->kclient, slice_cstr(group), r->e);
        if (err)
            err = not_changed(r->e, err, c->name, "reset");
    }
    mem_free(group);
    return err;
}
