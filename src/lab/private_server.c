/* lab/private_server.c - see private_server.h. */
#include "lab/private_server.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/str.h"

#define TOLD_LINES 5
#define TOLD_LENGTH 350 /* of a line: all fit into struct error */

char *private_find(const char *program)
{
    const char *path = getenv("PATH");
    char *all = xasprintf("%s:/usr/sbin:/usr/local/sbin:/usr/local/bin:/usr/bin", path ? path : "");
    struct slice rest = slice_cstr(all), dir;
    char *found = NULL;
    while (!found && slice_split(&rest, ':', &dir)) {
        char *at = xasprintf(PRI_SL "/%s", ARG_SL(dir), program);
        if (dir.n && access(at, X_OK) == 0)
            found = at;
        else
            mem_free(at);
    }
    mem_free(all);
    return found;
}

/* --- the port --------------------------------------------------------------------------------- */

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

/* The port of the last run when it is still free, so that connectors made then find their
 * database. */
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

/* --- the log ---------------------------------------------------------------------------------- */

static bool is_marked(struct slice line, const char *const *marks)
{
    for (; *marks; marks++)
        if (slice_find(line, slice_cstr(*marks)) >= 0)
            return true;
    return false;
}

/* Appends the last lines, or the last of those with a mark. */
static size_t add_lines(const struct private_server *server, struct slice log, bool marked,
                        struct strbuf *out)
{
    struct slice last[TOLD_LINES], line;
    size_t n = 0;
    while (slice_split(&log, '\n', &line))
        if (slice_trim(line).n && (!marked || is_marked(line, server->marks)))
            last[n++ % TOLD_LINES] = line;
    for (size_t i = n > TOLD_LINES ? n - TOLD_LINES : 0; i < n; i++) {
        struct slice s = last[i % TOLD_LINES];
        ptrdiff_t text = server->text ? slice_find(s, slice_cstr(server->text)) : -1;
        s = slice_sub(s, text > 0 ? (size_t)text : 0, s.n);
        strbuf_addf(out, "\n  " PRI_SL "%s", ARG_SL(slice_sub(s, 0, MIN(s.n, TOLD_LENGTH))),
                    s.n > TOLD_LENGTH ? " ..." : "");
    }
    return n;
}

/* Ends *e with what the log says. */
static enum err tell_log(const struct private_server *s, enum err code, const char *what,
                         struct error *e)
{
    struct strbuf log = STRBUF_INIT, lines = STRBUF_INIT;
    if (fs_read_all(s->log, 64 << 20, &log, NULL) == E_OK &&
        add_lines(s, strbuf_slice(&log), true, &lines) == 0)
        add_lines(s, strbuf_slice(&log), false, &lines);
    if (lines.n)
        error_set(e, code, "%s; the last lines of %s:%s", what, s->log, lines.p);
    else
        error_set(e, code, "%s and left no word in %s", what, s->log);
    strbuf_release(&log);
    strbuf_release(&lines);
    return code;
}

/* --- the process ------------------------------------------------------------------------------ */

/* Starts argv with output to the log; the child gets all signals unblocked and dies with its
 * parent. */
static pid_t spawn(const struct private_server *s, char *const argv[])
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
    int fd = open(s->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        dup2(fd, 1);
        dup2(fd, 2);
    }
    if (null >= 0)
        dup2(null, 0);
    execv(argv[0], argv);
    dprintf(2, "%s: %s\n", argv[0], strerror(errno));
    _exit(127);
}

enum err private_server_init(struct private_server *s, const char *dir, struct error *e)
{
    s->dir = xstrdup(dir);
    s->data = xasprintf("%s/data", dir);
    s->log = xasprintf("%s/log", dir);
    s->pid = 0;
    enum err err = fs_mkdirs(dir, e);
    if (err)
        return err;
    char *old = xasprintf("%s.old", s->log);
    if (fs_exists(s->log))
        err = fs_move(s->log, old, e);
    mem_free(old);
    s->port = err ? 0 : pick_port(dir);
    return err;
}

/* "exit status 1", "signal 9": from waitpid. */
static const char *how_it_ended(int status, char *out, size_t room)
{
    if (WIFSIGNALED(status))
        snprintf(out, room, "signal %d", WTERMSIG(status));
    else
        snprintf(out, room, "exit status %d", WEXITSTATUS(status));
    return out;
}

enum err private_server_run(const struct private_server *s, char *const argv[], struct error *e)
{
    int status = 0;
    char how[40];
    pid_t pid = spawn(s, argv);
    if (pid < 0 || waitpid(pid, &status, 0) != pid)
        return error_sys(e, errno, "starting %s", argv[0]);
    if (status == 0)
        return E_OK;
    char *what = xasprintf("%s failed (%s)", argv[0], how_it_ended(status, how, sizeof how));
    enum err err = tell_log(s, E_REMOTE, what, e);
    mem_free(what);
    return err;
}

enum err private_server_start(struct private_server *s, char *const argv[], private_up *up,
                              void *arg, struct error *e)
{
    char what[140], how[40];
    int status = 0;
    s->pid = spawn(s, argv);
    if (s->pid < 0) {
        s->pid = 0;
        return error_sys(e, errno, "starting %s", argv[0]);
    }
    for (int64_t until = clock_mono_ms() + 60000; clock_mono_ms() < until; usleep(50000)) {
        if (waitpid(s->pid, &status, WNOHANG) == s->pid) {
            s->pid = 0;
            snprintf(what, sizeof what, "the private %s did not start (%s)", s->name,
                     how_it_ended(status, how, sizeof how));
            return tell_log(s, E_REMOTE, what, e);
        }
        if (up(arg, e) == E_OK)
            return E_OK;
    }
    snprintf(what, sizeof what, "the private %s does not answer", s->name);
    return tell_log(s, E_TIMEOUT, what, e);
}

void private_server_stop(struct private_server *s)
{
    if (s->pid > 0) {
        bool ended = false;
        kill(s->pid, SIGTERM);
        for (int i = 0; i < 200 && !ended; i++) {
            ended = waitpid(s->pid, NULL, WNOHANG) != 0;
            if (!ended)
                usleep(50000);
        }
        if (!ended) {
            kill(s->pid, SIGKILL);
            waitpid(s->pid, NULL, 0);
        }
        s->pid = 0;
    }
    mem_free(s->dir);
    mem_free(s->data);
    mem_free(s->log);
    s->dir = s->data = s->log = NULL;
}
