/* broker/proto/codec.c - one reader and one writer for all Kafka messages, driven by their rows.
 *
 * conn (frame) -> codec_decode_request_header -> codec_decode -> handler -> codec_encode_response.
 *
 * Both directions walk the fields of a struct_desc in wire order and switch on the type; there is
 * no per-message code. How a value looks on the wire depends on three things only: its type, the
 * message version (is the field there, may it be null), and whether that version is flexible
 * (compact lengths, a tag section after every struct). SPEC: broker 1.3
 *
 * Invariants:
 *  1. Nothing is believed: a count is compared with the bytes left before memory is asked for, and
 *     memory for arrays comes out of the arena's budget, because a few wire bytes become a struct
 *     of 40 to 150 bytes. A known tag must fill its size exactly; unknown tags are skipped by size.
 *  2. The reader's error is sticky: after it everything reads as zeros, and loops end.
 *  3. The writer never fails half way in a visible manner: on any error the buffer is cut back.
 *  4. Strings, bytes and records are not copied when decoded.
 *
 * Owner thread: any; no state. */
#include "broker/proto/codec.h"

#include "broker/proto/codec_internal.h"
#include "broker/proto/fields.h"

const char codec_elsewhere[1];

const uint8_t field_type_sizes[] = {[FIELD_BOOL] = sizeof(bool),
                                    [FIELD_I8] = 1,
                                    [FIELD_I16] = 2,
                                    [FIELD_I32] = 4,
                                    [FIELD_I64] = 8,
                                    [FIELD_U16] = 2,
                                    [FIELD_F64] = sizeof(double),
                                    [FIELD_UUID] = sizeof(struct uuid),
                                    [FIELD_STR] = sizeof(struct slice),
                                    [FIELD_SECRET_STR] = sizeof(struct slice),
                                    [FIELD_BYTES] = sizeof(struct slice),
                                    [FIELD_SECRET_BYTES] = sizeof(struct slice),
                                    [FIELD_RECORDS] = sizeof(struct slice)};

static inline bool is_text(const struct field_desc *f) /* lengths of 16 bits when not compact */
{
    return f->type == FIELD_STR || f->type == FIELD_SECRET_STR;
}

/* --- reading ---------------------------------------------------------------------------------- */
struct decoder {
    struct reader *r;
    struct arena *a;
    int16_t version;
    bool flexible;
};

static void decode_struct(struct decoder *d, const struct struct_desc *s, void *out);

static inline uint32_t take_uvarint(struct reader *r)
{
    if (LIKELY(r->at < r->end && *r->at < 0x80))
        return *r->at++;
    return read_uvarint(r);
}

/* Length of a string, bytes or array; -1 is null, allowed or not. */
static inline int64_t take_length(struct decoder *d, bool text)
{
    int64_t n;
    if (d->flexible)
        n = (int64_t)take_uvarint(d->r) - 1;
    else if (text)
        n = (int16_t)read_be16(d->r);
    else
        n = (int32_t)read_be32(d->r);
    if (UNLIKELY(d->r->err != E_OK))
        return 0;
    if (UNLIKELY(n < -1))
        reader_fail(d->r, E_CORRUPT);
    return n;
}

static void decode_bytes(struct decoder *d, const struct field_desc *f, struct slice *out)
{
    int64_t n = take_length(d, is_text(f));
    *out = n < 0 ? SLICE_NULL : read_slice(d->r, (size_t)n);
    if (UNLIKELY(n < 0 && d->version < f->null_from))
        reader_fail(d->r, E_CORRUPT);
}

