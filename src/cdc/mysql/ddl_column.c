/* cdc/mysql/ddl_column.c - a column definition behind its name: data type, attributes, default.
 *
 * Attributes come in any order; one that is not known is stepped over, so that a new server's
 * attribute does not stop the stream. SPEC: cdc-mysql 6.7, 7.1, 7.3. */
#include "cdc/mysql/ddl_parse.h"

static bool at_now(const struct ddl_parser *p)
{
    return ddl_at(p, "CURRENT_TIMESTAMP") || ddl_at(p, "NOW") || ddl_at(p, "LOCALTIME") ||
           ddl_at(p, "LOCALTIMESTAMP");
}

static enum err now(struct ddl_parser *p)
{
    ddl_advance(p);
    return ddl_at_punct(p, '(') ? ddl_skip_group(p, NULL) : E_OK;
}

static void literal(struct mysql_column *c, struct slice text, bool is_string)
{
    c->default_kind = DEFAULT_LITERAL;
    c->default_text = text;
    c->default_is_string = is_string;
}

/* [+-] number. */
static enum err number(struct ddl_parser *p, struct mysql_column *c)
{
    bool negative = ddl_at_punct(p, '-');

    if (negative || ddl_at_punct(p, '+'))
        ddl_advance(p);
    if (p->tok.kind != TOK_NUMBER)
        return ddl_fail(p, "a number");
    struct slice digits = p->tok.text;
    if (negative) {
        char *text = arena_try_alloc(p->arena, digits.n + 2);
        if (!text)
            return ddl_nomem(p);
        text[0] = '-';
        memcpy(text + 1, digits.p, digits.n);
        digits = slice_of(text, digits.n + 1);
    }
    literal(c, digits, false);
    ddl_advance(p);
    return E_OK;
}

/* A call or name without parentheses around it (MariaDB): uuid(), nextval(s), NEXT VALUE FOR s. */
static enum err expression(struct ddl_parser *p, struct mysql_column *c)
{
    const char *start = p->tok.raw.p;
    enum err err = E_OK;

    if (ddl_at_words(p, "NEXT VALUE FOR")) {
        struct ddl_name sequence;
        ddl_accept_words(p, "NEXT VALUE FOR");
        err = ddl_table_name(p, &sequence);
    } else {
        ddl_advance(p);
        while (ddl_accept_punct(p, '.') && !ddl_at_item_end(p))
            ddl_advance(p);
        if (ddl_at_punct(p, '('))
            err = ddl_skip_group(p, NULL);
    }
    c->default_kind = DEFAULT_EXPRESSION;
    c->default_text = slice_of(start, (size_t)(p->last_end - start));
    return err;
}

enum err ddl_default_value(struct ddl_parser *p, struct mysql_column *c)
{
    c->default_kind = DEFAULT_NONE;
    c->default_text = SLICE_NULL;
    c->default_is_string = c->default_is_hex = c->default_is_bits = false;
    if (ddl_accept(p, "NULL")) {
        c->default_kind = DEFAULT_NULL;
        return E_OK;
    }
    if (ddl_at(p, "TRUE") || ddl_at(p, "FALSE")) {
        literal(c, ddl_at(p, "TRUE") ? SL("1") : SL("0"), false);
        ddl_advance(p);
        return E_OK;
    }
    if (at_now(p)) {
        c->default_kind = DEFAULT_NOW;
        return now(p);
    }
    if (ddl_at_punct(p, '(')) {
        c->default_kind = DEFAULT_EXPRESSION;
        return ddl_skip_group(p, &c->default_text);
    }
    if (p->tok.kind == TOK_WORD && p->tok.text.p[0] == '_') { /* introducer: _utf8mb4'x' */
        struct ddl_token next = ddl_peek(p);
        if (next.kind == TOK_STRING || next.kind == TOK_HEX || next.kind == TOK_BITS)
            ddl_advance(p);
    }
    if (p->tok.kind == TOK_STRING) {
        struct slice text;
        enum err err = ddl_string(p, &text);
        literal(c, text, true);
        return err;
    }
    if (p->tok.kind == TOK_HEX || p->tok.kind == TOK_BITS) {
        literal(c, p->tok.text, false);
        c->default_is_hex = p->tok.kind == TOK_HEX;
        c->default_is_bits = p->tok.kind == TOK_BITS;
        ddl_advance(p);
        return E_OK;
    }
    if (p->tok.kind == TOK_WORD || p->tok.kind == TOK_QUOTED)
        return expression(p, c);
    return number(p, c);
}

