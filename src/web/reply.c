/* web/reply.c - answers, errors and parameters in kafka-ui's shapes; see api.h. */
#include "web/api.h"

#include <ctype.h>
#include <stdarg.h>

#include "base/base.h"
#include "base/clock.h"
#include "base/mem.h"

static int status_of(enum web_code code)
{
    switch (code) {
    case WEB_NOT_FOUND:
    case WEB_NO_CLUSTER:
    case WEB_NO_TOPIC:
        return 404;
    case WEB_UNEXPECTED:
        return 500;
    default:
        return 400;
    }
}

void web_error(struct http_request *r, struct web *w, enum web_code code, const char *fmt, ...)
{
    struct strbuf message = STRBUF_INIT;
    char id[32];
    va_list ap;
    va_start(ap, fmt);
    strbuf_addv(&message, fmt, ap);
    va_end(ap);
    snprintf(id, sizeof id, "weir-%u", atomic_fetch_add(&w->error_count, 1) + 1);
    json_t *text = web_string(strbuf_slice(&message));
    json_t *body = json_pack("{s:i, s:o, s:I, s:s, s:n, s:n}", "code", (int)code, "message", text, "timestamp",
                             (json_int_t)clock_wall_ms(), "requestId", id, "fieldsErrors", "stackTrace");
    strbuf_release(&message);
    http_reply_header(r, "Cache-Control", "no-store");
    http_reply_json(r, status_of(code), body);
}

void web_fail(struct http_request *r, struct web *w, const struct error *e, enum web_code missing)
{
    enum web_code code = WEB_INVALID;
    if (e->code == E_NOT_FOUND || e->sys == 404)
        code = missing;
    else if (e->code == E_IO || e->code == E_NOMEM || e->code == E_CORRUPT)
        code = WEB_UNEXPECTED;
    web_error(r, w, code, "%s%s%s", e->msg, e->hint[0] ? "; " : "", e->hint);
}

bool web_names_ok(struct http_request *r, struct web *w)
{
    struct slice cluster = http_param(r, "cluster"), connect = http_param(r, "connect");
    if (cluster.p && !slice_eq_c(cluster, WEB_CLUSTER)) {
        web_error(r, w, WEB_NO_CLUSTER, "there is no cluster '" PRI_SL "'; this one is '" WEB_CLUSTER "'", ARG_SL(cluster));
        return false;
    }
    if (connect.p && (!slice_eq_c(connect, WEB_CONNECT) || !w->herder)) {
        web_error(r, w, WEB_NOT_FOUND, "there is no Connect '" PRI_SL "'; this one is '" WEB_CONNECT "'", ARG_SL(connect));
        return false;
    }
    return true;
}

json_t *web_body(struct http_request *r, struct web *w)
{
    json_t *body = NULL;
    struct error e = {0};
    if (http_body_json(r, &body, &e) != E_OK)
        web_error(r, w, WEB_BAD_BODY, "%s", e.msg);
    else if (!json_is_object(body))
        web_error(r, w, WEB_BAD_BODY, "the body must be a JSON object");
    else
        return body;
    json_decref(body);
    return NULL;
}

json_t *web_string(struct slice s)
{
    if (!s.p)
        return json_null();
    json_t *text = json_stringn(s.p, s.n);
    if (text)
        return text;
    char *copy = slice_dup(s); /* not UTF-8: what is not ASCII shows as '?' */
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)copy[i] >= 0x80 || copy[i] == 0)
            copy[i] = '?';
    text = json_stringn(copy, s.n);
    mem_free(copy);
    return text;
}

int64_t web_query_int(const struct http_request *r, const char *name, int64_t def, int64_t min, int64_t max)
{
    int64_t v;
    struct slice text = http_query(r, name);
    return text.p && slice_to_i64(text, &v) == E_OK && v >= min && v <= max ? v : def;
}

bool web_query_true(const struct http_request *r, const char *name)
{
    return slice_ieq(http_query(r, name), SL("true"));
}

bool web_query_item(const struct http_request *r, const char *name, size_t i, struct slice *out)
{
    struct slice text;
    for (size_t k = 0; (text = http_query_nth(r, name, k)).p; k++)
        while (slice_split(&text, ',', out))
            if (out->n && i-- == 0)
                return true;
    return false;
}

bool web_contains_icase(struct slice text, struct slice what)
{
    for (size_t i = 0; i + what.n <= text.n; i++)
        if (slice_ieq(slice_sub(text, i, i + what.n), what))
            return true;
    return what.n == 0;
}

json_t *web_page(const struct http_request *r, json_t *all, size_t *pages)
{
    size_t per = (size_t)web_query_int(r, "perPage", 25, 1, 100000), count = json_array_size(all);
    size_t page = (size_t)web_query_int(r, "page", 1, 1, INT32_MAX);
    json_t *out = json_array();
    *pages = (count + per - 1) / per;
    for (size_t i = (page - 1) * per; i < count && i < page * per; i++)
        json_array_append(out, json_array_get(all, i));
    return out;
}
