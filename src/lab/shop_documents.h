/* lab/shop_documents.h - the demo's shop in MongoDB: collections customers, products and orders
 * (one document each, with its items in it), an outbox, and a hand that keeps orders changing.
 * Functions are those of demo_db.h. Thread: one. */
#ifndef WEIR_LAB_SHOP_DOCUMENTS_H
#define WEIR_LAB_SHOP_DOCUMENTS_H

#include "lab/demo_db.h"

struct shop_documents;
/* uri: of a replica set. Creates collections and documents unless they are there; what is shown
 * keeps pre-images, so that its events tell what was. Puts the mark into the outbox. */
enum err shop_documents_open(struct shop_documents **out, const char *uri, const char *mark,
                             struct error *e) MUST_CHECK;
void shop_documents_close(struct shop_documents *s); /* NULL allowed */
enum err shop_documents_count(struct shop_documents *s, int64_t *out, struct error *e) MUST_CHECK;
enum err shop_documents_act(struct shop_documents *s, struct shop_count *count,
                            struct error *e) MUST_CHECK;

#endif
