/* tests/unit/broker/test_topic_config.c - rows of topic options: defaults, texts of refusals, and
 * which of topic, broker and default is in force. */
#include "broker/topic_config.h"

#include "base/compress.h"
#include "broker/proto/kerr.h"
#include "helpers.h"

static void test_rows(void)
{
    int n = 0;
    for (const struct opt_row *r = topic_option_rows(); r->name; r++, n++) {
        CHECK(r == topic_option_rows() || strcmp(r[-1].name, r->name) < 0);
        CHECK(r->doc && r->def);
        CHECK_OK(topic_option_check(slice_cstr(r->name), slice_cstr(r->def), NULL));
        for (const char *const *s = topic_option_synonyms(r); *s; s++)
            CHECK(strlen(*s) > 3);
    }
    CHECK_INT(n, 33);
}

static void test_defaults(void)
{
    struct topic_config c, again;
    topic_config_compute(&c, NULL, NULL, NULL);
    CHECK(c.cleanup_delete && !c.cleanup_compact);
    CHECK_INT(c.compression, -1);
    CHECK_INT(c.segment_bytes, 1 << 30);
    CHECK_INT(c.max_message_bytes, 1048588);
    CHECK(!c.max_message_bytes_set);
    CHECK_INT(c.retention_ms, 604800000);
    CHECK_INT(c.retention_bytes, -1);
    CHECK_INT(c.flush_messages, INT64_MAX);
    CHECK_INT(c.timestamp_after_max_ms, 3600000);
    CHECK_INT(c.timestamp_before_max_ms, INT64_MAX);
    CHECK(c.min_cleanable_dirty_ratio == 0.5);
    topic_config_compute(&again, NULL, NULL, NULL);
    CHECK(memcmp(&c, &again, sizeof c) == 0);
}

static void refused(const char *name, const char *value, const char *text)
{
    struct error e;
    CHECK_ERR(topic_option_check(slice_cstr(name), slice_cstr(value), &e), E_INVALID);
    CHECK_INT(e.sys, KERR_INVALID_CONFIG);
    CHECK_STR(e.msg, text);
}

static void test_refusals(void)
{
    refused("retention", "1", "Unknown topic config name: retention");
    refused("retention.ms", "soon",
            "Invalid value soon for configuration retention.ms: Not a number of type LONG");
    refused("retention.ms", "-5",
            "Invalid value -5 for configuration retention.ms: Value must be at least -1");
    refused("cleanup.policy", "burn",
            "Invalid value burn for configuration cleanup.policy: String must be one of: compact, "
            "delete");
    refused("cleanup.policy", "compact,burn",
            "Invalid value burn for configuration cleanup.policy: String must be one of: compact, "
            "delete");
    refused("cleanup.policy", "compact,,delete",
            "Invalid value  for configuration cleanup.policy: String must be one of: compact, "
            "delete");
    CHECK_OK(topic_option_check(SL("cleanup.policy"), SL(""), NULL));
    CHECK_OK(topic_option_check(SL("cleanup.policy"), SL("delete,delete"), NULL));
    refused("min.cleanable.dirty.ratio", "2",
            "Invalid value 2.0 for configuration min.cleanable.dirty.ratio: Value must be no more "
            "than 1");
    refused("segment.bytes", "1",
            "Invalid value 1 for configuration segment.bytes: Value must be at least 1048576");
    refused("compression.type", "zip",
            "Invalid value zip for configuration compression.type: String must be one of: "
            "uncompressed, zstd, lz4, snappy, gzip, producer");
    refused("message.timestamp.type", "Now",
            "Invalid value Now for configuration message.timestamp.type: String must be one of: "
            "CreateTime, LogAppendTime");
    refused("preallocate", "yes",
            "Invalid value yes for configuration preallocate: Expected value to be either true or "
            "false");
    refused("min.cleanable.dirty.ratio", "1.5",
            "Invalid value 1.5 for configuration min.cleanable.dirty.ratio: Value must be no more "
            "than 1");
    refused("remote.storage.enable", "true",
            "Tiered Storage functionality is disabled in the broker. Topic cannot be configured "
            "with remote log storage.");
    CHECK_OK(topic_option_check(SL("segment.bytes"), SL("14"), NULL)); /* weir: demonstrations */
    CHECK_OK(topic_option_check(SL("cleanup.policy"), SL(" compact , delete "), NULL));
    CHECK_OK(topic_option_check(SL("leader.replication.throttled.replicas"), SL("0:1,1:1"), NULL));
    CHECK_OK(topic_option_check(SL("leader.replication.throttled.replicas"), SL("*"), NULL));
    CHECK_ERR(topic_option_check(SL("leader.replication.throttled.replicas"), SL("0-1"), NULL),
              E_INVALID);
    CHECK_OK(topic_option_check(SL("message.downconversion.enable"), SL("what"), NULL));
    CHECK(topic_option_is_ignored(SL("message.format.version")));
    CHECK(!topic_option_is_ignored(SL("retention.ms")));
}

