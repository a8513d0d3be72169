/* web/message_json.c - see message_json.h. Texts are cut to what a page can show, at a character's
 * border; bytes that are no UTF-8 go along as base64. */
#include "web/message_json.h"

#include "base/base.h"
#include "base/clock.h"
#include "base/json.h"
#include "web/mask.h"

/* --- events without a record ----------------------------------------------------------------- */

static void begin(struct json_writer *w, const char *type)
{
    strbuf_adds(w->b, "data:");
    jw_begin_object(w);
    jw_kv_string_c(w, "type", type);
}

static void end(struct json_writer *w)
{
    jw_end_object(w);
    strbuf_adds(w->b, "\n\n");
}

static void add_counts(struct json_writer *w, const struct message_counts *c)
{
    jw_kv_object(w, "consuming");
    jw_kv_i64(w, "bytesConsumed", c->bytes);
    jw_kv_i64(w, "elapsedMs", c->elapsed_ms);
    jw_kv_bool(w, "isCancelled", false);
    jw_kv_i64(w, "messagesConsumed", c->records);
    jw_kv_i64(w, "filterApplyErrors", 0);
    if (c->skipped)
        jw_kv_i64(w, "skipped", c->skipped);
    jw_end_object(w);
}

void message_event_phase(struct strbuf *out, struct slice text)
{
    struct json_writer w = JSON_WRITER(out);
    struct strbuf valid = STRBUF_INIT;
    strbuf_add_utf8(&valid, text);
    begin(&w, "PHASE");
    jw_kv_null(&w, "message");
    jw_kv_object(&w, "phase");
    jw_kv_string(&w, "name", strbuf_slice(&valid));
    jw_end_object(&w);
    jw_kv_null(&w, "consuming");
    jw_kv_null(&w, "cursor");
    end(&w);
    strbuf_release(&valid);
}

void message_event_consuming(struct strbuf *out, const struct message_counts *c)
{
    struct json_writer w = JSON_WRITER(out);
    begin(&w, "CONSUMING");
    jw_kv_null(&w, "message");
    jw_kv_null(&w, "phase");
    add_counts(&w, c);
    jw_kv_null(&w, "cursor");
    end(&w);
}

void message_event_done(struct strbuf *out, const struct message_counts *c, struct slice cursor)
{
    struct json_writer w = JSON_WRITER(out);
    begin(&w, "DONE");
    jw_kv_null(&w, "message");
    jw_kv_null(&w, "phase");
    add_counts(&w, c);
    if (cursor.p) {
        jw_kv_object(&w, "cursor");
        jw_kv_string(&w, "id", cursor);
        jw_end_object(&w);
    } else {
        jw_kv_null(&w, "cursor");
    }
    end(&w);
}

/* --- a record -------------------------------------------------------------------------------- */

struct shown {                /* a key or value */
    struct slice bytes, text; /* text: null for null bytes */
    const char *serde;
    bool cut, invalid;
};

static struct slice cut_text(struct slice text, size_t max, bool *cut)
{
    if (text.n <= max)
        return text;
    *cut = true;
    while (max > 0 && ((uint8_t)text.p[max] & 0xc0) == 0x80)
        max--;
    return slice_sub(text, 0, max);
}

static struct shown show(struct slice bytes, enum serde s, const struct message_style *style,
                         struct strbuf *tmp)
{
    struct shown v = {.bytes = bytes, .text = SLICE_NULL};
    if (!bytes.p)
        return v;
    bool as_text = s == SERDE_STRING;
    struct slice used = bytes;
    if (as_text && style->filter->count == 0) /* what is not shown need not be looked at */
        used = cut_text(bytes, style->max_bytes, &v.cut);
    enum serde got = SERDE_STRING;
    strbuf_reset(tmp);
    if (as_text && slice_is_utf8(used)) {
        v.text = used;
    } else {
        got = serde_show(s, used, tmp);
        v.text = strbuf_slice(tmp);
        v.invalid = (got == SERDE_STRING || got == SERDE_FALLBACK) && !slice_is_utf8(used);
    }
    v.serde = serde_name(got);
    return v;
}

static void add_shown(struct json_writer *w, struct shown *v, const char *name,
                      const char *name_b64, size_t max_bytes)
{
    bool cut = v->cut;
    jw_key_c(w, name);
    jw_string(w, cut_text(v->text, max_bytes, &cut));
    v->cut = cut;
    if (v->invalid && v->text.p) {
        jw_key_c(w, name_b64);
        jw_base64(w, slice_sub(v->bytes, 0, MIN(v->bytes.n, max_bytes)));
    }
}

#define LAST_MS INT64_C(253402300799999) /* of the year 9999 */

