/* base/map.c - hash map from bytes or an integer to a pointer, see map.h.
 *
 * Open addressing with linear probing over a power-of-two table, at most 3/4 full counting
 * tombstones (grave markers of deleted entries). A deletion frees the key and leaves a tombstone,
 * so that a walk with map_next may delete the entry it has just seen; tombstones that end a probe
 * chain are turned back into free slots at once, the others at the next growth. Integer keys live
 * in the slot itself.
 *
 * Invariants: (1) cap is 0 or a power of two, with at least one free slot; (2) count = live slots;
 * (3) the hidden word before slots[0] counts used slots (live + tombstones).
 * The seed is drawn once a process from the system's generator. Thread: the owner's. */
#include "base/map.h"

#include <stdatomic.h>

#include "base/base.h"
#include "base/bytes.h"
#include "base/hash.h"
#include "base/mem.h"

struct map_slot {
    void *value; /* NULL: free, or a tombstone when key_n says so */
    union {
        char *p;      /* owned copy, or NULL for an empty key */
        uint64_t u64; /* of an integer key */
    } key;
    size_t key_n; /* SIZE_MAX: integer key; TOMBSTONE with value NULL */
    uint64_t hash;
};
#define KEY_INT SIZE_MAX
#define TOMBSTONE (SIZE_MAX - 1)

struct key {
    struct slice text;
    uint64_t u64;
    uint64_t hash;
    bool is_int;
};

static uint64_t seed(void)
{
    static _Atomic uint64_t value; /* 0 = not drawn yet */
    uint64_t v = atomic_load_explicit(&value, memory_order_relaxed);
    while (UNLIKELY(v == 0)) {
        uint64_t fresh;
        bytes_random(&fresh, sizeof fresh);
        fresh |= 1;
        if (atomic_compare_exchange_strong(&value, &v, fresh))
            v = fresh;
    }
    return v;
}

static uint64_t mix(uint64_t v)
{
    v ^= seed();
    v ^= v >> 33;
    v *= 0xff51afd7ed558ccdu;
    v ^= v >> 33;
    v *= 0xc4ceb9fe1a85ec53u;
    return v ^ v >> 33;
}

static struct key key_text(struct slice s)
{
    return (struct key){.text = s, .hash = hash64(s, seed())};
}

static struct key key_int(uint64_t v)
{
    return (struct key){.u64 = v, .hash = mix(v), .is_int = true};
}

/* Invariant 3: the table is one allocation that starts with the count of used slots. */
struct table {
    size_t used;
    size_t pad;
    struct map_slot slots[];
};

static struct table *table_of(const struct map *m)
{
    return container_of(m->slots, struct table, slots);
}

static bool same_key(const struct map_slot *s, const struct key *k)
{
    if (s->hash != k->hash)
        return false;
    if (k->is_int)
        return s->key_n == KEY_INT && s->key.u64 == k->u64;
    return s->key_n == k->text.n && (k->text.n == 0 || memcmp(s->key.p, k->text.p, k->text.n) == 0);
}

static struct map_slot *find(const struct map *m, const struct key *k)
{
    if (m->count == 0)
        return NULL;
    size_t mask = m->cap - 1;
    for (size_t i = k->hash & mask;; i = (i + 1) & mask) {
        struct map_slot *s = &m->slots[i];
        if (s->value) {
            if (same_key(s, k))
                return s;
        } else if (s->key_n != TOMBSTONE) {
            return NULL;
        }
    }
}

static void rebuild(struct map *m, size_t cap)
{
    struct table *t = xcalloc(1, sizeof *t + cap * sizeof t->slots[0]);
    size_t mask = cap - 1;
    for (size_t i = 0; i < m->cap; i++) {
        if (!m->slots[i].value)
            continue;
        size_t at = m->slots[i].hash & mask;
        while (t->slots[at].value)
            at = (at + 1) & mask;
        t->slots[at] = m->slots[i];
    }
    t->used = m->count;
    if (m->slots)
        mem_free(table_of(m));
    m->slots = t->slots;
    m->cap = cap;
}

