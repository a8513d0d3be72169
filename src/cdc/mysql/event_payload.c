/* cdc/mysql/event_payload.c - compressed events: MySQL's TRANSACTION_PAYLOAD and MariaDB's
 * compressed bodies; and GTID_TAGGED with its self-describing fields.
 *
 * A payload is decompressed as its events are asked for: the buffer holds one event, whose size is
 * checked against the ceiling; the announced total is never allocated. SPEC: cdc-mysql 4.1, 4.3. */
#include <zlib.h>
#include <zstd.h>

#include "base/mem.h"
#include "cdc/mysql/event_int.h"

/* --- MariaDB -------------------------------------------------------------------------------- */

enum err event_decompress(struct mysql_binlog *b, struct slice in, struct error *e)
{
    struct reader r = reader_of(in.p, in.n);
    uint8_t head = read_u8(&r);
    unsigned length_size = head & 7;
    uint64_t plain = 0;

    if (!(head & 0x80) || length_size == 0)
        return error_set(e, E_CORRUPT, "compressed part has no header");
    if (head & 0x70)
        return error_set(e, E_UNSUPPORTED, "compression algorithm %u is not known", head >> 4 & 7);
    for (unsigned i = 0; i < length_size; i++)
        plain = plain << 8 | read_u8(&r);
    if (r.err)
        return error_set(e, E_TRUNCATED, "compressed part is cut off");
    /* zlib makes at most 1032 bytes of one: a larger announcement is a lie. */
    if (plain > b->max_bytes || plain / 1100 > in.n)
        return error_set(e, E_TOO_LARGE, "compressed part announces %llu bytes",
                         (unsigned long long)plain);
    strbuf_reset(&b->plain);
    if (strbuf_reserve(&b->plain, (size_t)plain) != E_OK)
        return error_set(e, E_NOMEM, "no memory for %llu decompressed bytes",
                         (unsigned long long)plain);
    uLongf out = (uLongf)plain;
    if (uncompress((Bytef *)b->plain.p, &out, r.at, (uLong)reader_left(&r)) != Z_OK || out != plain)
        return error_set(e, E_CORRUPT, "compressed part is damaged");
    b->plain.n = (size_t)plain;
    b->plain.p[plain] = '\0';
    return E_OK;
}

/* --- TRANSACTION_PAYLOAD -------------------------------------------------------------------- */

struct payload_reader {
    ZSTD_DStream *zstd;
    bool open, compressed;
    ZSTD_inBuffer in;
    struct strbuf event;      /* the inner event in hand */
    struct mysql_event outer; /* header of the payload */
};

void event_free_payload(struct mysql_binlog *b)
{
    if (!b->payload)
        return;
    ZSTD_freeDStream(b->payload->zstd);
    strbuf_release(&b->payload->event);
    mem_free(b->payload);
    b->payload = NULL;
}

void event_trim_payload(struct mysql_binlog *b)
{
    struct payload_reader *p = b->payload;
    if (p && p->event.cap > EVENT_BYTES_KEPT)
        strbuf_release(&p->event);
    if (p && !p->open && ZSTD_sizeof_DStream(p->zstd) > EVENT_BYTES_KEPT) {
        ZSTD_freeDStream(p->zstd); /* its window was large */
        p->zstd = NULL;
    }
}

static enum err open_reader(struct mysql_binlog *b, struct error *e)
{
    if (!b->payload) {
        b->payload = xcalloc(1, sizeof *b->payload);
        strbuf_init(&b->payload->event, b->max_bytes);
    }
    struct payload_reader *p = b->payload;
    if (!p->zstd)
        p->zstd = ZSTD_createDStream();
    if (!p->zstd || ZSTD_isError(ZSTD_initDStream(p->zstd)))
        return error_set(e, E_NOMEM, "no memory for zstd");
    /* A frame with a window above 128 MiB would cost that memory; servers use far less. */
    ZSTD_DCtx_setParameter(p->zstd, ZSTD_d_windowLogMax, 27);
    return E_OK;
}

enum err event_open_payload(struct mysql_binlog *b, struct mysql_event *ev, struct error *e)
{
    struct reader r = reader_of(ev->body.p, ev->body.n);
    uint64_t algorithm = 0, size = 0, type;

    if (ev->inner)
        return event_bad(ev, "a payload within a payload", e);
    while ((type = event_packed(&r)) != 0 && r.err == E_OK) {
        struct slice value = read_slice(&r, event_packed(&r));
        struct reader v = reader_of(value.p, value.n);
        if (r.err)
            break;
        uint64_t number = event_packed(&v);
        if (type == 1)
            size = number;
        else if (type == 2)
            algorithm = number;
        else if (type == 3)
            ev->u.payload.plain_size = number;
    }
    if (r.err || size != reader_left(&r))
        return event_bad(ev, "its header is damaged", e);
    if (algorithm != 0 && algorithm != 255)
        return error_set(e, E_UNSUPPORTED,
                         "transaction payload is compressed by algorithm %llu, which is not known",
                         (unsigned long long)algorithm);
    enum err err = open_reader(b, e);
    if (err)
        return err;
    struct payload_reader *p = b->payload;
    p->open = true;
    p->compressed = ev->u.payload.compressed = algorithm == 0;
    p->in = (ZSTD_inBuffer){r.at, reader_left(&r), 0};
    p->outer = *ev;
    return E_OK;
}

