/* cli/doctor.c - see doctor.h. What is looked at is the connector's own business (its inspect
 * function); here are the question and the page. */
#include "cli/doctor.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/http_url.h"
#include "base/log.h"
#include "base/mem.h"
#include "cli/password.h"
#include "connect/config_check.h"
#include "connect/inspect.h"

static const char usage[] =
    "weir doctor - looks at a database as a connector would: what is missing, and what to type\n"
    "\n"
    "usage: weir doctor [--set OPTION=VALUE]... mysql://USER[:PASSWORD]@HOST[:PORT]/[DATABASE]\n"
    "       weir doctor [--set OPTION=VALUE]... "
    "mongodb://[USER[:PASSWORD]@]HOST[:PORT]/[?OPTION...]\n"
    "       weir doctor [--set OPTION=VALUE]... CONNECTOR.json\n"
    "\n"
    "  mariadb:// for MariaDB. Without a password in the URL $MYSQL_PWD ($MONGODB_PWD) is taken,\n"
    "  else the terminal asks; one in the URL stays in the shell's history, and ps shows it for a\n"
    "  moment. Options are those of the connector (database.ssl.mode=verify_ca,\n"
    "  table.include.list=shop.orders). Exit status: 0 a connector would run, 1 something is\n"
    "  missing, 2 the question was not understood.\n";

/* --- the question ----------------------------------------------------------------------------- */

#define MONGO_URL SL("mongodb.connection.string")

static const struct {
    const char *scheme, *class_name;
} schemes[] = {
    {"mysql", "MySqlConnector"},
    {"mariadb", "MariaDbConnector"},
};

struct url_reader {
    struct strmap *config;
    struct arena arena;
    struct error *e;
};

static enum err put(struct url_reader *u, const char *option, struct slice text)
{
    struct slice plain;
    if (!text.n)
        return E_OK;
    enum err rc = http_percent_decode(text, false, &u->arena, &plain);
    if (rc)
        return error_set(u->e, E_INVALID, "the URL has a wrong percent code");
    strmap_set(u->config, slice_cstr(option), plain);
    return E_OK;
}

/* HOST[:PORT], [::1]:PORT */
static enum err put_host(struct url_reader *u, struct slice text)
{
    struct slice host = text, port = SLICE_NULL;
    ptrdiff_t close = text.n && text.p[0] == '[' ? slice_find_char(text, ']') : -1;
    ptrdiff_t colon = close > 0 ? -1 : slice_rfind_char(text, ':');
    if (close > 0) {
        host = slice_sub(text, 1, (size_t)close);
        if ((size_t)close + 2 <= text.n && text.p[close + 1] == ':')
            port = slice_sub(text, (size_t)close + 2, text.n);
    } else if (colon >= 0) {
        host = slice_sub(text, 0, (size_t)colon);
        port = slice_sub(text, (size_t)colon + 1, text.n);
    }
    uint64_t n;
    if (port.n && (slice_to_u64(port, &n) || n == 0 || n > 65535))
        return error_set(u->e, E_INVALID, "the URL's port is not a number between 1 and 65535");
    enum err rc = put(u, "database.hostname", host.n ? host : SL("127.0.0.1"));
    return rc ? rc : put(u, "database.port", port);
}

static enum err put_user(struct url_reader *u, struct slice text)
{
    ptrdiff_t colon = slice_find_char(text, ':');
    enum err rc = put(u, "database.user", colon < 0 ? text : slice_sub(text, 0, (size_t)colon));
    if (rc == E_OK && colon >= 0)
        rc = put(u, "database.password", slice_sub(text, (size_t)colon + 1, text.n));
    return rc;
}

static enum err put_query(struct url_reader *u, struct slice text)
{
    struct slice part;
    enum err rc = E_OK;
    while (rc == E_OK && text.p && slice_split(&text, '&', &part)) {
        ptrdiff_t equals = slice_find_char(part, '=');
        if (!part.n)
            continue;
        if (equals <= 0)
            return error_set(u->e, E_INVALID, "behind the URL's ? stand OPTION=VALUE&...");
        char *name = slice_dup(slice_sub(part, 0, (size_t)equals));
        bool ssl = strcmp(name, "ssl-mode") == 0 || strcmp(name, "sslMode") == 0;
        rc = put(u, ssl ? "database.ssl.mode" : name, slice_sub(part, (size_t)equals + 1, part.n));
        mem_free(name);
    }
    return rc;
}

