/* cdc/mysql/json_partial.c - PARTIAL_UPDATE_ROWS: differences applied to a JSON value.
 *
 * The before image is opened only along the paths that change: a node is either a piece of the
 * original bytes or a list of children. The result is written as text at once; binary JSON is never
 * built. A difference: operation, path, and for replace and insert a value. SPEC: cdc-mysql 4.1
 * (39). */
#include "base/arena.h"
#include "base/bytes.h"
#include "base/json.h"
#include "cdc/mysql/json_binary_int.h"

enum { OP_REPLACE = 0, OP_INSERT = 1, OP_REMOVE = 2 };

struct node {
    uint8_t type; /* as in the bytes */
    bool open;    /* children stand for the bytes */
    struct slice data;
    struct child *children;
    uint32_t count, cap;
};
struct child {
    struct slice key; /* objects */
    struct node node;
};
struct step { /* of a path */
    bool is_key;
    struct slice key;
    uint64_t index;
};

struct partial {
    struct walk walk;
    struct arena arena;
};

static enum err nomem(const struct partial *p)
{
    return error_set(p->walk.e, E_NOMEM, "no memory for a partial JSON update");
}

static enum err reserve(struct partial *p, struct node *n, uint32_t count)
{
    if (count <= n->cap)
        return E_OK;
    uint32_t cap = MAX(count, n->cap * 2);
    struct child *more = arena_try_calloc(&p->arena, cap, sizeof *more);
    if (!more)
        return nomem(p);
    if (n->count)
        memcpy(more, n->children, n->count * sizeof *more);
    n->children = more;
    n->cap = cap;
    return E_OK;
}

static bool is_object(const struct node *n)
{
    return n->type == J_SMALL_OBJECT || n->type == J_LARGE_OBJECT;
}
static bool is_array(const struct node *n)
{
    return n->type == J_SMALL_ARRAY || n->type == J_LARGE_ARRAY;
}

static enum err open_node(struct partial *p, struct node *n)
{
    struct container c;

    if (n->open)
        return E_OK;
    if (!is_object(n) && !is_array(n))
        return json_bad(&p->walk, "a path leads through a value that is no container");
    enum err err = json_container_open(&p->walk, n->type, n->data, &c);
    if (!err)
        err = reserve(p, n, c.count ? c.count : 1);
    for (uint32_t i = 0; i < c.count && !err; i++) {
        struct child *ch = &n->children[i];
        if (c.object)
            err = json_container_key(&p->walk, &c, i, &ch->key);
        if (!err)
            err = json_container_value(&p->walk, &c, i, &ch->node.type, &ch->node.data);
        n->count = i + 1;
    }
    n->open = true;
    return err;
}

/* --- paths ---------------------------------------------------------------------------------- */

static bool ident_end(char c)
{
    return c == '.' || c == '[';
}

/* ."quoted", with JSON's escapes, or .name */
static enum err key_step(struct partial *p, struct slice *rest, struct slice *key)
{
    size_t i = 0;

    if (rest->n == 0 || rest->p[0] != '"') {
        while (i < rest->n && !ident_end(rest->p[i]))
            i++;
        *key = slice_sub(*rest, 0, i);
        *rest = slice_sub(*rest, i, rest->n);
        return E_OK;
    }
    for (i = 1; i < rest->n && rest->p[i] != '"'; i++)
        if (rest->p[i] == '\\')
            i++;
    if (i >= rest->n)
        return json_bad(&p->walk, "a path's key is not closed");
    struct json_reader *r = arena_try_alloc(&p->arena, sizeof *r);
    if (!r)
        return nomem(p);
    jr_init(r, slice_sub(*rest, 0, i + 1), 0);
    if (jr_next(r) != JT_STRING)
        return json_bad(&p->walk, "a path's key");
    *key = jr_string(r, &p->arena);
    if (!key->p)
        return nomem(p);
    *rest = slice_sub(*rest, i + 1, rest->n);
    return E_OK;
}

static enum err next_step(struct partial *p, struct slice *rest, struct step *s)
{
    char c = rest->p[0];

    *s = (struct step){.is_key = c == '.'};
    *rest = slice_sub(*rest, 1, rest->n);
    if (c == '.')
        return key_step(p, rest, &s->key);
    ptrdiff_t end = slice_find_char(*rest, ']');
    if (c != '[' || end < 0 || slice_to_u64(slice_sub(*rest, 0, (size_t)end), &s->index) != E_OK)
        return json_bad(&p->walk, "a path");
    *rest = slice_sub(*rest, (size_t)end + 1, rest->n);
    return E_OK;
}

/* Objects are kept in the server's order: by length of key, then bytes. */
static int key_cmp(struct slice a, struct slice b)
{
    if (a.n != b.n)
        return a.n < b.n ? -1 : 1;
    return a.n ? memcmp(a.p, b.p, a.n) : 0;
}

/* Index of the member, or where it belongs with *found false. */
static uint32_t locate(const struct node *n, const struct step *s, bool *found)
{
    uint32_t i = 0;

    *found = false;
    if (!s->is_key) {
        *found = s->index < n->count;
        return *found ? (uint32_t)s->index : n->count;
    }
    for (; i < n->count; i++) {
        int d = key_cmp(n->children[i].key, s->key);
        if (d >= 0) {
            *found = d == 0;
            break;
        }
    }
    return i;
}

