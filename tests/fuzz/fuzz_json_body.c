/* tests/fuzz/fuzz_json_body.c - everything in Connect that reads JSON from outside: request bodies,
 * and JsonConverter on consumed bytes. What was read is written again, so that both halves run.
 *
 * The first byte chooses: 0 configuration map, 1 POST /connectors, 2 converter with schemas, 3
 * without, 4 a stored partition key. */
#include <stdint.h>
#include <stdlib.h>

#include "base/base.h"
#include "connect/converters/converters.h"
#include "connect/rest/rest.h"
#include "connect/store.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_body(struct slice text)
{
    struct strmap m;
    struct error e = {0};
    if (rest_config_body(text, &m, &e) != E_OK && e.sys < 400)
        abort();
    strmap_release(&m);
}

static void read_create(struct slice text)
{
    struct create_request r;
    struct error e = {0};
    if (rest_create_body(text, &r, &e) != E_OK && e.sys < 400)
        abort();
    create_request_release(&r);
}

/* A value that was read can be written, and reads back equal. */
static void convert(struct slice text, bool schemas)
{
    struct strmap config = STRMAP_INIT;
    struct arena a;
    struct strbuf out = STRBUF_INIT;
    struct error e = {0};
    const struct schema *s, *again_s;
    struct value v, again;
    void *c = NULL;
    bool null;
    strmap_set(&config, SL("schemas.enable"), schemas ? SL("true") : SL("false"));
    arena_init(&a, 0, 64 << 20);
    if (converter_json.configure(&c, &config, false, &e) != E_OK)
        abort();
    if (converter_json.to_connect(c, SL("t"), text, &a, &s, &v, &e) == E_OK &&
        converter_json.from_connect(c, SL("t"), s, v, &out, &null, &e) == E_OK && !null) {
        if (converter_json.to_connect(c, SL("t"), strbuf_slice(&out), &a, &again_s, &again, &e) ==
            E_NOMEM)
            goto out; /* the budget of this test */
        if (e.code != E_OK && strstr(e.msg, "serialization error"))
            abort(); /* what we write is JSON */
    }
out:
    strbuf_release(&out);
    converter_json.release(c);
    arena_release(&a);
    strmap_release(&config);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    struct slice text = slice_of(data + 1, size - 1);
    struct arena a;
    switch (data[0] % 5) {
    case 0:
        read_body(text);
        break;
    case 1:
        read_create(text);
        break;
    case 2:
    case 3:
        convert(text, data[0] % 5 == 2);
        break;
    default:
        arena_init(&a, 0, ARENA_NO_BUDGET);
        (void)store_partition_key(&a, text);
        arena_release(&a);
    }
    return 0;
}
