/* cdc/mongodb/target.c - see target.h.
 *
 *   mongodb://user:password@host1:27017,host2:27017/database?option=value&...
 *
 * Java takes the slash before ? as understood when it is left out; so do we. */
#include "cdc/mongodb/target.h"

#include <ctype.h>

#include "base/log.h"
#include "base/mem.h"

#define DEFAULT_PORT 27017
#define INVALID "Invalid connection string"

static enum err invalid(struct error *e, const char *why)
{
    error_set(e, E_INVALID, INVALID);
    error_hint(e, "%s", why);
    return E_INVALID;
}

/* --- percent codes ------------------------------------------------------------------------------ */

static int hex_digit(char c)
{
    return isdigit((unsigned char)c)    ? c - '0'
           : isxdigit((unsigned char)c) ? tolower((unsigned char)c) - 'a' + 10
                                        : -1;
}

/* A % that begins no code stands for itself: passwords are often written down as they are. */
static void decode(struct slice s, struct strbuf *out)
{
    for (size_t i = 0; i < s.n; i++) {
        int hi = s.p[i] == '%' && i + 2 < s.n ? hex_digit(s.p[i + 1]) : -1;
        int lo = hi >= 0 ? hex_digit(s.p[i + 2]) : -1;
        if (lo < 0) {
            strbuf_addc(out, s.p[i]);
            continue;
        }
        strbuf_addc(out, (char)(hi << 4 | lo));
        i += 2;
    }
}

static char *decoded(struct slice s)
{
    struct strbuf b = STRBUF_INIT;
    decode(s, &b);
    char *text = slice_dup(strbuf_slice(&b));
    mem_wipe(b.p, b.n);
    strbuf_release(&b);
    return text;
}

static void encode(struct slice s, struct strbuf *out)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (isalnum(c) || strchr("-._~", c))
            strbuf_addc(out, (char)c);
        else
            strbuf_addf(out, "%%%02X", c);
    }
}

/* --- hosts -------------------------------------------------------------------------------------- */

enum err mongo_host_parse(struct slice text, struct mongo_host *out)
{
    struct slice name = text, port = SLICE_NULL;
    ptrdiff_t close = text.n && text.p[0] == '[' ? slice_find_char(text, ']') : -1;
    ptrdiff_t colon = close > 0 ? -1 : slice_rfind_char(text, ':');
    if (close > 0) {
        name = slice_sub(text, 1, (size_t)close);
        port = slice_sub(text, (size_t)close + 1, text.n);
        if (port.n && port.p[0] != ':')
            return E_INVALID;
        port = slice_sub(port, 1, port.n);
    } else if (colon >= 0) {
        name = slice_sub(text, 0, (size_t)colon);
        port = slice_sub(text, (size_t)colon + 1, text.n);
        if (!port.n)
            return E_INVALID;
    }
    uint64_t n = DEFAULT_PORT;
    if ((port.n && slice_to_u64(port, &n)) || n == 0 || n > 65535 || !name.n ||
        name.n >= sizeof out->name)
        return E_INVALID;
    for (size_t i = 0; i < name.n; i++)
        if ((unsigned char)name.p[i] <= ' ' || (close < 0 && strchr("[]@/?:", name.p[i])))
            return E_INVALID;
    *out = (struct mongo_host){.port = (uint16_t)n};
    memcpy(out->name, name.p, name.n);
    return E_OK;
}

void mongo_host_print(const struct mongo_host *h, struct strbuf *out)
{
    strbuf_addf(out, strchr(h->name, ':') ? "[%s]:%u" : "%s:%u", h->name, h->port);
}

bool mongo_host_eq(const struct mongo_host *a, const struct mongo_host *b)
{
    return a->port == b->port && slice_ieq(slice_cstr(a->name), slice_cstr(b->name));
}

static enum err take_hosts(struct mongo_target *t, struct slice text, struct error *e)
{
    struct slice part;
    while (slice_split(&text, ',', &part)) {
        struct mongo_host h;
        t->seeds = xrealloc(t->seeds, (t->seed_count + 1) * sizeof *t->seeds);
        if (slice_ends(part, SL(".sock"))) { /* a socket's path, percent-encoded */
            char *path = decoded(part);
            h = (struct mongo_host){.port = DEFAULT_PORT};
            snprintf(h.name, sizeof h.name, "%s", path);
            mem_free(path);
        } else if (mongo_host_parse(slice_trim(part), &h)) {
            return invalid(e,
                           "behind :// and the user stand host:port,host:port with ports between "
                           "1 and 65535");
        }
        t->seeds[t->seed_count++] = h;
    }
    if (t->srv && (t->seed_count != 1 || slice_find_char(slice_cstr(t->seeds[0].name), '.') < 0))
        return invalid(e, "mongodb+srv:// takes one host name with dots, without a port");
    return E_OK;
}

