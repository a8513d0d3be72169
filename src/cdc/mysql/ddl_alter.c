/* cdc/mysql/ddl_alter.c - ALTER TABLE: a list of clauses.
 *
 * A clause that is not about columns, unique keys, names or charsets is stepped over to its comma,
 * so that a clause of a future server does not stop the stream; what follows a comma inside it
 * (partition lists) is stepped over in the same way. SPEC: cdc-mysql 7.1, 7.3. */
#include "cdc/mysql/ddl_parse.h"

static struct ddl_alter *add(struct ddl_parser *p, struct ddl_stmt *s, enum ddl_alter_kind kind)
{
    s->alters = ddl_push(p, s->alters, &s->alter_count, sizeof *s->alters);
    if (!s->alters)
        return NULL;
    struct ddl_alter *a = &s->alters[s->alter_count - 1];
    a->kind = kind;
    ddl_options_init(&a->options);
    return a;
}

static enum err position(struct ddl_parser *p, struct ddl_column *c)
{
    if (ddl_accept(p, "FIRST"))
        c->first = true;
    else if (ddl_accept(p, "AFTER"))
        return ddl_name(p, &c->after);
    return ddl_skip_item(p);
}

/* Adds the columns and keys that ddl_element found as clauses. */
static enum err take_elements(struct ddl_parser *p, struct ddl_stmt *s, bool if_not_exists)
{
    struct ddl_column *columns = NULL;
    struct ddl_key *keys = NULL;
    uint32_t column_count = 0, key_count = 0;
    enum err err = ddl_element(p, &columns, &column_count, &keys, &key_count);

    if (err)
        return err;
    struct ddl_alter *a = NULL;
    if (column_count) {
        if (!(a = add(p, s, ALTER_ADD_COLUMN)))
            return ddl_nomem(p);
        a->column = columns[0];
        a->if_exists = if_not_exists;
    }
    if (key_count) {
        if (!(a = add(p, s, ALTER_ADD_KEY)))
            return ddl_nomem(p);
        a->key = keys[0];
        a->if_exists = if_not_exists;
    }
    return E_OK;
}

static enum err add_clause(struct ddl_parser *p, struct ddl_stmt *s)
{
    if (ddl_at_words(p, "PARTITION") || ddl_at_words(p, "SYSTEM VERSIONING") ||
        ddl_at_words(p, "PERIOD FOR")) {
        if (ddl_at_words(p, "SYSTEM VERSIONING")) {
            struct ddl_alter *a = add(p, s, ALTER_OPTIONS);
            if (!a)
                return ddl_nomem(p);
            a->options.versioning = 1;
        }
        return ddl_skip_item(p);
    }
    bool is_column = ddl_accept(p, "COLUMN");
    bool if_not_exists = ddl_accept_words(p, "IF NOT EXISTS");
    if (ddl_accept_punct(p, '(')) {
        enum err err;
        do {
            err = take_elements(p, s, if_not_exists);
        } while (!err && ddl_accept_punct(p, ','));
        return err ? err : ddl_expect_punct(p, ')');
    }
    if (is_column) {
        struct ddl_alter *a = add(p, s, ALTER_ADD_COLUMN);
        if (!a)
            return ddl_nomem(p);
        a->if_exists = if_not_exists;
        enum err err = ddl_column_name(p, &a->column.def.name);
        if (!err)
            err = ddl_column_def(p, &a->column);
        return err ? err : position(p, &a->column);
    }
    uint32_t before = s->alter_count;
    enum err err = take_elements(p, s, if_not_exists);
    if (err)
        return err;
    if (s->alter_count > before && s->alters[before].kind == ALTER_ADD_COLUMN)
        return position(p, &s->alters[before].column);
    return ddl_skip_item(p);
}

static enum err change_clause(struct ddl_parser *p, struct ddl_stmt *s, bool rename)
{
    struct ddl_alter *a = add(p, s, ALTER_MODIFY_COLUMN);

    if (!a)
        return ddl_nomem(p);
    ddl_accept(p, "COLUMN");
    a->if_exists = ddl_accept_words(p, "IF EXISTS");
    enum err err = ddl_column_name(p, &a->old_name);
    a->column.def.name = a->old_name;
    if (!err && rename)
        err = ddl_column_name(p, &a->column.def.name);
    if (!err)
        err = ddl_column_def(p, &a->column);
    return err ? err : position(p, &a->column);
}

