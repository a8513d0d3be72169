/* base/fs.c - see fs.h.
 *
 * Plain system calls in the first half. Every call that matters to durability passes a gate of
 * fs_fault.h first; with no test at work that is one relaxed load of `fs_testing`. */
#include "base/fs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs_fault.h"
#include "base/mem.h"

static const int FILE_MODE = 0640, DIR_MODE = 0750;

/* --- one file --------------------------------------------------------------------------------- */

static int open_retry(const char *path, int flags, int mode)
{
    int fd;
    do
        fd = open(path, flags | O_CLOEXEC, mode);
    while (fd < 0 && errno == EINTR);
    return fd;
}

static enum err open_error(struct error *e, int sys, const char *path)
{
    enum err rc = error_sys(e, sys, "opening %s", path);
    enum err better = sys == ENOENT ? E_NOT_FOUND : sys == EEXIST ? E_EXISTS : rc;
    if (e)
        e->code = better;
    if (sys == EMFILE || sys == ENFILE)
        error_hint(e, "too many open files: raise the limit (ulimit -n)");
    else if (sys == EACCES || sys == EROFS)
        error_hint(e,
                   "this user may not write there; choose another directory or change its owner");
    return better;
}

enum err fs_open(struct fs_file *f, const char *path, unsigned flags, struct error *e)
{
    int mode = (flags & FS_WRITE) ? (flags & FS_READ) ? O_RDWR : O_WRONLY : O_RDONLY;
    mode |= (flags & FS_CREATE ? O_CREAT : 0) | (flags & FS_EXCL ? O_EXCL : 0) |
            (flags & FS_TRUNC ? O_TRUNC : 0);
    *f = (struct fs_file){-1, NULL};
    int sys = FS_FAULT(fs_fault_open());
    if (sys != 0)
        return open_error(e, sys, path);
    bool fresh = FS_FAULT(fs_power_before_open(path, flags));
    f->fd = open_retry(path, mode, FILE_MODE);
    if (f->fd < 0)
        return open_error(e, errno, path);
    if (fresh)
        fs_power_created(path);
    f->path = xstrdup(path);
    return E_OK;
}

void fs_close(struct fs_file *f)
{
    if (f->path) /* a zeroed struct owns no descriptor 0 */
        close(f->fd);
    mem_free(f->path);
    *f = (struct fs_file){-1, NULL};
}

enum err fs_pread(const struct fs_file *f, void *p, size_t n, int64_t at, size_t *got,
                  struct error *e)
{
    *got = 0;
    while (*got < n) {
        ssize_t r = pread(f->fd, (char *)p + *got, n - *got, at + (int64_t)*got);
        if (r < 0 && errno == EINTR)
            continue;
        if (r < 0)
            return error_sys(e, errno, "reading %s at %lld", f->path, (long long)at);
        if (r == 0)
            break;
        *got += (size_t)r;
    }
    return E_OK;
}

static enum err write_error(struct error *e, int sys, const char *path)
{
    error_sys(e, sys, "writing %s", path);
    if (sys == ENOSPC || sys == EDQUOT)
        error_hint(e, "the disk is full: make room, or move the data directory");
    return E_IO;
}

enum err fs_pwrite(const struct fs_file *f, const void *p, size_t n, int64_t at, struct error *e)
{
    size_t whole = n, done = 0;
    int sys = FS_FAULT(fs_fault_write(&n)); /* may shorten n */
    FS_NOTE(fs_power_lock(f->path));
    while (done < n) {
        ssize_t r = pwrite(f->fd, (const char *)p + done, n - done, at + (int64_t)done);
        if (r < 0 && errno == EINTR)
            continue;
        if (r < 0) {
            sys = errno;
            break;
        }
        done += (size_t)r;
    }
    FS_NOTE(fs_power_wrote(f->path, p, done, at));
    return done == whole && sys == 0 ? E_OK : write_error(e, sys, f->path);
}

