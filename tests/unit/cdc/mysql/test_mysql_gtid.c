/* tests of cdc/mysql/gtid.c */
#include "cdc/mysql/gtid.h"

#include "base/bytes.h"
#include "helpers.h"

#define A "2b5ba979-e591-11f1-944c-02fc00000001"
#define B "3b5ba979-e591-11f1-944c-02fc00000001"

static void check_set(const struct gtid_set *s, const char *want)
{
    struct strbuf b = STRBUF_INIT;

    gtid_set_print(s, &b);
    CHECK_STR(b.p, want);
    strbuf_release(&b);
}

static struct gtid_set parse(const char *text)
{
    struct gtid_set s = GTID_SET_INIT;
    struct error e;

    CHECK_OK(gtid_set_parse(&s, slice_cstr(text), &e));
    return s;
}

static void check_parse(const char *text, const char *want)
{
    struct gtid_set s = parse(text);

    check_set(&s, want);
    gtid_set_release(&s);
}

static void texts(void)
{
    check_parse("", "");
    check_parse(A ":1-5:7", A ":1-5:7");
    check_parse(" " A ":1-5,\n" B ":3 ", A ":1-5," B ":3");
    check_parse(B ":3," A ":9:1-5:6", A ":1-6:9," B ":3"); /* sorted, merged */
    check_parse("2B5BA979E59111F1944C02FC00000001:1", A ":1");
    check_parse(A ":5-5", A ":5");
    check_parse(A ":1-96:blue:1", A ":1-96:blue:1");
    check_parse(A ":Blue:1-3:red:4:1-2", A ":blue:1-3:red:1-2:4");
    check_parse(A ":blue:2," A ":7", A ":7:blue:2");
}

static void bad_texts(void)
{
    static const char *const bad[] = {"x",   A,       A ":",     A ":0",  A ":a-b",       A ":1-",
                                      "1:1", A ":-5", A ":1--2", A ":1,", A ":1,nonsense"};
    struct gtid_set s = GTID_SET_INIT;
    struct error e;

    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        if (i != 9)
            CHECK_ERR(gtid_set_parse(&s, slice_cstr(bad[i]), &e), E_INVALID);
    CHECK_OK(gtid_set_parse(&s, slice_cstr(bad[9]), &e)); /* a comma at the end is taken */
    gtid_set_release(&s);
}

static void algebra(void)
{
    struct gtid_set a = parse(A ":1-10:20-30," B ":1"), b = parse(A ":5-25"), c;
    uint8_t uuid[16];

    gtid_set_copy(&c, &a);
    gtid_set_union(&c, &b);
    check_set(&c, A ":1-30," B ":1");
    CHECK(gtid_set_subset(&a, &c));
    CHECK(gtid_set_subset(&b, &c));
    CHECK(!gtid_set_subset(&c, &a));
    gtid_set_subtract(&c, &b);
    check_set(&c, A ":1-4:26-30," B ":1");
    gtid_set_subtract(&c, &a);
    check_set(&c, "");
    CHECK_OK(gtid_uuid_parse(SL(A), uuid));
    CHECK(gtid_set_contains(&a, uuid, "", 10));
    CHECK(!gtid_set_contains(&a, uuid, "", 11));
    CHECK(!gtid_set_contains(&a, uuid, "tag", 10));
    gtid_set_add(&a, uuid, "", 11);
    gtid_set_add(&a, uuid, "", 19);
    gtid_set_add_range(&a, uuid, "", 12, 18);
    check_set(&a, A ":1-30," B ":1");
    CHECK(gtid_set_has_uuid(&a, uuid));
    gtid_set_remove_uuid(&a, uuid);
    check_set(&a, B ":1");
    gtid_set_release(&a);
    gtid_set_release(&b);
    gtid_set_release(&c);
}

