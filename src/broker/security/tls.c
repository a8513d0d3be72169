/* broker/security/tls.c - OpenSSL below a connection.
 *
 * Reading: SSL_read, which does the handshake by itself. Writing: the head of the output queue is
 * copied (file ranges by pread) into a scratch buffer of one record and given to SSL_write; when
 * the socket is full the same bytes are offered again later, which OpenSSL asks for. Idle
 * connections give their record buffers back (SSL_MODE_RELEASE_BUFFERS). A failed handshake is told
 * in the log with what to do: who sees it is mostly a person with a wrong security.protocol. */
#include "broker/security/tls.h"

#include "base/base.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/opt.h"
#include "broker/conn.h"
#include "broker/security/principal_rules.h"
#include "broker/security/tls_store.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/stat.h>

#define RECORD ((size_t)16 << 10)

#define LOOK_MS 1000 /* between two looks at the files */

struct stamp { /* of a file: another one when it was replaced or written */
    struct timespec changed;
    ino_t inode;
    off_t size;
};
struct tls_context {
    struct tls_options o; /* borrowed */
    pthread_mutex_t lock; /* over ctx and what follows; innermost */
    SSL_CTX *ctx;
    struct stamp keys, trust;         /* of the files that are in use */
    struct stamp bad_keys, bad_trust; /* of those that could not be used, for one word about them */
    bool bad;
    int64_t looked_ms;
    struct principal_rules *rules;
    bool asks; /* client certificates are asked for */
};
struct tls_conn {
    SSL *ssl;
    const struct tls_context *context;
    bool looked, ready;
};

/* --- context ---------------------------------------------------------------------------------- */

static enum err use_key(SSL_CTX *ctx, const struct tls_options *o, struct error *e)
{
    struct tls_store s = {0};
    enum err r;
    if (o->key.n || o->certificate_chain.n) {
        r = tls_store_read_texts(&s, o, e);
    } else if (o->keystore_location.n) {
        r = tls_store_read_file(&s, o->keystore_location, o->keystore_password, o->key_password,
                                true, "ssl.keystore.location", e);
    } else {
        r = error_set(e, E_INVALID, "a TLS listener needs a key and a certificate");
        error_hint(e, "set ssl.keystore.location to a PEM or PKCS12 file, or ssl.keystore.key and "
                      "ssl.keystore.certificate.chain to PEM texts");
    }
    if (r == E_OK && (!s.key || sk_X509_num(s.certs) == 0))
        r = error_set(e, E_INVALID, "ssl.keystore.location: there is no key with its certificate");
    if (r == E_OK) {
        X509 *own = sk_X509_shift(s.certs);
        if (SSL_CTX_use_cert_and_key(ctx, own, s.key, s.certs, 1) != 1)
            r = tls_refuse(e, "ssl.keystore", "the key does not belong to the certificate");
        X509_free(own);
    }
    tls_store_release(&s);
    return r;
}

static enum err use_trust(SSL_CTX *ctx, const struct tls_options *o, struct error *e)
{
    struct tls_store s = {0};
    enum err r = E_OK;
    if (o->truststore_certificates.n)
        r = tls_store_read_certs(&s, o->truststore_certificates, "ssl.truststore.certificates", e);
    else if (o->truststore_location.n)
        r = tls_store_read_file(&s, o->truststore_location, o->truststore_password, SLICE_NULL,
                                false, "ssl.truststore.location", e);
    else
        SSL_CTX_set_default_verify_paths(ctx); /* as Java, which takes its own list */
    for (int i = 0; r == E_OK && s.certs && i < sk_X509_num(s.certs); i++) {
        X509 *x = sk_X509_value(s.certs, i);
        X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), x);
        SSL_CTX_add_client_CA(ctx, x);
    }
    ERR_clear_error();
    tls_store_release(&s);
    return r;
}

static enum err set_client_auth(SSL_CTX *ctx, bool *asks, const struct tls_options *o,
                                struct error *e)
{
    static const struct {
        const char *name;
        int mode;
    } modes[] = {{"none", SSL_VERIFY_NONE},
                 {"requested", SSL_VERIFY_PEER},
                 {"required", SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT}};
    for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
        if (slice_ieq(o->client_auth, slice_cstr(modes[i].name))) {
            SSL_CTX_set_verify(ctx, modes[i].mode, NULL);
            *asks = modes[i].mode != SSL_VERIFY_NONE;
            return *asks ? use_trust(ctx, o, e) : E_OK;
        }
    }
    return error_set(e, E_INVALID,
                     "Invalid value " PRI_SL " for configuration ssl.client.auth: String must be "
                     "one of: required, requested, none",
                     ARG_SL(o->client_auth));
}

