/* cdc/transactions.h - provide.transaction.metadata: a record where a transaction begins and one
 * where it ends, and the block in each event between that says its place. The counters are part of
 * the source offset, so that a restart inside a transaction goes on counting. SPEC:
 * cdc-mysql 5.7, 5.12, 8.2. Thread: the task's. */
#ifndef WEIR_CDC_TRANSACTIONS_H
#define WEIR_CDC_TRANSACTIONS_H

#include "base/base.h"
#include "base/map.h"
#include "cdc/options.h"
#include "connect/record.h"

struct transaction_count {
    char *collection; /* "db.table" */
    uint64_t events;
};
struct transactions {
    bool enabled;
    char *topic;
    const struct schema *key, *value;
    bool active;           /* between begin and end */
    struct strbuf id;      /* of the transaction; n == 0: none known */
    struct slice batch_id; /* the same in the batch's arena; null: not copied yet */
    uint64_t total;
    struct transaction_count **counts; /* in the order of first sight */
    size_t count, cap;
    struct map by_name; /* -> counts */
};
/* topic is copied. enabled false: every call below does nothing. */
void transactions_init(struct transactions *t, bool enabled, struct slice topic);
void transactions_init_options(struct transactions *t, const struct capture_options *o);
void transactions_release(struct transactions *t);
/* Before the first record of a batch. */
void transactions_batch(struct transactions *t);
/* Adds the record of the beginning. E_NOMEM. */
enum err transactions_begin(struct transactions *t, struct record_batch *b, struct slice id,
                            int64_t ts_ms, struct error *e) MUST_CHECK;
/* A beginning that was told before a restart: counting goes on. */
void transactions_resume(struct transactions *t, struct slice id);
/* Adds the record of the end, when one is open. */
enum err transactions_end(struct transactions *t, struct record_batch *b, int64_t ts_ms,
                          struct error *e) MUST_CHECK;
/* Counts one event of a table; its block (null outside a transaction). E_NOMEM. */
enum err transactions_event(struct transactions *t, struct record_batch *b, struct slice db,
                            struct slice table, struct value *block) MUST_CHECK;

/* Appends `,"transaction_id":...` and the counters as further members of an offset's JSON. */
void transactions_print(const struct transactions *t, struct strbuf *out);
/* Takes them from such members, `{...}`; others are left alone. */
void transactions_load(struct transactions *t, struct slice json);

#endif
