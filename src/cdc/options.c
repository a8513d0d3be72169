/* cdc/options.c - see options.h. */
#include "cdc/options.h"

/* --- values ----------------------------------------------------------------------------------- */

static void derive(struct capture_options *o)
{
    o->on_event_error =
        (enum failure_mode)option_word(option_failure_words, o->event_failure_mode, FAILURE_FAIL);
    o->adjust_schema = (enum adjustment_mode)option_word(option_adjustment_words,
                                                         o->schema_name_adjustment, ADJUST_NONE);
    o->adjust_field = option_field_adjustment(&o->config, o->field_name_adjustment);
    o->insert_delete = slice_ieq(slice_trim(o->watermarking), SL("INSERT_DELETE"));
    o->skipped = option_skipped(o->skipped_operations);
}

enum err capture_options_load(struct capture_options *o, const struct opt_row *rows,
                              struct error *e)
{
    o->values.values = o;
    strmap_init(&o->values.texts);
    opt_defaults(rows, o);
    for (size_t i = 0; i < o->config.count; i++) {
        const struct strmap_entry *entry = &o->config.entries[i];
        const struct opt_row *row = opt_find(rows, entry->key);
        if (!row || row->offset == OPT_NO_FIELD || !entry->value.p)
            continue;
        struct slice text = slice_trim(entry->value);
        if (text.n == 0 && row->type != OPT_STRING && row->type != OPT_PASSWORD)
            continue;
        enum err rc = opt_set(row, &o->values, text, e);
        if (rc)
            return rc;
    }
    derive(o);
    return E_OK;
}

void capture_options_release(struct capture_options *o)
{
    strmap_release(&o->config);
    opt_values_release(&o->values);
}

size_t capture_batch_limit(const struct capture_options *o, const struct task_ctx *ctx)
{
    enum { DIRECT_RECORDS = 8192, RECORDS = 2048 };
    if (ctx && ctx->direct && !strmap_get_c(&o->config, "max.batch.size").p)
        return DIRECT_RECORDS;
    return o->max_batch_size > 0 ? (size_t)o->max_batch_size : RECORDS;
}

/* --- names ------------------------------------------------------------------------------------ */

struct slice capture_option_renamed(struct slice key)
{
    static const struct {
        const char *old, *now;
    } renamed[] = {
        {"database.server.name", "topic.prefix"},
        {"database.whitelist", "database.include.list"},
        {"database.blacklist", "database.exclude.list"},
        {"heartbeat.topics.prefix", "topic.heartbeat.prefix"},
        {"transaction.topic", "topic.transaction"},
    };
    for (size_t i = 0; i < ARRAY_LEN(renamed); i++)
        if (slice_eq_c(key, renamed[i].old))
            return slice_cstr(renamed[i].now);
    return SLICE_NULL;
}

void capture_options_sanitize(struct strmap *canonical)
{
    struct slice sanitize = strmap_get_c(canonical, "sanitize.field.names");
    if (sanitize.p && slice_ieq(slice_trim(sanitize), SL("true")) &&
        !strmap_has(canonical, SL("field.name.adjustment.mode")))
        strmap_set(canonical, SL("field.name.adjustment.mode"), SL("avro"));
}

void capture_option_tell_renamed(enum log_category log, struct slice key, struct slice now)
{
    LOG_WARN(log, "Configuration property '" PRI_SL "' is deprecated; using it as '" PRI_SL "'",
             ARG_SL(key), ARG_SL(now));
}

void capture_option_tell_unknown(enum log_category log, struct slice key, const char *near)
{
    if (!near)
        near = opt_nearest(connector_common_rows, key);
    if (!near)
        near = opt_nearest(connector_source_rows, key);
    LOG_WARN(log, "unknown configuration property '" PRI_SL "' is ignored%s%s%s", ARG_SL(key),
             near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
}
