/* connect/file_source.c - the file source: reads a file line by line, waits for more. Partition
 * {"filename":F}, offset {"position":bytes read}. Without `file`: nothing to read in a server, so
 * the task is idle. A file that is not there yet is waited for, which is told once. Thread: the
 * task's. */
#include "connect/file_source.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"

enum { READ_BYTES = 64 << 10, LINE_MAX_BYTES = 64 << 20, IDLE_MS = 100 };

static enum err check_topic(const struct opt_row *row, struct slice text, struct error *e)
{
    if (text.n)
        return E_OK;
    return error_set(e, E_INVALID, "Invalid value  for configuration %s: String must be non-empty",
                     row->name);
}

static const struct opt_row rows[] = {
    {.name = "file",
     .type = OPT_STRING,
     .def = NULL,
     .offset = OPT_NO_FIELD,
     .importance = OPT_HIGH,
     .order = -1,
     .display = "file",
     .doc = "File to read; the connector is idle without one."},
    {.name = "topic",
     .type = OPT_STRING,
     .flags = OPT_REQUIRED,
     .offset = OPT_NO_FIELD,
     .importance = OPT_HIGH,
     .order = -1,
     .display = "topic",
     .check = check_topic,
     .doc = "Topic that the lines go to."},
    {.name = "batch.size",
     .type = OPT_INT,
     .def = "2000",
     .offset = OPT_NO_FIELD,
     .importance = OPT_LOW,
     .order = -1,
     .display = "batch.size",
     .doc = "How many lines are sent at once, at most."},
    {.name = NULL},
};

struct file_task {
    struct task_ctx *ctx;
    char *path; /* NULL: none */
    struct slice topic;
    int64_t batch_size;
    int fd;
    bool missed;          /* it was told that the file is not there */
    int64_t position;     /* of the first byte that is not in a record yet */
    struct strbuf buffer; /* bytes from position on */
    size_t seen;          /* of them without a line's end */
    char *partition;      /* JSON text */
};

static void make_partition(struct file_task *t)
{
    struct strbuf b = STRBUF_INIT;
    struct json_writer w = JSON_WRITER(&b);
    jw_begin_object(&w);
    jw_kv_string_c(&w, "filename", t->path);
    jw_end_object(&w);
    t->partition = strbuf_steal(&b, NULL);
}

static enum err load_position(struct file_task *t, struct error *e)
{
    struct arena a;
    json_t *o = NULL;
    arena_init(&a, 0, ARENA_NO_BUDGET);
    struct slice stored = SLICE_NULL;
    enum err err = t->ctx->load_offset(t->ctx, &a, slice_cstr(t->partition), &stored, e);
    if (!err && stored.p && json_load_slice(stored, &o, NULL) == E_OK)
        t->position = MAX(json_get_i64(o, "position", 0), 0);
    json_decref(o);
    arena_release(&a);
    return err;
}

static enum err file_start(void **task, struct task_ctx *ctx, struct error *e)
{
    struct file_task *t = xcalloc(1, sizeof *t);
    struct slice path = slice_trim(strmap_get_c(ctx->config, "file"));
    enum err err = E_OK;
    *task = t;
    t->ctx = ctx;
    t->fd = -1;
    t->topic = slice_trim(strmap_get_c(ctx->config, "topic"));
    t->batch_size = strmap_i64(ctx->config, "batch.size", 2000);
    if (t->batch_size < 1)
        t->batch_size = 2000;
    strbuf_init(&t->buffer, LINE_MAX_BYTES);
    if (path.n) {
        t->path = slice_dup(path);
        make_partition(t);
        err = load_position(t, e);
    }
    return err;
}

/* fd stays -1 while the file is not there. E_IO: it is there and cannot be opened; the task fails
 * of it, as the original does. */
static enum err open_file(struct file_task *t, struct error *e)
{
    if (t->fd >= 0 || !t->path)
        return E_OK;
    t->fd = open(t->path, O_RDONLY | O_CLOEXEC);
    if (t->fd < 0 && errno != ENOENT) {
        error_sys(e, errno, "org.apache.kafka.connect.errors.ConnectException: opening %s",
                  t->path);
        error_hint(e, "weir must be allowed to read the file; then restart the task");
        return E_IO;
    }
    if (t->fd < 0 && !t->missed)
        LOG_WARN(
            LOG_CONNECT_TASK,
            "Couldn't find file %s for FileStreamSourceTask, sleeping to wait for it to be created",
            t->path);
    if (t->fd >= 0 && t->missed)
        LOG_INFO(LOG_CONNECT_TASK, "the file %s is there now and is read", t->path);
    t->missed = t->fd < 0;
    return E_OK;
}

/* A line without its end: "\n", "\r\n" or "\r"; a "\r" at the very end may be half of "\r\n". */
static bool next_line(struct file_task *t, size_t from, struct slice *line, size_t *after)
{
    for (size_t i = MAX(from, t->seen); i < t->buffer.n; i++) {
        char c = t->buffer.p[i];
        if (c != '\n' && c != '\r')
            continue;
        if (c == '\r' && i + 1 == t->buffer.n) {
            t->seen = i;
            return false;
        }
        *line = slice_of(t->buffer.p + from, i - from);
        *after = i + 1 + (c == '\r' && t->buffer.p[i + 1] == '\n');
        return true;
    }
    t->seen = t->buffer.n;
    return false;
}

