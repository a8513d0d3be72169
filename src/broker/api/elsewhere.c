/* broker/api/elsewhere.c - in a lab: groups and transactions belong to one broker each, and the
 * others send their clients there (error 16).
 *
 * All brokers share the coordinator's state; what is checked here is only whether the client asked
 * the right one. A table names, for each API, the field that holds the keys; the refusal is built
 * from the schema: the outermost error field there is, rows of the answer made from those of the
 * request. A call about several groups is refused when none of them is ours (clients sort their
 * groups by coordinator). SPEC: broker 0.2, 8.1. */
#include "broker/api/api.h"

#include "base/base.h"
#include "broker/proto/fields.h"

static const struct {
    int16_t key;
    enum coordinator_key kind;
    const char *field;
} calls[] = {
    {KAPI_JOIN_GROUP, COORDINATOR_GROUP, "group_id"},
    {KAPI_SYNC_GROUP, COORDINATOR_GROUP, "group_id"},
    {KAPI_HEARTBEAT, COORDINATOR_GROUP, "group_id"},
    {KAPI_LEAVE_GROUP, COORDINATOR_GROUP, "group_id"},
    {KAPI_OFFSET_COMMIT, COORDINATOR_GROUP, "group_id"},
    {KAPI_OFFSET_FETCH, COORDINATOR_GROUP, "group_id"}, /* versions 0-7 */
    {KAPI_OFFSET_FETCH, COORDINATOR_GROUP, "groups"},
    {KAPI_OFFSET_DELETE, COORDINATOR_GROUP, "group_id"},
    {KAPI_DESCRIBE_GROUPS, COORDINATOR_GROUP, "groups"},
    {KAPI_DELETE_GROUPS, COORDINATOR_GROUP, "groups_names"},
    {KAPI_CONSUMER_GROUP_HEARTBEAT, COORDINATOR_GROUP, "group_id"},
    {KAPI_CONSUMER_GROUP_DESCRIBE, COORDINATOR_GROUP, "group_ids"},
    {KAPI_SHARE_GROUP_HEARTBEAT, COORDINATOR_GROUP, "group_id"},
    {KAPI_SHARE_GROUP_DESCRIBE, COORDINATOR_GROUP, "group_ids"},
    {KAPI_DESCRIBE_SHARE_GROUP_OFFSETS, COORDINATOR_GROUP, "groups"},
    {KAPI_ALTER_SHARE_GROUP_OFFSETS, COORDINATOR_GROUP, "group_id"},
    {KAPI_DELETE_SHARE_GROUP_OFFSETS, COORDINATOR_GROUP, "group_id"},
    {KAPI_TXN_OFFSET_COMMIT, COORDINATOR_GROUP, "group_id"},
    {KAPI_INIT_PRODUCER_ID, COORDINATOR_TXN, "transactional_id"},
    {KAPI_ADD_PARTITIONS_TO_TXN, COORDINATOR_TXN, "v3_and_below_transactional_id"},
    {KAPI_ADD_OFFSETS_TO_TXN, COORDINATOR_TXN, "transactional_id"},
    {KAPI_END_TXN, COORDINATOR_TXN, "transactional_id"},
    {KAPI_DESCRIBE_TRANSACTIONS, COORDINATOR_TXN, "transactional_ids"},
};

static const void *at(const void *p, uint16_t offset)
{
    return (const char *)p + offset;
}

static const struct field_desc *field_named(const struct struct_desc *d, const char *name,
                                            int16_t version)
{
    const struct field_desc *f = field_by_name(d, name);
    return f && field_is_in(f, version) ? f : NULL;
}

/* --- whose is it ------------------------------------------------------------------------------ */

/* Counts keys and those that are ours: one text, an array of texts, or of structs with group_id. */
static void look(const struct request *rq, enum coordinator_key kind, const struct field_desc *f,
                 int32_t *keys, int32_t *ours)
{
    int32_t n = 1;
    const char *v = f->shape == SHAPE_ARRAY ? field_elements(rq->in, f, &n) : at(rq->in, f->at);
    size_t step = sizeof(struct slice);
    if (f->type == FIELD_STRUCT) {
        const struct field_desc *id = field_named(f->sub, "group_id", rq->version);
        if (!id)
            return;
        step = f->sub->size;
        v = n > 0 ? v + id->at : v;
    }
    for (int32_t i = 0; i < n; i++) {
        struct slice key = *(const struct slice *)(const void *)(v + step * (size_t)i);
        if (!key.p)
            continue;
        (*keys)++;
        *ours += brokers_coordinator(&rq->broker->brokers, kind, key) == rq->node_id;
    }
}

/* --- saying so -------------------------------------------------------------------------------- */

