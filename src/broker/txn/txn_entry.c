/* broker/txn/txn_entry.c - one transactional id in the coordinator's memory: its partitions, and the
 * groups whose offsets are part of its transaction. See txn_coord_internal.h. */
#include "base/mem.h"
#include "broker/txn/txn_coord_internal.h"

struct txn_entry *txn_find(struct txn_coord *tc, struct slice id)
{
    return map_get(&tc->entries, id);
}

struct txn_entry *txn_find_or_add(struct txn_coord *tc, struct slice id)
{
    struct txn_entry *e = txn_find(tc, id);
    if (e)
        return e;
    e = xcalloc(1, sizeof *e);
    e->tc = tc;
    e->id = id.n ? slice_dup(id) : xstrdup("");
    arena_init(&e->names, 512, ARENA_NO_BUDGET);
    list_init(&e->waiting);
    map_put(&tc->entries, id, e);
    return e;
}

static int part_cmp(const struct txn_part *a, struct slice topic, int32_t partition)
{
    int c = slice_cmp(a->topic, topic);
    return c ? c : (a->partition > partition) - (a->partition < partition);
}

/* Where the part is, or belongs. */
static size_t part_at(const struct txn_entry *e, struct slice topic, int32_t partition)
{
    size_t low = 0, high = e->part_count;
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (part_cmp(&e->parts[mid], topic, partition) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

bool txn_has_part(const struct txn_entry *e, struct slice topic, int32_t partition)
{
    size_t i = part_at(e, topic, partition);
    return i < e->part_count && part_cmp(&e->parts[i], topic, partition) == 0;
}

void txn_add_part(struct txn_entry *e, struct slice topic, int32_t partition)
{
    size_t i = part_at(e, topic, partition);
    if (i < e->part_count && part_cmp(&e->parts[i], topic, partition) == 0)
        return;
    if (e->part_count == e->part_cap) {
        e->part_cap = e->part_cap ? e->part_cap * 2 : 4;
        e->parts = xrealloc(e->parts, e->part_cap * sizeof *e->parts);
    }
    bool same = i > 0 && slice_eq(e->parts[i - 1].topic, topic);
    struct slice name = same ? e->parts[i - 1].topic : arena_dup(&e->names, topic);
    memmove(&e->parts[i + 1], &e->parts[i], (e->part_count - i) * sizeof *e->parts);
    e->parts[i] = (struct txn_part){name, partition};
    e->part_count++;
}

void txn_clear_parts(struct txn_entry *e)
{
    e->part_count = 0;
    arena_reset(&e->names);
}

struct txn_group *txn_find_group(const struct txn_entry *e, struct slice group)
{
    for (size_t i = 0; i < e->group_count; i++)
        if (slice_eq_c(group, e->groups[i]->id))
            return e->groups[i];
    return NULL;
}

struct txn_group *txn_add_group(struct txn_entry *e, struct slice group)
{
    struct txn_group *g = txn_find_group(e, group);
    if (g)
        return g;
    g = xcalloc(1, sizeof *g);
    g->id = slice_dup(group);
    offset_map_init(&g->pending);
    struct list *all = map_get(&e->tc->groups, group);
    if (!all) {
        all = xcalloc(1, sizeof *all);
        list_init(all);
        map_put(&e->tc->groups, group, all);
    }
    list_push_back(all, &g->of_group);
    e->groups = xrealloc(e->groups, (e->group_count + 1) * sizeof(struct txn_group *));
    e->groups[e->group_count++] = g;
    return g;
}

void txn_clear_groups(struct txn_entry *e)
{
    for (size_t i = 0; i < e->group_count; i++) {
        struct txn_group *g = e->groups[i];
        struct list *all = map_get(&e->tc->groups, slice_cstr(g->id));
        list_remove(all, &g->of_group);
        if (list_empty(all))
            mem_free(map_del(&e->tc->groups, slice_cstr(g->id)));
        offset_map_release(&g->pending);
        mem_free(g->id);
        mem_free(g);
    }
    mem_free(e->groups);
    e->groups = NULL;
    e->group_count = 0;
}

void txn_entry_free(void *entry)
{
    struct txn_entry *e = entry;
    txn_clear_groups(e);
    if (e->retry.loop)
        loop_timer_release(&e->retry);
    arena_release(&e->names);
    mem_free(e->parts);
    mem_free(e->id);
    mem_free(e);
}

bool txn_is_unstable(void *arg, struct slice group, struct slice topic, int32_t partition)
{
    struct txn_coord *tc = arg;
    struct list *all = map_get(&tc->groups, group);
    if (!all)
        return false;
    list_each (all, k)
        if (offset_map_get(&list_entry(k, struct txn_group, of_group)->pending, topic, partition))
            return true;
    return false;
}
