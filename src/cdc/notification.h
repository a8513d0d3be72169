/* cdc/notification.h - what a connector tells about its own work: snapshots that begin, go on, end.
 *
 * Channels: `sink` (records on a topic), `log` (lines), `jmx` (counted by type, for /metrics). A note is logged at once; its record waits until the task hands it out in a batch,
 * which is not repeatable (struct record_batch). SPEC: cdc-mysql 3.9, cdc-mongodb 8.4. Thread: the
 * task's. */
#ifndef WEIR_CDC_NOTIFICATION_H
#define WEIR_CDC_NOTIFICATION_H

#include "base/base.h"
#include "connect/record.h"

struct note;
enum { NOTE_ABOUTS = 2, NOTE_TYPES = 8 };
struct notifier {
    bool to_topic, to_log, to_metrics;
    _Atomic uint64_t counts[NOTE_ABOUTS][NOTE_TYPES]; /* with jmx; relaxed, any thread reads */
    char *topic;                                      /* of the channel sink */
    char *connector;                                  /* topic.prefix */
    const struct schema *key, *value;
    struct note *first, *last; /* not handed out yet, oldest first */
};
/* channels: the option's list. Copies. */
void notifier_init(struct notifier *n, struct slice channels, struct slice topic,
                   struct slice connector);
void notifier_release(struct notifier *n);

enum note_about { NOTE_INITIAL, NOTE_INCREMENTAL };
/* One member of additional_data; a null value is left out. */
struct note_member {
    const char *name;
    struct slice value;
};
#define NOTE_MEMBERS_MAX 8
/* id: of a signal; null: a new one. Members in the order in which they are shown;
 * {"connector_name", null} stands for the connector's own. Copies. */
void notify(struct notifier *n, enum note_about about, const char *type, struct slice id,
            const struct note_member *members, size_t count);
/* Figure number i, from 0, of how many notes of which kind there were. False: no more, or none are
 * counted. Thread: any. */
bool notifier_count(const struct notifier *n, size_t i, const char **about, const char **type,
                    uint64_t *count);
/* Whether a note goes anywhere: what goes into it need not be made otherwise. */
static inline bool notifier_wants(const struct notifier *n)
{
    return n->to_topic || n->to_log || n->to_metrics;
}
static inline bool notifier_pending(const struct notifier *n)
{
    return n->first != NULL;
}
/* Adds the records of all pending notes; marks the batch unrepeatable. */
enum err notifier_flush(struct notifier *n, struct record_batch *b) MUST_CHECK;

#endif
