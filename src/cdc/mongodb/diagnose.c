/* cdc/mongodb/diagnose.c - see diagnose.h. */
#include "cdc/mongodb/diagnose.h"

#include <stdarg.h>

#include "base/clock.h"
#include "base/container.h"
#include "base/mem.h"

#define LIMIT_MS 3000
#define OLDEST_WIRE_VERSION 7 /* MongoDB 4.0 */
#define DEFAULT_SET "rs0"
#define DEFAULT_PORT 27017

static void fact(struct mongo_verdict *v, enum mongo_finding finding, const char *fmt, ...)
    PRINTF_LIKE(3, 4);
static void fact(struct mongo_verdict *v, enum mongo_finding finding, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(v->fact, sizeof v->fact, fmt, ap);
    va_end(ap);
    v->finding = finding;
}

static void cure(struct mongo_verdict *v, const char *where, const char *fmt, ...)
    PRINTF_LIKE(3, 4);
static void cure(struct mongo_verdict *v, const char *where, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(v->cure, sizeof v->cure, fmt, ap);
    va_end(ap);
    v->where = where;
}

/* --- texts ------------------------------------------------------------------------------------ */

struct text {
    char p[280];
};
static struct text host_text(const struct mongo_host *h)
{
    struct text t;
    struct strbuf b = STRBUF_INIT;
    if (h->name[0] == '/')
        strbuf_adds(&b, h->name);
    else
        mongo_host_print(h, &b);
    snprintf(t.p, sizeof t.p, "%s", b.p);
    strbuf_release(&b);
    return t;
}

/* The connection string with other hosts and replica set; without credentials. */
static void uri_text(const struct mongo_target *t, const char *host, const char *options,
                     struct strbuf *out)
{
    strbuf_addf(out, "mongodb://%s%s/%s?%s", t->user ? "USER:PASSWORD@" : "", host,
                t->database ? t->database : "", options);
}

static const char *wanted_set(const struct mongo_target *t, struct strbuf *tmp)
{
    struct slice set = mongo_target_option(t, "replicaSet");
    strbuf_add_slice(tmp, set);
    return set.n ? tmp->p : DEFAULT_SET;
}

static bool is_loopback(const struct mongo_host *h)
{
    return strcmp(h->name, "localhost") == 0 || strncmp(h->name, "127.", 4) == 0 ||
           strcmp(h->name, "::1") == 0;
}

/* --- nobody answers --------------------------------------------------------------------------- */

static const char *state_text(const struct mongo_probe *p)
{
    switch (p->state) {
    case PROBE_NO_NAME:
        return "the name is not known here";
    case PROBE_REFUSED:
        return p->why[0] ? p->why : "connection refused";
    case PROBE_CLOSED:
        return "it closes the connection without a word";
    default:
        return p->why[0] ? p->why : "no answer";
    }
}

static void unreachable(const struct mongo_probe *seeds, size_t count, struct mongo_verdict *v)
{
    struct strbuf b = STRBUF_INIT;
    bool loopback = false, nameless = false;
    for (size_t i = 0; i < count; i++) {
        strbuf_addf(&b, "%s%s (%s)", i ? ", " : "", host_text(&seeds[i].host).p,
                    state_text(&seeds[i]));
        loopback |= is_loopback(&seeds[i].host);
        nameless |= seeds[i].state == PROBE_NO_NAME;
    }
    fact(v, FINDING_UNREACHABLE, "no MongoDB server answers at %s", b.p);
    v->seed = seeds[0].host;
    if (loopback && container_around(""))
        cure(v, "connection string, or a shell where MongoDB runs",
             "weir runs in a container, where %s is the container itself: name the server by its "
             "service in the compose file, or host.docker.internal:%u for one on the host. If "
             "MongoDB runs in this container, too, it is not started: mongod --replSet %s "
             "--bind_ip_all --port %u",
             seeds[0].host.name, seeds[0].host.port, DEFAULT_SET, seeds[0].host.port);
    else if (nameless)
        cure(v, "a shell", "getent hosts %s || echo '<address>  %s' | sudo tee -a /etc/hosts",
             seeds[0].host.name, seeds[0].host.name);
    else
        cure(v, "a shell where MongoDB runs",
             "is mongod running, and does it listen beyond its own machine? mongod --replSet "
             "%s --bind_ip_all --port %u",
             DEFAULT_SET, seeds[0].host.port);
    strbuf_release(&b);
}

