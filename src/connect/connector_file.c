/* connect/connector_file.c - connectors out of files, as connect-standalone takes them: properties,
 * or JSON (the body of POST /connectors, or a bare configuration). SPEC: connect 1.4 */
#include "connect/connect.h"

#include "base/fs.h"
#include "base/json.h"
#include "base/mem.h"
#include "connect/herder.h"
#include "connect/rest/rest.h"

struct described {
    struct slice name; /* null: not in the file */
    struct strmap config;
    const char *initial_state; /* NULL: RUNNING */
};

/* A bare map where every member is a text; else what POST takes. The second one's error counts. */
static enum err read_json(struct slice text, struct create_request *request, struct described *out,
                          struct error *e)
{
    struct error ignored = {0};
    enum err err = rest_config_body(text, &out->config, &ignored);
    if (!err && !strmap_has(&out->config, SL("config")))
        return E_OK;
    err = rest_create_body(text, request, e);
    if (!err && !request->has_config)
        err = error_set(e, E_INVALID, "there is no \"config\" in it");
    if (err)
        return err;
    strmap_release(&out->config);
    strmap_copy(&out->config, &request->config);
    out->name = request->name;
    out->initial_state = request->initial_state;
    return E_OK;
}

static enum err submit(struct connect *c, const struct described *d, struct slice name,
                       struct error *e)
{
    struct herder *h = connect_herder(c);
    json_t *answer = NULL;
    bool created;
    enum err err = E_EXISTS;
    if (d->initial_state) /* counts for a new connector only */
        err = herder_create(h, name, &d->config, d->initial_state, &answer, e);
    if (err == E_EXISTS) {
        json_decref(answer);
        err = herder_put_config(h, name, &d->config, &answer, &created, e);
    }
    json_decref(answer);
    return err;
}

enum err connect_add_file(struct connect *c, const char *path, json_t *names, struct error *e)
{
    struct strbuf text = STRBUF_INIT;
    struct create_request request = {.config = STRMAP_INIT};
    struct described d = {.config = STRMAP_INIT};
    enum err err = fs_read_all(path, 1 << 20, &text, e);
    if (err) {
        strbuf_release(&text);
        return err;
    }
    arena_init(&request.arena, 0, ARENA_NO_BUDGET);
    if (slice_starts(slice_trim(strbuf_slice(&text)), SL("{")))
        err = read_json(strbuf_slice(&text), &request, &d, e);
    else
        err = strmap_parse_properties(&d.config, strbuf_slice(&text), e);
    struct slice name = slice_trim(d.name.p ? d.name : strmap_get_c(&d.config, "name"));
    if (!err && !name.n) {
        err = error_set(e, E_INVALID, "the connector has no name");
        error_hint(e, "add a line name=NAME");
    }
    if (!err)
        err = submit(c, &d, name, e);
    if (!err && names)
        (void)json_array_append_new(names, json_slice(name));
    if (err)
        (void)error_wrap(e, "%s", path);
    mem_wipe(text.p, text.n);
    strbuf_release(&text);
    strmap_release(&d.config);
    create_request_release(&request);
    return err;
}