static void *put(struct map *m, const struct key *k, void *value)
{
    invariant(value != NULL);
    struct map_slot *s = find(m, k);
    if (s) {
        void *old = s->value;
        s->value = value;
        return old;
    }
    if (m->cap == 0)
        rebuild(m, 8);
    else if ((table_of(m)->used + 1) * 4 > m->cap * 3)
        rebuild(m, m->count * 2 >= m->cap ? m->cap * 2 : m->cap);
    size_t mask = m->cap - 1;
    size_t i = k->hash & mask;
    while (m->slots[i].value)
        i = (i + 1) & mask;
    s = &m->slots[i];
    if (s->key_n != TOMBSTONE)
        table_of(m)->used++;
    *s = (struct map_slot){.value = value, .hash = k->hash};
    if (k->is_int) {
        s->key.u64 = k->u64;
        s->key_n = KEY_INT;
    } else {
        s->key.p = k->text.n ? xmalloc(k->text.n) : NULL;
        s->key_n = k->text.n;
        if (k->text.n)
            memcpy(s->key.p, k->text.p, k->text.n);
    }
    m->count++;
    return NULL;
}

static void *del(struct map *m, const struct key *k)
{
    struct map_slot *s = find(m, k);
    if (!s)
        return NULL;
    void *old = s->value;
    if (s->key_n != KEY_INT)
        mem_free(s->key.p);
    *s = (struct map_slot){.key_n = TOMBSTONE};
    m->count--;
    size_t mask = m->cap - 1;
    size_t i = (size_t)(s - m->slots);
    struct map_slot *next = &m->slots[(i + 1) & mask];
    if (next->value || next->key_n == TOMBSTONE)
        return old;
    for (; !m->slots[i].value && m->slots[i].key_n == TOMBSTONE; i = (i - 1) & mask) {
        m->slots[i].key_n = 0; /* nothing follows: free again */
        table_of(m)->used--;
    }
    return old;
}

void map_init(struct map *m)
{
    *m = (struct map)MAP_INIT;
}

void map_release(struct map *m, void (*free_value)(void *))
{
    for (size_t i = 0; i < m->cap; i++) {
        struct map_slot *s = &m->slots[i];
        if (!s->value)
            continue;
        if (s->key_n != KEY_INT)
            mem_free(s->key.p);
        if (free_value)
            free_value(s->value);
    }
    if (m->slots)
        mem_free(table_of(m));
    map_init(m);
}

void *map_get(const struct map *m, struct slice key)
{
    if (m->count == 0)
        return NULL;
    struct key k = key_text(key);
    struct map_slot *s = find(m, &k);
    return s ? s->value : NULL;
}

void *map_put(struct map *m, struct slice key, void *value)
{
    struct key k = key_text(key);
    return put(m, &k, value);
}

void *map_del(struct map *m, struct slice key)
{
    struct key k = key_text(key);
    return del(m, &k);
}

void *map_get_u64(const struct map *m, uint64_t key)
{
    struct key k = key_int(key);
    struct map_slot *s = find(m, &k);
    return s ? s->value : NULL;
}

void *map_put_u64(struct map *m, uint64_t key, void *value)
{
    struct key k = key_int(key);
    return put(m, &k, value);
}

void *map_del_u64(struct map *m, uint64_t key)
{
    struct key k = key_int(key);
    return del(m, &k);
}

bool map_next(const struct map *m, size_t *i, struct slice *key, void **value)
{
    for (; *i < m->cap; ++*i) {
        struct map_slot *s = &m->slots[*i];
        if (!s->value)
            continue;
        if (key) /* an integer key shows as its 8 bytes */
            *key = s->key_n == KEY_INT ? slice_of(&s->key.u64, sizeof s->key.u64)
                                       : slice_of(s->key.p ? s->key.p : "", s->key_n);
        if (value)
            *value = s->value;
        ++*i;
        return true;
    }
    return false;
}
