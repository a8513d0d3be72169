/* connect/registry.h - which classes there are: connectors, converters, transforms, predicates, by
 * full class name, simple name or pruned name. SPEC: connect 1.7.
 *
 * Built once at start from the plugin arrays and the worker's own converters; immutable afterwards.
 * Thread: any. */
#ifndef WEIR_CONNECT_REGISTRY_H
#define WEIR_CONNECT_REGISTRY_H

#include "connect/connector.h"

struct registry {
    const struct connector_ops **connectors; /* sinks first, each kind sorted by class name */
    const struct converter_ops **converters; /* sorted */
    const struct transform_ops **transforms;
    const struct predicate_ops **predicates;
    size_t connector_count, converter_count, transform_count, predicate_count;
};

void registry_init(struct registry *r,
                   const struct connect_plugins *const *plugins); /* ends with NULL */
void registry_release(struct registry *r);
/* NULL: no such class. */
const struct connector_ops *registry_connector(const struct registry *r, struct slice name);
const struct converter_ops *registry_converter(const struct registry *r, struct slice name);
const struct transform_ops *registry_transform(const struct registry *r, struct slice name);
const struct predicate_ops *registry_predicate(const struct registry *r, struct slice name);
/* Whether a converter may be a header.converter: all of ours may. "header_converter" only: not
 * listed as a converter. */
bool registry_header_only(const struct converter_ops *c);
/* How often Kafka's worker names a class among an option's recommended values: once for each place
 * of an installation that has a copy. 0: it is not found there. SPEC: golden connect/plugins */
size_t registry_copies(const char *class_name);
/* The connector class of nearly this name, or NULL: for texts. */
const char *registry_nearest(const struct registry *r, struct slice name);
/* The text after "available connectors are: " of Connect's answer for an unknown class. */
void registry_describe(const struct registry *r, struct strbuf *out);

#endif
