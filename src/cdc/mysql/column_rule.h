/* cdc/mysql/column_rule.h - options that name columns and change what their values or schemas show:
 * masks, hashes, cut texts, the type in the database. Chosen once per table version; of several
 * rules for one column the first holds, in the order truncate, mask, hash, propagate. Key fields are
 * never changed. SPEC: cdc-mysql 6.9. Thread: the owner's. */
#ifndef WEIR_CDC_MYSQL_COLUMN_RULE_H
#define WEIR_CDC_MYSQL_COLUMN_RULE_H

#include "base/base.h"
#include "base/err.h"
#include "base/strmap.h"
#include "cdc/filter.h"
#include "cdc/mysql/options.h"
#include "cdc/mysql/table.h"
#include "connect/schema.h"

struct evp_md_st;

enum column_rule_kind { RULE_TRUNCATE, RULE_MASK, RULE_HASH, RULE_PROPAGATE };
struct column_rule {
    enum column_rule_kind kind;
    struct regex_list columns; /* of db.table.column; by_type: of db.table.type and db.type */
    bool by_type;
    uint32_t count;       /* TRUNCATE: characters (UTF-16 units) that stay; MASK: asterisks */
    char *mask;           /* MASK: the asterisks */
    struct evp_md_st *md; /* HASH */
    char *salt;
    bool as_text; /* HASH: of the text (v2), else of Java's serialised String */
};
struct column_rules {
    struct column_rule *items;
    size_t count;
};

/* From all options of these families. E_INVALID: what is wrong, without the option's name, which is
 * *option then (borrowed from the configuration; NULL allowed). On failure r is empty. */
enum err column_rules_init(struct column_rules *r, const struct mysql_options *o,
                           struct slice *option, struct error *e) MUST_CHECK;
/* The same for a canonical configuration alone: masks, hashes and truncations. */
enum err column_rules_check(const struct strmap *config, struct slice *option,
                            struct error *e) MUST_CHECK;
void column_rules_release(struct column_rules *r);
/* NULL: none. */
const struct column_rule *column_rules_find(const struct column_rules *r, struct slice db,
                                            struct slice table, const struct mysql_column *column);

/* Parameters that tell of the rule. */
void column_rule_schema(const struct column_rule *r, const struct mysql_column *column,
                        struct schema_builder *b);
/* Whether values of the column come out changed: texts only. */
bool column_rule_changes(const struct column_rule *r, const struct mysql_column *column);
/* TRUNCATE, HASH: the text that takes the place of `in`; in `out` (reset here) or a part of `in`.
 * Null slice without memory. */
struct slice column_rule_text(const struct column_rule *r, const struct mysql_column *column,
                              struct slice in, struct strbuf *out);

#endif
