/* broker/security/acl.c - see acl.h.
 *
 * In memory: entries of one resource (type, pattern, name) stand together, found by a map; prefixed
 * resources of a type also stand in a list that is walked. A question looks at no more than the
 * literal resource, the literal "*", and the prefixes that fit. */
#include "broker/security/acl.h"

#include "base/base.h"
#include "base/map.h"
#include "base/mem.h"

#include <pthread.h>
#include <stdlib.h>

#define BIT(op) (1 << (op))

int32_t acl_type_operations(enum acl_type type)
{
    static const int32_t bits[ACL_TYPES] = {
        [ACL_TOPIC] = BIT(ACL_READ) | BIT(ACL_WRITE) | BIT(ACL_CREATE) | BIT(ACL_DESCRIBE) |
                      BIT(ACL_DELETE) | BIT(ACL_ALTER) | BIT(ACL_DESCRIBE_CONFIGS) |
                      BIT(ACL_ALTER_CONFIGS),
        [ACL_GROUP] = BIT(ACL_READ) | BIT(ACL_DESCRIBE) | BIT(ACL_DELETE) |
                      BIT(ACL_DESCRIBE_CONFIGS) | BIT(ACL_ALTER_CONFIGS),
        [ACL_CLUSTER] = BIT(ACL_CREATE) | BIT(ACL_CLUSTER_ACTION) | BIT(ACL_DESCRIBE_CONFIGS) |
                        BIT(ACL_ALTER_CONFIGS) | BIT(ACL_IDEMPOTENT_WRITE) | BIT(ACL_ALTER) |
                        BIT(ACL_DESCRIBE),
        [ACL_TRANSACTIONAL_ID] = BIT(ACL_DESCRIBE) | BIT(ACL_WRITE),
        [ACL_TOKEN] = BIT(ACL_DESCRIBE),
        [ACL_USER] = BIT(ACL_CREATE_TOKENS) | BIT(ACL_DESCRIBE_TOKENS),
    };
    return type > 0 && type < ACL_TYPES ? bits[type] : 0;
}

/* --- entries and filters ---------------------------------------------------------------------- */

enum err acl_check(const struct acl *a, struct error *e)
{
    const char *bad =
        a->type < ACL_TOPIC || a->type > ACL_USER               ? "Invalid resourceType"
        : a->pattern < ACL_LITERAL || a->pattern > ACL_PREFIXED ? "Invalid patternType"
        : a->op < ACL_ALL || a->op > ACL_DESCRIBE_TOKENS        ? "Invalid operation"
        : a->permission < ACL_DENY || a->permission > ACL_ALLOW ? "Invalid permissionType"
        : a->name.n == 0                                        ? "Invalid empty resource name"
        : a->type == ACL_CLUSTER && !slice_eq(a->name, ACL_CLUSTER_NAME)
            ? "The only valid name for the CLUSTER resource is kafka-cluster"
        : a->host.n == 0 ? "Invalid empty host"
                         : NULL;
    if (bad)
        return error_set(e, E_INVALID, "%s", bad);
    ptrdiff_t colon = slice_find_char(a->principal, ':');
    if (colon <= 0 || (size_t)colon + 1 == a->principal.n)
        return error_set(e, E_INVALID,
                         "Could not parse principal from `" PRI_SL
                         "` (no colon is present separating the principal type from the "
                         "principal name)",
                         ARG_SL(a->principal));
    return E_OK;
}

static bool fits_name(const struct acl *f, const struct acl *a)
{
    if (!f->name.p)
        return true;
    if (f->pattern != ACL_PATTERN_MATCH)
        return slice_eq(f->name, a->name);
    if (a->pattern == ACL_PREFIXED)
        return slice_starts(f->name, a->name);
    return slice_eq(f->name, a->name) || slice_eq(a->name, SL("*"));
}

