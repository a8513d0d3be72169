/* cli/server_options.h - options of `weir server` and `weir demo`: command line, then WEIR_*
 * environment, then KAFKA_* (server_env.h) and CONNECT_* environment, then the files given with
 * --connect-config (server_worker.h) and --config, then defaults.
 *
 * Options of the broker and of the Connect worker come by --set key=value (or a line of the file)
 * and are sorted to their owner by their rows. An unknown one on the command line is an error that
 * names the nearest; in KAFKA_* variables and in the file, which may be Kafka's own
 * server.properties, it is noted in `ignored`, or in `mistaken` when it looks like a known one. */
#ifndef WEIR_CLI_SERVER_OPTIONS_H
#define WEIR_CLI_SERVER_OPTIONS_H

#include "base/err.h"
#include "base/opt.h"
#include "base/strmap.h"
#include "broker/broker.h"

struct server_options {
    struct slice data_dir;       /* null: the default of server_data_dir */
    struct slice kafka_listen;   /* HOST:PORT */
    struct slice metrics_listen; /* list of HOST:PORT */
    struct slice lab_brokers;    /* number, or null */
    struct slice connect_listen;
    struct slice web_listen;
    struct slice config;         /* path of a properties file, or null */
    struct slice connect_config; /* path of a Connect worker's properties file, or null */
    struct slice allowed_hosts;  /* list: names that HTTP requests may use besides this machine's */
    struct slice log_level;      /* "info", or "broker.group=debug,info" */
    struct slice log_file;       /* null: stderr */
};
extern const struct opt_row server_option_rows[];

struct server_config {
    struct server_options o;
    struct opt_values values; /* behind o */
    struct broker_config broker;
    struct strmap worker;  /* Connect worker's options as given */
    struct strmap rest;    /* options of extra_rows (demo), as given */
    struct strbuf ignored; /* names of settings that weir does not know, with commas between */
    struct strbuf
        mistaken; /* the same of those that look like one that it knows, which they name */
};

/* Parses argv after the subcommand. extra: further rows that are accepted and kept in `rest`, or
 * NULL. E_CANCELLED: --help was asked for and printed. Caller releases c in every case. */
enum err server_config_parse(struct server_config *c, int argc, char **argv,
                             const struct opt_row *extra, const char *usage,
                             struct error *e) MUST_CHECK;
/* A setting from somewhere that may hold Kafka's own: sorted to its owner, unless a stronger source
 * has set it; unknown ones go to `ignored`. where: for messages. E_INVALID: the value does not fit. */
enum err server_config_offer(struct server_config *c, struct slice name, struct slice value,
                             const char *where, struct error *e) MUST_CHECK;
/* Notes a setting that has no effect. near: the option that may have been meant, or NULL. */
void server_config_ignore(struct server_config *c, struct slice name, const char *near);
void server_config_release(struct server_config *c);
/* The data directory: the option, $STATE_DIRECTORY (systemd), $XDG_DATA_HOME/weir or
 * ~/.local/share/weir. Caller frees. */
char *server_data_dir(const struct server_config *c);

#endif
