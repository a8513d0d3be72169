/* cdc/mongodb/emit.c - one record: what it says is gathered in `struct event`, then written in one
 * of the two forms. SPEC: cdc-mongodb 6.2, 6.3, 6.7 */
#include "cdc/mongodb/emit.h"

#include "base/json.h"
#include "cdc/option_words.h"
#include "connect/javatext.h"

static const struct bson_json_form key_form = {BSON_JSON_RELAXED, BSON_JSON_COMPACT};
static const struct bson_json_form lsid_form = {BSON_JSON_STRICT, BSON_JSON_COMPACT};

struct event {
    const char *op;
    struct bson_item id;
    struct slice before, after;  /* documents, rules not applied; null slice: none */
    const struct change *update; /* whose updateDescription is told; NULL: none */
    struct slice marker;         /* null: streaming */
    int64_t source_ms, now_ms;
    int32_t ord;
    const struct change *session; /* of a transaction; NULL: none */
    int64_t wall_ms;              /* CHANGE_NO_TIME: null */
    struct value block;           /* transaction */
};

void mongo_emitter_init(struct mongo_emitter *em)
{
    memset(em, 0, sizeof *em);
    bson_build_init(&em->build);
    strbuf_init(&em->scratch, 0);
    strbuf_init(&em->path, 0);
    em->documents = (struct bson_json_form){BSON_JSON_STRICT, BSON_JSON_COMPACT};
    em->updates = (struct bson_json_form){BSON_JSON_RELAXED, BSON_JSON_SPACED};
}

void mongo_emitter_release(struct mongo_emitter *em)
{
    bson_build_release(&em->build);
    strbuf_release(&em->scratch);
    strbuf_release(&em->path);
}

/* Wraps round as Java's arithmetic does: a wallTime may be anything. */
static int64_t finer(int64_t ms, uint64_t factor)
{
    return (int64_t)((uint64_t)ms * factor);
}

static enum err no_memory(struct error *e)
{
    return error_set(e, E_NOMEM, "no memory for a change event");
}

/* The document with the rules of its collection applied; null stays null. */
static enum err filtered(struct mongo_emitter *em, const struct collection *c, struct slice doc,
                         bool dotted, struct slice *out, struct error *e)
{
    *out = doc;
    if (LIKELY(!c->fields) || !doc.p)
        return E_OK;
    return field_filter_apply(c->fields, doc, dotted, &em->build, out, e);
}

/* Elements of removedFields and truncatedArrays; false: left out by a rule. */
static bool path_of(struct mongo_emitter *em, const struct collection *c, struct slice path,
                    struct slice *out)
{
    *out = path;
    if (LIKELY(!c->fields))
        return true;
    bool kept = field_filter_path(c->fields, path, &em->path);
    *out = strbuf_slice(&em->path);
    return kept;
}

/* The next path that is told. */
static bool next_removed(struct mongo_emitter *em, const struct collection *c, struct bson_walk *w,
                         struct slice *path)
{
    struct bson_item i;
    while (bson_walk_next(w, &i))
        if (path_of(em, c, bson_text(&i), path))
            return true;
    return false;
}

static bool next_truncated(struct mongo_emitter *em, const struct collection *c,
                           struct bson_walk *w, struct slice *path, int32_t *size)
{
    struct bson_item i, member;
    while (bson_walk_next(w, &i)) {
        struct slice one = bson_doc(&i);
        if (!one.p || !bson_find(one, SL("field"), &member) ||
            !path_of(em, c, bson_text(&member), path))
            continue;
        *size = bson_find(one, SL("newSize"), &member) ? (int32_t)bson_int(&member) : 0;
        return true;
    }
    return false;
}

/* --- as text ---------------------------------------------------------------------------------- */

static void put_utf8(struct strbuf *b, struct slice s, struct strbuf *scratch)
{
    strbuf_reset(scratch);
    strbuf_add_utf8(scratch, s);
    json_add_string(b, strbuf_slice(scratch));
}

static enum err put_document(struct mongo_emitter *em, const struct collection *c, struct slice doc,
                             bool dotted, struct bson_json_form form, struct strbuf *b,
                             struct error *e)
{
    enum err rc = filtered(em, c, doc, dotted, &doc, e);
    if (rc)
        return rc;
    if (!doc.p) {
        strbuf_add(b, "null", 4);
        return E_OK;
    }
    strbuf_addc(b, '"');
    bson_json_print_escaped(doc, form, b);
    strbuf_addc(b, '"');
    return E_OK;
}

