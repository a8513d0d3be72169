/* cdc/mongodb/token.c - see token.h. Digits are read up to where they are of use; what follows may
 * be anything. */
#include "cdc/mongodb/token.h"

#include "cdc/bson/bson_view.h"

enum {
    KIND_TIME = 0x82,
    KIND_ZERO = 0x29, /* a number; 0x2A plus n: n bytes follow */
    KIND_ONE_BYTE = 0x2b,
    KIND_LAST_NUMBER = 0x32,
    KIND_FALSE = 0x6e,
    KIND_TRUE = 0x6f,
    KIND_BINARY = 0x5a,
    UUID_BYTES = 16,
    UUID_SUBTYPE = 4
};

static int digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                  : -1;
}

/* The byte at *at of a hexadecimal text, or -1; moves on. */
static int byte_at(struct slice hex, size_t *at)
{
    if (*at + 2 > hex.n)
        return -1;
    int high = digit(hex.p[*at]), low = digit(hex.p[*at + 1]);
    *at += 2;
    return high < 0 || low < 0 ? -1 : high << 4 | low;
}

static bool read_u32(struct slice hex, size_t *at, uint32_t *out)
{
    uint32_t value = 0;
    for (int i = 0; i < 4; i++) {
        int byte = byte_at(hex, at);
        if (byte < 0)
            return false;
        value = value << 8 | (uint32_t)byte;
    }
    *out = value;
    return true;
}

/* A whole number that is not negative. */
static bool skip_number(struct slice hex, size_t *at)
{
    int kind = byte_at(hex, at);
    if (kind < KIND_ZERO || kind > KIND_LAST_NUMBER || kind == KIND_ZERO + 1)
        return false;
    *at += kind == KIND_ZERO ? 0 : 2 * (size_t)(kind - KIND_ZERO - 1);
    return true;
}

/* The digits, *at behind the time. Null slice: it has none. */
static struct slice read_time(struct slice token, size_t *at, uint32_t *seconds,
                              uint32_t *increment)
{
    struct bson_item data;
    if (!token.n || !bson_find(token, SL("_data"), &data))
        return SLICE_NULL;
    struct slice hex = bson_text(&data);
    *at = 0;
    return byte_at(hex, at) == KIND_TIME && read_u32(hex, at, seconds) &&
                   read_u32(hex, at, increment)
               ? hex
               : SLICE_NULL;
}

bool mongo_token_time(struct slice token, uint32_t *seconds, uint32_t *increment)
{
    size_t at;
    return read_time(token, &at, seconds, increment).p != NULL;
}

/* Behind the version is the kind of token: 0, or an event's. */
bool mongo_token_between(struct slice token)
{
    uint32_t seconds, increment;
    size_t at;
    struct slice hex = read_time(token, &at, &seconds, &increment);
    return hex.p && byte_at(hex, &at) == KIND_ONE_BYTE && byte_at(hex, &at) >= 0 &&
           byte_at(hex, &at) == KIND_ZERO;
}

bool mongo_token_uuid(struct slice token, char uuid[16])
{
    uint32_t seconds, increment;
    size_t at;
    struct slice hex = read_time(token, &at, &seconds, &increment);
    if (!hex.p || !skip_number(hex, &at) || !skip_number(hex, &at) || !skip_number(hex, &at))
        return false;
    int flag = byte_at(hex, &at);
    if ((flag != KIND_FALSE && flag != KIND_TRUE) || byte_at(hex, &at) != KIND_BINARY ||
        byte_at(hex, &at) != UUID_BYTES || byte_at(hex, &at) != UUID_SUBTYPE)
        return false;
    for (size_t i = 0; i < UUID_BYTES; i++) {
        int byte = byte_at(hex, &at);
        if (byte < 0)
            return false;
        uuid[i] = (char)byte;
    }
    return true;
}
