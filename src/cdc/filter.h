/* cdc/filter.h - include and exclude lists: Java regular expressions that match whole identifiers
 * in any case, and the filter over databases, tables and columns that is made of them. SPEC:
 * cdc-mysql 1.5. Thread: the owner's; matching changes nothing but scratch memory. */
#ifndef WEIR_CDC_FILTER_H
#define WEIR_CDC_FILTER_H

#include "base/base.h"
#include "base/err.h"
#include "base/regex.h"
#include "base/str.h"

struct regex_list {
    struct regex **items;
    size_t count;
};
/* Elements are split at commas (a backslash keeps a comma), trimmed; empty ones are left out. A
 * null or blank text gives an empty list. On failure the list is empty. */
enum err regex_list_parse(struct regex_list *l, struct slice text, struct error *e) MUST_CHECK;
void regex_list_release(struct regex_list *l);
/* The next element of a list's text into `item` (reset first), trimmed; false at the end. Blank ones
 * are left out. */
bool regex_list_next(struct slice *rest, struct strbuf *item);
/* Position of the first element that matches, or -1. */
ptrdiff_t regex_list_find(const struct regex_list *l, struct slice text);

struct capture_lists { /* texts of the options; null or blank: not given */
    struct slice database_include, database_exclude;
    struct slice table_include, table_exclude;
    struct slice column_include, column_exclude;
    struct slice signal_table; /* captured always; may be null */
    bool ignore_builtin;
};
struct capture_filter {
    struct regex_list database_include, database_exclude;
    struct regex_list table_include, table_exclude;
    struct regex_list column_include, column_exclude;
    char *signal_table; /* "db.table" or NULL */
    bool ignore_builtin;
};
enum err capture_filter_init(struct capture_filter *f, const struct capture_lists *l,
                             struct error *e) MUST_CHECK;
void capture_filter_release(struct capture_filter *f);
/* mysql, performance_schema, sys, information_schema */
bool capture_is_builtin(struct slice db);
bool capture_database(const struct capture_filter *f, struct slice db);
bool capture_table(const struct capture_filter *f, struct slice db, struct slice table);
bool capture_is_signal_table(const struct capture_filter *f, struct slice db, struct slice table);
bool capture_column(const struct capture_filter *f, struct slice db, struct slice table,
                    struct slice column);
/* Where the table stands in the order of table.include.list; SIZE_MAX when no element names it. */
size_t capture_table_rank(const struct capture_filter *f, struct slice db, struct slice table);

#endif
