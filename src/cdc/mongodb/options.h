/* cdc/mongodb/options.h - options of the MongoDB connector: rows, values, old names.
 *
 * A configuration goes through three steps: mongo_options_canonical renames what older releases
 * called otherwise, mongo_options_check reports every wrong value in Debezium's words (validation),
 * mongo_options_load fills the struct (task). SPEC: cdc-mongodb 2. Thread: any. */
#ifndef WEIR_CDC_MONGODB_OPTIONS_H
#define WEIR_CDC_MONGODB_OPTIONS_H

#include "base/base.h"
#include "base/err.h"
#include "base/opt.h"
#include "base/strmap.h"
#include "cdc/options.h"

enum mongo_snapshot_mode {
    MONGO_SNAPSHOT_INITIAL,
    MONGO_SNAPSHOT_ALWAYS,
    MONGO_SNAPSHOT_INITIAL_ONLY,
    MONGO_SNAPSHOT_NO_DATA, /* also never */
    MONGO_SNAPSHOT_WHEN_NEEDED,
    MONGO_SNAPSHOT_CONFIGURED,
};
enum mongo_scope { MONGO_SCOPE_DEPLOYMENT, MONGO_SCOPE_DATABASE, MONGO_SCOPE_COLLECTION };
enum mongo_json_mode {
    MONGO_JSON_LEGACY,
    MONGO_JSON_STRICT,
    MONGO_JSON_EXTENDED,
    MONGO_JSON_RELAXED
};
enum mongo_pipeline_order { MONGO_INTERNAL_FIRST, MONGO_USER_FIRST, MONGO_USER_ONLY };
enum mongo_oversize { MONGO_OVERSIZE_FAIL, MONGO_OVERSIZE_SKIP, MONGO_OVERSIZE_SPLIT };

struct mongo_options {
    CAPTURE_OPTIONS;
    /* One field per row of options.def that is read. */
    struct slice connection_string;
    bool allow_offset_invalidation;
    struct slice user;
    struct slice password;
    struct slice auth_source;
    int32_t connect_timeout_ms;
    int32_t monitor_interval_ms;
    int32_t socket_timeout_ms;
    int32_t selection_timeout_ms;
    bool ssl_enabled;
    bool ssl_any_hostname;
    int32_t max_await_ms;        /* 0: the server's own */
    int32_t snapshot_fetch_size; /* 0: the server's own */
    bool position_check;
    struct slice capture_mode;
    struct slice signal_collection;
    struct slice collection_include;
    struct slice collection_exclude;
    struct slice field_exclude;
    struct slice field_renames;
    struct slice filter_overrides; /* the queries: mongo_options_query */
    struct slice ssl_keystore;
    struct slice ssl_keystore_password;
    struct slice ssl_truststore;
    struct slice ssl_truststore_password;
    struct slice capture_scope_text;
    struct slice capture_target;
    int64_t start_op_time; /* seconds << 32 | increment; -1: now */
    struct slice full_update_text;
    struct slice match_mode_text;
    struct slice json_mode_text;
    struct slice pipeline;
    struct slice pipeline_order_text;
    struct slice oversize_text;
    int32_t oversize_threshold; /* bytes */
    bool direct_fallback;
    bool auto_initiate;
    /* What the texts above mean; set by mongo_options_load. */
    enum mongo_snapshot_mode snapshot;
    bool full_update; /* fullDocument is asked for */
    bool post_image;  /* as the update left it, else looked up */
    bool pre_image;   /* fullDocumentBeforeChange is asked for */
    enum mongo_scope scope;
    struct slice target_db, target_coll; /* of capture.target; null where the scope has none */
    bool literal;                        /* lists hold names, not regular expressions */
    enum mongo_json_mode json;
    enum mongo_pipeline_order pipeline_order;
    enum mongo_oversize oversize;
    bool guardrail_fail;
};

extern const struct opt_row mongo_option_rows[]; /* ends with name NULL */

/* `out` is initialised: the configuration with old names replaced by new ones (a new name that is
 * given too wins). With `warn` each replacement and each unknown key is logged. SPEC: 2.7 */
void mongo_options_canonical(const struct strmap *config, bool warn, struct strmap *out);
/* Whether nobody reads this option; *near: the name that may be meant, or NULL. */
bool mongo_option_unread(struct slice key, const char **near);
/* Reports every wrong value of a canonical configuration. Returns the number of errors. */
int mongo_options_check(const struct strmap *canonical, struct config_errors *errs);
/* Fills `o` (initialised here, released by mongo_options_release in any case). E_INVALID for values
 * that mongo_options_check refuses. */
enum err mongo_options_load(struct mongo_options *o, const struct strmap *config,
                            struct error *e) MUST_CHECK;
void mongo_options_release(struct mongo_options *o);
/* snapshot.collection.filter.overrides.<db.coll>, when the list names the collection; else null. */
struct slice mongo_options_query(const struct mongo_options *o, struct slice collection);

#endif
