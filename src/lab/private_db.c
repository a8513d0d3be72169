/* lab/private_db.c - see private_db.h. The binary log is what change data capture reads: ROW
 * format, full images. root has no password but is reachable from this machine only. */
#include "lab/private_db.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/base.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"

#include <mysql.h>

/* Path of a program in PATH or the system folders that users' PATHs lack; NULL. Caller frees. */
static char *find_program(const char *name)
{
    const char *path = getenv("PATH");
    char *all = xasprintf("%s:/usr/sbin:/usr/local/sbin:/usr/local/bin:/usr/bin", path ? path : "");
    struct slice rest = slice_cstr(all), dir;
    char *found = NULL;
    while (!found && slice_split(&rest, ':', &dir)) {
        char *at = xasprintf(PRI_SL "/%s", ARG_SL(dir), name);
        if (dir.n && access(at, X_OK) == 0)
            found = at;
        else
            mem_free(at);
    }
    mem_free(all);
    return found;
}

/* This port if nobody has it, else 0; wanted 0: any free one. The server binds it a moment later.
 * Connections of the last run that still fade away are in nobody's way. */
static int free_port(int wanted)
{
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_port = htons((uint16_t)wanted),
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), port = 0, on = 1;
    if (fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
        bind(fd, (struct sockaddr *)&a, n) == 0 && getsockname(fd, (struct sockaddr *)&a, &n) == 0)
        port = ntohs(a.sin_port);
    if (fd >= 0)
        close(fd);
    return port;
}

/* The port of the last run when it is still free, so that connectors made then find their database. */
static int pick_port(const char *dir)
{
    struct strbuf text = STRBUF_INIT;
    char *path = xasprintf("%s/port", dir);
    int64_t last = 0;
    if (!fs_exists(path) || fs_read_all(path, 16, &text, NULL) != E_OK ||
        slice_to_i64(slice_trim(strbuf_slice(&text)), &last) != E_OK || last < 0 || last > 65535)
        last = 0;
    int port = free_port((int)last);
    if (!port)
        port = free_port(0);
    strbuf_reset(&text);
    strbuf_addf(&text, "%d\n", port);
    enum err err = fs_replace(path, strbuf_slice(&text), NULL);
    (void)err; /* the next run then takes another */
    strbuf_release(&text);
    mem_free(path);
    return port;
}

/* Starts argv with output to `log`; the child gets all signals unblocked and dies with its parent.
 */
static pid_t spawn(char *const argv[], const char *log)
{
    pid_t parent = getpid(), pid = fork();
    if (pid != 0)
        return pid;
    setpgid(0, 0); /* Ctrl-C in the terminal is for weir, which stops the server in order */
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent)
        _exit(1);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    int fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        dup2(fd, 1);
        dup2(fd, 2);
    }
    if (null >= 0)
        dup2(null, 0);
    execv(argv[0], argv);
    _exit(127);
}

static enum err run_install(const char *dir, const char *data, const char *log, struct error *e)
{
    char *program = find_program("mariadb-install-db");
    if (!program)
        return error_set(e, E_NOT_FOUND, "mariadb-install-db is not installed");
    char *data_arg = xasprintf("--datadir=%s.new", data), *fresh = xasprintf("%s.new", data);
    char user[] = "--user=root", defaults[] = "--no-defaults", no_test[] = "--skip-test-db",
         auth[] = "--auth-root-authentication-method=normal";
    char *argv[] = {program, defaults, data_arg, auth, no_test, geteuid() == 0 ? user : NULL, NULL};
    int status = -1;
    enum err err = fs_remove_tree(fresh, NULL); /* an earlier try that did not come to its end */
    (void)err;
    pid_t pid = spawn(argv, log);
    if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0) {
        err = error_set(e, E_REMOTE, "mariadb-install-db failed in %s", dir);
        error_hint(e, "see %s", log);
    } else {
        err = fs_rename(fresh, data, e);
    }
    mem_free(program);
    mem_free(data_arg);
    mem_free(fresh);
    return err;
}