struct broker {
    const char *name, *value;
};

static struct slice broker_says(void *arg, struct slice name, struct arena *a)
{
    (void)a;
    for (const struct broker *b = arg; b->name; b++)
        if (slice_eq_c(name, b->name))
            return slice_cstr(b->value);
    return SLICE_NULL;
}

static void test_in_force(void)
{
    struct broker broker[] = {{"log.retention.hours", "1"},
                              {"log.retention.minutes", "30"},
                              {"log.roll.hours", "-1"},
                              {"compression.type", "zstd"},
                              {"message.max.bytes", "junk"},
                              {"log.segment.bytes", "2000000"},
                              {NULL, NULL}};
    struct topic_config c;
    struct strmap own = STRMAP_INIT;
    strmap_set(&own, SL("segment.bytes"), SL("1048576"));
    strmap_set(&own, SL("cleanup.policy"), SL("compact,delete"));
    strmap_set(&own, SL("message.timestamp.type"), SL("LogAppendTime"));
    topic_config_compute(&c, &own, broker_says, broker);
    CHECK_INT(c.segment_bytes, 1048576);     /* the topic's own wins */
    CHECK_INT(c.retention_ms, 30 * 60000);   /* minutes before hours */
    CHECK_INT(c.compression, CODEC_ZSTD);    /* the broker's */
    CHECK_INT(c.max_message_bytes, 1048588); /* what does not fit is not taken */
    CHECK_INT(c.segment_ms, 604800000);
    CHECK(c.cleanup_compact && c.cleanup_delete && c.log_append_time);
    strmap_set(&own, SL("max.message.bytes"), SL("5000"));
    topic_config_compute(&c, &own, NULL, NULL);
    CHECK(c.max_message_bytes_set);
    CHECK_INT(c.max_message_bytes, 5000);
    strmap_release(&own);
}

static void test_units(void)
{
    struct arena a;
    arena_init(&a, 0, ARENA_NO_BUDGET);
    CHECK_SLICE(topic_option_from_synonym(&a, "log.retention.hours", SL("168")), SL("604800000"));
    CHECK_SLICE(topic_option_from_synonym(&a, "log.retention.minutes", SL(" 2 ")), SL("120000"));
    CHECK_SLICE(topic_option_from_synonym(&a, "log.retention.hours", SL("-1")), SL("-1"));
    CHECK_SLICE(topic_option_from_synonym(&a, "log.retention.ms", SL("17")), SL("17"));
    CHECK_SLICE(topic_option_from_synonym(&a, "log.retention.hours", SL("x")), SL("x"));
    CHECK_SLICE(topic_option_from_synonym(&a, "log.roll.hours", SL("9223372036854775807")),
                SL("9223372036854000000"));
    arena_release(&a);
}

static const struct test_case tests[] = {
    {"rows", test_rows},         {"defaults", test_defaults}, {"refusals", test_refusals},
    {"in force", test_in_force}, {"units", test_units},       {NULL, NULL},
};
const struct test_suite test_topic_config = {"broker/topic_config", tests, NULL, NULL};
