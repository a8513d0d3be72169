/* tests/unit/broker/proto/test_kerr.c - the table of Kafka's error codes. */
#include "broker/proto/kerr.h"

#include "helpers.h"

static void test_table(void)
{
    CHECK_STR(kerr_name(0), "NONE");
    CHECK_STR(kerr_name(-1), "UNKNOWN_SERVER_ERROR");
    CHECK_STR(kerr_name(3), "UNKNOWN_TOPIC_OR_PARTITION");
    CHECK_STR(kerr_name(133), "SHARE_SESSION_LIMIT_REACHED");
    CHECK_INT(KERR_UNKNOWN_TOPIC_OR_PARTITION, 3);
    CHECK_INT(KERR_GROUP_SUBSCRIBED_TO_TOPIC, 86);
    CHECK_INT(KERR_UNKNOWN_TOPIC_ID, 100);
    CHECK_STR(kerr_message(3), "This server does not host this topic-partition.");
    CHECK_STR(kerr_message(0), "");
    unsigned named = 0, retriable = 0;
    for (int16_t code = -1; code <= 133; code++) {
        bool known = strcmp(kerr_name(code), "UNKNOWN") != 0;
        named += known;
        retriable += kerr_retriable(code);
        CHECK(known == (code != 99));
        CHECK(code == 0 || (kerr_message(code) && strlen(kerr_message(code)) > 10));
    }
    CHECK_INT(named, 134);
    CHECK_INT(retriable, 31);
}

static void test_unknown_codes(void)
{
    static const int16_t codes[] = {-2, 99, 134, INT16_MIN, INT16_MAX};
    for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
        CHECK_STR(kerr_name(codes[i]), "UNKNOWN");
        CHECK_STR(kerr_message(codes[i]), kerr_message(-1));
        CHECK(!kerr_retriable(codes[i]));
    }
}

static void test_retriable(void)
{
    static const int16_t yes[] = {2, 3, 5, 6, 7, 14, 15, 16, 51, 56, 70, 74, 78, 88, 100, 123};
    static const int16_t no[] = {-1, 0, 1, 10, 17, 22, 25, 27, 45, 47, 79, 90, 113, 133};
    for (size_t i = 0; i < ARRAY_LEN(yes); i++)
        CHECK(kerr_retriable(yes[i]));
    for (size_t i = 0; i < ARRAY_LEN(no); i++)
        CHECK(!kerr_retriable(no[i]));
}

static void test_from_err(void)
{
    CHECK_INT(kerr_from_err(E_OK), KERR_NONE);
    CHECK_INT(kerr_from_err(E_IO), KERR_KAFKA_STORAGE_ERROR);
    CHECK_INT(kerr_from_err(E_NOMEM), KERR_UNKNOWN_SERVER_ERROR);
    for (int e = 1; e < E_COUNT; e++)
        CHECK(kerr_from_err((enum err)e) != KERR_NONE);
}

static const struct test_case tests[] = {{"table", test_table},
                                         {"unknown codes", test_unknown_codes},
                                         {"retriable", test_retriable},
                                         {"from enum err", test_from_err},
                                         {NULL, NULL}};
const struct test_suite test_kerr = {"broker/proto/kerr", tests, NULL, NULL};