enum err fs_datasync(const struct fs_file *f, struct error *e)
{
    int sys = FS_FAULT(fs_fault_sync());
    if (sys == 0) {
        FS_NOTE(fs_power_lock(f->path));
        if (fdatasync(f->fd) != 0)
            sys = errno;
        FS_NOTE(fs_power_synced(f->path, sys == 0));
    }
    return sys == 0 ? E_OK : error_sys(e, sys, "syncing %s", f->path);
}

enum err fs_sync_all(const struct fs_file *f, struct error *e)
{
    int sys = FS_FAULT(fs_fault_sync());
    if (sys == 0 && syncfs(f->fd) != 0)
        sys = errno;
    if (sys == 0)
        FS_NOTE(fs_power_all_synced(f->path));
    return sys == 0 ? E_OK : error_sys(e, sys, "syncing what holds %s", f->path);
}

enum err fs_truncate(const struct fs_file *f, int64_t size, struct error *e)
{
    int rc;
    FS_NOTE(fs_power_lock(f->path));
    do
        rc = ftruncate(f->fd, size);
    while (rc != 0 && errno == EINTR);
    int sys = rc != 0 ? errno : 0;
    FS_NOTE(fs_power_truncated(f->path, size, sys == 0));
    if (sys != 0)
        return error_sys(e, sys, "truncating %s to %lld", f->path, (long long)size);
    return E_OK;
}

void fs_preallocate(const struct fs_file *f, int64_t from, int64_t n)
{
    (void)!fallocate(f->fd, FALLOC_FL_KEEP_SIZE, from, n);
}

enum err fs_size(const struct fs_file *f, int64_t *out, struct error *e)
{
    struct stat st;
    if (fstat(f->fd, &st) != 0)
        return error_sys(e, errno, "asking the size of %s", f->path);
    *out = st.st_size;
    return E_OK;
}

enum err fs_mtime_ms(const struct fs_file *f, int64_t *out, struct error *e)
{
    struct stat st;
    if (fstat(f->fd, &st) != 0)
        return error_sys(e, errno, "asking the time of %s", f->path);
    *out = (int64_t)st.st_mtim.tv_sec * 1000 + st.st_mtim.tv_nsec / 1000000;
    return E_OK;
}

void fs_set_mtime_ms(const struct fs_file *f, int64_t ms)
{
    const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT},
                                      {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}};
    (void)!futimens(f->fd, times);
}

/* --- whole files ------------------------------------------------------------------------------ */

static char *dir_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    if (!slash)
        return xstrdup(".");
    return slash == path ? xstrdup("/") : xstrndup(path, (size_t)(slash - path));
}

static enum err sync_dir_of(const char *path, struct error *e)
{
    char *dir = dir_of(path);
    enum err rc = fs_sync_dir(dir, e);
    mem_free(dir);
    return rc;
}

enum err fs_replace(const char *path, struct slice content, struct error *e)
{
    struct fs_file f;
    char *tmp = xasprintf("%s.tmp", path);
    enum err rc = fs_open(&f, tmp, FS_WRITE | FS_CREATE | FS_TRUNC, e);
    if (rc == E_OK) {
        rc = fs_pwrite(&f, content.p, content.n, 0, e);
        if (rc == E_OK)
            rc = fs_datasync(&f, e);
        fs_close(&f);
        if (rc == E_OK)
            rc = fs_rename(tmp, path, e);
        if (rc != E_OK)
            unlink(tmp);
    }
    mem_free(tmp);
    return rc;
}

