/* broker/api/topics.c - CreateTopics, DeleteTopics, CreatePartitions, DescribeLogDirs,
 * DescribeProducers. Changes run on the pool: they wait for the database and for new directories.
 * SPEC: broker 2.6, 9. */
#include "broker/api/api.h"

#include "base/base.h"
#include "broker/api/repeats.h"
#include "broker/topic.h"

#include <sys/statvfs.h>

static void reply(void *arg)
{
    request_reply(arg);
}

int16_t api_code(enum err r, const struct error *e)
{
    if (r == E_OK)
        return KERR_NONE;
    if (r == E_IO)
        return KERR_KAFKA_STORAGE_ERROR;
    return e->sys ? (int16_t)e->sys : kerr_from_err(r);
}

/* Text for the client; null when the client's own text for the code says the same. */
static struct slice text_of(struct request *rq, int16_t code, const struct error *e)
{
    if (!e->msg[0] || !strcmp(e->msg, kerr_message(code)))
        return SLICE_NULL;
    return slice_cstr(arena_strdup(&rq->arena, e->msg));
}

/* --- CreateTopics ----------------------------------------------------------------------------- */

static enum err bad(struct error *e, int16_t code, const char *text)
{
    return kerr_error(e, E_INVALID, code, "%s", text);
}

/* Manual assignments: partitions 0..n-1, each once. With the clamp any node is this node. */
static enum err read_assignments(struct request *rq, const struct create_topics_request_topic *in,
                                 struct broker_topic_spec *spec, struct error *e)
{
    spec->partitions = in->num_partitions;
    if (in->assignments_count <= 0)
        return E_OK;
    if (in->replication_factor != -1)
        return bad(
            e, KERR_INVALID_REQUEST,
            "A manual partition assignment was specified, but replication factor was not set "
            "to -1.");
    if (in->num_partitions != -1)
        return bad(
            e, KERR_INVALID_REQUEST,
            "A manual partition assignment was specified, but numPartitions was not set to -1.");
    if (in->assignments_count > rq->broker->o->max_partitions)
        return bad(e, KERR_INVALID_PARTITIONS, "There are more partitions than max.partitions.");
    int32_t n = spec->partitions = in->assignments_count;
    const int32_t **ids = arena_calloc(&rq->arena, (size_t)n, sizeof *ids);
    int32_t *counts = arena_calloc(&rq->arena, (size_t)n, sizeof *counts);
    for (int32_t i = 0; i < n; i++) {
        const struct create_topics_request_assignment *a = &in->assignments[i];
        if (a->partition_index < 0 || a->partition_index >= n || ids[a->partition_index])
            return bad(e, KERR_INVALID_REPLICA_ASSIGNMENT,
                       "partitions should be a consecutive 0-based integer sequence");
        ids[a->partition_index] = a->broker_ids;
        counts[a->partition_index] = MAX(a->broker_ids_count, 0);
        struct slice why;
        int16_t code = api_check_replicas(rq, a->broker_ids, a->broker_ids_count,
                                          rq->broker->o->replication_factor_clamp, &why);
        if (code != KERR_NONE)
            return kerr_error(e, E_INVALID, code, PRI_SL, ARG_SL(why));
    }
    spec->assignments = ids;
    spec->assignment_counts = counts;
    return E_OK;
}

static enum err gather_configs(const struct create_topics_request_topic *in, struct strmap *out,
                               struct error *e)
{
    for (int32_t i = 0; i < in->configs_count; i++) {
        const struct create_topics_request_config *c = &in->configs[i];
        if (topic_option_is_ignored(c->name))
            continue;
        if (!c->value.p)
            return kerr_error(e, E_INVALID, KERR_INVALID_CONFIG,
                              "Null value not supported for topic configs: " PRI_SL,
                              ARG_SL(c->name));
        enum err r = topic_option_check(c->name, c->value, e);
        if (r != E_OK)
            return r;
        strmap_set(out, c->name, slice_trim(c->value));
    }
    return E_OK;
}