bool acl_matches(const struct acl *f, const struct acl *a)
{
    return (f->type == ACL_TYPE_ANY || f->type == a->type) &&
           (f->pattern == ACL_PATTERN_ANY || f->pattern == ACL_PATTERN_MATCH ||
            f->pattern == a->pattern) &&
           fits_name(f, a) && (!f->principal.p || slice_eq(f->principal, a->principal)) &&
           (!f->host.p || slice_eq(f->host, a->host)) && (f->op == ACL_OP_ANY || f->op == a->op) &&
           (f->permission == ACL_PERMISSION_ANY || f->permission == a->permission);
}

static bool same(const struct acl *a, const struct acl *b)
{
    return a->type == b->type && a->pattern == b->pattern && a->op == b->op &&
           a->permission == b->permission && slice_eq(a->name, b->name) &&
           slice_eq(a->principal, b->principal) && slice_eq(a->host, b->host);
}

/* --- in memory -------------------------------------------------------------------------------- */

struct resource {
    struct acl *v; /* all of this resource; the texts are owned */
    size_t count;
};
struct acl_store {
    struct db *db;
    struct slice super_users; /* owned */
    bool allow_if_none;
    pthread_rwlock_t lock;
    struct map resources; /* key_of -> struct resource */
    struct resource **prefixed[ACL_TYPES];
    size_t prefixed_count[ACL_TYPES];
};

/* Type and pattern as one byte each, then the name. Names are no longer than 32 KiB on the wire. */
static struct slice key_of(struct strbuf *b, enum acl_type type, enum acl_pattern pattern,
                           struct slice name)
{
    strbuf_reset(b);
    strbuf_addc(b, (char)type);
    strbuf_addc(b, (char)pattern);
    strbuf_add_slice(b, name);
    return strbuf_slice(b);
}

static struct resource *find(struct acl_store *s, enum acl_type type, enum acl_pattern pattern,
                             struct slice name)
{
    char small[256];
    struct slice key;
    if (name.n + 2 <= sizeof small) {
        small[0] = (char)type;
        small[1] = (char)pattern;
        memcpy(small + 2, name.p ? name.p : "", name.n);
        return map_get(&s->resources, slice_of(small, name.n + 2));
    }
    struct strbuf b = STRBUF_INIT;
    key = key_of(&b, type, pattern, name);
    struct resource *r = map_get(&s->resources, key);
    strbuf_release(&b);
    return r;
}

static struct slice own(struct slice s)
{
    return slice_of(slice_dup(s), s.n);
}

static void acl_release(struct acl *a)
{
    mem_free((void *)(uintptr_t)a->name.p);
    mem_free((void *)(uintptr_t)a->principal.p);
    mem_free((void *)(uintptr_t)a->host.p);
}

static void resource_free(void *p)
{
    struct resource *r = p;
    for (size_t i = 0; i < r->count; i++)
        acl_release(&r->v[i]);
    mem_free(r->v);
    mem_free(r);
}

static struct resource *add_resource(struct acl_store *s, const struct acl *a)
{
    struct strbuf b = STRBUF_INIT;
    struct resource *r = xcalloc(1, sizeof *r);
    map_put(&s->resources, key_of(&b, a->type, a->pattern, a->name), r);
    strbuf_release(&b);
    if (a->pattern == ACL_PREFIXED) {
        size_t n = s->prefixed_count[a->type]++;
        s->prefixed[a->type] =
            xrealloc(s->prefixed[a->type], (n + 1) * sizeof *s->prefixed[a->type]);
        s->prefixed[a->type][n] = r;
    }
    return r;
}

static void drop_resource(struct acl_store *s, const struct acl *a, struct resource *r)
{
    struct strbuf b = STRBUF_INIT;
    (void)map_del(&s->resources, key_of(&b, a->type, a->pattern, a->name));
    strbuf_release(&b);
    struct resource **v = s->prefixed[a->type];
    size_t *n = &s->prefixed_count[a->type];
    for (size_t i = 0; a->pattern == ACL_PREFIXED && i < *n; i++) {
        if (v[i] == r) {
            v[i] = v[--*n];
            break;
        }
    }
    resource_free(r);
}

