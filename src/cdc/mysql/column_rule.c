/* cdc/mysql/column_rule.c - rules on columns. A hash covers the salt and then the value as Java
 * serialises a String (v2: its UTF-8). SPEC: cdc-mysql 6.9 */
#include "cdc/mysql/column_rule.h"

#include <openssl/evp.h>

#include "base/bytes.h"
#include "base/mem.h"

#define MASK_MAX 65535

/* --- reading the options ---------------------------------------------------------------------- */

/* "column.truncate.to.5.chars": what stands between the prefix and the suffix. */
static bool between(struct slice key, const char *prefix, const char *suffix, struct slice *middle)
{
    size_t p = strlen(prefix), s = strlen(suffix);
    if (!slice_starts(key, slice_cstr(prefix)) || key.n < p + s ||
        !slice_eq_c(slice_sub(key, key.n - s, key.n), suffix))
        return false;
    *middle = slice_sub(key, p, key.n - s);
    return true;
}

static enum err read_count(struct column_rule *r, struct slice text, struct error *e)
{
    uint64_t n;
    if (slice_to_u64(text, &n) || n > MASK_MAX)
        return error_set(e, E_INVALID, "the number of characters is between 0 and %d", MASK_MAX);
    r->count = (uint32_t)n;
    if (r->kind != RULE_MASK)
        return E_OK;
    r->mask = xmalloc(n + 1);
    memset(r->mask, '*', n);
    r->mask[n] = '\0';
    return E_OK;
}

static enum err read_hash(struct column_rule *r, struct slice algorithm, struct slice salt,
                          struct error *e)
{
    char *name = slice_dup(algorithm);
    r->md = EVP_MD_fetch(NULL, name, NULL);
    r->salt = slice_dup(salt);
    enum err rc = r->md ? E_OK
                        : error_set(e, E_INVALID,
                                    "'%s' is not a hash algorithm; MD5, SHA-1, SHA-256 and SHA-512 "
                                    "are some",
                                    name);
    mem_free(name);
    return rc;
}

/* E_NOT_FOUND: the option is of no such family. */
static enum err read_rule(struct column_rule *r, struct slice key, struct error *e)
{
    struct slice text;
    memset(r, 0, sizeof *r);
    if (between(key, "column.truncate.to.", ".chars", &text)) {
        r->kind = RULE_TRUNCATE;
        return read_count(r, text, e);
    }
    if (between(key, "column.mask.with.", ".chars", &text)) {
        r->kind = RULE_MASK;
        return read_count(r, text, e);
    }
    if (!between(key, "column.mask.hash.", "", &text))
        return E_NOT_FOUND;
    r->kind = RULE_HASH;
    if (slice_starts(text, SL("v2."))) {
        r->as_text = true;
        text = slice_sub(text, 3, text.n);
    }
    static const struct slice with = SL_INIT(".with.salt.");
    ptrdiff_t at = slice_find(text, with);
    if (at <= 0 || (size_t)at + with.n >= text.n)
        return error_set(e, E_INVALID,
                         "the form of this option is column.mask.hash.ALGORITHM.with.salt.SALT");
    return read_hash(r, slice_sub(text, 0, (size_t)at),
                     slice_sub(text, (size_t)at + with.n, text.n), e);
}

static void rule_release(struct column_rule *r)
{
    regex_list_release(&r->columns);
    mem_free(r->mask);
    if (r->salt)
        mem_wipe(r->salt, strlen(r->salt));
    mem_free(r->salt);
    EVP_MD_free(r->md);
}

static enum err add(struct column_rules *r, struct column_rule *rule, struct slice columns,
                    struct error *e)
{
    enum err rc = regex_list_parse(&rule->columns, columns, e);
    if (rc) {
        rule_release(rule);
        return rc;
    }
    r->items = xrealloc(r->items, (r->count + 1) * sizeof *r->items);
    r->items[r->count++] = *rule;
    return E_OK;
}

static enum err add_families(struct column_rules *r, const struct strmap *config,
                             struct slice *option, struct error *e)
{
    for (int kind = RULE_TRUNCATE; kind <= RULE_HASH; kind++)
        for (size_t i = 0; i < config->count; i++) {
            struct column_rule rule;
            struct slice key = config->entries[i].key;
            enum err rc = read_rule(&rule, key, e);
            if (rc == E_NOT_FOUND)
                continue;
            if (rc == E_OK && (int)rule.kind == kind)
                rc = add(r, &rule, config->entries[i].value, e);
            else
                rule_release(&rule);
            if (rc) {
                if (option)
                    *option = key;
                return rc;
            }
        }
    return E_OK;
}

