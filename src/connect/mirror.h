/* connect/mirror.h - the three topics in which a Connect worker keeps its state, for those who look
 * there: connect-configs, connect-offsets, connect-status (names from the worker's options), compacted,
 * with records as Kafka writes them. SPEC: connect 4.3.
 *
 * SQLite is the truth and the mirror follows it; weir never reads these topics. They are made with the
 * first record, and again when somebody deletes them: a new topic is told everything (mirror_listen).
 * What was written last for each key is remembered (as a hash) in SQLite, so that a start
 * after a crash writes what is missing and takes back what is gone, and never touches records that
 * somebody else wrote, such as a real worker that keeps its topics here.
 *
 * A thread of its own (weir-mirror) writes, in the order of the calls. Thread of the calls: any. */
#ifndef WEIR_CONNECT_MIRROR_H
#define WEIR_CONNECT_MIRROR_H

#include "base/db.h"
#include "base/err.h"
#include "base/str.h"
#include "base/strmap.h"
#include "connect/kclient.h"

struct mirror;
enum mirror_topic { MIRROR_CONFIGS, MIRROR_OFFSETS, MIRROR_STATUS, MIRROR_TOPICS };

/* Borrows k, db and worker. */
enum err mirror_start(struct mirror **out, struct kclient *k, struct db *db,
                      const struct strmap *worker, struct error *e) MUST_CHECK;
void mirror_stop(struct mirror *m); /* writes what is left; NULL allowed */

/* fn is told that a topic (configs or status) has to be told everything again. Thread: the mirror's; NULL:
 * nobody any more, when this returns no call is under way. Not from the mirror's thread. */
typedef void (*mirror_lost_fn)(void *arg, enum mirror_topic t);
void mirror_listen(struct mirror *m, mirror_lost_fn fn, void *arg);

/* All calls copy and return at once; m NULL: nothing. value null: the key is deleted, if it was written
 * before. */
void mirror_put(struct mirror *m, enum mirror_topic t, struct slice key, struct slice value);
/* Only when it is not what was written last. */
void mirror_want(struct mirror *m, enum mirror_topic t, struct slice key, struct slice value);
/* Offsets and topics in use: compared with SQLite soon; also every offset.flush.interval.ms. */
void mirror_sync(struct mirror *m);
/* At the start: keys of connectors that are not among these names are deleted. */
void mirror_keep(struct mirror *m, const struct slice *names, size_t count);

/* --- the records of a connector; c names it --------------------------------------------------- */
void mirror_config(struct mirror *m, const char *c,
                   const struct strmap *config); /* NULL: deleted */
void mirror_tasks(struct mirror *m, const char *c, const struct strmap *const *configs, int count);
void mirror_target(struct mirror *m, const char *c,
                   const char *target); /* "STARTED"; NULL: deleted */
void mirror_restart(struct mirror *m, const char *c, bool include_tasks, bool only_failed);
/* task -1: the connector. state NULL: deleted. version NULL: null. */
void mirror_state(struct mirror *m, const char *c, int task, const char *state, struct slice trace,
                  const char *worker_id, const char *version);

#endif
