/* broker/broker_config_describe.c - broker options as DescribeConfigs tells them: values, defaults and where
 * they come from. See broker_config.h. SPEC: broker 5.3 */
#include "broker/broker_config.h"

#include "base/base.h"

/* Kafka's defaults where weir sets another value by itself, which it then shows as static. */
static const struct {
    const char *name, *kafka;
} other_defaults[] = {
    {"broker.id", "-1"},
    {"controller.quorum.voters", ""},
    {"group.initial.rebalance.delay.ms", "3000"},
    {"listeners", "PLAINTEXT://:9092"},
    {"node.id", NULL},
    {"offsets.topic.replication.factor", "3"},
    {"process.roles", NULL},
    {"share.coordinator.state.topic.replication.factor", "3"},
    {"socket.listen.backlog.size", "50"},
    {"socket.receive.buffer.bytes", "102400"},
    {"socket.send.buffer.bytes", "102400"},
    {"transaction.state.log.min.isr", "2"},
    {"transaction.state.log.replication.factor", "3"},
};

static struct slice kafka_default(const struct opt_row *row)
{
    for (size_t i = 0; i < ARRAY_LEN(other_defaults); i++)
        if (!strcmp(row->name, other_defaults[i].name))
            return slice_cstr(other_defaults[i].kafka);
    return slice_cstr(row->def);
}

/* What an option falls back on, itself first; ends with NULL. */
static const char *const families[][4] = {
    {"log.retention.ms", "log.retention.minutes", "log.retention.hours", NULL},
    {"log.roll.ms", "log.roll.hours", NULL},
    {"log.roll.jitter.ms", "log.roll.jitter.hours", NULL},
    {"log.flush.interval.ms", "log.flush.scheduler.interval.ms", NULL},
};

static bool is_secret(const struct opt_row *row)
{
    return row->type == OPT_PASSWORD || (row->flags & OPT_SECRET);
}

void broker_settings_synonyms(struct broker_settings *s, struct slice name, struct arena *a,
                              struct broker_config_synonym **out, size_t *count)
{
    const struct {
        const struct strmap *map; /* NULL: defaults */
        enum config_source source;
    } places[] = {{&s->dyn_broker, CONFIG_SOURCE_DYNAMIC_BROKER},
                  {&s->dyn_default, CONFIG_SOURCE_DYNAMIC_DEFAULT},
                  {&s->fixed, CONFIG_SOURCE_STATIC},
                  {NULL, CONFIG_SOURCE_DEFAULT}};
    const char *alone[] = {arena_printf(a, PRI_SL, ARG_SL(name)), NULL};
    const char *const *names = alone;
    size_t n = 0;
    for (size_t i = 0; i < ARRAY_LEN(families); i++)
        if (slice_eq_c(name, families[i][0]))
            names = families[i];
    *out = arena_calloc(a, ARRAY_LEN(places) * 3, sizeof **out);
    pthread_rwlock_rdlock(&s->lock);
    for (size_t i = 0; i < ARRAY_LEN(places); i++) {
        for (const char *const *x = names; *x; x++) {
            const struct opt_row *row = opt_find(broker_option_rows(), slice_cstr(*x));
            struct slice value = places[i].map ? strmap_get_c(places[i].map, *x)
                                 : row         ? kafka_default(row)
                                               : SLICE_NULL;
            if (!value.p || (n == 0 && !slice_eq_c(name, *x)))
                continue;
            (*out)[n++] = (struct broker_config_synonym){
                slice_cstr(*x), row && !is_secret(row) ? arena_dup(a, value) : SLICE_NULL,
                (int8_t)places[i].source};
        }
    }
    pthread_rwlock_unlock(&s->lock);
    *count = n;
}

void broker_settings_describe(struct broker_settings *s, const struct opt_row *row, struct arena *a,
                              struct broker_config_entry *out)
{
    struct slice name = slice_cstr(row->name);
    enum config_source source;
    *out = (struct broker_config_entry){
        .name = name,
        .default_value = slice_cstr(row->def),
        .type = config_wire_type(row->type),
        .read_only = !(row->flags & (BROKER_DYN_CLUSTER | BROKER_DYN_BROKER)),
        .sensitive = is_secret(row),
        .doc = slice_cstr(row->doc)};
    struct slice value = broker_setting(s, name, a, &source);
    out->value = out->sensitive ? SLICE_NULL : value;
    out->source = (int8_t)source;
    broker_settings_synonyms(s, name, a, &out->synonyms, &out->synonym_count);
}

void broker_settings_unknown(struct broker_settings *s, struct arena *a,
                             struct broker_config_entry **out, size_t *count)
{
    const struct {
        const struct strmap *map;
        enum config_source source;
    } places[] = {{&s->dyn_broker, CONFIG_SOURCE_DYNAMIC_BROKER},
                  {&s->dyn_default, CONFIG_SOURCE_DYNAMIC_DEFAULT}};
    pthread_rwlock_rdlock(&s->lock);
    *out = arena_calloc(a, s->dyn_broker.count + s->dyn_default.count + 1, sizeof **out);
    *count = 0;
    for (size_t i = 0; i < ARRAY_LEN(places); i++) {
        for (size_t k = 0; k < places[i].map->count; k++) {
            struct slice name = places[i].map->entries[k].key;
            if (opt_find(broker_option_rows(), name) ||
                (i == 1 && strmap_has(&s->dyn_broker, name)))
                continue;
            struct broker_config_entry *entry = &(*out)[(*count)++];
            *entry = (struct broker_config_entry){.name = arena_dup(a, name),
                                                  .source = (int8_t)places[i].source,
                                                  .read_only = true,
                                                  .sensitive = true};
            entry->synonyms = arena_calloc(a, 1, sizeof *entry->synonyms);
            entry->synonyms[0] =
                (struct broker_config_synonym){entry->name, SLICE_NULL, entry->source};
            entry->synonym_count = 1;
        }
    }
    pthread_rwlock_unlock(&s->lock);
}
