/* broker/api/share_acknowledge.h - members of share groups say what became of records, in requests of two
 * kinds. Thread: the connection's loop. SPEC: broker 8.5. */
#ifndef WEIR_BROKER_API_SHARE_ACKNOWLEDGE_H
#define WEIR_BROKER_API_SHARE_ACKNOWLEDGE_H

#include "broker/api/api.h"
#include "broker/group/share_groups.h"

bool share_ids_are_bad(struct slice group, struct slice member);
/* The partition, if this client may read it here: *out is a new reference, or NULL. KERR_NONE or a code. */
int16_t share_open_partition(struct request *rq, const struct share_key *key,
                             struct partition **out);

struct ack_batch { /* what the two requests have in common */
    int64_t first, last;
    const int8_t *types;
    int32_t count;
};
/* Takes the batches as far as they are right. When something has changed it is stored: *open goes up,
 * and done(arg, code) comes on the loop. KERR_NONE, or what the first bad batch is refused for. */
int16_t share_take_acks(struct share_groups *shares, struct share_state *st, struct slice member,
                        const struct ack_batch *v, int32_t n, struct loop *loop, db_done_fn done,
                        void *arg, int *open);

#endif
