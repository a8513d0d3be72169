/* The collection's UUID in tokens of the server's. The finds themselves:
 * tests/live/mongodb/test_mongo_lookup.py. */
#include "cdc/mongodb/lookup.h"

#include "helpers.h"

static bool uuid_of(const char *data, char uuid[16])
{
    struct bson_build b;
    bson_build_init(&b);
    bson_build_text(&b, SL("_data"), slice_cstr(data));
    bool found = mongo_lookup_uuid(bson_build_finish(&b), uuid);
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
    CHECK(!mongo_lookup_uuid(SLICE_NULL, uuid));
}

static const struct test_case tests[] = {
    {"the UUID of a token", test_uuid},
    {NULL, NULL},
};
const struct test_suite test_mongo_lookup = {"cdc/mongodb/lookup", tests, NULL, NULL};
