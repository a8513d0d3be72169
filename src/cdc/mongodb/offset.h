/* cdc/mongodb/offset.h - where a connector stands: the source offset as Connect stores it.
 *
 *   {"sec":1666193824,"ord":1,"resume_token":"rgAAAAJfZGF0YQ..."}
 *
 * sec and ord are the clusterTime of the last event (-1, -1 after a token that belongs to no event), the
 * token is base64 of the BSON document. `initsync` while a snapshot is read: then the whole snapshot
 * begins anew, whatever the token. SPEC: cdc-mongodb 8.1. Thread: the owner's. */
#ifndef WEIR_CDC_MONGODB_OFFSET_H
#define WEIR_CDC_MONGODB_OFFSET_H

#include "cdc/bson/bson_build.h"
#include "cdc/mongodb/change.h"

struct mongo_offset {
    int64_t sec; /* -1: none */
    int32_t ord;
    struct strbuf token; /* BSON document; n == 0: none */
    bool snapshot;       /* initsync */
    /* Of the member that the position is from, not stored: reads see everything before it when they see
     * this time. 0: not known. */
    uint32_t after_seconds, after_increment;
    struct strbuf session; /* `,"lsid":"...","txnNumber":N` while in a transaction; not parsed */
};
void mongo_offset_init(struct mongo_offset *o);
void mongo_offset_release(struct mongo_offset *o);
void mongo_offset_copy(struct mongo_offset *to, const struct mongo_offset *from);
/* Behind this event. */
void mongo_offset_at(struct mongo_offset *o, const struct change *c);
/* Behind a token that belongs to no event: nothing has happened up to there. */
void mongo_offset_idle(struct mongo_offset *o, struct slice token);
/* Numbers may be texts, the token may be a bare `_data` as older releases wrote it; unknown members are
 * left alone. E_INVALID: what is wrong with the token. */
enum err mongo_offset_parse(struct mongo_offset *o, struct slice json, struct error *e) MUST_CHECK;
/* Without the closing brace: what belongs to others (transactions, signals) may follow. */
void mongo_offset_print_open(const struct mongo_offset *o, struct strbuf *out);
void mongo_offset_print(const struct mongo_offset *o, struct strbuf *out);
/* {"server_id":"<prefix>"} */
void mongo_partition_print(struct slice prefix, struct strbuf *out);

#endif
