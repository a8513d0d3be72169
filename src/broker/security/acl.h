/* broker/security/acl.h - access control lists: what they say, where they are kept, what they allow.
 *
 * Numbers are Kafka's, on the wire and in the database (table acls). Questions are answered from
 * memory under a read lock; a change is committed first, then seen by the next question. The rules
 * are those of Kafka's StandardAuthorizer: super users may do everything; a DENY that fits wins; an
 * ALLOW that fits allows; READ, WRITE, DELETE and ALTER include DESCRIBE, ALTER_CONFIGS includes
 * DESCRIBE_CONFIGS; what no list names is open if allow.everyone.if.no.acl.found says so.
 * SPEC: broker 11.5. Thread: any; changes block on the db. */
#ifndef WEIR_BROKER_SECURITY_ACL_H
#define WEIR_BROKER_SECURITY_ACL_H

#include "base/arena.h"
#include "base/base.h"
#include "base/db.h"
#include "base/err.h"
#include "base/str.h"

enum acl_type {
    ACL_TYPE_UNKNOWN = 0,
    ACL_TYPE_ANY = 1, /* in filters only */
    ACL_TOPIC = 2,
    ACL_GROUP = 3,
    ACL_CLUSTER = 4, /* its only resource is ACL_CLUSTER_NAME */
    ACL_TRANSACTIONAL_ID = 5,
    ACL_TOKEN = 6,
    ACL_USER = 7,
    ACL_TYPES
};
#define ACL_CLUSTER_NAME SL("kafka-cluster")

enum acl_op {
    ACL_OP_UNKNOWN = 0,
    ACL_OP_ANY = 1, /* in filters only */
    ACL_ALL = 2,
    ACL_READ = 3,
    ACL_WRITE = 4,
    ACL_CREATE = 5,
    ACL_DELETE = 6,
    ACL_ALTER = 7,
    ACL_DESCRIBE = 8,
    ACL_CLUSTER_ACTION = 9,
    ACL_DESCRIBE_CONFIGS = 10,
    ACL_ALTER_CONFIGS = 11,
    ACL_IDEMPOTENT_WRITE = 12,
    ACL_CREATE_TOKENS = 13,
    ACL_DESCRIBE_TOKENS = 14,
    ACL_OPS
};

enum acl_pattern {
    ACL_PATTERN_UNKNOWN = 0,
    ACL_PATTERN_ANY = 1,   /* in filters only */
    ACL_PATTERN_MATCH = 2, /* in filters only: everything that applies to the name */
    ACL_LITERAL = 3,       /* name "*": every resource of the type */
    ACL_PREFIXED = 4,
};
enum acl_permission {
    ACL_PERMISSION_UNKNOWN = 0,
    ACL_PERMISSION_ANY = 1, /* in filters only */
    ACL_DENY = 2,
    ACL_ALLOW = 3,
};

/* One entry, or a filter: then null texts mean any. */
struct acl {
    enum acl_type type;
    enum acl_pattern pattern;
    enum acl_op op;
    enum acl_permission permission;
    struct slice name, principal /* "User:alice", "User:*" */, host /* "*" or an address */;
};
/* May this entry be stored? E_INVALID with Kafka's words. */
enum err acl_check(const struct acl *a, struct error *e) MUST_CHECK;
bool acl_matches(const struct acl *filter, const struct acl *a);

struct acl_store;
extern const struct db_migrations acl_migrations;

/* Is this of the form "User:a;User:b"? Kafka starts with no other. E_INVALID: what to write. */
enum err acl_check_super_users(struct slice list, struct error *e) MUST_CHECK;
/* super_users: checked. */
enum err acl_store_open(struct acl_store **out, struct db *db, struct slice super_users,
                        bool allow_if_none, struct error *e) MUST_CHECK;
void acl_store_close(struct acl_store *s); /* NULL allowed */

bool acl_store_allows(struct acl_store *s, struct slice principal, struct slice host,
                      enum acl_op op, enum acl_type type, struct slice name);
/* On some resource of the type. */
bool acl_store_allows_some(struct acl_store *s, struct slice principal, struct slice host,
                           enum acl_op op, enum acl_type type);
/* Entries that the filter matches, sorted by resource; in the arena. */
struct acl *acl_store_find(struct acl_store *s, const struct acl *filter, struct arena *a,
                           size_t *count);
/* What is there already stays as it is. All or nothing. */
enum err acl_store_add(struct acl_store *s, const struct acl *v, size_t count,
                       struct error *e) MUST_CHECK;
enum err acl_store_remove(struct acl_store *s, const struct acl *v, size_t count,
                          struct error *e) MUST_CHECK;

/* The operations that a resource of this type can have, as bits 1 << op: what AuthorizedOperations
 * fields say without an authorizer. Thread: any. */
int32_t acl_type_operations(enum acl_type type);

#endif
