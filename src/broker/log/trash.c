/* broker/log/trash.c - see trash.h. A plain list: there are as many files as segments expire within
 * the delay. A file that cannot be removed is logged and forgotten; loading its partition later
 * tries again (every *.deleted in a partition's directory is somebody's rest). */
#include "broker/log/trash.h"

#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"

void trash_init(struct trash *t)
{
    memset(t, 0, sizeof *t);
    pthread_mutex_init(&t->lock, NULL);
}

static void remove_take(char *path)
{
    struct error e;
    if (fs_unlink(path, &e) != E_OK)
        LOG_ERR(LOG_BROKER_LOG, LOG_L_WARN, &e, "a deleted file stays on disk");
    mem_free(path);
}

void trash_release(struct trash *t)
{
    for (size_t i = 0; i < t->count; i++)
        remove_take(t->v[i].path);
    mem_free(t->v);
    pthread_mutex_destroy(&t->lock);
}

void trash_add_take(struct trash *t, char *path, int64_t delay_ms)
{
    int64_t now = clock_mono_ms();
    pthread_mutex_lock(&t->lock);
    if (t->count == t->cap) {
        t->cap = t->cap ? t->cap * 2 : 16;
        t->v = xrealloc(t->v, t->cap * sizeof *t->v);
    }
    t->v[t->count++] =
        (struct trash_file){path, delay_ms > INT64_MAX - now ? INT64_MAX : now + delay_ms};
    pthread_mutex_unlock(&t->lock);
}

/* One that is due, or NULL; *wait: until the next is. */
static char *take_due(struct trash *t, int64_t *wait)
{
    int64_t now = clock_mono_ms(), next = INT64_MAX;
    char *path = NULL;
    pthread_mutex_lock(&t->lock);
    for (size_t i = 0; i < t->count && !path; i++) {
        if (t->v[i].due_ms > now) {
            next = MIN(next, t->v[i].due_ms);
            continue;
        }
        path = t->v[i].path;
        t->v[i] = t->v[--t->count];
    }
    *wait = t->count ? MAX(next - now, 0) : -1;
    pthread_mutex_unlock(&t->lock);
    return path;
}

int64_t trash_run(struct trash *t)
{
    int64_t wait;
    for (char *path; (path = take_due(t, &wait)) != NULL;)
        remove_take(path);
    return wait;
}
