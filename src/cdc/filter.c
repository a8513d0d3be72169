/* cdc/filter.c - include and exclude lists. SPEC: cdc-mysql 1.5 */
#include "cdc/filter.h"

#include "base/mem.h"

/* --- lists ------------------------------------------------------------------------------------ */

/* Next element up to an unescaped comma; `\,` becomes a comma in buf. False at the end. */
static bool list_next(struct slice *rest, struct strbuf *buf)
{
    if (slice_is_null(*rest))
        return false;
    strbuf_reset(buf);
    size_t i = 0;
    for (; i < rest->n && rest->p[i] != ','; i++) {
        if (rest->p[i] == '\\' && i + 1 < rest->n) {
            if (rest->p[i + 1] != ',')
                strbuf_addc(buf, '\\');
            i++;
        }
        strbuf_addc(buf, rest->p[i]);
    }
    *rest = i < rest->n ? slice_sub(*rest, i + 1, rest->n) : SLICE_NULL;
    return true;
}

bool regex_list_next(struct slice *rest, struct strbuf *item)
{
    while (list_next(rest, item)) {
        struct slice element = slice_trim(strbuf_slice(item));
        if (!element.n)
            continue;
        memmove(item->p, element.p, element.n);
        item->n = element.n;
        item->p[item->n] = '\0';
        return true;
    }
    return false;
}

enum err regex_list_parse(struct regex_list *l, struct slice text, struct error *e)
{
    struct strbuf buf = STRBUF_INIT;
    enum err rc = E_OK;
    *l = (struct regex_list){0};
    while (rc == E_OK && regex_list_next(&text, &buf)) {
        struct regex *r;
        rc = regex_compile(&r, strbuf_slice(&buf), REGEX_ANY_CASE, e);
        if (rc)
            break;
        l->items = xrealloc(l->items, (l->count + 1) * sizeof(struct regex *));
        l->items[l->count++] = r;
    }
    strbuf_release(&buf);
    if (rc)
        regex_list_release(l);
    return rc;
}

void regex_list_release(struct regex_list *l)
{
    for (size_t i = 0; i < l->count; i++)
        regex_free(l->items[i]);
    mem_free(l->items);
    *l = (struct regex_list){0};
}

ptrdiff_t regex_list_find(const struct regex_list *l, struct slice text)
{
    for (size_t i = 0; i < l->count; i++)
        if (regex_matches(l->items[i], text))
            return (ptrdiff_t)i;
    return -1;
}

/* --- the filter ------------------------------------------------------------------------------- */

enum err capture_filter_init(struct capture_filter *f, const struct capture_lists *l,
                             struct error *e)
{
    memset(f, 0, sizeof *f);
    f->ignore_builtin = l->ignore_builtin;
    struct slice signal = slice_trim(l->signal_table);
    if (signal.n)
        f->signal_table = slice_dup(signal);
    enum err rc = regex_list_parse(&f->database_include, l->database_include, e);
    if (rc == E_OK)
        rc = regex_list_parse(&f->database_exclude, l->database_exclude, e);
    if (rc == E_OK)
        rc = regex_list_parse(&f->table_include, l->table_include, e);
    if (rc == E_OK)
        rc = regex_list_parse(&f->table_exclude, l->table_exclude, e);
    if (rc == E_OK)
        rc = regex_list_parse(&f->column_include, l->column_include, e);
    if (rc == E_OK)
        rc = regex_list_parse(&f->column_exclude, l->column_exclude, e);
    if (rc)
        capture_filter_release(f);
    return rc;
}

void capture_filter_release(struct capture_filter *f)
{
    regex_list_release(&f->database_include);
    regex_list_release(&f->database_exclude);
    regex_list_release(&f->table_include);
    regex_list_release(&f->table_exclude);
    regex_list_release(&f->column_include);
    regex_list_release(&f->column_exclude);
    mem_free(f->signal_table);
    f->signal_table = NULL;
}

static bool list_allows(const struct regex_list *include, const struct regex_list *exclude,
                        struct slice id)
{
    if (include->count)
        return regex_list_find(include, id) >= 0;
    return exclude->count == 0 || regex_list_find(exclude, id) < 0;
}

bool capture_is_builtin(struct slice db)
{
    return slice_ieq(db, SL("mysql")) || slice_ieq(db, SL("performance_schema")) ||
           slice_ieq(db, SL("sys")) || slice_ieq(db, SL("information_schema"));
}

bool capture_database(const struct capture_filter *f, struct slice db)
{
    if (f->ignore_builtin && capture_is_builtin(db))
        return false;
    return list_allows(&f->database_include, &f->database_exclude, db);
}

static struct slice join(struct strbuf *b, struct slice db, struct slice table, struct slice column)
{
    strbuf_add_slice(b, db);
    strbuf_addc(b, '.');
    strbuf_add_slice(b, table);
    if (column.p) {
        strbuf_addc(b, '.');
        strbuf_add_slice(b, column);
    }
    return strbuf_slice(b);
}

bool capture_is_signal_table(const struct capture_filter *f, struct slice db, struct slice table)
{
    struct slice s = slice_cstr(f->signal_table);
    return s.p && s.n == db.n + 1 + table.n && slice_ieq(slice_sub(s, 0, db.n), db) &&
           s.p[db.n] == '.' && slice_ieq(slice_sub(s, db.n + 1, s.n), table);
}

bool capture_table(const struct capture_filter *f, struct slice db, struct slice table)
{
    if (capture_is_signal_table(f, db, table))
        return true;
    if (!capture_database(f, db))
        return false;
    struct strbuf b = STRBUF_INIT;
    bool yes = list_allows(&f->table_include, &f->table_exclude, join(&b, db, table, SLICE_NULL));
    strbuf_release(&b);
    return yes;
}

bool capture_column(const struct capture_filter *f, struct slice db, struct slice table,
                    struct slice column)
{
    if (f->column_include.count == 0 && f->column_exclude.count == 0)
        return true;
    struct strbuf b = STRBUF_INIT;
    bool yes = list_allows(&f->column_include, &f->column_exclude, join(&b, db, table, column));
    strbuf_release(&b);
    return yes;
}

size_t capture_table_rank(const struct capture_filter *f, struct slice db, struct slice table)
{
    struct strbuf b = STRBUF_INIT;
    ptrdiff_t at = regex_list_find(&f->table_include, join(&b, db, table, SLICE_NULL));
    strbuf_release(&b);
    return at < 0 ? SIZE_MAX : (size_t)at;
}
