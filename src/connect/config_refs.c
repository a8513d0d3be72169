/* connect/config_refs.c - see the header. */
#include "connect/config_refs.h"

#include <stdlib.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/opt.h"
#include "base/regex.h"

enum { FILE_MAX = 1 << 20 };
enum provider { NO_PROVIDER, FILE_PROVIDER, ENV_PROVIDER, DIR_PROVIDER };

/* The user's name for a provider; file, env and dir exist without being configured. */
static enum provider provider_of(const struct strmap *worker, struct slice name)
{
    static const struct {
        const char *name, *class_name;
    } rows[] = {
        [FILE_PROVIDER] = {"file", "org.apache.kafka.common.config.provider.FileConfigProvider"},
        [ENV_PROVIDER] = {"env", "org.apache.kafka.common.config.provider.EnvVarConfigProvider"},
        [DIR_PROVIDER] = {"dir", "org.apache.kafka.common.config.provider.DirectoryConfigProvider"},
    };
    char key[200];
    snprintf(key, sizeof key, "config.providers." PRI_SL ".class", ARG_SL(name));
    struct slice given = slice_trim(strmap_get_c(worker, key));
    for (size_t i = FILE_PROVIDER; i < ARRAY_LEN(rows); i++)
        if (given.p ? slice_eq_c(given, rows[i].class_name) : slice_eq_c(name, rows[i].name))
            return (enum provider)i;
    return NO_PROVIDER;
}

static struct slice provider_param(const struct strmap *worker, struct slice provider,
                                   const char *param)
{
    char key[300];
    snprintf(key, sizeof key, "config.providers." PRI_SL ".param.%s", ARG_SL(provider), param);
    return slice_trim(strmap_get_c(worker, key));
}

/* Whether a real path is this directory (or file), or below it. */
static bool is_inside(const char *real, struct slice directory)
{
    char *name = slice_dup(directory), *real_dir = realpath(name, NULL);
    size_t n = real_dir ? strlen(real_dir) : 0;
    bool inside = n && strncmp(real, real_dir, n) == 0 &&
                  (real[n] == '/' || real[n] == '\0' || real_dir[n - 1] == '/');
    free(real_dir);
    mem_free(name);
    return inside;
}

/* A file (not a pipe or a device, which could hang or never end) that param.allowed.paths allows: a
 * list of directories and files; nothing given allows all. Links are followed first. */
static bool path_allowed(const struct strmap *worker, struct slice provider, const char *path)
{
    struct slice list = provider_param(worker, provider, "allowed.paths"), part;
    struct stat st;
    char *real = realpath(path, NULL);
    bool ok = real && stat(real, &st) == 0 && S_ISREG(st.st_mode);
    bool inside = !list.n;
    while (ok && !inside && opt_list_next(&list, &part))
        inside = part.n && is_inside(real, part);
    free(real);
    return ok && inside;
}

/* param.allowlist.pattern: a regular expression for the whole name; nothing given allows all. */
static bool variable_allowed(const struct strmap *worker, struct slice provider, struct slice name)
{
    struct slice pattern = provider_param(worker, provider, "allowlist.pattern");
    struct regex *re = NULL;
    if (!pattern.n)
        return true;
    bool ok = regex_compile(&re, pattern, 0, NULL) == E_OK && regex_matches(re, name);
    regex_free(re);
    return ok;
}

struct resolver {
    const struct strmap *worker;
    struct strbuf out;
    struct error *e;
};

static enum err from_file(struct resolver *r, struct slice provider, struct slice path,
                          struct slice key, bool *found)
{
    struct strbuf text = STRBUF_INIT;
    struct strmap properties = STRMAP_INIT;
    char *name = slice_dup(path);
    enum err err =
        path_allowed(r->worker, provider, name) ? fs_read_all(name, FILE_MAX, &text, NULL) : E_AUTH;
    if (!err)
        err = strmap_parse_properties(&properties, strbuf_slice(&text), NULL);
    if (err) {
        err = error_set(r->e, E_INVALID, "Could not read properties from file %s", name);
    } else if (strmap_has(&properties, key)) {
        strbuf_add_slice(&r->out, strmap_get(&properties, key));
        *found = true;
    }
    mem_wipe(text.p, text.n);
    strbuf_release(&text);
    strmap_release(&properties);
    mem_free(name);
    return err;
}

