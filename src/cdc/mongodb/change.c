/* cdc/mongodb/change.c - the members of an event are looked at once, in whatever order they come.
 * SPEC: cdc-mongodb 5.3, 5.7, 5.8 */
#include "cdc/mongodb/change.h"

#include "base/bytes.h"

#define EVENT_MAX ((size_t)256 << 20) /* of all fragments together */

/* --- members ---------------------------------------------------------------------------------- */

static enum change_kind kind_of(struct slice name)
{
    static const struct {
        const char *name;
        enum change_kind kind;
    } rows[] = {
        {"insert", CHANGE_INSERT},         {"update", CHANGE_UPDATE},
        {"replace", CHANGE_REPLACE},       {"delete", CHANGE_DELETE},
        {"invalidate", CHANGE_INVALIDATE}, {"drop", CHANGE_DROP},
        {"rename", CHANGE_RENAME},         {"dropDatabase", CHANGE_DROP_DATABASE},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (slice_eq_c(name, rows[i].name))
            return rows[i].kind;
    return CHANGE_OTHER;
}

static struct slice document(const struct bson_item *i)
{
    return i->kind == BSON_DOCUMENT ? bson_doc(i) : SLICE_NULL;
}

static struct slice array(const struct bson_item *i)
{
    return i->kind == BSON_ARRAY ? bson_doc(i) : SLICE_NULL;
}

static void read_namespace(struct slice ns, struct change *out)
{
    struct bson_item i;
    if (bson_find(ns, SL("db"), &i))
        out->db = bson_text(&i);
    if (bson_find(ns, SL("coll"), &i))
        out->coll = bson_text(&i);
}

static void read_update(struct slice update, struct change *out)
{
    struct bson_walk w;
    struct bson_item i;
    out->has_update = true;
    bson_walk_init(&w, update);
    while (bson_walk_next(&w, &i)) {
        if (slice_eq(i.name, SL("updatedFields")))
            out->updated = document(&i);
        else if (slice_eq(i.name, SL("removedFields")))
            out->removed = array(&i);
        else if (slice_eq(i.name, SL("truncatedArrays")))
            out->truncated = array(&i);
    }
}

static void read_split(struct slice split, struct change *out)
{
    struct bson_item i;
    if (bson_find(split, SL("fragment"), &i))
        out->fragment = (int32_t)bson_int(&i);
    if (bson_find(split, SL("of"), &i))
        out->fragments = (int32_t)bson_int(&i);
}

static void read_member(const struct bson_item *i, struct change *out)
{
    enum {
        ID,
        OPERATION,
        CLUSTER_TIME,
        WALL_TIME,
        DOCUMENT,
        BEFORE,
        NAMESPACE,
        KEY,
        UPDATE,
        LSID,
        TXN,
        SPLIT
    };
    static const struct slice names[] = {
        [ID] = SL_INIT("_id"),
        [OPERATION] = SL_INIT("operationType"),
        [CLUSTER_TIME] = SL_INIT("clusterTime"),
        [WALL_TIME] = SL_INIT("wallTime"),
        [DOCUMENT] = SL_INIT("fullDocument"),
        [BEFORE] = SL_INIT("fullDocumentBeforeChange"),
        [NAMESPACE] = SL_INIT("ns"),
        [KEY] = SL_INIT("documentKey"),
        [UPDATE] = SL_INIT("updateDescription"),
        [LSID] = SL_INIT("lsid"),
        [TXN] = SL_INIT("txnNumber"),
        [SPLIT] = SL_INIT("splitEvent"),
    };
    size_t at = 0;
    while (at < ARRAY_LEN(names) && !slice_eq(i->name, names[at]))
        at++;
    switch (at) {
    case ID:
        out->token = document(i);
        break;
    case OPERATION:
        out->operation = bson_text(i);
        out->kind = kind_of(out->operation);
        break;
    case CLUSTER_TIME:
        out->has_time = i->kind == BSON_TIMESTAMP;
        if (out->has_time)
            bson_timestamp(i, &out->seconds, &out->increment);
        break;
    case WALL_TIME:
        out->wall_ms = i->kind == BSON_DATE ? bson_int(i) : CHANGE_NO_TIME;
        break;
    case DOCUMENT:
        out->after = document(i);
        break;
    case BEFORE:
        out->before = document(i);
        break;
    case NAMESPACE:
        read_namespace(document(i), out);
        break;
    case KEY:
        out->has_id = i->kind == BSON_DOCUMENT && bson_find(bson_doc(i), SL("_id"), &out->id);
        break;
    case UPDATE:
        if (i->kind == BSON_DOCUMENT)
            read_update(bson_doc(i), out);
        break;
    case LSID:
        out->lsid = document(i);
        break;
    case TXN:
        out->txn_number = bson_int(i);
        out->in_transaction = true;
        break;
    case SPLIT:
        if (i->kind == BSON_DOCUMENT)
            read_split(bson_doc(i), out);
        break;
    default:
        break;
    }
}

enum err change_read(struct slice event, struct change *out, struct error *e)
{
    struct bson_walk w;
    struct bson_item i;
    memset(out, 0, sizeof *out);
    out->kind = CHANGE_OTHER;
    out->wall_ms = CHANGE_NO_TIME;
    bson_walk_init(&w, event);
    while (bson_walk_next(&w, &i))
        read_member(&i, out);
    /* Writes that are retried carry a number too. SPEC: cdc-mongodb 5.8 */
    out->in_transaction = out->in_transaction && out->lsid.p;
    if (!out->has_id && out->after.p) /* a stage of the user's dropped documentKey */
        out->has_id = bson_find(out->after, SL("_id"), &out->id);
    if (!out->token.p)
        return error_set(e, E_INVALID,
                         "Cannot provide resume functionality when the resume token is missing: a "
                         "stage of cursor.pipeline removes _id of the change event");
    /* Of a split event the type is in one fragment only. */
    if (!out->operation.p && !out->fragments)
        return error_set(e, E_INVALID,
                         "a change event has no operationType: a stage of "
                         "cursor.pipeline removes it");
    if (change_is_data(out) && !out->fragments && (!out->db.p || !out->coll.p))
        return error_set(e, E_INVALID,
                         "a change event has no ns.db or ns.coll: a stage of cursor.pipeline "
                         "removes it");
    return E_OK;
}

/* --- split events ----------------------------------------------------------------------------- */

void change_merge_init(struct change_merge *m)
{
    memset(m, 0, sizeof *m);
    strbuf_init(&m->parts, EVENT_MAX);
    bson_build_init(&m->whole);
}

void change_merge_release(struct change_merge *m)
{
    strbuf_release(&m->parts);
    bson_build_release(&m->whole);
}

void change_merge_reset(struct change_merge *m)
{
    strbuf_release(&m->parts);
    m->have = m->of = 0;
}

static bool has_member(struct slice parts, size_t before, struct slice name)
{
    struct bson_item i;
    for (size_t at = 0; at < before;) {
        size_t n = load_le32(parts.p + at);
        if (bson_find(slice_of(parts.p + at, n), name, &i))
            return true;
        at += n;
    }
    return false;
}

/* last: where the last fragment begins. */
static enum err put_together(struct change_merge *m, size_t last, struct slice *out,
                             struct error *e)
{
    struct slice parts = strbuf_slice(&m->parts);
    bson_build_release(&m->whole);
    bson_build_init(&m->whole);
    for (size_t at = 0; at < parts.n;) {
        size_t n = load_le32(parts.p + at);
        struct bson_walk w;
        struct bson_item i;
        bson_walk_init(&w, slice_of(parts.p + at, n));
        while (bson_walk_next(&w, &i)) {
            bool is_id = slice_eq(i.name, SL("_id"));
            if (slice_eq(i.name, SL("splitEvent")) || (is_id && at != last) ||
                (!is_id && has_member(parts, at, i.name)))
                continue;
            bson_build_item(&m->whole, i.name, &i);
        }
        at += n;
    }
    *out = bson_build_finish(&m->whole);
    enum err rc = strbuf_err(&m->whole.out);
    return rc ? error_set(e, rc, "no room for a change event that was split") : E_OK;
}

enum err change_merge_add(struct change_merge *m, struct slice event, const struct change *part,
                          struct slice *out, struct error *e)
{
    *out = SLICE_NULL;
    bool first = part->fragment == 1;
    if (first)
        change_merge_reset(m);
    if (part->fragment != m->have + 1 || part->fragments < part->fragment ||
        (!first && part->fragments != m->of)) {
        error_set(e, E_INVALID, "Missing event fragment: %d of %d came after %d", part->fragment,
                  part->fragments, m->have);
        change_merge_reset(m);
        return E_INVALID;
    }
    size_t at = m->parts.n;
    strbuf_add_slice(&m->parts, event);
    enum err rc = strbuf_err(&m->parts);
    if (rc) {
        change_merge_reset(m);
        return error_set(e, rc, "no room for a change event that was split");
    }
    m->have = part->fragment;
    m->of = part->fragments;
    if (m->have < m->of)
        return E_OK;
    rc = put_together(m, at, out, e);
    change_merge_reset(m);
    return rc;
}
