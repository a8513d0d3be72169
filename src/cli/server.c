/* cli/server.c - see server.h. */
#include "cli/server.h"

#include <stdlib.h>

#include "base/base.h"
#include "base/log.h"
#include "cli/daemon.h"

int exit_status(const struct error *e)
{
    static const int status[E_COUNT] = {
        [E_INVALID] = 2, [E_NOT_FOUND] = 2, [E_CONFLICT] = 3,
        [E_EXISTS] = 3,  [E_IO] = 4,        [E_CORRUPT] = 4,
    };
    if (e->code == E_OK || e->code == E_CANCELLED)
        return EXIT_SUCCESS;
    fprintf(stderr, "weir: %s%s%s\n", e->msg, e->hint[0] ? "; " : "", e->hint);
    return status[e->code] ? status[e->code] : EXIT_FAILURE;
}

static void tell(const struct runtime *r)
{
    struct strbuf banner = STRBUF_INIT;
    runtime_banner(r, &banner);
    strbuf_addf(
        &banner,
        "  try      curl %s/connector-plugins; kcat -b %s -L; `weir demo` for a shop in motion\n",
        runtime_addresses(r)->connect, runtime_addresses(r)->kafka);
    fwrite(banner.p, 1, banner.n, stdout);
    fflush(stdout);
    strbuf_release(&banner);
}

/* Forks, if so wanted, and starts. On failure nothing runs. */
static enum err start(struct runtime **r, struct server_config *c, const struct server_run *how,
                      struct daemon *d, struct error *e)
{
    enum err err = how->daemon ? daemon_fork(d, e) : E_OK;
    if (err)
        return err;
    runtime_block_signals();
    err = runtime_start(r, c, how->plugins, e);
    if (how->command && slice_starts(slice_cstr(e->msg), SL("weir runs here")))
        error_hint(e,
                   "it is a Connect worker, too: curl http://localhost:8083/connectors (%s would "
                   "be a second one: --data-dir DIR and ports of its own)",
                   how->command);
    if (err || !how->started)
        return err;
    err = how->started(*r, how->arg, e);
    if (err)
        runtime_stop(*r);
    return err;
}

int server_run(struct server_config *c, const struct server_run *how)
{
    struct error e = {0};
    struct runtime *r;
    struct daemon d = DAEMON_NONE;
    if (start(&r, c, how, &d, &e)) {
        server_config_release(c);
        return exit_status(&e);
    }
    tell(r);
    daemon_detach(&d);
    int sig = runtime_wait_signal(-1);
    LOG_INFO(LOG_MAIN, "stopping signal=%d", sig);
    runtime_hurry_signals();
    runtime_stop(r);
    server_config_release(c);
    LOG_INFO(LOG_MAIN, "stopped");
    return EXIT_SUCCESS;
}

int server_main(int argc, char **argv, const struct connect_plugins *const *plugins)
{
    struct server_config c;
    struct error e = {0};
    const struct server_run how = {.plugins = plugins};
    enum err err =
        server_config_parse(&c, argc, argv, NULL,
                            "weir server - Kafka, Kafka Connect, change data capture and a "
                            "web page in one process\n\nusage: weir server [OPTIONS]",
                            &e);
    if (!err)
        return server_run(&c, &how);
    server_config_release(&c);
    return err == E_CANCELLED ? EXIT_SUCCESS : exit_status(&e);
}