static enum err drop_clause(struct ddl_parser *p, struct ddl_stmt *s)
{
    struct ddl_alter *a;

    if (ddl_at(p, "PARTITION") || ddl_at_words(p, "FOREIGN KEY") || ddl_at_words(p, "PERIOD FOR"))
        return ddl_skip_item(p);
    if (ddl_accept_words(p, "SYSTEM VERSIONING")) {
        if (!(a = add(p, s, ALTER_OPTIONS)))
            return ddl_nomem(p);
        a->options.versioning = 0;
        return E_OK;
    }
    if (ddl_accept_words(p, "PRIMARY KEY"))
        return add(p, s, ALTER_DROP_PRIMARY) ? E_OK : ddl_nomem(p);
    bool index =
        ddl_at(p, "INDEX") || ddl_at(p, "KEY") || ddl_at(p, "CONSTRAINT") || ddl_at(p, "CHECK");
    if (index)
        ddl_advance(p);
    else
        ddl_accept(p, "COLUMN");
    a = add(p, s, index ? ALTER_DROP_INDEX : ALTER_DROP_COLUMN);
    if (!a)
        return ddl_nomem(p);
    a->if_exists = ddl_accept_words(p, "IF EXISTS");
    enum err err = ddl_name(p, &a->old_name);
    return err ? err : ddl_skip_item(p);
}

/* ALTER [COLUMN] name SET DEFAULT x | DROP DEFAULT | SET [IN]VISIBLE; ALTER INDEX and CHECK mean
 * nothing. */
static enum err alter_clause(struct ddl_parser *p, struct ddl_stmt *s)
{
    if (ddl_at(p, "INDEX") || ddl_at(p, "KEY") || ddl_at(p, "CHECK") || ddl_at(p, "CONSTRAINT"))
        return ddl_skip_item(p);
    ddl_accept(p, "COLUMN");
    struct ddl_alter *a = add(p, s, ALTER_SET_DEFAULT);
    if (!a)
        return ddl_nomem(p);
    a->if_exists = ddl_accept_words(p, "IF EXISTS");
    enum err err = ddl_name(p, &a->old_name);
    if (err)
        return err;
    if (ddl_accept_words(p, "SET DEFAULT"))
        err = ddl_default_value(p, &a->column.def);
    else if (ddl_accept_words(p, "SET INVISIBLE") || ddl_accept_words(p, "SET VISIBLE")) {
        a->kind = ALTER_SET_VISIBILITY;
        a->column.def.invisible = p->last_end[-9] == 'I' || p->last_end[-9] == 'i';
    } else if (!ddl_accept_words(p, "DROP DEFAULT"))
        return ddl_fail(p, "SET DEFAULT or DROP DEFAULT");
    return err ? err : ddl_skip_item(p);
}

static enum err rename_clause(struct ddl_parser *p, struct ddl_stmt *s)
{
    bool column = false, index = false;
    /* RENAME column TO x renames the table to... no: COLUMN, INDEX and KEY are reserved here. */
    if (ddl_accept(p, "COLUMN"))
        column = true;
    else if (ddl_at(p, "INDEX") || ddl_at(p, "KEY")) {
        index = true;
        ddl_advance(p);
    }
    if (!column && !index) {
        struct ddl_alter *a = add(p, s, ALTER_RENAME_TABLE);
        if (!a)
            return ddl_nomem(p);
        if (!ddl_accept(p, "TO") && !ddl_accept(p, "AS"))
            ddl_accept_punct(p, '=');
        return ddl_table_name(p, &a->table);
    }
    struct ddl_alter *a = add(p, s, column ? ALTER_RENAME_COLUMN : ALTER_RENAME_INDEX);
    if (!a)
        return ddl_nomem(p);
    a->if_exists = ddl_accept_words(p, "IF EXISTS");
    enum err err = ddl_name(p, &a->old_name);
    if (!err && !ddl_accept(p, "TO"))
        err = ddl_fail(p, "TO");
    return err ? err : ddl_name(p, &a->new_name);
}