static void not_encrypted_alike(const struct mongo_target *t, const struct mongo_probe *p,
                                struct mongo_verdict *v)
{
    struct text host = host_text(&p->host);
    v->seed = p->host;
    if (p->state == PROBE_UNTRUSTED) {
        fact(v, FINDING_TLS, "the certificate of %s does not hold: %s", host.p, p->why);
        cure(v, "connector configuration",
             strstr(p->why, "mismatch")
                 ? "name the host as the certificate does, or set "
                   "mongodb.ssl.invalid.hostname.allowed=true"
                 : "set mongodb.ssl.truststore (a PEM or PKCS12 file with the certificate of the "
                   "authority that signed it) and mongodb.ssl.truststore.password");
    } else if (mongo_target_tls(t)) {
        fact(v, FINDING_TLS,
             "%s does not speak TLS, which mongodb.ssl.enabled or tls=true asks for", host.p);
        cure(v, "connector configuration",
             "leave mongodb.ssl.enabled (tls=true, ssl=true in the connection string) out");
    } else {
        fact(v, FINDING_TLS, "%s wants TLS and is asked without", host.p);
        cure(v, "connector configuration",
             "set mongodb.ssl.enabled=true (or tls=true in the connection string), and "
             "mongodb.ssl.truststore when its certificate is not signed by a public authority");
    }
}

static void nobody(const struct mongo_target *t, const struct mongo_probe *seeds, size_t count,
                   struct mongo_verdict *v)
{
    for (size_t i = 0; i < count; i++)
        if (seeds[i].state == PROBE_OTHER_TLS || seeds[i].state == PROBE_UNTRUSTED) {
            not_encrypted_alike(t, &seeds[i], v);
            return;
        }
    for (size_t i = 0; i < count; i++) {
        if (seeds[i].state != PROBE_STRANGE)
            continue;
        fact(v, FINDING_NOT_MONGODB, "this is not a MongoDB server: at %s answers %s",
             host_text(&seeds[i].host).p, seeds[i].why);
        cure(v, "connection string",
             "MongoDB's port is 27017 unless mongod says otherwise (--port)");
        v->seed = seeds[i].host;
        return;
    }
    unreachable(seeds, count, v);
}

/* --- somebody does ---------------------------------------------------------------------------- */

static void standalone(const struct mongo_target *t, const struct mongo_probe *p,
                       struct mongo_verdict *v)
{
    struct strbuf tmp = STRBUF_INIT;
    const char *set = wanted_set(t, &tmp);
    struct text host = host_text(&p->host);
    char port[32] = "";
    fact(v, FINDING_STANDALONE,
         "the server at %s is standalone: change streams need a replica set, and one member is "
         "enough: stop it, start it again as before and with --replSet, then initiate the set in "
         "mongosh",
         host.p);
    if (p->host.port != DEFAULT_PORT && p->host.name[0] != '/')
        snprintf(port, sizeof port, " --port %u", p->host.port);
    cure(v, "a shell where MongoDB runs, then mongosh",
         "mongod --replSet %s --bind_ip_all%s --dbpath <as before>\n"
         "rs.initiate({_id:\"%s\",members:[{_id:0,host:\"%s\"}]})",
         set, port, set, host.p);
    strbuf_release(&tmp);
}

static void not_initiated(const struct mongo_target *t, const struct mongo_probe *p,
                          struct mongo_verdict *v)
{
    struct strbuf tmp = STRBUF_INIT;
    struct text host = host_text(&p->host);
    fact(v, FINDING_NOT_INITIATED,
         "the server at %s was started with --replSet and never initiated", host.p);
    cure(v, "mongosh", "rs.initiate({_id:\"%s\",members:[{_id:0,host:\"%s\"}]})",
         wanted_set(t, &tmp), host.p);
    strbuf_release(&tmp);
}

