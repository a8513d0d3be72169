/* cdc/signal_channel.h - where signals come from beside the database itself: a Kafka topic, a file.
 *
 * `kafka`: partition 0 of a topic; the key of a record must be topic.prefix. How far it has been
 * read is the task's to keep (with its source offset), so that a signal that came while the
 * connector was down is taken once. The first time reading begins at the end of the topic. `file`:
 * one JSON object a line; the file is emptied after reading. Until an offset that knows of its signals
 * is stored, a copy beside it (NAME.taken) has them: after a crash they come again. SPEC: cdc-mysql
 * 3.6, cdc-mongodb 4.3. Thread: the task's. */
#ifndef WEIR_CDC_SIGNAL_CHANNEL_H
#define WEIR_CDC_SIGNAL_CHANNEL_H

#include "base/base.h"
#include "cdc/signal.h"
#include "connect/kclient.h"

struct signal_channel_options {
    struct slice channels; /* signal.enabled.channels */
    struct slice topic, file;
    int64_t interval_ms;
};
struct signal_channels {
    bool source, kafka, file;
    struct kclient *kclient; /* borrowed */
    char *topic, *path;
    char *key; /* topic.prefix */
    int64_t interval_ms, next_ms;
    int64_t position; /* of the topic: what is read next; -1: not known yet */
    bool told_missing, told_copy;
    /* The file's signals were handed over; an offset that has them was handed over, too. */
    bool taken, stored;
};
/* Copies the texts. */
void signal_channels_init(struct signal_channels *c, const struct signal_channel_options *o,
                          struct kclient *k, struct slice prefix);
void signal_channels_release(struct signal_channels *c);
/* The first time: from here on. A position that is known stays; where the end of the topic cannot be
 * asked for now, it is at the next look. */
void signal_channels_begin(struct signal_channels *c);

typedef void (*signal_fn)(const struct signal *s, void *arg);
/* When the interval has passed: hands over what is new, in order. Faults are logged and tried again
 * at the next look. True when an offset should be stored soon. The batches of all earlier polls have
 * been dealt with. */
bool signal_channels_poll(struct signal_channels *c, signal_fn fn, void *arg);
/* The batch at hand has an offset that knows of all signals so far. */
void signal_channels_stored(struct signal_channels *c);

#endif
