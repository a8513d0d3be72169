/* broker/group/group_config.c - see group_config.h. */
#include "broker/group/group_config.h"

#include "base/base.h"
#include "broker/broker.h"
#include "broker/resource_config.h"

#include <stdlib.h>

struct row {
    const char *name;
    size_t dflt, min, max; /* in struct broker_options */
};
#define FIELD(f) offsetof(struct broker_options, f)
#define ROW(name, kind, what)                                                                      \
    {                                                                                              \
        name, FIELD(group_##kind##_##what##_ms), FIELD(group_##kind##_min_##what##_ms),            \
            FIELD(group_##kind##_max_##what##_ms)                                                  \
    }
static const struct row rows[GROUP_CONFIG_KEYS] = {
    [GROUP_CONSUMER_HEARTBEAT_MS] = ROW("consumer.heartbeat.interval.ms", consumer, heartbeat),
    [GROUP_CONSUMER_SESSION_MS] = ROW("consumer.session.timeout.ms", consumer, session),
    [GROUP_SHARE_HEARTBEAT_MS] = ROW("share.heartbeat.interval.ms", share, heartbeat),
    [GROUP_SHARE_SESSION_MS] = ROW("share.session.timeout.ms", share, session),
    [GROUP_SHARE_LOCK_MS] = ROW("share.record.lock.duration.ms", share, lock),
};

static int32_t option(const struct group_configs *c, size_t field)
{
    int32_t v;
    memcpy(&v, (const char *)c->o + field, sizeof v);
    return v;
}

int32_t group_config_int(const struct group_configs *c, struct slice group,
                         enum group_config_key key)
{
    const struct row *row = &rows[key];
    char text[RESOURCE_CONFIG_TEXT];
    int64_t v;
    if (!resource_config_given(c->set, RESOURCE_KIND_GROUP, group, row->name, text) ||
        slice_to_i64(slice_cstr(text), &v) != E_OK)
        return option(c, row->dflt);
    return (int32_t)MIN(MAX(v, option(c, row->min)), option(c, row->max));
}

/* P[nD][T[nH][nM][n[.n]S]], ISO 8601 as Java's Duration reads it. -1: not one. */
static int64_t duration_ms(const char *s)
{
    double total = 0;
    bool time = false, any = false;
    if (*s++ != 'P')
        return -1;
    while (*s) {
        char *end;
        if (*s == 'T') {
            time = true;
            s++;
            continue;
        }
        double n = strtod(s, &end);
        if (end == s)
            return -1;
        switch (*end) {
        case 'D':
            n *= 86400e3;
            break;
        case 'H':
            n *= 3600e3;
            break;
        case 'M':
            n *= 60e3;
            break;
        case 'S':
            n *= 1e3;
            break;
        default:
            return -1;
        }
        if (time == (*end == 'D'))
            return -1;
        total += n;
        any = true;
        s = end + 1;
    }
    return any && total >= 0 && total < 9e15 ? (int64_t)total : -1;
}

int64_t group_config_share_start(const struct group_configs *c, struct slice group, int64_t now_ms)
{
    static const char by_duration[] = "by_duration:";
    char text[RESOURCE_CONFIG_TEXT];
    if (!resource_config_given(c->set, RESOURCE_KIND_GROUP, group, "share.auto.offset.reset", text))
        return -1;
    if (strcmp(text, "earliest") == 0)
        return -2;
    if (strncmp(text, by_duration, sizeof by_duration - 1) == 0) {
        int64_t ago = duration_ms(text + sizeof by_duration - 1);
        return ago < 0 ? -1 : MAX(0, now_ms - ago);
    }
    return -1;
}

bool group_config_share_committed(const struct group_configs *c, struct slice group)
{
    char text[RESOURCE_CONFIG_TEXT];
    return resource_config_given(c->set, RESOURCE_KIND_GROUP, group, "share.isolation.level",
                                 text) &&
           strcmp(text, "read_committed") == 0;
}