/* --- options ------------------------------------------------------------------------------------ */

/* What the driver knows, and what becomes of the rest: other names for the same, and what belongs to
 * pools of Java's driver. readConcernLevel is not among them: commands name the concern that they need,
 * and the driver would add the client's to them, which servers refuse. */
static const struct {
    const char *name, *driver; /* NULL: left out */
} known[] = {
    {"appName", "appName"},
    {"authMechanism", "authMechanism"},
    {"authMechanismProperties", "authMechanismProperties"},
    {"authSource", "authSource"},
    {"compressors", "compressors"},
    {"connectTimeoutMS", "connectTimeoutMS"},
    {"directConnection", "directConnection"},
    {"gssapiServiceName", "gssapiServiceName"},
    {"heartbeatFrequencyMS", "heartbeatFrequencyMS"},
    {"journal", "journal"},
    {"loadBalanced", "loadBalanced"},
    {"localThresholdMS", "localThresholdMS"},
    {"maxStalenessSeconds", "maxStalenessSeconds"},
    {"readPreference", "readPreference"},
    {"readPreferenceTags", "readPreferenceTags"},
    {"replicaSet", "replicaSet"},
    {"retryReads", "retryReads"},
    {"retryWrites", "retryWrites"},
    {"serverSelectionTimeoutMS", "serverSelectionTimeoutMS"},
    {"socketTimeoutMS", "socketTimeoutMS"},
    {"srvServiceName", "srvServiceName"},
    {"srvMaxHosts", "srvMaxHosts"},
    {"ssl", "tls"},
    {"sslInvalidHostNameAllowed", "tlsAllowInvalidHostnames"},
    {"tls", "tls"},
    {"tlsInsecure", "tlsInsecure"},
    {"tlsAllowInvalidCertificates", "tlsAllowInvalidCertificates"},
    {"tlsAllowInvalidHostnames", "tlsAllowInvalidHostnames"},
    {"tlsCAFile", "tlsCAFile"},
    {"tlsCertificateKeyFile", "tlsCertificateKeyFile"},
    {"tlsCertificateKeyFilePassword", "tlsCertificateKeyFilePassword"},
    {"w", "w"},
    {"wTimeoutMS", "wTimeoutMS"},
    {"wtimeout", "wTimeoutMS"},
    {"zlibCompressionLevel", "zlibCompressionLevel"},
};

/* The driver's name; NULL when it has none. */
static const char *driver_name(struct slice name)
{
    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (slice_ieq(name, slice_cstr(known[i].name)))
            return known[i].driver;
    return NULL;
}

static enum err take_options(struct mongo_target *t, struct slice text, struct error *e)
{
    struct slice part;
    while (text.p && slice_split(&text, '&', &part)) {
        ptrdiff_t equals = slice_find_char(part, '=');
        if (!part.n)
            continue;
        if (equals <= 0)
            return invalid(e, "behind ? stand option=value&option=value");
        struct slice name = slice_sub(part, 0, (size_t)equals);
        const char *driver = driver_name(name);
        if (!driver) {
            LOG_DEBUG(LOG_CDC_MONGO, "connection string option " PRI_SL " is not used",
                      ARG_SL(name));
            continue;
        }
        char *value = decoded(slice_sub(part, (size_t)equals + 1, part.n));
        struct slice before = mongo_target_option(t, driver);
        if (before.p && strcmp(driver, "readPreferenceTags") == 0) { /* the one that may repeat */
            char *all = xasprintf(PRI_SL "&readPreferenceTags=%s", ARG_SL(before), value);
            strmap_set(&t->options, slice_cstr(driver), slice_cstr(all));
            mem_free(all);
        } else {
            strmap_set(&t->options, slice_cstr(driver), slice_cstr(value));
        }
        mem_wipe(value, strlen(value));
        mem_free(value);
    }
    return E_OK;
}

static void set_default(struct mongo_target *t, const char *name, struct slice value)
{
    if (value.p && !strmap_has(&t->options, slice_cstr(name)))
        strmap_set(&t->options, slice_cstr(name), value);
}

