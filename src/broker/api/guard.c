/* broker/api/guard.c - see guard.h.
 *
 * Tables by API:
 *   wholes   a resource named in the request (or the cluster) decides about all of it
 *   items    each entry of a list is a resource of its own; refused ones stand in the answer
 *   lists    answers from which entries vanish
 * What no table says is in guard_special.c. CreateAcls, DeleteAcls, AlterClientQuotas and
 * AlterUserScramCredentials, whose answers repeat the request in their own ways, ask in their
 * handlers.
 * Fields are found by the names of their schema rows: a refused entry takes over its name, id and
 * partitions into the answer, with the error where the answer has one. */
#include "broker/api/guard.h"

#include "base/base.h"
#include "broker/api/api.h"
#include "broker/api/guard_special.h"
#include "broker/proto/fields.h"
#include "broker/security/access.h"
#include "broker/topic.h"

/* --- fields by name --------------------------------------------------------------------------- */

static const struct field_desc *field_of_type(const struct struct_desc *d, enum field_type t)
{
    for (size_t i = 0; i < d->field_count; i++) {
        if (d->fields[i].type == t && d->fields[i].shape == SHAPE_ONE)
            return &d->fields[i];
    }
    return NULL;
}

static void *at(void *msg, size_t offset)
{
    return (char *)msg + offset;
}

static struct slice text(const void *msg, const struct field_desc *f)
{
    struct slice s;
    memcpy(&s, (const char *)msg + f->at, sizeof s);
    return s;
}

/* --- the tables ------------------------------------------------------------------------------- */

static const struct whole {
    int16_t key;
    enum acl_op op;
    enum acl_type type;
    const char *name; /* field with the resource's name; NULL: the cluster */
} wholes[] = {
    {KAPI_JOIN_GROUP, ACL_READ, ACL_GROUP, "group_id"},
    {KAPI_SYNC_GROUP, ACL_READ, ACL_GROUP, "group_id"},
    {KAPI_HEARTBEAT, ACL_READ, ACL_GROUP, "group_id"},
    {KAPI_LEAVE_GROUP, ACL_READ, ACL_GROUP, "group_id"},
    {KAPI_OFFSET_COMMIT, ACL_READ, ACL_GROUP, "group_id"},
    {KAPI_OFFSET_DELETE, ACL_DELETE, ACL_GROUP, "group_id"},
    {KAPI_CONSUMER_GROUP_HEARTBEAT, ACL_READ, ACL_GROUP, "group_id"},
    {KAPI_SHARE_GROUP_HEARTBEAT, ACL_READ, ACL_GROUP, "group_id"},
    {KAPI_SHARE_FETCH, ACL_READ, ACL_GROUP, "group_id"},
    {KAPI_SHARE_ACKNOWLEDGE, ACL_READ, ACL_GROUP, "group_id"},
    {KAPI_ALTER_SHARE_GROUP_OFFSETS, ACL_READ, ACL_GROUP, "group_id"},
    {KAPI_DELETE_SHARE_GROUP_OFFSETS, ACL_DELETE, ACL_GROUP, "group_id"},
    {KAPI_PRODUCE, ACL_WRITE, ACL_TRANSACTIONAL_ID, "transactional_id"},
    {KAPI_INIT_PRODUCER_ID, ACL_WRITE, ACL_TRANSACTIONAL_ID, "transactional_id"},
    {KAPI_ADD_OFFSETS_TO_TXN, ACL_WRITE, ACL_TRANSACTIONAL_ID, "transactional_id"},
    {KAPI_ADD_OFFSETS_TO_TXN, ACL_READ, ACL_GROUP, "group_id"},
    {KAPI_TXN_OFFSET_COMMIT, ACL_WRITE, ACL_TRANSACTIONAL_ID, "transactional_id"},
    {KAPI_TXN_OFFSET_COMMIT, ACL_READ, ACL_GROUP, "group_id"},
    {KAPI_END_TXN, ACL_WRITE, ACL_TRANSACTIONAL_ID, "transactional_id"},
    {KAPI_DESCRIBE_ACLS, ACL_DESCRIBE, ACL_CLUSTER, NULL},
    {KAPI_DESCRIBE_CLIENT_QUOTAS, ACL_DESCRIBE_CONFIGS, ACL_CLUSTER, NULL},
    {KAPI_DESCRIBE_USER_SCRAM_CREDENTIALS, ACL_DESCRIBE, ACL_CLUSTER, NULL},
    {KAPI_DESCRIBE_LOG_DIRS, ACL_DESCRIBE, ACL_CLUSTER, NULL},
    {KAPI_DESCRIBE_QUORUM, ACL_DESCRIBE, ACL_CLUSTER, NULL},
    {KAPI_ELECT_LEADERS, ACL_ALTER, ACL_CLUSTER, NULL},
    {KAPI_LIST_PARTITION_REASSIGNMENTS, ACL_DESCRIBE, ACL_CLUSTER, NULL},
    {KAPI_ALTER_PARTITION_REASSIGNMENTS, ACL_ALTER, ACL_CLUSTER, NULL},
    {KAPI_UPDATE_FEATURES, ACL_ALTER, ACL_CLUSTER, NULL},
    {KAPI_UNREGISTER_BROKER, ACL_ALTER, ACL_CLUSTER, NULL},
    {KAPI_LIST_CONFIG_RESOURCES, ACL_DESCRIBE_CONFIGS, ACL_CLUSTER, NULL},
};

