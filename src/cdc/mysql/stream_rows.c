/* cdc/mysql/stream_rows.c - rows events to change events. A table map is bound to a shape once;
 * then a row costs its cells. SPEC: cdc-mysql 4.2, 4.4, 4.7 */
#include "cdc/mysql/stream.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "cdc/mysql/computed.h"
#include "cdc/mysql/lean.h"
#include "cdc/mysql/signals.h"

/* What a table map means to us; hangs on the map. */
struct binding {
    uint64_t generation;       /* of the stream when it was made */
    struct shape *shape;       /* NULL: not captured */
    struct render_plan *plan;  /* NULL: rows become values */
    int32_t row_end;           /* column of a system-versioned row's end; -1: not versioned */
    struct computed *computed; /* NULL: no image lacked a generated column yet */
    struct lean *lean;         /* NULL: no image lacked a plain one yet */
    bool told_lean;            /* the log names the table already */
};

static void binding_free(void *binding)
{
    struct binding *b = binding;
    computed_free(b->computed);
    lean_free(b->lean);
    render_plan_free(b->plan);
    mem_free(b);
}

/* Rows of a table that the model does not know, or knows otherwise. SPEC: cdc-mysql 7.6 */
static enum err unknown_table(struct stream *s, const struct mysql_table_map *map, struct error *e)
{
    struct mysql_offset at;
    struct strbuf text = STRBUF_INIT;
    mysql_offset_init(&at);
    stream_offset(s, &at);
    mysql_offset_print(&at, false, &text);
    mysql_offset_release(&at);
    enum failure_mode mode = s->t->o.on_schema_error;
    LOG_AT(
        LOG_CDC_MYSQL, mode == FAILURE_SKIP ? LOG_L_DEBUG : LOG_L_WARN,
        "Encountered change event at offset %s for table " PRI_SL "." PRI_SL
        " whose schema isn't known to this connector. One possible cause is an incomplete database "
        "schema history topic. Take a new snapshot in this case.",
        text.p, ARG_SL(map->db), ARG_SL(map->table));
    strbuf_release(&text);
    s->left_out++;
    if (mode != FAILURE_FAIL)
        return E_OK;
    return error_set(e, E_NOT_FOUND,
                     "Encountered change event for table " PRI_SL "." PRI_SL
                     " whose schema isn't known to this connector",
                     ARG_SL(map->db), ARG_SL(map->table));
}

/* Where a system-versioned table keeps the end of a row's life: a column of its own, or the last of
 * the two that the server adds. */
static int32_t row_end_of(const struct mysql_table *t, const struct mysql_table_map *map)
{
    for (uint32_t i = 0; i < t->column_count; i++)
        if (t->columns[i].is_row_end)
            return (int32_t)i;
    return t->system_versioned && map->column_count == t->column_count + 2
               ? (int32_t)t->column_count + 1
               : -1;
}

static enum err bind(struct stream *s, struct mysql_table_map *map, struct binding **out,
                     struct error *e)
{
    struct binding *b = map->user;
    *out = b;
    if (LIKELY(b && b->generation == s->generation))
        return E_OK;
    bool sequence = false;
    int32_t row_end = -1;
    struct shape *shape = NULL;
    if (capture_table(&s->t->rules.filter, map->db, map->table)) {
        const struct mysql_table *t;
        enum err rc = stream_fitting_table(s, map, &t, &sequence, e);
        if (rc)
            return rc;
        if (sequence || (t && t->is_sequence)) {
            t = NULL;
        } else if (!t) {
            rc = unknown_table(s, map, e);
            if (rc)
                return rc;
        } else if (!stream_fits(t, map)) {
            return error_set(e, E_CORRUPT,
                             "Error processing row in " PRI_SL
                             ", internal schema size %u, but row size %u , "
                             "restart connector with schema recovery mode.",
                             ARG_SL(map->table), t->column_count, map->column_count);
        }
        if (t) {
            shape = shapes_get(&s->t->shapes, t);
            row_end = row_end_of(t, map);
        }
    }
    if (!b) {
        b = xcalloc(1, sizeof *b);
        map->user = b;
        map->free_user = binding_free;
    }
    computed_free(b->computed);
    b->computed = NULL;
    lean_free(b->lean);
    b->lean = NULL;
    render_plan_free(b->plan);
    const struct task_ctx *ctx = s->t->ctx;
    b->plan = shape && row_end < 0 && ctx && !s->t->em.transactions
                  ? render_plan_new(shape, map, &s->t->em.source, ctx->direct)
                  : NULL;
    b->generation = s->generation;
    b->shape = shape;
    b->row_end = row_end;
    *out = b;
    return E_OK;
}

