/* broker/placement.c - see placement.h.
 *
 * Invariants: replicas are distinct; ISR and ELR are subsets of them without a common member; the
 * leader is in the ISR and runs, or is -1, and then the ISR is empty; the epoch never decreases. */
#include "broker/placement.h"

#include "base/opt.h"
#include "broker/proto/kerr.h"

static bool has(const int32_t *ids, int32_t count, int32_t id)
{
    for (int32_t i = 0; i < count; i++)
        if (ids[i] == id)
            return true;
    return false;
}

void placement_single(struct placement *p, int32_t node)
{
    *p = (struct placement){.leader = node, .replica_count = 1, .isr_count = 1};
    p->replicas[0] = p->isr[0] = node;
}

bool placement_has_replica(const struct placement *p, int32_t id)
{
    return has(p->replicas, p->replica_count, id);
}

bool placement_in_sync(const struct placement *p, int32_t id)
{
    return has(p->isr, p->isr_count, id);
}

int32_t placement_offline(const struct placement *p, const struct broker_ids *b, int32_t *out)
{
    int32_t n = 0;
    for (int32_t i = 0; i < p->replica_count; i++)
        if (!broker_ids_alive(b, p->replicas[i]))
            out[n++] = p->replicas[i];
    return n;
}

/* --- making ----------------------------------------------------------------------------------- */

bool placement_manual(const struct broker_ids *b, const int32_t *ids, int32_t count,
                      struct placement *out)
{
    *out = (struct placement){.leader = -1, .replica_count = count};
    for (int32_t i = 0; i < count; i++) {
        out->replicas[i] = ids[i];
        if (broker_ids_alive(b, ids[i]))
            out->isr[out->isr_count++] = ids[i];
    }
    if (out->isr_count)
        out->leader = out->isr[0];
    return out->isr_count > 0;
}

/* Running brokers first, both in order of id. Returns how many run. */
static int32_t sorted(const struct broker_ids *b, int32_t ids[BROKERS_MAX])
{
    int32_t n = 0, running;
    for (int32_t i = 0; i < b->count; i++)
        if (broker_ids_alive(b, b->first + i))
            ids[n++] = b->first + i;
    running = n;
    for (int32_t i = 0; i < b->count; i++)
        if (!broker_ids_alive(b, b->first + i))
            ids[n++] = b->first + i;
    return running;
}

bool placement_spread(const struct broker_ids *b, uint32_t start, int32_t factor, int32_t from,
                      struct placement *out, int32_t count)
{
    int32_t ids[BROKERS_MAX], running = sorted(b, ids), n = b->count;
    if (running == 0)
        return false;
    for (int32_t i = 0; i < count; i++) {
        uint32_t k = start % (uint32_t)running + (uint32_t)(from + i);
        int32_t replicas[REPLICAS_MAX], leader = (int32_t)(k % (uint32_t)running);
        int32_t shift = (int32_t)(k / (uint32_t)running);
        replicas[0] = ids[leader];
        for (int32_t j = 1; j < factor; j++)
            replicas[j] = ids[(leader + 1 + (shift + j - 1) % (n - 1)) % n];
        if (!placement_manual(b, replicas, factor, &out[i]))
            return false;
    }
    return true;
}

/* --- changing --------------------------------------------------------------------------------- */

static bool lead(struct placement *p, int32_t id)
{
    if (p->leader == id)
        return false;
    p->leader = id;
    p->epoch++;
    return true;
}

/* The first replica that runs and, unless anybody will do, holds all that was acknowledged. */
static int32_t eligible(const struct placement *p, const struct broker_ids *b, bool anybody)
{
    for (int32_t i = 0; i < p->replica_count; i++) {
        int32_t id = p->replicas[i];
        if (broker_ids_alive(b, id) &&
            (anybody || placement_in_sync(p, id) || has(p->elr, p->elr_count, id)))
            return id;
    }
    return -1;
}

static void drop(int32_t *ids, int32_t *count, int32_t id)
{
    int32_t n = 0;
    for (int32_t i = 0; i < *count; i++)
        if (ids[i] != id)
            ids[n++] = ids[i];
    *count = n;
}

static void leave_isr(struct placement *p, int32_t id, int32_t min_isr)
{
    if (!placement_in_sync(p, id))
        return;
    drop(p->isr, &p->isr_count, id);
    if (p->isr_count < MIN(min_isr, p->replica_count))
        p->elr[p->elr_count++] = id;
}

static void join_isr(struct placement *p, int32_t id)
{
    drop(p->elr, &p->elr_count, id);
    if (!placement_in_sync(p, id))
        p->isr[p->isr_count++] = id;
}

/* Of an offline partition: its leader and, as all have the same log, every replica that runs. */
static bool lead_again(struct placement *p, const struct broker_ids *b, int32_t id)
{
    join_isr(p, id);
    for (int32_t i = 0; i < p->replica_count; i++)
        if (broker_ids_alive(b, p->replicas[i]))
            join_isr(p, p->replicas[i]);
    return lead(p, id);
}

bool placement_stopped(struct placement *p, const struct broker_ids *b, int32_t id,
                       const struct placement_rules *rules)
{
    struct placement was = *p;
    if (!placement_has_replica(p, id))
        return false;
    leave_isr(p, id, rules->min_isr);
    if (p->leader == id) {
        int32_t next = eligible(p, b, false);
        if (next < 0 && rules->unclean)
            next = eligible(p, b, true);
        if (next >= 0)
            join_isr(p, next);
        lead(p, next);
    }
    return memcmp(&was, p, sizeof was) != 0;
}

