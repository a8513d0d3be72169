/* cli/runtime.c - see runtime.h.
 *
 * Start: data directory, SQLite, pool, broker (loads its logs, opens :9092), HTTP loop, Connect
 * worker
 * (:8083), web page (:8080). Stop runs the other way round, so that what is stopped first is what
 * could bring new work. */
#include "cli/runtime.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/base.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/metrics_host.h"
#include "base/pool.h"
#include "base/sdnotify.h"
#include "broker/broker.h"
#include "cli/exposure.h"
#include "cli/listen_address.h"
#include "connect/connect.h"
#include "web/web.h"

#define METRICS_PORTS_MAX 8
#define DATA_LOCK "weir.lock"

struct runtime {
    char *data_dir;
    char *broker_dir;
    struct fs_file lock; /* of data_dir */
    struct db *db;
    struct pool *pool;       /* HTTP handlers: may wait for databases */
    struct pool *kafka_pool; /* the broker's, which must not wait for those */
    struct broker *broker;
    struct loop *http;
    struct connect *connect;
    struct web *web;
    struct metrics_server *metrics[METRICS_PORTS_MAX];
    size_t metrics_count;
    struct listen_claims claims;
    enum exposure_option listen_option; /* that gave the broker's listeners */
    char **allowed_hosts;               /* ends with NULL */
    struct runtime_addresses where;
};

/* --- small things ----------------------------------------------------------------------------- */

/* "info", or "broker.group=debug". */
static enum err set_level(struct slice part, struct error *e)
{
    ptrdiff_t eq = slice_find_char(part, '=');
    char *name = eq < 0 ? xstrdup("root") : slice_dup(slice_sub(part, 0, (size_t)eq));
    char *level_text = slice_dup(slice_sub(part, (size_t)(eq + 1), part.n));
    enum log_level level;
    enum err err = log_parse_level(level_text, &level);
    if (!err)
        err = log_set_level(name, level);
    mem_free(name);
    mem_free(level_text);
    if (err) {
        error_set(e, E_INVALID, "log-level: '" PRI_SL "' is not a level", ARG_SL(part));
        error_hint(e, "one of error, warn, info, debug, trace, or CATEGORY=LEVEL");
        err = E_INVALID;
    }
    return err;
}

/* The level of all first, wherever it stands: it would take back those of parts. */
static enum err set_log_level(struct slice text, struct error *e)
{
    for (int parts = 0; parts < 2; parts++) {
        struct slice rest = text, part;
        while (opt_list_next(&rest, &part)) {
            enum err err = (slice_find_char(part, '=') >= 0) == parts ? set_level(part, e) : E_OK;
            if (err)
                return err;
        }
    }
    return E_OK;
}

static char **split_hosts(struct slice list)
{
    size_t n = 0;
    struct slice part, rest = list;
    while (opt_list_next(&rest, &part))
        n++;
    char **out = xcalloc(n + 1, sizeof *out);
    n = 0;
    for (rest = list; opt_list_next(&rest, &part);)
        out[n++] = slice_dup(part);
    return out;
}

/* Milliseconds since this process began, from the kernel's start time. */
static int64_t process_age_ms(void)
{
    struct strbuf b = STRBUF_INIT;
    int64_t age = 0;
    if (fs_read_all("/proc/self/stat", 4096, &b, NULL) == E_OK) {
        const char *at = strrchr(b.p, ')');
        unsigned long long ticks = 0;
        if (at &&
            sscanf(
                at + 1,
                " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu",
                &ticks) == 1) {
            struct timespec up;
            clock_gettime(CLOCK_BOOTTIME, &up);
            age = (int64_t)up.tv_sec * 1000 + up.tv_nsec / 1000000 -
                  (int64_t)(ticks * 1000 / (unsigned long long)sysconf(_SC_CLK_TCK));
        }
    }
    strbuf_release(&b);
    return MAX(age, 0);
}

/* --- start ------------------------------------------------------------------------------------ */

/* Before anything in the directory is touched: two processes on one database, of two versions
 * maybe, would spoil it. */
