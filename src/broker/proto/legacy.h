/* broker/proto/legacy.h - message sets of magic 0 and 1, as clients before Kafka 0.11 speak them.
 *
 * The log holds magic 2 only. Produce 0-2 is converted on the way in, Fetch 0-3 on the way out.
 * SPEC: broker 3.6. Thread: any. */
#ifndef WEIR_BROKER_PROTO_LEGACY_H
#define WEIR_BROKER_PROTO_LEGACY_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "broker/proto/batch.h"

struct legacy_message {
    int64_t offset;    /* absolute; in a set from a producer 0, 1, 2, ... or whatever it sent */
    int64_t timestamp; /* -1 in magic 0 */
    struct slice key, value;
    int8_t magic;
    bool log_append_time;
};

/* Goes through a message set, into compressed messages too. Checks every checksum. Slices point
 * into the set or into the iterator (good until the next call of next). */
struct legacy_iter {
    struct reader r;
    struct strbuf plain; /* owned: the inner set of the wrapper being read */
    struct reader inner;
    size_t max_plain;
    int64_t inner_shift; /* what makes inner offsets absolute */
    int64_t wrapper_timestamp;
    bool inside, wrapper_log_append;
    int8_t wrapper_magic;
    int codec;    /* of the wrapper last entered, 0 before that */
    enum err err; /* why next returned false: E_OK at the end */
};
/* max_plain: ceiling for one decompressed inner set, 0 = 256 MiB. */
void legacy_iter_init(struct legacy_iter *it, struct slice set, size_t max_plain);
bool legacy_iter_next(struct legacy_iter *it, struct legacy_message *out);
void legacy_iter_release(struct legacy_iter *it);

/* Appends one batch of magic 2 with all messages of the set (offsets 0, 1, 2 ...), in the codec of
 * its first compressed message. Judge the result with batch_validate (rules->deep set). Returns a
 * Kafka error code: KERR_NONE, KERR_CORRUPT_MESSAGE, KERR_UNSUPPORTED_COMPRESSION_TYPE,
 * KERR_INVALID_RECORD (empty set, or magic 2), KERR_MESSAGE_TOO_LARGE. */
int16_t legacy_to_batch(struct slice set, size_t max_plain, struct strbuf *out);

/* Appends one magic 2 batch as messages of magic 0 or 1, without its headers; offsets stay. Records
 * below from_offset are left out; control batches give nothing. A compressed batch becomes a
 * compressed message. E_UNSUPPORTED for zstd (answer 76), else as batch_iter_init. */
enum err legacy_from_batch(struct slice batch, int magic, int64_t from_offset, size_t max_plain,
                           struct strbuf *out) MUST_CHECK;

#endif
