/* lab/demo_view.h - reads the shop's topics back over the Kafka protocol, prints what happened and
 * counts. Runs on a thread of its own; the counts may be read from any. */
#ifndef WEIR_LAB_DEMO_VIEW_H
#define WEIR_LAB_DEMO_VIEW_H

#include <stdatomic.h>

#include "base/base.h"
#include "base/err.h"

struct demo_view;
struct demo_view_options {
    const char *const *topics; /* ends with NULL; the table's name is the part after the last dot */
    const char *outbox;        /* the one of them with messages of the outbox */
    const char *mark;          /* in the message that tells that the outbox is read */
    bool quiet;                /* counts only */
};
/* The texts are borrowed until demo_view_stop. */
enum err demo_view_start(struct demo_view **out, const char *kafka,
                         const struct demo_view_options *o, struct error *e) MUST_CHECK;
void demo_view_stop(struct demo_view *v);
int64_t demo_view_snapshot(const struct demo_view *v); /* events with op r so far */
int64_t demo_view_streamed(const struct demo_view *v); /* events with op c, u or d so far */
int64_t demo_view_messages(const struct demo_view *v); /* of the outbox so far */
bool demo_view_opened(const struct demo_view *v);      /* the message with the mark is here */
/* Lines for streamed events are printed from now on. */
void demo_view_live(struct demo_view *v);

#endif