static enum err lock_data_dir(const char *dir, struct fs_file *lock, struct error *e)
{
    char *path = xasprintf("%s/" DATA_LOCK, dir);
    enum err err = fs_lock(lock, path, e);
    if (err == E_CONFLICT) {
        int pid = e->sys;
        if (pid > 0)
            error_set(e, E_CONFLICT, "weir runs here already (process %d), with its data in %s",
                      pid, dir);
        else
            error_set(e, E_CONFLICT, "weir runs here already, with its data in %s", dir);
        error_hint(e, "stop it, or give this one a directory of its own: --data-dir DIR");
    }
    mem_free(path);
    return err;
}

static enum err start_storage(struct runtime *r, struct server_config *c,
                              const struct connect_plugins *const *plugins, struct error *e)
{
    enum err err = fs_mkdirs(r->data_dir, e);
    if (err || access(r->data_dir, W_OK | X_OK) != 0) {
        if (!err)
            err = error_sys(e, errno, "data directory %s cannot be written", r->data_dir);
        error_hint(e, "choose another with --data-dir DIR, or change its owner");
        return err;
    }
    err = lock_data_dir(r->data_dir, &r->lock, e);
    if (!err)
        err = fs_mkdirs(r->broker_dir, e);
    if (err)
        return err;
    const struct db_migrations *all[32];
    size_t n = 0;
    for (const struct db_migrations *const *m = broker_migrations(); *m; m++)
        all[n++] = *m;
    all[n++] = &connect_migrations;
    n += connect_plugin_migrations(plugins, all + n, ARRAY_LEN(all) - n - 1);
    all[n] = NULL;
    char *path = xasprintf("%s/weir.db", r->data_dir);
    err = db_open(&r->db, path, c->broker.o.durability == BROKER_DURABILITY_SYNC, all, e);
    mem_free(path);
    return err;
}

/* The ports of the broker's listeners, and the option that gave them. */
static enum err claim_listeners(struct runtime *r, const char *option, struct error *e)
{
    size_t n;
    const struct broker_listener_info *l = broker_listeners(r->broker, &n);
    enum err err = E_OK;
    for (size_t i = 0; !err && i < n; i++) {
        struct http_listen at = {.port = (uint16_t)l[i].port};
        snprintf(at.host, sizeof at.host, "%s", l[i].host);
        err = listen_claim(&r->claims, option, &at, e);
    }
    return err;
}

static enum err start_broker(struct runtime *r, struct server_config *c, struct error *e)
{
    enum err err = broker_config_set(&c->broker, SL("log.dirs"), slice_cstr(r->broker_dir), e);
    c->broker.o.data_dir = slice_cstr(r->broker_dir);
    /* Only advertised addresses, as images allow: each is listened to, on all interfaces. */
    if (!err && !strmap_has(&c->broker.values.texts, SL("listeners")) &&
        strmap_has(&c->broker.values.texts, SL("advertised.listeners")) &&
        !strmap_has(&c->values.texts, SL("kafka-listen")))
        err = broker_config_set(&c->broker, SL("listeners"), SL(""), e);
    if (!err && c->o.lab_brokers.n)
        err = broker_config_set(&c->broker, SL("lab.brokers"), c->o.lab_brokers, e);
    const char *option = "listeners";
    r->listen_option = EXPOSURE_LISTENERS;
    if (!err && !strmap_has(&c->broker.values.texts, SL("listeners"))) {
        option = "--kafka-listen";
        r->listen_option = EXPOSURE_KAFKA;
        struct http_listen at;
        err = listen_address_parse(c->o.kafka_listen, &at, e);
        if (!err) {
            bool v6 = strchr(at.host, ':') != NULL;
            char *url =
                xasprintf("PLAINTEXT://%s%s%s:%u", v6 ? "[" : "", at.host, v6 ? "]" : "", at.port);
            err = broker_config_set(&c->broker, SL("listeners"), slice_cstr(url), e);
            mem_free(url);
        }
    }
    if (!err)
        err = broker_start(&r->broker, &c->broker, r->db, r->kafka_pool, e);
    if (err)
        return err;
    size_t n;
    const struct broker_listener_info *l = broker_listeners(r->broker, &n);
    r->where.kafka_port = n ? l[0].port : 0;
    snprintf(r->where.kafka, sizeof r->where.kafka, "%s", n ? l[0].advertised : "");
    return claim_listeners(r, option, e);
}

