/* broker/security/throttle.c - see throttle.h. */
#include "broker/security/throttle.h"

#include "base/base.h"
#include "base/clock.h"
#include "broker/broker_state.h"
#include "broker/dispatch.h"
#include "broker/security/quota.h"

static size_t fetched_bytes(const struct fetch_response *out)
{
    size_t n = 0;
    for (int32_t i = 0; i < out->responses_count; i++) {
        for (int32_t p = 0; p < out->responses[i].partitions_count; p++)
            n += out->responses[i].partitions[p].records.n;
    }
    return n;
}

/* The field is there in most answers, from some version on. */
static void tell(struct request *rq, int64_t ms)
{
    const struct struct_desc *d = rq->api->response->body;
    int32_t v = (int32_t)MIN(ms, INT32_MAX);
    for (size_t i = 0; i < d->field_count; i++) {
        if (!strcmp(d->fields[i].name, "throttle_time_ms"))
            memcpy((char *)rq->out + d->fields[i].at, &v, sizeof v);
    }
}

int64_t throttle_request(struct request *rq)
{
    struct quotas *q = rq->broker->quotas;
    const char *principal = rq->conn->principal;
    struct slice user = slice_cstr(principal ? principal + 5 : "ANONYMOUS");
    int64_t now = clock_mono_ms();
    /* Percent of a thread: 100 for a second of each second. */
    double percent = (double)rq->busy_us / 10000;
    int64_t wait = quotas_charge(q, user, rq->client_id, QUOTA_REQUEST_PERCENT, percent, now),
            more = 0;
    if (rq->api->key == KAPI_PRODUCE)
        more = quotas_charge(q, user, rq->client_id, QUOTA_PRODUCER_BYTES, (double)rq->frame_bytes,
                             now);
    else if (rq->api->key == KAPI_FETCH)
        more = quotas_charge(q, user, rq->client_id, QUOTA_CONSUMER_BYTES,
                             (double)fetched_bytes(rq->out), now);
    wait = MAX(wait, more);
    if (wait > 0)
        tell(rq, wait);
    return wait;
}
