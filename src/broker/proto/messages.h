/* broker/proto/messages.h - a C struct for every Kafka message, and the table of them.
 *
 * Made from the rows of schema_*.def (explained in schema.h). A row of the table becomes:
 *
 *   FLD   int16_t acks;                       numbers, bool, struct uuid
 *         struct slice client_id;             strings, bytes and records; p == NULL is null
 *   ARR   int32_t *replicas; int32_t replicas_count;
 *   SARR  struct metadata_request_topic *topics; int32_t topics_count;
 *         count -1 (pointer NULL) is the null array, 0 the empty one
 *   SUB   struct x cursor; bool has_cursor;   has_cursor false: null, or the tagged field is
 * absent; no meaning where a struct can't be missing
 *
 * Besides the struct, each STRUCT(s) gives: s_desc; s_init(p), which sets the defaults; and
 * s_array(arena, n), n elements with their defaults, in the arena (aborts on no memory, does not
 * look at the budget: for counts that a decoded request or weir's own state bounds). Each MSG(s)
 * gives s_msg, to be handed to the codec. A struct of zeros is valid too: numbers 0, strings null
 * (written as empty where null is not allowed), arrays empty, optional structs absent.
 *
 * Names are Kafka's in snake case; nested structs are <message>_<singular of the field>. Decoded
 * slices point into the frame, arrays into the arena given to codec_decode. Thread: any. */
#ifndef WEIR_BROKER_PROTO_MESSAGES_H
#define WEIR_BROKER_PROTO_MESSAGES_H

#include "base/arena.h"
#include "base/bytes.h"
#include "base/str.h"
#include "broker/proto/schema.h"

/* Sets every field to its default; arrays empty, strings null where allowed, else empty. */
void codec_init_defaults(const struct struct_desc *d, void *out);
void codec_init_field(const struct field_desc *f, void *msg); /* one field of the struct at msg */
void *codec_new_array(const struct struct_desc *d, struct arena *a, int32_t n)
    __attribute__((returns_nonnull));

#define C_BOOL bool
#define C_I8 int8_t
#define C_I16 int16_t
#define C_I32 int32_t
#define C_I64 int64_t
#define C_U16 uint16_t
#define C_F64 double
#define C_UUID struct uuid
#define C_STR struct slice
#define C_SECRET_STR struct slice
#define C_BYTES struct slice
#define C_SECRET_BYTES struct slice
#define C_RECORDS struct slice

#define API(NAME, name, key, text, from, to)
#define STRUCT(s) struct s {
#define FLD(s, name, type, from, to, null_from, tag, tag_from, dflt) C_##type name;
#define ARR(s, name, type, from, to, null_from, tag, tag_from)                                     \
    C_##type *name;                                                                                \
    int32_t name##_count;
#define SARR(s, name, sub, from, to, null_from, tag, tag_from)                                     \
    struct sub *name;                                                                              \
    int32_t name##_count;
#define SUB(s, name, sub, from, to, null_from, tag, tag_from)                                      \
    struct sub name;                                                                               \
    bool has_##name;
#define END(s)                                                                                     \
    }                                                                                              \
    ;                                                                                              \
    extern const struct struct_desc s##_desc;                                                      \
    static inline void s##_init(struct s *p)                                                       \
    {                                                                                              \
        codec_init_defaults(&s##_desc, p);                                                         \
    }                                                                                              \
    static inline struct s *s##_array(struct arena *a, int32_t n)                                  \
    {                                                                                              \
        return codec_new_array(&s##_desc, a, n);                                                   \
    }
#define MSG(s, key, kind, min, max, flexible) extern const struct msg_desc s##_msg;

#include "broker/proto/schema_admin.def"
#include "broker/proto/schema_data.def"
#include "broker/proto/schema_group.def"
#include "broker/proto/schema_txn.def"

#undef C_BOOL
#undef C_I8
#undef C_I16
#undef C_I32
#undef C_I64
#undef C_U16
#undef C_F64
#undef C_UUID
#undef C_STR
#undef C_SECRET_STR
#undef C_BYTES
#undef C_SECRET_BYTES
#undef C_RECORDS
#undef API
#undef STRUCT
#undef FLD
#undef ARR
#undef SARR
#undef SUB
#undef END
#undef MSG

/* KAPI_PRODUCE = 0, KAPI_FETCH = 1, ... */
enum kapi {
#define API(NAME, name, key, text, from, to) KAPI_##NAME = key,
#define STRUCT(s)
#define FLD(s, name, type, from, to, null_from, tag, tag_from, dflt)
#define ARR(s, name, type, from, to, null_from, tag, tag_from)
#define SARR(s, name, sub, from, to, null_from, tag, tag_from)
#define SUB(s, name, sub, from, to, null_from, tag, tag_from)
#define END(s)
#define MSG(s, key, kind, min, max, flexible)
#include "broker/proto/schema_admin.def"
#include "broker/proto/schema_data.def"
#include "broker/proto/schema_group.def"
#include "broker/proto/schema_txn.def"
#undef API
#undef STRUCT
#undef FLD
#undef ARR
#undef SARR
#undef SUB
#undef END
#undef MSG
    KAPI_LIMIT = 128 /* every key is below */
};

/* NULL for a key that the table does not have. */
const struct msg_api *msg_api(int16_t key);
const struct msg_desc *msg_find(int16_t key, enum msg_kind kind);
/* All APIs in the order of their keys: i = 0 .. until NULL. */
const struct msg_api *msg_api_at(size_t i);
/* Whether weir advertises this version. (ApiVersions lists an API only when a handler exists too.)
 */
bool msg_api_serves(const struct msg_api *api, int16_t version);

static inline bool msg_is_flexible(const struct msg_desc *d, int16_t version)
{
    return version >= d->flexible_from;
}

#endif
