/* connect/kconsumer_embedded.c - a member of a group on the embedded broker: takes part in
 * rebalances, reads its partitions in turn from their logs.
 *
 * Between two rebalances the assignment is fixed: one kheld for each partition. Bytes of one of them at a
 * time are held (the source); a poll goes on with it where the last one stopped, then with the next.
 * See kconsumer_internal.h. SPEC: connect 8.2. */
#include "connect/kconsumer_internal.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/opt.h"
#include "connect/connector.h"

enum { POLL_RECORDS = 100000, CHECK_MS = 300, NOTHING_MS = 50 };

/* --- options ---------------------------------------------------------------------------------- */

static enum err int_option(const struct strmap *o, const char *name, int64_t least, int64_t *out,
                           struct error *e)
{
    struct slice text = slice_trim(strmap_get_c(o, name));
    if (!text.p)
        return E_OK;
    int64_t v;
    if (slice_to_i64(text, &v) != E_OK || v > INT32_MAX || v < INT32_MIN)
        return config_invalid(e, text, name, "Not a number of type INT");
    if (v < least)
        return config_invalid(e, text, name, "Value must be at least %lld", (long long)least);
    *out = v;
    return E_OK;
}

static enum err word_option(const struct strmap *o, const char *name, const char *const *words,
                            int *out, struct error *e)
{
    struct slice text = slice_trim(strmap_get_c(o, name));
    if (!text.p)
        return E_OK;
    for (int i = 0; words[i]; i++) {
        if (slice_ieq(text, slice_cstr(words[i]))) {
            *out = i;
            return E_OK;
        }
    }
    struct strbuf list = STRBUF_INIT;
    for (int i = 0; words[i]; i++)
        strbuf_addf(&list, "%s%s", i ? ", " : "", words[i]);
    enum err err = config_invalid(e, text, name, "String must be one of: %s", list.p);
    strbuf_release(&list);
    return err;
}

static enum err read_options(struct kconsumer *c, const struct strmap *o, int64_t *interval_ms,
                             struct error *e)
{
    static const char *const resets[] = {"earliest", "latest", "none", NULL};
    static const char *const levels[] = {"read_uncommitted", "read_committed", NULL};
    int reset = RESET_EARLIEST, level = 0;
    *interval_ms = 300000;
    c->max_records = 500;
    enum err err = word_option(o, "auto.offset.reset", resets, &reset, e);
    if (!err)
        err = word_option(o, "isolation.level", levels, &level, e);
    if (!err)
        err = int_option(o, "max.poll.records", 1, &c->max_records, e);
    if (!err)
        err = int_option(o, "max.poll.interval.ms", 1, interval_ms, e);
    c->max_records = MIN(c->max_records, POLL_RECORDS);
    c->reset = (enum kreset)reset;
    c->committed_only = level == 1;
    return err;
}

/* --- life ------------------------------------------------------------------------------------- */

static void drop_parts(struct kconsumer *c)
{
    kconsumer_close_source(&c->source);
    for (size_t i = 0; i < c->count; i++)
        broker_target_close(c->parts[i].target);
    c->parts = NULL;
    c->count = c->turn = c->known_count = 0;
    arena_reset(&c->arena);
}

enum err kconsumer_open(struct kconsumer **out, struct kclient *k, const struct kconsumer_spec *s,
                        struct error *e)
{
    struct kconsumer *c = xcalloc(1, sizeof *c);
    int64_t interval_ms;
    c->k = k;
    c->spec = *s;
    c->group = slice_dup(s->group);
    c->client_id = slice_dup(s->client_id);
    c->topics = s->topics.p ? slice_dup(s->topics) : NULL;
    c->rejoin = true;
    arena_init(&c->arena, 0, ARENA_NO_BUDGET);
    arena_init(&c->source.arena, 0, ARENA_NO_BUDGET);
    strbuf_init(&c->source.bytes, 0);
    enum err err = read_options(c, s->options, &interval_ms, e);
    if (!err && !s->topics.p)
        err = regex_compile(&c->regex, s->regex, 0, e);
    if (err) {
        kconsumer_close(c);
        return err;
    }
    c->member = broker_member_open(k->broker, s->group, s->client_id, (int32_t)interval_ms);
    *out = c;
    return E_OK;
}

