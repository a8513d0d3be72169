/* base/clock.c - wall and monotonic time, replaceable in tests.
 *
 * The fake clock is a pair of values in microseconds; whether it is on is one atomic flag, so that
 * the real path costs one relaxed load. Tests set it before they start threads. Thread: any. */
#include "base/clock.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "base/base.h"
#include "base/civil.h"

static _Atomic bool faked;
static _Atomic int64_t fake_wall_us, fake_mono_us;

static int64_t real_us(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

int64_t clock_wall_us(void)
{
    if (UNLIKELY(atomic_load_explicit(&faked, memory_order_relaxed)))
        return atomic_load(&fake_wall_us);
    return real_us(CLOCK_REALTIME);
}

int64_t clock_mono_us(void)
{
    if (UNLIKELY(atomic_load_explicit(&faked, memory_order_relaxed)))
        return atomic_load(&fake_mono_us);
    return real_us(CLOCK_MONOTONIC);
}

int64_t clock_wall_ms(void)
{
    return clock_wall_us() / 1000;
}

int64_t clock_mono_ms(void)
{
    return clock_mono_us() / 1000;
}

char *clock_iso(char out[CLOCK_ISO_SIZE], int64_t seconds, int32_t fraction, int digits)
{
    int of_day = (int)(seconds % 86400);
    int64_t days = seconds / 86400 - (of_day < 0);
    of_day += of_day < 0 ? 86400 : 0;
    struct civil_day d = civil_of_days(days);
    int n = snprintf(out, CLOCK_ISO_SIZE, "%04lld-%02d-%02dT%02d:%02d:%02d", (long long)d.year,
                     (int)d.month, (int)d.day, of_day / 3600, of_day / 60 % 60, of_day % 60);
    snprintf(out + n, CLOCK_ISO_SIZE - (size_t)n, digits ? ".%0*dZ" : "Z", digits, (int)fraction);
    return out;
}

void clock_boot_id(char out[CLOCK_BOOT_ID_SIZE])
{
    const char *test = getenv("WEIR_TEST_BOOT_ID"); /* another start of the machine */
    out[0] = 0;
    if (test) {
        snprintf(out, CLOCK_BOOT_ID_SIZE, "%s", test);
        return;
    }
    FILE *f = fopen("/proc/sys/kernel/random/boot_id", "r");
    if (f && !fgets(out, CLOCK_BOOT_ID_SIZE, f))
        out[0] = 0;
    if (f)
        fclose(f);
    out[strcspn(out, "\n")] = 0;
}

void clock_fake(int64_t wall_ms, int64_t mono_ms)
{
    atomic_store(&fake_wall_us, wall_ms * 1000);
    atomic_store(&fake_mono_us, mono_ms * 1000);
    atomic_store(&faked, true);
}

void clock_fake_advance(int64_t ms)
{
    atomic_fetch_add(&fake_wall_us, ms * 1000);
    atomic_fetch_add(&fake_mono_us, ms * 1000);
}

void clock_real(void)
{
    atomic_store(&faked, false);
}
