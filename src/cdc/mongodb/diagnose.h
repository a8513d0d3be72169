/* cdc/mongodb/diagnose.h - why a cluster cannot be used: one verdict out of what its servers say when each
 * is asked directly, with the command that cures it. SPEC: cdc-mongodb 3.4. Thread: the caller's;
 * blocks for at most three seconds. */
#ifndef WEIR_CDC_MONGODB_DIAGNOSE_H
#define WEIR_CDC_MONGODB_DIAGNOSE_H

#include "base/base.h"
#include "base/err.h"
#include "cdc/mongodb/probe.h"
#include "cdc/mongodb/target.h"

enum mongo_finding {
    FINDING_NONE, /* members answer as they should */
    FINDING_UNREACHABLE,
    FINDING_NOT_MONGODB,
    FINDING_TLS,
    FINDING_STANDALONE,
    FINDING_NOT_INITIATED,
    FINDING_OTHER_SET,
    FINDING_NOT_A_SET,    /* a mongos was asked for a replica set */
    FINDING_MEMBER_NAMES, /* the names that members go by lead nowhere from here */
    FINDING_NO_PRIMARY,
    FINDING_TOO_OLD,
};
struct mongo_verdict {
    enum mongo_finding finding;
    char fact[900];         /* one sentence */
    char cure[900];         /* lines to paste; "" */
    const char *where;      /* they belong to: "mongosh", "connection string", ...; NULL */
    struct mongo_host seed; /* that the verdict is about */
    bool seed_is_primary;   /* and the only one, with FINDING_MEMBER_NAMES */
    bool rescued;           /* by directConnection: FINDING_NONE, fact and cure are still told */
};
void mongo_diagnose(const struct mongo_target *t, const struct mongo_probe_tls *tls,
                    struct mongo_verdict *out);
/* Of probes made already; pure. members: of the set, as the first seed that answered calls them. */
void mongo_judge(const struct mongo_target *t, const struct mongo_probe *seeds, size_t seed_count,
                 const struct mongo_probe *members, size_t member_count, struct mongo_verdict *out);
/* fact, then cure on lines of their own. E_IO: may pass by itself; E_INVALID: will not. */
enum err mongo_verdict_error(const struct mongo_verdict *v, struct error *e);

#endif
