/* broker/acceptor.c - accepting is done on the first loop; connections go round robin to all loops
 * and stay there. A broker of a lab that stops has its sockets closed (connecting is refused then,
 * as by a machine whose Kafka is down) and opened again when it starts. */
#include "broker/acceptor.h"

#include "base/base.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "broker/broker_state.h"
#include "broker/security/quota.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <sys/socket.h>
#include <unistd.h>

#define ACCEPTS_A_TURN 64
#define LATE_MAX 1000
#define ACCEPT_PAUSE_MS 100 /* when file descriptors have run out */

struct accept_socket {
    struct event ev;
    const struct listener *listener;
};
struct acceptor {
    struct broker *b;
    struct accept_socket sockets[LISTENERS_MAX * 2];
    int count;
    int next_loop;
    struct loop_timer pause;
    struct list late; /* struct late_close */
    double room;      /* connections that max.connection.creation.rate allows now */
    int64_t room_at_ms;
    bool was_throttled; /* and the log says so */
};

/* --- accepting (first loop) ------------------------------------------------------------------- */

struct handover {
    struct conn_loop *to;
    const struct listener *listener;
    union sockaddr_any peer;
    int fd;
};

static void take_over(void *arg)
{
    struct handover *h = arg;
    if (h->to->stopping) {
        conn_limit_leave(&((struct broker_loop *)h->to->owner)->broker->conn_limit, &h->peer);
        close(h->fd);
    } else
        (void)conn_open(h->to, h->fd, h->listener, &h->peer);
    mem_free(h);
}

static int64_t open_connections(struct broker *b)
{
    int64_t n = 0;
    for (int i = 0; i < b->loop_count; i++)
        n += atomic_load(&b->loops[i].conns.stats.open);
    return n;
}

static void resume_accepting(void *arg)
{
    struct acceptor *a = arg;
    for (int i = 0; i < a->count; i++)
        event_add(&a->sockets[i].ev, NULL);
}

static void pause_accepting(struct acceptor *a, int64_t ms)
{
    for (int i = 0; i < a->count; i++)
        event_del(&a->sockets[i].ev);
    loop_timer_set(&a->pause, ms);
}

/* max.connection.creation.rate: how long the next connection has to wait. A second's worth may come
 * at once. */
static int64_t creation_wait(struct acceptor *a)
{
    int64_t rate =
        broker_setting_number(&a->b->settings, "max.connection.creation.rate", INT32_MAX);
    int64_t now = clock_mono_ms();
    if (rate >= INT32_MAX || rate <= 0)
        return 0;
    a->room = MIN((double)rate, a->room + (double)(now - a->room_at_ms) * (double)rate / 1000);
    a->room_at_ms = now;
    if (a->room >= 1) {
        a->room -= 1;
        return 0;
    }
    if (!a->was_throttled)
        LOG_WARN(LOG_BROKER_CONN,
                 "connections wait: more than max.connection.creation.rate=%lld a second are made",
                 (long long)rate);
    a->was_throttled = true;
    return 1 + (int64_t)((1 - a->room) * 1000 / (double)rate);
}

static void hand_over(struct acceptor *a, int fd, const struct listener *l,
                      const union sockaddr_any *peer)
{
    struct broker *b = a->b;
    struct broker_loop *to = &b->loops[a->next_loop];
    a->next_loop = (a->next_loop + 1) % b->loop_count;
    if (loop_is_current(to->loop)) {
        (void)conn_open(&to->conns, fd, l, peer);
        return;
    }
    struct handover *h = xmalloc(sizeof *h);
    *h = (struct handover){&to->conns, l, *peer, fd};
    loop_post(to->loop, take_over, h);
}

/* --- who may come in -------------------------------------------------------------------------- */

struct late_close { /* an address that connects too often finds its socket closed after its wait */
    struct link link;
    struct loop_timer timer;
    struct acceptor *a;
    int fd;
};

static void close_late(void *arg)
{
    struct late_close *x = arg;
    list_remove(&x->a->late, &x->link);
    loop_timer_release(&x->timer);
    close(x->fd);
    mem_free(x);
}

static void close_after(struct acceptor *a, int fd, int64_t ms)
{
    if (a->late.count >= LATE_MAX) {
        close(fd);
        return;
    }
    struct late_close *x = xcalloc(1, sizeof *x);
    x->a = a;
    x->fd = fd;
    list_push_back(&a->late, &x->link);
    loop_timer_init(&x->timer, a->b->loops[0].loop, close_late, x);
    loop_timer_set(&x->timer, ms);
}

/* Counts the connection, or closes it. */
static bool may_enter(struct acceptor *a, int fd, const union sockaddr_any *peer)
{
    struct broker *b = a->b;
    struct arena arena;
    enum config_source source;
    char ip[INET6_ADDRSTRLEN];
    sockaddr_ip(peer, ip);
    arena_init(&arena, 512, ARENA_NO_BUDGET);
    int64_t most = broker_setting_number(&b->settings, "max.connections", INT32_MAX);
    int64_t of_ip = conn_limit_of(
        peer, broker_setting(&b->settings, SL("max.connections.per.ip.overrides"), &arena, &source),
        broker_setting_number(&b->settings, "max.connections.per.ip", INT32_MAX));
    arena_release(&arena);
    int64_t wait =
        quotas_any(b->quotas) ? quotas_charge_ip(b->quotas, slice_cstr(ip), clock_mono_ms()) : 0;
    if (wait > 0) {
        LOG_WARN(LOG_BROKER_CONN,
                 "a connection was refused: its address is above connection_creation_rate peer=%s",
                 ip);
        close_after(a, fd, wait);
        return false;
    }
    if (open_connections(b) >= most) {
        LOG_WARN(LOG_BROKER_CONN, "a connection was refused: max.connections=%lld are open peer=%s",
                 (long long)most, ip);
        close(fd);
        return false;
    }
    if (!conn_limit_enter(&b->conn_limit, peer, of_ip)) {
        LOG_WARN(LOG_BROKER_CONN,
                 "a connection was refused: max.connections.per.ip=%lld are open peer=%s",
                 (long long)of_ip, ip);
        close(fd);
        return false;
    }
    return true;
}

