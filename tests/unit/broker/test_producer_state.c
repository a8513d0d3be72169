/* tests/unit/broker/test_producer_state.c - sequence rules of idempotent producers (SPEC:
 * broker 7.2) and their snapshots. */
#include "broker/producer_state.h"

#include "base/mem.h"
#include "broker/proto/kerr.h"
#include "log_helpers.h"

static struct strbuf bytes = STRBUF_INIT;

/* A batch of `count` records with its offset assigned. */
static const void *batch(int64_t id, int16_t epoch, int32_t sequence, int count, int64_t offset)
{
    make_batch(&bytes, &(struct batch_spec){.count = count,
                                            .timestamp = 1000 + offset,
                                            .producer_id = id,
                                            .producer_epoch = epoch,
                                            .sequence = sequence});
    batch_assign(bytes.p, offset, 0);
    return bytes.p;
}

static int16_t judge(const struct producer_state *s, const void *b, int64_t *duplicate_of)
{
    const struct producer_batch *d;
    int16_t code = producer_state_check(s, b, 0, &d);
    *duplicate_of = d ? d->first_offset : -1;
    return code;
}

static void test_rules(void)
{
    struct producer_state s;
    int64_t of;
    producer_state_init(&s);
    CHECK_INT(judge(&s, batch(7, 3, 500, 2, 0), &of), KERR_NONE); /* not known: any start is good */
    CHECK_OK(producer_state_note(&s, batch(7, 3, 500, 2, 0)));
    CHECK_INT(judge(&s, batch(7, 3, 502, 3, 2), &of), KERR_NONE);
    CHECK_INT(of, -1);
    CHECK_OK(producer_state_note(&s, batch(7, 3, 502, 3, 2)));
    CHECK_INT(judge(&s, batch(7, 3, 500, 2, 5), &of), KERR_NONE);
    CHECK_INT(of, 0); /* the repeated batch's first offset */
    CHECK_INT(judge(&s, batch(7, 3, 502, 3, 5), &of), KERR_NONE);
    CHECK_INT(of, 2);
    CHECK_INT(judge(&s, batch(7, 3, 502, 2, 5), &of), KERR_OUT_OF_ORDER_SEQUENCE_NUMBER);
    CHECK_INT(judge(&s, batch(7, 3, 506, 1, 5), &of), KERR_OUT_OF_ORDER_SEQUENCE_NUMBER);
    CHECK_INT(judge(&s, batch(7, 3, 499, 1, 5), &of), KERR_OUT_OF_ORDER_SEQUENCE_NUMBER);
    CHECK_INT(judge(&s, batch(7, 2, 505, 1, 5), &of), KERR_INVALID_PRODUCER_EPOCH);
    CHECK_INT(judge(&s, batch(7, 4, 505, 1, 5), &of), KERR_OUT_OF_ORDER_SEQUENCE_NUMBER);
    CHECK_INT(judge(&s, batch(7, 4, 0, 1, 5), &of), KERR_NONE);
    CHECK_OK(producer_state_note(&s, batch(7, 4, 0, 1, 5)));
    CHECK_INT(judge(&s, batch(7, 4, 0, 1, 6), &of), KERR_NONE);
    CHECK_INT(of, 5);
    CHECK_INT(judge(&s, batch(7, 3, 505, 1, 6), &of), KERR_INVALID_PRODUCER_EPOCH);
    CHECK_INT(judge(&s, batch(8, 0, 99, 1, 6), &of), KERR_NONE); /* somebody else */
    make_batch(&bytes, &(struct batch_spec){.count = 1});
    CHECK_INT(judge(&s, bytes.p, &of), KERR_NONE); /* nobody */
    CHECK_OK(producer_state_note(&s, bytes.p));
    CHECK_INT(s.by_id.count, 1);
    producer_state_release(&s);
}