static void put_removed(struct mongo_emitter *em, const struct collection *c, struct slice list,
                        struct strbuf *b)
{
    struct bson_walk w;
    struct slice path;
    bool any = false;
    if (list.p) {
        bson_walk_init(&w, list);
        while (next_removed(em, c, &w, &path)) {
            strbuf_addc(b, any ? ',' : '[');
            put_utf8(b, path, &em->scratch);
            any = true;
        }
    }
    strbuf_adds(b, any ? "]" : "null");
}

static void put_truncated(struct mongo_emitter *em, const struct collection *c, struct slice list,
                          struct strbuf *b)
{
    struct bson_walk w;
    struct slice path;
    int32_t size;
    bool any = false;
    if (list.p) {
        bson_walk_init(&w, list);
        while (next_truncated(em, c, &w, &path, &size)) {
            strbuf_adds(b, any ? ",{\"field\":" : "[{\"field\":");
            put_utf8(b, path, &em->scratch);
            strbuf_adds(b, ",\"size\":");
            strbuf_add_i64(b, size);
            strbuf_addc(b, '}');
            any = true;
        }
    }
    strbuf_adds(b, any ? "]" : "null");
}

static enum err put_update(struct mongo_emitter *em, const struct collection *c,
                           const struct change *u, struct strbuf *b, struct error *e)
{
    static const char empty[] = {5, 0, 0, 0, 0};
    if (!u) {
        strbuf_add(b, "null", 4);
        return E_OK;
    }
    strbuf_adds(b, "{\"removedFields\":");
    put_removed(em, c, u->removed, b);
    strbuf_adds(b, ",\"updatedFields\":");
    struct slice updated = u->updated.p ? u->updated : slice_of(empty, sizeof empty);
    enum err rc = put_document(em, c, updated, true, em->updates, b, e);
    strbuf_adds(b, ",\"truncatedArrays\":");
    put_truncated(em, c, u->truncated, b);
    strbuf_addc(b, '}');
    return rc;
}

static void put_long(struct strbuf *b, const char *name, bool present, int64_t v)
{
    strbuf_adds(b, name);
    if (present)
        strbuf_add_i64(b, v);
    else
        strbuf_add(b, "null", 4);
}

static void put_source(struct mongo_emitter *em, const struct collection *c, const struct event *ev,
                       struct strbuf *b)
{
    strbuf_add_slice(b, c->source);
    strbuf_add_i64(b, ev->source_ms);
    strbuf_adds(b, ",\"snapshot\":");
    if (ev->marker.p)
        json_add_string(b, ev->marker);
    else /* null: the schema's default shows */
        strbuf_adds(b, em->direct->value.out.null_to_default ? "\"false\"" : "null");
    strbuf_add_slice(b, c->db_part);
    strbuf_add_i64(b, finer(ev->source_ms, 1000));
    strbuf_adds(b, ",\"ts_ns\":");
    strbuf_add_i64(b, finer(ev->source_ms, 1000000));
    strbuf_add_slice(b, c->coll_part);
    strbuf_add_i64(b, ev->ord);
    strbuf_adds(b, ",\"lsid\":");
    if (ev->session) {
        strbuf_addc(b, '"');
        bson_json_print_escaped(ev->session->lsid, lsid_form, b);
        strbuf_addc(b, '"');
    } else {
        strbuf_add(b, "null", 4);
    }
    put_long(b, ",\"txnNumber\":", ev->session, ev->session ? ev->session->txn_number : 0);
    put_long(b, ",\"wallTime\":", ev->wall_ms != CHANGE_NO_TIME, ev->wall_ms);
    strbuf_addc(b, '}');
}

static void put_block(struct value block, struct strbuf *b)
{
    strbuf_adds(b, ",\"transaction\":");
    if (block.kind != VALUE_STRUCT) {
        strbuf_add(b, "null", 4);
        return;
    }
    strbuf_adds(b, "{\"id\":");
    json_add_string(b, value_slice(block.u.v[0]));
    strbuf_adds(b, ",\"total_order\":");
    strbuf_add_i64(b, block.u.v[1].u.i);
    strbuf_adds(b, ",\"data_collection_order\":");
    strbuf_add_i64(b, block.u.v[2].u.i);
    strbuf_addc(b, '}');
}

