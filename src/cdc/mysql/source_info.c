/* cdc/mysql/source_info.c - schema and template of the source block. SPEC: cdc-mysql 5.3, 5.5 */
#include "cdc/mysql/source_info.h"

#include "cdc/envelope.h"

#ifndef WEIR_VERSION
#define WEIR_VERSION "0"
#endif

void source_info_init(struct source_info *s, enum mysql_flavour f, struct slice name)
{
    static const struct {
        const char *name;
        enum schema_type type;
        bool optional;
    } rows[SOURCE_FIELDS] = {
        [SOURCE_VERSION] = {"version", SCHEMA_STRING, false},
        [SOURCE_CONNECTOR] = {"connector", SCHEMA_STRING, false},
        [SOURCE_NAME] = {"name", SCHEMA_STRING, false},
        [SOURCE_TS_MS] = {"ts_ms", SCHEMA_INT64, false},
        [SOURCE_SNAPSHOT] = {"snapshot", SCHEMA_STRING, true},
        [SOURCE_DB] = {"db", SCHEMA_STRING, false},
        [SOURCE_SEQUENCE] = {"sequence", SCHEMA_STRING, true},
        [SOURCE_TS_US] = {"ts_us", SCHEMA_INT64, true},
        [SOURCE_TS_NS] = {"ts_ns", SCHEMA_INT64, true},
        [SOURCE_TABLE] = {"table", SCHEMA_STRING, true},
        [SOURCE_SERVER_ID] = {"server_id", SCHEMA_INT64, false},
        [SOURCE_GTID] = {"gtid", SCHEMA_STRING, true},
        [SOURCE_FILE] = {"file", SCHEMA_STRING, false},
        [SOURCE_POS] = {"pos", SCHEMA_INT64, false},
        [SOURCE_ROW] = {"row", SCHEMA_INT32, false},
        [SOURCE_THREAD] = {"thread", SCHEMA_INT64, true},
        [SOURCE_QUERY] = {"query", SCHEMA_STRING, true},
    };
    struct schema_builder *b = schema_builder_new(SCHEMA_STRUCT);
    bool mariadb = f == FLAVOUR_MARIADB;
    schema_builder_name(b, mariadb ? SL("io.debezium.connector.mariadb.Source")
                                   : SL("io.debezium.connector.mysql.Source"));
    schema_builder_version(b, 1);
    for (int i = 0; i < SOURCE_FIELDS; i++)
        schema_builder_field(b, slice_cstr(rows[i].name),
                             i == SOURCE_SNAPSHOT ? envelope_snapshot_schema()
                                                  : schema_plain(rows[i].type, rows[i].optional));
    s->schema = schema_build(b);
    for (int i = 0; i < SOURCE_FIELDS; i++)
        s->fields[i] = value_null();
    s->fields[SOURCE_VERSION] = value_string(SL(WEIR_VERSION));
    s->fields[SOURCE_CONNECTOR] = value_string(mariadb ? SL("mariadb") : SL("mysql"));
    s->fields[SOURCE_NAME] = value_string(name);
    s->fields[SOURCE_DB] = value_string(SL(""));
    s->fields[SOURCE_FILE] = value_string(SL(""));
    s->fields[SOURCE_POS] = value_int(0);
    s->fields[SOURCE_ROW] = value_int(0);
    s->fields[SOURCE_SERVER_ID] = value_int(0);
    source_info_time(s, 0);
}

void source_info_release(struct source_info *s)
{
    schema_unref(s->schema);
    s->schema = NULL;
}

void source_info_time(struct source_info *s, int64_t micros)
{
    s->fields[SOURCE_TS_MS] = value_int(micros / 1000);
    s->fields[SOURCE_TS_US] = value_int(micros);
    s->fields[SOURCE_TS_NS] = value_int(micros * 1000);
}
