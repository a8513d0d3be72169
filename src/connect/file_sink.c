/* connect/file_sink.c - the file sink: each value's text becomes a line at the end of a file. Without
 * `file`: lines go to the standard output. A batch is one write; offsets follow it, so that what a
 * crash leaves in doubt is written again. Thread: the task's. SPEC: connect 1.7. */
#include "connect/file_sink.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/mem.h"
#include "connect/converters/converters.h"

static const struct opt_row rows[] = {
    {.name = "file",
     .type = OPT_STRING,
     .def = NULL,
     .offset = OPT_NO_FIELD,
     .importance = OPT_HIGH,
     .order = -1,
     .display = "file",
     .doc = "File that the lines are added to; the standard output without one."},
    {.name = NULL},
};

struct file_task {
    char *path; /* NULL: standard output */
    int fd;
    struct strbuf lines;
};

static enum err file_start(void **task, struct task_ctx *ctx, struct error *e)
{
    struct slice path = strmap_get_c(ctx->config, "file");
    struct file_task *t = xcalloc(1, sizeof *t);
    *task = t;
    t->fd = STDOUT_FILENO;
    strbuf_init(&t->lines, 0);
    if (!path.p)
        return E_OK;
    t->path = slice_dup(path);
    t->fd = open(t->path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (t->fd >= 0)
        return E_OK;
    return error_set(e, E_IO,
                     "org.apache.kafka.connect.errors.ConnectException: Couldn't find or create "
                     "file '%s' for FileStreamSinkTask\nCaused by: "
                     "java.nio.file.FileSystemException: %s: %s",
                     t->path, t->path, strerror(errno));
}

static enum err file_put(void *task, struct record_batch *batch, struct error *e)
{
    struct file_task *t = task;
    strbuf_reset(&t->lines);
    for (size_t i = 0; i < batch->count; i++) {
        java_add_consumed_value(&t->lines, batch->records[i].value_schema, batch->records[i].value);
        strbuf_addc(&t->lines, '\n');
    }
    if (strbuf_err(&t->lines))
        return error_set(
            e, strbuf_err(&t->lines),
            "org.apache.kafka.connect.errors.ConnectException: no memory for the lines "
            "of %s",
            t->path ? t->path : "the standard output");
    struct slice left = strbuf_slice(&t->lines);
    while (left.n) {
        ssize_t n = write(t->fd, left.p, left.n);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return error_sys(e, errno,
                             "org.apache.kafka.connect.errors.ConnectException: writing %s",
                             t->path ? t->path : "the standard output");
        left = slice_sub(left, (size_t)n, left.n);
    }
    return E_OK;
}

static void file_stop(void *task)
{
    struct file_task *t = task;
    if (!t)
        return;
    if (t->path && t->fd >= 0)
        close(t->fd);
    strbuf_release(&t->lines);
    mem_free(t->path);
    mem_free(t);
}

static int all_tasks(const struct strmap *config, int tasks_max)
{
    (void)config;
    return tasks_max;
}

/* It keeps no offsets of its own, and says so: any offset of the group may be set. */
static enum err check_offset(const struct strmap *config, struct slice partition,
                             struct slice offset, struct error *e)
{
    (void)config, (void)partition, (void)offset, (void)e;
    return E_OK;
}

static const struct sink_task_ops task_ops = {
    .start = file_start, .put = file_put, .stop = file_stop};
static const char *const aliases[] = {"FileStreamSinkConnector", "FileStreamSink", NULL};
const struct connector_ops file_sink_connector = {
    .class_name = "org.apache.kafka.connect.file.FileStreamSinkConnector",
    .aliases = aliases,
    .task_class = "org.apache.kafka.connect.file.FileStreamSinkTask",
    .version = "4.1.1",
    .kind = CONNECTOR_SINK,
    .rows = rows,
    .rows_are_all = true,
    .task_count = all_tasks,
    .sink = &task_ops,
    .check_offset = check_offset,
};