static enum err put_value(struct mongo_emitter *em, const struct collection *c,
                          const struct event *ev, struct strbuf *b, struct error *e)
{
    strbuf_adds(b, "{\"before\":");
    enum err rc = put_document(em, c, ev->before, false, em->documents, b, e);
    strbuf_adds(b, ",\"after\":");
    if (!rc)
        rc = put_document(em, c, ev->after, false, em->documents, b, e);
    strbuf_adds(b, ",\"updateDescription\":");
    if (!rc)
        rc = put_update(em, c, ev->update, b, e);
    put_source(em, c, ev, b);
    strbuf_adds(b, ",\"op\":\"");
    strbuf_adds(b, ev->op);
    strbuf_adds(b, "\",\"ts_ms\":");
    strbuf_add_i64(b, ev->now_ms);
    put_block(ev->block, b);
    strbuf_adds(b, em->direct->value.schemas ? "}}" : "}");
    return rc;
}

static void put_key(struct mongo_emitter *em, const struct event *ev, struct strbuf *b)
{
    strbuf_adds(b, "{\"id\":");
    strbuf_reset(&em->scratch);
    bson_json_print_item(&ev->id, key_form, &em->scratch);
    json_add_string(b, strbuf_slice(&em->scratch));
    strbuf_adds(b, em->direct->key.schemas ? "}}" : "}");
}

static struct record *add_text(struct mongo_emitter *em, struct record_batch *b,
                               const struct collection *c, const struct record_text *t)
{
    struct record *r = record_batch_add(b);
    if (UNLIKELY(!r))
        return NULL;
    r->topic = c->topic;
    r->headers = context_headers_plain(&em->headers);
    r->text = *t;
    b->bytes += t->key_head.n + t->key_n + (t->value_null ? 0 : t->value_head.n + t->value_n);
    return r;
}

static enum err emit_text(struct mongo_emitter *em, struct record_batch *b,
                          const struct collection *c, const struct event *ev, bool tombstone,
                          struct error *e)
{
    struct record_text t = {
        .used = true, .key_at = b->text.n, .key_head = c->key_head, .value_head = c->value_head};
    put_key(em, ev, &b->text);
    t.value_at = b->text.n;
    t.key_n = t.value_at - t.key_at;
    enum err rc = put_value(em, c, ev, &b->text, e);
    t.value_n = b->text.n - t.value_at;
    if (UNLIKELY(rc || strbuf_err(&b->text) || strbuf_err(&em->scratch))) {
        enum err why = rc ? rc : no_memory(e);
        b->text.failed = E_OK; /* what stands before is whole */
        b->text.n = t.key_at;
        return why;
    }
    if (!add_text(em, b, c, &t))
        return no_memory(e);
    t.value_null = true;
    return tombstone && !add_text(em, b, c, &t) ? no_memory(e) : E_OK;
}

/* --- as values -------------------------------------------------------------------------------- */

/* A printed text in the batch's arena. */
static enum err text_value(struct record_batch *b, struct strbuf *text, struct value *out,
                           struct error *e)
{
    if (strbuf_err(text))
        return no_memory(e);
    char *p = arena_try_alloc(&b->arena, text->n + 1);
    if (UNLIKELY(!p))
        return no_memory(e);
    memcpy(p, text->p, text->n + 1);
    *out = value_string(slice_of(p, text->n));
    return E_OK;
}

static enum err document_value(struct mongo_emitter *em, struct record_batch *b,
                               const struct collection *c, struct slice doc, bool dotted,
                               struct bson_json_form form, struct value *out, struct error *e)
{
    *out = value_null();
    enum err rc = filtered(em, c, doc, dotted, &doc, e);
    if (rc || !doc.p)
        return rc;
    strbuf_reset(&em->scratch);
    bson_json_print(doc, form, &em->scratch);
    return text_value(b, &em->scratch, out, e);
}

static enum err utf8_value(struct mongo_emitter *em, struct record_batch *b, struct slice s,
                           struct value *out, struct error *e)
{
    strbuf_reset(&em->scratch);
    strbuf_add_utf8(&em->scratch, s);
    return text_value(b, &em->scratch, out, e);
}

static uint32_t count_of(struct slice list)
{
    struct bson_walk w;
    struct bson_item i;
    uint32_t n = 0;
    bson_walk_init(&w, list);
    while (bson_walk_next(&w, &i))
        n++;
    return n;
}

static enum err removed_value(struct mongo_emitter *em, struct record_batch *b,
                              const struct collection *c, struct slice list, struct value *out,
                              struct error *e)
{
    struct bson_walk w;
    struct slice path;
    enum err rc = E_OK;
    *out = value_null();
    if (!list.p)
        return E_OK;
    struct value all = value_array_new(&b->arena, count_of(list));
    all.n = 0;
    bson_walk_init(&w, list);
    while (!rc && next_removed(em, c, &w, &path))
        rc = utf8_value(em, b, path, &all.u.v[all.n++], e);
    if (all.n)
        *out = all;
    return rc;
}

