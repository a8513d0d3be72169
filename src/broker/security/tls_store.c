/* broker/security/tls_store.c - see tls_store.h. */
#include "broker/security/tls_store.h"

#include "base/base.h"
#include "base/fs.h"
#include "base/mem.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>

#define STORE_MAX ((size_t)4 << 20)

void tls_store_release(struct tls_store *s)
{
    EVP_PKEY_free(s->key);
    sk_X509_pop_free(s->certs, X509_free);
    *s = (struct tls_store){0};
}

enum err tls_refuse(struct error *e, const char *option, const char *what)
{
    char text[256];
    unsigned long code = ERR_peek_last_error();
    const char *reason = code ? ERR_reason_error_string(code) : NULL;
    snprintf(text, sizeof text, "%s%s%s", what, reason ? ": " : "", reason ? reason : "");
    ERR_clear_error();
    return error_set(e, E_INVALID, "%s: %s", option, text);
}

static int give_password(char *buf, int size, int rwflag, void *arg)
{
    const struct slice *password = arg;
    (void)rwflag;
    if (!password->p || password->n > (size_t)size)
        return -1;
    memcpy(buf, password->p, password->n);
    return (int)password->n;
}

/* Texts in options may have blanks where a file has line ends: each block is laid out anew. */
static void lay_out_pem(struct slice text, struct strbuf *out)
{
    ptrdiff_t at;
    while ((at = slice_find(text, SL("-----BEGIN "))) >= 0) {
        struct slice rest = slice_sub(text, (size_t)at, text.n);
        ptrdiff_t head = slice_find(slice_sub(rest, 11, rest.n), SL("-----"));
        ptrdiff_t tail = slice_find(rest, SL("-----END "));
        if (head < 0 || tail < head + 16)
            return;
        ptrdiff_t close = slice_find(slice_sub(rest, (size_t)tail + 9, rest.n), SL("-----"));
        if (close < 0)
            return;
        size_t end = (size_t)tail + 9 + (size_t)close + 5, column = 0;
        struct slice body = slice_sub(rest, (size_t)head + 16, (size_t)tail);
        strbuf_add_slice(out, slice_sub(rest, 0, (size_t)head + 16));
        strbuf_addc(out, '\n');
        bool headers = slice_find_char(body, ':') >= 0; /* old encrypted keys: as they are */
        for (size_t i = 0; i < body.n; i++) {
            if (!headers && (unsigned char)body.p[i] <= ' ')
                continue;
            strbuf_addc(out, body.p[i]);
            if (!headers && ++column % 64 == 0)
                strbuf_addc(out, '\n');
        }
        if (out->p[out->n - 1] != '\n')
            strbuf_addc(out, '\n');
        strbuf_add_slice(out, slice_sub(rest, (size_t)tail, end));
        strbuf_addc(out, '\n');
        text = slice_sub(rest, end, rest.n);
    }
}

/* path: the file that it is from, NULL for a text in an option. */
static enum err read_pem_key(struct tls_store *s, struct slice pem, struct slice password,
                             const char *option, const char *path, struct error *e)
{
    if (slice_find(pem, SL("PRIVATE KEY-----")) < 0) {
        error_set(e, E_INVALID, "%s: there is no private key in %s", option, path ? path : "it");
        error_hint(e, path ? "one file holds the key and its certificates: "
                             "cat key.pem cert.pem >server.pem"
                           : "it begins with -----BEGIN PRIVATE KEY-----");
        return E_INVALID;
    }
    BIO *b = BIO_new_mem_buf(pem.p, (int)pem.n);
    s->key = b ? PEM_read_bio_PrivateKey(b, NULL, give_password, &password) : NULL;
    BIO_free(b);
    if (s->key)
        return E_OK;
    tls_refuse(e, option, "the private key can't be read");
    if (slice_find(pem, SL("ENCRYPTED")) >= 0 && !password.p) {
        error_set(e, E_INVALID, "%s: the private key is encrypted", option);
        error_hint(e, "set ssl.key.password");
    } else if (slice_find(pem, SL("ENCRYPTED")) >= 0) {
        error_hint(e, "is ssl.key.password right? (without it ssl.keystore.password is taken)");
    }
    return E_INVALID;
}

