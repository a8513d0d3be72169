/* tests/unit/base/test_http.c - the HTTP server over real sockets: routes, decoding, the gate,
 * limits, late replies, clients that leave, event streams. The client is blocking and knows no
 * HTTP. */
#include "helpers.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/http.h"
#include "base/http_url.h"
#include "base/log.h"

static struct loop *loop;
static struct pool *pool;
static struct http_server *server;
static struct http_listen address;

/* --- handlers --------------------------------------------------------------------------------- */

static void echo(struct http_request *r, void *arg)
{
    struct strbuf b = STRBUF_INIT;
    struct slice name = http_param(r, "name"), rest = http_param(r, "rest");
    (void)arg;
    strbuf_addf(&b, "m=%d path=" PRI_SL " name=%s" PRI_SL " rest=%s" PRI_SL " body=" PRI_SL,
                http_method(r), ARG_SL(http_path(r)), name.p ? "" : "(null)", ARG_SL(name),
                rest.p ? "" : "(null)", ARG_SL(rest), ARG_SL(http_body(r)));
    for (size_t i = 0; !slice_is_null(http_query_nth(r, "q", i)); i++)
        strbuf_addf(&b, " q=[" PRI_SL "]", ARG_SL(http_query_nth(r, "q", i)));
    if (slice_is_null(http_query(r, "none")) && http_header(r, "x-echo").p)
        strbuf_addf(&b, " header=" PRI_SL " raw=" PRI_SL, ARG_SL(http_header(r, "X-Echo")),
                    ARG_SL(http_raw_query(r)));
    http_reply_header(r, "X-One", "1");
    http_reply_header(r, "X-Bad", "a\r\nInjected: 1");
    http_reply(r, 200, "text/plain", strbuf_slice(&b));
    strbuf_release(&b);
}

static void json(struct http_request *r, void *arg)
{
    json_t *in;
    struct error e;
    (void)arg;
    if (http_body_json(r, &in, &e) == E_OK)
        http_reply_json(r, 201, in);
    else
        http_reply_json(r, 400, json_pack("{s:s}", "message", e.msg));
}

static void empty(struct http_request *r, void *arg)
{
    (void)arg;
    http_reply_empty(r, 204);
}

static void slow_work(struct http_request *r, void *arg)
{
    usleep((useconds_t)(uintptr_t)arg);
    http_reply(r, 202, "text/plain", SL("late"));
}

static void late(struct http_request *r, void *arg)
{
    (void)arg;
    http_defer(r, pool, slow_work, (void *)(uintptr_t)50000);
}

static _Atomic int streams_ended, stream_saw_close;
static _Atomic int64_t most_queued;

static void events_work(struct http_request *r, void *arg)
{
    (void)arg;
    http_sse_begin(r);
    http_sse_event(r, NULL, SL("{\"a\":1}"));
    http_sse_event(r, "done", SL("two\nlines"));
    http_sse_end(r);
    atomic_fetch_add(&streams_ended, 1);
}

static void events(struct http_request *r, void *arg)
{
    http_defer(r, pool, events_work, arg);
}

/* Until the client goes away. */
static void tail_work(struct http_request *r, void *arg)
{
    bool quiet = arg != NULL;
    static char big[60000];
    memset(big, 'e', sizeof big);
    http_sse_begin(r);
    http_sse_event(r, NULL, SL("first"));
    for (int64_t end = clock_mono_ms() + 10000; !http_sse_closed(r) && clock_mono_ms() < end;) {
        if (quiet) {
            usleep(2000);
            continue;
        }
        http_sse_event(r, NULL, slice_of(big, sizeof big));
        int64_t queued = (int64_t)http_sse_queued(r);
        if (queued > atomic_load(&most_queued))
            atomic_store(&most_queued, queued);
        http_sse_wait(r, 100000, 100);
    }
    atomic_store(&stream_saw_close, http_sse_closed(r));
    http_sse_end(r);
    atomic_fetch_add(&streams_ended, 1);
}

static void quiet_tail(struct http_request *r, void *arg)
{
    (void)arg;
    http_defer(r, pool, tail_work, &loop);
}

static void busy_tail(struct http_request *r, void *arg)
{
    (void)arg;
    http_defer(r, pool, tail_work, NULL);
}

static void chunks(struct http_request *r, void *arg)
{
    (void)arg;
    http_stream_begin(r, 200, "text/csv");
    http_stream_data(r, SL("a,b\r\n"));
    http_stream_data(r, SL("1,2\r\n"));
    http_stream_end(r);
}

