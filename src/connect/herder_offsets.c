/* connect/herder_offsets.c - altering and resetting the offsets of a stopped connector; see
 * herder_internal.h. SPEC: connect 1.6. */
#include "connect/herder_internal.h"

#include "base/arena.h"
#include "base/json.h"
#include "connect/config_refs.h"
#include "connect/store.h"

#define NOT_STOPPED                                                                                \
    "Connectors must be in the STOPPED state before their offsets can be modified. This can be "   \
    "done for the "                                                                                \
    "specified connector by issuing a 'PUT' request to the '/connectors/" PRI_SL "/stop' endpoint"

static json_t *altered(const struct hconn *c, const char *word)
{
    char text[500];
    if (c->ops && c->ops->check_offset && !c->ops->offsets_by_framework)
        snprintf(text, sizeof text, "The offsets for this connector have been %s successfully",
                 word);
    else
        snprintf(text, sizeof text,
                 "The Connect framework-managed offsets for this connector have been %s "
                 "successfully. However, if this connector manages offsets externally, they will "
                 "need to be manually %s in the system that the connector uses.",
                 word, word);
    json_t *o = json_object();
    json_object_set_new(o, "message", json_string(text));
    return o;
}

static enum err check_stopped(struct herder_request *r, struct hconn **out)
{
    struct hconn *c = *out = herder_find(r->h, r->name);
    if (!c)
        return herder_answer(r->e, E_NOT_FOUND, 404, "Connector " PRI_SL " not found",
                             ARG_SL(r->name));
    if (c->target != TARGET_STOPPED || c->task_count)
        return herder_answer(r->e, E_CONFLICT, 400, NOT_STOPPED, ARG_SL(r->name));
    return E_OK;
}

/* A connector that checks nothing, or whose class is gone, needs no configuration for it. */
static enum err check_offsets(struct herder_request *r, const struct hconn *c)
{
    struct strmap config;
    if (!c->ops || !c->ops->check_offset)
        return E_OK;
    enum err err = config_refs_resolve(&c->config, &r->h->worker, &config, r->e);
    bool readable = !err;
    for (size_t i = 0; i < r->offset_count && !err; i++)
        err = c->ops->check_offset(&config, r->offsets[i].partition, r->offsets[i].offset, r->e);
    config_refs_hide_error(&c->config, &config, r->e);
    strmap_release(&config);
    if (err && r->e)
        r->e->sys = readable && c->ops->offsets_by_framework ? 400 : 500;
    return err;
}

static bool is_sink(const struct hconn *c)
{
    return c->ops && c->ops->kind == CONNECTOR_SINK;
}

static enum err alter(struct herder_request *r)
{
    struct hconn *c;
    enum err err = check_stopped(r, &c);
    if (!err)
        err = check_offsets(r, c);
    if (!err && is_sink(c))
        err = hconn_alter_sink_offsets(r, c);
    else if (!err)
        err =
            store_offsets_alter(r->h->db, r->name, r->offsets, r->offset_count, false, NULL, r->e);
    if (!err)
        r->out = altered(c, "altered");
    mirror_sync(r->h->mirror);
    return err;
}

static enum err reset(struct herder_request *r)
{
    struct hconn *c;
    enum err err = check_stopped(r, &c);
    if (!err && is_sink(c))
        err = hconn_reset_sink_offsets(r, c);
    else if (!err)
        err = store_offsets_alter(r->h->db, r->name, NULL, 0, true, c->ops ? c->ops->forget : NULL,
                                  r->e);
    if (!err)
        r->out = altered(c, "reset");
    mirror_sync(r->h->mirror);
    return err;
}

/* One member as JSON text; objects of primitives only. */
static enum err primitive_text(json_t *o, struct slice *out, struct arena *a, struct error *e)
{
    const char *key;
    json_t *v;
    *out = SLICE_NULL;
    if (!o || json_is_null(o))
        return E_OK;
    json_object_foreach(o, key, v)
    {
        if (json_is_object(v) || json_is_array(v))
            return herder_answer(
                e, E_INVALID, 500,
                "Offsets may only contain primitive types as values, but field %s contains "
                "%s",
                key, json_is_object(v) ? "MAP" : "ARRAY");
    }
    struct strbuf text = STRBUF_INIT;
    json_dump_add(&text, o);
    *out = arena_dup(a, strbuf_slice(&text));
    strbuf_release(&text);
    return E_OK;
}

enum err herder_alter_offsets(struct herder *h, struct slice name, json_t *offsets, json_t **out,
                              struct error *e)
{
    struct herder_request r = {.h = h, .name = name, .e = e};
    struct arena a;
    size_t count = json_is_array(offsets) ? json_array_size(offsets) : 0, i;
    json_t *one;
    enum err err = E_OK;
    *out = NULL;
    if (!count)
        return herder_answer(
            e, E_INVALID, 400,
            "Partitions / offsets need to be provided for an alter offsets request");
    arena_init(&a, 4096, ARENA_NO_BUDGET);
    struct record_offset *list = arena_calloc(&a, count, sizeof *list);
    json_array_foreach(offsets, i, one)
    {
        if (!err)
            err = primitive_text(json_object_get(one, "partition"), &list[i].partition, &a, e);
        if (!err)
            err = primitive_text(json_object_get(one, "offset"), &list[i].offset, &a, e);
    }
    r.offsets = list;
    r.offset_count = count;
    if (!err)
        err = herder_submit(&r, alter);
    *out = r.out;
    arena_release(&a);
    return err;
}

enum err herder_reset_offsets(struct herder *h, struct slice name, json_t **out, struct error *e)
{
    struct herder_request r = {.h = h, .name = name, .e = e};
    enum err err = herder_submit(&r, reset);
    *out = r.out;
    return err;
}
