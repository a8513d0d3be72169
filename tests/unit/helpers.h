/* tests/unit/helpers.h - what unit tests share. A file test_NAME.c defines
 * `const struct test_suite test_NAME = {"module/name", tests};`; the Makefile finds it by its name.
 */
#ifndef WEIR_TESTS_UNIT_HELPERS_H
#define WEIR_TESTS_UNIT_HELPERS_H

#include <CUnit/CUnit.h>

#include "base/base.h"
#include "base/err.h"
#include "base/str.h"

struct test_case {
    const char *name;
    void (*fn)(void);
};
struct test_suite {
    const char *name;              /* "base/str": the source file that it covers */
    const struct test_case *tests; /* ends with a row of NULLs */
    int (*setup)(void);            /* NULL or 0 on success; once a suite */
    int (*teardown)(void);
};
extern const struct test_suite *const test_suites[];

/* Text assertions that print both sides when they differ. */
void check_str(const char *got, const char *want, const char *file, unsigned line);
void check_slice(struct slice got, struct slice want, const char *file, unsigned line);
void check_i64(int64_t got, int64_t want, const char *expr, const char *file, unsigned line);
void check_err(enum err got, enum err want, const char *expr, const char *file, unsigned line);
#define CHECK_STR(got, want) check_str((got), (want), __FILE__, __LINE__)
#define CHECK_SLICE(got, want) check_slice((got), (want), __FILE__, __LINE__)
#define CHECK_INT(got, want) check_i64((int64_t)(got), (int64_t)(want), #got, __FILE__, __LINE__)
#define CHECK_ERR(got, want) check_err((got), (want), #got, __FILE__, __LINE__)
#define CHECK_OK(got) check_err((got), E_OK, #got, __FILE__, __LINE__)
#define CHECK(cond)                                                                                \
    CU_assertImplementation((cond) ? CU_TRUE : CU_FALSE, __LINE__, #cond, __FILE__, "", CU_FALSE)

/* A fresh directory below $TMPDIR, removed with all its contents at the end of the run. Borrowed.
 */
const char *test_dir(void);
/* Whole file; caller frees. NULL when it is not there. */
char *test_read_file(const char *path, size_t *n);
/* Path of ../shared/<name>, or NULL where a clone has no shared/ beside it (then the test says that
 * it was skipped by calling test_skip). Borrowed until the next call. */
const char *test_shared(const char *name);
void test_skip(const char *why);

#endif
