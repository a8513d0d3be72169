/* cdc/mysql/render_event.c - rows to records whose key and value are text already.
 *
 *   {"before":IMAGE,"after":IMAGE TAIL ROW TAIL      the two tails are made once per event
 *
 * A cell that did not change is not written twice: its text in the image before is copied, with that
 * of its unchanged neighbours. SPEC: cdc-mysql 5.1, 5.4-5.6 */
#include "cdc/mysql/render.h"

#include "base/mem.h"
#include "connect/javatext.h"
#include "connect/json_out.h"

#define ARENA_KEPT ((size_t)256 << 10) /* values of rows that are done */
#define LARGE_CELL ((uint32_t)1 << 20)

/* --- text ------------------------------------------------------------------------------------- */

__attribute__((noinline)) enum err text_out_grow(struct text_out *w, size_t n)
{
    text_out_close(w);
    size_t more = MAX(n + 1, w->b->n / 2);
    enum err err = strbuf_reserve(w->b, more);
    if (err && more > n + 1) {
        w->b->failed = E_OK;
        err = strbuf_reserve(w->b, n + 1);
    }
    w->b->failed = E_OK; /* what is there is whole */
    text_out_open(w, w->b);
    return err ? E_NOMEM : E_OK;
}

enum err text_out_value(struct text_out *w, const struct schema *s, struct value v,
                        const struct json_form *form)
{
    text_out_close(w);
    enum err err = json_out_value(w->b, s, v, &form->out, NULL);
    w->b->failed = E_OK;
    text_out_open(w, w->b);
    return err == E_OK || err == E_NOMEM ? err : E_UNSUPPORTED;
}

void renderer_init(struct renderer *r)
{
    memset(r, 0, sizeof *r);
    value_env_init(&r->env);
    arena_init(&r->arena, 0, ARENA_NO_BUDGET);
    r->env.arena = &r->arena;
    strbuf_init(&r->tail, 0);
    strbuf_init(&r->marks[0], 0);
    strbuf_init(&r->marks[1], 0);
}

void renderer_release(struct renderer *r)
{
    value_env_release(&r->env);
    arena_release(&r->arena);
    strbuf_release(&r->tail);
    strbuf_release(&r->marks[0]);
    strbuf_release(&r->marks[1]);
    mem_free(r->ends);
}

/* --- images ----------------------------------------------------------------------------------- */

/* A cell by its codec: rare types, long values, NULLs and what has no form. */
static __attribute__((noinline)) enum err cell_as_value(struct renderer *r, struct text_out *w,
                                                        const struct render_op *op,
                                                        const struct mysql_cell *cell)
{
    struct value v;
    if (cell->state == CELL_NULL && op->null.p) {
        enum err err = text_out_room(w, op->null.n);
        if (!err)
            text_out_put(w, op->null);
        return err;
    }
    if (cell->state == CELL_ABSENT || cell->state == CELL_PARTIAL)
        return E_UNSUPPORTED;
    enum err err = E_OK;
    if (cell->state == CELL_VALUE && op->fn == render_utf8) /* long: not copied first */
        v = value_string(slice_of(cell->p, cell->n));
    else if (op->is_text)
        err = codec_text(op->codec, &r->env, slice_of(cell->p, cell->n), &v);
    else
        err = codec_cell(op->codec, &r->env, op->map, cell, &v);
    if (err)
        return err == E_NOMEM ? err : E_UNSUPPORTED;
    err = text_out_value(w, op->codec->schema, v, op->form);
    if (UNLIKELY(cell->n > LARGE_CELL)) { /* a row may hold several: what it took is given back */
        arena_reset(&r->arena);
        strbuf_release(&r->env.scratch);
    }
    return err;
}

static ALWAYS_INLINE enum err put_cell(struct renderer *r, struct text_out *w,
                                       const struct render_op *op, const struct mysql_cell *cell)
{
    size_t bytes = MIN(cell->n, (uint32_t)RENDER_CELL_MAX);
    enum err err = text_out_room(w, op->key.n + SCHEMA_KEY_PADDING + RENDER_ROOM + 6 * bytes);
    if (UNLIKELY(err))
        return err;
    memcpy(w->at, op->key.p, SCHEMA_KEY_PADDING);
    if (UNLIKELY(op->key.n > SCHEMA_KEY_PADDING))
        memcpy(w->at, op->key.p, op->key.n);
    w->at += op->key.n;
    if (LIKELY(op->fn && cell->state == CELL_VALUE && cell->n <= RENDER_CELL_MAX)) {
        char *end = op->fn(op, cell, w->at);
        if (LIKELY(end)) {
            w->at = end;
            return E_OK;
        }
    }
    return cell_as_value(r, w, op, cell);
}

