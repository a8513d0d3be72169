/* cdc/mongodb/fields.c - see the header.
 *
 * The rules that fit a collection make a tree of names (struct node), so that one walk over a document
 * meets all of them. A field that is called otherwise goes to the end of its document, in the order of
 * field.renames. Paths name fields as they are stored; indexes of arrays are not part of them: a rule for
 * items.cost meets the documents in the array items, and items.0.cost in updatedFields. */
#include "cdc/mongodb/fields.h"

#include "base/mem.h"
#include "base/regex.h"

#define FORMAT "<databaseName>.<collectionName>.<fieldName>.<nestedFieldName>"

struct node {
    struct slice name;
    bool exclude;
    struct slice to; /* null: keeps its name */
    unsigned order;  /* in field.renames */
    struct node *children, *next;
};
struct field_filter {
    struct node root;
    unsigned renames;
};
struct rule {
    struct regex *names; /* db.coll */
    struct slice path;   /* behind db.coll. */
    struct slice to;     /* null: exclude */
};
struct known { /* a collection that was asked for */
    char *name;
    struct field_filter *filter; /* NULL: no rule fits */
    struct known *next;
};
struct field_rules {
    char *exclude, *renames; /* the rules borrow from these */
    struct rule *v;
    size_t count;
    struct known *known;
};

/* --- options ---------------------------------------------------------------------------------- */

static bool is_blank(struct slice s)
{
    return slice_trim(s).n == 0;
}

/* db.coll.field[.nested] */
static bool parse_path(struct slice text, struct rule *r)
{
    struct slice rest = text, part, db = SLICE_NULL, coll = SLICE_NULL;
    unsigned parts = 0;
    while (text.n && text.p[text.n - 1] == '.') /* as Java's split */
        text.n--;
    rest = text;
    while (slice_split(&rest, '.', &part)) {
        if (is_blank(part))
            return false;
        parts++;
    }
    if (parts < 3)
        return false;
    rest = text;
    bool ok = slice_split(&rest, '.', &db) && slice_split(&rest, '.', &coll);
    r->path = rest;
    struct strbuf pattern = STRBUF_INIT;
    strbuf_add_slice(&pattern, db);
    strbuf_adds(&pattern, "\\.");
    strbuf_add_slice(&pattern, coll);
    struct strbuf regex = STRBUF_INIT; /* * stands for anything */
    for (size_t i = 0; i < pattern.n; i++) {
        if (pattern.p[i] == '*')
            strbuf_addc(&regex, '.');
        strbuf_addc(&regex, pattern.p[i]);
    }
    ok = ok && regex_compile(&r->names, strbuf_slice(&regex), REGEX_ANY_CASE, NULL) == E_OK;
    strbuf_release(&pattern);
    strbuf_release(&regex);
    return ok;
}

static bool parse_rule(struct slice text, bool rename, struct rule *r)
{
    *r = (struct rule){0};
    if (!rename)
        return parse_path(text, r);
    ptrdiff_t colon = slice_find_char(text, ':');
    if (colon < 0)
        return false;
    r->to = slice_sub(text, (size_t)colon + 1, text.n);
    return !is_blank(r->to) && slice_find_char(r->to, ':') < 0 &&
           parse_path(slice_sub(text, 0, (size_t)colon), r);
}

static enum err parse_list(struct field_rules *rules, struct slice text, bool rename,
                           struct error *e)
{
    struct slice rest = slice_trim(text), part;
    if (!rest.n)
        return E_OK;
    while (slice_split(&rest, ',', &part)) {
        struct rule r;
        part = slice_trim(part);
        if (!part.n && !rest.p) /* a comma at the end */
            break;
        if (!parse_rule(part, rename, &r))
            return error_set(e, E_INVALID,
                             rename ? PRI_SL " has invalid format (expecting " FORMAT
                                             ":<newNestedFieldName>)"
                                    : PRI_SL " has invalid format (expecting " FORMAT ")",
                             ARG_SL(part));
        rules->v = xrealloc(rules->v, (rules->count + 1) * sizeof *rules->v);
        rules->v[rules->count++] = r;
    }
    return E_OK;
}

enum err field_rules_new(struct field_rules **out, struct slice exclude, struct slice renames,
                         const char **option, struct error *e)
{
    struct field_rules *r = xcalloc(1, sizeof *r);
    *out = NULL;
    r->exclude = slice_dup(exclude);
    r->renames = slice_dup(renames);
    *option = "field.exclude.list";
    enum err err = parse_list(r, slice_cstr(r->exclude), false, e);
    if (!err) {
        *option = "field.renames";
        err = parse_list(r, slice_cstr(r->renames), true, e);
    }
    if (err || !r->count)
        field_rules_free(r);
    else
        *out = r;
    return err;
}

