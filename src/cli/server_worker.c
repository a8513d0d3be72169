/* cli/server_worker.c - see server_worker.h.
 *
 * A variable's name becomes a property's by the rule of Confluent's images, which is not that of
 * KAFKA_*: CONNECT_ goes, letters become small, ___ becomes _, __ becomes -, _ becomes a dot. */
#include "cli/server_worker.h"

#include "base/base.h"
#include "base/fs.h"
#include "base/mem.h"
#include "cli/server_env.h"
#include "connect/connect.h"

/* --- one setting ------------------------------------------------------------------------------ */

static void offer(struct server_config *c, struct slice name, struct slice value)
{
    if (!connect_option_known(name))
        server_config_ignore(c, name, opt_nearest(connect_option_rows, name));
    else if (!strmap_has(&c->worker, name))
        strmap_set(&c->worker, name, value);
}

/* --- variables -------------------------------------------------------------------------------- */

/* Debezium's image; its scripts give them to the worker under these names. */
static const struct {
    const char *variable, *property;
} short_names[] = {
    {"BOOTSTRAP_SERVERS", "bootstrap.servers"},
    {"GROUP_ID", "group.id"},
    {"CONFIG_STORAGE_TOPIC", "config.storage.topic"},
    {"OFFSET_STORAGE_TOPIC", "offset.storage.topic"},
    {"STATUS_STORAGE_TOPIC", "status.storage.topic"},
    {"KEY_CONVERTER", "key.converter"},
    {"VALUE_CONVERTER", "value.converter"},
    {"REST_PORT", "rest.port"},
    {"REST_HOST_NAME", "rest.host.name"},
};

/* About the JVM, logging or the image's scripts: not worth a word. */
static bool is_of_the_image(struct slice rest)
{
    static const char *const starts[] = {"LOG4J_", "CUB_", "JMX_"};
    for (size_t i = 0; i < ARRAY_LEN(starts); i++)
        if (slice_starts(rest, slice_cstr(starts[i])))
            return true;
    return false;
}

enum err server_config_connect_env(struct server_config *c, char *const *environment,
                                   struct error *e)
{
    struct strbuf name = STRBUF_INIT;
    (void)e;
    for (char *const *v = environment; *v; v++) {
        const char *eq = strchr(*v, '=');
        struct slice whole = slice_of(*v, eq ? (size_t)(eq - *v) : 0);
        if (!eq || server_env_is_of_a_service(whole, slice_cstr(eq + 1)))
            continue;
        if (slice_starts(whole, SL("CONNECT_")) && whole.n > 8) {
            struct slice rest = slice_sub(whole, 8, whole.n);
            server_env_property(rest, '-', '_', &name);
            if (!is_of_the_image(rest))
                offer(c, strbuf_slice(&name), slice_cstr(eq + 1));
        }
        for (size_t i = 0; i < ARRAY_LEN(short_names); i++)
            if (slice_eq_c(whole, short_names[i].variable) && eq[1])
                offer(c, slice_cstr(short_names[i].property), slice_cstr(eq + 1));
    }
    strbuf_release(&name);
    return E_OK;
}

/* --- the file --------------------------------------------------------------------------------- */

enum err server_config_connect_file(struct server_config *c, struct error *e)
{
    if (!c->o.connect_config.p)
        return E_OK;
    struct strbuf text = STRBUF_INIT;
    struct strmap lines = STRMAP_INIT;
    char *path = slice_dup(c->o.connect_config);
    enum err err = fs_read_all(path, 1 << 20, &text, e);
    if (!err) {
        err = strmap_parse_properties(&lines, strbuf_slice(&text), e);
        if (err)
            (void)error_wrap(e, "%s", path);
    }
    for (size_t i = 0; !err && i < lines.count; i++)
        offer(c, lines.entries[i].key, lines.entries[i].value);
    mem_wipe(text.p, text.n);
    strmap_release(&lines);
    strbuf_release(&text);
    mem_free(path);
    return err;
}

/* --- where REST listens ----------------------------------------------------------------------- */

/* "http://host:port" of a list; others (https) are passed over. */
static struct slice first_http(struct slice list)
{
    struct slice one;
    while (opt_list_next(&list, &one))
        if (slice_istarts(one, SL("http://")))
            return slice_sub(one, 7, one.n);
    return SLICE_NULL;
}

static enum err listen_from(struct server_config *c, const struct strmap *worker, struct error *e)
{
    struct slice listeners = slice_trim(strmap_get_c(worker, "listeners"));
    struct slice host = slice_trim(strmap_get_c(worker, "rest.host.name"));
    struct slice port = slice_trim(strmap_get_c(worker, "rest.port"));
    if (!listeners.n && !port.n && !host.n)
        return E_OK;
    struct strbuf text = STRBUF_INIT;
    enum err err = E_OK;
    struct slice at = first_http(listeners);
    if (at.n)
        strbuf_add_slice(&text, at);
    else if (!listeners.n)
        strbuf_addf(&text, PRI_SL ":" PRI_SL, ARG_SL(host), ARG_SL(port.n ? port : SL("8083")));
    else
        err = error_set(e, E_UNSUPPORTED,
                        "listeners=" PRI_SL ": the REST API of weir speaks http:// only",
                        ARG_SL(listeners));
    if (err)
        error_hint(e, "give http://HOST:PORT, or --connect-listen HOST:PORT");
    else
        err = opt_set(opt_find(server_option_rows, SL("connect-listen")), &c->values,
                      strbuf_slice(&text), e);
    if (err == E_INVALID)
        (void)error_wrap(e, "%s of the Connect worker", at.n ? "listeners" : "rest.port");
    strbuf_release(&text);
    return err;
}

enum err server_config_connect_listen(struct server_config *c, struct error *e)
{
    struct strmap resolved;
    enum err err = connect_options_resolve(&c->worker, &resolved, e);
    if (!err && !strmap_has(&c->values.texts, SL("connect-listen")))
        err = listen_from(c, &resolved, e);
    if (err)
        connect_options_hide(&c->worker, &resolved, e);
    strmap_release(&resolved);
    return err;
}
