/* base/bytes.h - bounds-checked reading and writing of numbers, and text forms of bytes.
 *
 * The reader has a sticky error: reading past the end gives zeros and sets err, so a decoder checks
 * once per structure. Functions are inline where the codec and the binlog decoder need them. */
#ifndef WEIR_BASE_BYTES_H
#define WEIR_BASE_BYTES_H

#include "base/base.h"
#include "base/err.h"
#include "base/str.h"

struct reader {
    const uint8_t *at, *end;
    enum err err; /* E_OK, or the first failure (E_TRUNCATED, E_CORRUPT) */
};

static inline struct reader reader_of(const void *p, size_t n)
{
    const uint8_t *at = p ? p : (const uint8_t *)""; /* NULL + 0 is not allowed in C */
    return (struct reader){at, at + n, E_OK};
}
static inline size_t reader_left(const struct reader *r)
{
    return (size_t)(r->end - r->at);
}
static inline void reader_fail(struct reader *r, enum err e)
{
    if (r->err == E_OK)
        r->err = e;
    r->at = r->end;
}
/* The next n bytes, or NULL (and E_TRUNCATED). */
static inline const uint8_t *reader_take(struct reader *r, size_t n)
{
    if (UNLIKELY(reader_left(r) < n)) {
        reader_fail(r, E_TRUNCATED);
        return NULL;
    }
    const uint8_t *p = r->at;
    r->at += n;
    return p;
}

/* Unaligned loads and stores; be = network order (Kafka), le = little endian (MySQL, BSON). */
#define BYTES_LOAD(name, type, swap)                                                               \
    static inline type name(const void *p)                                                         \
    {                                                                                              \
        type v;                                                                                    \
        memcpy(&v, p, sizeof v);                                                                   \
        return swap(v);                                                                            \
    }
#define BYTES_STORE(name, type, swap)                                                              \
    static inline void name(void *p, type v)                                                       \
    {                                                                                              \
        v = swap(v);                                                                               \
        memcpy(p, &v, sizeof v);                                                                   \
    }
