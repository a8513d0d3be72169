/* connect/rest/plugins.c - /, /health, /connector-plugins, /admin/loggers. Runs on pool threads.
 * SPEC: connect 1.7, 1.8. */
#include "connect/rest/rest.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "broker/admin.h"

#include <stdlib.h>

#define KAFKA_VERSION "4.1.1" /* what tools look at to find out which calls there are */

void rest_do_root(struct http_request *r, void *arg)
{
    struct rest *rest = arg;
    struct broker_info info = {0};
    json_t *o = json_object();
    if (rest->broker)
        broker_info(rest->broker, &info);
    json_object_set_new(o, "version", json_string(KAFKA_VERSION));
    json_object_set_new(o, "commit", json_string("weir-" WEIR_VERSION));
    json_object_set_new(o, "kafka_cluster_id", json_string(info.cluster_id));
    http_reply_json(r, 200, o);
}

void rest_do_health(struct http_request *r, void *arg)
{
    (void)arg;
    json_t *o = json_object();
    json_object_set_new(o, "status", json_string("healthy"));
    json_object_set_new(
        o, "message", json_string("Worker has completed startup and is ready to handle requests."));
    http_reply_json(r, 200, o);
}

/* --- plugins ---------------------------------------------------------------------------------- */

void rest_do_plugins(struct http_request *r, void *arg)
{
    bool all = slice_ieq(http_query(r, "connectorsOnly"), SL("false"));
    http_reply_json(r, 200, herder_plugins(((struct rest *)arg)->herder, !all));
}

void rest_do_plugin_config(struct http_request *r, void *arg)
{
    struct error e = {0};
    json_t *out = NULL;
    if (herder_plugin_config(((struct rest *)arg)->herder, http_param(r, "plugin"), &out, &e))
        rest_failed(r, &e, out);
    else
        http_reply_json(r, 200, out);
}

void rest_do_validate(struct http_request *r, void *arg)
{
    struct strmap config;
    struct error e = {0};
    json_t *out = NULL;
    enum err err = rest_config_body(http_body(r), &config, &e);
    if (!err)
        err = herder_validate(((struct rest *)arg)->herder, http_param(r, "plugin"), &config, &out,
                              &e);
    if (err)
        rest_failed(r, &e, out);
    else
        http_reply_json(r, 200, out);
    strmap_release(&config);
}

/* --- loggers ---------------------------------------------------------------------------------- */

/* Java's names that documents tell people to use, and our categories. */
static const struct {
    const char *java, *category;
} known[] = {
    {"root", "root"},
    {"io.confluent.connect.jdbc", "connect"},
    {"io.debezium", "cdc"},
    {"io.debezium.connector.mariadb", "cdc.mysql"},
    {"io.debezium.connector.mongodb", "cdc.mongo"},
    {"io.debezium.connector.mysql", "cdc.mysql"},
    {"org.apache.kafka.connect", "connect"},
};

struct logger {
    char level[8];
    int64_t modified_ms; /* 0: never */
};

static const char *const levels[] = {"OFF",  "FATAL", "ERROR", "WARN",
                                     "INFO", "DEBUG", "TRACE", "ALL"};

static const char *find_level(struct slice text)
{
    for (size_t i = 0; i < ARRAY_LEN(levels); i++)
        if (slice_ieq(text, slice_cstr(levels[i])))
            return levels[i];
    return NULL;
}

static bool is_below(struct slice name, struct slice parent)
{
    return slice_eq(parent, SL("root")) || slice_eq(name, parent) ||
           (slice_starts(name, parent) && name.p[parent.n] == '.');
}

static bool is_known(struct slice name)
{
    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (slice_eq_c(name, known[i].java))
            return true;
    return false;
}

/* Lock held. The level in force: the logger's own or that of the nearest above. */
static const char *effective(const struct rest *r, struct slice name, int64_t *modified)
{
    *modified = 0;
    const struct logger *l = map_get(&r->loggers, name);
    if (l) {
        *modified = l->modified_ms;
        return l->level;
    }
    while (name.n) {
        ptrdiff_t dot = slice_rfind_char(name, '.');
        name = slice_sub(name, 0, dot < 0 ? 0 : (size_t)dot);
        l = name.n ? map_get(&r->loggers, name) : NULL;
        if (l)
            return l->level;
    }
    l = map_get(&r->loggers, SL("root"));
    return l ? l->level : "INFO";
}

static json_t *level_json(const char *level, int64_t modified)
{
    json_t *o = json_object();
    json_object_set_new(o, "level", json_string(level));
    json_object_set_new(o, "last_modified", modified ? json_integer(modified) : json_null());
    return o;
}

void rest_do_loggers(struct http_request *r, void *arg)
{
    struct rest *rest = arg;
    json_t *o = json_object();
    size_t i = 0;
    struct slice name;
    void *value;
    pthread_mutex_lock(&rest->lock);
    while (map_next(&rest->loggers, &i, &name, &value)) {
        const struct logger *l = value;
        json_object_setn_new_nocheck(o, name.p, name.n, level_json(l->level, l->modified_ms));
    }
    if (!map_get(&rest->loggers, SL("root")))
        json_object_set_new(o, "root", level_json("INFO", 0));
    pthread_mutex_unlock(&rest->lock);
    char *text = json_dumps(o, JSON_COMPACT | JSON_SORT_KEYS);
    http_reply(r, 200, "application/json", slice_cstr(text));
    free(text);
    json_decref(o);
}

