/* cdc/signal_channel.c - see signal_channel.h. */
#include "cdc/signal_channel.h"

#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"

enum { FILE_MAX = 16 << 20 };

void signal_channels_init(struct signal_channels *c, const struct signal_channel_options *o,
                          struct kclient *k, struct slice prefix)
{
    struct slice list = o->channels, part;
    memset(c, 0, sizeof *c);
    c->position = -1;
    c->interval_ms = MAX(o->interval_ms, 50);
    c->kclient = k;
    while (list.p && slice_split(&list, ',', &part)) {
        part = slice_trim(part);
        if (slice_ieq(part, SL("source")))
            c->source = true;
        else if (slice_ieq(part, SL("kafka")))
            c->kafka = k != NULL;
        else if (slice_ieq(part, SL("file")))
            c->file = true;
        else if (slice_ieq(part, SL("jmx")))
            LOG_WARN(LOG_CDC,
                     "signal channel jmx has no effect: there is no Java here; signals come "
                     "by source, kafka and file");
        else if (part.n)
            LOG_WARN(LOG_CDC,
                     "signal channel '" PRI_SL "' is not known; there are source, kafka and file",
                     ARG_SL(part));
    }
    c->key = slice_dup(prefix.p ? prefix : SL(""));
    struct slice topic = slice_trim(o->topic), path = slice_trim(o->file);
    c->topic = topic.n ? slice_dup(topic) : xasprintf("%s-signal", c->key);
    c->path = slice_dup(path.n ? path : SL("file-signals.txt"));
}

void signal_channels_release(struct signal_channels *c)
{
    mem_free(c->key);
    mem_free(c->topic);
    mem_free(c->path);
    memset(c, 0, sizeof *c);
}

/* --- kafka
 * -------------------------------------------------------------------------------------------------
 */

struct topic_read {
    struct signal_channels *c;
    struct arena arena;
    struct signal *items;
    size_t count, cap;
    bool seen; /* a record was there */
};

static bool count_record(const struct krecord *r, void *arg)
{
    struct signal_channels *c = arg;
    c->position = r->offset + 1;
    return true;
}

void signal_channels_begin(struct signal_channels *c)
{
    if (!c->kafka || c->position >= 0)
        return;
    /* Nothing there yet: all that comes is new. */
    c->position = 0;
    struct error e = {0};
    enum err rc = kclient_read(c->kclient, slice_cstr(c->topic), 0, -2, count_record, c, &e);
    if (rc && rc != E_NOT_FOUND)
        LOG_ERR(LOG_CDC, LOG_L_WARN, &e, "signal topic %s cannot be read", c->topic);
}

static void keep(struct topic_read *t, struct signal s)
{
    if (t->count == t->cap) {
        t->cap = t->cap ? 2 * t->cap : 8;
        t->items = xrealloc(t->items, t->cap * sizeof *t->items);
    }
    t->items[t->count++] = s;
}

static bool take_record(const struct krecord *r, void *arg)
{
    struct topic_read *t = arg;
    struct error e = {0};
    struct signal s;
    t->c->position = r->offset + 1;
    t->seen = true;
    if (!slice_eq_c(r->key, t->c->key)) {
        LOG_INFO(LOG_CDC, "Signal key '" PRI_SL "' doesn't match the connector's name '%s'",
                 ARG_SL(r->key), t->c->key);
        return true;
    }
    if (signal_from_json(r->value, &t->arena, &s, &e))
        LOG_ERR(LOG_CDC, LOG_L_WARN, &e,
                "Skipped signal due to an error: record at offset %lld of topic %s",
                (long long)r->offset, t->c->topic);
    else
        keep(t, s);
    return true;
}

static void hand_over(struct topic_read *t, signal_fn fn, void *arg)
{
    for (size_t i = 0; i < t->count; i++)
        fn(&t->items[i], arg);
    mem_free(t->items);
    arena_release(&t->arena);
}

static bool saw_record(const struct krecord *r, void *arg)
{
    (void)r;
    *(bool *)arg = true;
    return false;
}

/* The record that was read last is gone and nothing has followed it: a topic that was made anew
 * begins again, and where old records were only removed the beginning is behind them. */
static void follow_restart(struct signal_channels *c)
{
    bool there = false;
    if (c->position > 0 &&
        kclient_read(c->kclient, slice_cstr(c->topic), 0, c->position - 1, saw_record, &there,
                     NULL) == E_OK &&
        !there)
        c->position = 0;
}

static bool poll_topic(struct signal_channels *c, signal_fn fn, void *arg)
{
    struct topic_read t = {.c = c};
    struct error e = {0};
    int64_t from = MAX(c->position, 0);
    arena_init(&t.arena, 4096, ARENA_NO_BUDGET);
    enum err rc = kclient_read(c->kclient, slice_cstr(c->topic), 0, from, take_record, &t, &e);
    if (rc && (rc != E_NOT_FOUND || !c->told_missing)) {
        LOG_ERR(LOG_CDC, LOG_L_WARN, &e, "signal topic %s cannot be read", c->topic);
        c->told_missing = true;
    } else if (rc == E_OK) {
        c->told_missing = false;
        if (!t.seen)
            follow_restart(c);
    }
    hand_over(&t, fn, arg);
    return c->position != from;
}

/* --- file
 * --------------------------------------------------------------------------------------------------
 */

static bool empty_file(const char *path, struct error *e)
{
    struct fs_file f;
    if (fs_open(&f, path, FS_WRITE, e))
        return false;
    bool done = fs_truncate(&f, 0, e) == E_OK;
    fs_close(&f);
    return done;
}

static void poll_file(struct signal_channels *c, signal_fn fn, void *arg)
{
    struct topic_read t = {.c = c};
    struct strbuf text = STRBUF_INIT;
    struct error e = {0};
    struct slice line;
    if (fs_size_of(c->path) <= 0)
        return;
    arena_init(&t.arena, 4096, ARENA_NO_BUDGET);
    if (fs_read_all(c->path, FILE_MAX, &text, &e) || !empty_file(c->path, &e)) {
        LOG_ERR(LOG_CDC, LOG_L_WARN, &e, "signal file %s cannot be taken", c->path);
        strbuf_reset(&text); /* what stays in the file would be taken again and again */
    }
    for (struct slice rest = strbuf_slice(&text); slice_split(&rest, '\n', &line);) {
        struct signal s;
        if (!slice_trim(line).n)
            continue;
        if (signal_from_json(slice_trim(line), &t.arena, &s, &e))
            LOG_ERR(LOG_CDC, LOG_L_WARN, &e, "Skipped signal due to an error: a line of %s",
                    c->path);
        else
            keep(&t, s);
    }
    strbuf_release(&text);
    hand_over(&t, fn, arg);
}

bool signal_channels_poll(struct signal_channels *c, signal_fn fn, void *arg)
{
    int64_t now = clock_mono_ms();
    bool moved = false;
    if ((!c->kafka && !c->file) || now < c->next_ms)
        return false;
    c->next_ms = now + c->interval_ms;
    if (c->kafka)
        moved = poll_topic(c, fn, arg);
    if (c->file)
        poll_file(c, fn, arg);
    return moved;
}
