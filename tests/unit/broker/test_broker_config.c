/* tests/unit/broker/test_broker_config.c - broker options: rows, values, changes while running.
 * SPEC: broker 5.3-5.5 */
#include "broker/broker_config.h"

#include "base/base.h"
#include "base/fs.h"
#include "base/mem.h"
#include "broker/group/offset_store.h"
#include "broker/proto/kerr.h"
#include "helpers.h"

#include <ftw.h>

static void test_rows_are_unique_and_complete(void)
{
    const struct opt_row *rows = broker_option_rows();
    int n = 0;
    for (const struct opt_row *r = rows; r->name; r++, n++)
        CHECK(opt_find(rows, slice_cstr(r->name)) == r && r->doc);
    CHECK(n > 250);
    /* what user interfaces and Debezium look for */
    static const char *const must[] = {"inter.broker.protocol.version",
                                       "delete.topic.enable",
                                       "auto.create.topics.enable",
                                       "default.replication.factor",
                                       "log.dirs",
                                       "log.retention.ms",
                                       "log.retention.hours",
                                       "message.max.bytes",
                                       "num.partitions"};
    for (size_t i = 0; i < ARRAY_LEN(must); i++)
        CHECK(opt_find(rows, slice_cstr(must[i])) != NULL);
}

static void test_defaults_and_setting(void)
{
    struct broker_config c;
    struct error e;
    broker_config_init(&c);
    CHECK_INT(c.o.num_partitions, 1);
    CHECK_INT(c.o.group_initial_rebalance_delay_ms, 0);
    CHECK(c.o.replication_factor_clamp);
    CHECK_INT(c.o.durability, BROKER_DURABILITY_DEFAULT);
    CHECK_OK(broker_config_set(&c, SL("num.partitions"), SL("4"), &e));
    CHECK_INT(c.o.num_partitions, 4);
    CHECK_OK(broker_config_set(&c, SL("durability"), SL("sync"), &e));
    CHECK_INT(c.o.durability, BROKER_DURABILITY_SYNC);
    CHECK_OK(broker_config_set(&c, SL("broker.id"), SL("7"), &e));
    CHECK_INT(c.o.node_id, 7);
    CHECK_ERR(broker_config_set(&c, SL("num.partitions"), SL("x"), &e), E_INVALID);
    CHECK_STR(e.msg, "Invalid value x for configuration num.partitions: Not a number of type INT");
    CHECK_ERR(broker_config_set(&c, SL("num.partition"), SL("1"), &e), E_NOT_FOUND);
    CHECK_STR(e.hint, "did you mean num.partitions?");
    broker_config_release(&c);
}

static struct db *db;
static char *path;

static void open_settings(struct broker_settings *s)
{
    struct broker_config c;
    struct error e;
    static const struct db_migrations *const migrations[] = {&broker_state_migrations, NULL};
    CHECK_OK(db_open(&db, path, false, migrations, &e));
    broker_config_init(&c);
    CHECK_OK(broker_config_set(&c, SL("log.retention.hours"), SL("24"), &e));
    CHECK_OK(broker_settings_init(s, &c, db, &e));
    broker_config_release(&c);
}

static enum err alter(struct broker_settings *s, bool for_broker, const char *name,
                      const char *value, enum broker_config_op op, struct error *e)
{
    struct broker_config_change c = {slice_cstr(name), slice_cstr(value), op};
    return broker_settings_alter(s, db, for_broker, &c, 1, false, false, e);
}

