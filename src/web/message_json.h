/* web/message_json.h - events of a message stream as text, and records as JSON. SPEC: web-ui 4.1.
 * Pure; thread: any. */
#ifndef WEIR_WEB_MESSAGE_JSON_H
#define WEIR_WEB_MESSAGE_JSON_H

#include "broker/proto/batch.h"
#include "web/message_filter.h"
#include "web/serde.h"

struct message_counts { /* of a stream so far */
    int64_t bytes, records, elapsed_ms;
    int64_t skipped; /* tailing: not shown to a client that could not follow */
};
/* Each appends one whole event, `data:{...}` and a blank line. */
void message_event_phase(struct strbuf *out, struct slice text);
void message_event_consuming(struct strbuf *out, const struct message_counts *c);
void message_event_done(struct strbuf *out, const struct message_counts *c, struct slice cursor);

struct message_style {
    enum serde key, value;
    size_t max_bytes; /* of a shown text */
    const struct message_filter *filter;
    bool worker_configs; /* the topic of Connect's configurations: secrets in values are masked */
};
struct message_scratch { /* memory for message_event_record, kept between calls */
    struct strbuf key, value, masked;
};
/* False: the filter does not match, nothing is appended. A failure sticks to out (strbuf_err). */
bool message_event_record(struct strbuf *out, const struct message_style *style,
                          struct message_scratch *tmp, int32_t partition,
                          const struct batch_record *r, bool log_append_time);
void message_scratch_release(struct message_scratch *tmp);

#endif
