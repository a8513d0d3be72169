/* cdc/mongodb/lookup.c - see lookup.h.
 *
 * A portion is a run of events of one answer. Its keys are gathered into one group for each
 * collection, each key once; a group is one find with $in. What a find does not bring in its first
 * answer (16 MB at most) is not known, and looked for again when its event comes; no further group
 * is looked for once HELD_BYTES are held. So less than HELD_BYTES and two answers are held beside
 * the events: the last group's, and a single document. */
#include "cdc/mongodb/lookup.h"

#include "base/bytes.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "cdc/mongodb/cursor.h"
#include "cdc/mongodb/token.h"

enum {
    CODE_OTHER_UUID = 361, /* CollectionUUIDMismatch */
    WIRE_UUID = 17,        /* 6.0: find takes collectionUUID */
    KEYS_FIRST = 500,
    KEYS_MAX = 8000,
    KEY_BYTES_MAX = 4 << 20,
    DOCUMENT_BYTES = 2 << 20,        /* wanted of a portion, by the size of documents before */
    HELD_BYTES = 4 * DOCUMENT_BYTES, /* far more than that: these documents are larger */
    GROUPS_MAX = 64,
    RENAMES_MAX = 3
};

struct group { /* slices point into the answer of the stream */
    struct slice db, coll;
    char uuid[16];
    size_t keys;
    struct mongo_cursor *found; /* the documents */
};
enum key_state { KEY_UNKNOWN, KEY_FOUND, KEY_GONE, KEY_ALONE }; /* ALONE: by a find of its own */
struct key {
    struct bson_item id; /* in the answer of the stream */
    uint64_t hash;
    size_t group;
    struct slice document;
    enum key_state state;
};
struct mongo_lookup {
    struct mongo_task *t;
    mongoc_client_t *client; /* NULL: not taken yet */
    uint32_t server;
    const char *from, *until; /* the portion: events of the answer at hand */
    uint32_t seconds, increment;
    struct group groups[GROUPS_MAX];
    size_t group_count;
    struct key *keys;
    size_t key_count, key_cap, key_bytes, limit;
    uint32_t *slots; /* number of a key + 1, by hash; 0: free */
    size_t slot_count;
    struct mongo_cursor *single;
    struct bson_build command;
};

bool mongo_lookup_serves(const struct mongo_task *t)
{
    const struct mongo_server *s = mongo_client_pool_server(t->pool);
    return t->o.full_update && !t->o.post_image && !t->user_stages.p &&
           t->o.oversize == MONGO_OVERSIZE_FAIL && !s->mongos && s->max_wire_version >= WIRE_UUID &&
           !t->server_looks_up;
}

struct mongo_lookup *mongo_lookup_new(struct mongo_task *t)
{
    struct mongo_lookup *l = xcalloc(1, sizeof *l);
    l->t = t;
    l->limit = KEYS_FIRST;
    bson_build_init(&l->command);
    return l;
}

static void forget(struct mongo_lookup *l)
{
    for (size_t i = 0; i < l->group_count; i++)
        mongo_cursor_close(l->groups[i].found);
    mongo_cursor_close(l->single);
    l->single = NULL;
    l->group_count = l->key_count = l->key_bytes = 0;
    l->seconds = l->increment = 0;
    l->from = l->until = NULL;
}

void mongo_lookup_free(struct mongo_lookup *l)
{
    if (!l)
        return;
    forget(l);
    if (l->client)
        mongo_client_give(l->t->pool, l->client);
    bson_build_release(&l->command);
    mem_free(l->keys);
    mem_free(l->slots);
    mem_free(l);
}

void mongo_lookup_answer(struct mongo_lookup *l, uint32_t server)
{
    forget(l);
    l->server = server;
}

/* --- gathering -------------------------------------------------------------------------------- */

static bool same_key(const struct key *k, size_t group, uint64_t hash, const struct bson_item *id)
{
    return k->hash == hash && k->group == group && k->id.kind == id->kind &&
           slice_eq(k->id.raw, id->raw);
}

static uint64_t hash_of(size_t group, const struct bson_item *id)
{
    return hash64(id->raw, (uint64_t)group << 8 | (uint8_t)id->kind);
}

