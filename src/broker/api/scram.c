/* broker/api/scram.c - DescribeUserScramCredentials, AlterUserScramCredentials. A user with one bad
 * change is left as it is; the other users of the request are changed. SPEC: broker 11.4. */
#include "broker/api/api.h"

#include "base/base.h"
#include "base/log.h"
#include "base/mem.h"
#include "broker/api/repeats.h"
#include "broker/security/access.h"

#include <stdlib.h>

#define CHANGES_MAX 1000 /* in one request; tools send a few */

static void reply(void *arg)
{
    request_reply(arg);
}

/* --- describe --------------------------------------------------------------------------------- */

typedef struct describe_user_scram_credentials_response_user described;

static void fill(struct request *rq, const struct scram_user *u, described *row)
{
    row->user = u->name;
    row->credential_infos =
        describe_user_scram_credentials_response_credential_array(&rq->arena, SCRAM_MECHANISMS);
    for (int m = 1; m < SCRAM_MECHANISMS; m++) {
        if (!u->iterations[m])
            continue;
        struct describe_user_scram_credentials_response_credential *c =
            &row->credential_infos[row->credential_infos_count++];
        c->mechanism = (int8_t)m;
        c->iterations = u->iterations[m];
    }
}

static int name_order(const void *name, const void *user)
{
    return slice_cmp(*(const struct slice *)name, ((const struct scram_user *)user)->name);
}

static void describe_named(struct request *rq, const struct scram_user *all, size_t n,
                           struct slice name, bool twice, described *row)
{
    row->user = name;
    if (twice) {
        row->error_code = KERR_DUPLICATE_RESOURCE;
        row->error_message = slice_cstr(arena_printf(&rq->arena,
                                                     "Cannot describe SCRAM credentials for the "
                                                     "same user twice in a single request: " PRI_SL,
                                                     ARG_SL(name)));
        return;
    }
    const struct scram_user *u = n ? bsearch(&name, all, n, sizeof *all, name_order) : NULL;
    if (u) {
        fill(rq, u, row);
        return;
    }
    row->error_code = KERR_RESOURCE_NOT_FOUND;
    row->error_message = slice_cstr(arena_printf(
        &rq->arena, "Attempt to describe a user credential that does not exist: " PRI_SL,
        ARG_SL(name)));
}

void api_describe_scram(struct request *rq)
{
    const struct describe_user_scram_credentials_request *in = rq->in;
    struct describe_user_scram_credentials_response *out = rq->out;
    size_t n;
    struct scram_user *all = scram_store_list(rq->broker->security.scram, &rq->arena, &n);
    int32_t rows = in->users_count > 0 ? in->users_count : (int32_t)n;
    out->results = describe_user_scram_credentials_response_user_array(&rq->arena, rows);
    for (int32_t i = 0; in->users_count <= 0 && i < rows; i++)
        fill(rq, &all[i], &out->results[out->results_count++]);
    struct slice *names = repeats_keys(&rq->arena, in->users_count);
    for (int32_t i = 0; i < in->users_count; i++)
        names[i] = in->users[i].name;
    const uint8_t *again = repeats_of(&rq->arena, names, in->users_count);
    for (int32_t i = 0; i < in->users_count; i++) {
        if (again[i] != REPEAT_EARLIER)
            describe_named(rq, all, n, in->users[i].name, again[i] != REPEAT_NONE,
                           &out->results[out->results_count++]);
    }
    request_reply(rq);
}

/* --- alter ------------------------------------------------------------------------------------ */

typedef struct alter_user_scram_credentials_response_user altered;

static altered *row_of(struct alter_user_scram_credentials_response *out, struct slice user)
{
    for (int32_t i = 0; i < out->results_count; i++) {
        if (slice_eq(out->results[i].user, user))
            return &out->results[i];
    }
    altered *row = &out->results[out->results_count++];
    row->user = user;
    return row;
}

static void refuse(altered *row, int16_t code, struct slice text)
{
    if (row->error_code)
        return; /* the first one is told */
    row->error_code = code;
    row->error_message = text;
}

static bool check_names(altered *row, struct slice user, int8_t mechanism)
{
    if (user.n == 0)
        refuse(row, KERR_UNACCEPTABLE_CREDENTIAL, SL("Username must not be empty"));
    else if (!scram_hash_size((enum scram_mechanism)mechanism))
        refuse(row, KERR_UNSUPPORTED_SASL_MECHANISM, SL("Unknown SCRAM mechanism"));
    return !row->error_code;
}