enum err fs_read_all(const char *path, size_t max, struct strbuf *out, struct error *e)
{
    struct fs_file f;
    enum err rc = fs_open(&f, path, FS_READ, e);
    if (rc != E_OK)
        return rc;
    int64_t size = 0, at = 0;
    size_t got = 1;
    rc = fs_size(&f, &size, e);
    while (rc == E_OK && got > 0) { /* to the real end: files in /proc have no size */
        size_t want = size > at ? (size_t)MIN(size - at, (int64_t)1 << 20) : 4096;
        if ((uint64_t)at > max || size > (int64_t)MIN(max, (size_t)INT64_MAX))
            rc = error_set(e, E_TOO_LARGE, "%s is larger than %zu bytes", path, max);
        else if (strbuf_reserve(out, want) != E_OK)
            rc = error_set(e, strbuf_err(out), "no room to read %s", path);
        if (rc == E_OK)
            rc = fs_pread(&f, out->p + out->n, want, at, &got, e);
        if (rc == E_OK) {
            out->n += got;
            out->p[out->n] = 0;
            at += (int64_t)got;
        }
    }
    fs_close(&f);
    return rc;
}

enum err fs_move(const char *from, const char *to, struct error *e)
{
    int sys = FS_FAULT(fs_fault_rename());
    FS_NOTE(fs_power_lock(from));
    if (sys == 0 && rename(from, to) != 0)
        sys = errno;
    FS_NOTE(fs_power_renamed(from, to, sys == 0));
    if (sys == 0)
        return E_OK;
    enum err rc = error_sys(e, sys, "renaming %s to %s", from, to);
    if (sys == ENOENT && e)
        e->code = E_NOT_FOUND;
    return sys == ENOENT ? E_NOT_FOUND : rc;
}

enum err fs_rename(const char *from, const char *to, struct error *e)
{
    enum err rc = fs_move(from, to, e);
    if (rc != E_OK)
        return rc;
    rc = sync_dir_of(to, e);
    char *a = dir_of(from), *b = dir_of(to);
    if (rc == E_OK && strcmp(a, b) != 0)
        rc = fs_sync_dir(a, e);
    mem_free(a);
    mem_free(b);
    return rc;
}

enum err fs_unlink(const char *path, struct error *e)
{
    FS_NOTE(fs_power_lock(path));
    int sys = unlink(path) != 0 && errno != ENOENT ? errno : 0;
    FS_NOTE(fs_power_unlinked(path));
    return sys == 0 ? E_OK : error_sys(e, sys, "deleting %s", path);
}

int64_t fs_size_of(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 ? st.st_size : -1;
}

bool fs_exists(const char *path)
{
    return access(path, F_OK) == 0;
}

/* --- directories ------------------------------------------------------------------------------ */

static enum err make_dir(const char *path, struct error *e)
{
    struct stat st;
    if (mkdir(path, DIR_MODE) == 0)
        return E_OK;
    int sys = errno;
    if (sys == EEXIST && stat(path, &st) == 0 && S_ISDIR(st.st_mode))
        return E_OK;
    error_sys(e, sys, "creating directory %s", path);
    if (sys == EACCES || sys == EROFS)
        error_hint(e, "this user may not write there; choose another directory");
    else if (sys == EEXIST || sys == ENOTDIR)
        error_hint(e, "a file of that name is in the way");
    return E_IO;
}

enum err fs_mkdirs(const char *path, struct error *e)
{
    struct stat st;
    if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
        return E_OK;
    char *copy = xstrdup(path);
    enum err rc = E_OK;
    for (char *p = copy + 1; rc == E_OK && *p; p++) {
        if (*p != '/' || p[-1] == '/')
            continue;
        *p = 0;
        if (stat(copy, &st) != 0 || !S_ISDIR(st.st_mode)) /* parents may be unwritable but there */
            rc = make_dir(copy, e);
        *p = '/';
    }
    if (rc == E_OK)
        rc = make_dir(path, e);
    mem_free(copy);
    return rc;
}

enum err fs_sync_dir(const char *path, struct error *e)
{
    int sys = FS_FAULT(fs_fault_sync());
    if (sys == 0) {
        int fd = open_retry(path, O_RDONLY | O_DIRECTORY, 0);
        if (fd < 0 || fsync(fd) != 0)
            sys = errno;
        if (fd >= 0)
            close(fd);
        if (sys == EINVAL) /* file systems that cannot; their renames are what they are */
            sys = 0;
    }
    FS_NOTE(fs_power_dir_synced(path, sys == 0));
    return sys == 0 ? E_OK : error_sys(e, sys, "syncing directory %s", path);
}

