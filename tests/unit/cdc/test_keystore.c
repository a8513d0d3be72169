/* Key stores that people bring: PEM, PKCS12, Java's own. SPEC: cdc-mysql 1.3 */
#include "cdc/keystore.h"

#include <openssl/pkcs12.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "helpers.h"

static void put_file(char path[64], const void *bytes, size_t n)
{
    snprintf(path, 64, "/tmp/weir-keystore-XXXXXX");
    int fd = mkstemp(path);
    CHECK(fd >= 0 && write(fd, bytes, n) == (ssize_t)n);
    close(fd);
}

static X509 *certificate(EVP_PKEY *key)
{
    X509 *x = X509_new();
    X509_NAME *name = X509_get_subject_name(x);
    ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
    X509_gmtime_adj(X509_getm_notBefore(x), 0);
    X509_gmtime_adj(X509_getm_notAfter(x), 3600);
    X509_set_pubkey(x, key);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"weir", -1, -1, 0);
    X509_set_issuer_name(x, name);
    X509_sign(x, key, EVP_sha256());
    return x;
}

static void check_refused(const void *bytes, size_t n, const char *password, const char *says)
{
    struct keystore k;
    struct error e = {0};
    char path[64];
    put_file(path, bytes, n);
    CHECK_INT(keystore_open(&k, slice_cstr(path), slice_cstr(password), &e), E_INVALID);
    CHECK(strstr(e.msg, says) != NULL);
    CHECK(k.path == NULL && k.fd < 0);
    unlink(path);
}

static void test_pkcs12(void)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *x = certificate(key);
    PKCS12 *store = PKCS12_create("secret", "one", key, x, NULL, 0, 0, 0, 0, 0);
    unsigned char *der = NULL;
    int n = i2d_PKCS12(store, &der);
    struct keystore k;
    char path[64], text[4096];
    CHECK(n > 0);
    put_file(path, der, (size_t)n);
    CHECK_OK(keystore_open(&k, slice_cstr(path), SL("secret"), NULL));
    FILE *f = fopen(k.path, "r");
    size_t got = f ? fread(text, 1, sizeof text - 1, f) : 0;
    text[got] = '\0';
    CHECK(strstr(text, "BEGIN CERTIFICATE") && strstr(text, "BEGIN PRIVATE KEY"));
    if (f)
        fclose(f);
    keystore_close(&k);
    unlink(path);
    check_refused(der, (size_t)n, "wrong", "does not open with the password");
    OPENSSL_free(der);
    PKCS12_free(store);
    X509_free(x);
    EVP_PKEY_free(key);
}

static void test_others(void)
{
    static const char pem[] = "# mine\n-----BEGIN CERTIFICATE-----\n";
    struct keystore k;
    struct error e = {0};
    char path[64];
    put_file(path, pem, sizeof pem - 1);
    CHECK_OK(keystore_open(&k, slice_cstr(path), SLICE_NULL, NULL));
    CHECK_STR(k.path, path);
    keystore_close(&k);
    unlink(path);
    CHECK_OK(keystore_open(&k, SL(" "), SLICE_NULL, NULL));
    CHECK(k.path == NULL);
    check_refused("\xfe\xed\xfe\xed\0\0\0\2", 8, "x", "is a Java key store (JKS)");
    check_refused("hello", 5, "x", "neither PEM nor PKCS12");
    CHECK_INT(keystore_open(&k, SL("/no/such/file"), SLICE_NULL, &e), E_INVALID);
    CHECK(strstr(e.msg, "/no/such/file") != NULL);
}

static const struct test_case tests[] = {
    {"pkcs12", test_pkcs12}, {"others", test_others}, {NULL, NULL}};
const struct test_suite test_keystore = {"cdc/keystore", tests};
