/* Texts that transforms read: literals and headers (infer.c), dates (java_date.c), payloads of the
 * outbox (json_payload.c), whose values are those of their schema. First byte: which. */
#include <stdint.h>

#include "cdc/transforms/json_payload.h"
#include "check_value.h"
#include "connect/converters/infer.h"
#include "connect/java_date.h"
#include "connect/json_out.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void print(const struct schema *s, struct value v)
{
    struct strbuf b = STRBUF_INIT;
    struct json_out_options o = {.null_to_default = false};
    (void)!json_out_value(&b, s, v, &o, NULL);
    strbuf_release(&b);
}

static void dates(struct slice text)
{
    static const char *const patterns[] = {"yyyy-MM-dd'T'HH:mm:ss.SSSXXX", "EEE, d MMM yy h:mm a z",
                                           "GyyyyDDDkkmmssSSSZ", "yyyyMMddHHmmss"};
    for (size_t i = 0; i < ARRAY_LEN(patterns); i++) {
        int64_t ms;
        struct strbuf b = STRBUF_INIT;
        if (java_date_parse(slice_cstr(patterns[i]), text, &ms, NULL) == E_OK)
            (void)!java_date_format(slice_cstr(patterns[i]), ms, &b, NULL);
        strbuf_reset(&b);
        (void)!java_date_format(text, (int64_t)text.n * 86400123, &b, NULL);
        strbuf_release(&b);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!size)
        return 0;
    struct slice text = slice_of((const char *)data + 1, size - 1);
    const struct schema *s = NULL;
    struct value v;
    struct record_batch b;
    record_batch_init(&b, (size_t)16 << 20);
    if (data[0] % 4 == 0) {
        v = infer_value(text, &b.arena, &s);
        print(s, v);
        schema_unref(s);
    } else if (data[0] % 4 == 1) {
        dates(text);
    } else if (json_payload_expand(text, data[0] % 4 == 2, &b, &s, &v, NULL) == E_OK) {
        check_value(s, v);
        print(s, v);
    }
    record_batch_release(&b);
    return 0;
}
