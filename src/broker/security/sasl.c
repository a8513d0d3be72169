/* broker/security/sasl.c - see sasl.h. One function per mechanism; texts are Kafka's. */
#include "broker/security/sasl.h"

#include "base/base.h"
#include "base/mem.h"
#include "broker/security/jaas.h"
#include "broker/security/scram_store.h"

#include <openssl/crypto.h>

#define USER_MAX 4096

static const char *const names[SASL_MECHANISMS] = {
    [SASL_PLAIN] = "PLAIN",
    [SASL_SCRAM_SHA_256] = "SCRAM-SHA-256",
    [SASL_SCRAM_SHA_512] = "SCRAM-SHA-512",
    [SASL_OAUTHBEARER] = "OAUTHBEARER",
};

const char *sasl_mechanism_name(enum sasl_mechanism m)
{
    return names[m];
}

enum sasl_mechanism sasl_mechanism_find(struct slice name)
{
    int m = 0;
    while (m < SASL_MECHANISMS && !slice_eq_c(name, names[m]))
        m++;
    return (enum sasl_mechanism)m;
}

/* --- rules ------------------------------------------------------------------------------------ */

void sasl_rules_init(struct sasl_rules *r)
{
    *r = (struct sasl_rules){0};
    strmap_init(&r->plain_users);
    strmap_init(&r->oauth_options);
}

static void wipe(struct strmap *m)
{
    for (size_t i = 0; i < m->count; i++) {
        if (m->entries[i].value.n)
            mem_wipe((char *)(uintptr_t)m->entries[i].value.p, m->entries[i].value.n);
    }
    strmap_release(m);
}

void sasl_rules_release(struct sasl_rules *r)
{
    wipe(&r->plain_users);
    strmap_release(&r->oauth_options);
}

static enum err take_oauth(struct sasl_rules *r, const struct strmap *options, struct error *e)
{
    strmap_release(&r->oauth_options);
    strmap_copy(&r->oauth_options, options);
    const struct strmap *o = &r->oauth_options;
    r->oauth.principal_claim = strmap_get_c(o, "unsecuredValidatorPrincipalClaimName");
    r->oauth.scope_claim = strmap_get_c(o, "unsecuredValidatorScopeClaimName");
    r->oauth.required_scope = strmap_get_c(o, "unsecuredValidatorRequiredScope");
    struct slice skew = strmap_get_c(o, "unsecuredValidatorAllowableClockSkewMs");
    if (skew.n && (slice_to_i64(skew, &r->oauth.allowed_clock_skew_ms) != E_OK ||
                   r->oauth.allowed_clock_skew_ms < 0))
        return error_set(e, E_INVALID,
                         "sasl.jaas.config: unsecuredValidatorAllowableClockSkewMs is no number");
    return E_OK;
}

enum err sasl_rules_jaas(struct sasl_rules *r, enum sasl_mechanism m, struct slice text,
                         struct error *e)
{
    struct strmap options;
    enum err result = jaas_parse(text, NULL, &options, e);
    if (result != E_OK)
        return result;
    if (m == SASL_OAUTHBEARER) {
        result = take_oauth(r, &options, e);
    } else if (m == SASL_PLAIN) {
        for (size_t i = 0; i < options.count; i++) {
            struct slice key = options.entries[i].key;
            if (slice_starts(key, SL("user_")) && key.n > 5)
                strmap_set(&r->plain_users, slice_sub(key, 5, key.n), options.entries[i].value);
        }
    }
    wipe(&options);
    return result;
}

/* --- PLAIN (RFC 4616) ------------------------------------------------------------------------- */

static enum sasl_result refuse(struct error *why, const char *text)
{
    error_set(why, E_INVALID, "%s", text);
    return SASL_REFUSED;
}

/* What Kafka says whenever a mechanism fails for a reason that it does not tell. */
static enum sasl_result refuse_credentials(const struct sasl_session *s, struct error *why)
{
    error_set(why, E_INVALID,
              "Authentication failed during %s due to invalid credentials with SASL mechanism %s",
              s->again ? "re-authentication" : "authentication", names[s->mechanism]);
    return SASL_REFUSED;
}

static bool same_secret(struct slice a, struct slice b)
{
    /* The length of a password shows in the time; its bytes do not. */
    return a.n == b.n && CRYPTO_memcmp(a.p ? a.p : "", b.p ? b.p : "", a.n) == 0;
}

