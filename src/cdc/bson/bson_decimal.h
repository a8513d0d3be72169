/* cdc/bson/bson_decimal.h - Decimal128 (IEEE 754-2008, binary integer form) and its text.
 * SPEC: cdc-mongodb 6.5. Thread: any. */
#ifndef WEIR_CDC_BSON_BSON_DECIMAL_H
#define WEIR_CDC_BSON_BSON_DECIMAL_H

#include "base/base.h"
#include "base/err.h"
#include "base/str.h"

#define BSON_DECIMAL_SIZE 16
#define BSON_DECIMAL_TEXT_MAX 48
/* At p, with BSON_DECIMAL_TEXT_MAX bytes of room: "123.45", "1E+3", "NaN", "-Infinity". The end. */
char *bson_decimal_write(char *p, const char raw[BSON_DECIMAL_SIZE]);
/* The reverse. E_INVALID: not a number; E_TOO_LARGE: not without losing digits. */
enum err bson_decimal_parse(struct slice text, char raw[BSON_DECIMAL_SIZE]) MUST_CHECK;

#endif
