/* cdc/mysql/schema_table.c - CREATE and ALTER TABLE applied to a table under change.
 *
 * Columns have an id while the statement runs, and keys hold ids, so that clauses may add, move,
 * rename and drop columns in any order; indexes come back when the table is published. Clauses name
 * columns by the names before the statement (RENAME COLUMN a TO b, RENAME COLUMN b TO a swaps);
 * AFTER names new ones first. SPEC: cdc-mysql 7.1. */
#include "base/mem.h"
#include "cdc/mysql/schema_int.h"

#define MAX_COLUMNS 4096
#define MAX_KEYS 1024
#define NONE UINT32_MAX

static enum err nomem(const struct build *b)
{
    return error_set(b->e, E_NOMEM, "no memory for table " PRI_SL, ARG_SL(b->name));
}

static enum err missing(const struct build *b, const char *what, struct slice name)
{
    return error_set(b->e, E_NOT_FOUND,
                     "table " PRI_SL "." PRI_SL " has no %s " PRI_SL " in the model", ARG_SL(b->db),
                     ARG_SL(b->name), what, ARG_SL(name));
}

/* --- columns -------------------------------------------------------------------------------- */

static uint32_t by_new_name(const struct build *b, struct slice name)
{
    for (uint32_t i = 0; i < b->count; i++)
        if (slice_ieq(b->columns[i].def.name, name))
            return i;
    return NONE;
}

static uint32_t by_old_name(const struct build *b, struct slice name)
{
    for (uint32_t i = 0; i < b->count; i++)
        if (b->columns[i].before.p && slice_ieq(b->columns[i].before, name))
            return i;
    return by_new_name(b, name);
}

static enum err grow(struct build *b)
{
    if (b->count < b->cap)
        return E_OK;
    if (b->count >= MAX_COLUMNS)
        return error_set(b->e, E_TOO_LARGE, "table " PRI_SL " gets more than %d columns",
                         ARG_SL(b->name), MAX_COLUMNS);
    uint32_t cap = b->cap ? b->cap * 2 : 16;
    struct build_column *more = arena_try_calloc(b->arena, cap, sizeof *more);
    if (!more)
        return nomem(b);
    if (b->count)
        memcpy(more, b->columns, b->count * sizeof *more);
    b->columns = more;
    b->cap = cap;
    return E_OK;
}

static enum err insert_at(struct build *b, uint32_t at, const struct build_column *c)
{
    enum err err = grow(b);

    if (err)
        return err;
    memmove(b->columns + at + 1, b->columns + at, (b->count - at) * sizeof *b->columns);
    b->columns[at] = *c;
    b->count++;
    return E_OK;
}

static struct build_column remove_at(struct build *b, uint32_t at)
{
    struct build_column c = b->columns[at];

    memmove(b->columns + at, b->columns + at + 1, (b->count - at - 1) * sizeof *b->columns);
    b->count--;
    return c;
}

/* Where FIRST or AFTER says, else `otherwise`. */
static enum err place(const struct build *b, const struct ddl_column *c, uint32_t otherwise,
                      uint32_t *at)
{
    *at = c->first ? 0 : otherwise;
    if (!c->after.p)
        return E_OK;
    uint32_t i = by_new_name(b, c->after);
    if (i == NONE)
        i = by_old_name(b, c->after);
    if (i == NONE)
        return missing(b, "column", c->after);
    *at = i + 1;
    return E_OK;
}

/* --- charsets ------------------------------------------------------------------------------- */

static struct slice with_suffix(struct build *b, struct slice name, const char *suffix)
{
    char *s = arena_printf(b->arena, PRI_SL "%s", ARG_SL(name), suffix);

    return slice_cstr(s);
}

/* Text types with the charset binary are the byte types; the spelling stays. */
static void to_bytes(struct mysql_column *c)
{
    static const uint8_t bytes_of[COL_TYPE_COUNT] = {
        [COL_CHAR] = COL_BINARY, [COL_VARCHAR] = COL_VARBINARY,     [COL_TINYTEXT] = COL_TINYBLOB,
        [COL_TEXT] = COL_BLOB,   [COL_MEDIUMTEXT] = COL_MEDIUMBLOB, [COL_LONGTEXT] = COL_LONGBLOB,
    };
    if (bytes_of[c->type])
        c->type = (enum mysql_column_type)bytes_of[c->type];
}

static void set_charset(struct mysql_column *c, struct charset_choice choice)
{
    c->charset_name = choice.name;
    c->collation = choice.collation;
    c->charset = mysql_charset_find(choice.name);
    if (c->charset == mysql_charset_binary)
        to_bytes(c);
}

