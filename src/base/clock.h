/* base/clock.h - time, replaceable in tests. Thread: any. */
#ifndef WEIR_BASE_CLOCK_H
#define WEIR_BASE_CLOCK_H

#include "base/base.h"

int64_t clock_wall_ms(void); /* since 1970 */
int64_t clock_wall_us(void);
int64_t clock_mono_ms(void); /* never goes back; any start */
int64_t clock_mono_us(void);
/* Names this start of the machine: another one after each reboot; "" when it is not known. */
#define CLOCK_BOOT_ID_SIZE 40
void clock_boot_id(char out[CLOCK_BOOT_ID_SIZE]);
/* Tests: freeze both clocks at these values (ms) and move them; clock_real ends it. */
void clock_fake(int64_t wall_ms, int64_t mono_ms);
void clock_fake_advance(int64_t ms);
void clock_real(void);

#endif