static void take_deletion(struct request *rq,
                          const struct alter_user_scram_credentials_request_deletion *d,
                          struct scram_change *c)
{
    struct scram_credential now;
    altered *row = row_of(rq->out, d->name);
    *c = (struct scram_change){
        .user = d->name, .mechanism = (enum scram_mechanism)d->mechanism, .remove = true};
    if (!row->error_code && check_names(row, d->name, d->mechanism) &&
        !scram_store_find(rq->broker->security.scram, d->name, c->mechanism, &now))
        refuse(row, KERR_RESOURCE_NOT_FOUND,
               SL("Attempt to delete a user credential that does not exist"));
}

static void take_upsertion(struct request *rq,
                           const struct alter_user_scram_credentials_request_upsertion *u,
                           struct scram_change *c)
{
    altered *row = row_of(rq->out, u->name);
    *c = (struct scram_change){.user = u->name, .mechanism = (enum scram_mechanism)u->mechanism};
    if (row->error_code || !check_names(row, u->name, u->mechanism))
        return;
    if (u->iterations < SCRAM_ITERATIONS_MIN)
        refuse(row, KERR_UNACCEPTABLE_CREDENTIAL, SL("Too few iterations"));
    else if (u->iterations > SCRAM_ITERATIONS_MAX)
        refuse(row, KERR_UNACCEPTABLE_CREDENTIAL, SL("Too many iterations"));
    else if (scram_credential_make(&c->credential, c->mechanism, u->iterations, u->salt,
                                   u->salted_password) != E_OK)
        refuse(row, KERR_UNACCEPTABLE_CREDENTIAL,
               SL("The salt or the salted password has not the size that the mechanism asks for"));
}

static void alter(void *arg)
{
    struct request *rq = arg;
    const struct alter_user_scram_credentials_request *in = rq->in;
    struct alter_user_scram_credentials_response *out = rq->out;
    int32_t n = MAX(in->deletions_count, 0) + MAX(in->upsertions_count, 0);
    struct scram_change *v = arena_calloc(&rq->arena, (size_t)n + 1, sizeof *v);
    struct error e;
    int32_t k = 0;
    size_t good = 0;
    bool allowed = request_allowed_cluster(rq, ACL_ALTER);
    out->results = alter_user_scram_credentials_response_user_array(&rq->arena, n);
    for (int32_t i = 0; i < in->deletions_count; i++)
        take_deletion(rq, &in->deletions[i], &v[k++]);
    for (int32_t i = 0; i < in->upsertions_count; i++)
        take_upsertion(rq, &in->upsertions[i], &v[k++]);
    for (int32_t i = 0; i < n; i++) {
        for (int32_t j = 0; j < i; j++) {
            if (v[i].mechanism == v[j].mechanism && slice_eq(v[i].user, v[j].user))
                refuse(row_of(out, v[i].user), KERR_DUPLICATE_RESOURCE,
                       SL("A user credential cannot be altered twice in the same request"));
        }
    }
    for (int32_t i = 0; i < n; i++) {
        altered *row = row_of(out, v[i].user);
        if (!allowed) {
            row->error_code = KERR_CLUSTER_AUTHORIZATION_FAILED;
            row->error_message = slice_cstr(kerr_message(row->error_code));
        } else if (!row->error_code) {
            v[good++] = v[i];
        }
    }
    enum err r = good ? scram_store_change(rq->broker->security.scram, v, good, &e) : E_OK;
    if (r != E_OK) {
        LOG_ERR(LOG_BROKER, LOG_L_ERROR, &e, "SCRAM credentials could not be stored");
        for (size_t i = 0; i < good; i++)
            refuse(row_of(out, v[i].user), KERR_KAFKA_STORAGE_ERROR, SLICE_NULL);
    }
    mem_wipe(v, ((size_t)n + 1) * sizeof *v);
}

void api_alter_scram(struct request *rq)
{
    const struct alter_user_scram_credentials_request *in = rq->in;
    if (MAX(in->deletions_count, 0) + (int64_t)MAX(in->upsertions_count, 0) > CHANGES_MAX) {
        request_close(rq, "too many credentials in one request");
        return;
    }
    pool_submit(rq->broker->pool, rq->broker->security.scram, alter, rq->bl->loop, reply, rq);
}
