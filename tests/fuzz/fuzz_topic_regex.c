/* tests/fuzz/fuzz_topic_regex.c - patterns of subscriptions: a line of pattern, then names, one a
 * line. Besides memory errors it looks for a match that is not one of the whole name. */
#include <stdlib.h>

#include "broker/group/topic_regex.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_plain(struct slice s)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_'))
            return false;
    }
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice rest = slice_of(data, size), pattern = SL(""), name;
    struct topic_regex *r;
    struct error e;
    slice_split(&rest, '\n', &pattern);
    if (!pattern.p || topic_regex_new(&r, pattern, &e) != E_OK)
        return 0;
    for (int i = 0; i < 20 && rest.p && slice_split(&rest, '\n', &name); i++) {
        if (name.n > 249)
            continue;
        bool is = topic_regex_matches(r, name);
        if (is_plain(pattern) && is != slice_eq(pattern, name))
            abort(); /* a pattern without any sign means itself */
    }
    topic_regex_free(r);
    return 0;
}
