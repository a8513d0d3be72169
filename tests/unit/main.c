/* tests/unit/main.c - runs the unit tests: all, or the suites whose names begin with an argument.
 * Closes with 'N passed, N failed' (tests, not assertions). */
#include <stdlib.h>
#include <unistd.h>

#include <CUnit/Basic.h>

#include "helpers.h"

static bool wanted(const char *name, int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (strncmp(name, argv[i], strlen(argv[i])) == 0)
            return true;
    return argc < 2;
}

int main(int argc, char **argv)
{
    if (CU_initialize_registry() != CUE_SUCCESS)
        return 2;
    for (const struct test_suite *const *s = test_suites; *s; s++) {
        if (!wanted((*s)->name, argc, argv))
            continue;
        CU_pSuite suite = CU_add_suite((*s)->name, (*s)->setup, (*s)->teardown);
        for (const struct test_case *t = (*s)->tests; suite && t->name; t++)
            CU_add_test(suite, t->name, t->fn);
    }
    CU_basic_set_mode(CU_BRM_NORMAL);
    CU_basic_run_tests();
    unsigned failed = CU_get_number_of_tests_failed() + CU_get_number_of_suites_failed();
    unsigned run = CU_get_number_of_tests_run();
    printf("%u passed, %u failed\n", run - CU_get_number_of_tests_failed(), failed);
    CU_cleanup_registry();
    return failed == 0 && run > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
