/* base/base.c - the one function behind invariant().
 *
 * An invariant is a rule on which stored data depends. When one is broken nothing may be written
 * any more, so the process says which rule it was, in one write to stderr (the log may itself be
 * what broke), and aborts; what was acknowledged before is on disk. Thread: any. */
#include "base/base.h"

#include <stdlib.h>
#include <unistd.h>

void invariant_failed(const char *cond, const char *file, int line)
{
    char text[400];
    int n = snprintf(text, sizeof text, "weir: invariant broken: %s (%s:%d)\n", cond, file, line);
    if (n > 0 && write(STDERR_FILENO, text, MIN((size_t)n, sizeof text - 1)) < 0)
        abort();
    abort();
}
