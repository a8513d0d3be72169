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

/* --- kafka ------------------------------------------------------------------------------------ */

struct topic_read {
    struct signal_channels *c;
    struct arena arena;
    struct signal *items;
    size_t count, cap;
    bool seen; /* a record was there */
};

void signal_channels_begin(struct signal_channels *c)
{
    struct error e = {0};
    if (!c->kafka || c->position >= 0)
        return;
    enum err rc = kclient_end(c->kclient, slice_cstr(c->topic), 0, &c->position, &e);
    if (rc == E_NOT_FOUND) /* all that comes is new */
        c->position = 0;
    else if (rc)
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

/* It ends before what was read last: a topic that was made anew begins again. */
static void follow_restart(struct signal_channels *c)
{
    int64_t end;
    if (kclient_end(c->kclient, slice_cstr(c->topic), 0, &end, NULL) == E_OK && end < c->position)
        c->position = 0;
}

static bool poll_topic(struct signal_channels *c, signal_fn fn, void *arg)
{
    struct topic_read t = {.c = c};
    struct error e = {0};
    int64_t from = c->position;
    if (from < 0) {
        signal_channels_begin(c);
        return c->position >= 0;
    }
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

/* --- file ------------------------------------------------------------------------------------- */

static char *copy_path(const struct signal_channels *c)
{
    return xasprintf("%s.taken", c->path);
}

/* E_AGAIN: something was added after `size` bytes. */
static enum err empty_file(const char *path, size_t size, struct error *e)
{
    struct fs_file f;
    int64_t now = 0;
    enum err rc = fs_open(&f, path, FS_WRITE, e);
    if (rc)
        return rc;
    rc = fs_size(&f, &now, e);
    if (rc == E_OK && now != (int64_t)size)
        rc = E_AGAIN;
    if (rc == E_OK)
        rc = fs_truncate(&f, 0, e);
    fs_close(&f);
    return rc;
}

/* The file stays the same one, whoever it belongs to; what is added while it is read is read, too. */
static enum err move_to_copy(struct signal_channels *c, const char *copy, struct strbuf *text,
                             struct error *e)
{
    enum { TRIES = 10 };
    enum err rc = E_AGAIN;
    struct error why = {0};
    for (int i = 0; i < TRIES && rc == E_AGAIN; i++) {
        strbuf_reset(text);
        rc = fs_read_all(c->path, FILE_MAX, text, e);
        if (rc == E_OK && fs_replace(copy, strbuf_slice(text), &why) && !c->told_copy) {
            c->told_copy = true;
            LOG_ERR(LOG_CDC, LOG_L_WARN, &why,
                    "signals of %s are lost when weir is killed before they are stored", c->path);
        }
        if (rc == E_OK)
            rc = empty_file(c->path, text->n, e);
    }
    return rc == E_AGAIN ? error_set(e, rc, "it grows all the time") : rc;
}

static void take_lines(struct signal_channels *c, struct slice text, signal_fn fn, void *arg)
{
    struct topic_read t = {.c = c};
    struct error e = {0};
    struct slice line;
    arena_init(&t.arena, 4096, ARENA_NO_BUDGET);
    while (slice_split(&text, '\n', &line)) {
        struct signal s;
        if (!slice_trim(line).n)
            continue;
        if (signal_from_json(slice_trim(line), &t.arena, &s, &e))
            LOG_ERR(LOG_CDC, LOG_L_WARN, &e, "Skipped signal due to an error: a line of %s",
                    c->path);
        else
            keep(&t, s);
    }
    hand_over(&t, fn, arg);
}

static bool poll_file(struct signal_channels *c, signal_fn fn, void *arg)
{
    struct strbuf text = STRBUF_INIT;
    struct error e = {0};
    enum err rc = E_OK;
    if (c->taken && !c->stored)
        return false;
    char *copy = copy_path(c);
    bool from_copy = !c->taken && fs_exists(copy); /* of a run before */
    if (c->taken) {
        rc = fs_unlink(copy, &e);
        c->taken = false;
    }
    if (rc == E_OK && from_copy)
        rc = fs_read_all(copy, FILE_MAX, &text, &e);
    else if (rc == E_OK && fs_size_of(c->path) > 0)
        rc = move_to_copy(c, copy, &text, &e);
    if (rc) {
        LOG_ERR(LOG_CDC, LOG_L_WARN, &e, "signal file %s cannot be taken", c->path);
        strbuf_reset(&text); /* what stays in the file would be taken again and again */
    }
    c->taken = text.n > 0;
    c->stored = false;
    if (c->taken)
        take_lines(c, strbuf_slice(&text), fn, arg);
    strbuf_release(&text);
    mem_free(copy);
    return c->taken;
}

void signal_channels_stored(struct signal_channels *c)
{
    c->stored = true;
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
        moved |= poll_file(c, fn, arg);
    return moved;
}
