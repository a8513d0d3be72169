/* web/message_query.c - see message_query.h. */
#include "web/message_query.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base/base.h"
#include "base/bytes.h"
#include "base/json.h"

enum { MAC_SIZE = 16, PARTITIONS_MAX = 100000, CURSOR_VERSION = 1 };

static const char *const mode_names[] = {
    [MESSAGES_LATEST] = "LATEST",
    [MESSAGES_EARLIEST] = "EARLIEST",
    [MESSAGES_FROM_OFFSET] = "FROM_OFFSET",
    [MESSAGES_TO_OFFSET] = "TO_OFFSET",
    [MESSAGES_FROM_TIMESTAMP] = "FROM_TIMESTAMP",
    [MESSAGES_TO_TIMESTAMP] = "TO_TIMESTAMP",
    [MESSAGES_TAILING] = "TAILING",
};

bool message_mode_parse(struct slice name, enum message_mode *out)
{
    for (size_t i = 0; i < ARRAY_LEN(mode_names); i++)
        if (slice_eq_c(name, mode_names[i])) {
            *out = (enum message_mode)i;
            return true;
        }
    return false;
}

bool message_mode_backward(enum message_mode mode)
{
    return mode == MESSAGES_LATEST || mode == MESSAGES_TO_OFFSET || mode == MESSAGES_TO_TIMESTAMP;
}

void message_query_init(struct message_query *q)
{
    *q = (struct message_query){.mode = MESSAGES_LATEST,
                                .value = -1,
                                .limit = MESSAGE_LIMIT_DEFAULT,
                                .max_bytes = MESSAGE_BYTES_DEFAULT};
    arena_init(&q->a, 1024, 64 << 20);
}

void message_query_release(struct message_query *q)
{
    arena_release(&q->a);
}

/* --- parameters ------------------------------------------------------------------------------ */

static struct slice note(struct message_query *q, const char *what, struct slice name)
{
    return slice_cstr(arena_printf(&q->a,
                                   PRI_SL "%sthere is no serde '" PRI_SL "' for the %s, "
                                          "so it is shown as String",
                                   ARG_SL(q->note), q->note.p ? "; " : "", (int)MIN(name.n, 80),
                                   name.p, what));
}

/* A bookmark may name a serde that is not there: shown with the preferred one, and said. */
static void read_serdes(struct message_query *q, const struct http_request *r)
{
    struct slice key = http_query(r, "keySerde"), value = http_query(r, "valueSerde");
    if (key.n && !serde_find(key, &q->key_serde))
        q->note = note(q, "key", key);
    if (value.n && !serde_find(value, &q->value_serde))
        q->note = note(q, "value", value);
}

static bool number(const struct http_request *r, const char *name, int64_t *out)
{
    return slice_to_i64(http_query(r, name), out) == E_OK;
}

/* limit, serdes, filter: common to the new and the old form. */
static enum err read_common(struct message_query *q, const struct http_request *r,
                            const char *filter_name, struct error *e)
{
    int64_t n;
    struct slice filter = http_query(r, filter_name);
    if (number(r, "limit", &n) && n >= 1 && n <= MESSAGE_LIMIT_MAX)
        q->limit = (int32_t)n;
    if (number(r, "maxBytes", &n) && n >= 1 && n <= MESSAGE_BYTES_MAX)
        q->max_bytes = (size_t)n;
    read_serdes(q, r);
    if (filter.n && !slice_is_utf8(filter))
        return error_set(e, E_INVALID, "the filter is not UTF-8");
    q->filter = arena_dup(&q->a, filter);
    if (http_query(r, "smartFilterId").n)
        return error_set(e, E_INVALID,
                         "filters by expression (smartFilterId) are not supported; "
                         "use stringFilter");
    return E_OK;
}

static enum err add_position(struct message_query *q, size_t room, int64_t partition, int64_t value,
                             struct error *e)
{
    if (partition < 0 || partition > INT32_MAX || q->count == room)
        return error_set(e, E_INVALID, "partitions must be a list of partition numbers");
    for (size_t i = 0; i < q->count; i++)
        if (q->positions[i].partition == partition) {
            q->positions[i].value = value;
            return E_OK;
        }
    q->positions[q->count++] = (struct message_position){(int32_t)partition, value};
    return E_OK;
}

static enum err alloc_positions(struct message_query *q, size_t room, struct error *e)
{
    if (room > PARTITIONS_MAX)
        return error_set(e, E_INVALID, "too many partitions");
    q->positions = arena_calloc(&q->a, room + 1, sizeof *q->positions);
    return E_OK;
}

