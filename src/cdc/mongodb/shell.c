/* cdc/mongodb/shell.c - see cdc/mongo_shell.h. One client of the driver, without monitoring
 * threads. */
#include "cdc/mongo_shell.h"

#include <stdlib.h>

#include "base/mem.h"
#include "cdc/mongodb/driver.h"

#define ERROR_API 2 /* the server's own codes */

struct mongo_shell {
    mongoc_client_t *client;
    mongoc_client_session_t *session; /* NULL: no transaction is open */
};

enum err mongo_shell_ready(struct error *e)
{
    return mongo_driver_load(e);
}

enum err mongo_shell_open(struct mongo_shell **out, const char *uri, struct error *e)
{
    bson_error_t be = {0};
    enum err rc = mongo_driver_load(e);
    if (rc)
        return rc;
    mongoc_uri_t *parsed = libmongoc.uri_new_with_error(uri, &be);
    mongoc_client_t *client = parsed ? libmongoc.client_new_from_uri_with_error(parsed, &be) : NULL;
    if (parsed)
        libmongoc.uri_destroy(parsed);
    if (!client)
        return error_set(e, E_INVALID, "connection string: %s", be.message);
    libmongoc.client_set_error_api(client, ERROR_API);
    struct mongo_shell *s = xcalloc(1, sizeof *s);
    s->client = client;
    *out = s;
    return E_OK;
}

void mongo_shell_close(struct mongo_shell *s)
{
    if (!s)
        return;
    mongo_shell_abort(s);
    libmongoc.client_destroy(s->client);
    mem_free(s);
}

static json_t *to_json(const bson_t *b)
{
    char *text = libbson.as_relaxed_extended_json(b, NULL);
    json_t *v = text ? json_loads(text, 0, NULL) : NULL;
    libbson.free(text);
    return v;
}

static bool labelled(const json_t *reply, const char *label)
{
    size_t i;
    const json_t *v;
    json_array_foreach(json_object_get(reply, "errorLabels"), i, v)
    {
        const char *text = json_string_value(v);
        if (text && strcmp(text, label) == 0)
            return true;
    }
    return false;
}

static enum err refused(const bson_error_t *be, const json_t *reply, struct error *e)
{
    bool network = be->domain == MONGOC_ERROR_STREAM || be->domain == MONGOC_ERROR_SERVER_SELECTION;
    enum err rc = labelled(reply, "TransientTransactionError") ? E_AGAIN
                  : network                                    ? E_IO
                                                               : E_REMOTE;
    error_set(e, rc, "MongoDB: %s", be->message);
    if (e)
        e->sys = (int)be->code;
    return rc;
}

/* A write that was refused is told in an answer that says ok. */
static enum err check_writes(const json_t *reply, struct error *e)
{
    const json_t *first = json_array_get(json_object_get(reply, "writeErrors"), 0);
    if (!first)
        return E_OK;
    const char *why = json_string_value(json_object_get(first, "errmsg"));
    error_set(e, E_REMOTE, "MongoDB: %s", why ? why : "a write was refused");
    if (e)
        e->sys = (int)json_integer_value(json_object_get(first, "code"));
    return E_REMOTE;
}

static enum err run(struct mongo_shell *s, const char *db, const bson_t *command, json_t **reply,
                    struct error *e)
{
    bson_error_t be = {0};
    bson_t opts, answer;
    libbson.init(&opts);
    bool ok = !s->session || libmongoc.client_session_append(s->session, &opts, &be);
    if (ok)
        ok = libmongoc.client_command_with_opts(s->client, db, command, NULL, &opts, &answer, &be);
    else
        libbson.init(&answer);
    *reply = to_json(&answer);
    libbson.destroy(&answer);
    libbson.destroy(&opts);
    return ok ? check_writes(*reply, e) : refused(&be, *reply, e);
}

enum err mongo_shell_run(struct mongo_shell *s, const char *db, json_t *command, json_t **reply,
                         struct error *e)
{
    bson_error_t be = {0};
    json_t *answer = NULL;
    char *text = command ? json_dumps(command, JSON_COMPACT) : NULL;
    bson_t *b = text ? libbson.new_from_json((const uint8_t *)text, -1, &be) : NULL;
    json_decref(command);
    free(text);
    if (!b)
        return error_set(e, E_INVALID, "a command that is no Extended JSON: %s", be.message);
    enum err rc = run(s, db, b, &answer, e);
    libbson.destroy(b);
    if (!rc && reply)
        *reply = json_incref(answer);
    json_decref(answer);
    return rc;
}

/* --- transactions ----------------------------------------------------------------------------- */

static void end_session(struct mongo_shell *s)
{
    libmongoc.client_session_destroy(s->session);
    s->session = NULL;
}

enum err mongo_shell_begin(struct mongo_shell *s, struct error *e)
{
    bson_error_t be = {0};
    mongo_shell_abort(s);
    s->session = libmongoc.client_start_session(s->client, NULL, &be);
    if (!s->session)
        return refused(&be, NULL, e);
    if (libmongoc.client_session_start_transaction(s->session, NULL, &be))
        return E_OK;
    end_session(s);
    return refused(&be, NULL, e);
}

enum err mongo_shell_commit(struct mongo_shell *s, struct error *e)
{
    bson_error_t be = {0};
    bson_t answer;
    enum err rc = E_OK;
    if (!libmongoc.client_session_commit_transaction(s->session, &answer, &be)) {
        json_t *reply = to_json(&answer);
        rc = refused(&be, reply, e);
        json_decref(reply);
    }
    libbson.destroy(&answer);
    end_session(s);
    return rc;
}

void mongo_shell_abort(struct mongo_shell *s)
{
    if (s->session)
        end_session(s); /* the driver tells the server */
}
