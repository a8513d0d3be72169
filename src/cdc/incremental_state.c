/* cdc/incremental_state.c - an incremental snapshot in the source offset. Names are Debezium's, the
 * two keys are in a form of our own. SPEC: cdc-mysql 8.2 */
#include "cdc/incremental.h"

#include "base/json.h"
#include "base/mem.h"

#define PREFIX "incremental_snapshot_"
#define COLLECTION PREFIX "collections_"

static void add_text(struct json_writer *w, const char *name, const char *text)
{
    if (text && text[0])
        jw_kv_string_c(w, name, text);
}

static void member(struct strbuf *out, const char *name, struct slice text)
{
    strbuf_addf(out, ",\"" PREFIX "%s\":", name);
    json_add_string(out, text);
}

void incremental_print(const struct incremental *inc, struct strbuf *out)
{
    if (!inc->count)
        return;
    struct strbuf list = STRBUF_INIT;
    struct json_writer w = JSON_WRITER(&list);
    jw_begin_array(&w);
    for (size_t i = 0; i < inc->count; i++) {
        const struct inc_collection *c = &inc->items[i];
        jw_begin_object(&w);
        jw_kv_string_c(&w, COLLECTION "id", c->id);
        add_text(&w, COLLECTION "additional_condition", c->filter);
        add_text(&w, COLLECTION "surrogate_key", c->surrogate_key);
        add_text(&w, COLLECTION "correlation_id", c->correlation);
        jw_end_object(&w);
    }
    jw_end_array(&w);
    member(out, "collections", strbuf_slice(&list));
    strbuf_release(&list);
    member(out, "correlation_id", slice_cstr(inc->items[0].correlation));
    if (inc->last_key)
        member(out, "primary_key", slice_cstr(inc->last_key));
    if (inc->max_key)
        member(out, "maximum_key", slice_cstr(inc->max_key));
    if (inc->key_form && (inc->last_key || inc->max_key))
        member(out, "key_form", slice_cstr(inc->key_form));
    if (inc->paused)
        strbuf_adds(out, ",\"" PREFIX "paused\":true");
}

static char *dup_member(const json_t *o, const char *name)
{
    struct slice s = json_get_str(o, name);
    return s.n ? slice_dup(s) : NULL;
}

/* A key as the database wrote it: JSON. Java's serialised form is not. */
static char *key_member(const json_t *o, const char *name)
{
    struct slice s = json_get_str(o, name);
    return s.n && s.p[0] == '[' ? slice_dup(s) : NULL;
}

void incremental_restore(struct incremental *inc, const json_t *offset)
{
    json_t *list = NULL;
    struct slice text = json_get_str(offset, PREFIX "collections");
    if (!text.n || inc->count || json_load_slice(text, &list, NULL) || !json_is_array(list)) {
        json_decref(list);
        return;
    }
    struct slice id = json_get_str(offset, PREFIX "correlation_id");
    inc->items = xcalloc(json_array_size(list) + 1, sizeof *inc->items);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *o = json_array_get(list, i);
        struct inc_collection c = {
            .id = dup_member(o, COLLECTION "id"),
            .filter = dup_member(o, COLLECTION "additional_condition"),
            .surrogate_key = dup_member(o, COLLECTION "surrogate_key"),
            .correlation = dup_member(o, COLLECTION "correlation_id"),
        };
        if (!c.correlation)
            c.correlation = slice_dup(id.p ? id : SL(""));
        if (c.id) {
            inc->items[inc->count++] = c;
            continue;
        }
        mem_free(c.filter);
        mem_free(c.surrogate_key);
        mem_free(c.correlation);
    }
    json_decref(list);
    inc->last_key = key_member(offset, PREFIX "primary_key");
    inc->max_key = key_member(offset, PREFIX "maximum_key");
    if (!inc->last_key || !inc->max_key) { /* both or none: the table begins anew */
        mem_free(inc->last_key);
        inc->last_key = NULL;
    }
    inc->key_form = inc->max_key ? dup_member(offset, PREFIX "key_form") : NULL;
    inc->paused = json_get_bool(offset, PREFIX "paused", false);
    capture_texts_pause(inc->texts, inc->paused);
}
