/* tests/unit/base/test_fs.c - files, whole-file replacement under faults, the power-loss
 * simulation. */
#include "helpers.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"

static const char *in_dir(const char *name)
{
    static char paths[4][400];
    static unsigned turn;
    char *p = paths[turn++ % 4];
    snprintf(p, sizeof paths[0], "%s/%s", test_dir(), name);
    return p;
}

static void read_and_write(void)
{
    struct fs_file f, g;
    struct error e;
    char buf[20];
    size_t got;
    int64_t size;
    const char *path = in_dir("a");
    CHECK_ERR(fs_open(&f, path, FS_READ, &e), E_NOT_FOUND);
    CHECK_INT(f.fd, -1);
    fs_close(&f); /* harmless */
    CHECK_OK(fs_open(&f, path, FS_READ | FS_WRITE | FS_CREATE | FS_EXCL, &e));
    CHECK_ERR(fs_open(&g, path, FS_WRITE | FS_CREATE | FS_EXCL, &e), E_EXISTS);
    CHECK(strstr(e.msg, path) != NULL);
    CHECK_OK(fs_pwrite(&f, "hello", 5, 3, &e));
    CHECK_OK(fs_pwrite(&f, "", 0, 100, &e));
    CHECK_OK(fs_size(&f, &size, &e));
    CHECK_INT(size, 8);
    fs_preallocate(&f, 8, 1 << 20);
    CHECK_OK(fs_size(&f, &size, &e));
    CHECK_INT(size, 8);
    CHECK_OK(fs_pread(&f, buf, sizeof buf, 2, &got, &e));
    CHECK_SLICE(slice_of(buf, got), SL("\0hello"));
    CHECK_OK(fs_pread(&f, buf, sizeof buf, 8, &got, &e));
    CHECK_INT(got, 0);
    CHECK_OK(fs_truncate(&f, 4, &e));
    CHECK_OK(fs_datasync(&f, &e));
    fs_close(&f);
    CHECK_OK(fs_open(&f, path, FS_READ, &e));
    CHECK_ERR(fs_pwrite(&f, "x", 1, 0, &e), E_IO);
    CHECK_INT(e.sys, EBADF);
    fs_close(&f);
}

static void whole_files(void)
{
    struct error e;
    struct strbuf b = STRBUF_INIT;
    const char *path = in_dir("conf");
    CHECK_ERR(fs_read_all(path, 100, &b, &e), E_NOT_FOUND);
    CHECK_OK(fs_replace(path, SL("one"), &e));
    CHECK_OK(fs_replace(path, SL("second"), &e));
    CHECK_OK(fs_read_all(path, 6, &b, &e));
    CHECK_STR(b.p, "second");
    CHECK_ERR(fs_read_all(path, 5, &b, &e), E_TOO_LARGE);
    strbuf_reset(&b);
    CHECK_OK(fs_read_all("/proc/self/status", 1 << 20, &b, &e)); /* says size 0 */
    CHECK(b.n > 100);
    strbuf_release(&b);
}

/* Whatever call fails, the file is the old one or the new one, and no temporary one stays. */
static void replace_under_faults(void)
{
    const char *path = in_dir("conf");
    char tmp[500];
    struct error e;
    snprintf(tmp, sizeof tmp, "%s.tmp", path);
    for (int kind = 0; kind < 4; kind++) {
        for (int n = 1; n < 5; n++) {
            CHECK_OK(fs_replace(path, SL("old content"), &e));
            struct fs_faults f = {.fail_errno = kind == 1 ? ENOSPC : 0, .short_write = kind == 1};
            *(kind == 0 ? &f.fail_open_at : kind == 3 ? &f.fail_sync_at : &f.fail_write_at) = n;
            fs_fault_set(&f);
            enum err rc = fs_replace(path, SL("new content"), &e);
            bool hit = fs_fault_hit();
            fs_fault_set(NULL);
            CHECK_INT(rc != E_OK, hit);
            if (hit && kind == 1)
                CHECK(strstr(e.msg, "No space left") && strstr(e.hint, "make room"));
            size_t size;
            char *now = test_read_file(path, &size);
            CHECK(now &&
                  (strcmp(now, "new content") == 0 || (hit && strcmp(now, "old content") == 0)));
            CHECK(!fs_exists(tmp));
            free(now);
        }
    }
}

static void short_write(void)
{
    struct fs_file f;
    struct error e;
    int64_t size;
    CHECK_OK(fs_open(&f, in_dir("x"), FS_WRITE | FS_CREATE, &e));
    fs_fault_set(&(struct fs_faults){.fail_write_at = 2, .short_write = true});
    CHECK_OK(fs_pwrite(&f, "12345678", 8, 0, &e));
    CHECK_ERR(fs_pwrite(&f, "12345678", 8, 8, &e), E_IO);
    CHECK_INT(e.sys, EIO);
    CHECK(fs_fault_hit());
    CHECK_OK(fs_pwrite(&f, "", 0, 8, &e));
    fs_fault_set(NULL);
    CHECK_OK(fs_size(&f, &size, &e));
    CHECK_INT(size, 12);
    fs_close(&f);
}

static bool count_name(const char *name, void *arg)
{
    CHECK(strcmp(name, ".") != 0 && strcmp(name, "..") != 0);
    return ++*(int *)arg < 3;
}

