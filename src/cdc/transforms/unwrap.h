/* cdc/transforms/unwrap.h - what ExtractNewRecordState and ExtractNewDocumentState have in common: what
 * becomes of deletes and tombstones, metadata as fields and headers. SPEC: connect 7.1, 7.5. Thread: the
 * task's. */
#ifndef WEIR_CDC_TRANSFORMS_UNWRAP_H
#define WEIR_CDC_TRANSFORMS_UNWRAP_H

#include "cdc/transforms/reference.h"
#include "cdc/transforms/transforms.h"

enum unwrap_mode { UNWRAP_DROP, UNWRAP_NULL, UNWRAP_REWRITE, UNWRAP_NO_SCHEMA };
struct unwrap_deletes {
    enum unwrap_mode mode;
    bool keep_tombstones, keep_truncates;
};
/* delete.tombstone.handling.mode, or the two options of before 3.0. */
enum err unwrap_deletes(const struct smt *s, struct unwrap_deletes *out, struct error *e);
/* Adds metadata to the record's headers; a tombstone has only its op, which is "d". */
enum err unwrap_headers(const struct references *refs, struct record_batch *b, struct record *r,
                        struct error *e);
/* A copy that is optional and has no default: source.snapshot is null while streaming. SPEC: golden
 * mysql/unwrap. One reference to the caller. */
const struct schema *unwrap_optional(const struct schema *s);

extern const char *const unwrap_modes[], *const unwrap_old_modes[];
#define UNWRAP_DELETES_ROW                                                                         \
    {                                                                                              \
        DBZ_FIELDS(1, OPT_W_MEDIUM, "Handle delete and tombstone records",                         \
                   "delete.tombstone.handling.mode", OPT_STRING, "tombstone", OPT_ANY_CASE,        \
                   OPT_MEDIUM, "What becomes of delete events and the tombstones behind them."),   \
            .choices = unwrap_modes                                                                \
    }
#define UNWRAP_METADATA_ROWS                                                                       \
    DBZ_ROW(OPT_W_SHORT, "Field prefix to be added to each field.", "add.fields.prefix",           \
            OPT_STRING, "__", 0, OPT_LOW, "Stands before the names of added fields."),             \
        DBZ_ROW(OPT_W_LONG, "Adds the specified field(s) to the message if they exist.",           \
                "add.fields", OPT_LIST, "", 0, OPT_LOW,                                            \
                "Metadata to add as fields: op, table, source.ts_ms, ts_ms:name ..."),             \
        DBZ_ROW(OPT_W_SHORT, "Header prefix to be added to each header.", "add.headers.prefix",    \
                OPT_STRING, "__", 0, OPT_LOW, "Stands before the names of added headers."),        \
        DBZ_ROW(OPT_W_LONG, "Adds the specified fields to the header if they exist.",              \
                "add.headers", OPT_LIST, "", 0, OPT_LOW, "Metadata to add as headers.")
#define UNWRAP_OLD_ROWS                                                                            \
    SMT_CHOICE_ROW("delete.handling.mode", NULL, OPT_INTERNAL | OPT_ANY_CASE, OPT_LOW,             \
                   unwrap_old_modes, "Older form of delete.tombstone.handling.mode."),             \
        SMT_ROW("drop.tombstones", OPT_BOOLEAN, NULL, OPT_INTERNAL, OPT_LOW,                       \
                "Older form of delete.tombstone.handling.mode.")

#endif
