/* tests/unit/broker/proto/test_frames.c - frames that Kafka's own classes wrote: each decodes to
 * the fields that stand beside it, and encodes back to the same bytes. */
#include "broker/proto/codec.h"

#include <dirent.h>
#include <jansson.h>
#include <stdlib.h>

#include "base/mem.h"
#include "helpers.h"

/* Where the comparison is, for messages: api, line, field. */
struct place {
    const char *file;
    unsigned line;
    bool reported;
};

static bool mismatch(struct place *p, const char *field, const char *why)
{
    char text[600];
    snprintf(text, sizeof text, "%s:%u %s: %s", p->file, p->line, field, why);
    CHECK_STR(text, "equal");
    p->reported = true;
    return false;
}

static bool same_bytes(const json_t *want, struct slice got)
{
    if (json_is_null(want) || slice_is_null(got))
        return json_is_null(want) && slice_is_null(got);
    struct strbuf hex = STRBUF_INIT;
    hex_encode(&hex, got);
    bool same = slice_eq_c(strbuf_slice(&hex), json_string_value(want));
    strbuf_release(&hex);
    return same;
}

static bool same_text(const json_t *want, struct slice got)
{
    if (json_is_null(want) || slice_is_null(got))
        return json_is_null(want) && slice_is_null(got);
    return slice_eq(got, slice_of(json_string_value(want), json_string_length(want)));
}

static bool same_struct(struct place *p, const struct struct_desc *d, int16_t version,
                        const json_t *want, const char *msg);

static bool same_value(struct place *p, const struct field_desc *f, int16_t version,
                       const json_t *want, const char *at)
{
    const void *v = at;
    switch ((enum field_type)f->type) {
    case FIELD_BOOL:
        return json_is_boolean(want) && json_is_true(want) == *(const bool *)v;
    case FIELD_I8:
        return json_is_integer(want) && json_integer_value(want) == *(const int8_t *)v;
    case FIELD_I16:
        return json_is_integer(want) && json_integer_value(want) == *(const int16_t *)v;
    case FIELD_U16:
        return json_is_integer(want) && json_integer_value(want) == *(const uint16_t *)v;
    case FIELD_I32:
        return json_is_integer(want) && json_integer_value(want) == *(const int32_t *)v;
    case FIELD_I64:
        return json_is_integer(want) && json_integer_value(want) == *(const int64_t *)v;
    case FIELD_F64: {
        double got = *(const double *)v, should = json_number_value(want);
        return json_is_number(want) && memcmp(&got, &should, sizeof got) == 0;
    }
    case FIELD_UUID:
        return same_bytes(want, slice_of(v, sizeof(struct uuid)));
    case FIELD_STR:
    case FIELD_SECRET_STR:
        return same_text(want, *(const struct slice *)v);
    case FIELD_BYTES:
    case FIELD_SECRET_BYTES:
    case FIELD_RECORDS:
        return same_bytes(want, *(const struct slice *)v);
    case FIELD_STRUCT:
        return same_struct(p, f->sub, version, want, at);
    }
    return false;
}

static bool same_field(struct place *p, const struct field_desc *f, int16_t version,
                       const json_t *want, const char *msg)
{
    const char *at = msg + f->at;
    if (f->shape == SHAPE_ARRAY) {
        int32_t count = *(const int32_t *)(const void *)(msg + f->aux);
        const char *item = *(const char *const *)(const void *)at;
        if (json_is_null(want))
            return count == -1 && item == NULL;
        if (!json_is_array(want) || (int32_t)json_array_size(want) != count)
            return false;
        static const size_t sizes[] = {[FIELD_BOOL] = 1,
                                       [FIELD_I8] = 1,
                                       [FIELD_I16] = 2,
                                       [FIELD_I32] = 4,
                                       [FIELD_I64] = 8,
                                       [FIELD_UUID] = 16,
                                       [FIELD_STR] = sizeof(struct slice)};
        size_t size = f->type == FIELD_STRUCT ? f->sub->size : sizes[f->type];
        for (int32_t i = 0; i < count; i++)
            if (!same_value(p, f, version, json_array_get(want, (size_t)i),
                            item + size * (size_t)i))
                return false;
        return true;
    }
    if (f->type == FIELD_STRUCT) {
        bool has = *((const bool *)msg + f->aux);
        if (json_is_null(want) || !has)
            return json_is_null(want) && !has;
    }
    return same_value(p, f, version, want, at);
}

/* What a field holds that is not there: its default. */
static bool is_initial(const struct struct_desc *d, const struct field_desc *f, const char *msg)
{
    char *fresh = xcalloc(1, d->size);
    codec_init_defaults(d, fresh);
    bool same;
    if (f->shape == SHAPE_ARRAY)
        same = *(const int32_t *)(const void *)(msg + f->aux) == 0;
    else if (f->type == FIELD_STRUCT)
        same = !*((const bool *)msg + f->aux);
    else if (f->type == FIELD_STR || f->type == FIELD_BYTES)
        same = slice_eq(*(const struct slice *)(const void *)(msg + f->at),
                        *(const struct slice *)(const void *)(fresh + f->at));
    else
        same = memcmp(msg + f->at, fresh + f->at, 1) == 0;
    mem_free(fresh);
    return same;
}