static void wire(void)
{
    struct gtid_set a = parse(A ":1-5:7," B ":3"), t = parse(A ":1-5:blue:2"), back = GTID_SET_INIT;
    struct strbuf b = STRBUF_INIT;
    struct error e;

    gtid_set_encode(&a, false, &b);
    CHECK_INT(b.n, 8 + (16 + 8 + 32) + (16 + 8 + 16));
    CHECK_INT(load_le64(b.p), 2);
    CHECK_INT(load_le64(b.p + 8 + 16 + 8 + 8), 6); /* the end is exclusive */
    CHECK_OK(gtid_set_decode(&back, strbuf_slice(&b), &e));
    CHECK(gtid_set_eq(&a, &back));
    for (size_t n = 0; n < b.n; n++)
        CHECK(gtid_set_decode(&back, slice_of(b.p, n), &e) != E_OK);
    strbuf_reset(&b);
    gtid_set_encode(&t, true, &b);
    CHECK_OK(gtid_set_decode(&back, strbuf_slice(&b), &e));
    check_set(&back, A ":1-5:blue:2");
    strbuf_reset(&b);
    gtid_set_encode(&t, false, &b); /* the older form leaves tags out */
    CHECK_OK(gtid_set_decode(&back, strbuf_slice(&b), &e));
    check_set(&back, A ":1-5");
    gtid_set_release(&a);
    gtid_set_release(&t);
    gtid_set_release(&back);
    strbuf_release(&b);
}

/* Random ranges against a plain bit set. */
static void against_bits(void)
{
    struct gtid_set s = GTID_SET_INIT, one = GTID_SET_INIT;
    bool bits[64] = {false};
    uint8_t uuid[16] = {1};
    uint32_t seed = 7;

    for (int round = 0; round < 3000; round++) {
        seed = seed * 1664525 + 1013904223;
        uint64_t first = 1 + (seed >> 8) % 60, last = MIN(first + (seed >> 20) % 6, UINT64_C(63));
        bool add = seed >> 30 & 1;
        gtid_set_release(&one);
        gtid_set_add_range(&one, uuid, "", first, last);
        if (add)
            gtid_set_union(&s, &one);
        else
            gtid_set_subtract(&s, &one);
        for (uint64_t i = first; i <= last; i++)
            bits[i] = add;
        bool same = true;
        for (uint64_t i = 1; i < 64; i++)
            same = same && gtid_set_contains(&s, uuid, "", i) == bits[i];
        CHECK(same);
    }
    gtid_set_release(&s);
    gtid_set_release(&one);
}

static void mariadb(void)
{
    struct mariadb_gtid_pos p = MARIADB_GTID_POS_INIT, q;
    struct strbuf b = STRBUF_INIT;
    struct error e;

    CHECK_OK(mariadb_gtid_pos_parse(&p, SL("1-2-9, 0-1-270,0-3-100"), &e));
    mariadb_gtid_pos_print(&p, &b);
    CHECK_STR(b.p, "0-1-270,1-2-9");
    mariadb_gtid_pos_copy(&q, &p);
    CHECK(mariadb_gtid_pos_at_or_before(&p, &q));
    mariadb_gtid_pos_add(&q, (struct mariadb_gtid){0, 7, 271});
    mariadb_gtid_pos_add(&q, (struct mariadb_gtid){5, 1, 1});
    CHECK(mariadb_gtid_pos_at_or_before(&p, &q));
    CHECK(!mariadb_gtid_pos_at_or_before(&q, &p));
    strbuf_reset(&b);
    mariadb_gtid_pos_print(&q, &b);
    CHECK_STR(b.p, "0-7-271,1-2-9,5-1-1");
    CHECK_ERR(mariadb_gtid_pos_parse(&p, SL("0-1"), &e), E_INVALID);
    CHECK_ERR(mariadb_gtid_pos_parse(&p, SL("0-1-2-3"), &e), E_INVALID);
    CHECK_ERR(mariadb_gtid_pos_parse(&p, SL("0-99999999999-2"), &e), E_INVALID);
    mariadb_gtid_pos_release(&p);
    mariadb_gtid_pos_release(&q);
    strbuf_release(&b);
}

static const struct test_case tests[] = {
    {"texts", texts}, {"bad texts", bad_texts},       {"algebra", algebra},
    {"wire", wire},   {"against bits", against_bits}, {"mariadb", mariadb},
    {NULL, NULL},
};
const struct test_suite test_mysql_gtid = {"cdc/mysql/gtid", tests};
