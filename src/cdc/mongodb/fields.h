/* cdc/mongodb/fields.h - field.exclude.list and field.renames: which fields of a collection's documents are
 * left out or called otherwise, in before, after and the parts of updateDescription.
 * SPEC: cdc-mongodb 2.3. Thread: the task's. */
#ifndef WEIR_CDC_MONGODB_FIELDS_H
#define WEIR_CDC_MONGODB_FIELDS_H

#include "cdc/bson/bson_build.h"

struct field_rules;  /* of all collections */
struct field_filter; /* of one collection; found once per collection */
/* Texts of the two options; null or blank: none. E_INVALID: the plain message for the option named in
 * *option (static text). *out NULL: there are no rules. */
enum err field_rules_new(struct field_rules **out, struct slice exclude, struct slice renames,
                         const char **option, struct error *e) MUST_CHECK;
void field_rules_free(struct field_rules *r);
/* NULL: nothing applies to this collection. Owned by the rules. */
const struct field_filter *field_rules_for(struct field_rules *r, struct slice db,
                                           struct slice coll);
/* The document with the rules applied, written into b (reset first); valid until the next use of b.
 * dotted: names of members are paths ("address.city"), as in updatedFields. E_INVALID: `Document
 * already contains field : x`. f NULL gives the document itself. */
enum err field_filter_apply(const struct field_filter *f, struct slice doc, bool dotted,
                            struct bson_build *b, struct slice *out, struct error *e) MUST_CHECK;
/* A path of removedFields or truncatedArrays: false when it is excluded; else its new spelling in out
 * (reset first). */
bool field_filter_path(const struct field_filter *f, struct slice path, struct strbuf *out);

#endif
