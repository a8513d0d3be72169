/* cdc/mongodb/listing.h - the collections that the server has in databases of interest, and what is
 * worth a line about them when a task starts. SPEC: cdc-mongodb 2.3, 4.2, 5.2. Thread: that of the
 * client. */
#ifndef WEIR_CDC_MONGODB_LISTING_H
#define WEIR_CDC_MONGODB_LISTING_H

#include "cdc/mongodb/task.h"

/* One collection; info: the server's document about it, with "options" only where they were asked
 * for. Everything is borrowed. Errors end the listing. */
typedef enum err (*listing_fn)(void *arg, struct slice db, struct slice name, struct slice info,
                               struct error *e);
/* Plain collections, in the server's order: no views, no time series (captured ones are warned
 * of). */
enum err mongo_list(struct mongo_task *t, mongoc_client_t *c, bool options, listing_fn fn,
                    void *arg, struct error *e) MUST_CHECK;

/* The same for this collection alone; not called when there is none. */
enum err mongo_list_one(struct mongo_task *t, mongoc_client_t *c, struct slice db,
                        struct slice name, bool options, listing_fn fn, void *arg,
                        struct error *e) MUST_CHECK;

/* Looks at all captured collections: which there are (t->known), how many
 * (guardrail.collections.max), and whether they keep the images that capture.mode asks for.
 * E_INVALID: too many. What cannot be looked at is no error. */
enum err mongo_check_collections(struct mongo_task *t, struct error *e) MUST_CHECK;
/* Warns when the collection, listed with options, keeps no images. */
void mongo_warn_images(const struct mongo_options *o, struct slice db, struct slice name,
                       struct slice info);
/* The position is gone: how old it is, and how far back the server's history goes. */
void mongo_log_history(struct mongo_task *t);
/* E_NOT_FOUND: the replica set did not exist yet at that time (seconds since 1970), so the position is of
 * another one. The server itself takes a position between two events for good as long as its history reaches
 * back to its beginning. E_OK when nothing is known: not everybody may read the oplog. */
enum err mongo_check_birth(struct mongo_task *t, uint32_t at, struct error *e) MUST_CHECK;

#endif