typedef int16_t (*item_fn)(struct request *rq, void *item, struct slice name);
static int16_t may_describe_or_create(struct request *rq, void *item, struct slice name);
static int16_t may_create(struct request *rq, void *item, struct slice name);
static int16_t may_delete(struct request *rq, void *item, struct slice name);
static int16_t may_describe_configs(struct request *rq, void *item, struct slice name);
static int16_t may_alter_configs(struct request *rq, void *item, struct slice name);

static const struct items {
    int16_t key;
    enum acl_op op;
    enum acl_type type;
    const char *in, *out; /* the lists */
    item_fn judge;        /* instead of op and type: the code, 0 = allowed */
} items[] = {
    {KAPI_PRODUCE, ACL_WRITE, ACL_TOPIC, "topic_data", "responses", NULL},
    {KAPI_LIST_OFFSETS, ACL_DESCRIBE, ACL_TOPIC, "topics", "topics", NULL},
    {KAPI_OFFSET_FOR_LEADER_EPOCH, ACL_DESCRIBE, ACL_TOPIC, "topics", "topics", NULL},
    {KAPI_METADATA, 0, ACL_TOPIC, "topics", "topics", may_describe_or_create},
    {KAPI_DESCRIBE_TOPIC_PARTITIONS, ACL_DESCRIBE, ACL_TOPIC, "topics", "topics", NULL},
    {KAPI_DESCRIBE_PRODUCERS, ACL_READ, ACL_TOPIC, "topics", "topics", NULL},
    {KAPI_CREATE_TOPICS, 0, ACL_TOPIC, "topics", "topics", may_create},
    {KAPI_DELETE_TOPICS, 0, ACL_TOPIC, "topics", "responses", may_delete},
    {KAPI_DELETE_TOPICS, 0, ACL_TOPIC, "topic_names", "responses", may_delete},
    {KAPI_DELETE_RECORDS, ACL_DELETE, ACL_TOPIC, "topics", "topics", NULL},
    {KAPI_CREATE_PARTITIONS, ACL_ALTER, ACL_TOPIC, "topics", "results", NULL},
    {KAPI_DESCRIBE_CONFIGS, 0, 0, "resources", "results", may_describe_configs},
    {KAPI_ALTER_CONFIGS, 0, 0, "resources", "responses", may_alter_configs},
    {KAPI_INCREMENTAL_ALTER_CONFIGS, 0, 0, "resources", "responses", may_alter_configs},
    {KAPI_OFFSET_COMMIT, ACL_READ, ACL_TOPIC, "topics", "topics", NULL},
    {KAPI_OFFSET_DELETE, ACL_READ, ACL_TOPIC, "topics", "topics", NULL},
    {KAPI_TXN_OFFSET_COMMIT, ACL_READ, ACL_TOPIC, "topics", "topics", NULL},
    {KAPI_FIND_COORDINATOR, 0, 0, "coordinator_keys", "coordinators", guard_may_find},
    {KAPI_DESCRIBE_GROUPS, ACL_DESCRIBE, ACL_GROUP, "groups", "groups", NULL},
    {KAPI_CONSUMER_GROUP_DESCRIBE, ACL_DESCRIBE, ACL_GROUP, "group_ids", "groups", NULL},
    {KAPI_SHARE_GROUP_DESCRIBE, ACL_DESCRIBE, ACL_GROUP, "group_ids", "groups", NULL},
    {KAPI_DESCRIBE_SHARE_GROUP_OFFSETS, ACL_DESCRIBE, ACL_GROUP, "groups", "groups", NULL},
    {KAPI_DELETE_GROUPS, ACL_DELETE, ACL_GROUP, "groups_names", "results", NULL},
    {KAPI_DESCRIBE_TRANSACTIONS, ACL_DESCRIBE, ACL_TRANSACTIONAL_ID, "transactional_ids",
     "transaction_states", NULL},
};

