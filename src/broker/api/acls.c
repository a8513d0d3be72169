/* broker/api/acls.c - DescribeAcls, CreateAcls, DeleteAcls. Without an authorizer each says so, and
 * clients hide their pages on this very answer. SPEC: broker 11.5. */
#include "broker/api/api.h"

#include "base/base.h"
#include "base/log.h"
#include "broker/security/access.h"
#include "broker/security/acl.h"

#define FILTERS_MAX 1000 /* in one request: each looks at every entry; tools send a few */
/* Two spellings: Kafka's controller answers for changes, its broker for questions. */
#define NO_AUTHORIZER "No Authorizer is configured on the broker"
#define NO_AUTHORIZER_TO_CHANGE "No Authorizer is configured."

static void reply(void *arg)
{
    request_reply(arg);
}

/* The code that all of a request gets, 0 when it may go on. */
static int16_t refused(struct request *rq, enum acl_op op, struct slice *text)
{
    *text = SLICE_NULL;
    if (!rq->broker->security.acls) {
        *text = op == ACL_DESCRIBE ? SL(NO_AUTHORIZER) : SL(NO_AUTHORIZER_TO_CHANGE);
        return KERR_SECURITY_DISABLED;
    }
    if (request_allowed_cluster(rq, op))
        return KERR_NONE;
    *text = slice_cstr(kerr_message(KERR_CLUSTER_AUTHORIZATION_FAILED));
    return KERR_CLUSTER_AUTHORIZATION_FAILED;
}

/* --- describe --------------------------------------------------------------------------------- */

static bool is_filter(const struct acl *f, struct error *e)
{
    const char *bad =
        f->type < ACL_TYPE_ANY || f->type > ACL_USER                      ? "resource type"
        : f->pattern < ACL_PATTERN_ANY || f->pattern > ACL_PREFIXED       ? "resource pattern type"
        : f->op < ACL_OP_ANY || f->op > ACL_DESCRIBE_TOKENS               ? "operation"
        : f->permission < ACL_PERMISSION_ANY || f->permission > ACL_ALLOW ? "permission type"
                                                                          : NULL;
    if (bad)
        (void)error_set(e, E_INVALID, "The AclBindingFilter must not contain UNKNOWN elements: %s",
                        bad);
    return !bad;
}

void api_describe_acls(struct request *rq)
{
    const struct describe_acls_request *in = rq->in;
    struct describe_acls_response *out = rq->out;
    const struct acl filter = {.type = (enum acl_type)in->resource_type_filter,
                               .pattern = (enum acl_pattern)in->pattern_type_filter,
                               .op = (enum acl_op)in->operation,
                               .permission = (enum acl_permission)in->permission_type,
                               .name = in->resource_name_filter,
                               .principal = in->principal_filter,
                               .host = in->host_filter};
    struct error e;
    size_t n = 0;
    struct acl *v = NULL;
    out->error_code = refused(rq, ACL_DESCRIBE, &out->error_message);
    if (!out->error_code && !is_filter(&filter, &e)) {
        out->error_code = KERR_INVALID_REQUEST;
        out->error_message = slice_cstr(arena_strdup(&rq->arena, e.msg));
    }
    if (!out->error_code)
        v = acl_store_find(rq->broker->security.acls, &filter, &rq->arena, &n);
    out->resources = describe_acls_response_resource_array(&rq->arena, (int32_t)n);
    struct describe_acls_response_resource *row = NULL;
    for (size_t i = 0; i < n; i++) { /* sorted: one resource's entries stand together */
        if (!row || v[i].type != v[i - 1].type || v[i].pattern != v[i - 1].pattern ||
            !slice_eq(v[i].name, v[i - 1].name)) {
            row = &out->resources[out->resources_count++];
            row->resource_type = (int8_t)v[i].type;
            row->resource_name = v[i].name;
            row->pattern_type = (int8_t)v[i].pattern;
            row->acls = describe_acls_response_acl_array(&rq->arena, (int32_t)(n - i));
        }
        struct describe_acls_response_acl *a = &row->acls[row->acls_count++];
        a->principal = v[i].principal;
        a->host = v[i].host;
        a->operation = (int8_t)v[i].op;
        a->permission_type = (int8_t)v[i].permission;
    }
    request_reply(rq);
}

/* --- create ----------------------------------------------------------------------------------- */

