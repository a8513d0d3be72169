/* cdc/mysql/ddl_table.c - CREATE TABLE: elements, keys, table options.
 *
 * The grammar of SHOW CREATE TABLE and of what people write. Partitions, engines, foreign keys,
 * checks and plain indexes are stepped over. SPEC: cdc-mysql 7.1, 7.3. */
#include "cdc/mysql/ddl_parse.h"

static enum err key_part(struct ddl_parser *p, struct ddl_key *k)
{
    if (ddl_at_punct(p, '(')) { /* functional part */
        k->whole = false;
        enum err err = ddl_skip_group(p, NULL);
        return err ? err : ddl_skip_item(p);
    }
    struct slice name;
    enum err err = ddl_name(p, &name);
    if (err)
        return err;
    if (ddl_at_punct(p, '(')) { /* prefix length, or a call in MariaDB */
        k->whole = false;
        err = ddl_skip_group(p, NULL);
    }
    if (!err && ddl_accept_words(p, "WITHOUT OVERLAPS")) {
        k->whole = false;
        return E_OK;
    }
    if (!err)
        err = ddl_skip_item(p); /* ASC, DESC */
    if (err)
        return err;
    k->columns = ddl_push(p, k->columns, &k->column_count, sizeof *k->columns);
    if (!k->columns)
        return ddl_nomem(p);
    k->columns[k->column_count - 1] = name;
    return E_OK;
}

enum err ddl_key_parts(struct ddl_parser *p, struct ddl_key *k)
{
    enum err err = ddl_expect_punct(p, '(');

    k->whole = true;
    while (!err) {
        err = key_part(p, k);
        if (!err && !ddl_accept_punct(p, ','))
            break;
    }
    return err ? err : ddl_expect_punct(p, ')');
}

/* [name] [USING x] (parts) options */
static enum err key(struct ddl_parser *p, struct ddl_key *k)
{
    enum err err = E_OK;

    ddl_accept_words(p, "IF NOT EXISTS");
    if (!ddl_at_punct(p, '(') && !(ddl_at(p, "USING") && ddl_peek(p).kind == TOK_WORD)) {
        struct slice name;
        err = ddl_name(p, &name);
        if (!err && !k->primary)
            k->name = name;
    }
    if (!err && (ddl_accept(p, "USING") || ddl_accept(p, "TYPE")))
        ddl_advance(p);
    if (!err)
        err = ddl_key_parts(p, k);
    return err ? err : ddl_skip_item(p);
}

static bool at_index_word(const struct ddl_parser *p)
{
    return ddl_at(p, "INDEX") || ddl_at(p, "KEY");
}

/* True at an element that is no column and no unique key. `vector`, `period` are names too. */
static bool at_meaningless(const struct ddl_parser *p)
{
    if (at_index_word(p) || ddl_at(p, "FULLTEXT") || ddl_at(p, "SPATIAL") || ddl_at(p, "CHECK") ||
        ddl_at_words(p, "FOREIGN KEY") || ddl_at_words(p, "PERIOD FOR"))
        return true;
    return ddl_at_words(p, "VECTOR INDEX") || ddl_at_words(p, "VECTOR KEY");
}

static enum err add_key(struct ddl_parser *p, bool primary, struct slice constraint,
                        struct ddl_key **keys, uint32_t *key_count)
{
    *keys = ddl_push(p, *keys, key_count, sizeof **keys);
    if (!*keys)
        return ddl_nomem(p);
    struct ddl_key *k = &(*keys)[*key_count - 1];
    k->primary = primary;
    k->name = constraint;
    return key(p, k);
}

enum err ddl_element(struct ddl_parser *p, struct ddl_column **columns, uint32_t *column_count,
                     struct ddl_key **keys, uint32_t *key_count)
{
    struct slice constraint = SLICE_NULL;
    enum err err = E_OK;

    if (ddl_accept(p, "CONSTRAINT")) {
        ddl_accept_words(p, "IF NOT EXISTS");
        if (!ddl_at_words(p, "PRIMARY KEY") && !ddl_at(p, "UNIQUE") &&
            !ddl_at_words(p, "FOREIGN KEY") && !ddl_at(p, "CHECK"))
            err = ddl_name(p, &constraint);
        if (err)
            return err;
    }
    if (ddl_accept_words(p, "PRIMARY KEY"))
        return add_key(p, true, SLICE_NULL, keys, key_count);
    if (ddl_accept(p, "UNIQUE")) {
        if (at_index_word(p))
            ddl_advance(p);
        return add_key(p, false, constraint, keys, key_count);
    }
    if (constraint.p || at_meaningless(p))
        return ddl_skip_item(p);
    *columns = ddl_push(p, *columns, column_count, sizeof **columns);
    if (!*columns)
        return ddl_nomem(p);
    struct ddl_column *c = &(*columns)[*column_count - 1];
    err = ddl_column_name(p, &c->def.name);
    return err ? err : ddl_column_def(p, c);
}

