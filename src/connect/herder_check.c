/* connect/herder_check.c - configurations are checked here: before one is taken, and for the
 * validation request. Runs on the caller's thread, as a check may connect to a database; see
 * herder_internal.h. SPEC: connect 1.4, 1.5. */
#include "connect/herder_internal.h"

#include "base/json.h"
#include "base/log.h"
#include "connect/config_refs.h"
#include "connect/configdef.h"

/* --- what the log says meanwhile -------------------------------------------------------------- */

struct checked {
    struct log_ctx log;
    struct strbuf text;
    const struct strmap *raw, *resolved;
};

/* Of each line that this thread logs. */
static void hide_line(void *arg, char *msg, size_t room)
{
    const struct checked *c = arg;
    config_refs_hide_text(c->raw, c->resolved, msg, room);
}

static void log_begin(struct checked *c, const struct strmap *raw, const struct strmap *resolved)
{
    struct slice name = strmap_get_c(raw, "name");
    *c = (struct checked){.text = STRBUF_INIT, .raw = raw, .resolved = resolved};
    strbuf_addf(&c->text, name.n ? "connector=" PRI_SL : "request=validate" PRI_SL, ARG_SL(name));
    log_ctx_push(&c->log, strbuf_err(&c->text) ? "connector" : c->text.p);
    log_ctx_hide(&c->log, hide_line, c);
}

static void log_end(struct checked *c)
{
    log_ctx_pop(&c->log);
    strbuf_release(&c->text);
}

/* The first error and how many there are. A secret's value is not told, whatever its error says. */
static void tell_refused(const struct config_errors *v, const struct strmap *config)
{
    size_t count = config_error_count(v);
    const struct config_item *i = v->items;
    while (!i->error_count)
        i++;
    struct slice rest = i->errors[0], line = SLICE_NULL;
    struct slice value = slice_trim(strmap_get(config, i->name));
    slice_split(&rest, '\n', &line);
    bool secret = i->row && (i->row->type == OPT_PASSWORD || (i->row->flags & OPT_SECRET));
    if (secret && value.n && slice_find(line, value) >= 0)
        line = SL("its value is not taken");
    LOG_INFO(LOG_CONNECT_HERDER,
             "the configuration is refused, errors: %zu, the first: " PRI_SL ": " PRI_SL, count,
             ARG_SL(i->name), ARG_SL(line));
}

/* Resolves, validates and puts references back into what is answered. v is to be released in any
 * case. real: for a connector, which is told in the log; else only a question. */
static enum err validate(const struct herder *h, const struct strmap *config,
                         const struct connector_ops *ops, bool real, struct config_errors *v,
                         struct error *e)
{
    struct strmap resolved;
    struct checked c;
    memset(v, 0, sizeof *v);
    enum err err = config_refs_resolve(config, &h->worker, &resolved, e);
    if (!err) {
        log_begin(&c, config, &resolved);
        err = config_validate(v, h->registry, &h->worker, &resolved, ops, e);
        config_errors_hide(v, config, &resolved);
        if (real)
            config_tell_unknown(h->registry, &resolved, ops);
        if (real && !err && config_error_count(v))
            tell_refused(v, &resolved);
        log_end(&c);
        if (err)
            config_refs_hide_error(config, &resolved, e);
    }
    if (err && e)
        e->sys = 500;
    strmap_release(&resolved);
    return err;
}

/* A text of any length: the whole of it as JSON string too. */
static enum err answer_long(struct error *e, json_t **full, int status, struct slice text)
{
    *full = json_stringn_nocheck(text.p, text.n);
    return herder_answer(e, E_INVALID, status, PRI_SL, ARG_SL(text));
}

static enum err no_type(const struct strmap *config, json_t **full, struct error *e, int status,
                        const char *prefix)
{
    struct strbuf text = STRBUF_INIT;
    strbuf_addf(&text, "%sConnector config {", prefix);
    for (size_t i = 0; i < config->count; i++) /* names only: values may be secret */
        strbuf_addf(&text, "%s" PRI_SL, i ? ", " : "", ARG_SL(config->entries[i].key));
    strbuf_adds(&text, "} contains no connector type");
    enum err err = answer_long(e, full, status, strbuf_slice(&text));
    strbuf_release(&text);
    return err;
}

static enum err no_class(const struct herder *h, struct slice name, json_t **full, struct error *e,
                         int status, const char *prefix)
{
    struct strbuf text = STRBUF_INIT;
    strbuf_addf(
        &text,
        "%sFailed to find any class that implements Connector and which name matches " PRI_SL
        ", available connectors are: ",
        prefix, ARG_SL(name));
    registry_describe(h->registry, &text);
    const char *near = registry_nearest(h->registry, name);
    if (near) /* behind the list, on its line: what Kafka says stays as it is */
        strbuf_addf(&text, "; did you mean %s?", near);
    LOG_WARN(LOG_CONNECT_HERDER, "there is no connector class " PRI_SL "%s%s%s", ARG_SL(name),
             near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
    enum err err = answer_long(e, full, status, strbuf_slice(&text));
    strbuf_release(&text);
    return err;
}

enum err herder_check_config(struct herder *h, struct slice name, const struct strmap *config,
                             struct strmap *out, json_t **full, struct error *e)
{
    struct slice own = strmap_get_c(config, "name");
    strmap_copy(out, config);
    if (strmap_has(config, SL("name")) && !slice_eq(own, name))
        return herder_answer(e, E_INVALID, 400,
                             "Connector name configuration (" PRI_SL
                             ") doesn't match connector name in the "
                             "URL (" PRI_SL ")",
                             ARG_SL(own), ARG_SL(name));
    if (!own.p)
        strmap_set(out, SL("name"), name);
    struct slice class_name = strmap_get_c(out, "connector.class");
    if (!class_name.p)
        return no_type(out, full, e, 400, "");
    const struct connector_ops *ops = registry_connector(h->registry, slice_trim(class_name));
    if (!ops)
        return no_class(h, class_name, full, e, 400, "");
    struct config_errors v;
    enum err err = validate(h, out, ops, true, &v, e);
    if (!err && config_error_count(&v)) {
        struct strbuf text = STRBUF_INIT;
        config_error_summary(&v, &text);
        err = answer_long(e, full, 400, strbuf_slice(&text));
        strbuf_release(&text);
    }
    config_errors_release(&v);
    return err;
}

enum err herder_validate(struct herder *h, struct slice class_name, const struct strmap *config,
                         json_t **out, struct error *e)
{
    const char *prefix = "org.apache.kafka.connect.runtime.rest.errors.BadRequestException: ";
    struct slice own = strmap_get_c(config, "connector.class"), asked = class_name, given = own;
    *out = NULL;
    if (!own.p)
        return no_type(config, out, e, 500, prefix);
    if (slice_ends(asked, SL("Connector")))
        asked.n -= 9;
    if (slice_ends(given, SL("Connector")))
        given.n -= 9;
    if (!slice_ends(given, asked))
        return herder_answer(e, E_INVALID, 400,
                             "Included connector type " PRI_SL
                             " does not match request type " PRI_SL,
                             ARG_SL(own), ARG_SL(class_name));
    const struct connector_ops *ops = registry_connector(h->registry, slice_trim(own));
    if (!ops)
        return no_class(h, own, out, e, 500,
                        "org.apache.kafka.connect.runtime.rest.errors.BadRequestException: "
                        "org.apache.kafka.connect.errors.ConnectException: ");
    struct config_errors v;
    enum err err = validate(h, config, ops, false, &v, e);
    if (!err)
        *out = config_validation_json(&v);
    config_errors_release(&v);
    return err;
}
