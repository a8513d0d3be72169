/* cdc/mongodb/others.c - see others.h. */
#include "cdc/mongodb/others.h"

#include "cdc/mongodb/cursor.h"

enum { DATABASES_MAX = 32 }; /* whose collections are looked at */

static bool has_other_collections(struct mongo_task *t, mongoc_client_t *c, struct slice db)
{
    struct bson_build b;
    struct mongo_cursor *cursor = NULL;
    struct slice info;
    struct bson_item name;
    bool others = false;
    bson_build_init(&b);
    bson_build_int(&b, SL("listCollections"), 1);
    bson_build_bool(&b, SL("nameOnly"), true);
    bson_build_bool(&b, SL("authorizedCollections"), true);
    enum err rc = mongo_cursor_open(&cursor, t->pool, c, db, bson_build_finish(&b), false, NULL);
    while (!rc && !others) {
        while (!others && mongo_cursor_next(cursor, &info))
            others = bson_find(info, SL("name"), &name) &&
                     !slice_starts(bson_text(&name), SL("system.")) &&
                     !mongo_filter_collection(&t->filter, db, bson_text(&name));
        if (others || !cursor->id)
            break;
        rc = mongo_cursor_more(cursor, 0, 0, NULL);
    }
    mongo_cursor_close(cursor);
    bson_build_release(&b);
    return rc || others;
}

static bool has_other_databases(struct mongo_task *t, mongoc_client_t *c, bool collections)
{
    struct bson_item dbs, name, i;
    struct bson_walk w;
    bson_t command, reply;
    unsigned n = 0;
    bool others;
    libbson.init(&command);
    libbson.append_int32(&command, "listDatabases", -1, 1);
    libbson.append_bool(&command, "nameOnly", -1, true);
    enum err rc = mongo_client_command(t->pool, c, "admin", &command, &reply, NULL);
    struct slice answer = slice_of(libbson.get_data(&reply), reply.len);
    others = rc || bson_check(answer, NULL) || !bson_find(answer, SL("databases"), &dbs) ||
             dbs.kind != BSON_ARRAY;
    if (!others) {
        bson_walk_init(&w, bson_doc(&dbs));
        while (!others && bson_walk_next(&w, &i)) {
            if (!bson_find(bson_doc(&i), SL("name"), &name) || mongo_is_internal(bson_text(&name)))
                continue;
            others = !mongo_filter_database(&t->filter, bson_text(&name)) ||
                     (collections &&
                      (++n > DATABASES_MAX || has_other_collections(t, c, bson_text(&name))));
        }
    }
    libbson.destroy(&command);
    libbson.destroy(&reply);
    return others;
}

bool mongo_has_others(struct mongo_task *t, mongoc_client_t *c)
{
    const struct mongo_lists *l = &t->filter.lists;
    bool databases = slice_trim(l->database_include).n || slice_trim(l->database_exclude).n;
    bool collections = slice_trim(l->collection_include).n || slice_trim(l->collection_exclude).n;
    if (l->literal || l->scope_coll.p || (!databases && !collections))
        return true;
    if (l->scope_db.p)
        return !collections || has_other_collections(t, c, l->scope_db);
    return has_other_databases(t, c, collections);
}
