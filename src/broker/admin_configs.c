/* broker/admin_configs.c - configurations of topics and of the broker: what they are, where each
 * value comes from, and changes. For in-process users and the handlers. SPEC: broker 5.4, 5.5. */
#include "broker/admin.h"

#include "base/base.h"
#include "base/log.h"
#include "base/mem.h"
#include "broker/broker_state.h"
#include "broker/proto/kerr.h"
#include "broker/topic.h"

#include <stdlib.h>

static enum err refuse(struct error *e, int16_t kerr, const char *text, struct slice name)
{
    error_set(e, kerr == KERR_UNKNOWN_TOPIC_OR_PARTITION ? E_NOT_FOUND : E_INVALID, "%s" PRI_SL,
              text, ARG_SL(name));
    if (e)
        e->sys = kerr;
    return kerr == KERR_UNKNOWN_TOPIC_OR_PARTITION ? E_NOT_FOUND : E_INVALID;
}

static enum err unknown_topic(struct error *e)
{
    return refuse(e, KERR_UNKNOWN_TOPIC_OR_PARTITION, kerr_message(KERR_UNKNOWN_TOPIC_OR_PARTITION),
                  SL(""));
}

static int by_name(const void *a, const void *b)
{
    return slice_cmp(((const struct broker_config_entry *)a)->name,
                     ((const struct broker_config_entry *)b)->name);
}

/* --- topics -------------------------------------------------------------------------------------
 */

static void add_synonym(struct broker_config_entry *out, struct slice name, struct slice value,
                        int8_t source)
{
    out->synonyms[out->synonym_count++] = (struct broker_config_synonym){name, value, source};
}

/* Values of the broker options that stand behind a topic option, strongest first. The default is
 * the broker row's own, or the topic row's when the broker has none (such as log.retention.ms). */
static void add_broker_synonyms(struct broker *b, const struct opt_row *row, struct arena *a,
                                struct broker_config_entry *out)
{
    const char *const *names = topic_option_synonyms(row);
    for (size_t i = 0; names && names[i]; i++) {
        struct slice name = slice_cstr(names[i]);
        const struct opt_row *broker_row = opt_find(broker_option_rows(), name);
        if (!broker_row)
            continue;
        struct broker_config_entry entry;
        broker_settings_describe(&b->settings, broker_row, a, true, &entry);
        for (size_t s = 0; s < entry.synonym_count && out->synonym_count < 14; s++) {
            struct slice value = entry.synonyms[s].value;
            if (value.p)
                add_synonym(out, name, value, entry.synonyms[s].source);
        }
    }
}

void broker_topic_config_entry(struct broker *b, const struct opt_row *row,
                               const struct strmap *own, struct arena *a,
                               struct broker_config_entry *out)
{
    struct slice name = slice_cstr(row->name);
    *out = (struct broker_config_entry){.name = name,
                                        .default_value = slice_cstr(row->def),
                                        .type = config_wire_type(row->type),
                                        .doc = slice_cstr(row->doc)};
    out->synonyms = arena_calloc(a, 16, sizeof *out->synonyms);
    if (strmap_has(own, name))
        add_synonym(out, name, arena_dup(a, strmap_get(own, name)), CONFIG_SOURCE_TOPIC);
    add_broker_synonyms(b, row, a, out);
    if (out->synonym_count == 0) {
        out->value = slice_cstr(row->def);
        out->source = CONFIG_SOURCE_DEFAULT;
        return;
    }
    const struct broker_config_synonym *first = &out->synonyms[0];
    out->source = first->source;
    if (first->source == CONFIG_SOURCE_TOPIC) {
        out->value = first->value;
        return;
    }
    const char *synonym = arena_printf(a, PRI_SL, ARG_SL(first->name));
    out->value = topic_option_from_synonym(a, synonym, first->value); /* hours, minutes */
}

enum err broker_topic_configs(struct broker *b, struct slice topic, struct arena *a,
                              struct broker_config_entry **out, size_t *count, struct error *e)
{
    struct topic *t = topics_get(b->topics, topic);
    if (!t)
        return unknown_topic(e);
    struct strmap own;
    const struct opt_row *rows = topic_option_rows();
    topic_own_configs(t, &own);
    size_t n = 0;
    while (rows[n].name)
        n++;
    *out = arena_calloc(a, n + 1, sizeof **out);
    *count = n;
    for (size_t i = 0; i < n; i++)
        broker_topic_config_entry(b, &rows[i], &own, a, &(*out)[i]);
    qsort(*out, n, sizeof **out, by_name);
    strmap_release(&own);
    topic_unref(t);
    return E_OK;
}

/* The text of a list option after one entry came or went. False: SUBTRACT left nothing. */
static bool edit_list(struct slice now, const struct broker_config_change *c, struct strbuf *out)
{
    struct slice part, rest = now, items, item;
    bool first = true;
    while (rest.p && opt_list_next(&rest, &part)) {
        bool named = false;
        for (items = c->value; items.p && opt_list_next(&items, &item);)
            named |= slice_eq(item, part);
        if (named && c->op == BROKER_CONFIG_SUBTRACT)
            continue;
        strbuf_addf(out, "%s" PRI_SL, first ? "" : ",", ARG_SL(part));
        first = false;
    }
    if (c->op == BROKER_CONFIG_SUBTRACT)
        return !first;
    for (items = c->value; items.p && opt_list_next(&items, &item);) {
        bool present = false;
        for (rest = now; rest.p && opt_list_next(&rest, &part);)
            present |= slice_eq(item, part);
        if (!present) {
            strbuf_addf(out, "%s" PRI_SL, first ? "" : ",", ARG_SL(item));
            first = false;
        }
    }
    return true;
}

