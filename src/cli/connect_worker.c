/* cli/connect_worker.c - see connect_worker.h.
 *
 *   connect-distributed [-daemon] worker.properties [OPTIONS of weir server]
 *   connect-standalone  [-daemon] worker.properties [connector1.properties ...] [OPTIONS]
 *
 * Both start all of weir, as `weir server --connect-config worker.properties` does. What is told
 * apart in a Kafka installation, broker and worker, is one program here; where one runs already,
 * its worker is there, too. */
#include "cli/connect_worker.h"

#include <stdlib.h>

#include "base/base.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "cli/runtime.h"
#include "cli/server.h"
#include "connect/connect.h"
#include "connect/herder.h"

struct command_line {
    const char *name; /* "connect-distributed" */
    const char *worker_file;
    char **connectors; /* the arguments themselves; ends with NULL */
    size_t connector_count;
    char **options; /* for server_config_parse */
    int option_count;
    bool daemon;
};

/* An option of weir takes the argument after it along, unless it has a '='. Options of Kafka's
 * scripts begin with one dash; those for the JVM mean nothing here. */
static enum err split(struct command_line *l, int argc, char **argv, struct error *e)
{
    static char connect_config[] = "--connect-config";
    l->connectors = xcalloc((size_t)argc + 1, sizeof *l->connectors);
    l->options = xcalloc((size_t)argc + 3, sizeof *l->options);
    for (int i = 0; i < argc; i++) {
        struct slice arg = slice_cstr(argv[i]);
        bool last = i + 1 == argc;
        if (slice_starts(arg, SL("--"))) {
            l->options[l->option_count++] = argv[i];
            if (slice_find_char(arg, '=') < 0 && !slice_eq(arg, SL("--help")) && !last)
                l->options[l->option_count++] = argv[++i];
        } else if (slice_eq(arg, SL("-h"))) {
            l->options[l->option_count++] = argv[i];
        } else if (slice_eq(arg, SL("-daemon"))) {
            l->daemon = true;
        } else if (slice_eq(arg, SL("-name")) && !last) {
            i++;
        } else if (slice_eq(arg, SL("-loggc"))) {
            continue;
        } else if (arg.n && arg.p[0] == '-') {
            return error_set(e, E_INVALID, "there is no option %s", argv[i]);
        } else if (!l->worker_file) {
            l->worker_file = argv[i];
            l->options[l->option_count++] = connect_config;
            l->options[l->option_count++] = argv[i];
        } else {
            l->connectors[l->connector_count++] = argv[i];
        }
    }
    return E_OK;
}

/* The log of a worker in the background: where Kafka's script has it, if it says so with LOG_DIR,
 * else in the data directory. */
static enum err background_log(struct server_config *c, const char *file, struct error *e)
{
    if (strmap_has(&c->values.texts, SL("log-file")))
        return E_OK;
    const char *folder = getenv("LOG_DIR");
    char *data = server_data_dir(c);
    const char *in = folder && folder[0] ? folder : data;
    char *path = xasprintf("%s/%s.out", in, file);
    enum err err = fs_mkdirs(in, e);
    if (!err)
        err =
            opt_set(opt_find(server_option_rows, SL("log-file")), &c->values, slice_cstr(path), e);
    mem_free(path);
    mem_free(data);
    return err;
}

static bool is_in(const json_t *names, const char *name)
{
    size_t i;
    json_t *x;
    json_array_foreach(names, i, x) if (strcmp(json_string_value(x), name) == 0) return true;
    return false;
}

/* Kafka's standalone worker has no memory of connectors: who expects that must be told of those
 * that come out of the data directory. */
