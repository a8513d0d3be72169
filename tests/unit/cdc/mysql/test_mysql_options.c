/* Option rows, old names, values. SPEC: cdc-mysql 1.3, 1.4 */
#include "cdc/mysql/options.h"

#include <dirent.h>

#include "base/log_tap.h"
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

/* --- keys that are no options ----------------------------------------------------------------- */

static char told[400];

static void on_warning(enum log_level level, const struct log_ctx *ctx, const char *text)
{
    (void)level, (void)ctx;
    snprintf(told, sizeof told, "%s", text);
}

/* What the log says of a configuration with this key; "": nothing. */
static const char *told_of(const char *key)
{
    struct strmap in, out;
    strmap_init(&in);
    put(&in, key, "x");
    told[0] = 0;
    log_tap(on_warning);
    mysql_options_canonical(FLAVOUR_MYSQL, &in, true, &out);
    log_tap(NULL);
    strmap_release(&in);
    strmap_release(&out);
    return told;
}

static void test_unknown_keys(void)
{
    CHECK(strstr(told_of("database.includelist"), "did you mean 'database.include.list'?"));
    CHECK(strstr(told_of("table.include.lst"), "did you mean 'table.include.list'?"));
    CHECK(strstr(told_of("key.convertor"), "did you mean 'key.converter'?"));
    CHECK(strstr(told_of("transform"), "did you mean 'transforms'?"));
    CHECK(strstr(told_of("error.tolerance"), "did you mean 'errors.tolerance'?"));
    CHECK(strstr(told_of("no.such.thing.anywhere"), "'no.such.thing.anywhere' is ignored"));
    /* The driver's, the worker's, families'. */
    static const char *const fine[] = {"database.useSSL",
                                       "database.serverTimezone",
                                       "driver.socketTimeout",
                                       "transforms.unwrap.type",
                                       "errors.tolerance",
                                       "key.converter.schemas.enable",
                                       "column.mask.with.5.chars",
                                       "signal.kafka.consumer.x",
                                       "snapshot.select.statement.overrides.a.b",
                                       "topic.creation.x.partition"};
    for (size_t i = 0; i < ARRAY_LEN(fine); i++)
        CHECK_STR(told_of(fine[i]), "");
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

/* --- every row that has a field is read ------------------------------------------------------- */

static void add_source(const char *path, struct strbuf *out)
{
    char bytes[4096];
    size_t n;
    FILE *f = fopen(path, "r");
    while (f && (n = fread(bytes, 1, sizeof bytes, f)) > 0)
        strbuf_add(out, bytes, n);
    if (f)
        fclose(f);
}

static void add_sources(const char *folder, struct strbuf *out)
{
    DIR *d = opendir(folder);
    char path[512];
    for (struct dirent *entry; d && (entry = readdir(d));) {
        size_t n = strlen(entry->d_name);
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        if (n > 2 && strcmp(entry->d_name + n - 2, ".c") == 0)
            add_source(path, out);
    }
    if (d)
        closedir(d);
}

/* `.field` or `->field` as a whole word. */
static bool is_read(struct slice code, const char *field)
{
    size_t n = strlen(field);
    for (ptrdiff_t at; (at = slice_find(code, slice_cstr(field))) >= 0;) {
        const char *p = code.p + at;
        bool member = at > 0 && (p[-1] == '.' || p[-1] == '>');
        code = slice_sub(code, (size_t)at + n, code.n);
        bool whole = !code.n || !(code.p[0] == '_' || (code.p[0] >= 'a' && code.p[0] <= 'z') ||
                                  (code.p[0] >= '0' && code.p[0] <= '9'));
        if (member && whole)
            return true;
    }
    return false;
}

/* Fields of what is not built in yet. */
static bool is_for_later(const char *field)
{
    static const char *const fields[] = {"notification_channels", "notification_topic",
                                         "snapshot_max_threads"};
    for (size_t i = 0; i < ARRAY_LEN(fields); i++)
        if (strcmp(field, fields[i]) == 0)
            return true;
    return false;
}

/* What nothing reads belongs into the rows without a field (NOP, HNO), which say so in the page. */
static void test_rows_are_read(void)
{
    static const struct {
        const char *option, *field;
    } rows[] = {
#define BY(tables, collections) tables
#define PICK(mysql, mariadb) mysql
#define ROW(n, t, d, f, imp, grp, ord, w, disp, text) {n, #f},
#define HID(n, t, d, f, text) {n, #f},
#define NOP(n, t, d, imp, grp, ord, w, disp, text)
#define HNO(n, t, d, text)
#include "cdc/mysql/options.def"
#undef BY
#undef PICK
#undef ROW
#undef HID
#undef NOP
#undef HNO
    };
    struct strbuf code = STRBUF_INIT;
    add_sources("src/cdc", &code);
    add_sources("src/cdc/mysql", &code);
    CHECK(code.n > 100000); /* tests run in the root of the tree */
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (!is_for_later(rows[i].field) && !is_read(strbuf_slice(&code), rows[i].field)) {
            fprintf(stderr, "nothing reads %s (%s)\n", rows[i].option, rows[i].field);
            CHECK(false);
        }
    strbuf_release(&code);
}

static const struct test_case tests[] = {
    {"rows", test_rows},   {"old names", test_old_names}, {"unknown keys", test_unknown_keys},
    {"values", test_load}, {"defaults", test_defaults},   {"rows are read", test_rows_are_read},
    {NULL, NULL}};
const struct test_suite test_mysql_options = {"cdc/mysql/options", tests};
