/* broker/proto/codec.h - reads and writes the body and header of any Kafka message by its table
 * row.
 *
 * Handlers get a decoded struct and fill another; nobody else reads or writes protocol bytes.
 * Decoded strings, bytes and records are slices of the frame: it must outlive them. Thread: any.
 *
 * Large answers: the bytes of a RECORDS field may be left out of the buffer. The handler sets the
 * field to codec_out_of_band(length); the encoder writes the length, notes a cut, and goes on:
 *
 *   out:  [...header, fields, length][next fields, length][rest]
 *                                    ^ cuts.v[0].at       ^ cuts.v[1].at
 *
 * The connection then sends out up to the first cut, `length` bytes from elsewhere (a file range),
 * out up to the second cut, and so on. The frame's size counts those bytes. */
#ifndef WEIR_BROKER_PROTO_CODEC_H
#define WEIR_BROKER_PROTO_CODEC_H

#include "base/arena.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/str.h"
#include "broker/proto/messages.h"
#include "broker/proto/schema.h"

struct request_header {
    int16_t api_key, api_version;
    int32_t correlation_id;
    struct slice client_id; /* never null: a null client id is read as the empty one */
};

struct codec_cut {
    size_t at;                 /* position in the strbuf (from its first byte, not the frame's) */
    size_t length;             /* bytes to be sent there, > 0 */
    const struct slice *field; /* the RECORDS field in the message: container_of tells its struct */
};

/* Room is given by the caller, who knows how many fields were left out. In the order of `at`. */
struct codec_cuts {
    struct codec_cut *v;
    size_t count, max;
};

/* Value of a RECORDS field whose bytes come from elsewhere; length 0 is the empty slice. */
extern const char codec_elsewhere[1];
static inline struct slice codec_out_of_band(size_t length)
{
    return slice_of(codec_elsewhere, length);
}

/* Body. *out is a struct d->name; fields that the version lacks get their defaults; bytes that are
 * left over after the body are not an error (r tells). Arrays come from the arena and count against
 * its budget. E_UNSUPPORTED (version), E_TRUNCATED, E_CORRUPT (null where it can't be, impossible
 * count, bad varint, tag of another size), E_TOO_LARGE (budget); *out is undefined then. */
enum err codec_decode(const struct msg_desc *d, int16_t version, struct reader *r, struct arena *a,
                      void *out) MUST_CHECK;
/* Appends the body. Null where null is not allowed is written as empty; values of fields that the
 * version lacks are left out. E_UNSUPPORTED, E_TOO_LARGE, E_NOMEM, E_INVALID (out-of-band field).
 */
enum err codec_encode(const struct msg_desc *d, int16_t version, const void *msg,
                      struct strbuf *out) MUST_CHECK;

/* Headers. The request's: E_TRUNCATED or E_CORRUPT; an unknown key or version is no error here. */
enum err codec_decode_request_header(struct reader *r, struct request_header *h) MUST_CHECK;
enum err codec_decode_response_header(struct reader *r, const struct msg_desc *d, int16_t version,
                                      int32_t *correlation_id) MUST_CHECK;

/* Whole frames with their size, appended to out. cuts may be NULL: out-of-band fields are E_INVALID
 * then; too few: E_TOO_LARGE. On failure out is cut back to what it held.
 * SPEC: broker 1.2 (ApiVersions answers have the old header at every version). */
enum err codec_encode_request(const struct msg_desc *d, const struct request_header *h,
                              const void *msg, struct strbuf *out) MUST_CHECK;
enum err codec_encode_response(const struct msg_desc *d, int16_t version, int32_t correlation_id,
                               const void *msg, struct strbuf *out,
                               struct codec_cuts *cuts) MUST_CHECK;

/* Appends the message as one line for the trace log: "metadata_request v9 {topics=[{name=a}] ...}".
 * Secrets print as [hidden], bytes and records by their length; arrays and strings are shortened.
 */
void codec_trace(const struct msg_desc *d, int16_t version, const void *msg, struct strbuf *out);

#endif
