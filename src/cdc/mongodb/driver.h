/* cdc/mongodb/driver.h - the MongoDB C driver, opened when the first connector asks: linking it
 * would cost every start 6 MB and 8 ms. Its functions are called through two tables:
 * `libmongoc.client_new(...)` is mongoc_client_new, `libbson.init(...)` is bson_init. Macros of its
 * headers that call functions (BSON_APPEND_UTF8 ...) do not link. SPEC: cdc-mongodb 11. Thread: any
 * after mongo_driver_load. */
#ifndef WEIR_CDC_MONGODB_DRIVER_H
#define WEIR_CDC_MONGODB_DRIVER_H

#include <mongoc/mongoc.h>

#include "base/base.h"
#include "base/err.h"

#define MONGOC_FUNCTIONS(X)                                                                        \
    X(init)                                                                                        \
    X(log_set_handler)                                                                             \
    X(handshake_data_append)                                                                       \
    X(uri_new_with_error)                                                                          \
    X(uri_destroy)                                                                                 \
    X(uri_get_hosts)                                                                               \
    X(uri_get_option_as_int32)                                                                     \
    X(client_pool_new_with_error)                                                                  \
    X(client_pool_destroy)                                                                         \
    X(client_pool_pop)                                                                             \
    X(client_pool_push)                                                                            \
    X(client_pool_set_appname)                                                                     \
    X(client_pool_set_error_api)                                                                   \
    X(client_pool_set_apm_callbacks)                                                               \
    X(client_new_from_uri_with_error)                                                              \
    X(client_destroy)                                                                              \
    X(client_set_appname)                                                                          \
    X(client_set_error_api)                                                                        \
    X(client_set_stream_initiator)                                                                 \
    X(client_get_read_prefs)                                                                       \
    X(client_get_server_descriptions)                                                              \
    X(client_select_server)                                                                        \
    X(client_command_simple)                                                                       \
    X(client_command_with_opts)                                                                    \
    X(client_read_command_with_opts)                                                               \
    X(client_write_command_with_opts)                                                              \
    X(client_start_session)                                                                        \
    X(client_session_append)                                                                       \
    X(client_session_start_transaction)                                                            \
    X(client_session_commit_transaction)                                                           \
    X(client_session_destroy)                                                                      \
    X(session_opts_new)                                                                            \
    X(session_opts_destroy)                                                                        \
    X(session_opts_set_causal_consistency)                                                         \
    X(client_get_collection)                                                                       \
    X(client_get_database)                                                                         \
    X(client_find_databases_with_opts)                                                             \
    X(client_get_database_names_with_opts)                                                         \
    X(client_watch)                                                                                \
    X(server_description_destroy)                                                                  \
    X(server_descriptions_destroy_all)                                                             \
    X(server_description_id)                                                                       \
    X(server_description_host)                                                                     \
    X(server_description_type)                                                                     \
    X(server_description_hello_response)                                                           \
    X(database_destroy)                                                                            \
    X(database_watch)                                                                              \
    X(database_command_with_opts)                                                                  \
    X(database_find_collections_with_opts)                                                         \
    X(database_get_collection)                                                                     \
    X(collection_destroy)                                                                          \
    X(collection_watch)                                                                            \
    X(collection_aggregate)                                                                        \
    X(collection_find_with_opts)                                                                   \
    X(collection_insert_one)                                                                       \
    X(collection_delete_one)                                                                       \
    X(collection_update_one)                                                                       \
    X(collection_estimated_document_count)                                                         \
    X(cursor_destroy)                                                                              \
    X(cursor_next)                                                                                 \
    X(cursor_more)                                                                                 \
    X(cursor_error_document)                                                                       \
    X(cursor_get_host)                                                                             \
    X(cursor_set_batch_size)                                                                       \
    X(cursor_set_limit)                                                                            \
    X(change_stream_destroy)                                                                       \
    X(change_stream_next)                                                                          \
    X(change_stream_error_document)                                                                \
    X(change_stream_get_resume_token)                                                              \
    X(read_prefs_new)                                                                              \
    X(read_prefs_destroy)                                                                          \
    X(apm_callbacks_new)                                                                           \
    X(apm_callbacks_destroy)                                                                       \
    X(apm_set_topology_changed_cb)                                                                 \
    X(apm_topology_changed_get_context)                                                            \
    X(apm_topology_changed_get_previous_description)                                               \
    X(apm_topology_changed_get_new_description)                                                    \
    X(topology_description_get_servers)                                                            \
    X(topology_description_type)                                                                   \
    X(stream_tls_new_with_hostname)                                                                \
    X(stream_tls_handshake_block)                                                                  \
    X(stream_buffered_new)                                                                         \
    X(stream_destroy)

#define BSON_FUNCTIONS(X)                                                                          \
    X(init)                                                                                        \
    X(init_static)                                                                                 \
    X(new)                                                                                         \
    X(new_from_data)                                                                               \
    X(new_from_json)                                                                               \
    X(copy)                                                                                        \
    X(copy_to)                                                                                     \
    X(concat)                                                                                      \
    X(reinit)                                                                                      \
    X(destroy)                                                                                     \
    X(set_error)                                                                                   \
    X(free)                                                                                        \
    X(strfreev)                                                                                    \
    X(get_data)                                                                                    \
    X(append_utf8)                                                                                 \
    X(append_int32)                                                                                \
    X(append_int64)                                                                                \
    X(append_bool)                                                                                 \
    X(append_double)                                                                               \
    X(append_null)                                                                                 \
    X(append_timestamp)                                                                            \
    X(append_document)                                                                             \
    X(append_array)                                                                                \
    X(append_value)                                                                                \
    X(append_document_begin)                                                                       \
    X(append_document_end)                                                                         \
    X(append_array_begin)                                                                          \
    X(append_array_end)                                                                            \
    X(as_relaxed_extended_json)                                                                    \
    X(iter_init)                                                                                   \
    X(iter_init_find)                                                                              \
    X(iter_next)                                                                                   \
    X(iter_key)                                                                                    \
    X(iter_type)                                                                                   \
    X(iter_find)                                                                                   \
    X(iter_find_descendant)                                                                        \
    X(iter_recurse)                                                                                \
    X(iter_utf8)                                                                                   \
    X(iter_bool)                                                                                   \
    X(iter_as_bool)                                                                                \
    X(iter_int32)                                                                                  \
    X(iter_as_int64)                                                                               \
    X(iter_date_time)                                                                              \
    X(iter_timestamp)                                                                              \
    X(iter_document)

struct libmongoc_functions {
#define X(name) __typeof__(&mongoc_##name) name;
    MONGOC_FUNCTIONS(X)
#undef X
};
struct libbson_functions {
#define X(name) __typeof__(&bson_##name) name;
    BSON_FUNCTIONS(X)
#undef X
};
extern struct libmongoc_functions libmongoc; /* filled once, then constant */
extern struct libbson_functions libbson;

/* Opens the library and initialises it, once in the life of the process; again: at once.
 * E_NOT_FOUND: it is not installed; the message says what to install. */
enum err mongo_driver_load(struct error *e) MUST_CHECK;
/* Runs fn on a thread that nobody waits for, but the end of the process: a second, before the
 * driver is torn down. False: no thread is to be had; fn was not called. */
bool mongo_driver_background(void (*fn)(void *arg), void *arg) MUST_CHECK;

#endif
