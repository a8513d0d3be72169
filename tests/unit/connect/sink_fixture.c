/* tests/unit/connect/sink_fixture.c - see sink_fixture.h. */
#include "connect/sink_fixture.h"

#include <pthread.h>
#include <unistd.h>

#include "base/mem.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct strbuf taken = STRBUF_INIT; /* under the lock */
atomic_bool picky_let_go;
atomic_int picky_hanging, picky_puts;

char *picky_taken(void)
{
    pthread_mutex_lock(&lock);
    char *out = xstrdup(taken.n ? taken.p : "");
    strbuf_release(&taken);
    pthread_mutex_unlock(&lock);
    return out;
}

struct picky {
    struct task_ctx *ctx;
    int64_t again, again_after, flush_fails, commit, from;
    bool hang, hang_end;
    struct slice bad, seen; /* seen: first value of the batch that comes again */
    size_t seen_count;
};

static int64_t option(const struct strmap *m, const char *name, int64_t otherwise)
{
    int64_t v;
    return slice_to_i64(slice_trim(strmap_get_c(m, name)), &v) == E_OK ? v : otherwise;
}

static enum err picky_start(void **task, struct task_ctx *ctx, struct error *e)
{
    struct picky *p = xcalloc(1, sizeof *p);
    (void)e;
    *task = p;
    p->ctx = ctx;
    p->again = option(ctx->config, "again", 0);
    p->again_after = option(ctx->config, "again.after", 0);
    p->flush_fails = option(ctx->config, "flush.fails", 0);
    p->commit = option(ctx->config, "commit", INT64_MIN);
    p->from = option(ctx->config, "from", -1);
    p->hang = strmap_get_c(ctx->config, "hang").p != NULL;
    p->hang_end = strmap_get_c(ctx->config, "hang.end").p != NULL;
    p->bad = strmap_get_c(ctx->config, "bad");
    return E_OK;
}

static enum err picky_open(void *task, const struct sink_offset *parts, size_t count,
                           struct error *e)
{
    const struct picky *p = task;
    enum err err = E_OK;
    for (size_t i = 0; i < count && p->from >= 0 && !err; i++)
        err = sink_seek(p->ctx, parts[i].topic, parts[i].partition, p->from, e);
    return err;
}

static enum err refuse(const struct picky *p, struct record *r, struct error *e)
{
    struct error why = {0};
    error_set(&why, E_REMOTE, "java.sql.SQLException: " PRI_SL " is not wanted",
              ARG_SL(value_slice(r->value)));
    if (sink_can_report(p->ctx))
        return sink_report(p->ctx, r, &why, e);
    *e = why;
    return E_REMOTE;
}

/* Whether the batch is the one that was asked for again. */
static bool is_same(struct picky *p, const struct record_batch *b)
{
    return b->count == p->seen_count && slice_eq(value_slice(b->records[0].value), p->seen);
}

static void wait_for_word(void)
{
    atomic_fetch_add(&picky_hanging, 1);
    while (!atomic_load(&picky_let_go))
        usleep(1000);
    atomic_fetch_sub(&picky_hanging, 1);
}

static enum err picky_put(void *task, struct record_batch *b, struct error *e)
{
    struct picky *p = task;
    atomic_fetch_add(&picky_puts, 1);
    if (p->hang) {
        p->hang = false;
        wait_for_word();
    }
    if (p->seen_count && !is_same(p, b))
        return error_set(e, E_INVALID, "java.lang.AssertionError: another batch came");
    if (p->again > 0) {
        p->again--;
        p->seen = value_slice(b->records[0].value);
        p->seen_count = b->count;
        sink_retry_after(p->ctx, 10);
        return error_set(e, E_AGAIN, "not yet");
    }
    p->seen_count = 0;
    for (size_t i = 0; i < b->count && p->bad.p; i++)
        if (slice_eq(value_slice(b->records[i].value), p->bad)) {
            enum err err = refuse(p, &b->records[i], e);
            if (err)
                return err;
        }
    if (p->again_after > 0) {
        p->again_after--;
        sink_retry_after(p->ctx, 10);
        return error_set(e, E_AGAIN, "not yet");
    }
    for (size_t i = 0; i < b->count; i++) {
        const struct record *r = &b->records[i];
        if (p->bad.p && slice_eq(value_slice(r->value), p->bad))
            continue;
        pthread_mutex_lock(&lock);
        strbuf_addf(&taken, "%s" PRI_SL, taken.n ? "," : "", ARG_SL(value_slice(r->value)));
        pthread_mutex_unlock(&lock);
    }
    return E_OK;
}