void kconsumer_end(struct kconsumer *c)
{
    if (c && c->joined)
        c->spec.revoked(c->spec.arg, c->lost);
    if (c)
        c->joined = false;
}

void kconsumer_close(struct kconsumer *c)
{
    if (!c)
        return;
    kconsumer_end(c);
    broker_member_close(c->member);
    drop_parts(c);
    arena_release(&c->arena);
    arena_release(&c->source.arena);
    strbuf_release(&c->source.bytes);
    regex_free(c->regex);
    mem_free(c->group);
    mem_free(c->client_id);
    mem_free(c->topics);
    mem_free(c);
}

void kconsumer_give_up(struct kconsumer *c)
{
    broker_member_leave(c->member);
}

/* --- topics ----------------------------------------------------------------------------------- */

static int32_t partitions_of(struct kconsumer *c, struct slice topic)
{
    struct kclient_topic info;
    return kclient_describe(c->k, topic, &info, NULL) == E_OK ? info.partitions : 0;
}

/* As a client's request for metadata does when the broker allows it; only at the start, so that a
 * topic that somebody deletes stays deleted. */
static void make_missing(struct kconsumer *c, struct slice topic)
{
    struct arena a;
    struct broker_config_entry *v;
    size_t n;
    struct error e = {0};
    bool allowed = false;
    arena_init(&a, 0, ARENA_NO_BUDGET);
    if (broker_configs(c->k->broker, &a, &v, &n, &e) == E_OK)
        for (size_t i = 0; i < n; i++)
            if (slice_eq(v[i].name, SL("auto.create.topics.enable")))
                allowed = slice_eq(v[i].value, SL("true"));
    arena_release(&a);
    if (!allowed)
        return;
    enum err err = kclient_create(c->k, topic, -1, -1, NULL, &e);
    if (err && err != E_EXISTS)
        LOG_ERR(LOG_CONNECT_TASK, LOG_L_WARN, &e, "topic " PRI_SL " could not be created",
                ARG_SL(topic));
}

static void add_known(struct kcount *v, size_t *n, struct slice name, int32_t partitions)
{
    for (size_t i = 0; i < *n; i++)
        if (slice_eq(v[i].name, name))
            return;
    v[(*n)++] = (struct kcount){name, partitions};
}

/* What the subscription stands for now: names with commas, or all that match. */
static enum err look_at_topics(struct kconsumer *c, struct arena *a, struct kcount **out,
                               size_t *count, struct error *e)
{
    *count = 0;
    c->generation = broker_topics_generation(c->k->broker);
    if (c->topics) {
        struct slice all = slice_cstr(c->topics), rest = all, name;
        size_t n = 0;
        while (opt_list_next(&rest, &name))
            n++;
        *out = arena_alloc(a, (n + 1) * sizeof **out);
        for (rest = all; opt_list_next(&rest, &name);)
            add_known(*out, count, name, partitions_of(c, name));
        return E_OK;
    }
    struct broker_topic_info *topics;
    size_t n;
    enum err err = broker_topics(c->k->broker, a, &topics, &n, e);
    *out = arena_alloc(a, ((err ? 0 : n) + 1) * sizeof **out);
    for (size_t i = 0; i < n && !err; i++)
        if (!topics[i].internal && regex_matches(c->regex, topics[i].name))
            (*out)[(*count)++] = (struct kcount){topics[i].name, topics[i].partition_count};
    return err;
}

/* Topics came, went or grew: a leader assigns anew, others tell what they subscribe to now. A
 * partition whose topic was not there is looked for again. */
static enum err watch_topics(struct kconsumer *c, struct error *e)
{
    if (broker_topics_generation(c->k->broker) == c->generation)
        return E_OK;
    struct arena a;
    struct kcount *now;
    size_t n;
    arena_init(&a, 0, ARENA_NO_BUDGET);
    enum err err = look_at_topics(c, &a, &now, &n, e);
    bool names = n != c->known_count, counts = names;
    for (size_t i = 0; i < n && !names && !err; i++) {
        names = !slice_eq(now[i].name, c->known[i].name);
        counts |= now[i].partitions != c->known[i].partitions;
    }
    bool missing = false;
    for (size_t i = 0; i < c->count; i++)
        missing |= !c->parts[i].target;
    if (!err)
        c->rejoin |= names || missing || (counts && broker_member_leads(c->member));
    arena_release(&a);
    return err;
}

