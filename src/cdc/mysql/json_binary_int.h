/* cdc/mysql/json_binary_int.h - internal to json_binary.c and json_partial.c. Pure; thread: any. */
#ifndef WEIR_CDC_MYSQL_JSON_BINARY_INT_H
#define WEIR_CDC_MYSQL_JSON_BINARY_INT_H

#include "cdc/mysql/json_binary.h"

enum {
    J_SMALL_OBJECT = 0,
    J_LARGE_OBJECT = 1,
    J_SMALL_ARRAY = 2,
    J_LARGE_ARRAY = 3,
    J_LITERAL = 4,
    J_INT16 = 5,
    J_UINT16 = 6,
    J_INT32 = 7,
    J_UINT32 = 8,
    J_INT64 = 9,
    J_UINT64 = 10,
    J_DOUBLE = 11,
    J_STRING = 12,
    J_OPAQUE = 15,
};

struct walk {
    struct strbuf *out;
    struct error *e;
    uint64_t budget; /* nodes left: each takes at least a byte of honest input */
};

struct container {
    struct slice data; /* from the count on */
    bool object, large;
    uint32_t count;
    uint32_t keys_at, values_at; /* of the entries */
};

enum err json_bad(const struct walk *w, const char *what) MUST_CHECK; /* E_CORRUPT with words */
enum err json_container_open(const struct walk *w, uint8_t type, struct slice data,
                             struct container *c) MUST_CHECK;
enum err json_container_key(const struct walk *w, const struct container *c, uint32_t i,
                            struct slice *out) MUST_CHECK;
/* Type and bytes of a member; small values stand in the entry itself. */
enum err json_container_value(const struct walk *w, const struct container *c, uint32_t i,
                              uint8_t *type, struct slice *out) MUST_CHECK;
/* Appends the text of a value. */
enum err json_value(struct walk *w, uint8_t type, struct slice data, unsigned depth) MUST_CHECK;

#endif
