/* tests/unit/broker/group/test_coord.c - the coordinator with a real database: offsets are acknowledged
 * after their commit, survive a restart, go with their group or topic, and expire. SPEC:
 * broker 8.2, 8.3 */
#include "broker/group/coord.h"

#include "base/base.h"
#include "base/log.h"
#include "base/mem.h"
#include "broker/broker.h"
#include "broker/group/coord_internal.h"
#include "broker/group/group_config.h"
#include "broker/resource_config.h"
#include "helpers.h"

#include <semaphore.h>
#include <unistd.h>

static struct db *db;
static struct coord *coord;
static struct arena arena;
static char *db_path;
static int db_number;

static bool partition_exists(void *arg, struct slice topic, int32_t partition)
{
    (void)arg;
    return !slice_eq(topic, SL("nowhere")) && partition >= 0 && partition < 3;
}

static struct broker_options options;
static struct resource_configs resources;
static const struct group_configs configs = {&options, &resources};

static bool no_topic(void *arg, struct slice name, struct uuid *id, int32_t *partitions)
{
    (void)arg, (void)name, (void)id, (void)partitions;
    return false;
}

static void each_topic(void *arg, void (*fn)(void *to, struct slice name), void *to)
{
    (void)arg, (void)fn, (void)to;
}

static int64_t topics_now(void *arg)
{
    (void)arg;
    return 1;
}

static bool after_a_crash;

/* t-0 ends at 20 now, t-1 at 7; others were not touched. */
static int64_t recovered_end(void *arg, struct slice topic, int32_t partition)
{
    (void)arg;
    return !slice_eq(topic, SL("t")) || partition > 1 ? -1 : partition == 0 ? 20 : 7;
}

static void open_coord(int64_t retention_ms, int64_t check_ms)
{
    struct error e;
    static const struct db_migrations *const migrations[] = {&broker_state_migrations, NULL};
    struct coord_options o = {
        .rules = {.min_session_timeout_ms = 10, .max_session_timeout_ms = 60000, .max_size = 100},
        .offset_metadata_max_bytes = 20,
        .offsets_retention_ms = retention_ms,
        .offsets_check_ms = check_ms,
        .configs = &configs,
        .topics = {no_topic, each_topic, topics_now, NULL, NULL},
        .consumer_max_size = 10,
        .share_max_size = 10,
        .may_upgrade = true,
        .may_downgrade = true,
        .partition_exists = partition_exists,
        .recovered_end = after_a_crash ? recovered_end : NULL};
    CHECK_OK(db_open(&db, db_path, false, migrations, &e));
    opt_defaults(broker_option_rows(), &options);
    CHECK_OK(resource_configs_init(&resources, db, &e));
    CHECK_OK(coord_start(&coord, &o, db, &e));
}

static void close_coord(void)
{
    coord_quiesce(coord);
    coord_stop(coord);
    resource_configs_release(&resources);
    db_close(db);
}

static void begin(void)
{
    (void)!log_set_level("broker.group", LOG_L_ERROR);
    arena_init(&arena, 0, ARENA_NO_BUDGET);
    db_path = xasprintf("%s/coord-%d.db", test_dir(), db_number++);
    open_coord(INT32_MAX, 0);
}

static void end(void)
{
    close_coord();
    arena_release(&arena);
    mem_free(db_path);
}

struct waiter {
    struct group_call call;
    sem_t done;
};

static void waiter_done(struct group_call *call)
{
    sem_post(&((struct waiter *)call->arg)->done);
}

static void start(struct waiter *w, coord_fn fn, const void *in, void *out, int16_t version)
{
    sem_init(&w->done, 0, 0);
    w->call = (struct group_call){.version = version,
                                  .client_id = SL("c"),
                                  .client_host = SL("/h"),
                                  .arena = &arena,
                                  .in = in,
                                  .out = out,
                                  .done = waiter_done,
                                  .arg = w};
    coord_submit(coord, fn, &w->call);
}

static void run(coord_fn fn, const void *in, void *out, int16_t version)
{
    struct waiter w;
    start(&w, fn, in, out, version);
    sem_wait(&w.done);
    sem_destroy(&w.done);
}

