/* base/err.h - error codes, and errors with words for the places where a person reads them.
 *
 * A function that can fail returns enum err and is MUST_CHECK. Where the reason matters to a person
 * its last parameter is `struct error *e`, which may be NULL. Texts are short, factual, start in
 * lower case, end without a full stop and name the object; the hint says what to do. */
#ifndef WEIR_BASE_ERR_H
#define WEIR_BASE_ERR_H

#include "base/base.h"

enum err {
    E_OK = 0,
    E_NOMEM,     /* an allocation or a memory budget failed */
    E_IO,        /* the operating system refused; error.sys holds errno */
    E_CORRUPT,   /* stored or received bytes contradict their format */
    E_TRUNCATED, /* the input ends before the value does */
    E_TOO_LARGE, /* over a stated limit */
    E_INVALID,   /* an argument or a configuration is wrong */
    E_NOT_FOUND,
    E_EXISTS,
    E_TIMEOUT,
    E_CANCELLED,   /* the caller or a stop asked for the end */
    E_UNSUPPORTED, /* well-formed, but not served here */
    E_CONFLICT,    /* the object's state does not allow it */
    E_AUTH,        /* credentials or privileges */
    E_REMOTE,      /* the other side answered with an error; error.sys holds its code */
    E_AGAIN,       /* nothing now; try later */
    E_COUNT
};

struct error {
    enum err code;
    int sys; /* errno, or the vendor's code for E_REMOTE; else 0 */
    char msg[2048];
    char hint[256]; /* what to do; "" when there is nothing to say */
};

/* Lower-case name of a code, such as "not found"; never NULL. Thread: any. */
const char *err_name(enum err code);

/* Each fills *e (when e is not NULL) and returns the code, so that `return error_set(...)` works.
 */
enum err error_set(struct error *e, enum err code, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* The same from errno: appends ": <strerror>". The caller's errno is kept in e->sys. */
enum err error_sys(struct error *e, int sys_errno, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* Prefixes "<text>: " to the message already in *e; the code stays. Returns e->code (E_OK if NULL).
 */
enum err error_wrap(struct error *e, const char *fmt, ...) PRINTF_LIKE(2, 3);
void error_hint(struct error *e, const char *fmt, ...) PRINTF_LIKE(2, 3);
void error_clear(struct error *e);

#endif
