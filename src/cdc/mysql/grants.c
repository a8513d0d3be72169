/* cdc/mysql/grants.c - lines of SHOW GRANTS:
 *
 *   GRANT SELECT, INSERT (`a`, `b`), RELOAD ON *.* TO `u`@`%` IDENTIFIED BY PASSWORD '...'
 *   GRANT ALL PRIVILEGES ON `shop`.* TO ...       GRANT `role`@`%` TO `u`@`%`
 *
 * SPEC: cdc-mysql 2.3 */
#include "cdc/mysql/grants.h"

#include "base/mem.h"

/* --- reading ---------------------------------------------------------------------------------- */

/* Position of `word` outside of quotes and parentheses, from `from` on; -1. */
static ptrdiff_t find_word(struct slice s, size_t from, const char *word)
{
    char quote = 0;
    int depth = 0;
    size_t n = strlen(word);
    for (size_t i = from; i < s.n; i++) {
        char c = s.p[i];
        if (quote) {
            if (c == quote)
                quote = 0;
        } else if (c == '`' || c == '\'' || c == '"') {
            quote = c;
        } else if (c == '(') {
            depth++;
        } else if (c == ')') {
            depth--;
        } else if (depth == 0 && slice_ieq(slice_sub(s, i, MIN(i + n, s.n)), slice_cstr(word))) {
            return (ptrdiff_t)i;
        }
    }
    return -1;
}

/* The list without what stands in parentheses, in upper case. */
static char *privilege_list(struct slice s)
{
    struct strbuf b = STRBUF_INIT;
    int depth = 0;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        depth += c == '(';
        if (depth == 0)
            strbuf_addc(&b, c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c);
        depth -= c == ')' && depth > 0;
    }
    char *text = slice_dup(strbuf_slice(&b));
    strbuf_release(&b);
    return text;
}

void grants_add(struct grants *g, struct slice line)
{
    static const struct slice start = SL_INIT("GRANT ");
    if (!slice_ieq(slice_sub(line, 0, MIN(line.n, start.n)), start))
        return;
    ptrdiff_t on = find_word(line, start.n, " ON ");
    ptrdiff_t to = find_word(line, on < 0 ? start.n : (size_t)on + 4, " TO ");
    if (to < 0)
        return;
    struct slice what = slice_sub(line, start.n, on < 0 ? (size_t)to : (size_t)on);
    if (on < 0) {
        g->roles = true;
        return;
    }
    if (slice_ieq(slice_trim(what), SL("PROXY"))) /* of users */
        return;
    g->items = xrealloc(g->items, (g->count + 1) * sizeof *g->items);
    g->items[g->count++] =
        (struct grant){.privileges = privilege_list(what),
                       .scope = slice_dup(slice_sub(line, (size_t)on + 4, (size_t)to))};
}

void grants_release(struct grants *g)
{
    for (size_t i = 0; i < g->count; i++) {
        mem_free(g->items[i].privileges);
        mem_free(g->items[i].scope);
    }
    mem_free(g->items);
    *g = (struct grants){0};
}

static enum err read_from(struct grants *g, struct mysql_conn *c, const char *sql, struct error *e)
{
    struct mysql_result r;
    enum err rc = mysql_conn_query(c, sql, &r, e);
    if (rc)
        return rc;
    while ((rc = mysql_result_next(&r, e)) == E_OK)
        grants_add(g, mysql_result_get(&r, 0));
    mysql_result_end(&r);
    return rc == E_NOT_FOUND ? E_OK : rc;
}

enum err grants_read(struct grants *g, struct mysql_conn *c, struct error *e)
{
    *g = (struct grants){0};
    enum err rc = read_from(g, c, "SHOW GRANTS FOR CURRENT_USER", e);
    /* MySQL's answer has what active roles bring. */
    if (rc == E_OK && g->roles && mysql_conn_server(c)->mariadb) {
        rc = read_from(g, c, "SHOW GRANTS FOR CURRENT_ROLE", e);
        if (rc == E_REMOTE || rc == E_AUTH) { /* no role is active */
            error_clear(e);
            rc = E_OK;
        }
    }
    return rc;
}

