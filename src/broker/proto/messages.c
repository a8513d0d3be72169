/* broker/proto/messages.c - the descriptors of all Kafka messages, made from the rows of
 * schema_*.def.
 *
 * Three passes over the same rows: fields of each struct, messages, APIs. Nothing is computed at
 * start: everything is constant data. A few small functions look the tables up by key and set
 * defaults. */
#include "broker/proto/messages.h"

/* What the columns of the rows are spelled with. */
#define UP FIELD_NEVER
#define NO FIELD_NEVER
#define REQ MSG_REQUEST
#define RESP MSG_RESPONSE
#define HIDDEN FIELD_NEVER

#define ROW(s, nm, type_, shape_, sub_, aux_, from_, to_, null_, tag_, tag_from_, dflt_)           \
    {.name = #nm,                                                                                  \
     .sub = sub_,                                                                                  \
     .dflt = dflt_,                                                                                \
     .at = offsetof(struct s, nm),                                                                 \
     .aux = aux_,                                                                                  \
     .type = type_,                                                                                \
     .shape = shape_,                                                                              \
     .from = from_,                                                                                \
     .to = to_,                                                                                    \
     .null_from = null_,                                                                           \
     .tag = tag_,                                                                                  \
     .tag_from = tag_from_},

/* --- pass 1: structs -------------------------------------------------------------------------- */
#define API(NAME, name, key, text, from, to)
#define STRUCT(s) static const struct field_desc s##_fields[] = {
#define FLD(s, nm, type, from, to, null, tag, tag_from, dflt)                                      \
    ROW(s, nm, FIELD_##type, SHAPE_ONE, NULL, 0, from, to, null, tag, tag_from, dflt)
#define ARR(s, nm, type, from, to, null, tag, tag_from)                                            \
    ROW(s, nm, FIELD_##type, SHAPE_ARRAY, NULL, offsetof(struct s, nm##_count), from, to, null,    \
        tag, tag_from, 0)
#define SARR(s, nm, sub, from, to, null, tag, tag_from)                                            \
    ROW(s, nm, FIELD_STRUCT, SHAPE_ARRAY, &sub##_desc, offsetof(struct s, nm##_count), from, to,   \
        null, tag, tag_from, 0)
#define SUB(s, nm, sub, from, to, null, tag, tag_from)                                             \
    ROW(s, nm, FIELD_STRUCT, SHAPE_ONE, &sub##_desc, offsetof(struct s, has_##nm), from, to, null, \
        tag, tag_from, 0)
#define END(s)                                                                                     \
    }                                                                                              \
    ;                                                                                              \
    const struct struct_desc s##_desc = {#s, s##_fields, ARRAY_LEN(s##_fields), sizeof(struct s)};
#define MSG(s, key, kind, min, max, flexible)
#include "broker/proto/schema_admin.def"
#include "broker/proto/schema_data.def"
#include "broker/proto/schema_group.def"
#include "broker/proto/schema_txn.def"
#undef STRUCT
#undef FLD
#undef ARR
#undef SARR
#undef SUB
#undef END
#undef MSG

/* --- pass 2: messages ------------------------------------------------------------------------- */
#define STRUCT(s)
#define FLD(s, nm, type, from, to, null, tag, tag_from, dflt)
#define ARR(s, nm, type, from, to, null, tag, tag_from)
#define SARR(s, nm, sub, from, to, null, tag, tag_from)
#define SUB(s, nm, sub, from, to, null, tag, tag_from)
#define END(s)
#define MSG(s, key, kind, min, max, flexible)                                                      \
    const struct msg_desc s##_msg = {                                                              \
        #s, &s##_desc, key, kind, min, max, (flexible) == FIELD_NEVER ? INT16_MAX : (flexible)};
#include "broker/proto/schema_admin.def"
#include "broker/proto/schema_data.def"
#include "broker/proto/schema_group.def"
#include "broker/proto/schema_txn.def"
#undef API
#undef MSG

/* --- pass 3: APIs, indexed by key ------------------------------------------------------------- */
static const struct msg_api apis[KAPI_LIMIT] = {
#define API(NAME, nm, key, text, from, to)                                                         \
    [key] = {text, key, from, (from) == HIDDEN ? -1 : (to), &nm##_request_msg, &nm##_response_msg},
#define MSG(s, key, kind, min, max, flexible)
#include "broker/proto/schema_admin.def"
#include "broker/proto/schema_data.def"
#include "broker/proto/schema_group.def"
#include "broker/proto/schema_txn.def"
};

const struct msg_api *msg_api(int16_t key)
{
    return key >= 0 && key < KAPI_LIMIT && apis[key].name ? &apis[key] : NULL;
}

const struct msg_desc *msg_find(int16_t key, enum msg_kind kind)
{
    const struct msg_api *api = msg_api(key);
    if (!api)
        return NULL;
    return kind == MSG_REQUEST ? api->request : api->response;
}

const struct msg_api *msg_api_at(size_t i)
{
    for (int16_t key = 0; key < KAPI_LIMIT; key++)
        if (apis[key].name && i-- == 0)
            return &apis[key];
    return NULL;
}

bool msg_api_serves(const struct msg_api *api, int16_t version)
{
    return version >= api->min && version <= api->max;
}

/* --- defaults --------------------------------------------------------------------------------- */
static void default_number(const struct field_desc *f, void *at)
{
    switch ((enum field_type)f->type) {
    case FIELD_BOOL:
        *(bool *)at = f->dflt != 0;
        break;
    case FIELD_I8:
        *(int8_t *)at = (int8_t)f->dflt;
        break;
    case FIELD_I16:
        *(int16_t *)at = (int16_t)f->dflt;
        break;
    case FIELD_U16:
        *(uint16_t *)at = (uint16_t)f->dflt;
        break;
    case FIELD_I32:
        *(int32_t *)at = (int32_t)f->dflt;
        break;
    case FIELD_I64:
        *(int64_t *)at = f->dflt;
        break;
    case FIELD_F64:
        *(double *)at = (double)f->dflt;
        break;
    default:
        *(struct slice *)at = f->null_from == FIELD_NEVER ? SL("") : SLICE_NULL;
    }
}

void codec_init_field(const struct field_desc *f, void *msg)
{
    char *at = (char *)msg + f->at;
    if (f->shape == SHAPE_ARRAY) {
        *(void **)(void *)at = NULL;
        *(int32_t *)(void *)((char *)msg + f->aux) = 0;
    } else if (f->type == FIELD_STRUCT) {
        codec_init_defaults(f->sub, at);
        *((bool *)msg + f->aux) = false;
    } else if (f->type == FIELD_UUID) {
        memset(at, 0, sizeof(struct uuid));
    } else {
        default_number(f, at);
    }
}

void codec_init_defaults(const struct struct_desc *d, void *out)
{
    for (int i = 0; i < d->field_count; i++)
        codec_init_field(&d->fields[i], out);
}

void *codec_new_array(const struct struct_desc *d, struct arena *a, int32_t n)
{
    char *all = arena_alloc(a, (size_t)MAX(n, 1) * d->size);
    for (int32_t i = 0; i < n; i++)
        codec_init_defaults(d, all + (size_t)i * d->size);
    return all;
}