/* --- options -------------------------------------------------------------------------------- */

static enum err option_word(struct ddl_parser *p, struct slice *out)
{
    ddl_accept_punct(p, '=');
    return ddl_word(p, out);
}

static bool accept_charset(struct ddl_parser *p)
{
    return ddl_accept_words(p, "DEFAULT CHARACTER SET") ||
           ddl_accept_words(p, "DEFAULT CHAR SET") || ddl_accept_words(p, "DEFAULT CHARSET") ||
           ddl_accept_words(p, "CHARACTER SET") || ddl_accept_words(p, "CHAR SET") ||
           ddl_accept(p, "CHARSET");
}

enum err ddl_table_options(struct ddl_parser *p, struct ddl_options *o)
{
    enum err err = E_OK;

    while (!err && !ddl_at_item_end(p)) {
        if (ddl_at(p, "PARTITION") || ddl_at(p, "SELECT") || ddl_at(p, "AS") || ddl_at(p, "WITH") ||
            ddl_at(p, "IGNORE") || ddl_at(p, "REPLACE") || ddl_at(p, "VALUES") ||
            ddl_at(p, "TABLE")) {
            if (!ddl_accept_words(p, "WITH SYSTEM VERSIONING"))
                break;
            o->versioning = 1;
        } else if (accept_charset(p)) {
            err = option_word(p, &o->charset);
        } else if (ddl_accept_words(p, "DEFAULT COLLATE") || ddl_accept(p, "COLLATE")) {
            err = option_word(p, &o->collation);
        } else if (ddl_accept(p, "COMMENT")) {
            ddl_accept_punct(p, '=');
            err = ddl_string(p, &o->comment);
        } else if (ddl_at_punct(p, '(')) {
            err = ddl_skip_group(p, NULL);
        } else
            ddl_advance(p);
    }
    return err;
}

/* What stands behind the options: partitions and a query. */
static enum err tail(struct ddl_parser *p, struct ddl_stmt *s)
{
    enum err err = E_OK;

    while (!err && !ddl_at_statement_end(p)) {
        if (ddl_at(p, "SELECT") || ddl_at(p, "AS") || ddl_at(p, "VALUES") || ddl_at(p, "TABLE") ||
            ddl_at(p, "WITH")) {
            s->as_select = true;
            ddl_skip_statement(p);
        } else if (ddl_at_punct(p, '(')) {
            if (ddl_token_is(&(struct ddl_token){.kind = TOK_WORD, .text = ddl_peek(p).text},
                             "SELECT"))
                s->as_select = true;
            err = ddl_skip_group(p, NULL);
        } else
            ddl_advance(p);
    }
    return err;
}

static enum err elements(struct ddl_parser *p, struct ddl_stmt *s)
{
    enum err err = E_OK;

    while (!err) {
        err = ddl_element(p, &s->columns, &s->column_count, &s->keys, &s->key_count);
        if (!err && !ddl_accept_punct(p, ','))
            return ddl_expect_punct(p, ')');
    }
    return err;
}

static enum err like(struct ddl_parser *p, struct ddl_stmt *s)
{
    s->like = true;
    return ddl_table_name(p, &s->like_table);
}

/* Behind CREATE [OR REPLACE] [TEMPORARY] TABLE. */
enum err ddl_create_table(struct ddl_parser *p, struct ddl_stmt *s)
{
    enum err err;

    s->kind = DDL_K_CREATE_TABLE;
    s->if_not_exists = ddl_accept_words(p, "IF NOT EXISTS");
    err = ddl_table_name(p, &s->table);
    if (!err && ddl_accept(p, "LIKE"))
        return like(p, s);
    if (!err && ddl_at_punct(p, '(')) {
        struct ddl_token next = ddl_peek(p);
        bool query = ddl_token_is(&next, "SELECT") || ddl_token_is(&next, "WITH") ||
                     (next.kind == TOK_PUNCT && next.punct == '(');
        if (ddl_token_is(&next, "LIKE")) {
            ddl_advance(p);
            ddl_advance(p);
            err = like(p, s);
            return err ? err : ddl_expect_punct(p, ')');
        }
        if (!query) {
            ddl_advance(p);
            err = elements(p, s);
        }
    }
    while (!err && !ddl_at_statement_end(p)) { /* options may be separated by commas */
        err = ddl_table_options(p, &s->options);
        if (!err && !ddl_accept_punct(p, ','))
            break;
    }
    return err ? err : tail(p, s);
}