static bool is_mongo(struct slice url)
{
    return slice_istarts(url, SL("mongodb://")) || slice_istarts(url, SL("mongodb+srv://"));
}

enum err doctor_url(struct slice url, struct strmap *config, struct error *e)
{
    if (is_mongo(url)) { /* the connector's own option, as it stands */
        strmap_set(config, SL("connector.class"), SL("MongoDbConnector"));
        strmap_set(config, MONGO_URL, url);
        return E_OK;
    }
    struct url_reader u = {.config = config, .e = e};
    ptrdiff_t colon = slice_find(url, SL("://"));
    const char *class_name = NULL;
    for (size_t i = 0; colon > 0 && i < ARRAY_LEN(schemes); i++)
        if (slice_eq_c(slice_sub(url, 0, (size_t)colon), schemes[i].scheme))
            class_name = schemes[i].class_name;
    if (!class_name)
        return error_set(e, E_INVALID,
                         "a URL begins with mysql://, mariadb:// or mongodb://; other names are "
                         "taken for files");
    struct slice rest = slice_sub(url, (size_t)colon + 3, url.n), query = SLICE_NULL,
                 path = SLICE_NULL, user = SLICE_NULL;
    ptrdiff_t at = slice_find_char(rest, '?');
    if (at >= 0) {
        query = slice_sub(rest, (size_t)at + 1, rest.n);
        rest = slice_sub(rest, 0, (size_t)at);
    }
    at = slice_find_char(rest, '/');
    if (at >= 0) {
        path = slice_sub(rest, (size_t)at + 1, rest.n);
        rest = slice_sub(rest, 0, (size_t)at);
    }
    at = slice_rfind_char(rest, '@');
    if (at >= 0) {
        user = slice_sub(rest, 0, (size_t)at);
        rest = slice_sub(rest, (size_t)at + 1, rest.n);
    }
    if (!user.n)
        return error_set(e, E_INVALID, "the URL names no user: mysql://USER@HOST/");
    arena_init(&u.arena, 1024, ARENA_NO_BUDGET);
    strmap_set(config, SL("connector.class"), slice_cstr(class_name));
    enum err rc = put_user(&u, user);
    if (rc == E_OK)
        rc = put_host(&u, rest);
    if (rc == E_OK)
        rc = put(&u, "database.include.list", path);
    if (rc == E_OK)
        rc = put_query(&u, query);
    arena_release(&u.arena);
    return rc;
}

enum err doctor_json(struct slice text, struct strmap *config, struct error *e)
{
    json_error_t fault;
    const char *name;
    json_t *root = json_loadb(text.p ? text.p : "", text.n, 0, &fault), *value;
    if (!root)
        return error_set(e, E_INVALID, "line %d is not JSON: %s", fault.line, fault.text);
    json_t *inner = json_object_get(root, "config");
    json_object_foreach(json_is_object(inner) ? inner : root, name, value)
    {
        char *dump = json_is_string(value) ? NULL : json_dumps(value, JSON_ENCODE_ANY);
        strmap_set(config, slice_cstr(name), slice_cstr(dump ? dump : json_string_value(value)));
        free(dump);
    }
    json_decref(root);
    return strmap_get_c(config, "connector.class").p
               ? E_OK
               : error_set(e, E_INVALID, "it names no connector.class");
}

static enum err read_file(const char *path, struct strmap *config, struct error *e)
{
    enum { MAX_FILE = 1 << 20 };
    FILE *f = fopen(path, "r");
    if (!f)
        return error_sys(e, errno, "reading %s", path);
    char *text = xmalloc(MAX_FILE);
    size_t n = fread(text, 1, MAX_FILE, f);
    enum err rc = ferror(f) ? error_sys(e, errno, "reading %s", path) : E_OK;
    fclose(f);
    if (rc == E_OK) {
        rc = doctor_json(slice_of(text, n), config, e);
        if (rc)
            error_wrap(e, "%s", path);
    }
    mem_wipe(text, n);
    mem_free(text);
    return rc;
}

/* A password from the environment, else from the terminal; an account may do without one: then
 * E_NOT_FOUND. */
static enum err get_password(const char *variable, struct strbuf *out, struct error *e)
{
    const char *password = getenv(variable);
    if (!password)
        return password_ask("Password: ", out, e);
    strbuf_adds(out, password);
    return E_OK;
}

