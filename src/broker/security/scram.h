/* broker/security/scram.h - the server's side of SCRAM-SHA-256 and SCRAM-SHA-512 (RFC 5802, RFC 7677),
 * without sockets and without a store.
 *
 *   client-first -> scram_first -> server-first;  client-final -> scram_final -> server-final
 *
 * A user that does not exist goes the same way with made-up credentials and fails at the end, as a
 * wrong password does. No channel binding. SPEC: broker 11.3, 11.4. Thread: the caller's. */
#ifndef WEIR_BROKER_SECURITY_SCRAM_H
#define WEIR_BROKER_SECURITY_SCRAM_H

#include "base/base.h"
#include "base/err.h"
#include "base/str.h"

/* Kafka's numbers. */
enum scram_mechanism { SCRAM_NONE = 0, SCRAM_SHA_256 = 1, SCRAM_SHA_512 = 2, SCRAM_MECHANISMS };

#define SCRAM_HASH_MAX 64
#define SCRAM_SALT_MAX 128
#define SCRAM_ITERATIONS_MIN 4096
#define SCRAM_ITERATIONS_MAX 16384

struct scram_credential {
    enum scram_mechanism mechanism;
    int32_t iterations;
    uint8_t salt[SCRAM_SALT_MAX];
    size_t salt_n;
    uint8_t stored_key[SCRAM_HASH_MAX], server_key[SCRAM_HASH_MAX];
};

const char *scram_name(enum scram_mechanism m); /* "SCRAM-SHA-256" */
size_t scram_hash_size(enum scram_mechanism m); /* 0: no such mechanism */
/* From what a client hashed (AlterUserScramCredentials). E_INVALID: sizes. */
enum err scram_credential_make(struct scram_credential *out, enum scram_mechanism m,
                               int32_t iterations, struct slice salt,
                               struct slice salted_password) MUST_CHECK;
/* SaltedPassword := Hi(password, salt, i). Slow on purpose; for tests and for users with a password
 * in the clear. */
void scram_salt_password(enum scram_mechanism m, struct slice password, struct slice salt,
                         int32_t iterations, uint8_t out[SCRAM_HASH_MAX]);
/* For users that do not exist: always the same for one name. */
void scram_credential_fake(struct scram_credential *out, enum scram_mechanism m, struct slice user);

struct scram_exchange {
    struct scram_credential credential;
    bool real;                  /* not a fake */
    struct strbuf user;         /* decoded */
    struct strbuf nonce;        /* client's and ours */
    size_t client_nonce_n;      /* of nonce */
    struct strbuf binding;      /* what client-final's c= must say */
    struct strbuf auth_message; /* "client-first-bare,server-first" */
};
void scram_exchange_init(struct scram_exchange *x);
void scram_exchange_release(struct scram_exchange *x);

/* Parses client-first-message into x->user and the nonce. E_INVALID: not one, or it asks for what
 * is not served (channel binding, another authorization id, delegation tokens). */
enum err scram_parse_first(struct scram_exchange *x, struct slice token) MUST_CHECK;
/* server-first-message for x->credential, which the caller has set. server_nonce NULL: random. */
enum err scram_first(struct scram_exchange *x, const char *server_nonce,
                     struct strbuf *out) MUST_CHECK;
/* E_INVALID: not a client-final-message, or the proof is wrong. */
enum err scram_final(struct scram_exchange *x, struct slice token, struct strbuf *out) MUST_CHECK;

#endif