static enum err set_protocols(SSL_CTX *ctx, struct slice list, struct error *e)
{
    struct slice part;
    int low = 0, high = 0;
    while (list.p && opt_list_next(&list, &part)) {
        int v = slice_eq(part, SL("TLSv1.2"))   ? TLS1_2_VERSION
                : slice_eq(part, SL("TLSv1.3")) ? TLS1_3_VERSION
                                                : 0;
        if (!v && part.n)
            return error_set(e, E_INVALID,
                             "ssl.enabled.protocols: " PRI_SL
                             " is not served; TLSv1.2 and TLSv1.3 are",
                             ARG_SL(part));
        if (v) {
            low = low && low < v ? low : v;
            high = MAX(high, v);
        }
    }
    if (!low)
        return error_set(e, E_INVALID, "ssl.enabled.protocols: there is none");
    return SSL_CTX_set_min_proto_version(ctx, low) == 1 &&
                   SSL_CTX_set_max_proto_version(ctx, high) == 1
               ? E_OK
               : tls_refuse(e, "ssl.enabled.protocols", "OpenSSL does not take it");
}

/* Java's names, such as TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 and TLS_AES_128_GCM_SHA256. */
static enum err set_ciphers(SSL_CTX *ctx, struct slice list, struct error *e)
{
    struct slice part;
    struct strbuf old = STRBUF_INIT, suites = STRBUF_INIT;
    enum err r = E_OK;
    while (r == E_OK && list.p && opt_list_next(&list, &part)) {
        if (part.n == 0)
            continue;
        char *name = slice_dup(part);
        const char *known = OPENSSL_cipher_name(name);
        bool is_13 = slice_starts(part, SL("TLS_")) && slice_find(part, SL("_WITH_")) < 0;
        struct strbuf *to = is_13 ? &suites : &old;
        if (!is_13 && (!known || !strcmp(known, "(NONE)")))
            r = error_set(e, E_INVALID, "ssl.cipher.suites: there is no %s", name);
        else
            strbuf_addf(to, "%s%s", to->n ? ":" : "", is_13 ? name : known);
        mem_free(name);
    }
    if (r == E_OK && suites.n && SSL_CTX_set_ciphersuites(ctx, suites.p) != 1)
        r = tls_refuse(e, "ssl.cipher.suites", "OpenSSL does not take it");
    if (r == E_OK && old.n && SSL_CTX_set_cipher_list(ctx, old.p) != 1)
        r = tls_refuse(e, "ssl.cipher.suites", "OpenSSL does not take it");
    strbuf_release(&old);
    strbuf_release(&suites);
    return r;
}