static ALWAYS_INLINE void decode_value(struct decoder *d, const struct field_desc *f, char *at)
{
    switch ((enum field_type)f->type) {
    case FIELD_BOOL:
        *(bool *)at = read_u8(d->r) != 0;
        break;
    case FIELD_I8:
        *(int8_t *)at = (int8_t)read_u8(d->r);
        break;
    case FIELD_I16:
    case FIELD_U16:
        *(uint16_t *)(void *)at = read_be16(d->r);
        break;
    case FIELD_I32:
        *(uint32_t *)(void *)at = read_be32(d->r);
        break;
    case FIELD_I64:
    case FIELD_F64: {
        uint64_t bits = read_be64(d->r);
        memcpy(at, &bits, sizeof bits);
        break;
    }
    case FIELD_UUID: {
        const uint8_t *p = reader_take(d->r, sizeof(struct uuid));
        if (p)
            memcpy(at, p, sizeof(struct uuid));
        break;
    }
    case FIELD_STR:
    case FIELD_SECRET_STR:
    case FIELD_BYTES:
    case FIELD_SECRET_BYTES:
    case FIELD_RECORDS:
        decode_bytes(d, f, (struct slice *)(void *)at);
        break;
    case FIELD_STRUCT:
        decode_struct(d, f->sub, at);
        break;
    }
}

static void decode_array(struct decoder *d, const struct field_desc *f, char *msg)
{
    void **items = (void **)(void *)(msg + f->at);
    int32_t *count = (int32_t *)(void *)(msg + f->aux);
    int64_t n = take_length(d, false);
    *items = NULL;
    *count = n < 0 ? -1 : 0;
    if (n < 0 && d->version < f->null_from)
        reader_fail(d->r, E_CORRUPT);
    if (n <= 0)
        return;
    /* Every item takes a byte at least. */
    if ((uint64_t)n > reader_left(d->r)) {
        reader_fail(d->r, E_TRUNCATED);
        return;
    }
    size_t size = field_item_size(f);
    char *at = arena_try_alloc(d->a, (size_t)n * size);
    if (!at) {
        reader_fail(d->r, E_TOO_LARGE);
        return;
    }
    *items = at;
    *count = (int32_t)n;
    /* Items can't be null, whatever the array may be. */
    struct field_desc item = *f;
    item.null_from = FIELD_NEVER;
    for (; n > 0 && d->r->err == E_OK; n--, at += size)
        decode_value(d, &item, at);
}

static void decode_sub(struct decoder *d, const struct field_desc *f, char *msg)
{
    bool *has = (bool *)msg + f->aux;
    *has = true;
    if (d->version >= f->null_from && (int8_t)read_u8(d->r) < 0) {
        codec_init_field(f, msg);
        return;
    }
    decode_struct(d, f->sub, msg + f->at);
}

static inline void decode_field(struct decoder *d, const struct field_desc *f, char *msg)
{
    if (f->shape == SHAPE_ARRAY)
        decode_array(d, f, msg);
    else if (f->type == FIELD_STRUCT)
        decode_sub(d, f, msg);
    else
        decode_value(d, f, msg + f->at);
}

static const struct field_desc *find_tag(const struct struct_desc *s, uint32_t tag, int16_t version)
{
    for (int i = 0; i < s->field_count; i++)
        if ((uint32_t)s->fields[i].tag == tag && field_is_tagged(&s->fields[i], version))
            return &s->fields[i];
    return NULL;
}

static void decode_tags(struct decoder *d, const struct struct_desc *s, char *msg)
{
    uint32_t n = take_uvarint(d->r);
    for (; UNLIKELY(n > 0) && d->r->err == E_OK; n--) {
        uint32_t tag = take_uvarint(d->r);
        uint32_t size = take_uvarint(d->r);
        const uint8_t *p = reader_take(d->r, size);
        const struct field_desc *f = s ? find_tag(s, tag, d->version) : NULL;
        if (!p || !f)
            continue;
        struct reader inside = reader_of(p, size);
        struct decoder tagged = {&inside, d->a, d->version, d->flexible};
        decode_field(&tagged, f, msg);
        if (inside.err != E_OK || inside.at != inside.end)
            reader_fail(d->r, inside.err == E_TOO_LARGE ? E_TOO_LARGE : E_CORRUPT);
    }
}

static void decode_struct(struct decoder *d, const struct struct_desc *s, void *out)
{
    const struct field_desc *f = s->fields, *end = f + s->field_count;
    for (; f < end; f++) {
        if (LIKELY(field_is_in(f, d->version) && !field_is_tagged(f, d->version)))
            decode_field(d, f, out);
        else
            codec_init_field(f, out);
    }
    if (d->flexible)
        decode_tags(d, s, out);
}