static const struct http_route routes[] = {
    {HTTP_GET, "/", echo},
    {HTTP_GET | HTTP_POST, "/connectors", echo},
    {HTTP_GET | HTTP_PUT | HTTP_PATCH | HTTP_DELETE, "/connectors/{name}", echo},
    {HTTP_GET, "/connectors/{name}/status", echo},
    {HTTP_GET, "/ui/{rest...}", echo},
    {HTTP_POST, "/json", json},
    {HTTP_GET | HTTP_DELETE, "/empty", empty},
    {HTTP_GET, "/late", late},
    {HTTP_GET, "/events", events},
    {HTTP_GET, "/quiet", quiet_tail},
    {HTTP_GET, "/busy", busy_tail},
    {HTTP_GET, "/chunks", chunks},
    {0, NULL, NULL},
};
static const char *const allowed_hosts[] = {"weir.example.org", NULL};
static const char *const allowed_origins[] = {"https://ui.example.org", "http://*.lab.example:*",
                                              NULL};

static int setup(void)
{
    struct error e;
    (void)!log_set_level("http", LOG_L_OFF); /* refusals are what is tested here */
    struct http_options o = {.name = "test",
                             .routes = routes,
                             .max_body = 1000,
                             .allowed_hosts = allowed_hosts,
                             .allowed_origins = allowed_origins,
                             .cors_methods = "GET,POST"};
    snprintf(address.host, sizeof address.host, "localhost");
    address.port = 0;
    if (loop_start(&loop, "http", &e) != E_OK || pool_start(&pool, "pool", 4, &e) != E_OK ||
        http_start(&server, loop, &o, &address, &e) != E_OK) {
        fprintf(stderr, "%s\n", e.msg);
        return 1;
    }
    return 0;
}

static int teardown(void)
{
    (void)!log_set_level("http", LOG_L_INFO);
    http_stop(server);
    pool_stop(pool);
    loop_stop(loop);
    return 0;
}

/* --- the client ------------------------------------------------------------------------------- */

static int dial(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_port = htons(address.port),
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct timeval limit = {.tv_sec = 10};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    CHECK_INT(connect(fd, (struct sockaddr *)&a, sizeof a), 0);
    return fd;
}

static void send_text(int fd, const char *text)
{
    size_t n = strlen(text), done = 0;
    while (done < n) {
        ssize_t w = send(fd, text + done, n - done, MSG_NOSIGNAL);
        if (w <= 0)
            return;
        done += (size_t)w;
    }
}

static char answer[300000];

/* Reads until the text has come or the other side ends; all so far is in answer. */
static bool receive(int fd, const char *until)
{
    size_t n = 0;
    answer[0] = 0;
    while (n < sizeof answer - 1) {
        ssize_t r = recv(fd, answer + n, sizeof answer - 1 - n, 0);
        if (r <= 0)
            return until == NULL && r == 0;
        n += (size_t)r;
        answer[n] = 0;
        if (until && strstr(answer, until))
            return true;
    }
    return false;
}

/* One request on a connection of its own; the answer is in `answer`, its status returned. */
static int ask(const char *line_and_headers, const char *body)
{
    char request[20000];
    snprintf(request, sizeof request, "%s\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n%s",
             line_and_headers, strlen(body), body);
    int fd = dial();
    send_text(fd, request);
    receive(fd, NULL);
    close(fd);
    return strncmp(answer, "HTTP/1.1 ", 9) == 0 ? atoi(answer + 9) : 0;
}

static const char *body_of(void)
{
    const char *p = strstr(answer, "\r\n\r\n");
    return p ? p + 4 : "(no body)";
}

static int get(const char *target)
{
    char line[9100];
    snprintf(line, sizeof line, "GET %s HTTP/1.1\r\nHost: localhost:%d", target, address.port);
    return ask(line, "");
}

static bool has(const char *text)
{
    return strstr(answer, text) != NULL;
}

/* --- tests ------------------------------------------------------------------------------------ */