/* Appends exactly `want` plain bytes to the event buffer, or fewer at the end of the input. */
static enum err fill(struct payload_reader *p, size_t want, size_t *got, struct error *e)
{
    if (strbuf_reserve(&p->event, want) != E_OK)
        return error_set(e, E_TOO_LARGE,
                         "event of %zu bytes in a transaction payload is over the limit", want);
    ZSTD_outBuffer out = {p->event.p + p->event.n, want, 0};
    if (!p->compressed) {
        size_t n = MIN(want, p->in.size - p->in.pos);
        memcpy(out.dst, (const char *)p->in.src + p->in.pos, n);
        p->in.pos += n;
        out.pos = n;
    }
    while (p->compressed && out.pos < want) {
        size_t in_before = p->in.pos, out_before = out.pos;
        size_t rc = ZSTD_decompressStream(p->zstd, &out, &p->in);
        if (ZSTD_isError(rc))
            return error_set(e, E_CORRUPT, "transaction payload is damaged: %s",
                             ZSTD_getErrorName(rc));
        if (p->in.pos == in_before && out.pos == out_before)
            break;
    }
    *got = out.pos;
    p->event.n += out.pos;
    return E_OK;
}

/* Memory follows the bytes that really come out: an event that announces 1 GiB in a payload of 50
 * bytes costs one piece. */
static enum err fill_event(struct payload_reader *p, size_t size, struct error *e)
{
    while (p->event.n < size) {
        size_t want = MIN(size - p->event.n, (size_t)1 << 20), got;
        enum err err = fill(p, want, &got, e);
        if (err)
            return err;
        if (got < want)
            return error_set(e, E_CORRUPT, "transaction payload ends within an event");
    }
    return E_OK;
}

static enum err next_inner(struct mysql_binlog *b, struct mysql_event *out, struct error *e)
{
    struct payload_reader *p = b->payload;
    size_t got;

    strbuf_reset(&p->event);
    enum err err = fill(p, EVENT_HEADER_SIZE, &got, e);
    if (err)
        return err;
    if (got == 0)
        return E_NOT_FOUND;
    size_t size = got == EVENT_HEADER_SIZE ? load_le32(p->event.p + 9) : 0;
    if (size < EVENT_HEADER_SIZE)
        return error_set(e, E_CORRUPT, "transaction payload ends within an event header");
    if (size > b->max_bytes)
        return error_set(e, E_TOO_LARGE,
                         "event of %zu bytes in a transaction payload is over the limit", size);
    err = fill_event(p, size, e);
    if (!err)
        err = mysql_event_header(strbuf_slice(&p->event), out, e);
    if (err)
        return err;
    out->inner = 1;
    return event_decode_body(b, out, e);
}

enum err mysql_binlog_inner(struct mysql_binlog *b, struct mysql_event *out, struct error *e)
{
    if (!b->payload || !b->payload->open)
        return E_NOT_FOUND;
    enum err err = next_inner(b, out, e);
    if (err)
        b->payload->open = false;
    if (err && err != E_NOT_FOUND)
        error_wrap(e, "transaction payload ending at %u", b->payload->outer.log_pos);
    return err;
}

/* --- GTID_TAGGED ---------------------------------------------------------------------------- */

/* Variable-length integer: as many low 1-bits as there are further bytes, then a 0-bit, then the
 * value, little endian. */
static uint64_t varlen(struct reader *r)
{
    uint8_t first = read_u8(r);
    unsigned more = first == 0xFF ? 8 : (unsigned)__builtin_ctz(~(unsigned)first);

    if (more == 8)
        return read_le64(r);
    uint64_t v = (uint64_t)first >> (more + 1);
    if (more == 0)
        return v;
    return v | read_le_n(r, more) << (8 - more - 1);
}

static int64_t varlen_signed(struct reader *r)
{
    uint64_t v = varlen(r);

    return v & 1 ? (int64_t) ~(v >> 1) : (int64_t)(v >> 1);
}

enum err event_decode_gtid_tagged(struct mysql_binlog *b, struct mysql_event *ev, struct error *e)
{
    struct reader r = reader_of(ev->body.p, ev->body.n);
    struct mysql_gtid_event *g = &ev->u.gtid;

    (void)b;
    (void)varlen(&r); /* format version */
    (void)varlen(&r); /* size of the message */
    (void)varlen(&r); /* last field that must be understood */
    while (reader_left(&r) > 0 && r.err == E_OK) {
        struct slice tag;
        switch (varlen(&r)) {
        case 0:
            g->flags = (uint8_t)varlen(&r);
            break;
        case 1:
            for (int i = 0; i < 16; i++)
                g->uuid[i] = (uint8_t)varlen(&r);
            break;
        case 2:
            g->gno = (uint64_t)varlen_signed(&r);
            break;
        case 3:
            tag = read_slice(&r, varlen(&r));
            if (tag.n >= sizeof g->tag)
                return event_bad(ev, "its tag is too long", e);
            if (tag.n)
                memcpy(g->tag, tag.p, tag.n);
            break;
        case 4:
            g->last_committed = varlen_signed(&r);
            break;
        case 5:
            g->sequence = varlen_signed(&r);
            break;
        case 6:
            g->immediate_commit_us = varlen(&r);
            break;
        case 7:
            g->original_commit_us = varlen(&r);
            break;
        case 8:
            g->transaction_length = varlen(&r);
            break;
        default: /* server versions and what comes after: not needed, and nothing needed stands
                    behind */
            r.at = r.end;
            break;
        }
    }
    if (r.err || g->gno == 0)
        return event_bad(ev, "its fields are damaged", e);
    if (!g->original_commit_us)
        g->original_commit_us = g->immediate_commit_us;
    return E_OK;
}
