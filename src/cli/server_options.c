/* cli/server_options.c - see server_options.h. A value is set only where no stronger source has set
 * it: sources are read strongest first (command line, environment, file), and the first one wins.
 */
#include "cli/server_options.h"

#include <ctype.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/base.h"
#include "base/fs.h"
#include "base/mem.h"
#include "cli/listen_address.h"
#include "cli/server_env.h"
#include "cli/server_worker.h"
#include "connect/connect.h"

static const char COMMAND_LINE[] = "command line"; /* where a setting came from */

#define FIELD(f) offsetof(struct server_options, f)
const struct opt_row server_option_rows[] = {
    {.name = "data-dir",
     .type = OPT_STRING,
     .offset = FIELD(data_dir),
     .display = "DIR",
     .doc = "where everything is kept: logs, offsets, connectors (default: ~/.local/share/weir, "
            "under systemd its state directory)"},
    {.name = "kafka-listen",
     .type = OPT_STRING,
     .def = "127.0.0.1:9092",
     .offset = FIELD(kafka_listen),
     .display = "HOST:PORT",
     .check = listen_address_check,
     .doc = "address of the Kafka protocol; port 0 picks a free one"},
    {.name = "connect-listen",
     .type = OPT_STRING,
     .def = "127.0.0.1:8083",
     .offset = FIELD(connect_listen),
     .display = "HOST:PORT",
     .check = listen_address_check,
     .doc = "address of Kafka Connect's REST API"},
    {.name = "web-listen",
     .type = OPT_STRING,
     .def = "127.0.0.1:8080",
     .offset = FIELD(web_listen),
     .display = "HOST:PORT",
     .check = listen_address_check,
     .doc = "address of the web page and its API"},
    {.name = "metrics-listen",
     .type = OPT_LIST,
     .def = "",
     .offset = FIELD(metrics_listen),
     .display = "HOST:PORT,...",
     .check = listen_address_check,
     .doc = "further addresses that serve /metrics alone, to any Host, such as 0.0.0.0:9308 "
            "(kafka_exporter's port) and 0.0.0.0:7071 (jmx_exporter's)"},
    {.name = "lab-brokers",
     .type = OPT_STRING,
     .offset = FIELD(lab_brokers),
     .display = "N",
     .doc = "stand for N Kafka brokers, on the port of --kafka-listen and those that follow it; "
            "`weir lab` stops and starts them (for courses)"},
    {.name = "config",
     .type = OPT_STRING,
     .offset = FIELD(config),
     .display = "FILE",
     .doc = "properties file: these options, and options of broker and Connect worker by their own "
            "names"},
    {.name = "connect-config",
     .type = OPT_STRING,
     .offset = FIELD(connect_config),
     .display = "FILE",
     .doc =
         "properties file of a Connect worker, such as connect-distributed.properties; its names "
         "are the worker's alone"},
    {.name = "allowed-hosts",
     .type = OPT_LIST,
     .def = "",
     .offset = FIELD(allowed_hosts),
     .display = "NAME,...",
     .doc = "host names by which browsers and scripts may call the HTTP ports, besides localhost"},
    {.name = "log-level",
     .type = OPT_STRING,
     .def = "info",
     .offset = FIELD(log_level),
     .display = "LEVEL",
     .doc = "error, warn, info, debug or trace; for one part: broker.group=debug,info"},
    {.name = "log-file",
     .type = OPT_STRING,
     .offset = FIELD(log_file),
     .display = "FILE",
     .doc = "log lines go to the end of this file instead of standard error"},
    {.name = NULL},
};

/* --- one setting, from anywhere --------------------------------------------------------------- */

static const struct opt_row *row_of(const struct opt_row *rows, struct slice name)
{
    return rows ? opt_find(rows, name) : NULL;
}

/* The nearest of all options, or NULL: those of the command line first where the name was given as
 * --NAME. */
