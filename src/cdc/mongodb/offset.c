/* cdc/mongodb/offset.c - offsets and their texts. SPEC: cdc-mongodb 8.1 */
#include "cdc/mongodb/offset.h"

#include <jansson.h>

#include "base/bytes.h"
#include "base/json.h"
#include "cdc/bson/bson_json.h"

#define TOKEN_MAX                                                                                  \
    ((size_t)24 << 20) /* the token of an event has its key in it: up to 16 MiB, in base64 */

void mongo_offset_init(struct mongo_offset *o)
{
    memset(o, 0, sizeof *o);
    o->sec = -1;
    o->ord = -1;
    strbuf_init(&o->token, 0);
    strbuf_init(&o->session, 0);
}

void mongo_offset_release(struct mongo_offset *o)
{
    strbuf_release(&o->token);
    strbuf_release(&o->session);
}

static void set(struct strbuf *b, struct slice text)
{
    strbuf_reset(b);
    strbuf_add_slice(b, text);
}

void mongo_offset_copy(struct mongo_offset *to, const struct mongo_offset *from)
{
    to->sec = from->sec;
    to->ord = from->ord;
    to->snapshot = from->snapshot;
    to->after_seconds = from->after_seconds;
    to->after_increment = from->after_increment;
    set(&to->token, strbuf_slice(&from->token));
    set(&to->session, strbuf_slice(&from->session));
}

void mongo_offset_at(struct mongo_offset *o, const struct change *c)
{
    o->sec = c->has_time ? (int64_t)c->seconds : -1;
    o->ord = c->has_time ? (int32_t)c->increment : -1;
    set(&o->token, c->token);
    strbuf_reset(&o->session);
    if (!c->in_transaction)
        return;
    static const struct bson_json_form form = {BSON_JSON_STRICT, BSON_JSON_COMPACT};
    strbuf_adds(&o->session, ",\"lsid\":\"");
    bson_json_print_escaped(c->lsid, form, &o->session);
    strbuf_addf(&o->session, "\",\"txnNumber\":%lld", (long long)c->txn_number);
}

void mongo_offset_idle(struct mongo_offset *o, struct slice token)
{
    o->sec = -1;
    o->ord = -1;
    set(&o->token, token);
    strbuf_reset(&o->session);
}

/* --- texts ------------------------------------------------------------------------------------ */

static int64_t member_int(const json_t *root, const char *name, int64_t otherwise)
{
    const json_t *v = json_object_get(root, name);
    int64_t n = otherwise;
    if (json_is_integer(v))
        return json_integer_value(v);
    if (json_is_string(v) && slice_to_i64(slice_cstr(json_string_value(v)), &n))
        n = otherwise;
    return n;
}

static bool member_true(const json_t *root, const char *name)
{
    const json_t *v = json_object_get(root, name);
    return json_is_true(v) ||
           (json_is_string(v) && slice_ieq(slice_cstr(json_string_value(v)), SL("true")));
}

static bool is_hex(struct slice s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!strchr("0123456789abcdefABCDEF", s.p[i]))
            return false;
    return s.n > 0 && s.n % 2 == 0;
}

/* {_data: "82..."} */
static void wrap_data(struct slice data, struct strbuf *out)
{
    struct bson_build b;
    bson_build_init(&b);
    bson_build_text(&b, SL("_data"), data);
    set(out, bson_build_finish(&b));
    bson_build_release(&b);
}

static enum err parse_token(struct slice text, struct strbuf *out, struct error *e)
{
    struct error why = {0};
    strbuf_reset(out);
    if (text.n > TOKEN_MAX)
        return error_set(e, E_INVALID, "Source offset 'resume_token' is too long");
    if (is_hex(text) && slice_starts(text, SL("82"))) {
        wrap_data(text, out);
        return E_OK;
    }
    if (base64_decode(out, text) || !out->n)
        return error_set(e, E_INVALID, "Source offset 'resume_token' is not base64");
    if (bson_check(strbuf_slice(out), &why))
        return error_set(e, E_INVALID, "Source offset 'resume_token' holds no BSON document: %s",
                         why.msg);
    return E_OK;
}

enum err mongo_offset_parse(struct mongo_offset *o, struct slice json, struct error *e)
{
    json_t *root = NULL;
    enum err rc = json_load_slice(json, &root, e);
    if (rc == E_OK && !json_is_object(root))
        rc = error_set(e, E_INVALID, "a source offset is an object");
    if (rc == E_OK) {
        int64_t ord = member_int(root, "ord", -1);
        struct slice token = slice_trim(json_get_str(root, "resume_token"));
        o->sec = member_int(root, "sec", -1);
        o->ord = ord >= 0 && ord <= INT32_MAX ? (int32_t)ord : -1;
        o->snapshot = member_true(root, "initsync");
        strbuf_reset(&o->session);
        strbuf_reset(&o->token);
        if (token.n)
            rc = parse_token(token, &o->token, e);
    }
    json_decref(root);
    return rc;
}

void mongo_offset_print_open(const struct mongo_offset *o, struct strbuf *out)
{
    strbuf_adds(out, "{\"sec\":");
    strbuf_add_i64(out, o->sec);
    strbuf_adds(out, ",\"ord\":");
    strbuf_add_i64(out, o->ord);
    if (o->snapshot)
        strbuf_adds(out, ",\"initsync\":true");
    if (o->token.n) {
        strbuf_adds(out, ",\"resume_token\":\"");
        base64_encode(out, strbuf_slice(&o->token));
        strbuf_addc(out, '"');
    }
    if (!o->snapshot)
        strbuf_add_slice(out, strbuf_slice(&o->session));
}

void mongo_offset_print(const struct mongo_offset *o, struct strbuf *out)
{
    mongo_offset_print_open(o, out);
    strbuf_addc(out, '}');
}

void mongo_partition_print(struct slice prefix, struct strbuf *out)
{
    strbuf_adds(out, "{\"server_id\":");
    json_add_string(out, prefix);
    strbuf_addc(out, '}');
}
