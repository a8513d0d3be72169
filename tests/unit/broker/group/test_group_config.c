/* tests/unit/broker/group/test_group_config.c - what is in force for a group: its own settings within the
 * broker's bounds. SPEC: broker 5.4. */
#include "broker/group/group_config.h"

#include "base/base.h"
#include "base/mem.h"
#include "broker/broker.h"
#include "broker/group/offset_store.h"
#include "broker/resource_config.h"
#include "helpers.h"

static struct db *db;
static struct resource_configs resources;
static struct broker_options options;
static struct broker_settings settings;
static struct group_configs configs = {&options, &resources};

static void change(const char *name, const char *value)
{
    struct error e;
    struct broker_config_change c = {slice_cstr(name), slice_cstr(value), BROKER_CONFIG_SET};
    CHECK_OK(resource_config_alter(&resources, db, &settings, RESOURCE_KIND_GROUP, SL("g"), &c, 1,
                                   false, false, &e));
}

static void test_in_force(void)
{
    static const struct db_migrations *const migrations[] = {&broker_state_migrations, NULL};
    struct broker_config given = {0};
    char *path = xasprintf("%s/group-config.db", test_dir());
    opt_defaults(broker_option_rows(), &options);
    CHECK_OK(db_open(&db, path, false, migrations, NULL));
    CHECK_OK(broker_settings_init(&settings, &given, db, NULL));
    CHECK_OK(resource_configs_init(&resources, db, NULL));

    CHECK_INT(group_config_int(&configs, SL("g"), GROUP_CONSUMER_SESSION_MS), 45000);
    change("consumer.session.timeout.ms", "50000");
    CHECK_INT(group_config_int(&configs, SL("g"), GROUP_CONSUMER_SESSION_MS), 50000);
    CHECK_INT(group_config_int(&configs, SL("h"), GROUP_CONSUMER_SESSION_MS), 45000);
    options.group_consumer_max_session_ms = 48000; /* as after a restart with other bounds */
    CHECK_INT(group_config_int(&configs, SL("g"), GROUP_CONSUMER_SESSION_MS), 48000);
    options.group_share_lock_ms = 20000;
    CHECK_INT(group_config_int(&configs, SL("g"), GROUP_SHARE_LOCK_MS), 20000);

    CHECK_INT(group_config_share_start(&configs, SL("g"), 1000000), -1);
    change("share.auto.offset.reset", "earliest");
    CHECK_INT(group_config_share_start(&configs, SL("g"), 1000000), -2);
    change("share.auto.offset.reset", "by_duration:PT5M1.5S");
    CHECK_INT(group_config_share_start(&configs, SL("g"), 1000000), 1000000 - 301500);
    change("share.auto.offset.reset", "by_duration:P1DT1H");
    CHECK_INT(group_config_share_start(&configs, SL("g"), 100000000), 10000000);
    change("share.auto.offset.reset", "by_duration:P1H"); /* hours stand behind a T */
    CHECK_INT(group_config_share_start(&configs, SL("g"), 1000000), -1);
    CHECK(!group_config_share_committed(&configs, SL("g")));
    change("share.isolation.level", "read_committed");
    CHECK(group_config_share_committed(&configs, SL("g")));

    resource_configs_release(&resources);
    broker_settings_release(&settings);
    db_close(db);
    mem_free(path);
}

static const struct test_case tests[] = {
    {"its own settings, else the broker's", test_in_force},
    {NULL, NULL},
};
const struct test_suite test_group_config = {"broker/group/group_config", tests};
