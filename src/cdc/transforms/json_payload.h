/* cdc/transforms/json_payload.h - JSON text as a struct with a schema of its own
 * (table.expand.json.payload of the outbox router). SPEC: connect 7.2. Thread: the task's. */
#ifndef WEIR_CDC_TRANSFORMS_JSON_PAYLOAD_H
#define WEIR_CDC_TRANSFORMS_JSON_PAYLOAD_H

#include "connect/record.h"

/* keep_nulls: members that are null stay, as optional bytes. *schema: kept by the batch. E_INVALID:
 * the text is no JSON object or array, or has arrays of several types: it is to stay as it is (e
 * says why). E_NOMEM. */
enum err json_payload_expand(struct slice text, bool keep_nulls, struct record_batch *b,
                             const struct schema **schema, struct value *v,
                             struct error *e) MUST_CHECK;

#endif