static void create(void *arg)
{
    struct request *rq = arg;
    const struct create_acls_request *in = rq->in;
    struct create_acls_response *out = rq->out;
    struct slice text;
    struct error e;
    size_t good = 0;
    out->results_count = MAX(in->creations_count, 0);
    out->results = create_acls_response_result_array(&rq->arena, out->results_count);
    struct acl *v = arena_calloc(&rq->arena, (size_t)out->results_count + 1, sizeof *v);
    int16_t code = refused(rq, ACL_ALTER, &text);
    for (int32_t i = 0; i < out->results_count; i++) {
        const struct create_acls_request_creation *c = &in->creations[i];
        v[good] = (struct acl){.type = (enum acl_type)c->resource_type,
                               .pattern = (enum acl_pattern)c->resource_pattern_type,
                               .op = (enum acl_op)c->operation,
                               .permission = (enum acl_permission)c->permission_type,
                               .name = c->resource_name,
                               .principal = c->principal,
                               .host = c->host};
        out->results[i].error_code = code;
        out->results[i].error_message = text;
        if (code)
            continue;
        if (acl_check(&v[good], &e) == E_OK) {
            good++;
            continue;
        }
        out->results[i].error_code = KERR_INVALID_REQUEST;
        out->results[i].error_message = slice_cstr(arena_strdup(&rq->arena, e.msg));
    }
    enum err r = good ? acl_store_add(rq->broker->security.acls, v, good, &e) : E_OK;
    if (r == E_OK)
        return;
    LOG_ERR(LOG_BROKER, LOG_L_ERROR, &e, "access control lists could not be stored");
    for (int32_t i = 0; i < out->results_count; i++) {
        if (!out->results[i].error_code)
            out->results[i].error_code = KERR_KAFKA_STORAGE_ERROR;
    }
}

void api_create_acls(struct request *rq)
{
    pool_submit(rq->broker->pool, &rq->broker->security, create, rq->bl->loop, reply, rq);
}

/* --- delete ----------------------------------------------------------------------------------- */

static void delete_by(struct request *rq, const struct delete_acls_request_filter *in,
                      struct delete_acls_response_filter *row)
{
    struct acl_store *acls = rq->broker->security.acls;
    const struct acl filter = {.type = (enum acl_type)in->resource_type_filter,
                               .pattern = (enum acl_pattern)in->pattern_type_filter,
                               .op = (enum acl_op)in->operation,
                               .permission = (enum acl_permission)in->permission_type,
                               .name = in->resource_name_filter,
                               .principal = in->principal_filter,
                               .host = in->host_filter};
    struct error e;
    size_t n;
    if (!is_filter(&filter, &e)) {
        row->error_code = KERR_INVALID_REQUEST;
        row->error_message = slice_cstr(arena_strdup(&rq->arena, e.msg));
        return;
    }
    struct acl *v = acl_store_find(acls, &filter, &rq->arena, &n);
    if (n && acl_store_remove(acls, v, n, &e) != E_OK) {
        LOG_ERR(LOG_BROKER, LOG_L_ERROR, &e, "access control lists could not be removed");
        row->error_code = KERR_KAFKA_STORAGE_ERROR;
        return;
    }
    row->matching_acls_count = (int32_t)n;
    row->matching_acls = delete_acls_response_acl_array(&rq->arena, (int32_t)n);
    for (size_t i = 0; i < n; i++) {
        struct delete_acls_response_acl *a = &row->matching_acls[i];
        a->resource_type = (int8_t)v[i].type;
        a->resource_name = v[i].name;
        a->pattern_type = (int8_t)v[i].pattern;
        a->principal = v[i].principal;
        a->host = v[i].host;
        a->operation = (int8_t)v[i].op;
        a->permission_type = (int8_t)v[i].permission;
    }
}

static void delete (void *arg)
{
    struct request *rq = arg;
    const struct delete_acls_request *in = rq->in;
    struct delete_acls_response *out = rq->out;
    struct slice text;
    int16_t code = refused(rq, ACL_ALTER, &text);
    out->filter_results_count = MAX(in->filters_count, 0);
    out->filter_results = delete_acls_response_filter_array(&rq->arena, out->filter_results_count);
    for (int32_t i = 0; i < out->filter_results_count; i++) {
        out->filter_results[i].error_code = code;
        out->filter_results[i].error_message = text;
        if (!code)
            delete_by(rq, &in->filters[i], &out->filter_results[i]);
    }
}

void api_delete_acls(struct request *rq)
{
    const struct delete_acls_request *in = rq->in;
    if (in->filters_count > FILTERS_MAX) {
        request_close(rq, "too many filters in one request");
        return;
    }
    pool_submit(rq->broker->pool, &rq->broker->security, delete, rq->bl->loop, reply, rq);
}