static bool is_error_field(const struct field_desc *f)
{
    size_t n = strlen(f->name), tail = strlen("error_code");
    return f->type == FIELD_I16 && f->shape == SHAPE_ONE && n >= tail &&
           !strcmp(f->name + n - tail, "error_code");
}

static const struct field_desc *first_array(const struct struct_desc *d, int16_t version)
{
    for (size_t i = 0; i < d->field_count; i++)
        if (field_is_in(&d->fields[i], version) && d->fields[i].shape == SHAPE_ARRAY)
            return &d->fields[i];
    return NULL;
}

/* What names a row: fields of the same name, or the element itself for an array of plain values. */
static void copy_names(const struct field_desc *from, const char *in, const struct struct_desc *to,
                       char *out, int16_t version)
{
    for (size_t i = 0; i < to->field_count; i++) {
        const struct field_desc *o = &to->fields[i];
        if (!field_is_in(o, version) || o->shape != SHAPE_ONE || is_error_field(o))
            continue;
        const struct field_desc *f =
            from->type == FIELD_STRUCT ? field_named(from->sub, o->name, version) : NULL;
        bool plain = from->type == o->type && from->type != FIELD_STRUCT;
        const char *value = f && f->type == o->type && f->shape == SHAPE_ONE ? in + f->at
                            : plain                                          ? in
                                                                             : NULL;
        if (!value || o->type == FIELD_STRUCT)
            continue;
        size_t n = o->type == FIELD_STR    ? sizeof(struct slice)
                   : o->type == FIELD_UUID ? 16
                   : o->type == FIELD_I32  ? 4
                                           : 0;
        memcpy(out + o->at, value, n);
        if (plain)
            return; /* the first field that fits */
    }
}

static void refuse(struct request *rq, const struct struct_desc *from, const char *in,
                   const struct struct_desc *to, char *out, int16_t code)
{
    for (size_t i = 0; i < to->field_count; i++) {
        if (!field_is_in(&to->fields[i], rq->version) || !is_error_field(&to->fields[i]))
            continue;
        memcpy(out + to->fields[i].at, &code, sizeof code);
        return;
    }
    const struct field_desc *src = from ? first_array(from, rq->version) : NULL;
    const struct field_desc *dst = first_array(to, rq->version);
    if (!src || !dst || dst->type != FIELD_STRUCT)
        return;
    int32_t n;
    const char *v = field_elements(in, src, &n);
    n = MAX(n, 0);
    size_t step = field_item_size(src);
    char *rows = arena_calloc(&rq->arena, (size_t)n + 1, dst->sub->size);
    for (int32_t i = 0; i < n; i++) {
        const char *row = v + step * (size_t)i;
        char *made = rows + dst->sub->size * (size_t)i;
        codec_init_defaults(dst->sub, made);
        copy_names(src, row, dst->sub, made, rq->version);
        refuse(rq, src->type == FIELD_STRUCT ? src->sub : NULL, row, dst->sub, made, code);
    }
    memcpy(out + dst->at, &rows, sizeof rows);
    memcpy(out + dst->aux, &n, sizeof n);
}

bool api_is_elsewhere(struct request *rq)
{
    int32_t keys = 0, ours = 0;
    for (size_t i = 0; i < ARRAY_LEN(calls); i++) {
        if (calls[i].key != rq->api->key)
            continue;
        const struct field_desc *f =
            field_named(rq->api->request->body, calls[i].field, rq->version);
        if (f)
            look(rq, calls[i].kind, f, &keys, &ours);
    }
    if (keys == 0 || ours > 0)
        return false;
    refuse(rq, rq->api->request->body, rq->in, rq->api->response->body, rq->out,
           KERR_NOT_COORDINATOR);
    request_reply(rq);
    return true;
}

void api_keep_own_groups(struct request *rq)
{
    struct list_groups_response *out = rq->out;
    int32_t n = 0;
    if (!brokers_are_several(&rq->broker->brokers))
        return;
    for (int32_t i = 0; i < out->groups_count; i++)
        if (brokers_coordinator(&rq->broker->brokers, COORDINATOR_GROUP, out->groups[i].group_id) ==
            rq->node_id)
            out->groups[n++] = out->groups[i];
    out->groups_count = n;
}

void api_keep_own_txns(struct request *rq)
{
    struct list_transactions_response *out = rq->out;
    int32_t n = 0;
    if (!brokers_are_several(&rq->broker->brokers))
        return;
    for (int32_t i = 0; i < out->transaction_states_count; i++)
        if (brokers_coordinator(&rq->broker->brokers, COORDINATOR_TXN,
                                out->transaction_states[i].transactional_id) == rq->node_id)
            out->transaction_states[n++] = out->transaction_states[i];
    out->transaction_states_count = n;
}
