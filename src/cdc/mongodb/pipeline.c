/* cdc/mongodb/pipeline.c - builds
 *
 *   [ {$match: sizes}, {$match: {$or: [captured, signals]}}, user's ...,
 *     {$changeStreamSplitLargeEvent} ]
 *
 * SPEC: cdc-mongodb 5.1 */
#include "cdc/mongodb/pipeline.h"

struct builder {
    struct bson_build *b;
    const struct pipeline_options *o;
    unsigned stages;
};

/* --- patterns --------------------------------------------------------------------------------- */

static bool portable_group(const char *p, size_t n)
{
    return n < 2 || p[1] != '?' ||
           (n >= 3 &&
            (p[2] == ':' || p[2] == '=' || p[2] == '!' || (n >= 4 && p[2] == 'i' && p[3] == ')')));
}

bool pipeline_is_portable(struct slice s)
{
    bool in_class = false, class_begins = false;
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        bool begins = class_begins;
        class_begins = false;
        if (c < 0x20 || c > 0x7e)
            return false;
        if (c == '\\') {
            if (++i == s.n)
                return false;
            c = (unsigned char)s.p[i];
            bool letter = (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
            if ((letter && !strchr("dDwWsS", c)) || (c >= '0' && c <= '9') || c > 0x7e)
                return false;
        } else if (in_class) {
            if (c == '[' || (c == '&' && i + 1 < s.n && s.p[i + 1] == '&') || (c == ']' && begins))
                return false; /* unions, intersections: Java's alone */
            class_begins = begins && c == '^';
            in_class = c != ']';
        } else if (c == '[') {
            in_class = class_begins = true;
        } else if (c == '(' && !portable_group(s.p + i, s.n - i)) {
            return false;
        }
    }
    return true;
}

/* `^(?:a|b)$`. False: some pattern is not for the server. */
static bool join_patterns(struct slice list, struct strbuf *out)
{
    struct strbuf item = STRBUF_INIT;
    bool ok = true, any = false;
    strbuf_adds(out, "^(?:");
    while (ok && regex_list_next(&list, &item)) {
        ok = pipeline_is_portable(strbuf_slice(&item));
        strbuf_adds(out, any ? "|" : "");
        strbuf_add_slice(out, strbuf_slice(&item));
        any = true;
    }
    strbuf_adds(out, ")$");
    strbuf_release(&item);
    return ok && any;
}

/* --- parts of $match -------------------------------------------------------------------------- */

static void begin(struct builder *x, const char *name)
{
    bson_build_begin(x->b, slice_cstr(name), BSON_DOCUMENT);
}

static void begin_array(struct builder *x, const char *name)
{
    bson_build_begin(x->b, slice_cstr(name), BSON_ARRAY);
}

static void begin_item(struct builder *x, unsigned index)
{
    char buf[BSON_INDEX_SIZE];
    bson_build_begin(x->b, bson_index(index, buf), BSON_DOCUMENT);
}

static void end(struct builder *x)
{
    bson_build_end(x->b);
}

static void text_item(struct builder *x, unsigned index, struct slice text)
{
    char buf[BSON_INDEX_SIZE];
    bson_build_text(x->b, bson_index(index, buf), text);
}

static void text(struct builder *x, const char *name, struct slice value)
{
    bson_build_text(x->b, slice_cstr(name), value);
}

/* {$expr: {$regexMatch: {input, regex, options}}}, perhaps under $not. input: "$ns.db", or that
 * with ".", "$ns.coll". The server takes $expr to the oplog as it stands; of {"ns.db": {$regex}} it
 * would make nine of them, one for each kind of entry there is. */
static void expression(struct builder *x, struct slice pattern, bool collections, bool exclude)
{
    begin(x, "$expr");
    if (exclude)
        begin_array(x, "$not");
    if (exclude)
        begin_item(x, 0);
    begin(x, "$regexMatch");
    if (collections) {
        begin(x, "input");
        begin_array(x, "$concat");
        text_item(x, 0, SL("$ns.db"));
        text_item(x, 1, SL("."));
        text_item(x, 2, SL("$ns.coll"));
        end(x);
        end(x);
    } else {
        text(x, "input", SL("$ns.db"));
    }
    text(x, "regex", pattern);
    text(x, "options", SL("i"));
    end(x);
    if (exclude)
        end(x);
    if (exclude)
        end(x);
    end(x);
}

/* {"ns.db": {$regex, $options}}, under $not for an exclude list. */
static void database_pattern(struct builder *x, struct slice pattern, bool exclude)
{
    begin(x, "ns.db");
    if (exclude)
        begin(x, "$not");
    text(x, "$regex", pattern);
    text(x, "$options", SL("i"));
    if (exclude)
        end(x);
    end(x);
}

static void literal_list(struct builder *x, struct slice list, bool collections, bool exclude)
{
    struct slice part;
    unsigned n = 0;
    begin(x, collections ? "ns" : "ns.db");
    begin_array(x, exclude ? "$nin" : "$in");
    while (list.p && slice_split(&list, ',', &part)) {
        part = slice_trim(part);
        if (!part.n)
            continue;
        if (!collections) {
            text_item(x, n++, part);
            continue;
        }
        struct slice db, coll;
        mongo_split_id(part, &db, &coll);
        begin_item(x, n++);
        text(x, "db", db);
        text(x, "coll", coll.p ? coll : SL(""));
        end(x);
    }
    end(x);
    end(x);
}

