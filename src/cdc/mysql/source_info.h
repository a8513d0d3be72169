/* cdc/mysql/source_info.h - the `source` block of change and schema-change events.
 *
 * A block is an array of 17 values. What is the same for all events of a task is set once in a
 * template; per event the template is copied and a few fields are written. SPEC: cdc-mysql 5.5.
 * Thread: the task's. */
#ifndef WEIR_CDC_MYSQL_SOURCE_INFO_H
#define WEIR_CDC_MYSQL_SOURCE_INFO_H

#include "base/arena.h"
#include "base/base.h"
#include "cdc/mysql/options.h"
#include "connect/schema.h"

enum source_field {
    SOURCE_VERSION,
    SOURCE_CONNECTOR,
    SOURCE_NAME,
    SOURCE_TS_MS,
    SOURCE_SNAPSHOT,
    SOURCE_DB,
    SOURCE_SEQUENCE,
    SOURCE_TS_US,
    SOURCE_TS_NS,
    SOURCE_TABLE,
    SOURCE_SERVER_ID,
    SOURCE_GTID,
    SOURCE_FILE,
    SOURCE_POS,
    SOURCE_ROW,
    SOURCE_THREAD,
    SOURCE_QUERY,
    SOURCE_FIELDS
};
struct source_info {
    const struct schema *schema;
    struct value fields[SOURCE_FIELDS]; /* current values; texts are borrowed */
};
/* name: topic.prefix; lives as long as the struct. */
void source_info_init(struct source_info *s, enum mysql_flavour f, struct slice name);
void source_info_release(struct source_info *s);
/* ts_ms, ts_us and ts_ns. */
void source_info_time(struct source_info *s, int64_t micros);
/* A struct value with the current fields, in the arena. */
static inline struct value source_info_value(const struct source_info *s, struct arena *a)
{
    struct value *v = arena_alloc(a, sizeof s->fields);
    memcpy(v, s->fields, sizeof s->fields);
    return (struct value){.kind = VALUE_STRUCT, .n = SOURCE_FIELDS, .u.v = v};
}

#endif
