/* cdc/mongodb/token.h - what a resume token says. It is {_data: HEX}, a KeyString of the server's:
 * time, version, kind of token, number in a transaction, from an invalidate or not, UUID of the
 * collection, key of the document. Any token may be asked, also an empty or a null slice; it is a
 * checked document otherwise. */
#ifndef WEIR_CDC_MONGODB_TOKEN_H
#define WEIR_CDC_MONGODB_TOKEN_H

#include "base/bytes.h"

/* Its time, in seconds since 1970 and a counter; false: not to be seen. */
bool mongo_token_time(struct slice token, uint32_t *seconds, uint32_t *increment);
/* Whether it is known to belong to no event: all before its time has been told, nothing of it. */
bool mongo_token_between(struct slice token);
/* The UUID of its event's collection (16 bytes); false: it is not of the form that is known. */
bool mongo_token_uuid(struct slice token, char uuid[16]);

#endif