static enum err add_propagate(struct column_rules *r, const char *key, struct slice columns,
                              bool by_type, struct slice *option, struct error *e)
{
    struct column_rule rule = {.kind = RULE_PROPAGATE, .by_type = by_type};
    if (!slice_trim(columns).n)
        return E_OK;
    enum err rc = add(r, &rule, columns, e);
    if (rc && option)
        *option = slice_cstr(key);
    return rc;
}

enum err column_rules_init(struct column_rules *r, const struct mysql_options *o,
                           struct slice *option, struct error *e)
{
    *r = (struct column_rules){0};
    enum err rc = add_families(r, &o->config, option, e);
    if (rc == E_OK)
        rc = add_propagate(r, "column.propagate.source.type", o->propagate_columns, false, option,
                           e);
    if (rc == E_OK)
        rc =
            add_propagate(r, "datatype.propagate.source.type", o->propagate_types, true, option, e);
    if (rc)
        column_rules_release(r);
    return rc;
}

enum err column_rules_check(const struct strmap *config, struct slice *option, struct error *e)
{
    struct column_rules r = {0};
    enum err rc = add_families(&r, config, option, e);
    column_rules_release(&r);
    return rc;
}

void column_rules_release(struct column_rules *r)
{
    for (size_t i = 0; i < r->count; i++)
        rule_release(&r->items[i]);
    mem_free(r->items);
    *r = (struct column_rules){0};
}

/* --- choosing --------------------------------------------------------------------------------- */

static struct slice dotted(struct strbuf *b, struct slice db, struct slice table, struct slice last)
{
    strbuf_reset(b);
    strbuf_add_slice(b, db);
    if (table.p) {
        strbuf_addc(b, '.');
        strbuf_add_slice(b, table);
    }
    strbuf_addc(b, '.');
    strbuf_add_slice(b, last);
    return strbuf_slice(b);
}

static bool rule_names(const struct column_rule *r, struct slice db, struct slice table,
                       const struct mysql_column *column, struct strbuf *b)
{
    if (!r->by_type)
        return regex_list_find(&r->columns, dotted(b, db, table, column->name)) >= 0;
    return regex_list_find(&r->columns, dotted(b, db, table, column->type_name)) >= 0 ||
           regex_list_find(&r->columns, dotted(b, db, SLICE_NULL, column->type_name)) >= 0;
}

const struct column_rule *column_rules_find(const struct column_rules *r, struct slice db,
                                            struct slice table, const struct mysql_column *column)
{
    const struct column_rule *found = NULL;
    struct strbuf b = STRBUF_INIT;
    for (size_t i = 0; i < r->count && !found; i++)
        if (rule_names(&r->items[i], db, table, column, &b))
            found = &r->items[i];
    strbuf_release(&b);
    return found;
}

/* --- effects ---------------------------------------------------------------------------------- */

static bool is_cut(const struct column_rule *r, const struct mysql_column *column)
{
    return column->length < 0 || (uint32_t)column->length > r->count;
}

static void number_param(struct schema_builder *b, struct slice name, int64_t n)
{
    char text[24];
    snprintf(text, sizeof text, "%lld", (long long)n);
    schema_builder_param(b, name, slice_cstr(text));
}

static void source_type(const struct mysql_column *column, struct schema_builder *b)
{
    schema_builder_param(b, SL("__debezium.source.column.type"), column->type_name);
    if (column->length >= 0)
        number_param(b, SL("__debezium.source.column.length"), column->length);
    if (column->scale >= 0)
        number_param(b, SL("__debezium.source.column.scale"), column->scale);
    schema_builder_param(b, SL("__debezium.source.column.name"), column->name);
    if (column->comment.p && column->comment.n)
        schema_builder_param(b, SL("__debezium.source.column.comment"), column->comment);
}

void column_rule_schema(const struct column_rule *r, const struct mysql_column *column,
                        struct schema_builder *b)
{
    switch (r->kind) {
    case RULE_TRUNCATE:
        if (is_cut(r, column))
            number_param(b, SL("truncateLength"), r->count);
        break;
    case RULE_MASK:
    case RULE_HASH:
        schema_builder_param(b, SL("masked"), SL("true"));
        break;
    case RULE_PROPAGATE:
        source_type(column, b);
        break;
    }
}

