/* connect/jackson.h - Jackson's words for broken JSON: scripts and people know them from Connect's
 * answers and traces. SPEC: connect 1.1. Thread: any. */
#ifndef WEIR_CONNECT_JACKSON_H
#define WEIR_CONNECT_JACKSON_H

#include "base/json.h"

/* Why the reader failed, one line without position: "Unexpected character ('n' (code 110)): ...".
 */
void jackson_complaint(const struct json_reader *r, char *out, size_t room);
/* "\n at [Source: (<source>); line: 1, column: 4]" for the place where the reader stands. */
void jackson_where(const struct json_reader *r, const char *source, char *out, size_t room);

#endif
