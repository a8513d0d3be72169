/* broker/log/logdir.c - see logdir.h.
 *
 * The clean mark is believed once: logdir_begin removes it durably before anything is written, so
 * that neither kill -9 nor a power cut can leave a mark beside logs that were in use. */
#include "broker/log/logdir.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/strmap.h"

#define CLEAN_MARK ".kafka_cleanshutdown"
#define BOOT "weir-boot"
#define META "meta.properties"
#define META_MAX ((size_t)1 << 20)
#define NAME_MAX_BYTES 255

char *logdir_path(const struct logdir *d, const char *name)
{
    return xasprintf("%s/%s", d->path, name);
}

char *logdir_partition_path(const struct logdir *d, struct slice topic, int32_t partition)
{
    return xasprintf("%s/" PRI_SL "-%d", d->path, ARG_SL(topic), partition);
}

char *logdir_deleted_path(const struct logdir *d, struct slice topic, int32_t partition)
{
    uint8_t random[16];
    struct strbuf hex = STRBUF_INIT;
    char tail[80];
    bytes_random(random, sizeof random);
    hex_encode(&hex, slice_of(random, sizeof random));
    int n = snprintf(tail, sizeof tail, "-%d.%s" LOGDIR_DELETED, partition, hex.p);
    strbuf_release(&hex);
    topic = slice_sub(topic, 0, NAME_MAX_BYTES - (size_t)n);
    return xasprintf("%s/" PRI_SL "%s", d->path, ARG_SL(topic), tail);
}

bool logdir_parse(const char *name, struct slice *topic, int32_t *partition)
{
    struct slice s = slice_cstr(name);
    ptrdiff_t dash = slice_rfind_char(s, '-');
    int64_t n;
    if (dash <= 0 || s.p[dash + 1] < '0' || s.p[dash + 1] > '9' ||
        slice_to_i64(slice_sub(s, (size_t)dash + 1, s.n), &n) != E_OK || n > INT32_MAX)
        return false;
    *topic = slice_sub(s, 0, (size_t)dash);
    *partition = (int32_t)n;
    return true;
}

bool logdir_topic_id(const struct logdir *d, const char *name, struct uuid *out)
{
    struct strbuf text = STRBUF_INIT;
    char *path = xasprintf("%s/%s/partition.metadata", d->path, name);
    bool found = false;
    if (fs_exists(path) && fs_read_all(path, META_MAX, &text, NULL) == E_OK) {
        struct slice line, rest = strbuf_slice(&text);
        while (!found && slice_split(&rest, '\n', &line))
            if (slice_starts(line, SL("topic_id:")))
                found = uuid_parse(slice_trim(slice_sub(line, 9, line.n)), out) == E_OK;
    }
    strbuf_release(&text);
    mem_free(path);
    return found;
}

/* --- meta.properties -------------------------------------------------------------------------- */

/* Any 22 characters of the URL-safe alphabet: examples on the web are not all 16 bytes in base64.
 */
static bool is_cluster_id(struct slice s)
{
    if (s.n != UUID_TEXT_SIZE - 1)
        return false;
    for (size_t i = 0; i < s.n; i++)
        if (!(s.p[i] >= '0' && s.p[i] <= '9') && !((s.p[i] | 32) >= 'a' && (s.p[i] | 32) <= 'z') &&
            s.p[i] != '-' && s.p[i] != '_')
            return false;
    return true;
}

static void keep_cluster_id(struct logdir *d, struct slice id)
{
    memcpy(d->cluster_id, id.p, id.n);
    d->cluster_id[id.n] = 0;
}

static void choose_cluster_id(struct logdir *d)
{
    struct slice given = slice_cstr(getenv("CLUSTER_ID"));
    struct uuid random;
    if (is_cluster_id(given)) {
        keep_cluster_id(d, given);
        return;
    }
    if (given.n)
        LOG_WARN(LOG_BROKER_LOG, "CLUSTER_ID is not 22 characters of base64; made a cluster id");
    uuid_random(&random);
    uuid_text(&random, d->cluster_id);
}

static enum err write_meta(const struct logdir *d, const char *path, struct slice directory_id,
                           int32_t node_id, struct error *e)
{
    struct strbuf text = STRBUF_INIT;
    strbuf_addf(&text, "#\ncluster.id=%s\ndirectory.id=" PRI_SL "\nnode.id=%d\nversion=1\n",
                d->cluster_id, ARG_SL(directory_id), node_id);
    enum err r = fs_replace(path, strbuf_slice(&text), e);
    strbuf_release(&text);
    return r;
}