static bool same_struct(struct place *p, const struct struct_desc *d, int16_t version,
                        const json_t *want, const char *msg)
{
    if (!json_is_object(want))
        return mismatch(p, d->name, "no object");
    const json_t *tags = json_object_get(want, "_tagged_fields");
    size_t seen = 0;
    for (int i = 0; i < d->field_count; i++) {
        const struct field_desc *f = &d->fields[i];
        const json_t *v;
        if (f->tag != FIELD_NEVER && version >= f->tag_from) {
            char tag[8];
            snprintf(tag, sizeof tag, "%d", f->tag);
            v = json_object_get(tags, tag);
        } else {
            v = json_object_get(want, f->name);
            seen += v != NULL;
            if ((v != NULL) != (version >= f->from && version <= f->to))
                return mismatch(p, f->name, "there in one of the two only");
        }
        if (!v && !is_initial(d, f, msg))
            return mismatch(p, f->name, "not its default");
        if (v && !same_field(p, f, version, v, msg))
            return !p->reported && mismatch(p, f->name, "another value");
    }
    if (seen + (tags != NULL) != json_object_size(want))
        return mismatch(p, d->name, "unknown fields");
    return true;
}

static void check_truncations(const struct msg_desc *d, int16_t version, struct slice body,
                              struct arena *a, void *msg)
{
    size_t step = MAX((size_t)1, body.n / 40);
    for (size_t n = 0; n < body.n; n += step) {
        /* A copy of its own size, so that a sanitizer sees the first byte too many. */
        char *part = xmalloc(n + 1);
        memcpy(part, body.p, n);
        struct reader r = reader_of(part, n);
        CHECK(codec_decode(d, version, &r, a, msg) != E_OK);
        mem_free(part);
    }
}

/* True when the line was a message that the table has. */
static bool check_line(struct place *p, const json_t *line, struct arena *a)
{
    int16_t key = (int16_t)json_integer_value(json_object_get(line, "api"));
    int16_t version = (int16_t)json_integer_value(json_object_get(line, "version"));
    bool request = strcmp(json_string_value(json_object_get(line, "type")), "request") == 0;
    const struct msg_desc *d = msg_find(key, request ? MSG_REQUEST : MSG_RESPONSE);
    if (!d)
        return false;
    struct strbuf body = STRBUF_INIT, again = STRBUF_INIT;
    CHECK_OK(hex_decode(&body, slice_cstr(json_string_value(json_object_get(line, "hex")))));
    CHECK_INT(msg_is_flexible(d, version), json_is_true(json_object_get(line, "flexible")));
    void *msg = arena_alloc(a, d->body->size);
    memset(msg, 0xa5, d->body->size);
    struct reader r = reader_of(body.p, body.n);
    enum err err = codec_decode(d, version, &r, a, msg);
    if (err != E_OK) {
        mismatch(p, d->name, err_name(err));
    } else {
        CHECK_INT(reader_left(&r), 0);
        same_struct(p, d->body, version, json_object_get(line, "fields"), msg);
        CHECK_OK(codec_encode(d, version, msg, &again));
        if (!slice_eq(strbuf_slice(&again), strbuf_slice(&body)))
            mismatch(p, d->name, "other bytes after encoding");
    }
    check_truncations(d, version, strbuf_slice(&body), a, msg);
    strbuf_release(&body);
    strbuf_release(&again);
    return true;
}

static unsigned check_file(const char *dir, const char *name)
{
    char *path = xasprintf("%s/%s", dir, name);
    char *text = test_read_file(path, NULL);
    mem_free(path);
    CHECK(text != NULL);
    struct slice rest = slice_cstr(text), one;
    struct place p = {name, 0, false};
    struct arena a;
    arena_init(&a, 0, 64 << 20);
    unsigned served = 0;
    while (slice_split(&rest, '\n', &one)) {
        p.line++;
        p.reported = false;
        json_error_t e;
        json_t *line = one.n ? json_loadb(one.p, one.n, 0, &e) : NULL;
        CHECK(line || one.n == 0);
        if (line)
            served += check_line(&p, line, &a);
        json_decref(line);
        arena_reset(&a);
    }
    arena_release(&a);
    mem_free(text);
    return served;
}

static void test_golden(void)
{
    const char *dir = test_shared("golden/frames");
    if (!dir) {
        test_skip("no golden frames beside this tree");
        return;
    }
    char path[500];
    snprintf(path, sizeof path, "%s", dir);
    DIR *d = opendir(path);
    CHECK(d != NULL);
    unsigned files = 0, frames = 0;
    for (struct dirent *e; d && (e = readdir(d));) {
        /* batches.jsonl has records; the client metrics call has another name and other field names
         * since Kafka 4.1, with the same bytes. */
        if (!strstr(e->d_name, ".jsonl") || strcmp(e->d_name, "batches.jsonl") == 0 ||
            strcmp(e->d_name, "ListClientMetricsResources.jsonl") == 0)
            continue;
        unsigned n = check_file(path, e->d_name);
        files += n > 0;
        frames += n;
    }
    closedir(d);
    CHECK(files >= 60);
    CHECK(frames > 1200);
    printf("(%u frames of %u calls) ", frames, files);
}

static const struct test_case tests[] = {{"golden", test_golden}, {NULL, NULL}};
const struct test_suite test_frames = {"broker/proto/frames", tests, NULL, NULL};
