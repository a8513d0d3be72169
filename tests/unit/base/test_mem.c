/* tests/unit/base/test_mem.c - both families of allocation, the fault, errors, rbuf, lists, the
 * clock. */
#include "base/mem.h"

#include <errno.h>

#include "base/clock.h"
#include "base/list.h"
#include "base/rbuf.h"
#include "helpers.h"

static void test_xfamily(void)
{
    char *p = xmalloc(0);
    p = xrealloc(p, 10);
    memset(p, 1, 10);
    mem_free(p);
    char *z = xcalloc(3, 5);
    for (int i = 0; i < 15; i++)
        CHECK_INT(z[i], 0);
    mem_free(z);
    char *s = xstrdup("abc"), *t = xstrndup("abcdef", 2), *u = xstrndup("ab", 50);
    char *f = xasprintf("%s-%d", s, 4);
    CHECK_STR(s, "abc");
    CHECK_STR(t, "ab");
    CHECK_STR(u, "ab");
    CHECK_STR(f, "abc-4");
    mem_free(s), mem_free(t), mem_free(u), mem_free(f), mem_free(NULL);
    char secret[8] = "hunter2";
    mem_wipe(secret, sizeof secret);
    for (size_t i = 0; i < sizeof secret; i++)
        CHECK_INT(secret[i], 0);
    mem_wipe(NULL, 0);
}

static void test_limits(void)
{
    volatile size_t huge = SIZE_MAX; /* volatile: the compiler would warn of the constant */
    CHECK(try_alloc(huge) == NULL);
    CHECK(try_alloc(huge / 2 + 1) == NULL);
    CHECK(try_calloc(huge / 2, 3) == NULL);
    void *p = try_alloc(10);
    CHECK(try_realloc(p, huge) == NULL);
    memset(p, 0, 10); /* still ours */
    mem_free(p);
    p = try_calloc(0, 8);
    CHECK(p != NULL);
    mem_free(p);
}

static void test_fault(void)
{
    for (int64_t n = 1; n <= 4; n++) {
        mem_fail_at(n);
        CHECK(!mem_fail_hit());
        void *a = try_alloc(1), *b = try_calloc(1, 1), *c = try_realloc(NULL, 1), *x = xmalloc(1);
        CHECK((a == NULL) == (n == 1) && (b == NULL) == (n == 2) && (c == NULL) == (n == 3));
        CHECK(mem_fail_hit() == (n <= 3));
        mem_free(a), mem_free(b), mem_free(c), mem_free(x);
    }
    mem_fail_at(0);
    CHECK(!mem_fail_hit());
}

static void test_errors(void)
{
    struct error e;
    CHECK_ERR(error_set(NULL, E_AUTH, "%s", "nobody listens"), E_AUTH);
    CHECK_ERR(error_set(&e, E_NOT_FOUND, "topic %s", "t1"), E_NOT_FOUND);
    CHECK_STR(e.msg, "topic t1");
    CHECK_STR(e.hint, "");
    error_hint(&e, "create it with %s", "kafka-topics");
    CHECK_ERR(error_wrap(&e, "reading %s", "config"), E_NOT_FOUND);
    CHECK_STR(e.msg, "reading config: topic t1");
    CHECK_STR(e.hint, "create it with kafka-topics");
    CHECK_ERR(error_set(&e, E_INVALID, "again: %s", e.msg),
              E_INVALID); /* its own text as argument */
    CHECK_STR(e.msg, "again: reading config: topic t1");
    CHECK_STR(e.hint, "");
    CHECK_ERR(error_sys(&e, ENOENT, "opening %s", "/x"), E_IO);
    CHECK_STR(e.msg, "opening /x: No such file or directory");
    CHECK_INT(e.sys, ENOENT);
    CHECK_ERR(error_sys(&e, ENOMEM, "x"), E_NOMEM);
    CHECK_OK(error_wrap(NULL, "x"));
    error_hint(NULL, "x");
    error_clear(NULL);
    error_clear(&e);
    CHECK_OK(e.code);
    for (int c = 0; c < E_COUNT; c++)
        CHECK(err_name((enum err)c) != NULL && err_name((enum err)c)[0] != 0);
    CHECK_STR(err_name((enum err)999), "unknown error");
}

