/* broker/security/scram.c - see scram.h.
 *
 *   SaltedPassword  := Hi(password, salt, i)
 *   ClientKey       := HMAC(SaltedPassword, "Client Key");  StoredKey := H(ClientKey)
 *   ServerKey       := HMAC(SaltedPassword, "Server Key")
 *   AuthMessage     := client-first-bare "," server-first "," client-final-without-proof
 *   ClientSignature := HMAC(StoredKey, AuthMessage);  ClientProof := ClientKey XOR ClientSignature
 *   ServerSignature := HMAC(ServerKey, AuthMessage) */
#include "broker/security/scram.h"

#include "base/base.h"
#include "base/bytes.h"
#include "base/mem.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <pthread.h>

#define NONCE_BYTES 24

static const EVP_MD *md_of(enum scram_mechanism m)
{
    return m == SCRAM_SHA_512 ? EVP_sha512() : EVP_sha256();
}

const char *scram_name(enum scram_mechanism m)
{
    static const char *const names[SCRAM_MECHANISMS] = {"", "SCRAM-SHA-256", "SCRAM-SHA-512"};
    return m > 0 && m < SCRAM_MECHANISMS ? names[m] : "";
}

size_t scram_hash_size(enum scram_mechanism m)
{
    static const size_t sizes[SCRAM_MECHANISMS] = {0, 32, 64};
    return m > 0 && m < SCRAM_MECHANISMS ? sizes[m] : 0;
}

static void hmac(enum scram_mechanism m, const uint8_t *key, size_t key_n, struct slice text,
                 uint8_t out[SCRAM_HASH_MAX])
{
    unsigned n = SCRAM_HASH_MAX;
    HMAC(md_of(m), key, (int)key_n, (const unsigned char *)(text.p ? text.p : ""), text.n, out, &n);
}

void scram_salt_password(enum scram_mechanism m, struct slice password, struct slice salt,
                         int32_t iterations, uint8_t out[SCRAM_HASH_MAX])
{
    PKCS5_PBKDF2_HMAC(password.p, (int)password.n, (const unsigned char *)salt.p, (int)salt.n,
                      iterations, md_of(m), (int)scram_hash_size(m), out);
}

enum err scram_credential_make(struct scram_credential *out, enum scram_mechanism m,
                               int32_t iterations, struct slice salt, struct slice salted_password)
{
    size_t n = scram_hash_size(m);
    uint8_t client_key[SCRAM_HASH_MAX];
    unsigned size;
    if (n == 0 || salt.n == 0 || salt.n > SCRAM_SALT_MAX || salted_password.n != n)
        return E_INVALID;
    *out = (struct scram_credential){.mechanism = m, .iterations = iterations, .salt_n = salt.n};
    memcpy(out->salt, salt.p, salt.n);
    const uint8_t *salted = (const uint8_t *)salted_password.p;
    hmac(m, salted, n, SL("Client Key"), client_key);
    hmac(m, salted, n, SL("Server Key"), out->server_key);
    EVP_Digest(client_key, n, out->stored_key, &size, md_of(m), NULL);
    mem_wipe(client_key, sizeof client_key);
    return E_OK;
}

static uint8_t fake_secret[32];

static void make_fake_secret(void)
{
    if (RAND_bytes(fake_secret, sizeof fake_secret) != 1)
        memset(fake_secret, 0x5a, sizeof fake_secret);
}

void scram_credential_fake(struct scram_credential *out, enum scram_mechanism m, struct slice user)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    uint8_t salt[SCRAM_HASH_MAX];
    pthread_once(&once, make_fake_secret);
    *out =
        (struct scram_credential){.mechanism = m, .iterations = SCRAM_ITERATIONS_MIN, .salt_n = 20};
    hmac(SCRAM_SHA_512, fake_secret, sizeof fake_secret, user, salt);
    memcpy(out->salt, salt, out->salt_n);
    hmac(m, fake_secret, sizeof fake_secret, slice_of(salt, sizeof salt), out->stored_key);
    hmac(m, fake_secret, sizeof fake_secret, slice_of(salt, 32), out->server_key);
}

