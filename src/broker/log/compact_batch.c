/* broker/log/compact_batch.c - see compact_batch.h. */
#include "broker/log/compact_batch.h"

#include "base/hash.h"

/* Records that stay, collected while a batch is read. */
struct kept {
    struct strbuf bytes;
    int64_t count, read, max_timestamp;
    bool tombstones;
};

/* SPEC: broker 4.4: the newest of its key; a tombstone until the horizon has passed. */
static bool stays(const struct batch_record *rec, const struct compact_rules *r, int64_t horizon)
{
    if (rec->offset >= r->map_end)
        return true;
    if (slice_is_null(rec->key))
        return false; /* from a time before the topic was compacted */
    if (rec->offset < keymap_get(r->map, rec->key))
        return false;
    return !slice_is_null(rec->value) || horizon < 0 || r->now_ms < horizon;
}

/* The record with its timestamp counted from another base. */
static void add_rebased(struct strbuf *out, struct slice record, int64_t delta)
{
    struct reader r = reader_of(record.p, record.n);
    uint8_t head[24], *p = head;
    read_varint(&r); /* length */
    uint8_t attributes = read_u8(&r);
    read_varlong(&r); /* the old delta */
    p = write_varint(p, (int64_t)(1 + varint_size(delta) + reader_left(&r)));
    *p++ = attributes;
    p = write_varint(p, delta);
    strbuf_add(out, head, (size_t)(p - head));
    strbuf_add(out, r.at, reader_left(&r));
}

/* One pass over the records. base: of the timestamps of what is collected, or NULL: as they are. */
static enum err collect(struct slice batch, const struct compact_rules *r, const int64_t *base,
                        struct kept *k)
{
    struct batch_iter it;
    struct batch_record rec;
    bool control = batch_is_control(batch.p);
    int64_t horizon = compact_horizon(batch.p);
    enum err err = batch_iter_init(&it, batch, r->max_plain);
    if (err)
        return err;
    strbuf_reset(&k->bytes);
    k->count = k->read = 0;
    k->max_timestamp = -1;
    k->tombstones = false;
    while (batch_iter_next(&it, &rec)) {
        k->read++;
        if (!control && !stays(&rec, r, horizon))
            continue;
        struct slice bytes = slice_of(it.r.at - rec.size, rec.size);
        if (base)
            add_rebased(&k->bytes, bytes, (int64_t)((uint64_t)rec.timestamp - (uint64_t)*base));
        else
            strbuf_add_slice(&k->bytes, bytes);
        k->max_timestamp = MAX(k->max_timestamp, rec.timestamp);
        k->tombstones |= !control && slice_is_null(rec.value);
        k->count++;
    }
    err = it.err ? it.err : strbuf_err(&k->bytes);
    batch_iter_release(&it);
    return err;
}

/* Length and checksum of the batch that begins at `start`. */
static void close_batch(struct strbuf *out, size_t start)
{
    uint8_t *p = (uint8_t *)out->p + start;
    size_t n = out->n - start;
    store_be32(p + 8, (uint32_t)(n - BATCH_LOG_OVERHEAD));
    store_be32(p + 17, crc32c(0, p + BATCH_CRC_FROM, n - BATCH_CRC_FROM));
}

static enum err add_header_only(struct slice batch, bool of_nobody, struct strbuf *out)
{
    uint8_t header[BATCH_HEADER_SIZE];
    uint16_t gone = BATCH_CODEC_MASK | BATCH_DELETE_HORIZON;
    size_t start = out->n;
    memcpy(header, batch.p, sizeof header);
    if (of_nobody) {
        gone |= BATCH_TRANSACTIONAL | BATCH_CONTROL;
        memset(header + 43, 0xff, 14); /* producer id, epoch, sequence: -1 */
    }
    store_be16(header + 21, (uint16_t)(batch_attributes(batch.p) & ~gone));
    store_be64(header + 27, UINT64_MAX);
    store_be32(header + 57, 0);
    strbuf_add(out, header, sizeof header);
    if (strbuf_err(out))
        return strbuf_err(out);
    close_batch(out, start);
    return E_OK;
}

