/* tests/fuzz/fuzz_json_binary.c - binary JSON as text, and partial updates.
 *
 * First 2 bytes (little endian): size of the value; the rest behind it are differences. What comes
 * out without an error must be JSON again. */
#include <stdlib.h>

#include "base/bytes.h"
#include "base/json.h"
#include "base/mem.h"
#include "cdc/mysql/json_binary.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must_be_json(struct slice text)
{
    static struct json_reader r;
    enum json_token t;

    if (!slice_is_utf8(text)) /* strings are passed as they are stored */
        return;
    jr_init(&r, text, 0);
    while ((t = jr_next(&r)) != JT_END)
        if (t == JT_ERROR) {
            fprintf(stderr, "not JSON: %.*s\n", (int)text.n, text.p);
            abort();
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    size_t n = MIN((size_t)load_le16(data), size - 2);
    uint8_t *value = xmalloc(n + 1), *diffs = xmalloc(size - 2 - n + 1);
    struct strbuf out;
    struct error e = {.msg = ""};

    memcpy(value, data + 2, n);
    memcpy(diffs, data + 2 + n, size - 2 - n);
    strbuf_init(&out, 1 << 20);
    enum err err = mysql_json_text(slice_of(value, n), &out, &e);
    if (!err)
        must_be_json(strbuf_slice(&out));
    else if (!e.msg[0])
        abort();
    strbuf_reset(&out);
    e.msg[0] = '\0';
    err = mysql_json_apply_partial(slice_of(value, n), slice_of(diffs, size - 2 - n), &out, &e);
    if (!err)
        must_be_json(strbuf_slice(&out));
    else if (!e.msg[0])
        abort();
    (void)mysql_json_is_null(slice_of(value, n));
    strbuf_release(&out);
    mem_free(value);
    mem_free(diffs);
    return 0;
}
