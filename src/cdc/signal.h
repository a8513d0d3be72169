/* cdc/signal.h - signals to a running connector: what a row of the signal table, a record of the
 * signal topic or a line of the signal file asks for. SPEC: cdc-mysql 3.6, cdc-mongodb 4.3. Thread:
 * the task's. */
#ifndef WEIR_CDC_SIGNAL_H
#define WEIR_CDC_SIGNAL_H

#include "base/arena.h"
#include "base/base.h"
#include "base/err.h"
#include "base/log.h"
#include "base/str.h"

/* As it came; borrowed. */
struct signal {
    struct slice id, type;
    struct slice data; /* JSON text; may be null */
};

enum signal_type {
    SIGNAL_EXECUTE,
    SIGNAL_STOP,
    SIGNAL_PAUSE,
    SIGNAL_RESUME,
    SIGNAL_LOG,
    SIGNAL_SET_POSITION,
    SIGNAL_WINDOW, /* marks of an incremental snapshot's own windows */
};
struct signal_condition {
    struct slice collection; /* regular expression; null: all */
    struct slice filter;
};
/* What it asks for; texts in the arena that signal_parse was given. */
struct signal_request {
    enum signal_type type;
    struct slice id;
    bool blocking;                   /* EXECUTE */
    const struct slice *collections; /* regular expressions; 0: not given */
    size_t collection_count;
    const struct signal_condition *conditions;
    size_t condition_count;
    struct slice surrogate_key;  /* null: none */
    struct slice message;        /* LOG */
    struct slice file, gtid_set; /* SET_POSITION */
    int64_t position;
};
/* E_INVALID: nothing is to be done; what was wrong has been logged. */
enum err signal_parse(const struct signal *s, struct arena *a,
                      struct signal_request *out) MUST_CHECK;
/* A signal as one JSON object {"id","type","data"}, data an object or its text; in the arena. A
 * missing id becomes a random one. E_INVALID: not of that form. */
enum err signal_from_json(struct slice json, struct arena *a, struct signal *out,
                          struct error *e) MUST_CHECK;
/* The other way round; appends. */
void signal_to_json(const struct signal *s, struct strbuf *out);
/* Filter for a collection: of the first condition that names it; null slice: none. */
struct slice signal_filter(const struct signal_request *r, struct slice collection);
/* Whether the pattern matches the whole name, in any case; what is no pattern is compared. */
bool signal_names(struct slice pattern, struct slice collection);
/* Warns of names of the signal that stand for none of the ids. kind: "table", "collection". */
void signal_tell_unknown(const struct signal_request *r, enum log_category log, const char *kind,
                         const struct slice *ids, size_t count);
/* The message of a `log` signal with {} replaced by the offset. */
void signal_message(const struct signal_request *r, struct slice offset, struct strbuf *out);

#endif
