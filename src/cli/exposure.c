/* cli/exposure.c - see exposure.h. */
#include "cli/exposure.h"

#include <string.h>

#include "base/http_url.h"
#include "base/log.h"

void exposure_add(struct exposure *x, const char *what, enum exposure_option option,
                  const char *host, int port)
{
    bool v6 = strchr(host, ':') != NULL;
    if (host[0] && http_name_is_loopback(host))
        return;
    strbuf_addf(&x->open, "%s%s on %s%s%s:%d", x->open.n ? ", " : "", what, v6 ? "[" : "",
                host[0] ? host : "0.0.0.0", v6 ? "]" : "", port);
    x->options |= option;
}

void exposure_tell(const struct exposure *x)
{
    static const struct {
        enum exposure_option option;
        const char *text;
    } rows[] = {{EXPOSURE_LISTENERS, "listeners=PLAINTEXT://127.0.0.1:9092"},
                {EXPOSURE_KAFKA, "--kafka-listen 127.0.0.1:9092"},
                {EXPOSURE_CONNECT, "--connect-listen 127.0.0.1:8083"},
                {EXPOSURE_WEB, "--web-listen 127.0.0.1:8080"},
                {EXPOSURE_METRICS, "--metrics-listen 127.0.0.1:PORT"}};
    struct strbuf advice = STRBUF_INIT;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (x->options & rows[i].option)
            strbuf_addf(&advice, "%s%s", advice.n ? ", " : "", rows[i].text);
    if (x->open.n)
        LOG_WARN(LOG_MAIN,
                 "everyone in the network can use %s: nobody is asked for a password. For this "
                 "machine alone: %s; in a container publish the ports as -p 127.0.0.1:9092:9092 or "
                 "not at all. Else let a firewall decide who comes in%s",
                 x->open.p, advice.p,
                 x->options & (EXPOSURE_KAFKA | EXPOSURE_LISTENERS)
                     ? "; Kafka's port can ask for passwords (docs/security.md)"
                     : "");
    strbuf_release(&advice);
}

void exposure_release(struct exposure *x)
{
    strbuf_release(&x->open);
}
