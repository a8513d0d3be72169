/* cdc/mysql/table.c - building and publishing tables.
 *
 * mysql_table_new is the only way to make one: it copies every text into the table's own arena, so
 * nothing points outside; from then on the struct is read-only and only its reference count moves.
 */
#include "cdc/mysql/table.h"

#include <stdlib.h>

#include "base/mem.h"

#define MAX_COLUMNS 4096

static const struct {
    const char *name;
    int32_t jdbc;
    unsigned flags;
} types[] = {
#define X(sym, name, jdbc, flags) {name, jdbc, flags},
    MYSQL_COLUMN_TYPES(X)
#undef X
};

static _Atomic uint64_t next_version = 1; /* only uniqueness matters: relaxed */

unsigned mysql_column_type_flags(enum mysql_column_type t)
{
    return (size_t)t < ARRAY_LEN(types) ? types[t].flags : 0;
}

const char *mysql_column_type_base_name(enum mysql_column_type t)
{
    return (size_t)t < ARRAY_LEN(types) ? types[t].name : "UNKNOWN";
}

int32_t mysql_column_type_jdbc(enum mysql_column_type t)
{
    return (size_t)t < ARRAY_LEN(types) ? types[t].jdbc : 1111;
}

const struct mysql_table *mysql_table_ref(const struct mysql_table *t)
{
    if (t) /* a new reference comes from an existing one: no ordering needed */
        atomic_fetch_add_explicit(&((struct mysql_table *)(uintptr_t)t)->refs, 1,
                                  memory_order_relaxed);
    return t;
}

void mysql_table_unref(const struct mysql_table *t)
{
    struct mysql_table *m = (struct mysql_table *)(uintptr_t)t;

    /* Release makes our reads happen before the free; acquire sees those of the others. */
    if (!m || atomic_fetch_sub_explicit(&m->refs, 1, memory_order_acq_rel) != 1)
        return;
    arena_release(&m->arena);
    mem_free(m);
}

int mysql_table_column(const struct mysql_table *t, struct slice name)
{
    for (uint32_t i = 0; i < t->column_count; i++)
        if (slice_ieq(t->columns[i].name, name))
            return (int)i;
    return -1;
}

static bool column_same(const struct mysql_column *a, const struct mysql_column *b)
{
    if (!slice_eq(a->name, b->name) || !slice_eq(a->type_name, b->type_name) ||
        a->type != b->type || a->length != b->length || a->scale != b->scale ||
        a->jdbc != b->jdbc || !slice_eq(a->charset_name, b->charset_name) ||
        !slice_eq(a->collation, b->collation) || a->is_unsigned != b->is_unsigned ||
        a->zerofill != b->zerofill || a->nullable != b->nullable ||
        a->auto_incremented != b->auto_incremented || a->generated != b->generated ||
        a->is_computed != b->is_computed || a->invisible != b->invisible ||
        a->compressed != b->compressed || a->default_kind != b->default_kind ||
        !slice_eq(a->default_text, b->default_text) ||
        a->default_is_string != b->default_is_string || a->default_is_hex != b->default_is_hex ||
        a->default_is_bits != b->default_is_bits || a->value_count != b->value_count ||
        !slice_eq(a->comment, b->comment) || a->has_srid != b->has_srid || a->srid != b->srid)
        return false;
    for (uint32_t i = 0; i < a->value_count; i++)
        if (!slice_eq(a->values[i], b->values[i]))
            return false;
    return true;
}

static bool indexes_same(const uint16_t *a, uint32_t na, const uint16_t *b, uint32_t nb)
{
    return na == nb && (na == 0 || memcmp(a, b, na * sizeof *a) == 0);
}

bool mysql_table_same(const struct mysql_table *a, const struct mysql_table *b)
{
    if (a == b)
        return true;
    if (!a || !b || !slice_eq(a->db, b->db) || !slice_eq(a->name, b->name) ||
        !slice_eq(a->comment, b->comment) || !slice_eq(a->charset_name, b->charset_name) ||
        !slice_eq(a->collation, b->collation) || a->system_versioned != b->system_versioned ||
        a->is_sequence != b->is_sequence || a->column_count != b->column_count ||
        a->key_count != b->key_count ||
        !indexes_same(a->primary, a->primary_count, b->primary, b->primary_count))
        return false;
    for (uint32_t i = 0; i < a->column_count; i++)
        if (!column_same(&a->columns[i], &b->columns[i]))
            return false;
    for (uint32_t i = 0; i < a->key_count; i++)
        if (!slice_eq(a->keys[i].name, b->keys[i].name) || a->keys[i].whole != b->keys[i].whole ||
            !indexes_same(a->keys[i].columns, a->keys[i].column_count, b->keys[i].columns,
                          b->keys[i].column_count))
            return false;
    return true;
}

