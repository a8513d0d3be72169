/* broker/api/quotas.c - DescribeClientQuotas, AlterClientQuotas. SPEC: broker 11.6. */
#include "broker/api/api.h"

#include "base/base.h"
#include "base/log.h"
#include "broker/security/access.h"
#include "broker/security/quota.h"

#include <arpa/inet.h>
#include <math.h>

#define CHANGES_MAX 1000 /* entries in one request; tools send a few */

static void reply(void *arg)
{
    request_reply(arg);
}

/* --- describe --------------------------------------------------------------------------------- */

enum { MATCH_EXACT, MATCH_DEFAULT, MATCH_ANY };
struct filter {
    bool has[QUOTA_KINDS];
    int8_t match[QUOTA_KINDS];
    struct slice name[QUOTA_KINDS];
    int count;
    bool strict;
};

static enum err take_component(struct filter *f,
                               const struct describe_client_quotas_request_component *c,
                               struct error *e)
{
    enum quota_kind k = quota_kind_find(c->entity_type);
    if (c->entity_type.n == 0)
        return kerr_error(e, E_INVALID, KERR_INVALID_REQUEST, "Invalid empty entity type.");
    if (k == QUOTA_KINDS)
        return kerr_error(e, E_INVALID, KERR_UNSUPPORTED_VERSION,
                          "Custom entity type '" PRI_SL "' not supported", ARG_SL(c->entity_type));
    if (f->has[k])
        return kerr_error(e, E_INVALID, KERR_INVALID_REQUEST,
                          "Entity type " PRI_SL " cannot appear more than once in the filter.",
                          ARG_SL(c->entity_type));
    if (c->match_type == MATCH_EXACT && !c->match.p)
        return kerr_error(e, E_INVALID, KERR_INVALID_REQUEST,
                          "Request specified MATCH_TYPE_EXACT, but set match string to null.");
    if (c->match_type == MATCH_DEFAULT && c->match.p)
        return kerr_error(
            e, E_INVALID, KERR_INVALID_REQUEST,
            "Request specified MATCH_TYPE_DEFAULT, but also specified a match string.");
    if (c->match_type == MATCH_ANY && c->match.p)
        return kerr_error(
            e, E_INVALID, KERR_INVALID_REQUEST,
            "Request specified MATCH_TYPE_SPECIFIED, but also specified a match string.");
    if (c->match_type < MATCH_EXACT || c->match_type > MATCH_ANY)
        return kerr_error(e, E_INVALID, KERR_INVALID_REQUEST, "Unknown match type %d",
                          c->match_type);
    f->has[k] = true;
    f->match[k] = c->match_type;
    f->name[k] = c->match;
    f->count++;
    return E_OK;
}

static enum err take_filter(struct filter *f, const struct describe_client_quotas_request *in,
                            struct error *e)
{
    *f = (struct filter){.strict = in->strict};
    for (int32_t i = 0; i < in->components_count; i++) {
        enum err r = take_component(f, &in->components[i], e);
        if (r != E_OK)
            return r;
    }
    if (f->has[QUOTA_IP] && f->count > 1)
        return kerr_error(
            e, E_INVALID, KERR_INVALID_REQUEST,
            "Invalid entity filter component combination. IP filter component should not "
            "be used with user or clientId filter component.");
    return E_OK;
}

static bool matches(const struct filter *f, const struct quota_entity *x)
{
    int parts = 0;
    for (int k = 0; k < QUOTA_KINDS; k++) {
        parts += x->has[k];
        if (!f->has[k])
            continue;
        if (!x->has[k] || (f->match[k] == MATCH_EXACT && !slice_eq(f->name[k], x->name[k])) ||
            (f->match[k] == MATCH_DEFAULT && x->name[k].p))
            return false;
    }
    return !f->strict || parts == f->count;
}

