/* base/log.c - see log.h.
 *
 * A line is built on the stack and leaves in one write(2), so lines of different threads do not mix
 * and logging works when memory is out. What comes from outside (names, peers, server texts) may
 * stand in a message, so control characters and bytes that are not UTF-8 are written as escapes,
 * and ends of lines as bars: one event stays one line and no terminal sequence gets through.
 *
 * Collapsing: a call site whose line (message and context) equals its previous one within the same
 * second, or that has written SITE_MAX lines within it, counts instead of writing; the site's next
 * line carries the number. Debug and trace lines are never held back: whoever asks for them wants
 * all. */
#include "base/log.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log_tap.h"
#include "base/str.h"

enum { MSG_MAX = 4096, LINE_MAX_BYTES = 8192, CTX_MAX = 8, SITE_MAX = 200 };

_Atomic int log_levels[LOG_CATEGORY_COUNT] = {
#define X(sym, name) LOG_L_INFO,
    LOG_CATEGORIES(X)
#undef X
};

static const char *const category_names[] = {
#define X(sym, name) name,
    LOG_CATEGORIES(X)
#undef X
};
static const char *const level_names[] = {"OFF", "ERROR", "WARN", "INFO", "DEBUG", "TRACE"};

static _Atomic int log_fd = STDERR_FILENO; /* changes once, in log_to_file */
static _Atomic int journal = -1;           /* -1: not looked yet */
static _Thread_local struct log_ctx *ctx_top;
static _Atomic(log_tap_fn) tap;
static _Thread_local const char *action;

/* --- building a line -------------------------------------------------------------------------- */

struct line {
    char p[LINE_MAX_BYTES];
    size_t n;
};

static void put(struct line *l, const char *s, size_t n)
{
    size_t room = sizeof l->p - 1 - l->n; /* one byte stays for the line feed */
    n = MIN(n, room);
    memcpy(l->p + l->n, s, n);
    l->n += n;
}

static void puts_to(struct line *l, const char *s)
{
    put(l, s, strlen(s));
}

/* Length of the UTF-8 sequence at s that may be shown as it is; 0 when it must be escaped. */
static size_t shown_length(const unsigned char *s, size_t left)
{
    if (s[0] < 0x80)
        return s[0] >= 0x20 && s[0] != 0x7f;
    size_t n = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : s[0] >= 0xc2 ? 2 : 0;
    if (n == 0 || n > left || !slice_is_utf8(slice_of(s, n)))
        return 0;
    return s[0] == 0xc2 && s[1] < 0xa0 ? 0 : n; /* C1 controls */
}

/* How many of these are an end of a line with what indents the next one; 0: another character. */
static size_t line_end_length(const unsigned char *s, size_t left)
{
    size_t n = 0;
    if (*s != '\n' && *s != '\r')
        return 0;
    while (n < left && (s[n] == '\n' || s[n] == '\r' || s[n] == '\t' || s[n] == ' '))
        n++;
    return n;
}

static void put_escaped(struct line *l, const char *text, size_t n)
{
    const unsigned char *s = (const unsigned char *)text;
    while (n > 0) {
        size_t take = shown_length(s, n), ended = line_end_length(s, n);
        if (take > 0) {
            put(l, (const char *)s, take);
        } else if (ended > 0) {
            take = ended;
            if (take < n) /* of several lines of somebody else's text */
                puts_to(l, " | ");
        } else if (*s == '\t') {
            take = 1;
            puts_to(l, " ");
        } else {
            char esc[5];
            snprintf(esc, sizeof esc, "\\x%02x", *s);
            puts_to(l, esc);
            take = 1;
        }
        s += take;
        n -= take;
    }
}

static void put_time(struct line *l)
{
    int64_t ms = clock_wall_ms();
    char text[CLOCK_ISO_SIZE];
    puts_to(l, clock_iso(text, ms / 1000, (int32_t)(ms % 1000), 3));
    puts_to(l, " ");
}

static void put_context(struct line *l, enum log_level level)
{
    const struct log_ctx *stack[CTX_MAX];
    size_t n = 0;
    for (const struct log_ctx *c = ctx_top; c && n < CTX_MAX; c = c->outer)
        stack[n++] = c;
    while (n > 0) {
        const char *text = stack[--n]->text;
        puts_to(l, " ");
        put_escaped(l, text, strlen(text));
    }
    if (action && level <= LOG_L_WARN) {
        puts_to(l, " while=\"");
        put_escaped(l, action, strlen(action));
        puts_to(l, "\"");
    }
}

