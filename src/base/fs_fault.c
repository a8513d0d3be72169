/* base/fs_fault.c - broken disks for tests: see fs.h and fs_fault.h.
 *
 * The simulation of a power loss keeps, per file with unsynced changes, its content as it was at
 * the last sync (`base`) and the changes since, in order. A sync drops both. The cut builds each
 * file anew from base: every change is kept, dropped, or kept with some of its 512-byte blocks
 * trashed. A file that was made and neither synced itself nor through its directory may be gone.
 * Renames and deletions are taken as durable: fs_rename syncs the directory, and a deletion that
 * comes back is not modelled. */
#include "base/fs_fault.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/list.h"
#include "base/mem.h"

enum { BLOCK = 512 };

_Atomic int fs_testing;

struct change {
    int64_t at; /* of a write, or the new size */
    size_t n;
    char *bytes; /* NULL: a truncation */
};

struct unsynced {
    struct link link;
    char *path;
    char *base;
    size_t base_n;
    struct change *changes;
    size_t count, cap;
    bool created;
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; /* everything below */
static struct fs_faults faults;
static bool hit;
static char *below; /* NULL: no simulation */
static struct list files = {{&files.head, &files.head}, 0};

/* --- the n-th call fails ---------------------------------------------------------------------- */

void fs_fault_set(const struct fs_faults *f)
{
    pthread_mutex_lock(&mutex);
    faults = f ? *f : (struct fs_faults){0};
    hit = false;
    pthread_mutex_unlock(&mutex);
    if (f)
        atomic_store(&fs_testing, 1);
}

bool fs_fault_hit(void)
{
    pthread_mutex_lock(&mutex);
    bool now = hit;
    pthread_mutex_unlock(&mutex);
    return now;
}

static int count_down(int64_t *left)
{
    pthread_mutex_lock(&mutex);
    int sys = 0;
    if (*left > 0 && --*left == 0) {
        hit = true;
        sys = faults.fail_errno ? faults.fail_errno : EIO;
    }
    pthread_mutex_unlock(&mutex);
    return sys;
}

int fs_fault_open(void)
{
    return count_down(&faults.fail_open_at);
}

int fs_fault_sync(void)
{
    return count_down(&faults.fail_sync_at);
}

int fs_fault_rename(void)
{
    return count_down(&faults.fail_rename_at);
}

int fs_fault_write(size_t *n)
{
    int sys = count_down(&faults.fail_write_at);
    if (sys != 0)
        *n = faults.short_write ? *n / 2 : 0;
    return sys;
}

/* --- remembering what is not synced ----------------------------------------------------------- */

static struct unsynced *find(const char *path)
{
    list_each (&files, k) {
        struct unsynced *u = list_entry(k, struct unsynced, link);
        if (strcmp(u->path, path) == 0)
            return u;
    }
    return NULL;
}

static void forget(struct unsynced *u)
{
    list_remove(&files, &u->link);
    for (size_t i = 0; i < u->count; i++)
        mem_free(u->changes[i].bytes);
    mem_free(u->changes);
    mem_free(u->base);
    mem_free(u->path);
    mem_free(u);
}

static bool is_below(const char *path, const char *dir)
{
    size_t n = strlen(dir);
    return n == 0 ||
           (strncmp(path, dir, n) == 0 && (path[n] == '/' || path[n] == 0 || dir[n - 1] == '/'));
}

static char *load(const char *path, size_t *n)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    *n = 0;
    if (fd < 0)
        return NULL;
    char *bytes = NULL;
    if (fstat(fd, &st) == 0 && st.st_size > 0) {
        bytes = xmalloc((size_t)st.st_size);
        ssize_t got = pread(fd, bytes, (size_t)st.st_size, 0);
        *n = got > 0 ? (size_t)got : 0;
    }
    close(fd);
    return bytes;
}

static struct unsynced *track(const char *path)
{
    if (!below || !is_below(path, below))
        return NULL;
    struct unsynced *u = find(path);
    if (!u) {
        u = xcalloc(1, sizeof *u);
        u->path = xstrdup(path);
        u->base = load(path, &u->base_n);
        list_push_back(&files, &u->link);
    }
    return u;
}

static void add_change(struct unsynced *u, int64_t at, const void *p, size_t n)
{
    if (u->count == u->cap) {
        u->cap = u->cap ? u->cap * 2 : 16;
        u->changes = xrealloc(u->changes, u->cap * sizeof *u->changes);
    }
    char *bytes = NULL;
    if (p) {
        bytes = xmalloc(n);
        memcpy(bytes, p, n);
    }
    u->changes[u->count++] = (struct change){at, n, bytes};
}

bool fs_power_before_open(const char *path, unsigned flags)
{
    pthread_mutex_lock(&mutex);
    bool there = fs_exists(path);
    if (there && (flags & FS_TRUNC)) {
        struct unsynced *u = track(path);
        if (u)
            add_change(u, 0, NULL, 0);
    }
    pthread_mutex_unlock(&mutex);
    return !there && (flags & FS_CREATE);
}

void fs_power_created(const char *path)
{
    pthread_mutex_lock(&mutex);
    struct unsynced *u = track(path);
    if (u)
        u->created = true;
    pthread_mutex_unlock(&mutex);
}

void fs_power_lock(const char *path)
{
    pthread_mutex_lock(&mutex);
    track(path);
}