static enum err from_dir(struct resolver *r, struct slice provider, struct slice path,
                         struct slice key, bool *found)
{
    struct strbuf text = STRBUF_INIT;
    if (!key.n || slice_find_char(key, '/') >= 0)
        return E_OK;
    char *name = xasprintf(PRI_SL "/" PRI_SL, ARG_SL(path), ARG_SL(key));
    if (path_allowed(r->worker, provider, name) &&
        fs_read_all(name, FILE_MAX, &text, NULL) == E_OK) {
        strbuf_add_slice(&r->out, strbuf_slice(&text));
        *found = true;
    }
    mem_wipe(text.p, text.n);
    strbuf_release(&text);
    mem_free(name);
    return E_OK;
}

static enum err from_env(struct resolver *r, struct slice provider, struct slice path,
                         struct slice key, bool *found)
{
    if (path.p)
        return error_set(r->e, E_INVALID,
                         "Path is not supported for EnvVarConfigProvider, invalid value '" PRI_SL
                         "'",
                         ARG_SL(path));
    char *name = slice_dup(key);
    const char *value = variable_allowed(r->worker, provider, key) ? getenv(name) : NULL;
    mem_free(name);
    *found = value != NULL;
    if (value)
        strbuf_adds(&r->out, value);
    return E_OK;
}

/* inner: what stands between ${ and }; false in *found: leave it as it is. */
static enum err one_reference(struct resolver *r, struct slice inner, bool *found)
{
    *found = false;
    ptrdiff_t first = slice_find_char(inner, ':'), last = slice_rfind_char(inner, ':');
    if (first < 0)
        return E_OK;
    struct slice provider = slice_sub(inner, 0, (size_t)first);
    struct slice path =
        last > first ? slice_sub(inner, (size_t)first + 1, (size_t)last) : SLICE_NULL;
    struct slice key = slice_sub(inner, (size_t)last + 1, inner.n);
    switch (provider_of(r->worker, provider)) {
    case FILE_PROVIDER:
        return path.p ? from_file(r, provider, path, key, found) : E_OK;
    case DIR_PROVIDER:
        return path.p ? from_dir(r, provider, path, key, found) : E_OK;
    case ENV_PROVIDER:
        return from_env(r, provider, path, key, found);
    case NO_PROVIDER:
        break;
    }
    return E_OK;
}

static enum err resolve_text(struct resolver *r, struct slice text)
{
    strbuf_reset(&r->out);
    for (;;) {
        ptrdiff_t open = slice_find(text, SL("${"));
        struct slice tail = open < 0 ? SLICE_NULL : slice_sub(text, (size_t)open + 2, text.n);
        ptrdiff_t close = open < 0 ? -1 : slice_find_char(tail, '}');
        if (close < 0)
            break;
        bool found;
        strbuf_add_slice(&r->out, slice_sub(text, 0, (size_t)open));
        enum err err = one_reference(r, slice_sub(tail, 0, (size_t)close), &found);
        if (err)
            return err;
        if (!found)
            strbuf_add_slice(&r->out,
                             slice_sub(text, (size_t)open, (size_t)open + 2 + (size_t)close + 1));
        text = slice_sub(tail, (size_t)close + 1, tail.n);
    }
    strbuf_add_slice(&r->out, text);
    return strbuf_err(&r->out);
}

enum err config_refs_resolve(const struct strmap *in, const struct strmap *worker,
                             struct strmap *out, struct error *e)
{
    struct resolver r = {.worker = worker, .e = e};
    enum err err = E_OK;
    strbuf_init(&r.out, 0);
    strmap_init(out);
    for (size_t i = 0; i < in->count && !err; i++) {
        struct slice text = in->entries[i].value;
        if (!text.p || slice_find(text, SL("${")) < 0) {
            strmap_set(out, in->entries[i].key, text);
            continue;
        }
        err = resolve_text(&r, text);
        if (!err)
            strmap_set(out, in->entries[i].key, strbuf_slice(&r.out));
    }
    mem_wipe(r.out.p, r.out.n);
    strbuf_release(&r.out);
    return err;
}

