/* cdc/envelope.h - the outer structs that all change records share: envelope, context headers.
 * SPEC: cdc-mysql 5.1, 5.3, 5.8, 5.12. Thread: any; schemas are immutable. */
#ifndef WEIR_CDC_ENVELOPE_H
#define WEIR_CDC_ENVELOPE_H

#include "base/base.h"
#include "connect/record.h"
#include "connect/schema.h"

/* Fields of an envelope, in order. */
enum envelope_field {
    ENVELOPE_BEFORE,
    ENVELOPE_AFTER,
    ENVELOPE_SOURCE,
    ENVELOPE_TRANSACTION,
    ENVELOPE_OP,
    ENVELOPE_TS_MS,
    ENVELOPE_TS_US,
    ENVELOPE_TS_NS,
    ENVELOPE_FIELDS
};
/* name: of the schema without ".Envelope". value: the optional row struct; borrowed. One reference
 * to the caller. */
const struct schema *envelope_schema(struct slice name, const struct schema *value,
                                     const struct schema *source);

/* The field `snapshot` of source blocks. One reference to the caller. */
const struct schema *envelope_snapshot_schema(void);

/* The optional field `transaction`: id and two counters. One reference to the caller. */
const struct schema *envelope_transaction_schema(void);

/* The headers that every record carries. SPEC: cdc-mysql 5.8 */
enum { CONTEXT_HEADERS = 4 };
struct context_headers {
    struct record_header items[CONTEXT_HEADERS];
    char *texts[CONTEXT_HEADERS];
    size_t count; /* 0: switched off */
};
/* logical: topic.prefix; kind: "mysql". Copies. */
void context_headers_init(struct context_headers *h, bool enabled, const char *logical, int task,
                          const char *kind, const char *run_id);
void context_headers_release(struct context_headers *h);
static inline struct record_headers context_headers_plain(const struct context_headers *h)
{
    return (struct record_headers){.items = h->items, .count = h->count, .lasting = true};
}
/* One more header (__debezium.newkey, .oldkey) before the context headers; in the arena. */
struct record_headers context_headers_with(const struct context_headers *h, struct arena *a,
                                           struct slice name, const struct schema *schema,
                                           struct value value);

#endif
