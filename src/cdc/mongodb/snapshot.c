/* cdc/mongodb/snapshot.c - readers fill the queue, the task's thread empties it. SPEC: cdc-mongodb
 * 4.2
 *
 * `lock` guards the fields below it; everything else is the task's, and the list does not change
 * while readers run (but for counts, which are the task's). A reader waits for room in the queue or
 * for an answer of the server; a stop ends both. */
#include "cdc/mongodb/snapshot.h"

#include <ctype.h>
#include <pthread.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "cdc/mongodb/cursor.h"
#include "cdc/mongodb/signals.h"
#include "cdc/mongodb/stream.h"

enum { WAIT_MS = 400, THREADS_MAX = 64, PROGRESS_MS = 10000 };

struct snap_answer {
    struct snap_answer *next;
    size_t collection;
    struct mongo_reply *reply; /* NULL: the collection is read */
};
struct mongo_snapshot {
    struct mongo_task *t;
    const struct signal_request *request; /* of a blocking one; NULL: initial */
    struct mongo_offset at;
    struct snap_list list;
    bool begun, completed;
    pthread_t threads[THREADS_MAX];
    unsigned thread_count;
    /* what is being told */
    struct snap_answer *current;
    struct bson_walk walk;
    struct strbuf held; /* the newest document, when it is the last of its answer */
    struct collection *held_of;
    size_t done; /* collections */
    uint64_t documents;
    int64_t began_ms, told_ms;
    struct strbuf text;

    pthread_mutex_t lock;
    pthread_cond_t room, filled;
    size_t next; /* collection to be read next */
    struct snap_answer *first, *last;
    size_t queued;
    bool ending;
    struct error fault; /* of the first reader that failed; code E_OK: none */
};

/* --- readers ---------------------------------------------------------------------------------- */

/* False: the snapshot ends. Takes the reply over. */
static bool put(struct mongo_snapshot *s, size_t collection, struct mongo_reply *reply)
{
    struct snap_answer *a = xcalloc(1, sizeof *a);
    *a = (struct snap_answer){.collection = collection, .reply = reply};
    pthread_mutex_lock(&s->lock);
    while (!s->ending && s->queued > s->thread_count)
        pthread_cond_wait(&s->room, &s->lock);
    bool ending = s->ending;
    if (!ending) {
        if (s->last)
            s->last->next = a;
        else
            s->first = a;
        s->last = a;
        s->queued++;
        pthread_cond_signal(&s->filled);
    }
    pthread_mutex_unlock(&s->lock);
    if (ending) {
        mongo_reply_free(reply);
        mem_free(a);
    }
    return !ending;
}

static enum err open_find(struct mongo_snapshot *s, mongoc_client_t *c,
                          const struct snap_collection *x, struct mongo_cursor **out,
                          struct error *e)
{
    static const char empty[] = {5, 0, 0, 0, 0};
    struct bson_build b;
    bson_build_init(&b);
    bson_build_text(&b, SL("find"), x->c->name);
    bson_build_doc(&b, SL("filter"), x->filter.p ? x->filter : slice_of(empty, sizeof empty),
                   BSON_DOCUMENT);
    bson_build_bool(&b, SL("noCursorTimeout"), true);
    if (s->t->o.snapshot_fetch_size > 0)
        bson_build_int(&b, SL("batchSize"), s->t->o.snapshot_fetch_size);
    if (s->at
            .after_seconds) { /* a member that is behind would not have what is before the stream */
        bson_build_begin(&b, SL("readConcern"), BSON_DOCUMENT);
        bson_build_text(&b, SL("level"), SL("majority"));
        bson_build_timestamp(&b, SL("afterClusterTime"), s->at.after_seconds,
                             s->at.after_increment);
        bson_build_end(&b);
    }
    enum err rc = mongo_cursor_open(out, s->t->pool, c, x->c->db, bson_build_finish(&b), false, e);
    bson_build_release(&b);
    return rc;
}