/* REFERENCES t (cols) [MATCH x] [ON DELETE x] [ON UPDATE x] */
static enum err references(struct ddl_parser *p)
{
    struct ddl_name table;
    enum err err = ddl_table_name(p, &table);

    if (!err && ddl_at_punct(p, '('))
        err = ddl_skip_group(p, NULL);
    while (!err) {
        if (ddl_accept(p, "MATCH"))
            ddl_advance(p);
        else if (ddl_accept_words(p, "ON DELETE") || ddl_accept_words(p, "ON UPDATE")) {
            if (!ddl_accept_words(p, "SET NULL") && !ddl_accept_words(p, "SET DEFAULT") &&
                !ddl_accept_words(p, "NO ACTION"))
                ddl_advance(p);
        } else
            break;
    }
    return err;
}

static enum err computed(struct ddl_parser *p, struct mysql_column *c)
{
    if (ddl_accept(p, "ROW")) { /* MariaDB system versioning */
        if (ddl_accept(p, "START"))
            c->is_row_start = true;
        else if (ddl_accept(p, "END"))
            c->is_row_end = true;
        else
            return ddl_fail(p, "START or END");
        c->nullable = false;
        return E_OK;
    }
    c->is_computed = true;
    return ddl_at_punct(p, '(') ? ddl_skip_group(p, NULL) : ddl_fail(p, "'('");
}

static enum err charset(struct ddl_parser *p, struct ddl_column *c)
{
    ddl_accept_punct(p, '=');
    c->charset_stated = true;
    return ddl_word(p, &c->def.charset_name);
}

static enum err srid(struct ddl_parser *p, struct mysql_column *c)
{
    uint64_t v;

    ddl_accept_punct(p, '=');
    if (p->tok.kind != TOK_NUMBER || slice_to_u64(p->tok.text, &v) != E_OK || v > UINT32_MAX)
        return ddl_fail(p, "a spatial reference id");
    c->has_srid = true;
    c->srid = (uint32_t)v;
    ddl_advance(p);
    return E_OK;
}

