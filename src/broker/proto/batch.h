/* broker/proto/batch.h - record batches, magic 2: the bytes that producers send, the log stores and
 * consumers get. SPEC: broker 3.1 (layout), 3.3 (validation), 3.5 (control batches).
 *
 * A batch is a borrowed run of bytes. The accessors read the header in place and trust that
 * BATCH_HEADER_SIZE bytes are there; everything else checks its input. Thread: any. */
#ifndef WEIR_BROKER_PROTO_BATCH_H
#define WEIR_BROKER_PROTO_BATCH_H

#include "base/arena.h"
#include "base/bytes.h"
#include "base/compress.h"
#include "base/err.h"
#include "base/str.h"
#include "broker/proto/kerr.h"

/* --- header ----------------------------------------------------------------------------------- */
#define BATCH_HEADER_SIZE 61
#define BATCH_LOG_OVERHEAD 12 /* base offset and length: what batchLength does not count */
#define BATCH_CRC_FROM 21     /* the checksum covers the bytes from here to the end */

enum batch_attribute {
    BATCH_CODEC_MASK = 0x07,
    BATCH_LOG_APPEND_TIME = 0x08,
    BATCH_TRANSACTIONAL = 0x10,
    BATCH_CONTROL = 0x20,
    BATCH_DELETE_HORIZON = 0x40,
};

#define BATCH_GET(name, type, at, load)                                                            \
    static inline type batch_##name(const void *b)                                                 \
    {                                                                                              \
        return (type)load((const uint8_t *)b + (at));                                              \
    }
BATCH_GET(base_offset, int64_t, 0, load_be64)
BATCH_GET(length, int32_t, 8, load_be32) /* bytes after this field */
BATCH_GET(leader_epoch, int32_t, 12, load_be32)
BATCH_GET(crc, uint32_t, 17, load_be32)
BATCH_GET(attributes, uint16_t, 21, load_be16)
BATCH_GET(last_offset_delta, int32_t, 23, load_be32)
BATCH_GET(base_timestamp, int64_t, 27, load_be64)
BATCH_GET(max_timestamp, int64_t, 35, load_be64)
BATCH_GET(producer_id, int64_t, 43, load_be64)
BATCH_GET(producer_epoch, int16_t, 51, load_be16)
BATCH_GET(base_sequence, int32_t, 53, load_be32)
BATCH_GET(count, int32_t, 57, load_be32)
#undef BATCH_GET
static inline int8_t batch_magic(const void *b)
{
    return (int8_t)((const uint8_t *)b)[16];
}
static inline size_t
batch_size(const void *b) /* whole batch; only after batch_length was checked */
{
    return BATCH_LOG_OVERHEAD + (size_t)(uint32_t)batch_length(b);
}
static inline int64_t batch_last_offset(const void *b)
{
    return (int64_t)((uint64_t)batch_base_offset(b) +
                     (uint64_t)(int64_t)batch_last_offset_delta(b));
}
static inline int batch_codec(const void *b) /* enum codec, or 5..7 */
{
    return batch_attributes(b) & BATCH_CODEC_MASK;
}
static inline bool batch_is_transactional(const void *b)
{
    return (batch_attributes(b) & BATCH_TRANSACTIONAL) != 0;
}
static inline bool batch_is_control(const void *b)
{
    return (batch_attributes(b) & BATCH_CONTROL) != 0;
}
/* Sequence number of the last record; sequences wrap from INT32_MAX to 0. */
static inline int32_t batch_last_sequence(const void *b)
{
    int32_t first = batch_base_sequence(b);
    return first < 0 ? first : (int32_t)(((int64_t)first + batch_last_offset_delta(b)) & INT32_MAX);
}
/* Whether the bytes are one whole batch: length, magic 2, checksum. E_TRUNCATED, E_CORRUPT. */
enum err batch_check(struct slice bytes) MUST_CHECK;
/* Cuts the first entry (whole, by its length; any magic, nothing else checked) off *rest. False
 * when less than one entry is left. */
bool batch_split(struct slice *rest, struct slice *batch);

/* In place. Neither needs a new checksum. */
static inline void batch_assign(void *b, int64_t base_offset, int32_t leader_epoch)
{
    store_be64(b, (uint64_t)base_offset);
    store_be32((uint8_t *)b + 12, (uint32_t)leader_epoch);
}
/* LogAppendTime: sets the bit and the maximum timestamp, and renews the checksum. */
void batch_set_log_append_time(void *b, size_t n, int64_t now_ms);

/* --- validation before an append -------------------------------------------------------------- */
struct batch_rules {
    struct slice topic; /* for texts */
    int32_t partition;
    bool zstd_allowed;    /* false in Produce < 7 */
    bool compacted;       /* records need keys; looks into the records */
    bool deep;            /* looks into the records in any case: count, deltas, every timestamp */
    bool log_append_time; /* message.timestamp.type: the client's times are not checked */
    int64_t now_ms;
    int64_t before_max_ms, after_max_ms; /* message.timestamp.{before,after}.max.ms */
    int64_t max_bytes;                   /* max.message.bytes */
    int64_t segment_bytes;
    size_t max_plain; /* ceiling for decompression; 0 = 256 MiB */
};

struct batch_record_error {
    int32_t index; /* in the batch */
    struct slice message;
};
struct batch_verdict {
    int16_t error; /* enum kerr; KERR_NONE: may be appended */
    struct slice
        message; /* for the partition's ErrorMessage; null: the client's own text is right */
    struct batch_record_error *records; /* in the arena */
    int32_t records_count;
};

/* Judges the RECORDS field of a Produce >= 3 (or the output of legacy_to_batch). Texts and record
 * errors are allocated in a. Returns verdict->error. SPEC: broker 3.3 */
