/* cdc/option_words.c - see option_words.h. */
#include "cdc/option_words.h"

int option_word(const struct option_word *words, struct slice text, int otherwise)
{
    text = slice_trim(text);
    for (; words->text; words++)
        if (slice_ieq(text, slice_cstr(words->text)))
            return words->value;
    return otherwise;
}

const struct option_word option_failure_words[] = {{"fail", FAILURE_FAIL},
                                                   {"warn", FAILURE_WARN},
                                                   {"skip", FAILURE_SKIP},
                                                   {"ignore", FAILURE_SKIP},
                                                   {NULL, 0}};
const struct option_word option_adjustment_words[] = {
    {"none", ADJUST_NONE}, {"avro", ADJUST_AVRO}, {"avro_unicode", ADJUST_AVRO_UNICODE}, {NULL, 0}};

unsigned option_skipped(struct slice text)
{
    static const struct option_word words[] = {
        {"c", SKIP_CREATE},   {"u", SKIP_UPDATE}, {"d", SKIP_DELETE},
        {"t", SKIP_TRUNCATE}, {"r", SKIP_READ},   {NULL, 0},
    };
    unsigned mask = 0;
    struct slice part;
    while (slice_split(&text, ',', &part))
        mask |= (unsigned)option_word(words, part, 0);
    return mask;
}

enum adjustment_mode option_field_adjustment(const struct strmap *config, struct slice text)
{
    static const char *const keys[] = {"key.converter", "value.converter"};
    if (text.p)
        return (enum adjustment_mode)option_word(option_adjustment_words, text, ADJUST_NONE);
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        struct slice c = strmap_get_c(config, keys[i]);
        if (c.p && slice_find(c, SL("AvroConverter")) >= 0)
            return ADJUST_AVRO;
    }
    return ADJUST_NONE;
}

bool option_is_foreign(struct slice key)
{
    static const struct slice prefixes[] = {
        SL_INIT("transforms"),
        SL_INIT("predicates"),
        SL_INIT("topic."),
        SL_INIT("errors."),
        SL_INIT("producer.override."),
        SL_INIT("consumer.override."),
        SL_INIT("admin.override."),
        SL_INIT("key.converter"),
        SL_INIT("value.converter"),
        SL_INIT("header.converter"),
        SL_INIT("signal."),
        SL_INIT("internal."),
        SL_INIT("openlineage."),
        SL_INIT("exactly.once."),
        SL_INIT("offsets.storage."),
        SL_INIT("transaction.boundary"),
        SL_INIT("connector."),
        SL_INIT("tasks.max"),
        SL_INIT("config.action."),
        SL_INIT("config.providers"),
        SL_INIT("task."),
    };
    if (slice_eq_c(key, "name"))
        return true;
    for (size_t i = 0; i < ARRAY_LEN(prefixes); i++)
        if (slice_starts(key, prefixes[i]))
            return true;
    return false;
}