/* The slot of this key, or the free one in which it would be. */
static uint32_t *slot_of(struct mongo_lookup *l, size_t group, uint64_t hash,
                         const struct bson_item *id)
{
    size_t at = hash & (l->slot_count - 1);
    while (l->slots[at] && !same_key(&l->keys[l->slots[at] - 1], group, hash, id))
        at = (at + 1) & (l->slot_count - 1);
    return &l->slots[at];
}

/* Room for `limit` keys, at most half of the slots used. */
static void make_room(struct mongo_lookup *l)
{
    size_t slots = 64;
    while (slots < 2 * l->limit)
        slots *= 2;
    if (l->key_cap < l->limit) {
        l->keys = xrealloc(l->keys, l->limit * sizeof *l->keys);
        l->key_cap = l->limit;
    }
    if (l->slot_count < slots) {
        l->slots = xrealloc(l->slots, slots * sizeof *l->slots);
        l->slot_count = slots;
    }
    memset(l->slots, 0, l->slot_count * sizeof *l->slots);
}

/* The group of the event's collection; SIZE_MAX: there is none. */
static size_t find_group(const struct mongo_lookup *l, const struct change *c, const char *uuid)
{
    for (size_t i = l->group_count; i-- > 0;)
        if (memcmp(l->groups[i].uuid, uuid, 16) == 0 && slice_eq(l->groups[i].coll, c->coll) &&
            slice_eq(l->groups[i].db, c->db))
            return i;
    return SIZE_MAX;
}

static bool wants_document(struct mongo_lookup *l, const struct change *c)
{
    return c->kind == CHANGE_UPDATE && !c->after.p && !c->fragments &&
           collections_get(&l->t->collections, c->db, c->coll)->captured;
}

/* Only `_id` is a key here: of a shard's events it takes more to find the document. */
static bool only_id(struct slice event)
{
    struct bson_item key, i;
    struct bson_walk w;
    if (!bson_find(event, SL("documentKey"), &key) || key.kind != BSON_DOCUMENT)
        return false;
    bson_walk_init(&w, bson_doc(&key));
    return bson_walk_next(&w, &i) && slice_eq(i.name, SL("_id")) && !bson_walk_next(&w, &i);
}

/* *full: there is no room for it in this portion. */
static enum err add_event(struct mongo_lookup *l, struct slice event, const struct change *c,
                          bool *full, struct error *e)
{
    char uuid[16];
    if (!mongo_token_uuid(c->token, uuid))
        return error_set(e, E_UNSUPPORTED, "its events do not name their collection as expected");
    if (!only_id(event))
        return error_set(e, E_UNSUPPORTED, "its documents have keys beside _id");
    size_t group = find_group(l, c, uuid);
    *full = l->key_count >= l->limit || l->key_bytes >= KEY_BYTES_MAX ||
            (group == SIZE_MAX && l->group_count == GROUPS_MAX);
    if (*full)
        return E_OK;
    if (group == SIZE_MAX) {
        group = l->group_count++;
        l->groups[group] = (struct group){.db = c->db, .coll = c->coll};
        memcpy(l->groups[group].uuid, uuid, 16);
    }
    uint64_t hash = hash_of(group, &c->id);
    uint32_t *slot = slot_of(l, group, hash, &c->id);
    if (c->has_time) {
        l->seconds = c->seconds;
        l->increment = c->increment;
    }
    if (*slot)
        return E_OK;
    l->keys[l->key_count++] = (struct key){.id = c->id, .hash = hash, .group = group};
    *slot = (uint32_t)l->key_count;
    l->groups[group].keys++;
    l->key_bytes += c->id.raw.n;
    return E_OK;
}

static enum err gather(struct mongo_lookup *l, struct slice event, struct bson_walk rest,
                       const struct change *first, struct error *e)
{
    struct bson_item i;
    struct change c;
    bool full;
    forget(l);
    make_room(l);
    enum err rc = add_event(l, event, first, &full, e);
    l->from = event.p;
    l->until = event.p + event.n;
    while (!rc && bson_walk_next(&rest, &i)) {
        struct slice next = bson_doc(&i);
        if (change_read(next, &c, NULL)) /* told when its turn comes */
            break;
        if (wants_document(l, &c)) {
            rc = add_event(l, next, &c, &full, e);
            if (rc || full)
                break;
        }
        l->until = next.p + next.n;
    }
    return rc;
}