static void quoted(struct slice s, struct strbuf *out)
{
    strbuf_addc(out, '"');
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '"')
            strbuf_addc(out, '"');
        strbuf_addc(out, s.p[i]);
    }
    strbuf_addc(out, '"');
}

void mysql_table_id(struct slice db, struct slice name, struct strbuf *out)
{
    quoted(db, out);
    strbuf_addc(out, '.');
    quoted(name, out);
}

struct slice mysql_column_default_expression(const struct mysql_column *c, struct strbuf *tmp)
{
    switch (c->default_kind) {
    case DEFAULT_NOW:
        return SL("1970-01-01 00:00:00");
    case DEFAULT_LITERAL:
        if (!c->default_is_bits && !c->default_is_hex)
            return c->default_text;
        strbuf_reset(tmp);
        strbuf_adds(tmp, c->default_is_bits ? "b'" : "x'");
        strbuf_add_slice(tmp, c->default_text);
        strbuf_addc(tmp, '\'');
        return strbuf_slice(tmp);
    default:
        return SLICE_NULL;
    }
}

bool mysql_column_has_default(const struct mysql_column *c)
{
    return c->default_kind == DEFAULT_LITERAL || c->default_kind == DEFAULT_NOW ||
           c->default_kind == DEFAULT_NULL || (c->default_kind == DEFAULT_NONE && c->nullable);
}

/* --- building ------------------------------------------------------------------------------- */

static bool copy_text(struct arena *a, struct slice *s)
{
    if (!s->p)
        return true;
    *s = arena_dup(a, *s);
    return s->p != NULL;
}

static bool copy_column(struct arena *a, struct mysql_column *c)
{
    if (!copy_text(a, &c->name) || !copy_text(a, &c->type_name) ||
        !copy_text(a, &c->charset_name) || !copy_text(a, &c->collation) ||
        !copy_text(a, &c->default_text) || !copy_text(a, &c->comment))
        return false;
    if (c->value_count == 0) {
        c->values = NULL;
        return true;
    }
    struct slice *v = arena_try_calloc(a, c->value_count, sizeof *v);
    if (!v)
        return false;
    for (uint32_t i = 0; i < c->value_count; i++) {
        v[i] = c->values[i];
        if (!copy_text(a, &v[i]))
            return false;
    }
    c->values = v;
    return true;
}

static enum err copy_indexes(struct arena *a, const uint16_t *from, uint32_t n, uint32_t columns,
                             const uint16_t **out)
{
    *out = NULL;
    if (n == 0)
        return E_OK;
    uint16_t *to = arena_try_calloc(a, n, sizeof *to);
    if (!to)
        return E_NOMEM;
    for (uint32_t i = 0; i < n; i++) {
        if (from[i] >= columns)
            return E_INVALID;
        to[i] = from[i];
    }
    *out = to;
    return E_OK;
}

static enum err copy_keys(struct mysql_table *t, const struct mysql_table_def *def)
{
    if (def->key_count == 0)
        return E_OK;
    struct mysql_key *keys = arena_try_calloc(&t->arena, def->key_count, sizeof *keys);
    if (!keys)
        return E_NOMEM;
    for (uint32_t i = 0; i < def->key_count; i++) {
        keys[i] = def->keys[i];
        if (!copy_text(&t->arena, &keys[i].name))
            return E_NOMEM;
        enum err err = copy_indexes(&t->arena, def->keys[i].columns, def->keys[i].column_count,
                                    def->column_count, &keys[i].columns);
        if (err)
            return err;
    }
    t->keys = keys;
    t->key_count = def->key_count;
    return E_OK;
}

static void choose_key(struct mysql_table *t)
{
    t->key = t->primary;
    t->row_key_count = t->primary_count;
    for (uint32_t i = 0; i < t->key_count && t->row_key_count == 0; i++) {
        const struct mysql_key *k = &t->keys[i];
        bool usable = k->unique && k->whole && k->column_count > 0;
        for (uint32_t j = 0; usable && j < k->column_count; j++)
            usable = !t->columns[k->columns[j]].nullable;
        if (usable) {
            t->key = k->columns;
            t->row_key_count = k->column_count;
        }
    }
}

