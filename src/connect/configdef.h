/* connect/configdef.h - validation of connector configurations against option rows: the
 * framework's, the connector's, and those of its transforms, predicates and converters. SPEC:
 * connect 2, 4.4.
 *
 * A validation owns everything in its answer. Thread: one at a time; a connector's own checks block
 * (they connect to the database), so: pool or herder callers, never a loop. */
#ifndef WEIR_CONNECT_CONFIGDEF_H
#define WEIR_CONNECT_CONFIGDEF_H

#include <jansson.h>

#include "base/arena.h"
#include "base/strmap.h"
#include "connect/connector.h"
#include "connect/registry.h"

struct config_item {
    struct slice name;
    const struct opt_row *row;   /* NULL: a value without definition */
    const char *checked_as;      /* the option's name in the words of its checks */
    struct slice def;            /* default as shown; null: none */
    struct slice group, display; /* as shown (transforms have names of their own) */
    struct slice value;          /* as shown */
    bool required, hidden;
    int order; /* as shown, where there is a group */
    bool tail; /* without definition, and yet in its place: those come first otherwise */
    struct slice *dependents;
    size_t dependent_count;
    struct slice *errors;
    size_t error_count;
    struct slice *recommended;
    size_t recommended_count;
};
struct config_errors { /* connectors see it as opaque */
    struct arena a;
    struct config_item *items;
    size_t count, cap;
    const struct registry *registry;
    const struct strmap *worker;
    struct slice connector_class; /* as given */
};

/* Fills v, which config_errors_release empties in any case. config: with references resolved.
 * E_INVALID: an option of a client (producer.override.*) that cannot be parsed; no answer then. */
enum err config_validate(struct config_errors *v, const struct registry *r,
                         const struct strmap *worker, const struct strmap *config,
                         const struct connector_ops *ops, struct error *e) MUST_CHECK;
/* A line in the log for each key that nobody reads: options of transforms and predicates that their
 * classes do not have, those of names that are not listed, and, for a connector whose rows are all of
 * its options, other keys. */
void config_tell_unknown(const struct registry *r, const struct strmap *config,
                         const struct connector_ops *ops);
/* Values and messages show references (${file:...}) as they were given, not what they stand for. */
void config_errors_hide(struct config_errors *v, const struct strmap *raw,
                        const struct strmap *resolved);
void config_errors_release(struct config_errors *v);
size_t config_error_count(const struct config_errors *v);
/* The answer of PUT .../config/validate. */
json_t *config_validation_json(const struct config_errors *v);
/* "Connector configuration is invalid and contains the following ..." */
void config_error_summary(const struct config_errors *v, struct strbuf *out);
/* Definitions for GET /connector-plugins/{p}/config: the plugin's rows, then the framework's
 * (connectors only: ops not NULL). */
json_t *config_definitions_json(const struct opt_row *rows, const struct connector_ops *ops,
                                const struct registry *r);

#endif