static void test_changes_while_running(void)
{
    struct broker_settings s;
    struct error e;
    struct arena a;
    enum config_source source;
    path = xasprintf("%s/settings.db", test_dir());
    arena_init(&a, 0, ARENA_NO_BUDGET);
    open_settings(&s);
    CHECK_SLICE(broker_setting(&s, SL("log.retention.hours"), &a, &source), SL("24"));
    CHECK_INT(source, CONFIG_SOURCE_STATIC);
    CHECK_SLICE(broker_setting(&s, SL("message.max.bytes"), &a, &source), SL("1048588"));
    CHECK_INT(source, CONFIG_SOURCE_DEFAULT);
    CHECK(slice_is_null(broker_setting_given(&s, SL("message.max.bytes"), &a, &source)));

    CHECK_OK(alter(&s, false, "message.max.bytes", "2000", BROKER_CONFIG_SET, &e));
    CHECK_OK(alter(&s, true, "message.max.bytes", "3000", BROKER_CONFIG_SET, &e));
    CHECK_SLICE(broker_setting(&s, SL("message.max.bytes"), &a, &source), SL("3000"));
    CHECK_INT(source, CONFIG_SOURCE_DYNAMIC_BROKER);
    CHECK_OK(alter(&s, true, "message.max.bytes", NULL, BROKER_CONFIG_DELETE, &e));
    CHECK_INT((broker_setting(&s, SL("message.max.bytes"), &a, &source), source),
              CONFIG_SOURCE_DYNAMIC_DEFAULT);

    CHECK_ERR(alter(&s, false, "num.partitions", "3", BROKER_CONFIG_SET, &e), E_INVALID);
    CHECK_STR(e.msg, "Cannot update these configs dynamically: Set(num.partitions)");
    CHECK_INT(e.sys, KERR_INVALID_REQUEST);
    CHECK_ERR(alter(&s, false, "advertised.listeners", "A://h:1", BROKER_CONFIG_SET, &e),
              E_INVALID);
    static const char *const at_start[] = {
        "listener.name.a.ssl.keystore.location", "listener.name.a.plain.sasl.jaas.config",
        "plain.sasl.jaas.config", "sasl.jaas.config", "sasl.enabled.mechanisms"};
    for (size_t i = 0; i < ARRAY_LEN(at_start); i++) {
        CHECK_ERR(alter(&s, true, at_start[i], "x", BROKER_CONFIG_SET, &e), E_INVALID);
        CHECK(strstr(e.msg, "set them in its file or on its command line and restart it: Set("));
        CHECK(strstr(e.msg, at_start[i]));
        CHECK_OK(alter(&s, true, at_start[i], NULL, BROKER_CONFIG_DELETE, &e));
    }
    CHECK_OK(alter(&s, true, "listener.name.a.of.somebody", "x", BROKER_CONFIG_SET, &e));
    CHECK_OK(alter(&s, true, "listener.name.a.of.somebody", NULL, BROKER_CONFIG_DELETE, &e));
    CHECK_ERR(alter(&s, false, "message.max.bytes", "x", BROKER_CONFIG_SET, &e), E_INVALID);
    CHECK_INT(e.sys, KERR_INVALID_REQUEST);
    CHECK_ERR(alter(&s, true, "log.cleanup.policy", "burn", BROKER_CONFIG_SET, &e), E_INVALID);
    CHECK_STR(e.msg, "Invalid value burn for configuration log.cleanup.policy: String must be one "
                     "of: compact, delete");
    CHECK_ERR(alter(&s, false, "message.max.bytes", "1", BROKER_CONFIG_APPEND, &e), E_INVALID);
    CHECK_ERR(alter(&s, false, "message.max.bytes", NULL, BROKER_CONFIG_SET, &e), E_INVALID);
    CHECK_STR(e.msg, "Null value not supported for : message.max.bytes");
    CHECK_OK(alter(&s, false, "log.cleanup.policy", "compact", BROKER_CONFIG_APPEND, &e));
    CHECK_SLICE(broker_setting(&s, SL("log.cleanup.policy"), &a, &source), SL("delete,compact"));
    CHECK_OK(alter(&s, false, "log.cleanup.policy", "delete", BROKER_CONFIG_SUBTRACT, &e));

    broker_settings_release(&s);
    db_close(db);
    open_settings(&s); /* dynamic values persist and win over static ones */
    CHECK_SLICE(broker_setting(&s, SL("message.max.bytes"), &a, &source), SL("2000"));
    CHECK_SLICE(broker_setting(&s, SL("log.cleanup.policy"), &a, &source), SL("compact"));
    struct broker_config_entry entry;
    broker_settings_describe(&s, opt_find(broker_option_rows(), SL("message.max.bytes")), &a,
                             &entry);
    CHECK_INT(entry.synonym_count, 2);
    CHECK_INT(entry.synonyms[1].source, CONFIG_SOURCE_DEFAULT);
    CHECK(!entry.read_only);
    broker_settings_describe(&s, opt_find(broker_option_rows(), SL("ssl.keystore.password")), &a,
                             &entry);
    CHECK(entry.sensitive && slice_is_null(entry.value));
    broker_settings_release(&s);
    db_close(db);
    arena_release(&a);
    mem_free(path);
}