static void test_window(void)
{
    struct producer_state s;
    int64_t of;
    producer_state_init(&s);
    for (int i = 0; i < 8; i++)
        CHECK_OK(producer_state_note(&s, batch(1, 0, i * 10, 10, i * 10)));
    for (int i = 3; i < 8; i++) {
        CHECK_INT(judge(&s, batch(1, 0, i * 10, 10, 80), &of), KERR_NONE);
        CHECK_INT(of, i * 10);
    }
    CHECK_INT(judge(&s, batch(1, 0, 20, 10, 80), &of), KERR_OUT_OF_ORDER_SEQUENCE_NUMBER);
    producer_state_release(&s);
}

/* After 2147483647 comes 0, also in the middle of a batch. */
static void test_wrap(void)
{
    struct producer_state s;
    int64_t of;
    producer_state_init(&s);
    CHECK_OK(producer_state_note(&s, batch(1, 0, INT32_MAX - 1, 2, 0))); /* ends at the largest */
    CHECK_INT(producer_state_get(&s, 1)->batches[0].last_sequence, INT32_MAX);
    CHECK_INT(judge(&s, batch(1, 0, 0, 1, 2), &of), KERR_NONE);
    CHECK_INT(of, -1);
    producer_state_clear(&s);
    CHECK_OK(producer_state_note(&s, batch(1, 0, INT32_MAX, 3, 0))); /* 2^31-1, 0, 1 */
    CHECK_INT(producer_state_get(&s, 1)->batches[0].last_sequence, 1);
    CHECK_INT(judge(&s, batch(1, 0, 2, 1, 3), &of), KERR_NONE);
    CHECK_INT(judge(&s, batch(1, 0, INT32_MAX, 3, 3), &of), KERR_NONE);
    CHECK_INT(of, 0);
    CHECK_INT(judge(&s, batch(1, 0, 0, 1, 3), &of), KERR_OUT_OF_ORDER_SEQUENCE_NUMBER);
    struct strbuf file = STRBUF_INIT;
    CHECK_OK(producer_state_encode(&s, &file));
    CHECK_OK(producer_state_decode(&s, strbuf_slice(&file)));
    CHECK_INT(producer_state_get(&s, 1)->batches[0].first_sequence, INT32_MAX);
    strbuf_release(&file);
    producer_state_release(&s);
}

static void test_reserve(void)
{
    struct producer_state s;
    int64_t of;
    producer_state_init(&s);
    const void *b = batch(5, 2, 17, 1, 0);
    CHECK_OK(producer_state_reserve(&s, b));
    CHECK(producer_state_get(&s, 5) == NULL); /* its write failed: still unknown */
    CHECK_INT(judge(&s, batch(5, 2, 40, 1, 0), &of), KERR_NONE);
    struct strbuf file = STRBUF_INIT;
    CHECK_OK(producer_state_encode(&s, &file));
    CHECK_OK(producer_state_decode(&s, strbuf_slice(&file)));
    CHECK_INT(s.by_id.count, 0);
    strbuf_release(&file);
    mem_fail_at(1);
    CHECK_ERR(producer_state_note(&s, batch(6, 0, 0, 1, 0)), E_OK); /* make_batch took the fault */
    mem_fail_at(0);
    b = batch(9, 0, 0, 1, 0);
    mem_fail_at(1);
    CHECK_ERR(producer_state_note(&s, b), E_NOMEM);
    mem_fail_at(0);
    CHECK(producer_state_get(&s, 9) == NULL);
    producer_state_release(&s);
}