/* Key or image without anything to compare it with. ends: where each column's text ends; may be
 * NULL. */
static enum err put_struct(struct renderer *r, struct text_out *w, const struct render_op *ops,
                           uint32_t count, const struct mysql_cell *cells, uint32_t *ends)
{
    size_t start = (size_t)(w->at - w->b->p);
    for (uint32_t i = 0; i < count; i++) {
        enum err err = put_cell(r, w, &ops[i], &cells[ops[i].column]);
        if (UNLIKELY(err))
            return err;
        if (ends)
            ends[i] = (uint32_t)((size_t)(w->at - w->b->p) - start);
    }
    enum err err = text_out_room(w, 2);
    if (!err)
        *w->at++ = '}';
    return err;
}

static ALWAYS_INLINE bool same_cell(const struct mysql_cell *a, const struct mysql_cell *b)
{
    return a->n == b->n && a->state == b->state && (a->n == 0 || memcmp(a->p, b->p, a->n) == 0);
}

/* The image after: runs of unchanged columns are copied from the image before, whose text begins at
 * `from` of the buffer. */
static enum err put_changed(struct renderer *r, struct text_out *w, size_t from,
                            const struct mysql_cell *before, const struct mysql_cell *after)
{
    const struct render_plan *p = r->plan;
    uint32_t i = 0;
    while (i < p->value_count) {
        uint32_t first = i;
        enum err err;
        while (i < p->value_count &&
               same_cell(&before[p->value[i].column], &after[p->value[i].column]))
            i++;
        if (i > first) {
            size_t start = first ? r->ends[first - 1] : 0, n = r->ends[i - 1] - start;
            err = text_out_room(w, n);
            if (UNLIKELY(err))
                return err;
            text_out_put(w, slice_of(w->b->p + from + start, n));
        }
        if (i == p->value_count)
            break;
        err = put_cell(r, w, &p->value[i], &after[p->value[i].column]);
        if (UNLIKELY(err))
            return err;
        i++;
    }
    enum err err = text_out_room(w, 2);
    if (!err)
        *w->at++ = '}';
    return err;
}

/* --- events ----------------------------------------------------------------------------------- */

static const char *const op_names[] = {[RENDER_READ] = "\"r\"",
                                       [RENDER_CREATE] = "\"c\"",
                                       [RENDER_UPDATE] = "\"u\"",
                                       [RENDER_DELETE] = "\"d\""};

/* An instant in three units: the digits are the same. */
struct instant {
    char digits[JAVA_NUMBER_MAX];
    size_t n; /* of the micros */
};

static void instant_init(struct instant *i, int64_t us)
{
    i->n = (size_t)(java_write_i64(i->digits, us) - i->digits);
}

static bool instant_is_plain(const struct instant *i)
{
    return i->n > 3 && i->digits[0] != '-';
}

static char *put_instant(char *to, const struct instant *i, int64_t us, enum render_hole unit)
{
    if (UNLIKELY(!instant_is_plain(i)))
        return java_write_i64(to, unit == HOLE_MS ? us / 1000 : unit == HOLE_US ? us : us * 1000);
    memcpy(to, i->digits, i->n);
    to += i->n;
    if (unit == HOLE_MS)
        return to - 3;
    if (unit == HOLE_NS) {
        memcpy(to, "000", 3);
        to += 3;
    }
    return to;
}

static enum err put_source_value(struct text_out *w, const struct render_part *part, struct value v)
{
    enum err err = text_out_room(w, v.kind == VALUE_STRING ? 6 * (size_t)v.n + 2 : JAVA_NUMBER_MAX);
    if (err)
        return err;
    switch (v.kind) {
    case VALUE_INT:
        w->at = java_write_i64(w->at, v.u.i);
        return E_OK;
    case VALUE_STRING:
        *w->at++ = '"';
        w->at = json_write_escaped(w->at, v.u.s, v.n);
        *w->at++ = '"';
        return E_OK;
    default:
        if (v.kind != VALUE_NULL || !part->null.p)
            return E_UNSUPPORTED;
        err = text_out_room(w, part->null.n);
        if (!err)
            text_out_put(w, part->null);
        return err;
    }
}

