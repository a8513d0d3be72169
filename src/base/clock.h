/* base/clock.h - time, replaceable in tests. Thread: any. */
#ifndef WEIR_BASE_CLOCK_H
#define WEIR_BASE_CLOCK_H

#include "base/base.h"

int64_t clock_wall_ms(void); /* since 1970 */
int64_t clock_wall_us(void);
int64_t clock_mono_ms(void); /* never goes back; any start */
int64_t clock_mono_us(void);
/* "2026-01-01T00:00:00.123Z": so many seconds since 1970 in UTC, and of the second a fraction that
 * has so many digits (0 to 6; 0: "...00Z"). Years before 1000 and beyond 9999 have what digits they
 * need, at least four. Returns out. */
#define CLOCK_ISO_SIZE 48
char *clock_iso(char out[CLOCK_ISO_SIZE], int64_t seconds, int32_t fraction, int digits);
/* Names this start of the machine: another one after each reboot; "" when it is not known. */
#define CLOCK_BOOT_ID_SIZE 40
void clock_boot_id(char out[CLOCK_BOOT_ID_SIZE]);
/* Tests: freeze both clocks at these values (ms) and move them; clock_real ends it. */
void clock_fake(int64_t wall_ms, int64_t mono_ms);
void clock_fake_advance(int64_t ms);
void clock_real(void);

#endif