/* Attributes that only set or mean nothing here. True when one was taken. */
static bool plain_attribute(struct ddl_parser *p, struct ddl_column *c)
{
    static const struct {
        const char *words;
        int what;
    } plain[] = {
        {"NOT NULL", 1},
        {"NULL", 2},
        {"AUTO_INCREMENT", 3},
        {"PRIMARY KEY", 4},
        {"UNIQUE KEY", 5},
        {"UNIQUE", 5},
        {"KEY", 4},
        {"PRIMARY", 4},
        {"INVISIBLE", 6},
        {"VISIBLE", 0},
        {"VIRTUAL", 0},
        {"STORED", 7},
        {"PERSISTENT", 7},
        {"ASCII", 8},
        {"UNICODE", 9},
        {"BINARY", 10},
        {"BYTE", 11},
        {"NOT ENFORCED", 0},
        {"ENFORCED", 0},
        {"NOT SECONDARY", 0},
        {"WITHOUT SYSTEM VERSIONING", 0},
        {"WITH SYSTEM VERSIONING", 0},
        {"GENERATED ALWAYS", 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(plain); i++) {
        if (!ddl_accept_words(p, plain[i].words))
            continue;
        switch (plain[i].what) {
        case 1:
        case 2:
            c->def.nullable = plain[i].what == 2;
            c->null_stated = true;
            break;
        case 3:
            c->def.is_auto_increment = c->def.auto_incremented = c->def.generated = true;
            break;
        case 4:
            c->primary = true;
            c->def.nullable = false;
            break;
        case 5:
            c->unique = true;
            break;
        case 6:
            c->def.invisible = true;
            break;
        case 7:
            c->def.is_stored = true;
            break;
        case 8:
            c->def.charset_name = SL("latin1");
            c->charset_stated = true;
            break;
        case 9:
            c->def.charset_name = SL("ucs2");
            c->charset_stated = true;
            break;
        case 10:
            c->binary_attribute = true;
            break;
        case 11:
            c->def.charset_name = SL("binary");
            c->charset_stated = true;
            break;
        default:
            break;
        }
        return true;
    }
    return false;
}

static enum err attribute(struct ddl_parser *p, struct ddl_column *c)
{
    if (ddl_accept(p, "DEFAULT")) {
        enum err err = ddl_default_value(p, &c->def);
        /* DEFAULT CURRENT_TIMESTAMP ON UPDATE ... is one clause; ON UPDATE alone marks the column
         * as generated. SPEC: golden mysql/schema-history */
        if (!err && c->def.default_kind == DEFAULT_NOW && ddl_accept_words(p, "ON UPDATE"))
            err = at_now(p) ? now(p) : ddl_fail(p, "CURRENT_TIMESTAMP");
        return err;
    }
    if (ddl_accept_words(p, "SERIAL DEFAULT VALUE")) {
        c->def.is_auto_increment = c->def.auto_incremented = c->def.generated = true;
        c->def.nullable = false;
        c->null_stated = c->unique = true;
        return E_OK;
    }
    if (ddl_accept_words(p, "ON UPDATE")) {
        c->def.auto_incremented = c->def.generated = true;
        return at_now(p) ? now(p) : ddl_fail(p, "CURRENT_TIMESTAMP");
    }
    if (ddl_accept(p, "COMMENT")) {
        ddl_accept_punct(p, '=');
        return ddl_string(p, &c->def.comment);
    }
    if (ddl_accept(p, "COLLATE")) {
        ddl_accept_punct(p, '=');
        c->charset_stated = true;
        return ddl_word(p, &c->def.collation);
    }
    if (ddl_accept_words(p, "CHARACTER SET") || ddl_accept_words(p, "CHAR SET") ||
        ddl_accept(p, "CHARSET"))
        return charset(p, c);
    if (ddl_accept(p, "AS"))
        return computed(p, &c->def);
    if (ddl_accept(p, "REFERENCES"))
        return references(p);
    if (ddl_accept(p, "CONSTRAINT")) {
        if (!ddl_at(p, "CHECK") && !ddl_at_item_end(p))
            ddl_advance(p);
        return E_OK;
    }
    if (ddl_accept(p, "CHECK"))
        return ddl_at_punct(p, '(') ? ddl_skip_group(p, NULL) : ddl_fail(p, "'('");
    if (ddl_accept(p, "SRID") || ddl_accept(p, "REF_SYSTEM_ID"))
        return srid(p, &c->def);
    if (ddl_accept(p, "COMPRESSED")) {
        c->def.compressed = true;
        if (ddl_accept_punct(p, '=') && !ddl_at_item_end(p))
            ddl_advance(p);
        return E_OK;
    }
    if (ddl_accept(p, "COLUMN_FORMAT") || ddl_accept(p, "STORAGE") ||
        ddl_accept(p, "ENGINE_ATTRIBUTE") || ddl_accept(p, "SECONDARY_ENGINE_ATTRIBUTE")) {
        ddl_accept_punct(p, '=');
        if (!ddl_at_item_end(p))
            ddl_advance(p);
        return E_OK;
    }
    if (plain_attribute(p, c))
        return E_OK;
    if (ddl_at_punct(p, '('))
        return ddl_skip_group(p, NULL);
    ddl_advance(p); /* not known: stepped over */
    return E_OK;
}

enum err ddl_column_def(struct ddl_parser *p, struct ddl_column *c)
{
    c->def.nullable = true;
    enum err err = ddl_data_type(p, c);
    while (!err && !ddl_at_item_end(p) && !ddl_at(p, "FIRST") && !ddl_at(p, "AFTER"))
        err = attribute(p, c);
    return err;
}