bool placement_started(struct placement *p, const struct broker_ids *b, int32_t id)
{
    if (!placement_has_replica(p, id))
        return false;
    if (p->leader < 0) {
        int32_t next = eligible(p, b, false);
        return next >= 0 && lead_again(p, b, next);
    }
    if (placement_in_sync(p, id))
        return false;
    join_isr(p, id);
    return true;
}

bool placement_adopt(struct placement *p, const struct broker_ids *b, uint32_t start)
{
    struct placement was = *p;
    int32_t n = 0;
    for (int32_t i = 0; i < p->replica_count; i++)
        if (broker_ids_has(b, p->replicas[i]))
            p->replicas[n++] = p->replicas[i];
    p->replica_count = n;
    if (n == 0) {
        struct placement fresh;
        if (!placement_spread(b, start, 1, 0, &fresh, 1))
            return false;
        fresh.epoch = p->epoch;
        *p = fresh;
    }
    n = 0; /* who was in sync stays in front */
    for (int32_t i = 0; i < was.isr_count; i++)
        if (placement_has_replica(p, was.isr[i]))
            p->isr[n++] = was.isr[i];
    p->isr_count = n;
    p->elr_count = 0;
    for (int32_t i = 0; i < p->replica_count; i++)
        join_isr(p, p->replicas[i]);
    p->leader = was.leader;
    if (!placement_has_replica(p, was.leader))
        lead(p, p->isr[0]);
    return memcmp(&was, p, sizeof was) != 0;
}

bool placement_reassign(struct placement *p, const struct broker_ids *b, const int32_t *ids,
                        int32_t count)
{
    struct placement was = *p, now;
    if (!placement_manual(b, ids, count, &now))
        return false;
    now.epoch = was.epoch;
    bool removed = false;
    for (int32_t i = 0; i < was.replica_count; i++)
        removed |= !placement_has_replica(&now, was.replicas[i]);
    int32_t first = now.leader;
    now.leader = was.leader;
    if (!placement_in_sync(&now, was.leader))
        lead(&now, first);
    else if (removed)
        now.epoch++; /* who is gone must not be taken for a replica any more */
    *p = now;
    return memcmp(&was, p, sizeof was) != 0;
}

int16_t placement_elect(struct placement *p, const struct broker_ids *b, bool unclean)
{
    if (unclean) {
        if (p->leader >= 0)
            return KERR_ELECTION_NOT_NEEDED;
        int32_t next = eligible(p, b, true);
        if (next < 0)
            return KERR_ELIGIBLE_LEADERS_NOT_AVAILABLE;
        lead_again(p, b, next);
        return KERR_NONE;
    }
    int32_t preferred = p->replicas[0];
    if (p->leader == preferred)
        return KERR_ELECTION_NOT_NEEDED;
    if (!broker_ids_alive(b, preferred) || !placement_in_sync(p, preferred))
        return KERR_PREFERRED_LEADER_NOT_AVAILABLE;
    lead(p, preferred);
    return KERR_NONE;
}

/* --- text ------------------------------------------------------------------------------------- */

static void print_ids(const int32_t *ids, int32_t count, struct strbuf *out)
{
    for (int32_t i = 0; i < count; i++)
        strbuf_addf(out, "%s%d", i ? "," : "", ids[i]);
}

void placement_print(const struct placement *v, int32_t count, struct strbuf *out)
{
    for (int32_t i = 0; i < count; i++) {
        if (i)
            strbuf_addc(out, ';');
        print_ids(v[i].replicas, v[i].replica_count, out);
        strbuf_addc(out, '/');
        print_ids(v[i].isr, v[i].isr_count, out);
        strbuf_addc(out, '/');
        print_ids(v[i].elr, v[i].elr_count, out);
        strbuf_addf(out, "/%d/%d", v[i].leader, v[i].epoch);
    }
}

static bool parse_number(struct slice text, int32_t *out)
{
    int64_t n;
    if (slice_to_i64(text, &n) != E_OK || n < -1 || n > INT32_MAX)
        return false;
    *out = (int32_t)n;
    return true;
}

static bool parse_ids(struct slice text, int32_t *ids, int32_t *count)
{
    struct slice part;
    *count = 0;
    while (text.n && slice_split(&text, ',', &part)) {
        if (*count == REPLICAS_MAX || !parse_number(part, &ids[*count]) || ids[*count] < 0 ||
            has(ids, *count, ids[*count]))
            return false;
        (*count)++;
    }
    return true;
}

static bool is_part(const struct placement *p, const int32_t *ids, int32_t count)
{
    for (int32_t i = 0; i < count; i++)
        if (!placement_has_replica(p, ids[i]))
            return false;
    return true;
}

static bool parse_one(struct slice text, struct placement *p)
{
    struct slice part[5];
    memset(p, 0, sizeof *p);
    for (int i = 0; i < 5; i++)
        if (!slice_split(&text, '/', &part[i]))
            return false;
    if (!parse_ids(part[0], p->replicas, &p->replica_count) || p->replica_count == 0 ||
        !parse_ids(part[1], p->isr, &p->isr_count) || !parse_ids(part[2], p->elr, &p->elr_count) ||
        !parse_number(part[3], &p->leader) || !parse_number(part[4], &p->epoch) || p->epoch < 0 ||
        text.p)
        return false;
    return is_part(p, p->isr, p->isr_count) && is_part(p, p->elr, p->elr_count) &&
           (p->leader == -1 || placement_in_sync(p, p->leader));
}

enum err placement_parse(struct slice text, struct placement *v, int32_t count)
{
    struct slice part;
    memset(v, 0, (size_t)count * sizeof *v);
    for (int32_t i = 0; i < count && slice_split(&text, ';', &part); i++)
        if (!parse_one(part, &v[i]))
            return E_CORRUPT;
    return E_OK;
}
