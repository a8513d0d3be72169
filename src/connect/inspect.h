/* connect/inspect.h - what looking at a source found: for `weir doctor`, for the start of a task and
 * for pages. A connector's inspect function fills the list; nothing in it holds a password.
 * Thread: the owner's. */
#ifndef WEIR_CONNECT_INSPECT_H
#define WEIR_CONNECT_INSPECT_H

#include "base/base.h"
#include "base/str.h"

enum inspect_level {
    INSPECT_OK,      /* as it should be */
    INSPECT_NOTE,    /* good to know */
    INSPECT_WARNING, /* works, and will hurt later or partly */
    INSPECT_FAULT,   /* a connector would fail */
};
struct inspect_item {
    enum inspect_level level;
    char *what;  /* the thing: "binlog_format", "privileges" */
    char *text;  /* one sentence, or several lines */
    char *cure;  /* lines to paste; NULL: none */
    char *where; /* where they belong: "SQL, as an administrator", "my.cnf"; NULL without a cure */
};
struct inspection {
    struct inspect_item *items;
    size_t count, cap;
};
void inspection_init(struct inspection *i);
void inspection_release(struct inspection *i);
/* Adds one; the text is a format. Returns it, for inspection_cure; valid until the next add. */
struct inspect_item *inspection_add(struct inspection *i, enum inspect_level level,
                                    const char *what, const char *fmt, ...) PRINTF_LIKE(4, 5);
/* Copies both. Only the last item's cure can be set. */
void inspection_cure(struct inspection *i, const char *where, const char *cure);
size_t inspection_count(const struct inspection *i, enum inspect_level level);
const char *inspect_level_name(enum inspect_level l); /* "ok", "note", "warning", "fault" */

#endif
