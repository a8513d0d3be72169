/* cdc/signal.c - the texts of signals. SPEC: cdc-mysql 3.6 */
#include "cdc/signal.h"

#include "base/bytes.h"
#include "base/json.h"
#include "base/log.h"
#include "base/regex.h"

static const struct {
    const char *name;
    enum signal_type type;
} types[] = {
    {"execute-snapshot", SIGNAL_EXECUTE},
    {"stop-snapshot", SIGNAL_STOP},
    {"pause-snapshot", SIGNAL_PAUSE},
    {"resume-snapshot", SIGNAL_RESUME},
    {"log", SIGNAL_LOG},
    {"set-binlog-position", SIGNAL_SET_POSITION},
    {"snapshot-window-open", SIGNAL_WINDOW},
    {"snapshot-window-close", SIGNAL_WINDOW},
};

/* --- members ---------------------------------------------------------------------------------- */

static struct slice member(const json_t *o, const char *name, struct arena *a)
{
    return arena_dup(a, json_get_str(o, name));
}

static void read_collections(const json_t *data, struct arena *a, struct signal_request *out)
{
    const json_t *list = json_object_get(data, "data-collections");
    size_t n = json_is_array(list) ? json_array_size(list) : 0;
    struct slice *names = arena_calloc(a, n + 1, sizeof *names);
    for (size_t i = 0; i < n; i++) {
        struct slice name = slice_cstr(json_string_value(json_array_get(list, i)));
        if (slice_trim(name).n)
            names[out->collection_count++] = arena_dup(a, slice_trim(name));
    }
    out->collections = names;
}

static void read_conditions(const json_t *data, struct arena *a, struct signal_request *out)
{
    const json_t *list = json_object_get(data, "additional-conditions");
    size_t n = json_is_array(list) ? json_array_size(list) : 0;
    struct signal_condition *all = arena_calloc(a, n + 2, sizeof *all);
    for (size_t i = 0; i < n; i++) {
        const json_t *one = json_array_get(list, i);
        struct slice filter = slice_trim(json_get_str(one, "filter"));
        if (filter.n)
            all[out->condition_count++] = (struct signal_condition){
                .collection = member(one, "data-collection", a), .filter = arena_dup(a, filter)};
    }
    /* Before 2.4 there was one for all. */
    struct slice old = slice_trim(json_get_str(data, "additional-condition"));
    if (old.n)
        all[out->condition_count++] = (struct signal_condition){.filter = arena_dup(a, old)};
    out->conditions = all;
}

static bool read_kind(const json_t *data, struct signal_request *out)
{
    struct slice kind = slice_trim(json_get_str(data, "type"));
    out->blocking = slice_ieq(kind, SL("BLOCKING"));
    return !kind.n || out->blocking || slice_ieq(kind, SL("INCREMENTAL"));
}

static void read_data(const json_t *data, struct arena *a, struct signal_request *out)
{
    read_collections(data, a, out);
    read_conditions(data, a, out);
    struct slice key = slice_trim(json_get_str(data, "surrogate-key"));
    out->surrogate_key = key.n ? arena_dup(a, key) : SLICE_NULL;
    out->message = member(data, "message", a);
    out->file = member(data, "binlog_filename", a);
    out->gtid_set = member(data, "gtid_set", a);
    out->position = json_get_i64(data, "binlog_position", -1);
}

/* --- one signal ------------------------------------------------------------------------------- */

static bool type_of(struct slice name, enum signal_type *out)
{
    for (size_t i = 0; i < ARRAY_LEN(types); i++)
        if (slice_eq_c(name, types[i].name)) {
            *out = types[i].type;
            return true;
        }
    return false;
}

/* What a signal of its type must say. */
static const char *missing(const struct signal_request *r)
{
    if (r->type == SIGNAL_EXECUTE && r->collection_count == 0)
        return "data-collections is missing: a list of tables or of patterns for them";
    if (r->type == SIGNAL_SET_POSITION && r->gtid_set.n && (r->file.n || r->position >= 0))
        return "Cannot specify both binlog file/position and GTID set";
    if (r->type == SIGNAL_SET_POSITION && !r->gtid_set.n && (!r->file.n || r->position < 0))
        return "binlog_filename and binlog_position, or gtid_set, are missing";
    return NULL;
}

