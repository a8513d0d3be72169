/* broker/coord_internal.h - shared by coord.c (life, membership calls), coord_offsets.c (commit,
 * fetch, delete, expiry) and coord_views.c (list, describe, views). Coordinator loop. */
#ifndef WEIR_BROKER_COORD_INTERNAL_H
#define WEIR_BROKER_COORD_INTERNAL_H

#include <stdatomic.h>

#include "base/map.h"
#include "broker/coord.h"

struct coord_group {
    struct group *g;
    struct coord *c;
    struct loop_timer timer; /* made when first needed, on the loop */
    int64_t timer_at;        /* INT64_MAX: not set */
};
struct coord {
    struct coord_options o;
    struct db *db;
    struct loop *loop;
    struct map groups; /* id -> struct coord_group */
    struct loop_timer expiry;
    struct coord_hooks hooks;
    bool quiet;                 /* stopping: everything is refused */
    _Atomic size_t group_count; /* written on the loop, read by any thread */
};

struct group *coord_find(struct coord *c, struct slice id); /* NULL */
struct group *coord_find_or_add(struct coord *c, struct slice id);
void coord_forget(struct coord *c, struct slice id); /* a group without members */
/* Sets the group's timer after anything happened to it. */
void coord_rearm(struct coord *c, struct group *g);
void coord_expire_offsets(void *coord);
/* All groups sorted by id, in the arena. */
struct group **coord_sorted(struct coord *c, struct arena *a, size_t *count);

#endif
