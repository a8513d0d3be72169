/* broker/security/sasl_conn.c - see sasl_conn.h. */
#include "broker/security/sasl_conn.h"

#include "base/base.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "broker/conn.h"
#include "broker/dispatch.h"
#include "broker/proto/kerr.h"

#define TOKEN_OUT_MAX ((size_t)64 << 10)

enum sasl_state { START, VERSIONS, RAW, TOKENS, DONE };
struct sasl_conn {
    struct conn *c;
    const struct sasl_rules *rules;
    enum sasl_state state;
    bool in_session;
    struct sasl_session session;
    enum sasl_mechanism mechanism; /* of the last handshake */
    int64_t ends_ms;               /* monotonic; INT64_MAX: the session does not end */
    struct loop_timer delay;       /* runs after a refusal */
    struct request *refused;       /* to be answered then; NULL: only close */
};

static enum conn_result on_frame(struct conn *c, struct rbuf *buf, struct slice frame);

void sasl_attach(struct conn *c, const struct sasl_rules *r)
{
    struct sasl_conn *s = xcalloc(1, sizeof *s);
    s->c = c;
    s->rules = r;
    s->ends_ms = INT64_MAX;
    c->sasl = s;
    c->on_frame = on_frame;
    c->max_frame_bytes = r->max_receive;
}

static void end_session(struct sasl_conn *s)
{
    if (s->in_session)
        sasl_end(&s->session);
    s->in_session = false;
}

void sasl_detach(struct conn *c)
{
    struct sasl_conn *s = c->sasl;
    if (!s)
        return;
    end_session(s);
    if (s->delay.loop)
        loop_timer_release(&s->delay);
    mem_free(s);
    c->sasl = NULL;
}

/* --- refusing --------------------------------------------------------------------------------- */

static void warn(const struct conn *c, const char *what, const char *why)
{
    char peer[CONN_PEER_TEXT];
    conn_peer_text(c, peer);
    LOG_WARN(LOG_BROKER_CONN, "%s: %s peer=%s listener=%s", what, why, peer, c->listener->name);
}

static void delay_is_over(void *arg)
{
    struct sasl_conn *s = arg;
    struct request *rq = s->refused;
    s->refused = NULL;
    if (!rq) {
        conn_resume(s->c, CONN_CLOSE);
        return;
    }
    rq->on_gone = NULL;
    request_reply(rq);
}

static void gone_while_refused(struct request *rq)
{
    request_drop(rq); /* the connection lets its timer go */
}

/* rq has its answer, or is NULL. The connection waits, then answers and closes. */
static void refuse_later(struct sasl_conn *s, struct request *rq)
{
    s->refused = rq;
    if (rq) {
        rq->close_after = true;
        rq->on_gone = gone_while_refused;
    }
    loop_timer_init(&s->delay, s->c->cl->loop, delay_is_over, s);
    loop_timer_set(&s->delay, s->rules->failure_delay_ms);
}

/* --- success ---------------------------------------------------------------------------------- */

/* "User:alice" becomes the connection's. False: it was somebody else before; why has the text. */
static bool take_principal(struct sasl_conn *s, struct error *why)
{
    struct conn *c = s->c;
    struct slice user = strbuf_slice(&s->session.user);
    char *name = xasprintf("User:" PRI_SL, ARG_SL(user));
    if (s->session.again && c->principal && strcmp(c->principal, name) != 0) {
        error_set(why, E_INVALID,
                  "Cannot change principals during re-authentication from User.%s: User." PRI_SL,
                  c->principal + 5, ARG_SL(user));
        mem_free(name);
        return false;
    }
    mem_free(c->principal);
    c->principal = name;
    return true;
}

/* Returns the session's length, 0 when it does not end. */
static int64_t become_ready(struct sasl_conn *s)
{
    struct conn *c = s->c;
    int64_t lifetime = s->rules->max_reauth_ms[s->mechanism];
    if (lifetime > 0 && s->session.expires_ms != INT64_MAX)
        lifetime = MAX(1, MIN(lifetime, s->session.expires_ms - clock_wall_ms()));
    s->ends_ms = lifetime > 0 ? clock_mono_ms() + lifetime : INT64_MAX;
    s->state = DONE;
    end_session(s);
    c->max_frame_bytes = c->cl->max_frame_bytes;
    c->min_frame_bytes = CONN_MIN_FRAME;
    if (lifetime <= 0)
        c->on_frame = c->cl->on_frame;
    conn_set_ready(c, true);
    LOG_DEBUG(LOG_BROKER_CONN, "authenticated conn=%u mechanism=%s principal=%s", c->id,
              sasl_mechanism_name(s->mechanism), c->principal);
    return lifetime;
}

/* --- SaslHandshake ---------------------------------------------------------------------------- */

/* A second handshake is a re-authentication. SPEC: broker 11.3 */
static bool may_begin(const struct sasl_conn *s)
{
    return s->state == START || s->state == VERSIONS ||
           (s->state == DONE && s->rules->max_reauth_ms[s->mechanism] > 0);
}