static int16_t commit(const char *group, const char *topic, int32_t partition, int64_t offset,
                      const char *metadata, int32_t generation, const char *member)
{
    struct offset_commit_request in;
    struct offset_commit_response out;
    offset_commit_request_init(&in);
    offset_commit_response_init(&out);
    in.group_id = slice_cstr(group);
    in.generation_id_or_member_epoch = generation;
    in.member_id = slice_cstr(member);
    in.topics_count = 1;
    in.topics = offset_commit_request_topic_array(&arena, 1);
    in.topics[0].name = slice_cstr(topic);
    in.topics[0].partitions_count = 1;
    in.topics[0].partitions = offset_commit_request_partition_array(&arena, 1);
    in.topics[0].partitions[0].partition_index = partition;
    in.topics[0].partitions[0].committed_offset = offset;
    in.topics[0].partitions[0].committed_metadata = slice_cstr(metadata);
    run(coord_offset_commit, &in, &out, 8);
    return out.topics[0].partitions[0].error_code;
}

static struct offset_fetch_response_group *fetch_all(const char *group)
{
    struct offset_fetch_request in;
    struct offset_fetch_response *out = arena_alloc(&arena, sizeof *out);
    offset_fetch_request_init(&in);
    offset_fetch_response_init(out);
    in.groups_count = 1;
    in.groups = offset_fetch_request_group_array(&arena, 1);
    in.groups[0].group_id = slice_cstr(group);
    in.groups[0].topics_count = -1;
    run(coord_offset_fetch, &in, out, 8);
    return &out->groups[0];
}

static int64_t fetch_one(const char *group, const char *topic, int32_t partition)
{
    struct offset_fetch_request in;
    struct offset_fetch_response out;
    offset_fetch_request_init(&in);
    offset_fetch_response_init(&out);
    in.group_id = slice_cstr(group);
    in.topics_count = 1;
    in.topics = offset_fetch_request_topic_array(&arena, 1);
    in.topics[0].name = slice_cstr(topic);
    in.topics[0].partition_indexes_count = 1;
    in.topics[0].partition_indexes = &partition;
    run(coord_offset_fetch, &in, &out, 5);
    CHECK_INT(out.topics[0].partitions[0].error_code, 0); /* never an error for "nothing stored" */
    return out.topics[0].partitions[0].committed_offset;
}

static void test_commit_fetch_restart(void)
{
    begin();
    CHECK_INT(fetch_one("g", "t", 0), -1);
    CHECK_INT(commit("g", "t", 0, 42, "note", -1, ""), 0);
    CHECK_INT(commit("g", "t", 1, 7, NULL, -1, ""), 0);
    CHECK_INT(commit("g", "a", 0, 1, "", -1, ""), 0);
    CHECK_INT(commit("g", "t", 0, 43, "newer", -1, ""), 0);
    CHECK_INT(fetch_one("g", "t", 0), 43);
    close_coord();
    open_coord(INT32_MAX, 0);
    struct offset_fetch_response_group *all = fetch_all("g");
    CHECK_INT(all->topics_count, 2); /* sorted */
    CHECK_SLICE(all->topics[0].name, SL("a"));
    CHECK_INT(all->topics[1].partitions_count, 2);
    CHECK_INT(all->topics[1].partitions[0].committed_offset, 43);
    CHECK_SLICE(all->topics[1].partitions[0].metadata, SL("newer"));
    CHECK_SLICE(all->topics[1].partitions[1].metadata, SL("")); /* null was stored as empty */
    CHECK_INT(fetch_all("other")->topics_count, 0);
    end();
}

