/* cdc/mongodb/probe.h - asks single servers who they are, without the driver: which of them answer, how
 * they call themselves and each other, and what else answers on a port where MongoDB was expected.
 * No credentials are sent. SPEC: cdc-mongodb 3.4. Thread: the caller's; asks all servers at once. */
#ifndef WEIR_CDC_MONGODB_PROBE_H
#define WEIR_CDC_MONGODB_PROBE_H

#include "base/base.h"
#include "cdc/mongodb/target.h"

enum mongo_probe_state {
    PROBE_SILENT,    /* nothing within the time */
    PROBE_NO_NAME,   /* the name has no address here */
    PROBE_REFUSED,   /* nobody listens */
    PROBE_CLOSED,    /* closes the connection without a word */
    PROBE_STRANGE,   /* speaks something else: why */
    PROBE_OTHER_TLS, /* answers only with TLS where none is asked for, or the other way round */
    PROBE_UNTRUSTED, /* its certificate does not hold: why */
    PROBE_ANSWERED,  /* the fields below are set */
};
#define PROBE_MEMBERS 16
struct mongo_probe {
    struct mongo_host host; /* in */
    enum mongo_probe_state state;
    char why[200]; /* for people */
    char set_name[128];
    struct mongo_host me, primary;            /* as the set calls them; name "": not told */
    struct mongo_host members[PROBE_MEMBERS]; /* hosts, passives and arbiters of the set */
    size_t member_count;
    bool mongos, writable, secondary, arbiter;
    bool uninitiated; /* started for a replica set that was never initiated */
    int32_t max_wire_version;
};
struct mongo_probe_tls {
    bool on;
    bool any_certificate, any_hostname;
    const char *ca_file, *pem_file, *pem_password; /* NULL: none */
};
/* Fills all; returns when all have answered or after timeout_ms. */
void mongo_probe(struct mongo_probe *probes, size_t count, const struct mongo_probe_tls *tls,
                 int32_t timeout_ms);

#endif
