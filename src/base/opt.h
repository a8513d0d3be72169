/* base/opt.h - one row per option, for every scope: server, broker, topic, worker, connector,
 * transform, converter. Parser, --help, DescribeConfigs, Connect's validate answer and the web form
 * are all printed from these rows.
 *
 * Values live in a plain struct of the owner; a row names the field by offset. */
#ifndef WEIR_BASE_OPT_H
#define WEIR_BASE_OPT_H

#include "base/base.h"
#include "base/err.h"
#include "base/str.h"
#include "base/strmap.h"

/* Names and order are Connect's ConfigDef.Type; Kafka's wire numbers differ (see broker/configs).
 */
enum opt_type {
    OPT_BOOLEAN,  /* bool */
    OPT_STRING,   /* struct slice, owned by the values' opt_values */
    OPT_INT,      /* int32_t */
    OPT_SHORT,    /* int16_t */
    OPT_LONG,     /* int64_t */
    OPT_DOUBLE,   /* double */
    OPT_LIST,     /* struct slice, the whole text; opt_list_next walks the trimmed parts */
    OPT_CLASS,    /* struct slice */
    OPT_PASSWORD, /* struct slice; printed as [hidden] */
    OPT_CHOICE,   /* int32_t: index into choices; a STRING to the outside */
};
enum opt_importance { OPT_HIGH, OPT_MEDIUM, OPT_LOW };
enum opt_width { OPT_W_NONE, OPT_W_SHORT, OPT_W_MEDIUM, OPT_W_LONG };
enum opt_flags {
    OPT_REQUIRED = 1, /* no default: absence is an error */
    OPT_SECRET = 2,
    OPT_RESTART = 4,  /* needs a restart to take effect */
    OPT_READONLY = 8, /* shown, never set */
    OPT_DEPRECATED = 16,
    OPT_INTERNAL = 32,    /* accepted, not shown */
    OPT_NO_STORE = 64,    /* accepted and shown; nothing in weir reads it (no field) */
    OPT_OWN_CHECKS = 128, /* the owner's validate() reports every error in its own words: the
                             general checks do not parse, range-check or require */
    OPT_ANY_CASE = 256,   /* choices match without regard to case */
    OPT_CHECK_NULL =
        512, /* the check has something to say about a missing value too (null slice) */
};

struct opt_row;
/* A further check of one value: E_INVALID with the exact message in e->msg. text is the trimmed
 * text. */
typedef enum err (*opt_check_fn)(const struct opt_row *row, struct slice text, struct error *e);
struct opt_row {
    const char *name;
    enum opt_type type;
    const char *def; /* text of the default; NULL = null (or none, with OPT_REQUIRED) */
    size_t offset;   /* into the values struct; OPT_NO_FIELD when none */
    unsigned flags;
    enum opt_importance importance;
    const char *group; /* heading of the form, "Kafka", "Connector" */
    int order;         /* in the group; -1 = unordered */
    enum opt_width width;
    const char *display; /* display name; NULL: the option's own, "": none */
    const char *doc;     /* what it does, in our words */
    double min, max;     /* numbers: inclusive when min < max or has_range */
    bool has_min, has_max;
    const char *const *choices; /* OPT_CHOICE and STRING with fixed values; ends with NULL */
    opt_check_fn check;         /* NULL: none */
    const char *const *aliases; /* old names that set the same value; ends with NULL */
};
#define OPT_NO_FIELD SIZE_MAX

/* Texts of one values struct: owned strings behind its slices. */
struct opt_values {
    void *values;        /* the struct that offsets point into */
    struct strmap texts; /* name -> trimmed text as given (only those that were given) */
};

const struct opt_row *opt_find(const struct opt_row *rows,
                               struct slice name); /* rows end with name NULL; aliases too */
/* Fills every field with its default. */
void opt_defaults(const struct opt_row *rows, void *values);
/* Parses one text by the row's type (Java's rules: trimmed; true/false any case) into the field.
 * E_INVALID: e->msg is ConfigDef's text, e.g.
 * "Invalid value abc for configuration tasks.max: Not a number of type INT". SPEC: connect 2.2. */
enum err opt_set(const struct opt_row *row, struct opt_values *v, struct slice text,
                 struct error *e) MUST_CHECK;
/* Whether opt_set would take the text; sets nothing. */
enum err opt_check(const struct opt_row *row, struct slice text, struct error *e) MUST_CHECK;
/* The value as text (default included), or null slice. Secret rows give "[hidden]" if hide. */
struct slice opt_text(const struct opt_row *row, const struct opt_values *v, bool hide,
                      struct strbuf *tmp);
/* Next trimmed part of a LIST text; false at the end. */
bool opt_list_next(struct slice *rest, struct slice *part);
/* Closest name for "unknown option" hints, or NULL. */
const char *opt_nearest(const struct opt_row *rows, struct slice name);
/* --help text of all visible rows. */
void opt_help(const struct opt_row *rows, struct strbuf *out);
const char *opt_type_name(enum opt_type t); /* "STRING" */
void opt_values_release(struct opt_values *v);

#endif