static enum err make_ctx(SSL_CTX **out, bool *asks, const struct tls_options *o, struct error *e)
{
    SSL_CTX *ctx = *out = SSL_CTX_new(TLS_server_method());
    if (!ctx)
        return error_set(e, E_NOMEM, "no memory for TLS");
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                              SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_options(ctx, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION |
                                 SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    static const unsigned char id[] = "weir";
    SSL_CTX_set_session_id_context(ctx, id, sizeof id - 1);
    enum err r = set_protocols(ctx, o->protocols, e);
    if (r == E_OK)
        r = set_ciphers(ctx, o->ciphers, e);
    if (r == E_OK)
        r = use_key(ctx, o, e);
    return r == E_OK ? set_client_auth(ctx, asks, o, e) : r;
}

static struct stamp stamp_of(struct slice path)
{
    struct stat st;
    struct stamp out = {.inode = 0};
    char *name = path.n ? slice_dup(path) : NULL;
    if (name && stat(name, &st) == 0)
        out = (struct stamp){st.st_mtim, st.st_ino, st.st_size};
    mem_free(name);
    return out;
}

static bool stamp_equal(const struct stamp *a, const struct stamp *b)
{
    return a->inode == b->inode && a->size == b->size && a->changed.tv_sec == b->changed.tv_sec &&
           a->changed.tv_nsec == b->changed.tv_nsec;
}

/* Takes what the files hold now, when they have changed. They are small, and change once in months:
 * a loop may read them. Lock held. */
static void look_again(struct tls_context *t)
{
    int64_t now = clock_mono_ms();
    if (now - t->looked_ms < LOOK_MS)
        return;
    t->looked_ms = now;
    struct stamp keys = stamp_of(t->o.keystore_location),
                 trust = stamp_of(t->o.truststore_location);
    if (stamp_equal(&keys, &t->keys) && stamp_equal(&trust, &t->trust))
        return;
    struct error e;
    SSL_CTX *ctx;
    bool asks;
    if (make_ctx(&ctx, &asks, &t->o, &e) == E_OK) {
        SSL_CTX_free(t->ctx); /* connections hold it as long as they need it */
        t->ctx = ctx;
        t->keys = keys;
        t->trust = trust;
        t->bad = false;
        LOG_INFO(LOG_BROKER_CONN, "the files of keys and certificates have changed and were read "
                                  "again; new connections get what they hold now");
    } else {
        SSL_CTX_free(ctx);
        if (!t->bad || !stamp_equal(&keys, &t->bad_keys) || !stamp_equal(&trust, &t->bad_trust))
            LOG_ERR(LOG_BROKER_CONN, LOG_L_WARN, &e,
                    "the files of keys and certificates have changed and cannot be used; "
                    "connections get what they held before");
        t->bad = true;
        t->bad_keys = keys; /* they may be whole at the next look, under the same stamps */
        t->bad_trust = trust;
    }
    ERR_clear_error();
}

enum err tls_context_new(struct tls_context **out, const struct tls_options *o, struct error *e)
{
    struct tls_context *t = xcalloc(1, sizeof *t);
    pthread_mutex_init(&t->lock, NULL);
    t->o = *o;
    t->keys = stamp_of(o->keystore_location);
    t->trust = stamp_of(o->truststore_location);
    enum err r = make_ctx(&t->ctx, &t->asks, o, e);
    if (r == E_OK)
        r = principal_rules_parse(&t->rules, o->principal_rules, e);
    if (r != E_OK) {
        tls_context_free(t);
        return r;
    }
    *out = t;
    return E_OK;
}

void tls_context_free(struct tls_context *t)
{
    if (!t)
        return;
    SSL_CTX_free(t->ctx);
    pthread_mutex_destroy(&t->lock);
    principal_rules_free(t->rules);
    mem_free(t);
}

/* --- connections ------------------------------------------------------------------------------ */

static void warn_peer(const struct conn *c, const char *what)
{
    char peer[CONN_PEER_TEXT];
    conn_peer_text(c, peer);
    LOG_WARN(LOG_BROKER_CONN, "closing: %s peer=%s listener=%s", what, peer, c->listener->name);
}

static const char *handshake_failure(void)
{
    unsigned long code = ERR_peek_error();
    switch (ERR_GET_REASON(code)) {
    case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
        return "the TLS handshake failed: the client has no certificate, and ssl.client.auth is "
               "required";
    case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN:
    case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE:
        return "the TLS handshake failed: the client does not trust this broker's certificate; "
               "give it the CA (ssl.truststore.location, ssl.ca.location)";
    case SSL_R_CERTIFICATE_VERIFY_FAILED:
        return "the TLS handshake failed: the client's certificate is not from an authority of "
               "ssl.truststore";
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_NO_SHARED_CIPHER:
        return "the TLS handshake failed: the client offers no version or cipher that the "
               "listener serves";
    default:
        return "the TLS handshake failed";
    }
}

/* Names the client after its certificate. E_NOT_FOUND: no rule takes the subject. */
static enum err take_principal(struct conn *c, struct tls_conn *t)
{
    if (!t->context->asks)
        return E_OK;
    X509 *x = SSL_get1_peer_certificate(t->ssl);
    if (!x)
        return E_OK;
    BIO *b = BIO_new(BIO_s_mem());
    struct strbuf name = STRBUF_INIT;
    enum err r = E_NOMEM;
    if (b && X509_NAME_print_ex(b, X509_get_subject_name(x), 0,
                                XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB) >= 0) {
        char *text;
        long n = BIO_get_mem_data(b, &text);
        strbuf_adds(&name, "User:");
        r = principal_rules_apply(t->context->rules, slice_of(text, (size_t)n), &name);
    }
    if (r == E_OK)
        c->principal = strbuf_steal(&name, &(size_t){0});
    strbuf_release(&name);
    BIO_free(b);
    X509_free(x);
    return r;
}

/* One look at what arrives first: a client that does not speak TLS deserves a sentence. */
static bool looks_like_tls(struct conn *c, struct tls_conn *t)
{
    unsigned char first;
    ssize_t n = recv(c->fd, &first, 1, MSG_DONTWAIT | MSG_PEEK);
    if (n < 0)
        return true; /* nothing there yet */
    t->looked = true;
    if (n == 0 || first == 0x16)
        return true;
    warn_peer(c, first == 0 ? "a client without TLS came to a TLS listener; set "
                              "security.protocol=SSL (or SASL_SSL) in the client"
                            : "something that is not TLS came to a TLS listener; an HTTP client "
                              "has the wrong port");
    return false;
}

static ssize_t failed(struct conn *c, struct tls_conn *t, int result)
{
    int why = SSL_get_error(t->ssl, result);
    c->wants_write = why == SSL_ERROR_WANT_WRITE;
    if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE) {
        errno = EAGAIN;
        return -1;
    }
    if (why == SSL_ERROR_ZERO_RETURN)
        return 0;
    if (why == SSL_ERROR_SSL && !t->ready)
        warn_peer(c, handshake_failure());
    ERR_clear_error();
    errno = ECONNRESET;
    return -1;
}

