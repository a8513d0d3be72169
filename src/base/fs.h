/* base/fs.h - the one door to the disk for log, checkpoints and anything that must survive.
 *
 * Real system calls, retried on EINTR, complete or failed. Tests install faults: the n-th write or
 * fsync fails (EIO/ENOSPC), a write is cut short, or - power loss - what was not fsynced is kept,
 * dropped or trashed at random. Thread: any; a struct fs_file is one thread's at a time except for
 * fs_pread, fs_pwrite and fs_datasync, which may run at once. */
#ifndef WEIR_BASE_FS_H
#define WEIR_BASE_FS_H

#include "base/base.h"
#include "base/err.h"
#include "base/str.h"

#include <sys/types.h>

struct fs_file {
    int fd; /* -1 when closed; borrowed by sendfile */
    char *path;
};
enum fs_flags { FS_READ = 1, FS_WRITE = 2, FS_CREATE = 4, FS_EXCL = 8, FS_TRUNC = 16 };

enum err fs_open(struct fs_file *f, const char *path, unsigned flags, struct error *e) MUST_CHECK;
void fs_close(struct fs_file *f);
enum err fs_pread(const struct fs_file *f, void *p, size_t n, int64_t at, size_t *got,
                  struct error *e) MUST_CHECK; /* short at the end of the file */
enum err fs_pwrite(const struct fs_file *f, const void *p, size_t n, int64_t at,
                   struct error *e) MUST_CHECK;
enum err fs_datasync(const struct fs_file *f, struct error *e) MUST_CHECK;
/* Everything on the file system that holds this file: for many files at once. */
enum err fs_sync_all(const struct fs_file *f, struct error *e) MUST_CHECK;
enum err fs_truncate(const struct fs_file *f, int64_t size, struct error *e) MUST_CHECK;
/* Reserves blocks beyond the end without changing the size; best effort. */
void fs_preallocate(const struct fs_file *f, int64_t from, int64_t n);
enum err fs_size(const struct fs_file *f, int64_t *out, struct error *e) MUST_CHECK;
/* Time of the last change of the content, since 1970. Setting is best effort. */
enum err fs_mtime_ms(const struct fs_file *f, int64_t *out, struct error *e) MUST_CHECK;
void fs_set_mtime_ms(const struct fs_file *f, int64_t ms);

/* A new version of a small file: temporary name, fsync, rename, fsync of the directory. */
enum err fs_replace(const char *path, struct slice content, struct error *e) MUST_CHECK;
enum err fs_read_all(const char *path, size_t max, struct strbuf *out, struct error *e) MUST_CHECK;
enum err fs_mkdirs(const char *path, struct error *e) MUST_CHECK;
enum err fs_rename(const char *from, const char *to,
                   struct error *e) MUST_CHECK; /* syncs the directory */
/* The same without syncing: for when either name does after a power cut. */
enum err fs_move(const char *from, const char *to, struct error *e) MUST_CHECK;
enum err fs_unlink(const char *path, struct error *e) MUST_CHECK; /* absent is fine */
enum err fs_remove_tree(const char *path, struct error *e) MUST_CHECK;
enum err fs_sync_dir(const char *path, struct error *e) MUST_CHECK;
bool fs_exists(const char *path);
int64_t fs_size_of(const char *path); /* -1: there is no such file */
/* Calls fn for each name but . and .., in any order, until it returns false. */
enum err fs_list(const char *dir, bool (*fn)(const char *name, void *arg), void *arg,
                 struct error *e) MUST_CHECK;
/* Exclusive lock of a file for this process's life; E_CONFLICT names the other's pid,
 * and e->sys holds it, if it is known. */
enum err fs_lock(struct fs_file *f, const char *path, struct error *e) MUST_CHECK;

/* Tests. Counts are process-wide; 0 = off. */
struct fs_faults {
    int64_t fail_write_at, fail_sync_at, fail_open_at, fail_rename_at; /* n-th call from now */
    int fail_errno;                                                    /* EIO when 0 */
    bool short_write; /* the failing write leaves half of its bytes behind */
};
void fs_fault_set(const struct fs_faults *f); /* NULL: none */
bool fs_fault_hit(void);
/* Power loss: from _begin on remembers what is written and not synced; _cut then keeps, drops or
 * trashes (512-byte blocks) each unsynced write by the seed, as a disk without power would. */
void fs_power_begin(const char *below_dir);
void fs_power_cut(uint64_t seed);
/* The same, and no write of another thread comes after it: for a process that ends now. */
void fs_power_cut_now(uint64_t seed);

#endif
