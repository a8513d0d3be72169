/* cdc/mysql/schema_apply.c - statements applied to the store of tables.
 *
 * A statement is parsed whole (ddl.c), then each change is made on a copy (schema_table.c),
 * published and put in the place of the old table: on an error the store holds the tables as they
 * were. SPEC: cdc-mysql 5.9, 7. */
#include "cdc/mysql/schema.h"

#include "base/log.h"
#include "base/mem.h"
#include "cdc/mysql/schema_int.h"

#define STATEMENT_BUDGET ((size_t)64 << 20)

/* --- changes -------------------------------------------------------------------------------- */

void mysql_changes_init(struct mysql_changes *c)
{
    *c = (struct mysql_changes){NULL, 0, {0}};
    arena_init(&c->arena, 0, ARENA_NO_BUDGET);
}

static void drop_refs(struct mysql_changes *c)
{
    for (size_t i = 0; i < c->count; i++) {
        mysql_table_unref(c->items[i].before);
        mysql_table_unref(c->items[i].after);
    }
    mem_free(c->items);
    c->items = NULL;
    c->count = 0;
}

void mysql_changes_release(struct mysql_changes *c)
{
    drop_refs(c);
    arena_release(&c->arena);
}

void mysql_changes_reset(struct mysql_changes *c)
{
    drop_refs(c);
    arena_reset(&c->arena);
}

struct apply {
    struct mysql_schema *s;
    struct mysql_changes *out;
    struct arena *arena; /* of the parse */
    struct error *e;
    struct slice db; /* current database; USE moves it */
    const struct mysql_charset *db_charset;
    struct slice text; /* what a change without a text of its own shows */
    uint32_t statement;
};

static struct mysql_change *add_change(struct apply *ap, enum mysql_change_kind kind,
                                       struct slice db, struct slice name)
{
    struct mysql_changes *c = ap->out;

    if ((c->count & (c->count - 1)) == 0)
        c->items = xrealloc(c->items, (c->count ? c->count * 2 : 1) * sizeof *c->items);
    struct mysql_change *ch = &c->items[c->count++];
    *ch = (struct mysql_change){.kind = kind, .ddl = ap->text, .statement = ap->statement};
    ch->db = arena_dup(&c->arena, db.p ? db : SL(""));
    ch->name = name.p ? arena_dup(&c->arena, name) : SLICE_NULL;
    return ch;
}

/* The name as the server stores it: lower case when lower_case_table_names is 1. */
static struct slice stored_name(const struct mysql_schema *s, struct slice name, struct arena *a)
{
    struct slice copy = arena_dup(a, name);

    if (s->options.lower_case_table_names == 1 && copy.p) {
        char *p = (char *)(uintptr_t)copy.p;
        for (size_t i = 0; i < copy.n; i++)
            p[i] = p[i] >= 'A' && p[i] <= 'Z' ? (char)(p[i] + 32) : p[i];
    }
    return copy;
}

static struct slice db_of(const struct apply *ap, const struct ddl_name *n)
{
    return n->db.p ? n->db : ap->db;
}

static const struct mysql_table *find(const struct apply *ap, const struct ddl_name *n)
{
    return mysql_schema_find(ap->s, db_of(ap, n), n->name);
}

static struct build build_for(struct apply *ap)
{
    return (struct build){.arena = ap->arena, .e = ap->e, .schema = ap->s};
}

/* Publishes the build, puts it in place and tells it. */
static enum err commit(struct apply *ap, struct build *b, enum mysql_change_kind kind,
                       const struct mysql_table *before)
{
    const struct mysql_table *after;
    enum err err = build_publish(b, &after);

    if (err)
        return err;
    struct mysql_change *ch = add_change(ap, kind, after->db, after->name);
    ch->before = mysql_table_ref(before);
    ch->after = after; /* the list's reference */
    if (kind == CHANGE_RENAME)
        mysql_schema_remove(ap->s, before->db, before->name);
    mysql_schema_put(ap->s, after);
    return E_OK;
}

static enum err not_known(struct apply *ap, enum mysql_change_kind kind, const struct ddl_name *n)
{
    struct slice db = db_of(ap, n);