/* Where the password of a MongoDB URL goes that names a user only (USER@); -1: nowhere. */
static ptrdiff_t password_gap(struct slice url)
{
    ptrdiff_t query = slice_find_char(url, '?'), start = slice_find(url, SL("://"));
    struct slice front = query < 0 ? url : slice_sub(url, 0, (size_t)query);
    ptrdiff_t at = slice_rfind_char(front, '@');
    return at > start + 3 &&
                   slice_find_char(slice_sub(url, (size_t)start + 3, (size_t)at), ':') < 0 &&
                   slice_find(url, SL("X509")) < 0
               ? at
               : -1;
}

static enum err find_mongo_password(struct strmap *config, struct error *e)
{
    struct slice url = strmap_get(config, MONGO_URL);
    ptrdiff_t at = password_gap(url);
    struct strbuf typed = STRBUF_INIT, whole = STRBUF_INIT;
    enum err rc = at < 0 ? E_NOT_FOUND : get_password("MONGODB_PWD", &typed, e);
    if (rc == E_OK) {
        strbuf_add_slice(&whole, slice_sub(url, 0, (size_t)at));
        strbuf_addc(&whole, ':');
        for (size_t i = 0; i < typed.n; i++)
            strbuf_addf(&whole, "%%%02X", (unsigned char)typed.p[i]);
        strbuf_add_slice(&whole, slice_sub(url, (size_t)at, url.n));
        strmap_set(config, MONGO_URL, strbuf_slice(&whole));
    }
    mem_wipe(typed.p, typed.n);
    mem_wipe(whole.p, whole.n);
    strbuf_release(&typed);
    strbuf_release(&whole);
    return rc == E_NOT_FOUND ? E_OK : rc;
}

static enum err find_password(struct strmap *config, struct error *e)
{
    struct strbuf typed = STRBUF_INIT;
    if (strmap_has(config, MONGO_URL))
        return find_mongo_password(config, e);
    if (strmap_has(config, SL("database.password")))
        return E_OK;
    enum err rc = get_password("MYSQL_PWD", &typed, e);
    if (rc == E_OK && typed.n)
        strmap_set(config, SL("database.password"), strbuf_slice(&typed));
    mem_wipe(typed.p, typed.n);
    strbuf_release(&typed);
    return rc == E_NOT_FOUND ? E_OK : rc;
}

static enum err parse(int argc, char **argv, struct strmap *config, const char **target,
                      struct error *e)
{
    struct strmap set = STRMAP_INIT;
    enum err rc = E_OK;
    for (int i = 0; i < argc && rc == E_OK; i++) {
        struct slice arg = slice_cstr(argv[i]);
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            rc = E_CANCELLED;
        } else if (strcmp(argv[i], "--set") == 0) {
            struct slice pair = slice_cstr(i + 1 < argc ? argv[++i] : "");
            ptrdiff_t equals = slice_find_char(pair, '=');
            if (equals <= 0)
                rc = error_set(e, E_INVALID, "--set needs OPTION=VALUE");
            else
                strmap_set(&set, slice_sub(pair, 0, (size_t)equals),
                           slice_sub(pair, (size_t)equals + 1, pair.n));
        } else if (arg.n > 1 && arg.p[0] == '-') {
            rc = error_set(e, E_INVALID, "there is no option %s; see weir doctor --help", argv[i]);
        } else if (*target) {
            rc = error_set(e, E_INVALID, "one URL or file at a time");
        } else {
            *target = argv[i];
        }
    }
    if (rc == E_OK && !*target)
        rc = error_set(e, E_INVALID,
                       "which database? mysql://USER@HOST/, mongodb://HOST/, or a "
                       "connector's JSON file; see weir doctor --help");
    bool is_url = rc == E_OK && strstr(*target, "://");
    if (rc == E_OK)
        rc = is_url ? doctor_url(slice_cstr(*target), config, e) : read_file(*target, config, e);
    for (size_t i = 0; i < set.count; i++)
        strmap_set(config, set.entries[i].key, set.entries[i].value);
    strmap_release(&set);
    for (int i = 0; i < argc; i++) /* not for ps to show while the database is looked at */
        password_hide(argv[i]);
    return rc == E_OK && is_url ? find_password(config, e) : rc;
}

/* --- the page --------------------------------------------------------------------------------- */

