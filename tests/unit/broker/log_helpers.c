/* tests/unit/broker/log_helpers.c - see log_helpers.h. */
#include "log_helpers.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "broker/proto/kerr.h"

static int worlds;

void world_init(struct log_world *w, const char *below)
{
    memset(w, 0, sizeof *w);
    w->dir = xasprintf("%s/world%d", below, worlds++);
    w->options = (struct topics_options){
        .dir = w->dir, .node_id = 1, .producer_expire_ms = 86400000, .max_partitions = 10000};
}

void world_start(struct log_world *w)
{
    static const struct db_migrations *const migrations[] = {&topic_migrations, NULL};
    struct error e = {0};
    CHECK_OK(fs_mkdirs(w->dir, &e));
    char *path = world_path(w, "weir.db");
    enum err r = pool_start(&w->pool, "test", 2, &e);
    if (r == E_OK)
        r = db_open(&w->db, path, false, migrations, &e);
    if (r == E_OK)
        r = topics_open(&w->topics, &w->options, w->db, w->pool, &e);
    if (r != E_OK)
        fprintf(stderr, "%s\n", e.msg);
    CU_ASSERT_FATAL(r == E_OK);
    mem_free(path);
}

void world_shut(struct log_world *w)
{
    topics_close(w->topics);
    pool_stop(w->pool);
    db_close(w->db);
    w->topics = NULL;
}

void world_open(struct log_world *w, const char *below)
{
    world_init(w, below);
    world_start(w);
}

void world_reopen(struct log_world *w)
{
    world_shut(w);
    world_start(w);
}

void world_close(struct log_world *w)
{
    if (w->topics)
        world_shut(w);
    mem_free(w->dir);
    w->dir = NULL;
}

char *world_path(const struct log_world *w, const char *name)
{
    return xasprintf("%s/%s", w->dir, name);
}

int log_quiet(void)
{
    return log_set_level("broker.log", LOG_L_OFF) != E_OK;
}

int log_loud(void)
{
    return log_set_level("broker.log", LOG_L_INFO) != E_OK;
}

void copy_tree(const char *from, const char *to)
{
    char *command = xasprintf("cp -aT --sparse=always '%s' '%s'", from, to);
    /* once more: files of a deleted topic may go while they are copied */
    bool done = false;
    for (int i = 0; i < 20 && !done; i++) /* again while removed topics' files go in between */
        done = system(command) == 0;
    CU_ASSERT_FATAL(done);
    mem_free(command);
}

void world_killed(struct log_world *copy, const struct log_world *w)
{
    memset(copy, 0, sizeof *copy);
    copy->dir = xasprintf("%s.killed%d", w->dir, worlds++);
    copy->options = w->options;
    copy->options.dir = copy->dir;
    copy_tree(w->dir, copy->dir);
}

void world_lose_db(struct log_world *w)
{
    static const char *const names[] = {"weir.db", "weir.db-wal", "weir.db-shm"};
    world_shut(w);
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        char *path = world_path(w, names[i]);
        CHECK_OK(fs_unlink(path, NULL));
        mem_free(path);
    }
    world_start(w);
}

bool world_has(const struct log_world *w, const char *name)
{
    char *path = world_path(w, name);
    bool there = fs_exists(path);
    mem_free(path);
    return there;
}

void world_remove(const struct log_world *w, const char *name)
{
    char *path = world_path(w, name);
    CHECK_OK(fs_remove_tree(path, NULL));
    mem_free(path);
}

void world_copy_dir(const struct log_world *w, const char *from, const char *to)
{
    char *a = world_path(w, from), *b = world_path(w, to);
    copy_tree(a, b);
    mem_free(a);
    mem_free(b);
}