static enum err read_collection(struct mongo_snapshot *s, mongoc_client_t *c, size_t i,
                                struct error *e)
{
    struct mongo_cursor *cursor = NULL;
    LOG_INFO(LOG_CDC_MONGO, "Exporting data for collection '" PRI_SL "'",
             ARG_SL(s->list.items[i].c->id));
    enum err rc = open_find(s, c, &s->list.items[i], &cursor, e);
    while (!rc) {
        if (!put(s, i, mongo_cursor_take(cursor)))
            rc = E_CANCELLED;
        else if (!cursor->id)
            break;
        else
            rc = mongo_cursor_more(cursor, 0, s->t->o.snapshot_fetch_size, e);
    }
    mongo_cursor_close(cursor);
    if (rc && rc != E_CANCELLED)
        error_wrap(e, "Snapshotting of collection " PRI_SL " failed",
                   ARG_SL(s->list.items[i].c->id));
    return rc || put(s, i, NULL) ? rc : E_CANCELLED;
}

static void *reader(void *arg)
{
    struct mongo_snapshot *s = arg;
    struct error e = {0};
    enum err rc = E_OK;
    mongoc_client_t *c = mongo_client_take(s->t->pool);
    while (!rc) {
        pthread_mutex_lock(&s->lock);
        size_t i = s->ending || s->fault.code ? s->list.count : s->next;
        if (i < s->list.count)
            s->next++;
        pthread_mutex_unlock(&s->lock);
        if (i >= s->list.count)
            break;
        rc = read_collection(s, c, i, &e);
    }
    mongo_client_give(s->t->pool, c);
    pthread_mutex_lock(&s->lock);
    if (rc && rc != E_CANCELLED && !s->fault.code)
        s->fault = e;
    pthread_cond_signal(&s->filled);
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

static enum err start_readers(struct mongo_snapshot *s, struct error *e)
{
    size_t wanted = (size_t)MAX(s->t->o.snapshot_max_threads, 1);
    size_t n = MIN(MIN(wanted, s->list.count), (size_t)THREADS_MAX);
    struct strbuf names = STRBUF_INIT;
    for (size_t i = 0; i < s->list.count; i++)
        strbuf_addf(&names, "%s" PRI_SL, i ? ", " : "", ARG_SL(s->list.items[i].c->id));
    LOG_INFO(LOG_CDC_MONGO, "Creating snapshot worker pool with %zu worker thread(s)", n);
    LOG_INFO(LOG_CDC_MONGO, "Preparing to use %zu thread(s) to snapshot %zu collection(s): %s", n,
             s->list.count, names.p);
    strbuf_release(&names);
    while (s->thread_count < n) {
        int rc = pthread_create(&s->threads[s->thread_count], NULL, reader, s);
        if (rc)
            return error_sys(e, rc, "starting a thread of the snapshot");
        pthread_setname_np(s->threads[s->thread_count], "mongo-snapshot");
        pthread_mutex_lock(&s->lock);
        s->thread_count++;
        pthread_mutex_unlock(&s->lock);
    }
    return E_OK;
}

/* --- life ------------------------------------------------------------------------------------- */

struct mongo_snapshot *mongo_snapshot_new(struct mongo_task *t, const struct mongo_offset *at,
                                          const struct signal_request *request)
{
    struct mongo_snapshot *s = xcalloc(1, sizeof *s);
    pthread_condattr_t attr;
    s->t = t;
    s->request = request;
    mongo_offset_init(&s->at);
    mongo_offset_copy(&s->at, at);
    snap_list_init(&s->list);
    strbuf_init(&s->held, 0);
    strbuf_init(&s->text, 0);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->room, NULL);
    pthread_cond_init(&s->filled, &attr);
    pthread_condattr_destroy(&attr);
    s->began_ms = s->told_ms = clock_mono_ms();
    return s;
}

static void answer_free(struct snap_answer *a)
{
    if (!a)
        return;
    mongo_reply_free(a->reply);
    mem_free(a);
}