static void resolve_charset(struct build *b, const struct ddl_column *from, struct mysql_column *c)
{
    if (!(mysql_column_type_flags(c->type) & COLF_TEXT)) {
        c->charset_name = c->collation = SLICE_NULL;
        c->charset = NULL;
        return;
    }
    struct charset_choice choice = b->charset;
    if (from->charset_stated)
        choice = schema_choose(c->charset_name, c->collation, b->charset);
    else if (from->national)
        choice = (struct charset_choice){SL("utf8mb3"), SLICE_NULL};
    if (from->binary_attribute && choice.name.p)
        choice.collation = with_suffix(b, choice.name, "_bin");
    set_charset(c, choice);
}

/* TIMESTAMP columns of old servers are NOT NULL unless NULL is written. */
static void timestamp_rule(const struct build *b, const struct ddl_column *from,
                           struct mysql_column *c)
{
    uint32_t v = b->schema->options.server_version;

    if (c->type == COL_TIMESTAMP && !from->null_stated && v &&
        v < (b->schema->options.mariadb ? 101000u : 80000u))
        c->nullable = false;
}

static enum err inline_keys(struct build *b, const struct ddl_column *c, uint32_t id)
{
    if (c->primary) {
        b->primary = arena_try_calloc(b->arena, 1, sizeof *b->primary);
        if (!b->primary)
            return nomem(b);
        b->primary[0] = id;
        b->primary_count = 1;
    }
    if (!c->unique)
        return E_OK;
    struct slice name = c->def.name;
    struct ddl_key k = {.name = SLICE_NULL, .whole = true, .columns = &name, .column_count = 1};
    return build_add_key(b, &k, false);
}

static enum err add_column(struct build *b, const struct ddl_column *c)
{
    struct build_column col = {.def = c->def, .id = b->next_id++, .before = SLICE_NULL};
    uint32_t at;

    if (by_new_name(b, c->def.name) != NONE)
        return error_set(b->e, E_NOT_FOUND,
                         "table " PRI_SL "." PRI_SL " already has a column " PRI_SL " in the model",
                         ARG_SL(b->db), ARG_SL(b->name), ARG_SL(c->def.name));
    resolve_charset(b, c, &col.def);
    timestamp_rule(b, c, &col.def);
    enum err err = place(b, c, b->count, &at);
    if (!err)
        err = insert_at(b, at, &col);
    return err ? err : inline_keys(b, c, col.id);
}

static enum err modify_column(struct build *b, const struct ddl_alter *a)
{
    uint32_t i = by_old_name(b, a->old_name), at;

    if (i == NONE)
        return a->if_exists ? E_OK : missing(b, "column", a->old_name);
    struct build_column col = remove_at(b, i);
    col.def = a->column.def;
    resolve_charset(b, &a->column, &col.def);
    timestamp_rule(b, &a->column, &col.def);
    enum err err = place(b, &a->column, i, &at);
    if (!err)
        err = insert_at(b, at, &col);
    return err ? err : inline_keys(b, &a->column, col.id);
}

static uint32_t without(uint32_t *ids, uint32_t count, uint32_t id)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < count; i++)
        if (ids[i] != id)
            ids[n++] = ids[i];
    return n;
}

static enum err drop_column(struct build *b, const struct ddl_alter *a)
{
    uint32_t i = by_old_name(b, a->old_name);

    if (i == NONE)
        return a->if_exists ? E_OK : missing(b, "column", a->old_name);
    uint32_t id = remove_at(b, i).id;
    b->primary_count = without(b->primary, b->primary_count, id);
    for (uint32_t k = b->key_count; k-- > 0;) {
        b->keys[k].count = without(b->keys[k].ids, b->keys[k].count, id);
        if (b->keys[k].count == 0) {
            memmove(b->keys + k, b->keys + k + 1, (b->key_count - k - 1) * sizeof *b->keys);
            b->key_count--;
        }
    }
    return E_OK;
}

static enum err change_one(struct build *b, const struct ddl_alter *a)
{
    uint32_t i = by_old_name(b, a->old_name);

    if (i == NONE)
        return a->if_exists ? E_OK : missing(b, "column", a->old_name);
    struct mysql_column *c = &b->columns[i].def;
    const struct mysql_column *to = &a->column.def;
    if (a->kind == ALTER_RENAME_COLUMN) {
        c->name = a->new_name;
    } else if (a->kind == ALTER_SET_VISIBILITY) {
        c->invisible = to->invisible;
    } else {
        c->default_kind = to->default_kind;
        c->default_text = to->default_text;
        c->default_is_string = to->default_is_string;
        c->default_is_hex = to->default_is_hex;
        c->default_is_bits = to->default_is_bits;
    }
    return E_OK;
}

/* --- keys ----------------------------------------------------------------------------------- */