static void describe_created(struct request *rq, struct create_topics_response_topic *out,
                             const struct strmap *own, int32_t partitions)
{
    const struct create_topics_request *in = rq->in;
    const struct opt_row *rows = topic_option_rows();
    int32_t n = 0;
    struct topic *t = in->validate_only ? NULL : topics_get(rq->broker->topics, out->name);
    struct placement place = {.replica_count = 1};
    if (t) {
        struct partition *p = topic_partition(t, 0);
        out->topic_id = topic_id(t);
        partition_placement(p, &place);
        partition_unref(p);
    } else {
        uuid_random(&out->topic_id); /* what it might have been */
    }
    topic_unref(t);
    out->num_partitions = partitions > 0 ? partitions : rq->broker->o->num_partitions;
    out->replication_factor = (int16_t)place.replica_count;
    while (rows[n].name)
        n++;
    out->configs = create_topics_response_config_array(&rq->arena, n);
    out->configs_count = n;
    for (int32_t i = 0; i < n; i++) {
        struct broker_config_entry entry;
        broker_topic_config_entry(rq->broker, &rows[i], own, &rq->arena, &entry);
        out->configs[i].name = entry.name;
        out->configs[i].value = entry.value;
        out->configs[i].config_source = entry.source;
        out->configs[i].is_sensitive = entry.sensitive;
    }
}

static void create_one(struct request *rq, const struct create_topics_request_topic *in,
                       struct create_topics_response_topic *out)
{
    const struct create_topics_request *all = rq->in;
    struct strmap configs;
    struct error e;
    error_clear(&e);
    strmap_init(&configs);
    struct broker_topic_spec spec = {.name = in->name,
                                     .replication_factor = in->replication_factor,
                                     .configs = &configs,
                                     .validate_only = all->validate_only};
    enum err r = read_assignments(rq, in, &spec, &e);
    if (r == E_OK)
        r = gather_configs(in, &configs, &e);
    if (r == E_OK)
        r = broker_topic_create(rq->broker, &spec, &e);
    out->error_code = api_code(r, &e);
    if (r == E_OK)
        describe_created(rq, out, &configs, spec.partitions);
    else
        out->error_message = text_of(rq, out->error_code, &e);
    strmap_release(&configs);
}

static void create_topics(void *arg)
{
    struct request *rq = arg;
    const struct create_topics_request *in = rq->in;
    struct create_topics_response *out = rq->out;
    out->topics = create_topics_response_topic_array(&rq->arena, MAX(in->topics_count, 0));
    struct slice *names = repeats_keys(&rq->arena, in->topics_count);
    for (int32_t i = 0; i < in->topics_count; i++)
        names[i] = in->topics[i].name;
    const uint8_t *again = repeats_of(&rq->arena, names, in->topics_count);
    for (int32_t i = 0; i < in->topics_count; i++) {
        if (again[i] == REPEAT_EARLIER)
            continue;
        struct create_topics_response_topic *row = &out->topics[out->topics_count++];
        row->name = in->topics[i].name;
        if (again[i]) {
            row->error_code = KERR_INVALID_REQUEST;
            row->error_message = SL("Duplicate topic name.");
        } else {
            create_one(rq, &in->topics[i], row);
        }
    }
}

void api_create_topics(struct request *rq)
{
    pool_submit(rq->broker->pool, rq->broker->topics, create_topics, rq->bl->loop, reply, rq);
}

/* --- DeleteTopics ----------------------------------------------------------------------------- */

static void delete_one(struct request *rq, struct delete_topics_response_topic *row)
{
    struct error e;
    error_clear(&e);
    bool by_id = !row->name.p;
    if (by_id == uuid_is_zero(&row->topic_id)) {
        row->error_code = KERR_INVALID_REQUEST;
        row->error_message = by_id ? SL("Neither topic name nor id were specified.")
                                   : SL("You may not specify both topic name and topic id.");
        return;
    }
    if (by_id) {
        struct topic *t = topics_get_id(rq->broker->topics, &row->topic_id);
        if (!t) {
            row->error_code = KERR_UNKNOWN_TOPIC_ID;
            row->error_message = slice_cstr(kerr_message(row->error_code));
            return;
        }
        row->name = arena_dup(&rq->arena, topic_name(t));
        topic_unref(t);
    }
    if (!by_id) {
        struct topic *t = topics_get(rq->broker->topics, row->name);
        if (t)
            row->topic_id = topic_id(t);
        topic_unref(t);
    }
    enum err r = broker_topic_delete(rq->broker, row->name, &e);
    row->error_code = api_code(r, &e);
    if (row->error_code == KERR_TOPIC_DELETION_DISABLED && rq->version < 3)
        row->error_code = KERR_INVALID_REQUEST;
    if (r != E_OK) {
        row->error_message = text_of(rq, row->error_code, &e);
        if (!row->error_message.p)
            row->error_message = slice_cstr(kerr_message(row->error_code));
    }
}