static void other_set(const struct mongo_target *t, const struct mongo_probe *p,
                      struct mongo_verdict *v)
{
    struct strbuf uri = STRBUF_INIT, hosts = STRBUF_INIT, options = STRBUF_INIT;
    struct slice wanted = mongo_target_option(t, "replicaSet");
    mongo_target_hosts(t, &hosts);
    if (p->mongos) {
        fact(v, FINDING_NOT_A_SET,
             "the server at %s is a mongos, the door of a sharded cluster, and no member of a "
             "replica set \"" PRI_SL "\"",
             host_text(&p->host).p, ARG_SL(wanted));
        strbuf_adds(&options, "readPreference=primary");
    } else {
        fact(v, FINDING_OTHER_SET,
             "the replica set at %s is called \"%s\", the connection string asks for \"" PRI_SL
             "\"",
             host_text(&p->host).p, p->set_name, ARG_SL(wanted));
        strbuf_addf(&options, "replicaSet=%s", p->set_name);
    }
    uri_text(t, hosts.p, options.p, &uri);
    cure(v, "connection string", "%s", uri.p);
    strbuf_release(&uri);
    strbuf_release(&hosts);
    strbuf_release(&options);
}

static void member_names(const struct mongo_target *t, const struct mongo_probe *p,
                         const struct mongo_probe *members, size_t count, struct mongo_verdict *v)
{
    struct strbuf names = STRBUF_INIT, uri = STRBUF_INIT;
    struct text seed = host_text(&p->host);
    size_t lost = 0, first = 0;
    for (size_t i = 0; i < count; i++) {
        if (members[i].state == PROBE_ANSWERED)
            continue;
        if (!lost)
            first = i;
        strbuf_addf(&names, "%s%s (%s)", lost++ ? ", " : "", host_text(&members[i].host).p,
                    state_text(&members[i]));
    }
    fact(
        v, FINDING_MEMBER_NAMES,
        "the server at %s answers, but the replica set \"%s\" calls its members %s, and drivers go "
        "by those names",
        seed.p, p->set_name, names.p);
    uri_text(t, seed.p, "directConnection=true", &uri);
    if (count == 1)
        cure(v, "one of these: mongosh; the connection string; /etc/hosts",
             "cfg=rs.conf(); cfg.members[0].host=\"%s\"; rs.reconfig(cfg,{force:true})\n"
             "%s\n"
             "<address of the server>  %s",
             seed.p, uri.p, members[0].host.name);
    else
        cure(v, "one of these: mongosh; the connection string; /etc/hosts",
             "cfg=rs.conf(); cfg.members[%zu].host=\"<a name that can be reached from here>\"; "
             "rs.reconfig(cfg,{force:true})\n"
             "%s\n"
             "<address of the server>  %s",
             first, uri.p, members[first].host.name);
    v->seed_is_primary = p->writable && t->seed_count == 1 && lost == count;
    strbuf_release(&names);
    strbuf_release(&uri);
}

static void no_primary(const struct mongo_probe *p, const struct mongo_probe *members, size_t count,
                       struct mongo_verdict *v)
{
    struct strbuf b = STRBUF_INIT;
    for (size_t i = 0; i < count; i++)
        strbuf_addf(&b, "%s%s: %s", i ? ", " : "", host_text(&members[i].host).p,
                    members[i].state != PROBE_ANSWERED ? state_text(&members[i])
                    : members[i].secondary             ? "secondary"
                    : members[i].arbiter               ? "arbiter"
                                                       : "neither primary nor secondary");
    fact(v, FINDING_NO_PRIMARY,
         "the replica set \"%s\" has no primary now (%s): an election goes on, or too few of its "
         "members are there for one",
         p->set_name, b.p);
    cure(v, "mongosh",
         "rs.status().members.map(m => [m.name, m.stateStr, m.lastHeartbeatMessage])");
    strbuf_release(&b);
}

