/* cdc/mysql/gtid_filter.c - see gtid_filter.h. */
#include "cdc/mysql/gtid_filter.h"

enum err gtid_filter_init(struct gtid_filter *f, const struct mysql_options *o, struct error *e)
{
    *f = (struct gtid_filter){.rows = o->gtid_filter_dml};
    enum err rc = regex_list_parse(&f->includes, o->gtid_includes, e);
    if (rc == E_OK)
        rc = regex_list_parse(&f->excludes, o->gtid_excludes, e);
    if (rc)
        gtid_filter_release(f);
    return rc;
}

void gtid_filter_release(struct gtid_filter *f)
{
    regex_list_release(&f->includes);
    regex_list_release(&f->excludes);
}

bool gtid_filter_takes(const struct gtid_filter *f, struct slice source)
{
    if (f->includes.count)
        return regex_list_find(&f->includes, source) >= 0;
    return !f->excludes.count || regex_list_find(&f->excludes, source) < 0;
}

void gtid_filter_set(const struct gtid_filter *f, struct gtid_set *set)
{
    if (!f->includes.count && !f->excludes.count)
        return;
    for (size_t i = set->count; i-- > 0;) {
        char uuid[GTID_UUID_TEXT];
        if (i >= set->count) /* all tags of a source go at once */
            continue;
        gtid_uuid_text(set->sources[i].uuid, uuid);
        if (!gtid_filter_takes(f, slice_cstr(uuid)))
            gtid_set_remove_uuid(set, set->sources[i].uuid);
    }
}
