/* cdc/mysql/gtid_filter.h - gtid.source.includes and excludes: whose transactions are wanted, by the
 * server's UUID or (MariaDB) "domain-server". SPEC: cdc-mysql 1.3, 4.6. Thread: the owner's. */
#ifndef WEIR_CDC_MYSQL_GTID_FILTER_H
#define WEIR_CDC_MYSQL_GTID_FILTER_H

#include "base/base.h"
#include "base/err.h"
#include "cdc/filter.h"
#include "cdc/mysql/gtid.h"
#include "cdc/mysql/options.h"

struct gtid_filter {
    struct regex_list includes, excludes;
    bool rows; /* row events of unwanted sources are left out */
};
enum err gtid_filter_init(struct gtid_filter *f, const struct mysql_options *o,
                          struct error *e) MUST_CHECK;
void gtid_filter_release(struct gtid_filter *f);
bool gtid_filter_takes(const struct gtid_filter *f, struct slice source);
/* Takes the transactions of unwanted sources out of the set. */
void gtid_filter_set(const struct gtid_filter *f, struct gtid_set *set);

#endif