/* What is open; start_metrics adds its addresses. option: what gave the broker's listeners. */
static void add_exposure(const struct runtime *r, enum exposure_option option,
                         const struct http_listen *rest, const struct http_listen *web,
                         struct exposure *x)
{
    size_t n;
    const struct broker_listener_info *l = broker_listeners(r->broker, &n);
    for (size_t i = 0; i < n; i++)
        if (!l[i].guarded)
            exposure_add(x, "Kafka", option, l[i].host, l[i].port);
    exposure_add(x, "Connect", EXPOSURE_CONNECT, rest->host, rest->port);
    exposure_add(x, "the web page", EXPOSURE_WEB, web->host, web->port);
}

static void url_of(const struct http_listen *at, char *out, size_t room)
{
    bool any = strcmp(at->host, "0.0.0.0") == 0 || strcmp(at->host, "::") == 0;
    bool v6 = strchr(at->host, ':') != NULL && !any;
    snprintf(out, room, "http://%s%s%s:%u", v6 ? "[" : "", any ? "localhost" : at->host,
             v6 ? "]" : "", at->port);
}

static enum err start_metrics(struct runtime *r, struct slice list, struct exposure *x,
                              struct error *e)
{
    struct slice part;
    while (opt_list_next(&list, &part)) {
        struct http_listen at;
        if (part.n == 0)
            continue;
        if (r->metrics_count == METRICS_PORTS_MAX)
            return error_set(e, E_INVALID, "metrics-listen: more than %d addresses",
                             METRICS_PORTS_MAX);
        enum err err = listen_address_parse(part, &at, e);
        if (!err)
            err = listen_claim(&r->claims, "--metrics-listen", &at, e);
        if (!err)
            err = metrics_server_start(&r->metrics[r->metrics_count], &at, r->http, r->pool, e);
        if (err)
            return err;
        exposure_add(x, "metrics", EXPOSURE_METRICS, at.host, at.port);
        char *url = r->where.metrics[r->metrics_count++];
        url_of(&at, url, sizeof r->where.metrics[0]);
    }
    return E_OK;
}

static enum err start_http(struct runtime *r, struct server_config *c,
                           const struct connect_plugins *const *plugins, struct error *e)
{
    struct http_listen rest, web;
    enum err err = listen_address_parse(c->o.connect_listen, &rest, e);
    if (!err)
        err = listen_address_parse(c->o.web_listen, &web, e);
    if (!err)
        err = listen_claim(&r->claims, "--connect-listen", &rest, e);
    if (!err)
        err = listen_claim(&r->claims, "--web-listen", &web, e);
    if (!err)
        err = loop_start(&r->http, "weir-http", e);
    if (!err)
        err = connect_start(&r->connect, &c->worker, &rest, (const char *const *)r->allowed_hosts,
                            r->broker, r->db, r->http, r->pool, plugins, e);
    if (err)
        return err;
    url_of(&rest, r->where.connect, sizeof r->where.connect);
    r->where.connect_port = rest.port;
    const struct web_deps deps = {.broker = r->broker,
                                  .connect = r->connect,
                                  .connect_url = r->where.connect,
                                  .allowed_hosts = (const char *const *)r->allowed_hosts,
                                  .pool = r->pool,
                                  .data_dir = r->data_dir};
    err = web_start(&r->web, &deps, &web, r->http, e);
    if (err)
        return err;
    url_of(&web, r->where.web, sizeof r->where.web);
    r->where.web_port = web.port;
    struct exposure x = EXPOSURE_INIT;
    add_exposure(r, r->listen_option, &rest, &web, &x);
    err = start_metrics(r, c->o.metrics_listen, &x, e);
    if (!err)
        exposure_tell(&x);
    exposure_release(&x);
    return err;
}

