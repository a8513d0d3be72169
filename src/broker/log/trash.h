/* broker/log/trash.h - files that were taken out of logs and are removed a while later
 * (file.delete.delay.ms), so that whoever backs the directory up or has it open is not surprised.
 *
 * Lock: its own, innermost. The removing itself is done by whoever calls trash_run, without the
 * lock: unlinking a large file takes time. */
#ifndef WEIR_BROKER_LOG_TRASH_H
#define WEIR_BROKER_LOG_TRASH_H

#include <pthread.h>

#include "base/base.h"

struct trash_file {
    char *path;
    int64_t due_ms; /* clock_mono_ms */
};
struct trash {
    pthread_mutex_t lock;
    struct trash_file *v;
    size_t count, cap;
};
void trash_init(struct trash *t);
void trash_release(struct trash *t); /* removes what is left at once */
void trash_add_take(struct trash *t, char *path, int64_t delay_ms);
/* Removes what is due; how long until the next is, or -1: there is none. Blocks: disk. */
int64_t trash_run(struct trash *t);

#endif
