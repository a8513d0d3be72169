/* cli/daemon.c - see daemon.h. */
#include "cli/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/base.h"

static _Noreturn void wait_for(pid_t child, int fd)
{
    char byte;
    ssize_t n;
    int status = 0;
    do
        n = read(fd, &byte, 1);
    while (n < 0 && errno == EINTR);
    if (n == 1)
        _exit(EXIT_SUCCESS);
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    _exit(WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_FAILURE);
}

enum err daemon_fork(struct daemon *d, struct error *e)
{
    int fds[2];
    fflush(NULL);
    if (pipe2(fds, O_CLOEXEC) != 0)
        return error_sys(e, errno, "-daemon: pipe");
    pid_t child = fork();
    if (child < 0) {
        close(fds[0]);
        close(fds[1]);
        return error_sys(e, errno, "-daemon: fork");
    }
    close(fds[child ? 1 : 0]);
    if (child)
        wait_for(child, fds[0]);
    d->ready_fd = fds[1];
    setsid();
    return E_OK;
}

void daemon_detach(struct daemon *d)
{
    if (d->ready_fd < 0)
        return;
    fflush(NULL);
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int fd = 0; null >= 0 && fd <= 2; fd++)
        (void)!dup2(null, fd);
    if (null > 2)
        close(null);
    (void)!write(d->ready_fd, "+", 1);
    close(d->ready_fd);
    d->ready_fd = -1;
}