/* The address of one option, "--NAME-listen", and ports that follow its own. */
static enum err check_listen(struct listen_claims *claims, const char *option, const char *name,
                             struct slice text, int ports, struct error *e)
{
    struct http_listen at;
    enum err err = listen_address_parse(text, &at, e);
    for (int i = 0; !err && i < ports; i++) {
        err = listen_claim(claims, option, &at, e);
        if (!err)
            err = http_listen_check(name, &at, e);
        if (at.port)
            at.port++;
    }
    return err;
}

enum err runtime_check(const struct server_config *c, struct error *e)
{
    struct listen_claims claims = {.count = 0};
    struct fs_file lock = {-1, NULL};
    char *dir = server_data_dir(c), *path = xasprintf("%s/" DATA_LOCK, dir);
    int64_t brokers = 1;
    struct slice part, metrics = c->o.metrics_listen;
    enum err err = fs_exists(path) ? lock_data_dir(dir, &lock, e) : E_OK;
    if (c->o.lab_brokers.n && slice_to_i64(slice_trim(c->o.lab_brokers), &brokers) != E_OK)
        brokers = 1; /* the broker says what is wrong with it */
    if (!err && !strmap_has(&c->broker.values.texts, SL("listeners")))
        err = check_listen(&claims, "--kafka-listen", "kafka", c->o.kafka_listen,
                           (int)MIN(MAX(brokers, 1), 8), e);
    if (!err)
        err = check_listen(&claims, "--connect-listen", "connect", c->o.connect_listen, 1, e);
    if (!err)
        err = check_listen(&claims, "--web-listen", "web", c->o.web_listen, 1, e);
    while (!err && opt_list_next(&metrics, &part))
        err = part.n ? check_listen(&claims, "--metrics-listen", "metrics", part, 1, e) : E_OK;
    fs_close(&lock);
    mem_free(path);
    mem_free(dir);
    return err;
}

/* A partition in use holds a file: as many as the system allows. */
static void raise_file_limit(void)
{
    struct rlimit l;
    if (getrlimit(RLIMIT_NOFILE, &l) == 0 && l.rlim_cur < l.rlim_max) {
        l.rlim_cur = l.rlim_max;
        setrlimit(RLIMIT_NOFILE, &l);
    }
}

enum err runtime_start(struct runtime **out, struct server_config *c,
                       const struct connect_plugins *const *plugins, struct error *e)
{
    /* A thread pool's worth of malloc arenas would cost more memory than all else. */
    mallopt(M_ARENA_MAX, 2);
    /* What large messages and rows took goes back to the system at once; batches of the usual size
     * stay in the heap. (By itself glibc would raise the first limit to 32 MB and more.) */
    mallopt(M_MMAP_THRESHOLD, 8 << 20);
    mallopt(M_TRIM_THRESHOLD, 16 << 20);
    raise_file_limit();
    struct runtime *r = xcalloc(1, sizeof *r);
    int64_t began_ms = clock_mono_ms(), age_ms = process_age_ms();
    r->data_dir = server_data_dir(c);
    r->broker_dir = xasprintf("%s/kafka-logs", r->data_dir);
    r->allowed_hosts = split_hosts(c->o.allowed_hosts);
    r->where.data_dir = r->data_dir;
    metrics_host_dir(r->data_dir);
    connect_test_crash(r->broker_dir);
    enum err err = set_log_level(c->o.log_level, e);
    if (!err && c->o.log_file.p && c->o.log_file.n) {
        char *path = slice_dup(c->o.log_file);
        err = log_to_file(path, e);
        mem_free(path);
    }
    if (!err && c->ignored.n)
        LOG_INFO(LOG_MAIN, "settings without a meaning here are ignored: %s", c->ignored.p);
    if (!err && c->mistaken.n)
        LOG_WARN(LOG_MAIN, "settings that do not exist have no effect: %s", c->mistaken.p);
    if (!err)
        err = start_storage(r, c, plugins, e);
    if (!err)
        err = pool_start(&r->pool, "weir-pool", 3, e);
    if (!err)
        err = pool_start(&r->kafka_pool, "weir-kafka", 2, e);
    if (!err)
        err = start_broker(r, c, e);
    if (!err)
        err = start_http(r, c, plugins, e);
    if (err) {
        runtime_stop(r);
        return err;
    }
    /* From the start of the process; the demo has done other things before. */
    r->where.start_ms = clock_mono_ms() - began_ms + (age_ms < 100 ? age_ms : 0);
    sdnotify("READY=1");
    *out = r;
    return E_OK;
}