/* --- joining ---------------------------------------------------------------------------------- */

enum err kconsumer_first_position(struct kconsumer *c, struct kheld *p, struct error *e)
{
    int64_t ms;
    if (c->reset == RESET_NONE)
        return error_set(e, E_INVALID,
                         "org.apache.kafka.clients.consumer.NoOffsetForPartitionException: "
                         "Undefined offset with no reset policy for partitions: [" PRI_SL "-%d]",
                         ARG_SL(p->a.topic), (int)p->a.partition);
    return broker_offset_for(p->target, c->reset == RESET_LATEST ? -1 : -2, &p->a.position, &ms, e);
}

static enum err open_part(struct kconsumer *c, struct kheld *p, const struct koffset *committed,
                          size_t n, struct error *e)
{
    p->a.committed = p->a.position = p->a.end = -1;
    for (size_t i = 0; i < n; i++)
        if (committed[i].partition == p->a.partition && slice_eq(committed[i].topic, p->a.topic))
            p->a.committed = committed[i].offset;
    enum err err = broker_target_open(c->k->broker, p->a.topic, p->a.partition, &p->target, e);
    if (!err && p->a.committed >= 0)
        p->a.position = p->a.committed;
    else if (!err)
        err = kconsumer_first_position(c, p, e);
    if (err != E_NOT_FOUND)
        return err;
    error_clear(e);
    return E_OK;
}

static enum err take_assignment(struct kconsumer *c, const struct broker_group_partition *v,
                                size_t n, struct error *e)
{
    struct koffset *committed;
    size_t committed_count;
    enum err err = kclient_group_offsets(c->k, slice_cstr(c->group), &c->arena, &committed,
                                         &committed_count, e);
    c->parts = arena_calloc(&c->arena, n + 1, sizeof *c->parts);
    c->view = arena_calloc(&c->arena, n + 1, sizeof *c->view);
    c->count = n;
    for (size_t i = 0; i < n && !err; i++) {
        c->parts[i].a.topic = v[i].topic;
        c->parts[i].a.partition = v[i].partition;
        err = open_part(c, &c->parts[i], committed, committed_count, e);
    }
    return err;
}

static enum err join(struct kconsumer *c, struct error *e)
{
    struct broker_group_partition *v;
    size_t n;
    kconsumer_end(c);
    c->lost = c->rejoin = false;
    drop_parts(c);
    enum err err = look_at_topics(c, &c->arena, &c->known, &c->known_count, e);
    for (size_t i = 0; i < c->known_count && !err && !c->made_topics && c->topics; i++)
        if (!c->known[i].partitions) {
            make_missing(c, c->known[i].name);
            c->known[i].partitions = partitions_of(c, c->known[i].name);
        }
    c->made_topics = true;
    struct slice *names = arena_alloc(&c->arena, (c->known_count + 1) * sizeof *names);
    for (size_t i = 0; i < c->known_count; i++)
        names[i] = c->known[i].name;
    if (!err)
        err = broker_member_join(c->member, names, c->known_count, c->spec.stop, &c->arena, &v, &n,
                                 e);
    if (!err)
        err = take_assignment(c, v, n, e);
    if (err)
        return err;
    c->joined = true;
    c->checked_at = clock_mono_ms();
    LOG_INFO(LOG_CONNECT_TASK, "member of group %s with %zu partitions", c->group, n);
    return c->spec.assigned(c->spec.arg, e);
}

/* Membership, as heartbeats keep it over the wire. */
static enum err keep_membership(struct kconsumer *c, struct error *e)
{
    enum err err = E_OK;
    int64_t now = clock_mono_ms();
    if (!c->rejoin && now - c->checked_at >= CHECK_MS) {
        enum broker_member_state s = broker_member_check(c->member);
        c->checked_at = now;
        c->rejoin = s != MEMBER_IN_GROUP;
        c->lost = s == MEMBER_LOST;
    }
    if (!c->rejoin)
        err = watch_topics(c, e);
    return err || !c->rejoin ? err : join(c, e);
}