static ssize_t tls_recv(struct conn *c, void *p, size_t n)
{
    struct tls_conn *t = c->transport;
    if (!t->looked && !looks_like_tls(c, t)) {
        errno = ECONNRESET;
        return -1;
    }
    ERR_clear_error();
    int r = SSL_read(t->ssl, p, (int)MIN(n, (size_t)1 << 30));
    if (!t->ready && SSL_is_init_finished(t->ssl)) {
        t->ready = true;
        if (take_principal(c, t) != E_OK) {
            warn_peer(c, "no rule of ssl.principal.mapping.rules takes the subject of the client's "
                         "certificate");
            errno = ECONNRESET;
            return -1;
        }
        if (!c->sasl)
            conn_set_ready(c, true);
    }
    if (r <= 0) {
        c->pending = false;
        return failed(c, t, r);
    }
    c->wants_write = false;
    c->pending = SSL_pending(t->ssl) > 0;
    return r;
}

static enum err tls_flush(struct conn *c, size_t *sent, bool *file_failed)
{
    struct tls_conn *t = c->transport;
    char scratch[RECORD];
    *sent = 0;
    *file_failed = false;
    while (c->out.count) {
        size_t n = outq_copy(&c->out, scratch, sizeof scratch, file_failed);
        if (n == 0)
            return E_IO;
        ERR_clear_error();
        int r = SSL_write(t->ssl, scratch, (int)n);
        if (r <= 0) {
            int why = SSL_get_error(t->ssl, r);
            ERR_clear_error();
            return why == SSL_ERROR_WANT_WRITE || why == SSL_ERROR_WANT_READ ? E_AGAIN : E_IO;
        }
        outq_advance(&c->out, (size_t)r);
        *sent += (size_t)r;
    }
    return E_OK;
}

static void tls_release(struct conn *c)
{
    struct tls_conn *t = c->transport;
    if (t->ready && SSL_get_shutdown(t->ssl) == 0)
        SSL_shutdown(t->ssl); /* says goodbye; waits for nothing */
    ERR_clear_error();
    SSL_free(t->ssl);
    mem_free(t);
    c->transport = NULL;
}

static const struct conn_ops tls_ops = {tls_recv, tls_flush, tls_release, true};

bool tls_attach(struct conn *c, struct tls_context *context)
{
    pthread_mutex_lock(&context->lock);
    look_again(context);
    SSL *ssl = SSL_new(context->ctx);
    pthread_mutex_unlock(&context->lock);
    if (!ssl || SSL_set_fd(ssl, c->fd) != 1) {
        SSL_free(ssl);
        ERR_clear_error();
        return false;
    }
    SSL_set_accept_state(ssl);
    struct tls_conn *t = xcalloc(1, sizeof *t);
    t->ssl = ssl;
    t->context = context;
    c->transport = t;
    c->ops = &tls_ops;
    return true;
}

bool tls_requires_certificate(const struct tls_context *t)
{
    return slice_ieq(t->o.client_auth, SL("required"));
}

const char *tls_server_name(const struct conn *c)
{
    const struct tls_conn *t = c->ops == &tls_ops ? c->transport : NULL;
    return t ? SSL_get_servername(t->ssl, TLSEXT_NAMETYPE_host_name) : NULL;
}
