/* broker/brokers.h - the brokers that this process stands for: one, or the several of a lab
 * (lab.brokers), which share one log, one coordinator and one registry.
 *
 * What a client sees is a cluster: each broker has its listeners, leads its part of the partitions
 * and coordinates its part of the groups, and answers for no more. Stopping one closes its sockets,
 * moves leaders, shrinks ISRs; the records stay where they are. Placements live in the partitions
 * (partition_placement) and in SQLite; which brokers run is not kept: a start of weir starts all.
 *
 * Lock: `change` serialises everything that moves something, is held while the database or the disk
 * is waited for, and comes before the topic registry's. Reading takes none. Functions that change
 * block: pool or task threads, never a loop. SPEC: broker 0.2, 2.6. */
#ifndef WEIR_BROKER_BROKERS_H
#define WEIR_BROKER_BROKERS_H

#include "base/base.h"

#include <pthread.h>
#include <stdatomic.h>

#include "base/err.h"
#include "base/str.h"
#include "broker/placement.h"

struct broker;
struct broker_topic_spec;
struct partition;

enum coordinator_key { COORDINATOR_GROUP, COORDINATOR_TXN };
struct brokers {
    struct broker *b;
    int32_t first, count;   /* ids */
    _Atomic uint32_t alive; /* relaxed: bit i: broker first+i runs */
    pthread_mutex_t change;
    _Atomic int64_t isr_shrinks, isr_expands, elections, unclean_elections; /* for metrics */
};

/* After the topics are loaded, before anybody is served: every partition gets a place among the
 * brokers that there are now. */
enum err brokers_open(struct brokers *s, struct broker *b, struct error *e) MUST_CHECK;
void brokers_close(struct brokers *s);

static inline bool brokers_are_several(const struct brokers *s)
{
    return s->count > 1;
}
static inline struct broker_ids brokers_ids(const struct brokers *s)
{
    return (struct broker_ids){s->first, s->count,
                               atomic_load_explicit(&s->alive, memory_order_relaxed)};
}
static inline bool brokers_runs(const struct brokers *s, int32_t id)
{
    struct broker_ids ids = brokers_ids(s);
    return broker_ids_alive(&ids, id);
}
/* The first that runs; -1 when none does. */
int32_t brokers_controller(const struct brokers *s);
/* Who coordinates this group or transactional id: the leader of the partition of __consumer_offsets
 * or __transaction_state that its hash falls on (the controller as long as there is no such topic);
 * -1: nobody at the moment. */
int32_t brokers_coordinator(const struct brokers *s, enum coordinator_key kind, struct slice key);

/* Where partitions from.. of a topic go. factor is between 1 and count. `change` is held. */
enum err brokers_spread(struct brokers *s, int32_t factor, int32_t from, struct placement *out,
                        int32_t count, struct error *e) MUST_CHECK;

/* Replicas that an administrator names: known, once each. E_INVALID (39) with Kafka's words. */
enum err brokers_check_replicas(const struct brokers *s, const int32_t *ids, int32_t count,
                                struct error *e) MUST_CHECK;
/* E_NOT_FOUND: no such broker; E_CONFLICT: it is in that state already, or a port is taken. */
enum err brokers_stop_one(struct brokers *s, int32_t id, struct error *e) MUST_CHECK;
enum err brokers_start_one(struct brokers *s, int32_t id, struct error *e) MUST_CHECK;

/* Elections of all partitions (topic null; those that need none are not reported) or of one.
 * report is called for each result. */
typedef void (*brokers_elected_fn)(void *arg, struct slice topic, int32_t partition, int16_t code);
enum err brokers_elect(struct brokers *s, struct slice topic, int32_t partition, bool unclean,
                       brokers_elected_fn report, void *arg, struct error *e) MUST_CHECK;
/* New replicas of one partition. Kafka code in e->sys: 3, 39. */
enum err brokers_reassign(struct brokers *s, struct slice topic, int32_t partition,
                          const int32_t *ids, int32_t count, struct error *e) MUST_CHECK;

#endif