/* --- calls ------------------------------------------------------------------------------------ */

/* Until there is something, or the time has come to look after the group. */
static enum err wait_for_data(struct kconsumer *c, int64_t wait_ms, bool idle, struct error *e)
{
    struct broker_target **targets = xcalloc(c->count + 1, sizeof(struct broker_target *));
    int64_t *offsets = xcalloc(c->count + 1, sizeof *offsets);
    size_t n = 0, ready;
    for (size_t i = 0; i < c->count && !c->paused && !idle; i++) {
        if (!c->parts[i].target)
            continue;
        targets[n] = c->parts[i].target;
        offsets[n++] = c->parts[i].a.position;
    }
    enum err err = broker_wait(targets, offsets, n, wait_ms, c->spec.stop, &ready);
    mem_free((void *)targets);
    mem_free(offsets);
    if (err == E_CANCELLED)
        return error_set(e, err, "reading was given up");
    return E_OK;
}

enum err kconsumer_poll(struct kconsumer *c, int64_t wait_ms, struct arena *a, struct krecord **out,
                        size_t *count, struct error *e)
{
    int64_t until = clock_mono_ms() + MIN(wait_ms, CHECK_MS);
    *count = 0;
    *out = NULL;
    enum err err = keep_membership(c, e);
    for (bool idle = false; !err; idle = true) {
        if (!c->paused) {
            if (!*out)
                *out = arena_alloc(a, (size_t)c->max_records * sizeof **out);
            err = kconsumer_read(c, a, *out, count, e);
        }
        int64_t left = until - clock_mono_ms();
        if (err || *count || left <= 0)
            break;
        /* A log may be ready and yet have nothing for us: markers, transactions under way. */
        err = wait_for_data(c, idle ? MIN(left, NOTHING_MS) : left, idle, e);
    }
    return err;
}

void kconsumer_pause(struct kconsumer *c, bool paused)
{
    c->paused = paused;
}

size_t kconsumer_assignment(const struct kconsumer *c, const struct kassigned **out)
{
    for (size_t i = 0; i < c->count; i++)
        c->view[i] = c->parts[i].a;
    *out = c->view;
    return c->count;
}

static struct kheld *find_part(struct kconsumer *c, struct slice topic, int32_t partition)
{
    for (size_t i = 0; i < c->count; i++)
        if (c->parts[i].a.partition == partition && slice_eq(c->parts[i].a.topic, topic))
            return &c->parts[i];
    return NULL;
}

enum err kconsumer_seek(struct kconsumer *c, struct slice topic, int32_t partition, int64_t offset,
                        struct error *e)
{
    struct kheld *p = find_part(c, topic, partition);
    if (!p || !p->target)
        return error_set(
            e, E_NOT_FOUND,
            "java.lang.IllegalStateException: No current assignment for partition " PRI_SL "-%d",
            ARG_SL(topic), (int)partition);
    if (c->source.open && &c->parts[c->source.part] == p)
        kconsumer_close_source(&c->source);
    p->a.position = offset;
    return E_OK;
}

enum err kconsumer_commit(struct kconsumer *c, const struct koffset *offsets, size_t count,
                          struct error *e)
{
    struct broker_group_offset *v = xcalloc(count + 1, sizeof *v);
    for (size_t i = 0; i < count; i++)
        v[i] = (struct broker_group_offset){.topic = offsets[i].topic,
                                            .partition = offsets[i].partition,
                                            .offset = offsets[i].offset,
                                            .leader_epoch = -1,
                                            .metadata = SL("")};
    enum err err = broker_member_commit(c->member, v, count, e);
    for (size_t i = 0; i < count && !err; i++) {
        struct kheld *p = find_part(c, offsets[i].topic, offsets[i].partition);
        if (p)
            p->a.committed = offsets[i].offset;
    }
    mem_free(v);
    return err;
}
