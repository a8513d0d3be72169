/* cli/exposure.h - what of weir the network reaches without being asked who it is, told once at the
 * start: Kafka, Connect, the web page, metrics. Thread: main. */
#ifndef WEIR_CLI_EXPOSURE_H
#define WEIR_CLI_EXPOSURE_H

#include "base/str.h"

struct exposure {
    struct strbuf open; /* "Kafka on 0.0.0.0:9092, ..." */
    size_t options;     /* bits: which of the options below the advice names */
};
#define EXPOSURE_INIT                                                                              \
    {                                                                                              \
        .open = STRBUF_INIT                                                                        \
    }
enum exposure_option {
    EXPOSURE_LISTENERS = 1, /* Kafka's option */
    EXPOSURE_KAFKA = 2,     /* --kafka-listen ... */
    EXPOSURE_CONNECT = 4,
    EXPOSURE_WEB = 8,
    EXPOSURE_METRICS = 16
};
/* what: for people. host "": all addresses. Nothing for an address that only this machine
 * reaches. */
void exposure_add(struct exposure *x, const char *what, enum exposure_option option,
                  const char *host, int port);
/* One warning, if there is something to warn of. */
void exposure_tell(const struct exposure *x);
void exposure_release(struct exposure *x);

#endif