/* --- hiding ----------------------------------------------------------------------------------- */

enum { HIDE_MIN = 3 }; /* shorter values are no secrets, and would spoil other words */

bool config_refs_used(const struct strmap *raw, const struct strmap *resolved, struct slice key)
{
    struct slice text = strmap_get(raw, key);
    return text.p && slice_find(text, SL("${")) >= 0 && !slice_eq(text, strmap_get(resolved, key));
}

static void hide_value(struct strbuf *text, struct slice value, struct slice reference)
{
    ptrdiff_t at;
    value = slice_trim(value);
    if (value.n < HIDE_MIN || slice_eq(value, reference) ||
        slice_find(strbuf_slice(text), value) < 0)
        return;
    struct strbuf out = STRBUF_INIT;
    struct slice rest = strbuf_slice(text);
    while ((at = slice_find(rest, value)) >= 0) {
        strbuf_add_slice(&out, slice_sub(rest, 0, (size_t)at));
        strbuf_add_slice(&out, reference);
        rest = slice_sub(rest, (size_t)at + value.n, rest.n);
    }
    strbuf_add_slice(&out, rest);
    mem_wipe(text->p, text->n);
    strbuf_release(text);
    *text = out;
}

/* Takes what stands before the next reference, and the reference; false: there is none left. */
static bool next_reference(struct slice *raw, struct slice *before, struct slice *reference)
{
    ptrdiff_t open = slice_find(*raw, SL("${"));
    ptrdiff_t close = open < 0 ? -1 : slice_find_char(slice_sub(*raw, (size_t)open, raw->n), '}');
    if (close < 0)
        return false;
    *before = slice_sub(*raw, 0, (size_t)open);
    *reference = slice_sub(*raw, (size_t)open, (size_t)(open + close) + 1);
    *raw = slice_sub(*raw, (size_t)(open + close) + 1, raw->n);
    return true;
}

/* The parts of a value that references stand for: "jdbc:...password=${file:...}". Those that stand
 * side by side count as one. */
static void hide_parts(struct strbuf *text, struct slice raw, struct slice value)
{
    struct slice before, reference, next = SLICE_NULL;
    if (!next_reference(&raw, &before, &reference) || !slice_starts(value, before))
        return;
    value = slice_sub(value, before.n, value.n);
    for (bool more = true; more; reference = next) {
        more = next_reference(&raw, &before, &next);
        if (!more)
            before = raw;
        ptrdiff_t end = !more || !before.n ? (ptrdiff_t)value.n - (ptrdiff_t)before.n
                                           : slice_find(value, before);
        if (end < 0)
            return;
        hide_value(text, slice_sub(value, 0, (size_t)end), reference);
        if (!before.n)
            return;
        value = slice_sub(value, (size_t)end + before.n, value.n);
    }
}

void config_refs_hide(const struct strmap *raw, const struct strmap *resolved, struct strbuf *text)
{
    for (size_t i = 0; i < raw->count; i++) {
        struct slice key = raw->entries[i].key, reference = raw->entries[i].value;
        if (!config_refs_used(raw, resolved, key))
            continue;
        hide_value(text, strmap_get(resolved, key), reference);
        hide_parts(text, reference, strmap_get(resolved, key));
    }
}

void config_refs_hide_text(const struct strmap *raw, const struct strmap *resolved, char *text,
                           size_t room)
{
    struct strbuf out = STRBUF_INIT;
    strbuf_adds(&out, text);
    config_refs_hide(raw, resolved, &out);
    snprintf(text, room, "%s", strbuf_err(&out) ? "(no memory to tell it)" : out.p);
    mem_wipe(out.p, out.n);
    strbuf_release(&out);
}

void config_refs_hide_error(const struct strmap *raw, const struct strmap *resolved,
                            struct error *e)
{
    if (!e)
        return;
    config_refs_hide_text(raw, resolved, e->msg, sizeof e->msg);
    config_refs_hide_text(raw, resolved, e->hint, sizeof e->hint);
}
