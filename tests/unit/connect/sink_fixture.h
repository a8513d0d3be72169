/* tests/unit/connect/sink_fixture.h - a sink and a transform that do what a test asks for; part of
 * every worker of worker_fixture.h.
 *
 * Connector test.PickySink takes values that are texts. Options:
 *   again       so many puts ask for the batch again (all together, not per batch)
 *   again.after so many puts ask for the batch again when they have reported what is bad
 *   bad         a value that it cannot write: reported when that is possible, else put fails
 *   flush.fails so many flushes fail
 *   commit      pre_commit gives this offset instead
 *   from        open seeks there
 *   hang        the first put waits until picky_let_go is true, whatever it is told
 *   hang.end    so does a flush, when the task has been told to stop
 * Transform test.Flaky on values that are texts or numbers:
 *   again       so many calls ask to be tried again
 *   bad         a value that it fails at */
#ifndef WEIR_TESTS_UNIT_CONNECT_SINK_FIXTURE_H
#define WEIR_TESTS_UNIT_CONNECT_SINK_FIXTURE_H

#include "connect/connector.h"

extern const struct connector_ops picky_sink;
extern const struct transform_ops flaky_transform;
extern atomic_bool picky_let_go;
extern atomic_int picky_hanging; /* tasks that wait for it */
extern atomic_int picky_puts;    /* puts so far, of all */
/* All values taken since the last call, in that order, as "a,b,c"; caller frees. */
char *picky_taken(void);

#endif
