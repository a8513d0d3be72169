/* connect/kclient_embedded.h - the inside of kclient on the embedded broker, shared by
 * kclient_embedded.c (topics, groups, reading), kproducer_*.c and kconsumer_*.c. */
#ifndef WEIR_CONNECT_KCLIENT_EMBEDDED_H
#define WEIR_CONNECT_KCLIENT_EMBEDDED_H

#include "broker/admin.h"
#include "connect/kclient.h"

struct kclient {
    struct broker *broker;
};

#endif