static void reserve_cells(struct stream *s, uint32_t n)
{
    if (n <= s->cells)
        return;
    s->before = xrealloc(s->before, n * sizeof *s->before);
    s->after = xrealloc(s->after, n * sizeof *s->after);
    s->cells = n;
}

struct rows_run {
    struct stream *s;
    struct record_batch *b;
    const struct shape *shape;
    const struct mysql_rows_event *event;
    const struct render_plan *plan; /* see struct binding */
    struct emit_time time;
    struct binding *bound;
    int32_t row_end;           /* see struct binding */
    bool lean;                 /* see lean.h */
    uint64_t asked, asked_end; /* rows that bound->lean knows about */
    bool computing;            /* generated columns come from bound->computed */
    bool watched;              /* signals_row is told each row */
    bool silent;               /* and nothing else is: skipped.operations */
    bool kept;                 /* the row's bytes are in the batch's arena */
};

/* Whether a row of a system-versioned table is of now: its end has not come. */
static bool is_current(const struct rows_run *run, const struct mysql_cell *cells)
{
    const struct mysql_map_column *column = &run->event->map->columns[run->row_end];
    const struct mysql_cell *end = &cells[run->row_end];
    int64_t seconds;
    uint32_t micros;
    if (end->state != CELL_VALUE)
        return true;
    if (column->type == WIRE_LONGLONG)
        return mysql_cell_uint(end) == UINT64_MAX;
    if (mysql_cell_timestamp(column, end, &seconds, &micros))
        return true;
    return (seconds == INT32_MAX || seconds == UINT32_MAX || seconds == -1) && micros == 999999;
}

/* What a row event of a versioned table means for the rows of now. False: nothing, it is about the
 * past. */
static bool versioned_op(const struct rows_run *run, enum mysql_rows_op *op)
{
    const struct stream *s = run->s;
    switch (*op) {
    case ROWS_WRITE:
        return is_current(run, s->after);
    case ROWS_DELETE:
        return is_current(run, s->before);
    default:
        if (!is_current(run, s->before))
            return false;
        if (!is_current(run, s->after))
            *op = ROWS_DELETE; /* DELETE only ends the row's life */
        return true;
    }
}

/* Cells of an image as a row of values. number: of the image in the event. */
static enum err image_row(struct rows_run *run, const struct mysql_cell *cells,
                          const struct mysql_cell *older, size_t number, struct value **row,
                          struct error *e)
{
    struct value_env *env = &run->s->t->env;
    enum err rc = shape_cells(run->shape, env, run->event->map, cells, older, row, e);
    if (UNLIKELY(run->computing) && rc == E_OK)
        rc = computed_fill(run->bound->computed, run->shape, env, number, *row, e);
    return rc;
}

static void tell_lean(const struct rows_run *run)
{
    const struct mysql_table *t = run->shape->table;
    if (run->bound->told_lean)
        return;
    run->bound->told_lean = true;
    LOG_WARN(LOG_CDC_MYSQL,
             "rows of table " PRI_SL "." PRI_SL
             " come without all of their columns (binlog_row_image=MINIMAL in the session that "
             "wrote them): what is missing is read from the table as it is now, and updates "
             "have no `before`. Set binlog_row_image=FULL",
             ARG_SL(t->db), ARG_SL(t->name));
}