static void set_number(struct mongo_target *t, const char *name, int64_t value)
{
    char text[32];
    snprintf(text, sizeof text, "%lld", (long long)value);
    strmap_set(&t->options, slice_cstr(name), slice_cstr(text));
}

/* A number of the string, else the option's. */
static int32_t number(const struct mongo_target *t, const char *name, int32_t otherwise)
{
    int64_t n;
    struct slice text = mongo_target_option(t, name);
    if (!text.p || slice_to_i64(text, &n) || n < 0)
        return otherwise;
    return (int32_t)MIN(n, (int64_t)INT32_MAX);
}

/* The other options are defaults: what the string says wins. */
static void complete(struct mongo_target *t, const struct mongo_options *o, const char *app)
{
    enum { MIN_HEARTBEAT_MS = 500 };
    struct slice user = slice_trim(o->user);
    t->user_in_string = t->user != NULL;
    if (t->user && !t->password && o->password.n && (!user.n || slice_eq_c(user, t->user)))
        t->password = slice_dup(o->password);
    if (!t->user && user.n) {
        t->user = slice_dup(user);
        t->password = o->password.n ? slice_dup(o->password) : NULL;
        struct slice source = slice_trim(o->auth_source);
        set_default(t, "authSource", source.n ? source : SL("admin"));
    }
    if (o->ssl_enabled)
        set_default(t, "tls", SL("true"));
    if (o->ssl_any_hostname && mongo_target_tls(t))
        set_default(t, "tlsAllowInvalidHostnames", SL("true"));
    set_default(t, "appName", slice_cstr(app));
    t->selection_timeout_ms =
        number(t, "serverSelectionTimeoutMS", MAX(o->selection_timeout_ms, 0));
    set_number(t, "connectTimeoutMS", number(t, "connectTimeoutMS", MAX(o->connect_timeout_ms, 0)));
    /* 0 is no limit; the driver would take it for its default of five minutes. */
    int32_t wait = number(t, "socketTimeoutMS", MAX(o->socket_timeout_ms, 0));
    set_number(t, "socketTimeoutMS", wait ? wait : INT32_MAX);
    set_number(
        t, "heartbeatFrequencyMS",
        MAX(number(t, "heartbeatFrequencyMS", o->monitor_interval_ms), (int32_t)MIN_HEARTBEAT_MS));
}

/* --- the whole ---------------------------------------------------------------------------------- */

static void take_user(struct mongo_target *t, struct slice text)
{
    ptrdiff_t colon = slice_find_char(text, ':');
    t->user = decoded(colon < 0 ? text : slice_sub(text, 0, (size_t)colon));
    if (colon >= 0 && (size_t)colon + 1 < text.n) /* MongoDB has no empty ones */
        t->password = decoded(slice_sub(text, (size_t)colon + 1, text.n));
}

static enum err take_apart(struct mongo_target *t, struct slice text, struct error *e)
{
    struct slice query = SLICE_NULL, path = SLICE_NULL;
    if (slice_istarts(text, SL("mongodb+srv://")))
        t->srv = true;
    else if (!slice_istarts(text, SL("mongodb://")))
        return invalid(e, "it begins with mongodb:// or mongodb+srv://");
    struct slice rest = slice_sub(text, t->srv ? 14 : 10, text.n);
    ptrdiff_t at = slice_find_char(rest, '?');
    if (at >= 0) {
        query = slice_sub(rest, (size_t)at + 1, rest.n);
        rest = slice_sub(rest, 0, (size_t)at);
    }
    at = slice_rfind_char(rest, '@'); /* a password may hold one that was not encoded */
    if (at >= 0) {
        take_user(t, slice_sub(rest, 0, (size_t)at));
        rest = slice_sub(rest, (size_t)at + 1, rest.n);
    }
    at = slice_find_char(rest, '/');
    if (at >= 0) {
        path = slice_sub(rest, (size_t)at + 1, rest.n);
        rest = slice_sub(rest, 0, (size_t)at);
    }
    if (path.n)
        t->database = decoded(path);
    if (t->user && !t->user[0])
        return invalid(e, "the user in front of @ has no name");
    enum err rc = take_hosts(t, rest, e);
    return rc ? rc : take_options(t, query, e);
}

enum err mongo_target_init(struct mongo_target *t, const struct mongo_options *o, const char *app,
                           struct error *e)
{
    *t = (struct mongo_target){0};
    strmap_init(&t->options);
    struct slice text = slice_trim(o->connection_string);
    if (!text.n)
        return error_set(e, E_INVALID, "Missing connection string");
    enum err rc = take_apart(t, text, e);
    if (rc == E_OK)
        complete(t, o, app);
    return rc;
}