static void test_expire(void)
{
    struct producer_state s;
    producer_state_init(&s);
    CHECK_OK(producer_state_note(&s, batch(1, 0, 0, 1, 100)));  /* at 1100 */
    CHECK_OK(producer_state_note(&s, batch(2, 0, 0, 1, 5000))); /* at 6000 */
    make_batch(&bytes, &(struct batch_spec){.count = 1,
                                            .timestamp = 50,
                                            .producer_id = 3,
                                            .producer_epoch = 0,
                                            .transactional = true});
    batch_assign(bytes.p, 7, 0);
    CHECK_OK(producer_state_note(&s, bytes.p));
    CHECK_INT(producer_state_first_open(&s), 7);
    producer_state_expire(&s, 3000);
    CHECK(producer_state_get(&s, 1) == NULL);
    CHECK(producer_state_get(&s, 2) != NULL);
    CHECK(producer_state_get(&s, 3) != NULL); /* its transaction is open */
    struct strbuf marker = STRBUF_INIT;
    batch_control_build(&marker, 60, 3, 0, CONTROL_COMMIT, 0);
    CHECK_OK(producer_state_reserve(&s, marker.p));
    producer_state_end_txn(&s, marker.p, 0);
    CHECK_INT(producer_state_first_open(&s), -1);
    strbuf_release(&marker);
    producer_state_release(&s);
}

static void test_snapshot(void)
{
    struct producer_state s, again;
    struct strbuf file = STRBUF_INIT;
    producer_state_init(&s);
    producer_state_init(&again);
    for (int64_t id = 1; id <= 40; id++)
        for (int i = 0; i < id % 8; i++)
            CHECK_OK(
                producer_state_note(&s, batch(id, (int16_t)(id % 3), i * 4, 4, id * 100 + i * 4)));
    CHECK_OK(producer_state_encode(&s, &file));
    CHECK_OK(producer_state_decode(&again, strbuf_slice(&file)));
    CHECK_INT(again.by_id.count, s.by_id.count);
    for (int64_t id = 1; id <= 40; id++) {
        const struct producer *a = producer_state_get(&s, id), *b = producer_state_get(&again, id);
        CHECK((a == NULL) == (b == NULL));
        if (!a || !b)
            continue;
        CHECK_INT(b->count, a->count); /* all five, not only the newest */
        CHECK_INT(b->epoch, a->epoch);
        CHECK_INT(b->last_ms, a->last_ms);
        CHECK(memcmp(a->batches, b->batches, a->count * sizeof *a->batches) == 0);
    }
    producer_state_release(&again);
    producer_state_release(&s);
    strbuf_release(&file);
}

/* A snapshot that is cut or changed anywhere is refused, or (bytes behind the checksum: none)
 * equal. */
static void test_snapshot_damaged(void)
{
    struct producer_state s;
    struct strbuf file = STRBUF_INIT;
    producer_state_init(&s);
    for (int i = 0; i < 3; i++)
        CHECK_OK(producer_state_note(&s, batch(1, 0, i, 1, i)));
    CHECK_OK(producer_state_encode(&s, &file));
    for (size_t n = 0; n < file.n; n++)
        CHECK_ERR(producer_state_decode(&s, slice_of(file.p, n)), E_CORRUPT);
    for (size_t i = 0; i < file.n; i++) {
        file.p[i] ^= 0x40;
        CHECK_ERR(producer_state_decode(&s, strbuf_slice(&file)), E_CORRUPT);
        CHECK_INT(s.by_id.count, 0);
        file.p[i] ^= 0x40;
    }
    CHECK_OK(producer_state_decode(&s, strbuf_slice(&file)));
    for (int64_t n = 1; n < 20; n++) {
        mem_fail_at(n);
        enum err r = producer_state_decode(&s, strbuf_slice(&file));
        bool hit = mem_fail_hit();
        mem_fail_at(0);
        CHECK_ERR(r, hit ? E_NOMEM : E_OK);
    }
    strbuf_release(&file);
    producer_state_release(&s);
}

static int done(void)
{
    strbuf_release(&bytes);
    return 0;
}

static const struct test_case tests[] = {
    {"rules", test_rules},
    {"window of five", test_window},
    {"wrap", test_wrap},
    {"reserve", test_reserve},
    {"expire", test_expire},
    {"snapshot", test_snapshot},
    {"damaged snapshot", test_snapshot_damaged},
    {NULL, NULL},
};
const struct test_suite test_producer_state = {"broker/producer_state", tests, NULL, done};
