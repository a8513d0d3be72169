/* web/reply.c - answers, errors and parameters in kafka-ui's shapes; see api.h. */
#include "web/api.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdlib.h>

#include "base/base.h"
#include "base/clock.h"
#include "base/json.h"
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

json_t *web_error_body(struct web *w, int code, struct slice message)
{
    char id[32];
    snprintf(id, sizeof id, "weir-%u", atomic_fetch_add(&w->error_count, 1) + 1);
    return json_pack("{s:i, s:o, s:I, s:s, s:n, s:n}", "code", code, "message", web_string(message),
                     "timestamp", (json_int_t)clock_wall_ms(), "requestId", id, "fieldsErrors",
                     "stackTrace");
}

void web_error(struct http_request *r, struct web *w, enum web_code code, const char *fmt, ...)
{
    struct strbuf message = STRBUF_INIT;
    va_list ap;
    va_start(ap, fmt);
    strbuf_addv(&message, fmt, ap);
    va_end(ap);
    json_t *body = web_error_body(w, (int)code, strbuf_slice(&message));
    strbuf_release(&message);
    http_reply_json(r, status_of(code), body);
}

void web_fail(struct http_request *r, struct web *w, const struct error *e, enum web_code missing)
{
    enum web_code code = WEB_INVALID;
    if (e->code == E_NOT_FOUND || e->sys == 404)
        code = missing;
    else if (e->code == E_IO || e->code == E_NOMEM || e->code == E_CORRUPT)
        code = WEB_UNEXPECTED;
    if (code == WEB_NO_TOPIC && http_param(r, "topic").p)
        web_error(r, w, code, "there is no topic '" PRI_SL "'", ARG_SL(http_param(r, "topic")));
    else
        web_error(r, w, code, "%s%s%s", e->msg, e->hint[0] ? "; " : "", e->hint);
}

bool web_names_ok(struct http_request *r, struct web *w)
{
    struct slice cluster = http_param(r, "cluster"), connect = http_param(r, "connect");
    if (cluster.p && !slice_eq_c(cluster, WEB_CLUSTER)) {
        web_error(r, w, WEB_NO_CLUSTER,
                  "there is no cluster '" PRI_SL "'; this one is '" WEB_CLUSTER "'",
                  ARG_SL(cluster));
        return false;
    }
    if (connect.p && (!slice_eq_c(connect, WEB_CONNECT) || !w->herder)) {
        web_error(r, w, WEB_NOT_FOUND,
                  "there is no Connect '" PRI_SL "'; this one is '" WEB_CONNECT "'",
                  ARG_SL(connect));
        return false;
    }
    return true;
}

json_t *web_body(struct http_request *r, struct web *w)
{
    json_t *body = NULL;
    struct error e = {0};
    if (json_load_slice(http_body(r), &body, &e) != E_OK) /* with \\u0000 in texts */
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

int64_t web_query_int(const struct http_request *r, const char *name, int64_t def, int64_t min,
                      int64_t max)
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

bool web_scalar_text(const json_t *v, struct strbuf *out)
{
    switch (json_typeof(v)) {
    case JSON_STRING:
        strbuf_add(out, json_string_value(v), json_string_length(v));
        return true;
    case JSON_TRUE:
    case JSON_FALSE:
        strbuf_adds(out, json_is_true(v) ? "true" : "false");
        return true;
    case JSON_INTEGER:
    case JSON_REAL:
        json_dump_add(out, v);
        return true;
    default:
        return false;
    }
}

/* --- order ----------------------------------------------------------------------------------- */

struct ordered {
    json_t *item, *value;
    size_t at; /* where it stood */
    int sign;
};

static int compare(const void *a, const void *b)
{
    const struct ordered *x = a, *y = b;
    const json_t *p = x->value, *q = y->value;
    int order = json_is_string(p) - json_is_string(q);
    if (json_is_string(p) && json_is_string(q))
        order = strcmp(json_string_value(p), json_string_value(q));
    else if (json_is_integer(p) && json_is_integer(q))
        order = (json_integer_value(p) > json_integer_value(q)) -
                (json_integer_value(p) < json_integer_value(q));
    else
        order = json_is_integer(p) - json_is_integer(q); /* null before numbers */
    if (order == 0)
        return x->at < y->at ? -1 : 1;
    return order * x->sign;
}

static json_t *member(const json_t *item, const char *path) /* "state" or "status.state" */
{
    struct slice rest = slice_cstr(path), name;
    while (slice_split(&rest, '.', &name)) {
        char key[64];
        snprintf(key, sizeof key, PRI_SL, ARG_SL(name));
        item = json_object_get(item, key);
    }
    return json_incref((json_t *)(uintptr_t)item);
}

json_t *web_sort(const struct http_request *r, json_t *all_take, const char *const orders[][2])
{
    size_t n = json_array_size(all_take);
    struct slice order = http_query(r, "orderBy");
    const char *path = orders[0][1];
    for (size_t i = 0; orders[i][0]; i++)
        if (slice_eq_c(order, orders[i][0]))
            path = orders[i][1];
    int sign = slice_eq_c(http_query(r, "sortOrder"), "DESC") ? -1 : 1;
    struct ordered *items = xcalloc(n + 1, sizeof *items);
    json_t *out = json_array();
    for (size_t i = 0; i < n; i++) {
        json_t *item = json_array_get(all_take, i);
        items[i] = (struct ordered){item, member(item, path), i, sign};
    }
    qsort(items, n, sizeof *items, compare);
    for (size_t i = 0; i < n; i++) {
        json_array_append(out, items[i].item);
        json_decref(items[i].value);
    }
    mem_free(items);
    json_decref(all_take);
    return out;
}