static void routing(void)
{
    CHECK_INT(get("/"), 200);
    CHECK_STR(body_of(), "m=1 path=/ name=(null) rest=(null) body=");
    CHECK(has("\r\nContent-Type: text/plain\r\n") && has("\r\nX-One: 1\r\n") && has("\r\nDate: "));
    CHECK(has("\r\nX-Content-Type-Options: nosniff\r\n") && !has("Injected"));
    CHECK_INT(get("/connectors"), 200);
    CHECK_INT(get("/connectors/"), 200);
    CHECK_INT(get("/connectors/a%2Fb%20c+d%ED%95%9C"), 200);
    CHECK_STR(
        body_of(),
        "m=1 path=/connectors/a/b c+d\xed\x95\x9c name=a/b c+d\xed\x95\x9c rest=(null) body=");
    CHECK_INT(get("/connectors/x/status/"), 200);
    CHECK_INT(get("/connectors/x/other"), 404);
    CHECK_STR(body_of(), "{\"error_code\":404,\"message\":\"HTTP 404 Not Found\"}");
    CHECK(has("\r\nContent-Type: application/json\r\n"));
    CHECK_INT(get("/connectors//status"), 404);
    CHECK_INT(get("//connectors"), 404);
    CHECK_INT(get("/ui"), 200);
    CHECK_INT(get("/ui/a/b%2fc/d"), 200);
    CHECK_STR(body_of(), "m=1 path=/ui/a/b/c/d name=(null) rest=a/b/c/d body=");
    CHECK_INT(get("/uix"), 404);
    CHECK_INT(get("/1/2/3/4/5/6/7/8/9/0/1/2/3/4/5/6/7/8/9/0/1/2/3/4/5/6/7/8/9/0/1/2/3/4/5"), 400);
}

static void methods(void)
{
    char line[200];
    CHECK_INT(ask("PATCH /connectors/x HTTP/1.1\r\nHost: localhost", "{}"), 200);
    CHECK_STR(body_of(), "m=8 path=/connectors/x name=x rest=(null) body={}");
    CHECK_INT(ask("DELETE /connectors HTTP/1.1\r\nHost: localhost", ""), 405);
    CHECK(has("\r\nAllow: GET,POST,OPTIONS,HEAD\r\n"));
    CHECK_STR(body_of(), "{\"error_code\":405,\"message\":\"HTTP 405 Method Not Allowed\"}");
    CHECK_INT(ask("TRACE /connectors HTTP/1.1\r\nHost: localhost", ""), 405);
    CHECK_INT(ask("OPTIONS /connectors HTTP/1.1\r\nHost: localhost", ""), 200);
    CHECK(has("\r\nAllow: GET,POST,OPTIONS,HEAD\r\n"));
    CHECK_STR(body_of(), "GET, POST, OPTIONS, HEAD");
    CHECK_INT(ask("OPTIONS /nothing HTTP/1.1\r\nHost: localhost", ""), 404);
    CHECK_INT(ask("HEAD /connectors HTTP/1.1\r\nHost: localhost", ""), 200);
    CHECK(has("\r\nContent-Length: 51\r\n")); /* m=32 path=... */
    CHECK_STR(body_of(), "");
    CHECK_INT(ask("HEAD /chunks HTTP/1.1\r\nHost: localhost", ""), 200);
    CHECK_STR(body_of(), "");
    CHECK_INT(ask("HEAD /json HTTP/1.1\r\nHost: localhost", ""), 405);
    CHECK_INT(get("/empty"), 204);
    CHECK(!has("Content-Length") && !has("\r\nContent-Type"));
    snprintf(line, sizeof line,
             "GET http://localhost:%d/connectors/x?q=1 HTTP/1.1\r\nHost: localhost", address.port);
    CHECK_INT(ask(line, ""), 200); /* as a proxy would ask */
    CHECK_STR(body_of(), "m=1 path=/connectors/x name=x rest=(null) body= q=[1]");
    CHECK_INT(ask("NONSENSE / HTTP/1.1\r\nHost: localhost", ""), 501);
}