static enum err truncated_value(struct mongo_emitter *em, struct record_batch *b,
                                const struct collection *c, struct slice list, struct value *out,
                                struct error *e)
{
    struct bson_walk w;
    struct slice path;
    int32_t size;
    enum err rc = E_OK;
    *out = value_null();
    if (!list.p)
        return E_OK;
    struct value all = value_array_new(&b->arena, count_of(list));
    all.n = 0;
    bson_walk_init(&w, list);
    while (!rc && next_truncated(em, c, &w, &path, &size)) {
        struct value one = value_struct_new(&b->arena, 2);
        rc = utf8_value(em, b, path, &one.u.v[0], e);
        one.u.v[1] = value_int(size);
        all.u.v[all.n++] = one;
    }
    if (all.n)
        *out = all;
    return rc;
}

static enum err update_value(struct mongo_emitter *em, struct record_batch *b,
                             const struct collection *c, const struct change *u, struct value *out,
                             struct error *e)
{
    static const char empty[] = {5, 0, 0, 0, 0};
    *out = value_null();
    if (!u)
        return E_OK;
    struct value v = value_struct_new(&b->arena, MONGO_UPDATE_FIELDS);
    struct slice updated = u->updated.p ? u->updated : slice_of(empty, sizeof empty);
    enum err rc = removed_value(em, b, c, u->removed, &v.u.v[MONGO_REMOVED_FIELDS], e);
    if (!rc)
        rc = document_value(em, b, c, updated, true, em->updates, &v.u.v[MONGO_UPDATED_FIELDS], e);
    if (!rc)
        rc = truncated_value(em, b, c, u->truncated, &v.u.v[MONGO_TRUNCATED_ARRAYS], e);
    *out = v;
    return rc;
}

static enum err source_value(struct mongo_emitter *em, struct record_batch *b,
                             const struct collection *c, const struct event *ev, struct value *out,
                             struct error *e)
{
    *out = value_struct_new(&b->arena, MONGO_SOURCE_FIELDS);
    struct value *v = out->u.v;
    v[MONGO_SOURCE_VERSION] = value_string(SL(WEIR_VERSION));
    v[MONGO_SOURCE_CONNECTOR] = value_string(SL("mongodb"));
    v[MONGO_SOURCE_NAME] = value_string(em->prefix);
    v[MONGO_SOURCE_TS_MS] = value_int(ev->source_ms);
    v[MONGO_SOURCE_SNAPSHOT] = value_string(ev->marker);
    v[MONGO_SOURCE_DB] = value_string(c->source_db);
    v[MONGO_SOURCE_TS_US] = value_int(finer(ev->source_ms, 1000));
    v[MONGO_SOURCE_TS_NS] = value_int(finer(ev->source_ms, 1000000));
    v[MONGO_SOURCE_COLLECTION] = value_string(c->source_name);
    v[MONGO_SOURCE_ORD] = value_int(ev->ord);
    if (ev->wall_ms != CHANGE_NO_TIME)
        v[MONGO_SOURCE_WALL] = value_int(ev->wall_ms);
    if (!ev->session)
        return E_OK;
    v[MONGO_SOURCE_TXN] = value_int(ev->session->txn_number);
    strbuf_reset(&em->scratch);
    bson_json_print(ev->session->lsid, lsid_form, &em->scratch);
    return text_value(b, &em->scratch, &v[MONGO_SOURCE_LSID], e);
}

static struct record *add_values(struct mongo_emitter *em, struct record_batch *b,
                                 const struct collection *c, struct value key)
{
    struct record *r = record_batch_add(b);
    if (UNLIKELY(!r))
        return NULL;
    r->topic = c->topic;
    r->headers = context_headers_plain(&em->headers);
    r->key_schema = c->key;
    r->key = key;
    return r;
}

