/* connect/stages.h - what a record goes through between connector and log: transforms with their
 * predicates, then header, key and value converter (in a sink the other way round, and the converters
 * first); with the rules for records that fail there.
 * SPEC: connect 6.1, 8.1, 8.3. Thread: the task's. */
#ifndef WEIR_CONNECT_STAGES_H
#define WEIR_CONNECT_STAGES_H

#include "connect/connector.h"
#include "connect/errors.h"
#include "connect/registry.h"

struct converter {
    const struct converter_ops *ops;
    void *state;
};
struct stage_transform; /* one of the chain */
struct stages {
    struct converter key, value, header;
    struct stage_transform *chain;
    size_t chain_count;
    struct error_rules rules; /* last: see stages_release */
};

/* From the connector's configuration (ctx->config) and the worker's. On failure e is a Java chain, and
 * release is allowed. */
enum err stages_init(struct stages *s, const struct registry *r, struct task_ctx *ctx,
                     const struct strmap *worker, bool is_sink, struct error *e) MUST_CHECK;
void stages_release(struct stages *s);
/* Applies the transforms. E_OK: go on unless r->dropped (which tolerance sets too). */
enum err stages_transform(struct stages *s, struct record_batch *b, struct record *r,
                          struct error *e) MUST_CHECK;
/* True when sources may write keys and values themselves: no transform, JSON for both. */
bool stages_direct(const struct stages *s, struct direct_form *out);
/* Converts headers, key, value in this order, into the three buffers (reset here). */
struct converted {
    struct strbuf key, value, headers; /* headers: texts one after the other, see heads */
    bool key_null, value_null;
    struct khead *heads;
    size_t heads_count, heads_cap;
};
/* headers: false when the caller has them encoded already. */
enum err stages_convert(struct stages *s, struct record *r, bool headers, struct converted *out,
                        struct error *e) MUST_CHECK;
/* The headers alone. */
enum err stages_headers(struct stages *s, struct record *r, struct converted *out,
                        struct error *e) MUST_CHECK;
void converted_release(struct converted *c);
/* The other way: key, value, headers of what was consumed, in this order, become values of r, whose
 * other members are set too. k must live as long as the batch. E_OK: go on unless r->dropped. */
enum err stages_read(struct stages *s, struct record_batch *b, const struct krecord *k,
                     struct record *r, struct error *e) MUST_CHECK;

/* Entries of `config` that begin with prefix, without it. `out` is initialised here. */
void config_with_prefix(const struct strmap *config, const char *prefix, struct strmap *out);
/* Options of a client ("consumer."): the worker's, and over them the connector's (consumer.override.). */
void config_of_client(const struct strmap *config, const struct strmap *worker, const char *client,
                      struct strmap *out);

#endif
