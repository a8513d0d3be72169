/* broker/group/blocking.h - one call to the group coordinator from a thread that waits for the answer.
 * Thread: any but the coordinator's loop. */
#ifndef WEIR_BROKER_GROUP_BLOCKING_H
#define WEIR_BROKER_GROUP_BLOCKING_H

#include "base/base.h"

#include <pthread.h>

#include "broker/group/coord.h"

struct blocking {
    struct group_call call;
    struct arena a; /* of in and out */
    pthread_mutex_t lock;
    pthread_cond_t changed; /* by the monotonic clock */
    bool done;              /* answered, and not waited for yet */
};
void blocking_init(struct blocking *k);
void blocking_release(struct blocking *k);
/* Sends it; blocking_wait must come to true before `in`, `out` and k may go. Only client_id and
 * client_host of k->call are kept from before. */
void blocking_start(struct coord *c, struct blocking *k, coord_fn fn, const void *in, void *out,
                    int16_t version);
bool blocking_wait(struct blocking *k, int64_t ms); /* true: it is answered; -1 for ever */
/* Both. */
void blocking_run(struct coord *c, struct blocking *k, coord_fn fn, const void *in, void *out,
                  int16_t version);
/* OffsetCommit of one group: the first error code, or 0. count <= INT32_MAX. */
int16_t group_commit_call(struct coord *c, struct blocking *k, struct slice group,
                          int32_t generation, struct slice member_id,
                          const struct broker_group_offset *offsets, size_t count);

#endif
