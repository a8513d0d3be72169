/* web/mask.c - see mask.h. */
#include "web/mask.h"

#include "base/base.h"
#include "base/json.h"

static bool contains_icase(struct slice text, const char *what)
{
    struct slice w = slice_cstr(what);
    for (size_t i = 0; i + w.n <= text.n; i++)
        if (slice_ieq(slice_sub(text, i, i + w.n), w))
            return true;
    return false;
}

bool mask_name_is_secret(struct slice name)
{
    static const char *const suffixes[] = {
        "password",   "secret",      "token",   "passphrase",           "secret.key",
        "access.key", "private.key", "api.key", "basic.auth.user.info", "connection.uri"};
    static const char *const parts[] = {"credentials", "aws.access", "aws.secret", "aws.session",
                                        "jaas.config"};
    for (size_t i = 0; i < ARRAY_LEN(suffixes); i++) {
        struct slice s = slice_cstr(suffixes[i]);
        if (name.n >= s.n && slice_ieq(slice_sub(name, name.n - s.n, name.n), s))
            return true;
    }
    for (size_t i = 0; i < ARRAY_LEN(parts); i++)
        if (contains_icase(name, parts[i]))
            return true;
    return false;
}

bool mask_declared_secret(const json_t *definitions, const char *name)
{
    size_t i;
    json_t *d;
    json_array_foreach(definitions, i, d)
    {
        const char *key = json_string_value(json_object_get(d, "name"));
        const char *type = json_string_value(json_object_get(d, "type"));
        if (key && type && strcmp(key, name) == 0)
            return strcmp(type, "PASSWORD") == 0;
    }
    return false;
}

/* --- passwords within a URL ------------------------------------------------------------------ */

/* The password in scheme://user:password@host..., as a range of text. */
static bool find_userinfo(struct slice text, size_t *from, size_t *to)
{
    ptrdiff_t scheme = slice_find(text, SL("://"));
    if (scheme < 0)
        return false;
    size_t start = (size_t)scheme + 3, end = start;
    while (end < text.n && !memchr("/?# \t\n\"'", text.p[end], 9))
        end++;
    struct slice authority = slice_sub(text, start, end);
    ptrdiff_t at = slice_rfind_char(authority, '@');
    ptrdiff_t colon = at < 0 ? -1 : slice_find_char(slice_sub(authority, 0, (size_t)at), ':');
    if (colon < 0)
        return false;
    *from = start + (size_t)colon + 1;
    *to = start + (size_t)at;
    return true;
}

/* The value of password=... among a URL's parameters. */
static bool find_parameter(struct slice text, size_t *from, size_t *to)
{
    static const struct slice name = SL_INIT("password=");
    for (size_t i = 1; i + name.n <= text.n; i++) {
        if (!memchr("?&;", text.p[i - 1], 3) || !slice_ieq(slice_sub(text, i, i + name.n), name))
            continue;
        *from = *to = i + name.n;
        while (*to < text.n && !memchr("&;#", text.p[*to], 3))
            ++*to;
        return true;
    }
    return false;
}

/* Ranges of passwords in text, rising; returns how many. */
static size_t find_secrets(struct slice text, size_t ranges[4])
{
    size_t n = 0;
    if (find_userinfo(text, &ranges[0], &ranges[1]))
        n += 2;
    if (slice_find(text, SL(":")) >= 0 && find_parameter(text, &ranges[n], &ranges[n + 1]))
        n += 2;
    return n;
}

static bool is_reference(struct slice value)
{
    return slice_starts(value, SL("${"));
}

void mask_value(struct strbuf *out, struct slice value, bool secret)
{
    size_t ranges[4], at = 0;
    if (secret && !is_reference(value)) {
        if (value.n)
            strbuf_adds(out, MASK);
        return;
    }
    size_t n = find_secrets(value, ranges);
    for (size_t i = 0; i < n; i += 2) {
        struct slice password = slice_sub(value, ranges[i], ranges[i + 1]);
        strbuf_add_slice(out, slice_sub(value, at, ranges[i]));
        if (is_reference(password) || password.n == 0)
            strbuf_add_slice(out, password);
        else
            strbuf_adds(out, MASK);
        at = ranges[i + 1];
    }
    strbuf_add_slice(out, slice_sub(value, at, value.n));
}

json_t *mask_config(const json_t *config, const json_t *definitions)
{
    json_t *out = json_deep_copy(config), *v;
    const char *name;
    struct strbuf shown = STRBUF_INIT;
    if (!json_is_object(out)) {
        json_decref(out);
        return json_object();
    }
    json_object_foreach(out, name, v)
    {
        bool secret =
            mask_name_is_secret(slice_cstr(name)) || mask_declared_secret(definitions, name);
        if (!json_is_string(v))
            continue;
        strbuf_reset(&shown);
        mask_value(&shown, slice_of(json_string_value(v), json_string_length(v)), secret);
        json_string_setn(v, shown.p, shown.n);
    }
    strbuf_release(&shown);
    return out;
}

bool mask_worker_record(struct strbuf *out, struct slice record)
{
    json_t *o = NULL, *properties;
    if (!record.p || json_load_slice(record, &o, NULL) != E_OK)
        return false;
    properties = json_object_get(o, "properties");
    bool found = json_is_object(properties);
    if (found) {
        json_object_set_new(o, "properties", mask_config(properties, NULL));
        json_dump_add(out, o);
    }
    json_decref(o);
    return found;
}

enum err mask_restore(struct strbuf *out, struct slice value, struct slice stored, bool secret)
{
    size_t ranges[4], old[4], at = 0;
    if (slice_eq(value, SL(MASK))) {
        if (!stored.p && secret)
            return E_INVALID;
        strbuf_add_slice(out, stored.p ? stored : value);
        return E_OK;
    }
    size_t n = secret ? 0 : find_secrets(value, ranges), m = find_secrets(stored, old);
    for (size_t i = 0; i < n; i += 2) {
        if (!slice_eq(slice_sub(value, ranges[i], ranges[i + 1]), SL(MASK)))
            continue;
        if (i >= m)
            return E_INVALID;
        strbuf_add_slice(out, slice_sub(value, at, ranges[i]));
        strbuf_add_slice(out, slice_sub(stored, old[i], old[i + 1]));
        at = ranges[i + 1];
    }
    strbuf_add_slice(out, slice_sub(value, at, value.n));
    return E_OK;
}
