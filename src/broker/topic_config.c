/* broker/topic_config.c - see topic_config.h. The rows are in topic_options.def.
 *
 * A value is looked for in three places: the topic's own text, the broker's synonyms in order, the
 * row's default. Nothing is copied when a topic is made, so that a change of the broker's value is
 * followed at once. Owner thread: none; all functions are pure but for what broker_value reads. */
#include "broker/topic_config.h"

#include "base/base.h"
#include "base/compress.h"
#include "base/json.h"
#include "broker/proto/kerr.h"

#include <stdlib.h>

/* What the rows fill; words become the fields of struct topic_config afterwards. */
struct raw {
    struct topic_config c;
    struct slice cleanup_policy;
    int32_t compression;    /* index into compressions */
    int32_t timestamp_type; /* index into timestamp_types */
};

#define SEGMENT_BYTES_MIN 14 /* weir: demonstrations of compaction use small segments */
#define SEGMENT_BYTES_MIN_KAFKA "1048576" /* what the refusal says, as Kafka's does */
#define INT64_RANGE 9223372036854775807.0

static const char *const compressions[] = {"uncompressed", "zstd",     "lz4", "snappy",
                                           "gzip",         "producer", NULL};
static const int32_t compression_codecs[] = {CODEC_NONE,   CODEC_ZSTD, CODEC_LZ4,
                                             CODEC_SNAPPY, CODEC_GZIP, -1};
static const char *const timestamp_types[] = {"CreateTime", "LogAppendTime", NULL};
enum { TIMESTAMP_LOG_APPEND = 1 };

/* --- checks of single values ------------------------------------------------------------------ */

static enum err bad_value(const struct opt_row *row, struct slice text, struct error *e,
                          const char *why)
{
    return error_set(e, E_INVALID, "Invalid value " PRI_SL " for configuration %s: %s",
                     ARG_SL(text), row->name, why);
}

/* Nothing is a policy too (records stay for ever), and a word may stand twice, as in Kafka 4.1. */
static enum err check_cleanup_policy(const struct opt_row *row, struct slice text, struct error *e)
{
    struct slice part, rest = text;
    while (opt_list_next(&rest, &part)) {
        if (!slice_eq(part, SL("delete")) && !slice_eq(part, SL("compact")))
            return bad_value(row, part, e, "String must be one of: compact, delete");
    }
    return E_OK;
}

/* Its limits are whole numbers in Kafka's words. */
static enum err check_ratio(const struct opt_row *row, struct slice text, struct error *e)
{
    double d = strtod(text.p, NULL); /* parsed already; text ends where the number does */
    struct strbuf value = STRBUF_INIT;
    if (d >= 0 && d <= 1)
        return E_OK;
    json_add_double(&value, d);
    enum err r = bad_value(row, strbuf_slice(&value), e,
                           d < 0 ? "Value must be at least 0" : "Value must be no more than 1");
    strbuf_release(&value);
    return r;
}

static enum err check_gzip_level(const struct opt_row *row, struct slice text, struct error *e)
{
    int64_t level;
    if (slice_to_i64(text, &level) == E_OK && (level == -1 || (level >= 1 && level <= 9)))
        return E_OK;
    return bad_value(row, text, e, "Value must be between 1 and 9 or equal to -1");
}

static enum err check_segment_bytes(const struct opt_row *row, struct slice text, struct error *e)
{
    int64_t bytes;
    if (slice_to_i64(text, &bytes) == E_OK && bytes < SEGMENT_BYTES_MIN)
        return bad_value(row, text, e, "Value must be at least " SEGMENT_BYTES_MIN_KAFKA);
    return E_OK;
}

static enum err check_remote_storage(const struct opt_row *row UNUSED, struct slice text,
                                     struct error *e)
{
    if (slice_ieq(text, SL("true")))
        return error_set(e, E_INVALID,
                         "Tiered Storage functionality is disabled in the broker. "
                         "Topic cannot be configured with remote log storage.");
    return E_OK;
}

/* "*", nothing, or partition:broker pairs. */
static enum err check_throttled(const struct opt_row *row, struct slice text, struct error *e)
{
    struct slice part, rest = text;
    if (slice_eq(text, SL("*")))
        return E_OK;
    while (opt_list_next(&rest, &part)) {
        int64_t number;
        ptrdiff_t colon = slice_find_char(part, ':');
        if (colon > 0 && slice_to_i64(slice_sub(part, 0, (size_t)colon), &number) == E_OK &&
            number >= 0 &&
            slice_to_i64(slice_sub(part, (size_t)colon + 1, part.n), &number) == E_OK &&
            number >= 0)
            continue;
        return error_set(e, E_INVALID,
                         "Invalid value [" PRI_SL "] for configuration %s: %s must be the literal "
                         "'*' or a list of replicas in the following format: "
                         "[partitionId]:[brokerId],[partitionId]:[brokerId],...",
                         ARG_SL(text), row->name, row->name);
    }
    return E_OK;
}

/* --- rows ------------------------------------------------------------------------------------- */

struct topic_option {
    const char *const *synonyms;
};

#define SYN(...)                                                                                   \
    (const char *const[])                                                                          \
    {                                                                                              \
        __VA_ARGS__, NULL                                                                          \
    }
#define ROW(name_, type_, def_, offset_, flags_, min_, max_, choices_, check_, doc_)               \
    {.name = (name_),                                                                              \
     .type = OPT_##type_,                                                                          \
     .def = (def_),                                                                                \
     .offset = (offset_),                                                                          \
     .flags = (flags_),                                                                            \
     .importance = OPT_MEDIUM,                                                                     \
     .order = -1,                                                                                  \
     .doc = (doc_),                                                                                \
     .min = (min_),                                                                                \
     .max = (max_),                                                                                \
     .choices = (choices_),                                                                        \
     .check = (check_)},

