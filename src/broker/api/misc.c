/* broker/api/misc.c - calls of tools and user interfaces that one node answers in a few lines.
 * SPEC: broker 2.6, 11.5. */
#include "broker/api/api.h"

#include "base/base.h"

/* --- what this node never has
 * --------------------------------------------------------------------- */

void api_describe_client_quotas(struct request *rq)
{
    struct describe_client_quotas_response *out = rq->out;
    out->entries_count = 0;
    out->entries = describe_client_quotas_response_entry_array(&rq->arena, 0);
    request_reply(rq);
}