/* Who went on beyond the end would miss what is written there next. */
static void test_offsets_beyond_a_recovered_end(void)
{
    begin();
    CHECK_INT(commit("g", "t", 0, 43, "note", -1, ""), 0);
    CHECK_INT(commit("g", "t", 1, 7, NULL, -1, ""), 0);
    CHECK_INT(commit("g", "t", 2, 30, NULL, -1, ""), 0);
    CHECK_INT(commit("g", "a", 0, 50, "", -1, ""), 0);
    CHECK_INT(commit("h", "t", 0, 21, "", -1, ""), 0);
    close_coord();
    after_a_crash = true;
    open_coord(INT32_MAX, 0);
    after_a_crash = false;
    for (int round = 0; round < 2; round++) { /* in memory, and in the store */
        CHECK_INT(fetch_one("g", "t", 0), 20);
        CHECK_SLICE(fetch_all("g")->topics[1].partitions[0].metadata, SL("note"));
        CHECK_INT(fetch_one("g", "t", 1), 7);
        CHECK_INT(fetch_one("g", "t", 2), 30);
        CHECK_INT(fetch_one("g", "a", 0), 50);
        CHECK_INT(fetch_one("h", "t", 0), 20);
        close_coord();
        open_coord(INT32_MAX, 0);
    }
    end();
}

static void test_what_a_commit_is_refused_for(void)
{
    begin();
    CHECK_INT(commit("g", "nowhere", 0, 1, "", -1, ""), KERR_UNKNOWN_TOPIC_OR_PARTITION);
    CHECK_INT(commit("g", "t", 3, 1, "", -1, ""), KERR_UNKNOWN_TOPIC_OR_PARTITION);
    CHECK_INT(commit("g", "t", 0, 1, "longer than twenty bytes", -1, ""),
              KERR_OFFSET_METADATA_TOO_LARGE);
    CHECK_INT(commit("g", "t", 0, 1, "", 5, "m"), KERR_ILLEGAL_GENERATION); /* group not known */
    CHECK_INT(fetch_one("g", "t", 0), -1);
    CHECK_INT(commit("g", "t", 0, -5, "", -1, ""), 0); /* no range check */
    CHECK_INT(fetch_one("g", "t", 0), -5);
    end();
}

static int16_t delete_group(const char *group)
{
    struct delete_groups_request in;
    struct delete_groups_response out;
    struct slice name = slice_cstr(group);
    delete_groups_request_init(&in);
    delete_groups_response_init(&out);
    in.groups_names = &name;
    in.groups_names_count = 1;
    run(coord_delete_groups, &in, &out, 2);
    return out.results[0].error_code;
}

static void join_in(struct join_group_request *in, const char *group)
{
    join_group_request_init(in);
    in->group_id = slice_cstr(group);
    in->session_timeout_ms = 200;
    in->rebalance_timeout_ms = 1000;
    in->protocol_type = SL("sr"); /* any type is taken as it is */
    in->protocols_count = 1;
    in->protocols = join_group_request_protocol_array(&arena, 1);
    in->protocols[0].name = SL("v0");
}

static void test_members_offsets_and_deletion(void)
{
    begin();
    struct join_group_request in;
    struct join_group_response out;
    join_in(&in, "g");
    join_group_response_init(&out);
    run(coord_join_group, &in, &out, 1);
    CHECK_INT(out.error_code, 0);
    char member[128];
    snprintf(member, sizeof member, PRI_SL, ARG_SL(out.member_id));
    CHECK_INT(commit("g", "t", 0, 9, "", 1, member),
              KERR_REBALANCE_IN_PROGRESS); /* has not synced */
    CHECK_INT(commit("g", "t", 0, 9, "", -1, ""), KERR_UNKNOWN_MEMBER_ID);
    CHECK_INT(delete_group("g"), KERR_NON_EMPTY_GROUP);
    CHECK_INT(delete_group("no such"), KERR_GROUP_ID_NOT_FOUND);
    for (int i = 0; i < 100 && delete_group("g") == KERR_NON_EMPTY_GROUP; i++)
        usleep(20000); /* the session expires by the coordinator's own timer */
    CHECK_INT(delete_group("g"), KERR_GROUP_ID_NOT_FOUND);
    CHECK_INT(commit("h", "t", 0, 1, "", -1, ""), 0);
    CHECK_INT(delete_group("h"), 0);
    CHECK_INT(fetch_one("h", "t", 0), -1);
    close_coord();
    open_coord(INT32_MAX, 0);
    CHECK_INT(fetch_one("h", "t", 0), -1);
    CHECK_INT(coord_group_count(coord), 0);
    end();
}