static void put(struct acl_store *s, const struct acl *a)
{
    struct resource *r = find(s, a->type, a->pattern, a->name);
    for (size_t i = 0; r && i < r->count; i++) {
        if (same(&r->v[i], a))
            return;
    }
    if (!r)
        r = add_resource(s, a);
    r->v = xrealloc(r->v, (r->count + 1) * sizeof *r->v);
    struct acl *to = &r->v[r->count++];
    *to = *a;
    to->name = own(a->name);
    to->principal = own(a->principal);
    to->host = own(a->host);
}

static void drop(struct acl_store *s, const struct acl *a)
{
    struct resource *r = find(s, a->type, a->pattern, a->name);
    for (size_t i = 0; r && i < r->count; i++) {
        if (!same(&r->v[i], a))
            continue;
        if (r->count == 1) {
            drop_resource(s, a, r);
            return;
        }
        acl_release(&r->v[i]);
        r->v[i] = r->v[--r->count];
        return;
    }
}

/* --- questions -------------------------------------------------------------------------------- */

struct question {
    struct slice principal, host;
    enum acl_op op;
    bool any, denied, allowed; /* of the resources looked at */
};

static bool op_fits(const struct acl *a, enum acl_op op)
{
    if (a->op == op || a->op == ACL_ALL)
        return true;
    if (a->permission != ACL_ALLOW)
        return false;
    if (op == ACL_DESCRIBE)
        return a->op == ACL_READ || a->op == ACL_WRITE || a->op == ACL_DELETE || a->op == ACL_ALTER;
    return op == ACL_DESCRIBE_CONFIGS && a->op == ACL_ALTER_CONFIGS;
}

static bool is_for(const struct acl *a, const struct question *q)
{
    return (slice_eq(a->principal, q->principal) || slice_eq(a->principal, SL("User:*"))) &&
           (slice_eq(a->host, SL("*")) || slice_eq(a->host, q->host));
}

static void look(const struct resource *r, struct question *q)
{
    for (size_t i = 0; r && i < r->count; i++) {
        q->any = true;
        if (!is_for(&r->v[i], q) || !op_fits(&r->v[i], q->op))
            continue;
        if (r->v[i].permission == ACL_DENY)
            q->denied = true;
        else
            q->allowed = true;
    }
}

static bool is_super(const struct acl_store *s, struct slice principal)
{
    struct slice rest = s->super_users, part;
    while (rest.n && slice_split(&rest, ';', &part)) {
        if (slice_eq(slice_trim(part), principal))
            return true;
    }
    return false;
}

bool acl_store_allows(struct acl_store *s, struct slice principal, struct slice host,
                      enum acl_op op, enum acl_type type, struct slice name)
{
    struct question q = {.principal = principal, .host = host, .op = op};
    if (is_super(s, principal))
        return true;
    pthread_rwlock_rdlock(&s->lock);
    look(find(s, type, ACL_LITERAL, name), &q);
    if (!slice_eq(name, SL("*")))
        look(find(s, type, ACL_LITERAL, SL("*")), &q);
    for (size_t i = 0; !q.denied && i < s->prefixed_count[type]; i++) {
        if (slice_starts(name, s->prefixed[type][i]->v[0].name))
            look(s->prefixed[type][i], &q);
    }
    pthread_rwlock_unlock(&s->lock);
    return !q.denied && (q.allowed || (!q.any && s->allow_if_none));
}

/* Is everything that this ALLOW names forbidden by a DENY for the same client? */
static bool is_dominated(struct acl_store *s, const struct acl *a, struct question *q)
{
    struct question d = *q;
    d.denied = d.allowed = false;
    look(find(s, a->type, ACL_LITERAL, SL("*")), &d);
    if (a->pattern == ACL_LITERAL)
        look(find(s, a->type, ACL_LITERAL, a->name), &d);
    for (size_t i = 0; !d.denied && i < s->prefixed_count[a->type]; i++) {
        if (slice_starts(a->name, s->prefixed[a->type][i]->v[0].name))
            look(s->prefixed[a->type][i], &d);
    }
    return d.denied;
}

