/* connect/config_refs.h - references in configuration values: ${file:path:key}, ${env:NAME},
 * ${dir:path:file}. SPEC: connect 4.2. Thread: any; reads files. */
#ifndef WEIR_CONNECT_CONFIG_REFS_H
#define WEIR_CONNECT_CONFIG_REFS_H

#include "base/err.h"
#include "base/strmap.h"

/* A copy of `in` with references replaced; `out` is initialised here (also on failure). What names
 * no provider or no key stays as it is. worker: config.providers and their parameters. Values from
 * files never reach a log or an error text. */
enum err config_refs_resolve(const struct strmap *in, const struct strmap *worker,
                             struct strmap *out, struct error *e) MUST_CHECK;

/* Whether this value was made from a reference. */
bool config_refs_used(const struct strmap *raw, const struct strmap *resolved, struct slice key);
/* Puts the references back into a text for people (error, trace): what they stand for may be secret. */
void config_refs_hide(const struct strmap *raw, const struct strmap *resolved, struct strbuf *text);
void config_refs_hide_text(const struct strmap *raw, const struct strmap *resolved, char *text,
                           size_t room); /* room: with the final NUL */
void config_refs_hide_error(const struct strmap *raw, const struct strmap *resolved,
                            struct error *e); /* NULL allowed */

#endif