static void test_offset_delete_and_topic_deletion(void)
{
    begin();
    CHECK_INT(commit("g", "t", 0, 1, "", -1, ""), 0);
    CHECK_INT(commit("g", "t", 1, 1, "", -1, ""), 0);
    CHECK_INT(commit("g", "u", 0, 1, "", -1, ""), 0);
    struct offset_delete_request in;
    struct offset_delete_response out;
    offset_delete_request_init(&in);
    offset_delete_response_init(&out);
    in.group_id = SL("g");
    in.topics_count = 1;
    in.topics = offset_delete_request_topic_array(&arena, 1);
    in.topics[0].name = SL("t");
    in.topics[0].partitions_count = 1;
    in.topics[0].partitions = offset_delete_request_partition_array(&arena, 1);
    in.topics[0].partitions[0].partition_index = 1;
    run(coord_offset_delete, &in, &out, 0);
    CHECK_INT(out.error_code, 0);
    CHECK_INT(out.topics[0].partitions[0].error_code, 0);
    CHECK_INT(fetch_one("g", "t", 1), -1);
    CHECK_INT(fetch_one("g", "t", 0), 1);
    coord_topic_deleted(coord, SL("t"));
    CHECK_INT(fetch_one("g", "t", 0), -1);
    CHECK_INT(fetch_one("g", "u", 0), 1);
    close_coord();
    open_coord(INT32_MAX, 0);
    CHECK_INT(fetch_one("g", "t", 0), -1);
    CHECK_INT(fetch_one("g", "u", 0), 1);
    in.group_id = SL("no such");
    run(coord_offset_delete, &in, &out, 0);
    CHECK_INT(out.error_code, KERR_GROUP_ID_NOT_FOUND);
    end();
}

static void test_expiry(void)
{
    begin();
    CHECK_INT(commit("g", "t", 0, 1, "", -1, ""), 0);
    close_coord();
    open_coord(-1, 20); /* everything is older than that */
    for (int i = 0; i < 100 && coord_group_count(coord); i++)
        usleep(20000);
    CHECK_INT(coord_group_count(coord), 0); /* offsets first, then the group without any */
    end();
}

static void test_views(void)
{
    begin();
    CHECK_INT(commit("simple", "t", 0, 1, "", -1, ""), 0);
    struct list_groups_request in;
    struct list_groups_response out;
    list_groups_request_init(&in);
    list_groups_response_init(&out);
    struct slice states[] = {SL("eMPTY")}, types[] = {SL("consumer")};
    in.states_filter = states;
    in.states_filter_count = 1;
    run(coord_list_groups, &in, &out, 5);
    CHECK_INT(out.groups_count, 1);
    CHECK_SLICE(out.groups[0].group_type, SL("classic"));
    CHECK_SLICE(out.groups[0].protocol_type, SL(""));
    in.types_filter = types;
    in.types_filter_count = 1;
    list_groups_response_init(&out);
    run(coord_list_groups, &in, &out, 5);
    CHECK_INT(out.groups_count, 0);

    struct describe_groups_request ask;
    struct describe_groups_response answer;
    struct slice names[] = {SL("simple"), SL("ghost")};
    describe_groups_request_init(&ask);
    describe_groups_response_init(&answer);
    ask.groups = names;
    ask.groups_count = 2;
    run(coord_describe_groups, &ask, &answer, 5);
    CHECK_SLICE(answer.groups[0].group_state, SL("Empty"));
    CHECK_SLICE(answer.groups[1].group_state, SL("Dead")); /* below version 6 no error */
    CHECK_INT(answer.groups[1].error_code, 0);
    run(coord_describe_groups, &ask, &answer, 6);
    CHECK_INT(answer.groups[1].error_code, KERR_GROUP_ID_NOT_FOUND);
    CHECK_SLICE(answer.groups[1].error_message, SL("Group ghost not found."));
    end();
}

static void test_stop_answers_what_is_parked(void)
{
    begin();
    struct join_group_request in, in2;
    struct join_group_response out, out2;
    struct waiter w;
    join_in(&in, "g");
    in.session_timeout_ms = 50000;
    join_group_response_init(&out);
    run(coord_join_group, &in, &out, 1);
    join_in(&in2, "g");
    in2.session_timeout_ms = 50000;
    join_group_response_init(&out2);
    start(&w, coord_join_group, &in2, &out2, 1);
    CHECK_INT(delete_group("g"), KERR_NON_EMPTY_GROUP); /* in step: the join is parked now */
    coord_quiesce(coord);
    sem_wait(&w.done);
    CHECK_INT(out2.error_code, KERR_COORDINATOR_NOT_AVAILABLE);
    CHECK_INT(commit("g", "t", 0, 1, "", -1, ""), KERR_COORDINATOR_NOT_AVAILABLE);
    end();
}

