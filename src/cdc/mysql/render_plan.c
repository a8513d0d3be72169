/* cdc/mysql/render_plan.c - compiles the plan of a table: constant texts and one function a column.
 * SPEC: connect 5.2 (what JsonConverter writes) */
#include "cdc/mysql/render.h"

#include "base/mem.h"
#include "connect/json_out.h"

/* `{"name":` or `,"name":`, with the bytes behind it that a copy of fixed size reads. */
static struct slice key_text(struct arena *a, struct slice json_key, bool first)
{
    size_t n = 1 + json_key.n;
    char *p = arena_calloc(a, MAX(n, (size_t)SCHEMA_KEY_PADDING) + 1, 1);
    p[0] = first ? '{' : ',';
    memcpy(p + 1, json_key.p, json_key.n);
    return slice_of(p, n);
}

/* What a NULL in the column becomes. Null slice: the converter would complain. */
static struct slice null_text(struct render_plan *p, const struct render_op *op)
{
    const struct codec *c = op->codec;
    struct strbuf b = STRBUF_INIT;
    struct slice text = SLICE_NULL;
    struct value v = c->on_null;
    if (json_out_value(&b, c->schema, v, &op->form->out, NULL) == E_OK && strbuf_err(&b) == E_OK)
        text = arena_dup(&p->arena, strbuf_slice(&b));
    strbuf_release(&b);
    return text;
}

/* map: of the rows event; NULL: texts, and columns are those of the result. */
struct input {
    const struct mysql_table_map *map;
    const uint32_t *columns;
    uint32_t count;
};

/* Where the cell of a table's column is; false: nowhere. */
static bool find_cell(const struct input *in, uint32_t column, uint32_t *cell)
{
    *cell = column;
    if (in->map)
        return column < in->map->column_count;
    for (uint32_t i = in->count; i-- > 0;) /* the last one of a name counts */
        if (in->columns[i] == column) {
            *cell = i;
            return true;
        }
    return false;
}

static bool compile_op(struct render_plan *p, struct render_op *op, uint32_t column,
                       const struct schema_field *field, const struct input *in,
                       const struct json_form *form)
{
    bool first = op == p->value || op == p->key;
    *op = (struct render_op){
        .key = key_text(&p->arena, field->json_key, first),
        .is_text = !in->map,
        .codec = &p->shape->codecs[column],
        .map = in->map ? &in->map->columns[column] : NULL,
        .form = form,
    };
    op->null = null_text(p, op);
    if (!find_cell(in, column, &op->column))
        return false;
    if (op->is_text)
        render_choose_text(op);
    else
        render_choose_cell(op);
    return true;
}

/* The column whose value stands at this position of a row; the table has one. */
static uint32_t column_at(const struct shape *s, uint32_t slot)
{
    uint32_t i = 0;
    while (s->slots[i] != (int32_t)slot)
        i++;
    return i;
}

static struct slice schema_head(struct shape *shape, const struct schema *s,
                                const struct json_form *form)
{
    struct strbuf b = STRBUF_INIT;
    struct slice text = SL("");
    if (form->schemas) {
        strbuf_adds(&b, "{\"schema\":");
        json_out_schema(&b, s, form->out.numeric_decimals && json_out_schema_varies(s));
        strbuf_adds(&b, ",\"payload\":");
        text = arena_dup(&shape->arena, strbuf_slice(&b));
    }
    strbuf_release(&b);
    return text;
}

static void make_heads(struct shape *s, const struct direct_form *form)
{
    if (s->value_head.p)
        return;
    s->value_head = schema_head(s, s->envelope, &form->value);
    s->key_head = s->key ? schema_head(s, s->key, &form->key) : SL("");
}

static bool compile(struct render_plan *p, const struct input *in)
{
    const struct shape *s = p->shape;
    for (uint32_t i = 0; i < s->table->column_count; i++) {
        if (s->slots[i] < 0 || (uint32_t)s->slots[i] >= s->field_count)
            continue;
        uint32_t n = p->value_count++;
        if (!compile_op(p, &p->value[n], i, &s->value->fields[n], in, &p->form->value))
            return false;
    }
    for (; s->key && p->key_count < s->key_count; p->key_count++) {
        uint32_t n = p->key_count;
        if (!compile_op(p, &p->key[n], column_at(s, s->key_slots[n]), &s->key->fields[n], in,
                        &p->form->key))
            return false;
    }
    return true;
}

/* --- what follows the images ------------------------------------------------------------------ */

struct tail {
    struct render_plan *plan;
    struct strbuf text; /* constant, since the last hole */
    enum err err;
};

