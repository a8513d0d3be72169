/* cdc/transforms/document_int.h - between document.c and document_schema.c. Thread: the task's. */
#ifndef WEIR_CDC_TRANSFORMS_DOCUMENT_INT_H
#define WEIR_CDC_TRANSFORMS_DOCUMENT_INT_H

#include "cdc/transforms/document.h"

#define DOCUMENT_SHAPES 256 /* kept at most */
struct document_kept {
    struct document_shape shape;
    char *text; /* NULL: free */
    size_t n;
};
struct documents {
    bool as_structs, widen, warned;
    bool numbers;       /* of the last refusal: widen would have taken it */
    bool names;         /* of the last refusal: two members have one name */
    struct strbuf path; /* of the last refusal */
    enum name_adjustment adjust;
    const struct schema *timestamp, *regex, *empty; /* optional */
    struct strbuf text;                             /* scratch: the shape */
    struct document_kept kept[DOCUMENT_SHAPES];
    struct document_shape single; /* of the last document whose shape is too long to be kept */
};

/* The class of a value: see the table in document.c. */
char document_class(enum bson_kind kind);
/* A member's name as field.name.adjustment.mode wants it; out is reset. */
void document_adjust(const struct documents *d, struct slice name, struct strbuf *out);
/* The name of an array's element with array.encoding=document: "_0", "_1" ...; in text. */
#define DOCUMENT_INDEX_MAX 12
struct slice document_index(unsigned n, char text[DOCUMENT_INDEX_MAX]);
/* A refusal on its way out: it happened in the member of that name. */
void document_refused_in(struct documents *d, struct slice name);
/* Fills d->timestamp, regex, empty. */
void document_schemas_init(struct documents *d);
/* Optional; takes over the element's reference. */
const struct schema *document_array_of(const struct schema *element);
/* A reference to a schema that takes the values of both, which differ in types of numbers alone, or
 * NULL. */
const struct schema *document_widest(const struct schema *old, const struct schema *later);
/* A reference to the later one's schema, in which what was empty there is as it was before, and
 * numbers are as wide as before, if they may be. Where it does not take the old values, these are
 * refused. */
const struct schema *document_last_form(const struct schema *old, const struct schema *later,
                                        bool widen);
/* The schema of a document (see document_convert), a reference. */
enum err document_schema(struct documents *d, struct slice name, struct slice doc,
                         const struct bson_item *extra, size_t extra_count,
                         const struct schema **out, struct error *e) MUST_CHECK;

#endif
