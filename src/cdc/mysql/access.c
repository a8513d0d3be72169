/* cdc/mysql/access.c - see access.h. */
#include "cdc/mysql/access.h"

#include "base/mem.h"

static char *dup_or_null(struct slice s)
{
    return s.n ? slice_dup(s) : NULL;
}

/* Words of both drivers, with - or _. */
static enum mysql_ssl_mode ssl_mode(struct slice text)
{
    static const struct {
        const char *name;
        enum mysql_ssl_mode mode;
    } names[] = {
        {"disabled", MYSQL_SSL_DISABLED},
        {"disable", MYSQL_SSL_DISABLED},
        {"preferred", MYSQL_SSL_PREFERRED},
        {"required", MYSQL_SSL_REQUIRED},
        {"trust", MYSQL_SSL_REQUIRED},
        {"verify_ca", MYSQL_SSL_VERIFY_CA},
        {"verify_identity", MYSQL_SSL_VERIFY_IDENTITY},
        {"verify_full", MYSQL_SSL_VERIFY_IDENTITY},
    };
    char word[32] = "";
    text = slice_trim(text);
    for (size_t i = 0; i < text.n && i < sizeof word - 1; i++)
        word[i] = text.p[i] == '-' ? '_' : text.p[i];
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (slice_ieq(slice_cstr(word), slice_cstr(names[i].name)))
            return names[i].mode;
    return MYSQL_SSL_PREFERRED;
}

enum err mysql_access_init(struct mysql_access *a, const struct mysql_options *o, struct error *e)
{
    *a = (struct mysql_access){
        .host = slice_dup(o->hostname.p ? o->hostname : SL("")),
        .user = slice_dup(o->user.p ? o->user : SL("")),
        .password = dup_or_null(o->password),
        .opened = true,
        .trusted = {.fd = -1},
        .own = {.fd = -1},
        .port = (uint16_t)o->port,
        .ssl = ssl_mode(o->ssl_mode),
        .connect_timeout_ms = o->connect_timeout_ms > 0 ? (uint32_t)o->connect_timeout_ms : 0,
    };
    enum err rc = keystore_open(&a->trusted, o->ssl_truststore, o->ssl_truststore_password, e);
    if (rc == E_OK)
        rc = keystore_open(&a->own, o->ssl_keystore, o->ssl_keystore_password, e);
    return rc;
}

enum err mysql_access_load(struct mysql_access *a, struct mysql_options *o, enum mysql_flavour f,
                           const struct strmap *config, struct error *e)
{
    *a = (struct mysql_access){0};
    enum err rc = mysql_options_load(o, f, config, e);
    return rc ? rc : mysql_access_init(a, o, e);
}

void mysql_access_release(struct mysql_access *a)
{
    if (a->password)
        mem_wipe(a->password, strlen(a->password));
    mem_free(a->password);
    mem_free(a->host);
    mem_free(a->user);
    if (a->opened) {
        keystore_close(&a->trusted);
        keystore_close(&a->own);
    }
    *a = (struct mysql_access){0};
}

struct mysql_conn_options mysql_access_options(const struct mysql_access *a,
                                               const atomic_bool *stop)
{
    return (struct mysql_conn_options){
        .host = a->host,
        .port = a->port,
        .user = a->user,
        .password = a->password,
        .ssl = a->ssl,
        .ssl_ca = a->trusted.path,
        .ssl_cert = a->own.path,
        .ssl_key = a->own.path,
        .stop = stop,
        .connect_timeout_ms = a->connect_timeout_ms,
    };
}

void mysql_access_problem(const struct error *e, int64_t timeout_ms, struct strbuf *out)
{
    if (e->code == E_TIMEOUT)
        strbuf_addf(out, "Connection validation timed out after %lld ms", (long long)timeout_ms);
    else if (e->code == E_IO)
        strbuf_adds(out, "Unable to connect: Communications link failure\n\nThe last packet sent "
                         "successfully to the server was 0 milliseconds ago. The driver has not "
                         "received any packets from the server.");
    else
        strbuf_addf(out, "Unable to connect: %s", e->msg);
}
