/* cdc/keystore.c - see keystore.h. */
#include "cdc/keystore.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/mem.h"

#define JKS_MAGIC 0xfeedfeed
#define JCEKS_MAGIC 0xcececece
#define MAX_STORE ((size_t)1 << 20)

static enum err read_file(const char *path, struct strbuf *out, struct error *e)
{
    FILE *f = fopen(path, "rb");
    char bytes[4096];
    size_t n;
    if (!f)
        return error_sys(e, errno, "reading %s", path);
    while ((n = fread(bytes, 1, sizeof bytes, f)) > 0 && out->n < MAX_STORE)
        strbuf_add(out, bytes, n);
    bool failed = ferror(f);
    fclose(f);
    mem_wipe(bytes, sizeof bytes);
    return failed ? error_sys(e, errno, "reading %s", path) : E_OK;
}

static enum err write_pem(struct keystore *k, const char *path, EVP_PKEY *key, X509 *own,
                          STACK_OF(X509) * others, struct error *e)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *text;
    bool ok = bio != NULL;
    if (ok && own)
        ok = PEM_write_bio_X509(bio, own);
    for (int i = 0; ok && i < sk_X509_num(others); i++)
        ok = PEM_write_bio_X509(bio, sk_X509_value(others, i));
    if (ok && key)
        ok = PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL);
    long n = ok ? BIO_get_mem_data(bio, &text) : 0;
    k->fd = n > 0 ? memfd_create("weir-keystore", MFD_CLOEXEC) : -1;
    ok = k->fd >= 0 && write(k->fd, text, (size_t)n) == n;
    if (n > 0)
        mem_wipe(text, (size_t)n);
    BIO_free(bio);
    if (!ok)
        return error_set(e, E_INVALID, "%s holds no certificates that can be used", path);
    k->path = xasprintf("/proc/self/fd/%d", k->fd);
    return E_OK;
}

static enum err from_pkcs12(struct keystore *k, const char *path, struct slice bytes,
                            struct slice password, struct error *e)
{
    const unsigned char *p = (const unsigned char *)bytes.p;
    PKCS12 *store = d2i_PKCS12(NULL, &p, (long)bytes.n);
    EVP_PKEY *key = NULL;
    X509 *own = NULL;
    STACK_OF(X509) *others = NULL;
    enum err rc = E_OK;
    char *secret = slice_dup(password.p ? password : SL(""));
    if (!store)
        rc = error_set(e, E_INVALID, "%s is neither PEM nor PKCS12", path);
    else if (!PKCS12_parse(store, secret, &key, &own, &others))
        rc = error_set(e, E_INVALID, "%s does not open with the password that is given for it",
                       path);
    else
        rc = write_pem(k, path, key, own, others, e);
    ERR_clear_error();
    mem_wipe(secret, strlen(secret));
    mem_free(secret);
    PKCS12_free(store);
    EVP_PKEY_free(key);
    X509_free(own);
    sk_X509_pop_free(others, X509_free);
    return rc;
}

enum err keystore_open(struct keystore *k, struct slice path, struct slice password,
                       struct error *e)
{
    struct strbuf b = STRBUF_INIT;
    *k = (struct keystore){.fd = -1};
    path = slice_trim(path);
    if (!path.n)
        return E_OK;
    char *name = slice_dup(path);
    enum err rc = read_file(name, &b, e);
    uint32_t magic = b.n >= 4 ? load_be32(b.p) : 0;
    if (rc == E_OK && slice_find(strbuf_slice(&b), SL("-----BEGIN ")) >= 0) {
        k->path = name;
        name = NULL;
    } else if (rc == E_OK && (magic == JKS_MAGIC || magic == JCEKS_MAGIC)) {
        rc = error_set(e, E_INVALID, "%s is a Java key store (JKS), which only Java reads", name);
        error_hint(e, "keytool -importkeystore -srckeystore STORE.jks -destkeystore STORE.p12 "
                      "-deststoretype PKCS12; then name STORE.p12");
    } else if (rc == E_OK) {
        rc = from_pkcs12(k, name, strbuf_slice(&b), password, e);
    }
    mem_wipe(b.p, b.n);
    strbuf_release(&b);
    mem_free(name);
    if (rc)
        keystore_close(k);
    return rc ? E_INVALID : E_OK;
}

void keystore_close(struct keystore *k)
{
    mem_free(k->path);
    if (k->fd >= 0)
        close(k->fd);
    *k = (struct keystore){.fd = -1};
}