static const struct connector_ops *find_class(const struct connect_plugins *const *plugins,
                                              struct slice name)
{
    for (; *plugins; plugins++)
        for (const struct connector_ops *const *c = (*plugins)->connectors; c && *c; c++)
            if (class_is_called((*c)->class_name, (*c)->aliases, name))
                return *c;
    return NULL;
}

/* Lines below each other, all but the first indented. */
static void print_lines(const char *text, int indent)
{
    struct slice rest = slice_cstr(text), line;
    for (bool first = true; slice_split(&rest, '\n', &line); first = false)
        printf("%*s" PRI_SL "\n", first ? 0 : indent, "", ARG_SL(line));
}

static bool was_before(const struct inspection *found, size_t n, const struct inspect_item *item,
                       bool cure)
{
    for (size_t i = 0; i < n; i++)
        if (found->items[i].where && strcmp(found->items[i].where, item->where) == 0 &&
            (!cure || strcmp(found->items[i].cure, item->cure) == 0))
            return true;
    return false;
}

/* All cures of one place together, each once. */
static void print_cures(const struct inspection *found)
{
    for (size_t i = 0; i < found->count; i++) {
        const struct inspect_item *item = &found->items[i];
        if (!item->cure || was_before(found, i, item, false))
            continue;
        printf("\nto do - %s:\n", item->where);
        for (size_t k = i; k < found->count; k++) {
            const struct inspect_item *other = &found->items[k];
            if (!other->cure || strcmp(other->where, item->where) != 0 ||
                was_before(found, k, other, true))
                continue;
            printf("    ");
            print_lines(other->cure, 4);
        }
    }
}

/* A database by its URL is no connector yet: what any connector needs besides is not asked for. */
static void complete(struct strmap *config, const struct opt_row *rows)
{
    static const char *const needed[][2] = {{"topic.prefix", "doctor"},
                                            {"database.server.id", "5400"}};
    for (size_t i = 0; i < ARRAY_LEN(needed); i++)
        if (opt_find(rows, slice_cstr(needed[i][0])) && !strmap_get_c(config, needed[i][0]).p)
            strmap_set(config, slice_cstr(needed[i][0]), slice_cstr(needed[i][1]));
}

static void look(const struct connect_plugins *const *plugins, const struct connector_ops *ops,
                 struct strmap *config, bool by_url, struct inspection *found)
{
    if (by_url)
        complete(config, ops->rows);
    config_check(plugins, ops, config, found);
    ops->inspect(config, found);
}

static int print_page(const struct inspection *found)
{
    enum { TEXT_AT = 39 };
    for (size_t i = 0; i < found->count; i++) {
        const struct inspect_item *item = &found->items[i];
        printf("  %-8s %-27s ", inspect_level_name(item->level), item->what);
        print_lines(item->text, TEXT_AT);
    }
    print_cures(found);
    size_t faults = inspection_count(found, INSPECT_FAULT),
           warnings = inspection_count(found, INSPECT_WARNING);
    if (faults)
        printf("\na connector would fail: %zu fault%s, %zu warning%s\n", faults,
               faults == 1 ? "" : "s", warnings, warnings == 1 ? "" : "s");
    else
        printf("\na connector would run%s\n", warnings ? ", mind the warnings" : "");
    return faults ? EXIT_FAILURE : EXIT_SUCCESS;
}

int doctor_main(int argc, char **argv, const struct connect_plugins *const *plugins)
{
    struct strmap config = STRMAP_INIT;
    struct error e = {0};
    const char *target = NULL;
    int status = 2;
    enum err rc = parse(argc, argv, &config, &target, &e);
    const struct connector_ops *ops =
        rc ? NULL : find_class(plugins, strmap_get_c(&config, "connector.class"));
    if (rc == E_CANCELLED) {
        fputs(usage, stdout);
        status = EXIT_SUCCESS;
    } else if (rc) {
        fprintf(stderr, "weir doctor: %s\n", e.msg);
    } else if (!ops || !ops->inspect) {
        fprintf(stderr, "weir doctor: connectors of class " PRI_SL " cannot be looked at\n",
                ARG_SL(strmap_get_c(&config, "connector.class")));
    } else {
        struct inspection found;
        inspection_init(&found);
        if (log_set_level("root", LOG_L_ERROR)) /* the page tells it */
            fputs("weir doctor: the log stays as it is\n", stderr);
        look(plugins, ops, &config, strstr(target, "://") != NULL, &found);
        status = print_page(&found);
        inspection_release(&found);
    }
    strmap_release(&config);
    return status;
}