static enum err insert(struct partial *p, struct node *n, uint32_t at, const struct step *s,
                       struct node value)
{
    enum err err = reserve(p, n, n->count + 1);

    if (err)
        return err;
    memmove(n->children + at + 1, n->children + at, (n->count - at) * sizeof *n->children);
    n->children[at] = (struct child){s->key, value};
    n->count++;
    return E_OK;
}

static enum err change(struct partial *p, struct node *n, const struct step *s, uint8_t op,
                       struct node value)
{
    bool found;
    enum err err = open_node(p, n);

    if (err)
        return err;
    if (s->is_key != is_object(n))
        return json_bad(&p->walk, "a path does not fit its value");
    uint32_t at = locate(n, s, &found);
    if (op == OP_INSERT && !(s->is_key && found))
        return insert(p, n, at, s, value);
    if (!found)
        return json_bad(&p->walk, "a path leads nowhere");
    if (op == OP_REMOVE) {
        memmove(n->children + at, n->children + at + 1, (n->count - at - 1) * sizeof *n->children);
        n->count--;
    } else
        n->children[at].node = value;
    return E_OK;
}

static enum err apply(struct partial *p, struct node *root, uint8_t op, struct slice path,
                      struct node value)
{
    struct node *n = root;
    struct step s;

    if (path.n == 0 || path.p[0] != '$')
        return json_bad(&p->walk, "a path does not begin with $");
    path = slice_sub(path, 1, path.n);
    if (path.n == 0) {
        if (op == OP_REMOVE)
            return json_bad(&p->walk, "the whole value is removed");
        *root = value;
        return E_OK;
    }
    for (unsigned depth = 0; depth <= MYSQL_JSON_MAX_DEPTH; depth++) {
        bool found;
        enum err err = next_step(p, &path, &s);
        if (err)
            return err;
        if (path.n == 0)
            return change(p, n, &s, op, value);
        err = open_node(p, n);
        if (err)
            return err;
        uint32_t at = locate(n, &s, &found);
        if (!found || s.is_key != is_object(n))
            return json_bad(&p->walk, "a path leads nowhere");
        n = &n->children[at].node;
    }
    return json_bad(&p->walk, "a path is too deep");
}

/* --- the value ------------------------------------------------------------------------------ */

static enum err write_node(struct partial *p, const struct node *n, unsigned depth)
{
    struct strbuf *out = p->walk.out;

    if (!n->open)
        return json_value(&p->walk, n->type, n->data, depth);
    if (depth >= MYSQL_JSON_MAX_DEPTH)
        return json_bad(&p->walk, "it is nested too deeply");
    strbuf_addc(out, is_object(n) ? '{' : '[');
    for (uint32_t i = 0; i < n->count; i++) {
        if (i > 0)
            strbuf_addc(out, ',');
        if (is_object(n)) {
            json_add_string(out, n->children[i].key);
            strbuf_addc(out, ':');
        }
        enum err err = write_node(p, &n->children[i].node, depth + 1);
        if (err)
            return err;
    }
    strbuf_addc(out, is_object(n) ? '}' : ']');
    return E_OK;
}

static struct node node_of(struct slice binary)
{
    if (binary.n == 0) /* JSON null of old rows */
        return (struct node){.type = J_LITERAL, .data = slice_of("\0", 1)};
    return (struct node){.type = (uint8_t)binary.p[0], .data = slice_sub(binary, 1, binary.n)};
}

/* MySQL's packed length. */
static struct slice packed_slice(struct reader *r)
{
    uint8_t first = read_u8(r);
    uint64_t n = first < 251    ? first
                 : first == 252 ? read_le16(r)
                 : first == 253 ? read_le_n(r, 3)
                 : first == 254 ? read_le64(r)
                                : SIZE_MAX;
    return read_slice(r, n);
}

static enum err apply_all(struct partial *p, struct slice before, struct slice diffs)
{
    struct node root = node_of(before);
    struct reader r = reader_of(diffs.p, diffs.n);

    while (reader_left(&r) > 0) {
        uint8_t op = read_u8(&r);
        struct slice path = packed_slice(&r), value = SL("");
        if (op > OP_REMOVE)
            return error_set(p->walk.e, E_UNSUPPORTED, "partial JSON update has an operation %u",
                             op);
        if (op != OP_REMOVE)
            value = packed_slice(&r);
        if (r.err)
            return json_bad(&p->walk, "a difference is cut off");
        enum err err = apply(p, &root, op, path, node_of(value));
        if (err)
            return err;
    }
    return write_node(p, &root, 0);
}

enum err mysql_json_apply_partial(struct slice before, struct slice diffs, struct strbuf *out,
                                  struct error *e)
{
    struct partial p = {.walk = {out, e, before.n + diffs.n + 16}};

    arena_init(&p.arena, 0, ((size_t)1 << 20) + (before.n + diffs.n) * 64);
    enum err err = apply_all(&p, before, diffs);
    arena_release(&p.arena);
    if (!err && strbuf_err(out) != E_OK)
        return error_set(e, strbuf_err(out), "JSON is too large as text");
    return err;
}