static void tell_remembered(const struct runtime *r, const json_t *before, const json_t *given)
{
    const struct runtime_addresses *at = runtime_addresses(r);
    struct strbuf text = STRBUF_INIT;
    const char *first = NULL;
    size_t i;
    json_t *x;
    json_array_foreach(before, i, x)
    {
        if (is_in(given, json_string_value(x)))
            continue;
        strbuf_addf(&text, "%s%s", first ? ", " : "", json_string_value(x));
        first = first ? first : json_string_value(x);
    }
    if (first)
        LOG_INFO(LOG_MAIN,
                 "connectors of an earlier start are there, too: %s. To leave them out: curl -X "
                 "DELETE %s/connectors/%s, or another directory than %s by --data-dir",
                 text.p, at->connect, first, at->data_dir);
    strbuf_release(&text);
}

/* What connect-standalone does after the start. */
static enum err add_connectors(struct runtime *r, void *arg, struct error *e)
{
    char **file = arg;
    json_t *before = herder_list(connect_herder(runtime_connect(r))), *given = json_array();
    enum err err = E_OK;
    for (; *file && !err; file++)
        err = connect_add_file(runtime_connect(r), *file, given, e);
    if (!err)
        tell_remembered(r, before, given);
    json_decref(before);
    json_decref(given);
    return err;
}

static int run(struct command_line *l, int argc, char **argv, const char *usage,
               const char *log_name, bool takes_connectors,
               const struct connect_plugins *const *plugins)
{
    struct server_config c;
    struct error e = {0};
    enum err err = split(l, argc, argv, &e);
    if (err) {
        error_hint(&e, "see %s --help", l->name);
        return exit_status(&e);
    }
    err = server_config_parse(&c, l->option_count, l->options, NULL, usage, &e);
    if (!err && !l->worker_file) {
        err = error_set(&e, E_INVALID, "%s needs the properties file of the worker", l->name);
        error_hint(&e, "such as config/%s.properties; see %s --help", l->name, l->name);
    }
    if (!err && l->connector_count && !takes_connectors) {
        err = error_set(&e, E_INVALID, "%s takes one file, that of the worker", l->name);
        error_hint(&e, "connectors come by its REST API, or out of files by connect-standalone");
    }
    if (!err && l->daemon)
        err = background_log(&c, log_name, &e);
    if (err) {
        server_config_release(&c);
        return err == E_CANCELLED ? EXIT_SUCCESS : exit_status(&e);
    }
    const struct server_run how = {.plugins = plugins,
                                   .daemon = l->daemon,
                                   .command = l->name,
                                   .started = takes_connectors ? add_connectors : NULL,
                                   .arg = l->connectors};
    return server_run(&c, &how);
}

static int finish(struct command_line *l, int status)
{
    mem_free(l->connectors);
    mem_free(l->options);
    return status;
}

int connect_distributed_main(int argc, char **argv, const struct connect_plugins *const *plugins)
{
    struct command_line l = {.name = "connect-distributed"};
    int status =
        run(&l, argc, argv,
            "weir connect-distributed - weir with the settings of a Connect worker's file\n\n"
            "usage: connect-distributed [-daemon] connect-distributed.properties [OPTIONS]\n\n"
            "Broker, worker and page are one program: what `weir server` takes is taken here, "
            "too.\n-daemon: in the background; the log is in $LOG_DIR or the data directory, "
            "connectDistributed.out",
            "connectDistributed", false, plugins);
    return finish(&l, status);
}

int connect_standalone_main(int argc, char **argv, const struct connect_plugins *const *plugins)
{
    struct command_line l = {.name = "connect-standalone"};
    int status = run(
        &l, argc, argv,
        "weir connect-standalone - weir with the settings of a Connect worker's file, and with "
        "these\nconnectors (properties, or JSON as for POST /connectors)\n\n"
        "usage: connect-standalone [-daemon] connect-standalone.properties "
        "[connector1.properties ...] [OPTIONS]\n\n"
        "Unlike Kafka's, it knows its connectors and their offsets after a restart; a file that "
        "is given\nagain changes its connector.\n-daemon: in the background; the log is in "
        "$LOG_DIR or the data directory, connectStandalone.out",
        "connectStandalone", true, plugins);
    return finish(&l, status);
}