static bool key_named(const struct build *b, struct slice name)
{
    for (uint32_t i = 0; i < b->key_count; i++)
        if (slice_ieq(b->keys[i].name, name))
            return true;
    return false;
}

/* The server's own naming: the first column, then with _2, _3, ... */
static struct slice key_name(struct build *b, const struct ddl_key *k)
{
    struct slice base = k->column_count ? k->columns[0] : SL("functional_index"), name = base;

    for (unsigned n = 2; key_named(b, name) && n < 1000; n++)
        name = slice_cstr(arena_printf(b->arena, PRI_SL "_%u", ARG_SL(base), n));
    return name;
}

enum err build_add_key(struct build *b, const struct ddl_key *k, bool if_not_exists)
{
    if (if_not_exists &&
        ((k->primary && b->primary_count) || (!k->primary && k->name.p && key_named(b, k->name))))
        return E_OK;
    uint32_t *ids = arena_try_calloc(b->arena, k->column_count ? k->column_count : 1, sizeof *ids),
             n = 0;
    if (!ids)
        return nomem(b);
    for (uint32_t i = 0; i < k->column_count; i++) {
        uint32_t at = by_new_name(b, k->columns[i]);
        if (at == NONE)
            at = by_old_name(b, k->columns[i]);
        if (at == NONE)
            return missing(b, "column", k->columns[i]);
        if (b->columns[at].def.is_row_end) /* MariaDB adds it to every key; it names no row */
            continue;
        ids[n++] = b->columns[at].id;
    }
    if (k->primary) {
        b->primary = ids;
        b->primary_count = n;
        return E_OK;
    }
    if (n == 0) /* functional parts only: no key of records */
        return E_OK;
    if (b->key_count == b->key_cap) {
        uint32_t cap = b->key_cap ? b->key_cap * 2 : 4;
        struct build_key *more =
            b->key_count < MAX_KEYS ? arena_try_calloc(b->arena, cap, sizeof *more) : NULL;
        if (!more)
            return nomem(b);
        if (b->key_count)
            memcpy(more, b->keys, b->key_count * sizeof *more);
        b->keys = more;
        b->key_cap = cap;
    }
    b->keys[b->key_count] =
        (struct build_key){k->name.p ? k->name : key_name(b, k), k->whole, ids, n};
    b->key_count++;
    return E_OK;
}

void build_drop_key(struct build *b, struct slice name)
{
    if (slice_ieq(name, SL("PRIMARY"))) {
        b->primary_count = 0;
        return;
    }
    for (uint32_t i = 0; i < b->key_count; i++) {
        if (!slice_ieq(b->keys[i].name, name))
            continue;
        memmove(b->keys + i, b->keys + i + 1, (b->key_count - i - 1) * sizeof *b->keys);
        b->key_count--;
        return;
    }
}

static void rename_key(struct build *b, struct slice from, struct slice to)
{
    for (uint32_t i = 0; i < b->key_count; i++)
        if (slice_ieq(b->keys[i].name, from))
            b->keys[i].name = to;
}

/* --- statements ----------------------------------------------------------------------------- */

static void set_options(struct build *b, const struct ddl_options *o)
{
    if (o->charset.p || o->collation.p)
        b->charset = schema_choose(o->charset, o->collation, b->charset);
    if (o->comment.p)
        b->comment = o->comment;
    if (o->versioning >= 0)
        b->system_versioned = o->versioning;
}

/* Text columns get the new charset; those of bytes keep theirs. */
static void convert(struct build *b, const struct ddl_options *o)
{
    b->charset = slice_ieq(o->charset, SL("DEFAULT"))
                     ? schema_db_choice(b->schema, b->db, NULL)
                     : schema_choose(o->charset, o->collation, b->charset);
    for (uint32_t i = 0; i < b->count; i++)
        if (mysql_column_type_flags(b->columns[i].def.type) & COLF_TEXT)
            set_charset(&b->columns[i].def, b->charset);
}

enum err build_create(struct build *b, const struct ddl_stmt *s)
{
    enum err err = E_OK;

    set_options(b, &s->options);
    for (uint32_t i = 0; i < s->column_count && !err; i++)
        err = add_column(b, &s->columns[i]);
    for (uint32_t i = 0; i < s->key_count && !err; i++)
        err = build_add_key(b, &s->keys[i], false);
    if (err == E_NOT_FOUND) { /* not the model's fault: the statement contradicts itself */
        err = E_INVALID;
        if (b->e)
            b->e->code = err;
    }
    return err;
}

