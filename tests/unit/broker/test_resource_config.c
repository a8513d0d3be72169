/* tests/unit/broker/test_resource_config.c - options of groups and of client metrics. */
#include "broker/resource_config.h"

#include "base/base.h"
#include "base/mem.h"
#include "broker/group/offset_store.h"
#include "broker/proto/kerr.h"
#include "helpers.h"

static struct db *db;
static struct broker_settings settings;
static struct resource_configs r;

static void begin(const char *path)
{
    struct error e;
    struct broker_config c;
    static const struct db_migrations *const migrations[] = {&broker_state_migrations, NULL};
    CHECK_OK(db_open(&db, path, false, migrations, &e));
    broker_config_init(&c);
    CHECK_OK(broker_settings_init(&settings, &c, db, &e));
    broker_config_release(&c);
    CHECK_OK(resource_configs_init(&r, db, &e));
}

static void end(void)
{
    resource_configs_release(&r);
    broker_settings_release(&settings);
    db_close(db);
}

static enum err set(enum resource_kind kind, const char *name, const char *option,
                    const char *value, struct error *e)
{
    const struct broker_config_change c = {slice_cstr(option), slice_cstr(value),
                                           value ? BROKER_CONFIG_SET : BROKER_CONFIG_DELETE};
    return resource_config_alter(&r, db, &settings, kind, slice_cstr(name), &c, 1, false, false, e);
}

static size_t count(enum resource_kind kind)
{
    struct arena a;
    struct slice *names;
    size_t n;
    arena_init(&a, 0, ARENA_NO_BUDGET);
    resource_config_names(&r, kind, &a, &names, &n);
    arena_release(&a);
    return n;
}

static void test_set_and_restart(void)
{
    struct error e;
    struct arena a;
    struct slice timeout = SL("consumer.session.timeout.ms");
    char *path = xasprintf("%s/resources.db", test_dir());
    arena_init(&a, 0, ARENA_NO_BUDGET);
    begin(path);
    CHECK_SLICE(resource_config_value(&r, RESOURCE_KIND_GROUP, SL("g"), timeout, &a), SL("45000"));
    CHECK_INT(count(RESOURCE_KIND_GROUP), 0);
    CHECK_OK(set(RESOURCE_KIND_GROUP, "g", "consumer.session.timeout.ms", "50000", &e));
    CHECK_OK(set(RESOURCE_KIND_METRICS, "m", "metrics", "org.apache", &e));
    CHECK_OK(set(RESOURCE_KIND_METRICS, "gone", "interval.ms", "1000", &e));
    CHECK_OK(set(RESOURCE_KIND_METRICS, "gone", "interval.ms", NULL, &e));
    end();
    begin(path);
    CHECK_SLICE(resource_config_value(&r, RESOURCE_KIND_GROUP, SL("g"), timeout, &a), SL("50000"));
    CHECK_INT(count(RESOURCE_KIND_GROUP), 1);
    CHECK_INT(count(RESOURCE_KIND_METRICS), 1);
    struct broker_config_entry *v;
    size_t n;
    resource_config_describe(&r, RESOURCE_KIND_METRICS, SL("m"), &a, &v, &n);
    CHECK_INT(n, 3);
    CHECK_SLICE(v[2].value, SL("org.apache"));
    CHECK_INT(v[2].source, CONFIG_SOURCE_METRICS);
    CHECK_INT(v[2].synonym_count, 1);
    CHECK_INT(v[0].synonym_count, 0); /* a default of this kind has none */
    CHECK_OK(set(RESOURCE_KIND_METRICS, "m", "metrics", NULL, &e));
    CHECK_INT(count(RESOURCE_KIND_METRICS), 0);
    CHECK_OK(set(RESOURCE_KIND_GROUP, "g", "consumer.session.timeout.ms", NULL, &e));
    CHECK_INT(count(RESOURCE_KIND_GROUP), 1);
    end();
    arena_release(&a);
    mem_free(path);
}

static void refused(enum resource_kind kind, const char *name, const char *option,
                    const char *value, int16_t code, const char *text)
{
    struct error e;
    CHECK_ERR(set(kind, name, option, value, &e), E_INVALID);
    CHECK_INT(e.sys, code);
    CHECK_STR(e.msg, text);
}

static void test_mistakes(void)
{
    char *path = xasprintf("%s/mistakes.db", test_dir());
    begin(path);
    refused(RESOURCE_KIND_GROUP, "", "nosuch", "1", KERR_INVALID_REQUEST,
            "Default group resources are not allowed.");
    refused(RESOURCE_KIND_GROUP, "g", "nosuch", "1", KERR_INVALID_CONFIG,
            "Unknown group config name: nosuch");
    refused(RESOURCE_KIND_GROUP, "g", "consumer.session.timeout.ms", "1", KERR_INVALID_CONFIG,
            "consumer.session.timeout.ms must be greater than or equal to "
            "group.consumer.min.session.timeout.ms");
    refused(RESOURCE_KIND_GROUP, "g", "consumer.session.timeout.ms", "999999", KERR_INVALID_CONFIG,
            "consumer.session.timeout.ms must be less than or equal to "
            "group.consumer.max.session.timeout.ms");
    refused(RESOURCE_KIND_METRICS, "m", "interval.ms", "5", KERR_INVALID_REQUEST,
            "Invalid value 5 for interval.ms, interval must be between 100 and 3600000 (1 hour)");
    refused(RESOURCE_KIND_METRICS, "m", "match", "client_id=[", KERR_INVALID_CONFIG,
            "Illegal client matching pattern: client_id=[");
    refused(RESOURCE_KIND_METRICS, "m", "nosuch", "5", KERR_INVALID_REQUEST,
            "Unknown client metrics configuration: nosuch");
    static const struct broker_config_change both[] = {
        {SL("interval.ms"), SL("1000"), BROKER_CONFIG_SET},
        {SL("interval.ms"), SL("2000"), BROKER_CONFIG_SET}};
    struct error e;
    CHECK_ERR(resource_config_alter(&r, db, &settings, RESOURCE_KIND_METRICS, SL("m"), both, 2,
                                    false, false, &e),
              E_INVALID);
    CHECK_OK(resource_config_alter(&r, db, &settings, RESOURCE_KIND_METRICS, SL("m"), both, 1,
                                   false, true, &e));
    CHECK_INT(count(RESOURCE_KIND_METRICS), 0); /* validated only, or refused as a whole */
    end();
    mem_free(path);
}

static const struct test_case tests[] = {
    {"set, restart, delete", test_set_and_restart},
    {"mistakes", test_mistakes},
    {NULL, NULL},
};
const struct test_suite test_resource_config = {"broker/resource_config", tests, NULL, NULL};
