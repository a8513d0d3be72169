/* broker/group/consumer_bytes.h - what members of the classic protocol with type "consumer" put into
 * their metadata and assignments: bytes that the broker passes on unread, except where a group
 * changes its protocol while members are there. SPEC: broker 8.1, 8.4. Pure; thread: any. */
#ifndef WEIR_BROKER_GROUP_CONSUMER_BYTES_H
#define WEIR_BROKER_GROUP_CONSUMER_BYTES_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

struct consumer_partitions { /* of one topic */
    struct slice topic;
    int32_t *partitions;
    int32_t count;
};
struct consumer_list {
    struct consumer_partitions *v;
    size_t n;
};
struct consumer_subscription {
    int16_t version;
    struct slice *topics;
    int32_t topic_count;
    struct consumer_list owned; /* none before version 1 */
    struct slice rack;          /* null before version 3 */
};

/* Texts are slices of the input, arrays are in the arena. E_CORRUPT, E_TRUNCATED. */
enum err consumer_subscription_read(struct slice bytes, struct arena *a,
                                    struct consumer_subscription *out) MUST_CHECK;
/* Whether the subscription names the topic; one that cannot be read may. Needs no memory. */
bool consumer_subscription_names(struct slice bytes, struct slice topic);
/* No bytes at all are an empty list. */
enum err consumer_assignment_read(struct slice bytes, struct arena *a,
                                  struct consumer_list *out) MUST_CHECK;
void consumer_assignment_write(const struct consumer_list *l, int16_t version, struct strbuf *out);

#endif
