/* broker/txn/txn_views.c - transactions as tools and pages see them: see txn_coord.h. */
#include <stdlib.h>

#include "base/clock.h"
#include "base/regex.h"
#include "broker/proto/kerr.h"
#include "broker/proto/messages.h"
#include "broker/txn/txn_coord_internal.h"

static void run_view(void *arg)
{
    struct txn_call *call = arg;
    call->view(call->tc, call);
    call->done(call);
}

void txn_submit_view(struct txn_coord *tc, txn_view_fn fn, struct txn_call *call)
{
    call->tc = tc;
    call->view = fn;
    loop_post(tc->loop, run_view, call);
}

static int by_id(const void *a, const void *b)
{
    const struct txn_entry *x = *(const struct txn_entry *const *)a;
    const struct txn_entry *y = *(const struct txn_entry *const *)b;
    return strcmp(x->id, y->id);
}

static struct txn_entry **sorted(struct txn_coord *tc, struct arena *a, size_t *count)
{
    struct txn_entry **v = arena_alloc(a, (tc->entries.count + 1) * sizeof(struct txn_entry *));
    struct slice id;
    void *e;
    *count = 0;
    for (size_t i = 0; map_next(&tc->entries, &i, &id, &e);)
        if (((struct txn_entry *)e)->known)
            v[(*count)++] = e;
    qsort(v, *count, sizeof(struct txn_entry *), by_id);
    return v;
}

/* --- DescribeTransactions --------------------------------------------------------------------- */

static void describe_parts(const struct txn_entry *e, struct arena *a,
                           struct describe_transactions_response_transaction *out)
{
    out->topics = describe_transactions_response_topic_array(a, (int32_t)e->part_count);
    for (size_t i = 0; i < e->part_count; i++) {
        struct describe_transactions_response_topic *t =
            out->topics_count ? &out->topics[out->topics_count - 1] : NULL;
        if (!t || !slice_eq(t->topic, e->parts[i].topic)) {
            t = &out->topics[out->topics_count++];
            t->topic = arena_dup(a, e->parts[i].topic);
            t->partitions = arena_alloc(a, (e->part_count - i) * sizeof *t->partitions);
        }
        t->partitions[t->partitions_count++] = e->parts[i].partition;
    }
}

static void describe_one(const struct txn_coord *tc, struct slice id, struct arena *a,
                         struct describe_transactions_response_transaction *out)
{
    const struct txn_entry *e = map_get(&tc->entries, id);
    out->transactional_id = id;
    if (id.n == 0) {
        out->error_code = KERR_INVALID_REQUEST;
    } else if (!e || !e->known) {
        out->error_code = KERR_TRANSACTIONAL_ID_NOT_FOUND;
    } else {
        out->transaction_state = slice_cstr(txn_state_name(e->facts.state));
        out->transaction_timeout_ms = e->facts.timeout_ms;
        out->transaction_start_time_ms = e->facts.start_ms;
        out->producer_id = e->facts.producer_id;
        out->producer_epoch = e->facts.epoch;
        describe_parts(e, a, out);
    }
}

void txn_view_describe(struct txn_coord *tc, struct txn_call *call)
{
    const struct describe_transactions_request *in = call->in;
    struct describe_transactions_response *out = call->out;
    out->transaction_states_count = MAX(in->transactional_ids_count, 0);
    out->transaction_states = describe_transactions_response_transaction_array(
        call->arena, out->transaction_states_count);
    for (int32_t i = 0; i < out->transaction_states_count; i++)
        describe_one(tc, in->transactional_ids[i], call->arena, &out->transaction_states[i]);
}

/* --- ListTransactions ------------------------------------------------------------------------- */

struct filter {
    const struct list_transactions_request *in;
    bool states[TXN_PREPARE_EPOCH_FENCE + 1];
    struct regex *pattern; /* NULL: any id */
    int64_t now_ms;
};

static void filter_release(struct filter *f)
{
    regex_free(f->pattern);
}