static void tail_key(struct tail *t, const struct schema_field *f, char before)
{
    strbuf_addc(&t->text, before);
    strbuf_add_slice(&t->text, f->json_key);
}

static void tail_value(struct tail *t, const struct schema *s, struct value v)
{
    if (!t->err)
        t->err = json_out_value(&t->text, s, v, &t->plan->form->value.out, NULL);
}

static void tail_hole(struct tail *t, enum render_hole hole, int field, const struct schema *s)
{
    struct render_part *part = &t->plan->parts[t->plan->part_count++];
    *part = (struct render_part){.text = arena_dup(&t->plan->arena, strbuf_slice(&t->text)),
                                 .hole = hole,
                                 .field = (enum source_field)field};
    strbuf_reset(&t->text);
    if (s && json_out_value(&t->text, s, value_null(), &t->plan->form->value.out, NULL) == E_OK)
        part->null = arena_dup(&t->plan->arena, strbuf_slice(&t->text));
    strbuf_reset(&t->text);
}

static void tail_source(struct tail *t, const struct source_info *source)
{
    const struct mysql_table *table = t->plan->shape->table;
    for (int i = 0; i < SOURCE_FIELDS; i++) {
        const struct schema_field *f = &source->schema->fields[i];
        tail_key(t, f, i ? ',' : '{');
        switch ((enum source_field)i) {
        case SOURCE_VERSION:
        case SOURCE_CONNECTOR:
        case SOURCE_NAME:
        case SOURCE_SEQUENCE:
            tail_value(t, f->schema, source->fields[i]);
            break;
        case SOURCE_DB:
            tail_value(t, f->schema, value_string(table->db));
            break;
        case SOURCE_TABLE:
            tail_value(t, f->schema, value_string(table->name));
            break;
        default:
            tail_hole(t, HOLE_SOURCE, i, f->schema);
        }
    }
    strbuf_addc(&t->text, '}');
}

static bool compile_tail(struct render_plan *p, const struct source_info *source)
{
    static const enum render_hole holes[] = {[ENVELOPE_OP] = HOLE_OP,
                                             [ENVELOPE_TS_MS] = HOLE_MS,
                                             [ENVELOPE_TS_US] = HOLE_US,
                                             [ENVELOPE_TS_NS] = HOLE_NS};
    const struct schema_field *f = p->shape->envelope->fields;
    struct tail t = {.plan = p, .text = STRBUF_INIT};
    p->before = key_text(&p->arena, f[ENVELOPE_BEFORE].json_key, true);
    p->after = key_text(&p->arena, f[ENVELOPE_AFTER].json_key, false);
    tail_key(&t, &f[ENVELOPE_SOURCE], ',');
    tail_source(&t, source);
    tail_key(&t, &f[ENVELOPE_TRANSACTION], ',');
    tail_value(&t, f[ENVELOPE_TRANSACTION].schema, value_null());
    for (int i = ENVELOPE_OP; i < ENVELOPE_FIELDS; i++) {
        tail_key(&t, &f[i], ',');
        tail_hole(&t, holes[i], 0, NULL);
    }
    strbuf_adds(&t.text, p->form->value.schemas ? "}}" : "}");
    tail_hole(&t, HOLE_END, 0, NULL);
    strbuf_release(&t.text);
    return t.err == E_OK;
}

/* --- the plan --------------------------------------------------------------------------------- */

static struct render_plan *plan_new(struct shape *s, const struct input *in,
                                    const struct source_info *source,
                                    const struct direct_form *form)
{
    if (!form || !s->field_count || s->key_codecs)
        return NULL;
    struct render_plan *p = xcalloc(1, sizeof *p);
    arena_init(&p->arena, 4096, ARENA_NO_BUDGET);
    p->shape = s;
    p->form = form;
    p->value = arena_calloc(&p->arena, s->field_count, sizeof *p->value);
    p->key = arena_calloc(&p->arena, s->key_count + 1, sizeof *p->key);
    if (compile(p, in) && compile_tail(p, source)) {
        make_heads(s, form);
        return p;
    }
    render_plan_free(p);
    return NULL;
}

struct render_plan *render_plan_new(struct shape *s, const struct mysql_table_map *map,
                                    const struct source_info *source,
                                    const struct direct_form *form)
{
    const struct input in = {.map = map};
    return plan_new(s, &in, source, form);
}

struct render_plan *render_plan_texts(struct shape *s, const uint32_t *columns, uint32_t count,
                                      const struct source_info *source,
                                      const struct direct_form *form)
{
    const struct input in = {.columns = columns, .count = count};
    return plan_new(s, &in, source, form);
}

void render_plan_free(struct render_plan *p)
{
    if (!p)
        return;
    arena_release(&p->arena);
    mem_free(p);
}