static void test_error_cut(void)
{
    struct error e;
    char text[sizeof e.msg * 2];
    for (size_t shift = 0; shift < 4; shift++) {
        memset(text, 'a', sizeof text);
        for (size_t i = shift; i + 4 < sizeof text; i += 4)
            memcpy(text + i, "\xf0\x9f\x98\x80", 4);
        text[sizeof text - 1] = 0;
        error_set(&e, E_INVALID, "%s", text);
        CHECK(slice_is_utf8(slice_cstr(e.msg)));
        CHECK(strlen(e.msg) >= sizeof e.msg - 4);
        error_wrap(&e, "w%zu", shift);
        CHECK(slice_is_utf8(slice_cstr(e.msg)));
        error_hint(&e, "%s", text);
        CHECK(slice_is_utf8(slice_cstr(e.hint)));
    }
}

static void test_rbuf(void)
{
    struct rbuf *b = rbuf_new(10);
    CHECK(b != NULL && b->cap == 10 && b->n == 0);
    memcpy(b->p, "0123456789", 10);
    b->n = 10;
    CHECK_OK(rbuf_grow(&b, 5)); /* enough already */
    CHECK_OK(rbuf_grow(&b, 100000));
    CHECK_INT(b->cap, 100000);
    CHECK_SLICE(slice_of(b->p, b->n), SL("0123456789"));
    struct rbuf *before = b;
    mem_fail_at(1);
    CHECK_ERR(rbuf_grow(&b, 200000), E_NOMEM);
    CHECK(b == before && b->cap == 100000);
    mem_fail_at(0);
    CHECK_ERR(rbuf_grow(&b, SIZE_MAX), E_TOO_LARGE);
    CHECK(rbuf_ref(b) == b);
    rbuf_unref(b);
    CHECK_INT(b->p[0], '0');
    rbuf_unref(b);
    rbuf_unref(NULL);
    CHECK(rbuf_new(SIZE_MAX) == NULL);
    mem_fail_at(1);
    CHECK(rbuf_new(1) == NULL);
    mem_fail_at(0);
}

struct item {
    int v;
    struct link link;
};

static void test_list(void)
{
    struct list l;
    struct item items[5] = {0};
    list_init(&l);
    CHECK(list_empty(&l) && list_first(&l) == NULL && list_pop_front(&l) == NULL);
    for (int i = 0; i < 5; i++) {
        items[i].v = i;
        CHECK(!link_in_list(&items[i].link));
        if (i % 2)
            list_push_front(&l, &items[i].link);
        else
            list_push_back(&l, &items[i].link);
    }
    int seen = 0;
    list_each (&l, it) /* 3 1 0 2 4 */
    {
        struct item *x = list_entry(it, struct item, link);
        seen = seen * 10 + x->v;
        if (x->v % 2)
            list_remove(&l, it);
    }
    CHECK_INT(seen, 31024);
    CHECK_INT(l.count, 3);
    CHECK(!link_in_list(&items[1].link) && link_in_list(&items[2].link));
    list_insert_before(&l, &items[2].link, &items[1].link);
    int got = 0;
    for (struct link *k; (k = list_pop_front(&l)) != NULL;)
        got = got * 10 + list_entry(k, struct item, link)->v;
    CHECK_INT(got, 124);
    CHECK(list_empty(&l));
}

static void test_clock(void)
{
    int64_t wall = clock_wall_ms(), mono = clock_mono_us();
    CHECK(wall > 1700000000000 && clock_mono_us() >= mono);
    clock_fake(5000, 70);
    CHECK_INT(clock_wall_ms(), 5000);
    CHECK_INT(clock_wall_us(), 5000000);
    CHECK_INT(clock_mono_ms(), 70);
    clock_fake_advance(25);
    CHECK_INT(clock_wall_ms(), 5025);
    CHECK_INT(clock_mono_us(), 95000);
    clock_real();
    CHECK(clock_wall_ms() >= wall && clock_mono_us() >= mono);
}

static const struct test_case tests[] = {
    {"the family that aborts", test_xfamily},
    {"sizes that can not be", test_limits},
    {"fault at call n", test_fault},
    {"struct error", test_errors},
    {"long messages stay UTF-8", test_error_cut},
    {"rbuf", test_rbuf},
    {"list", test_list},
    {"clock", test_clock},
    {NULL, NULL},
};
const struct test_suite test_mem = {"base/mem", tests, NULL, NULL};
