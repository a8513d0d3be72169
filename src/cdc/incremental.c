/* cdc/incremental.c - order of an incremental snapshot: requests, windows, notes. What is stored is
 * in incremental_state.c. SPEC: cdc-mysql 3.7 */
#include "cdc/incremental.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"

enum { RETRY_MS = 1000, ARENA_BUDGET = 512 << 20, AGAIN_MAX = 20 };

struct inc_row {
    struct inc_row *next;
    const void *row; /* NULL: the stream has told it */
    bool several;    /* there are others of the same key */
};

/* --- life ------------------------------------------------------------------------------------- */

void incremental_init(struct incremental *inc, const struct incremental_ops *ops, void *db,
                      struct notifier *notes)
{
    memset(inc, 0, sizeof *inc);
    inc->ops = ops;
    inc->db = db;
    inc->notes = notes;
    arena_init(&inc->arena, 65536, ARENA_BUDGET);
    map_init(&inc->by_key);
}

static void replace_text(char **to, char *text)
{
    mem_free(*to);
    *to = text;
}

static void clear_window(struct incremental *inc)
{
    inc->window = INC_NONE;
    inc->emitting = inc->later = inc->doubtful = false;
    inc->first = inc->last = NULL;
    inc->rows = 0;
    map_release(&inc->by_key, NULL);
    map_init(&inc->by_key);
    arena_reset(&inc->arena);
    replace_text(&inc->end_key, NULL);
    replace_text(&inc->begin_key, NULL);
}

static void clear_progress(struct incremental *inc)
{
    replace_text(&inc->last_key, NULL);
    replace_text(&inc->max_key, NULL);
    replace_text(&inc->key_form, NULL);
    inc->scanned = 0;
    inc->again = 0;
}

static void remove_at(struct incremental *inc, size_t i)
{
    struct inc_collection *c = &inc->items[i];
    mem_free(c->id);
    mem_free(c->filter);
    mem_free(c->surrogate_key);
    mem_free(c->correlation);
    inc->count--;
    memmove(c, c + 1, (inc->count - i) * sizeof *c);
    if (i == 0)
        clear_progress(inc);
    inc->changes++;
}

void incremental_release(struct incremental *inc)
{
    if (!inc->ops)
        return;
    clear_window(inc);
    capture_texts_pause(inc->texts, false);
    while (inc->count)
        remove_at(inc, inc->count - 1);
    mem_free(inc->items);
    map_release(&inc->by_key, NULL);
    arena_release(&inc->arena);
    memset(inc, 0, sizeof *inc);
}

/* --- notes ------------------------------------------------------------------------------------ */

static struct slice list_ids(const struct incremental *inc, struct strbuf *out)
{
    strbuf_reset(out);
    for (size_t i = 0; i < inc->count; i++) {
        strbuf_adds(out, i ? "," : "");
        strbuf_adds(out, inc->items[i].id);
    }
    return strbuf_slice(out);
}

static struct slice correlation(const struct incremental *inc)
{
    return inc->count ? slice_cstr(inc->items[0].correlation) : SLICE_NULL;
}

static void note_state(struct incremental *inc, const char *type)
{
    struct strbuf ids = STRBUF_INIT;
    struct note_member m[] = {{"connector_name", SLICE_NULL},
                              {"data_collections", list_ids(inc, &ids)}};
    notify(inc->notes, NOTE_INCREMENTAL, type, correlation(inc), m, ARRAY_LEN(m));
    strbuf_release(&ids);
}

static void note_end(struct incremental *inc, const char *type, struct slice id)
{
    struct note_member m[] = {{"connector_name", SLICE_NULL}};
    notify(inc->notes, NOTE_INCREMENTAL, type, id, m, ARRAY_LEN(m));
}

static void add_elements(const char *key, const char *between, struct strbuf *out)
{
    json_t *list = NULL;
    if (key && json_load_slice(slice_cstr(key), &list, NULL))
        list = NULL;
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *v = json_array_get(list, i);
        strbuf_adds(out, i ? between : "");
        if (json_is_string(v))
            strbuf_adds(out, json_string_value(v));
        else
            json_dump_add(out, v);
    }
    json_decref(list);
}

/* The elements of a key, joined by commas. */
static struct slice shown(const char *key, struct strbuf *out)
{
    add_elements(key, ",", out);
    return strbuf_slice(out);
}

