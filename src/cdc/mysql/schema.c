/* cdc/mysql/schema.c - the store of tables and of databases' charsets. Statements change it in
 * schema_apply.c. SPEC: cdc-mysql 5.9, 7. */
#include "cdc/mysql/schema.h"

#include "base/log.h"
#include "base/mem.h"
#include "cdc/mysql/schema_int.h"

/* --- names ---------------------------------------------------------------------------------- */

/* A key of the maps: in one buffer that never fails to be made, as a wrong key would find a wrong
 * table. */
struct key {
    char small[256];
    char *p; /* small, or allocated */
    size_t n;
};

static void key_add(const struct mysql_schema *s, struct key *k, struct slice name)
{
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        bool fold = s->options.lower_case_table_names && c >= 'A' && c <= 'Z';
        k->p[k->n++] = fold ? (char)(c + 32) : c;
    }
}

/* Database and table, or the database alone (null name). More room: one byte behind. */
static struct slice key_of(const struct mysql_schema *s, struct slice db, struct slice name,
                           struct key *k)
{
    size_t need = db.n + name.n + 2;

    k->p = need <= sizeof k->small ? k->small : xmalloc(need);
    k->n = 0;
    key_add(s, k, db);
    if (name.p)
        k->p[k->n++] = '\0';
    key_add(s, k, name);
    return slice_of(k->p, k->n);
}

static void key_release(struct key *k)
{
    if (k->p != k->small)
        mem_free(k->p);
}

/* --- the store ------------------------------------------------------------------------------ */

static char *dup_text(struct slice s)
{
    char *p = slice_dup(s);

    return p ? p : xstrdup("");
}

void mysql_schema_set_server_charset(struct mysql_schema *s, struct slice charset,
                                     struct slice collation)
{
    char *name = dup_text(charset.n ? charset : SL("utf8mb4")), *coll = dup_text(collation);

    mem_free(s->server_charset);
    mem_free(s->server_collation);
    s->server_charset = name;
    s->server_collation = coll;
    s->options.server_charset = slice_cstr(name);
    s->options.server_collation = *coll ? slice_cstr(coll) : SLICE_NULL;
}

struct mysql_schema *mysql_schema_new(const struct mysql_schema_options *o)
{
    struct mysql_schema *s = xcalloc(1, sizeof *s);

    s->options = *o;
    mysql_schema_set_server_charset(s, o->server_charset, o->server_collation);
    map_init(&s->tables);
    map_init(&s->dbs);
    return s;
}

static void free_db(void *p)
{
    struct schema_db *d = p;

    mem_free(d->name);
    mem_free(d->charset);
    mem_free(d->collation);
    mem_free(d);
}

static void unref_table(void *t)
{
    mysql_table_unref(t);
}

void mysql_schema_clear(struct mysql_schema *s)
{
    map_release(&s->tables, unref_table);
    map_release(&s->dbs, free_db);
    map_init(&s->tables);
    map_init(&s->dbs);
}

void mysql_schema_free(struct mysql_schema *s)
{
    if (!s)
        return;
    mysql_schema_clear(s);
    mem_free(s->server_charset);
    mem_free(s->server_collation);
    mem_free(s);
}

const struct mysql_table *mysql_schema_find(const struct mysql_schema *s, struct slice db,
                                            struct slice table)
{
    struct key key;

    struct slice k = key_of(s, db, table, &key);
    const struct mysql_table *t = map_get(&s->tables, k);
    key_release(&key);
    return t;
}

size_t mysql_schema_count(const struct mysql_schema *s)
{
    return s->tables.count;
}

const struct mysql_table *mysql_schema_next(const struct mysql_schema *s, size_t *i)
{
    struct slice key;
    void *t;

    return map_next(&s->tables, i, &key, &t) ? t : NULL;
}

void mysql_schema_put(struct mysql_schema *s, const struct mysql_table *t)
{
    struct key key;

    struct slice k = key_of(s, t->db, t->name, &key);
    const struct mysql_table *old = map_put(&s->tables, k, (void *)(uintptr_t)mysql_table_ref(t));
    key_release(&key);
    mysql_table_unref(old);
}

void mysql_schema_remove(struct mysql_schema *s, struct slice db, struct slice table)
{
    struct key key;

    struct slice k = key_of(s, db, table, &key);
    const struct mysql_table *old = map_del(&s->tables, k);
    key_release(&key);
    mysql_table_unref(old);
}

struct schema_db *schema_get_db(const struct mysql_schema *s, struct slice db)
{
    struct key key;

    struct slice k = key_of(s, db, SLICE_NULL, &key);
    struct schema_db *d = map_get(&s->dbs, k);
    key_release(&key);
    return d;
}

void schema_put_db(struct mysql_schema *s, struct slice db, struct charset_choice c)
{
    struct schema_db *d = xcalloc(1, sizeof *d);
    struct key key;

    d->name = dup_text(db);
    d->charset = dup_text(c.name);
    d->collation = dup_text(c.collation);
    struct slice k = key_of(s, db, SLICE_NULL, &key);
    struct schema_db *old = map_put(&s->dbs, k, d);
    key_release(&key);
    if (old)
        free_db(old);
}

void schema_drop_db(struct mysql_schema *s, struct slice db)
{
    struct key key;
    struct slice of_table;
    void *t;

    struct slice k = key_of(s, db, SLICE_NULL, &key);
    struct schema_db *old = map_del(&s->dbs, k);
    if (old)
        free_db(old);
    key.p[key.n++] = '\0'; /* every table's key begins so */
    k.n = key.n;
    for (size_t i = 0; map_next(&s->tables, &i, &of_table, &t);)
        if (slice_starts(of_table, k)) {
            map_del(&s->tables, of_table);
            mysql_table_unref(t);
        }
    key_release(&key);
}

bool mysql_schema_has_db(const struct mysql_schema *s, struct slice db)
{
    return schema_get_db(s, db) != NULL;
}

struct slice mysql_schema_db_charset(const struct mysql_schema *s, struct slice db)
{
    return schema_db_choice(s, db, NULL).name;
}

/* --- charsets ------------------------------------------------------------------------------- */

struct charset_choice schema_db_choice(const struct mysql_schema *s, struct slice db,
                                       const struct mysql_charset *fallback)
{
    const struct schema_db *d = db.n ? schema_get_db(s, db) : NULL;

    if (d && *d->charset)
        return (struct charset_choice){slice_cstr(d->charset),
                                       *d->collation ? slice_cstr(d->collation) : SLICE_NULL};
    if (fallback)
        return (struct charset_choice){mysql_charset_name(fallback), SLICE_NULL};
    return (struct charset_choice){s->options.server_charset, s->options.server_collation};
}

struct charset_choice schema_choose(struct slice charset, struct slice collation,
                                    struct charset_choice outer)
{
    const struct mysql_charset *of_collation =
        collation.p ? mysql_charset_of_collation(collation) : NULL;

    if (slice_ieq(charset, SL("DEFAULT")) || slice_ieq(charset, SL("default")))
        charset = SLICE_NULL;
    if (charset.p) {
        /* Known names in the table's spelling; "utf8" stays as the user wrote it. */
        const struct mysql_charset *cs = mysql_charset_find(charset);
        struct slice canonical = mysql_charset_name(cs);
        return (struct charset_choice){slice_ieq(canonical, charset) ? canonical : charset,
                                       collation};
    }
    if (of_collation)
        return (struct charset_choice){mysql_charset_name(of_collation), collation};
    if (collation.p) /* MariaDB's collations without a charset: uca1400_ai_ci */
        return (struct charset_choice){outer.name, collation};
    return outer;
}