int16_t batch_validate(struct slice bytes, const struct batch_rules *rules, struct arena *a,
                       struct batch_verdict *verdict);

/* --- reading records -------------------------------------------------------------------------- */
struct batch_record {
    int64_t offset;
    int64_t timestamp; /* the maximum one for all records when the batch has LogAppendTime */
    int32_t offset_delta;
    struct slice key, value; /* null is distinct from empty; a null value is a tombstone */
    struct slice headers;    /* as stored, without their count: see batch_header_next */
    int32_t headers_count;
    size_t size; /* encoded, with its length */
};

struct batch_iter {
    struct reader r;
    struct strbuf plain; /* owned; the records when they were compressed */
    int64_t base_offset, base_timestamp, max_timestamp;
    int32_t left;
    bool log_append_time;
    enum err err; /* why batch_iter_next returned false: E_OK at the end */
};

/* Starts at the first record of one whole batch (magic 2, any codec; its checksum is not verified).
 * Slices of records point into the batch or into the iterator. max_plain bounds what decompression
 * may give, 0 = 256 MiB. After an error: batch_iter_release is allowed, not needed.
 * E_TRUNCATED, E_CORRUPT, E_UNSUPPORTED (magic, codec), E_TOO_LARGE, E_NOMEM. */
enum err batch_iter_init(struct batch_iter *it, struct slice batch, size_t max_plain) MUST_CHECK;
bool batch_iter_next(struct batch_iter *it, struct batch_record *out);
void batch_iter_release(struct batch_iter *it);
/* Next header of *headers (start with batch_record.headers); false at the end. A name is never
 * null. */
bool batch_header_next(struct slice *headers, struct slice *name, struct slice *value);

/* --- building --------------------------------------------------------------------------------- */
/* Headers rendered once, for many records. Release with strbuf_release(&h->bytes). */
struct batch_headers {
    struct strbuf bytes;
    int32_t count;
};
#define BATCH_HEADERS_INIT                                                                         \
    {                                                                                              \
        STRBUF_INIT, 0                                                                             \
    }
void batch_headers_add(struct batch_headers *h, struct slice name, struct slice value);
void batch_headers_reset(struct batch_headers *h);

/* Records are encoded as they are added; nothing is allocated per record. Owner: one thread. */
struct batch_builder {
    struct strbuf plain;  /* room for the header, then the records */
    struct strbuf packed; /* the same with compressed records */
    enum codec codec;
    int32_t level;
    int64_t base_timestamp, max_timestamp;
    int64_t producer_id;
    int32_t base_sequence;
    int32_t count;
    int16_t producer_epoch;
    bool transactional;
};

/* max_bytes: ceiling of the uncompressed batch (0 = 256 MiB); level CODEC_LEVEL_DEFAULT is usual.
 */
void batch_builder_init(struct batch_builder *b, enum codec codec, int32_t level, size_t max_bytes);
void batch_builder_release(struct batch_builder *b);
/* Forgets the records, keeps memory, codec and ceiling; the producer becomes none again. */
void batch_builder_reset(struct batch_builder *b);
/* Idempotent or transactional producer of this batch; any time before finish. */
void batch_builder_producer(struct batch_builder *b, int64_t id, int16_t epoch,
                            int32_t base_sequence, bool transactional);
/* Adds a record. Null key or value is kept as null. headers may be NULL. E_TOO_LARGE when the batch
 * would pass its ceiling (the record is not in it then; finish and start anew), E_NOMEM. */
enum err batch_builder_add(struct batch_builder *b, int64_t timestamp, struct slice key,
                           struct slice value, const struct batch_headers *headers) MUST_CHECK;
/* The same with key and value in pieces that are joined; count -1 is null, 0 empty. */
struct batch_text {
    const struct slice *parts;
    int32_t count;
};
enum err batch_builder_add_parts(struct batch_builder *b, int64_t timestamp, struct batch_text key,
                                 struct batch_text value,
                                 const struct batch_headers *headers) MUST_CHECK;
static inline size_t batch_builder_size(const struct batch_builder *b) /* uncompressed */
{
    return b->plain.n;
}
/* Compresses, writes header and checksum; base offset 0, leader epoch -1. *out is borrowed until
 * the next call on b; its bytes may be written to (batch_assign). At least one record must be
 * there. A codec that does not make it smaller is kept all the same. E_NOMEM, E_INVALID,
 * E_TOO_LARGE. */
enum err batch_builder_finish(struct batch_builder *b, struct slice *out) MUST_CHECK;

/* Appends the batch with its records in another codec. Everything else but sizes and checksum
 * stays. Errors as batch_iter_init. */
enum err batch_recompress(struct slice batch, enum codec codec, int32_t level, size_t max_plain,
                          struct strbuf *out) MUST_CHECK;

/* --- control batches -------------------------------------------------------------------------- */
enum control_type { CONTROL_ABORT = 0, CONTROL_COMMIT = 1, CONTROL_UNKNOWN = -1 };

/* Appends an end-of-transaction marker (offset 0, leader epoch -1: batch_assign). SPEC: broker 3.5
 */
void batch_control_build(struct strbuf *out, int64_t timestamp, int64_t producer_id,
                         int16_t producer_epoch, enum control_type type, int32_t coordinator_epoch);
/* Of a whole batch with the control bit. Other types than the two are CONTROL_UNKNOWN, not an
 * error. coordinator_epoch may be NULL. E_CORRUPT, E_TRUNCATED. */
enum err batch_control_parse(struct slice batch, enum control_type *type,
                             int32_t *coordinator_epoch) MUST_CHECK;

#endif