static void free_nodes(struct node *n)
{
    while (n) {
        struct node *next = n->next;
        free_nodes(n->children);
        mem_free(n);
        n = next;
    }
}

void field_rules_free(struct field_rules *r)
{
    if (!r)
        return;
    while (r->known) {
        struct known *k = r->known;
        r->known = k->next;
        if (k->filter)
            free_nodes(k->filter->root.children);
        mem_free(k->filter);
        mem_free(k->name);
        mem_free(k);
    }
    for (size_t i = 0; i < r->count; i++)
        regex_free(r->v[i].names);
    mem_free(r->v);
    mem_free(r->exclude);
    mem_free(r->renames);
    mem_free(r);
}

/* --- one collection --------------------------------------------------------------------------- */

static struct node *child(const struct node *n, struct slice name)
{
    for (struct node *c = n->children; c; c = c->next)
        if (slice_eq(c->name, name))
            return c;
    return NULL;
}

static void add_rule(struct field_filter *f, const struct rule *r)
{
    struct node *n = &f->root;
    struct slice rest = r->path, part;
    while (slice_split(&rest, '.', &part)) {
        struct node *c = child(n, part);
        if (!c) {
            c = xcalloc(1, sizeof *c);
            c->name = part;
            c->next = n->children;
            n->children = c;
        }
        n = c;
    }
    if (!r->to.p) {
        n->exclude = true;
    } else if (!n->to.p) { /* the first one wins: for the second there is no field left */
        n->to = r->to;
        n->order = f->renames++;
    }
}

const struct field_filter *field_rules_for(struct field_rules *r, struct slice db,
                                           struct slice coll)
{
    if (!r)
        return NULL;
    struct strbuf name = STRBUF_INIT;
    strbuf_addf(&name, PRI_SL "." PRI_SL, ARG_SL(db), ARG_SL(coll));
    for (struct known *k = r->known; k; k = k->next)
        if (!strcmp(k->name, name.p)) {
            strbuf_release(&name);
            return k->filter;
        }
    struct known *k = xcalloc(1, sizeof *k);
    for (size_t i = 0; i < r->count; i++) {
        if (!regex_matches(r->v[i].names, strbuf_slice(&name)))
            continue;
        if (!k->filter)
            k->filter = xcalloc(1, sizeof *k->filter);
        add_rule(k->filter, &r->v[i]);
    }
    k->name = strbuf_steal(&name, NULL);
    k->next = r->known;
    r->known = k;
    return k->filter;
}

/* --- documents -------------------------------------------------------------------------------- */

static enum err write_members(const struct node *n, struct slice doc, struct bson_build *b,
                              struct error *e);

static enum err write_value(const struct node *n, struct slice name, const struct bson_item *i,
                            struct bson_build *b, struct error *e)
{
    enum err err = E_OK;
    if (!n || !n->children || (i->kind != BSON_DOCUMENT && i->kind != BSON_ARRAY)) {
        bson_build_item(b, name, i);
        return E_OK;
    }
    bson_build_begin(b, name, i->kind);
    if (i->kind == BSON_DOCUMENT) {
        err = write_members(n, i->raw, b, e);
    } else {
        struct bson_walk w;
        struct bson_item x;
        bson_walk_init(&w, i->raw);
        while (!err && bson_walk_next(&w, &x)) {
            if (x.kind != BSON_DOCUMENT) {
                bson_build_item(b, x.name, &x);
                continue;
            }
            bson_build_begin(b, x.name, BSON_DOCUMENT);
            err = write_members(n, x.raw, b, e);
            bson_build_end(b);
        }
    }
    bson_build_end(b);
    return err;
}

/* A document that is open in b, whose bytes begin at start, has a member of that name. */
static bool is_written(const struct bson_build *b, size_t start, struct slice name)
{
    struct bson_walk w = {b->out.p + start + 4, b->out.p + b->out.n};
    struct bson_item i;
    while (bson_walk_next(&w, &i))
        if (slice_eq(i.name, name))
            return true;
    return false;
}

