/* broker/proto/codec_trace.c - a message as one line of text, for the log at level trace. See codec.h. */
#include "broker/proto/codec.h"

#include "broker/proto/codec_internal.h"
#include "broker/proto/fields.h"

enum { TRACE_LINE = 4000, TRACE_TEXT = 120, TRACE_ITEMS = 10 };

static void trace_struct(struct strbuf *b, const struct struct_desc *s, int16_t version,
                         const char *msg, size_t limit);

static void trace_text(struct strbuf *b, struct slice s)
{
    if (slice_is_null(s)) {
        strbuf_adds(b, "null");
        return;
    }
    strbuf_addc(b, '"');
    for (size_t i = 0; i < MIN(s.n, (size_t)TRACE_TEXT); i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c < ' ' || c == '"' || c == '\\' || c == 0x7f)
            strbuf_addf(b, "\\x%02x", c);
        else
            strbuf_addc(b, (char)c);
    }
    strbuf_adds(b, s.n > TRACE_TEXT ? "\"..." : "\"");
}

static void trace_value(struct strbuf *b, const struct field_desc *f, int16_t version,
                        const char *at, size_t limit)
{
    char text[UUID_TEXT_SIZE];
    const struct slice *s = (const struct slice *)(const void *)at;
    switch ((enum field_type)f->type) {
    case FIELD_BOOL:
        strbuf_adds(b, *(const bool *)at ? "true" : "false");
        break;
    case FIELD_I8:
        strbuf_add_i64(b, *(const int8_t *)at);
        break;
    case FIELD_I16:
        strbuf_add_i64(b, (int16_t)load_le16(at));
        break;
    case FIELD_U16:
        strbuf_add_i64(b, load_le16(at));
        break;
    case FIELD_I32:
        strbuf_add_i64(b, (int32_t)load_le32(at));
        break;
    case FIELD_I64:
        strbuf_add_i64(b, (int64_t)load_le64(at));
        break;
    case FIELD_F64:
        strbuf_addf(b, "%g", *(const double *)(const void *)at);
        break;
    case FIELD_UUID:
        uuid_text((const struct uuid *)(const void *)at, text);
        strbuf_adds(b, text);
        break;
    case FIELD_STR:
        trace_text(b, *s);
        break;
    case FIELD_SECRET_STR:
    case FIELD_SECRET_BYTES:
        strbuf_adds(b, slice_is_null(*s) ? "null" : "[hidden]");
        break;
    case FIELD_BYTES:
    case FIELD_RECORDS:
        if (slice_is_null(*s))
            strbuf_adds(b, "null");
        else
            strbuf_addf(b, "<%zu bytes>", s->n);
        break;
    case FIELD_STRUCT:
        trace_struct(b, f->sub, version, at, limit);
        break;
    }
}

static void trace_array(struct strbuf *b, const struct field_desc *f, int16_t version,
                        const char *msg, size_t limit)
{
    int32_t n;
    const char *at = field_elements(msg, f, &n);
    if (n < 0) {
        strbuf_adds(b, "null");
        return;
    }
    strbuf_addc(b, '[');
    for (int32_t i = 0; i < n; i++, at += field_item_size(f)) {
        if (i > 0)
            strbuf_addc(b, ' ');
        if (i == TRACE_ITEMS || b->n > limit) {
            strbuf_addf(b, "... %d in all", n);
            break;
        }
        trace_value(b, f, version, at, limit);
    }
    strbuf_addc(b, ']');
}

static void trace_struct(struct strbuf *b, const struct struct_desc *s, int16_t version,
                         const char *msg, size_t limit)
{
    const char *sep = "{";
    for (int i = 0; i < s->field_count; i++) {
        const struct field_desc *f = &s->fields[i];
        if (!field_is_in(f, version) || (field_is_tagged(f, version) && codec_is_default(f, msg)))
            continue;
        strbuf_adds(b, sep);
        sep = " ";
        strbuf_adds(b, f->name);
        strbuf_addc(b, '=');
        if (f->shape == SHAPE_ARRAY)
            trace_array(b, f, version, msg, limit);
        else if (f->type == FIELD_STRUCT && version >= f->null_from && codec_is_default(f, msg))
            strbuf_adds(b, "null");
        else
            trace_value(b, f, version, msg + f->at, limit);
    }
    strbuf_adds(b, *sep == '{' ? "{}" : "}");
}

void codec_trace(const struct msg_desc *d, int16_t version, const void *msg, struct strbuf *out)
{
    strbuf_addf(out, "%s v%d ", d->name, version);
    trace_struct(out, d->body, version, msg, out->n + TRACE_LINE);
}