static enum err emit_values(struct mongo_emitter *em, struct record_batch *b,
                            const struct collection *c, const struct event *ev, bool tombstone,
                            struct error *e)
{
    struct value key = value_struct_new(&b->arena, 1);
    struct value all = value_struct_new(&b->arena, MONGO_ENVELOPE_FIELDS), *v = all.u.v;
    strbuf_reset(&em->scratch);
    bson_json_print_item(&ev->id, key_form, &em->scratch);
    enum err rc = text_value(b, &em->scratch, &key.u.v[0], e);
    if (!rc)
        rc = document_value(em, b, c, ev->before, false, em->documents, &v[MONGO_BEFORE], e);
    if (!rc)
        rc = document_value(em, b, c, ev->after, false, em->documents, &v[MONGO_AFTER], e);
    if (!rc)
        rc = update_value(em, b, c, ev->update, &v[MONGO_UPDATE], e);
    if (!rc)
        rc = source_value(em, b, c, ev, &v[MONGO_SOURCE], e);
    if (rc)
        return rc;
    v[MONGO_OP] = value_string(slice_cstr(ev->op));
    v[MONGO_TS_MS] = value_int(ev->now_ms);
    v[MONGO_TRANSACTION] = ev->block;
    struct record *r = add_values(em, b, c, key);
    if (!r)
        return no_memory(e);
    r->value_schema = c->envelope;
    r->value = all;
    return tombstone && !add_values(em, b, c, key) ? no_memory(e) : E_OK;
}

/* --- events ----------------------------------------------------------------------------------- */

static enum err emit(struct mongo_emitter *em, struct record_batch *b, const struct collection *c,
                     const struct event *ev, bool tombstone, struct error *e)
{
    return em->direct ? emit_text(em, b, c, ev, tombstone, e)
                      : emit_values(em, b, c, ev, tombstone, e);
}

static unsigned skip_of(enum change_kind k)
{
    return k == CHANGE_INSERT ? SKIP_CREATE : k == CHANGE_DELETE ? SKIP_DELETE : SKIP_UPDATE;
}

static void count(struct mongo_emitter *em, enum change_kind k)
{
    em->created += k == CHANGE_INSERT;
    em->updated += k == CHANGE_UPDATE || k == CHANGE_REPLACE;
    em->deleted += k == CHANGE_DELETE;
}

enum err mongo_emit_change(struct mongo_emitter *em, struct record_batch *b, struct collection *c,
                           const struct change *change, int64_t now_ms, struct error *e)
{
    static const char *const ops[] = {[CHANGE_INSERT] = "c",
                                      [CHANGE_UPDATE] = "u",
                                      [CHANGE_REPLACE] = "u",
                                      [CHANGE_DELETE] = "d"};
    struct event ev = {
        .op = ops[change->kind],
        .id = change->id,
        .before = change->kind == CHANGE_INSERT ? SLICE_NULL : change->before,
        .after = change->kind == CHANGE_DELETE ? SLICE_NULL : change->after,
        .update = change->kind == CHANGE_UPDATE && change->has_update ? change : NULL,
        .now_ms = now_ms,
        .ord = change->has_time ? (int32_t)change->increment : -1,
        .session = change->in_transaction ? change : NULL,
        .wall_ms = change->wall_ms,
        .block = value_null(),
    };
    if (em->skipped & skip_of(change->kind))
        return E_OK;
    if (!change->has_id)
        return error_set(e, E_INVALID,
                         "an event of " PRI_SL " has no documentKey: a stage of cursor.pipeline "
                         "removes it",
                         ARG_SL(c->id));
    ev.source_ms = change->wall_ms != CHANGE_NO_TIME ? change->wall_ms
                   : change->has_time                ? (int64_t)change->seconds * 1000
                                                     : now_ms;
    if (UNLIKELY(em->transactions != NULL) &&
        transactions_event(em->transactions, b, c->source_db, c->source_name, &ev.block))
        return no_memory(e);
    bool tombstone = change->kind == CHANGE_DELETE && em->tombstones;
    enum err rc = emit(em, b, c, &ev, tombstone, e);
    if (!rc)
        count(em, change->kind);
    return rc;
}

enum err mongo_emit_read(struct mongo_emitter *em, struct record_batch *b, struct collection *c,
                         struct slice document, const struct mongo_read *how, int64_t now_ms,
                         struct error *e)
{
    struct event ev = {
        .op = "r",
        .after = document,
        .marker = how->marker,
        .source_ms = how->source_ms,
        .now_ms = now_ms,
        .ord = how->ord,
        .wall_ms = CHANGE_NO_TIME,
        .block = value_null(),
    };
    if (!bson_find(document, SL("_id"), &ev.id))
        return error_set(e, E_INVALID, "a document of " PRI_SL " has no _id", ARG_SL(c->id));
    enum err rc = emit(em, b, c, &ev, false, e);
    if (!rc)
        em->read++;
    return rc;
}