void mongo_snapshot_free(struct mongo_snapshot *s)
{
    if (!s)
        return;
    pthread_mutex_lock(&s->lock);
    s->ending = true;
    pthread_cond_broadcast(&s->room);
    pthread_mutex_unlock(&s->lock);
    for (unsigned i = 0; i < s->thread_count; i++)
        pthread_join(s->threads[i], NULL);
    while (s->first) {
        struct snap_answer *a = s->first;
        s->first = a->next;
        answer_free(a);
    }
    answer_free(s->current);
    pthread_mutex_destroy(&s->lock);
    pthread_cond_destroy(&s->room);
    pthread_cond_destroy(&s->filled);
    mongo_offset_release(&s->at);
    snap_list_release(&s->list);
    strbuf_release(&s->held);
    strbuf_release(&s->text);
    mem_free(s);
}

/* --- notes ------------------------------------------------------------------------------------ */

static void note(struct mongo_snapshot *s, const char *type)
{
    struct note_member m[] = {{"connector_name", SLICE_NULL}};
    if (s->t->signals)
        notify(&s->t->signals->work.notes, NOTE_INITIAL, type,
               s->request ? s->request->id : SLICE_NULL, m, ARRAY_LEN(m));
}

void mongo_snapshot_aborted(struct mongo_snapshot *s)
{
    LOG_INFO(LOG_CDC_MONGO, "Snapshot aborted");
    note(s, "ABORTED");
    atomic_fetch_add_explicit(&s->t->snapshots_ended, 1, memory_order_relaxed);
}

static void note_collection(struct mongo_snapshot *s, const struct snap_collection *x, bool end)
{
    struct note_member begin_m[] = {{"current_collection_in_progress", x->c->id},
                                    {"connector_name", SLICE_NULL}};
    struct note_member end_m[] = {{"connector_name", SLICE_NULL},
                                  {"scanned_collection", x->c->id},
                                  {"status", SL("SUCCEEDED")}};
    if (s->t->signals)
        notify(&s->t->signals->work.notes, NOTE_INITIAL,
               end ? "TABLE_SCAN_COMPLETED" : "IN_PROGRESS",
               s->request ? s->request->id : SLICE_NULL, end ? end_m : begin_m,
               end ? ARRAY_LEN(end_m) : ARRAY_LEN(begin_m));
}

/* --- documents -------------------------------------------------------------------------------- */

static enum err emit(struct mongo_snapshot *s, struct record_batch *b, struct collection *c,
                     struct slice document, bool last, struct error *e)
{
    int64_t now = clock_wall_ms();
    struct mongo_read how = {
        .marker = last ? SL("last") : SL("true"),
        .source_ms = s->at.sec >= 0 ? s->at.sec * 1000 : now,
        .ord = s->at.sec >= 0 ? s->at.ord : -1,
    };
    atomic_fetch_add_explicit(&s->t->rows_read, 1, memory_order_relaxed);
    return mongo_emit_read(&s->t->em, b, c, document, &how, now, e);
}

static enum err emit_held(struct mongo_snapshot *s, struct record_batch *b, bool last,
                          struct error *e)
{
    if (!s->held_of)
        return E_OK;
    enum err rc = emit(s, b, s->held_of, strbuf_slice(&s->held), last, e);
    s->held_of = NULL;
    return rc;
}

static bool has_more(const struct bson_walk *walk)
{
    struct bson_walk w = *walk;
    struct bson_item i;
    return bson_walk_next(&w, &i);
}

/* The documents of the answer at hand, but its last one, which is held back. */
static enum err tell(struct mongo_snapshot *s, struct record_batch *b, size_t limit,
                     struct error *e)
{
    struct snap_collection *x = &s->list.items[s->current->collection];
    struct bson_item i;
    enum err rc = E_OK;
    while (!rc && b->count < limit && !mongo_task_batch_full(b) && bson_walk_next(&s->walk, &i)) {
        x->documents++;
        rc = emit_held(s, b, false, e);
        if (rc)
            break;
        if (has_more(&s->walk)) {
            rc = emit(s, b, x->c, bson_doc(&i), false, e);
            continue;
        }
        strbuf_reset(&s->held);
        strbuf_add_slice(&s->held, bson_doc(&i));
        s->held_of = x->c;
        rc = strbuf_err(&s->held) ? error_set(e, E_NOMEM, "no memory for a document") : E_OK;
    }
    return rc;
}