static void note_progress(struct incremental *inc)
{
    struct strbuf ids = STRBUF_INIT, max = STRBUF_INIT, last = STRBUF_INIT;
    struct note_member m[] = {
        {"current_collection_in_progress", slice_cstr(inc->items[0].id)},
        {"connector_name", SLICE_NULL},
        {"maximum_key", shown(inc->max_key, &max)},
        {"last_processed_key", shown(inc->last_key, &last)},
        {"data_collections", list_ids(inc, &ids)},
    };
    if (inc->ops->last_key_last) {
        struct note_member key = m[3];
        m[3] = m[4];
        m[4] = key;
    }
    notify(inc->notes, NOTE_INCREMENTAL, "IN_PROGRESS", correlation(inc), m, ARRAY_LEN(m));
    strbuf_release(&ids);
    strbuf_release(&max);
    strbuf_release(&last);
}

static void unpause(struct incremental *inc)
{
    inc->paused = false;
    capture_texts_pause(inc->texts, false);
}

/* The first collection is done, in whatever way. */
static void finish_first(struct incremental *inc, const char *status)
{
    struct strbuf ids = STRBUF_INIT;
    char scanned[24];
    snprintf(scanned, sizeof scanned, "%llu", (unsigned long long)inc->scanned);
    struct note_member m[] = {
        {"scanned_collection", slice_cstr(inc->items[0].id)},
        {"connector_name", SLICE_NULL},
        {"total_rows_scanned", slice_cstr(scanned)},
        {"status", slice_cstr(status)},
        {"data_collections", list_ids(inc, &ids)},
    };
    notify(inc->notes, NOTE_INCREMENTAL, "TABLE_SCAN_COMPLETED", correlation(inc), m, ARRAY_LEN(m));
    strbuf_release(&ids);
    LOG_INFO(LOG_CDC, "Incremental snapshot of '%s' ended after %s rows: %s", inc->items[0].id,
             scanned, status);
    char *id = slice_dup(correlation(inc));
    remove_at(inc, 0);
    if (!inc->count) {
        note_end(inc, "COMPLETED", slice_cstr(id));
        unpause(inc);
    }
    mem_free(id);
}

/* --- signals ---------------------------------------------------------------------------------- */

static bool is_listed(const struct incremental *inc, struct slice id)
{
    for (size_t i = 0; i < inc->count; i++)
        if (slice_ieq(slice_cstr(inc->items[i].id), id))
            return true;
    return false;
}

void incremental_request(struct incremental *inc, const struct signal_request *r,
                         const struct slice *names, size_t count)
{
    bool was_running = incremental_running(inc);
    for (size_t i = 0; i < count; i++) {
        if (is_listed(inc, names[i])) {
            LOG_INFO(LOG_CDC, "'" PRI_SL "' is part of the incremental snapshot already",
                     ARG_SL(names[i]));
            continue;
        }
        struct slice filter = signal_filter(r, names[i]);
        inc->items = xrealloc(inc->items, (inc->count + 1) * sizeof *inc->items);
        inc->items[inc->count++] = (struct inc_collection){
            .id = slice_dup(names[i]),
            .filter = filter.n ? slice_dup(filter) : NULL,
            .surrogate_key = r->surrogate_key.n ? slice_dup(r->surrogate_key) : NULL,
            .correlation = slice_dup(r->id.p ? r->id : SL("")),
        };
        inc->changes++;
    }
    if (was_running || !inc->count)
        return;
    struct strbuf ids = STRBUF_INIT;
    LOG_INFO(LOG_CDC, "Incremental snapshot's data collections are [" PRI_SL "]",
             ARG_SL(list_ids(inc, &ids)));
    strbuf_release(&ids);
    inc->next_try_ms = 0;
    note_state(inc, "STARTED");
}

static bool is_meant(const struct signal_request *r, const char *id)
{
    for (size_t i = 0; i < r->collection_count; i++)
        if (signal_names(r->collections[i], slice_cstr(id)))
            return true;
    return r->collection_count == 0;
}

void incremental_stop(struct incremental *inc, const struct signal_request *r)
{
    if (!incremental_running(inc)) {
        LOG_WARN(LOG_CDC, "No active incremental snapshot, stop ignored");
        return;
    }
    LOG_INFO(LOG_CDC, "Stopping incremental snapshot%s",
             r->collection_count ? " of the collections that the signal names" : "");
    note_state(inc, "ABORTED");
    for (size_t i = inc->count; i-- > 0;) {
        if (!is_meant(r, inc->items[i].id))
            continue;
        if (i == 0)
            clear_window(inc);
        remove_at(inc, i);
    }
    if (!inc->count)
        unpause(inc);
}