/* A connector's thread hangs in something and may still use what would be released: all that was
 * answered goes to the disk, and the next start checks the logs as after a crash. */
static _Noreturn void leave_unfinished(const struct runtime *r)
{
    int fd = open(r->data_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || syncfs(fd) != 0)
        LOG_ERROR(LOG_MAIN, "%s could not be synced: %s", r->data_dir, strerror(errno));
    LOG_ERROR(LOG_MAIN, "weir ends without its orderly stop, as a connector's task hangs");
    fflush(NULL);
    _exit(EXIT_FAILURE);
}

void runtime_stop(struct runtime *r)
{
    sdnotify("STOPPING=1");
    for (size_t i = 0; i < r->metrics_count; i++)
        metrics_server_stop(r->metrics[i]);
    if (r->web)
        web_stop(r->web);
    if (!connect_stop(r->connect))
        leave_unfinished(r);
    pool_stop(r->pool);
    loop_stop(r->http);
    broker_stop(r->broker);
    pool_stop(r->kafka_pool);
    if (r->db)
        db_close(r->db);
    fs_close(&r->lock);
    for (char **h = r->allowed_hosts; *h; h++)
        mem_free(*h);
    mem_free(r->allowed_hosts);
    mem_free(r->data_dir);
    mem_free(r->broker_dir);
    mem_free(r);
}

const struct runtime_addresses *runtime_addresses(const struct runtime *r)
{
    return &r->where;
}

struct connect *runtime_connect(const struct runtime *r)
{
    return r->connect;
}

/* Beside the first address: those of further listeners, and of a lab's brokers. */
static void add_listeners(const struct runtime *r, struct strbuf *out)
{
    size_t n;
    const struct broker_listener_info *l = broker_listeners(r->broker, &n);
    for (size_t i = 0; n > 1 && i < n; i++) {
        const char *host = l[i].host[0] ? l[i].host : "0.0.0.0";
        if (i == 0 || strcmp(l[i].name, l[i - 1].name) != 0)
            strbuf_addf(out, "%s  %-8s", i ? "\n" : "", l[i].name);
        strbuf_addf(out, " broker %d on %s:%d as %s;", (int)l[i].node_id, host, l[i].port,
                    l[i].advertised);
    }
    if (n > 1)
        strbuf_addc(out, '\n');
}

void runtime_banner(const struct runtime *r, struct strbuf *out)
{
    strbuf_addf(out, "weir %s, ready in %lld ms; data in %s\n", WEIR_VERSION,
                (long long)r->where.start_ms, r->data_dir);
    strbuf_addf(out, "  Kafka    %s\n  Connect  %s\n  Web page %s\n", r->where.kafka,
                r->where.connect, r->where.web);
    for (size_t i = 0; i < r->metrics_count; i++)
        strbuf_addf(out, "  Metrics  %s/metrics\n", r->where.metrics[i]);
    add_listeners(r, out);
}

/* --- signals ---------------------------------------------------------------------------------- */

static void signal_set(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGHUP);
}

void runtime_block_signals(void)
{
    sigset_t set;
    signal_set(&set);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
}

int runtime_wait_signal(int64_t ms)
{
    sigset_t set;
    signal_set(&set);
    struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    int sig;
    do
        sig = ms < 0 ? sigwaitinfo(&set, NULL) : sigtimedwait(&set, NULL, &t);
    while (sig < 0 && errno == EINTR);
    return sig < 0 ? 0 : sig;
}

static void leave_now(int sig)
{
    _exit(128 + sig);
}

void runtime_hurry_signals(void)
{
    struct sigaction sa = {.sa_handler = leave_now};
    sigaction(SIGINT, &sa, NULL);
    sigaction(SIGTERM, &sa, NULL);
    sigset_t set;
    signal_set(&set);
    sigdelset(&set, SIGHUP);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}