static enum err put_hole(struct renderer *r, struct text_out *w, const struct render_part *part,
                         const struct source_info *source, const struct instant *times)
{
    static const enum render_hole units[SOURCE_FIELDS] = {
        [SOURCE_TS_MS] = HOLE_MS, [SOURCE_TS_US] = HOLE_US, [SOURCE_TS_NS] = HOLE_NS};
    switch (part->hole) {
    case HOLE_SOURCE:
        if (part->field == SOURCE_ROW) {
            r->split = (size_t)(w->at - w->b->p);
            return E_OK;
        }
        if (!units[part->field])
            return put_source_value(w, part, source->fields[part->field]);
        w->at = put_instant(w->at, &times[0], source->fields[SOURCE_TS_US].u.i, units[part->field]);
        return E_OK;
    case HOLE_OP:
        memcpy(w->at, op_names[r->event], 3);
        w->at += 3;
        return E_OK;
    case HOLE_END:
        return E_OK;
    default:
        w->at = put_instant(w->at, &times[1], r->time.us, part->hole);
        return E_OK;
    }
}

/* All that follows the images, into `tail`. */
static enum err put_tail(struct renderer *r, const struct source_info *source, struct strbuf *tail)
{
    const struct render_plan *p = r->plan;
    struct instant times[2]; /* of the source, of now */
    struct text_out w;
    enum err err = E_OK;
    instant_init(&times[0], source->fields[SOURCE_TS_US].u.i);
    instant_init(&times[1], r->time.us);
    strbuf_reset(tail);
    text_out_open(&w, tail);
    for (uint32_t i = 0; i < p->part_count && !err; i++) {
        err = text_out_room(&w, p->parts[i].text.n + JAVA_NUMBER_MAX);
        if (err)
            break;
        text_out_put(&w, p->parts[i].text);
        err = put_hole(r, &w, &p->parts[i], source, times);
    }
    text_out_close(&w);
    return err;
}

static enum err no_source(enum err err, struct error *e)
{
    return err && err != E_UNSUPPORTED
               ? error_set(e, err, "no memory for the source block of an event")
               : err;
}

enum err render_begin(struct renderer *r, const struct render_plan *p, struct emitter *em,
                      enum render_event event, struct emit_time t, struct error *e)
{
    r->plan = p;
    r->event = event;
    r->time = t;
    if (p->value_count > r->ends_cap) {
        r->ends_cap = p->value_count;
        r->ends = xrealloc(r->ends, r->ends_cap * sizeof *r->ends);
    }
    return no_source(put_tail(r, &em->source, &r->tail), e);
}

/* --- a snapshot's markers --------------------------------------------------------------------- */

/* Behind the image, whose row number is 0. */
static enum err put_mark(struct renderer *r, const struct emitter *em, struct slice marker,
                         struct strbuf *mark)
{
    struct source_info source = em->source;
    source.fields[SOURCE_SNAPSHOT] = value_string(marker);
    enum err err = put_tail(r, &source, &r->tail);
    if (err)
        return err;
    strbuf_reset(mark);
    strbuf_add(mark, r->tail.p, r->split);
    strbuf_addc(mark, '0');
    strbuf_add(mark, r->tail.p + r->split, r->tail.n - r->split);
    return strbuf_err(mark);
}

enum err render_marks(struct renderer *r, const struct emitter *em, struct slice one,
                      struct slice other, struct error *e)
{
    enum err err = put_mark(r, em, one, &r->marks[0]);
    if (!err)
        err = put_mark(r, em, other, &r->marks[1]);
    if (!err)
        err = put_tail(r, &em->source, &r->tail);
    return no_source(err, e);
}

enum err render_mark(struct renderer *r, struct record_batch *b, bool other, struct error *e)
{
    struct record_text *t = &b->records[b->count - 1].text;
    const struct strbuf *mark = &r->marks[other];
    size_t tail = r->last_tail;
    b->text.n -= tail;
    strbuf_add(&b->text, mark->p, mark->n);
    t->value_n = t->value_n - tail + mark->n;
    return no_source(strbuf_err(&b->text), e);
}

/* --- rows ------------------------------------------------------------------------------------- */