static int16_t heartbeat(const char *group, struct slice member, int32_t generation)
{
    struct heartbeat_request in;
    struct heartbeat_response out;
    heartbeat_request_init(&in);
    heartbeat_response_init(&out);
    in.group_id = slice_cstr(group);
    in.member_id = member;
    in.generation_id = generation;
    run(coord_heartbeat, &in, &out, 4);
    return out.error_code;
}

static void test_members_survive_a_restart(void)
{
    struct join_group_request join;
    struct join_group_response joined;
    struct sync_group_request sync;
    struct sync_group_response synced;
    begin();
    join_in(&join, "g");
    join.session_timeout_ms = 50000;
    join_group_response_init(&joined);
    run(coord_join_group, &join, &joined, 3);
    CHECK_INT(joined.error_code, 0);
    const char *id = arena_printf(&arena, PRI_SL, ARG_SL(joined.member_id));
    close_coord();
    open_coord(INT32_MAX, 0); /* in the first rebalance: there is no generation to come back to */
    CHECK_INT(heartbeat("g", slice_cstr(id), 1), KERR_UNKNOWN_MEMBER_ID);
    run(coord_join_group, &join, &joined, 3);
    CHECK_INT(joined.generation_id, 2);
    id = arena_printf(&arena, PRI_SL, ARG_SL(joined.member_id));
    sync_group_request_init(&sync);
    sync_group_response_init(&synced);
    sync.group_id = SL("g");
    sync.member_id = slice_cstr(id);
    sync.generation_id = 2;
    run(coord_sync_group, &sync, &synced, 3);
    CHECK_INT(synced.error_code, 0);
    close_coord();
    open_coord(INT32_MAX, 0);
    CHECK_INT(heartbeat("g", slice_cstr(id), 2), KERR_NONE);
    CHECK_INT(commit("g", "t", 0, 9, "", 2, id), KERR_NONE);
    CHECK_INT(commit("g", "t", 0, 9, "", -1, ""), KERR_UNKNOWN_MEMBER_ID);
    struct leave_group_request leave;
    struct leave_group_response left;
    leave_group_request_init(&leave);
    leave_group_response_init(&left);
    leave.group_id = SL("g");
    leave.member_id = slice_cstr(id);
    run(coord_leave_group, &leave, &left, 2);
    CHECK_INT(left.error_code, 0);
    close_coord();
    open_coord(INT32_MAX, 0); /* empty groups stay so */
    CHECK_INT(heartbeat("g", slice_cstr(id), 2), KERR_UNKNOWN_MEMBER_ID);
    CHECK_INT(fetch_one("g", "t", 0), 9);
    end();
}

/* --- groups of the new protocol --------------------------------------------------------------- */

static struct consumer_group_heartbeat_response *beat(const char *group, const char *regex)
{
    struct consumer_group_heartbeat_request in;
    struct consumer_group_heartbeat_response *out = arena_alloc(&arena, sizeof *out);
    struct slice topic = SL("t");
    consumer_group_heartbeat_request_init(&in);
    consumer_group_heartbeat_response_init(out);
    in.group_id = slice_cstr(group);
    in.member_id = SL("m");
    in.rebalance_timeout_ms = 60000;
    in.topic_partitions_count = 0;
    in.subscribed_topic_names = &topic;
    in.subscribed_topic_names_count = regex ? 0 : 1;
    in.subscribed_topic_regex = slice_cstr(regex);
    run(coord_consumer_heartbeat, &in, out, 1);
    return out;
}

