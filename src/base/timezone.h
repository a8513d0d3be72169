/* base/timezone.h - time zones: those of the system's database (/usr/share/zoneinfo, TZif files of
 * RFC 8536) and fixed offsets. Read once, pure afterwards. Thread: any. */
#ifndef WEIR_BASE_TIMEZONE_H
#define WEIR_BASE_TIMEZONE_H

#include "base/base.h"
#include "base/err.h"
#include "base/str.h"

struct timezone;
/* "Asia/Seoul", "UTC", "Z", "+09:00", "-05:30:15". E_NOT_FOUND: no zone of that name. */
enum err timezone_open(struct timezone **out, struct slice name, struct error *e) MUST_CHECK;
/* From the bytes of a TZif file. E_CORRUPT. */
enum err timezone_parse(struct timezone **out, struct slice file, struct error *e) MUST_CHECK;
void timezone_close(struct timezone *z); /* NULL allowed */
/* Seconds east of UTC at a moment (seconds since 1970). */
int32_t timezone_offset(const struct timezone *z, int64_t utc_s);
/* The same for what clocks of the zone show, as seconds since 1970 as if they were UTC. Where clocks
 * show it twice or never, the offset before the change, as Java has it. */
int32_t timezone_offset_local(const struct timezone *z, int64_t local_s);

#endif