/* --- finding ---------------------------------------------------------------------------------- */

/* {find, filter: {_id: ...}, collectionUUID, batchSize, readConcern}. only: one key; NULL: all of
 * the group. */
static struct slice find_command(struct mongo_lookup *l, size_t group, struct slice coll,
                                 const struct key *only)
{
    struct bson_build *b = &l->command;
    const struct group *g = &l->groups[group];
    char buf[BSON_INDEX_SIZE];
    unsigned n = 0;
    bson_build_reset(b);
    bson_build_text(b, SL("find"), coll);
    bson_build_begin(b, SL("filter"), BSON_DOCUMENT);
    bson_build_begin(b, SL("_id"), BSON_DOCUMENT);
    if (only) {
        bson_build_item(b, SL("$eq"), &only->id);
    } else {
        bson_build_begin(b, SL("$in"), BSON_ARRAY);
        for (size_t i = 0; i < l->key_count; i++)
            if (l->keys[i].group == group)
                bson_build_item(b, bson_index(n++, buf), &l->keys[i].id);
        bson_build_end(b);
    }
    bson_build_end(b);
    bson_build_end(b);
    bson_build_binary(b, SL("collectionUUID"), 4, slice_of(g->uuid, 16));
    bson_build_int(b, SL("batchSize"),
                   (int32_t)(only ? 2 : g->keys + 1)); /* one more: then it is all */
    bson_build_begin(b, SL("readConcern"), BSON_DOCUMENT);
    bson_build_text(b, SL("level"), SL("majority"));
    if (l->seconds)
        bson_build_timestamp(b, SL("afterClusterTime"), l->seconds, l->increment);
    bson_build_end(b);
    return bson_build_finish(b);
}

/* What the collection of this UUID is called now; *coll stays empty when the database has it no
 * more. */
static enum err new_name(struct mongo_lookup *l, const struct group *g, struct strbuf *coll,
                         struct error *e)
{
    bson_t command, reply;
    bson_iter_t i;
    uint32_t n;
    struct slice bytes = bson_build_finish(&l->command);
    char *db = slice_dup(g->db);
    strbuf_reset(coll);
    if (!bytes.p || !libbson.init_static(&command, (const uint8_t *)bytes.p, bytes.n)) {
        mem_free(db);
        return error_set(e, E_NOMEM, "no memory for a command");
    }
    error_clear(e);
    enum err rc = mongo_client_command(l->t->pool, l->client, db, &command, &reply, e);
    if (rc && e->sys == CODE_OTHER_UUID) {
        if (libbson.iter_init_find(&i, &reply, "actualCollection") &&
            libbson.iter_type(&i) == BSON_TYPE_UTF8) {
            const char *name = libbson.iter_utf8(&i, &n);
            strbuf_add(coll, name, n);
        }
        error_clear(e);
        rc = E_OK;
    } else if (!rc) {
        strbuf_add_slice(coll, g->coll); /* it has its name again */
    }
    libbson.destroy(&reply);
    mem_free(db);
    return rc;
}

/* *out stays NULL when there is no such collection any more. */
static enum err run(struct mongo_lookup *l, size_t group, const struct key *only,
                    struct mongo_cursor **out, struct error *e)
{
    const struct group *g = &l->groups[group];
    struct strbuf coll = STRBUF_INIT;
    enum err rc = E_OK;
    if (!l->client)
        l->client = mongo_client_take(l->t->pool);
    strbuf_add_slice(&coll, g->coll);
    for (unsigned n = 0; !rc && coll.n && n <= RENAMES_MAX; n++) {
        struct slice command = find_command(l, group, strbuf_slice(&coll), only);
        if (!command.p) {
            rc = error_set(e, E_NOMEM, "no memory for a command");
            break;
        }
        rc = mongo_cursor_open_at(out, l->t->pool, l->client, g->db, command, l->server, e);
        if (!rc || e->sys != CODE_OTHER_UUID)
            break;
        rc = n == RENAMES_MAX ? rc : new_name(l, g, &coll, e);
    }
    strbuf_release(&coll);
    if (rc && !mongo_fault_passes(e) && e->code != E_CANCELLED && e->code != E_NOMEM) {
        e->code = E_UNSUPPORTED;
        rc = E_UNSUPPORTED;
    }
    return rc;
}