/* The value of a record; NULL cells: that image is null. */
static enum err put_value(struct renderer *r, struct text_out *w, const struct mysql_cell *before,
                          const struct mysql_cell *after, uint64_t row)
{
    const struct render_plan *p = r->plan;
    enum err err = text_out_room(w, p->before.n + p->after.n + 4);
    if (UNLIKELY(err))
        return err;
    text_out_put(w, p->before);
    size_t from = (size_t)(w->at - w->b->p);
    if (before)
        err = put_struct(r, w, p->value, p->value_count, before, r->ends);
    else
        text_out_put(w, SL("null"));
    if (!err)
        err = text_out_room(w, p->after.n + 4);
    if (UNLIKELY(err))
        return err;
    text_out_put(w, p->after);
    if (!after)
        text_out_put(w, SL("null"));
    else if (before)
        err = put_changed(r, w, from, before, after);
    else
        err = put_struct(r, w, p->value, p->value_count, after, NULL);
    if (!err)
        err = text_out_room(w, r->tail.n + JAVA_NUMBER_MAX);
    if (UNLIKELY(err))
        return err;
    char *tail = w->at;
    text_out_put(w, slice_of(r->tail.p, r->split));
    w->at = java_write_i64(w->at, (int64_t)row);
    text_out_put(w, slice_of(r->tail.p + r->split, r->tail.n - r->split));
    r->last_tail = (size_t)(w->at - tail);
    return E_OK;
}

static bool same_key(const struct render_plan *p, const struct mysql_cell *a,
                     const struct mysql_cell *b)
{
    for (uint32_t i = 0; i < p->key_count; i++)
        if (!same_cell(&a[p->key[i].column], &b[p->key[i].column]))
            return false;
    return true;
}

static enum err put_texts(struct renderer *r, struct record_batch *b, struct record_text *t,
                          const struct mysql_cell *before, const struct mysql_cell *after,
                          uint64_t row)
{
    const struct render_plan *p = r->plan;
    struct text_out w;
    enum err err = E_OK;
    text_out_open(&w, &b->text);
    *t = (struct record_text){.used = true,
                              .key_null = !p->key_count,
                              .key_at = b->text.n,
                              .key_head = p->shape->key_head,
                              .value_head = p->shape->value_head};
    if (p->key_count)
        err = put_struct(r, &w, p->key, p->key_count, after ? after : before, NULL);
    if (!err && p->key_count && p->form->key.schemas)
        *w.at++ = '}';
    t->key_n = (size_t)(w.at - w.b->p) - t->key_at;
    t->value_at = t->key_at + t->key_n;
    if (!err)
        err = put_value(r, &w, before, after, row);
    t->value_n = (size_t)(w.at - w.b->p) - t->value_at;
    if (err)
        w.at = w.b->p + t->key_at;
    text_out_close(&w);
    return err;
}

static enum err add_record(struct renderer *r, struct emitter *em, struct record_batch *b,
                           const struct record_text *t)
{
    struct record *x = record_batch_add(b);
    if (UNLIKELY(!x))
        return E_NOMEM;
    x->topic = r->plan->shape->topic;
    x->headers = context_headers_plain(&em->headers);
    x->text = *t;
    b->bytes += t->key_head.n + t->key_n + (t->value_null ? 0 : t->value_head.n + t->value_n);
    return E_OK;
}

enum err render_row(struct renderer *r, struct emitter *em, struct record_batch *b,
                    const struct mysql_cell *before, const struct mysql_cell *after, uint64_t row,
                    struct error *e)
{
    struct record_text t;
    if (r->event != RENDER_UPDATE && r->event != RENDER_DELETE)
        before = NULL;
    if (r->event == RENDER_DELETE)
        after = NULL;
    if (r->event == RENDER_UPDATE &&
        UNLIKELY(em->skip_unchanged || !same_key(r->plan, before, after)))
        return E_UNSUPPORTED;
    if (UNLIKELY(r->arena.used > ARENA_KEPT))
        arena_reset(&r->arena);
    enum err err = put_texts(r, b, &t, before, after, row);
    if (!err)
        err = add_record(r, em, b, &t);
    if (!err && r->event == RENDER_DELETE && em->tombstones) {
        t.value_null = true;
        err = add_record(r, em, b, &t);
    }
    if (UNLIKELY(err))
        return err == E_NOMEM ? error_set(e, err, "no memory for a change event") : err;
    em->read += r->event == RENDER_READ;
    em->created += r->event == RENDER_CREATE;
    em->updated += r->event == RENDER_UPDATE;
    em->deleted += r->event == RENDER_DELETE;
    return E_OK;
}
