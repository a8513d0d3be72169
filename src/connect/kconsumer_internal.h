/* connect/kconsumer_internal.h - the inside of a member of a group on the embedded broker:
 * kconsumer_embedded.c (life, membership, topics, calls), kconsumer_read.c (what its partitions' logs
 * have). Thread: the task's, but for kconsumer_give_up. */
#ifndef WEIR_CONNECT_KCONSUMER_INTERNAL_H
#define WEIR_CONNECT_KCONSUMER_INTERNAL_H

#include "base/arena.h"
#include "base/regex.h"
#include "broker/member.h"
#include "broker/proto/batch.h"
#include "connect/kclient_embedded.h"

enum kreset { RESET_EARLIEST, RESET_LATEST, RESET_NONE };

struct kheld {
    struct kassigned a;
    struct broker_target *target; /* NULL: the topic is not there */
};
struct kcount {
    struct slice name;
    int32_t partitions; /* 0: not there */
};
struct ksource { /* batches of one part that are being given out */
    size_t part;
    struct strbuf bytes;
    struct slice rest;
    struct batch_iter it;
    bool open, in_batch;
    int64_t next; /* position after the bytes */
    struct arena arena;
    struct broker_aborted *aborted;
    size_t aborted_count;
};

struct kconsumer {
    struct kclient *k;
    struct kconsumer_spec spec;
    char *group, *client_id, *topics;
    struct regex *regex;
    enum kreset reset;
    bool committed_only;
    int64_t max_records;
    struct broker_member *member;
    bool joined, rejoin, lost, paused, made_topics;
    int64_t checked_at;
    int64_t generation; /* of the broker's topics, when they were looked at */
    struct arena arena; /* of what is known since the last join */
    struct kcount *known;
    size_t known_count;
    struct kheld *parts;
    struct kassigned *view; /* for kconsumer_assignment */
    size_t count, turn;
    struct ksource source;
};

/* Where reading begins when the group has committed nothing, or the log has it no more. */
enum err kconsumer_first_position(struct kconsumer *c, struct kheld *p, struct error *e) MUST_CHECK;
/* Gives what there is of the partitions in turn, at most max_records; out has room for these. */
enum err kconsumer_read(struct kconsumer *c, struct arena *a, struct krecord *out, size_t *count,
                        struct error *e) MUST_CHECK;
void kconsumer_close_source(struct ksource *s);

#endif