/* When the request asks for all (its list is null, or it has none), the answer has what the client
 * may describe. */
static const struct lists {
    int16_t key;
    enum acl_type type;
    const char *in; /* NULL: always; else only when this list of the request names nothing */
    const char *out, *name; /* list of the answer, the name in its entries */
    bool cluster_is_enough; /* DESCRIBE on the cluster shows all */
} lists[] = {
    {KAPI_METADATA, ACL_TOPIC, "topics", "topics", "name", false},
    {KAPI_DESCRIBE_TOPIC_PARTITIONS, ACL_TOPIC, "topics", "topics", "name", false},
    {KAPI_LIST_GROUPS, ACL_GROUP, NULL, "groups", "group_id", true},
    {KAPI_LIST_TRANSACTIONS, ACL_TRANSACTIONAL_ID, NULL, "transaction_states", "transactional_id",
     false},
};

/* --- judging ---------------------------------------------------------------------------------- */

static int16_t may_describe_or_create(struct request *rq, void *item, struct slice name)
{
    const struct metadata_request *in = rq->in;
    (void)item;
    if (!request_allowed(rq, ACL_DESCRIBE, ACL_TOPIC, name))
        return KERR_TOPIC_AUTHORIZATION_FAILED;
    struct topic *t = topics_get(rq->broker->topics, name);
    topic_unref(t);
    if (t || !in->allow_auto_topic_creation || !rq->broker->o->auto_create_topics)
        return KERR_NONE;
    return may_create(rq, item, name);
}

static int16_t may_create(struct request *rq, void *item, struct slice name)
{
    (void)item;
    return request_allowed_cluster(rq, ACL_CREATE) ? KERR_NONE
                                                   : guard_judge(rq, ACL_CREATE, ACL_TOPIC, name);
}

static int16_t may_delete(struct request *rq, void *item, struct slice name)
{
    (void)item;
    int16_t code = guard_judge(rq, ACL_DESCRIBE, ACL_TOPIC, name);
    return code ? code : guard_judge(rq, ACL_DELETE, ACL_TOPIC, name);
}

/* Kafka's numbers of configuration resources; loggers and metrics hang on the cluster. */
static int16_t judge_config(struct request *rq, enum acl_op op, int8_t resource, struct slice name)
{
    switch (resource) {
    case 2:
        return guard_judge(rq, op, ACL_TOPIC, name);
    case 32:
        return guard_judge(rq, op, ACL_GROUP, name);
    default:
        return guard_judge(rq, op, ACL_CLUSTER, ACL_CLUSTER_NAME);
    }
}

