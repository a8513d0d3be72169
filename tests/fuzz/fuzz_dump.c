/* tests/fuzz/fuzz_dump.c - packets of a replication stream, as they come from the network.
 *
 * Byte 0: how many bytes arrive at once (0: all). Byte 1: packets of 16 to 271 bytes are large, of 300
 * bytes go on in the next. The rest is the stream. */
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/base.h"
#include "cdc/mysql/dump_int.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok)
{
    if (!ok)
        abort();
}

static void touch(struct slice s)
{
    static uint8_t keep;
    uint8_t sum = keep;

    for (size_t i = 0; i < s.n; i++)
        sum ^= (uint8_t)s.p[i];
    __atomic_store_n(&keep, sum, __ATOMIC_RELAXED);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int pair[2];
    if (size < 2 || size > 60000 || socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
        return 0;
    struct mysql_dump *d = dump_on_socket(pair[0], 16u + data[1], 300, 2000);
    size_t step = data[0] ? data[0] : size, at = 2;
    enum err err = E_AGAIN;
    while (at < size && (err == E_AGAIN || err == E_OK)) {
        size_t n = MIN(step, size - at);
        check(write(pair[1], data + at, n) == (ssize_t)n);
        at += n;
        if (at == size)
            shutdown(pair[1], SHUT_WR);
        do {
            struct slice event = SLICE_NULL;
            struct error e = {.msg = ""};
            err = mysql_dump_next(d, 0, &event, &e);
            if (err == E_OK)
                touch(event);
            else if (err != E_AGAIN)
                check(e.msg[0] || err == E_REMOTE);
            if (err == E_OK && event.n % 3 == 0)
                mysql_dump_done(d);
            (void)mysql_dump_buffered(d);
        } while (err == E_OK);
    }
    mysql_dump_close(d);
    close(pair[0]);
    close(pair[1]);
    return 0;
}