static enum err add_records(struct slice batch, const struct kept *k, const int64_t *base,
                            struct strbuf *out)
{
    enum codec codec = (enum codec)batch_codec(batch.p);
    size_t start = out->n;
    enum err err = E_OK;
    strbuf_add(out, batch.p, BATCH_HEADER_SIZE);
    if (codec == CODEC_NONE)
        strbuf_add_slice(out, strbuf_slice(&k->bytes));
    else
        err = codec_compress(codec, CODEC_LEVEL_DEFAULT, strbuf_slice(&k->bytes), out);
    if (!err)
        err = strbuf_err(out);
    if (!err && out->n - start > INT32_MAX)
        err = E_TOO_LARGE;
    if (err)
        return err;
    uint8_t *p = (uint8_t *)out->p + start;
    if (base) {
        store_be16(p + 21, batch_attributes(batch.p) | BATCH_DELETE_HORIZON);
        store_be64(p + 27, (uint64_t)*base);
    }
    if (!(batch_attributes(batch.p) & BATCH_LOG_APPEND_TIME))
        store_be64(p + 35, (uint64_t)k->max_timestamp);
    store_be32(p + 57, (uint32_t)k->count);
    close_batch(out, start);
    return E_OK;
}

static enum err add_as_it_is(struct slice batch, struct strbuf *out)
{
    strbuf_add_slice(out, batch);
    return strbuf_err(out);
}

static void take_back(struct strbuf *out, size_t start)
{
    out->n = start;
    out->failed = E_OK;
}

/* Records were read into k; writes what stays of them. */
static enum err add_kept(struct slice batch, const struct compact_rules *r,
                         const struct compact_how *how, struct kept *k, struct strbuf *out,
                         struct compact_done *done)
{
    int64_t horizon = compact_horizon(batch.p);
    bool wants = k->tombstones || how->idle;
    bool fresh = wants && horizon < 0;
    enum err err;
    if (fresh) {
        horizon = r->delete_retention_ms > INT64_MAX - MAX(r->now_ms, 0)
                      ? INT64_MAX
                      : r->now_ms + r->delete_retention_ms;
        err = collect(batch, r, &horizon, k);
        if (!err)
            err = add_records(batch, k, &horizon, out);
    } else if (k->count < k->read) {
        err = add_records(batch, k, NULL, out);
    } else {
        err = add_as_it_is(batch, out);
    }
    if (err)
        return err;
    done->changed |= fresh || k->count < k->read;
    done->kept += k->count;
    if (wants)
        done->horizon = MIN(done->horizon, horizon);
    return E_OK;
}

static enum err add_empty(struct slice batch, const struct compact_how *how, struct strbuf *out,
                          struct compact_done *done)
{
    bool control = batch_is_control(batch.p), was_empty = batch_count(batch.p) == 0;
    if (how->empty == COMPACT_DROP) {
        done->changed = true;
        return E_OK;
    }
    if (control && !was_empty) /* small, and readers want a marker to say which it is */
        return add_as_it_is(batch, out);
    bool of_nobody = how->empty == COMPACT_HEADER;
    done->changed |= !was_empty || (of_nobody && batch_producer_id(batch.p) >= 0);
    return add_header_only(batch, of_nobody, out);
}

enum err compact_batch(struct slice batch, const struct compact_rules *r,
                       const struct compact_how *how, struct strbuf *out, struct compact_done *done)
{
    struct kept k = {.bytes = STRBUF_INIT};
    size_t start = out->n;
    enum err err = E_OK;
    if (batch_count(batch.p) < 0 || batch_last_offset_delta(batch.p) < 0)
        return E_CORRUPT;
    done->read += batch_count(batch.p);
    if (batch_base_offset(batch.p) >= r->map_end && !how->aborted) {
        done->kept += batch_count(batch.p);
        return add_as_it_is(batch, out);
    }
    if (!how->aborted)
        err = collect(batch, r, NULL, &k);
    if (!err && k.count == 0)
        err = add_empty(batch, how, out, done);
    else if (!err)
        err = add_kept(batch, r, how, &k, out, done);
    if (err == E_TOO_LARGE || err == E_UNSUPPORTED) {
        take_back(out, start);
        done->kept += batch_count(batch.p);
        err = add_as_it_is(batch, out);
    }
    strbuf_release(&k.bytes);
    if (!err)
        return E_OK;
    take_back(out, start);
    return err == E_NOMEM || err == E_TOO_LARGE ? err : E_CORRUPT;
}
