/* base/compress.h - the record batch codecs. Output is bounded; input is never trusted. Thread:
 * any. */
#ifndef WEIR_BASE_COMPRESS_H
#define WEIR_BASE_COMPRESS_H

#include "base/str.h"

enum codec { CODEC_NONE = 0, CODEC_GZIP = 1, CODEC_SNAPPY = 2, CODEC_LZ4 = 3, CODEC_ZSTD = 4 };

const char *codec_name(enum codec c); /* "none", "gzip", ... */
enum err codec_parse(struct slice name, enum codec *out) MUST_CHECK;
#define CODEC_LEVEL_DEFAULT INT32_MIN
/* Appends to out, whose max is the ceiling. Snappy is written in xerial framing.
 * SPEC: broker 3.4. E_NOMEM, E_TOO_LARGE, E_INVALID (level). */
enum err codec_compress(enum codec c, int32_t level, struct slice in,
                        struct strbuf *out) MUST_CHECK;
/* Appends to out; over out->max: E_TOO_LARGE. Accepts xerial and raw snappy, several gzip members,
 * LZ4 frames (magic0_lz4: the wrong header checksum of old clients too). E_CORRUPT. */
enum err codec_decompress(enum codec c, struct slice in, bool magic0_lz4,
                          struct strbuf *out) MUST_CHECK;

#endif
