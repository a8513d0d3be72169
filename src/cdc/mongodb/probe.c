/* cdc/mongodb/probe.c - see probe.h. One thread for each server, since resolving a name cannot be
 * interrupted; a thread that comes too late finds nobody waiting and frees what is left. */
#include "cdc/mongodb/probe.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/mem.h"
#include "cdc/bson/bson_view.h"
#include "cdc/mongodb/driver.h"

/* --- a connection ----------------------------------------------------------------------------- */

struct wire {
    int fd;
    SSL *ssl; /* NULL: plain */
    int64_t deadline;
};

static bool wait_for(const struct wire *l, short events)
{
    struct pollfd p = {.fd = l->fd, .events = events};
    int64_t left = l->deadline - clock_mono_ms();
    int n = left > 0 ? poll(&p, 1, (int)left) : 0;
    if (n == 0)
        errno = ETIMEDOUT;
    return n > 0;
}

/* Waits as OpenSSL wants; false: it is over. */
static bool ssl_wait(const struct wire *l, int rc)
{
    int want = SSL_get_error(l->ssl, rc);
    return (want == SSL_ERROR_WANT_READ && wait_for(l, POLLIN)) ||
           (want == SSL_ERROR_WANT_WRITE && wait_for(l, POLLOUT));
}

static bool wire_write(const struct wire *l, const void *bytes, size_t n)
{
    const char *p = bytes;
    while (n) {
        ssize_t done = l->ssl ? SSL_write(l->ssl, p, (int)n) : send(l->fd, p, n, MSG_NOSIGNAL);
        if (done > 0) {
            p += done;
            n -= (size_t)done;
        } else if (l->ssl ? !ssl_wait(l, (int)done) : errno != EAGAIN || !wait_for(l, POLLOUT)) {
            return false;
        }
    }
    return true;
}

/* Bytes read; 0: closed; -1: nothing within the time. */
static ssize_t wire_read(const struct wire *l, void *bytes, size_t n)
{
    for (;;) {
        ssize_t got = l->ssl ? SSL_read(l->ssl, bytes, (int)n) : recv(l->fd, bytes, n, 0);
        if (got > 0)
            return got;
        if (l->ssl ? ssl_wait(l, (int)got) : got < 0 && errno == EAGAIN && wait_for(l, POLLIN))
            continue;
        return clock_mono_ms() >= l->deadline ? -1 : 0;
    }
}

static void wire_close(struct wire *l)
{
    SSL_free(l->ssl);
    if (l->fd >= 0)
        close(l->fd);
    ERR_clear_error();
}

static bool dial(struct wire *l, const struct sockaddr *a, socklen_t size)
{
    int fault = 0;
    socklen_t n = sizeof fault;
    l->fd = socket(a->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (l->fd < 0)
        return false;
    if (connect(l->fd, a, size) == 0)
        return true;
    if (errno == EINPROGRESS && wait_for(l, POLLOUT)) {
        getsockopt(l->fd, SOL_SOCKET, SO_ERROR, &fault, &n);
        if (!fault)
            return true;
        errno = fault;
    }
    fault = errno;
    close(l->fd);
    l->fd = -1;
    errno = fault;
    return false;
}

static bool wire_open(struct wire *l, struct mongo_probe *p)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list = NULL;
    struct sockaddr_un path = {.sun_family = AF_UNIX};
    char port[8];
    bool open = false;
    l->fd = -1;
    if (p->host.name[0] == '/') {
        snprintf(path.sun_path, sizeof path.sun_path, "%.*s", (int)sizeof path.sun_path - 1,
                 p->host.name);
        open = dial(l, (const struct sockaddr *)&path, sizeof path);
    } else {
        snprintf(port, sizeof port, "%u", p->host.port);
        int rc = getaddrinfo(p->host.name, port, &hints, &list);
        if (rc) {
            p->state = PROBE_NO_NAME;
            snprintf(p->why, sizeof p->why, "%s", gai_strerror(rc));
            return false;
        }
        for (struct addrinfo *a = list; a && !open; a = a->ai_next)
            open = dial(l, a->ai_addr, a->ai_addrlen);
        int fault = errno;
        freeaddrinfo(list);
        errno = fault;
    }
    if (!open) {
        p->state = errno == ETIMEDOUT ? PROBE_SILENT : PROBE_REFUSED;
        snprintf(p->why, sizeof p->why, "%s", strerror(errno));
    }
    return open;
}