/* partitions=0,1 and partitions=0&partitions=1; empty: all. */
static enum err read_partitions(struct message_query *q, const struct http_request *r,
                                struct error *e)
{
    struct slice text, part;
    size_t room = 0;
    int64_t id;
    for (size_t k = 0; (text = http_query_nth(r, "partitions", k)).p; k++)
        while (slice_split(&text, ',', &part))
            room++;
    enum err err = alloc_positions(q, room, e);
    for (size_t k = 0; !err && (text = http_query_nth(r, "partitions", k)).p; k++)
        while (!err && slice_split(&text, ',', &part))
            if (part.n)
                err = add_position(q, room, slice_to_i64(part, &id) == E_OK ? id : -1, -1, e);
    return err;
}

enum err message_query_read(struct message_query *q, const struct http_request *r,
                            struct slice topic, struct slice secret, struct error *e)
{
    message_query_init(q);
    struct slice mode = http_query(r, "mode"), cursor = http_query(r, "cursor");
    if (cursor.n)
        return message_cursor_read(q, cursor, topic, secret, e);
    if (mode.n && !message_mode_parse(mode, &q->mode))
        return error_set(e, E_INVALID,
                         "mode must be one of LATEST, EARLIEST, FROM_OFFSET, TO_OFFSET, "
                         "FROM_TIMESTAMP, TO_TIMESTAMP, TAILING");
    const char *needs = NULL;
    if (q->mode == MESSAGES_FROM_OFFSET || q->mode == MESSAGES_TO_OFFSET)
        needs = "offset";
    else if (q->mode == MESSAGES_FROM_TIMESTAMP || q->mode == MESSAGES_TO_TIMESTAMP)
        needs = "timestamp";
    if (needs && (!number(r, needs, &q->value) || q->value < 0))
        return error_set(e, E_INVALID, "mode %s needs the parameter %s, a number from 0",
                         mode_names[q->mode], needs);
    enum err err = read_partitions(q, r, e);
    return err ? err : read_common(q, r, "stringFilter", e);
}

/* --- the old form ---------------------------------------------------------------------------- */

enum err message_seek_parse(struct message_query *q, struct slice text, struct error *e)
{
    size_t room = q->count + 1;
    struct slice part;
    for (size_t i = 0; i < text.n; i++)
        room += text.p[i] == ',';
    struct message_position *before = q->positions;
    enum err err = alloc_positions(q, room, e);
    if (!err && before)
        memcpy(q->positions, before, q->count * sizeof *before);
    while (!err && slice_split(&text, ',', &part)) {
        int64_t partition, value;
        ptrdiff_t colons = slice_find(part, SL("::"));
        if (part.n == 0)
            continue;
        if (colons < 0 || slice_to_i64(slice_sub(part, 0, (size_t)colons), &partition) != E_OK ||
            slice_to_i64(slice_sub(part, (size_t)colons + 2, part.n), &value) != E_OK || value < 0)
            return error_set(e, E_INVALID, "seekTo must look like 0::10,1::7");
        err = add_position(q, room, partition, value, e);
    }
    return err;
}

enum err message_query_read_old(struct message_query *q, const struct http_request *r,
                                struct error *e)
{
    message_query_init(q);
    struct slice type = http_query(r, "seekType"), text;
    struct slice direction = http_query(r, "seekDirection");
    bool back = slice_eq_c(direction, "BACKWARD"), seeks = true;
    enum err err = E_OK;
    if (slice_eq_c(direction, "TAILING"))
        q->mode = MESSAGES_TAILING;
    else if (slice_eq_c(type, "OFFSET"))
        q->mode = back ? MESSAGES_TO_OFFSET : MESSAGES_FROM_OFFSET;
    else if (slice_eq_c(type, "TIMESTAMP"))
        q->mode = back ? MESSAGES_TO_TIMESTAMP : MESSAGES_FROM_TIMESTAMP;
    else if (slice_eq_c(type, "LATEST") || back)
        q->mode = MESSAGES_LATEST;
    else
        q->mode = MESSAGES_EARLIEST;
    if (q->mode == MESSAGES_TAILING || q->mode == MESSAGES_LATEST || q->mode == MESSAGES_EARLIEST)
        seeks = false;
    for (size_t k = 0; !err && (text = http_query_nth(r, "seekTo", k)).p; k++)
        err = message_seek_parse(q, text, e);
    if (!err && seeks && q->count == 0)
        err = error_set(e, E_INVALID, "seekType " PRI_SL " needs seekTo=PARTITION::VALUE",
                        ARG_SL(type));
    for (size_t i = 0; !seeks && i < q->count; i++)
        q->positions[i].value = -1; /* only says which partitions */
    if (!err && http_query(r, "q").n &&
        slice_eq_c(http_query(r, "filterQueryType"), "GROOVY_SCRIPT"))
        err = error_set(e, E_INVALID,
                        "filters in Groovy are not supported; use a plain text to search for");
    return err ? err : read_common(q, r, "q", e);
}

