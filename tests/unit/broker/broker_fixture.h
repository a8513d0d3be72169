/* tests/unit/broker/broker_fixture.h - a whole broker in the test process, with its database and
 * pool, and a client that speaks through the codec. */
#ifndef WEIR_TESTS_UNIT_BROKER_FIXTURE_H
#define WEIR_TESTS_UNIT_BROKER_FIXTURE_H

#include "base/arena.h"
#include "base/db.h"
#include "base/pool.h"
#include "broker/broker.h"
#include "broker/proto/codec.h"

struct broker_fixture {
    char *dir;
    struct broker_config config;
    struct db *db;
    struct pool *pool;
    struct broker *broker;
    int sock; /* one connection, -1 */
    int32_t correlation;
};
/* name: of its directory below test_dir(). options: pairs of names and values, ends with NULL.
 * Starting again on the same name finds what was there. False (and a failed check) when it does not
 * start. */
bool broker_fixture_start(struct broker_fixture *f, const char *name, const char *const *options);
void broker_fixture_stop(struct broker_fixture *f);

/* Sends a request and reads the answer of the same version; out is the response struct, its slices
 * point into the arena. False: no answer (connection closed) or one that does not decode. */
bool broker_call(struct broker_fixture *f, int16_t key, int16_t version, const void *in, void *out,
                 struct arena *a);
int broker_connect(struct broker_fixture *f); /* a socket of the caller's own */
bool broker_send(struct broker_fixture *f, int sock, int16_t key, int16_t version, const void *in);

#endif
