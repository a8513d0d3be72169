/* cli/server_env.c - see server_env.h.
 *
 * A variable's name becomes a property's as in the official image: KAFKA_ goes, letters become
 * small, ___ becomes -, __ becomes _, _ becomes a dot. */
#include "cli/server_env.h"

#include <ctype.h>
#include <stdlib.h>

#include "base/base.h"
#include "base/mem.h"

/* About the JVM, the image or its scripts: no setting of a broker, not worth a word. */
static bool is_of_the_image(struct slice rest)
{
    static const char *const names[] = {"HOME",        "VERSION",      "OPTS",
                                        "HEAP_OPTS",   "GC_LOG_OPTS",  "DEBUG",
                                        "CLASSPATH",   "USER",         "CONF_DIR",
                                        "VOLUME_DIR",  "DATA_DIR",     "ENABLE_KRAFT",
                                        "BASE_DIR",    "LOG_DIR",      "CERTS_DIR",
                                        "CONF_FILE",   "BIN_DIR",      "MOUNTED_CONF_DIR",
                                        "DAEMON_USER", "DAEMON_GROUP", "INITSCRIPTS_DIR"};
    static const char *const starts[] = {"JMX_", "LOG4J_", "JVM_", "DEBUG_", "SCALA_"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (slice_eq_c(rest, names[i]))
            return true;
    for (size_t i = 0; i < ARRAY_LEN(starts); i++)
        if (slice_starts(rest, slice_cstr(starts[i])))
            return true;
    return false;
}

bool server_env_is_of_a_service(struct slice name, struct slice value)
{
    bool address = slice_starts(value, SL("tcp://")) || slice_starts(value, SL("udp://"));
    ptrdiff_t port = slice_find(name, SL("_PORT_"));
    if (address && slice_ends(name, SL("PORT")))
        return true;
    if (slice_find(name, SL("_SERVICE_HOST")) >= 0 || slice_find(name, SL("_SERVICE_PORT")) >= 0)
        return true;
    if (port < 0)
        return false;
    struct slice rest = slice_sub(name, (size_t)port + 6, name.n), number;
    int64_t n;
    return slice_split(&rest, '_', &number) && slice_to_i64(number, &n) == E_OK &&
           (slice_starts(rest, SL("TCP")) || slice_starts(rest, SL("UDP")));
}

void server_env_property(struct slice rest, char two, char three, struct strbuf *out)
{
    strbuf_reset(out);
    for (size_t i = 0; i < rest.n; i++) {
        if (rest.p[i] != '_') {
            strbuf_addc(out, (char)tolower((unsigned char)rest.p[i]));
            continue;
        }
        size_t run = 1;
        while (run < 3 && i + run < rest.n && rest.p[i + run] == '_')
            run++;
        strbuf_addc(out, run == 3 ? three : run == 2 ? two : '.');
        i += run - 1;
    }
}

static enum err offer(struct server_config *c, const char *variable, struct strbuf *name,
                      struct error *e)
{
    const char *eq = strchr(variable, '=');
    struct slice whole = slice_of(variable, (size_t)(eq - variable));
    struct slice rest = slice_sub(whole, slice_starts(whole, SL("KAFKA_CFG_")) ? 10 : 6, whole.n);
    struct slice value = slice_cstr(eq + 1);
    if (is_of_the_image(rest) || server_env_is_of_a_service(whole, value))
        return E_OK;
    if (slice_eq(whole, SL("KAFKA_KRAFT_CLUSTER_ID"))) { /* Bitnami's name for CLUSTER_ID */
        setenv("CLUSTER_ID", eq + 1, 0);
        return E_OK;
    }
    server_env_property(rest, '_', '-', name);
    char *where = slice_dup(whole);
    enum err r = server_config_offer(c, strbuf_slice(name), value, where, e);
    mem_free(where);
    return r;
}

enum err server_config_kafka_env(struct server_config *c, char *const *environment, struct error *e)
{
    struct strbuf name = STRBUF_INIT;
    enum err r = E_OK;
    for (char *const *v = environment; r == E_OK && *v; v++) {
        if (!strncmp(*v, "KAFKA_", 6) && strchr(*v, '=') && strchr(*v, '=') > *v + 6)
            r = offer(c, *v, &name, e);
    }
    strbuf_release(&name);
    return r;
}