static int16_t may_describe_configs(struct request *rq, void *item, struct slice name)
{
    const struct describe_configs_request_resource *r = item;
    return judge_config(rq, ACL_DESCRIBE_CONFIGS, r->resource_type, name);
}

static int16_t may_alter_configs(struct request *rq, void *item, struct slice name)
{
    int8_t resource; /* the first field of both kinds of request */
    memcpy(&resource, item, sizeof resource);
    _Static_assert(offsetof(struct alter_configs_request_resource, resource_type) == 0 &&
                       offsetof(struct incremental_alter_configs_request_resource, resource_type) ==
                           0,
                   "may_alter_configs reads both");
    return judge_config(rq, ACL_ALTER_CONFIGS, resource, name);
}

/* --- refused entries -------------------------------------------------------------------------- */

struct guard {
    const struct items *row; /* NULL: nothing was set aside */
    const struct field_desc *in, *out;
    int32_t kept, total; /* entries [kept, total) of the request's list were set aside */
    int16_t *codes;      /* of those, from kept on */
    bool all;            /* the request asked for everything */
};

/* The resource that an entry names. Of a topic id: the topic's name; null when there is none. */
static struct slice name_of(struct request *rq, const struct field_desc *list, void *item)
{
    if (!list->sub)
        return text(item, &(struct field_desc){.at = 0});
    const struct field_desc *id = field_by_name(list->sub, "topic_id");
    const struct field_desc *name = field_of_type(list->sub, FIELD_STR);
    bool by_id = id && id->from <= rq->version && id->to >= rq->version;
    if (name && name->from <= rq->version && name->to >= rq->version) {
        struct slice s = text(item, name);
        if (s.p)
            return s;
    }
    struct topic *t = by_id ? topics_get_id(rq->broker->topics, at(item, id->at)) : NULL;
    struct slice found = t ? arena_dup(&rq->arena, topic_name(t)) : SLICE_NULL;
    topic_unref(t);
    return found;
}

static int16_t judge_item(struct request *rq, const struct guard *g, void *item)
{
    struct slice name = name_of(rq, g->in, item);
    if (!name.p)
        return KERR_NONE; /* a topic id that is not known: the handler says so */
    return g->row->judge ? g->row->judge(rq, item, name)
                         : guard_judge(rq, g->row->op, g->row->type, name);
}

/* Moves refused entries behind the others. all: code for every one of them; 0: judges each. */
static void set_aside(struct request *rq, struct guard *g, int16_t all)
{
    int32_t *count = field_count(rq->in, g->in), n = MAX(*count, 0), refused = 0;
    size_t size = field_item_size(g->in);
    char *v = *field_array(rq->in, g->in);
    char *aside = arena_alloc(&rq->arena, size * (size_t)n + 1);
    g->total = n;
    g->kept = 0;
    g->codes = arena_alloc(&rq->arena, ((size_t)n + 1) * sizeof *g->codes);
    for (int32_t i = 0; i < n; i++) {
        char *item = v + size * (size_t)i;
        int16_t code = all ? all : judge_item(rq, g, item);
        if (code) {
            memcpy(aside + size * (size_t)refused, item, size);
            g->codes[refused++] = code;
        } else {
            memmove(v + size * (size_t)g->kept++, item, size);
        }
    }
    if (refused)
        memcpy(v + size * (size_t)g->kept, aside, size * (size_t)refused);
    if (*count > 0)
        *count = g->kept;
}