#define READ(name, type, def, field, min, max, check, synonyms, doc)                               \
    ROW(name, type, def, offsetof(struct raw, field), 0, min, max, NULL, check, doc)
#define PICK(name, def, field, choices, synonyms, doc)                                             \
    ROW(name, CHOICE, def, offsetof(struct raw, field), 0, 0, 0, choices, NULL, doc)
#define KEPT(name, type, def, min, max, check, synonyms, doc)                                      \
    ROW(name, type, def, OPT_NO_FIELD, OPT_NO_STORE, min, max, NULL, check, doc)
static const struct opt_row rows[] = {
#include "broker/topic_options.def"
    {.name = NULL},
};
#undef READ
#undef PICK
#undef KEPT

#define READ(name, type, def, field, min, max, check, synonyms, doc) {synonyms},
#define PICK(name, def, field, choices, synonyms, doc) {synonyms},
#define KEPT(name, type, def, min, max, check, synonyms, doc) {synonyms},
static const struct topic_option options[] = {
#include "broker/topic_options.def"
};
#undef READ
#undef PICK
#undef KEPT
_Static_assert(ARRAY_LEN(options) + 1 == ARRAY_LEN(rows), "one table, read twice");

const struct opt_row *topic_option_rows(void)
{
    return rows;
}

const char *const *topic_option_synonyms(const struct opt_row *row)
{
    static const char *const none[] = {NULL};
    const char *const *names = options[row - rows].synonyms;
    return names ? names : none;
}

struct slice topic_option_from_synonym(struct arena *a, const char *synonym, struct slice text)
{
    struct slice name = slice_cstr(synonym);
    int64_t unit_ms = slice_ends(name, SL(".hours"))     ? 3600000
                      : slice_ends(name, SL(".minutes")) ? 60000
                                                         : 1;
    int64_t n;
    if (unit_ms == 1 || slice_to_i64(slice_trim(text), &n) != E_OK)
        return text;
    if (n < 0)
        return SL("-1"); /* without a limit, in any unit */
    if (n > INT64_MAX / unit_ms)
        n = INT64_MAX / unit_ms;
    return slice_cstr(arena_printf(a, "%lld", (long long)(n * unit_ms)));
}

bool topic_option_is_ignored(struct slice name)
{
    static const char *const names[] = {"message.format.version",
                                        "message.timestamp.difference.max.ms",
                                        "message.downconversion.enable"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (slice_eq_c(name, names[i]))
            return true;
    return false;
}

enum err topic_option_check(struct slice name, struct slice value, struct error *e)
{
    struct error own;
    struct raw scratch;
    struct opt_values values = {.values = &scratch, .texts = STRMAP_INIT};
    const struct opt_row *row = opt_find(rows, name);
    enum err r = E_OK;
    if (!e)
        e = &own;
    if (topic_option_is_ignored(name))
        return E_OK;
    if (row)
        r = opt_set(row, &values, value, e);
    else
        r = error_set(e, E_INVALID, "Unknown topic config name: " PRI_SL, ARG_SL(name));
    if (r != E_OK)
        e->sys = KERR_INVALID_CONFIG;
    opt_values_release(&values);
    return r;
}

/* --- values in force -------------------------------------------------------------------------- */

/* The first synonym that the broker was given, in the option's unit. */
static struct slice broker_text(const struct opt_row *row, struct arena *a,
                                topic_broker_value_fn broker_value, void *arg)
{
    for (const char *const *s = topic_option_synonyms(row); broker_value && *s; s++) {
        struct slice text = broker_value(arg, slice_cstr(*s), a);
        if (!slice_is_null(text))
            return topic_option_from_synonym(a, *s, text);
    }
    return SLICE_NULL;
}

void topic_config_compute(struct topic_config *out, const struct strmap *own,
                          topic_broker_value_fn broker_value, void *arg)
{
    struct raw raw;
    struct arena a;
    struct opt_values values = {.values = &raw, .texts = STRMAP_INIT};
    memset(&raw, 0, sizeof raw);
    memset(out, 0, sizeof *out); /* padding too: callers compare two of them as bytes */
    arena_init(&a, 1024, ARENA_NO_BUDGET);
    opt_defaults(rows, &raw);
    for (const struct opt_row *row = rows; row->name; row++) {
        if (row->offset == OPT_NO_FIELD)
            continue;
        struct slice text = own ? strmap_get_c(own, row->name) : SLICE_NULL;
        if (slice_is_null(text))
            text = broker_text(row, &a, broker_value, arg);
        /* A broker's text that does not fit the topic's option leaves the default. */
        if (!slice_is_null(text) && opt_set(row, &values, text, NULL) != E_OK)
            continue;
    }
    struct slice part, rest = raw.cleanup_policy;
    while (opt_list_next(&rest, &part)) {
        raw.c.cleanup_delete |= slice_eq(part, SL("delete"));
        raw.c.cleanup_compact |= slice_eq(part, SL("compact"));
    }
    raw.c.compression = compression_codecs[raw.compression];
    raw.c.log_append_time = raw.timestamp_type == TIMESTAMP_LOG_APPEND;
    raw.c.max_message_bytes_set = own && !slice_is_null(strmap_get_c(own, "max.message.bytes"));
    memcpy(out, &raw.c, sizeof *out);
    opt_values_release(&values);
    arena_release(&a);
}