static void fill_entry(struct request *rq, const struct quota_entry *x,
                       struct describe_client_quotas_response_entry *row)
{
    row->entity = describe_client_quotas_response_entity_array(&rq->arena, QUOTA_KINDS);
    row->values = describe_client_quotas_response_value_array(&rq->arena, QUOTA_KEYS);
    for (int k = 0; k < QUOTA_KINDS; k++) {
        if (!x->entity.has[k])
            continue;
        row->entity[row->entity_count].entity_type =
            slice_cstr(quota_kind_name((enum quota_kind)k));
        row->entity[row->entity_count++].entity_name = x->entity.name[k];
    }
    for (int k = 0; k < QUOTA_KEYS; k++) {
        if (!x->values.set[k])
            continue;
        row->values[row->values_count].key = slice_cstr(quota_key_name((enum quota_key)k));
        row->values[row->values_count++].value = x->values.value[k];
    }
}

void api_describe_client_quotas(struct request *rq)
{
    struct describe_client_quotas_response *out = rq->out;
    struct filter f;
    struct error e;
    size_t n;
    error_clear(&e);
    out->entries_count = -1;
    if (take_filter(&f, rq->in, &e) != E_OK) {
        out->error_code = (int16_t)e.sys;
        out->error_message = slice_cstr(arena_strdup(&rq->arena, e.msg));
        request_reply(rq);
        return;
    }
    struct quota_entry *v = quotas_list(rq->broker->quotas, &rq->arena, &n);
    out->entries_count = 0;
    out->entries = describe_client_quotas_response_entry_array(&rq->arena, (int32_t)n);
    for (size_t i = 0; i < n; i++) {
        if (matches(&f, &v[i].entity))
            fill_entry(rq, &v[i], &out->entries[out->entries_count++]);
    }
    request_reply(rq);
}

/* --- alter ------------------------------------------------------------------------------------ */

static enum err take_entity(const struct alter_client_quotas_request_entry *in,
                            struct quota_entity *x, struct error *e)
{
    *x = (struct quota_entity){0};
    if (in->entity_count <= 0)
        return kerr_error(e, E_INVALID, KERR_INVALID_REQUEST, "Invalid empty client quota entity");
    for (int32_t i = 0; i < in->entity_count; i++) {
        struct slice type = in->entity[i].entity_type, name = in->entity[i].entity_name;
        enum quota_kind k = quota_kind_find(type);
        if (k == QUOTA_KINDS)
            return kerr_error(e, E_INVALID, KERR_INVALID_REQUEST,
                              "Unhandled client quota entity type: " PRI_SL, ARG_SL(type));
        if (x->has[k])
            return kerr_error(e, E_INVALID, KERR_INVALID_REQUEST,
                              "Duplicate client quota entity type: " PRI_SL, ARG_SL(type));
        if (name.p && name.n == 0)
            return kerr_error(e, E_INVALID, KERR_INVALID_REQUEST, "Empty " PRI_SL " not supported",
                              ARG_SL(type));
        x->has[k] = true;
        x->name[k] = name;
    }
    if (x->has[QUOTA_IP] && in->entity_count > 1)
        return kerr_error(e, E_INVALID, KERR_INVALID_REQUEST, "Invalid quota entity combination");
    struct slice ip = x->name[QUOTA_IP];
    if (ip.p) {
        char text[INET6_ADDRSTRLEN] = "";
        unsigned char any[16];
        snprintf(text, sizeof text, PRI_SL, ARG_SL(ip));
        if (ip.n >= sizeof text ||
            (inet_pton(AF_INET, text, any) != 1 && inet_pton(AF_INET6, text, any) != 1))
            return kerr_error(e, E_INVALID, KERR_INVALID_REQUEST,
                              PRI_SL " is not a valid IP or resolvable host.", ARG_SL(ip));
    }
    return E_OK;
}

