/* connect/rest/body.c - request bodies with the texts of numbers kept, and Jackson's words for what
 * is wrong with them. SPEC: connect 1.1, 1.4. */
#include "base/json.h"
#include "base/mem.h"
#include "connect/jackson.h"
#include "connect/rest/rest.h"

#define CREATE_REQUEST "org.apache.kafka.connect.runtime.rest.entities.CreateConnectorRequest"

static enum err refuse(const struct json_reader *r, struct error *e, const char *text,
                       const char *help)
{
    char where[120];
    jackson_where(r, "request body", where, sizeof where);
    (void)error_set(e, E_INVALID, "%s%s%s%s", text, where, *help ? "\n" : "", help);
    if (e)
        e->sys = 500;
    return E_INVALID;
}

static enum err broken(const struct json_reader *r, struct error *e)
{
    char text[300];
    jackson_complaint(r, text, sizeof text);
    return refuse(r, e, text, "");
}

static enum err no_body(struct error *e)
{
    (void)error_set(e, E_INVALID, "The request has no body: a JSON object is expected");
    if (e)
        e->sys = 400;
    return E_INVALID;
}

/* "from Array value (token `JsonToken.START_ARRAY`)" and its like. */
static const char *from_token(enum json_token t)
{
    switch (t) {
    case JT_OBJECT:
        return "Object value (token `JsonToken.START_OBJECT`)";
    case JT_ARRAY:
        return "Array value (token `JsonToken.START_ARRAY`)";
    case JT_NUMBER:
        return "Integer value (token `JsonToken.VALUE_NUMBER_INT`)";
    case JT_TRUE:
    case JT_FALSE:
        return "Boolean value (token `JsonToken.VALUE_TRUE`)";
    default:
        return "Null value (token `JsonToken.VALUE_NULL`)";
    }
}

/* The body is not an object. */
static enum err wrong_root(struct json_reader *r, enum json_token t, const char *type,
                           struct error *e)
{
    char text[500];
    struct arena a;
    arena_init(&a, 512, 1 << 16);
    if (t == JT_STRING) {
        struct slice s = jr_string(r, &a);
        char plain[200];
        snprintf(plain, sizeof plain, "%s", type);
        char *generic = strchr(plain, '<');
        if (generic)
            *generic = '\0';
        snprintf(text, sizeof text,
                 "Cannot construct instance of `%s` (although at least one Creator exists): no "
                 "String-argument constructor/factory method to deserialize from String value "
                 "('%.*s')",
                 plain, (int)MIN(s.n, (size_t)100), s.p ? s.p : "");
    } else {
        snprintf(text, sizeof text, "Cannot deserialize value of type `%s` from %s", type,
                 from_token(t));
    }
    arena_release(&a);
    return refuse(r, e, text, "");
}

/* A value as text. *null: JSON null. */
static enum err scalar_text(struct json_reader *r, struct arena *a, struct slice *out,
                            const char *help, struct error *e)
{
    char text[200];
    enum json_token t = jr_next(r);
    switch (t) {
    case JT_STRING:
        *out = jr_string(r, a);
        return out->p ? E_OK : broken(r, e);
    case JT_NUMBER:
        *out = r->text;
        return E_OK;
    case JT_TRUE:
    case JT_FALSE:
        *out = t == JT_TRUE ? SL("true") : SL("false");
        return E_OK;
    case JT_NULL:
        *out = SLICE_NULL;
        return E_OK;
    case JT_OBJECT:
    case JT_ARRAY:
        snprintf(text, sizeof text, "Cannot deserialize value of type `java.lang.String` from %s",
                 from_token(t));
        return refuse(r, e, text, help);
    default:
        return broken(r, e);
    }
}

/* After the opening brace. */
static enum err read_map(struct json_reader *r, struct strmap *out, const char *help,
                         struct error *e)
{
    struct arena a;
    enum err err = E_OK;
    arena_init(&a, 4096, ARENA_NO_BUDGET);
    while (!err && jr_next(r) == JT_KEY) {
        struct slice key = jr_string(r, &a), value;
        err = key.p ? scalar_text(r, &a, &value, help, e) : broken(r, e);
        if (!err)
            strmap_set(out, key, value);
    }
    if (!err && r->token != JT_OBJECT_END)
        err = broken(r, e);
    arena_release(&a);
    return err;
}

