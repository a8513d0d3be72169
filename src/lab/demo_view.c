/* lab/demo_view.c - see demo_view.h. An event is a Debezium envelope as JSON without schema. */
#include "lab/demo_view.h"

#include <jansson.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/wire.h"
#include "lab/demo_event.h"

struct demo_view {
    struct wire_reader *reader;
    pthread_t thread;
    struct demo_view_options o;
    atomic_bool stop, live; /* set by the owner, read by the thread once a poll */
    atomic_bool opened;     /* set by the thread */
    _Atomic int64_t snapshot, streamed, messages;
};

static void print_event(const struct wire_record *r, char op, const json_t *event)
{
    struct strbuf b = STRBUF_INIT;
    demo_event_print(r->topic, r->key, op, event, &b);
    puts(b.p);
    fflush(stdout);
    strbuf_release(&b);
}

/* A message of the outbox: what the shop says, without any of its columns. */
static void print_message(const struct wire_record *r)
{
    printf("  -> " PRI_SL " key=" PRI_SL ": " PRI_SL "\n", ARG_SL(r->topic), ARG_SL(r->key),
           ARG_SL(r->value));
    fflush(stdout);
}

static void on_record(const struct wire_record *r, void *arg)
{
    struct demo_view *v = arg;
    if (!r->value.p) /* a tombstone after a delete */
        return;
    if (slice_eq_c(r->topic, v->o.outbox)) {
        atomic_fetch_add(&v->messages, 1);
        if (slice_find(r->value, slice_cstr(v->o.mark)) >= 0)
            atomic_store(&v->opened, true);
        if (atomic_load(&v->live) && !v->o.quiet)
            print_message(r);
        return;
    }
    json_t *event = json_loadb(r->value.p, r->value.n, 0, NULL);
    const char *op = json_string_value(json_object_get(event, "op"));
    if (op && *op == 'r') {
        atomic_fetch_add(&v->snapshot, 1);
    } else if (op && strchr("cud", *op)) {
        atomic_fetch_add(&v->streamed, 1);
        if (atomic_load(&v->live) && !v->o.quiet)
            print_event(r, *op, event);
    }
    json_decref(event);
}

static void *run(void *arg)
{
    struct demo_view *v = arg;
    struct error e = {0};
    while (!atomic_load(&v->stop)) {
        if (wire_reader_poll(v->reader, 200, on_record, v, &e) != E_OK) {
            if (!atomic_load(&v->stop))
                LOG_ERR(LOG_LAB, LOG_L_ERROR, &e, "reading the shop's topics");
            break;
        }
    }
    return NULL;
}

enum err demo_view_start(struct demo_view **out, const char *kafka,
                         const struct demo_view_options *o, struct error *e)
{
    struct demo_view *v = xcalloc(1, sizeof *v);
    v->o = *o;
    enum err err = wire_reader_open(&v->reader, kafka, o->topics, e);
    if (!err && pthread_create(&v->thread, NULL, run, v) != 0) {
        wire_reader_close(v->reader);
        err = error_set(e, E_NOMEM, "starting a thread");
    }
    if (err) {
        mem_free(v);
        return err;
    }
    *out = v;
    return E_OK;
}

void demo_view_stop(struct demo_view *v)
{
    if (!v)
        return;
    atomic_store(&v->stop, true);
    pthread_join(v->thread, NULL);
    wire_reader_close(v->reader);
    mem_free(v);
}

int64_t demo_view_snapshot(const struct demo_view *v)
{
    return atomic_load(&v->snapshot);
}

int64_t demo_view_streamed(const struct demo_view *v)
{
    return atomic_load(&v->streamed);
}

bool demo_view_opened(const struct demo_view *v)
{
    return atomic_load(&v->opened);
}

int64_t demo_view_messages(const struct demo_view *v)
{
    return atomic_load(&v->messages);
}

void demo_view_live(struct demo_view *v)
{
    atomic_store(&v->live, true);
}
