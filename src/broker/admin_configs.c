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
    return kerr_error(e, kerr == KERR_UNKNOWN_TOPIC_OR_PARTITION ? E_NOT_FOUND : E_INVALID, kerr,
                      "%s" PRI_SL, text, ARG_SL(name));
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

/* --- topics ----------------------------------------------------------------------------------- */

static void add_synonym(struct broker_config_entry *out, struct slice name, struct slice value,
                        int8_t source)
{
    out->synonyms[out->synonym_count++] = (struct broker_config_synonym){name, value, source};
}

void broker_topic_config_entry(struct broker *b, const struct opt_row *row,
                               const struct strmap *own, struct arena *a,
                               struct broker_config_entry *out)
{
    struct slice name = slice_cstr(row->name);
    const char *const *behind = topic_option_synonyms(row);
    struct broker_config_synonym *broker = NULL;
    size_t n = 0;
    *out = (struct broker_config_entry){.name = name,
                                        .default_value = slice_cstr(row->def),
                                        .value = slice_cstr(row->def),
                                        .source = CONFIG_SOURCE_DEFAULT,
                                        .type = config_wire_type(row->type),
                                        .doc = slice_cstr(row->doc)};
    if (behind[0])
        broker_settings_synonyms(&b->settings, slice_cstr(behind[0]), a, &broker, &n);
    out->synonyms = arena_calloc(a, n + 1, sizeof *out->synonyms);
    if (strmap_has(own, name)) {
        out->value = arena_dup(a, strmap_get(own, name));
        add_synonym(out, name, out->value, CONFIG_SOURCE_TOPIC);
    } else {
        struct slice given = SLICE_NULL; /* hours may count, although they are not listed */
        for (const char *const *x = behind; *x && !given.p; x++) {
            enum config_source source;
            given = broker_setting_given(&b->settings, slice_cstr(*x), a, &source);
            if (given.p)
                out->value = topic_option_from_synonym(a, *x, given);
        }
    }
    for (size_t i = 0; i < n; i++)
        out->synonyms[out->synonym_count++] = broker[i];
    if (out->synonym_count)
        out->source = out->synonyms[0].source;
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

static enum err apply_list(struct broker *b, const struct opt_row *row, struct strmap *own,
                           const struct broker_config_change *c, struct arena *a, struct error *e)
{
    struct broker_config_entry entry;
    struct strbuf text = STRBUF_INIT;
    broker_topic_config_entry(b, row, own, a, &entry);
    config_edit_list(entry.value, c, &text);
    enum err r = E_OK;
    if (text.n == 0 && slice_eq(c->name, SL("cleanup.policy")))
        r = refuse(e, KERR_INVALID_CONFIG, "Nothing would be left of ", c->name);
    else
        r = topic_option_check(c->name, text.n ? strbuf_slice(&text) : SL(""), e);
    if (r == E_OK)
        strmap_set(own, c->name, text.n ? strbuf_slice(&text) : SL(""));
    strbuf_release(&text);
    return r;
}

static enum err apply(struct broker *b, struct strmap *own, const struct broker_config_change *c,
                      struct arena *a, struct error *e)
{
    const struct opt_row *row = opt_find(topic_option_rows(), c->name);
    if (topic_option_is_ignored(c->name))
        return E_OK;
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
    if (!row || row->type != OPT_LIST)
        return kerr_error(e, E_INVALID, KERR_INVALID_CONFIG,
                          "Can't %s to key " PRI_SL " because its type is not LIST.",
                          c->op == BROKER_CONFIG_APPEND ? "APPEND" : "SUBTRACT", ARG_SL(c->name));
    return apply_list(b, row, own, c, a, e);
}

enum err broker_topic_change_configs(struct broker *b, struct slice topic,
                                     const struct broker_config_change *changes, size_t count,
                                     bool replace, bool validate_only, struct error *e)
{
    struct error ignored;
    if (!e)
        e = &ignored;
    if (topic.n == 0)
        return refuse(e, KERR_INVALID_REQUEST, "Default topic resources are not allowed.", SL(""));
    enum err r = topic_name_check(topic, e);
    if (r != E_OK)
        return r;
    struct topic *t = topics_get(b->topics, topic);
    if (!t)
        return kerr_error(e, E_NOT_FOUND, KERR_UNKNOWN_TOPIC_OR_PARTITION,
                          "The topic '" PRI_SL "' does not exist.", ARG_SL(topic));
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
            r = refuse(e, KERR_INVALID_REQUEST, "Error due to duplicate config keys", SL(""));
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

/* --- the broker ------------------------------------------------------------------------------- */

enum err broker_configs(struct broker *b, struct arena *a, struct broker_config_entry **out,
                        size_t *count, struct error *e)
{
    (void)e;
    const struct opt_row *rows = broker_option_rows();
    struct broker_config_entry *unknown;
    size_t n = 0, more;
    while (rows[n].name)
        n++;
    broker_settings_unknown(&b->settings, a, &unknown, &more);
    *out = arena_calloc(a, n + more + 1, sizeof **out);
    *count = 0;
    for (size_t i = 0; i < n; i++)
        if (!(rows[i].flags & BROKER_UNLISTED))
            broker_settings_describe(&b->settings, &rows[i], a, &(*out)[(*count)++]);
    for (size_t i = 0; i < more; i++)
        (*out)[(*count)++] = unknown[i];
    qsort(*out, *count, sizeof **out, by_name);
    return E_OK;
}

enum err broker_change_configs(struct broker *b, bool for_broker,
                               const struct broker_config_change *changes, size_t count,
                               bool replace, bool validate_only, struct error *e)
{
    enum err r = broker_settings_alter(&b->settings, b->db, for_broker, changes, count, replace,
                                       validate_only, e);
    if (r == E_OK && !validate_only)
        topics_refresh_configs(b->topics);
    return r;
}

enum err broker_alter_configs(struct broker *b, const struct broker_config_change *changes,
                              size_t count, struct error *e)
{
    return broker_change_configs(b, false, changes, count, false, false, e);
}
