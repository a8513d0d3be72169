/* lab/demo_event.c - see demo_event.h. */
#include "lab/demo_event.h"

#include <stdlib.h>

/* A row, or a document out of its text; NULL: there is none. A new reference. */
static json_t *row_of(const json_t *v)
{
    return json_is_string(v)   ? json_loads(json_string_value(v), JSON_DECODE_ANY, NULL)
           : json_is_object(v) ? json_incref((json_t *)(uintptr_t)v)
                               : NULL;
}

/* A column or field as a person reads it. */
static void add_value(struct strbuf *b, const json_t *v)
{
    if (json_is_string(v)) {
        strbuf_adds(b, json_string_value(v));
    } else if (json_is_integer(v)) {
        strbuf_add_i64(b, json_integer_value(v));
    } else if (json_is_real(v)) {
        strbuf_addf(b, "%.2f", json_real_value(v));
    } else if (json_is_object(v) || json_is_array(v)) {
        char *text = json_dumps(v, JSON_COMPACT | JSON_REAL_PRECISION(15));
        strbuf_adds(b, text ? text : "?");
        free(text);
    } else {
        strbuf_adds(b, json_is_true(v) ? "true" : json_is_false(v) ? "false" : "null");
    }
}

static void add_change(struct strbuf *b, const char *name, const json_t *was, const json_t *now)
{
    strbuf_addf(b, " %s ", name);
    add_value(b, was);
    strbuf_adds(b, " → ");
    add_value(b, now);
}

static void add_field(struct strbuf *b, const char *name, const json_t *v)
{
    strbuf_addf(b, " %s=", name);
    add_value(b, v);
}

static void add_changes(struct strbuf *b, const json_t *before, json_t *after)
{
    const char *name;
    json_t *now;
    json_object_foreach(after, name, now)
    {
        const json_t *was = json_object_get(before, name);
        if (was && !json_equal(was, now))
            add_change(b, name, was, now);
    }
}

/* What an update set: dotted names for parts. Without a pre-image nobody knows what was. */
static void add_updated(struct strbuf *b, const json_t *before, json_t *set)
{
    const char *name;
    json_t *now;
    json_object_foreach(set, name, now)
    {
        const json_t *was = json_object_get(before, name);
        if (was)
            add_change(b, name, was, now);
        else
            add_field(b, name, now);
    }
}

static void add_row(struct strbuf *b, json_t *row)
{
    const char *name;
    json_t *v;
    json_object_foreach(row, name, v)
    {
        if (strcmp(name, "id") && strcmp(name, "_id") && strcmp(name, "created_at"))
            add_field(b, name, v);
    }
}

/* The row's, or else (a document that nobody kept) the key's. */
static void add_id(struct strbuf *b, const json_t *row, struct slice key)
{
    const json_t *id = json_object_get(row, json_object_get(row, "id") ? "id" : "_id");
    json_t *whole = id ? NULL : json_loadb(key.p ? key.p : "", key.n, 0, NULL);
    add_value(b, id ? id : json_object_get(whole, "id"));
    json_decref(whole);
}

void demo_event_print(struct slice topic, struct slice key, char op, const json_t *event,
                      struct strbuf *b)
{
    json_t *before = row_of(json_object_get(event, "before")),
           *after = row_of(json_object_get(event, "after")),
           *set = row_of(
               json_object_get(json_object_get(event, "updateDescription"), "updatedFields"));
    ptrdiff_t dot = slice_rfind_char(topic, '.');
    strbuf_add_slice(b, slice_sub(topic, (size_t)(dot + 1), topic.n));
    strbuf_addf(b, ": %s id=", op == 'c' ? "INSERT" : op == 'u' ? "UPDATE" : "DELETE");
    add_id(b, after ? after : before, key);
    if (op == 'c')
        add_row(b, after);
    else if (op == 'u' && set)
        add_updated(b, before, set);
    else if (op == 'u')
        add_changes(b, before, after);
    json_decref(before);
    json_decref(after);
    json_decref(set);
}
