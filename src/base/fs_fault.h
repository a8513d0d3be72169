/* base/fs_fault.h - the seam in base/fs where tests break the disk. Internal to base/fs.
 *
 * With no test at work each gate is one relaxed load. The hooks of the power-loss simulation come
 * in pairs: fs_power_lock before the system call, then one of the others after it, which records
 * what was done and unlocks, so that the recorded order is the real one. */
#ifndef WEIR_BASE_FS_FAULT_H
#define WEIR_BASE_FS_FAULT_H

#include <stdatomic.h>

#include "base/base.h"

extern _Atomic int fs_testing; /* 1: faults or the simulation are on; set before threads start */

#define FS_TESTING() UNLIKELY(atomic_load_explicit(&fs_testing, memory_order_relaxed))
#define FS_FAULT(call) (FS_TESTING() ? (call) : 0)
#define FS_NOTE(call)                                                                              \
    do {                                                                                           \
        if (FS_TESTING())                                                                          \
            call;                                                                                  \
    } while (0)

/* 0, or the errno the call shall fail with. */
int fs_fault_open(void);
int fs_fault_sync(void);
int fs_fault_rename(void);
int fs_fault_write(size_t *n); /* *n: how many bytes to write before failing */

bool fs_power_before_open(const char *path,
                          unsigned flags); /* true: the file is about to be made */
void fs_power_created(const char *path);
void fs_power_lock(const char *path); /* takes the lock; keeps the content as it is on the disk */
void fs_power_wrote(const char *path, const void *p, size_t n, int64_t at);
void fs_power_truncated(const char *path, int64_t size, bool ok);
void fs_power_synced(const char *path, bool ok);
void fs_power_renamed(const char *from, const char *to, bool ok);
void fs_power_unlinked(const char *path);
void fs_power_all_synced(const char *dir);          /* without fs_power_lock before it */
void fs_power_dir_synced(const char *dir, bool ok); /* without fs_power_lock before it */
void fs_power_forget_tree(const char *path);        /* the same */

#endif
