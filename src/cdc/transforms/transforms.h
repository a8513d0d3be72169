/* cdc/transforms/transforms.h - Debezium's transforms, and what they have in common. A transform is
 * a row here, a file beside it and nothing else. SPEC: connect 7. Thread: the task's. */
#ifndef WEIR_CDC_TRANSFORMS_TRANSFORMS_H
#define WEIR_CDC_TRANSFORMS_TRANSFORMS_H

#include "connect/transforms/smt.h"

/* X(variable) */
#define DEBEZIUM_TRANSFORMS(X)                                                                     \
    X(smt_extract_new_record)                                                                      \
    X(smt_extract_new_document)                                                                    \
    X(smt_event_router)                                                                            \
    X(smt_mongo_event_router)                                                                      \
    X(smt_by_logical_table_router)                                                                 \
    X(smt_to_logical_topic_router)                                                                 \
    X(smt_extract_changed)                                                                         \
    X(smt_header_to_value)                                                                         \
    X(smt_timezone_converter)                                                                      \
    X(smt_partition_routing)                                                                       \
    X(smt_schema_change_filter)                                                                    \
    X(smt_read_to_insert)                                                                          \
    X(smt_activate_tracing)
#define X(name) extern const struct transform_ops name;
DEBEZIUM_TRANSFORMS(X)
#undef X

#define DBZ_VERSION "3.5.0.Final"
/* An option's row as SMT_FIELDS, with its place in a form and the name shown there. */
#define DBZ_FIELDS(order_, width_, display_, name_, type_, def_, flags_, importance_, doc_)        \
    .name = name_, .type = type_, .def = def_, .offset = OPT_NO_FIELD, .flags = flags_,            \
    .importance = importance_, .order = order_, .width = width_, .display = display_, .doc = doc_
#define DBZ_ROW(width_, display_, name_, type_, def_, flags_, importance_, doc_)                   \
    {                                                                                              \
        DBZ_FIELDS(1, width_, display_, name_, type_, def_, flags_, importance_, doc_)             \
    }
/* One class; Package with its dot. */
#define DBZ_CLASS_IN(var, Package, Name, rows_, configure_, apply_, release_)                      \
    static const char *const var##_aliases[] = {Name, NULL};                                       \
    const struct transform_ops var = {.class_name = Package Name,                                  \
                                      .aliases = var##_aliases,                                    \
                                      .version = DBZ_VERSION,                                      \
                                      .rows = rows_,                                               \
                                      .configure = configure_,                                     \
                                      .apply = apply_,                                             \
                                      .release = release_};
/* One of io.debezium.transforms.; Sub: the package below it, with its dot. */
#define DBZ_CLASS(var, Sub, Name, rows_, configure_, apply_, release_)                             \
    DBZ_CLASS_IN(var, "io.debezium.transforms." Sub, Name, rows_, configure_, apply_, release_)

/* A change event as a connector makes it. */
static inline bool smt_is_envelope(const struct record *r)
{
    return r->value_schema && r->value.kind == VALUE_STRUCT && r->value_schema->name.p &&
           slice_ends(r->value_schema->name, SL("Envelope"));
}
/* A field of a struct by name, as it is stored. False: the schema has none. */
struct dbz_field {
    const struct schema *schema; /* borrowed */
    struct value value;
};
bool dbz_field(const struct schema *s, struct value v, struct slice name, struct dbz_field *out);
/* "c", "u" ... of a change event; empty when it has none. */
struct slice dbz_operation(const struct record *r);
/* In a source a delete event and the tombstone behind it have one set of headers, so that what is
 * added to the one is on the other. shared: the event's array before something was added. SPEC:
 * golden mysql/unwrap */
void dbz_share_headers(struct record_batch *b, const struct record *r,
                       const struct record_header *shared);
/* E_INVALID: a transform for rows was given an event of a MongoDB connector. purpose: in the original's
 * words; instead: the transform for documents, below their package. */
enum err dbz_is_document(const struct record *r, const char *purpose, const char *instead,
                         struct error *e);
/* The other way round. cause: the original's exception and message. */
enum err dbz_is_row(const struct record *r, const char *cause, const char *instead,
                    struct error *e);
/* E_INVALID in the words of Debezium's own check of options. */
enum err dbz_bad_option(struct error *e, const char *option, const char *fmt, ...)
    PRINTF_LIKE(3, 4);
/* All of s under another name; one reference to the caller. */
struct schema_builder *dbz_renamed(const struct schema *s, struct slice name);

#endif
