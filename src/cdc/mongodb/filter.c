/* cdc/mongodb/filter.c - the lists on this side. SPEC: cdc-mongodb 2.3 */
#include "cdc/mongodb/filter.h"

void mongo_split_id(struct slice id, struct slice *db, struct slice *coll)
{
    ptrdiff_t dot = slice_find_char(id, '.');
    *db = dot < 0 ? id : slice_sub(id, 0, (size_t)dot);
    *coll = dot < 0 ? SLICE_NULL : slice_sub(id, (size_t)dot + 1, id.n);
}

bool mongo_filter_in_scope(const struct mongo_filter *f, struct slice db, struct slice coll)
{
    const struct mongo_lists *l = &f->lists;
    if (l->scope_db.p && !slice_eq(l->scope_db, db))
        return false;
    return !l->scope_coll.p || !coll.p || slice_eq(l->scope_coll, coll);
}

enum err mongo_filter_init(struct mongo_filter *f, const struct mongo_lists *l, struct error *e)
{
    memset(f, 0, sizeof *f);
    f->lists = *l;
    struct slice signals = slice_trim(l->signals);
    if (signals.n)
        mongo_split_id(signals, &f->signals_db, &f->signals_coll);
    f->signals_outside =
        f->signals_coll.p && !mongo_filter_in_scope(f, f->signals_db, f->signals_coll);
    if (l->literal)
        return E_OK;
    struct capture_lists patterns = {
        .database_include = l->database_include,
        .database_exclude = l->database_exclude,
        .table_include = l->collection_include,
        .table_exclude = l->collection_exclude,
    };
    return capture_filter_init(&f->patterns, &patterns, e);
}

void mongo_filter_release(struct mongo_filter *f)
{
    if (!f->lists.literal)
        capture_filter_release(&f->patterns);
    memset(f, 0, sizeof *f);
}

bool mongo_is_internal(struct slice db)
{
    return slice_eq(db, SL("local")) || slice_eq(db, SL("admin")) || slice_eq(db, SL("config"));
}

/* Names are compared as they are, and not split at backslashes. SPEC: cdc-mongodb 12.16 */
static bool lists_name(struct slice list, struct slice db, struct slice coll)
{
    struct slice part;
    while (list.p && slice_split(&list, ',', &part)) {
        part = slice_trim(part);
        if (!coll.p && slice_eq(part, db))
            return true;
        if (coll.p && part.n == db.n + 1 + coll.n && slice_starts(part, db) &&
            part.p[db.n] == '.' && slice_eq(slice_sub(part, db.n + 1, part.n), coll))
            return true;
    }
    return false;
}

static bool literal_allows(struct slice include, struct slice exclude, struct slice db,
                           struct slice coll)
{
    if (slice_trim(include).n)
        return lists_name(include, db, coll);
    return !lists_name(exclude, db, coll);
}

static bool lists_allow_database(const struct mongo_filter *f, struct slice db)
{
    const struct mongo_lists *l = &f->lists;
    return l->literal ? literal_allows(l->database_include, l->database_exclude, db, SLICE_NULL)
                      : capture_database(&f->patterns, db);
}

bool mongo_filter_is_signals(const struct mongo_filter *f, struct slice db, struct slice coll)
{
    return f->signals_coll.p && slice_eq(f->signals_db, db) && slice_eq(f->signals_coll, coll);
}

bool mongo_filter_database(const struct mongo_filter *f, struct slice db)
{
    if (mongo_is_internal(db) || !mongo_filter_in_scope(f, db, SLICE_NULL))
        return false;
    return (f->signals_coll.p && slice_eq(f->signals_db, db)) || lists_allow_database(f, db);
}

bool mongo_filter_collection(const struct mongo_filter *f, struct slice db, struct slice coll)
{
    const struct mongo_lists *l = &f->lists;
    if (mongo_filter_is_signals(f, db, coll) && !f->signals_outside)
        return true;
    if (mongo_is_internal(db) || slice_starts(coll, SL("system.")) ||
        !mongo_filter_in_scope(f, db, coll))
        return false;
    if (!lists_allow_database(f, db))
        return false;
    return l->literal ? literal_allows(l->collection_include, l->collection_exclude, db, coll)
                      : capture_table(&f->patterns, db, coll);
}