void fs_power_wrote(const char *path, const void *p, size_t n, int64_t at)
{
    struct unsynced *u = track(path);
    if (u && n > 0)
        add_change(u, at, p, n);
    pthread_mutex_unlock(&mutex);
}

void fs_power_truncated(const char *path, int64_t size, bool ok)
{
    struct unsynced *u = track(path);
    if (u && ok)
        add_change(u, size, NULL, 0);
    pthread_mutex_unlock(&mutex);
}

void fs_power_synced(const char *path, bool ok)
{
    struct unsynced *u = ok ? find(path) : NULL;
    if (u)
        forget(u);
    pthread_mutex_unlock(&mutex);
}

void fs_power_renamed(const char *from, const char *to, bool ok)
{
    struct unsynced *u = ok ? find(from) : NULL, *old = ok ? find(to) : NULL;
    if (old)
        forget(old);
    if (u) {
        mem_free(u->path);
        u->path = xstrdup(to);
    }
    pthread_mutex_unlock(&mutex);
}

void fs_power_unlinked(const char *path)
{
    struct unsynced *u = find(path);
    if (u)
        forget(u);
    pthread_mutex_unlock(&mutex);
}

void fs_power_dir_synced(const char *dir, bool ok)
{
    size_t n = strlen(dir);
    pthread_mutex_lock(&mutex);
    list_each (&files, k) {
        struct unsynced *u = list_entry(k, struct unsynced, link);
        const char *slash = strrchr(u->path, '/');
        if (ok && slash && (size_t)(slash - u->path) == n && strncmp(u->path, dir, n) == 0)
            u->created = false;
    }
    pthread_mutex_unlock(&mutex);
}

static void forget_below(const char *dir)
{
    list_each (&files, k) {
        struct unsynced *u = list_entry(k, struct unsynced, link);
        if (is_below(u->path, dir))
            forget(u);
    }
}

void fs_power_all_synced(const char *dir)
{
    pthread_mutex_lock(&mutex);
    forget_below(dir);
    pthread_mutex_unlock(&mutex);
}

void fs_power_forget_tree(const char *path)
{
    pthread_mutex_lock(&mutex);
    forget_below(path);
    pthread_mutex_unlock(&mutex);
}

void fs_power_begin(const char *below_dir)
{
    pthread_mutex_lock(&mutex);
    forget_below("");
    mem_free(below);
    below = below_dir ? xstrdup(below_dir) : NULL;
    pthread_mutex_unlock(&mutex);
    atomic_store(&fs_testing, 1);
}

/* --- the cut ---------------------------------------------------------------------------------- */

static uint64_t next_random(uint64_t *s)
{
    uint64_t z = (*s += 0x9e3779b97f4a7c15u);
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

struct image {
    char *p;
    size_t n;
};

static void resize(struct image *im, size_t n)
{
    im->p = xrealloc(im->p, n + 1);
    if (n > im->n)
        memset(im->p + im->n, 0, n - im->n);
    im->n = n;
}

/* Each block of the disk that the write touches: new, old, zero or noise. */
static void write_trashed(struct image *im, const struct change *c, uint64_t *seed)
{
    size_t at = (size_t)c->at, end = at + c->n;
    while (at < end) {
        size_t next = MIN(end, (at / BLOCK + 1) * BLOCK);
        unsigned fate = next_random(seed) % 4;
        for (size_t i = at; i < next && fate != 1; i++)
            im->p[i] = fate == 0   ? c->bytes[i - (size_t)c->at]
                       : fate == 2 ? 0
                                   : (char)next_random(seed);
        at = next;
    }
}

static void apply(struct image *im, const struct change *c, uint64_t *seed)
{
    unsigned fate = next_random(seed) % 3;
    if (fate == 0)
        return;
    if (!c->bytes) {
        resize(im, (size_t)c->at);
        return;
    }
    if ((size_t)c->at + c->n > im->n)
        resize(im, (size_t)c->at + c->n);
    if (fate == 1)
        memcpy(im->p + c->at, c->bytes, c->n);
    else
        write_trashed(im, c, seed);
}

static void rewrite(const struct unsynced *u, const struct image *im)
{
    int fd = open(u->path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
    invariant(fd >= 0);
    for (size_t done = 0; done < im->n;) {
        ssize_t n = write(fd, im->p + done, im->n - done);
        invariant(n > 0);
        done += (size_t)n;
    }
    close(fd);
}

static void cut(uint64_t seed)
{
    list_each (&files, k) {
        struct unsynced *u = list_entry(k, struct unsynced, link);
        if (u->created && next_random(&seed) % 3 == 0) {
            unlink(u->path);
            continue;
        }
        struct image im = {u->base, u->base_n};
        u->base = NULL;
        for (size_t i = 0; i < u->count; i++)
            apply(&im, &u->changes[i], &seed);
        rewrite(u, &im);
        mem_free(im.p);
    }
    forget_below("");
    mem_free(below);
    below = NULL;
}

void fs_power_cut(uint64_t seed)
{
    pthread_mutex_lock(&mutex);
    cut(seed);
    pthread_mutex_unlock(&mutex);
}

void fs_power_cut_now(uint64_t seed)
{
    pthread_mutex_lock(&mutex);
    cut(seed); /* the lock stays: who writes waits for it */
}