static enum err check_end(struct json_reader *r, struct error *e)
{
    return jr_next(r) == JT_END ? E_OK : broken(r, e);
}

enum err rest_config_body(struct slice body, struct strmap *out, struct error *e)
{
    struct json_reader r;
    strmap_init(out);
    if (!slice_trim(body).n)
        return no_body(e);
    jr_init(&r, body, 0);
    enum json_token t = jr_next(&r);
    if (t == JT_ERROR || t == JT_END)
        return broken(&r, e);
    if (t != JT_OBJECT)
        return wrong_root(&r, t, "java.util.LinkedHashMap<java.lang.String,java.lang.String>", e);
    enum err err =
        read_map(&r, out,
                 "This address takes the bare configuration map; {\"name\", \"config\"} belongs to "
                 "POST /connectors",
                 e);
    return err ? err : check_end(&r, e);
}

/* --- POST /connectors ------------------------------------------------------------------------- */

static enum err read_state(struct json_reader *r, struct create_request *out, struct error *e)
{
    static const char *const states[] = {"RUNNING", "PAUSED", "STOPPED"};
    struct slice text;
    char upper[60], message[400];
    enum err err = scalar_text(r, &out->arena, &text, "", e);
    if (err || !text.p)
        return err;
    for (size_t i = 0; i < ARRAY_LEN(states); i++) {
        if (slice_ieq(text, slice_cstr(states[i]))) {
            out->initial_state = states[i];
            return E_OK;
        }
    }
    size_t n = MIN(text.n, sizeof upper - 1);
    for (size_t i = 0; i < n; i++)
        upper[i] = text.p[i] >= 'a' && text.p[i] <= 'z' ? (char)(text.p[i] - 32) : text.p[i];
    upper[n] = '\0';
    snprintf(message, sizeof message,
             "Cannot construct instance of `" CREATE_REQUEST "$InitialState`, problem: No enum "
             "constant " CREATE_REQUEST ".InitialState.%s",
             upper);
    return refuse(r, e, message, "");
}

static enum err read_config(struct json_reader *r, struct create_request *out, struct error *e)
{
    enum json_token t = jr_next(r);
    if (t == JT_NULL)
        return E_OK;
    if (t == JT_ERROR)
        return broken(r, e);
    if (t != JT_OBJECT)
        return wrong_root(r, t, "java.util.LinkedHashMap<java.lang.String,java.lang.String>", e);
    out->has_config = true;
    return read_map(r, &out->config, "", e);
}

static enum err unknown_member(struct json_reader *r, struct create_request *out, struct error *e)
{
    char text[500];
    struct slice name = jr_string(r, &out->arena);
    (void)jr_next(r);
    snprintf(text, sizeof text,
             "Unrecognized field \"%.*s\" (class " CREATE_REQUEST
             "), not marked as ignorable (3 known "
             "properties: \"config\", \"name\", \"initial_state\")",
             (int)MIN(name.n, (size_t)100), name.p ? name.p : "");
    return refuse(r, e, text,
                  "This address takes {\"name\": ..., \"config\": {...}}; a bare configuration map "
                  "belongs to "
                  "PUT /connectors/NAME/config");
}

enum err rest_create_body(struct slice body, struct create_request *out, struct error *e)
{
    struct json_reader r;
    enum err err = E_OK;
    memset(out, 0, sizeof *out);
    strmap_init(&out->config);
    arena_init(&out->arena, 1024, ARENA_NO_BUDGET);
    if (!slice_trim(body).n)
        return no_body(e);
    jr_init(&r, body, 0);
    enum json_token t = jr_next(&r);
    if (t == JT_ERROR || t == JT_END)
        return broken(&r, e);
    if (t != JT_OBJECT)
        return wrong_root(&r, t, CREATE_REQUEST, e);
    while (!err && jr_next(&r) == JT_KEY) {
        if (jr_is(&r, "name"))
            err = scalar_text(&r, &out->arena, &out->name, "", e);
        else if (jr_is(&r, "config"))
            err = read_config(&r, out, e);
        else if (jr_is(&r, "initial_state"))
            err = read_state(&r, out, e);
        else
            err = unknown_member(&r, out, e);
    }
    if (!err && r.token != JT_OBJECT_END)
        err = broken(&r, e);
    return err ? err : check_end(&r, e);
}

void create_request_release(struct create_request *r)
{
    strmap_release(&r->config);
    arena_release(&r->arena);
}
