/* cdc/option_check.h - checks of a configuration that all connectors have, in Debezium's words: a
 * table with one row per option, run over all rows. SPEC: cdc-mysql 1.2, cdc-mongodb 2.1, connect
 * 2.4. Thread: any. */
#ifndef WEIR_CDC_OPTION_CHECK_H
#define WEIR_CDC_OPTION_CHECK_H

#include "base/base.h"
#include "base/str.h"
#include "base/strmap.h"
#include "connect/connector.h"

struct option_checker;
typedef void (*option_check_fn)(struct option_checker *k);

struct option_check_row {
    const char *name;
    option_check_fn checks[4]; /* of a value that is given; ends with NULL */
    option_check_fn absent;    /* of one that is missing or blank; NULL: it may be */
    const char *choices;       /* for option_choice and its kin: as printed, between commas */
    const char *also;          /* words that are taken and not printed */
    const char *other;         /* for option_excludes: the option that must not be given, too */
};
struct option_checker {
    const struct strmap *config; /* canonical */
    struct config_errors *errs;
    const struct option_check_row *row;
    struct slice value; /* trimmed */
    int count;          /* of problems */
};

/* The rows that are the same for all connectors, then the connector's own. */
void option_checks_run(struct option_checker *k, const struct option_check_row *rows, size_t count);
/* Adds "The '<option>' value is invalid: <text>" to the row's option, or to another one. */
void option_problem(struct option_checker *k, const char *text);
void option_problem_at(struct option_checker *k, const char *option, const char *text);
bool option_given(const struct option_checker *k, const char *name);
bool option_listed(const char *words, struct slice value); /* any case, between commas */

void option_required(struct option_checker *k);
void option_name(struct option_checker *k); /* letters, digits, _ - . */
void option_int(struct option_checker *k);
void option_positive_int(struct option_checker *k);
void option_natural_int(struct option_checker *k); /* not negative */
void option_long(struct option_checker *k);
void option_positive_long(struct option_checker *k);
void option_natural_long(struct option_checker *k);
void option_bool(struct option_checker *k);
void option_choice(struct option_checker *k);
void option_regexes(struct option_checker *k);
void option_excludes(struct option_checker *k);
void option_operations(struct option_checker *k);
void option_queue(struct option_checker *k);          /* max.queue.size */
void option_one_collection(struct option_checker *k); /* signal.data.collection */
void option_sink_topic(struct option_checker *k);     /* absent: notification.sink.topic.name */

#endif
