/* broker/group/group_store.c - members of a group to bytes and back. See group_store.h.
 *
 * Format, big-endian; text and bytes are a u32 length (0xffffffff: null) and that many bytes:
 *   u8 version = 1, i32 generation, text protocol, text leader's id, u32 members, then each member:
 *   text id, instance id (or null), client id, client host, i32 session and rebalance timeout in ms,
 *   u32 protocols {text name, bytes metadata}, bytes assignment */
#include "broker/group/group_store.h"

#include "base/base.h"
#include "base/bytes.h"
#include "base/mem.h"
#include "broker/group/group_internal.h"

#define FORMAT 1
#define NULL_LENGTH UINT32_MAX
#define LEAST_MEMBER 32 /* bytes that no member takes less than */

/* --- to bytes --------------------------------------------------------------------------------- */

static void add_bytes(struct strbuf *b, struct slice s)
{
    strbuf_add_be32(b, s.p ? (uint32_t)s.n : NULL_LENGTH);
    strbuf_add_slice(b, s);
}

static void add_text(struct strbuf *b, const char *s)
{
    add_bytes(b, s ? slice_cstr(s) : SLICE_NULL);
}

static void add_member(struct strbuf *b, const struct group_member *m)
{
    add_text(b, m->id);
    add_text(b, m->instance_id);
    add_text(b, m->client_id);
    add_text(b, m->client_host);
    strbuf_add_be32(b, (uint32_t)m->session_timeout_ms);
    strbuf_add_be32(b, (uint32_t)m->rebalance_timeout_ms);
    strbuf_add_be32(b, (uint32_t)m->protocol_count);
    for (int32_t i = 0; i < m->protocol_count; i++) {
        add_bytes(b, m->protocols[i].name);
        add_bytes(b, m->protocols[i].metadata);
    }
    add_bytes(b, m->assignment);
}

void group_store_encode(const struct group *g, struct strbuf *out)
{
    uint32_t count = 0;
    list_each (&g->members, k) {
        count += !list_entry(k, struct group_member, link)->inside;
    }
    if (!count)
        return;
    strbuf_addc(out, FORMAT);
    strbuf_add_be32(out, (uint32_t)g->generation);
    add_bytes(out, g->protocol);
    add_text(out, g->leader ? g->leader->id : "");
    strbuf_add_be32(out, count);
    list_each (&g->members, k) {
        const struct group_member *m = list_entry(k, struct group_member, link);
        if (!m->inside)
            add_member(out, m);
    }
}

/* --- from bytes ------------------------------------------------------------------------------- */

static struct slice take_bytes(struct reader *r)
{
    uint32_t n = read_be32(r);
    return n == NULL_LENGTH ? SLICE_NULL : read_slice(r, n);
}

/* Reads one member as the Join that would have made it. */
static enum err read_member(struct reader *r, struct arena *a, struct group *g)
{
    struct join_group_request in;
    join_group_request_init(&in);
    struct slice id = take_bytes(r);
    in.group_instance_id = take_bytes(r);
    struct group_call call = {.client_id = take_bytes(r), .client_host = take_bytes(r), .in = &in};
    in.session_timeout_ms = (int32_t)read_be32(r);
    in.rebalance_timeout_ms = (int32_t)read_be32(r);
    uint32_t n = read_be32(r);
    if (r->err == E_OK && (!id.n || n > reader_left(r) / 8))
        reader_fail(r, E_CORRUPT);
    if (r->err != E_OK)
        return r->err;
    in.protocol_type = g->protocol_type;
    in.protocols = join_group_request_protocol_array(a, (int32_t)n);
    in.protocols_count = (int32_t)n;
    for (uint32_t i = 0; i < n; i++) {
        in.protocols[i].name = take_bytes(r);
        in.protocols[i].metadata = take_bytes(r);
    }
    struct slice assignment = take_bytes(r);
    if (r->err != E_OK)
        return r->err;
    struct group_member *m = group_member_add(g, arena_dup(a, id).p, &call);
    if (!m)
        return E_NOMEM;
    group_own(&m->assignment, assignment);
    m->synced = true;
    return E_OK;
}

static void restore(struct group *g, int32_t generation, struct slice protocol, struct slice leader,
                    int64_t now)
{
    g->last_generation = g->generation;
    g->generation = generation;
    group_own(&g->protocol, protocol);
    g->leader = group_member_find(g, leader);
    g->state = GROUP_STABLE;
    list_each (&g->members, k) {
        group_touch(list_entry(k, struct group_member, link), now);
    }
}

static enum err read_all(struct reader *r, struct arena *a, struct group *g, int64_t now)
{
    if (read_u8(r) != FORMAT && r->err == E_OK)
        return E_UNSUPPORTED;
    int32_t generation = (int32_t)read_be32(r);
    struct slice protocol = take_bytes(r), leader = take_bytes(r);
    uint32_t n = read_be32(r);
    if (r->err == E_OK && (n == 0 || n > reader_left(r) / LEAST_MEMBER))
        return E_CORRUPT;
    for (uint32_t i = 0; i < n && r->err == E_OK; i++) {
        enum err e = read_member(r, a, g);
        if (e != E_OK)
            return e;
    }
    if (r->err != E_OK)
        return r->err;
    restore(g, generation, protocol, leader, now);
    return E_OK;
}

enum err group_store_decode(struct group *g, struct slice bytes, int64_t now)
{
    struct reader r = reader_of(bytes.p, bytes.n);
    struct arena a;
    invariant(g->members.count == 0);
    arena_init(&a, 0, ARENA_NO_BUDGET);
    enum err e = read_all(&r, &a, g, now);
    arena_release(&a);
    while (e != E_OK && g->members.count)
        group_member_remove(g, list_entry(list_first(&g->members), struct group_member, link),
                            KERR_NONE);
    return e;
}
