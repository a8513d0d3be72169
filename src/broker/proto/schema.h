/* broker/proto/schema.h - what a row of schema_*.def means, and the descriptors made of the rows.
 *
 * The .def files are included several times with different macros: messages.h makes C structs of
 * them, messages.c makes descriptors, codec.c walks the descriptors. Rows, in wire order:
 *
 *   API(NAME, name, key, "Name", from, to)    versions that weir advertises; HIDDEN: none
 *   STRUCT(s) ... END(s)                      a struct; nested ones stand before the outer one
 *   FLD(s, field, TYPE, from, to, null_from, tag, tag_from, default)
 *   ARR(s, field, TYPE, from, to, null_from, tag, tag_from)     array of a primitive type
 *   SARR(s, field, sub, from, to, null_from, tag, tag_from)     array of struct sub
 *   SUB(s, field, sub, from, to, null_from, tag, tag_from)      struct sub inside
 *   MSG(s, key, REQ|RESP, min, max, flexible_from)              struct s is a message body;
 * versions that the codec knows
 *
 * from, to: versions that have the field (UP: no end). null_from: first version in which null is
 * allowed (NO: never). tag: number of a tagged field (NO: plain) and the version from which it is
 * one. default: what absent fields hold; strings and bytes are null when null is allowed, else
 * empty. TYPE: BOOL I8 I16 I32 I64 U16 F64 UUID STR BYTES RECORDS, SECRET_STR and SECRET_BYTES (as
 * STR and BYTES, never printed). SPEC: broker 1.3, 14. Everything here is constant; thread: any. */
#ifndef WEIR_BROKER_PROTO_SCHEMA_H
#define WEIR_BROKER_PROTO_SCHEMA_H

#include "base/base.h"

enum field_type {
    FIELD_BOOL,
    FIELD_I8,
    FIELD_I16,
    FIELD_I32,
    FIELD_I64,
    FIELD_U16,
    FIELD_F64,
    FIELD_UUID,
    FIELD_STR,
    FIELD_SECRET_STR,
    FIELD_BYTES,
    FIELD_SECRET_BYTES,
    FIELD_RECORDS,
    FIELD_STRUCT, /* sub tells which */
};

enum field_shape { SHAPE_ONE, SHAPE_ARRAY };

struct struct_desc;

struct field_desc {
    const char *name;
    const struct struct_desc *sub; /* FIELD_STRUCT only */
    int64_t dflt;                  /* numbers only */
    uint16_t at;                   /* offset of the value; of the pointer when an array */
    uint16_t aux;                  /* offset of the count (arrays) or of has_<name> (structs) */
    uint8_t type;                  /* enum field_type */
    uint8_t shape;                 /* enum field_shape */
    int8_t from, to;
    int8_t null_from; /* FIELD_NEVER: null is not allowed */
    int8_t tag;       /* FIELD_NEVER: not tagged */
    int8_t tag_from;
};

#define FIELD_NEVER INT8_MAX

struct struct_desc {
    const char *name; /* "metadata_request_topic" */
    const struct field_desc *fields;
    uint16_t field_count;
    uint16_t size; /* sizeof the C struct */
};

enum msg_kind { MSG_REQUEST, MSG_RESPONSE };

struct msg_desc {
    const char *name; /* "metadata_request" */
    const struct struct_desc *body;
    int16_t api_key;
    uint8_t kind;          /* enum msg_kind */
    int16_t min, max;      /* versions that the codec reads and writes */
    int16_t flexible_from; /* INT16_MAX: no version is flexible */
};

struct msg_api {
    const char *name; /* as clients print it: "Metadata" */
    int16_t key;
    int16_t min, max; /* versions that weir advertises; min > max: none */
    const struct msg_desc *request, *response;
};

#endif
