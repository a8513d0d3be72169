/* One application of one transform: texts in, texts out. */
#ifndef WEIR_TESTS_UNIT_CONNECT_TRANSFORMS_SMT_CASE_H
#define WEIR_TESTS_UNIT_CONNECT_TRANSFORMS_SMT_CASE_H

#include "connect/connector.h"

struct smt_case {
    const struct transform_ops *ops;
    const char *config; /* "name=value" lines */
    const char *schema; /* JSON as JsonConverter writes it; NULL: schemaless */
    const char *value;  /* JSON */
    /* "topic key value" of the record afterwards, schemas in front of key and value with `show`;
     * "dropped"; or the message of the failure */
    const char *want;
    bool show; /* schemas too */
};
/* With the topic "t", timestamp 2024-02-29T12:34:56.789Z, key null. `line` for the report. */
void smt_case_run(const struct smt_case *c, unsigned line);

#endif