/* "name=value/source name=value/source" */
static const char *synonyms(struct broker_settings *s, const char *name, struct arena *a)
{
    struct broker_config_synonym *v;
    size_t n;
    struct strbuf t = STRBUF_INIT;
    broker_settings_synonyms(s, slice_cstr(name), a, &v, &n);
    for (size_t i = 0; i < n; i++)
        strbuf_addf(&t, "%s" PRI_SL "=" PRI_SL "/%d", i ? " " : "", ARG_SL(v[i].name),
                    ARG_SL(v[i].value), v[i].source);
    const char *text = arena_strdup(a, t.n ? t.p : "");
    strbuf_release(&t);
    return text;
}

static void test_synonyms(void)
{
    struct broker_settings s;
    struct error e;
    struct arena a;
    path = xasprintf("%s/synonyms.db", test_dir());
    arena_init(&a, 0, ARENA_NO_BUDGET);
    open_settings(&s); /* log.retention.hours=24 */
    CHECK_STR(synonyms(&s, "log.retention.hours", &a),
              "log.retention.hours=24/4 log.retention.hours=168/5");
    CHECK_STR(synonyms(&s, "log.retention.ms", &a), ""); /* hours alone are not listed */
    CHECK_OK(alter(&s, false, "log.retention.ms", "7", BROKER_CONFIG_SET, &e));
    CHECK_OK(alter(&s, true, "log.retention.ms", "8", BROKER_CONFIG_SET, &e));
    CHECK_STR(synonyms(&s, "log.retention.ms", &a),
              "log.retention.ms=8/2 log.retention.ms=7/3 log.retention.hours=24/4 "
              "log.retention.hours=168/5");
    CHECK_STR(synonyms(&s, "min.insync.replicas", &a),
              "min.insync.replicas=1/3 min.insync.replicas=1/5");
    CHECK_ERR(alter(&s, false, "min.insync.replicas", NULL, BROKER_CONFIG_DELETE, &e), E_INVALID);
    CHECK_STR(e.msg, "Cluster-level min.insync.replicas cannot be removed while ELR is enabled.");
    CHECK_INT(e.sys, KERR_INVALID_CONFIG);
    CHECK_ERR(alter(&s, true, "min.insync.replicas", "1", BROKER_CONFIG_SET, &e), E_INVALID);
    CHECK_OK(alter(&s, false, "min.insync.replicas", "2", BROKER_CONFIG_SET, &e));

    CHECK_OK(alter(&s, true, "my.plugin.password", "secret", BROKER_CONFIG_SET, &e));
    struct broker_config_entry *unknown;
    size_t n;
    broker_settings_unknown(&s, &a, &unknown, &n);
    CHECK_INT(n, 1);
    CHECK_SLICE(unknown[0].name, SL("my.plugin.password"));
    CHECK(unknown[0].sensitive && unknown[0].read_only && !unknown[0].value.p);

    static const struct broker_config_change two[] = {
        {SL("log.dirs"), SL("/x"), BROKER_CONFIG_SET},
        {SL("num.io.threads"), SL("9"), BROKER_CONFIG_SET},
        {SL("node.id"), SL("3"), BROKER_CONFIG_SET}};
    CHECK_ERR(broker_settings_alter(&s, db, true, two, 3, false, false, &e), E_INVALID);
    CHECK_STR(e.msg, "Cannot update these configs dynamically: Set(log.dirs, node.id)");
    CHECK_STR(synonyms(&s, "num.io.threads", &a), "num.io.threads=8/5"); /* nothing was changed */
    /* a replacement (AlterConfigs) drops what it does not name, but for min.insync.replicas */
    CHECK_OK(broker_settings_alter(&s, db, true, &two[1], 1, true, false, &e));
    CHECK_STR(synonyms(&s, "num.io.threads", &a), "num.io.threads=9/2 num.io.threads=8/5");
    CHECK_STR(synonyms(&s, "log.retention.ms", &a),
              "log.retention.ms=7/3 log.retention.hours=24/4 log.retention.hours=168/5");
    broker_settings_unknown(&s, &a, &unknown, &n);
    CHECK_INT(n, 0);
    CHECK_OK(broker_settings_alter(&s, db, false, NULL, 0, true, false, &e));
    CHECK_STR(synonyms(&s, "log.retention.ms", &a), "");
    CHECK_STR(synonyms(&s, "min.insync.replicas", &a),
              "min.insync.replicas=2/3 min.insync.replicas=1/5");
    CHECK_ERR(alter(&s, false, "sasl.jaas.config", "x", BROKER_CONFIG_SET, &e), E_INVALID);
    CHECK_STR(e.msg, "Cannot update these configs at default cluster level, broker id must be "
                     "specified: Set(sasl.jaas.config)");
    broker_settings_release(&s);
    db_close(db);
    arena_release(&a);
    mem_free(path);
}