/* --- where it goes ---------------------------------------------------------------------------- */

/* systemd names the journal's stream as "device:inode"; stderr may have been redirected since. */
static bool stderr_is_journal(void)
{
    int known =
        atomic_load_explicit(&journal, memory_order_relaxed); /* any thread finds the same */
    if (known >= 0)
        return known;
    unsigned long long dev, ino;
    struct stat st;
    const char *env = getenv("JOURNAL_STREAM");
    bool yes = env && sscanf(env, "%llu:%llu", &dev, &ino) == 2 && fstat(STDERR_FILENO, &st) == 0 &&
               st.st_dev == (dev_t)dev && st.st_ino == (ino_t)ino;
    atomic_store_explicit(&journal, yes, memory_order_relaxed);
    return yes;
}

void log_detect_journal(void)
{
    atomic_store_explicit(&journal, -1, memory_order_relaxed);
}

enum err log_to_file(const char *path, struct error *e)
{
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
    if (fd < 0)
        return error_sys(e, errno, "opening log file %s", path);
    int now = atomic_load(&log_fd);
    if (now == STDERR_FILENO) {
        atomic_store(&log_fd, fd);
        return E_OK;
    }
    /* Another file (rotation): the number stays, so no thread writes to a closed one. */
    int rc = dup3(fd, now, O_CLOEXEC);
    int sys = errno;
    close(fd);
    return rc < 0 ? error_sys(e, sys, "switching to log file %s", path) : E_OK;
}

