/* broker/log/recover.h - after a crash: finds out how much of a log is whole. SPEC: broker 4.6. */
#ifndef WEIR_BROKER_LOG_RECOVER_H
#define WEIR_BROKER_LOG_RECOVER_H

#include "broker/log/plog.h"

/* Checks every batch (length, magic, checksum, growing offsets) of the segments that may hold
 * offsets at or above `from` (-1: all), cuts the log at the first bad byte, and forgets their
 * indexes (they are built anew). Below `durable` there may be holes between segments, not above.
 * Segments that cannot be used any more are renamed to NNN.log.aside. *bytes_cut: how much went.
 * Lock: as plog.h. */
enum err recover_log(struct plog *l, int64_t from, int64_t durable, int64_t *bytes_cut,
                     struct error *e) MUST_CHECK;

#endif
