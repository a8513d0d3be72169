/* base/json.h - JSON: a streaming writer, a pull parser, and helpers around jansson.
 *
 * Record payloads and connector configurations go through the writer (jw_) and the reader (jr_): no
 * tree, no allocation per node, and the text of a number survives (1.50, 2^70). jansson (json_t) is
 * for the bodies of HTTP requests and answers, where a tree is handy. Thread: the owner's. */
#ifndef WEIR_BASE_JSON_H
#define WEIR_BASE_JSON_H

#include "base/arena.h"
#include "base/base.h"
#include "base/err.h"
#include "base/str.h"

#include <jansson.h>

/* --- pieces of JSON text, appended to a strbuf ----------------------------------------------- */

/* In quotes. SPEC: connect 5.2: escapes `"` `\` and controls only (\b \t \n \f \r, others \u00XX in
 * upper-case hex); all else as it is. The text should be UTF-8. Null gives null without quotes. */
void json_add_string(struct strbuf *b, struct slice s);
void json_add_escaped(struct strbuf *b, struct slice s); /* the same without the quotes */
/* Java's Double.toString and Float.toString: the shortest digits that give the same number back,
 * `1.0`, `123456.789`, plain from 10^-3 below 10^7, else `1.0E10`, `1.0E-4`; `-0.0`. Not finite:
 * NaN, Infinity, -Infinity without quotes (the writer's jw_double puts them in quotes). */
void json_add_double(struct strbuf *b, double v);
void json_add_float(struct strbuf *b, float v);
void json_add_base64(struct strbuf *b, struct slice bytes); /* in quotes; null gives null */

/* --- the writer ------------------------------------------------------------------------------ */

/* Puts commas itself and nothing else: whoever writes keeps begin and end, key and value in pairs.
 * No spaces. Failures stick to the strbuf (strbuf_err). May be copied; several documents may follow
 * each other after jw_reset. */
struct json_writer {
    struct strbuf *b;
    bool comma; /* a value stands before; the next one needs a comma */
};
#define JSON_WRITER(strbuf_ptr) ((struct json_writer){(strbuf_ptr), false})

static inline void jw_comma(struct json_writer *w) /* before a value of own making */
{
    if (w->comma)
        strbuf_addc(w->b, ',');
    w->comma = true;
}
static inline void jw_begin_object(struct json_writer *w)
{
    if (w->comma)
        strbuf_addc(w->b, ',');
    strbuf_addc(w->b, '{');
    w->comma = false;
}
static inline void jw_end_object(struct json_writer *w)
{
    strbuf_addc(w->b, '}');
    w->comma = true;
}
static inline void jw_begin_array(struct json_writer *w)
{
    if (w->comma)
        strbuf_addc(w->b, ',');
    strbuf_addc(w->b, '[');
    w->comma = false;
}
static inline void jw_end_array(struct json_writer *w)
{
    strbuf_addc(w->b, ']');
    w->comma = true;
}
static inline void jw_reset(struct json_writer *w) /* a new document (line) begins */
{
    w->comma = false;
}
void jw_key(struct json_writer *w, struct slice key);
void jw_key_c(struct json_writer *w, const char *key);
/* A key in its JSON form with quotes and colon, prepared once: `"id":`. */
void jw_key_ready(struct json_writer *w, struct slice quoted_and_colon);
void jw_string(struct json_writer *w, struct slice s);  /* null slice: null */
void jw_string_c(struct json_writer *w, const char *s); /* NULL: null */
void jw_stringf(struct json_writer *w, const char *fmt, ...) PRINTF_LIKE(2, 3);
void jw_i64(struct json_writer *w, int64_t v);
void jw_u64(struct json_writer *w, uint64_t v);
void jw_double(struct json_writer *w, double v); /* "NaN", "Infinity", "-Infinity" in quotes */
void jw_float(struct json_writer *w, float v);
void jw_bool(struct json_writer *w, bool v);
void jw_null(struct json_writer *w);
void jw_base64(struct json_writer *w,
               struct slice bytes);                    /* standard alphabet, padded; null: null */
void jw_raw(struct json_writer *w, struct slice json); /* one value that is JSON already */
void jw_json(struct json_writer *w, const json_t *v);  /* members in their order; NULL: null */

/* Key and value in one call, with a key that needs no escapes. */
void jw_kv_string(struct json_writer *w, const char *key, struct slice v);
void jw_kv_string_c(struct json_writer *w, const char *key, const char *v);
void jw_kv_i64(struct json_writer *w, const char *key, int64_t v);
void jw_kv_bool(struct json_writer *w, const char *key, bool v);
void jw_kv_null(struct json_writer *w, const char *key);
void jw_kv_object(struct json_writer *w, const char *key); /* key and begin */
void jw_kv_array(struct json_writer *w, const char *key);

