/* tests/fuzz/fuzz_render.c - a table and a rows event made of the input, through both ways from row
 * to JSON; they must agree. See render_pair.h. */
#include "render_pair.h"

#include "base/log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct choices c = {.p = data, .end = data + size};
    struct strbuf why = STRBUF_INIT;
    struct pair p;
    (void)!log_set_level("root", LOG_L_OFF);
    if (size == 0)
        return 0;
    bool texts = choose(&c, 3) == 2;
    if (pair_open(&p, &c))
        (texts ? pair_run_texts : pair_run)(&p, &c, &why);
    if (why.n) {
        fprintf(stderr, "%s", why.p);
        abort();
    }
    pair_close(&p);
    strbuf_release(&why);
    return 0;
}