/* What the images of the next rows leave out, asked for together. it: before row `first`. */
static enum err look_up(struct rows_run *run, struct mysql_rows it, uint64_t first, struct error *e)
{
    struct stream *s = run->s;
    struct value_env *env = &s->t->env;
    enum mysql_rows_op op = run->event->op;
    enum err rc = E_OK;
    tell_lean(run);
    run->asked = first;
    run->asked_end = first + LEAN_ROWS;
    if (op == ROWS_DELETE)
        return E_OK;
    if (!run->bound->lean)
        run->bound->lean = lean_new(run->shape, run->event->map);
    struct lean *l = run->bound->lean;
    env->arena = &run->b->arena;
    lean_reset(l);
    for (uint32_t n = 0; n < LEAN_ROWS && rc == E_OK; n++) {
        /* A row that can't be read fails when its turn comes. */
        if (mysql_rows_next(&it, op == ROWS_WRITE ? NULL : s->before, s->after, NULL))
            break;
        if (op == ROWS_UPDATE)
            lean_cells(run->shape->table, s->before, s->after);
        rc = lean_add(l, env, s->after, op == ROWS_UPDATE ? s->before : NULL, e);
    }
    if (rc || !lean_wants(l))
        return rc;
    rc = stream_session(s, e);
    return rc ? rc : lean_run(l, s->t->conn, env, e);
}

/* Both rows of images that leave plain columns out. *hide: what was before is not known. */
static enum err complete(struct rows_run *run, uint64_t index, struct value *before,
                         struct value *after, bool *hide, struct error *e)
{
    struct stream *s = run->s;
    if (before)
        lean_unknown(run->shape, s->before, before);
    *hide = after != NULL;
    return after ? lean_after(run->bound->lean, (size_t)(index - run->asked), &s->t->env, s->after,
                              before ? s->before : NULL, before, after, e)
                 : E_OK;
}

/* Row `index` of the event. */
static enum err one_row(struct rows_run *run, uint64_t index, struct error *e)
{
    struct stream *s = run->s;
    struct emitter *em = &s->t->em;
    struct value *before = NULL, *after = NULL;
    enum mysql_rows_op op = run->event->op;
    enum err rc = E_OK;
    if (UNLIKELY(run->row_end >= 0) && !versioned_op(run, &op))
        return E_OK;
    size_t number = (size_t)index * (run->event->op == ROWS_UPDATE ? 2 : 1);
    bool hide = false;
    if (UNLIKELY(run->lean) && op == ROWS_UPDATE)
        lean_cells(run->shape->table, s->before, s->after);
    if (op != ROWS_WRITE)
        rc = image_row(run, s->before, NULL, number, &before, e);
    if (op != ROWS_DELETE && rc == E_OK)
        rc = image_row(run, s->after, op == ROWS_UPDATE ? s->before : NULL,
                       number + (run->event->op == ROWS_UPDATE), &after, e);
    if (UNLIKELY(run->lean) && rc == E_OK)
        rc = complete(run, index, before, after, &hide, e);
    if (UNLIKELY(rc))
        return rc;
    em->hide_before = hide;
    switch (op) {
    case ROWS_WRITE:
        return emit_create(em, run->b, run->shape, after, run->time, e);
    case ROWS_UPDATE:
        return emit_update(em, run->b, run->shape, before, after, run->time, e);
    default:
        return emit_delete(em, run->b, run->shape, before, run->time, e);
    }
}

static bool is_skipped(const struct stream *s, enum mysql_rows_op op)
{
    unsigned bit = op == ROWS_WRITE ? SKIP_CREATE : op == ROWS_UPDATE ? SKIP_UPDATE : SKIP_DELETE;
    return (s->t->o.skipped & bit) != 0;
}

