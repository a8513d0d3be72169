/* tests/unit/broker/proto/random_msg.h - random messages of any description. */
#ifndef WEIR_TESTS_UNIT_BROKER_PROTO_RANDOM_MSG_H
#define WEIR_TESTS_UNIT_BROKER_PROTO_RANDOM_MSG_H

#include "broker/proto/messages.h"

struct random_msg {
    struct arena *a;
    uint64_t state;
    int16_t version;
    bool empty; /* nulls, defaults and empty arrays wherever they are allowed */
};

uint64_t random_msg_next(struct random_msg *g);
/* Fills a struct with values that its description allows in the version; the fields that the
 * version lacks get their defaults. */
void random_msg_fill(struct random_msg *g, const struct struct_desc *d, void *out);

#endif