static void copy_partitions(struct request *rq, const struct field_desc *in, void *from,
                            const struct field_desc *out, void *to, int16_t code)
{
    int32_t n = MAX(*field_count(from, in), 0);
    const char *v = *field_array(from, in);
    const struct field_desc *id = field_of_type(out->sub, FIELD_I32),
                            *error = field_of_type(out->sub, FIELD_I16);
    char *rows = codec_new_array(out->sub, &rq->arena, n);
    for (int32_t i = 0; i < n; i++) {
        char *row = rows + (size_t)out->sub->size * (size_t)i;
        const char *p = v + field_item_size(in) * (size_t)i;
        size_t at_in = in->sub ? field_of_type(in->sub, FIELD_I32)->at : 0;
        memcpy(row + id->at, p + at_in, sizeof(int32_t));
        memcpy(row + error->at, &code, sizeof code);
    }
    *field_array(to, out) = rows;
    *field_count(to, out) = n;
}

/* Is this the list of partitions of an entry? */
static bool is_partitions(const struct field_desc *f)
{
    return f->shape == SHAPE_ARRAY &&
           (f->sub ? field_of_type(f->sub, FIELD_I32) && field_of_type(f->sub, FIELD_I16)
                   : f->type == FIELD_I32);
}

static const struct field_desc *partitions_of(const struct struct_desc *d, bool of_request)
{
    for (size_t i = 0; d && i < d->field_count; i++) {
        const struct field_desc *f = &d->fields[i];
        if (f->shape != SHAPE_ARRAY || strncmp(f->name, "partition", 9) != 0 ||
            (f->sub && !field_of_type(f->sub, FIELD_I32)))
            continue;
        if (of_request || is_partitions(f))
            return f;
    }
    return NULL;
}

static void fill_refused(struct request *rq, const struct guard *g, void *from, void *to,
                         int16_t code)
{
    const struct struct_desc *in = g->in->sub, *out = g->out->sub;
    bool has_code = false;
    for (size_t i = 0; i < out->field_count; i++) {
        const struct field_desc *f = &out->fields[i],
                                *same = in ? field_by_name(in, f->name) : NULL;
        if (f->shape == SHAPE_ONE && same && same->type == f->type && f->type != FIELD_STRUCT)
            memcpy(at(to, f->at), at(from, same->at),
                   f->type == FIELD_STR    ? sizeof(struct slice)
                   : f->type == FIELD_UUID ? sizeof(struct uuid)
                   : f->type == FIELD_I8   ? 1
                                           : 0);
        if (!strcmp(f->name, "error_code")) {
            memcpy(at(to, f->at), &code, sizeof code);
            has_code = true;
        }
    }
    if (!in) { /* an entry that is only a name */
        const struct field_desc *f = field_by_name(out, "name");
        f = f ? f : field_by_name(out, "key");
        f = f ? f : field_by_name(out, "group_id");
        f = f ? f : field_by_name(out, "transactional_id");
        memcpy(at(to, f->at), from, sizeof(struct slice));
    }
    const struct field_desc *parts = partitions_of(in, true), *rows = partitions_of(out, false);
    if (!has_code && parts && rows)
        copy_partitions(rq, parts, from, rows, to, code);
}

static void append_refused(struct request *rq, struct guard *g)
{
    int32_t refused = g->total - g->kept;
    if (refused <= 0)
        return;
    int32_t *count = field_count(rq->out, g->out), have = MAX(*count, 0);
    size_t in_size = field_item_size(g->in), size = g->out->sub->size;
    char **list = field_array(rq->out, g->out);
    char *v = codec_new_array(g->out->sub, &rq->arena, have + refused);
    if (have)
        memcpy(v, *list, size * (size_t)have);
    char *items_in = *field_array(rq->in, g->in);
    for (int32_t i = 0; i < refused; i++)
        fill_refused(rq, g, items_in + in_size * (size_t)(g->kept + i),
                     v + size * (size_t)(have + i), g->codes[i]);
    *list = v;
    *count = have + refused;
}

/* --- before and after ------------------------------------------------------------------------- */

