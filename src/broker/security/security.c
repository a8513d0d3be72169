/* broker/security/security.c - see security.h. */
#include "broker/security/security.h"

#include "base/base.h"
#include "base/http_url.h"
#include "base/log.h"
#include "base/mem.h"
#include "broker/security/tls.h"

static void lower(char *s)
{
    for (; *s; s++) {
        if (*s >= 'A' && *s <= 'Z')
            *s = (char)(*s + 32);
    }
}

static struct slice given(const struct broker_config *c, const char *fmt, ...) PRINTF_LIKE(2, 3);
static struct slice given(const struct broker_config *c, const char *fmt, ...)
{
    char key[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(key, sizeof key, fmt, ap);
    va_end(ap);
    return strmap_get_c(&c->values.texts, key);
}

struct slice security_option(const struct broker_config *c, const char *listener,
                             const char *mechanism, const char *name)
{
    char lower_name[256];
    struct slice v = SLICE_NULL;
    snprintf(lower_name, sizeof lower_name, "%s", listener);
    lower(lower_name);
    if (mechanism)
        v = given(c, "listener.name.%s.%s.%s", lower_name, mechanism, name);
    if (!v.p)
        v = given(c, "listener.name.%s.%s", lower_name, name);
    if (!v.p && mechanism)
        v = given(c, "%s.%s", mechanism, name);
    if (!v.p)
        v = given(c, "%s", name);
    if (v.p)
        return v;
    const struct opt_row *row = opt_find(broker_option_rows(), slice_cstr(name));
    return row ? slice_cstr(row->def) : SLICE_NULL;
}

/* The listener's own value alone, or null. */
static struct slice own_option(const struct broker_config *c, const char *listener,
                               const char *name)
{
    char lower_name[256];
    snprintf(lower_name, sizeof lower_name, "%s", listener);
    lower(lower_name);
    return given(c, "listener.name.%s.%s", lower_name, name);
}

static int64_t number(const struct broker_config *c, const char *listener, const char *mechanism,
                      const char *name)
{
    int64_t v = 0; /* the text was checked when it was set */
    return slice_to_i64(security_option(c, listener, mechanism, name), &v) == E_OK ? v : 0;
}

/* --- TLS -------------------------------------------------------------------------------------- */

static enum err open_tls(struct security *s, const struct broker_config *c, struct listener *l,
                         size_t at, struct error *e)
{
    struct tls_options o;
    const struct {
        const char *name;
        struct slice *to;
    } options[] = {
        {"ssl.keystore.type", &o.keystore_type},
        {"ssl.keystore.location", &o.keystore_location},
        {"ssl.keystore.password", &o.keystore_password},
        {"ssl.key.password", &o.key_password},
        {"ssl.keystore.certificate.chain", &o.certificate_chain},
        {"ssl.keystore.key", &o.key},
        {"ssl.truststore.type", &o.truststore_type},
        {"ssl.truststore.location", &o.truststore_location},
        {"ssl.truststore.password", &o.truststore_password},
        {"ssl.truststore.certificates", &o.truststore_certificates},
        {"ssl.client.auth", &o.client_auth},
        {"ssl.enabled.protocols", &o.protocols},
        {"ssl.cipher.suites", &o.ciphers},
        {"ssl.principal.mapping.rules", &o.principal_rules},
    };
    for (size_t i = 0; i < ARRAY_LEN(options); i++)
        *options[i].to = security_option(c, l->name, NULL, options[i].name);
    /* Where SASL tells who a client is, only a listener's own option asks for certificates too. */
    if (!strcmp(l->protocol, "SASL_SSL") && !own_option(c, l->name, "ssl.client.auth").p)
        o.client_auth = SL("none");
    enum err r = tls_context_new(&s->tls[at], &o, e);
    if (r != E_OK)
        return r;
    l->tls = s->tls[at];
    return E_OK;
}

/* --- SASL ------------------------------------------------------------------------------------- */

static void enable(struct sasl_rules *r, const struct listener *l, struct slice list)
{
    struct slice part;
    while (list.p && opt_list_next(&list, &part)) {
        enum sasl_mechanism m = sasl_mechanism_find(part);
        if (m == SASL_MECHANISMS) {
            if (part.n)
                LOG_WARN(LOG_BROKER,
                         "sasl.enabled.mechanisms: " PRI_SL " is not served; PLAIN, "
                         "SCRAM-SHA-256, SCRAM-SHA-512 and OAUTHBEARER are listener=%s",
                         ARG_SL(part), l->name);
        } else if (!r->enabled[m]) {
            r->enabled[m] = true;
            r->order[r->count++] = m;
        }
    }
}

static enum err open_mechanism(struct sasl_rules *r, const struct broker_config *c,
                               const struct listener *l, enum sasl_mechanism m, struct error *e)
{
    char name[32];
    snprintf(name, sizeof name, "%s", sasl_mechanism_name(m));
    lower(name);
    r->max_reauth_ms[m] = number(c, l->name, name, "connections.max.reauth.ms");
    struct slice jaas = security_option(c, l->name, name, "sasl.jaas.config");
    if (jaas.n)
        return sasl_rules_jaas(r, m, jaas, e);
    if (m == SASL_PLAIN)
        LOG_WARN(LOG_BROKER,
                 "PLAIN has no users: set listener.name.<name>.plain.sasl.jaas.config listener=%s",
                 l->name);
    return E_OK;
}

static enum err open_sasl(struct security *s, const struct broker_config *c, struct listener *l,
                          size_t at, struct error *e)
{
    struct sasl_rules *r = xcalloc(1, sizeof *r);
    sasl_rules_init(r);
    s->sasl[at] = r;
    r->scram = s->scram;
    r->max_receive = (size_t)MAX(1, number(c, l->name, NULL, "sasl.server.max.receive.size"));
    r->failure_delay_ms = number(c, l->name, NULL, "connection.failed.authentication.delay.ms");
    enable(r, l, security_option(c, l->name, NULL, "sasl.enabled.mechanisms"));
    if (r->count == 0) {
        error_set(e, E_INVALID, "sasl.enabled.mechanisms lists none that is served");
        error_hint(e, "PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 and OAUTHBEARER are");
        return E_INVALID;
    }
    for (size_t i = 0; i < r->count; i++) {
        enum err result = open_mechanism(r, c, l, r->order[i], e);
        if (result != E_OK)
            return result;
    }
    l->sasl = r;
    return E_OK;
}

/* Passwords of PLAIN are on the wire as they are. */
static void warn_of_plain_text(const struct listener *l)
{
    if (l->sasl && l->sasl->enabled[SASL_PLAIN] && !l->tls && !http_name_is_loopback(l->host))
        LOG_WARN(LOG_BROKER,
                 "passwords of PLAIN can be read on the way: serve it by SASL_SSL, or use "
                 "SCRAM-SHA-512 listener=%s host=%s",
                 l->name, l->host[0] ? l->host : "0.0.0.0");
}

/* --- authorizer ------------------------------------------------------------------------------- */

static enum err open_authorizer(struct security *s, const struct broker_config *c, struct db *db,
                                struct error *e)
{
    static const char *const known[] = {"org.apache.kafka.metadata.authorizer.StandardAuthorizer",
                                        "kafka.security.authorizer.AclAuthorizer",
                                        "kafka.security.auth.SimpleAclAuthorizer"};
    struct slice name = security_option(c, "", NULL, "authorizer.class.name");
    if (name.n == 0)
        return E_OK;
    bool is_known = false;
    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        is_known |= slice_eq_c(name, known[i]);
    if (!is_known) {
        error_set(e, E_INVALID, "authorizer.class.name: there is no " PRI_SL, ARG_SL(name));
        error_hint(e, "%s is served", known[0]);
        return E_INVALID;
    }
    struct slice supers = security_option(c, "", NULL, "super.users");
    enum err r = acl_check_super_users(supers, e);
    if (r != E_OK)
        return r;
    return acl_store_open(
        &s->acls, db, supers,
        slice_ieq(security_option(c, "", NULL, "allow.everyone.if.no.acl.found"), SL("true")), e);
}

/* --- all -------------------------------------------------------------------------------------- */

enum err security_open(struct security *s, const struct broker_config *c, struct listeners *ls,
                       struct db *db, struct error *e)
{
    *s = (struct security){0};
    enum err r = scram_store_open(&s->scram, db, e);
    if (r == E_OK)
        r = open_authorizer(s, c, db, e);
    for (size_t i = 0; r == E_OK && i < ls->count; i++) {
        struct listener *l = &ls->v[i];
        bool tls = !strcmp(l->protocol, "SSL") || !strcmp(l->protocol, "SASL_SSL");
        bool sasl = slice_starts(slice_cstr(l->protocol), SL("SASL_"));
        if (tls)
            r = open_tls(s, c, l, i, e);
        if (r == E_OK && sasl)
            r = open_sasl(s, c, l, i, e);
        if (r == E_OK)
            warn_of_plain_text(l);
        if (r != E_OK)
            error_wrap(e, "listener %s", l->name);
    }
    return r;
}

void security_release(struct security *s)
{
    for (size_t i = 0; i < LISTENERS_MAX; i++) {
        if (s->sasl[i])
            sasl_rules_release(s->sasl[i]);
        mem_free(s->sasl[i]);
        tls_context_free(s->tls[i]);
    }
    scram_store_close(s->scram);
    acl_store_close(s->acls);
    *s = (struct security){0};
}