/* --- cursors --------------------------------------------------------------------------------- */

static void mac_of(struct slice text, struct slice secret, uint8_t out[MAC_SIZE])
{
    uint8_t full[EVP_MAX_MD_SIZE];
    unsigned n = sizeof full;
    invariant(HMAC(EVP_sha256(), secret.p, (int)secret.n, (const uint8_t *)text.p, text.n, full,
                   &n) != NULL);
    memcpy(out, full, MAC_SIZE);
}

void message_cursor_write(struct strbuf *out, const struct message_query *q, struct slice topic,
                          struct slice secret)
{
    struct strbuf text = STRBUF_INIT;
    struct json_writer w = JSON_WRITER(&text);
    uint8_t mac[MAC_SIZE] = {0};
    strbuf_add(&text, mac, sizeof mac); /* its place */
    jw_begin_object(&w);
    jw_kv_i64(&w, "v", CURSOR_VERSION);
    jw_kv_string(&w, "t", topic);
    jw_kv_bool(&w, "b", message_mode_backward(q->mode));
    jw_kv_i64(&w, "l", q->limit);
    jw_kv_i64(&w, "m", (int64_t)q->max_bytes);
    jw_kv_string_c(&w, "k", serde_name(q->key_serde));
    jw_kv_string_c(&w, "s", serde_name(q->value_serde));
    jw_kv_string(&w, "f", q->filter);
    jw_kv_array(&w, "p");
    for (size_t i = 0; i < q->count; i++) {
        jw_i64(&w, q->positions[i].partition);
        jw_i64(&w, q->positions[i].value);
    }
    jw_end_array(&w);
    jw_end_object(&w);
    mac_of(slice_sub(strbuf_slice(&text), MAC_SIZE, text.n), secret, mac);
    memcpy(text.p, mac, sizeof mac);
    base64url_encode(out, strbuf_slice(&text));
    strbuf_release(&text);
}

static enum err read_positions(struct message_query *q, const json_t *list)
{
    size_t n = json_array_size(list);
    if (n % 2 || n > 2 * (size_t)PARTITIONS_MAX || alloc_positions(q, n / 2, NULL) != E_OK)
        return E_INVALID;
    for (size_t i = 0; i < n; i += 2) {
        int64_t partition = json_integer_value(json_array_get(list, i));
        int64_t value = json_integer_value(json_array_get(list, i + 1));
        if (value < 0 || add_position(q, n / 2, partition, value, NULL) != E_OK)
            return E_INVALID;
    }
    return q->count > 0 ? E_OK : E_INVALID;
}

static enum err read_members(struct message_query *q, const json_t *c, struct slice topic)
{
    int64_t limit = json_get_i64(c, "l", 0), max_bytes = json_get_i64(c, "m", 0);
    if (json_get_i64(c, "v", 0) != CURSOR_VERSION || !slice_eq(json_get_str(c, "t"), topic) ||
        limit < 1 || limit > MESSAGE_LIMIT_MAX || max_bytes < 1 || max_bytes > MESSAGE_BYTES_MAX ||
        !serde_find(json_get_str(c, "k"), &q->key_serde) ||
        !serde_find(json_get_str(c, "s"), &q->value_serde))
        return E_INVALID;
    q->mode = json_get_bool(c, "b", false) ? MESSAGES_TO_OFFSET : MESSAGES_FROM_OFFSET;
    q->limit = (int32_t)limit;
    q->max_bytes = (size_t)max_bytes;
    q->filter = arena_dup(&q->a, json_get_str(c, "f"));
    return read_positions(q, json_object_get(c, "p"));
}

enum err message_cursor_read(struct message_query *q, struct slice id, struct slice topic,
                             struct slice secret, struct error *e)
{
    struct strbuf text = STRBUF_INIT;
    uint8_t mac[MAC_SIZE];
    json_t *c = NULL;
    enum err err = base64url_decode(&text, id);
    if (!err && text.n <= MAC_SIZE)
        err = E_INVALID;
    if (!err) {
        struct slice json = slice_sub(strbuf_slice(&text), MAC_SIZE, text.n);
        mac_of(json, secret, mac);
        err =
            CRYPTO_memcmp(mac, text.p, MAC_SIZE) == 0 ? json_load_slice(json, &c, NULL) : E_INVALID;
    }
    if (!err)
        err = read_members(q, c, topic);
    json_decref(c);
    strbuf_release(&text);
    return err ? error_set(e, E_INVALID, "the cursor is not one of this topic on this server")
               : E_OK;
}
