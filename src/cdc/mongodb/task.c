/* cdc/mongodb/task.c - see task.h. */
#include "cdc/mongodb/task.h"

static enum err task_start(void **task, struct task_ctx *ctx, struct error *e)
{
    (void)ctx;
    *task = NULL;
    return error_set(e, E_UNSUPPORTED, "reading MongoDB is not part of this build");
}

static enum err task_poll(void *task, struct record_batch *out, struct error *e)
{
    (void)task;
    (void)out;
    return error_set(e, E_UNSUPPORTED, "reading MongoDB is not part of this build");
}

static void task_stop(void *task)
{
    (void)task;
}

const struct source_task_ops mongo_source_ops = {
    .start = task_start,
    .poll = task_poll,
    .stop = task_stop,
};
