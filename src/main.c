/* main.c - subcommands, and the wiring of what connect must not know: the arrays of connectors. */
#include <stdlib.h>

#include "base/base.h"
#include "base/opt.h"
#include "base/str.h"
#include "broker/broker.h"
#include "cdc/cdc.h"
#include "cli/connect_worker.h"
#include "cli/doctor.h"
#include "cli/server.h"
#include "connect/connect.h"
#include "lab/demo.h"
#include "lab/lab.h"

static const struct connect_plugins *const plugins[] = {&cdc_plugins, NULL};

static int help_main(int argc, char **argv);

static int run_server(int argc, char **argv)
{
    return server_main(argc, argv, plugins);
}

static int run_demo(int argc, char **argv)
{
    return demo_main(argc, argv, plugins);
}

static int run_doctor(int argc, char **argv)
{
    return doctor_main(argc, argv, plugins);
}

static int run_connect_distributed(int argc, char **argv)
{
    return connect_distributed_main(argc, argv, plugins);
}

static int run_connect_standalone(int argc, char **argv)
{
    return connect_standalone_main(argc, argv, plugins);
}

static int print_version(int argc, char **argv)
{
    (void)argc, (void)argv;
    puts("weir " WEIR_VERSION);
    return EXIT_SUCCESS;
}

struct command {
    const char *name, *summary;
    int (*fn)(int argc, char **argv); /* arguments after the name */
};
static const struct command commands[] = {
    {"server", "Kafka on :9092, Connect on :8083, the web page on :8080", run_server},
    {"connect-distributed",
     "the same with a Connect worker's properties file, as tutorials type it",
     run_connect_distributed},
    {"connect-standalone", "the same, and connectors out of properties files",
     run_connect_standalone},
    {"demo", "the same with a private MariaDB (or MongoDB) and a shop whose orders change",
     run_demo},
    {"lab", "stops and starts brokers of a server with --lab-brokers", lab_main},
    {"doctor",
     "looks at a MySQL, MariaDB or MongoDB: would a connector run, and what to type so that it "
     "does",
     run_doctor},
    {"help",
     "this text; `weir help COMMAND`; `weir help broker|connect` lists the options for --set",
     help_main},
    {"version", "the version", print_version},
    {NULL, NULL, NULL},
};

static const struct command *find_command(const char *name)
{
    for (const struct command *c = commands; c->name; c++)
        if (strcmp(c->name, name) == 0)
            return c;
    return NULL;
}

static int no_command(const char *name)
{
    struct opt_row rows[ARRAY_LEN(commands)] = {0};
    for (size_t i = 0; commands[i].name; i++)
        rows[i].name = commands[i].name;
    const char *near = opt_nearest(rows, slice_cstr(name));
    fprintf(stderr, "weir: there is no command '%s'; %s%s%ssee weir --help\n", name,
            near ? "did you mean '" : "", near ? near : "", near ? "'? " : "");
    return 2;
}

static int help_main(int argc, char **argv)
{
    struct strbuf b = STRBUF_INIT;
    if (argc > 0 && strcmp(argv[0], "broker") == 0) {
        opt_help(broker_option_rows(), &b);
    } else if (argc > 0 && strcmp(argv[0], "connect") == 0) {
        opt_help(connect_option_rows, &b);
    } else if (argc > 0) {
        const struct command *c = find_command(argv[0]);
        if (!c || c->fn == help_main)
            return c ? help_main(0, NULL) : no_command(argv[0]);
        char help[] = "--help", *args[] = {help, NULL};
        return c->fn(1, args);
    } else {
        strbuf_adds(&b, "weir " WEIR_VERSION
                        " - Kafka, Kafka Connect, change data capture and a web page in "
                        "one small program\n\nusage: weir COMMAND [OPTIONS]\n\n");
        for (const struct command *c = commands; c->name; c++)
            strbuf_addf(&b, "  %-19s %s\n", c->name, c->summary);
        strbuf_adds(&b, "\n`weir COMMAND --help` tells more.\n");
    }
    fwrite(b.p, 1, b.n, stdout);
    strbuf_release(&b);
    return EXIT_SUCCESS;
}

/* A tool's name as a program of its own, Kafka's scripts' .sh included: a link to weir. */
static const struct command *called_as(const char *program)
{
    const char *slash = strrchr(program, '/');
    struct slice name = slice_cstr(slash ? slash + 1 : program);
    if (slice_ends(name, SL(".sh")))
        name.n -= 3;
    for (const struct command *c = commands; c->name; c++)
        if (slice_starts(name, SL("connect-")) && slice_eq_c(name, c->name))
            return c;
    return NULL;
}

int main(int argc, char **argv)
{
    /* The MongoDB driver, opened later, would leave a file in /dev/shm behind after each kill; no
     * thread runs yet that could read the environment. */
    setenv("MONGOC_DISABLE_SHM", "1", 0);
    const struct command *tool = argc > 0 ? called_as(argv[0]) : NULL;
    if (tool)
        return tool->fn(argc - 1, argv + 1);
    const char *name = argc > 1 ? argv[1] : "help";
    if (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0)
        name = "version";
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
        name = "help";
    const struct command *c = find_command(name);
    return c ? c->fn(MAX(argc - 2, 0), argv + MIN(argc, 2)) : no_command(name);
}
