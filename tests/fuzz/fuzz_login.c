/* tests/fuzz/fuzz_login.c - what a server says at a login and to the first statements: a thread plays it.
 *
 * The input is what the server sends, without regard to what it is asked. A file that it asks for
 * (LOCAL INFILE) must not come. */
#include <arpa/inet.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/base.h"
#include "cdc/mysql/conn.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int listener = -1;
static uint16_t port;
static const uint8_t *input;
static size_t input_n;

static void check(bool ok)
{
    if (!ok)
        abort();
}

static void *serve(void *unused)
{
    (void)unused;
    for (;;) {
        int s = accept(listener, NULL, NULL);
        if (s < 0)
            continue;
        size_t done = 0;
        char got[4096];
        while (done < input_n) {
            ssize_t n = send(s, input + done, input_n - done, MSG_NOSIGNAL);
            if (n <= 0)
                break;
            done += (size_t)n;
        }
        shutdown(s, SHUT_WR);
        while (recv(s, got, sizeof got, 0) > 0)
            continue;
        close(s);
    }
    return NULL;
}

static void start(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof a;
    pthread_t thread;
    listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    check(listener >= 0 && bind(listener, (struct sockaddr *)&a, sizeof a) == 0 &&
          listen(listener, 16) == 0 && getsockname(listener, (struct sockaddr *)&a, &n) == 0);
    port = ntohs(a.sin_port);
    check(pthread_create(&thread, NULL, serve, NULL) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct mysql_conn *c = NULL;
    struct error e = {.msg = ""};
    if (size > 8192)
        return 0;
    if (listener < 0)
        start();
    input = data;
    input_n = size;
    struct mysql_conn_options o = {.host = "127.0.0.1",
                                   .port = port,
                                   .user = "u",
                                   .password = "p",
                                   .ssl = MYSQL_SSL_DISABLED,
                                   .connect_timeout_ms = 2000};
    if (mysql_conn_open(&o, &c, &e)) {
        check(e.msg[0]);
        return 0;
    }
    struct mysql_result r;
    if (mysql_conn_query(c, "SELECT 1", &r, &e) == E_OK) {
        while (mysql_result_next(&r, &e) == E_OK)
            continue;
        mysql_result_end(&r);
    }
    mysql_conn_close(c);
    return 0;
}
