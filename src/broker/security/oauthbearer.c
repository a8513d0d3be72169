/* broker/security/oauthbearer.c - see oauthbearer.h. A token is base64url(header) "." base64url(claims) ".";
 * the header says alg none. Times are seconds since 1970. */
#include "broker/security/oauthbearer.h"

#include "base/base.h"
#include "base/bytes.h"

#include <jansson.h>
#include <math.h>

#define TOKEN_MAX ((size_t)64 << 10)

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

enum err oauth_parse_first(struct slice message, struct slice *token, struct slice *authzid)
{
    struct slice rest = message, part;
    *token = SLICE_NULL;
    *authzid = SL("");
    if (!slice_split(&rest, ',', &part) || !rest.p || !slice_eq(part, SL("n")) ||
        !slice_split(&rest, ',', &part) || !rest.p)
        return E_INVALID;
    if (slice_starts(part, SL("a=")))
        *authzid = slice_sub(part, 2, part.n);
    else if (part.n)
        return E_INVALID;
    if (!slice_starts(rest, SL("\x01")) || !slice_ends(rest, SL("\x01\x01")))
        return E_INVALID;
    rest = slice_sub(rest, 1, rest.n - 2);
    while (rest.p && slice_split(&rest, '\x01', &part)) {
        ptrdiff_t eq = slice_find_char(part, '=');
        if (eq <= 0)
            return E_INVALID;
        if (!slice_eq(slice_sub(part, 0, (size_t)eq), SL("auth")))
            continue; /* an extension */
        struct slice value = slice_sub(part, (size_t)eq + 1, part.n);
        if (token->p || !slice_istarts(value, SL("bearer ")))
            return E_INVALID;
        value = slice_sub(value, 7, value.n);
        while (value.n && is_blank(value.p[0]))
            value = slice_sub(value, 1, value.n);
        *token = value;
    }
    return token->p && token->n ? E_OK : E_INVALID;
}

static json_t *decode_part(struct slice text)
{
    struct strbuf b;
    strbuf_init(&b, TOKEN_MAX);
    json_t *j = NULL;
    while (text.n && text.p[text.n - 1] == '=')
        text.n--;
    if (base64url_decode(&b, text) == E_OK)
        j = json_loadb(b.p, b.n, JSON_REJECT_DUPLICATES, NULL);
    strbuf_release(&b);
    if (j && !json_is_object(j)) {
        json_decref(j);
        j = NULL;
    }
    return j;
}

static json_t *claim(const json_t *claims, struct slice name)
{
    return json_object_getn(claims, name.p, name.n);
}

/* Milliseconds of a claim in seconds. false: it is no number. */
static bool time_of(const json_t *v, int64_t *ms)
{
    double s = json_number_value(v);
    if (!json_is_number(v) || !isfinite(s) || fabs(s) > 9e12)
        return false;
    *ms = (int64_t)(s * 1000);
    return true;
}

static enum err bad(struct error *e, const char *why)
{
    return error_set(e, E_INVALID, "%s", why);
}

static enum err check_times(const json_t *claims, int64_t now, int64_t skew,
                            struct oauth_token *out, struct error *e)
{
    int64_t issued = INT64_MIN, begins;
    const json_t *exp = claim(claims, SL("exp")), *iat = claim(claims, SL("iat")),
                 *nbf = claim(claims, SL("nbf"));
    if (!exp || !time_of(exp, &out->expires_ms))
        return bad(e, "the claim exp is missing or no number");
    if (iat && !time_of(iat, &issued))
        return bad(e, "the claim iat is no number");
    if (iat && issued > now + skew)
        return bad(e, "the token was issued in the future");
    if (nbf && (!time_of(nbf, &begins) || begins > now + skew))
        return bad(e, "the token is not valid yet");
    if (now - skew >= out->expires_ms)
        return bad(e, "the token has expired");
    if (iat && out->expires_ms <= issued)
        return bad(e, "the token expires before it was issued");
    return E_OK;
}

static bool has_scope(const json_t *scope, struct slice want)
{
    size_t i;
    json_t *v;
    if (json_is_string(scope)) {
        struct slice rest = slice_of(json_string_value(scope), json_string_length(scope)), part;
        while (rest.p && slice_split(&rest, ' ', &part)) {
            if (slice_eq(slice_trim(part), want))
                return true;
        }
    }
    json_array_foreach(scope, i, v)
    {
        if (json_is_string(v) &&
            slice_eq(slice_trim(slice_of(json_string_value(v), json_string_length(v))), want))
            return true;
    }
    return false;
}

static enum err check_claims(const struct oauth_rules *r, const json_t *claims, int64_t now,
                             struct oauth_token *out, struct error *e)
{
    const json_t *who = claim(claims, r->principal_claim.n ? r->principal_claim : SL("sub"));
    if (!json_is_string(who) || json_string_length(who) == 0)
        return bad(e, "the claim that names the principal is missing or no text");
    strbuf_add(&out->principal, json_string_value(who), json_string_length(who));
    enum err result = check_times(claims, now, r->allowed_clock_skew_ms, out, e);
    if (result != E_OK)
        return result;
    const json_t *scope = claim(claims, r->scope_claim.n ? r->scope_claim : SL("scope"));
    struct slice rest = r->required_scope, part;
    while (rest.p && slice_split(&rest, ' ', &part)) {
        if (slice_trim(part).n && !has_scope(scope, slice_trim(part)))
            return error_set(e, E_CONFLICT, "the token has not the scope that is required");
    }
    return strbuf_err(&out->principal);
}

enum err oauth_validate(const struct oauth_rules *r, struct slice token, int64_t now_ms,
                        struct oauth_token *out, struct error *e)
{
    struct slice rest = token, head, body;
    if (token.n > TOKEN_MAX || !slice_split(&rest, '.', &head) || !rest.p ||
        !slice_split(&rest, '.', &body) || !rest.p || slice_find_char(rest, '.') >= 0)
        return bad(e, "the token has not three parts");
    if (rest.n)
        return bad(e, "the token is signed, and unsecured ones are expected");
    json_t *header = decode_part(head), *claims = decode_part(body);
    const char *alg = header ? json_string_value(json_object_get(header, "alg")) : NULL;
    enum err result = !header || !claims    ? bad(e, "the token is not base64 of JSON objects")
                      : !alg                ? bad(e, "the token's header has no alg")
                      : strcmp(alg, "none") ? bad(e, "the token's alg is not none")
                                            : check_claims(r, claims, now_ms, out, e);
    json_decref(header);
    json_decref(claims);
    return result;
}

void oauth_error_json(const struct oauth_rules *r, enum err why, struct strbuf *out)
{
    if (why == E_CONFLICT)
        strbuf_addf(out, "{\"status\":\"insufficient_scope\",\"scope\":\"" PRI_SL "\"}",
                    ARG_SL(r->required_scope));
    else
        strbuf_adds(out, "{\"status\":\"invalid_token\"}");
}
