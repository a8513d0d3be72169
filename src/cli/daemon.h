/* cli/daemon.h - `-daemon` as Kafka's scripts have it: the program goes on in the background, and the
 * shell gets its prompt back once the start has succeeded or failed. Thread: main. */
#ifndef WEIR_CLI_DAEMON_H
#define WEIR_CLI_DAEMON_H

#include "base/err.h"

struct daemon {
    int ready_fd; /* the child's end; -1: not a daemon */
};
#define DAEMON_NONE                                                                                \
    {                                                                                              \
        -1                                                                                         \
    }
/* Before there are threads. Returns in the child, a session of its own; the parent waits for
 * daemon_detach or the child's end, and ends with the child's status. */
enum err daemon_fork(struct daemon *d, struct error *e) MUST_CHECK;
/* The start has succeeded and been told: the parent ends, the terminal is let go. */
void daemon_detach(struct daemon *d);

#endif
