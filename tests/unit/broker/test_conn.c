/* tests/unit/broker/test_conn.c - framing, order, back-pressure, parking, limits, over a socket
 * pair. The handler here echoes a frame, parks it, closes, or answers with a range of a file. SPEC:
 * broker 1.1, 1.4 */
#include "broker/conn.h"

#include "base/base.h"
#include "base/bytes.h"
#include "base/log.h"
#include "base/mem.h"
#include "helpers.h"

#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

static struct loop *loop;
static struct conn_loop cl;
static struct conn *conn; /* of the running test; on the loop, NULL once closed */
static int client;
static _Atomic int frames, closed;
static struct rbuf *parked_buf;
static struct slice parked_frame;
static int file_fd;
static struct listener listener = {.name = (char *)(uintptr_t) "TEST"};

static void reply(struct conn *c, struct slice body)
{
    char *b = xmalloc(body.n + 4);
    store_be32(b, (uint32_t)body.n);
    memcpy(b + 4, body.p, body.n);
    conn_send_take(c, b, body.n + 4);
}

static enum conn_result on_frame(struct conn *c, struct rbuf *buf, struct slice frame)
{
    frames++;
    switch (frame.p[0]) {
    case 'P':
        parked_buf = rbuf_ref(buf);
        parked_frame = frame;
        return CONN_PARKED;
    case 'C':
        return CONN_CLOSE;
    case 'F': {
        char *head = xmalloc(4);
        store_be32(head, 10);
        conn_send_take(c, head, 4);
        conn_send_file(c, file_fd, 5, 10, NULL, NULL);
        return CONN_DONE;
    }
    case 'Z': { /* many bytes that the client does not read yet */
        size_t n = 300000;
        char *big = xcalloc(1, n);
        reply(c, slice_of(big, n));
        mem_free(big);
        return CONN_DONE;
    }
    case 'W': /* answered, and the next one waits, as quotas make it */
        reply(c, frame);
        conn_pause(c, 20);
        return CONN_PARKED;
    default:
        reply(c, frame);
        return CONN_DONE;
    }
}

static void on_closed(struct conn *c)
{
    (void)c;
    conn = NULL;
    closed++;
}

static void init_on_loop(void *arg)
{
    (void)arg;
    conn_loop_init(&cl, loop);
    cl.on_frame = on_frame;
    cl.on_closed = on_closed;
    cl.max_idle_ms = 60000;
    cl.max_frame_bytes = 4 << 20;
}

static void open_on_loop(void *arg)
{
    union sockaddr_any peer = {.in = {.sin_family = AF_INET,
                                      .sin_port = htons(7),
                                      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)}};
    conn = conn_open(&cl, *(int *)arg, &listener, &peer);
}

static void stop_on_loop(void *arg)
{
    (void)arg;
    conn_loop_stop(&cl);
    conn_loop_release(&cl);
}

static void begin(void)
{
    int pair[2];
    CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    client = pair[0];
    fcntl(pair[1], F_SETFL, O_NONBLOCK);
    frames = closed = 0;
    loop_call(loop, init_on_loop, NULL);
    loop_call(loop, open_on_loop, &pair[1]);
}

static void end(void)
{
    close(client);
    loop_call(loop, stop_on_loop, NULL);
    CHECK_INT(cl.count, 0);
    CHECK_INT(closed, 1);
}

static int setup(void)
{
    struct error e;
    (void)!log_set_level("broker.conn", LOG_L_OFF);
    if (loop_start(&loop, "test-conn", &e) != E_OK)
        return 1;
    char *path = xasprintf("%s/conn-file", test_dir());
    file_fd = open(path, O_RDWR | O_CREAT, 0600);
    mem_free(path);
    return write(file_fd, "01234abcdefghij56789", 20) == 20 ? 0 : 1;
}

static int teardown(void)
{
    loop_stop(loop);
    close(file_fd);
    (void)!log_set_level("broker.conn", LOG_L_INFO);
    return 0;
}

static void send_all(const void *p, size_t n)
{
    const char *at = p;
    while (n) {
        ssize_t r = send(client, at, n, MSG_NOSIGNAL);
        if (r <= 0)
            return;
        at += r;
        n -= (size_t)r;
    }
}

static void send_frame(const char *text)
{
    struct strbuf b = STRBUF_INIT;
    strbuf_add_be32(&b, (uint32_t)strlen(text));
    strbuf_adds(&b, text);
    send_all(b.p, b.n);
    strbuf_release(&b);
}

/* One reply; NULL at the end of the stream or after `ms`. In a static buffer. */
static const char *receive(int ms)
{
    static char body[4 << 20];
    char head[4];
    struct pollfd p = {client, POLLIN, 0};
    if (poll(&p, 1, ms) <= 0 || recv(client, head, 4, MSG_WAITALL) != 4)
        return NULL;
    size_t n = load_be32(head);
    if (n >= sizeof body || recv(client, body, n, MSG_WAITALL) != (ssize_t)n)
        return NULL;
    body[n] = 0;
    return body;
}