    add_change(ap, kind, db, n->name);
    return error_set(ap->e, E_NOT_FOUND, "table " PRI_SL "." PRI_SL " is not in the model",
                     ARG_SL(db), ARG_SL(n->name));
}

/* --- statements ----------------------------------------------------------------------------- */

static enum err create_table(struct apply *ap, const struct ddl_stmt *st)
{
    const struct mysql_table *old = find(ap, &st->table);
    struct build b = build_for(ap);
    enum err err = E_OK;

    if (st->temporary || (old && st->if_not_exists)) {
        add_change(ap, CHANGE_NONE, db_of(ap, &st->table), st->table.name);
        return E_OK;
    }
    if (st->like) {
        const struct mysql_table *like = find(ap, &st->like_table);
        if (!like)
            return not_known(ap, CHANGE_CREATE, &st->table);
        err = build_from(&b, like);
    } else if (st->as_select || st->column_count == 0) {
        add_change(ap, CHANGE_CREATE, db_of(ap, &st->table), st->table.name);
        return error_set(ap->e, E_UNSUPPORTED,
                         "the columns of table " PRI_SL " come from a query: " PRI_SL,
                         ARG_SL(st->table.name), ARG_SL(slice_sub(st->text, 0, 300)));
    }
    b.db = stored_name(ap->s, db_of(ap, &st->table), ap->arena);
    b.name = stored_name(ap->s, st->table.name, ap->arena);
    if (!st->like) {
        b.charset = schema_db_choice(ap->s, b.db, ap->db_charset);
        err = build_create(&b, st);
    }
    mysql_table_ref(old);
    if (!err)
        err = commit(ap, &b, CHANGE_CREATE, old);
    mysql_table_unref(old);
    return err;
}

static enum err alter_table(struct apply *ap, const struct ddl_stmt *st)
{
    const struct mysql_table *old = find(ap, &st->table);
    struct build b = build_for(ap);
    enum mysql_change_kind kind = CHANGE_ALTER;

    if (!old && st->if_exists) {
        add_change(ap, CHANGE_NONE, db_of(ap, &st->table), st->table.name);
        return E_OK;
    }
    if (!old)
        return not_known(ap, CHANGE_ALTER, &st->table);
    enum err err = build_from(&b, old);
    for (uint32_t i = 0; i < st->alter_count && !err; i++) {
        const struct ddl_alter *a = &st->alters[i];
        err = build_alter(&b, a);
        if (!err && a->kind == ALTER_RENAME_TABLE) {
            b.db = stored_name(ap->s, a->table.db.p ? a->table.db : old->db, ap->arena);
            b.name = stored_name(ap->s, a->table.name, ap->arena);
            bool same = slice_eq(b.db, old->db) && slice_eq(b.name, old->name);
            kind = same ? CHANGE_ALTER : CHANGE_RENAME;
        }
    }
    if (err ==
        E_NOT_FOUND) { /* the model is not what the server has: the caller reads the table again */
        add_change(ap, CHANGE_ALTER, b.db, b.name)->before = mysql_table_ref(old);
        return err;
    }
    mysql_table_ref(old);
    if (!err)
        err = commit(ap, &b, kind, old);
    mysql_table_unref(old);
    return err;
}

static void add_quoted(struct strbuf *out, struct slice name)
{
    strbuf_addc(out, '`');
    for (size_t i = 0; i < name.n; i++) {
        if (name.p[i] == '`')
            strbuf_addc(out, '`');
        strbuf_addc(out, name.p[i]);
    }
    strbuf_addc(out, '`');
}

