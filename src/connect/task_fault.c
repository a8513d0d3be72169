/* connect/task_fault.c - points at which tests end a task, or the whole program.
 *
 * WEIR_TEST_CRASH="POINT COUNT [SEED]" in the environment kills the program when the point is reached
 * for the COUNT-th time, as kill -9 there would; with a seed it is the machine that loses power:
 * what the log has written and not synced is kept, dropped or trashed (base/fs.h). Points: intent,
 * part (after one of a batch's partitions), append, commit, sync (after fdatasync, before the
 * durable offsets are noted), durable. */
#include "connect/task_internal.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/fs.h"
#include "connect/connect.h"

_Atomic int intent_fault_at = FAULT_NONE;

static struct {
    bool armed, power;
    _Atomic long left;
    uint64_t seed;
} crash;

void connect_test_crash(const char *data_dir)
{
    static const struct {
        const char *name;
        enum intent_fault point;
    } points[] = {
        {"intent", FAULT_AFTER_INTENT}, {"part", FAULT_MID_APPEND},
        {"append", FAULT_AFTER_APPEND}, {"commit", FAULT_AFTER_COMMIT},
        {"sync", FAULT_AFTER_SYNC},     {"durable", FAULT_AFTER_DURABLE},
    };
    const char *text = getenv("WEIR_TEST_CRASH");
    struct slice rest = slice_cstr(text ? text : ""), word, count, seed;
    if (!slice_split(&rest, ' ', &word) || !slice_split(&rest, ' ', &count))
        return;
    int64_t n;
    if (slice_to_i64(count, &n) || n < 1)
        return;
    if (slice_split(&rest, ' ', &seed) && slice_to_u64(seed, &crash.seed) == E_OK) {
        crash.power = true;
        fs_power_begin(data_dir);
    }
    for (size_t i = 0; i < ARRAY_LEN(points); i++)
        if (slice_eq_c(word, points[i].name)) {
            atomic_store(&crash.left, (long)n);
            crash.armed = true;
            atomic_store(&intent_fault_at, points[i].point);
        }
}

static void die(void)
{
    if (crash.power)
        fs_power_cut_now(crash.seed);
    kill(getpid(), SIGKILL);
    for (;;)
        pause();
}

bool intents_fault_due(enum intent_fault at)
{
    if (LIKELY(atomic_load_explicit(&intent_fault_at, memory_order_relaxed) != (int)at))
        return false;
    return !crash.armed || atomic_fetch_sub(&crash.left, 1) == 1;
}

enum err intents_fault_now(struct error *e)
{
    if (crash.armed)
        die();
    return error_set(e, E_CANCELLED, "stopped by the test");
}

enum err intents_fault(enum intent_fault at, struct error *e)
{
    return LIKELY(!intents_fault_due(at)) ? E_OK : intents_fault_now(e);
}