enum err codec_decode(const struct msg_desc *d, int16_t version, struct reader *r, struct arena *a,
                      void *out)
{
    if (version < d->min || version > d->max)
        return E_UNSUPPORTED;
    struct decoder dec = {r, a, version, msg_is_flexible(d, version)};
    decode_struct(&dec, d->body, out);
    return r->err;
}

/* --- writing ---------------------------------------------------------------------------------- */
struct encoder {
    struct strbuf *b;
    struct codec_cuts *cuts;
    enum err err; /* besides the buffer's own */
    int16_t version;
    bool flexible;
    uint8_t sink[16]; /* where small values go after the buffer has failed */
};

static void encode_struct(struct encoder *e, const struct struct_desc *s, const void *msg);

/* Room for a small value, n <= 16, already counted as written. */
static inline uint8_t *put(struct encoder *e, size_t n)
{
    struct strbuf *b = e->b;
    if (UNLIKELY(b->failed != E_OK || b->cap - b->n < n) && strbuf_reserve(b, n) != E_OK)
        return e->sink;
    uint8_t *at = (uint8_t *)b->p + b->n;
    b->n += n;
    return at;
}

static inline void put_uvarint(struct encoder *e, uint64_t v)
{
    if (LIKELY(v < 0x80))
        *put(e, 1) = (uint8_t)v;
    else
        write_uvarint(put(e, uvarint_size(v)), v);
}

/* n = -1 is null. */
static inline void put_length(struct encoder *e, int64_t n, bool text)
{
    if (e->flexible) {
        put_uvarint(e, (uint64_t)(n + 1));
    } else if (text) {
        if (n > INT16_MAX)
            e->err = E_TOO_LARGE;
        store_be16(put(e, 2), (uint16_t)n);
    } else {
        store_be32(put(e, 4), (uint32_t)n);
    }
    if (n > INT32_MAX - 1)
        e->err = E_TOO_LARGE;
}

static void note_cut(struct encoder *e, const struct slice *field)
{
    if (!e->cuts) {
        e->err = E_INVALID;
        return;
    }
    if (e->cuts->count == e->cuts->max) {
        e->err = E_TOO_LARGE;
        return;
    }
    e->cuts->v[e->cuts->count++] = (struct codec_cut){e->b->n, field->n, field};
}

static void encode_bytes(struct encoder *e, const struct field_desc *f, const struct slice *v)
{
    bool null = v->p == NULL && e->version >= f->null_from;
    put_length(e, null ? -1 : v->p ? (int64_t)v->n : 0, is_text(f));
    if (v->p == NULL || v->n == 0)
        return;
    if (f->type == FIELD_RECORDS && v->p == codec_elsewhere)
        note_cut(e, v);
    else
        strbuf_add(e->b, v->p, v->n);
}

static ALWAYS_INLINE void encode_value(struct encoder *e, const struct field_desc *f,
                                       const char *at)
{
    switch ((enum field_type)f->type) {
    case FIELD_BOOL:
        *put(e, 1) = *(const bool *)at;
        break;
    case FIELD_I8:
        *put(e, 1) = (uint8_t)*at;
        break;
    case FIELD_I16:
    case FIELD_U16:
        store_be16(put(e, 2), load_le16(at));
        break;
    case FIELD_I32:
        store_be32(put(e, 4), load_le32(at));
        break;
    case FIELD_I64:
    case FIELD_F64:
        store_be64(put(e, 8), load_le64(at));
        break;
    case FIELD_UUID:
        memcpy(put(e, sizeof(struct uuid)), at, sizeof(struct uuid));
        break;
    case FIELD_STR:
    case FIELD_SECRET_STR:
    case FIELD_BYTES:
    case FIELD_SECRET_BYTES:
    case FIELD_RECORDS:
        encode_bytes(e, f, (const struct slice *)(const void *)at);
        break;
    case FIELD_STRUCT:
        encode_struct(e, f->sub, at);
        break;
    }
}

static void encode_array(struct encoder *e, const struct field_desc *f, const char *msg)
{
    int32_t n;
    const char *at = field_elements(msg, f, &n);
    put_length(e, n >= 0 ? n : e->version >= f->null_from ? -1 : 0, false);
    struct field_desc item = *f;
    item.null_from = FIELD_NEVER;
    size_t size = field_item_size(f);
    for (; n > 0; n--, at += size)
        encode_value(e, &item, at);
}