static void judge_set(const struct mongo_target *t, const struct mongo_probe *p,
                      const struct mongo_probe *members, size_t count, struct mongo_verdict *v)
{
    struct slice wanted = mongo_target_option(t, "replicaSet");
    size_t reached = 0;
    bool primary = false, primary_lost = false;
    if (wanted.n && !slice_eq_c(wanted, p->set_name)) {
        other_set(t, p, v);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        reached += members[i].state == PROBE_ANSWERED;
        primary |= members[i].state == PROBE_ANSWERED && members[i].writable;
        primary_lost |= members[i].state != PROBE_ANSWERED && p->primary.name[0] &&
                        mongo_host_eq(&members[i].host, &p->primary);
    }
    if (count && (!reached || (primary_lost && !primary)))
        member_names(t, p, members, count, v);
    else if (count && !primary)
        no_primary(p, members, count, v);
}

void mongo_judge(const struct mongo_target *t, const struct mongo_probe *seeds, size_t seed_count,
                 const struct mongo_probe *members, size_t member_count, struct mongo_verdict *v)
{
    const struct mongo_probe *p = NULL;
    *v = (struct mongo_verdict){0};
    for (size_t i = 0; i < seed_count && !p; i++)
        if (seeds[i].state == PROBE_ANSWERED)
            p = &seeds[i];
    if (!p) {
        nobody(t, seeds, seed_count, v);
        return;
    }
    v->seed = p->host;
    if (p->max_wire_version < OLDEST_WIRE_VERSION) {
        fact(
            v, FINDING_TOO_OLD,
            "the server at %s is older than MongoDB 4.0 (its maxWireVersion is %d): change streams "
            "of whole databases came with 4.0",
            host_text(&p->host).p, p->max_wire_version);
        cure(v, "where MongoDB runs", "upgrade to MongoDB 6.0 or later");
    } else if (p->mongos) {
        if (mongo_target_option(t, "replicaSet").n)
            other_set(t, p, v);
    } else if (p->uninitiated) {
        not_initiated(t, p, v);
    } else if (!p->set_name[0]) {
        standalone(t, p, v);
    } else if (!mongo_target_direct(t)) {
        judge_set(t, p, members, member_count, v);
    }
}

/* --- asking ----------------------------------------------------------------------------------- */

/* The members as the first seed that answered calls them; those that are seeds were asked
 * already. */
static size_t ask_members(const struct mongo_probe *seeds, size_t seed_count,
                          const struct mongo_probe_tls *tls, int32_t limit_ms,
                          struct mongo_probe members[static PROBE_MEMBERS])
{
    const struct mongo_probe *p = NULL;
    for (size_t i = 0; i < seed_count && !p; i++)
        if (seeds[i].state == PROBE_ANSWERED)
            p = &seeds[i];
    for (size_t i = 0; p && i < p->member_count; i++)
        members[i] = (struct mongo_probe){.host = p->members[i]};
    if (p)
        mongo_probe(members, p->member_count, tls, limit_ms);
    return p ? p->member_count : 0;
}

void mongo_diagnose(const struct mongo_target *t, const struct mongo_probe_tls *tls,
                    struct mongo_verdict *out)
{
    enum { MAX_SEEDS = 16, LEAST_MS = 500 };
    struct mongo_probe *all = xcalloc(MAX_SEEDS + PROBE_MEMBERS, sizeof *all);
    struct mongo_probe *members = all + MAX_SEEDS;
    size_t seeds = MIN(t->seed_count, (size_t)MAX_SEEDS), count;
    int64_t end = clock_mono_ms() + LIMIT_MS;
    *out = (struct mongo_verdict){0};
    if (!t->srv && !slice_ieq(mongo_target_option(t, "loadBalanced"), SL("true"))) {
        for (size_t i = 0; i < seeds; i++)
            all[i].host = t->seeds[i];
        mongo_probe(all, seeds, tls, LIMIT_MS - LEAST_MS);
        count = ask_members(all, seeds, tls, (int32_t)MAX(end - clock_mono_ms(), (int64_t)LEAST_MS),
                            members);
        mongo_judge(t, all, seeds, members, count, out);
    }
    mem_free(all);
}

enum err mongo_verdict_error(const struct mongo_verdict *v, struct error *e)
{
    bool passes = v->finding == FINDING_UNREACHABLE || v->finding == FINDING_NO_PRIMARY ||
                  v->finding == FINDING_MEMBER_NAMES;
    return error_set(e, passes ? E_IO : E_INVALID, "%s%s%s", v->fact, v->cure[0] ? "\n" : "",
                     v->cure);
}
