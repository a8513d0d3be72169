/* tests/fuzz/fuzz_decompress.c - the codecs' decoders on anything.
 *
 * Byte 0: codec (low three bits) and whether old LZ4 header checksums are taken (bit 3); the rest
 * is the input. Checked: the ceiling holds, a failure leaves nothing behind, and what came out
 * survives being packed and unpacked again. */
#include "base/base.h"
#include "base/compress.h"
#include "base/err.h"

#define CEILING ((size_t)1 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    enum codec c = (enum codec)(data[0] & 7);
    struct strbuf out;
    strbuf_init(&out, CEILING);
    strbuf_adds(&out, "head");
    enum err r = codec_decompress(c, slice_of(data + 1, size - 1), data[0] & 8, &out);
    invariant(out.n <= CEILING && memcmp(out.p, "head", 4) == 0 && out.p[out.n] == 0);
    invariant(r == E_OK || out.n == 4);
    if (r == E_OK && out.n <= 65536) {
        struct strbuf packed = STRBUF_INIT, back = STRBUF_INIT;
        invariant(codec_compress(c, CODEC_LEVEL_DEFAULT, strbuf_slice(&out), &packed) == E_OK);
        invariant(codec_decompress(c, strbuf_slice(&packed), false, &back) == E_OK);
        invariant(slice_eq(strbuf_slice(&out), strbuf_slice(&back)));
        strbuf_release(&packed);
        strbuf_release(&back);
    }
    strbuf_release(&out);
    return 0;
}