/* --- TLS -------------------------------------------------------------------------------------- */

enum tls_result { TLS_OK, TLS_NOT_SPOKEN, TLS_NOT_TRUSTED };

static enum tls_result handshake(struct wire *l, struct mongo_probe *p,
                                 const struct mongo_probe_tls *how, bool verify)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    enum tls_result result = TLS_NOT_SPOKEN;
    verify = verify && !how->any_certificate;
    SSL_CTX_set_verify(ctx, verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, NULL);
    if (how->ca_file)
        SSL_CTX_load_verify_locations(ctx, how->ca_file, NULL);
    else
        SSL_CTX_set_default_verify_paths(ctx);
    if (how->pem_file) {
        SSL_CTX_set_default_passwd_cb_userdata(ctx, (void *)(uintptr_t)how->pem_password);
        SSL_CTX_use_certificate_chain_file(ctx, how->pem_file);
        SSL_CTX_use_PrivateKey_file(ctx, how->pem_file, SSL_FILETYPE_PEM);
    }
    l->ssl = SSL_new(ctx);
    SSL_CTX_free(ctx);
    SSL_set_fd(l->ssl, l->fd);
    SSL_set_tlsext_host_name(l->ssl, p->host.name);
    if (verify && !how->any_hostname) {
        X509_VERIFY_PARAM *names = SSL_get0_param(l->ssl);
        if (!X509_VERIFY_PARAM_set1_ip_asc(names, p->host.name))
            SSL_set1_host(l->ssl, p->host.name);
    }
    int rc;
    while ((rc = SSL_connect(l->ssl)) <= 0 && ssl_wait(l, rc))
        ;
    long trust = SSL_get_verify_result(l->ssl);
    if (rc == 1)
        result = TLS_OK;
    else if (verify && trust != X509_V_OK) {
        result = TLS_NOT_TRUSTED;
        snprintf(p->why, sizeof p->why, "%s", X509_verify_cert_error_string(trust));
    }
    ERR_clear_error();
    return result;
}

/* --- the question ----------------------------------------------------------------------------- */

/* OP_QUERY to admin.$cmd: {isMaster: 1}, which every server answers before anything else: length,
 * id, answer to, OP_QUERY; a secondary may answer; skip 0, return 1; the document. */
static const unsigned char question[] = {
    58,  0,   0,   0,   1,   0,    0,    0,    0,    0,   0,   0,   0xd4, 0x07, 0,
    0,   4,   0,   0,   0,   'a',  'd',  'm',  'i',  'n', '.', '$', 'c',  'm',  'd',
    0,   0,   0,   0,   0,   0xff, 0xff, 0xff, 0xff, 19,  0,   0,   0,    0x10, 'i',
    's', 'M', 'a', 's', 't', 'e',  'r',  0,    1,    0,   0,   0,   0,
};
_Static_assert(sizeof question == 58, "the length stands in the message");

static void take_host(const struct bson_item *i, struct mongo_host *out)
{
    if (i->kind == BSON_STRING && mongo_host_parse(bson_text(i), out))
        *out = (struct mongo_host){0};
}

static bool is_true(struct slice doc, const char *name)
{
    struct bson_item i;
    return bson_find(doc, slice_cstr(name), &i) && bson_int(&i) != 0;
}

static struct slice text_of(struct slice doc, const char *name)
{
    struct bson_item i;
    return bson_find(doc, slice_cstr(name), &i) && i.kind == BSON_STRING ? bson_text(&i)
                                                                         : SLICE_NULL;
}