static bool is_closed(int ms)
{
    char c;
    struct pollfd p = {client, POLLIN, 0};
    return poll(&p, 1, ms) == 1 && recv(client, &c, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

static void test_frames_in_pieces(void)
{
    begin();
    struct strbuf b = STRBUF_INIT;
    strbuf_add_be32(&b, 9);
    strbuf_adds(&b, "some text");
    for (size_t i = 0; i < b.n; i++) {
        send_all(b.p + i, 1);
        if (i % 4 == 0)
            usleep(300);
    }
    strbuf_release(&b);
    CHECK_STR(receive(2000), "some text");
    CHECK_INT(frames, 1);
    end();
}

static void test_pipelined_replies_keep_their_order(void)
{
    begin();
    struct strbuf b = STRBUF_INIT;
    for (int i = 0; i < 1000; i++) {
        strbuf_add_be32(&b, 8);
        strbuf_addf(&b, "m%07d", i);
    }
    send_all(b.p, b.n);
    strbuf_release(&b);
    for (int i = 0; i < 1000; i++) {
        char want[16];
        snprintf(want, sizeof want, "m%07d", i);
        CHECK_STR(receive(2000), want);
    }
    end();
}

static void look_idle(void *arg)
{
    (void)arg;
    CHECK(conn->in == NULL); /* no buffer, no ring */
    CHECK(conn->out.v == NULL);
}

static void test_idle_connection_holds_nothing(void)
{
    begin();
    send_frame("12345678");
    CHECK_STR(receive(2000), "12345678");
    loop_call(loop, look_idle, NULL);
    end();
}

static void test_large_frame(void)
{
    begin();
    size_t n = 3 << 20;
    char *big = xmalloc(n + 4);
    store_be32(big, (uint32_t)n);
    for (size_t i = 0; i < n; i++)
        big[4 + i] = (char)('a' + i % 23);
    big[4] = 'F'; /* the answer is short */
    send_all(big, n + 4);
    CHECK_STR(receive(5000), "abcdefghij");
    big[4] = 'x';
    /* its echo is larger than a socket buffer: sent while we read */
    send_all(big, n + 4);
    const char *got = receive(5000);
    CHECK(got && !memcmp(got, big + 4, n));
    mem_free(big);
    end();
}

static void test_file_range(void)
{
    begin();
    send_frame("FFFFFFFF");
    send_frame("12345678");
    CHECK_STR(receive(2000), "abcdefghij");
    CHECK_STR(receive(2000), "12345678");
    end();
}

static void resume(void *arg)
{
    rbuf_unref(parked_buf);
    parked_buf = NULL;
    if (conn)
        conn_resume(conn, arg ? CONN_CLOSE : CONN_DONE);
}

struct look {
    size_t held;
    bool same;
};

static void look_parked(void *arg)
{
    struct look *l = arg;
    l->held = conn->in ? conn->in->n - conn->in_at : 0;
    l->same = !memcmp(parked_frame.p, "Parked!!", 8);
}

static void test_parked_request_holds_up_the_next(void)
{
    begin();
    send_frame("Parked!!");
    send_frame("behind it");
    CHECK(receive(50) == NULL);
    CHECK_INT(frames, 1);
    loop_call(loop, resume, NULL);
    CHECK_STR(receive(2000), "behind it");
    CHECK_INT(frames, 2);
    end();
}

static void test_parked_request_stops_reading(void)
{
    begin();
    send_frame("Parked!!");
    usleep(20000);
    char *big = xcalloc(1, 1 << 20);
    fcntl(client, F_SETFL, O_NONBLOCK);
    ssize_t total = 0, r;
    for (int i = 0; i < 50; i++) {
        store_be32(big, 1000); /* frames of 1000 bytes, as many as it takes */
        while ((r = send(client, big, 1004, MSG_NOSIGNAL)) == 1004)
            total += r;
        usleep(2000);
    }
    fcntl(client, F_SETFL, 0);
    struct look l;
    loop_call(loop, look_parked, &l);
    CHECK(l.held <= 256 << 10); /* the rest waits in the kernel */
    CHECK(total > 256 << 10 || l.held > 0);
    CHECK(l.same); /* what it points to stays, whatever arrived after it */
    mem_free(big);
    loop_call(loop, resume, loop); /* and closes */
    CHECK_INT(frames, 1);
    end();
}

static void test_close_from_the_handler_and_from_afar(void)
{
    begin();
    send_frame("Close me");
    CHECK(is_closed(2000));
    end();
    begin();
    send_frame("Parked!!");
    usleep(20000);
    close(client); /* what is parked has nobody to go to */
    for (int i = 0; i < 200 && !closed; i++)
        usleep(5000);
    CHECK_INT(closed, 1);
    loop_call(loop, resume, NULL);
    client = open("/dev/null", O_RDONLY);
    end();
}

static void test_sizes_that_are_none(void)
{
    static const struct {
        const char *bytes;
        size_t n;
    } bad[] = {
        {"\xff\xff\xff\xff", 4},    {"\x00\x00\x00\x07", 4}, /* shorter than a header */
        {"\x00\x40\x00\x01", 4},                             /* one over the limit */
        {"GET / HTTP/1.1\r\n", 16}, {"\x16\x03\x01\x02\x00\x01", 6},
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        begin();
        send_all(bad[i].bytes, bad[i].n);
        CHECK(is_closed(2000));
        CHECK_INT(frames, 0);
        end();
    }
}

static void test_slow_reader_stops_execution(void)
{
    begin();
    struct strbuf b = STRBUF_INIT;
    for (int i = 0; i < 40; i++) {
        strbuf_add_be32(&b, 8);
        strbuf_adds(&b, "Zzzzzzzz");
    }
    send_all(b.p, b.n);
    strbuf_release(&b);
    usleep(100000);
    CHECK(frames < 12); /* 300 KB each: it stops above a megabyte of unsent replies */
    for (int i = 0; i < 40; i++)
        CHECK(receive(5000) != NULL);
    CHECK_INT(frames, 40);
    end();
}

static void test_last_words_are_executed(void)
{
    begin();
    struct strbuf b = STRBUF_INIT;
    for (int i = 0; i < 10; i++) {
        strbuf_add_be32(&b, 8);
        strbuf_adds(&b, "lastword");
    }
    send_all(b.p, b.n);
    strbuf_release(&b);
    shutdown(client, SHUT_WR);
    for (int i = 0; i < 10; i++)
        CHECK_STR(receive(2000), "lastword");
    CHECK(is_closed(2000));
    end();
}

static void short_idle(void *arg)
{
    (void)arg;
    cl.max_idle_ms = 100;
    loop_timer_set(&cl.sweep, 50);
}

static void test_idle_limit(void)
{
    begin();
    loop_call(loop, short_idle, NULL);
    CHECK(is_closed(3000));
    end();
    begin();
    send_frame("Parked!!"); /* parked is not idle */
    loop_call(loop, short_idle, NULL);
    CHECK(!is_closed(400));
    loop_call(loop, resume, NULL);
    CHECK(is_closed(3000));
    end();
}

/* The answer goes out at once, what follows it is worked off after the pause. */
static void test_pause_after_an_answer(void)
{
    begin();
    send_frame("WWWWWWWW");
    send_frame("12345678");
    send_frame("WWWWWWWW");
    send_frame("87654321");
    CHECK_STR(receive(2000), "WWWWWWWW");
    CHECK_STR(receive(2000), "12345678");
    CHECK_STR(receive(2000), "WWWWWWWW");
    CHECK_STR(receive(2000), "87654321");
    send_frame("WWWWWWWW"); /* and one that ends in its pause */
    CHECK_STR(receive(2000), "WWWWWWWW");
    end();
}

/* Timers between segments cost the server as much CPU as sending does; see conn.c. */
static void test_no_pacing_on_one_machine(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof a;
    char name[16] = "";
    int port = socket(AF_INET, SOCK_STREAM, 0);
    /* where it is not allowed, the system's own choice is what is looked at */
    setsockopt(port, IPPROTO_TCP, TCP_CONGESTION, "bbr", 3);
    CHECK_INT(bind(port, (struct sockaddr *)&a, n) | listen(port, 1), 0);
    CHECK_INT(getsockname(port, (struct sockaddr *)&a, &n), 0);
    client = socket(AF_INET, SOCK_STREAM, 0);
    CHECK_INT(connect(client, (struct sockaddr *)&a, n), 0);
    int fd = accept4(port, NULL, NULL, SOCK_NONBLOCK);
    close(port);
    frames = closed = 0;
    loop_call(loop, init_on_loop, NULL);
    loop_call(loop, open_on_loop, &fd);
    n = sizeof name;
    CHECK_INT(getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, &n), 0);
    CHECK(name[0] != 0 && strcmp(name, "bbr") != 0);
    send_frame("12345678");
    CHECK_STR(receive(2000), "12345678");
    end();
}

static const struct test_case tests[] = {
    {"no pacing between programs of one machine", test_no_pacing_on_one_machine},
    {"a pause after an answer", test_pause_after_an_answer},
    {"frames in pieces", test_frames_in_pieces},
    {"pipelined replies keep their order", test_pipelined_replies_keep_their_order},
    {"an idle connection holds nothing", test_idle_connection_holds_nothing},
    {"a large frame", test_large_frame},
    {"a file range between replies", test_file_range},
    {"a parked request holds up the next", test_parked_request_holds_up_the_next},
    {"a parked request stops reading", test_parked_request_stops_reading},
    {"closing, from both sides", test_close_from_the_handler_and_from_afar},
    {"sizes that are none", test_sizes_that_are_none},
    {"a slow reader stops execution", test_slow_reader_stops_execution},
    {"frames before the end are executed", test_last_words_are_executed},
    {"the idle limit", test_idle_limit},
    {NULL, NULL},
};
const struct test_suite test_conn = {"broker/conn", tests, setup, teardown};
