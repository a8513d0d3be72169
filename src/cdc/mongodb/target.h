/* cdc/mongodb/target.h - where a connector connects: its connection string taken apart, completed by the
 * other options, and put together again for the driver, which is stricter than Java's about spelling
 * and knows fewer options. Pure text. SPEC: cdc-mongodb 2.2, 3.1. Thread: the owner's. */
#ifndef WEIR_CDC_MONGODB_TARGET_H
#define WEIR_CDC_MONGODB_TARGET_H

#include "base/base.h"
#include "base/err.h"
#include "base/str.h"
#include "base/strmap.h"
#include "cdc/mongodb/options.h"

struct mongo_host {
    char name[256]; /* IPv6 without brackets; a path for a Unix socket */
    uint16_t port;
};
struct mongo_target {
    struct mongo_host *seeds; /* as written; at least one */
    size_t seed_count;
    bool srv;
    char *user, *password; /* plain; NULL: none. The password is wiped on release. */
    bool user_in_string;   /* not mongodb.user's */
    char *database;        /* of the path; NULL: none */
    struct strmap options; /* for the driver, under its names, plain values */
    int32_t selection_timeout_ms;
};

/* E_INVALID: "Missing connection string", "Invalid connection string" (with what is wrong as hint, which
 * never quotes the credentials). app: appName when the string names none; may be NULL. Released by the
 * caller in any case. */
enum err mongo_target_init(struct mongo_target *t, const struct mongo_options *o, const char *app,
                           struct error *e) MUST_CHECK;
void mongo_target_release(struct mongo_target *t);
/* A user without a password, whose mechanism needs one: the driver must not see that, it would crash.
 * Returns the option that lacks it and fills *e (E_INVALID); NULL: nothing is missing. */
const char *mongo_target_no_password(const struct mongo_target *t, struct error *e) MUST_CHECK;
/* Appends the whole string, with the credentials. one: instead of the seeds, without discovery; may be
 * NULL. The caller wipes it. */
void mongo_target_print(const struct mongo_target *t, const struct mongo_host *one,
                        struct strbuf *out);
/* Appends host:port,host:port: for people. */
void mongo_target_hosts(const struct mongo_target *t, struct strbuf *out);
void mongo_host_print(const struct mongo_host *h, struct strbuf *out);
/* "host", "host:port", "[::1]:port"; without a port 27017. E_INVALID. */
enum err mongo_host_parse(struct slice text, struct mongo_host *out) MUST_CHECK;
bool mongo_host_eq(const struct mongo_host *a, const struct mongo_host *b); /* any case */

struct slice mongo_target_option(const struct mongo_target *t, const char *name); /* null: none */
bool mongo_target_direct(const struct mongo_target *t); /* directConnection=true */
bool mongo_target_tls(const struct mongo_target *t);

#endif