static void other_origins(void)
{
    CHECK_INT(ask("GET / HTTP/1.1\r\nHost: localhost\r\nOrigin: https://ui.example.org", ""), 200);
    CHECK(has("\r\nAccess-Control-Allow-Origin: https://ui.example.org\r\n"));
    CHECK(has("\r\nAccess-Control-Allow-Credentials: true\r\n") && has("\r\nVary: Origin\r\n"));
    CHECK(!has("Access-Control-Allow-Methods"));
    CHECK_INT(ask("PATCH /connectors/x HTTP/1.1\r\nHost: localhost\r\nOrigin: "
                  "http://a.lab.example:81",
                  "{}"),
              200);
    CHECK(has("\r\nAccess-Control-Allow-Origin: http://a.lab.example:81\r\n"));
    CHECK_INT(ask("OPTIONS /connectors HTTP/1.1\r\nHost: localhost\r\nOrigin: "
                  "https://ui.example.org\r\nAccess-Control-Request-Method: POST",
                  ""),
              200);
    CHECK(has("\r\nAccess-Control-Allow-Methods: GET,POST\r\n") &&
          has("\r\nAccess-Control-Max-Age: 1800\r\n") &&
          has("\r\nAccess-Control-Allow-Headers: X-Requested-With,Content-Type,Accept,Origin\r\n"));
    /* Others are told nothing; reading is served, changing is not. */
    CHECK_INT(ask("GET / HTTP/1.1\r\nHost: localhost\r\nOrigin: http://lab.example:81", ""), 200);
    CHECK(!has("Access-Control"));
    CHECK_INT(ask("PATCH /connectors/x HTTP/1.1\r\nHost: localhost\r\nOrigin: "
                  "http://a.lab.example.evil",
                  "{}"),
              403);
    CHECK(!has("Access-Control"));
}

static void decoding(void)
{
    CHECK_INT(get("/?q=a+b%2B&x=&q=%ED%95%9C&q&&q=1=2"), 200);
    CHECK_STR(body_of(),
              "m=1 path=/ name=(null) rest=(null) body= q=[a b+] q=[\xed\x95\x9c] q=[] q=[1=2]");
    CHECK_INT(get("/?"), 200);
    CHECK_INT(get("/?q=%4"), 400);
    CHECK_INT(get("/?q=%zz"), 400);
    CHECK_INT(get("/?q=%00"), 400);
    CHECK_INT(get("/?q=%ff"), 400);
    CHECK_INT(get("/connectors/%"), 400);
    CHECK_INT(get("/connectors/%2"), 400);
    CHECK_INT(get("/connectors/%80"), 400);
    CHECK_STR(body_of(), "{\"error_code\":400,\"message\":\"HTTP 400 Bad Request\"}");
    char target[9000];
    memset(target, 'x', sizeof target);
    target[0] = '/';
    target[8500] = 0;
    CHECK_INT(get(target), 414);
    CHECK_INT(ask("GET /?q=1 HTTP/1.1\r\nHost: localhost\r\nX-Echo:  spaces ", ""), 200);
    CHECK(has(" q=[1] header=spaces raw=q=1"));
}

static void bodies(void)
{
    char body[1100];
    CHECK_INT(ask("POST /json HTTP/1.1\r\nHost: localhost",
                  "{\"b\": 1, \"a\":[true,null,\"\xed\x95\x9c\"]}"),
              201);
    CHECK_STR(body_of(), "{\"b\":1,\"a\":[true,null,\"\xed\x95\x9c\"]}");
    CHECK_INT(ask("POST /json HTTP/1.1\r\nHost: localhost", "{\"a\"\n  1}"), 400);
    CHECK(has("(line: 2, column: 3)"));
    CHECK_INT(ask("POST /json HTTP/1.1\r\nHost: localhost", ""), 400);
    memset(body, ' ', sizeof body);
    body[0] = '1';
    body[1000] = 0;
    CHECK_INT(ask("POST /json HTTP/1.1\r\nHost: localhost", body), 201);
    body[1000] = ' ';
    body[1001] = 0;
    CHECK_INT(ask("POST /json HTTP/1.1\r\nHost: localhost", body), 413);
    CHECK_STR(body_of(), "{\"error_code\":413,\"message\":\"HTTP 413 Request Entity Too Large\"}");
    int fd = dial();
    send_text(fd, "POST /json HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
                  "3\r\n[1,\r\n2\r\n2]\r\n0\r\n\r\n");
    CHECK(receive(fd, "[1,2]"));
    send_text(fd, "POST /json HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\n"
                  "Content-Length: 1\r\n\r\n");
    CHECK(receive(fd, "HTTP/1.1 100"));
    send_text(fd, "7");
    CHECK(receive(fd, "\r\n\r\n7"));
    /* Far over the limit the answer is evhttp's own, but it is an answer. */
    send_text(fd, "POST /json HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\n"
                  "Content-Length: 999999999999\r\n\r\n");
    close(fd);
}