static enum err drop_table(struct apply *ap, const struct ddl_stmt *st)
{
    if (st->temporary) {
        add_change(ap, CHANGE_NONE, ap->db, SLICE_NULL);
        return E_OK;
    }
    for (uint32_t i = 0; i < st->table_count; i++) {
        const struct ddl_name *n = &st->tables[i];
        struct slice db = stored_name(ap->s, db_of(ap, n), ap->arena),
                     name = stored_name(ap->s, n->name, ap->arena);
        struct mysql_change *ch = add_change(ap, CHANGE_DROP, db, name);
        struct strbuf text;
        /* SPEC: cdc-mysql 5.9: one statement per table, comments lost, IF EXISTS kept */
        strbuf_init(&text, 1 << 20);
        strbuf_adds(&text, st->if_exists ? "DROP TABLE IF EXISTS " : "DROP TABLE ");
        add_quoted(&text, db);
        strbuf_addc(&text, '.');
        add_quoted(&text, name);
        ch->ddl = arena_dup(&ap->out->arena, strbuf_slice(&text));
        strbuf_release(&text);
        ch->before = mysql_table_ref(mysql_schema_find(ap->s, db, name));
        mysql_schema_remove(ap->s, db, name);
    }
    return E_OK;
}

static enum err rename_one(struct apply *ap, const struct ddl_stmt *st, const struct ddl_rename *r)
{
    const struct mysql_table *old = mysql_table_ref(find(ap, &r->from));
    struct build b = build_for(ap);

    if (!old && st->if_exists)
        return E_OK;
    if (!old)
        return not_known(ap, CHANGE_RENAME, &r->to);
    enum err err = build_from(&b, old);
    b.db = stored_name(ap->s, db_of(ap, &r->to), ap->arena);
    b.name = stored_name(ap->s, r->to.name, ap->arena);
    if (!err)
        err = commit(ap, &b, CHANGE_RENAME, old);
    mysql_table_unref(old);
    if (!err && st->rename_count > 1)
        ap->out->items[ap->out->count - 1].ddl =
            slice_cstr(arena_printf(&ap->out->arena, "RENAME TABLE " PRI_SL " TO " PRI_SL,
                                    ARG_SL(r->from_raw), ARG_SL(r->to_raw)));
    return err;
}

static enum err rename_table(struct apply *ap, const struct ddl_stmt *st)
{
    for (uint32_t i = 0; i < st->rename_count; i++) {
        enum err err = rename_one(ap, st, &st->renames[i]);
        if (err)
            return err;
    }
    return E_OK;
}

static enum err index_change(struct apply *ap, const struct ddl_stmt *st)
{
    const struct mysql_table *old = find(ap, &st->table);
    struct build b = build_for(ap);

    if (!old || (st->kind == DDL_K_CREATE_INDEX && !st->index_unique)) {
        struct mysql_change *ch =
            add_change(ap, CHANGE_INDEX, db_of(ap, &st->table), st->table.name);
        ch->before = mysql_table_ref(old);
        ch->after = mysql_table_ref(old);
        return E_OK;
    }
    enum err err = build_from(&b, old);
    if (!err && st->kind == DDL_K_CREATE_INDEX)
        err = build_add_key(&b, &st->keys[0], st->if_not_exists);
    else if (!err)
        build_drop_key(&b, st->new_index);
    mysql_table_ref(old);
    if (!err)
        err = commit(ap, &b, CHANGE_INDEX, old);
    mysql_table_unref(old);
    return err;
}

static enum err database(struct apply *ap, const struct ddl_stmt *st)
{
    struct slice db = stored_name(ap->s, st->db.p ? st->db : ap->db, ap->arena);

    add_change(ap, CHANGE_DATABASE, db, SLICE_NULL);
    if (st->kind == DDL_K_DROP_DB) {
        schema_drop_db(ap->s, db);
        return E_OK;
    }
    if (st->if_not_exists && schema_get_db(ap->s, db))
        return E_OK;
    struct charset_choice server = {ap->s->options.server_charset, ap->s->options.server_collation};
    struct charset_choice outer =
        st->kind == DDL_K_ALTER_DB ? schema_db_choice(ap->s, db, NULL) : server;
    struct charset_choice c = schema_choose(st->options.charset, st->options.collation, outer);
    /* outer may point into the entry that is replaced */
    c.name = arena_dup(ap->arena, c.name);
    c.collation = c.collation.p ? arena_dup(ap->arena, c.collation) : c.collation;
    schema_put_db(ap->s, db, c);
    return E_OK;
}

