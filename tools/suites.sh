#!/bin/bash
# Prints the C table of unit test suites: one `struct test_suite` per tests/unit/**/test_NAME.c.
# Used by the Makefile; nothing has to be registered by hand.
names=$(for f in "$@"; do b=$(basename "$f" .c); [[ $b == test_* ]] && echo "$b"; done)
echo '#include "helpers.h"'
for n in $names; do echo "extern const struct test_suite $n;"; done
echo 'const struct test_suite *const test_suites[] = {'
for n in $names; do echo "    &$n,"; done
echo '    NULL};'