static void keep_alive(void)
{
    int fd = dial();
    for (int i = 0; i < 20; i++) {
        send_text(fd, "GET /connectors/one HTTP/1.1\r\nHost: localhost\r\n\r\n");
        CHECK(receive(fd, "name=one"));
    }
    /* Two at once: answered in order, the second after a late reply. */
    send_text(fd, "GET /late HTTP/1.1\r\nHost: localhost\r\n\r\n"
                  "GET /connectors/two HTTP/1.1\r\nHost: localhost\r\n\r\n");
    CHECK(receive(fd, "name=two"));
    const char *first = strstr(answer, "HTTP/1.1 202"), *second = strstr(answer, "name=two");
    CHECK(first && second && first < second);
    close(fd);
    fd = dial(); /* HTTP/1.0, no Host, from loopback */
    send_text(fd, "GET /connectors/old HTTP/1.0\r\n\r\n");
    CHECK(receive(fd, NULL));
    CHECK(has("name=old"));
    close(fd);
}

static int ask_host(const char *method, const char *host, const char *more)
{
    char line[600];
    snprintf(line, sizeof line, "%s /connectors HTTP/1.1\r\nHost: %s%s", method, host, more);
    return ask(line, method[0] == 'P' ? "{}" : "");
}

/* SPEC: web-ui 9.2 */
static void gate(void)
{
    static const char *const good[] = {"localhost",
                                       "LOCALHOST:1",
                                       "localhost.",
                                       "a.localhost:8083",
                                       "127.0.0.1:8083",
                                       "127.9.9.9",
                                       "[::1]:8083",
                                       "[::1]",
                                       "weir:8083",
                                       "connect",
                                       "host.docker.internal:8083",
                                       "Weir.Example.org",
                                       "[::ffff:127.0.0.1]:80"};
    static const char *const bad[] = {"evil.example.com",
                                      "evil.example.com:8083",
                                      "192.168.7.7",
                                      "10.0.0.1:80",
                                      "localhost.evil.com",
                                      "notlocalhost.com",
                                      "[::2]",
                                      "[::1",
                                      "[::1]x",
                                      "a b",
                                      "localhost:99999",
                                      "localhost:x",
                                      "",
                                      "user@localhost",
                                      "..",
                                      "0.0.0.0",
                                      "weir.example.org.evil.com",
                                      "localhost,evil.com"};
    for (size_t i = 0; i < ARRAY_LEN(good); i++)
        CHECK_INT(ask_host("GET", good[i], ""), 200);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        CHECK_INT(ask_host("GET", bad[i], ""), 403);
    CHECK(has("\"error_code\":403"));
    CHECK_INT(ask("GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.com", ""), 400);
    char name[256], host[300];
    gethostname(name, sizeof name - 1);
    snprintf(host, sizeof host, "%s.local:8083", name);
    CHECK_INT(ask_host("GET", host, ""), 200);

    static const char *const same[] = {
        "\r\nOrigin: http://localhost:8083",  "\r\nOrigin: HTTP://LOCALHOST:8083",
        "\r\nOrigin: https://ui.example.org", "\r\nSec-Fetch-Site: same-origin",
        "\r\nSec-Fetch-Site: none",           ""};
    static const char *const cross[] = {
        "\r\nOrigin: http://localhost:8080",
        "\r\nOrigin: http://localhost",
        "\r\nOrigin: https://localhost:8083",
        "\r\nOrigin: null",
        "\r\nOrigin: http://127.0.0.1:8083",
        "\r\nOrigin: http://evil.com:8083",
        "\r\nOrigin: ",
        "\r\nOrigin: http://localhost:8083/x",
        "\r\nOrigin: http://localhost:8083@evil.com",
        "\r\nSec-Fetch-Site: cross-site",
        "\r\nSec-Fetch-Site: same-site",
        "\r\nOrigin: http://evil.com\r\nSec-Fetch-Site: same-origin"};
    for (size_t i = 0; i < ARRAY_LEN(same); i++)
        CHECK_INT(ask_host("POST", "localhost:8083", same[i]), 200);
    for (size_t i = 0; i < ARRAY_LEN(cross); i++) {
        CHECK_INT(ask_host("POST", "localhost:8083", cross[i]), 403);
        CHECK_INT(ask_host("GET", "localhost:8083", cross[i]), 200);
    }
    CHECK_INT(ask_host("POST", "localhost", "\r\nOrigin: http://localhost:80"), 200);
}

