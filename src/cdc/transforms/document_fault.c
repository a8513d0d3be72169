/* cdc/transforms/document_fault.c - what is said of a document that was refused: where it was, and
 * what helps. See document.h. Thread: the task's. */
#include "cdc/transforms/document_int.h"

#define SHOWN_MAX 200 /* bytes of a key and of a path that an error tells */

struct document_fault documents_fault(const struct documents *d)
{
    return (struct document_fault){
        .path = strbuf_slice(&d->path), .numbers = d->numbers, .names = d->names};
}

static const char *cut_mark(struct slice text)
{
    return text.n > SHOWN_MAX ? "..." : "";
}

enum err documents_refused(const struct documents *d, const struct record *r, struct slice key,
                           const char *cure, enum err err, struct error *e)
{
    struct document_fault at = documents_fault(d);
    struct slice k = slice_sub(key, 0, SHOWN_MAX), path = slice_sub(at.path, 0, SHOWN_MAX);
    struct strbuf more = STRBUF_INIT;
    if (!e || err != E_INVALID)
        return err;
    strbuf_addf(&more,
                "\n\tin the field " PRI_SL "%s of the record with the key " PRI_SL
                "%s for the topic " PRI_SL "\n\t%s",
                ARG_SL(path), cut_mark(at.path), ARG_SL(k), cut_mark(key), ARG_SL(r->topic), cure);
    int room = (int)(sizeof e->msg - 128 - more.n); /* 128: what is put before it on its way */
    if (!strbuf_err(&more))
        error_set(e, E_INVALID, "%.*s%s", room, e->msg, more.p);
    strbuf_release(&more);
    return E_INVALID;
}

enum err document_unreadable(const struct record *r, struct slice key, enum err err,
                             struct error *e)
{
    struct slice k = slice_sub(key, 0, SHOWN_MAX);
    if (e && err == E_INVALID)
        error_set(e, E_INVALID,
                  "%.200s\n\tin the record with the key " PRI_SL "%s for the topic " PRI_SL
                  "\n\tfields with names as $oid, $date or $numberLong are read as such values; "
                  "errors.tolerance=all leaves out the records in which they are none",
                  e->msg, ARG_SL(k), cut_mark(key), ARG_SL(r->topic));
    return err;
}
