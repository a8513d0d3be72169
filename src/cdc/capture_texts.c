/* cdc/capture_texts.c - see capture_texts.h. */
#include "cdc/capture_texts.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "connect/json_out.h"

enum { KEY_MAX = 1000 }; /* bytes of a key that are shown */

struct capture_texts *capture_texts_new(void)
{
    struct capture_texts *t = xcalloc(1, sizeof *t);
    pthread_mutex_init(&t->lock, NULL);
    for (size_t i = 0; i < CAPTURE_TEXTS; i++)
        strbuf_init(&t->items[i], 0);
    return t;
}

void capture_texts_free(struct capture_texts *t)
{
    if (!t)
        return;
    for (size_t i = 0; i < CAPTURE_TEXTS; i++)
        strbuf_release(&t->items[i]);
    pthread_mutex_destroy(&t->lock);
    mem_free(t);
}

static void set_locked(struct capture_texts *t, enum capture_text which, struct slice text)
{
    strbuf_reset(&t->items[which]);
    strbuf_add_slice(&t->items[which], text);
    t->given[which] = text.p != NULL;
}

void capture_text_set(struct capture_texts *t, enum capture_text which, struct slice text)
{
    if (!t)
        return;
    pthread_mutex_lock(&t->lock);
    set_locked(t, which, text);
    pthread_mutex_unlock(&t->lock);
}

bool capture_text_get(struct capture_texts *t, enum capture_text which, struct strbuf *out)
{
    strbuf_reset(out);
    if (!t)
        return false;
    pthread_mutex_lock(&t->lock);
    bool given = t->given[which];
    if (given)
        strbuf_add_slice(out, strbuf_slice(&t->items[which]));
    pthread_mutex_unlock(&t->lock);
    return given;
}

void capture_texts_chunk(struct capture_texts *t, struct slice id, struct slice from,
                         struct slice to, struct slice max, bool begins)
{
    if (!t)
        return;
    pthread_mutex_lock(&t->lock);
    set_locked(t, TEXT_CHUNK_ID, id);
    set_locked(t, TEXT_CHUNK_FROM, from);
    set_locked(t, TEXT_CHUNK_TO, to);
    if (begins)
        set_locked(t, TEXT_TABLE_FROM, from);
    set_locked(t, TEXT_TABLE_TO, max);
    pthread_mutex_unlock(&t->lock);
}

static int by_text(const void *a, const void *b)
{
    return slice_cmp(*(const struct slice *)a, *(const struct slice *)b);
}

void capture_texts_tables(struct capture_texts *t, struct slice *names, size_t count)
{
    struct strbuf text = STRBUF_INIT;
    struct json_writer w = JSON_WRITER(&text);
    if (count)
        qsort(names, count, sizeof *names, by_text);
    jw_begin_array(&w);
    for (size_t i = 0; i < count; i++)
        jw_string(&w, names[i]);
    jw_end_array(&w);
    if (!strbuf_err(&text))
        capture_text_set(t, TEXT_TABLES, strbuf_slice(&text));
    strbuf_release(&text);
}

/* --- pauses ----------------------------------------------------------------------------------- */

static int64_t load(const _Atomic int64_t *v)
{
    return atomic_load_explicit(v, memory_order_relaxed);
}

void capture_texts_pause(struct capture_texts *t, bool paused)
{
    if (!t || paused == (load(&t->paused_since_ms) != 0))
        return;
    if (!paused)
        atomic_store_explicit(&t->paused_ms, capture_texts_paused_ms(t), memory_order_relaxed);
    atomic_store_explicit(&t->paused_since_ms, paused ? clock_mono_ms() : 0, memory_order_relaxed);
}

int64_t capture_texts_paused_ms(const struct capture_texts *t)
{
    if (!t)
        return 0;
    int64_t since = load(&t->paused_since_ms);
    return load(&t->paused_ms) + (since ? clock_mono_ms() - since : 0);
}

/* --- the last record -------------------------------------------------------------------------- */

/* The payload of a key that is written already, out of {"schema":...,"payload":KEY}. Its constant
 * beginning may reach into the key. */
static void add_written_key(const struct record_batch *b, const struct record *r,
                            const struct direct_form *direct, struct strbuf *out)
{
    static const struct slice mark = SL_INIT("\"payload\":");
    struct slice head = r->text.key_head;
    struct slice key = slice_of(b->text.p + r->text.key_at, r->text.key_n);
    if (direct && direct->key.schemas && key.n) {
        size_t from = head.n;
        while (from > 0 && !slice_ends(slice_sub(head, 0, from), mark))
            from--;
        head = slice_sub(head, from, head.n);
        key = slice_sub(key, 0, key.n - 1);
    }
    strbuf_add_slice(out, head);
    strbuf_add_slice(out, key);
}

static void add_key(const struct record_batch *b, const struct record *r,
                    const struct direct_form *direct, struct strbuf *out)
{
    static const struct json_out_options plain;
    struct error own = {0};
    enum err rc = E_OK;
    size_t begin = out->n;
    strbuf_adds(out, out->n ? ", key: " : "key: ");
    size_t before = out->n;
    if (r->text.used && !r->text.key_null)
        add_written_key(b, r, direct, out);
    else if (!r->text.used && r->key.kind != VALUE_NULL)
        rc = json_out_value(out, r->key_schema, r->key, &plain, &own);
    if (rc || out->n == before)
        out->p[out->n = begin] = '\0';
    if (out->n > before + KEY_MAX) {
        out->p[out->n = before + KEY_MAX] = '\0';
        strbuf_adds(out, "...");
    }
}

void capture_texts_last(struct capture_texts *t, enum capture_text which,
                        const struct record_batch *b, struct slice position,
                        const struct direct_form *direct)
{
    struct strbuf text = STRBUF_INIT;
    if (!t || !b->count)
        return;
    if (position.p)
        strbuf_addf(&text, "position: " PRI_SL, ARG_SL(position));
    add_key(b, &b->records[b->count - 1], direct, &text);
    if (!strbuf_err(&text))
        capture_text_set(t, which, strbuf_slice(&text));
    strbuf_release(&text);
}
