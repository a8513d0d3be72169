/* lab/private_mongodb.c - see private_mongodb.h. Nobody has to log in, but only this machine
 * reaches it, and JavaScript of its clients is not run. */
#include "lab/private_mongodb.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/str.h"
#include "cdc/mongo_shell.h"

#define OLDEST 6 /* collections with pre-images */

/* Its log is JSON, a line per entry: severities, and where the message begins. */
static const char *const marks[] = {"\"s\":\"E\"", "\"s\":\"F\"", NULL};

char *private_mongodb_find(const char *given, struct error *e)
{
    char *path = given ? xstrdup(given) : private_find("mongod");
    if (!path) {
        error_set(e, E_NOT_FOUND,
                  "--mongodb needs MongoDB's server, and there is no mongod in PATH; Debian has "
                  "none, get it from https://www.mongodb.com/try/download/community-edition, or "
                  "name yours with --mongod PATH (WEIR_MONGOD); plain `weir demo` needs none");
        return NULL;
    }
    if (given && access(given, X_OK) != 0)
        error_sys(e, errno, "--mongod: %s", given);
    else if (mongo_shell_ready(e) == E_OK)
        return path;
    mem_free(path);
    return NULL;
}

/* --- the replica set -------------------------------------------------------------------------- */

struct member {
    struct mongo_shell *shell; /* with this member, whatever it is; NULL: not open */
    char host[32];
    char uri[80];
};

static json_t *members(const struct member *m)
{
    return json_pack("[{s:i, s:s}]", "_id", 0, "host", m->host);
}

/* A new set, or that of an earlier run under the port of this one. */
static enum err configure(struct member *m, struct error *e)
{
    json_t *reply = NULL;
    enum err err =
        mongo_shell_run(m->shell, "admin", json_pack("{s:i}", "replSetGetConfig", 1), &reply, e);
    if (err == E_REMOTE && e->sys == MONGO_NOT_YET_INITIALIZED) {
        err = mongo_shell_run(m->shell, "admin",
                              json_pack("{s:{s:s, s:o}}", "replSetInitiate", "_id",
                                        PRIVATE_MONGODB_SET, "members", members(m)),
                              NULL, e);
        if (err == E_REMOTE && e->sys == MONGO_ALREADY_INITIALIZED)
            return E_OK; /* it was about to read its configuration */
        return err;
    }
    if (err)
        return err;
    json_t *config = json_object_get(reply, "config");
    const json_t *first = json_array_get(json_object_get(config, "members"), 0);
    const char *host = json_string_value(json_object_get(first, "host"));
    if (host && strcmp(host, m->host) != 0) {
        json_object_set_new(config, "members", members(m));
        err = mongo_shell_run(m->shell, "admin",
                              json_pack("{s:O, s:b}", "replSetReconfig", config, "force", 1), NULL,
                              e);
    }
    json_decref(reply);
    return err;
}

/* For private_server_start: E_OK once it is the primary. */
static enum err is_primary(void *arg, struct error *e)
{
    struct member *m = arg;
    json_t *reply = NULL;
    enum err err = m->shell ? E_OK : mongo_shell_open(&m->shell, m->uri, e);
    if (!err)
        err = configure(m, e);
    if (err == E_IO) { /* the driver would not try again for 5 seconds */
        mongo_shell_close(m->shell);
        m->shell = NULL;
    }
    if (!err)
        err = mongo_shell_run(m->shell, "admin", json_pack("{s:i}", "hello", 1), &reply, e);
    if (!err && !json_is_true(json_object_get(reply, "isWritablePrimary")))
        err = error_set(e, E_AGAIN, "not the primary yet");
    json_decref(reply);
    return err;
}

/* --- the process ------------------------------------------------------------------------------ */

/* A server whose weir was killed takes a moment to end; until then it holds its data and its
 * port. */
