/* cdc/mysql/decimal.h - DECIMAL columns: binlog bytes and text to Kafka Connect's Decimal.
 *
 * Unscaled values are minimal two's complement, big-endian. Up to 18 digits everything is done in
 * one 64-bit number; above, in base 1e9 limbs. SPEC: cdc-mysql 4.2, 6.1. Pure; thread: any. */
#ifndef WEIR_CDC_MYSQL_DECIMAL_H
#define WEIR_CDC_MYSQL_DECIMAL_H

#include "base/base.h"
#include "base/err.h"
#include "base/str.h"

#define DECIMAL_MAX_PRECISION 65
#define DECIMAL_MAX_SCALE 38
#define DECIMAL_UNSCALED_MAX 32 /* bytes of the largest unscaled value: 76 digits fit */
#define DECIMAL_TEXT_MAX 96

/* Bytes of a value in a row image; 0 when precision or scale is out of range. */
size_t decimal_binary_size(unsigned precision, unsigned scale);
/* Binlog bytes (exactly decimal_binary_size of them) to the unscaled value. Returns its length in
 * out. E_CORRUPT: a group above its digits; E_TRUNCATED: n is too small. */
enum err decimal_unscaled(const uint8_t *p, size_t n, unsigned precision, unsigned scale,
                          uint8_t out[DECIMAL_UNSCALED_MAX], size_t *out_n) MUST_CHECK;
/* Binlog bytes to plain text with exactly `scale` digits behind the point: "-12.30". */
enum err decimal_text(const uint8_t *p, size_t n, unsigned precision, unsigned scale,
                      char out[DECIMAL_TEXT_MAX], size_t *out_n) MUST_CHECK;
/* Plain or exponent text ("123.4", "-.5", "1e3") to the unscaled value at `scale`; digits beyond it
 * are rounded half up. E_INVALID: not a number; E_TOO_LARGE: more than 76 digits. */
enum err decimal_parse(struct slice text, unsigned scale, uint8_t out[DECIMAL_UNSCALED_MAX],
                       size_t *out_n) MUST_CHECK;
/* Text rescaled half up to plain notation with `scale` digits. Same errors. */
enum err decimal_rescale_text(struct slice text, unsigned scale, char out[DECIMAL_TEXT_MAX],
                              size_t *out_n) MUST_CHECK;
/* Signed 64-bit value to its minimal bytes; returns the length (1..8; unsigned: 1..9). */
size_t decimal_from_i64(int64_t v, uint8_t out[DECIMAL_UNSCALED_MAX]);
size_t decimal_from_u64(uint64_t v, uint8_t out[DECIMAL_UNSCALED_MAX]);

#endif
