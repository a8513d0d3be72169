/* cdc/mysql/dump_tls.c - reading the replication stream of an encrypted session.
 *
 * The reader fills one buffer under the lock while the dump's thread works on the other; it pauses
 * when its buffer holds more than AHEAD_BYTES. At the end it leaves the error for the other side
 * and exits. */
#include <mysql.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/mem.h"
#include "cdc/mysql/dump_int.h"

#define AHEAD_BYTES ((size_t)4 << 20)
#define BUFFER_KEPT (8ul << 20)
#define BUFFER_SMALL (64ul << 10)

struct dump_tls {
    struct mysql_conn *conn;
    int wake_fd;
    pthread_t thread;
    pthread_mutex_t lock; /* guards all below */
    pthread_cond_t room;
    struct strbuf filling;
    bool ended, stopping;
    struct error error;
};

static void wake(struct dump_tls *t)
{
    uint64_t one = 1;

    if (write(t->wake_fd, &one, sizeof one) < 0) /* full counter: it is awake already */
        return;
}

/* Appends one packet; false when the dump is being stopped. */
static bool add_packet(struct dump_tls *t, const void *p, size_t n)
{
    char size[4];

    pthread_mutex_lock(&t->lock);
    while (t->filling.n >= AHEAD_BYTES && !t->stopping)
        pthread_cond_wait(&t->room, &t->lock);
    bool first = t->filling.n == 0, go_on = !t->stopping;
    store_le32(size, (uint32_t)n);
    strbuf_add(&t->filling, size, 4);
    strbuf_add(&t->filling, p, n);
    if (strbuf_err(&t->filling) != E_OK) {
        error_set(&t->error, E_NOMEM, "no memory for a packet of %zu bytes", n);
        t->ended = true;
        go_on = false;
    }
    pthread_mutex_unlock(&t->lock);
    if (first || !go_on)
        wake(t);
    return go_on;
}

/* The library's buffer keeps the size of its largest packet, up to 1 GB. Between two packets it
 * holds nothing and may shrink; the library makes it larger again in the same way. */
static void give_back(NET *net)
{
    if (net->max_packet <= BUFFER_KEPT)
        return;
    unsigned char *small = realloc(net->buff, BUFFER_SMALL + NET_HEADER_SIZE + COMP_HEADER_SIZE);
    if (!small)
        return;
    net->buff = net->write_pos = net->read_pos = small;
    net->max_packet = BUFFER_SMALL;
    net->buff_end = small + BUFFER_SMALL;
}

static void *reader(void *arg)
{
    struct dump_tls *t = arg;
    MYSQL *mysql = mysql_conn_handle(t->conn);

    for (;;) {
        unsigned long n = mysql_net_read_packet(mysql);
        if (n != packet_error) {
            if (!add_packet(t, mysql->net.read_pos, n))
                break;
            give_back(&mysql->net);
            continue;
        }
        /* An error packet of the server and a lost connection both end here: the library has parsed
         * it. */
        struct error e = {.code = E_OK};
        mysql_conn_error(t->conn, &e);
        if (e.code != E_CANCELLED && e.sys < 2000) /* said by the server, as without TLS */
            e.code = E_REMOTE;
        pthread_mutex_lock(&t->lock);
        t->error = e;
        t->ended = true;
        pthread_mutex_unlock(&t->lock);
        wake(t);
        break;
    }
    return NULL;
}

enum err dump_tls_start(struct mysql_conn *c, int wake_fd, struct dump_tls **out, struct error *e)
{
    struct dump_tls *t = xcalloc(1, sizeof *t);

    t->conn = c;
    t->wake_fd = wake_fd;
    pthread_mutex_init(&t->lock, NULL);
    pthread_cond_init(&t->room, NULL);
    strbuf_init(&t->filling, SIZE_MAX / 2);
    int rc = pthread_create(&t->thread, NULL, reader, t);
    if (rc != 0) {
        pthread_mutex_destroy(&t->lock);
        pthread_cond_destroy(&t->room);
        mem_free(t);
        return error_sys(e, rc, "starting the binlog reader");
    }
    *out = t;
    return E_OK;
}

enum err dump_tls_take(struct dump_tls *t, struct strbuf *filled, struct error *e)
{
    enum err err = E_OK;

    strbuf_reset(filled);
    pthread_mutex_lock(&t->lock);
    if (t->filling.n > 0) {
        struct strbuf swap = t->filling;
        t->filling = *filled;
        *filled = swap;
        pthread_cond_signal(&t->room);
    } else if (t->ended) {
        err = t->error.code;
        if (e)
            *e = t->error;
    } else
        err = E_AGAIN;
    pthread_mutex_unlock(&t->lock);
    return err;
}

void dump_tls_stop(struct dump_tls *t)
{
    if (!t)
        return;
    pthread_mutex_lock(&t->lock);
    t->stopping = true;
    pthread_cond_signal(&t->room);
    pthread_mutex_unlock(&t->lock);
    pthread_join(t->thread, NULL);
    strbuf_release(&t->filling);
    pthread_mutex_destroy(&t->lock);
    pthread_cond_destroy(&t->room);
    mem_free(t);
}