void rest_do_get_logger(struct http_request *r, void *arg)
{
    struct rest *rest = arg;
    struct slice name = http_param(r, "logger");
    int64_t modified;
    pthread_mutex_lock(&rest->lock);
    bool there = is_known(name) || map_get(&rest->loggers, name);
    json_t *o = there ? level_json(effective(rest, name, &modified), 0) : NULL;
    if (o && modified)
        json_object_set_new(o, "last_modified", json_integer(modified));
    pthread_mutex_unlock(&rest->lock);
    if (o) {
        http_reply_json(r, 200, o);
        return;
    }
    char text[300];
    snprintf(text, sizeof text, "Logger " PRI_SL " not found.", ARG_SL(name));
    rest_error(r, 404, text);
}

/* Lock held. */
static void set_one(struct rest *r, struct slice name, const char *level)
{
    struct logger *l = map_get(&r->loggers, name);
    if (!l) {
        l = xcalloc(1, sizeof *l);
        (void)map_put(&r->loggers, name, l);
    }
    snprintf(l->level, sizeof l->level, "%s", level);
    l->modified_ms = clock_wall_ms();
}

static void set_category(struct slice java, const char *level)
{
    enum log_level ours = LOG_L_INFO;
    const char *name = strcmp(level, "FATAL") == 0 ? "ERROR"
                       : strcmp(level, "ALL") == 0 ? "TRACE"
                                                   : level;
    if (log_parse_level(name, &ours))
        return;
    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (slice_eq_c(java, known[i].java) && log_set_level(known[i].category, ours))
            LOG_WARN(LOG_CONNECT, "there is no log category %s", known[i].category);
}

/* All loggers at and below the name; sorted names of those that changed. */
static json_t *set_level(struct rest *r, struct slice name, const char *level)
{
    struct map names = MAP_INIT;
    size_t i = 0;
    struct slice one;
    void *value;
    (void)map_put(&names, name, r);
    for (size_t k = 0; k < ARRAY_LEN(known); k++)
        if (is_below(slice_cstr(known[k].java), name))
            (void)map_put(&names, slice_cstr(known[k].java), r);
    pthread_mutex_lock(&r->lock);
    while (map_next(&r->loggers, &i, &one, &value))
        if (is_below(one, name))
            (void)map_put(&names, one, r);
    json_t *changed = json_object();
    for (i = 0; map_next(&names, &i, &one, &value);) {
        int64_t modified;
        if (strcmp(effective(r, one, &modified), level) != 0 ||
            (!is_known(one) && !map_get(&r->loggers, one)))
            json_object_setn_new_nocheck(changed, one.p, one.n, json_null());
    }
    const char *key;
    json_t *v;
    json_object_foreach(changed, key, v)
    {
        set_one(r, slice_cstr(key), level);
        set_category(slice_cstr(key), level);
    }
    pthread_mutex_unlock(&r->lock);
    map_release(&names, NULL);
    return changed;
}

/* Names of an object's members as a sorted list. */
static json_t *sorted_names(json_t *o)
{
    json_t *out = json_array();
    size_t n = json_object_size(o);
    const char **names = xcalloc(n + 1, sizeof *names), *key;
    json_t *v;
    size_t k = 0;
    json_object_foreach(o, key, v)
    {
        size_t at = k++;
        for (; at && strcmp(names[at - 1], key) > 0; at--)
            names[at] = names[at - 1];
        names[at] = key;
    }
    for (size_t i = 0; i < k; i++)
        json_array_append_new(out, json_string_nocheck(names[i]));
    mem_free((void *)names);
    return out;
}

void rest_do_put_logger(struct http_request *r, void *arg)
{
    struct strmap body;
    struct error e = {0};
    if (rest_config_body(http_body(r), &body, &e)) {
        rest_failed(r, &e, NULL);
        strmap_release(&body);
        return;
    }
    struct slice text = strmap_get_c(&body, "level");
    const char *level = find_level(text);
    char why[200];
    snprintf(why, sizeof why, "invalid log level '" PRI_SL "'.", ARG_SL(text));
    if (!text.p) {
        rest_error(r, 400, "Desired 'level' parameter was not specified in request.");
    } else if (!level) {
        rest_error(r, 404, why);
    } else {
        json_t *changed = set_level(arg, http_param(r, "logger"), level);
        if (slice_ieq(http_query(r, "scope"), SL("cluster")))
            http_reply_empty(r, 204);
        else
            http_reply_json(r, 200, sorted_names(changed));
        json_decref(changed);
    }
    strmap_release(&body);
}

void rest_loggers_release(struct rest *r)
{
    map_release(&r->loggers, mem_free);
}
