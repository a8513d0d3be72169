/* tests/unit/broker/security/test_scram.c - the vectors of RFC 7677, and what must be refused. SPEC: broker
 * 11.3, 11.4 */
#include "broker/security/scram.h"

#include "base/base.h"
#include "base/bytes.h"
#include "helpers.h"

#define CLIENT_NONCE "rOprNGfwEbeRWgbNEkqO"
#define SERVER_NONCE "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"

static void credential(struct scram_credential *c, enum scram_mechanism m, const char *password)
{
    uint8_t salted[SCRAM_HASH_MAX];
    struct strbuf salt = STRBUF_INIT;
    CHECK_OK(base64_decode(&salt, SL("W22ZaJ0SNY7soEsUEjb6gQ==")));
    scram_salt_password(m, slice_cstr(password), strbuf_slice(&salt), 4096, salted);
    CHECK_OK(scram_credential_make(c, m, 4096, strbuf_slice(&salt),
                                   slice_of(salted, scram_hash_size(m))));
    strbuf_release(&salt);
}

static enum err exchange(const char *first, const char *password, const char *final,
                         struct strbuf *server_first, struct strbuf *server_final)
{
    struct scram_exchange x;
    scram_exchange_init(&x);
    strbuf_reset(server_first);
    strbuf_reset(server_final);
    enum err r = scram_parse_first(&x, slice_cstr(first));
    if (r == E_OK) {
        credential(&x.credential, SCRAM_SHA_256, password);
        x.real = true;
        r = scram_first(&x, SERVER_NONCE, server_first);
    }
    if (r == E_OK)
        r = scram_final(&x, slice_cstr(final), server_final);
    scram_exchange_release(&x);
    return r;
}

#define FINAL(nonce, proof) "c=biws,r=" nonce ",p=" proof
#define PROOF "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="

