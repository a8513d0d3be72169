/* connect/transforms/field_path.h - names of fields, and paths of them (field.syntax.version V2):
 * dots between names, backquotes around names that have dots. Thread: any. */
#ifndef WEIR_CONNECT_TRANSFORMS_FIELD_PATH_H
#define WEIR_CONNECT_TRANSFORMS_FIELD_PATH_H

#include "base/base.h"
#include "base/err.h"
#include "base/str.h"

struct field_path {
    struct slice *steps; /* owned */
    size_t count;
};
/* E_INVALID: an incomplete backquote pair; e is Java's ConfigException. */
enum err field_path_parse(struct field_path *p, struct slice text, bool v2,
                          struct error *e) MUST_CHECK;
void field_path_release(struct field_path *p);

#endif