/* --- messages --------------------------------------------------------------------------------- */

void scram_exchange_init(struct scram_exchange *x)
{
    *x = (struct scram_exchange){0};
    strbuf_init(&x->user, 4096);
    strbuf_init(&x->nonce, 4096);
    strbuf_init(&x->binding, 8192);
    strbuf_init(&x->auth_message, 16384);
}

void scram_exchange_release(struct scram_exchange *x)
{
    mem_wipe(&x->credential, sizeof x->credential);
    strbuf_release(&x->user);
    strbuf_release(&x->nonce);
    strbuf_release(&x->binding);
    strbuf_release(&x->auth_message);
}

/* "a=text" from a list of such with commas between. */
static bool take_attribute(struct slice *rest, char name, struct slice *value)
{
    struct slice part;
    if (!rest->p || !slice_split(rest, ',', &part) || part.n < 2 || part.p[0] != name ||
        part.p[1] != '=')
        return false;
    *value = slice_sub(part, 2, part.n);
    return true;
}

/* "=2C" is a comma, "=3D" an equals sign; nothing else may follow one. */
static enum err decode_name(struct slice s, struct strbuf *out)
{
    strbuf_reset(out);
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] != '=') {
            strbuf_addc(out, s.p[i]);
            continue;
        }
        struct slice code = slice_sub(s, i, i + 3);
        if (slice_eq(code, SL("=2C")))
            strbuf_addc(out, ',');
        else if (slice_eq(code, SL("=3D")))
            strbuf_addc(out, '=');
        else
            return E_INVALID;
        i += 2;
    }
    return strbuf_err(out) || out->n == 0 ? E_INVALID : E_OK;
}

static bool is_printable(struct slice s)
{
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] <= 0x20 || s.p[i] > 0x7e)
            return false;
    }
    return s.n > 0;
}

enum err scram_parse_first(struct scram_exchange *x, struct slice token)
{
    struct slice rest = token, binding, authzid, name, nonce;
    if (!slice_is_utf8(token) || !slice_split(&rest, ',', &binding) || !rest.p ||
        !slice_split(&rest, ',', &authzid) || !rest.p || !slice_eq(binding, SL("n")))
        return E_INVALID;
    struct slice bare = rest;
    if (!take_attribute(&rest, 'n', &name) || !take_attribute(&rest, 'r', &nonce) ||
        !is_printable(nonce) || decode_name(name, &x->user) != E_OK)
        return E_INVALID;
    if (rest.p && slice_find(rest, SL("tokenauth=")) >= 0)
        return E_INVALID;
    if (authzid.n) {
        struct strbuf other = STRBUF_INIT;
        bool same = slice_starts(authzid, SL("a=")) &&
                    decode_name(slice_sub(authzid, 2, authzid.n), &other) == E_OK &&
                    slice_eq(strbuf_slice(&other), strbuf_slice(&x->user));
        strbuf_release(&other);
        if (!same)
            return E_INVALID;
    }
    strbuf_add_slice(&x->nonce, nonce);
    x->client_nonce_n = nonce.n;
    strbuf_add_slice(&x->auth_message, bare);
    base64_encode(&x->binding, slice_sub(token, 0, (size_t)(bare.p - token.p)));
    return strbuf_err(&x->nonce) || strbuf_err(&x->binding) || strbuf_err(&x->auth_message)
               ? E_INVALID
               : E_OK;
}