static void delete_topics(void *arg)
{
    struct request *rq = arg;
    const struct delete_topics_request *in = rq->in;
    struct delete_topics_response *out = rq->out;
    int32_t n = rq->version >= 6 ? in->topics_count : in->topic_names_count;
    out->responses_count = MAX(n, 0);
    out->responses = delete_topics_response_topic_array(&rq->arena, out->responses_count);
    struct slice *keys = repeats_keys(&rq->arena, out->responses_count);
    for (int32_t i = 0; i < out->responses_count; i++) {
        out->responses[i].name = rq->version >= 6 ? in->topics[i].name : in->topic_names[i];
        if (rq->version >= 6)
            out->responses[i].topic_id = in->topics[i].topic_id;
        keys[i] = out->responses[i].name.p
                      ? out->responses[i].name
                      : slice_of(&out->responses[i].topic_id, sizeof(struct uuid));
    }
    const uint8_t *again = repeats_of(&rq->arena, keys, out->responses_count);
    for (int32_t i = 0; i < out->responses_count; i++) {
        if (again[i]) {
            out->responses[i].error_code = KERR_INVALID_REQUEST;
            out->responses[i].error_message = SL("Duplicate topic name.");
        } else {
            delete_one(rq, &out->responses[i]);
        }
    }
}

void api_delete_topics(struct request *rq)
{
    pool_submit(rq->broker->pool, rq->broker->topics, delete_topics, rq->bl->loop, reply, rq);
}

/* --- CreatePartitions ------------------------------------------------------------------------- */

static void add_one(struct request *rq, const struct create_partitions_request_topic *in,
                    struct create_partitions_response_topic *row)
{
    const struct create_partitions_request *all = rq->in;
    struct error e;
    error_clear(&e);
    struct topic *t = topics_get(rq->broker->topics, in->name);
    int32_t have = t ? topic_partition_count(t) : 0;
    bool known = t != NULL;
    topic_unref(t);
    if (known && in->assignments_count >= 0 && in->count > have &&
        in->assignments_count != in->count - have) {
        row->error_code = KERR_INVALID_REPLICA_ASSIGNMENT;
        row->error_message = slice_cstr(
            arena_printf(&rq->arena,
                         "Attempted to add %d additional partition(s), but only %d assignment(s) "
                         "were specified.",
                         in->count - have, in->assignments_count));
        return;
    }
    for (int32_t i = 0; known && in->count > have && i < in->assignments_count; i++) {
        row->error_code = api_check_replicas(
            rq, in->assignments[i].broker_ids, in->assignments[i].broker_ids_count,
            rq->broker->o->replication_factor_clamp, &row->error_message);
        if (row->error_code != KERR_NONE)
            return;
    }
    enum err r =
        all->validate_only
            ? topics_add_partitions(rq->broker->topics, in->name, in->count, NULL, true, &e)
            : broker_topic_add_partitions(rq->broker, in->name, in->count, &e);
    row->error_code = api_code(r, &e);
    if (r != E_OK)
        row->error_message = text_of(rq, row->error_code, &e);
}

