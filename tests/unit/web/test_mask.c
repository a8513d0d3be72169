/* tests/unit/web/test_mask.c - secrets hidden and put back. */
#include "helpers.h"

#include "web/mask.h"

static void masked(const char *value, bool secret, const char *want)
{
    struct strbuf out = STRBUF_INIT;
    mask_value(&out, slice_cstr(value), secret);
    CHECK_STR(out.p, want);
    strbuf_release(&out);
}

static void restored(const char *value, const char *stored, bool secret, const char *want)
{
    struct strbuf out = STRBUF_INIT;
    enum err err = mask_restore(&out, slice_cstr(value), slice_cstr(stored), secret);
    CHECK_ERR(err, want ? E_OK : E_INVALID);
    if (want)
        CHECK_STR(out.p, want);
    strbuf_release(&out);
}

static void test_names(void)
{
    static const char *const secret[] = {"database.password",
                                         "producer.override.ssl.keystore.password",
                                         "MY.SECRET",
                                         "auth.token",
                                         "connection.uri",
                                         "basic.auth.user.info",
                                         "consumer.override.sasl.jaas.config",
                                         "aws.secret.access.key",
                                         "some.credentials.file"};
    static const char *const open[] = {"database.hostname", "message.key.columns",
                                       "key.converter",     "transforms.x.fields",
                                       "tasks.max",         "incrementing.key"};
    for (size_t i = 0; i < ARRAY_LEN(secret); i++)
        CHECK(mask_name_is_secret(slice_cstr(secret[i])));
    for (size_t i = 0; i < ARRAY_LEN(open); i++)
        CHECK(!mask_name_is_secret(slice_cstr(open[i])));
}

static void test_values(void)
{
    masked("dbz", true, "******");
    masked("", true, "");
    masked("${file:/run/secrets/db:password}", true, "${file:/run/secrets/db:password}");
    masked("plain", false, "plain");
    masked("mongodb://user:p@ss@host:27017/?x=1", false, "mongodb://user:******@host:27017/?x=1");
    masked("mongodb://user@host/", false, "mongodb://user@host/");
    masked("http://host:8083/a:b@c", false, "http://host:8083/a:b@c");
    masked("mysql://u:${env:PW}@h/", false, "mysql://u:${env:PW}@h/");
    masked("jdbc:mysql://h:3306/db?user=u&password=pw&x=1", false,
           "jdbc:mysql://h:3306/db?user=u&password=******&x=1");
    masked("jdbc:mysql://u:a@h/db?password=b", false, "jdbc:mysql://u:******@h/db?password=******");
    masked("the password=x is text", false, "the password=x is text");
}

static void test_restore(void)
{
    restored("******", "old", true, "old");
    restored("new", "old", true, "new");
    restored("new", NULL, true, "new");
    restored("******", NULL, true, NULL);
    restored("******", NULL, false, "******"); /* stars may be a value where nothing is secret */
    restored("mongodb://u:******@newhost/", "mongodb://u:pw@oldhost/", false,
             "mongodb://u:pw@newhost/");
    restored("mongodb://u:******@h/", NULL, false, NULL);
    restored("mongodb://u:******@h/", "mongodb://h/", false, NULL);
    restored("mongodb://u:other@h/", "mongodb://u:pw@h/", false, "mongodb://u:other@h/");
    restored("jdbc:mysql://h/db?password=******", "jdbc:mysql://h/x?password=pw&y=1", false,
             "jdbc:mysql://h/db?password=pw");
    restored("plain", NULL, false, "plain");
}

static void test_config(void)
{
    json_t *config = json_pack("{s:s, s:s, s:s, s:s}", "connector.class", "X", "database.password",
                               "pw", "odd.name", "hidden by type", "database.hostname", "db");
    json_t *rows = json_pack("[{s:s, s:s}, {s:s, s:s}]", "name", "odd.name", "type", "PASSWORD",
                             "name", "database.hostname", "type", "STRING");
    json_t *out = mask_config(config, rows);
    CHECK_STR(json_string_value(json_object_get(out, "connector.class")), "X");
    CHECK_STR(json_string_value(json_object_get(out, "database.password")), "******");
    CHECK_STR(json_string_value(json_object_get(out, "odd.name")), "******");
    CHECK_STR(json_string_value(json_object_get(out, "database.hostname")), "db");
    CHECK_STR(json_string_value(json_object_get(config, "database.password")), "pw");
    json_decref(out);
    out = mask_config(NULL, NULL);
    CHECK_INT(json_object_size(out), 0);
    json_decref(out);
    json_decref(config);
    json_decref(rows);
}

static const struct test_case tests[] = {
    {"names", test_names},
    {"values", test_values},
    {"put back", test_restore},
    {"a configuration", test_config},
    {NULL, NULL},
};
const struct test_suite test_mask = {"web/mask", tests};