#define BYTES_SAME(v) (v)
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "weir is written for little-endian machines");
BYTES_LOAD(load_be16, uint16_t, __builtin_bswap16)
BYTES_LOAD(load_be32, uint32_t, __builtin_bswap32)
BYTES_LOAD(load_be64, uint64_t, __builtin_bswap64)
BYTES_LOAD(load_le16, uint16_t, BYTES_SAME)
BYTES_LOAD(load_le32, uint32_t, BYTES_SAME)
BYTES_LOAD(load_le64, uint64_t, BYTES_SAME)
BYTES_STORE(store_be16, uint16_t, __builtin_bswap16)
BYTES_STORE(store_be32, uint32_t, __builtin_bswap32)
BYTES_STORE(store_be64, uint64_t, __builtin_bswap64)
BYTES_STORE(store_le16, uint16_t, BYTES_SAME)
BYTES_STORE(store_le32, uint32_t, BYTES_SAME)
BYTES_STORE(store_le64, uint64_t, BYTES_SAME)
static inline uint32_t load_le24(const void *p)
{
    const uint8_t *b = p;
    return (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16;
}
static inline uint64_t load_le48(const void *p)
{
    return (uint64_t)load_le32(p) | (uint64_t)load_le16((const uint8_t *)p + 4) << 32;
}

static inline uint8_t read_u8(struct reader *r)
{
    const uint8_t *p = reader_take(r, 1);
    return p ? *p : 0;
}
#define BYTES_READ(name, type, load)                                                               \
    static inline type name(struct reader *r)                                                      \
    {                                                                                              \
        const uint8_t *p = reader_take(r, sizeof(type));                                           \
        return p ? (type)load(p) : 0;                                                              \
    }
BYTES_READ(read_be16, uint16_t, load_be16)
BYTES_READ(read_be32, uint32_t, load_be32)
BYTES_READ(read_be64, uint64_t, load_be64)
BYTES_READ(read_le16, uint16_t, load_le16)
BYTES_READ(read_le32, uint32_t, load_le32)
BYTES_READ(read_le64, uint64_t, load_le64)
static inline uint64_t read_le_n(struct reader *r, size_t n) /* n = 1..8 */
{
    const uint8_t *p = reader_take(r, n);
    uint64_t v = 0;
    for (size_t i = 0; p && i < n; i++)
        v |= (uint64_t)p[i] << (8 * i);
    return v;
}
static inline struct slice read_slice(struct reader *r, size_t n) /* null slice when too short */
{
    const uint8_t *p = reader_take(r, n);
    return p ? slice_of(p, n) : SLICE_NULL;
}
/* Kafka's unsigned varint: 7 bits a byte, low group first, at most 5 bytes (10 for _64). */
uint32_t read_uvarint(struct reader *r);
uint64_t read_uvarint64(struct reader *r);
int32_t read_varint(struct reader *r);  /* zig-zag */
int64_t read_varlong(struct reader *r); /* zig-zag */
uint64_t read_lenenc(struct reader *r); /* MySQL length-encoded integer; 0xfb is E_CORRUPT */

/* Encoded sizes, and writers that return the end; the caller has reserved the room. */
size_t uvarint_size(uint64_t v);
static inline size_t varint_size(int64_t v)
{
    return uvarint_size(((uint64_t)v << 1) ^ (uint64_t)(v >> 63));
}
uint8_t *write_uvarint(uint8_t *p, uint64_t v);
static inline uint8_t *write_varint(uint8_t *p, int64_t v)
{
    return write_uvarint(p, ((uint64_t)v << 1) ^ (uint64_t)(v >> 63));
}
void strbuf_add_be16(struct strbuf *b, uint16_t v);
void strbuf_add_be32(struct strbuf *b, uint32_t v);
void strbuf_add_be64(struct strbuf *b, uint64_t v);
void strbuf_add_uvarint(struct strbuf *b, uint64_t v);
void strbuf_add_varint(struct strbuf *b, int64_t v);

/* Text forms. Encoders append; decoders append the bytes or return E_INVALID. */
void hex_encode(struct strbuf *b, struct slice s);
enum err hex_decode(struct strbuf *b, struct slice s) MUST_CHECK;
void base64_encode(struct strbuf *b, struct slice s); /* with padding */
enum err base64_decode(struct strbuf *b, struct slice s) MUST_CHECK;
void base64url_encode(struct strbuf *b, struct slice s); /* URL-safe, no padding */
enum err base64url_decode(struct strbuf *b, struct slice s) MUST_CHECK;

/* Kafka's UUIDs: 16 bytes, shown as 22 characters of base64url. */
struct uuid {
    uint8_t b[16];
};
#define UUID_TEXT_SIZE 23
void uuid_random(struct uuid *u); /* v4, never one that Kafka reserves, nor one starting with '-' */
bool uuid_is_zero(const struct uuid *u);
void uuid_text(const struct uuid *u, char out[UUID_TEXT_SIZE]);
#define UUID_DASHED_SIZE 37
/* Java's form: 8-4-4-4-12 digits. */
void uuid_dashed(const struct uuid *u, char out[UUID_DASHED_SIZE]);
enum err uuid_parse(struct slice s, struct uuid *out) MUST_CHECK;
void bytes_random(void *p, size_t n); /* from the system's generator */

/* No byte is above 0x7f. */
static inline bool bytes_are_ascii(const void *bytes, size_t n)
{
    const uint8_t *p = bytes, *end = p + n;
    uint64_t high = 0;
    for (; end - p >= 8; p += 8)
        high |= load_le64(p);
    for (; p < end; p++)
        high |= *p;
    return !(high & UINT64_C(0x8080808080808080));
}

#endif