/* The server computes what the images of all rows leave out. */
static enum err compute(struct rows_run *run, struct mysql_rows it, struct error *e)
{
    struct stream *s = run->s;
    const struct mysql_table *t = run->shape->table;
    struct value_env *env = &s->t->env;
    enum mysql_rows_op op = run->event->op;
    struct binding *b = run->bound;
    enum err rc = stream_session(s, e);
    if (rc == E_OK && !b->computed)
        rc = computed_open(s->t->conn, t, &b->computed, e);
    if (rc)
        return rc;
    computed_reset(b->computed);
    while ((rc = mysql_rows_next(&it, op == ROWS_WRITE ? NULL : s->before,
                                 op == ROWS_DELETE ? NULL : s->after, e)) == E_OK) {
        if (op != ROWS_WRITE)
            rc = computed_add(b->computed, run->shape, env, run->event->map, s->before, e);
        if (op != ROWS_DELETE && rc == E_OK)
            rc = computed_add(b->computed, run->shape, env, run->event->map, s->after, e);
        if (rc)
            return rc;
    }
    if (rc != E_NOT_FOUND)
        return rc;
    run->computing = true;
    return computed_run(b->computed, s->t->conn, env, e);
}

/* Whether images of this event lack generated columns. */
static bool is_computing(const struct rows_run *run, bool whole)
{
    const uint8_t *present =
        run->event->op == ROWS_WRITE ? run->event->present_after : run->event->present_before;
    const struct mysql_table *t = run->shape->table;
    if (LIKELY(whole) || !run->s->mariadb)
        return false;
    for (uint32_t i = 0; i < t->column_count; i++)
        if (t->columns[i].is_computed && !(present[i / 8] >> (i % 8) & 1))
            return true;
    return false;
}

/* --- values: the general way ------------------------------------------------------------------ */

/* Values point into the row's bytes, so these move into the batch's arena. *by: how far. */
static enum err keep_bytes(struct rows_run *run, struct mysql_rows *it, ptrdiff_t *by,
                           struct error *e)
{
    struct slice rows = run->event->rows;
    struct value_env *env = &run->s->t->env;
    env->arena = &run->b->arena;
    const char *bytes = value_dup(env, rows.p, rows.n);
    if (!bytes)
        return error_set(e, E_NOMEM, "no memory for a rows event of %zu bytes", rows.n);
    size_t at = (size_t)(it->at - (const uint8_t *)rows.p);
    *by = bytes - rows.p;
    it->at = (const uint8_t *)bytes + at;
    it->end = (const uint8_t *)bytes + rows.n;
    run->kept = true;
    return E_OK;
}

static void move_cells(struct mysql_cell *cells, uint32_t n, ptrdiff_t by)
{
    for (uint32_t i = 0; i < n; i++)
        if (cells[i].p)
            cells[i].p += by;
}

/* A row that the plan did not take. */
static enum err as_values(struct rows_run *run, struct mysql_rows *it, uint64_t i, struct error *e)
{
    struct stream *s = run->s;
    ptrdiff_t by = 0;
    enum err rc = run->kept ? E_OK : keep_bytes(run, it, &by, e);
    if (rc)
        return rc;
    if (by && run->event->op != ROWS_WRITE)
        move_cells(s->before, it->column_count, by);
    if (by && run->event->op != ROWS_DELETE)
        move_cells(s->after, it->column_count, by);
    return one_row(run, i, e);
}