static void write_line(const struct line *l)
{
    int saved = errno, fd = atomic_load_explicit(&log_fd, memory_order_relaxed);
    size_t done = 0;
    while (done < l->n) {
        ssize_t n = write(fd, l->p + done, l->n - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break; /* nowhere to report it */
        done += (size_t)n;
    }
    errno = saved;
}

/* --- holding back ----------------------------------------------------------------------------- */

static uint32_t hash_text(uint32_t h, const char *s)
{
    for (; *s; s++)
        h = (h ^ (unsigned char)*s) * 16777619u;
    return h;
}

/* True when the line is only counted. *missed: how many were since the last one written. Two
 * threads at one site may both pass or miscount by one: it is a courtesy to the reader, not an
 * account. */
static bool hold_back(struct log_site *site, enum log_level level, const char *msg,
                      uint32_t *missed)
{
    *missed = 0;
    if (!site || level > LOG_L_INFO)
        return false;
    uint32_t h = hash_text(2166136261u, msg);
    for (const struct log_ctx *c = ctx_top; c; c = c->outer)
        h = hash_text(h, c->text);
    int64_t second = clock_mono_ms() / 1000 + 1; /* + 1: a site's zero is no second */
    if (atomic_exchange_explicit(&site->second, second, memory_order_relaxed) != second)
        atomic_store_explicit(&site->in_second, 0, memory_order_relaxed);
    uint32_t nth = atomic_fetch_add_explicit(&site->in_second, 1, memory_order_relaxed);
    bool equal = atomic_exchange_explicit(&site->hash, h, memory_order_relaxed) == h && nth > 0;
    if (equal || nth >= SITE_MAX) {
        atomic_fetch_add_explicit(&site->held_back, 1, memory_order_relaxed);
        return true;
    }
    *missed = atomic_exchange_explicit(&site->held_back, 0, memory_order_relaxed);
    return false;
}

/* msg has MSG_MAX bytes. */
static void emit(struct log_site *site, enum log_category c, enum log_level level, char *msg)
{
    static const char priority[] = "734677"; /* syslog, by level */
    uint32_t missed;
    for (const struct log_ctx *x = ctx_top; x; x = x->outer)
        if (x->hide)
            x->hide(x->hide_arg, msg, MSG_MAX);
    if (hold_back(site, level, msg, &missed))
        return;
    log_tap_fn give = level <= LOG_L_WARN ? atomic_load_explicit(&tap, memory_order_acquire) : NULL;
    if (give)
        give(level, ctx_top, msg);
    struct line l;
    l.n = 0;
    char head[64];
    bool to_journal =
        atomic_load_explicit(&log_fd, memory_order_relaxed) == STDERR_FILENO && stderr_is_journal();
    if (to_journal) {
        snprintf(head, sizeof head, "<%c>%s ", priority[level], category_names[c]);
    } else {
        put_time(&l);
        snprintf(head, sizeof head, "%-5s %s ", level_names[level], category_names[c]);
    }
    puts_to(&l, head);
    put_escaped(&l, msg, strlen(msg));
    put_context(&l, level);
    if (missed > 0) {
        char text[48];
        snprintf(text, sizeof text, " held_back=%u", missed);
        puts_to(&l, text);
    }
    l.p[l.n++] = '\n';
    write_line(&l);
}

static PRINTF_LIKE(3, 0) size_t format(char *msg, size_t size, const char *fmt, va_list ap)
{
    int n = vsnprintf(msg, size, fmt, ap);
    if (n < 0)
        n = snprintf(msg, size, "(message cannot be formatted)");
    if ((size_t)n < size)
        return (size_t)n;
    memcpy(msg + size - 4, "...", 4);
    return size - 1;
}

void log_write(struct log_site *site, enum log_category c, enum log_level l, const char *fmt, ...)
{
    char msg[MSG_MAX];
    va_list ap;
    va_start(ap, fmt);
    format(msg, sizeof msg, fmt, ap);
    va_end(ap);
    emit(site, c, l, msg);
}

void log_error(struct log_site *site, enum log_category c, enum log_level l, const struct error *e,
               const char *fmt, ...)
{
    char msg[MSG_MAX];
    va_list ap;
    va_start(ap, fmt);
    size_t n = format(msg, sizeof msg, fmt, ap);
    va_end(ap);
    if (e && e->code != E_OK)
        snprintf(msg + n, sizeof msg - n, ": %s%s%s%s", e->msg[0] ? e->msg : err_name(e->code),
                 e->hint[0] ? " (" : "", e->hint, e->hint[0] ? ")" : "");
    emit(site, c, l, msg);
}

/* --- levels and context ----------------------------------------------------------------------- */

void log_tap(log_tap_fn fn)
{
    atomic_store_explicit(&tap, fn, memory_order_release);
}

const char *log_category_name(enum log_category c)
{
    return category_names[c];
}

const char *log_level_name(enum log_level l)
{
    return level_names[l];
}

enum err log_parse_level(const char *text, enum log_level *out)
{
    for (size_t i = 0; i < ARRAY_LEN(level_names); i++) {
        if (strcasecmp(text, level_names[i]) == 0) {
            *out = (enum log_level)i;
            return E_OK;
        }
    }
    /* Names of the Java loggers that clients of /admin/loggers send. */
    if (strcasecmp(text, "FATAL") == 0) {
        *out = LOG_L_ERROR;
        return E_OK;
    }
    if (strcasecmp(text, "ALL") == 0) {
        *out = LOG_L_TRACE;
        return E_OK;
    }
    return E_INVALID;
}

enum err log_set_level(const char *name, enum log_level l)
{
    size_t n = strlen(name);
    bool all = strcmp(name, "root") == 0, found = false;
    for (size_t i = 0; i < LOG_CATEGORY_COUNT; i++) {
        const char *c = category_names[i];
        if (all || (strncmp(c, name, n) == 0 && (c[n] == 0 || c[n] == '.'))) {
            atomic_store_explicit(&log_levels[i], (int)l, memory_order_relaxed);
            found = true;
        }
    }
    return found && n > 0 ? E_OK : E_NOT_FOUND;
}

void log_ctx_push(struct log_ctx *c, const char *text)
{
    *c = (struct log_ctx){.text = text, .outer = ctx_top};
    ctx_top = c;
}

void log_ctx_hide(struct log_ctx *c, void (*fn)(void *arg, char *msg, size_t room), void *arg)
{
    c->hide = fn;
    c->hide_arg = arg;
}

void log_ctx_pop(struct log_ctx *c)
{
    invariant(ctx_top == c);
    ctx_top = c->outer;
}

void log_action(const char *literal)
{
    action = literal;
}