bool acl_store_allows_some(struct acl_store *s, struct slice principal, struct slice host,
                           enum acl_op op, enum acl_type type)
{
    struct question q = {.principal = principal, .host = host, .op = op};
    struct slice key;
    void *value;
    bool allowed = is_super(s, principal);
    if (allowed || acl_store_allows(s, principal, host, op, type, SL("hardcode")))
        return true;
    pthread_rwlock_rdlock(&s->lock);
    for (size_t k = 0; !allowed && map_next(&s->resources, &k, &key, &value);) {
        const struct resource *r = value;
        for (size_t i = 0; !allowed && i < r->count && r->v[0].type == type; i++) {
            const struct acl *a = &r->v[i];
            allowed = a->permission == ACL_ALLOW && is_for(a, &q) &&
                      (a->op == op || a->op == ACL_ALL) && !is_dominated(s, a, &q);
        }
    }
    pthread_rwlock_unlock(&s->lock);
    return allowed;
}

static int by_resource(const void *x, const void *y)
{
    const struct acl *a = x, *b = y;
    int d = (int)a->type - (int)b->type;
    if (!d)
        d = slice_cmp(a->name, b->name);
    if (!d)
        d = (int)a->pattern - (int)b->pattern;
    if (!d)
        d = slice_cmp(a->principal, b->principal);
    if (!d)
        d = slice_cmp(a->host, b->host);
    if (!d)
        d = (int)a->op - (int)b->op;
    return d ? d : (int)a->permission - (int)b->permission;
}

struct acl *acl_store_find(struct acl_store *s, const struct acl *filter, struct arena *arena,
                           size_t *count)
{
    struct slice key;
    void *value;
    size_t room = 0;
    pthread_rwlock_rdlock(&s->lock);
    for (size_t k = 0; map_next(&s->resources, &k, &key, &value);) {
        const struct resource *r = value;
        for (size_t i = 0; i < r->count; i++)
            room += acl_matches(filter, &r->v[i]);
    }
    struct acl *v = arena_calloc(arena, room + 1, sizeof *v);
    *count = 0;
    for (size_t k = 0; map_next(&s->resources, &k, &key, &value);) {
        const struct resource *r = value;
        for (size_t i = 0; i < r->count; i++) {
            if (!acl_matches(filter, &r->v[i]))
                continue;
            struct acl *to = &v[(*count)++];
            *to = r->v[i];
            to->name = arena_dup(arena, to->name);
            to->principal = arena_dup(arena, to->principal);
            to->host = arena_dup(arena, to->host);
        }
    }
    pthread_rwlock_unlock(&s->lock);
    qsort(v, *count, sizeof *v, by_resource);
    return v;
}

/* --- database --------------------------------------------------------------------------------- */

static const char *const steps[] = {
    "CREATE TABLE acls ("
    " type INTEGER NOT NULL, pattern INTEGER NOT NULL, name TEXT NOT NULL,"
    " principal TEXT NOT NULL, host TEXT NOT NULL, op INTEGER NOT NULL,"
    " permission INTEGER NOT NULL,"
    " PRIMARY KEY (type, pattern, name, principal, host, op, permission)) WITHOUT ROWID;",
    NULL,
};
const struct db_migrations acl_migrations = {"acl", steps};

static enum err load_job(struct db *d, void *arg, struct error *e)
{
    enum err r;
    sqlite3_stmt *q =
        db_stmt(d, "SELECT type, pattern, name, principal, host, op, permission FROM acls");
    while ((r = db_step(d, q, e)) == E_OK) {
        const struct acl a = {.type = (enum acl_type)sqlite3_column_int(q, 0),
                              .pattern = (enum acl_pattern)sqlite3_column_int(q, 1),
                              .name = db_column_slice(q, 2),
                              .principal = db_column_slice(q, 3),
                              .host = db_column_slice(q, 4),
                              .op = (enum acl_op)sqlite3_column_int(q, 5),
                              .permission = (enum acl_permission)sqlite3_column_int(q, 6)};
        r = acl_check(&a, e);
        if (r != E_OK) {
            error_wrap(e, "table acls");
            return E_CORRUPT;
        }
        put(arg, &a);
    }
    return r == E_NOT_FOUND ? E_OK : r;
}

