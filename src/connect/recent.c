/* connect/recent.c - see recent.h. A new connector takes the place of the one whose last line is the
 * oldest; in a connector's ring a new line takes that of the oldest. */
#include "connect/recent.h"

#include <pthread.h>

#include "base/clock.h"
#include "base/mem.h"

enum { TEXT_MAX = 1000 };

struct line {
    int64_t at_ms;
    enum log_level level;
    int task;
    char *text;
};
struct connector {
    char *name;       /* NULL: free */
    uint64_t written; /* lines so far */
    uint64_t last;    /* which line of all its last one was */
    struct line lines[RECENT_LINES];
};
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct connector connectors[RECENT_CONNECTORS];
static uint64_t lines_so_far;

/* "connector=NAME task=N" as a task's thread has it; names may contain anything. */
static bool read_context(const struct log_ctx *ctx, struct slice *name, int *task)
{
    for (; ctx; ctx = ctx->outer) {
        struct slice text = slice_cstr(ctx->text);
        ptrdiff_t space = slice_rfind_char(text, ' ');
        int64_t number;
        if (!slice_starts(text, SL("connector=")) || space < 0)
            continue;
        struct slice tail = slice_sub(text, (size_t)space + 1, text.n);
        if (!slice_starts(tail, SL("task=")) ||
            slice_to_i64(slice_sub(tail, 5, tail.n), &number) != E_OK)
            continue;
        *name = slice_sub(text, 10, (size_t)space);
        *task = (int)number;
        return true;
    }
    return false;
}

static void release(struct connector *c)
{
    mem_free(c->name);
    for (int i = 0; i < RECENT_LINES; i++)
        mem_free(c->lines[i].text);
    *c = (struct connector){.name = NULL};
}

/* Lock held. */
static struct connector *find(struct slice name)
{
    for (int i = 0; i < RECENT_CONNECTORS; i++)
        if (connectors[i].name && slice_eq_c(name, connectors[i].name))
            return &connectors[i];
    return NULL;
}

/* Lock held. */
static struct connector *find_or_take(struct slice name)
{
    struct connector *c = find(name);
    if (c)
        return c;
    c = &connectors[0];
    for (int i = 1; i < RECENT_CONNECTORS && c->name; i++)
        if (!connectors[i].name || connectors[i].last < c->last)
            c = &connectors[i];
    release(c);
    c->name = slice_dup(name);
    return c;
}

void recent_note(enum log_level level, const struct log_ctx *ctx, const char *text)
{
    struct slice name, whole = slice_cstr(text);
    int task;
    if (!read_context(ctx, &name, &task))
        return;
    char *copy = slice_dup(slice_sub(whole, 0, MIN(whole.n, (size_t)TEXT_MAX)));
    pthread_mutex_lock(&lock);
    struct connector *c = find_or_take(name);
    struct line *l = &c->lines[c->written++ % RECENT_LINES];
    mem_free(l->text);
    *l = (struct line){clock_wall_ms(), level, task, copy};
    c->last = ++lines_so_far;
    pthread_mutex_unlock(&lock);
}

/* The cut may be inside of a character. */
static json_t *text_json(const char *text)
{
    struct slice s = slice_cstr(text);
    while (s.n && !slice_is_utf8(s))
        s.n--;
    return json_stringn_nocheck(s.p, s.n);
}

json_t *recent_lines(struct slice connector)
{
    json_t *out = json_array();
    pthread_mutex_lock(&lock);
    const struct connector *c = find(connector);
    for (uint64_t i = 0; c && i < RECENT_LINES && i < c->written; i++) {
        const struct line *l = &c->lines[(c->written - 1 - i) % RECENT_LINES];
        json_t *one = json_object();
        json_object_set_new(one, "at", json_integer(l->at_ms));
        json_object_set_new(one, "level", json_string(log_level_name(l->level)));
        json_object_set_new(one, "task", json_integer(l->task));
        json_object_set_new(one, "text", text_json(l->text));
        json_array_append_new(out, one);
    }
    pthread_mutex_unlock(&lock);
    return out;
}

int recent_count(struct slice connector, int64_t since_ms)
{
    int n = 0;
    pthread_mutex_lock(&lock);
    const struct connector *c = find(connector);
    for (int i = 0; c && i < RECENT_LINES; i++)
        n += c->lines[i].text && c->lines[i].at_ms >= since_ms;
    pthread_mutex_unlock(&lock);
    return n;
}

void recent_clear(void)
{
    pthread_mutex_lock(&lock);
    for (int i = 0; i < RECENT_CONNECTORS; i++)
        release(&connectors[i]);
    pthread_mutex_unlock(&lock);
}