void sasl_handshake(struct request *rq)
{
    const struct sasl_handshake_request *in = rq->in;
    struct sasl_handshake_response *out = rq->out;
    struct sasl_conn *s = rq->conn->sasl;
    if (!s || !may_begin(s)) {
        out->error_code = KERR_ILLEGAL_SASL_STATE;
        request_reply(rq);
        return;
    }
    const struct sasl_rules *r = s->rules;
    out->mechanisms = arena_alloc(&rq->arena, (r->count + 1) * sizeof *out->mechanisms);
    for (size_t i = 0; i < r->count; i++)
        out->mechanisms[out->mechanisms_count++] = slice_cstr(sasl_mechanism_name(r->order[i]));
    enum sasl_mechanism m = sasl_mechanism_find(in->mechanism);
    bool again = s->state == DONE;
    if (m == SASL_MECHANISMS || !r->enabled[m]) {
        out->error_code = KERR_UNSUPPORTED_SASL_MECHANISM;
        warn(rq->conn, "a client was refused",
             "it asks for a SASL mechanism that sasl.enabled.mechanisms does not list");
        refuse_later(s, rq);
        return;
    }
    if (again && m != s->mechanism) {
        warn(rq->conn, "a client was refused",
             "it changed its SASL mechanism in a re-authentication");
        out->error_code = KERR_ILLEGAL_SASL_STATE;
        refuse_later(s, rq);
        return;
    }
    s->mechanism = m;
    s->state = rq->version == 0 ? RAW : TOKENS;
    if (s->state == RAW)
        rq->conn->min_frame_bytes = 0;
    sasl_begin(&s->session, r, m, again);
    s->in_session = true;
    request_reply(rq);
}

/* --- tokens ----------------------------------------------------------------------------------- */

static enum sasl_result step(struct sasl_conn *s, struct slice token, struct strbuf *out,
                             struct error *why)
{
    error_clear(why);
    strbuf_init(out, TOKEN_OUT_MAX);
    enum sasl_result result = sasl_step(&s->session, token, clock_wall_ms(), out, why);
    if (result == SASL_DONE && !take_principal(s, why))
        result = SASL_REFUSED;
    if (result == SASL_REFUSED)
        warn(s->c, "a client was refused", why->msg);
    else if (why->code)
        warn(s->c, "a token was refused", why->msg);
    return result;
}

void sasl_authenticate(struct request *rq)
{
    const struct sasl_authenticate_request *in = rq->in;
    struct sasl_authenticate_response *out = rq->out;
    struct sasl_conn *s = rq->conn->sasl;
    struct strbuf token;
    struct error why;
    if (!s || s->state != TOKENS) {
        out->error_code = KERR_ILLEGAL_SASL_STATE;
        out->error_message =
            SL("SaslAuthenticate request received after successful authentication");
        request_reply(rq);
        return;
    }
    enum sasl_result result = step(s, in->auth_bytes, &token, &why);
    out->auth_bytes = arena_dup(&rq->arena, strbuf_slice(&token));
    strbuf_release(&token);
    if (result == SASL_REFUSED) {
        out->error_code = KERR_SASL_AUTHENTICATION_FAILED;
        out->error_message = slice_cstr(arena_strdup(&rq->arena, why.msg));
        refuse_later(s, rq);
        return;
    }
    if (result == SASL_DONE)
        out->session_lifetime_ms = become_ready(s);
    request_reply(rq);
}

/* Version 0 of the handshake: `int32 size, token` both ways, and silence for a refusal. */
static enum conn_result raw_token(struct sasl_conn *s, struct slice token)
{
    struct strbuf out;
    struct error why;
    enum sasl_result result = step(s, token, &out, &why);
    if (result == SASL_REFUSED) {
        strbuf_release(&out);
        refuse_later(s, NULL);
        return CONN_PARKED;
    }
    char *frame = xmalloc(out.n + 4);
    store_be32(frame, (uint32_t)out.n);
    memcpy(frame + 4, out.p, out.n);
    conn_send_take(s->c, frame, out.n + 4);
    strbuf_release(&out);
    if (result == SASL_DONE)
        become_ready(s);
    return CONN_DONE;
}

/* --- frames ----------------------------------------------------------------------------------- */

static bool belongs(struct sasl_conn *s, int16_t key, int16_t version)
{
    const struct msg_api *api = msg_api(key);
    switch (s->state) {
    case START:
        if (key == KAPI_API_VERSIONS && msg_api_serves(api, version))
            s->state = VERSIONS; /* only an answer 35 lets it ask again */
        return key == KAPI_API_VERSIONS || key == KAPI_SASL_HANDSHAKE;
    case VERSIONS:
        return key == KAPI_SASL_HANDSHAKE;
    case TOKENS:
        return key == KAPI_SASL_AUTHENTICATE;
    default:
        return false;
    }
}

static enum conn_result on_frame(struct conn *c, struct rbuf *buf, struct slice frame)
{
    struct sasl_conn *s = c->sasl;
    if (s->state == RAW)
        return raw_token(s, frame);
    int16_t key = (int16_t)load_be16(frame.p);
    if (s->state == DONE) {
        if (clock_mono_ms() < s->ends_ms || key == KAPI_SASL_HANDSHAKE)
            return c->cl->on_frame(c, buf, frame);
        warn(c, "closing", "the client's session has ended and it did not authenticate again");
        return CONN_CLOSE;
    }
    if (belongs(s, key, (int16_t)load_be16(frame.p + 2)))
        return c->cl->on_frame(c, buf, frame);
    warn(c, "closing",
         s->state == TOKENS
             ? "a request that does not belong to a SASL exchange"
             : "a client without SASL came to a SASL listener; set security.protocol and "
               "sasl.mechanism in the client");
    return CONN_CLOSE;
}