static const char *nearest(const struct opt_row *extra, struct slice name, bool as_argument)
{
    const struct opt_row *const arguments[] = {server_option_rows, extra};
    const struct opt_row *const settings[] = {broker_option_rows(), connect_option_rows};
    const char *near = NULL;
    for (size_t pass = 0; !near && pass < 2; pass++) {
        const struct opt_row *const *rows = (pass == 0) == as_argument ? arguments : settings;
        for (size_t i = 0; !near && i < 2; i++)
            near = rows[i] ? opt_nearest(rows[i], name) : NULL;
    }
    return near;
}

/* Settings of older Kafkas whose names look like others of today: no mistakes. */
static bool was_kafkas(struct slice name)
{
    static const char *const names[] = {"advertised.host.name", "advertised.port", "host.name",
                                        "port"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (slice_eq_c(name, names[i]))
            return true;
    return false;
}

static enum err unknown(const struct opt_row *extra, struct slice name, const char *where,
                        struct error *e)
{
    const char *near = nearest(extra, name, false);
    error_set(e, E_INVALID, "%s: there is no option '" PRI_SL "'", where, ARG_SL(name));
    if (near)
        error_hint(e, "did you mean '%s'?", near);
    else
        error_hint(e, "`weir help broker` and `weir help connect` list them");
    return E_INVALID;
}

/* An argument --NAME. */
static enum err unknown_argument(const struct opt_row *extra, struct slice name, const char *usage,
                                 struct error *e)
{
    struct slice command = slice_cstr(usage); /* "weir server - ..." */
    ptrdiff_t dash = slice_find(command, SL(" - "));
    command = slice_sub(command, 0, dash < 0 ? command.n : (size_t)dash);
    const char *near = nearest(extra, name, true);
    error_set(e, E_INVALID, "there is no option --" PRI_SL, ARG_SL(name));
    if (row_of(broker_option_rows(), name) || row_of(connect_option_rows, name))
        error_hint(e, "give it as --set " PRI_SL "=VALUE", ARG_SL(name));
    else if (near && !row_of(server_option_rows, slice_cstr(near)) &&
             !row_of(extra, slice_cstr(near)))
        error_hint(e, "did you mean --set %s=VALUE? see " PRI_SL " --help", near, ARG_SL(command));
    else if (near)
        error_hint(e, "did you mean --%s? see " PRI_SL " --help", near, ARG_SL(command));
    else
        error_hint(e, "see " PRI_SL " --help", ARG_SL(command));
    return E_INVALID;
}

static bool is_worker_option(struct slice name)
{
    return row_of(connect_option_rows, name) || slice_starts(name, SL("config.providers")) ||
           slice_starts(name, SL("key.converter.")) || slice_starts(name, SL("value.converter.")) ||
           slice_starts(name, SL("header.converter."));
}

static bool is_known(const struct opt_row *extra, struct slice name)
{
    return row_of(server_option_rows, name) || row_of(extra, name) || broker_option_find(name) ||
           is_worker_option(name);
}

/* Where a value that does not fit was given: "--web-listen: ...", "WEIR_WEB_LISTEN: ...". */
static enum err name_source(const struct opt_row *row, const char *where, struct error *e)
{
    if (slice_starts(slice_cstr(where), SL("WEIR_")))
        return error_wrap(e, "%s", where);
    return error_wrap(e, "%s%s", !strcmp(where, COMMAND_LINE) ? "--" : "", row->name);
}

/* An option of server, demo (extra), broker or worker, unless a stronger source has set it. */
static enum err set_any(struct server_config *c, const struct opt_row *extra, struct slice name,
                        struct slice value, const char *where, struct error *e)
{
    const struct opt_row *row = row_of(server_option_rows, name);
    if (row) {
        if (strmap_has(&c->values.texts, slice_cstr(row->name)))
            return E_OK;
        return opt_set(row, &c->values, value, e) == E_OK ? E_OK : name_source(row, where, e);
    }
    row = row_of(extra, name);
    if (row) {
        if (!strmap_has(&c->rest, slice_cstr(row->name)))
            strmap_set(&c->rest, slice_cstr(row->name), value);
        return E_OK;
    }
    row = broker_option_find(name);
    if (row) {
        bool own = row == row_of(broker_option_rows(), name); /* else: for one listener */
        if (strmap_has(&c->broker.values.texts, own ? slice_cstr(row->name) : name))
            return E_OK;
        return broker_config_set(&c->broker, name, value, e);
    }
    if (is_worker_option(name)) {
        if (!strmap_has(&c->worker, name))
            strmap_set(&c->worker, name, value);
        return E_OK;
    }
    return unknown(extra, name, where, e);
}

/* Settings of other layouts and other times, with something to do for them. */
static bool is_special(struct server_config *c, struct slice name, struct slice value)
{
    int64_t id;
    if (slice_eq(name, SL("log.dirs")) || slice_eq(name, SL("log.dir"))) {
        struct slice first; /* of several; a volume is mounted there */
        const struct opt_row *row = opt_find(server_option_rows, SL("data-dir"));
        return strmap_has(&c->values.texts, SL("data-dir")) || !slice_split(&value, ',', &first) ||
               slice_trim(first).n == 0 ||
               opt_set(row, &c->values, slice_trim(first), NULL) == E_OK;
    }
    if (slice_eq(name, SL("broker.id")) || slice_eq(name, SL("node.id")))
        return slice_to_i64(slice_trim(value), &id) == E_OK && id < 0; /* -1: any */
    return false;
}

enum err server_config_offer(struct server_config *c, struct slice name, struct slice value,
                             const char *where, struct error *e)
{
    if (is_special(c, name, value))
        return E_OK;
    if (is_known(NULL, name)) {
        enum err r = set_any(c, NULL, name, value, where, e);
        return r == E_OK ? r : error_wrap(e, "%s", where);
    }
    server_config_ignore(c, name, was_kafkas(name) ? NULL : nearest(NULL, name, false));
    return E_OK;
}

void server_config_ignore(struct server_config *c, struct slice name, const char *near)
{
    struct strbuf *to = near ? &c->mistaken : &c->ignored;
    strbuf_addf(to, "%s" PRI_SL, to->n ? ", " : "", ARG_SL(name));
    if (near)
        strbuf_addf(to, " (did you mean %s?)", near);
}

/* --- sources ---------------------------------------------------------------------------------- */

static enum err from_set(struct server_config *c, const struct opt_row *extra, struct slice text,
                         struct error *e)
{
    ptrdiff_t eq = slice_find_char(text, '=');
    if (eq <= 0)
        return error_set(e, E_INVALID, "--set takes KEY=VALUE, not '" PRI_SL "'", ARG_SL(text));
    return set_any(c, extra, slice_sub(text, 0, (size_t)eq),
                   slice_sub(text, (size_t)eq + 1, text.n), "--set", e);
}

/* "  --data-dir DIR   where ..." with the text wrapped beside the names. */
static void print_rows(const struct opt_row *rows, struct strbuf *b)
{
    enum { NAMES = 33, WIDTH = 100 };
    for (; rows && rows->name; rows++) {
        size_t line = b->n;
        strbuf_addf(b, "  --%s %s", rows->name, rows->display ? rows->display : "");
        struct slice rest = slice_cstr(rows->doc), word;
        while (slice_split(&rest, ' ', &word)) {
            if (b->n - line + word.n + 1 > WIDTH) {
                strbuf_addc(b, '\n');
                line = b->n;
            }
            if (b->n - line < NAMES)
                strbuf_addf(b, "%*s", (int)(NAMES - (b->n - line)), "");
            else
                strbuf_addc(b, ' ');
            strbuf_add_slice(b, word);
        }
        if (rows->def && rows->def[0] && rows->type != OPT_BOOLEAN)
            strbuf_addf(b, " [%s]", rows->def);
        strbuf_addc(b, '\n');
    }
}

static void print_help(const struct opt_row *extra, const char *usage)
{
    static const struct opt_row set[] = {
        {.name = "set",
         .display = "KEY=VALUE",
         .doc = "any option of the broker or of the Connect worker, such as --set "
                "num.partitions=4; may be given several times"},
        {.name = "help",
         .doc = "this text; `weir help broker` and `weir help connect` list the options for --set"},
        {.name = NULL},
    };
    struct strbuf b = STRBUF_INIT;
    strbuf_addf(&b, "%s\n\nOptions (also as WEIR_* environment variables: WEIR_DATA_DIR, ...):\n",
                usage);
    print_rows(server_option_rows, &b);
    print_rows(extra, &b);
    print_rows(set, &b);
    strbuf_adds(&b, "\nOf an option given twice the last one counts; lists go on.\n");
    fwrite(b.p, 1, b.n, stdout);
    strbuf_release(&b);
}

/* An argument: --NAME VALUE, or --set KEY=VALUE. */
struct argument {
    const struct opt_row *row; /* NULL: --set */
    struct slice name, value;
    char *joined; /* behind value, of a list that was given several times */
};

/* Sets the argument at argv[*i], which may take the next one as its value. */
static enum err read_argument(int argc, char **argv, int *i, const struct opt_row *extra,
                              const char *usage, struct argument *out, struct error *e)
{
    struct slice arg = slice_cstr(argv[*i]);
    if (slice_eq_c(arg, "--help") || slice_eq_c(arg, "-h")) {
        print_help(extra, usage);
        return E_CANCELLED;
    }
    if (!slice_starts(arg, SL("--"))) {
        error_set(e, E_INVALID, "unexpected argument '%s'", argv[*i]);
        error_hint(e, "see --help");
        return E_INVALID;
    }
    struct slice name = slice_sub(arg, 2, arg.n), value = SLICE_NULL;
    ptrdiff_t eq = slice_find_char(name, '=');
    if (eq > 0) {
        value = slice_sub(name, (size_t)eq + 1, name.n);
        name = slice_sub(name, 0, (size_t)eq);
    }
    const struct opt_row *row = row_of(extra, name);
    if (!row)
        row = row_of(server_option_rows, name);
    if (!row && !slice_eq_c(name, "set"))
        return unknown_argument(extra, name, usage, e);
    if (!value.p && row && row->type == OPT_BOOLEAN)
        value = SL("true");
    if (!value.p) {
        if (++*i == argc)
            return error_set(e, E_INVALID, "--" PRI_SL " needs a value", ARG_SL(name));
        value = slice_cstr(argv[*i]);
    }
    *out = (struct argument){.row = row, .name = name, .value = value};
    return E_OK;
}

/* A list that was given before goes on. */
static void join_list(struct argument *v, int at)
{
    for (int i = at - 1; i >= 0 && v[at].row && v[at].row->type == OPT_LIST; i--) {
        if (v[i].row != v[at].row)
            continue;
        v[at].joined = xasprintf(PRI_SL "," PRI_SL, ARG_SL(v[i].value), ARG_SL(v[at].value));
        v[at].value = slice_cstr(v[at].joined);
        return;
    }
}

/* The last one of several counts, as everywhere; the last is set first. */
static enum err from_arguments(struct server_config *c, int argc, char **argv,
                               const struct opt_row *extra, const char *usage, struct error *e)
{
    struct argument *v = xcalloc((size_t)argc + 1, sizeof *v);
    int n = 0;
    enum err err = E_OK;
    for (int i = 0; !err && i < argc; i++) {
        err = read_argument(argc, argv, &i, extra, usage, &v[n], e);
        if (!err)
            join_list(v, n++);
    }
    for (int i = n - 1; !err && i >= 0; i--)
        err = v[i].row ? set_any(c, extra, v[i].name, v[i].value, COMMAND_LINE, e)
                       : from_set(c, extra, v[i].value, e);
    for (int i = 0; i < n; i++)
        mem_free(v[i].joined);
    mem_free(v);
    return err;
}

/* WEIR_DATA_DIR for data-dir. Broker options come by --set or the file. */
static enum err from_environment(struct server_config *c, const struct opt_row *extra,
                                 struct error *e)
{
    const struct opt_row *const tables[] = {server_option_rows, extra};
    for (size_t t = 0; t < ARRAY_LEN(tables); t++)
        for (const struct opt_row *row = tables[t]; row && row->name; row++) {
            char name[80];
            size_t n = (size_t)snprintf(name, sizeof name, "WEIR_%s", row->name);
            for (size_t i = 0; i < n && i < sizeof name; i++)
                name[i] = name[i] == '-' ? '_' : (char)toupper((unsigned char)name[i]);
            const char *value = getenv(name);
            if (!value)
                continue;
            enum err err = set_any(c, extra, slice_cstr(row->name), slice_cstr(value), name, e);
            if (err)
                return err;
        }
    return E_OK;
}

static enum err from_file(struct server_config *c, const struct opt_row *extra, struct error *e)
{
    if (!c->o.config.p)
        return E_OK;
    struct strbuf text = STRBUF_INIT;
    struct strmap lines = STRMAP_INIT;
    char *path = slice_dup(c->o.config);
    enum err err = fs_read_all(path, 1 << 20, &text, e);
    if (!err)
        err = strmap_parse_properties(&lines, strbuf_slice(&text), e);
    for (size_t i = 0; !err && i < lines.count; i++)
        err = row_of(extra, lines.entries[i].key)
                  ? set_any(c, extra, lines.entries[i].key, lines.entries[i].value, path, e)
                  : server_config_offer(c, lines.entries[i].key, lines.entries[i].value, path, e);
    strmap_release(&lines);
    strbuf_release(&text);
    mem_free(path);
    return err;
}

enum err server_config_parse(struct server_config *c, int argc, char **argv,
                             const struct opt_row *extra, const char *usage, struct error *e)
{
    memset(c, 0, sizeof *c);
    c->ignored = c->mistaken = (struct strbuf)STRBUF_INIT;
    c->values.values = &c->o;
    strmap_init(&c->values.texts);
    strmap_init(&c->worker);
    strmap_init(&c->rest);
    opt_defaults(server_option_rows, &c->o);
    broker_config_init(&c->broker);
    enum err err = from_arguments(c, argc, argv, extra, usage, e);
    if (!err)
        err = from_environment(c, extra, e);
    if (!err)
        err = server_config_kafka_env(c, environ, e);
    if (!err)
        err = server_config_connect_env(c, environ, e);
    if (!err)
        err = server_config_connect_file(c, e);
    if (!err)
        err = from_file(c, extra, e);
    if (!err)
        err = server_config_connect_listen(c, e);
    return err;
}

void server_config_release(struct server_config *c)
{
    opt_values_release(&c->values);
    broker_config_release(&c->broker);
    strmap_release(&c->worker);
    strmap_release(&c->rest);
    strbuf_release(&c->ignored);
    strbuf_release(&c->mistaken);
}

char *server_data_dir(const struct server_config *c)
{
    if (c->o.data_dir.p && c->o.data_dir.n)
        return slice_dup(c->o.data_dir);
    const char *dir = getenv("STATE_DIRECTORY");
    if (dir && *dir)
        return xstrdup(dir);
    dir = getenv("XDG_DATA_HOME");
    if (dir && *dir)
        return xasprintf("%s/weir", dir);
    dir = getenv("HOME");
    return xasprintf("%s/.local/share/weir", dir && *dir ? dir : "/var/lib");
}