static enum err apply_list(struct broker *b, const struct opt_row *row, struct strmap *own,
                           const struct broker_config_change *c, struct arena *a, struct error *e)
{
    struct broker_config_entry entry;
    struct strbuf text = STRBUF_INIT;
    broker_topic_config_entry(b, row, own, a, &entry);
    bool some = edit_list(entry.value, c, &text);
    enum err r = E_OK;
    if (!some && slice_eq(c->name, SL("cleanup.policy")))
        r = refuse(e, KERR_INVALID_CONFIG, "Nothing would be left of ", c->name);
    else
        r = topic_option_check(c->name, strbuf_slice(&text), e);
    if (r == E_OK)
        strmap_set(own, c->name, strbuf_slice(&text));
    strbuf_release(&text);
    return r;
}

static enum err apply(struct broker *b, struct strmap *own, const struct broker_config_change *c,
                      struct arena *a, struct error *e)
{
    const struct opt_row *row = opt_find(topic_option_rows(), c->name);
    if (topic_option_is_ignored(c->name))
        return E_OK;
    if (!row)
        return refuse(e, KERR_INVALID_CONFIG, "Unknown topic config name: ", c->name);
    if (c->op == BROKER_CONFIG_DELETE) {
        (void)strmap_del(own, c->name);
        return E_OK;
    }
    if (!c->value.p)
        return refuse(e, KERR_INVALID_REQUEST, "Null value not supported for : ", c->name);
    if (c->op == BROKER_CONFIG_SET) {
        enum err r = topic_option_check(c->name, c->value, e);
        if (r == E_OK)
            strmap_set(own, c->name, slice_trim(c->value));
        return r;
    }
    if (row->type != OPT_LIST)
        return refuse(e, KERR_INVALID_CONFIG,
                      c->op == BROKER_CONFIG_APPEND
                          ? "Config value append is not allowed for config key: "
                          : "Config value subtract is not allowed for config key: ",
                      c->name);
    return apply_list(b, row, own, c, a, e);
}

enum err broker_topic_change_configs(struct broker *b, struct slice topic,
                                     const struct broker_config_change *changes, size_t count,
                                     bool replace, bool validate_only, struct error *e)
{
    struct error ignored;
    if (!e)
        e = &ignored;
    enum err r = topic_name_check(topic, e);
    if (r != E_OK)
        return r;
    struct topic *t = topics_get(b->topics, topic);
    if (!t)
        return unknown_topic(e);
    struct strmap own, seen;
    struct arena a;
    topic_own_configs(t, &own);
    strmap_init(&seen);
    arena_init(&a, 0, ARENA_NO_BUDGET);
    if (replace) {
        strmap_release(&own);
        strmap_init(&own);
    }
    for (size_t i = 0; r == E_OK && i < count; i++) {
        if (strmap_has(&seen, changes[i].name)) {
            r = refuse(e, KERR_INVALID_REQUEST,
                       "Error due to duplicate config keys: ", changes[i].name);
            break;
        }
        strmap_set(&seen, changes[i].name, SL(""));
        r = apply(b, &own, &changes[i], &a, e);
    }
    if (r == E_OK && !validate_only) {
        r = topics_set_configs(b->topics, topic, &own, e);
        if (r == E_OK)
            LOG_INFO(LOG_BROKER, "topic " PRI_SL ": configuration changed", ARG_SL(topic));
    }
    arena_release(&a);
    strmap_release(&seen);
    strmap_release(&own);
    topic_unref(t);
    return r;
}

enum err broker_topic_alter_configs(struct broker *b, struct slice topic,
                                    const struct broker_config_change *changes, size_t count,
                                    struct error *e)
{
    return broker_topic_change_configs(b, topic, changes, count, false, false, e);
}

/* --- the broker ---------------------------------------------------------------------------------
 */

enum err broker_configs(struct broker *b, struct arena *a, struct broker_config_entry **out,
                        size_t *count, struct error *e)
{
    (void)e;
    const struct opt_row *rows = broker_option_rows();
    size_t n = 0;
    while (rows[n].name)
        n++;
    *out = arena_calloc(a, n + 1, sizeof **out);
    *count = 0;
    for (size_t i = 0; i < n; i++) {
        if (!(rows[i].flags & BROKER_UNLISTED))
            broker_settings_describe(&b->settings, &rows[i], a, true, &(*out)[(*count)++]);
    }
    qsort(*out, *count, sizeof **out, by_name);
    return E_OK;
}

enum err broker_change_configs(struct broker *b, bool for_broker,
                               const struct broker_config_change *changes, size_t count,
                               bool validate_only, struct error *e)
{
    enum err r =
        broker_settings_alter(&b->settings, b->db, for_broker, changes, count, validate_only, e);
    if (r == E_OK && !validate_only)
        topics_refresh_configs(b->topics);
    return r;
}

enum err broker_alter_configs(struct broker *b, const struct broker_config_change *changes,
                              size_t count, struct error *e)
{
    return broker_change_configs(b, false, changes, count, false, e);
}
