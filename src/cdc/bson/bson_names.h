/* cdc/bson/bson_names.h - a document whose members have each name once. JSON may say a name twice,
 * and so may what a client has stored; what reads such texts as Java does has the last value, at
 * the place of the first. Thread: the owner's. */
#ifndef WEIR_CDC_BSON_BSON_NAMES_H
#define WEIR_CDC_BSON_BSON_NAMES_H

#include "cdc/bson/bson_build.h"

/* Of the document that is open in b. Time goes with its size, whatever the names are. Failures
 * stick to b->out. */
void bson_names_once(struct bson_build *b);

#endif