enum err signal_parse(const struct signal *s, struct arena *a, struct signal_request *out)
{
    memset(out, 0, sizeof *out);
    if (!type_of(s->type, &out->type)) {
        LOG_WARN(LOG_CDC,
                 "Signal '" PRI_SL "' has been received but the type '" PRI_SL
                 "' is not recognized",
                 ARG_SL(s->id), ARG_SL(s->type));
        return E_INVALID;
    }
    out->id = arena_dup(a, s->id);
    if (out->type == SIGNAL_WINDOW)
        return E_OK;
    json_t *data = NULL;
    struct slice text = slice_trim(s->data);
    if ((text.n && json_load_slice(text, &data, NULL)) || (data && !json_is_object(data)) ||
        !read_kind(data, out)) {
        json_decref(data);
        LOG_WARN(LOG_CDC,
                 "Signal '" PRI_SL "' has been received but the data '" PRI_SL "' cannot be parsed",
                 ARG_SL(s->id), ARG_SL(s->data));
        return E_INVALID;
    }
    read_data(data, a, out);
    json_decref(data);
    const char *why = missing(out);
    if (!why)
        return E_OK;
    LOG_WARN(LOG_CDC, "Signal '" PRI_SL "' is not executed: %s", ARG_SL(s->id), why);
    return E_INVALID;
}

enum err signal_from_json(struct slice json, struct arena *a, struct signal *out, struct error *e)
{
    json_t *root = NULL;
    struct strbuf data = STRBUF_INIT;
    memset(out, 0, sizeof *out);
    enum err rc = json_load_slice(json, &root, e);
    if (rc)
        return rc;
    const json_t *d = json_object_get(root, "data");
    out->id = member(root, "id", a);
    out->type = member(root, "type", a);
    if (json_is_string(d))
        strbuf_adds(&data, json_string_value(d));
    else if (d && !json_is_null(d))
        json_dump_add(&data, d);
    if (d && !json_is_null(d))
        out->data = arena_dup(a, strbuf_slice(&data));
    strbuf_release(&data);
    json_decref(root);
    if (!out->type.n)
        return error_set(e, E_INVALID, "a signal is an object with id, type and data");
    if (!out->id.n) {
        struct uuid u;
        char *id = arena_alloc(a, UUID_DASHED_SIZE);
        uuid_random(&u);
        uuid_dashed(&u, id);
        out->id = slice_cstr(id);
    }
    return E_OK;
}

void signal_to_json(const struct signal *s, struct strbuf *out)
{
    struct json_writer w = JSON_WRITER(out);
    jw_begin_object(&w);
    jw_key(&w, SL("id"));
    jw_string(&w, s->id);
    jw_key(&w, SL("type"));
    jw_string(&w, s->type);
    jw_key(&w, SL("data"));
    jw_string(&w, s->data);
    jw_end_object(&w);
}

/* --- use -------------------------------------------------------------------------------------- */

bool signal_names(struct slice pattern, struct slice collection)
{
    struct regex *r;
    if (slice_ieq(pattern, collection))
        return true;
    if (regex_compile(&r, pattern, REGEX_ANY_CASE, NULL))
        return false;
    bool yes = regex_matches(r, collection);
    regex_free(r);
    return yes;
}

struct slice signal_filter(const struct signal_request *r, struct slice collection)
{
    for (size_t i = 0; i < r->condition_count; i++)
        if (!r->conditions[i].collection.p || signal_names(r->conditions[i].collection, collection))
            return r->conditions[i].filter;
    return SLICE_NULL;
}

void signal_tell_unknown(const struct signal_request *r, enum log_category log, const char *kind,
                         const struct slice *ids, size_t count)
{
    struct strbuf names = STRBUF_INIT; /* one line: lines in a row may be held back */
    for (size_t k = 0; k < r->collection_count; k++) {
        size_t i = 0;
        while (i < count && !signal_names(r->collections[k], ids[i]))
            i++;
        if (i == count)
            strbuf_addf(&names, "%s'" PRI_SL "'", names.n ? ", " : "", ARG_SL(r->collections[k]));
    }
    if (names.n)
        LOG_WARN(log,
                 "signal '" PRI_SL "': no captured %s matches %s; names have the form database.%s",
                 ARG_SL(r->id), kind, names.p, kind);
    strbuf_release(&names);
}

void signal_message(const struct signal_request *r, struct slice offset, struct strbuf *out)
{
    struct slice text = r->message;
    ptrdiff_t at;
    while ((at = slice_find(text, SL("{}"))) >= 0) {
        strbuf_add(out, text.p, (size_t)at);
        strbuf_add_slice(out, offset);
        text = slice_sub(text, (size_t)at + 2, text.n);
    }
    strbuf_add_slice(out, text);
}
