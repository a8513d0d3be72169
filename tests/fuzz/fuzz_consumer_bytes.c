/* tests/fuzz/fuzz_consumer_bytes.c - subscriptions and assignments that members from outside send.
 * Besides memory errors: an assignment that was read is written and read again as the same. */
#include <stdlib.h>

#include "broker/group/consumer_bytes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_same(const struct consumer_list *a, const struct consumer_list *b)
{
    if (a->n != b->n)
        abort();
    for (size_t i = 0; i < a->n; i++) {
        const struct consumer_partitions *x = &a->v[i], *y = &b->v[i];
        if (!slice_eq(x->topic, y->topic) || x->count != y->count)
            abort();
        for (int32_t k = 0; k < x->count; k++)
            if (x->partitions[k] != y->partitions[k])
                abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice bytes = slice_of(data, size);
    struct consumer_subscription s;
    struct consumer_list l, again;
    struct arena a;
    arena_init(&a, 0, ARENA_NO_BUDGET);
    if (consumer_subscription_read(bytes, &a, &s) == E_OK)
        for (int32_t i = 0; i < s.topic_count; i++)
            (void)arena_dup(&a, s.topics[i]);
    if (consumer_assignment_read(bytes, &a, &l) == E_OK) {
        struct strbuf b = STRBUF_INIT;
        consumer_assignment_write(&l, 0, &b);
        if (consumer_assignment_read(strbuf_slice(&b), &a, &again) != E_OK)
            abort();
        check_same(&l, &again);
        strbuf_release(&b);
    }
    arena_release(&a);
    return 0;
}
