/* broker/log/swap.h - puts a segment that compaction wrote into the place of those it was made of,
 * so that a crash at any step leaves either the old ones or the new one.
 *
 *   NNN.log.cleaned   being written                   start: removed
 *   NNN.log.swap      whole and durable: it counts    start: takes the place of what it covers
 *   NNN.log           in its place; the old ones are *.deleted
 *
 * What it covers: the segments whose names lie in [NNN, offset after its last batch). Compaction
 * keeps the last batch of each run of segments (empty if need be), so that this is all of them.
 * SPEC: broker 4.4. */
#ifndef WEIR_BROKER_LOG_SWAP_H
#define WEIR_BROKER_LOG_SWAP_H

#include "broker/log/plog.h"

#define SWAP_CLEANED ".cleaned"
#define SWAP_READY ".swap"

/* A segment to write to: its files end in .cleaned until swap_in. Nothing is created. */
struct segment *swap_segment_new(const char *dir, int64_t base);
/* Closes and removes an unfinished one; its reference goes. */
void swap_abandon(struct segment *made);
/* Makes the written segment durable and renames it to .swap: from here on a start completes it.
 * Needs no lock. On failure the caller abandons it. */
enum err swap_ready(struct segment *made, struct error *e) MUST_CHECK;
/* Replaces old[0..count), which lie side by side in the log, by `made`, in the list and on disk.
 * E_CONFLICT: they are not in the log any more. After a failure the log is as it was, or marked
 * failed when even that could not be had, and the caller abandons `made`. On success the references
 * of the old ones are the caller's to drop; their files are in the trash. Lock: plog.h. */
enum err swap_in(struct plog *l, struct segment *const *old, size_t count, struct segment *made,
                 struct trash *trash, int64_t delay_ms, struct error *e) MUST_CHECK;

/* Before a log is loaded: completes or undoes what a crash left, removes *.deleted. E_IO. */
enum err swap_recover(const char *dir, struct error *e) MUST_CHECK;
/* Whether a file name is one that swap_recover is for. */
bool swap_is_rest(struct slice name);

#endif