static enum err read_pem_certs(struct tls_store *s, struct slice pem, const char *option,
                               struct error *e)
{
    BIO *b = BIO_new_mem_buf(pem.p, (int)pem.n);
    s->certs = sk_X509_new_null();
    X509 *x;
    while (b && s->certs && (x = PEM_read_bio_X509_AUX(b, NULL, NULL, NULL)))
        sk_X509_push(s->certs, x);
    BIO_free(b);
    ERR_clear_error(); /* the end is told as an error */
    return s->certs && sk_X509_num(s->certs) > 0
               ? E_OK
               : tls_refuse(e, option, "there is no certificate (-----BEGIN CERTIFICATE-----)");
}

static enum err read_pkcs12(struct tls_store *s, struct slice bytes, struct slice password,
                            const char *option, struct error *e)
{
    const unsigned char *at = (const unsigned char *)bytes.p;
    PKCS12 *p = d2i_PKCS12(NULL, &at, (long)bytes.n);
    if (!p)
        return tls_refuse(e, option, "this is neither PEM nor PKCS12");
    char *pass = slice_dup(password.p ? password : SL(""));
    X509 *own = NULL;
    STACK_OF(X509) *others = NULL;
    int ok = PKCS12_parse(p, pass, &s->key, &own, &others);
    mem_wipe(pass, strlen(pass));
    mem_free(pass);
    PKCS12_free(p);
    if (!ok) {
        bool trust = slice_starts(slice_cstr(option), SL("ssl.truststore"));
        tls_refuse(e, option, "the PKCS12 file can't be opened");
        error_hint(e, "%s ssl.%sstore.password%s", password.n ? "is" : "set",
                   trust ? "trust" : "key", password.n ? " right?" : "");
        return E_INVALID;
    }
    s->certs = others ? others : sk_X509_new_null();
    if (own)
        sk_X509_unshift(s->certs, own);
    return E_OK;
}

enum err tls_store_read_file(struct tls_store *s, struct slice location, struct slice password,
                             struct slice key_password, bool with_key, const char *option,
                             struct error *e)
{
    struct strbuf b;
    strbuf_init(&b, STORE_MAX);
    char *path = slice_dup(location);
    enum err r = fs_read_all(path, STORE_MAX, &b, e);
    struct slice bytes = strbuf_slice(&b);
    if (r != E_OK) {
        error_wrap(e, "%s", option);
    } else if (slice_starts(bytes, SL("\xfe\xed\xfe\xed")) ||
               slice_starts(bytes, SL("\xce\xce\xce\xce"))) {
        error_set(e, E_INVALID, "%s: %s is a Java key store (JKS), which only Java reads", option,
                  path);
        error_hint(e,
                   "convert it: keytool -importkeystore -srckeystore %s -destkeystore %s.p12 "
                   "-deststoretype PKCS12",
                   path, path);
        r = E_INVALID;
    } else if (slice_find(bytes, SL("-----BEGIN ")) >= 0) {
        r = with_key
                ? read_pem_key(s, bytes, key_password.p ? key_password : password, option, path, e)
                : E_OK;
        if (r == E_OK)
            r = read_pem_certs(s, bytes, option, e);
    } else {
        r = read_pkcs12(s, bytes, password, option, e);
    }
    mem_wipe(b.p, b.n);
    strbuf_release(&b);
    mem_free(path);
    return r;
}

enum err tls_store_read_texts(struct tls_store *s, const struct tls_options *o, struct error *e)
{
    struct strbuf key = STRBUF_INIT, chain = STRBUF_INIT;
    lay_out_pem(o->key, &key);
    lay_out_pem(o->certificate_chain, &chain);
    enum err r = read_pem_key(s, strbuf_slice(&key), o->key_password, "ssl.keystore.key", NULL, e);
    if (r == E_OK)
        r = read_pem_certs(s, strbuf_slice(&chain), "ssl.keystore.certificate.chain", e);
    mem_wipe(key.p, key.n);
    strbuf_release(&key);
    strbuf_release(&chain);
    return r;
}

enum err tls_store_read_certs(struct tls_store *s, struct slice pem, const char *option,
                              struct error *e)
{
    struct strbuf text = STRBUF_INIT;
    lay_out_pem(pem, &text);
    enum err r = read_pem_certs(s, strbuf_slice(&text), option, e);
    strbuf_release(&text);
    return r;
}
