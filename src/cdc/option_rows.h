/* cdc/option_rows.h - what the rows of a connector's options.def become in its table of struct
 * opt_row. Included by the one file that has the table, after it has defined OPTION_STRUCT as the
 * struct that the rows' fields are of, and BY(tables, collections) as the one that its databases
 * have. SPEC: cdc-mysql 1.3, cdc-mongodb 2 */
#ifndef WEIR_CDC_OPTION_ROWS_H
#define WEIR_CDC_OPTION_ROWS_H

#include <stddef.h>

#include "base/opt.h"

/* An option with a field. */
#define ROW(n, t, d, f, imp, grp, ord, w, disp, text)                                              \
    {.name = n,                                                                                    \
     .type = OPT_##t,                                                                              \
     .def = d,                                                                                     \
     .offset = offsetof(OPTION_STRUCT, f),                                                         \
     .flags = OPT_OWN_CHECKS,                                                                      \
     .importance = OPT_##imp,                                                                      \
     .group = grp,                                                                                 \
     .order = ord,                                                                                 \
     .width = OPT_W_##w,                                                                           \
     .display = disp,                                                                              \
     .doc = text},
/* Accepted and shown; nothing reads it. */
#define NOP(n, t, d, imp, grp, ord, w, disp, text)                                                 \
    {.name = n,                                                                                    \
     .type = OPT_##t,                                                                              \
     .def = d,                                                                                     \
     .offset = OPT_NO_FIELD,                                                                       \
     .flags = OPT_OWN_CHECKS | OPT_NO_STORE,                                                       \
     .importance = OPT_##imp,                                                                      \
     .group = grp,                                                                                 \
     .order = ord,                                                                                 \
     .width = OPT_W_##w,                                                                           \
     .display = disp,                                                                              \
     .doc = text},
/* With a field, not in the validation answer. */
#define HID(n, t, d, f, text)                                                                      \
    {.name = n,                                                                                    \
     .type = OPT_##t,                                                                              \
     .def = d,                                                                                     \
     .offset = offsetof(OPTION_STRUCT, f),                                                         \
     .flags = OPT_OWN_CHECKS | OPT_INTERNAL,                                                       \
     .importance = OPT_LOW,                                                                        \
     .order = -1,                                                                                  \
     .doc = text},
/* Neither. */
#define HNO(n, t, d, text)                                                                         \
    {.name = n,                                                                                    \
     .type = OPT_##t,                                                                              \
     .def = d,                                                                                     \
     .offset = OPT_NO_FIELD,                                                                       \
     .flags = OPT_OWN_CHECKS | OPT_INTERNAL | OPT_NO_STORE,                                        \
     .importance = OPT_LOW,                                                                        \
     .order = -1,                                                                                  \
     .doc = text},

#endif