enum err fs_list(const char *dir, bool (*fn)(const char *name, void *arg), void *arg,
                 struct error *e)
{
    /* open and fdopendir rather than opendir: ThreadSanitizer sees the descriptor begin. */
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
    if (!d) {
        int sys = errno;
        if (fd >= 0)
            close(fd);
        return open_error(e, sys, dir);
    }
    struct dirent *entry;
    bool more = true;
    int sys = 0;
    while (more) {
        errno = 0;
        entry = readdir(d);
        if (!entry) {
            sys = errno;
            break;
        }
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            more = fn(entry->d_name, arg);
    }
    closedir(d);
    return sys == 0 ? E_OK : error_sys(e, sys, "listing %s", dir);
}

/* Empties the directory behind fd (taken). 0 or an errno. Symbolic links are removed, not followed.
 */
static int empty_dir(int fd, int depth)
{
    DIR *d = fdopendir(fd);
    if (!d) {
        int sys = errno;
        close(fd);
        return sys;
    }
    int sys = depth > 64 ? ELOOP : 0;
    struct dirent *entry;
    while (sys == 0 && (errno = 0, entry = readdir(d))) {
        const char *name = entry->d_name;
        if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
            continue;
        if (unlinkat(dirfd(d), name, 0) == 0 || errno == ENOENT)
            continue;
        if (errno != EISDIR && errno != EPERM) {
            sys = errno;
            break;
        }
        int child = openat(dirfd(d), name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        sys = child < 0 ? errno : empty_dir(child, depth + 1);
        if (sys == 0 && unlinkat(dirfd(d), name, AT_REMOVEDIR) != 0)
            sys = errno;
    }
    if (sys == 0)
        sys = errno; /* of the last readdir */
    closedir(d);
    return sys;
}

enum err fs_remove_tree(const char *path, struct error *e)
{
    FS_NOTE(fs_power_forget_tree(path));
    int fd = open_retry(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0), sys = 0;
    if (fd < 0) {
        if (errno == ENOENT)
            return E_OK;
        sys = errno == ENOTDIR || errno == ELOOP ? (unlink(path) == 0 ? 0 : errno) : errno;
    } else {
        sys = empty_dir(fd, 0);
        if (sys == 0 && rmdir(path) != 0)
            sys = errno;
    }
    return sys == 0 ? E_OK : error_sys(e, sys, "deleting %s", path);
}

/* --- lock ------------------------------------------------------------------------------------- */

enum err fs_lock(struct fs_file *f, const char *path, struct error *e)
{
    enum err rc = fs_open(f, path, FS_READ | FS_WRITE | FS_CREATE, e);
    if (rc != E_OK)
        return rc;
    char text[32] = "";
    int locked;
    do
        locked = flock(f->fd, LOCK_EX | LOCK_NB);
    while (locked != 0 && errno == EINTR);
    if (locked == 0) {
        int n = snprintf(text, sizeof text, "%ld\n", (long)getpid());
        if (ftruncate(f->fd, 0) != 0 || pwrite(f->fd, text, (size_t)n, 0) != n)
            text[0] = 0; /* the number is a courtesy; the lock is what counts */
        return E_OK;
    }
    int sys = errno;
    ssize_t n = pread(f->fd, text, sizeof text - 1, 0);
    long pid = n > 0 ? strtol(text, NULL, 10) : 0;
    if (sys != EWOULDBLOCK)
        rc = error_sys(e, sys, "locking %s", path);
    else if (pid > 0)
        rc = error_set(e, E_CONFLICT, "%s is held by another process (pid %ld)", path, pid);
    else
        rc = error_set(e, E_CONFLICT, "%s is held by another process", path);
    if (e && rc == E_CONFLICT)
        e->sys = (int)pid;
    fs_close(f);
    return rc;
}
