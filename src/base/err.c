/* base/err.c - names of error codes, and the filling of struct error.
 *
 * Texts that do not fit are cut at a UTF-8 character boundary, so that a message which quotes a row
 * or a topic stays valid text in JSON answers. Nothing here allocates: an error can always be
 * reported. Thread: any (each struct error belongs to its caller). */
#include "base/err.h"

#include <errno.h>
#include <stdarg.h>

#include "base/base.h"

static const char *const names[E_COUNT] = {
    [E_OK] = "ok",
    [E_NOMEM] = "out of memory",
    [E_IO] = "input/output error",
    [E_CORRUPT] = "corrupt data",
    [E_TRUNCATED] = "truncated data",
    [E_TOO_LARGE] = "too large",
    [E_INVALID] = "invalid",
    [E_NOT_FOUND] = "not found",
    [E_EXISTS] = "already exists",
    [E_TIMEOUT] = "timed out",
    [E_CANCELLED] = "cancelled",
    [E_UNSUPPORTED] = "not supported",
    [E_CONFLICT] = "conflict",
    [E_AUTH] = "not authorised",
    [E_REMOTE] = "remote error",
    [E_AGAIN] = "try again",
};

const char *err_name(enum err code)
{
    return (unsigned)code < E_COUNT ? names[code] : "unknown error";
}

/* Drops the first bytes of a character whose rest did not fit. */
static void cut_clean(char *text, size_t n)
{
    size_t i = n;
    while (i > 0 && n - i < 3 && ((unsigned char)text[i - 1] & 0xc0) == 0x80)
        i--;
    if (i == 0)
        return;
    unsigned char lead = (unsigned char)text[i - 1];
    size_t want = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 1;
    if (want > 1 && n - (i - 1) < want)
        text[i - 1] = 0;
}

/* Formats at text[at]; returns the new length, at most size - 1. */
static PRINTF_LIKE(4, 0) size_t put(char *text, size_t size, size_t at, const char *fmt, va_list ap)
{
    int n = vsnprintf(text + at, size - at, fmt, ap);
    if (n < 0) {
        text[at] = 0;
        return at;
    }
    if ((size_t)n < size - at)
        return at + (size_t)n;
    cut_clean(text, size - 1);
    return strlen(text);
}

enum err error_set(struct error *e, enum err code, const char *fmt, ...)
{
    if (!e)
        return code;
    char text[sizeof e->msg]; /* an argument may point into *e */
    va_list ap;
    va_start(ap, fmt);
    put(text, sizeof text, 0, fmt, ap);
    va_end(ap);
    memcpy(e->msg, text, strlen(text) + 1);
    e->code = code;
    e->sys = 0;
    e->hint[0] = 0;
    return code;
}

enum err error_sys(struct error *e, int sys_errno, const char *fmt, ...)
{
    enum err code = sys_errno == ENOMEM ? E_NOMEM : E_IO;
    if (!e)
        return code;
    char text[sizeof e->msg], reason[128];
    va_list ap;
    va_start(ap, fmt);
    size_t n = put(text, sizeof text, 0, fmt, ap);
    va_end(ap);
    /* GNU form: returns the text, which may or may not be in the buffer. */
    const char *why = strerror_r(sys_errno, reason, sizeof reason);
    snprintf(text + n, sizeof text - n, ": %s", why);
    memcpy(e->msg, text, strlen(text) + 1);
    e->code = code;
    e->sys = sys_errno;
    e->hint[0] = 0;
    return code;
}

enum err error_wrap(struct error *e, const char *fmt, ...)
{
    if (!e)
        return E_OK;
    char text[sizeof e->msg];
    va_list ap;
    va_start(ap, fmt);
    size_t n = put(text, sizeof text, 0, fmt, ap);
    va_end(ap);
    int more = snprintf(text + n, sizeof text - n, ": %s", e->msg);
    if (more > 0 && (size_t)more >= sizeof text - n)
        cut_clean(text, sizeof text - 1);
    memcpy(e->msg, text, strlen(text) + 1);
    return e->code;
}

void error_hint(struct error *e, const char *fmt, ...)
{
    if (!e)
        return;
    char text[sizeof e->hint];
    va_list ap;
    va_start(ap, fmt);
    put(text, sizeof text, 0, fmt, ap);
    va_end(ap);
    memcpy(e->hint, text, strlen(text) + 1);
}

void error_clear(struct error *e)
{
    if (!e)
        return;
    e->code = E_OK;
    e->sys = 0;
    e->msg[0] = 0;
    e->hint[0] = 0;
}