static void duration(int64_t ms, char out[32])
{
    snprintf(out, 32, "%02lld:%02lld:%02lld.%03lld", (long long)(ms / 3600000),
             (long long)(ms / 60000 % 60), (long long)(ms / 1000 % 60), (long long)(ms % 1000));
}

static void collection_done(struct mongo_snapshot *s, struct snap_collection *x)
{
    char took[32];
    duration(clock_mono_ms() - x->began_ms, took);
    LOG_INFO(LOG_CDC_MONGO,
             "Finished snapshotting %llu records for collection '" PRI_SL "'; total duration '%s'",
             (unsigned long long)x->documents, ARG_SL(x->c->id), took);
    s->documents += x->documents;
    s->done++;
    atomic_store_explicit(&s->t->collections_done, s->done, memory_order_relaxed);
    note_collection(s, x, true);
}

/* The next answer out of the queue; false: none within the time. */
static bool take(struct mongo_snapshot *s, struct error *e, enum err *rc)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += WAIT_MS * 1000000L;
    until.tv_sec += until.tv_nsec / 1000000000L;
    until.tv_nsec %= 1000000000L;
    pthread_mutex_lock(&s->lock);
    while (!s->first && !s->fault.code && !task_stopping(s->t->ctx))
        if (pthread_cond_timedwait(&s->filled, &s->lock, &until))
            break;
    struct snap_answer *a = s->first;
    if (s->fault.code) {
        if (e)
            *e = s->fault;
        *rc = s->fault.code;
        a = NULL;
    } else if (a) {
        s->first = a->next;
        if (!s->first)
            s->last = NULL;
        s->queued--;
        pthread_cond_broadcast(&s->room);
    }
    pthread_mutex_unlock(&s->lock);
    if (!a)
        return false;
    struct snap_collection *x = &s->list.items[a->collection];
    if (!x->began_ms) {
        x->began_ms = clock_mono_ms();
        note_collection(s, x, false);
    }
    if (!a->reply) {
        collection_done(s, x);
        answer_free(a);
        return true;
    }
    s->current = a;
    bson_walk_init(&s->walk, a->reply->documents);
    return true;
}

/* Names of the signal that are no collections here. */
static void tell_unknown(const struct mongo_snapshot *s)
{
    struct slice *ids = xcalloc(s->list.count + 1, sizeof *ids);
    for (size_t i = 0; i < s->list.count; i++)
        ids[i] = s->list.items[i].c->id;
    signal_tell_unknown(s->request, LOG_CDC_MONGO, "collection", ids, s->list.count);
    mem_free(ids);
}

/* Nothing is captured: what is known about why. Elements that are no plain names are left to the reader. */
static void why_nothing(const struct mongo_task *t)
{
    struct slice rest = t->o.collection_include, part;
    while (rest.n && slice_split(&rest, ',', &part)) {
        bool name = true;
        part = slice_trim(part);
        for (size_t i = 0; i < part.n; i++)
            name &= isalnum((unsigned char)part.p[i]) || strchr("_.-$", part.p[i]);
        if (!part.n || !name)
            continue;
        ptrdiff_t dot = slice_find_char(part, '.');
        if (dot < 0)
            LOG_WARN(LOG_CDC_MONGO,
                     "'" PRI_SL "' of collection.include.list matches nothing: elements have the "
                     "form database.collection",
                     ARG_SL(part));
        else if (mongo_filter_collection(&t->filter, slice_sub(part, 0, (size_t)dot),
                                         slice_sub(part, (size_t)dot + 1, part.n)))
            LOG_WARN(LOG_CDC_MONGO,
                     "collection '" PRI_SL "' does not exist yet; it is captured as soon as it "
                     "does",
                     ARG_SL(part));
    }
}

/* --- poll ------------------------------------------------------------------------------------- */