enum err scram_first(struct scram_exchange *x, const char *server_nonce, struct strbuf *out)
{
    uint8_t random[NONCE_BYTES];
    if (server_nonce)
        strbuf_adds(&x->nonce, server_nonce);
    else if (RAND_bytes(random, sizeof random) == 1)
        base64url_encode(&x->nonce, slice_of(random, sizeof random));
    else
        return E_IO;
    strbuf_addf(out, "r=" PRI_SL ",s=", ARG_SL(strbuf_slice(&x->nonce)));
    base64_encode(out, slice_of(x->credential.salt, x->credential.salt_n));
    strbuf_addf(out, ",i=%d", x->credential.iterations);
    strbuf_addf(&x->auth_message, "," PRI_SL, ARG_SL(strbuf_slice(out)));
    return strbuf_err(&x->nonce) || strbuf_err(&x->auth_message) || strbuf_err(out) ? E_INVALID
                                                                                    : E_OK;
}

/* Every proof of the right size costs the same. */
static bool proof_is_right(const struct scram_exchange *x, struct slice proof)
{
    const struct scram_credential *k = &x->credential;
    size_t n = scram_hash_size(k->mechanism);
    uint8_t signature[SCRAM_HASH_MAX], client_key[SCRAM_HASH_MAX], stored[SCRAM_HASH_MAX];
    unsigned size;
    if (proof.n != n)
        return false;
    hmac(k->mechanism, k->stored_key, n, strbuf_slice(&x->auth_message), signature);
    for (size_t i = 0; i < n; i++)
        client_key[i] = signature[i] ^ (uint8_t)proof.p[i];
    EVP_Digest(client_key, n, stored, &size, md_of(k->mechanism), NULL);
    bool same = CRYPTO_memcmp(stored, k->stored_key, n) == 0;
    mem_wipe(client_key, sizeof client_key);
    return same && x->real;
}

/* librdkafka before 2.6.1 puts its own nonce once more in front of the whole; Kafka took that until it
 * compared strictly. The proof covers the text as it was sent, and ours is in it: as good. */
static bool nonce_is_right(const struct scram_exchange *x, struct slice nonce)
{
    struct slice whole = strbuf_slice(&x->nonce), own = slice_sub(whole, 0, x->client_nonce_n);
    if (nonce.n == own.n + whole.n && slice_starts(nonce, own))
        nonce = slice_sub(nonce, own.n, nonce.n);
    return slice_eq(nonce, whole);
}

enum err scram_final(struct scram_exchange *x, struct slice token, struct strbuf *out)
{
    struct slice rest = token, binding, nonce, proof_text = SLICE_NULL, part;
    ptrdiff_t proof_at = -1;
    if (!take_attribute(&rest, 'c', &binding) || !take_attribute(&rest, 'r', &nonce))
        return E_INVALID;
    while (rest.p) { /* extensions may stand in front of the proof, which is last */
        const char *at = rest.p;
        if (!slice_split(&rest, ',', &part))
            break;
        if (!rest.p && slice_starts(part, SL("p="))) {
            proof_at = at - token.p;
            proof_text = slice_sub(part, 2, part.n);
        }
    }
    if (proof_at < 1 || !slice_eq(binding, strbuf_slice(&x->binding)))
        return E_INVALID;
    struct strbuf proof = STRBUF_INIT;
    bool good = base64_decode(&proof, proof_text) == E_OK && nonce_is_right(x, nonce);
    strbuf_addf(&x->auth_message, "," PRI_SL, ARG_SL(slice_sub(token, 0, (size_t)proof_at - 1)));
    good = good && strbuf_err(&x->auth_message) == E_OK && proof_is_right(x, strbuf_slice(&proof));
    strbuf_release(&proof);
    if (!good)
        return E_INVALID;
    uint8_t signature[SCRAM_HASH_MAX];
    size_t n = scram_hash_size(x->credential.mechanism);
    hmac(x->credential.mechanism, x->credential.server_key, n, strbuf_slice(&x->auth_message),
         signature);
    strbuf_adds(out, "v=");
    base64_encode(out, slice_of(signature, n));
    return strbuf_err(out);
}