static void wait_for_last(const char *data)
{
    char *path = xasprintf("%s/mongod.lock", data);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd >= 0) {
        for (int64_t until = clock_mono_ms() + 20000;
             flock(fd, LOCK_EX | LOCK_NB) != 0 && clock_mono_ms() < until;)
            usleep(50000);
        close(fd);
    }
    mem_free(path);
}

/* Before it makes data that a newer one cannot read. The log has nothing else yet. */
static enum err check_version(const struct private_server *s, const char *mongod, struct error *e)
{
    struct strbuf said = STRBUF_INIT;
    char *program = xstrdup(mongod), option[] = "--version", *argv[] = {program, option, NULL};
    int major = 0, minor = 0;
    enum err err = private_server_run(s, argv, e);
    if (!err)
        err = fs_read_all(s->log, 1 << 20, &said, e);
    if (!err && (!said.n || sscanf(said.p, "db version v%d.%d", &major, &minor) != 2))
        err = error_set(e, E_INVALID, "%s is no mongod: `%s --version` says no version", mongod,
                        mongod);
    else if (!err && major < OLDEST)
        err = error_set(e, E_UNSUPPORTED, "%s is MongoDB %d.%d; the demo wants %d.0 or newer",
                        mongod, major, minor, OLDEST);
    strbuf_release(&said);
    mem_free(program);
    return err;
}

static enum err start(struct private_mongodb *d, const char *mongod, struct error *e)
{
    struct private_server *s = &d->server;
    struct member m = {0};
    snprintf(m.host, sizeof m.host, "127.0.0.1:%d", s->port);
    snprintf(m.uri, sizeof m.uri, "mongodb://%s/?directConnection=true", m.host);
    d->uri = xasprintf("mongodb://%s/?replicaSet=" PRIVATE_MONGODB_SET, m.host);
    char *program = xstrdup(mongod), *port = xasprintf("%d", s->port);
    char dbpath[] = "--dbpath", port_is[] = "--port", bind[] = "--bind_ip", local[] = "127.0.0.1",
         set[] = "--replSet", name[] = PRIVATE_MONGODB_SET, no_socket[] = "--nounixsocket",
         no_script[] = "--noscripting", quiet[] = "--quiet", oplog[] = "--oplogSize",
         oplog_mb[] = "64", cache[] = "--wiredTigerCacheSizeGB", cache_gb[] = "0.25",
         /* a journal of 300 MB, made at each start, is for another kind of load */
        engine[] = "--wiredTigerEngineConfigString",
         journal[] = "log=(prealloc=false,file_max=8MB)", set_parameter[] = "--setParameter",
         no_ftdc[] = "diagnosticDataCollectionEnabled=false";
    char *argv[] = {program, dbpath,   s->data,   port_is,   port,          bind,    local,
                    set,     name,     no_socket, no_script, quiet,         oplog,   oplog_mb,
                    cache,   cache_gb, engine,    journal,   set_parameter, no_ftdc, NULL};
    enum err err = private_server_start(s, argv, is_primary, &m, e);
    mongo_shell_close(m.shell);
    mem_free(program);
    mem_free(port);
    return err;
}

enum err private_mongodb_start(struct private_mongodb *d, const char *mongod, const char *dir,
                               struct error *e)
{
    *d =
        (struct private_mongodb){.server = {.name = "MongoDB", .marks = marks, .text = "\"msg\":"}};
    char *data = xasprintf("%s/data", dir);
    wait_for_last(data);
    enum err err = private_server_init(&d->server, dir, e);
    if (!err)
        err = check_version(&d->server, mongod, e);
    if (!err)
        err = fs_mkdirs(data, e);
    if (!err)
        err = start(d, mongod, e);
    mem_free(data);
    if (err)
        private_mongodb_stop(d);
    return err;
}

void private_mongodb_stop(struct private_mongodb *d)
{
    private_server_stop(&d->server);
    mem_free(d->uri);
    d->uri = NULL;
}
