/* cdc/mongodb/pipeline.h - the stages that a change stream goes through on the server: too large
 * documents out, captured collections and wanted operations in, the user's own stages, splitting.
 *
 * Unlike the original's, patterns are anchored, so that `db1` does not let `mydb10` through, and
 * exclude lists exclude. A pattern that the server's PCRE may read otherwise than Java is left to
 * the filter on this side: what is sent never holds back an event that the filter would take.
 *
 * Names in a list are patterns that match in any case, so they are sent as such: an exact name,
 * which the server finds fastest in the oplog, would hold back a database whose name differs in
 * case. A pattern costs the server least (per event of MongoDB 6.0: 0.3 us, 1.5 where it is taken
 * to the oplog) behind the event, unless there are many events that are not wanted: those cost 8 us
 * behind the event and 4.5 at the oplog. SPEC: cdc-mongodb 5.1. Thread: any. */
#ifndef WEIR_CDC_MONGODB_PIPELINE_H
#define WEIR_CDC_MONGODB_PIPELINE_H

#include "cdc/bson/bson_build.h"
#include "cdc/mongodb/filter.h"
#include "cdc/mongodb/options.h"

struct pipeline_options {
    const struct mongo_filter *filter;
    unsigned skipped;  /* enum skipped_ops */
    struct slice user; /* stages: a BSON array; null: none */
    enum mongo_pipeline_order order;
    enum mongo_oversize oversize;
    int64_t threshold; /* bytes, with MONGO_OVERSIZE_SKIP */
    bool at_oplog;     /* conditions are such that the server can take them to its oplog */
    /* Token of an event that has to come through, for the server to find it; null: none. */
    struct slice position;
    bool notices; /* drops and renames are wanted too, to be told in the log */
};
/* Writes the array of stages into b (reset first). Valid until the next use of b. E_NOMEM. */
enum err pipeline_make(const struct pipeline_options *o, struct bson_build *b, struct slice *stages,
                       struct error *e) MUST_CHECK;
/* Whether Java and the server read the pattern in the same way. */
bool pipeline_is_portable(struct slice pattern);

#endif
