/* broker/placement.h - which brokers have a partition: replicas, in-sync replicas, leader, epoch;
 * and the rules by which that changes when brokers stop and start.
 *
 * Plain values without I/O or lock: partition.h keeps one for each partition, brokers.h decides
 * when they change. All brokers of a weir share one log, so a replica that is there is complete;
 * the numbers change as Kafka's controller changes them. SPEC: broker 0.2, 2.6. */
#ifndef WEIR_BROKER_PLACEMENT_H
#define WEIR_BROKER_PLACEMENT_H

#include "base/base.h"
#include "base/err.h"
#include "base/str.h"

#define BROKERS_MAX 8
#define REPLICAS_MAX BROKERS_MAX

/* Ids first .. first+count-1; bit i of alive: broker first+i runs. */
struct broker_ids {
    int32_t first, count;
    uint32_t alive;
};
static inline bool broker_ids_has(const struct broker_ids *b, int32_t id)
{
    return id >= b->first && id < b->first + b->count;
}
static inline bool broker_ids_alive(const struct broker_ids *b, int32_t id)
{
    return broker_ids_has(b, id) && (b->alive >> (id - b->first) & 1);
}

struct placement {
    int32_t leader; /* -1: none, the partition is offline */
    int32_t epoch;  /* leader epoch; grows with each change of leader */
    int32_t replica_count, isr_count, elr_count;
    int32_t replicas[REPLICAS_MAX]; /* the preferred leader first */
    int32_t isr[REPLICAS_MAX];      /* in sync, in order of joining; empty when offline */
    int32_t elr[REPLICAS_MAX]; /* left the ISR when it was below min.insync.replicas: may lead */
};

void placement_single(struct placement *p, int32_t node);
bool placement_has_replica(const struct placement *p, int32_t id);
bool placement_in_sync(const struct placement *p, int32_t id);
/* Replicas that do not run. out has room for REPLICAS_MAX. */
int32_t placement_offline(const struct placement *p, const struct broker_ids *b, int32_t *out);

/* Partitions 0..count-1 of a new topic (or further ones from `from`): leaders go round, followers
 * shift, as Kafka assigns them. start: where the first leader is; factor <= b->count. Brokers that
 * do not run are followers at most. False: no broker runs. */
bool placement_spread(const struct broker_ids *b, uint32_t start, int32_t factor, int32_t from,
                      struct placement *out, int32_t count);
/* Replicas as given by an administrator; those that run are in sync. False: none of them runs. */
bool placement_manual(const struct broker_ids *b, const int32_t *ids, int32_t count,
                      struct placement *out);

/* What of the topic's configuration has a say. */
struct placement_rules {
    int32_t min_isr; /* min.insync.replicas */
    bool unclean;    /* unclean.leader.election.enable */
};
/* Each returns whether something changed. b: after the change. */
bool placement_stopped(struct placement *p, const struct broker_ids *b, int32_t id,
                       const struct placement_rules *rules);
bool placement_started(struct placement *p, const struct broker_ids *b, int32_t id);
/* After a start of weir, when all brokers run: replicas that do not exist any more go, everybody is
 * in sync again, and there is a leader. start: as for placement_spread, when no replica is left. */
bool placement_adopt(struct placement *p, const struct broker_ids *b, uint32_t start);
/* Other replicas: done at once, as they share one log. At least one of ids runs. */
bool placement_reassign(struct placement *p, const struct broker_ids *b, const int32_t *ids,
                        int32_t count);
/* Elections on request; KERR_NONE when the leader changed, else Kafka's reason (84, 80, 83). */
int16_t placement_elect(struct placement *p, const struct broker_ids *b, bool unclean);

/* As text for the store: "1,2,3/2,3/1/2/5" (replicas, ISR, ELR, leader, epoch), ';' between
 * partitions. */
void placement_print(const struct placement *v, int32_t count, struct strbuf *out);
/* The first `count` partitions of the text; those it does not have get no replicas. E_CORRUPT when
 * it makes no sense. */
enum err placement_parse(struct slice text, struct placement *v, int32_t count) MUST_CHECK;

#endif
