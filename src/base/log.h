/* base/log.h - log lines: level, category, short message, context. Thread: any.
 *
 *   LOG_WARN(LOG_BROKER_CONN, "closing: %s", why);
 *
 * One line per event on stderr, `key=value` after a short message. What a thread is working on is a
 * context (log_ctx_push) that adds itself to every line: `conn=17 peer=127.0.0.1:5123`. Equal lines
 * of one call site are collapsed to one a second with a count. Passwords, SASL bytes and row values
 * never reach a line below trace. */
#ifndef WEIR_BASE_LOG_H
#define WEIR_BASE_LOG_H

#include <stdatomic.h>

#include "base/base.h"
#include "base/err.h"

enum log_level { LOG_L_OFF, LOG_L_ERROR, LOG_L_WARN, LOG_L_INFO, LOG_L_DEBUG, LOG_L_TRACE };

/* One row per category: symbol, name. Connect's /admin/loggers maps onto these at run time. */
#define LOG_CATEGORIES(X)                                                                          \
    X(LOG_MAIN, "main")                                                                            \
    X(LOG_BASE, "base")                                                                            \
    X(LOG_DB, "db")                                                                                \
    X(LOG_HTTP, "http")                                                                            \
    X(LOG_BROKER, "broker")                                                                        \
    X(LOG_BROKER_CONN, "broker.conn")                                                              \
    X(LOG_BROKER_GROUP, "broker.group")                                                            \
    X(LOG_BROKER_LOG, "broker.log")                                                                \
    X(LOG_BROKER_TXN, "broker.txn")                                                                \
    X(LOG_CONNECT, "connect")                                                                      \
    X(LOG_CONNECT_HERDER, "connect.herder")                                                        \
    X(LOG_CONNECT_TASK, "connect.task")                                                            \
    X(LOG_CDC, "cdc")                                                                              \
    X(LOG_CDC_MYSQL, "cdc.mysql")                                                                  \
    X(LOG_CDC_MONGO, "cdc.mongo")                                                                  \
    X(LOG_WEB, "web")                                                                              \
    X(LOG_LAB, "lab")
enum log_category {
#define X(sym, name) sym,
    LOG_CATEGORIES(X)
#undef X
        LOG_CATEGORY_COUNT
};

extern _Atomic int log_levels[LOG_CATEGORY_COUNT]; /* written by log_set_level only */
static inline bool log_enabled(enum log_category c, enum log_level l)
{
    return (int)l <= atomic_load_explicit(&log_levels[c], memory_order_relaxed); /* stale is fine */
}

struct log_site { /* one per call site, for collapsing repeats */
    _Atomic int64_t second;
    _Atomic uint32_t in_second, held_back, hash;
};
void log_write(struct log_site *site, enum log_category c, enum log_level l, const char *fmt, ...)
    PRINTF_LIKE(4, 5);
/* A struct error after the text: ": msg (hint)". */
void log_error(struct log_site *site, enum log_category c, enum log_level l, const struct error *e,
               const char *fmt, ...) PRINTF_LIKE(5, 6);

#define LOG_AT(cat, lvl, ...)                                                                      \
    do {                                                                                           \
        static struct log_site log_site_;                                                          \
        if (log_enabled(cat, lvl))                                                                 \
            log_write(&log_site_, cat, lvl, __VA_ARGS__);                                          \
    } while (0)
#define LOG_ERROR(cat, ...) LOG_AT(cat, LOG_L_ERROR, __VA_ARGS__)
#define LOG_WARN(cat, ...) LOG_AT(cat, LOG_L_WARN, __VA_ARGS__)
#define LOG_INFO(cat, ...) LOG_AT(cat, LOG_L_INFO, __VA_ARGS__)
#define LOG_DEBUG(cat, ...) LOG_AT(cat, LOG_L_DEBUG, __VA_ARGS__)
#define LOG_TRACE(cat, ...) LOG_AT(cat, LOG_L_TRACE, __VA_ARGS__)
#define LOG_ERR(cat, lvl, e, ...)                                                                  \
    do {                                                                                           \
        static struct log_site log_site_;                                                          \
        if (log_enabled(cat, lvl))                                                                 \
            log_error(&log_site_, cat, lvl, e, __VA_ARGS__);                                       \
    } while (0)

const char *log_category_name(enum log_category c);
/* name: a category, a prefix of categories ("broker") or "root". E_NOT_FOUND. */
enum err log_set_level(const char *name, enum log_level l) MUST_CHECK;
enum err log_parse_level(const char *text, enum log_level *out) MUST_CHECK; /* any case */
const char *log_level_name(enum log_level l);                               /* "INFO" */

/* Context of this thread; nests; text is borrowed until popped. */
struct log_ctx {
    const char *text; /* "connector=inventory task=0" */
    struct log_ctx *outer;
    void (*hide)(void *arg, char *msg, size_t room);
    void *hide_arg;
};
void log_ctx_push(struct log_ctx *c, const char *text);
/* While c is pushed, fn takes out of each message what nobody may see, in place (room: with the final
 * NUL). It must not log. */
void log_ctx_hide(struct log_ctx *c, void (*fn)(void *arg, char *msg, size_t room), void *arg);
void log_ctx_pop(struct log_ctx *c);
/* What this thread is doing: "reading the binlog"; appears as `while=...` in warnings and errors.
 */
void log_action(const char *literal);

/* Where lines go: stderr from the start; a file appends. journald's <N> priorities are used when
 * stderr is the journal. */
enum err log_to_file(const char *path, struct error *e) MUST_CHECK; /* again: switches (rotation) */
void log_detect_journal(
    void); /* look again whether stderr is the journal (after it was redirected) */

#endif
