/* broker/diagnosis.h - clients that were told an address which they do not reach.
 *
 * Such a client fetches Metadata over its bootstrap connection again and again and never sends
 * anything else. One line in the log names the address that it was told and the settings that
 * change it. A table of a few addresses of peers, forgotten oldest first. Lock: inside, held for
 * moments, and only taken for Metadata and for a connection's first other request. Thread: any.
 * SPEC: broker 11.1. */
#ifndef WEIR_BROKER_DIAGNOSIS_H
#define WEIR_BROKER_DIAGNOSIS_H

#include "base/base.h"

#include <pthread.h>

#define DIAGNOSIS_PEERS 32
#define DIAGNOSIS_METADATA 10 /* Metadata requests without another one from that peer */

struct diagnosis {
    pthread_mutex_t lock;
    struct diagnosis_peer {
        char ip[46];
        int metadata;
        bool works, told;
        uint64_t used;
    } peers[DIAGNOSIS_PEERS];
    uint64_t clock;
};
void diagnosis_init(struct diagnosis *d);
void diagnosis_release(struct diagnosis *d);
/* The peer was answered Metadata with this address. True: now is the time to say so, once. */
bool diagnosis_metadata(struct diagnosis *d, const char *ip);
/* The peer sent something that only who has reached a broker sends. */
void diagnosis_works(struct diagnosis *d, const char *ip);

#endif