static void create_partitions(void *arg)
{
    struct request *rq = arg;
    const struct create_partitions_request *in = rq->in;
    struct create_partitions_response *out = rq->out;
    out->results_count = MAX(in->topics_count, 0);
    out->results = create_partitions_response_topic_array(&rq->arena, out->results_count);
    struct slice *names = repeats_keys(&rq->arena, out->results_count);
    for (int32_t i = 0; i < out->results_count; i++)
        names[i] = in->topics[i].name;
    const uint8_t *again = repeats_of(&rq->arena, names, out->results_count);
    for (int32_t i = 0; i < out->results_count; i++) {
        out->results[i].name = in->topics[i].name;
        if (again[i]) {
            out->results[i].error_code = KERR_INVALID_REQUEST;
            out->results[i].error_message = SL("Duplicate topic name.");
        } else {
            add_one(rq, &in->topics[i], &out->results[i]);
        }
    }
}

void api_create_partitions(struct request *rq)
{
    pool_submit(rq->broker->pool, rq->broker->topics, create_partitions, rq->bl->loop, reply, rq);
}

/* --- DescribeLogDirs -------------------------------------------------------------------------- */

static void log_dir_partition(struct topic *t, int32_t id,
                              struct describe_log_dirs_response_topic *to)
{
    struct partition *p = topic_partition(t, id);
    if (!p)
        return;
    int32_t segments;
    struct describe_log_dirs_response_partition *row = &to->partitions[to->partitions_count++];
    row->partition_index = id;
    partition_size(p, &row->partition_size, &segments);
    partition_unref(p);
}

static void log_dir_all(struct request *rq, struct describe_log_dirs_response_dir *dir)
{
    struct topic **v;
    size_t n;
    if (topics_list(rq->broker->topics, &rq->arena, &v, &n) != E_OK)
        return;
    dir->topics_count = (int32_t)n;
    dir->topics = describe_log_dirs_response_topic_array(&rq->arena, dir->topics_count);
    for (size_t i = 0; i < n; i++) {
        int32_t count = topic_partition_count(v[i]);
        dir->topics[i].name = arena_dup(&rq->arena, topic_name(v[i]));
        dir->topics[i].partitions = describe_log_dirs_response_partition_array(&rq->arena, count);
        for (int32_t p = 0; p < count; p++)
            log_dir_partition(v[i], p, &dir->topics[i]);
        topic_unref(v[i]);
    }
}

static void log_dir_named(struct request *rq, struct describe_log_dirs_response_dir *dir)
{
    const struct describe_log_dirs_request *in = rq->in;
    dir->topics = describe_log_dirs_response_topic_array(&rq->arena, in->topics_count);
    for (int32_t i = 0; i < in->topics_count; i++) {
        const struct describe_log_dirs_request_topic *from = &in->topics[i];
        struct topic *t = topics_get(rq->broker->topics, from->topic);
        if (!t)
            continue;
        struct describe_log_dirs_response_topic *to = &dir->topics[dir->topics_count++];
        to->name = from->topic;
        to->partitions =
            describe_log_dirs_response_partition_array(&rq->arena, MAX(from->partitions_count, 0));
        for (int32_t p = 0; p < from->partitions_count; p++)
            log_dir_partition(t, from->partitions[p], to);
        topic_unref(t);
    }
}

static void describe_log_dirs(void *arg)
{
    struct request *rq = arg;
    const struct describe_log_dirs_request *in = rq->in;
    struct describe_log_dirs_response *out = rq->out;
    struct statvfs fs;
    enum config_source source;
    out->results_count = 1;
    out->results = describe_log_dirs_response_dir_array(&rq->arena, 1);
    struct describe_log_dirs_response_dir *dir = &out->results[0];
    dir->log_dir = broker_setting(&rq->broker->settings, SL("log.dirs"), &rq->arena, &source);
    const char *path = arena_printf(&rq->arena, PRI_SL, ARG_SL(dir->log_dir));
    if (statvfs(path, &fs) == 0) {
        dir->total_bytes = (int64_t)(fs.f_blocks * fs.f_frsize);
        dir->usable_bytes = (int64_t)(fs.f_bavail * fs.f_frsize);
    }
    if (in->topics_count < 0)
        log_dir_all(rq, dir);
    else
        log_dir_named(rq, dir);
}

void api_describe_log_dirs(struct request *rq)
{
    pool_submit(rq->broker->pool, NULL, describe_log_dirs, rq->bl->loop, reply, rq);
}