void incremental_pause(struct incremental *inc, bool paused)
{
    if (!incremental_running(inc) || inc->paused == paused) {
        LOG_INFO(LOG_CDC, "%s ignored: %s", paused ? "pause-snapshot" : "resume-snapshot",
                 !incremental_running(inc) ? "no incremental snapshot is running"
                                           : "that is how it is");
        return;
    }
    LOG_INFO(LOG_CDC, "%s incremental snapshot", paused ? "Pausing" : "Resuming");
    inc->paused = paused;
    capture_texts_pause(inc->texts, paused);
    inc->changes++;
    note_state(inc, paused ? "PAUSED" : "RESUMED");
}

/* --- chunks ----------------------------------------------------------------------------------- */

static const char *status_of(enum chunk_outcome o)
{
    switch (o) {
    case CHUNK_EMPTY:
        return "EMPTY";
    case CHUNK_NO_KEY:
        return "NO_PRIMARY_KEY";
    case CHUNK_UNKNOWN:
        return "UNKNOWN_SCHEMA";
    case CHUNK_FAILED:
        return "SQL_EXCEPTION";
    default:
        return "SUCCEEDED";
    }
}

/* Reads until some table has given rows. */
static enum err read_rows(struct incremental *inc, struct error *e)
{
    while (inc->count) {
        enum chunk_outcome outcome = CHUNK_END;
        enum err rc = inc->ops->read(inc->db, inc, &outcome, e);
        if (rc)
            return rc;
        inc->later = outcome == CHUNK_LATER;
        if (inc->later || outcome == CHUNK_ROWS)
            return E_OK;
        finish_first(inc, status_of(outcome));
    }
    return E_OK;
}

static void abort_all(struct incremental *inc, const struct error *e)
{
    LOG_ERR(LOG_CDC, LOG_L_ERROR, e, "the incremental snapshot is given up");
    note_state(inc, "ABORTED");
    clear_window(inc);
    while (inc->count)
        remove_at(inc, inc->count - 1);
    unpause(inc);
}

/* A key as Java prints an array: [1, a]. Null slice: there is none. */
static struct slice as_array(const char *key, struct strbuf *out)
{
    if (!key)
        return SLICE_NULL;
    strbuf_addc(out, '[');
    add_elements(key, ", ", out);
    strbuf_addc(out, ']');
    return strbuf_slice(out);
}

static void show_chunk(const struct incremental *inc)
{
    struct strbuf from = STRBUF_INIT, to = STRBUF_INIT, max = STRBUF_INIT;
    capture_texts_chunk(inc->texts, slice_cstr(inc->mark_id), as_array(inc->begin_key, &from),
                        as_array(inc->end_key, &to), as_array(inc->max_key, &max), !inc->last_key);
    strbuf_release(&from);
    strbuf_release(&to);
    strbuf_release(&max);
}

enum err incremental_step(struct incremental *inc, struct error *e)
{
    if (inc->window == INC_NONE && inc->rows)
        clear_window(inc); /* what was handed out is in the log */
    if (!inc->count || inc->paused || inc->window != INC_NONE || clock_mono_ms() < inc->next_try_ms)
        return E_OK;
    struct uuid u;
    struct error own = {0};
    if (!e)
        e = &own;
    uuid_random(&u);
    uuid_dashed(&u, inc->mark_id);
    clear_window(inc);
    inc->window = INC_WAITING;
    enum err rc = inc->ops->mark(inc->db, inc, true, e);
    if (rc == E_OK)
        rc = read_rows(inc, e);
    if (rc == E_OK)
        rc = inc->ops->mark(inc->db, inc, false, e);
    if (rc == E_OK) {
        if (inc->rows)
            show_chunk(inc);
        else if (!inc->later)
            clear_window(inc);
        return E_OK;
    }
    clear_window(inc);
    if (rc == E_CANCELLED)
        return rc;
    if (rc == E_IO || rc == E_TIMEOUT || rc == E_AGAIN) { /* E_AGAIN: too early for a mark */
        inc->next_try_ms = clock_mono_ms() + (rc == E_AGAIN ? RETRY_MS / 10 : RETRY_MS);
        if (rc != E_AGAIN)
            LOG_ERR(LOG_CDC, LOG_L_WARN, e, "a chunk could not be read; it is tried again");
    } else {
        abort_all(inc, e);
    }
    error_clear(e);
    return E_OK;
}