static enum err begin(struct mongo_snapshot *s, struct error *e)
{
    mongoc_client_t *c = mongo_client_take(s->t->pool);
    enum err rc = snap_list_fill(&s->list, s->t, c, s->request, e);
    mongo_client_give(s->t->pool, c);
    if (rc)
        return rc;
    struct strbuf at = STRBUF_INIT;
    mongo_offset_print(&s->at, &at);
    LOG_INFO(LOG_CDC_MONGO, "Beginning snapshot at %s", at.p);
    strbuf_release(&at);
    scan_counts_clear(&s->t->scanned);
    atomic_store_explicit(&s->t->collections_total, s->list.count, memory_order_relaxed);
    atomic_store_explicit(&s->t->collections_done, 0, memory_order_relaxed);
    if (s->request)
        tell_unknown(s);
    else if (!s->list.count) {
        LOG_WARN(LOG_CDC_MONGO, "After applying the include/exclude list filters, no changes will "
                                "be captured. Please check your configuration!");
        why_nothing(s->t);
    }
    note(s, "STARTED");
    s->begun = true;
    return start_readers(s, e);
}

static enum err put_offset(struct mongo_snapshot *s, struct record_batch *b, struct error *e)
{
    struct mongo_task *t = s->t;
    if (s->request)
        return mongo_stream_put_offset(t->stream, b, e);
    s->at.snapshot = !s->completed;
    strbuf_reset(&s->text);
    mongo_offset_print(&s->at, &s->text);
    if (record_batch_offset(b, strbuf_slice(&t->partition), strbuf_slice(&s->text)))
        return error_set(e, E_NOMEM, "no memory for the snapshot's offset");
    return E_OK;
}

static enum err complete(struct mongo_snapshot *s, struct record_batch *b, struct error *e)
{
    char took[32];
    enum err rc = emit_held(s, b, true, e);
    if (rc)
        return rc;
    s->completed = true;
    if (s->request) /* in the offset of this batch */
        snapshot_queue_ending(&s->t->signals->work.blocking, true);
    duration(clock_mono_ms() - s->began_ms, took);
    LOG_INFO(LOG_CDC_MONGO, "Snapshot completed: %llu documents of %zu collections in %s",
             (unsigned long long)s->documents, s->list.count, took);
    note(s, "COMPLETED");
    return E_OK;
}

static void log_progress(struct mongo_snapshot *s)
{
    int64_t now = clock_mono_ms();
    if (now - s->told_ms < PROGRESS_MS)
        return;
    s->told_ms = now;
    LOG_INFO(LOG_CDC_MONGO, "snapshot: %llu documents, %zu of %zu collections are read",
             (unsigned long long)atomic_load_explicit(&s->t->rows_read, memory_order_relaxed),
             s->done, s->list.count);
}

enum err mongo_snapshot_poll(struct mongo_snapshot *s, struct record_batch *b, bool *done,
                             struct error *e)
{
    size_t limit = mongo_task_batch_limit(s->t);
    enum err rc = s->begun ? E_OK : begin(s, e);
    b->unrepeatable = true; /* a restart reads the documents as they are then */
    *done = false;
    while (!rc && b->count < limit && !mongo_task_batch_full(b)) {
        if (s->current) {
            rc = tell(s, b, limit, e);
            scan_counts_set(&s->t->scanned, s->list.items[s->current->collection].c->id,
                            s->list.items[s->current->collection].documents);
            if (!rc && !has_more(&s->walk)) {
                answer_free(s->current);
                s->current = NULL;
            }
        } else if (s->done == s->list.count) {
            rc = complete(s, b, e);
            break;
        } else if (!take(s, e, &rc)) {
            break;
        }
    }
    log_progress(s);
    if (!rc && s->t->signals && notifier_pending(&s->t->signals->work.notes) &&
        notifier_flush(&s->t->signals->work.notes, b))
        rc = error_set(e, E_NOMEM, "no memory for notifications");
    if (!rc && (b->count || s->completed))
        rc = put_offset(s, b, e);
    if (!rc && s->completed && s->request)
        snapshot_queue_done(&s->t->signals->work.blocking);
    *done = !rc && s->completed;
    return rc;
}
