/* tests/unit/broker/test_listener.c - listener texts, ports, and what clients are told. SPEC:
 * broker 11.1 */
#include "broker/listener.h"

#include "base/base.h"
#include "base/mem.h"
#include "helpers.h"

#include <arpa/inet.h>

static enum err parse(struct listeners *ls, const char *listeners, const char *advertised,
                      const char *map, struct error *e)
{
    struct broker_config c;
    broker_config_init(&c);
    enum err r = E_OK;
    if (listeners)
        r = broker_config_set(&c, SL("listeners"), slice_cstr(listeners), e);
    if (r == E_OK && advertised)
        r = broker_config_set(&c, SL("advertised.listeners"), slice_cstr(advertised), e);
    if (r == E_OK && map)
        r = broker_config_set(&c, SL("listener.security.protocol.map"), slice_cstr(map), e);
    if (r == E_OK)
        r = broker_config_set(&c, SL("controller.listener.names"), SL("CONTROLLER"), e);
    CHECK_OK(r);
    r = listeners_parse(ls, &c.o, e);
    broker_config_release(&c);
    return r;
}

static void test_forms(void)
{
    struct listeners ls;
    struct error e;
    CHECK_OK(parse(&ls, "127.0.0.1:9092", NULL, NULL, &e));
    CHECK_STR(ls.v[0].name, "PLAINTEXT");
    CHECK_INT(ls.v[0].port, 9092);
    listeners_release(&ls);
    CHECK_OK(parse(&ls, "PLAINTEXT://[::1]:1, CONTROLLER://:9093 ,EXT://:2", NULL,
                   "EXT:PLAINTEXT,CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT", &e));
    CHECK_INT(ls.count, 2); /* the controller's is not served */
    CHECK_STR(ls.v[0].host, "::1");
    CHECK_STR(ls.v[1].host, "");
    CHECK_INT(ls.v[1].node_id, 1);
    listeners_release(&ls);
    static const char *const bad[] = {"",
                                      "PLAINTEXT://host",
                                      "PLAINTEXT://h:x",
                                      "PLAINTEXT://h:70000",
                                      "ODD://:9093",
                                      "PLAINTEXT://:1,PLAINTEXT://:2",
                                      "://h:1"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        if (bad[i][0])
            CHECK_ERR(parse(&ls, bad[i], NULL, NULL, &e), E_INVALID);
    }
}

static void test_advertised(void)
{
    struct listeners ls;
    struct error e;
    CHECK_ERR(parse(&ls, "A://:1", "A://0.0.0.0:1", "A:PLAINTEXT", &e), E_INVALID);
    CHECK_STR(e.msg, "advertised.listeners cannot use the nonroutable meta-address 0.0.0.0. Use a "
                     "routable IP address.");
    CHECK_ERR(parse(&ls, "A://:1", "B://h:1", "A:PLAINTEXT", &e), E_INVALID);
    CHECK_OK(parse(&ls, "INTERNAL://0.0.0.0:29092,EXTERNAL://0.0.0.0:9092",
                   "INTERNAL://weir:29092,EXTERNAL://localhost:19092",
                   "INTERNAL:PLAINTEXT,EXTERNAL:PLAINTEXT", &e));
    char host[256];
    int port;
    union sockaddr_any peer = {.in = {.sin_family = AF_INET}};
    inet_pton(AF_INET, "172.18.0.5", &peer.in.sin_addr);
    listener_advertised(&ls, &ls.v[0], -1, &peer, NULL, host, &port);
    CHECK_STR(host, "weir");
    CHECK_INT(port, 29092);
    listener_advertised(&ls, &ls.v[1], -1, &peer, NULL, host, &port);
    CHECK_STR(host, "localhost");
    CHECK_INT(port, 19092);
    listeners_release(&ls);
}

static void test_unset_follows_the_peer(void)
{
    struct listeners ls;
    struct error e;
    char host[256];
    int port;
    CHECK_OK(parse(&ls, "PLAINTEXT://:9092", NULL, NULL, &e));
    union sockaddr_any peer = {
        .in6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT}};
    listener_advertised(&ls, &ls.v[0], -1, &peer, NULL, host, &port);
    CHECK_STR(host, "localhost");
    CHECK_INT(port, 9092);
    inet_pton(AF_INET6, "::ffff:127.0.0.1", &peer.in6.sin6_addr); /* dual-stack socket */
    listener_advertised(&ls, &ls.v[0], -1, &peer, NULL, host, &port);
    CHECK_STR(host, "localhost");
    inet_pton(AF_INET6, "::ffff:172.17.0.1", &peer.in6.sin6_addr);
    inet_pton(AF_INET, "172.17.0.1", &ls.gateway);
    listener_advertised(&ls, &ls.v[0], -1, &peer, NULL, host, &port);
    CHECK_STR(host, "localhost"); /* a published port of a container */
    listener_advertised(&ls, &ls.v[0], -1, &peer, "weir.test", host, &port);
    CHECK_STR(host, "weir.test"); /* what a TLS client asked for */
    char ip[INET6_ADDRSTRLEN];
    sockaddr_ip(&peer, ip);
    CHECK_STR(ip, "172.17.0.1");
    listeners_release(&ls);
}

static void test_ports(void)
{
    struct listeners ls;
    struct error e;
    CHECK_ERR(parse(&ls, "PLAINTEXT://h:65536", NULL, NULL, &e), E_INVALID);
    CHECK_STR(e.msg, "listeners: there is no port 65536, as in \"PLAINTEXT://h:65536\"");
    CHECK_ERR(parse(&ls, "PLAINTEXT://h:1,SSL://h:1", NULL, NULL, &e), E_INVALID);
    CHECK_STR(e.msg, "listeners: PLAINTEXT and SSL both have port 1");
    CHECK_OK(parse(&ls, "PLAINTEXT://a:1,SSL://b:1", NULL, NULL, &e));
    listeners_release(&ls);
    CHECK_OK(parse(&ls, "PLAINTEXT://a:0,SSL://a:0", NULL, NULL, &e));
    listeners_release(&ls);
}

static void test_binding(void)
{
    struct listeners a, b;
    struct error e;
    CHECK_OK(parse(&a, "PLAINTEXT://localhost:0", NULL, NULL, &e));
    CHECK_OK(listeners_bind(&a, 10, &e));
    CHECK(a.v[0].port > 0);
    CHECK(a.v[0].fd_count >= 1); /* 127.0.0.1, and ::1 where there is IPv6 */
    char text[64];
    snprintf(text, sizeof text, "127.0.0.1:%d", a.v[0].port);
    CHECK_OK(parse(&b, text, NULL, NULL, &e));
    CHECK_ERR(listeners_bind(&b, 10, &e), E_CONFLICT);
    CHECK(strstr(e.msg, "taken") && e.hint[0]);
    listeners_release(&b);
    listeners_release(&a);
}

static const struct test_case tests[] = {
    {"forms", test_forms},
    {"advertised", test_advertised},
    {"unset: as the peer needs it", test_unset_follows_the_peer},
    {"ports", test_ports},
    {"binding", test_binding},
    {NULL, NULL},
};
const struct test_suite test_listener = {"broker/listener", tests, NULL, NULL};
