/* cdc/mongodb/lookup.h - the documents of updates, found by this side: what
 * fullDocument=updateLookup does on the server with one query an event (25 us of its time), many
 * events at a time (2 us).
 *
 * The meaning is the server's: the document as it is when it is looked up, at majority, never as it
 * was before its event (afterClusterTime); no document when it is gone. The event's token names the
 * collection by its UUID, and only in that one is looked, also after a rename; one of the same name
 * that came later is another.
 *
 * Left to the server: sharded clusters, servers older than 6.0 (no collectionUUID), post-images,
 * pipelines of the user's, which may look at fullDocument, and oversize handling, which measures
 * it. SPEC: cdc-mongodb 5.2, 5.3. Thread: the task's. */
#ifndef WEIR_CDC_MONGODB_LOOKUP_H
#define WEIR_CDC_MONGODB_LOOKUP_H

#include "cdc/mongodb/task.h"

/* Whether documents are found here, by the options and the server. */
bool mongo_lookup_serves(const struct mongo_task *t);

struct mongo_lookup;
struct mongo_lookup *mongo_lookup_new(struct mongo_task *t);
void mongo_lookup_free(struct mongo_lookup *l); /* NULL allowed */
/* Another answer of the stream, from this member of the set (its number in the driver): what was
 * found for the one before is forgotten. */
void mongo_lookup_answer(struct mongo_lookup *l, uint32_t server);
/* The document of an update: c->after, valid until the next call; stays null when it is gone. rest:
 * the events behind this one in the same answer, for which it is found too, some megabytes of it.
 * E_UNSUPPORTED: the server has to do it, e says why; faults as those of a cursor. e is not
 * NULL. */
enum err mongo_lookup_find(struct mongo_lookup *l, struct slice event, struct bson_walk rest,
                           struct change *c, struct error *e) MUST_CHECK;

#endif
