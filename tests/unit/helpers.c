/* tests/unit/helpers.c - see helpers.h. */
#include "helpers.h"

#include <errno.h>
#include <ftw.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

static void verdict(bool ok, const char *text, const char *file, unsigned line)
{
    CU_assertImplementation(ok ? CU_TRUE : CU_FALSE, line, text, file, "", CU_FALSE);
}

void check_str(const char *got, const char *want, const char *file, unsigned line)
{
    check_slice(slice_cstr(got), slice_cstr(want), file, line);
}

void check_slice(struct slice got, struct slice want, const char *file, unsigned line)
{
    char text[2000] = "";
    bool ok = slice_eq(got, want);
    if (!ok)
        snprintf(text, sizeof text, "got %s\"%.*s\", want %s\"%.*s\"", got.p ? "" : "null ",
                 (int)MIN(got.n, 900), got.p ? got.p : "", want.p ? "" : "null ",
                 (int)MIN(want.n, 900), want.p ? want.p : "");
    verdict(ok, text, file, line);
}

void check_i64(int64_t got, int64_t want, const char *expr, const char *file, unsigned line)
{
    char text[500];
    snprintf(text, sizeof text, "%s: got %lld, want %lld", expr, (long long)got, (long long)want);
    verdict(got == want, text, file, line);
}

void check_err(enum err got, enum err want, const char *expr, const char *file, unsigned line)
{
    char text[500];
    snprintf(text, sizeof text, "%s: got '%s', want '%s'", expr, err_name(got), err_name(want));
    verdict(got == want, text, file, line);
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

static char root[200];

static void remove_root(void)
{
    nftw(root, remove_entry, 20, FTW_DEPTH | FTW_PHYS);
}

/* In memory where there is room: these tests sync thousands of times, and what a sync is worth the live
 * tests show. */
static const char *place(void)
{
    const char *tmp = getenv("TMPDIR");
    struct statvfs v;
    if (tmp)
        return tmp;
    return statvfs("/dev/shm", &v) == 0 && (uint64_t)v.f_bavail * v.f_frsize >= (uint64_t)512 << 20
               ? "/dev/shm"
               : "/tmp";
}

const char *test_dir(void)
{
    static unsigned count;
    static char path[sizeof root + 20];
    if (!root[0]) {
        snprintf(root, sizeof root, "%s/weir-tests-XXXXXX", place());
        if (!mkdtemp(root)) {
            perror(root);
            abort();
        }
        atexit(remove_root);
    }
    snprintf(path, sizeof path, "%s/%u", root, ++count);
    if (mkdir(path, 0755) != 0) {
        perror(path);
        abort();
    }
    return path;
}

char *test_read_file(const char *path, size_t *n)
{
    FILE *f = fopen(path, "rb");
    if (!f)
        return NULL;
    char *text = NULL;
    size_t cap = 0, len = 0, got;
    do {
        char *bigger = realloc(text, cap += 65536 + cap);
        if (!bigger)
            abort();
        text = bigger;
        got = fread(text + len, 1, cap - len - 1, f);
        len += got;
    } while (got > 0);
    fclose(f);
    text[len] = 0;
    if (n)
        *n = len;
    return text;
}

const char *test_shared(const char *name)
{
    static char path[500];
    const char *base = getenv("WEIR_SHARED");
    snprintf(path, sizeof path, "%s/%s", base ? base : "../shared", name);
    return access(path, R_OK) == 0 ? path : NULL;
}

void test_skip(const char *why)
{
    if (getenv("STRICT"))
        verdict(false, why, "(skipped)", 0);
    else
        printf("(skipped: %s) ", why);
}