static void take_members(struct mongo_probe *p, struct slice doc, const char *name)
{
    struct bson_item list, i;
    struct bson_walk w;
    if (!bson_find(doc, slice_cstr(name), &list) || list.kind != BSON_ARRAY)
        return;
    bson_walk_init(&w, bson_doc(&list));
    while (p->member_count < PROBE_MEMBERS && bson_walk_next(&w, &i)) {
        take_host(&i, &p->members[p->member_count]);
        p->member_count += p->members[p->member_count].name[0] != 0;
    }
}

static void take_answer(struct mongo_probe *p, struct slice doc)
{
    struct bson_item i;
    struct slice set = text_of(doc, "setName");
    p->state = PROBE_ANSWERED;
    snprintf(p->set_name, sizeof p->set_name, PRI_SL, ARG_SL(set));
    p->mongos = slice_eq_c(text_of(doc, "msg"), "isdbgrid");
    p->writable = is_true(doc, "ismaster");
    p->secondary = is_true(doc, "secondary");
    p->arbiter = is_true(doc, "arbiterOnly");
    p->uninitiated =
        !set.n && (is_true(doc, "isreplicaset") ||
                   slice_find(text_of(doc, "info"), SL("valid replica set config")) >= 0);
    if (bson_find(doc, SL("maxWireVersion"), &i))
        p->max_wire_version = (int32_t)bson_int(&i);
    if (bson_find(doc, SL("me"), &i))
        take_host(&i, &p->me);
    if (bson_find(doc, SL("primary"), &i))
        take_host(&i, &p->primary);
    take_members(p, doc, "hosts");
    take_members(p, doc, "passives");
    take_members(p, doc, "arbiters");
}

/* What is not MongoDB, by its first words. */
static void strange(struct mongo_probe *p, struct slice bytes)
{
    static const struct {
        const char *words, *name;
    } known[] = {
        {"HTTP/", "a web server (HTTP)"},
        {"SSH-", "an SSH server"},
        {"-ERR", "Redis"},
        {"MariaDB", "MariaDB"},
        {"mysql_native_password", "MySQL"},
        {"caching_sha2_password", "MySQL"},
    };
    p->state = PROBE_STRANGE;
    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (slice_find(bytes, slice_cstr(known[i].words)) >= 0) {
            snprintf(p->why, sizeof p->why, "%s", known[i].name);
            return;
        }
    snprintf(p->why, sizeof p->why, "something else");
}

/* Reads one message. False: nothing that is an answer; state and why are set. */
static bool read_answer(const struct wire *l, struct mongo_probe *p)
{
    enum { MOST = 256 * 1024, HEAD = 36 };
    static const size_t size_at = 0, opcode_at = 12;
    struct strbuf b = STRBUF_INIT;
    char bytes[4096];
    ssize_t n = 0;
    size_t want = HEAD;
    bool ok = true;
    while (ok && b.n < want && (n = wire_read(l, bytes, sizeof bytes)) > 0) {
        strbuf_add(&b, bytes, (size_t)n);
        if (b.n >= 16) {
            want = load_le32(b.p + size_at);
            ok = want > HEAD && want <= MOST && load_le32(b.p + opcode_at) == 1;
        }
    }
    struct slice doc = b.n >= want && ok ? slice_of(b.p + HEAD, want - HEAD) : SLICE_NULL;
    if (doc.p && bson_check(doc, NULL) == E_OK)
        take_answer(p, doc);
    else if (b.n)
        strange(p, strbuf_slice(&b));
    else
        p->state = n < 0 ? PROBE_SILENT : PROBE_CLOSED;
    strbuf_release(&b);
    return p->state == PROBE_ANSWERED;
}

