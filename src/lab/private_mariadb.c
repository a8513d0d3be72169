/* lab/private_mariadb.c - see private_mariadb.h. The binary log is what change data capture reads:
 * ROW format, full images. root has no password but is reachable from this machine only. */
#include "lab/private_mariadb.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/str.h"

#include <mysql.h>

static const char *const marks[] = {"[ERROR]", NULL};

enum err private_mariadb_find(struct error *e)
{
    static const char *const programs[] = {"mariadbd", "mariadb-install-db"};
    for (size_t i = 0; i < ARRAY_LEN(programs); i++) {
        char *path = private_find(programs[i]);
        mem_free(path);
        if (path)
            continue;
        error_set(e, E_NOT_FOUND, "the demo needs a MariaDB server, and %s is not installed",
                  programs[i]);
        error_hint(e, "sudo apt-get install -y mariadb-server-core mariadb-client-core");
        return E_NOT_FOUND;
    }
    return E_OK;
}

static enum err install(const struct private_server *s, struct error *e)
{
    char *program = private_find("mariadb-install-db");
    if (!program)
        return error_set(e, E_NOT_FOUND, "mariadb-install-db is not installed");
    char *data_arg = xasprintf("--datadir=%s.new", s->data), *fresh = xasprintf("%s.new", s->data);
    char user[] = "--user=root", defaults[] = "--no-defaults", no_test[] = "--skip-test-db",
         auth[] = "--auth-root-authentication-method=normal";
    char *argv[] = {program, defaults, data_arg, auth, no_test, geteuid() == 0 ? user : NULL, NULL};
    enum err err = fs_remove_tree(fresh, NULL); /* an earlier try that did not come to its end */
    err = private_server_run(s, argv, e);
    if (!err)
        err = fs_rename(fresh, s->data, e);
    mem_free(program);
    mem_free(data_arg);
    mem_free(fresh);
    return err;
}

static enum err answers(void *socket, struct error *e)
{
    MYSQL *m = mysql_init(NULL);
    bool up = m && mysql_real_connect(m, NULL, "root", "", NULL, 0, socket, 0);
    if (m)
        mysql_close(m);
    return up ? E_OK : error_set(e, E_IO, "no answer");
}

enum err private_mariadb_start(struct private_mariadb *d, const char *dir, struct error *e)
{
    *d = (struct private_mariadb){.server = {.name = "MariaDB", .marks = marks}};
    struct private_server *s = &d->server;
    enum err err = private_server_init(s, dir, e);
    /* A socket's path has room for 107 characters; directories may be longer. */
    d->socket = strlen(dir) < 90 ? xasprintf("%s/sock", dir)
                                 : xasprintf("/tmp/weir-demo-%d.sock", (int)getpid());
    char *program = private_find("mariadbd");
    char *args[] = {xasprintf("--datadir=%s", s->data), xasprintf("--socket=%s", d->socket),
                    xasprintf("--port=%d", s->port), xasprintf("--log-bin=%s/binlog", s->data),
                    /* its root has no password: files of this machine stay out of SQL's reach */
                    xasprintf("--secure-file-priv=%s", s->data)};
    char defaults[] = "--no-defaults", bind[] = "--bind-address=127.0.0.1", id[] = "--server-id=1",
         format[] = "--binlog-format=ROW", image[] = "--binlog-row-image=FULL",
         user[] = "--user=root", pool[] = "--innodb-buffer-pool-size=16M",
         log_file[] = "--innodb-log-file-size=8M", perf[] = "--performance-schema=OFF",
         keep[] = "--expire-logs-days=2";
    char *argv[] = {program,  defaults, args[0], args[1],
                    args[2],  args[3],  args[4], bind,
                    id,       format,   image,   pool,
                    log_file, perf,     keep,    geteuid() == 0 ? user : NULL,
                    NULL};
    if (!err && !program)
        err = private_mariadb_find(e);
    if (!err && !fs_exists(s->data))
        err = install(s, e);
    if (!err)
        err = private_server_start(s, argv, answers, d->socket, e);
    for (size_t i = 0; i < ARRAY_LEN(args); i++)
        mem_free(args[i]);
    mem_free(program);
    if (err)
        private_mariadb_stop(d);
    return err;
}

void private_mariadb_stop(struct private_mariadb *d)
{
    private_server_stop(&d->server);
    mem_free(d->socket);
    d->socket = NULL;
}