struct topic *world_topic(struct log_world *w, const char *name, int partitions,
                          const struct strmap *configs)
{
    struct topic *t = NULL;
    struct error e = {0};
    struct topic_spec spec = {
        .name = slice_cstr(name), .partitions = partitions, .configs = configs};
    if (topics_create(w->topics, &spec, false, &t, &e) != E_OK)
        fprintf(stderr, "%s\n", e.msg);
    CU_ASSERT_FATAL(t != NULL);
    return t;
}

struct partition *world_partition(struct log_world *w, const char *name, const char *settings)
{
    struct strmap c;
    struct slice pair, key, rest = slice_cstr(settings);
    strmap_init(&c);
    while (slice_split(&rest, ' ', &pair))
        if (pair.n && slice_split(&pair, '=', &key))
            strmap_set(&c, key, pair);
    struct topic *t = world_topic(w, name, 1, &c);
    struct partition *p = topic_partition(t, 0);
    topic_unref(t);
    strmap_release(&c);
    return p;
}

/* --- batches ---------------------------------------------------------------------------------- */

void make_batch(struct strbuf *out, const struct batch_spec *spec)
{
    struct batch_builder b;
    struct strbuf value = STRBUF_INIT;
    struct slice batch;
    if (spec->value)
        strbuf_adds(&value, spec->value);
    else
        for (size_t i = 0; i < (spec->value_bytes ? spec->value_bytes : 5); i++)
            strbuf_addc(&value, (char)('a' + i % 26));
    batch_builder_init(&b, spec->codec, CODEC_LEVEL_DEFAULT, 0);
    for (int i = 0; i < MAX(spec->count, 1); i++)
        CHECK_OK(batch_builder_add(&b, spec->timestamp + i, SL("key"), strbuf_slice(&value), NULL));
    if (spec->producer_id)
        batch_builder_producer(&b, spec->producer_id, spec->producer_epoch, spec->sequence,
                               spec->transactional);
    CHECK_OK(batch_builder_finish(&b, &batch));
    strbuf_reset(out);
    strbuf_add_slice(out, batch);
    CHECK_OK(strbuf_err(out));
    batch_builder_release(&b);
    strbuf_release(&value);
}

int16_t append_batch(struct partition *p, const struct batch_spec *spec,
                     struct partition_appended *out)
{
    struct strbuf bytes = STRBUF_INIT;
    struct partition_appended own;
    uint64_t guard = 0;
    make_batch(&bytes, spec);
    int16_t code = spec->transactional ? partition_txn_guard(p, bytes.p, &guard) : KERR_NONE;
    if (!code)
        code = partition_append_txn(p, bytes.p, bytes.n, guard, out ? out : &own);
    strbuf_release(&bytes);
    return code;
}

int16_t append_records(struct partition *p, int count, struct partition_appended *out)
{
    return append_batch(p, &(struct batch_spec){.count = count, .timestamp = 1000}, out);
}

/* Batches of one range; the offset after them, or -1. */
static int64_t check_range(struct slice bytes, int64_t next)
{
    struct slice batch;
    while (batch_split(&bytes, &batch)) {
        if (batch_check(batch) != E_OK || batch_last_offset(batch.p) < next)
            return -1;
        if (batch_base_offset(batch.p) > next)
            return -1;
        next = batch_last_offset(batch.p) + 1;
    }
    return bytes.n ? -1 : next;
}

int64_t read_all(struct partition *p, int64_t from)
{
    struct strbuf bytes = STRBUF_INIT;
    for (int64_t end = -1; from >= 0 && from != end;) {
        struct partition_read r;
        int16_t code = partition_read(p, from, 100000, true, false, NULL, &r);
        end = r.offsets.end;
        if (code != KERR_NONE || (r.range.n == 0 && from != end)) {
            from = -1;
            break;
        }
        strbuf_reset(&bytes);
        if (r.range.n) {
            CHECK_OK(file_range_read(&r.range, &bytes, NULL));
            file_range_release(&r.range);
            from = check_range(strbuf_slice(&bytes), from);
        }
    }
    strbuf_release(&bytes);
    CHECK(from >= 0);
    return from;
}
