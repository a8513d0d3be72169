/* cdc/transforms/outbox.h - what EventRouter and MongoEventRouter have in common: a row of an outbox becomes
 * the message that it describes.
 *
 *   aggregatetype -> topic     aggregateid -> key     payload -> value     id -> header id
 *
 * SPEC: connect 7.2, 7.3, cdc-mongodb 7.2. Thread: the task's. */
#ifndef WEIR_CDC_TRANSFORMS_OUTBOX_H
#define WEIR_CDC_TRANSFORMS_OUTBOX_H

#include "cdc/transforms/transforms.h"

enum outbox_invalid { OUTBOX_WARN, OUTBOX_ERROR, OUTBOX_FATAL };
struct outbox_placement;
#define OUTBOX_MADE 16
struct outbox {
    struct smt smt;
    struct slice id, key, payload, timestamp, version, route; /* columns; null: none */
    struct outbox_placement *placements;
    size_t placement_count;
    bool has_envelope, must_exist, tombstones;
    bool plain_ms; /* a timestamp is a long of milliseconds, whatever its schema's name */
    enum outbox_invalid invalid;
    struct regex *regex;
    struct slice replacement;
    struct strbuf text;
    struct { /* schemas of envelope values */
        const struct schema *row, *payload, *made;
        int32_t version;
    } made[OUTBOX_MADE];
    size_t next_made;
};
/* What the options are called. */
struct outbox_names {
    const char *id, *id_default, *key, *payload, *timestamp, *version, *placement;
};
/* s: from smt_new. must_exist, plain_ms and the columns' defaults are the caller's. */
enum err outbox_configure(struct outbox *s, const struct outbox_names *names, struct error *e);
void outbox_release(struct outbox *s); /* all but smt itself */

/* A column of a row; its default where it is null. */
bool outbox_find(const struct record *row, struct slice name, struct dbz_field *out);
/* Called for the payload, so that it may become something else; may be NULL. */
typedef enum err outbox_expand(struct outbox *s, struct record_batch *b, struct dbz_field *payload,
                               struct error *e);
/* The record becomes the message of the row (a struct). ts_ms: of the envelope. */
enum err outbox_route(struct outbox *s, struct record_batch *b, const struct record *row,
                      struct dbz_field ts_ms, outbox_expand *expand, struct record *r,
                      struct error *e);
/* Somebody changed a row: warned of and dropped, or E_INVALID. what: of the message. */
enum err outbox_updated(const struct outbox *s, struct record *r, struct slice what,
                        struct error *e);

/* Rows that both have; group "Router" and "Tracing". */
#define OUTBOX_FIELDS(order_, name_, type_, def_, flags_, importance_, group_, display_, doc_)     \
    DBZ_FIELDS(order_, OPT_W_MEDIUM, display_, name_, type_, def_, flags_, importance_, doc_),     \
        .group = group_
#define OUTBOX_ROW(order_, name_, type_, def_, importance_, group_, display_, doc_)                \
    {                                                                                              \
        OUTBOX_FIELDS(order_, name_, type_, def_, 0, importance_, group_, display_, doc_)          \
    }
extern const char *const outbox_behaviours[];
#define OUTBOX_CHOICE(order_, name_, def_, choices_, group_, display_, doc_)                       \
    {                                                                                              \
        OUTBOX_FIELDS(order_, name_, OPT_STRING, def_, OPT_ANY_CASE, OPT_MEDIUM, group_, display_, \
                      doc_),                                                                       \
            .choices = choices_                                                                    \
    }
#define OUTBOX_ROUTER_ROWS                                                                         \
    OUTBOX_ROW(1, "route.by.field", OPT_STRING, "aggregatetype", OPT_HIGH, "Router",               \
               "Field to route events by", "Column that chooses the topic."),                      \
        OUTBOX_ROW(2, "route.topic.regex", OPT_STRING, "(?<routedByValue>.*)", OPT_LOW, "Router",  \
                   "The name of the routed topic",                                                 \
                   "Expression that its text must match as a whole."),                             \
        OUTBOX_ROW(3, "route.topic.replacement", OPT_STRING, "outbox.event.${routedByValue}",      \
                   OPT_HIGH, "Router", "The name of the routed topic",                             \
                   "The topic; ${name} and $1 stand for groups."),                                 \
        OUTBOX_ROW(4, "route.tombstone.on.empty.payload", OPT_BOOLEAN, "false", OPT_HIGH,          \
                   "Router", "Empty payloads cause a tombstone message",                           \
                   "Send a tombstone for an empty payload."),                                      \
        OUTBOX_ROW(1, "tracing.span.context.field", OPT_STRING, "tracingspancontext", OPT_HIGH,    \
                   "Tracing", "Serialized tracing span context field",                             \
                   "Accepted; weir traces nothing."),                                              \
        OUTBOX_ROW(2, "tracing.operation.name", OPT_STRING, "debezium-read", OPT_HIGH, "Tracing",  \
                   "Tracing operation name", "Accepted; weir traces nothing."),                    \
        OUTBOX_ROW(3, "tracing.with.context.field.only", OPT_BOOLEAN, "false", OPT_HIGH,           \
                   "Tracing", "Trace only events with context field present",                      \
                   "Accepted; weir traces nothing.")

#endif
