/* broker/group/blocking.c - see blocking.h. */
#include "broker/group/blocking.h"

#include <time.h>

static void on_done(struct group_call *call)
{
    struct blocking *k = call->arg;
    pthread_mutex_lock(&k->lock);
    k->done = true;
    pthread_cond_signal(&k->changed); /* with the lock held: who waits may end k at once */
    pthread_mutex_unlock(&k->lock);
}

void blocking_init(struct blocking *k)
{
    pthread_condattr_t monotonic;
    memset(k, 0, sizeof *k);
    k->call.client_id = SL("weir");
    k->call.client_host = SL("/127.0.0.1");
    arena_init(&k->a, 0, ARENA_NO_BUDGET);
    pthread_mutex_init(&k->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&k->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
}

void blocking_release(struct blocking *k)
{
    arena_release(&k->a);
    pthread_cond_destroy(&k->changed);
    pthread_mutex_destroy(&k->lock);
}

void blocking_start(struct coord *c, struct blocking *k, coord_fn fn, const void *in, void *out,
                    int16_t version)
{
    k->call.version = version;
    k->call.arena = &k->a;
    k->call.in = in;
    k->call.out = out;
    k->call.done = on_done;
    k->call.arg = k;
    coord_submit(c, fn, &k->call);
}

bool blocking_wait(struct blocking *k, int64_t ms)
{
    struct timespec until;
    int rc = 0;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += ms / 1000;
    until.tv_nsec += ms % 1000 * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    pthread_mutex_lock(&k->lock);
    while (!k->done && rc == 0)
        rc = ms < 0 ? pthread_cond_wait(&k->changed, &k->lock)
                    : pthread_cond_timedwait(&k->changed, &k->lock, &until);
    bool done = k->done;
    k->done = false;
    pthread_mutex_unlock(&k->lock);
    return done;
}

void blocking_run(struct coord *c, struct blocking *k, coord_fn fn, const void *in, void *out,
                  int16_t version)
{
    blocking_start(c, k, fn, in, out, version);
    (void)blocking_wait(k, -1);
}

/* One topic row per run of equal names. */
int16_t group_commit_call(struct coord *c, struct blocking *k, struct slice group,
                          int32_t generation, struct slice member_id,
                          const struct broker_group_offset *offsets, size_t count)
{
    struct offset_commit_request in;
    struct offset_commit_response out;
    offset_commit_request_init(&in);
    offset_commit_response_init(&out);
    in.group_id = group;
    in.generation_id_or_member_epoch = generation;
    in.member_id = member_id;
    in.topics = offset_commit_request_topic_array(&k->a, (int32_t)count);
    struct offset_commit_request_partition *rows =
        offset_commit_request_partition_array(&k->a, (int32_t)count);
    for (size_t i = 0; i < count; i++) {
        rows[i].partition_index = offsets[i].partition;
        rows[i].committed_offset = offsets[i].offset;
        rows[i].committed_leader_epoch = offsets[i].leader_epoch;
        rows[i].committed_metadata = offsets[i].metadata;
        if (i == 0 || !slice_eq(offsets[i].topic, offsets[i - 1].topic)) {
            in.topics[in.topics_count].name = offsets[i].topic;
            in.topics[in.topics_count].partitions = &rows[i];
            in.topics_count++;
        }
        in.topics[in.topics_count - 1].partitions_count++;
    }
    blocking_run(c, k, coord_offset_commit, &in, &out, 9);
    int16_t code = KERR_NONE;
    for (int32_t t = 0; t < out.topics_count; t++) {
        for (int32_t p = 0; p < out.topics[t].partitions_count; p++) {
            if (code == KERR_NONE)
                code = out.topics[t].partitions[p].error_code;
        }
    }
    return code;
}