struct change {
    const struct acl *v;
    size_t count;
    bool remove;
};

static enum err change_job(struct db *d, void *arg, struct error *e)
{
    const struct change *c = arg;
    for (size_t i = 0; i < c->count; i++) {
        const struct acl *a = &c->v[i];
        sqlite3_stmt *q =
            c->remove
                ? db_stmt(d, "DELETE FROM acls WHERE type = ?1 AND pattern = ?2 AND name = ?3 AND "
                             "principal = ?4 AND host = ?5 AND op = ?6 AND permission = ?7")
                : db_stmt(d, "INSERT OR IGNORE INTO acls (type, pattern, name, principal, host, "
                             "op, permission) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)");
        sqlite3_bind_int(q, 1, (int)a->type);
        sqlite3_bind_int(q, 2, (int)a->pattern);
        db_bind_slice(q, 3, a->name);
        db_bind_slice(q, 4, a->principal);
        db_bind_slice(q, 5, a->host);
        sqlite3_bind_int(q, 6, (int)a->op);
        sqlite3_bind_int(q, 7, (int)a->permission);
        enum err r = db_exec(d, q, e);
        if (r != E_OK)
            return r;
    }
    return E_OK;
}

static enum err change(struct acl_store *s, const struct acl *v, size_t count, bool remove,
                       struct error *e)
{
    enum err r = db_run(s->db, change_job, &(struct change){v, count, remove}, e);
    if (r != E_OK)
        return r;
    pthread_rwlock_wrlock(&s->lock);
    for (size_t i = 0; i < count; i++) {
        if (remove)
            drop(s, &v[i]);
        else
            put(s, &v[i]);
    }
    pthread_rwlock_unlock(&s->lock);
    return E_OK;
}

enum err acl_store_add(struct acl_store *s, const struct acl *v, size_t count, struct error *e)
{
    return change(s, v, count, false, e);
}

enum err acl_store_remove(struct acl_store *s, const struct acl *v, size_t count, struct error *e)
{
    return change(s, v, count, true, e);
}

/* --- life ------------------------------------------------------------------------------------- */

enum err acl_check_super_users(struct slice list, struct error *e)
{
    struct slice part;
    while (list.n && slice_split(&list, ';', &part)) {
        part = slice_trim(part);
        ptrdiff_t colon = slice_find_char(part, ':');
        if (part.n && colon <= 0) {
            error_set(e, E_INVALID, "super.users: '" PRI_SL "' has no type before the name",
                      ARG_SL(part));
            error_hint(e, "write User:" PRI_SL "; several are separated by semicolons",
                       ARG_SL(slice_sub(part, colon == 0, part.n)));
            return E_INVALID;
        }
        /* A comma may stand in a name (User:CN=a,O=b), but none is followed by a type. */
        if (slice_find(part, SL(",User:")) >= 0 || slice_find(part, SL(", User:")) >= 0) {
            error_set(e, E_INVALID, "super.users: '" PRI_SL "' is more than one name",
                      ARG_SL(part));
            error_hint(e, "separate them by semicolons: User:a;User:b");
            return E_INVALID;
        }
    }
    return E_OK;
}

enum err acl_store_open(struct acl_store **out, struct db *db, struct slice super_users,
                        bool allow_if_none, struct error *e)
{
    struct acl_store *s = xcalloc(1, sizeof *s);
    s->db = db;
    s->super_users = super_users.p ? own(super_users) : SLICE_NULL;
    s->allow_if_none = allow_if_none;
    pthread_rwlock_init(&s->lock, NULL);
    map_init(&s->resources);
    enum err r = db_run(db, load_job, s, e);
    if (r != E_OK) {
        acl_store_close(s);
        return r;
    }
    *out = s;
    return E_OK;
}

void acl_store_close(struct acl_store *s)
{
    if (!s)
        return;
    map_release(&s->resources, resource_free);
    for (int t = 0; t < ACL_TYPES; t++)
        mem_free(s->prefixed[t]);
    mem_free((void *)(uintptr_t)s->super_users.p);
    pthread_rwlock_destroy(&s->lock);
    mem_free(s);
}