static enum err write_renamed(const struct node *n, struct slice to, const struct bson_item *i,
                              struct bson_build *b, struct error *e)
{
    if (!b->out.failed && is_written(b, b->starts[b->depth - 1], to))
        return error_set(e, E_INVALID, "Document already contains field : " PRI_SL, ARG_SL(to));
    return write_value(n, to, i, b, e);
}

/* Of the children that get other names, the first with an order of at least that. */
static const struct node *next_renamed(const struct node *n, unsigned order)
{
    const struct node *first = NULL;
    for (const struct node *c = n->children; c; c = c->next)
        if (c->to.p && !c->exclude && c->order >= order && (!first || c->order < first->order))
            first = c;
    return first;
}

static enum err write_members(const struct node *n, struct slice doc, struct bson_build *b,
                              struct error *e)
{
    struct bson_walk w;
    struct bson_item i;
    enum err err = E_OK;
    bson_walk_init(&w, doc);
    while (!err && bson_walk_next(&w, &i)) {
        const struct node *c = child(n, i.name);
        if (!c || (!c->exclude && !c->to.p))
            err = write_value(c, i.name, &i, b, e);
    }
    const struct node *c = next_renamed(n, 0);
    for (; !err && c; c = next_renamed(n, c->order + 1))
        if (bson_find(doc, c->name, &i))
            err = write_renamed(c, c->to, &i, b, e);
    return err;
}

/* --- paths ------------------------------------------------------------------------------------ */

static bool is_number(struct slice s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] < '0' || s.p[i] > '9')
            return false;
    return s.n > 0;
}

struct trail {
    bool excluded, renamed;
    unsigned order;         /* when renamed */
    const struct node *end; /* NULL: no rule goes that far */
};

/* Follows a path into the tree; its new spelling is appended to out, when not NULL. An index is passed
 * over, but not two of them: documents in arrays of arrays are not looked at. */
static struct trail follow(const struct node *root, struct slice path, struct strbuf *out)
{
    struct trail t = {.end = root};
    struct slice rest = path, part;
    bool index = true; /* the first part is none */
    while (slice_split(&rest, '.', &part)) {
        const struct node *c = t.end ? child(t.end, part) : NULL;
        struct slice spelt = part;
        bool passed = !c && !index && is_number(part);
        if (!passed)
            t.end = c;
        index = passed;
        if (c && c->exclude)
            t.excluded = true;
        if (c && c->to.p && !passed) {
            spelt = c->to;
            t.renamed = true;
            t.order = c->order;
        }
        if (!out)
            continue;
        strbuf_add_slice(out, spelt);
        if (rest.p)
            strbuf_addc(out, '.');
    }
    return t;
}

static enum err write_paths(const struct field_filter *f, struct slice doc, struct bson_build *b,
                            struct error *e)
{
    struct strbuf name = STRBUF_INIT;
    struct bson_walk w;
    struct bson_item i;
    bool later = false;
    enum err err = E_OK;
    bson_walk_init(&w, doc);
    while (!err && bson_walk_next(&w, &i)) {
        struct trail t = follow(&f->root, i.name, NULL);
        later |= t.renamed && !t.excluded;
        if (!t.renamed && !t.excluded)
            err = write_value(t.end, i.name, &i, b, e);
    }
    for (unsigned order = 0; later && !err && order < f->renames; order++) {
        bson_walk_init(&w, doc);
        while (!err && bson_walk_next(&w, &i)) {
            strbuf_reset(&name);
            struct trail t = follow(&f->root, i.name, &name);
            if (t.renamed && !t.excluded && t.order == order)
                err = write_renamed(t.end, strbuf_slice(&name), &i, b, e);
        }
    }
    if (!err && name.failed)
        err = error_set(e, name.failed, "no memory for a field's name");
    strbuf_release(&name);
    return err;
}

enum err field_filter_apply(const struct field_filter *f, struct slice doc, bool dotted,
                            struct bson_build *b, struct slice *out, struct error *e)
{
    *out = doc;
    if (!f)
        return E_OK;
    bson_build_reset(b);
    enum err err = dotted ? write_paths(f, doc, b, e) : write_members(&f->root, doc, b, e);
    struct slice made = bson_build_finish(b);
    if (!err && bson_build_err(b))
        err = error_set(e, bson_build_err(b), "no memory for a document");
    if (!err)
        *out = made;
    return err;
}

bool field_filter_path(const struct field_filter *f, struct slice path, struct strbuf *out)
{
    strbuf_reset(out);
    if (!f) {
        strbuf_add_slice(out, path);
        return true;
    }
    return !follow(&f->root, path, out).excluded;
}
