/* cdc/mongodb/access.h - what the connector's user may do, tried out: listing databases, opening
 * the change stream, writing signals. For validation and `weir doctor`. SPEC: cdc-mongodb 3.3-3.5.
 * Thread: the caller's; blocks. */
#ifndef WEIR_CDC_MONGODB_ACCESS_H
#define WEIR_CDC_MONGODB_ACCESS_H

#include "base/base.h"
#include "cdc/mongodb/client.h"

/* E_AUTH with the exact text of the original in front, and the cure on a line of its own behind;
 * other codes of mongo_fault. */
enum err mongo_check_databases(struct mongo_client_pool *p, mongoc_client_t *c,
                               const struct mongo_options *o, struct error *e) MUST_CHECK;
/* Opens and closes a change stream of capture.scope. E_INVALID: the cluster has none. */
enum err mongo_check_stream(struct mongo_client_pool *p, mongoc_client_t *c,
                            const struct mongo_options *o, struct error *e) MUST_CHECK;
/* Whether there is a change stream of its own for signal.data.collection, since capture.target
 * leaves it out. */
bool mongo_signals_outside(const struct mongo_options *o);
/* Whether the user may insert into signal.data.collection (and delete, with insert_delete), or read
 * its changes when it is outside of the scope. With access control off everything is allowed. */
enum err mongo_check_signals(struct mongo_client_pool *p, mongoc_client_t *c,
                             const struct mongo_options *o, bool *may, struct error *e) MUST_CHECK;

/* Appends the line for mongosh that grants what the capture needs. */
void mongo_access_grant(const struct mongo_target *t, const struct mongo_options *o,
                        struct strbuf *out);
/* The same for the signal collection. */
void mongo_access_grant_signals(const struct mongo_target *t, const struct mongo_options *o,
                                struct strbuf *out);
/* Splits an error's message at its first line end: fact and cure. */
void mongo_text_split(const char *msg, struct slice *fact, struct slice *cure);

#endif
