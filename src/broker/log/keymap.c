/* broker/log/keymap.c - see keymap.h. Open addressing with linear probing; nothing is deleted. */
#include "broker/log/keymap.h"

#include "base/bytes.h"
#include "base/hash.h"
#include "base/mem.h"

struct keymap_slot {
    uint64_t a, b;
    uint64_t after; /* offset + 1; 0: free */
};
_Static_assert(sizeof(struct keymap_slot) == KEYMAP_SLOT_BYTES, "what the option counts");

enum err keymap_init(struct keymap *m, size_t expected, size_t max_bytes, double load)
{
    size_t most = MAX(max_bytes / KEYMAP_SLOT_BYTES, 2);
    load = load > 0.05 && load <= 0.95 ? load : 0.9;
    double want = (double)expected / load + 2;
    memset(m, 0, sizeof *m);
    m->cap = want < (double)most ? (size_t)want : most;
    m->limit = MIN(MAX((size_t)((double)m->cap * load), 1), m->cap - 1); /* one stays free */
    m->slots = try_calloc(m->cap, sizeof *m->slots);
    return m->slots ? E_OK : E_NOMEM;
}

void keymap_release(struct keymap *m)
{
    mem_free(m->slots);
    memset(m, 0, sizeof *m);
}

/* The key's slot, or the free one where it belongs. */
static struct keymap_slot *find(const struct keymap *m, struct slice key, uint64_t *a, uint64_t *b)
{
    uint8_t digest[32];
    sha256(key, digest);
    *a = load_le64(digest);
    *b = load_le64(digest + 8);
    size_t at = (size_t)(*a % m->cap);
    while (m->slots[at].after && (m->slots[at].a != *a || m->slots[at].b != *b))
        at = at + 1 < m->cap ? at + 1 : 0;
    return &m->slots[at];
}

bool keymap_put(struct keymap *m, struct slice key, int64_t offset)
{
    uint64_t a, b;
    struct keymap_slot *s = find(m, key, &a, &b);
    if (!s->after) {
        if (m->count == m->limit)
            return false;
        m->count++;
    }
    *s = (struct keymap_slot){a, b, (uint64_t)offset + 1};
    return true;
}

int64_t keymap_get(const struct keymap *m, struct slice key)
{
    uint64_t a, b;
    return (int64_t)find(m, key, &a, &b)->after - 1;
}
