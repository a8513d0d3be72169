/* cli/server.c - see server.h. */
#include "cli/server.h"

#include <stdlib.h>

#include "base/base.h"
#include "base/log.h"
#include "cli/runtime.h"

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

int server_main(int argc, char **argv, const struct connect_plugins *const *plugins)
{
    struct server_config c;
    struct error e = {0};
    struct runtime *r;
    enum err err =
        server_config_parse(&c, argc, argv, NULL,
                            "weir server - Kafka, Kafka Connect, change data capture and a "
                            "web page in one process\n\nusage: weir server [OPTIONS]",
                            &e);
    if (err) {
        server_config_release(&c);
        return err == E_CANCELLED ? EXIT_SUCCESS : exit_status(&e);
    }
    runtime_block_signals();
    err = runtime_start(&r, &c, plugins, &e);
    if (err) {
        server_config_release(&c);
        return exit_status(&e);
    }
    struct strbuf banner = STRBUF_INIT;
    runtime_banner(r, &banner);
    strbuf_addf(
        &banner,
        "  try      curl %s/connector-plugins; kcat -b %s -L; `weir demo` for a shop in motion\n",
        runtime_addresses(r)->connect, runtime_addresses(r)->kafka);
    fwrite(banner.p, 1, banner.n, stdout);
    fflush(stdout);
    strbuf_release(&banner);
    int sig = runtime_wait_signal(-1);
    LOG_INFO(LOG_MAIN, "stopping signal=%d", sig);
    runtime_hurry_signals();
    runtime_stop(r);
    server_config_release(&c);
    LOG_INFO(LOG_MAIN, "stopped");
    return EXIT_SUCCESS;
}