static enum err convert_clause(struct ddl_parser *p, struct ddl_stmt *s)
{
    if (!ddl_accept_words(p, "TO CHARACTER SET") && !ddl_accept_words(p, "TO CHARSET") &&
        !ddl_accept_words(p, "TO CHAR SET"))
        return ddl_skip_item(p); /* CONVERT PARTITION ... */
    struct ddl_alter *a = add(p, s, ALTER_CONVERT);
    if (!a)
        return ddl_nomem(p);
    enum err err = ddl_word(p, &a->options.charset);
    if (!err && ddl_accept(p, "COLLATE"))
        err = ddl_word(p, &a->options.collation);
    return err;
}

static enum err options_clause(struct ddl_parser *p, struct ddl_stmt *s)
{
    struct ddl_alter *a = add(p, s, ALTER_OPTIONS);

    if (!a)
        return ddl_nomem(p);
    enum err err = ddl_table_options(p, &a->options);
    if (!a->options.charset.p && !a->options.collation.p && !a->options.comment.p &&
        a->options.versioning < 0)
        s->alter_count--; /* nothing in it for us */
    return err ? err : ddl_skip_item(p);
}

/* PARTITION BY x (...), REORGANIZE PARTITION a, b INTO (...): the last clauses of a statement. */
static bool at_partitioning(const struct ddl_parser *p)
{
    static const char *const words[] = {"PARTITION BY",
                                        "REORGANIZE PARTITION",
                                        "TRUNCATE PARTITION",
                                        "COALESCE PARTITION",
                                        "EXCHANGE PARTITION",
                                        "ANALYZE PARTITION",
                                        "CHECK PARTITION",
                                        "OPTIMIZE PARTITION",
                                        "REBUILD PARTITION",
                                        "REPAIR PARTITION",
                                        "DISCARD PARTITION",
                                        "IMPORT PARTITION",
                                        "ADD PARTITION",
                                        "DROP PARTITION",
                                        "CONVERT PARTITION",
                                        "CONVERT TABLE",
                                        "ORDER BY"};
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (ddl_at_words(p, words[i]))
            return true;
    return false;
}

static enum err clause(struct ddl_parser *p, struct ddl_stmt *s)
{
    if (at_partitioning(p)) {
        while (!ddl_at_statement_end(p)) {
            enum err err = ddl_skip_item(p);
            if (err)
                return err;
            if (!ddl_at_statement_end(p))
                ddl_advance(p);
        }
        return E_OK;
    }
    if (ddl_accept(p, "ADD"))
        return add_clause(p, s);
    if (ddl_accept(p, "DROP"))
        return drop_clause(p, s);
    if (ddl_accept(p, "MODIFY"))
        return change_clause(p, s, false);
    if (ddl_accept(p, "CHANGE"))
        return change_clause(p, s, true);
    if (ddl_accept(p, "ALTER"))
        return alter_clause(p, s);
    if (ddl_accept(p, "RENAME"))
        return rename_clause(p, s);
    if (ddl_accept(p, "CONVERT"))
        return convert_clause(p, s);
    return options_clause(p, s);
}

/* Behind ALTER [ONLINE] [IGNORE] TABLE. */
enum err ddl_alter_table(struct ddl_parser *p, struct ddl_stmt *s)
{
    enum err err;

    s->kind = DDL_K_ALTER_TABLE;
    s->if_exists = ddl_accept_words(p, "IF EXISTS");
    err = ddl_table_name(p, &s->table);
    if (!err && ddl_accept(p, "WAIT") && p->tok.kind == TOK_NUMBER)
        ddl_advance(p);
    else if (!err)
        ddl_accept(p, "NOWAIT");
    while (!err && !ddl_at_statement_end(p)) {
        err = clause(p, s);
        if (!err && !ddl_accept_punct(p, ',')) {
            if (ddl_at_statement_end(p))
                break;
            if (!at_partitioning(p) && !ddl_at(p, "REMOVE") && !ddl_at(p, "PARTITION"))
                return ddl_fail(p, "','");
            if (!at_partitioning(p))
                ddl_skip_statement(p);
        }
    }
    return err;
}