bool column_rule_changes(const struct column_rule *r, const struct mysql_column *column)
{
    static const int32_t texts[] = {1, 12, -15, -9}; /* CHAR, VARCHAR, NCHAR, NVARCHAR */
    if (r->kind == RULE_TRUNCATE)
        return is_cut(r, column);
    for (size_t i = 0; i < ARRAY_LEN(texts) && r->kind != RULE_PROPAGATE; i++)
        if (column->jdbc == texts[i])
            return true;
    return false;
}

/* The first `count` UTF-16 units; a pair that would be cut in two stays out. */
static struct slice truncated(struct slice in, uint32_t count)
{
    size_t i = 0;
    for (uint32_t units = 0; i < in.n;) {
        unsigned c = (unsigned char)in.p[i];
        uint32_t here = c >= 0xf0 ? 2 : 1;
        if (units + here > count)
            break;
        units += here;
        i++;
        while (i < in.n && ((unsigned char)in.p[i] & 0xc0) == 0x80)
            i++;
    }
    return slice_sub(in, 0, i);
}

static void add_unit(struct strbuf *out, unsigned u)
{
    strbuf_addc(out, (char)(0xe0 | u >> 12));
    strbuf_addc(out, (char)(0x80 | (u >> 6 & 0x3f)));
    strbuf_addc(out, (char)(0x80 | (u & 0x3f)));
}

/* Modified UTF-8: NUL takes two bytes, a character of four bytes two times three. */
static void add_modified(struct strbuf *out, struct slice in)
{
    for (size_t i = 0; i < in.n; i++) {
        unsigned c = (unsigned char)in.p[i];
        if (c == 0) {
            strbuf_add(out, "\xc0\x80", 2);
        } else if (c >= 0xf0 && i + 3 < in.n) {
            const unsigned char *p = (const unsigned char *)in.p + i;
            unsigned cp =
                (c & 7u) << 18 | (p[1] & 0x3fu) << 12 | (p[2] & 0x3fu) << 6 | (p[3] & 0x3fu);
            cp -= 0x10000;
            add_unit(out, 0xd800 + (cp >> 10 & 0x3ff));
            add_unit(out, 0xdc00 + (cp & 0x3ff));
            i += 3;
        } else {
            strbuf_addc(out, (char)c);
        }
    }
}

/* What ObjectOutputStream writes of one String: its head, and the text into `out`. */
struct java_head {
    uint8_t bytes[13];
    size_t n;
};
static struct java_head serialise(struct slice in, struct strbuf *out)
{
    struct java_head h = {.bytes = {0xac, 0xed, 0, 5}};
    add_modified(out, in);
    if (out->n <= 0xffff) {
        h.bytes[4] = 0x74; /* TC_STRING */
        store_be16(h.bytes + 5, (uint16_t)out->n);
        h.n = 7;
    } else {
        h.bytes[4] = 0x7c; /* TC_LONGSTRING */
        store_be64(h.bytes + 5, out->n);
        h.n = 13;
    }
    return h;
}

static struct slice hashed(const struct column_rule *r, const struct mysql_column *column,
                           struct slice in, struct strbuf *out)
{
    static const char digits[] = "0123456789abcdef";
    unsigned char md[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    struct java_head head = {.n = 0};
    if (!r->as_text) {
        head = serialise(in, out);
        in = strbuf_slice(out);
    }
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool ok = ctx && !strbuf_err(out) && EVP_DigestInit_ex(ctx, r->md, NULL) &&
              EVP_DigestUpdate(ctx, r->salt, strlen(r->salt)) &&
              EVP_DigestUpdate(ctx, head.bytes, head.n) && EVP_DigestUpdate(ctx, in.p, in.n) &&
              EVP_DigestFinal_ex(ctx, md, &n);
    EVP_MD_CTX_free(ctx);
    if (!ok)
        return SLICE_NULL;
    strbuf_reset(out);
    for (unsigned i = 0; i < n; i++) {
        strbuf_addc(out, digits[md[i] >> 4]);
        strbuf_addc(out, digits[md[i] & 15]);
    }
    if (column->length > 0 && out->n > (size_t)column->length)
        return slice_sub(strbuf_slice(out), 0, (size_t)column->length);
    return strbuf_slice(out);
}

struct slice column_rule_text(const struct column_rule *r, const struct mysql_column *column,
                              struct slice in, struct strbuf *out)
{
    strbuf_reset(out);
    return r->kind == RULE_TRUNCATE ? truncated(in, r->count) : hashed(r, column, in, out);
}
