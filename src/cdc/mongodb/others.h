/* cdc/mongodb/others.h - whether the server has data that is not captured. It decides where the
 * lists of a change stream are looked at: at the oplog, or behind the events (pipeline.h). Only
 * speed hangs on it: a collection that is made later is filtered in either place. Thread: that of
 * the client. */
#ifndef WEIR_CDC_MONGODB_OTHERS_H
#define WEIR_CDC_MONGODB_OTHERS_H

#include "cdc/mongodb/task.h"

/* True also when it is not to be found out: privileges, a fault, a great many databases. Without
 * patterns in lists the server is not asked. */
bool mongo_has_others(struct mongo_task *t, mongoc_client_t *c);

#endif