static void both_families(void)
{
    struct sockaddr_in6 a = {.sin6_family = AF_INET6,
                             .sin6_port = htons(address.port),
                             .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    int fd = socket(AF_INET6, SOCK_STREAM, 0);
    if (fd < 0 || (connect(fd, (struct sockaddr *)&a, sizeof a) != 0 && errno == EADDRNOTAVAIL)) {
        test_skip("no IPv6 on this machine");
    } else {
        send_text(fd, "GET /connectors/six HTTP/1.1\r\nHost: localhost\r\n\r\n");
        CHECK(receive(fd, "name=six"));
    }
    close(fd);
    struct http_server *second;
    struct http_listen taken = address;
    struct error e;
    struct http_options o = {.name = "web", .routes = routes, .max_body = 10};
    CHECK_ERR(http_start(&second, loop, &o, &taken, &e), E_EXISTS);
    CHECK(strstr(e.msg, "is taken by another program") &&
          strstr(e.hint, "--web-listen localhost:PORT"));
    snprintf(taken.host, sizeof taken.host, "no.such.host.invalid");
    CHECK_ERR(http_start(&second, loop, &o, &taken, &e), E_INVALID);
    snprintf(taken.host, sizeof taken.host, "192.0.2.1");
    CHECK_ERR(http_start(&second, loop, &o, &taken, &e), E_IO);
    snprintf(taken.host, sizeof taken.host, "[::1]");
    taken.port = 0;
    enum err rc = http_start(&second, loop, &o, &taken, &e);
    CHECK(rc == E_IO || (rc == E_OK && taken.port != 0));
    http_stop(second);
    snprintf(taken.host, sizeof taken.host, "*");
    taken.port = 0;
    CHECK_OK(http_start(&second, loop, &o, &taken, &e));
    CHECK(taken.port != 0);
    uint16_t first_port = address.port;
    address.port = taken.port;
    CHECK_INT(ask_host("GET", "localhost", ""), 200);
    CHECK_INT(ask_host("GET", "8.8.8.8", ""), 403);
    address.port = first_port;
    http_stop(second);
}

static void late_replies(void)
{
    int fds[20];
    CHECK_INT(get("/late"), 202);
    CHECK_STR(body_of(), "late");
    for (int i = 0; i < 20; i++) { /* clients that go away before the reply, in two ways */
        fds[i] = dial();
        send_text(fds[i], "GET /late HTTP/1.1\r\nHost: localhost\r\n\r\n");
    }
    for (int i = 0; i < 20; i++) {
        struct linger reset = {.l_onoff = 1, .l_linger = 0};
        if (i % 2)
            setsockopt(fds[i], SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
        close(fds[i]);
    }
    CHECK_INT(get("/late"), 202);
    usleep(100000);
    CHECK_INT(get("/connectors"), 200);
}

static void event_stream(void)
{
    atomic_store(&streams_ended, 0);
    CHECK_INT(get("/events"), 200);
    CHECK(has("\r\nContent-Type: text/event-stream\r\n") && has("\r\nCache-Control: no-store\r\n"));
    CHECK(has("data:{\"a\":1}\n\n") && has("event:done\ndata:two\ndata:lines\n\n"));
    CHECK(has("Transfer-Encoding: chunked") && has("\r\n0\r\n\r\n"));
    CHECK_INT(get("/chunks"), 200);
    CHECK(has("a,b\r\n") && has("1,2\r\n") && has("\r\n0\r\n\r\n"));
    int fd = dial(); /* HTTP/1.0: no chunks, ends with the connection */
    send_text(fd, "GET /chunks HTTP/1.0\r\nHost: localhost\r\n\r\n");
    CHECK(receive(fd, NULL));
    CHECK_STR(body_of(), "a,b\r\n1,2\r\n");
    close(fd);
    CHECK_INT(streams_ended, 1);
}

static bool wait_for(_Atomic int *v, int want)
{
    for (int i = 0; i < 1000 && atomic_load(v) < want; i++)
        usleep(5000);
    return atomic_load(v) == want;
}

static void client_leaves(void)
{
    static const char *const targets[] = {"/quiet", "/busy"};
    char request[100];
    for (int i = 0; i < 2; i++) {
        atomic_store(&streams_ended, 0);
        atomic_store(&stream_saw_close, 0);
        atomic_store(&most_queued, 0);
        int fd = dial();
        snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", targets[i]);
        send_text(fd, request);
        CHECK(receive(fd, "data:first"));
        CHECK_INT(atomic_load(&streams_ended), 0);
        if (i == 1) { /* does not read: the producer waits, nothing piles up */
            usleep(300000);
            CHECK(atomic_load(&most_queued) > 100000 && atomic_load(&most_queued) < 1 << 20);
            CHECK_INT(atomic_load(&streams_ended), 0);
        }
        int64_t from = clock_mono_ms();
        close(fd);
        CHECK(wait_for(&streams_ended, 1));
        CHECK(clock_mono_ms() - from < 1000);
        CHECK_INT(stream_saw_close, 1);
    }
}

/* Stopping under clients in all states; late repliers find nobody and clean up. */
static void stop_under_load(void)
{
    struct http_server *s;
    struct http_listen l = {.host = "127.0.0.1"};
    struct http_options o = {.name = "stop", .routes = routes, .max_body = 100};
    struct loop *own;
    int fds[12];
    CHECK_OK(loop_start(&own, "own", NULL));
    CHECK_OK(http_start(&s, own, &o, &l, NULL));
    uint16_t before = address.port;
    address.port = l.port;
    atomic_store(&streams_ended, 0);
    static const char *const requests[] = {"GET /la",
                                           "GET /late HTTP/1.1\r\nHost: localhost\r\n\r\n",
                                           "GET /quiet HTTP/1.1\r\nHost: localhost\r\n\r\n", ""};
    for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
        fds[i] = dial();
        send_text(fds[i], requests[i % 4 == 2 && i > 4 ? 1 : i % 4]);
    }
    CHECK(receive(fds[2], "data:first"));
    http_stop(s);
    loop_stop(own);
    CHECK(wait_for(&streams_ended, 1));
    for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
        while (receive(fds[i], NULL))
            break;
        close(fds[i]);
    }
    usleep(100000); /* the late ones reply to nobody */
    address.port = before;
    http_stop(NULL);
}