/* Rows [skip, n) of the event. */
static enum err run_rows(struct rows_run *run, uint64_t skip, struct error *e)
{
    static const enum render_event events[] = {
        [ROWS_WRITE] = RENDER_CREATE, [ROWS_UPDATE] = RENDER_UPDATE, [ROWS_DELETE] = RENDER_DELETE};
    struct stream *s = run->s;
    struct emitter *em = &s->t->em;
    const struct mysql_rows_event *event = run->event;
    struct mysql_rows it;
    reserve_cells(s, event->map->column_count);
    enum err rc = mysql_rows_init(&it, event, e);
    bool whole =
        (event->op == ROWS_WRITE || it.all_before) && (event->op == ROWS_DELETE || it.all_after);
    if (rc == E_OK && UNLIKELY(!whole))
        run->lean = lean_is_event(run->shape->table, event, s->mariadb);
    if (rc == E_OK && !run->lean && UNLIKELY(is_computing(run, whole)))
        rc = compute(run, it, e);
    bool direct = run->plan && rc == E_OK && whole;
    if (direct) {
        rc = render_begin(&s->renderer, run->plan, em, events[event->op], run->time, e);
        direct = rc != E_UNSUPPORTED;
        rc = direct ? rc : E_OK;
    }
    for (uint64_t i = 0; rc == E_OK; i++) {
        if (UNLIKELY(run->lean) && i >= skip && i >= run->asked_end)
            rc = look_up(run, it, i, e);
        if (UNLIKELY(rc))
            break;
        rc = mysql_rows_next(&it, event->op == ROWS_WRITE ? NULL : s->before,
                             event->op == ROWS_DELETE ? NULL : s->after, e);
        if (rc || i < skip)
            continue;
        em->source.fields[SOURCE_ROW] = value_int((int64_t)i);
        if (LIKELY(!run->silent))
            rc = direct ? render_row(&s->renderer, em, run->b, s->before, s->after, i, e)
                        : E_UNSUPPORTED;
        if (rc == E_UNSUPPORTED)
            rc = as_values(run, &it, i, e);
        if (UNLIKELY(rc))
            break;
        s->restart.row = i + 1; /* only now: this row is told, and no other one */
        if (UNLIKELY(run->watched))
            signals_row(s->t->signals, run->shape, event->map, event->op, s->before, s->after);
    }
    return rc == E_NOT_FOUND ? E_OK : rc;
}

/* restart.row says at each moment how many rows of this event are told. */
static enum err rows_of_event(struct stream *s, const struct mysql_event *ev,
                              struct record_batch *b, struct error *e)
{
    const struct mysql_rows_event *rows = &ev->u.rows;
    struct binding *bound = NULL;
    if (!rows->map)
        return error_set(e, E_CORRUPT, "rows of table id %llu came without its description",
                         (unsigned long long)rows->table_id);
    enum err rc = bind(s, rows->map, &bound, e);
    if (rc || !bound->shape) {
        s->filtered += rc == E_OK;
        return rc;
    }
    struct shape *shape = bound->shape;
    bool silent = is_skipped(s, rows->op);
    if (silent && !signals_listen(s->t->signals, shape, rows->op))
        return E_OK;
    stream_source(s, ev, b);
    struct value *fields = s->t->em.source.fields;
    fields[SOURCE_DB] = value_string(shape->table->db);
    fields[SOURCE_TABLE] = value_string(shape->table->name);
    struct rows_run run = {.s = s,
                           .b = b,
                           .shape = shape,
                           .event = rows,
                           .plan = bound->plan,
                           .time = {clock_wall_us()},
                           .bound = bound,
                           .row_end = bound->row_end};
    run.watched = s->t->signals && signals_watch(s->t->signals, shape);
    run.silent = silent;
    size_t before = b->count;
    rc = run_rows(&run, s->restart.row, e);
    if (b->count > before) {
        stream_pos_copy(&s->last, &s->restart);
        s->last_valid = true;
        s->progressed = true;
    }
    return rc;
}

enum err stream_rows(struct stream *s, const struct mysql_event *ev, struct record_batch *b,
                     struct error *e)
{
    if (ev->u.rows.dummy)
        return E_OK;
    if (UNLIKELY(stream_resuming(s))) {
        if (s->restart.event < s->skip_events)
            return E_OK;
        s->restart.row = s->skip_rows;
        s->resuming = false;
        if (s->skip_rows)
            LOG_INFO(LOG_CDC_MYSQL, "Skip %llu rows on streaming start",
                     (unsigned long long)s->skip_rows);
    }
    enum err rc = UNLIKELY(s->unwanted) ? E_OK : rows_of_event(s, ev, b, e);
    if (rc == E_OK)
        s->restart.row = 0;
    return rc;
}