enum err build_alter(struct build *b, const struct ddl_alter *a)
{
    switch (a->kind) {
    case ALTER_ADD_COLUMN:
        if (a->if_exists && by_new_name(b, a->column.def.name) != NONE)
            return E_OK;
        return add_column(b, &a->column);
    case ALTER_MODIFY_COLUMN:
        return modify_column(b, a);
    case ALTER_DROP_COLUMN:
        return drop_column(b, a);
    case ALTER_RENAME_COLUMN:
    case ALTER_SET_DEFAULT:
    case ALTER_SET_VISIBILITY:
        return change_one(b, a);
    case ALTER_ADD_KEY:
        return build_add_key(b, &a->key, a->if_exists);
    case ALTER_DROP_PRIMARY:
        b->primary_count = 0;
        return E_OK;
    case ALTER_DROP_INDEX:
        build_drop_key(b, a->old_name);
        return E_OK;
    case ALTER_RENAME_INDEX:
        rename_key(b, a->old_name, a->new_name);
        return E_OK;
    case ALTER_CONVERT:
        convert(b, &a->options);
        return E_OK;
    case ALTER_OPTIONS:
        set_options(b, &a->options);
        return E_OK;
    case ALTER_RENAME_TABLE: /* schema.c */
        return E_OK;
    }
    return E_OK;
}

static const uint32_t *ids_of(struct build *b, const uint16_t *columns, uint32_t count)
{
    uint32_t *ids = arena_try_calloc(b->arena, count ? count : 1, sizeof *ids);

    for (uint32_t i = 0; ids && i < count; i++)
        ids[i] = columns[i];
    return ids;
}

enum err build_from(struct build *b, const struct mysql_table *t)
{
    b->db = t->db;
    b->name = t->name;
    b->comment = t->comment;
    b->charset = (struct charset_choice){t->charset_name, t->collation};
    b->system_versioned = t->system_versioned;
    b->is_sequence = t->is_sequence;
    b->cap = b->count = b->next_id = t->column_count;
    b->columns = arena_try_calloc(b->arena, b->count ? b->count : 1, sizeof *b->columns);
    b->key_cap = b->key_count = t->key_count;
    b->keys = arena_try_calloc(b->arena, b->key_count ? b->key_count : 1, sizeof *b->keys);
    b->primary = (uint32_t *)(uintptr_t)ids_of(b, t->primary, t->primary_count);
    b->primary_count = t->primary_count;
    if (!b->columns || !b->keys || !b->primary)
        return nomem(b);
    for (uint32_t i = 0; i < t->column_count; i++)
        b->columns[i] = (struct build_column){t->columns[i], i, t->columns[i].name};
    for (uint32_t i = 0; i < t->key_count; i++) {
        const struct mysql_key *k = &t->keys[i];
        b->keys[i] = (struct build_key){
            k->name, k->whole, (uint32_t *)(uintptr_t)ids_of(b, k->columns, k->column_count),
            k->column_count};
        if (!b->keys[i].ids)
            return nomem(b);
    }
    return E_OK;
}

static const uint16_t *indexes(struct build *b, const uint32_t *ids, uint32_t count)
{
    uint16_t *out = arena_try_calloc(b->arena, count ? count : 1, sizeof *out);

    for (uint32_t i = 0; out && i < count; i++)
        for (uint32_t c = 0; c < b->count; c++)
            if (b->columns[c].id == ids[i])
                out[i] = (uint16_t)c;
    return out;
}

enum err build_publish(struct build *b, const struct mysql_table **out)
{
    struct mysql_column *columns =
        arena_try_calloc(b->arena, b->count ? b->count : 1, sizeof *columns);
    struct mysql_key *keys =
        arena_try_calloc(b->arena, b->key_count ? b->key_count : 1, sizeof *keys);
    const uint16_t *primary = indexes(b, b->primary, b->primary_count);

    *out = NULL;
    if (!columns || !keys || !primary)
        return nomem(b);
    for (uint32_t i = 0; i < b->count; i++)
        columns[i] = b->columns[i].def;
    for (uint32_t i = 0; i < b->key_count; i++) {
        keys[i] = (struct mysql_key){.name = b->keys[i].name,
                                     .unique = true,
                                     .whole = b->keys[i].whole,
                                     .columns = indexes(b, b->keys[i].ids, b->keys[i].count),
                                     .column_count = b->keys[i].count};
        if (!keys[i].columns)
            return nomem(b);
    }
    struct mysql_table_def def = {
        .db = b->db,
        .name = b->name,
        .comment = b->comment.n ? b->comment : SLICE_NULL,
        .collation = b->charset.collation,
        .charset = mysql_charset_find(b->charset.name),
        .charset_name = b->charset.name,
        .columns = columns,
        .column_count = b->count,
        .primary = primary,
        .primary_count = b->primary_count,
        .keys = keys,
        .key_count = b->key_count,
        .system_versioned = b->system_versioned,
        .is_sequence = b->is_sequence,
    };
    return mysql_table_new(&def, out, b->e);
}