/* Asks once, with or without TLS. *encrypted: a handshake came to its end, whatever followed. */
static enum mongo_probe_state ask(struct mongo_probe *p, const struct mongo_probe_tls *how,
                                  bool tls, bool verify, int64_t deadline, bool *encrypted)
{
    struct wire l = {.fd = -1, .deadline = deadline};
    p->why[0] = 0;
    if (!wire_open(&l, p))
        return p->state;
    enum tls_result t = tls ? handshake(&l, p, how, verify) : TLS_OK;
    *encrypted = tls && t == TLS_OK;
    if (t == TLS_NOT_TRUSTED)
        p->state = PROBE_UNTRUSTED;
    else if (t == TLS_NOT_SPOKEN)
        p->state = clock_mono_ms() >= deadline ? PROBE_SILENT : PROBE_CLOSED;
    else if (!wire_write(&l, question, sizeof question))
        p->state = PROBE_CLOSED;
    else
        read_answer(&l, p);
    wire_close(&l);
    return p->state;
}

/* A web server waits for the end of a line. */
static void ask_as_browser(struct mongo_probe *p, int64_t deadline)
{
    static const char get[] = "GET / HTTP/1.0\r\n\r\n";
    struct wire l = {.fd = -1, .deadline = deadline};
    char bytes[512];
    struct mongo_probe other = {.host = p->host};
    if (!wire_open(&l, &other))
        return;
    ssize_t n = wire_write(&l, get, sizeof get - 1) ? wire_read(&l, bytes, sizeof bytes) : 0;
    if (n > 5 && memcmp(bytes, "HTTP/", 5) == 0)
        strange(p, slice_of(bytes, (size_t)n));
    wire_close(&l);
}

/* Kafka closes on what is no request of its own: ApiVersions, which every broker answers, with its number. */
static void ask_as_kafka(struct mongo_probe *p, int64_t deadline)
{
    static const unsigned char ask[] = {
        0,   0,   0,   10,           /* length */
        0,   18,  0,   0,            /* ApiVersions, version 0 */
        'w', 'e', 'i', 'r', 255, 255 /* number; no client id */
    };
    struct wire l = {.fd = -1, .deadline = deadline};
    char bytes[8];
    size_t got = 0;
    ssize_t n = 0;
    struct mongo_probe other = {.host = p->host};
    if (!wire_open(&l, &other))
        return;
    if (wire_write(&l, ask, sizeof ask))
        while (got < sizeof bytes && (n = wire_read(&l, bytes + got, sizeof bytes - got)) > 0)
            got += (size_t)n;
    if (got == sizeof bytes && memcmp(bytes + 4, ask + 8, 4) == 0) {
        p->state = PROBE_STRANGE;
        snprintf(p->why, sizeof p->why, "Kafka");
    }
    wire_close(&l);
}

static void probe_one(struct mongo_probe *p, const struct mongo_probe_tls *how, int64_t deadline)
{
    int64_t now = clock_mono_ms(), part = now + (deadline - now) / 2;
    bool encrypted = false;
    enum mongo_probe_state first = ask(p, how, how->on, true, part, &encrypted);
    if (first == PROBE_CLOSED) {
        struct mongo_probe other = {.host = p->host};
        if (ask(&other, how, !how->on, false, deadline, &encrypted) == PROBE_ANSWERED ||
            (encrypted && !how->on)) {
            p->state = PROBE_OTHER_TLS;
            return;
        }
        if (other.state == PROBE_STRANGE)
            *p = other;
    }
    if (first == PROBE_CLOSED && p->state == PROBE_CLOSED)
        ask_as_kafka(p, deadline);
    if (first == PROBE_SILENT && !how->on)
        ask_as_browser(p, deadline);
}

/* --- all at once ------------------------------------------------------------------------------ */

struct run { /* freed by the last of its threads and the caller */
    pthread_mutex_t lock;
    pthread_cond_t done;
    size_t holders, running;
    int64_t deadline;
    struct mongo_probe_tls tls; /* texts owned */
    struct mongo_probe *probes;
};
struct job {
    struct run *run;
    size_t at;
};

