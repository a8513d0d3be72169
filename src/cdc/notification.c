/* cdc/notification.c - notes as records and as lines. SPEC: cdc-mysql 3.9 */
#include "cdc/notification.h"

#include "base/bytes.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

struct note {
    struct note *next;
    const char *about, *type;
    char *id;
    const char *names[NOTE_MEMBERS_MAX];
    char *values[NOTE_MEMBERS_MAX];
    size_t count;
    int64_t at_ms;
};

static const char *const about_texts[] = {
    [NOTE_INITIAL] = "Initial Snapshot",
    [NOTE_INCREMENTAL] = "Incremental Snapshot",
};

static const char *const types[NOTE_TYPES] = {"STARTED",   "IN_PROGRESS", "TABLE_SCAN_COMPLETED",
                                              "COMPLETED", "ABORTED",     "SKIPPED",
                                              "PAUSED",    "RESUMED"};

/* --- set-up ----------------------------------------------------------------------------------- */

static struct schema_builder *named(const char *name)
{
    struct schema_builder *b = schema_builder_new(SCHEMA_STRUCT);
    schema_builder_name(b, slice_cstr(name));
    schema_builder_version(b, 1);
    return b;
}

static const struct schema *key_schema(void)
{
    struct schema_builder *b = named("io.debezium.connector.common.NotificationKey");
    schema_builder_field(b, SL("id"), schema_plain(SCHEMA_STRING, false));
    return schema_build(b);
}

static const struct schema *value_schema(void)
{
    struct schema_builder *b = named("io.debezium.connector.common.Notification");
    struct schema_builder *map = schema_builder_new(SCHEMA_MAP);
    schema_builder_element(map, schema_plain(SCHEMA_STRING, false),
                           schema_plain(SCHEMA_STRING, false));
    schema_builder_optional(map);
    schema_builder_field(b, SL("id"), schema_plain(SCHEMA_STRING, false));
    schema_builder_field(b, SL("type"), schema_plain(SCHEMA_STRING, false));
    schema_builder_field(b, SL("aggregate_type"), schema_plain(SCHEMA_STRING, false));
    schema_builder_field(b, SL("additional_data"), schema_build(map));
    schema_builder_field(b, SL("timestamp"), schema_plain(SCHEMA_INT64, false));
    return schema_build(b);
}

void notifier_init(struct notifier *n, struct slice channels, struct slice topic,
                   struct slice connector)
{
    struct slice part;
    memset(n, 0, sizeof *n);
    while (channels.p && slice_split(&channels, ',', &part)) {
        part = slice_trim(part);
        if (slice_ieq(part, SL("sink")))
            n->to_topic = topic.p && slice_trim(topic).n;
        else if (slice_ieq(part, SL("log")))
            n->to_log = true;
        else if (slice_ieq(part, SL("jmx")))
            n->to_metrics = true;
        else if (part.n)
            LOG_WARN(LOG_CDC,
                     "notification channel '" PRI_SL "' is not known; there are sink, log and jmx",
                     ARG_SL(part));
    }
    n->connector = slice_dup(connector.p ? connector : SL(""));
    if (!n->to_topic)
        return;
    n->topic = slice_dup(slice_trim(topic));
    n->key = key_schema();
    n->value = value_schema();
}

static void note_free(struct note *x)
{
    for (size_t i = 0; i < x->count; i++)
        mem_free(x->values[i]);
    mem_free(x->id);
    mem_free(x);
}

static void drop_first(struct notifier *n)
{
    struct note *x = n->first;
    n->first = x->next;
    if (!n->first)
        n->last = NULL;
    note_free(x);
}

void notifier_release(struct notifier *n)
{
    while (n->first)
        drop_first(n);
    schema_unref(n->key);
    schema_unref(n->value);
    mem_free(n->topic);
    mem_free(n->connector);
    memset(n, 0, sizeof *n);
}

/* --- notes ------------------------------------------------------------------------------------ */

/* As Java prints the object. */
static void log_note(const struct note *x)
{
    struct strbuf data = STRBUF_INIT;
    for (size_t i = 0; i < x->count; i++)
        strbuf_addf(&data, "%s%s=%s", i ? ", " : "", x->names[i], x->values[i]);
    LOG_INFO(LOG_CDC,
             "[Notification Service]  {id='%s', aggregateType='%s', type='%s', "
             "additionalData={%s}, timestamp=%lld}",
             x->id, x->about, x->type, data.p, (long long)x->at_ms);
    strbuf_release(&data);
}

void notify(struct notifier *n, enum note_about about, const char *type, struct slice id,
            const struct note_member *members, size_t count)
{
    for (size_t i = 0; n->to_metrics && i < NOTE_TYPES; i++)
        if (strcmp(types[i], type) == 0)
            atomic_fetch_add_explicit(&n->counts[about][i], 1, memory_order_relaxed);
    if (!n->to_topic && !n->to_log)
        return;
    struct note *x = xcalloc(1, sizeof *x);
    x->about = about_texts[about];
    x->type = type;
    x->at_ms = clock_wall_ms();
    if (id.p) {
        x->id = slice_dup(id);
    } else {
        struct uuid u;
        x->id = xcalloc(1, UUID_DASHED_SIZE);
        uuid_random(&u);
        uuid_dashed(&u, x->id);
    }
    for (size_t i = 0; i < count && x->count < NOTE_MEMBERS_MAX; i++) {
        struct slice value = members[i].value;
        if (strcmp(members[i].name, "connector_name") == 0)
            value = slice_cstr(n->connector);
        if (!value.p)
            continue;
        x->names[x->count] = members[i].name;
        x->values[x->count++] = slice_dup(value);
    }
    if (n->to_log)
        log_note(x);
    if (!n->to_topic) {
        note_free(x);
        return;
    }
    if (n->last)
        n->last->next = x;
    else
        n->first = x;
    n->last = x;
}

bool notifier_count(const struct notifier *n, size_t i, const char **about, const char **type,
                    uint64_t *count)
{
    if (!n->to_metrics || i >= (size_t)NOTE_ABOUTS * NOTE_TYPES)
        return false;
    *about = about_texts[i / NOTE_TYPES];
    *type = types[i % NOTE_TYPES];
    *count = atomic_load_explicit(&n->counts[i / NOTE_TYPES][i % NOTE_TYPES], memory_order_relaxed);
    return true;
}

static struct value text_in(struct record_batch *b, const char *text)
{
    return value_string(arena_dup(&b->arena, slice_cstr(text)));
}

enum err notifier_flush(struct notifier *n, struct record_batch *b)
{
    if (n->first)
        b->unrepeatable = true;
    for (; n->first; drop_first(n)) {
        const struct note *x = n->first;
        struct record *r = record_batch_add(b);
        if (!r)
            return E_NOMEM;
        r->topic = slice_cstr(n->topic);
        r->key_schema = n->key;
        r->value_schema = n->value;
        r->key = value_struct_new(&b->arena, 1);
        r->key.u.v[0] = text_in(b, x->id);
        r->value = value_struct_new(&b->arena, 5);
        struct value *v = r->value.u.v;
        v[0] = r->key.u.v[0];
        v[1] = value_string(slice_cstr(x->type));
        v[2] = value_string(slice_cstr(x->about));
        v[3] = value_map_new(&b->arena, (uint32_t)x->count);
        for (size_t i = 0; i < x->count; i++) {
            v[3].u.v[2 * i] = value_string(slice_cstr(x->names[i]));
            v[3].u.v[2 * i + 1] = text_in(b, x->values[i]);
        }
        v[4] = value_int(x->at_ms);
    }
    return E_OK;
}
