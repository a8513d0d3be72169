/* cdc/naming.h - names of topics, schemas and fields made from names in the database.
 * SPEC: cdc-mysql 5.13. Thread: any. */
#ifndef WEIR_CDC_NAMING_H
#define WEIR_CDC_NAMING_H

#include "base/base.h"
#include "base/str.h"

enum name_adjustment { NAME_AS_IS, NAME_AVRO, NAME_AVRO_UNICODE };

/* Appends a valid topic name: what Kafka does not allow becomes '_' (unicode: "_uXXXX", and '_'
 * itself too); at most 249 characters, "." and ".." become underscores. */
void naming_topic(struct slice raw, bool unicode, struct strbuf *out);
/* Appends a schema name (parts between dots are kept apart) or, with `field`, a field name. */
void naming_adjust(struct slice raw, enum name_adjustment how, bool field, struct strbuf *out);

#endif
