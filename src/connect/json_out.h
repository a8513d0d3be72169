/* connect/json_out.h - values and schemas as JsonConverter writes them: no spaces, members in the
 * schema's order, nothing allocated but the buffer's own growth. SPEC: connect 5.2. Thread: any. */
#ifndef WEIR_CONNECT_JSON_OUT_H
#define WEIR_CONNECT_JSON_OUT_H

#include "base/err.h"
#include "base/str.h"
#include "connect/schema.h"

struct json_out_options {
    bool numeric_decimals; /* decimal.format=NUMERIC */
    bool null_to_default;  /* replace.null.with.default */
};

/* The text that JsonConverter makes of a key or a value. */
struct json_form {
    bool schemas; /* {"schema":...,"payload":...} */
    struct json_out_options out;
};

/* Appends the payload. s NULL: schemaless. On failure the buffer's length is as before and e holds
 * Java's exception chain. E_INVALID (DataException), E_TOO_LARGE, E_NOMEM. */
enum err json_out_value(struct strbuf *b, const struct schema *s, struct value v,
                        const struct json_out_options *o, struct error *e) MUST_CHECK;
/* Appends the schema's text; NULL appends null. Sealed schemas already hold it for BASE64 decimals.
 */
void json_out_schema(struct strbuf *b, const struct schema *s, bool numeric_decimals);
/* True when the text depends on decimal.format: a Decimal default somewhere below. */
bool json_out_schema_varies(const struct schema *s);

#endif