static enum err truncate(struct apply *ap, const struct ddl_stmt *st)
{
    const struct mysql_table *t = find(ap, &st->table);
    struct mysql_change *ch =
        add_change(ap, CHANGE_TRUNCATE, db_of(ap, &st->table), st->table.name);

    ch->before = mysql_table_ref(t);
    ch->after = mysql_table_ref(t);
    return E_OK;
}

static enum err set(struct apply *ap, const struct ddl_stmt *st)
{
    if (st->set_charset_server.p || st->set_collation_server.p) {
        struct charset_choice now = {ap->s->options.server_charset,
                                     ap->s->options.server_collation};
        struct charset_choice c =
            schema_choose(st->set_charset_server, st->set_collation_server, now);
        mysql_schema_set_server_charset(ap->s, c.name, c.collation);
    }
    add_change(ap, CHANGE_SET, ap->db, SLICE_NULL);
    return E_OK;
}

static enum err apply_one(struct apply *ap, const struct ddl_stmt *st)
{
    switch (st->kind) {
    case DDL_K_CREATE_TABLE:
        return create_table(ap, st);
    case DDL_K_ALTER_TABLE:
        return alter_table(ap, st);
    case DDL_K_DROP_TABLE:
        return drop_table(ap, st);
    case DDL_K_RENAME_TABLE:
        return rename_table(ap, st);
    case DDL_K_TRUNCATE:
        return truncate(ap, st);
    case DDL_K_CREATE_DB:
    case DDL_K_ALTER_DB:
    case DDL_K_DROP_DB:
        return database(ap, st);
    case DDL_K_CREATE_INDEX:
    case DDL_K_DROP_INDEX:
        return index_change(ap, st);
    case DDL_K_USE:
        ap->db = st->db;
        add_change(ap, CHANGE_SET, st->db, SLICE_NULL);
        return E_OK;
    case DDL_K_SET:
        return set(ap, st);
    case DDL_K_CREATE_SEQUENCE:
    case DDL_K_DROP_SEQUENCE:
        add_change(ap, CHANGE_NONE, ap->db, SLICE_NULL);
        return E_OK;
    case DDL_K_NONE:
        return E_OK;
    }
    return E_OK;
}

/* One statement alone is told as it was received, comments included, but without SET STATEMENT ...
 * FOR. SPEC: cdc-mysql 5.9 */
static struct slice text_of(struct slice sql, const struct ddl_stmt *st, bool alone)
{
    struct slice whole = slice_trim(sql);

    if (!alone || slice_istarts(whole, SL("SET STATEMENT")))
        return st->text;
    if (whole.n && whole.p[whole.n - 1] == ';')
        whole.n--;
    return slice_trim(whole);
}

enum err mysql_schema_apply(struct mysql_schema *s, const struct mysql_ddl_origin *origin,
                            struct slice sql, struct mysql_changes *out, struct error *e)
{
    struct ddl_context ctx = {s->options.mariadb, s->options.server_version, origin->sql_mode};
    struct strbuf utf8 = STRBUF_INIT;
    struct arena arena;
    struct ddl_stmt *stmts;
    uint32_t count;

    if (origin->client && !mysql_charset_is_utf8(origin->client)) {
        mysql_charset_to_utf8(origin->client, sql, &utf8);
        if (strbuf_err(&utf8)) {
            strbuf_release(&utf8);
            return error_set(e, E_TOO_LARGE, "statement of %zu bytes is too large", sql.n);
        }
        sql = strbuf_slice(&utf8);
    }
    arena_init(&arena, 0, STATEMENT_BUDGET + sql.n * 16);
    enum err parse = mysql_ddl_parse(sql, &ctx, &arena, &stmts, &count, e), err = E_OK;
    struct apply ap = {.s = s,
                       .out = out,
                       .arena = &arena,
                       .e = e,
                       .db = origin->db,
                       .db_charset = origin->db_charset};
    for (uint32_t i = 0; i < count && !err; i++) {
        ap.statement = i;
        ap.text = arena_dup(&out->arena, text_of(sql, &stmts[i], count == 1 && !parse));
        err = apply_one(&ap, &stmts[i]);
    }
    arena_release(&arena);
    strbuf_release(&utf8);
    return err ? err : parse;
}
