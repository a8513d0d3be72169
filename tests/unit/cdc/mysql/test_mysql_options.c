/* Option rows, old names, values. SPEC: cdc-mysql 1.3, 1.4 */
#include "cdc/mysql/options.h"

#include "helpers.h"

static void put(struct strmap *m, const char *name, const char *value)
{
    strmap_set(m, slice_cstr(name), slice_cstr(value));
}

static void test_rows(void)
{
    size_t visible = 0;
    for (const struct opt_row *r = mysql_option_rows; r->name; r++) {
        CHECK(r->doc != NULL && *r->doc);
        if (r->flags & OPT_INTERNAL)
            continue;
        visible++;
        CHECK(r->display != NULL && r->group != NULL);
        CHECK(opt_find(mariadb_option_rows, slice_cstr(r->name)) != NULL);
        for (const struct opt_row *other = r + 1; other->name; other++)
            CHECK(strcmp(r->name, other->name) != 0);
    }
    CHECK_INT(visible, 118); /* as many as the real connector shows (golden validate-mysql) */
    CHECK_STR(opt_find(mysql_option_rows, SL("database.ssl.mode"))->def, "preferred");
    CHECK_STR(opt_find(mariadb_option_rows, SL("database.ssl.mode"))->def, "disable");
}

static void test_old_names(void)
{
    struct strmap in, out;
    strmap_init(&in);
    put(&in, "database.server.name", "old");
    put(&in, "database.whitelist", "a");
    put(&in, "table.whitelist", "not this");
    put(&in, "table.include.list", "this");
    put(&in, "database.history.kafka.topic", "h");
    put(&in, "database.history", "io.debezium.relational.history.KafkaDatabaseHistory");
    put(&in, "snapshot.minimal.locking", "false");
    put(&in, "sanitize.field.names", "true");
    put(&in, "some.other", "kept");
    mysql_options_canonical(FLAVOUR_MYSQL, &in, false, &out);
    CHECK_SLICE(strmap_get_c(&out, "topic.prefix"), SL("old"));
    CHECK(!strmap_has(&out, SL("database.server.name")));
    CHECK_SLICE(strmap_get_c(&out, "database.include.list"), SL("a"));
    CHECK_SLICE(strmap_get_c(&out, "table.include.list"), SL("this"));
    CHECK_SLICE(strmap_get_c(&out, "schema.history.internal.kafka.topic"), SL("h"));
    CHECK(strmap_has(&out, SL("schema.history.internal")));
    CHECK_SLICE(strmap_get_c(&out, "snapshot.locking.mode"), SL("extended"));
    CHECK_SLICE(strmap_get_c(&out, "field.name.adjustment.mode"), SL("avro"));
    CHECK_SLICE(strmap_get_c(&out, "some.other"), SL("kept"));
    strmap_release(&in);
    strmap_release(&out);
}

static void test_load(void)
{
    struct strmap in;
    struct mysql_options o;
    strmap_init(&in);
    put(&in, "topic.prefix", " p ");
    put(&in, "database.hostname", "db");
    put(&in, "database.server.id", " 184054 ");
    put(&in, "snapshot.mode", "Schema_Only");
    put(&in, "decimal.handling.mode", "STRING");
    put(&in, "skipped.operations", "c, t");
    put(&in, "tombstones.on.delete", "FALSE");
    put(&in, "binary.handling.mode", "base64-url-safe");
    put(&in, "value.converter", "io.confluent.connect.avro.AvroConverter");
    put(&in, "heartbeat.topics.prefix", "hb");
    CHECK_OK(mysql_options_load(&o, FLAVOUR_MYSQL, &in, NULL));
    CHECK_SLICE(o.topic_prefix, SL("p"));
    CHECK_INT(o.port, 3306);
    CHECK_INT(o.server_id, 184054);
    CHECK_INT(o.snapshot, SNAPSHOT_NO_DATA);
    CHECK_INT(o.decimal, DECIMAL_STRING);
    CHECK_INT(o.skipped, SKIP_CREATE | SKIP_TRUNCATE);
    CHECK(!o.tombstones);
    CHECK_INT(o.binary, BINARY_BASE64_URL);
    CHECK_INT(o.adjust_field, ADJUST_AVRO);
    CHECK_SLICE(o.heartbeat_prefix, SL("hb"));
    mysql_options_release(&o);
    strmap_release(&in);
}

static void test_defaults(void)
{
    struct strmap none = STRMAP_INIT;
    struct mysql_options o;
    CHECK_OK(mysql_options_load(&o, FLAVOUR_MARIADB, &none, NULL));
    CHECK_INT(o.snapshot, SNAPSHOT_INITIAL);
    CHECK_INT(o.locking, LOCKING_MINIMAL);
    CHECK_INT(o.decimal, DECIMAL_PRECISE);
    CHECK_INT(o.time, TIME_ADAPTIVE);
    CHECK_INT(o.skipped, SKIP_TRUNCATE);
    CHECK_INT(o.max_retries, -1);
    CHECK_INT(o.max_batch_size, 2048);
    CHECK(o.tombstones && o.include_schema_changes && o.extended_headers && o.time_adjuster);
    CHECK(!o.bigint_precise && !o.include_query && o.ignore_builtin);
    CHECK_SLICE(o.unavailable, SL("__debezium_unavailable_value"));
    CHECK_SLICE(o.topic_delimiter, SL("."));
    mysql_options_release(&o);
}

static const struct test_case tests[] = {{"rows", test_rows},
                                         {"old names", test_old_names},
                                         {"values", test_load},
                                         {"defaults", test_defaults},
                                         {NULL, NULL}};
const struct test_suite test_mysql_options = {"cdc/mysql/options", tests};