static void run_leave(struct run *r)
{
    pthread_mutex_lock(&r->lock);
    bool last = --r->holders == 0;
    pthread_mutex_unlock(&r->lock);
    if (!last)
        return;
    if (r->tls.pem_password)
        mem_wipe((char *)(uintptr_t)r->tls.pem_password, strlen(r->tls.pem_password));
    mem_free((char *)(uintptr_t)r->tls.pem_password);
    mem_free((char *)(uintptr_t)r->tls.ca_file);
    mem_free((char *)(uintptr_t)r->tls.pem_file);
    mem_free(r->probes);
    pthread_cond_destroy(&r->done);
    pthread_mutex_destroy(&r->lock);
    mem_free(r);
}

static void probe_thread(void *arg)
{
    struct job job = *(struct job *)arg;
    struct run *r = job.run;
    mem_free(arg);
    struct mongo_probe p = {.host = r->probes[job.at].host};
    probe_one(&p, &r->tls, r->deadline);
    pthread_mutex_lock(&r->lock);
    r->probes[job.at] = p;
    r->running--;
    pthread_cond_signal(&r->done);
    pthread_mutex_unlock(&r->lock);
    run_leave(r);
}

static char *dup_text(const char *s)
{
    return s ? xstrdup(s) : NULL;
}

static struct run *run_new(const struct mongo_probe *probes, size_t count,
                           const struct mongo_probe_tls *tls, int32_t timeout_ms)
{
    struct run *r = xcalloc(1, sizeof *r);
    pthread_condattr_t mono;
    pthread_condattr_init(&mono);
    pthread_condattr_setclock(&mono, CLOCK_MONOTONIC);
    pthread_cond_init(&r->done, &mono);
    pthread_condattr_destroy(&mono);
    pthread_mutex_init(&r->lock, NULL);
    r->holders = 1;
    r->deadline = clock_mono_ms() + timeout_ms;
    r->tls = (struct mongo_probe_tls){
        .on = tls->on,
        .any_certificate = tls->any_certificate,
        .any_hostname = tls->any_hostname,
        .ca_file = dup_text(tls->ca_file),
        .pem_file = dup_text(tls->pem_file),
        .pem_password = dup_text(tls->pem_password),
    };
    r->probes = xcalloc(count ? count : 1, sizeof *r->probes);
    for (size_t i = 0; i < count; i++)
        r->probes[i].host = probes[i].host;
    return r;
}

static void run_start(struct run *r, size_t at)
{
    struct job *job = xcalloc(1, sizeof *job);
    *job = (struct job){r, at};
    pthread_mutex_lock(&r->lock);
    r->holders++;
    r->running++;
    pthread_mutex_unlock(&r->lock);
    if (!mongo_driver_background(probe_thread, job)) {
        mem_free(job);
        pthread_mutex_lock(&r->lock);
        r->holders--;
        r->running--;
        pthread_mutex_unlock(&r->lock);
    }
}

void mongo_probe(struct mongo_probe *probes, size_t count, const struct mongo_probe_tls *tls,
                 int32_t timeout_ms)
{
    struct run *r = run_new(probes, count, tls, timeout_ms);
    for (size_t i = 0; i < count; i++)
        run_start(r, i);
    int64_t end = r->deadline + 100;
    struct timespec until = {.tv_sec = end / 1000, .tv_nsec = end % 1000 * 1000000};
    pthread_mutex_lock(&r->lock);
    while (r->running && pthread_cond_timedwait(&r->done, &r->lock, &until) == 0)
        ;
    memcpy(probes, r->probes, count * sizeof *probes);
    pthread_mutex_unlock(&r->lock);
    for (size_t i = 0; i < count; i++)
        if (probes[i].state == PROBE_SILENT && !probes[i].why[0])
            snprintf(probes[i].why, sizeof probes[i].why, "no answer");
    run_leave(r);
}