static enum err take_op(const struct quota_entity *x,
                        const struct alter_client_quotas_request_op *op, struct quota_values *set,
                        bool gone[QUOTA_KEYS], struct error *e)
{
    enum quota_key k = quota_key_find(op->key);
    bool fits = k != QUOTA_KEYS && (k == QUOTA_CONNECTIONS) == x->has[QUOTA_IP];
    if (!fits)
        return kerr_error(e, E_INVALID, KERR_INVALID_REQUEST, "Invalid configuration key " PRI_SL,
                          ARG_SL(op->key));
    gone[k] = op->remove;
    set->set[k] = !op->remove;
    set->value[k] = op->value;
    if (op->remove)
        return E_OK;
    if (!(op->value > 0))
        return kerr_error(e, E_INVALID, KERR_INVALID_REQUEST,
                          "Quota " PRI_SL " must be greater than 0", ARG_SL(op->key));
    bool whole = k == QUOTA_PRODUCER_BYTES || k == QUOTA_CONSUMER_BYTES || k == QUOTA_CONNECTIONS;
    if (whole && (op->value != floor(op->value) || op->value > 9.2e18))
        return kerr_error(e, E_INVALID, KERR_INVALID_REQUEST,
                          "Configuration " PRI_SL " must be a %s value", ARG_SL(op->key),
                          k == QUOTA_CONNECTIONS ? "Integer" : "Long");
    return E_OK;
}

static enum err take_entry(const struct request *rq,
                           const struct alter_client_quotas_request_entry *in,
                           struct quota_change *c, struct error *e)
{
    *c = (struct quota_change){0};
    if (!request_allowed_cluster(rq, ACL_ALTER_CONFIGS))
        return kerr_error(e, E_INVALID, KERR_CLUSTER_AUTHORIZATION_FAILED, "%s",
                          kerr_message(KERR_CLUSTER_AUTHORIZATION_FAILED));
    enum err r = take_entity(in, &c->entity, e);
    for (int32_t i = 0; r == E_OK && i < in->ops_count; i++)
        r = take_op(&c->entity, &in->ops[i], &c->set, c->gone, e);
    return r;
}

static void fill_altered(struct request *rq, const struct alter_client_quotas_request_entry *from,
                         struct alter_client_quotas_response_entry *to)
{
    to->entity_count = MAX(from->entity_count, 0);
    to->entity = alter_client_quotas_response_entity_array(&rq->arena, to->entity_count);
    for (int32_t k = 0; k < to->entity_count; k++) {
        to->entity[k].entity_type = from->entity[k].entity_type;
        to->entity[k].entity_name = from->entity[k].entity_name;
    }
}

static void refuse(struct request *rq, struct alter_client_quotas_response_entry *to, int16_t code,
                   const char *text)
{
    to->error_code = code;
    to->error_message = slice_cstr(arena_strdup(&rq->arena, text));
}

/* The good entries become one change; a bad one keeps its error to itself. */
static void alter(void *arg)
{
    struct request *rq = arg;
    const struct alter_client_quotas_request *in = rq->in;
    struct alter_client_quotas_response *out = rq->out;
    struct error e;
    size_t good = 0;
    out->entries_count = MAX(in->entries_count, 0);
    out->entries = alter_client_quotas_response_entry_array(&rq->arena, out->entries_count);
    struct quota_change *v = arena_alloc(&rq->arena, ((size_t)out->entries_count + 1) * sizeof *v);
    for (int32_t i = 0; i < out->entries_count; i++) {
        error_clear(&e);
        fill_altered(rq, &in->entries[i], &out->entries[i]);
        enum err r = take_entry(rq, &in->entries[i], &v[good], &e);
        if (r != E_OK)
            refuse(rq, &out->entries[i], api_code(r, &e), e.msg);
        good += r == E_OK;
    }
    if (!good || in->validate_only)
        return;
    error_clear(&e);
    enum err r = quotas_change(rq->broker->quotas, v, good, &e);
    if (r == E_OK)
        return;
    LOG_ERR(LOG_BROKER, LOG_L_ERROR, &e, "client quotas could not be stored");
    for (int32_t i = 0; i < out->entries_count; i++) {
        if (out->entries[i].error_code == KERR_NONE)
            refuse(rq, &out->entries[i], r == E_TOO_LARGE ? KERR_INVALID_REQUEST : api_code(r, &e),
                   e.msg);
    }
}

void api_alter_client_quotas(struct request *rq)
{
    const struct alter_client_quotas_request *in = rq->in;
    if (in->entries_count > CHANGES_MAX) {
        request_close(rq, "too many quotas in one request");
        return;
    }
    pool_submit(rq->broker->pool, rq->broker->quotas, alter, rq->bl->loop, reply, rq);
}