static void edited(const char *now, enum broker_config_op op, const char *items, const char *want)
{
    struct strbuf t = STRBUF_INIT;
    const struct broker_config_change c = {SL("x"), slice_cstr(items), op};
    config_edit_list(slice_cstr(now), &c, &t);
    CHECK_STR(t.n ? t.p : "", want);
    strbuf_release(&t);
}

static void test_lists(void)
{
    edited("a,b", BROKER_CONFIG_APPEND, "c", "a,b,c");
    edited("a,b", BROKER_CONFIG_APPEND, "b,c", "a,b,c");
    edited("", BROKER_CONFIG_APPEND, "c", "c");
    edited("a,b,a", BROKER_CONFIG_SUBTRACT, "a", "b,a");
    edited("a", BROKER_CONFIG_SUBTRACT, "a", "");
    edited("a", BROKER_CONFIG_SUBTRACT, "b", "a");
}

/* --- options that are kept as text ------------------------------------------------------------ */

static struct strbuf sources; /* of the broker, without the rows themselves */

static int take_source(const char *file, const struct stat *st, int kind, struct FTW *where)
{
    struct slice name = slice_cstr(file);
    struct error e;
    (void)st, (void)where;
    if (kind == FTW_F && !slice_ends(name, SL("broker_options.def")) &&
        (slice_ends(name, SL(".c")) || slice_ends(name, SL(".h")) || slice_ends(name, SL(".def"))))
        CHECK_OK(fs_read_all(file, 1 << 20, &sources, &e));
    return 0;
}

/* In quotes, alone or in a list. */
static bool is_named(const char *option)
{
    size_t n = strlen(option);
    for (const char *at = sources.p; (at = strstr(at, option)) != NULL; at += n)
        if (strchr("\", ", at[-1]) && strchr("\", ", at[n]))
            return true;
    return false;
}

/* Either something reads it, or its text says that nothing does. */
static void test_kept_options_are_read(void)
{
    static const char *const honest[] = {"ithout effect", "tored and shown", "Not used",
                                         "Not loaded",    "Not checked",     "Not supported",
                                         "not taken",     "There is one",    "There are none",
                                         "weir has ",     "weir uses "};
    strbuf_init(&sources, 0);
    CHECK_INT(nftw("src/broker", take_source, 8, FTW_PHYS), 0);
    CHECK(sources.n > 100000);
    for (const struct opt_row *row = broker_option_rows(); row->name; row++) {
        bool says_so = !(row->flags & OPT_NO_STORE) || is_named(row->name);
        for (size_t i = 0; !says_so && i < ARRAY_LEN(honest); i++)
            says_so = strstr(row->doc, honest[i]) != NULL;
        if (!says_so)
            printf("nothing reads %s: %s\n", row->name, row->doc);
        CHECK(says_so);
    }
    CHECK(!is_named("no.such.option"));
    strbuf_release(&sources);
}

static const struct test_case tests[] = {
    {"options that are kept are read, or say that they are not", test_kept_options_are_read},
    {"synonyms", test_synonyms},
    {"lists", test_lists},
    {"rows", test_rows_are_unique_and_complete},
    {"defaults and setting", test_defaults_and_setting},
    {"changes while running", test_changes_while_running},
    {NULL, NULL},
};
const struct test_suite test_broker_config = {"broker/broker_config", tests, NULL, NULL};