enum err incremental_add(struct incremental *inc, struct slice key, void *row)
{
    struct inc_row *same = map_get(&inc->by_key, key);
    struct inc_row *r = arena_try_calloc(&inc->arena, 1, sizeof *r);
    if (!r)
        return E_NOMEM;
    r->row = row;
    if (same)
        same->several = true;
    else
        (void)map_put(&inc->by_key, key, r);
    if (inc->last)
        inc->last->next = r;
    else
        inc->first = r;
    inc->last = r;
    inc->rows++;
    return E_OK;
}

void incremental_set_end(struct incremental *inc, struct slice key)
{
    replace_text(&inc->end_key, slice_dup(key));
}

void incremental_set_begin(struct incremental *inc, struct slice key)
{
    if (!inc->begin_key)
        inc->begin_key = slice_dup(key);
}

void incremental_set_max(struct incremental *inc, struct slice key)
{
    replace_text(&inc->max_key, slice_dup(key));
    inc->changes++;
}

void incremental_set_key_form(struct incremental *inc, struct slice form)
{
    if (inc->key_form && slice_eq_c(form, inc->key_form))
        return;
    if (inc->key_form) {
        LOG_WARN(LOG_CDC,
                 "'%s' is read from its beginning again: its rows were found by '%s' and are found "
                 "by '" PRI_SL "' now",
                 inc->items[0].id, inc->key_form, ARG_SL(form));
        replace_text(&inc->last_key, NULL);
        replace_text(&inc->max_key, NULL);
    }
    replace_text(&inc->key_form, slice_dup(form));
    inc->changes++;
}

/* --- the stream ------------------------------------------------------------------------------- */

bool incremental_passed(struct incremental *inc, struct slice mark_id, bool open)
{
    if (!slice_eq_c(mark_id, inc->mark_id))
        return false; /* of a run before, or of somebody else */
    if (open && inc->window == INC_WAITING) {
        inc->window = INC_OPEN;
        return false;
    }
    /* Without its opening nothing has been taken out: that happens when the stream was set back. */
    if (!open && inc->window == INC_WAITING)
        clear_window(inc);
    if (!open && inc->window == INC_OPEN)
        inc->window = INC_CLOSED;
    return inc->window == INC_CLOSED;
}

void incremental_streamed(struct incremental *inc, struct slice key)
{
    struct inc_row *r = map_get(&inc->by_key, key);
    if (r && r->several)
        inc->doubtful = true;
    else if (r)
        r->row = NULL;
}

void incremental_doubt(struct incremental *inc)
{
    inc->doubtful = true;
}

void incremental_drop(struct incremental *inc)
{
    if (inc->window != INC_NONE && !inc->emitting)
        clear_window(inc);
}

static enum err emit_rows(struct incremental *inc, struct record_batch *b, size_t limit,
                          struct error *e)
{
    while (inc->first && b->count < limit && b->arena.used < (size_t)8 << 20) {
        struct inc_row *r = inc->first;
        enum err rc = r->row ? inc->ops->emit(inc->db, b, r->row, e) : E_OK;
        if (rc)
            return rc;
        inc->first = r->next;
    }
    return E_OK;
}

enum err incremental_emit(struct incremental *inc, struct record_batch *b, size_t limit,
                          struct error *e)
{
    if (inc->window != INC_CLOSED)
        return E_OK;
    if (inc->later) {
        clear_window(inc);
        return E_OK;
    }
    if (!inc->emitting &&
        (!inc->ops->is_valid(inc->db, inc) || (inc->doubtful && inc->again++ < AGAIN_MAX))) {
        LOG_INFO(LOG_CDC, "'%s' changed while a chunk of it was read; it is read again",
                 inc->items[0].id);
        clear_window(inc);
        return E_OK;
    }
    inc->emitting = true;
    b->unrepeatable = true;
    enum err rc = emit_rows(inc, b, limit, e);
    if (rc || inc->first)
        return rc;
    inc->scanned += inc->rows;
    inc->again = 0;
    replace_text(&inc->last_key, slice_dup(slice_cstr(inc->end_key)));
    note_progress(inc);
    inc->window = INC_NONE; /* rows stay where they are until the batch is gone: the next step */
    inc->emitting = false;
    inc->changes++;
    return E_OK;
}
