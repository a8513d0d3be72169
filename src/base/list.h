/* base/list.h - intrusive doubly linked lists with a count. Thread: the owner's. */
#ifndef WEIR_BASE_LIST_H
#define WEIR_BASE_LIST_H

#include "base/base.h"

struct link {
    struct link *next, *prev; /* both NULL when in no list */
};
struct list {
    struct link head;
    size_t count;
};

static inline void list_init(struct list *l)
{
    l->head.next = l->head.prev = &l->head;
    l->count = 0;
}
static inline bool link_in_list(const struct link *k)
{
    return k->next != NULL;
}
static inline void list_insert_before(struct list *l, struct link *pos, struct link *k)
{
    k->prev = pos->prev;
    k->next = pos;
    pos->prev->next = k;
    pos->prev = k;
    l->count++;
}
static inline void list_push_back(struct list *l, struct link *k)
{
    list_insert_before(l, &l->head, k);
}
static inline void list_push_front(struct list *l, struct link *k)
{
    list_insert_before(l, l->head.next, k);
}
static inline void list_remove(struct list *l, struct link *k)
{
    k->prev->next = k->next;
    k->next->prev = k->prev;
    k->next = k->prev = NULL;
    l->count--;
}
static inline bool list_empty(const struct list *l)
{
    return l->count == 0;
}
static inline struct link *list_first(const struct list *l) /* NULL when empty */
{
    return l->count ? l->head.next : NULL;
}
static inline struct link *list_pop_front(struct list *l)
{
    struct link *k = list_first(l);
    if (k)
        list_remove(l, k);
    return k;
}
#define list_entry(k, type, member) container_of(k, type, member)
/* `it` is a struct link *; the body may remove it. */
#define list_each(l, it)                                                                           \
    for (struct link *it = (l)->head.next, *it##_next = it->next; it != &(l)->head;                \
         it = it##_next, it##_next = it->next)

#endif