static struct guard *guard_for(struct request *rq)
{
    struct guard *g = arena_calloc(&rq->arena, 1, sizeof *g);
    for (size_t i = 0; i < ARRAY_LEN(items); i++) {
        const struct field_desc *in = items[i].key == rq->api->key
                                          ? field_by_name(rq->api->request->body, items[i].in)
                                          : NULL;
        if (!in || in->from > rq->version || in->to < rq->version)
            continue;
        g->row = &items[i];
        g->in = in;
        g->out = field_by_name(rq->api->response->body, items[i].out);
    }
    return g;
}

/* A producer with acks=0 reads no answers: the end of the connection is all it can be told. */
static bool has_no_answer(const struct request *rq)
{
    return rq->api->key == KAPI_PRODUCE && ((const struct produce_request *)rq->in)->acks == 0;
}

/* The code stands at the top of the answer, or at each entry when there is no place at the top. */
static void refuse_whole(struct request *rq, struct guard *g, int16_t code)
{
    const struct field_desc *f = field_by_name(rq->api->response->body, "error_code"),
                            *why = field_by_name(rq->api->response->body, "error_message");
    if (has_no_answer(rq)) {
        request_close(rq, kerr_message(code));
        return;
    }
    if (f) {
        const struct slice words = slice_cstr(kerr_message(code));
        memcpy(at(rq->out, f->at), &code, sizeof code);
        if (why) /* some clients take no text for no error */
            memcpy(at(rq->out, why->at), &words, sizeof words);
    } else if (g->row) {
        set_aside(rq, g, code);
        append_refused(rq, g);
    }
    request_reply(rq);
}

bool guard_before(struct request *rq)
{
    struct guard *g = guard_for(rq);
    for (size_t i = 0; i < ARRAY_LEN(wholes); i++) {
        if (wholes[i].key != rq->api->key)
            continue;
        struct slice name = ACL_CLUSTER_NAME;
        if (wholes[i].name)
            name = text(rq->in, field_by_name(rq->api->request->body, wholes[i].name));
        int16_t code = name.p ? guard_judge(rq, wholes[i].op, wholes[i].type, name) : KERR_NONE;
        if (code) {
            refuse_whole(rq, g, code);
            return false;
        }
    }
    if (!guard_special_before(rq))
        return false;
    if (g->row) {
        int32_t named = *field_count(rq->in, g->in);
        g->all =
            named < 0 ||
            (named == 0 && (rq->version == 0 || rq->api->key == KAPI_DESCRIBE_TOPIC_PARTITIONS));
        set_aside(rq, g, 0);
        rq->close_after = g->kept < g->total && has_no_answer(rq);
    } else {
        g->all = true;
    }
    rq->guard = g;
    return true;
}

static void hide(struct request *rq, const struct lists *l)
{
    const struct field_desc *f = field_by_name(rq->api->response->body, l->out);
    int32_t *count = field_count(rq->out, f), kept = 0;
    size_t size = f->sub->size;
    char *v = *field_array(rq->out, f);
    if (l->cluster_is_enough && request_allowed_cluster(rq, ACL_DESCRIBE))
        return;
    for (int32_t i = 0; i < *count; i++) {
        char *row = v + size * (size_t)i;
        if (request_allowed(rq, ACL_DESCRIBE, l->type, text(row, field_by_name(f->sub, l->name))))
            memmove(v + size * (size_t)kept++, row, size);
    }
    *count = MIN(kept, *count);
}

void guard_after(struct request *rq)
{
    struct guard *g = rq->guard;
    rq->guard = NULL;
    /* Where an empty list asks for all, the handler has answered for all. */
    if (g->row && !g->all && g->kept == 0 && g->total > 0 &&
        (rq->api->key == KAPI_DESCRIBE_TOPIC_PARTITIONS ||
         (rq->api->key == KAPI_METADATA && rq->version == 0)))
        *field_count(rq->out, g->out) = 0;
    for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
        if (lists[i].key == rq->api->key && (!lists[i].in || g->all))
            hide(rq, &lists[i]);
    }
    if (g->row)
        append_refused(rq, g);
    guard_special_after(rq);
}