static struct share_group_heartbeat_response share_beat(void)
{
    struct share_group_heartbeat_request in;
    struct share_group_heartbeat_response out;
    struct slice topic = SL("t");
    share_group_heartbeat_request_init(&in);
    share_group_heartbeat_response_init(&out);
    in.group_id = SL("s");
    in.member_id = SL("m");
    in.subscribed_topic_names = &topic;
    in.subscribed_topic_names_count = 1;
    run(coord_share_heartbeat, &in, &out, 1);
    return out;
}

static enum err hide_table(struct db *d, void *arg, struct error *e)
{
    (void)arg;
    return db_exec(d, db_stmt(d, "ALTER TABLE group_meta RENAME TO group_gone"), e);
}

static enum err show_table(struct db *d, void *arg, struct error *e)
{
    (void)arg;
    return db_exec(d, db_stmt(d, "ALTER TABLE group_gone RENAME TO group_meta"), e);
}

/* An epoch that is not in the store is told to nobody: after a crash it would come again. */
static void test_no_epoch_before_it_is_stored(void)
{
    struct error e;
    begin();
    (void)!log_set_level("broker.group", LOG_L_OFF);
    (void)!log_set_level("db", LOG_L_OFF);
    CHECK_OK(db_run(db, hide_table, NULL, &e));
    struct consumer_group_heartbeat_response *out = beat("g", NULL);
    CHECK_INT(out->error_code, KERR_COORDINATOR_NOT_AVAILABLE);
    CHECK_INT(out->member_epoch, 0);
    CHECK(!out->has_assignment);
    CHECK_INT(share_beat().error_code, KERR_COORDINATOR_NOT_AVAILABLE);
    CHECK_OK(db_run(db, show_table, NULL, &e));
    (void)!log_set_level("db", LOG_L_INFO);
    CHECK_INT(share_beat().error_code, KERR_NONE);
    out = beat("g", NULL);
    CHECK_INT(out->error_code, KERR_NONE);
    int32_t epoch = out->member_epoch;
    CHECK(epoch > 0);
    close_coord();
    open_coord(INT32_MAX, 0);
    out = beat("g", NULL);
    CHECK(out->member_epoch > epoch);
    end();
}

static void test_a_refused_join_makes_no_group(void)
{
    begin();
    CHECK_INT(beat("g", "foo(")->error_code, KERR_INVALID_REGULAR_EXPRESSION);
    CHECK_INT(coord_group_count(coord), 0);
    close_coord();
    open_coord(INT32_MAX, 0);
    CHECK_INT(coord_group_count(coord), 0); /* nor a row of it */
    CHECK_INT(beat("g", "foo.*")->error_code, KERR_NONE);
    CHECK_INT(beat("g", "foo(")->error_code, KERR_INVALID_REGULAR_EXPRESSION);
    CHECK_INT(coord_group_count(coord), 1);
    end();
}

/* A classic consumer in a stable generation 1; its id. */
static struct slice classic_consumer(const char *group)
{
    static const char subscription[] = "\0\0\0\0\0\1\0\1t\xff\xff\xff\xff";
    struct join_group_request join;
    struct join_group_response *joined = arena_alloc(&arena, sizeof *joined);
    struct sync_group_request sync;
    struct sync_group_response synced;
    join_in(&join, group);
    join.session_timeout_ms = 50000;
    join.protocol_type = SL("consumer");
    join.protocols[0].metadata = slice_of(subscription, sizeof subscription - 1);
    join_group_response_init(joined);
    run(coord_join_group, &join, joined, 3);
    CHECK_INT(joined->error_code, 0);
    sync_group_request_init(&sync);
    sync_group_response_init(&synced);
    sync.group_id = slice_cstr(group);
    sync.member_id = joined->member_id;
    sync.generation_id = joined->generation_id;
    run(coord_sync_group, &sync, &synced, 3);
    CHECK_INT(synced.error_code, 0);
    return joined->member_id;
}

static void test_a_refused_join_upgrades_no_group(void)
{
    begin();
    struct slice id = classic_consumer("g");
    CHECK_INT(beat("g", "foo(")->error_code, KERR_INVALID_REGULAR_EXPRESSION);
    CHECK_INT(heartbeat("g", id, 1), KERR_NONE); /* it notices nothing */
    CHECK_INT(beat("g", NULL)->error_code, KERR_NONE);
    CHECK_INT(heartbeat("g", id, 1), KERR_REBALANCE_IN_PROGRESS);
    end();
}