static enum err wait_until_ready(struct private_db *d, const char *log, struct error *e)
{
    for (int64_t until = clock_mono_ms() + 60000; clock_mono_ms() < until;) {
        int status;
        if (waitpid(d->pid, &status, WNOHANG) == d->pid) {
            d->pid = 0;
            error_set(e, E_REMOTE, "the private MariaDB did not start");
            error_hint(e, "see %s", log);
            return E_REMOTE;
        }
        MYSQL *m = mysql_init(NULL);
        bool up = m && mysql_real_connect(m, NULL, "root", "", NULL, 0, d->socket, 0);
        if (m)
            mysql_close(m);
        if (up)
            return E_OK;
        usleep(50000);
    }
    error_set(e, E_TIMEOUT, "the private MariaDB does not answer");
    error_hint(e, "see %s", log);
    return E_TIMEOUT;
}

enum err private_db_start(struct private_db *d, const char *dir, struct error *e)
{
    memset(d, 0, sizeof *d);
    char *server = find_program("mariadbd");
    if (!server) {
        error_set(e, E_NOT_FOUND, "the demo needs a MariaDB server, and mariadbd is not installed");
        error_hint(e, "sudo apt-get install -y mariadb-server-core mariadb-client-core");
        return E_NOT_FOUND;
    }
    d->dir = xstrdup(dir);
    /* A socket's path has room for 107 characters; directories may be longer. */
    d->socket = strlen(dir) < 90 ? xasprintf("%s/sock", dir)
                                 : xasprintf("/tmp/weir-demo-%d.sock", (int)getpid());
    enum err err = fs_mkdirs(dir, e);
    d->port = err ? 0 : pick_port(dir);
    char *data = xasprintf("%s/data", dir), *log = xasprintf("%s/log", dir);
    char *args[] = {xasprintf("--datadir=%s", data), xasprintf("--socket=%s", d->socket),
                    xasprintf("--port=%d", d->port), xasprintf("--log-bin=%s/binlog", data),
                    /* its root has no password: files of this machine stay out of SQL's reach */
                    xasprintf("--secure-file-priv=%s", data)};
    char defaults[] = "--no-defaults", bind[] = "--bind-address=127.0.0.1", id[] = "--server-id=1",
         format[] = "--binlog-format=ROW", image[] = "--binlog-row-image=FULL",
         user[] = "--user=root", pool[] = "--innodb-buffer-pool-size=16M",
         log_file[] = "--innodb-log-file-size=8M", perf[] = "--performance-schema=OFF",
         keep[] = "--expire-logs-days=2";
    char *argv[] = {server,   defaults, args[0], args[1],
                    args[2],  args[3],  args[4], bind,
                    id,       format,   image,   pool,
                    log_file, perf,     keep,    geteuid() == 0 ? user : NULL,
                    NULL};
    if (!err && !fs_exists(data))
        err = run_install(dir, data, log, e);
    if (!err) {
        d->pid = spawn(argv, log);
        err = d->pid > 0 ? wait_until_ready(d, log, e) : error_sys(e, errno, "starting %s", server);
    }
    for (size_t i = 0; i < ARRAY_LEN(args); i++)
        mem_free(args[i]);
    mem_free(server);
    mem_free(data);
    mem_free(log);
    if (err)
        private_db_stop(d);
    return err;
}

void private_db_stop(struct private_db *d)
{
    if (d->pid > 0) {
        bool ended = false;
        kill(d->pid, SIGTERM);
        for (int i = 0; i < 200 && !ended; i++) {
            ended = waitpid(d->pid, NULL, WNOHANG) != 0;
            if (!ended)
                usleep(50000);
        }
        if (!ended) {
            kill(d->pid, SIGKILL);
            waitpid(d->pid, NULL, 0);
        }
        d->pid = 0;
    }
    mem_free(d->dir);
    mem_free(d->socket);
    d->dir = d->socket = NULL;
}