static void test_rfc7677(void)
{
    struct strbuf first = STRBUF_INIT, final = STRBUF_INIT;
    CHECK_OK(exchange("n,,n=user,r=" CLIENT_NONCE, "pencil",
                      FINAL(CLIENT_NONCE SERVER_NONCE, PROOF), &first, &final));
    CHECK_STR(first.p, "r=" CLIENT_NONCE SERVER_NONCE ",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096");
    CHECK_STR(final.p, "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
    strbuf_release(&first);
    strbuf_release(&final);
}

/* librdkafka before 2.6.1, as Debian 12's kcat has it, says its own nonce twice. */
static void test_nonce_said_twice(void)
{
    struct strbuf first = STRBUF_INIT, final = STRBUF_INIT;
    CHECK_OK(exchange("n,,n=user,r=" CLIENT_NONCE, "pencil",
                      FINAL(CLIENT_NONCE CLIENT_NONCE SERVER_NONCE,
                            "1Y75+q7XaCGJj/r6vyQWwoNxSzV5ksS8xhp5Lqyriec="),
                      &first, &final));
    CHECK_ERR(exchange("n,,n=user,r=" CLIENT_NONCE, "pencil",
                       FINAL(CLIENT_NONCE CLIENT_NONCE SERVER_NONCE, PROOF), &first, &final),
              E_INVALID);
    CHECK_ERR(exchange("n,,n=user,r=" CLIENT_NONCE, "pencil",
                       FINAL("x" CLIENT_NONCE SERVER_NONCE,
                             "p7x95cxl15Yv6bKlx4AhGsuqndss3Z8C23UR4HdPPpQ="),
                       &first, &final),
              E_INVALID); /* anything else in front is not taken */
    strbuf_release(&first);
    strbuf_release(&final);
}

static void test_refused(void)
{
    struct strbuf first = STRBUF_INIT, final = STRBUF_INIT;
    static const struct {
        const char *first, *password, *final;
    } cases[] = {
        {"n,,n=user,r=" CLIENT_NONCE, "pencils", FINAL(CLIENT_NONCE SERVER_NONCE, PROOF)},
        {"n,,n=user,r=" CLIENT_NONCE, "pencil", FINAL(CLIENT_NONCE "x", PROOF)},
        {"n,,n=user,r=" CLIENT_NONCE, "pencil", FINAL(CLIENT_NONCE SERVER_NONCE, "")},
        {"n,,n=user,r=" CLIENT_NONCE, "pencil", FINAL(CLIENT_NONCE SERVER_NONCE, "dHzb")},
        {"n,,n=user,r=" CLIENT_NONCE, "pencil", FINAL(CLIENT_NONCE SERVER_NONCE, "?")},
        {"n,,n=user,r=" CLIENT_NONCE, "pencil", "c=biws,r=" CLIENT_NONCE SERVER_NONCE},
        {"n,,n=user,r=" CLIENT_NONCE, "pencil",
         "c=eSws,r=" CLIENT_NONCE SERVER_NONCE ",p=" PROOF}, /* y,, */
        {"n,,n=user,r=" CLIENT_NONCE, "pencil", ""},
        {"y,,n=user,r=x", "pencil", ""},
        {"p=tls-unique,,n=user,r=x", "pencil", ""},
        {"n,,n=,r=x", "pencil", ""},
        {"n,,n=a=2Db,r=x", "pencil", ""},
        {"n,,n=user,r=", "pencil", ""},
        {"n,,n=user", "pencil", ""},
        {"n,a=other,n=user,r=x", "pencil", ""},
        {"n,,n=user,r=x,tokenauth=true", "pencil", ""},
        {"n,,m=ext,n=user,r=x", "pencil", ""},
        {"", "pencil", ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        CHECK_ERR(exchange(cases[i].first, cases[i].password, cases[i].final, &first, &final),
                  E_INVALID);
    strbuf_release(&first);
    strbuf_release(&final);
}

/* A proof that is right for made-up credentials is refused all the same, as its user is not real. */
static void test_unknown_users(void)
{
    struct scram_credential a, b, c;
    scram_credential_fake(&a, SCRAM_SHA_256, SL("nobody"));
    scram_credential_fake(&b, SCRAM_SHA_256, SL("nobody"));
    scram_credential_fake(&c, SCRAM_SHA_256, SL("somebody"));
    CHECK(!memcmp(&a, &b, sizeof a));
    CHECK(memcmp(a.salt, c.salt, a.salt_n) != 0);
    CHECK_INT(a.iterations, 4096);
    struct scram_exchange x;
    struct strbuf out = STRBUF_INIT;
    scram_exchange_init(&x);
    CHECK_OK(scram_parse_first(&x, SL("n,,n=user,r=" CLIENT_NONCE)));
    credential(&x.credential, SCRAM_SHA_256, "pencil");
    CHECK_OK(scram_first(&x, SERVER_NONCE, &out));
    CHECK_ERR(scram_final(&x, SL(FINAL(CLIENT_NONCE SERVER_NONCE, PROOF)), &out), E_INVALID);
    scram_exchange_release(&x);
    strbuf_release(&out);
}

static void test_names_and_nonces(void)
{
    struct scram_exchange x;
    struct strbuf one = STRBUF_INIT, two = STRBUF_INIT;
    scram_exchange_init(&x);
    CHECK_OK(scram_parse_first(&x, SL("n,a=a=2Cb=3Dc,n=a=2Cb=3Dc,r=abc,ext=1")));
    CHECK_SLICE(strbuf_slice(&x.user), SL("a,b=c"));
    scram_credential_fake(&x.credential, SCRAM_SHA_512, SL("x"));
    CHECK_OK(scram_first(&x, NULL, &one));
    scram_exchange_release(&x);
    scram_exchange_init(&x);
    CHECK_OK(scram_parse_first(&x, SL("n,,n=x,r=abc")));
    scram_credential_fake(&x.credential, SCRAM_SHA_512, SL("x"));
    CHECK_OK(scram_first(&x, NULL, &two));
    CHECK(slice_starts(strbuf_slice(&one), SL("r=abc")));
    CHECK(!slice_eq(strbuf_slice(&one), strbuf_slice(&two)));
    scram_exchange_release(&x);
    strbuf_release(&one);
    strbuf_release(&two);
}

static void test_sizes(void)
{
    struct scram_credential c;
    char bytes[200] = {1};
    CHECK_ERR(scram_credential_make(&c, SCRAM_NONE, 4096, SL("salt"), slice_of(bytes, 32)),
              E_INVALID);
    CHECK_ERR(scram_credential_make(&c, SCRAM_SHA_256, 4096, SL(""), slice_of(bytes, 32)),
              E_INVALID);
    CHECK_ERR(
        scram_credential_make(&c, SCRAM_SHA_256, 4096, slice_of(bytes, 129), slice_of(bytes, 32)),
        E_INVALID);
    CHECK_ERR(scram_credential_make(&c, SCRAM_SHA_256, 4096, SL("salt"), slice_of(bytes, 64)),
              E_INVALID);
    CHECK_OK(scram_credential_make(&c, SCRAM_SHA_512, 4096, SL("salt"), slice_of(bytes, 64)));
}

static const struct test_case tests[] = {
    {"the vector of RFC 7677", test_rfc7677},
    {"refused", test_refused},
    {"users that do not exist", test_unknown_users},
    {"a nonce said twice", test_nonce_said_twice},
    {"names and nonces", test_names_and_nonces},
    {"sizes of credentials", test_sizes},
    {NULL, NULL},
};
const struct test_suite test_scram = {"broker/security/scram", tests, NULL, NULL};