static int name_order(const void *a, const void *b)
{
    const struct slice *x = a, *y = b;

    size_t n = MIN(x->n, y->n);
    int d = n ? memcmp(x->p, y->p, n) : 0;
    return d ? d : (x->n > y->n) - (x->n < y->n);
}

static enum err check_names(const struct mysql_table_def *def, struct arena *a, struct error *e)
{
    struct slice *names =
        arena_try_calloc(a, def->column_count ? def->column_count : 1, sizeof *names);

    if (!names)
        return error_set(e, E_NOMEM, "no memory for table " PRI_SL, ARG_SL(def->name));
    for (uint32_t i = 0; i < def->column_count; i++) {
        names[i] = def->columns[i].name;
        if (names[i].n == 0)
            return error_set(e, E_INVALID, "table " PRI_SL " has a column without a name",
                             ARG_SL(def->name));
    }
    qsort(names, def->column_count, sizeof *names, name_order);
    for (uint32_t i = 1; i < def->column_count; i++)
        if (slice_eq(names[i], names[i - 1]))
            return error_set(e, E_INVALID, "table " PRI_SL " has two columns " PRI_SL,
                             ARG_SL(def->name), ARG_SL(names[i]));
    return E_OK;
}

static enum err fill(struct mysql_table *t, const struct mysql_table_def *def, struct error *e)
{
    enum err err = check_names(def, &t->arena, e);

    if (err)
        return err;
    struct mysql_column *columns =
        arena_try_calloc(&t->arena, def->column_count ? def->column_count : 1, sizeof *columns);
    t->db = def->db;
    t->name = def->name;
    t->comment = def->comment;
    t->collation = def->collation;
    t->charset = def->charset;
    t->charset_name = def->charset_name;
    if (!columns || !copy_text(&t->arena, &t->db) || !copy_text(&t->arena, &t->name) ||
        !copy_text(&t->arena, &t->comment) || !copy_text(&t->arena, &t->collation) ||
        !copy_text(&t->arena, &t->charset_name))
        goto nomem;
    for (uint32_t i = 0; i < def->column_count; i++) {
        columns[i] = def->columns[i];
        if (!copy_column(&t->arena, &columns[i]))
            goto nomem;
    }
    t->columns = columns;
    t->column_count = def->column_count;
    t->system_versioned = def->system_versioned;
    t->is_sequence = def->is_sequence;
    t->is_view = def->is_view;
    err = copy_indexes(&t->arena, def->primary, def->primary_count, def->column_count, &t->primary);
    t->primary_count = def->primary_count;
    if (!err)
        err = copy_keys(t, def);
    if (err == E_INVALID)
        return error_set(e, E_INVALID, "a key of table " PRI_SL " names a column that is not there",
                         ARG_SL(def->name));
    if (err)
        goto nomem;
    for (uint32_t i = 0; i < t->primary_count; i++)
        columns[t->primary[i]].nullable = false;
    choose_key(t);
    return E_OK;
nomem:
    return error_set(e, E_NOMEM, "no memory for table " PRI_SL, ARG_SL(def->name));
}

enum err mysql_table_new(const struct mysql_table_def *def, const struct mysql_table **out,
                         struct error *e)
{
    *out = NULL;
    if (def->column_count > MAX_COLUMNS || def->primary_count > MAX_COLUMNS ||
        def->key_count > MAX_COLUMNS)
        return error_set(e, E_TOO_LARGE, "table " PRI_SL " has more than %d columns or keys",
                         ARG_SL(def->name), MAX_COLUMNS);
    struct mysql_table *t = try_calloc(1, sizeof *t);
    if (!t)
        return error_set(e, E_NOMEM, "no memory for table " PRI_SL, ARG_SL(def->name));
    arena_init(&t->arena, 4096, ARENA_NO_BUDGET);
    atomic_init(&t->refs, 1);
    t->version = atomic_fetch_add_explicit(&next_version, 1, memory_order_relaxed);
    enum err err = fill(t, def, e);
    if (err) {
        mysql_table_unref(t);
        return err;
    }
    *out = t;
    return E_OK;
}
