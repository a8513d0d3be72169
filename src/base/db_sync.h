/* base/db_sync.h - the thread that brings db's commits to the disk, so that no commit waits for it:
 * syncs the WAL within a second of a commit and moves it into the database file (checkpoint) when it
 * has grown. Internal to base/db. Thread: db_sync_note any, the others db's owner. */
#ifndef WEIR_BASE_DB_SYNC_H
#define WEIR_BASE_DB_SYNC_H

#include "base/base.h"
#include "base/err.h"

struct db_sync;
/* path: of the database file; copied. full_sync: commits sync the WAL themselves. */
enum err db_sync_start(struct db_sync **out, const char *path, bool full_sync,
                       struct error *e) MUST_CHECK;
void db_sync_stop(struct db_sync *s); /* NULL allowed; leaves the last sync to the caller */
/* A commit was written; the WAL has so many frames now. Does not block. */
void db_sync_note(struct db_sync *s, int frames);

#endif