/* KERR_NONE or INVALID_REGULAR_EXPRESSION. Names of states that do not exist go into out. */
static int16_t filter_init(struct filter *f, const struct list_transactions_request *in,
                           struct list_transactions_response *out, struct arena *a)
{
    *f = (struct filter){.in = in, .now_ms = clock_wall_ms()};
    out->unknown_state_filters =
        arena_calloc(a, (size_t)MAX(in->state_filters_count, 0) + 1, sizeof(struct slice));
    for (int32_t i = 0; i < in->state_filters_count; i++) {
        enum txn_state s;
        if (txn_state_parse(in->state_filters[i], &s))
            f->states[s] = true;
        else
            out->unknown_state_filters[out->unknown_state_filters_count++] = in->state_filters[i];
    }
    struct slice p = in->transactional_id_pattern;
    if (p.n == 0)
        return KERR_NONE;
    struct error why = {0};
    return regex_compile(&f->pattern, p, 0, &why) ? KERR_INVALID_REGULAR_EXPRESSION : KERR_NONE;
}

static bool passes(const struct filter *f, const struct txn_entry *e)
{
    const struct list_transactions_request *in = f->in;
    bool found = in->producer_id_filters_count <= 0;
    for (int32_t i = 0; i < in->producer_id_filters_count; i++)
        found |= in->producer_id_filters[i] == e->facts.producer_id;
    if (!found || (in->state_filters_count > 0 && !f->states[e->facts.state]))
        return false;
    if (in->duration_filter >= 0 &&
        (e->facts.start_ms < 0 || f->now_ms - e->facts.start_ms < in->duration_filter))
        return false;
    return !f->pattern || regex_matches(f->pattern, slice_cstr(e->id));
}

void txn_view_list(struct txn_coord *tc, struct txn_call *call)
{
    const struct list_transactions_request *in = call->in;
    struct list_transactions_response *out = call->out;
    struct filter f;
    size_t n;
    out->error_code = filter_init(&f, in, out, call->arena);
    struct txn_entry **all = sorted(tc, call->arena, &n);
    out->transaction_states = list_transactions_response_transaction_array(call->arena, (int32_t)n);
    for (size_t i = 0; i < n && out->error_code == KERR_NONE; i++) {
        if (!passes(&f, all[i]))
            continue;
        struct list_transactions_response_transaction *t =
            &out->transaction_states[out->transaction_states_count++];
        t->transactional_id = slice_cstr(arena_strdup(call->arena, all[i]->id));
        t->producer_id = all[i]->facts.producer_id;
        t->transaction_state = slice_cstr(txn_state_name(all[i]->facts.state));
    }
    filter_release(&f);
}

/* --- for admin.c ------------------------------------------------------------------------------ */

void txn_coord_list(struct txn_coord *tc, struct arena *a, struct broker_transaction **out,
                    size_t *count)
{
    struct txn_entry **all = sorted(tc, a, count);
    *out = arena_calloc(a, *count + 1, sizeof **out);
    for (size_t i = 0; i < *count; i++) {
        const struct txn_entry *e = all[i];
        struct broker_transaction *t = &(*out)[i];
        *t = (struct broker_transaction){.id = slice_cstr(arena_strdup(a, e->id)),
                                         .state = slice_cstr(txn_state_name(e->facts.state)),
                                         .producer_id = e->facts.producer_id,
                                         .producer_epoch = e->facts.epoch,
                                         .timeout_ms = e->facts.timeout_ms,
                                         .start_ms = e->facts.start_ms,
                                         .update_ms = e->facts.update_ms};
        t->partitions = arena_calloc(a, e->part_count + 1, sizeof *t->partitions);
        for (size_t k = 0; k < e->part_count; k++)
            t->partitions[t->partition_count++] = (struct broker_group_partition){
                arena_dup(a, e->parts[k].topic), e->parts[k].partition};
        t->groups = arena_calloc(a, e->group_count + 1, sizeof *t->groups);
        for (size_t k = 0; k < e->group_count; k++)
            t->groups[t->group_count++] = slice_cstr(arena_strdup(a, e->groups[k]->id));
    }
}