static void on_accept(evutil_socket_t sock, short what, void *arg)
{
    struct acceptor *a = ((struct acceptor *)arg);
    const struct listener *l = NULL;
    (void)what;
    for (int i = 0; i < a->count; i++) {
        if (event_get_fd(&a->sockets[i].ev) == sock)
            l = a->sockets[i].listener;
    }
    for (int turn = 0; turn < ACCEPTS_A_TURN; turn++) {
        union sockaddr_any peer = {0};
        socklen_t n = sizeof peer;
        int64_t wait = creation_wait(a);
        if (wait > 0) {
            pause_accepting(a, wait);
            return;
        }
        int fd = accept4(sock, &peer.sa, &n, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0)
            a->room += 1; /* there was nobody */
        if (fd >= 0) {
            if (may_enter(a, fd, &peer))
                hand_over(a, fd, l, &peer);
        } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            LOG_WARN(LOG_BROKER_CONN, "connections wait: %s", strerror(errno));
            pause_accepting(a, ACCEPT_PAUSE_MS);
            return;
        } else if (errno != EINTR && errno != ECONNABORTED) {
            return;
        }
    }
}

static void add_sockets(struct acceptor *a, struct listener *l)
{
    for (int k = 0; k < l->fd_count; k++) {
        struct accept_socket *s = &a->sockets[a->count++];
        s->listener = l;
        event_assign(&s->ev, loop_base(a->b->loops[0].loop), l->fds[k], EV_READ | EV_PERSIST,
                     on_accept, a);
    }
}

static void start_accepting(void *arg)
{
    struct acceptor *a = arg;
    for (size_t i = 0; i < a->b->listeners.count; i++)
        add_sockets(a, &a->b->listeners.v[i]);
    loop_timer_init(&a->pause, a->b->loops[0].loop, resume_accepting, a);
    resume_accepting(a);
}

static void stop_accepting(void *arg)
{
    struct acceptor *a = arg;
    for (int i = 0; i < a->count; i++)
        event_del(&a->sockets[i].ev);
    loop_timer_release(&a->pause);
    while (a->late.count)
        close_late(list_entry(list_first(&a->late), struct late_close, link));
}

struct acceptor *acceptor_start(struct broker *b)
{
    struct acceptor *a = xcalloc(1, sizeof *a);
    a->b = b;
    list_init(&a->late);
    loop_call(b->loops[0].loop, start_accepting, a);
    return a;
}

void acceptor_stop(struct acceptor *a)
{
    if (!a)
        return;
    loop_call(a->b->loops[0].loop, stop_accepting, a);
    mem_free(a);
}

/* --- one broker of several -------------------------------------------------------------------- */

struct one {
    struct acceptor *a;
    int32_t node_id;
};

static void close_one(void *arg)
{
    struct one *o = arg;
    struct acceptor *a = o->a;
    for (int i = 0; i < a->count; i++)
        event_del(&a->sockets[i].ev);
    a->count = 0; /* events are assigned anew: they must not move in memory while registered */
    for (size_t i = 0; i < a->b->listeners.count; i++) {
        struct listener *l = &a->b->listeners.v[i];
        if (l->node_id == o->node_id)
            listener_close(l);
        else
            add_sockets(a, l);
    }
    resume_accepting(a);
}

static void add_one(void *arg)
{
    struct one *o = arg;
    int from = o->a->count;
    for (size_t i = 0; i < o->a->b->listeners.count; i++) {
        struct listener *l = &o->a->b->listeners.v[i];
        if (l->node_id == o->node_id)
            add_sockets(o->a, l);
    }
    for (int i = from; i < o->a->count; i++)
        event_add(&o->a->sockets[i].ev, NULL);
}

struct closing {
    struct broker_loop *bl;
    int32_t node_id;
};

static void close_connections(void *arg)
{
    struct closing *c = arg;
    conn_loop_close_node(&c->bl->conns, c->node_id);
}

void acceptor_close_broker(struct acceptor *a, int32_t node_id)
{
    struct one o = {a, node_id};
    loop_call(a->b->loops[0].loop, close_one, &o);
    for (int i = 0; i < a->b->loop_count; i++) {
        struct closing c = {&a->b->loops[i], node_id};
        loop_call(a->b->loops[i].loop, close_connections, &c);
    }
}

enum err acceptor_open_broker(struct acceptor *a, int32_t node_id, struct error *e)
{
    struct listeners *ls = &a->b->listeners;
    enum err r = E_OK;
    for (size_t i = 0; r == E_OK && i < ls->count; i++)
        if (ls->v[i].node_id == node_id)
            r = listener_open(&ls->v[i], a->b->o->socket_listen_backlog, e);
    for (size_t i = 0; r != E_OK && i < ls->count; i++)
        if (ls->v[i].node_id == node_id)
            listener_close(&ls->v[i]);
    if (r != E_OK)
        return r;
    struct one o = {a, node_id};
    loop_call(a->b->loops[0].loop, add_one, &o);
    return E_OK;
}
