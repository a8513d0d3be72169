/* cdc/mysql/emit.c - one envelope is 8 values, one source block 17; both are written once, straight
 * into the batch's arena. SPEC: cdc-mysql 5.4, 5.6 */
#include "cdc/mysql/emit.h"

static const struct value op_values[] = {
    {.kind = VALUE_STRING, .n = 1, .u.s = "r"}, {.kind = VALUE_STRING, .n = 1, .u.s = "c"},
    {.kind = VALUE_STRING, .n = 1, .u.s = "u"}, {.kind = VALUE_STRING, .n = 1, .u.s = "d"},
    {.kind = VALUE_STRING, .n = 1, .u.s = "t"},
};
enum op { OP_READ, OP_CREATE, OP_UPDATE, OP_DELETE, OP_TRUNCATE };

static enum err no_memory(struct error *e)
{
    return error_set(e, E_NOMEM, "no memory for a change event");
}

/* The record with its key and headers; the value is to be set. */
static struct record *add_record(struct emitter *em, struct record_batch *b, const struct shape *s,
                                 const struct value *key_row)
{
    struct record *r = record_batch_add(b);
    if (UNLIKELY(!r))
        return NULL;
    r->topic = s->topic;
    r->headers = context_headers_plain(&em->headers);
    if (s->key && key_row) {
        r->key_schema = s->key;
        r->key = shape_key(s, &b->arena, key_row);
    }
    return r;
}

/* Returns the source array, or NULL without memory. */
static struct value *set_envelope(struct emitter *em, struct record_batch *b, const struct shape *s,
                                  struct record *r, enum op op, struct value *before,
                                  struct value *after, struct emit_time t)
{
    struct value *v = arena_try_alloc(&b->arena, (ENVELOPE_FIELDS + SOURCE_FIELDS) * sizeof *v);
    if (UNLIKELY(!v))
        return NULL;
    struct value *source = v + ENVELOPE_FIELDS;
    memcpy(source, em->source.fields, sizeof em->source.fields);
    v[ENVELOPE_BEFORE] = before ? shape_value(s, before) : value_null();
    v[ENVELOPE_AFTER] = after ? shape_value(s, after) : value_null();
    v[ENVELOPE_SOURCE] = (struct value){.kind = VALUE_STRUCT, .n = SOURCE_FIELDS, .u.v = source};
    v[ENVELOPE_TRANSACTION] = value_null();
    if (UNLIKELY(em->transactions != NULL) && op != OP_READ &&
        transactions_event(em->transactions, b, s->table->db, s->table->name,
                           &v[ENVELOPE_TRANSACTION]))
        return NULL;
    v[ENVELOPE_OP] = op_values[op];
    v[ENVELOPE_TS_MS] = value_int(t.us / 1000);
    v[ENVELOPE_TS_US] = value_int(t.us);
    v[ENVELOPE_TS_NS] = value_int(t.us * 1000);
    r->value_schema = s->envelope;
    r->value = (struct value){.kind = VALUE_STRUCT, .n = ENVELOPE_FIELDS, .u.v = v};
    return source;
}

enum err emit_read(struct emitter *em, struct record_batch *b, const struct shape *s,
                   struct value *row, struct emit_time t, struct value **source, struct error *e)
{
    struct record *r = add_record(em, b, s, row);
    *source = r ? set_envelope(em, b, s, r, OP_READ, NULL, row, t) : NULL;
    if (!*source)
        return no_memory(e);
    em->read++;
    return E_OK;
}

enum err emit_create(struct emitter *em, struct record_batch *b, const struct shape *s,
                     struct value *after, struct emit_time t, struct error *e)
{
    struct record *r = add_record(em, b, s, after);
    if (UNLIKELY(!r || !set_envelope(em, b, s, r, OP_CREATE, NULL, after, t)))
        return no_memory(e);
    em->created++;
    return E_OK;
}

/* A delete event, and its tombstone unless these are off. moved_to: the new key of a key change. */
static enum err add_delete(struct emitter *em, struct record_batch *b, const struct shape *s,
                           struct value *before, const struct value *moved_to, struct emit_time t,
                           struct error *e)
{
    struct record_headers headers = context_headers_plain(&em->headers);
    if (moved_to)
        headers = context_headers_with(&em->headers, &b->arena, SL("__debezium.newkey"), s->key,
                                       shape_key(s, &b->arena, moved_to));
    struct record *r = add_record(em, b, s, before);
    if (UNLIKELY(!r || !set_envelope(em, b, s, r, OP_DELETE, before, NULL, t)))
        return no_memory(e);
    r->headers = headers;
    em->deleted++;
    if (!em->tombstones)
        return E_OK;
    r = add_record(em, b, s, before);
    if (UNLIKELY(!r))
        return no_memory(e);
    r->headers = headers;
    return E_OK;
}

static enum err key_change(struct emitter *em, struct record_batch *b, const struct shape *s,
                           struct value *before, struct value *after, struct emit_time t,
                           struct error *e)
{
    enum err rc = add_delete(em, b, s, before, after, t, e);
    if (rc)
        return rc;
    struct record *r = add_record(em, b, s, after);
    if (!r || !set_envelope(em, b, s, r, OP_CREATE, NULL, after, t))
        return no_memory(e);
    r->headers = context_headers_with(&em->headers, &b->arena, SL("__debezium.oldkey"), s->key,
                                      shape_key(s, &b->arena, before));
    em->created++;
    return E_OK;
}

enum err emit_update(struct emitter *em, struct record_batch *b, const struct shape *s,
                     struct value *before, struct value *after, struct emit_time t, struct error *e)
{
    if (UNLIKELY(em->skip_unchanged) && !em->hide_before && shape_same_row(s, before, after)) {
        em->unchanged++;
        return E_OK;
    }
    if (UNLIKELY(s->key && !shape_same_key(s, before, after)))
        return key_change(em, b, s, before, after, t, e);
    struct record *r = add_record(em, b, s, after);
    if (UNLIKELY(!r ||
                 !set_envelope(em, b, s, r, OP_UPDATE, em->hide_before ? NULL : before, after, t)))
        return no_memory(e);
    em->updated++;
    return E_OK;
}

enum err emit_delete(struct emitter *em, struct record_batch *b, const struct shape *s,
                     struct value *before, struct emit_time t, struct error *e)
{
    return add_delete(em, b, s, before, NULL, t, e);
}

enum err emit_truncate(struct emitter *em, struct record_batch *b, const struct shape *s,
                       struct emit_time t, struct error *e)
{
    struct record *r = add_record(em, b, s, NULL);
    if (!r || !set_envelope(em, b, s, r, OP_TRUNCATE, NULL, NULL, t))
        return no_memory(e);
    return E_OK;
}
