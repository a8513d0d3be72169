/* tests/fuzz/fuzz_frame.c - Kafka frames: header and body of requests, bodies of responses.
 *
 * First byte: 0 = the rest is a request as it follows the frame's size; anything else = a response:
 * i16 key, i16 version, body. What decodes must encode, and that again must decode to the same. */
#include "broker/proto/codec.h"

#include <stdlib.h>

#include "base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok)
{
    if (!ok)
        abort();
}

static void twice(const struct msg_desc *d, int16_t version, const void *msg)
{
    struct arena a;
    struct strbuf one = STRBUF_INIT, two = STRBUF_INIT, line = STRBUF_INIT;
    arena_init(&a, 0, 8 << 20);
    void *again = arena_alloc(&a, d->body->size);
    check(codec_encode(d, version, msg, &one) == E_OK);
    struct reader r = reader_of(one.p, one.n);
    check(codec_decode(d, version, &r, &a, again) == E_OK && reader_left(&r) == 0);
    check(codec_encode(d, version, again, &two) == E_OK);
    check(slice_eq(strbuf_slice(&one), strbuf_slice(&two)));
    codec_trace(d, version, msg, &line);
    strbuf_release(&one);
    strbuf_release(&two);
    strbuf_release(&line);
    arena_release(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    struct reader r = reader_of(data + 1, size - 1);
    struct request_header h = {0};
    bool request = data[0] == 0;
    if (request) {
        if (codec_decode_request_header(&r, &h) != E_OK)
            return 0;
    } else {
        h.api_key = (int16_t)read_be16(&r);
        h.api_version = (int16_t)read_be16(&r);
    }
    const struct msg_desc *d = msg_find(h.api_key, request ? MSG_REQUEST : MSG_RESPONSE);
    if (!d)
        return 0;
    struct arena a;
    arena_init(&a, 0, 4 << 20);
    void *msg = arena_alloc(&a, d->body->size);
    if (codec_decode(d, h.api_version, &r, &a, msg) == E_OK)
        twice(d, h.api_version, msg);
    arena_release(&a);
    return 0;
}
