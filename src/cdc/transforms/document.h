/* cdc/transforms/document.h - documents of MongoDB as structs with a schema of their own: every
 * document tells its schema by itself. Schemas are made once per shape (names and types of the
 * members) and kept. SPEC: cdc-mongodb 7.1, connect 7.5. Thread: the task's. */
#ifndef WEIR_CDC_TRANSFORMS_DOCUMENT_H
#define WEIR_CDC_TRANSFORMS_DOCUMENT_H

#include "cdc/bson/bson_view.h"
#include "cdc/naming.h"
#include "connect/record.h"

struct documents; /* the shapes that were met */
enum documents_how {
    DOCUMENTS_AS_ARRAYS = 0,  /* elements of one type */
    DOCUMENTS_AS_STRUCTS = 1, /* an array is a struct of _0, _1 ... (array.encoding=document) */
    DOCUMENTS_WIDEN = 2       /* numbers of an array have the widest type (weir.array.widen) */
};
/* how: bits of it. */
struct documents *documents_new(unsigned how, enum name_adjustment adjust);
void documents_free(struct documents *d);

/* A shape. All schemas live at least as long as the batch. */
struct document_shape {
    const struct schema *schema; /* not optional, fields in the document's order, all optional */
    /* The caller's: what it makes of it (a reference), and what else that depends on. */
    const struct schema *made, *made_for;
};
/* The document and then the extra members, as a struct named `name` (null: without name; structs in
 * it begin with "null."). Texts are borrowed from the document, which is to live as long as the
 * batch. E_INVALID: in Java's words, why not: arrays of several types; E_NOMEM. See
 * documents_fault. */
enum err document_convert(struct documents *d, struct record_batch *b, struct slice name,
                          struct slice doc, const struct bson_item *extra, size_t extra_count,
                          struct document_shape **shape, struct value *v,
                          struct error *e) MUST_CHECK;
/* Where document_convert found what it refused. */
struct document_fault {
    struct slice path; /* of the field, as MongoDB writes it: "a.1.b"; until the next call */
    bool numbers;      /* types of numbers differ, nothing else: DOCUMENTS_WIDEN takes it */
    bool names;        /* two members have one name: adjusted, or one that was added */
};
struct document_fault documents_fault(const struct documents *d);
/* What document_convert answered with: adds where it was and what helps, below the original's
 * words, which are cut where there would be no room for it; indented like a frame of Java's trace.
 * r: its topic is told. key: as text. Returns err. */
enum err documents_refused(const struct documents *d, const struct record *r, struct slice key,
                           const char *cure, enum err err, struct error *e);
/* e says what is wrong with the text of a document, or of its key: also which document's, and what
 * can be done. Returns err. */
enum err document_unreadable(const struct record *r, struct slice key, enum err err,
                             struct error *e);
/* Sets shape->made; takes over the reference. */
void document_shape_put(struct document_shape *s, struct record_batch *b,
                        const struct schema *made_for, const struct schema *made);

#endif