static void add_time(struct json_writer *w, int64_t ms)
{
    char text[CLOCK_ISO_SIZE];
    jw_key_c(w, "timestamp");
    if (ms < 0 || ms > LAST_MS)
        jw_null(w);
    else
        jw_string(w, slice_cstr(clock_iso(text, ms / 1000, (int32_t)(ms % 1000), 3)));
}

/* A header's text, valid in any case. */
static struct slice valid_text(struct slice bytes, struct strbuf *tmp)
{
    if (!bytes.p || slice_is_utf8(bytes))
        return bytes;
    strbuf_reset(tmp);
    strbuf_add_utf8(tmp, bytes);
    return strbuf_slice(tmp);
}

/* Whether the same name comes again: an object shows the last one. */
static bool repeated(struct slice rest, struct slice name)
{
    struct slice other, value;
    while (batch_header_next(&rest, &other, &value))
        if (slice_eq(name, other))
            return true;
    return false;
}

static void add_headers(struct json_writer *w, struct slice headers, struct strbuf *tmp)
{
    struct slice name, value, rest;
    int64_t size = 0;
    enum { COMPARED = 256 }; /* so many headers are looked at for repetitions */
    int seen = 0;
    jw_kv_object(w, "headers");
    for (rest = headers; batch_header_next(&rest, &name, &value);) {
        size += (int64_t)(name.n + value.n);
        if (++seen <= COMPARED && repeated(rest, name))
            continue;
        jw_key(w, valid_text(name, tmp));
        jw_string(w, valid_text(value, tmp));
    }
    jw_end_object(w);
    jw_kv_array(w, "headersList");
    for (rest = headers; batch_header_next(&rest, &name, &value);) {
        jw_begin_object(w);
        jw_kv_string(w, "key", valid_text(name, tmp));
        jw_kv_string(w, "value", valid_text(value, tmp));
        if (value.p && !slice_is_utf8(value)) {
            jw_key_c(w, "valueB64");
            jw_base64(w, value);
        }
        jw_end_object(w);
    }
    jw_end_array(w);
    jw_kv_i64(w, "headersSize", size);
}

static void add_size(struct json_writer *w, const char *name, struct slice bytes)
{
    if (bytes.p)
        jw_kv_i64(w, name, (int64_t)bytes.n);
    else
        jw_kv_null(w, name);
}

bool message_event_record(struct strbuf *out, const struct message_style *style,
                          struct message_scratch *tmp, int32_t partition,
                          const struct batch_record *r, bool log_append_time)
{
    struct shown key = show(r->key, style->key, style, &tmp->key);
    struct slice bytes = r->value;
    strbuf_reset(&tmp->masked);
    if (UNLIKELY(style->worker_configs) && mask_worker_record(&tmp->masked, bytes))
        bytes = strbuf_slice(&tmp->masked);
    struct shown value = show(bytes, style->value, style, &tmp->value);
    struct json_writer w = JSON_WRITER(out);
    if (!message_filter_match(style->filter, key.text, value.text, r->headers))
        return false;
    begin(&w, "MESSAGE");
    jw_kv_object(&w, "message");
    jw_kv_i64(&w, "partition", partition);
    jw_kv_i64(&w, "offset", r->offset);
    add_time(&w, r->timestamp);
    jw_kv_string_c(&w, "timestampType",
                   r->timestamp < 0  ? "NO_TIMESTAMP_TYPE"
                   : log_append_time ? "LOG_APPEND_TIME"
                                     : "CREATE_TIME");
    add_shown(&w, &key, "key", "keyB64", style->max_bytes);
    add_shown(&w, &value, "value", "valueB64", style->max_bytes);
    add_headers(&w, r->headers, &tmp->key);
    add_size(&w, "keySize", r->key);
    add_size(&w, "valueSize", r->value);
    jw_kv_string_c(&w, "keySerde", key.serde);
    jw_kv_string_c(&w, "valueSerde", value.serde);
    jw_kv_object(&w, "keyDeserializeProperties");
    jw_end_object(&w);
    jw_kv_object(&w, "valueDeserializeProperties");
    jw_end_object(&w);
    if (key.cut || value.cut)
        jw_kv_bool(&w, "truncated", true);
    if (!r->value.p)
        jw_kv_bool(&w, "valueNull", true);
    jw_end_object(&w);
    jw_kv_null(&w, "phase");
    jw_kv_null(&w, "consuming");
    jw_kv_null(&w, "cursor");
    end(&w);
    return true;
}

void message_scratch_release(struct message_scratch *tmp)
{
    strbuf_release(&tmp->key);
    strbuf_release(&tmp->value);
    strbuf_release(&tmp->masked);
}
