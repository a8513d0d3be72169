/* cdc/mongo_shell.h - commands to a MongoDB for those above who have something to say to one: a
 * command goes in as JSON, its answer comes out as JSON. It opens the driver like a connector does
 * (libmongoc is not linked); capture itself reads by cdc/mongodb/client.h.
 *
 * Documents are MongoDB's Extended JSON: {"$date": {"$numberLong": "0"}}. Calls block. Thread: one
 * per shell. */
#ifndef WEIR_CDC_MONGO_SHELL_H
#define WEIR_CDC_MONGO_SHELL_H

#include <jansson.h>

#include "base/base.h"
#include "base/err.h"

/* What a server answers. */
#define MONGO_ALREADY_INITIALIZED 23
#define MONGO_NAMESPACE_EXISTS 48
#define MONGO_NOT_YET_INITIALIZED 94

struct mongo_shell;
/* Opens the driver if nobody has yet. E_NOT_FOUND: it is not installed; the message says what to
 * type. */
enum err mongo_shell_ready(struct error *e) MUST_CHECK;
/* uri: a connection string. No connection is made before the first command. E_NOT_FOUND (see
 * above), E_INVALID. */
enum err mongo_shell_open(struct mongo_shell **out, const char *uri, struct error *e) MUST_CHECK;
void mongo_shell_close(
    struct mongo_shell *s); /* NULL allowed; ends an open transaction without effect */

/* Runs a command, which is taken over, on the primary. reply: gets a new reference, NULL: not
 * wanted.
 *   E_AGAIN   the transaction is over without effect and may be run again from its start
 *   E_IO      no such server, or it went away; another shell may try again at once, this one not
 *             for 5 s
 *   E_REMOTE  any other refusal, of one of several writes too; e->sys is the server's code
 *   E_INVALID the command is no Extended JSON */
enum err mongo_shell_run(struct mongo_shell *s, const char *db, json_t *command, json_t **reply,
                         struct error *e) MUST_CHECK;
/* Commands from here to the commit take effect at once or never. Wants a replica set. */
enum err mongo_shell_begin(struct mongo_shell *s, struct error *e) MUST_CHECK;
enum err mongo_shell_commit(struct mongo_shell *s, struct error *e) MUST_CHECK; /* as _run */
void mongo_shell_abort(struct mongo_shell *s); /* outside of a transaction: nothing */

#endif