/* The timer of the group is never later than the first deadline in it; nor is it set anew for calls
 * that put deadlines off. Groups are the loop's: it looks. */
struct timer_look {
    const char *group;
    bool right;
    int64_t at;
};

static void look_at_timer(void *arg)
{
    struct timer_look *look = arg;
    const struct coord_group *cg = coord_entry(coord, slice_cstr(look->group));
    int64_t at = group_deadline(cg->g);
    if (cg->next)
        at = MIN(at, group_next_deadline(cg->next));
    look->at = cg->timer_at;
    look->right = at != INT64_MAX && cg->timer_at <= at;
}

static bool timer_is_right(const char *group)
{
    struct timer_look look = {group, false, 0};
    loop_call(coord->loop, look_at_timer, &look);
    return look.right;
}

static int64_t timer_at(const char *group)
{
    struct timer_look look = {group, false, 0};
    loop_call(coord->loop, look_at_timer, &look);
    return look.at;
}

static void test_timers(void)
{
    begin();
    CHECK_INT(beat("new", NULL)->error_code, KERR_NONE);
    CHECK(timer_is_right("new"));
    CHECK_INT(share_beat().error_code, KERR_NONE);
    CHECK(timer_is_right("s"));
    struct slice id = classic_consumer("g");
    CHECK(timer_is_right("g"));
    int64_t at = timer_at("g");
    usleep(5000);
    CHECK_INT(heartbeat("g", id, 1), KERR_NONE);
    CHECK_INT(timer_at("g"), at);
    CHECK_INT(beat("g", NULL)->error_code, KERR_NONE); /* an upgrade */
    CHECK(timer_is_right("g"));
    CHECK_INT(heartbeat("g", id, 1), KERR_REBALANCE_IN_PROGRESS);
    CHECK(timer_is_right("g")); /* it must join within its second */
    end();
}

/* Holds the loop until the member's session is over: no timer has run when the next call does. */
static void hold_the_loop(struct coord *c, struct group_call *call)
{
    (void)c;
    usleep(60000);
    call->done(call);
}

static void test_who_is_overdue_does_not_hold_a_group(void)
{
    struct join_group_request in;
    struct join_group_response out;
    struct waiter held, deletion;
    struct delete_groups_request delete;
    struct delete_groups_response deleted;
    struct slice name = SL("g");
    begin();
    join_in(&in, "g");
    in.session_timeout_ms = 50;
    in.group_instance_id = SL("static");
    join_group_response_init(&out);
    delete_groups_request_init(&delete);
    delete_groups_response_init(&deleted);
    delete.groups_names = &name;
    delete.groups_names_count = 1;
    run(coord_join_group, &in, &out, 5);
    CHECK_INT(out.error_code, 0);
    start(&held, hold_the_loop, NULL, NULL, 0);
    start(&deletion, coord_delete_groups, &delete, &deleted, 2);
    sem_wait(&held.done);
    sem_wait(&deletion.done);
    CHECK_INT(deleted.results[0].error_code, KERR_NONE);
    end();
}

static const struct test_case tests[] = {
    {"no epoch is told before it is stored", test_no_epoch_before_it_is_stored},
    {"a refused join makes no group", test_a_refused_join_makes_no_group},
    {"a refused join upgrades no group", test_a_refused_join_upgrades_no_group},
    {"timers of groups", test_timers},
    {"who is overdue does not hold a group", test_who_is_overdue_does_not_hold_a_group},
    {"members survive a restart", test_members_survive_a_restart},
    {"commit, fetch, restart", test_commit_fetch_restart},
    {"offsets beyond a recovered end", test_offsets_beyond_a_recovered_end},
    {"what a commit is refused for", test_what_a_commit_is_refused_for},
    {"members and deletion", test_members_offsets_and_deletion},
    {"deleting offsets and topics", test_offset_delete_and_topic_deletion},
    {"expiry", test_expiry},
    {"views", test_views},
    {"a stop answers what is parked", test_stop_answers_what_is_parked},
    {NULL, NULL},
};
const struct test_suite test_coord = {"broker/group/coord", tests, NULL, NULL};