static inline void encode_field(struct encoder *e, const struct field_desc *f, const char *msg)
{
    if (f->shape == SHAPE_ARRAY) {
        encode_array(e, f, msg);
    } else if (f->type == FIELD_STRUCT && e->version >= f->null_from) {
        bool has = *((const bool *)msg + f->aux);
        *put(e, 1) = has ? 1 : 0xff;
        if (has)
            encode_struct(e, f->sub, msg + f->at);
    } else {
        encode_value(e, f, msg + f->at);
    }
}

/* Tagged fields that hold their default stay out. */
bool codec_is_default(const struct field_desc *f, const char *msg)
{
    const char *at = msg + f->at;
    int32_t count;
    if (f->shape == SHAPE_ARRAY)
        return field_elements(msg, f, &count), count <= 0;
    switch ((enum field_type)f->type) {
    case FIELD_BOOL:
        return *(const bool *)at == (f->dflt != 0);
    case FIELD_I8:
        return *(const int8_t *)at == f->dflt;
    case FIELD_I16:
        return *(const int16_t *)(const void *)at == f->dflt;
    case FIELD_U16:
        return *(const uint16_t *)(const void *)at == f->dflt;
    case FIELD_I32:
        return *(const int32_t *)(const void *)at == f->dflt;
    case FIELD_I64:
        return *(const int64_t *)(const void *)at == f->dflt;
    case FIELD_F64:
        return load_le64(at) == 0;
    case FIELD_UUID:
        return uuid_is_zero((const struct uuid *)(const void *)at);
    case FIELD_STRUCT:
        return !*((const bool *)msg + f->aux);
    default: {
        const struct slice *s = (const struct slice *)(const void *)at;
        return f->null_from == FIELD_NEVER ? s->n == 0 : s->p == NULL;
    }
    }
}

/* The size stands before the data: write the data, then move it up when its size takes more than
 * the one byte that was left free. */
static void encode_tag(struct encoder *e, const struct field_desc *f, const char *msg)
{
    put_uvarint(e, (uint64_t)f->tag);
    size_t at = e->b->n;
    put(e, 1);
    encode_field(e, f, msg);
    if (e->b->failed != E_OK)
        return;
    size_t size = e->b->n - at - 1, width = uvarint_size(size);
    for (size_t i = 1; i < width; i++)
        put(e, 1);
    if (e->b->failed != E_OK)
        return;
    memmove(e->b->p + at + width, e->b->p + at + 1, size);
    write_uvarint((uint8_t *)e->b->p + at, size);
}

static void encode_tags(struct encoder *e, const struct struct_desc *s, const char *msg)
{
    uint32_t n = 0;
    const struct field_desc *f = s->fields, *end = f + s->field_count;
    for (; f < end; f++)
        n += field_is_in(f, e->version) && field_is_tagged(f, e->version) &&
             !codec_is_default(f, msg);
    put_uvarint(e, n);
    for (f = s->fields; n > 0 && f < end; f++)
        if (field_is_in(f, e->version) && field_is_tagged(f, e->version) &&
            !codec_is_default(f, msg))
            encode_tag(e, f, msg);
}

static void encode_struct(struct encoder *e, const struct struct_desc *s, const void *msg)
{
    const struct field_desc *f = s->fields, *end = f + s->field_count;
    for (; f < end; f++)
        if (field_is_in(f, e->version) && !field_is_tagged(f, e->version))
            encode_field(e, f, msg);
    if (e->flexible)
        encode_tags(e, s, msg);
}

/* Ends the buffer's text, or takes back what was written since it had `start` bytes. */
static enum err finish(struct encoder *e, size_t start)
{
    enum err err = e->err != E_OK ? e->err : strbuf_err(e->b);
    if (err != E_OK && e->b->n > start)
        e->b->n = start;
    if (e->b->cap > 0)
        e->b->p[e->b->n] = 0;
    return err;
}