/* --- asking ----------------------------------------------------------------------------------- */

static bool has_word(struct slice list, const char *privilege)
{
    struct slice part;
    while (slice_split(&list, ',', &part)) {
        part = slice_trim(part);
        if (slice_eq_c(part, privilege) || slice_eq_c(part, "ALL") ||
            slice_eq_c(part, "ALL PRIVILEGES"))
            return true;
    }
    return false;
}

static bool has(const struct grant *g, const char *privilege)
{
    static const struct {
        const char *name, *same;
    } same[] = {
        {"REPLICATION CLIENT", "BINLOG MONITOR"},
        {"REPLICATION SLAVE", "REPLICATION REPLICA"},
    };
    struct slice list = slice_cstr(g->privileges);
    if (has_word(list, privilege))
        return true;
    for (size_t i = 0; i < ARRAY_LEN(same); i++)
        if (strcmp(privilege, same[i].name) == 0)
            return has_word(list, same[i].same);
    return false;
}

bool grants_global(const struct grants *g, const char *privilege)
{
    for (size_t i = 0; i < g->count; i++)
        if (strcmp(g->items[i].scope, "*.*") == 0 && has(&g->items[i], privilege))
            return true;
    return false;
}

bool grants_somewhere(const struct grants *g, const char *privilege)
{
    for (size_t i = 0; i < g->count; i++)
        if (has(&g->items[i], privilege))
            return true;
    return false;
}

/* The next name of a scope: in backquotes, or bare up to a dot. */
static void next_name(struct slice *s, struct strbuf *out)
{
    size_t i = 0;
    strbuf_reset(out);
    if (s->n && s->p[0] == '`') {
        for (i = 1; i < s->n; i++) {
            if (s->p[i] == '`' && (i + 1 >= s->n || s->p[i + 1] != '`'))
                break;
            i += s->p[i] == '`';
            strbuf_addc(out, s->p[i]);
        }
        i++;
    } else {
        for (; i < s->n && s->p[i] != '.'; i++)
            strbuf_addc(out, s->p[i]);
    }
    *s = slice_sub(*s, MIN(i + 1, s->n), s->n); /* the dot too */
}

/* LIKE: % and _ with backslash as escape; in any case, as lower_case_table_names may have it. */
static bool like(struct slice pattern, struct slice text)
{
    size_t p = 0, t = 0, star = SIZE_MAX, mark = 0;
    while (t < text.n) {
        bool escaped = p + 1 < pattern.n && pattern.p[p] == '\\';
        if (p < pattern.n && pattern.p[p] == '%') {
            star = p++;
            mark = t;
        } else if (p < pattern.n &&
                   ((pattern.p[p] == '_' && !escaped) ||
                    slice_ieq(slice_of(pattern.p + p + escaped, 1), slice_of(text.p + t, 1)))) {
            p += 1 + escaped;
            t++;
        } else if (star != SIZE_MAX) {
            p = star + 1;
            t = ++mark;
        } else {
            return false;
        }
    }
    while (p < pattern.n && pattern.p[p] == '%')
        p++;
    return p == pattern.n;
}

bool grants_table(const struct grants *g, const char *privilege, struct slice db,
                  struct slice table)
{
    struct strbuf name = STRBUF_INIT;
    bool yes = grants_global(g, privilege);
    for (size_t i = 0; i < g->count && !yes; i++) {
        struct slice scope = slice_cstr(g->items[i].scope);
        if (!has(&g->items[i], privilege))
            continue;
        next_name(&scope, &name);
        if (slice_eq(scope, SL("*"))) {
            yes = like(strbuf_slice(&name), db);
        } else if (slice_ieq(strbuf_slice(&name), db)) {
            next_name(&scope, &name);
            yes = slice_ieq(strbuf_slice(&name), table);
        }
    }
    strbuf_release(&name);
    return yes;
}
