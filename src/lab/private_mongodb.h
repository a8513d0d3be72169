/* lab/private_mongodb.h - a MongoDB server of weir's own: private_server.h as a replica set of one
 * member, for only a replica set has change streams. Thread: main. */
#ifndef WEIR_LAB_PRIVATE_MONGODB_H
#define WEIR_LAB_PRIVATE_MONGODB_H

#include "lab/private_server.h"

#define PRIVATE_MONGODB_SET "rs0"

struct private_mongodb {
    struct private_server server;
    char *uri; /* connection string */
};
/* Path of mongod: the one given (NULL: none), else the one in PATH or the system folders. Caller
 * frees; NULL: E_NOT_FOUND in *e, one line that says what is missing and where it is to be had.
 * Asks for the driver as well. */
char *private_mongodb_find(const char *given, struct error *e);
/* Starts this mongod, makes it a replica set and waits until it is the primary. What fails has been
 * stopped and released. */
enum err private_mongodb_start(struct private_mongodb *d, const char *mongod, const char *dir,
                               struct error *e) MUST_CHECK;
void private_mongodb_stop(struct private_mongodb *d); /* again: nothing */

#endif