static void directories(void)
{
    struct error e;
    char deep[500], link[500], *kept;
    const char *root = in_dir("tree"), *outside = in_dir("kept");
    snprintf(deep, sizeof deep, "%s/a//b/c/", root);
    CHECK_OK(fs_mkdirs(deep, &e));
    CHECK_OK(fs_mkdirs(deep, &e));
    CHECK_OK(fs_replace(outside, SL("x"), &e));
    CHECK_ERR(fs_mkdirs(outside, &e), E_IO);
    CHECK(strstr(e.hint, "in the way") != NULL);
    for (int i = 0; i < 4; i++) {
        snprintf(deep, sizeof deep, "%s/a/b/file-%d", root, i);
        CHECK_OK(fs_replace(deep, SL("y"), &e));
    }
    snprintf(link, sizeof link, "%s/a/link", root);
    CHECK_INT(symlink(outside, link), 0);
    snprintf(link, sizeof link, "%s/a/dirlink", root);
    CHECK_INT(symlink("/usr", link), 0);
    int n = 0;
    snprintf(deep, sizeof deep, "%s/a/b", root);
    CHECK_OK(fs_list(deep, count_name, &n, &e));
    CHECK_INT(n, 3); /* stopped by the callback */
    CHECK_OK(fs_remove_tree(root, &e));
    CHECK(!fs_exists(root) && fs_exists("/usr/bin"));
    CHECK_OK(fs_remove_tree(root, &e));
    kept = test_read_file(outside, NULL);
    CHECK_STR(kept, "x");
    free(kept);
    CHECK_ERR(fs_list(root, count_name, &n, &e), E_NOT_FOUND);
    CHECK_OK(fs_unlink(outside, &e));
    CHECK_OK(fs_unlink(outside, &e));
    CHECK_ERR(fs_rename(outside, root, &e), E_NOT_FOUND);
}

static void lock(void)
{
    struct fs_file a, b;
    struct error e;
    char want[60];
    const char *path = in_dir("lock");
    CHECK_OK(fs_lock(&a, path, &e));
    CHECK_ERR(fs_lock(&b, path, &e), E_CONFLICT);
    snprintf(want, sizeof want, "pid %ld", (long)getpid());
    CHECK(strstr(e.msg, want) != NULL);
    fs_close(&a);
    CHECK_OK(fs_lock(&b, path, &e));
    fs_close(&b);
}

/* Synced bytes survive every cut; of the rest every outcome occurs over the seeds. */
static void power(void)
{
    struct error e;
    const char *dir = test_dir();
    char path[400];
    int kept = 0, dropped = 0, trashed = 0, made_lost = 0;
    for (uint64_t seed = 0; seed < 60; seed++) {
        struct fs_file f, made;
        char block[1024], other[500];
        snprintf(path, sizeof path, "%s/log-%d", dir, (int)seed);
        snprintf(other, sizeof other, "%s/made-%d", dir, (int)seed);
        memset(block, 'a', sizeof block);
        CHECK_OK(fs_open(&f, path, FS_READ | FS_WRITE | FS_CREATE, &e));
        fs_power_begin(dir);
        CHECK_OK(fs_pwrite(&f, block, sizeof block, 0, &e));
        CHECK_OK(fs_datasync(&f, &e));
        memset(block, 'b', sizeof block);
        CHECK_OK(fs_pwrite(&f, block, sizeof block, 1024, &e));
        CHECK_OK(fs_open(&made, other, FS_WRITE | FS_CREATE, &e));
        CHECK_OK(fs_pwrite(&made, "new", 3, 0, &e));
        fs_close(&made);
        fs_close(&f);
        fs_power_cut(seed);
        size_t n;
        char *now = test_read_file(path, &n);
        memset(block, 'a', sizeof block);
        CHECK(n >= 1024 && memcmp(now, block, 1024) == 0);
        memset(block, 'b', sizeof block);
        if (n == 1024)
            dropped++;
        else if (n == 2048 && memcmp(now + 1024, block, 1024) == 0)
            kept++;
        else
            trashed++;
        made_lost += !fs_exists(other);
        free(now);
    }
    CHECK(kept > 5 && dropped > 5 && trashed > 5);
    CHECK(made_lost > 5 && made_lost < 55);
}

static void power_keeps_replaced(void)
{
    struct error e;
    const char *dir = test_dir();
    char path[400];
    snprintf(path, sizeof path, "%s/checkpoint", dir);
    CHECK_OK(fs_replace(path, SL("old"), &e));
    for (uint64_t seed = 0; seed < 20; seed++) {
        fs_power_begin(dir);
        CHECK_OK(fs_replace(path, SL("new content"), &e));
        fs_power_cut(seed);
        char *now = test_read_file(path, NULL);
        CHECK_STR(now, "new content");
        free(now);
    }
    fs_power_begin(dir); /* an unsynced truncation may or may not have happened */
    struct fs_file f;
    CHECK_OK(fs_open(&f, path, FS_WRITE | FS_TRUNC, &e));
    fs_close(&f);
    fs_power_cut(7);
    fs_power_begin(NULL);
}

static const struct test_case tests[] = {
    {"read_and_write", read_and_write},
    {"whole_files", whole_files},
    {"replace_under_faults", replace_under_faults},
    {"short_write", short_write},
    {"directories", directories},
    {"lock", lock},
    {"power", power},
    {"power_keeps_replaced", power_keeps_replaced},
    {NULL, NULL},
};
const struct test_suite test_fs = {"base/fs", tests};