static enum sasl_result step_plain(struct sasl_session *s, struct slice token, struct error *why)
{
    struct slice rest = token, part[3], more;
    size_t n = 0;
    while (rest.p && n < 3 && slice_split(&rest, 0, &part[n]))
        n++;
    if (n != 3 || (rest.p && slice_split(&rest, 0, &more)) || !slice_is_utf8(token))
        return refuse_credentials(s, why);
    struct slice authzid = part[0], user = part[1], password = part[2];
    if (user.n == 0)
        return refuse(why, "Authentication failed: username not specified");
    if (password.n == 0)
        return refuse(why, "Authentication failed: password not specified");
    struct slice expected = strmap_get(&s->rules->plain_users, user);
    bool known = expected.p != NULL;
    if (!same_secret(password, known ? expected : SL("\x01")) || !known)
        return refuse(why, "Authentication failed: Invalid username or password");
    if (authzid.n && !slice_eq(authzid, user))
        return refuse(why, "Authentication failed: Client requested an authorization id that is "
                           "different from username");
    strbuf_add_slice(&s->user, user);
    return SASL_DONE;
}

/* --- SCRAM ------------------------------------------------------------------------------------ */

static enum sasl_result step_scram(struct sasl_session *s, struct slice token, struct strbuf *out,
                                   struct error *why)
{
    enum scram_mechanism m = s->mechanism == SASL_SCRAM_SHA_256 ? SCRAM_SHA_256 : SCRAM_SHA_512;
    struct scram_exchange *x = &s->scram;
    if (s->step == 1) {
        if (scram_parse_first(x, token) != E_OK)
            return refuse_credentials(s, why);
        struct slice user = strbuf_slice(&x->user);
        scram_credential_fake(&x->credential, m, user);
        x->real = s->rules->scram && scram_store_find(s->rules->scram, user, m, &x->credential);
        return scram_first(x, NULL, out) == E_OK ? SASL_MORE : refuse_credentials(s, why);
    }
    if (scram_final(x, token, out) != E_OK)
        return refuse_credentials(s, why);
    strbuf_add_slice(&s->user, strbuf_slice(&x->user));
    return SASL_DONE;
}

/* --- OAUTHBEARER ------------------------------------------------------------------------------ */

static enum sasl_result step_oauth(struct sasl_session *s, struct slice token, int64_t now_ms,
                                   struct strbuf *out, struct error *why)
{
    struct slice jwt, authzid;
    if (s->oauth_failure) { /* it was told why, and this ends it */
        if (!slice_eq(token, SL("\x01")))
            return refuse_credentials(s, why);
        struct strbuf text = STRBUF_INIT;
        oauth_error_json(&s->rules->oauth, s->oauth_failure, &text);
        refuse(why, text.p);
        strbuf_release(&text);
        return SASL_REFUSED;
    }
    if (oauth_parse_first(token, &jwt, &authzid) != E_OK)
        return refuse_credentials(s, why);
    struct oauth_token t;
    strbuf_init(&t.principal, USER_MAX);
    enum err r = oauth_validate(&s->rules->oauth, jwt, now_ms, &t, why);
    enum sasl_result result = SASL_DONE;
    if (r != E_OK) {
        s->oauth_failure = r == E_CONFLICT ? E_CONFLICT : E_INVALID;
        oauth_error_json(&s->rules->oauth, s->oauth_failure, out);
        result = SASL_MORE;
    } else if (authzid.n && !slice_eq(authzid, strbuf_slice(&t.principal))) {
        error_set(why, E_INVALID,
                  "Authentication failed: Client requested an authorization id (" PRI_SL
                  ") that is different from the token's principal name (" PRI_SL ")",
                  ARG_SL(authzid), ARG_SL(strbuf_slice(&t.principal)));
        result = SASL_REFUSED;
    } else {
        strbuf_add_slice(&s->user, strbuf_slice(&t.principal));
        s->expires_ms = t.expires_ms;
    }
    strbuf_release(&t.principal);
    return result;
}

/* --- sessions --------------------------------------------------------------------------------- */

void sasl_begin(struct sasl_session *s, const struct sasl_rules *r, enum sasl_mechanism m,
                bool again)
{
    *s = (struct sasl_session){.rules = r, .mechanism = m, .again = again, .expires_ms = INT64_MAX};
    scram_exchange_init(&s->scram);
    strbuf_init(&s->user, USER_MAX);
}

enum sasl_result sasl_step(struct sasl_session *s, struct slice token, int64_t now_ms,
                           struct strbuf *out, struct error *why)
{
    enum sasl_result r;
    s->step++;
    switch (s->mechanism) {
    case SASL_PLAIN:
        r = step_plain(s, token, why);
        break;
    case SASL_OAUTHBEARER:
        r = step_oauth(s, token, now_ms, out, why);
        break;
    default:
        r = step_scram(s, token, out, why);
    }
    if (r == SASL_DONE && (s->user.n == 0 || strbuf_err(&s->user)))
        return refuse_credentials(s, why);
    return r;
}

void sasl_end(struct sasl_session *s)
{
    scram_exchange_release(&s->scram);
    strbuf_release(&s->user);
    mem_wipe(s, sizeof *s);
}
