/* tests/unit/broker/broker_fixture.c - see the header. */
#include "broker/broker_fixture.h"

#include "base/base.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "broker/broker_state.h"
#include "helpers.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

static bool failed(const char *what, const struct error *e)
{
    printf("    %s: %s %s\n", what, e->msg, e->hint);
    CHECK(!"the broker did not start");
    return false;
}

/* One for the run, so that a name means the same directory again. */
static const char *base_dir(void)
{
    static char dir[512];
    if (!dir[0])
        snprintf(dir, sizeof dir, "%s", test_dir());
    return dir;
}

bool broker_fixture_start(struct broker_fixture *f, const char *name, const char *const *options)
{
    struct error e;
    *f = (struct broker_fixture){.sock = -1};
    (void)!log_set_level("broker", LOG_L_WARN);
    f->dir = xasprintf("%s/%s", base_dir(), name);
    char *logs = xasprintf("%s/logs", f->dir), *file = xasprintf("%s/weir.db", f->dir);
    broker_config_init(&f->config);
    bool ok = fs_mkdirs(logs, &e) == E_OK &&
              broker_config_set(&f->config, SL("data.dir"), slice_cstr(logs), &e) == E_OK &&
              broker_config_set(&f->config, SL("log.dirs"), slice_cstr(logs), &e) == E_OK &&
              broker_config_set(&f->config, SL("listeners"), SL("127.0.0.1:0"), &e) == E_OK;
    for (size_t i = 0; ok && options && options[i]; i += 2)
        ok = broker_config_set(&f->config, slice_cstr(options[i]), slice_cstr(options[i + 1]),
                               &e) == E_OK;
    ok = ok && db_open(&f->db, file, false, broker_migrations(), &e) == E_OK &&
         pool_start(&f->pool, "test-pool", 2, &e) == E_OK &&
         broker_start(&f->broker, &f->config, f->db, f->pool, &e) == E_OK;
    mem_free(logs);
    mem_free(file);
    return ok ? true : failed(name, &e);
}

void broker_fixture_stop(struct broker_fixture *f)
{
    if (f->sock >= 0)
        close(f->sock);
    broker_stop(f->broker);
    if (f->pool)
        pool_stop(f->pool);
    if (f->db)
        db_close(f->db);
    broker_config_release(&f->config);
    mem_free(f->dir);
    (void)!log_set_level("broker", LOG_L_INFO);
}

int broker_connect(struct broker_fixture *f)
{
    size_t n;
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)broker_listeners(f->broker, &n)[0].port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct timeval limit = {.tv_sec = 10};
    setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    CHECK_INT(connect(s, (struct sockaddr *)&to, sizeof to), 0);
    return s;
}

bool broker_send(struct broker_fixture *f, int sock, int16_t key, int16_t version, const void *in)
{
    struct strbuf b = STRBUF_INIT;
    struct request_header h = {key, version, ++f->correlation, SL("test")};
    bool ok = codec_encode_request(msg_find(key, MSG_REQUEST), &h, in, &b) == E_OK &&
              send(sock, b.p, b.n, MSG_NOSIGNAL) == (ssize_t)b.n;
    strbuf_release(&b);
    return ok;
}

static bool receive(int sock, struct arena *a, struct slice *frame)
{
    char head[4];
    if (recv(sock, head, 4, MSG_WAITALL) != 4)
        return false;
    size_t n = load_be32(head);
    char *p = arena_alloc(a, n + 1);
    *frame = slice_of(p, n);
    return recv(sock, p, n, MSG_WAITALL) == (ssize_t)n;
}

bool broker_call(struct broker_fixture *f, int16_t key, int16_t version, const void *in, void *out,
                 struct arena *a)
{
    struct slice frame;
    int32_t correlation;
    const struct msg_desc *d = msg_find(key, MSG_RESPONSE);
    if (f->sock < 0)
        f->sock = broker_connect(f);
    if (!broker_send(f, f->sock, key, version, in) || !receive(f->sock, a, &frame)) {
        close(f->sock);
        f->sock = -1;
        return false;
    }
    struct reader r = reader_of(frame.p, frame.n);
    if (codec_decode_response_header(&r, d, version, &correlation) != E_OK ||
        correlation != f->correlation)
        return false;
    codec_init_defaults(d->body, out);
    return codec_decode(d, version, &r, a, out) == E_OK && reader_left(&r) == 0;
}
