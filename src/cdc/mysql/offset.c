/* cdc/mysql/offset.c - offsets as JSON, and their order. SPEC: cdc-mysql 5.10, 8.1 */
#include "cdc/mysql/offset.h"

#include <jansson.h>

#include "base/json.h"
#include "cdc/mysql/gtid.h"

void mysql_offset_init(struct mysql_offset *o)
{
    memset(o, 0, sizeof *o);
    strbuf_init(&o->gtids, 0);
    strbuf_init(&o->transaction, 0);
    strbuf_init(&o->xa, 0);
    strbuf_init(&o->extra, 0);
}

void mysql_offset_release(struct mysql_offset *o)
{
    strbuf_release(&o->gtids);
    strbuf_release(&o->transaction);
    strbuf_release(&o->xa);
    strbuf_release(&o->extra);
}

void mysql_offset_copy(struct mysql_offset *to, const struct mysql_offset *from)
{
    struct strbuf gtids = to->gtids, transaction = to->transaction, extra = to->extra;
    struct strbuf xa = to->xa;
    *to = *from;
    to->xa = xa;
    strbuf_reset(&to->xa);
    strbuf_add_slice(&to->xa, strbuf_slice(&from->xa));
    to->gtids = gtids;
    to->transaction = transaction;
    to->extra = extra;
    strbuf_reset(&to->extra);
    strbuf_add_slice(&to->extra, strbuf_slice(&from->extra));
    strbuf_reset(&to->gtids);
    strbuf_add_slice(&to->gtids, strbuf_slice(&from->gtids));
    strbuf_reset(&to->transaction);
    strbuf_add_slice(&to->transaction, strbuf_slice(&from->transaction));
}

enum err mysql_offset_set_file(struct mysql_offset *o, struct slice file)
{
    if (file.n >= sizeof o->file)
        return E_TOO_LARGE;
    memcpy(o->file, file.p ? file.p : "", file.n);
    o->file[file.n] = '\0';
    return E_OK;
}

/* --- JSON ------------------------------------------------------------------------------------- */

static int64_t member_int(const json_t *object, const char *name)
{
    const json_t *v = json_object_get(object, name);
    int64_t n = 0;
    if (json_is_integer(v))
        return json_integer_value(v);
    if (json_is_real(v))
        return (int64_t)json_real_value(v);
    if (json_is_string(v) && slice_to_i64(slice_cstr(json_string_value(v)), &n))
        return 0;
    return n;
}

static enum offset_snapshot member_snapshot(const json_t *object)
{
    const json_t *v = json_object_get(object, "snapshot");
    if (json_is_true(v))
        return OFFSET_INITIAL;
    struct slice s = slice_cstr(json_string_value(v));
    if (slice_ieq(s, SL("true")) || slice_ieq(s, SL("INITIAL")))
        return OFFSET_INITIAL;
    if (slice_ieq(s, SL("BLOCKING")))
        return OFFSET_BLOCKING;
    if (slice_ieq(s, SL("INCREMENTAL")))
        return OFFSET_INCREMENTAL;
    return OFFSET_STREAMING;
}

static bool member_true(const json_t *object, const char *name)
{
    const json_t *v = json_object_get(object, name);
    return json_is_true(v) ||
           (json_is_string(v) && slice_ieq(slice_cstr(json_string_value(v)), SL("true")));
}

enum err mysql_offset_parse(struct mysql_offset *o, struct slice json, struct error *e)
{
    json_error_t fault;
    json_t *root = json_loadb(json.p ? json.p : "", json.n, 0, &fault);
    if (!json_is_object(root)) {
        json_decref(root);
        return error_set(e, E_INVALID, "a source offset is a JSON object");
    }
    struct slice file = slice_cstr(json_string_value(json_object_get(root, "file")));
    struct slice gtids = slice_cstr(json_string_value(json_object_get(root, "gtids")));
    enum err rc = E_OK;
    if (!file.p && !gtids.n)
        rc = error_set(e, E_INVALID, "Source offset 'file' parameter is missing");
    else if (mysql_offset_set_file(o, file))
        rc = error_set(e, E_INVALID, "the name of the binlog file is too long");
    if (rc == E_OK) {
        strbuf_reset(&o->gtids);
        strbuf_add_slice(&o->gtids, slice_trim(gtids));
        strbuf_reset(&o->xa);
        strbuf_adds(&o->xa, json_is_string(json_object_get(root, "weir_xa"))
                                ? json_string_value(json_object_get(root, "weir_xa"))
                                : "");
        o->pos = (uint64_t)member_int(root, "pos");
        o->event = (uint64_t)member_int(root, "event");
        o->row = (uint64_t)member_int(root, "row");
        o->ts_sec = member_int(root, "ts_sec");
        o->server_id = member_int(root, "server_id");
        o->snapshot = member_snapshot(root);
        o->snapshot_completed = member_true(root, "snapshot_completed");
    }
    json_decref(root);
    return rc;
}

