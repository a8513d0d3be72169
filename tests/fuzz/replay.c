/* tests/fuzz/replay.c - runs a fuzz target over stored inputs, without libFuzzer.
 *
 * Arguments are files or directories (all regular files in them, not deeper). A finding ends the
 * process by a signal or a sanitizer's report, as under libFuzzer; the input at work is named on
 * stderr first when the variable REPLAY_VERBOSE is set. Closes with 'N passed, 0 failed'. */
#include "base/base.h"
#include "base/mem.h"

#include <dirent.h>
#include <stdlib.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
/* Optional in a target. */
__attribute__((weak)) int LLVMFuzzerInitialize(int *argc, char ***argv);

static unsigned passed, failed;

static void one_file(const char *path)
{
    FILE *f = fopen(path, "rb");
    struct stat st;
    if (!f || fstat(fileno(f), &st) != 0) {
        perror(path);
        failed++;
        if (f)
            fclose(f);
        return;
    }
    if (getenv("REPLAY_VERBOSE"))
        fprintf(stderr, "%s\n", path);
    /* Exactly as large as the input, so that a read past its end is seen. */
    size_t n = (size_t)st.st_size;
    uint8_t *data = xmalloc(n);
    if (fread(data, 1, n, f) != n) {
        fprintf(stderr, "%s: short read\n", path);
        failed++;
    } else {
        LLVMFuzzerTestOneInput(data, n);
        passed++;
    }
    mem_free(data);
    fclose(f);
}

static int visible(const struct dirent *e)
{
    return e->d_name[0] != '.';
}

static void one_argument(const char *path)
{
    struct stat st;
    if (stat(path, &st) != 0) {
        perror(path);
        failed++;
        return;
    }
    if (!S_ISDIR(st.st_mode)) {
        one_file(path);
        return;
    }
    struct dirent **entries;
    int n = scandir(path, &entries, visible, alphasort);
    for (int i = 0; i < n; i++) {
        char *child = xasprintf("%s/%s", path, entries[i]->d_name);
        if (stat(child, &st) == 0 && S_ISREG(st.st_mode))
            one_file(child);
        mem_free(child);
        free(entries[i]);
    }
    if (n >= 0)
        free(entries);
}

int main(int argc, char **argv)
{
    if (LLVMFuzzerInitialize)
        LLVMFuzzerInitialize(&argc, &argv);
    for (int i = 1; i < argc; i++)
        one_argument(argv[i]);
    printf("%u passed, %u failed\n", passed, failed);
    return failed || passed == 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