/* More connections than the server takes: the waiting ones are served as idle ones are let go. */
static void many_connections(void)
{
    enum { N = 600 };
    static int fds[N];
    int opened = 0;
    for (; opened < N; opened++) {
        fds[opened] = dial();
        if (fds[opened] < 0)
            break;
        if (opened % 3 == 0)
            send_text(fds[opened], "GET / HT"); /* never ends */
    }
    send_text(fds[opened - 1], "GET /connectors/last HTTP/1.1\r\nHost: localhost\r\n\r\n");
    CHECK(receive(fds[opened - 1], "name=last"));
    for (int i = 0; i < opened; i++)
        close(fds[i]);
    CHECK_INT(get("/connectors"), 200);
}

static void authorities(void)
{
    struct http_authority a;
    CHECK(http_authority_parse(SL("example.org:"), &a));
    CHECK_INT(a.port, -1);
    CHECK(http_authority_parse(SL("[fe80::1]:65535"), &a));
    CHECK_INT(a.port, 65535);
    CHECK(a.is_ip && !http_addr_is_loopback(a.addr));
    CHECK_SLICE(a.host, SL("fe80::1"));
    CHECK(!http_authority_parse(SL("[fe80::1%eth0]"), &a));
    CHECK(!http_authority_parse(SL("[]"), &a) && !http_authority_parse(SL(":80"), &a));
    CHECK(!http_authority_parse(SL("a..b"), &a) && !http_authority_parse(SL(".a"), &a));
    CHECK(!http_authority_parse(SL("::1"), &a) && !http_authority_parse(SL("a:65536"), &a));
    CHECK(!http_authority_parse(slice_of("[::1\0]", 6), &a));
    char longest[300];
    memset(longest, 'a', sizeof longest);
    CHECK(!http_authority_parse(slice_of(longest, 256), &a));
    CHECK(http_authority_parse(slice_of(longest, 255), &a));
}

static const struct test_case tests[] = {
    {"routing", routing},
    {"methods", methods},
    {"other_origins", other_origins},
    {"decoding", decoding},
    {"bodies", bodies},
    {"keep_alive", keep_alive},
    {"gate", gate},
    {"both_families", both_families},
    {"late_replies", late_replies},
    {"event_stream", event_stream},
    {"client_leaves", client_leaves},
    {"stop_under_load", stop_under_load},
    {"many_connections", many_connections},
    {"authorities", authorities},
    {NULL, NULL},
};
const struct test_suite test_http = {"base/http", tests, setup, teardown};