static enum err add_line(struct file_task *t, struct record_batch *out, struct slice line)
{
    struct record *r = record_batch_add(out);
    if (!r)
        return E_NOMEM;
    r->topic = t->topic;
    r->timestamp_ms = clock_wall_ms();
    r->value_schema = schema_plain(SCHEMA_STRING, false);
    r->value = value_string(arena_dup(&out->arena, line));
    return r->value.kind == VALUE_STRING ? E_OK : E_NOMEM;
}

static enum err take_lines(struct file_task *t, struct record_batch *out)
{
    size_t from = 0, after;
    struct slice line;
    enum err err = E_OK;
    while (!err && (int64_t)out->count < t->batch_size && next_line(t, from, &line, &after)) {
        err = add_line(t, out, line);
        from = after;
        t->seen = 0;
    }
    if (err || !from)
        return err;
    t->position += (int64_t)from;
    memmove(t->buffer.p, t->buffer.p + from, t->buffer.n - from + 1);
    t->buffer.n -= from;
    t->seen = t->seen > from ? t->seen - from : 0;
    char text[48];
    snprintf(text, sizeof text, "{\"position\":%lld}", (long long)t->position);
    return record_batch_offset(out, slice_cstr(t->partition), slice_cstr(text));
}

static enum err file_poll(void *task, struct record_batch *out, struct error *e)
{
    struct file_task *t = task;
    enum err err = open_file(t, e);
    if (err)
        return err;
    if (t->fd < 0) {
        (void)task_sleep(t->ctx, IDLE_MS);
        return E_OK;
    }
    err = take_lines(t, out); /* what was read before */
    if (!err && !out->count) {
        err = strbuf_reserve(&t->buffer, READ_BYTES);
        if (err)
            return error_set(
                e, err,
                "org.apache.kafka.connect.errors.ConnectException: a line of %s is longer than "
                "%d bytes",
                t->path, LINE_MAX_BYTES);
        ssize_t n =
            pread(t->fd, t->buffer.p + t->buffer.n, READ_BYTES, t->position + (int64_t)t->buffer.n);
        if (n < 0)
            return error_sys(e, errno, "java.io.IOException: reading %s", t->path);
        t->buffer.n += (size_t)n;
        t->buffer.p[t->buffer.n] = '\0';
        if (n)
            err = take_lines(t, out);
        else
            (void)task_sleep(t->ctx, IDLE_MS);
    }
    return err ? error_set(e, err,
                           "org.apache.kafka.connect.errors.ConnectException: no memory for the "
                           "lines of %s",
                           t->path)
               : E_OK;
}

static void file_stop(void *task)
{
    struct file_task *t = task;
    if (!t)
        return;
    if (t->fd >= 0)
        close(t->fd);
    strbuf_release(&t->buffer);
    mem_free(t->path);
    mem_free(t->partition);
    mem_free(t);
}

/* --- the user's changes of offsets. SPEC: connect 1.6 ----------------------------------------- */

static enum err check_offset(const struct strmap *config, struct slice partition,
                             struct slice offset, struct error *e)
{
    json_t *p = NULL, *o = NULL, *v;
    const char *why = NULL;
    if (partition.p)
        (void)!json_load_slice(partition, &p, NULL);
    if (offset.p)
        (void)!json_load_slice(offset, &o, NULL);
    if (!slice_trim(strmap_get_c(config, "file")).n)
        why = "Offsets cannot be modified if the 'file' configuration is unspecified. This is "
              "because stdin is used for "
              "input and offsets are not tracked.";
    else if (offset.p && !json_object_get(o, "position"))
        why = "Offset objects should either be null or contain the key 'position'";
    else if (offset.p && !json_is_integer(v = json_object_get(o, "position")))
        why = "The value for the 'position' key in the offset is expected to be a Long value";
    else if (offset.p && json_integer_value(v) < 0)
        why = "The value for the 'position' key in the offset should be a non-negative value";
    else if (!partition.p)
        why = "Partition objects cannot be null";
    else if (offset.p && !json_object_get(p, "filename"))
        why = "Partition objects should contain the key 'filename'";
    json_decref(p);
    json_decref(o);
    return why ? error_set(e, E_INVALID, "%s", why) : E_OK;
}

static const struct source_task_ops task_ops = {
    .start = file_start, .poll = file_poll, .stop = file_stop};
static const char *const aliases[] = {"FileStreamSourceConnector", "FileStreamSource", NULL};
const struct connector_ops file_source_connector = {
    .class_name = "org.apache.kafka.connect.file.FileStreamSourceConnector",
    .aliases = aliases,
    .task_class = "org.apache.kafka.connect.file.FileStreamSourceTask",
    .version = "4.1.1",
    .kind = CONNECTOR_SOURCE,
    .rows = rows,
    .rows_are_all = true,
    .source = &task_ops,
    .check_offset = check_offset,
};
