/* tests/unit/broker/security/test_sasl.c - mechanisms, the text of sasl.jaas.config, tokens of OAUTHBEARER.
 * SPEC: broker 11.3 */
#include "broker/security/sasl.h"

#include "base/base.h"
#include "base/bytes.h"
#include "base/db.h"
#include "base/mem.h"
#include "broker/security/jaas.h"
#include "broker/security/scram_store.h"
#include "helpers.h"

#define NOW 1700000000000

static void test_jaas(void)
{
    struct strmap m;
    struct strbuf module = STRBUF_INIT;
    struct error e;
    CHECK_OK(jaas_parse(SL(" a.b.Module  REQUIRED\n user_a=\"x y\\\"z\" user_b='q;' plain=1 ;"),
                        &module, &m, &e));
    CHECK_STR(module.p, "a.b.Module");
    CHECK_INT(m.count, 3);
    CHECK_SLICE(strmap_get_c(&m, "user_a"), SL("x y\"z"));
    CHECK_SLICE(strmap_get_c(&m, "user_b"), SL("q;"));
    CHECK_SLICE(strmap_get_c(&m, "plain"), SL("1"));
    strmap_release(&m);
    static const char *const bad[] = {"",
                                      "a.b.Module",
                                      "a.b.Module sometimes x=1;",
                                      "a.b.Module required x=1",
                                      "a.b.Module required x;",
                                      "a.b.Module required secret=\"open;",
                                      "a.b.Module required =1;"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        CHECK_ERR(jaas_parse(slice_cstr(bad[i]), NULL, &m, &e), E_INVALID);
        CHECK(slice_find(slice_cstr(e.msg), SL("open")) < 0);
        strmap_release(&m);
    }
    strbuf_release(&module);
}

static enum sasl_result once(const struct sasl_rules *r, enum sasl_mechanism m, struct slice token,
                             struct strbuf *user, struct error *why)
{
    struct sasl_session s;
    struct strbuf out = STRBUF_INIT;
    error_clear(why);
    strbuf_reset(user);
    sasl_begin(&s, r, m, false);
    enum sasl_result result = sasl_step(&s, token, NOW, &out, why);
    strbuf_add_slice(user, strbuf_slice(&s.user));
    sasl_end(&s);
    strbuf_release(&out);
    return result;
}