static enum err open_meta(struct logdir *d, int32_t node_id, struct error *e)
{
    struct strbuf text = STRBUF_INIT;
    struct strmap meta = STRMAP_INIT;
    char *path = logdir_path(d, META), room[UUID_TEXT_SIZE];
    enum err r = E_OK;
    if (fs_exists(path))
        r = fs_read_all(path, META_MAX, &text, e);
    if (r == E_OK)
        r = strmap_parse_properties(&meta, strbuf_slice(&text), e);
    if (r == E_OK) {
        struct slice cluster = strmap_get_c(&meta, "cluster.id");
        struct slice directory = strmap_get_c(&meta, "directory.id");
        struct slice node = strmap_get_c(&meta, "node.id");
        int64_t number;
        bool same = slice_to_i64(node, &number) == E_OK && number == node_id;
        if (is_cluster_id(cluster))
            keep_cluster_id(d, cluster);
        else
            choose_cluster_id(d);
        if (slice_is_null(directory)) {
            struct uuid random;
            uuid_random(&random);
            uuid_text(&random, room);
            directory = slice_cstr(room);
        }
        if (!same || !is_cluster_id(cluster) || directory.p == room)
            r = write_meta(d, path, directory, node_id, e);
    }
    strmap_release(&meta);
    strbuf_release(&text);
    mem_free(path);
    return r;
}

/* --- life ------------------------------------------------------------------------------------- */

/* Two of them would spoil each other's logs. */
static void in_use(const char *path, struct error *e)
{
    int pid = e ? e->sys : 0;
    if (pid > 0)
        error_set(e, E_CONFLICT, "weir runs here already (process %d), with its data in %s", pid,
                  path);
    else
        error_set(e, E_CONFLICT, "weir runs here already, with its data in %s", path);
    error_hint(e, "stop it, or give this one a directory of its own: --data-dir DIR");
}

/* Where it is not known, the machine counts as started anew. */
static bool is_same_boot(const struct logdir *d)
{
    struct strbuf text = STRBUF_INIT;
    char *path = logdir_path(d, BOOT), now[CLOCK_BOOT_ID_SIZE];
    clock_boot_id(now);
    bool same = now[0] && fs_exists(path) &&
                fs_read_all(path, CLOCK_BOOT_ID_SIZE, &text, NULL) == E_OK &&
                slice_eq_c(slice_trim(strbuf_slice(&text)), now);
    strbuf_release(&text);
    mem_free(path);
    return same;
}

/* Not synced, and without an error: whoever does not find it takes the machine as started anew. */
static void note_boot(const struct logdir *d)
{
    struct fs_file f;
    char *path = logdir_path(d, BOOT), now[CLOCK_BOOT_ID_SIZE];
    clock_boot_id(now);
    if (fs_open(&f, path, FS_WRITE | FS_CREATE | FS_TRUNC, NULL) == E_OK) {
        (void)!fs_pwrite(&f, now, strlen(now), 0, NULL);
        fs_close(&f);
    }
    mem_free(path);
}

enum err logdir_open(struct logdir *d, const char *path, int32_t node_id, struct error *e)
{
    memset(d, 0, sizeof *d);
    enum err r = fs_mkdirs(path, e);
    if (r != E_OK)
        return r;
    d->path = xstrdup(path);
    char *lock = logdir_path(d, ".lock"), *mark = logdir_path(d, CLEAN_MARK);
    r = fs_lock(&d->lock, lock, e);
    if (r == E_CONFLICT)
        in_use(path, e);
    if (r == E_OK) {
        r = open_meta(d, node_id, e);
        d->clean = fs_exists(mark);
        d->same_boot = is_same_boot(d);
        if (r != E_OK)
            fs_close(&d->lock);
    }
    if (r != E_OK) {
        mem_free(d->path);
        memset(d, 0, sizeof *d);
    }
    mem_free(lock);
    mem_free(mark);
    return r;
}

enum err logdir_begin(struct logdir *d, struct error *e)
{
    char *mark = logdir_path(d, CLEAN_MARK);
    enum err r = E_OK;
    if (!d->same_boot)
        note_boot(d);
    if (fs_exists(mark)) {
        r = fs_unlink(mark, e);
        if (r == E_OK)
            r = fs_sync_dir(d->path, e);
    }
    mem_free(mark);
    return r;
}

void logdir_close(struct logdir *d, bool clean)
{
    if (!d->path)
        return;
    struct error e;
    char *mark = logdir_path(d, CLEAN_MARK);
    if (clean && fs_replace(mark, SL("{\"version\":0,\"brokerEpoch\":-1}"), &e) != E_OK)
        LOG_ERR(LOG_BROKER_LOG, LOG_L_WARN, &e, "the next start will check all logs");
    mem_free(mark);
    fs_close(&d->lock);
    mem_free(d->path);
    memset(d, 0, sizeof *d);
}
