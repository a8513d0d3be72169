/* lab/demo_event.h - one change as a line that a person reads, out of the Debezium envelope that a
 * consumer gets. Thread: any. */
#ifndef WEIR_LAB_DEMO_EVENT_H
#define WEIR_LAB_DEMO_EVENT_H

#include <jansson.h>

#include "base/str.h"

/* Appends "orders: UPDATE id=1004 status NEW → PAID". topic: its part after the last dot is the
 * table or collection. op: c, u or d. event: the envelope without schema; that of MongoDB has
 * documents as text, and of an update what was set. */
void demo_event_print(struct slice topic, struct slice key, char op, const json_t *event,
                      struct strbuf *out);

#endif