static void test_plain(void)
{
    struct sasl_rules r;
    struct error e;
    struct strbuf user = STRBUF_INIT;
    sasl_rules_init(&r);
    CHECK_OK(sasl_rules_jaas(&r, SASL_PLAIN,
                             SL("x.Plain required username=\"a\" password=\"b\" user_alice=\"pw\" "
                                "user_empty=\"\";"),
                             &e));
    CHECK_INT(r.plain_users.count, 2);
    CHECK_INT(once(&r, SASL_PLAIN, SL("\0alice\0pw"), &user, &e), SASL_DONE);
    CHECK_STR(user.p, "alice");
    CHECK_INT(once(&r, SASL_PLAIN, SL("alice\0alice\0pw"), &user, &e), SASL_DONE);
    static const struct {
        struct slice token;
        const char *text;
    } cases[] = {
        {SL_INIT("\0alice\0pw2"), "Authentication failed: Invalid username or password"},
        {SL_INIT("\0alice\0p"), "Authentication failed: Invalid username or password"},
        {SL_INIT("\0nobody\0pw"), "Authentication failed: Invalid username or password"},
        {SL_INIT("\0nobody\0\x01"), "Authentication failed: Invalid username or password"},
        {SL_INIT("\0empty\0"), "Authentication failed: password not specified"},
        {SL_INIT("\0\0pw"), "Authentication failed: username not specified"},
        {SL_INIT("bob\0alice\0pw"), "Authentication failed: Client requested an authorization id "
                                    "that is different from username"},
        {SL_INIT("\0alice"), "Authentication failed during authentication due to invalid "
                             "credentials with SASL mechanism PLAIN"},
        {SL_INIT("\0alice\0pw\0x"), "Authentication failed during authentication due to invalid "
                                    "credentials with SASL mechanism PLAIN"},
        {SL_INIT(""), "Authentication failed during authentication due to invalid credentials "
                      "with SASL mechanism PLAIN"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CHECK_INT(once(&r, SASL_PLAIN, cases[i].token, &user, &e), SASL_REFUSED);
        CHECK_STR(e.msg, cases[i].text);
    }
    sasl_rules_release(&r);
    strbuf_release(&user);
}

/* --- OAUTHBEARER ------------------------------------------------------------------------------ */

static void add_token(struct strbuf *b, const char *header, const char *claims)
{
    base64url_encode(b, slice_cstr(header));
    strbuf_addc(b, '.');
    base64url_encode(b, slice_cstr(claims));
    strbuf_addc(b, '.');
}

static enum err validate(const struct oauth_rules *r, const char *header, const char *claims,
                         struct strbuf *who)
{
    struct strbuf b = STRBUF_INIT;
    struct error e;
    add_token(&b, header, claims);
    struct oauth_token t;
    strbuf_init(&t.principal, 1000);
    enum err result = oauth_validate(r, strbuf_slice(&b), NOW, &t, &e);
    strbuf_reset(who);
    strbuf_add_slice(who, strbuf_slice(&t.principal));
    strbuf_release(&t.principal);
    strbuf_release(&b);
    return result;
}

static void test_oauth_claims(void)
{
    struct oauth_rules r = {0};
    struct strbuf who = STRBUF_INIT;
    const char *none = "{\"alg\":\"none\"}";
    CHECK_OK(
        validate(&r, none, "{\"sub\":\"alice\",\"exp\":1700000001,\"iat\":1699999999.5}", &who));
    CHECK_STR(who.p, "alice");
    static const char *const bad[] = {
        "{\"sub\":\"alice\"}",
        "{\"exp\":1700000001}",
        "{\"sub\":7,\"exp\":1700000001}",
        "{\"sub\":\"\",\"exp\":1700000001}",
        "{\"sub\":\"alice\",\"exp\":1700000000}",
        "{\"sub\":\"alice\",\"exp\":\"1700000001\"}",
        "{\"sub\":\"alice\",\"exp\":1e300}",
        "{\"sub\":\"alice\",\"exp\":1700000001,\"iat\":1700000001}",
        "{\"sub\":\"alice\",\"exp\":1700000001,\"nbf\":1700000001}",
        "{\"sub\":\"alice\",\"exp\":1700000001,\"iat\":\"x\"}",
        "[]",
        "{",
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        CHECK_ERR(validate(&r, none, bad[i], &who), E_INVALID);
    CHECK_ERR(validate(&r, "{\"alg\":\"HS256\"}", "{\"sub\":\"a\",\"exp\":1700000001}", &who),
              E_INVALID);
    CHECK_ERR(validate(&r, "{}", "{\"sub\":\"a\",\"exp\":1700000001}", &who), E_INVALID);
    r.allowed_clock_skew_ms = 2000;
    CHECK_OK(validate(&r, none, "{\"sub\":\"a\",\"exp\":1699999999,\"iat\":1699999990}", &who));
    r.required_scope = SL("read write");
    CHECK_ERR(validate(&r, none, "{\"sub\":\"a\",\"exp\":1700000001,\"scope\":\"read\"}", &who),
              E_CONFLICT);
    CHECK_OK(validate(&r, none, "{\"sub\":\"a\",\"exp\":1700000001,\"scope\":[\"write\",\"read\"]}",
                      &who));
    CHECK_OK(
        validate(&r, none, "{\"sub\":\"a\",\"exp\":1700000001,\"scope\":\"write read\"}", &who));
    r = (struct oauth_rules){.principal_claim = SL("name")};
    CHECK_OK(validate(&r, none, "{\"name\":\"bob\",\"exp\":1700000001}", &who));
    CHECK_STR(who.p, "bob");
    struct oauth_token t = {.principal = who};
    struct error e;
    CHECK_ERR(oauth_validate(&r, SL("a.b.c"), NOW, &t, &e), E_INVALID);
    CHECK_ERR(oauth_validate(&r, SL("a.b"), NOW, &t, &e), E_INVALID);
    CHECK_ERR(oauth_validate(&r, SL(""), NOW, &t, &e), E_INVALID);
    strbuf_release(&who);
}

static void test_oauth_messages(void)
{
    struct slice token, authzid;
    CHECK_OK(oauth_parse_first(SL("n,,\x01"
                                  "auth=Bearer abc\x01\x01"),
                               &token, &authzid));
    CHECK_SLICE(token, SL("abc"));
    CHECK_OK(oauth_parse_first(SL("n,a=me,\x01x=1\x01"
                                  "auth=bearer  abc.d\x01y=\x01\x01"),
                               &token, &authzid));
    CHECK_SLICE(token, SL("abc.d"));
    CHECK_SLICE(authzid, SL("me"));
    static const struct slice bad[] = {SL_INIT(""),
                                       SL_INIT("n,,"),
                                       SL_INIT("n,,\x01\x01"),
                                       SL_INIT("n,,\x01"
                                               "auth=Basic x\x01\x01"),
                                       SL_INIT("n,,\x01"
                                               "auth=Bearer \x01\x01"),
                                       SL_INIT("y,,\x01"
                                               "auth=Bearer x\x01\x01"),
                                       SL_INIT("n,b,\x01"
                                               "auth=Bearer x\x01\x01"),
                                       SL_INIT("n,,\x01"
                                               "auth=Bearer x\x01"
                                               "auth=Bearer y\x01\x01")};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        CHECK_ERR(oauth_parse_first(bad[i], &token, &authzid), E_INVALID);
}

/* The client hears JSON as a challenge, then its answer ends in the failure. */
static void test_oauth_exchange(void)
{
    struct sasl_rules r;
    struct sasl_session s;
    struct error why;
    struct strbuf out = STRBUF_INIT, message = STRBUF_INIT;
    sasl_rules_init(&r);
    strbuf_add(&message, "n,,\x01", 4);
    strbuf_adds(&message, "auth=Bearer ");
    add_token(&message, "{\"alg\":\"none\"}", "{\"sub\":\"alice\",\"exp\":1}");
    strbuf_add(&message, "\x01\x01", 2);
    error_clear(&why);
    sasl_begin(&s, &r, SASL_OAUTHBEARER, false);
    CHECK_INT(sasl_step(&s, strbuf_slice(&message), NOW, &out, &why), SASL_MORE);
    CHECK_STR(out.p, "{\"status\":\"invalid_token\"}");
    CHECK_STR(why.msg, "the token has expired");
    CHECK_INT(sasl_step(&s, SL("\x01"), NOW, &out, &why), SASL_REFUSED);
    CHECK_STR(why.msg, "{\"status\":\"invalid_token\"}");
    sasl_end(&s);
    sasl_rules_release(&r);
    strbuf_release(&out);
    strbuf_release(&message);
}

/* --- credentials ------------------------------------------------------------------------------ */

static void test_store(void)
{
    struct db *db;
    struct error e;
    struct arena a;
    struct scram_store *s;
    struct scram_credential c;
    static const struct db_migrations *const migrations[] = {&scram_migrations, NULL};
    char *path = xasprintf("%s/scram.db", test_dir());
    char bytes[32] = {7};
    CHECK_OK(db_open(&db, path, false, migrations, &e));
    CHECK_OK(scram_store_open(&s, db, &e));
    struct scram_change x = {.user = SL("alice"), .mechanism = SCRAM_SHA_256};
    CHECK_OK(
        scram_credential_make(&x.credential, SCRAM_SHA_256, 5000, SL("salt"), slice_of(bytes, 32)));
    CHECK_OK(scram_store_change(s, &x, 1, &e));
    CHECK(!scram_store_find(s, SL("alice"), SCRAM_SHA_512, &c));
    scram_store_close(s);
    CHECK_OK(scram_store_open(&s, db, &e)); /* as after a restart */
    CHECK(scram_store_find(s, SL("alice"), SCRAM_SHA_256, &c));
    CHECK(!memcmp(&c, &x.credential, sizeof c));
    arena_init(&a, 0, ARENA_NO_BUDGET);
    size_t n;
    struct scram_user *users = scram_store_list(s, &a, &n);
    CHECK_INT(n, 1);
    CHECK_INT(users[0].iterations[SCRAM_SHA_256], 5000);
    x.remove = true;
    CHECK_OK(scram_store_change(s, &x, 1, &e));
    scram_store_list(s, &a, &n);
    CHECK_INT(n, 0);
    arena_release(&a);
    scram_store_close(s);
    db_close(db);
    mem_free(path);
}

static const struct test_case tests[] = {
    {"sasl.jaas.config", test_jaas},
    {"PLAIN", test_plain},
    {"claims of a token", test_oauth_claims},
    {"first message of OAUTHBEARER", test_oauth_messages},
    {"a token that is refused", test_oauth_exchange},
    {"stored credentials", test_store},
    {NULL, NULL},
};
const struct test_suite test_sasl = {"broker/security/sasl", tests, NULL, NULL};