/* --- the reader ------------------------------------------------------------------------------ */

enum json_token {
    JT_END,        /* the document is complete (or there was none: blank text) */
    JT_ERROR,      /* sticky; see jr_error */
    JT_OBJECT,     /* { */
    JT_OBJECT_END, /* } */
    JT_ARRAY,      /* [ */
    JT_ARRAY_END,  /* ] */
    JT_KEY,        /* a member's name; its value comes next */
    JT_STRING,
    JT_NUMBER, /* text is the number as it was written */
    JT_TRUE,
    JT_FALSE,
    JT_NULL,
};
#define JSON_DEPTH_MAX 1000 /* what Jackson allows too */

struct json_reader {
    const char *start, *at, *end;
    struct slice
        text; /* KEY, STRING: between the quotes, escapes not decoded; NUMBER: the digits */
    enum json_token token; /* what jr_next returned last */
    bool escaped;          /* text has escapes */
    bool allow_trailing;   /* set after jr_init: ignore what follows a complete value */
    uint8_t expect;
    unsigned depth, max_depth;
    const char *token_at; /* first byte of the token */
    enum err err;
    const char *what; /* why it failed, static text; position = at */
    uint64_t in_object[(JSON_DEPTH_MAX + 63) / 64];
};

/* text is borrowed for as long as the reader and borrowed strings are used. max_depth 0:
 * JSON_DEPTH_MAX (which is also the most). */
void jr_init(struct json_reader *r, struct slice text, unsigned max_depth);
/* The next token. Strict RFC 8259: no comments, no NaN, valid UTF-8, one value. */
enum json_token jr_next(struct json_reader *r);
/* KEY or STRING decoded: borrowed from the input without escapes, else a copy in the arena
 * (arena_try_alloc). Null slice and a failed reader (E_NOMEM) when the arena has no room. A lone
 * surrogate becomes U+FFFD. */
struct slice jr_string(struct json_reader *r, struct arena *a);
void jr_add_string(const struct json_reader *r, struct strbuf *b); /* decoded, appended */
bool jr_is(const struct json_reader *r, const char *text); /* KEY or STRING equals text, decoded */
/* NUMBER: true without fraction and exponent. */
bool jr_is_integer(const struct json_reader *r);
enum err jr_i64(const struct json_reader *r,
                int64_t *out) MUST_CHECK; /* E_INVALID: not an integer; E_TOO_LARGE */
enum err jr_double(const struct json_reader *r, double *out) MUST_CHECK;
/* After KEY: reads past its value. After OBJECT or ARRAY: past its end. After a scalar: nothing.
 * The error of the reader, if any. */
enum err jr_skip(struct json_reader *r);
/* The source text of a value, read past as by jr_skip: after KEY its value, after a value's first
 * token that value (a string with its quotes). Null slice when the reader failed. */
struct slice jr_raw(struct json_reader *r);
enum err jr_err(const struct json_reader *r);
/* Fills e with "line L column C: what" (lines and columns count from 1, columns in bytes). */
enum err jr_error(const struct json_reader *r, struct error *e);
/* Fails the reader at the last token for a reason of the caller's (static text). */
enum err jr_fail(struct json_reader *r, enum err code, const char *what);
void jr_position(const struct json_reader *r, unsigned *line, unsigned *column);

/* --- jansson --------------------------------------------------------------------------------- */

/* Any JSON value; the last of equal keys counts, as in Jackson. E_INVALID with "line L column C:
 * ...", E_NOMEM. *out is a new reference. */
enum err json_load_slice(struct slice text, json_t **out, struct error *e) MUST_CHECK;
/* No spaces, members in the order in which they were set, numbers as Java writes them. */
void json_dump_add(struct strbuf *b, const json_t *v);
json_t *
json_slice(struct slice s); /* new string, null for the null slice; E.g. bytes must be UTF-8 */
/* Members of an object (NULL or not an object: as if absent). Borrowed from obj. */
struct slice json_get_str(const json_t *obj, const char *key); /* null slice: absent or no string */
int64_t json_get_i64(const json_t *obj, const char *key, int64_t absent);
bool json_get_bool(const json_t *obj, const char *key, bool absent);
/* Sets a member; aborts on no memory. */
void json_set_str(json_t *obj, const char *key, struct slice v); /* null slice: null */
void json_set_i64(json_t *obj, const char *key, int64_t v);
void json_set_bool(json_t *obj, const char *key, bool v);

#endif