void mysql_offset_print(const struct mysql_offset *o, bool history, struct strbuf *out)
{
    strbuf_adds(out, "{\"ts_sec\":");
    strbuf_add_i64(out, o->ts_sec);
    strbuf_adds(out, ",\"file\":");
    json_add_string(out, slice_cstr(o->file));
    strbuf_adds(out, ",\"pos\":");
    strbuf_add_u64(out, o->pos);
    if (o->gtids.n) {
        strbuf_adds(out, ",\"gtids\":");
        json_add_string(out, strbuf_slice(&o->gtids));
    }
    if (o->row && !history) {
        strbuf_adds(out, ",\"row\":");
        strbuf_add_u64(out, o->row);
    }
    if (o->server_id) {
        strbuf_adds(out, ",\"server_id\":");
        strbuf_add_i64(out, o->server_id);
    }
    if (o->event && !history) {
        strbuf_adds(out, ",\"event\":");
        strbuf_add_u64(out, o->event);
    }
    if (!history)
        strbuf_add_slice(out, strbuf_slice(&o->transaction));
    if (!history && o->xa.n) {
        strbuf_adds(out, ",\"weir_xa\":");
        json_add_string(out, strbuf_slice(&o->xa));
    }
    if (o->snapshot == OFFSET_INITIAL || o->snapshot == OFFSET_BLOCKING)
        strbuf_adds(out, o->snapshot == OFFSET_INITIAL ? ",\"snapshot\":\"INITIAL\""
                                                       : ",\"snapshot\":\"BLOCKING\"");
    if (!history)
        strbuf_add_slice(out, strbuf_slice(&o->extra));
    strbuf_addc(out, '}');
}

void mysql_partition_print(struct slice prefix, struct strbuf *out)
{
    strbuf_adds(out, "{\"server\":");
    json_add_string(out, prefix);
    strbuf_addc(out, '}');
}

/* --- order ------------------------------------------------------------------------------------ */

uint64_t mysql_binlog_number(struct slice file)
{
    ptrdiff_t dot = slice_rfind_char(file, '.');
    uint64_t n = 0;
    if (dot < 0 || slice_to_u64(slice_sub(file, (size_t)dot + 1, file.n), &n))
        return 0;
    return n;
}

static int by_position(const struct mysql_offset *a, const struct mysql_offset *b)
{
    uint64_t fa = mysql_binlog_number(slice_cstr(a->file)),
             fb = mysql_binlog_number(slice_cstr(b->file));
    if (fa != fb)
        return fa < fb ? -1 : 1;
    return a->pos < b->pos ? -1 : a->pos > b->pos;
}

/* 1: a is before or at b; 0: it is not; -1: the sets say nothing (equal, or not readable). */
static int by_gtids(const struct mysql_offset *a, const struct mysql_offset *b, bool mariadb)
{
    struct slice ta = strbuf_slice(&a->gtids), tb = strbuf_slice(&b->gtids);
    int answer = -1;
    if (mariadb) {
        struct mariadb_gtid_pos pa, pb;
        mariadb_gtid_pos_init(&pa);
        mariadb_gtid_pos_init(&pb);
        if (mariadb_gtid_pos_parse(&pa, ta, NULL) == E_OK &&
            mariadb_gtid_pos_parse(&pb, tb, NULL) == E_OK) {
            bool ab = mariadb_gtid_pos_at_or_before(&pa, &pb),
                 ba = mariadb_gtid_pos_at_or_before(&pb, &pa);
            answer = ab && ba ? -1 : ab;
        }
        mariadb_gtid_pos_release(&pa);
        mariadb_gtid_pos_release(&pb);
    } else {
        struct gtid_set sa, sb;
        gtid_set_init(&sa);
        gtid_set_init(&sb);
        if (gtid_set_parse(&sa, ta, NULL) == E_OK && gtid_set_parse(&sb, tb, NULL) == E_OK)
            answer = gtid_set_eq(&sa, &sb) ? -1 : gtid_set_subset(&sa, &sb);
        gtid_set_release(&sa);
        gtid_set_release(&sb);
    }
    return answer;
}

bool mysql_offset_at_or_before(const struct mysql_offset *a, const struct mysql_offset *b,
                               bool mariadb)
{
    if (a->gtids.n && b->gtids.n) {
        int answer = by_gtids(a, b, mariadb);
        if (answer >= 0)
            return answer == 1;
        /* The same transactions: positions decide, but only within one server's files. */
        if (a->server_id && b->server_id && a->server_id != b->server_id)
            return true;
    }
    return by_position(a, b) <= 0;
}