/* One list as a condition of $and, when there is one and the server can have it. */
static void list_condition(struct builder *x, unsigned *n, struct slice include,
                           struct slice exclude, bool collections)
{
    bool is_exclude = !slice_trim(include).n;
    struct slice list = is_exclude ? exclude : include;
    struct strbuf pattern = STRBUF_INIT;
    if (!slice_trim(list).n)
        return;
    if (x->o->filter->lists.literal) {
        begin_item(x, (*n)++);
        literal_list(x, list, collections, is_exclude);
        end(x);
    } else if (join_patterns(list, &pattern)) {
        begin_item(x, (*n)++);
        if (collections || x->o->at_oplog)
            expression(x, strbuf_slice(&pattern), collections, is_exclude);
        else
            database_pattern(x, strbuf_slice(&pattern), is_exclude);
        end(x);
    }
    strbuf_release(&pattern);
}

/* notices: of collections; the end of a scoped stream always is told. */
static void operations(struct builder *x, unsigned skipped, bool notices)
{
    static const struct {
        const char *name;
        unsigned skip;
        bool notice;
    } rows[] = {
        {"insert", SKIP_CREATE, false},
        {"update", SKIP_UPDATE, false},
        {"replace", SKIP_UPDATE, false},
        {"delete", SKIP_DELETE, false},
        {"drop", 0, true},
        {"rename", 0, true},
    };
    unsigned n = 0;
    begin(x, "operationType");
    begin_array(x, "$in");
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (!(skipped & rows[i].skip) && (notices || !rows[i].notice))
            text_item(x, n++, slice_cstr(rows[i].name));
    end(x);
    end(x);
}

/* --- stages ----------------------------------------------------------------------------------- */

static void begin_stage(struct builder *x, const char *name)
{
    begin_item(x, x->stages++);
    begin(x, name);
}

static void end_stage(struct builder *x)
{
    end(x);
    end(x);
}

static void size_condition(struct builder *x, unsigned index, const char *document)
{
    begin_item(x, index);
    begin(x, "$expr");
    begin_array(x, "$lte");
    begin_item(x, 0);
    text(x, "$bsonSize", slice_cstr(document));
    end(x);
    char buf[BSON_INDEX_SIZE];
    bson_build_long(x->b, bson_index(1, buf), x->o->threshold);
    end(x);
    end(x);
    end(x);
}

static void skip_stage(struct builder *x)
{
    begin_stage(x, "$match");
    begin_array(x, "$and");
    size_condition(x, 0, "$fullDocument");
    size_condition(x, 1, "$fullDocumentBeforeChange");
    end(x);
    end_stage(x);
}

static void captured(struct builder *x)
{
    const struct mongo_lists *l = &x->o->filter->lists;
    unsigned n = 0;
    begin_array(x, "$and");
    begin_item(x, n++);
    operations(x, x->o->skipped, x->o->notices);
    end(x);
    if (!l->scope_db.p)
        list_condition(x, &n, l->database_include, l->database_exclude, false);
    if (!l->scope_coll.p)
        list_condition(x, &n, l->collection_include, l->collection_exclude, true);
    end(x);
}

/* Signals are read whatever lists and skipped operations say. SPEC: cdc-mongodb 12.18 */
static void signals(struct builder *x)
{
    text(x, "ns.db", x->o->filter->signals_db);
    text(x, "ns.coll", x->o->filter->signals_coll);
    operations(x, 0, false);
}

static void internal_stage(struct builder *x)
{
    unsigned n = 0;
    begin_stage(x, "$match");
    begin_array(x, "$or");
    begin_item(x, n++);
    captured(x);
    end(x);
    if (x->o->filter->signals_coll.p && !x->o->filter->signals_outside) {
        begin_item(x, n++);
        signals(x);
        end(x);
    }
    if (x->o->filter->lists.scope_db.p) {
        begin_item(x, n++);
        text(x, "operationType", SL("invalidate"));
        end(x);
    }
    if (x->o->position.p) {
        begin_item(x, n++);
        bson_build_doc(x->b, SL("_id"), x->o->position, BSON_DOCUMENT);
        end(x);
    }
    /* Never true; the server knows nothing of the oplog for it, so that all of $or stays behind the
     * event. */
    if (!x->o->at_oplog) {
        begin_item(x, n++);
        bson_build_int(x->b, SL("weir"), 1);
        end(x);
    }
    end(x);
    end_stage(x);
}

static void user_stages(struct builder *x)
{
    struct bson_walk w;
    struct bson_item i;
    char buf[BSON_INDEX_SIZE];
    if (!x->o->user.p)
        return;
    bson_walk_init(&w, x->o->user);
    while (bson_walk_next(&w, &i))
        bson_build_item(x->b, bson_index(x->stages++, buf), &i);
}

enum err pipeline_make(const struct pipeline_options *o, struct bson_build *b, struct slice *stages,
                       struct error *e)
{
    struct builder x = {.b = b, .o = o};
    bson_build_reset(b);
    if (o->oversize == MONGO_OVERSIZE_SKIP)
        skip_stage(&x);
    if (o->order == MONGO_USER_FIRST)
        user_stages(&x);
    if (o->order != MONGO_USER_ONLY)
        internal_stage(&x);
    if (o->order != MONGO_USER_FIRST)
        user_stages(&x);
    if (o->oversize == MONGO_OVERSIZE_SPLIT) {
        begin_stage(&x, "$changeStreamSplitLargeEvent");
        end_stage(&x);
    }
    *stages = bson_build_finish(b);
    return stages->p ? E_OK : error_set(e, E_NOMEM, "no memory for the change stream's pipeline");
}
