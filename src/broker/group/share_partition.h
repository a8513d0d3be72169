/* broker/group/share_partition.h - one partition as a share group sees it: which records are free, held by
 * a member, done, or given up (KIP-932).
 *
 *                +--- release, lock runs out (below the delivery limit) ---+
 *                v                                                         |
 *   (new) --> AVAILABLE ------------- acquire ----------------------> ACQUIRED --accept--> DONE
 *                |                                                         |
 *                +--- gap ------------------------------> GIVEN_UP <-- reject, gap, delivery limit
 *
 * Everything below `start` is over; from `end` on nothing was touched yet. Between them ranges of
 * equal fate lie side by side without holes. Pure state: no I/O, and time is an argument (monotonic
 * ms). Lock: the owner's (share_groups.h). SPEC: broker 8.5. */
#ifndef WEIR_BROKER_GROUP_SHARE_PARTITION_H
#define WEIR_BROKER_GROUP_SHARE_PARTITION_H

#include "base/base.h"
#include "base/err.h"
#include "base/str.h"

#define SHARE_MEMBER_MAX 40 /* longest member id */

enum share_fate { SHARE_AVAILABLE, SHARE_ACQUIRED, SHARE_DONE, SHARE_GIVEN_UP };
struct share_range {
    int64_t first, last;
    enum share_fate state;
    int16_t deliveries;
    int64_t deadline_ms; /* ACQUIRED: the lock */
    char member[SHARE_MEMBER_MAX + 1];
};
struct share_partition {
    int64_t start, end;
    struct share_range *v;
    size_t n, cap;
    int32_t max_locks, delivery_limit;
};
struct share_acquired {
    int64_t first, last;
    int16_t deliveries;
};
enum share_ack { SHARE_ACK_GAP, SHARE_ACK_ACCEPT, SHARE_ACK_RELEASE, SHARE_ACK_REJECT };

void share_partition_init(struct share_partition *p, int64_t start, int32_t max_locks,
                          int32_t delivery_limit);
void share_partition_release(struct share_partition *p);
/* Begins anew at `start`, as an administrator asks. */
void share_partition_reset(struct share_partition *p, int64_t start);

/* Where the next read begins: the first record that is free, or the end. */
int64_t share_next(const struct share_partition *p);
/* Whether an acquire could give something if the log has it. */
bool share_has_room(const struct share_partition *p);

/* Gives the member free records within [first, last], at most `max`; writes at most `out_max` runs
 * and returns how many. */
size_t share_acquire(struct share_partition *p, struct slice member, int64_t first, int64_t last,
                     int64_t max, int64_t deadline_ms, struct share_acquired *out, size_t out_max);
/* Free records within [first, last] that the log does not have, or that nobody is to see. */
void share_give_up(struct share_partition *p, int64_t first, int64_t last);
/* types: one for all, or one a record. KERR_NONE, INVALID_RECORD_STATE (not all of them are held by
 * the member; nothing was changed) or INVALID_REQUEST. */
int16_t share_acknowledge(struct share_partition *p, struct slice member, int64_t first,
                          int64_t last, const int8_t *types, int32_t count) MUST_CHECK;
/* Everything the member holds becomes free. True: there was something. */
bool share_release_member(struct share_partition *p, struct slice member);
/* Locks that ran out. True: there were some. */
bool share_expire(struct share_partition *p, int64_t now);
int64_t share_next_deadline(const struct share_partition *p); /* INT64_MAX: none */
/* The log begins here now. */
void share_log_start(struct share_partition *p, int64_t log_start);
/* A power cut has taken what came from here on; what is written there next is new. True: the group had
 * got that far. */
bool share_log_end(struct share_partition *p, int64_t log_end);

/* What is kept of it, versions 1: i8 version, u32 count, {i64 first, i64 last, i8 state, i16
 * deliveries}. Held records are written as free ones, with their deliveries. */
void share_encode(const struct share_partition *p, struct strbuf *out);
/* Into a partition that was just initialised. E_CORRUPT: left as it was. */
enum err share_decode(struct share_partition *p, struct slice bytes) MUST_CHECK;

#endif