enum err codec_encode(const struct msg_desc *d, int16_t version, const void *msg,
                      struct strbuf *out)
{
    if (version < d->min || version > d->max)
        return E_UNSUPPORTED;
    struct encoder e = {.b = out, .version = version, .flexible = msg_is_flexible(d, version)};
    size_t start = out->n;
    encode_struct(&e, d->body, msg);
    return finish(&e, start);
}

/* --- headers and frames ----------------------------------------------------------------------- */
enum { CONTROLLED_SHUTDOWN = 7 }; /* its version 0 has no client id */

enum err codec_decode_request_header(struct reader *r, struct request_header *h)
{
    h->api_key = (int16_t)read_be16(r);
    h->api_version = (int16_t)read_be16(r);
    h->correlation_id = (int32_t)read_be32(r);
    h->client_id = SL("");
    if (h->api_key == CONTROLLED_SHUTDOWN && h->api_version == 0)
        return r->err;
    int16_t n = (int16_t)read_be16(r);
    if (n < -1)
        reader_fail(r, E_CORRUPT);
    else if (n > 0)
        h->client_id = read_slice(r, (size_t)n);
    const struct msg_desc *d = msg_find(h->api_key, MSG_REQUEST);
    if (d && msg_is_flexible(d, h->api_version) && r->err == E_OK) {
        struct decoder dec = {r, NULL, h->api_version, true};
        decode_tags(&dec, NULL, NULL);
    }
    return r->err;
}

static bool response_header_is_flexible(const struct msg_desc *d, int16_t version)
{
    return d->api_key != KAPI_API_VERSIONS && msg_is_flexible(d, version);
}

enum err codec_decode_response_header(struct reader *r, const struct msg_desc *d, int16_t version,
                                      int32_t *correlation_id)
{
    *correlation_id = (int32_t)read_be32(r);
    if (response_header_is_flexible(d, version)) {
        struct decoder dec = {r, NULL, version, true};
        decode_tags(&dec, NULL, NULL);
    }
    return r->err;
}

/* Writes the frame's size in front of it. */
static enum err close_frame(struct encoder *e, size_t start)
{
    uint64_t size = e->b->n - start - 4;
    for (size_t i = 0; e->cuts && i < e->cuts->count; i++)
        size += e->cuts->v[i].length;
    if (size > INT32_MAX && e->err == E_OK)
        e->err = E_TOO_LARGE;
    enum err err = finish(e, start);
    if (err == E_OK)
        store_be32(e->b->p + start, (uint32_t)size);
    return err;
}

enum err codec_encode_request(const struct msg_desc *d, const struct request_header *h,
                              const void *msg, struct strbuf *out)
{
    if (h->api_version < d->min || h->api_version > d->max)
        return E_UNSUPPORTED;
    struct encoder e = {.b = out, .version = h->api_version};
    size_t start = out->n;
    put(&e, 4);
    store_be16(put(&e, 2), (uint16_t)d->api_key);
    store_be16(put(&e, 2), (uint16_t)h->api_version);
    store_be32(put(&e, 4), (uint32_t)h->correlation_id);
    if (h->client_id.n > INT16_MAX)
        e.err = E_TOO_LARGE;
    store_be16(put(&e, 2), h->client_id.p ? (uint16_t)h->client_id.n : UINT16_MAX);
    strbuf_add(out, h->client_id.p, h->client_id.n);
    e.flexible = msg_is_flexible(d, h->api_version);
    if (e.flexible)
        put_uvarint(&e, 0);
    encode_struct(&e, d->body, msg);
    return close_frame(&e, start);
}

enum err codec_encode_response(const struct msg_desc *d, int16_t version, int32_t correlation_id,
                               const void *msg, struct strbuf *out, struct codec_cuts *cuts)
{
    if (version < d->min || version > d->max)
        return E_UNSUPPORTED;
    struct encoder e = {.b = out, .cuts = cuts, .version = version};
    size_t start = out->n;
    put(&e, 4);
    store_be32(put(&e, 4), (uint32_t)correlation_id);
    if (response_header_is_flexible(d, version))
        put_uvarint(&e, 0);
    e.flexible = msg_is_flexible(d, version);
    if (cuts)
        cuts->count = 0;
    encode_struct(&e, d->body, msg);
    return close_frame(&e, start);
}