static void set_rest(struct mongo_lookup *l, size_t group, enum key_state state)
{
    for (size_t i = 0; i < l->key_count; i++)
        if (l->keys[i].group == group && l->keys[i].state == KEY_UNKNOWN)
            l->keys[i].state = state;
}

static enum err find_documents(struct mongo_lookup *l, size_t group, struct error *e)
{
    struct group *g = &l->groups[group];
    struct slice document;
    struct bson_item id;
    bool other = false;
    enum err rc = run(l, group, NULL, &g->found, e);
    if (rc)
        return rc;
    while (g->found && mongo_cursor_next(g->found, &document)) {
        uint32_t slot =
            bson_find(document, SL("_id"), &id) ? *slot_of(l, group, hash_of(group, &id), &id) : 0;
        if (slot) {
            l->keys[slot - 1].document = document;
            l->keys[slot - 1].state = KEY_FOUND;
        } else {
            other = true; /* equal to a key, and not by its bytes: 1 and 1.0, or by a collation */
        }
    }
    if (!g->found || !g->found->id)
        set_rest(l, group, other ? KEY_ALONE : KEY_GONE);
    return E_OK;
}

/* The next portion's keys: as many as make DOCUMENT_BYTES, by the documents of this one, and at
 * most twice as many as now. cut: not all groups were looked for; no more than were found, then. */
static void adapt(struct mongo_lookup *l, bool cut)
{
    size_t bytes = 0, count = 0;
    for (size_t i = 0; i < l->key_count; i++)
        if (l->keys[i].state == KEY_FOUND) {
            bytes += l->keys[i].document.n;
            count++;
        }
    if (count)
        l->limit = MIN(MIN((size_t)KEYS_MAX, 2 * l->limit),
                       MAX((size_t)1, DOCUMENT_BYTES / (bytes / count + 1)));
    if (count && cut)
        l->limit = MIN(l->limit, count);
}

static enum err look_up(struct mongo_lookup *l, struct slice event, struct bson_walk rest,
                        const struct change *c, struct error *e)
{
    enum err rc = gather(l, event, rest, c, e);
    size_t held = 0, i;
    for (i = 0; !rc && i < l->group_count && held < HELD_BYTES; i++) {
        rc = find_documents(l, i, e);
        if (!rc && l->groups[i].found)
            held += l->groups[i].found->reply->bytes;
    }
    if (rc) {
        forget(l);
        if (mongo_fault_passes(e)) /* it may have been too much at once */
            l->limit = MAX((size_t)1, l->limit / 2);
    } else {
        adapt(l, i < l->group_count);
    }
    return rc;
}

static struct key *known(struct mongo_lookup *l, const struct change *c)
{
    char uuid[16];
    if (!mongo_token_uuid(c->token, uuid))
        return NULL;
    size_t group = find_group(l, c, uuid);
    uint32_t slot = group == SIZE_MAX ? 0 : *slot_of(l, group, hash_of(group, &c->id), &c->id);
    return slot ? &l->keys[slot - 1] : NULL;
}

enum err mongo_lookup_find(struct mongo_lookup *l, struct slice event, struct bson_walk rest,
                           struct change *c, struct error *e)
{
    enum err rc = E_OK;
    struct key *k = NULL;
    if (!wants_document(l, c))
        return E_OK;
    if (!c->has_id)
        return error_set(e, E_UNSUPPORTED, "an event has no documentKey");
    if (event.p >= l->from && event.p < l->until)
        k = known(l, c);
    if (!k || (k->state == KEY_UNKNOWN && event.p != l->from)) {
        rc = look_up(l, event, rest, c, e);
        k = rc ? NULL : known(l, c);
    }
    if (!k)
        return rc ? rc : error_set(e, E_UNSUPPORTED, "an event was not found among its own");
    if (k->state == KEY_UNKNOWN || k->state == KEY_ALONE) {
        mongo_cursor_close(l->single);
        l->single = NULL;
        rc = run(l, k->group, k, &l->single, e);
        if (!rc && l->single && !mongo_cursor_next(l->single, &c->after))
            c->after = SLICE_NULL;
        return rc;
    }
    c->after = k->document; /* null: it is gone */
    return E_OK;
}