const char *mongo_target_no_password(const struct mongo_target *t, struct error *e)
{
    static const char *const without[] = {"MONGODB-X509", "GSSAPI", "MONGODB-AWS", "MONGODB-OIDC"};
    struct slice mechanism = mongo_target_option(t, "authMechanism");
    if (!t->user || t->password)
        return NULL;
    for (size_t i = 0; i < ARRAY_LEN(without); i++)
        if (slice_ieq(mechanism, slice_cstr(without[i])))
            return NULL;
    error_set(e, E_INVALID,
              "no password is given for user '%s': set mongodb.password, or put it into the "
              "connection string",
              t->user);
    return t->user_in_string ? "mongodb.connection.string" : "mongodb.password";
}

void mongo_target_release(struct mongo_target *t)
{
    if (t->password)
        mem_wipe(t->password, strlen(t->password));
    mem_free(t->password);
    mem_free(t->user);
    mem_free(t->database);
    mem_free(t->seeds);
    for (size_t i = 0; i < t->options.count; i++) {
        const struct strmap_entry *o = &t->options.entries[i];
        if (slice_ieq(o->key, SL("tlsCertificateKeyFilePassword")))
            mem_wipe((char *)(uintptr_t)o->value.p, o->value.n);
    }
    strmap_release(&t->options);
    *t = (struct mongo_target){0};
}

static bool is_discovery(struct slice name)
{
    return slice_eq_c(name, "directConnection") || slice_eq_c(name, "replicaSet") ||
           slice_eq_c(name, "loadBalanced") || slice_starts(name, SL("srv"));
}

void mongo_target_print(const struct mongo_target *t, const struct mongo_host *one,
                        struct strbuf *out)
{
    strbuf_adds(out, t->srv && !one ? "mongodb+srv://" : "mongodb://");
    if (t->user) {
        encode(slice_cstr(t->user), out);
        if (t->password) {
            strbuf_addc(out, ':');
            encode(slice_cstr(t->password), out);
        }
        strbuf_addc(out, '@');
    }
    for (size_t i = 0; i < (one ? 1 : t->seed_count); i++) {
        const struct mongo_host *h = one ? one : &t->seeds[i];
        if (i)
            strbuf_addc(out, ',');
        if (h->name[0] == '/')
            encode(slice_cstr(h->name), out);
        else if (t->srv && !one)
            strbuf_adds(out, h->name);
        else
            mongo_host_print(h, out);
    }
    strbuf_addc(out, '/');
    if (t->database)
        encode(slice_cstr(t->database), out);
    strbuf_adds(out, one ? "?directConnection=true&serverSelectionTimeoutMS=1000"
                         : "?serverSelectionTimeoutMS=1000");
    for (size_t i = 0; i < t->options.count; i++) {
        const struct strmap_entry *o = &t->options.entries[i];
        if (slice_eq_c(o->key, "serverSelectionTimeoutMS") || (one && is_discovery(o->key)))
            continue;
        strbuf_addf(out, "&" PRI_SL "=", ARG_SL(o->key));
        /* Lists of tags and properties keep their signs. */
        if (slice_eq_c(o->key, "readPreferenceTags") ||
            slice_eq_c(o->key, "authMechanismProperties") || slice_eq_c(o->key, "compressors"))
            strbuf_add_slice(out, o->value);
        else
            encode(o->value, out);
    }
}

void mongo_target_hosts(const struct mongo_target *t, struct strbuf *out)
{
    for (size_t i = 0; i < t->seed_count; i++) {
        if (i)
            strbuf_addc(out, ',');
        if (t->srv || t->seeds[i].name[0] == '/')
            strbuf_adds(out, t->seeds[i].name);
        else
            mongo_host_print(&t->seeds[i], out);
    }
}

struct slice mongo_target_option(const struct mongo_target *t, const char *name)
{
    return strmap_get_c(&t->options, name);
}

static bool is_true(const struct mongo_target *t, const char *name)
{
    return slice_ieq(mongo_target_option(t, name), SL("true"));
}

bool mongo_target_direct(const struct mongo_target *t)
{
    return is_true(t, "directConnection");
}

bool mongo_target_tls(const struct mongo_target *t)
{
    return is_true(t, "tls") || (t->srv && !mongo_target_option(t, "tls").p);
}
