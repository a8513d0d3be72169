/* What tokens of the server's say. */
#include "cdc/mongodb/token.h"

#include "cdc/bson/bson_build.h"
#include "helpers.h"

static bool uuid_of(const char *data, char uuid[16])
{
    struct bson_build b;
    bson_build_init(&b);
    bson_build_text(&b, SL("_data"), slice_cstr(data));
    bool found = mongo_token_uuid(bson_build_finish(&b), uuid);
    bson_build_release(&b);
    return found;
}

static void test_uuid(void)
{
    static const char want[16] = "\xa5\xfb\xdc\x6a\x0a\xc1\x46\xbf\xba\xd6\xaa\x0d\x49\xba\x36\xc8";
    static const char *const yes[] = {
        /* an event; the 300th of a transaction; of another version */
        "826B0D664E000000012B022C0100296E5A1004A5FBDC6A0AC146BFBAD6AA0D49BA36C8461E5F6964002B02000"
        "4",
        "826B0D664E000000012B022C01002C02586E5A1004A5FBDC6A0AC146BFBAD6AA0D49BA36C8461E5F6964002B02"
        "04",
        "826B0D664E000000012B042C0100296E5A1004A5FBDC6A0AC146BFBAD6AA0D49BA36C8463C6F7065726174696F"
        "6E",
    };
    static const char *const no[] = {
        "",
        "82",
        "826B0D62E400009E352B0229296E04", /* of no event */
        "826B0D664E000000012B022C0100296E5A1004A5FBDC6A0AC146BFBAD6AA0D49BA36",
        "826B0D664E000000012B022C0100296E5A1003A5FBDC6A0AC146BFBAD6AA0D49BA36C846",
        "826B0D664E000000012B022C0100296E5A1004A5FBDC6A0AC146BFBAD6AA0D49BA36x846",
        "826B0D664E000000012B",
        "826B0D664E000000013C00",
    };
    char uuid[16];
    for (size_t i = 0; i < ARRAY_LEN(yes); i++) {
        memset(uuid, 0, sizeof uuid);
        CHECK(uuid_of(yes[i], uuid));
        CHECK(memcmp(uuid, want, sizeof uuid) == 0);
    }
    for (size_t i = 0; i < ARRAY_LEN(no); i++)
        CHECK(!uuid_of(no[i], uuid));
    CHECK(!mongo_token_uuid(SLICE_NULL, uuid));
}

/* Tokens of MongoDB 6: between events, of an insert, of an invalidate; and what is none. */
static void test_tokens(void)
{
    static const struct {
        const char *data;
        bool has_time, between;
    } rows[] = {
        {"826B0D6529000000032B0229296E04", true, true},
        {"826B0D6529000000032B022C0100296E5A1004", true, false},
        {"826B0D6529000000032B042C0100296F", true, false},
        {"826B0D652900000003", true, false},
        {"826B0D65", false, false},
        {"", false, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct bson_build b;
        uint32_t seconds = 0, increment = 0;
        bson_build_init(&b);
        bson_build_text(&b, SL("_data"), slice_cstr(rows[i].data));
        struct slice token = bson_build_finish(&b);
        CHECK_INT(mongo_token_time(token, &seconds, &increment), rows[i].has_time);
        CHECK_INT(seconds, rows[i].has_time ? 0x6B0D6529 : 0);
        CHECK_INT(increment, rows[i].has_time ? 3 : 0);
        CHECK_INT(mongo_token_between(token), rows[i].between);
        bson_build_release(&b);
    }
}

static const struct test_case tests[] = {
    {"the UUID of a token", test_uuid},
    {"the time of a token", test_tokens},
    {NULL, NULL},
};
const struct test_suite test_mongo_token = {"cdc/mongodb/token", tests, NULL, NULL};