static enum err picky_flush(void *task, struct error *e)
{
    struct picky *p = task;
    if (p->hang_end && task_stopping(p->ctx))
        wait_for_word();
    if (p->flush_fails <= 0)
        return E_OK;
    p->flush_fails--;
    return error_set(e, E_IO, "java.io.IOException: no room");
}

static enum err picky_pre_commit(void *task, struct sink_offset *offsets, size_t count,
                                 struct error *e)
{
    const struct picky *p = task;
    (void)e;
    for (size_t i = 0; i < count && p->commit != INT64_MIN; i++)
        offsets[i].offset = p->commit;
    return E_OK;
}

static void picky_stop(void *task)
{
    mem_free(task);
}

static const struct opt_row no_rows[] = {{.name = NULL}};
static const struct sink_task_ops picky_task = {.start = picky_start,
                                                .open = picky_open,
                                                .put = picky_put,
                                                .flush = picky_flush,
                                                .pre_commit = picky_pre_commit,
                                                .stop = picky_stop};
static const char *const picky_aliases[] = {"PickySink", NULL};
const struct connector_ops picky_sink = {.class_name = "test.PickySink",
                                         .aliases = picky_aliases,
                                         .task_class = "test.PickySinkTask",
                                         .version = "1.2",
                                         .kind = CONNECTOR_SINK,
                                         .rows = no_rows,
                                         .sink = &picky_task};

/* --- the transform ---------------------------------------------------------------------------- */

struct flaky {
    int64_t again;
    char *bad;
};

static enum err flaky_configure(void **smt, const struct strmap *config, const char *class_name,
                                struct error *e)
{
    struct flaky *f = xcalloc(1, sizeof *f);
    (void)class_name, (void)e;
    *smt = f;
    f->again = option(config, "again", 0);
    f->bad = strmap_get_c(config, "bad").p ? slice_dup(strmap_get_c(config, "bad")) : NULL;
    return E_OK;
}

static enum err flaky_apply(void *smt, struct record_batch *b, struct record *r, struct error *e)
{
    struct flaky *f = smt;
    char text[32] = "";
    (void)b;
    if (f->again > 0) {
        f->again--;
        return error_set(e, E_AGAIN, "org.apache.kafka.connect.errors.RetriableException: not yet");
    }
    if (r->value.kind == VALUE_STRING)
        snprintf(text, sizeof text, PRI_SL, ARG_SL(value_slice(r->value)));
    else
        snprintf(text, sizeof text, "%lld", (long long)r->value.u.i);
    if (!f->bad || strcmp(text, f->bad) != 0)
        return E_OK;
    return error_set(e, E_INVALID,
                     "org.apache.kafka.connect.errors.DataException: %s cannot be changed", text);
}

static void flaky_release(void *smt)
{
    struct flaky *f = smt;
    mem_free(f->bad);
    mem_free(f);
}

static const char *const flaky_aliases[] = {"Flaky", NULL};
const struct transform_ops flaky_transform = {.class_name = "test.Flaky",
                                              .aliases = flaky_aliases,
                                              .rows = no_rows,
                                              .configure = flaky_configure,
                                              .apply = flaky_apply,
                                              .release = flaky_release};
