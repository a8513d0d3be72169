/* base/http_request.c - what a handler reads of its request: see http.h. */
#include "base/http_internal.h"

enum http_method http_method(const struct http_request *r)
{
    return r->method;
}

struct slice http_path(const struct http_request *r)
{
    return r->path;
}

struct slice http_raw_query(const struct http_request *r)
{
    return r->raw_query;
}

struct slice http_body(const struct http_request *r)
{
    return r->body;
}

struct slice http_param(const struct http_request *r, const char *name)
{
    for (size_t i = 0; i < r->param_count; i++)
        if (slice_eq_c(r->params[i].name, name))
            return r->params[i].value;
    return SLICE_NULL;
}

struct slice http_query_nth(const struct http_request *r, const char *name, size_t nth)
{
    for (size_t i = 0; i < r->query_count; i++)
        if (slice_eq_c(r->query[i].name, name) && nth-- == 0)
            return r->query[i].value;
    return SLICE_NULL;
}

struct slice http_query(const struct http_request *r, const char *name)
{
    return http_query_nth(r, name, 0);
}

struct slice http_header(const struct http_request *r, const char *name)
{
    for (size_t i = 0; i < r->header_count; i++)
        if (slice_ieq(r->headers[i].name, slice_cstr(name)))
            return r->headers[i].value;
    return SLICE_NULL;
}

enum err http_body_json(const struct http_request *r, json_t **out, struct error *e)
{
    json_error_t je;
    *out = json_loadb(r->body.p, r->body.n, JSON_DECODE_ANY, &je);
    if (*out)
        return E_OK;
    return error_set(e, E_INVALID, "%s (line: %d, column: %d)", je.text, je.line, je.column);
}
